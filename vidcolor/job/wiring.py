"""What runs, previews and estimates share: a session for a film, frames for its stages."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vidcolor.backends import choose
from vidcolor.backends.base import Session
from vidcolor.errors import OutputError
from vidcolor.frames import Frame, Work
from vidcolor.job.report import Job, Plan
from vidcolor.media.probe import Film
from vidcolor.media.reader import Reader
from vidcolor.media.writer import sync_folder
from vidcolor.networks import Network
from vidcolor.planes import Box, Layout, Planes, shrink, work_size
from vidcolor.stages.colorize import Colorize, Setting, turn_dial
from vidcolor.stages.fuse import Fuse
from vidcolor.stages.steady import Steady


class View(NamedTuple):
    """How a network looks at a film: the part it sees, the size (height, width) it sees it at, quarter turns to upright."""

    box: Box
    size: tuple[int, int]
    turns: int


def view_of(film: Film, box: Box, network: Network) -> View:
    """The view that a person has: upright and in the displayed proportions, as training photos are."""
    width, height = max(1, round(box.width * film.sample_aspect)), box.height
    turns = round(film.rotation / 90) % 4
    shown = Box(0, 0, height, width) if turns % 2 else Box(0, 0, width, height)
    return View(box, work_size(shown, network.card.work_size), turns)


def load_session(plan: Plan) -> Session:
    """The planned network on the planned device, for this film's work size."""
    backend, _ = choose(plan.job.device)
    batch = 1 if plan.film.still else plan.job.batch
    return backend.load(plan.network.path, session_shapes(batch, *view_of(plan.film, plan.box, plan.network).size))


def session_shapes(batch: int, height: int, width: int) -> dict[str, tuple[int, ...]]:
    return {"luma": (batch, 1, height, width), "hints": (batch, 3, height, width), "temperature": (1,), "tilt": (1,)}


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


def colorizer(plan: Plan, session: Session, batch: int) -> Colorize:
    """The colorize stage with the dial and the steadiness of the plan."""
    steady = Steady() if plan.job.steady == "causal" else None
    setting = dial(plan.network, plan.job.vividness)
    return Colorize(session, setting, batch=batch, steady=steady, mirror=plan.network.card.mirror)


def color_one(session: Session, network: Network, vividness: float, planes: Planes, view: View) -> Planes:
    """One picture through the session of a network and fuse, with chroma at full size."""
    colorize = Colorize(session, dial(network, vividness), mirror=network.card.mirror)
    (frame,) = Fuse(full_color(planes.layout)).run(colorize.run(to_frames(iter([(0, planes)]), view, 0)))
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
