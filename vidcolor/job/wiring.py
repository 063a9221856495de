"""What runs, previews and estimates share: a session for a film, frames for its stages."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vidcolor.backends import choose
from vidcolor.backends.base import Session
from vidcolor.errors import OutputError
from vidcolor.frames import Frame, Stage, Work
from vidcolor.job.report import Job, Plan
from vidcolor.media.probe import Film
from vidcolor.media.reader import Reader
from vidcolor.media.writer import sync_folder
from vidcolor.networks import Network
from vidcolor.planes import Box, Layout, Planes, shrink, work_size
from vidcolor.stages.colorize import Colorize, Setting, turn_dial
from vidcolor.stages.fuse import Fuse
from vidcolor.stages.fuse_style import FuseStyle
from vidcolor.stages.steady import Steady
from vidcolor.stages.style_steady import StyleSteady
from vidcolor.stages.stylize import Stylize


class View(NamedTuple):
    """How a network looks at a film: the part it sees, the size (height, width) it sees it at, quarter turns to upright."""

    box: Box
    size: tuple[int, int]
    turns: int


BENEATH = 192
"""Short side at which the colour network looks at a film that is restyled: strokes lie over what a larger one would add."""


def view_of(film: Film, box: Box, side: int) -> View:
    """The view that a person has, with this short side: upright and in the displayed proportions, as training photos are."""
    return View(box, shown_size(film, box, side), quarters(film))


def color_view(plan: Plan) -> View:
    """How the colour network of a plan looks at its film."""
    side = plan.network.card.work_size
    return view_of(plan.film, plan.box, min(side, BENEATH) if plan.style else side)


def shown_size(film: Film, box: Box, side: int, multiple: int = 32) -> tuple[int, int]:
    """(height, width) of the picture in `box` as it is shown, with the short side `side`."""
    width, height = max(1, round(box.width * film.sample_aspect)), box.height
    return work_size(Box(0, 0, height, width) if quarters(film) % 2 else Box(0, 0, width, height), side, multiple)


def quarters(film: Film) -> int:
    """Quarter turns, counter-clockwise, from the film as stored to upright."""
    return round(film.rotation / 90) % 4


class Sessions(NamedTuple):
    """The networks of a plan, loaded; None where one has nothing to do."""

    color: Session | None
    style: Session | None

    @property
    def precision(self) -> str:
        return (self.color or self.style).precision  # type: ignore[union-attr]  # a plan needs at least one


@contextmanager
def sessions(plan: Plan) -> Iterator[Sessions]:
    """The planned networks on the planned device, for this film's work sizes; closed at the end."""
    with ExitStack() as stack:
        color = stack.enter_context(closing(load_session(plan))) if plan.colors else None
        style = stack.enter_context(closing(load_style_session(plan))) if plan.style else None
        yield Sessions(color, style)


def load_session(plan: Plan) -> Session:
    """The planned network on the planned device, for this film's work size."""
    backend, _ = choose(plan.job.device)
    batch = 1 if plan.film.still else plan.job.batch
    return backend.load(plan.network.path, plan.network.shapes(batch, *color_view(plan).size))


def load_style_session(plan: Plan) -> Session:
    """The planned style network on the planned device, for one picture at this film's style size."""
    assert plan.style is not None
    backend, _ = choose(plan.job.device)
    return backend.load(plan.style.network.path, plan.style.network.shapes(1, *style_size(plan)))


def style_size(plan: Plan) -> tuple[int, int]:
    """(height, width) at which the style network looks at the film."""
    assert plan.style is not None
    return shown_size(plan.film, plan.box, plan.style.side, plan.style.network.card.multiple)


def dial(network: Network, vividness: float) -> Setting:
    return turn_dial([Setting(*position) for position in network.card.dial], vividness)


def to_frames(decoded: Iterator[tuple[int, Planes]], view: View, skip: int) -> Iterator[Frame]:
    """Decoded planes as frames with their work luma; the first `skip` ones are only decoded."""
    stored = view.size[::-1] if view.turns % 2 else view.size
    for number, (pts, planes) in enumerate(decoded):
        if number >= skip:
            luma = np.ascontiguousarray(np.rot90(shrink(planes, view.box, stored), view.turns))
            yield Frame(number, pts, planes, Work(luma, view.box, turns=view.turns))


def open_reader(plan: Plan) -> Reader:
    """The part of the film that was asked for, decoded as was asked for."""
    job = plan.job
    return Reader(plan.film, threads=job.threads, start=job.start, end=job.end, deinterlace=job.deinterlace)


class Chain:
    """The stages of a plan from shots to full-size planes, for a target layout."""

    def __init__(self, plan: Plan, loaded: Sessions, target: Layout, batch: int) -> None:
        self.colorize = colorizer(plan, loaded.color, batch) if loaded.color else None
        self.stylize = stylizer(plan, loaded.style) if loaded.style else None
        steady = style_steadiness(plan) if self.stylize and plan.job.steady == "causal" else None
        fuse = FuseStyle(target, plan.job.style_strength, plan.job.color_from) if plan.style else Fuse(target)
        self.stages: list[Stage] = [stage for stage in (self.colorize, self.stylize, steady, fuse) if stage]

    def run(self, frames: Iterable[Frame], beside: Callable[[Iterator[Frame]], Iterable[Frame]] = iter) -> Iterator[Frame]:
        """Frames with shot and place set to frames with `out` set; `beside` may have each stage but the last work in a thread."""
        *firsts, last = self.stages
        for stage in firsts:
            frames = beside(stage.run(frames))
        return last.run(frames)


def colorizer(plan: Plan, session: Session, batch: int) -> Colorize:
    """The colorize stage with the dial and the steadiness of the plan."""
    steady = Steady() if plan.job.steady == "causal" else None
    setting = dial(plan.network, plan.job.vividness)
    return Colorize(session, setting, batch=batch, steady=steady, mirror=plan.network.card.mirror)


def stylizer(plan: Plan, session: Session) -> Stylize:
    """The stylize stage with the codes of the plan; statistics are held where motion is followed."""
    assert plan.style is not None
    hold, numbers = plan.job.steady == "causal", plan.style.network.vector_length("stats")
    code, film = np.array(plan.style.code, np.float32), plan.film
    changes = [(ceil((film.start + time) / film.time_base), np.array(later, np.float32)) for time, later in plan.style.changes]
    return Stylize(session, code, style_size(plan), stats=numbers, hold=hold, changes=changes)


def style_steadiness(plan: Plan) -> StyleSteady:
    """A network that does not normalize draws what it sees, and shimmers no more than the film: there sharpness counts for more."""
    assert plan.style is not None
    return StyleSteady() if plan.style.network.vector_length("stats") else StyleSteady(doubt=4)


def paint_one(plan: Plan, loaded: Sessions, planes: Planes) -> Planes:
    """One picture through the networks of a plan, with chroma at full size."""
    frames = to_frames(iter([(0, planes)]), color_view(plan), 0)
    (frame,) = Chain(plan, loaded, full_color(planes.layout), 1).run(frames)
    assert frame.out is not None
    return frame.out


def full_color(layout: Layout) -> Layout:
    """The same layout with chroma at full size."""
    return dataclasses.replace(layout, chroma="444", fields="progressive")


def publish(whole: Path, job: Job) -> int:
    """Give a complete file its final name, and return its size; never over a file that came up meanwhile, unless that was asked for.

    Raises OutputError where that cannot be done.
    """
    if job.out.exists() and not job.overwrite:
        raise OutputError(f"{job.out}: came up meanwhile; move it away, or use --overwrite to replace it")
    try:
        with whole.open("rb") as file:
            os.fsync(file.fileno())
        size = whole.stat().st_size
        whole.replace(job.out)
        sync_folder(job.out.parent)
    except OSError as error:
        raise OutputError(f"{job.out}: cannot be written ({error.strerror})") from error
    return size
