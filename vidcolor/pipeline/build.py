"""The one place where stages are put together: from a plan to frames that can be written."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import ceil
from typing import NamedTuple

import numpy as np

from vidcolor.backends.base import Session
from vidcolor.media.input.probe import Film
from vidcolor.picture.planes import Box, Layout, Planes, work_size
from vidcolor.pipeline.model import Plan
from vidcolor.pipeline.prefetch import Prefetch
from vidcolor.pipeline.sessions import SessionPool
from vidcolor.stages.amplify import Amplify
from vidcolor.stages.base import ColorSource, Frame, Stage, check_order, parts
from vidcolor.stages.colorize import Colorize, Setting, turn_dial
from vidcolor.stages.cuts import Cuts
from vidcolor.stages.find_motion import FindMotion
from vidcolor.stages.only_grey import OnlyGrey
from vidcolor.stages.render_color import RenderColor
from vidcolor.stages.render_style import RenderStyle
from vidcolor.stages.shrink import Shrink, View
from vidcolor.stages.steady_color import SteadyColor
from vidcolor.stages.steady_style import SteadyStyle
from vidcolor.stages.stylize import Stylize

UNDERPAINT_SIDE = 192
"""Short side at which the colour network looks at a film that is restyled: finer colour would be painted over."""
LOOK_AHEAD = 2
"""Frames that are looked at before a cut is decided; 0 is for live."""
LARGEST_BATCH = 4
"""Pictures that the colour network is loaded for. Always the same: loaded for one alone it rounds differently, and a preview would differ
from its film."""


class Sessions(NamedTuple):
    """The networks of a plan, loaded; None where one has nothing to do."""

    color: Session | None
    style: Session | None

    @property
    def precision(self) -> str:
        return next((session.precision for session in self if session), "")


def load(plan: Plan, pool: SessionPool) -> Sessions:
    """The planned networks on the planned device, for this film's sizes. They belong to the pool."""
    if plan.style is not None and plan.colors:  # both are loaded at once
        pool.prepare(plan.backend, plan.style.network.path, style_shapes(plan))
    color = pool.get(plan.backend, plan.network.path, color_shapes(plan)) if plan.colors else None
    style = pool.get(plan.backend, plan.style.network.path, style_shapes(plan)) if plan.style else None
    return Sessions(color, style)


def color_shapes(plan: Plan) -> dict[str, tuple[int, ...]]:
    """Shapes of the colour network's inputs for a plan."""
    return plan.network.shapes(LARGEST_BATCH, *color_view(plan).size)


def style_shapes(plan: Plan) -> dict[str, tuple[int, ...]]:
    """Shapes of the style network's inputs for a plan that has a style: frames go through it one by one."""
    assert plan.style is not None
    return plan.style.network.shapes(1, *style_size(plan))


def color_view(plan: Plan) -> View:
    """How the colour network of a plan looks at its film."""
    side = plan.network.card.work_size
    return view_of(plan.film, plan.look.box, min(side, UNDERPAINT_SIDE) if plan.style else side)


def view_of(film: Film, box: Box, side: int) -> View:
    """The view that a person has, with this short side: upright and in the displayed proportions, as training photos are."""
    return View(box, shown_size(film, box, side), quarters(film))


def style_size(plan: Plan) -> tuple[int, int]:
    """(height, width) at which the style network looks at the film."""
    assert plan.style is not None
    return shown_size(plan.film, plan.look.box, plan.style.side, plan.style.network.card.multiple)


def shown_size(film: Film, box: Box, side: int, multiple: int = 32) -> tuple[int, int]:
    """(height, width) of the picture in `box` as it is shown, with the short side `side`."""
    width, height = max(1, round(box.width * film.sample_aspect)), box.height
    return work_size(Box(0, 0, height, width) if quarters(film) % 2 else Box(0, 0, width, height), side, multiple)


def quarters(film: Film) -> int:
    """Quarter turns, counter-clockwise, from the film as stored to upright."""
    return round(film.rotation / 90) % 4


class Pipeline:
    """The way of a film's frames from decoded planes to planes for a target layout.

    `look_ahead` is how many frames a cut is decided over (0: live); with `one_shot` there are no cuts. `full_size` makes the stages that
    mend the picture before anything is made of it. Every run has stages of its own, so that one pipeline serves many stretches of a film.
    Raises ValueError where a stage lacks something that none before it gives.
    """

    def __init__(
        self,
        plan: Plan,
        sessions: Sessions,
        target: Layout,
        *,
        look_ahead: int = LOOK_AHEAD,
        one_shot: bool = False,
        full_size: Callable[[], Sequence[Stage]] = tuple,
    ) -> None:
        self._plan, self._sessions, self._target = plan, sessions, target
        self._look_ahead, self._one_shot, self._full_size = look_ahead, one_shot, full_size
        known = (parts("shot") if one_shot else parts()) | (parts() if plan.colors else parts("chroma"))  # no frame needs any then
        check_order([stage for _, group in self._groups() for stage in group], known)

    def run(self, decoded: Iterable[tuple[int, Planes]]) -> Iterator[Frame]:
        """Decoded planes by pts to frames with `out` set, in this thread: a frame comes as soon as its look-ahead has."""
        frames: Iterator[Frame] = self._frames(decoded)
        for _, group in self._groups():
            for stage in group:
                frames = stage.run(frames)
        return frames

    @contextmanager
    def ahead(self, decoded: Iterable[tuple[int, Planes]], prefetch: int) -> Iterator[Iterable[Frame]]:
        """As `run`, with a thread for each group of stages; the first and the last may be `prefetch` frames ahead of the next.

        Frames come without what only stages need: motion, content and what was made of it.
        """
        groups = self._groups()
        with ExitStack() as stack:
            frames: Iterable[Frame] = self._frames(decoded)
            for number, (name, group) in enumerate(groups):
                for stage in group:
                    frames = stage.run(frames)
                outer, last = number in (0, len(groups) - 1), number == len(groups) - 1
                frames = without_work(frames) if last else frames
                frames = stack.enter_context(Prefetch(frames, prefetch if outer else 1, name))
            yield frames

    def picture(self, planes: Planes) -> Planes:
        """One picture by itself."""
        (frame,) = self.run([(0, planes)])
        assert frame.out is not None
        return frame.out

    def _frames(self, decoded: Iterable[tuple[int, Planes]]) -> Iterator[Frame]:
        number = itertools.count()
        for pts, planes in decoded:
            source: ColorSource = "made" if self._plan.colors else "film" if planes.cb is not None else "none"
            place = next(number)
            yield Frame(place, pts, planes, source, place=place)

    def _groups(self) -> list[tuple[str, list[Stage]]]:
        """Fresh stages in their order, by the thread that they share. Decoding is done in the first."""
        plan, style = self._plan, self._plan.style is not None
        steady = plan.job.steady != "off"
        first, color = list(self._full_size()), list[Stage]()
        # What a style network looks at is large: it is not made for frames that wait to be looked at.
        (color if style else first).append(Shrink(color_view(plan), style_size(plan) if style else None))
        color += [] if self._one_shot else [Cuts(look_ahead=self._look_ahead)]
        color += [OnlyGrey()] if plan.job.only_grey else []
        color += [FindMotion()] if steady else []
        if self._sessions.color:
            batch = 1 if self._one_shot or not self._look_ahead else plan.backend.batch
            color += coloring(self._sessions.color, dial(plan), steady=steady, batch=batch, mirror=plan.network.card.mirror)
        groups: list[tuple[str, list[Stage]]] = [("decode", first), ("color", color)]
        if self._sessions.style:
            groups.append(("style", [self._stylize(self._sessions.style)]))
            groups += [("steady", [self._steady_style()])] if steady else []
        return [*groups, ("render", [self._render()])]

    def _stylize(self, session: Session) -> Stylize:
        """The stylize stage with the codes of the plan; statistics are held where motion is followed."""
        plan, film = self._plan, self._plan.film
        assert plan.style is not None
        changes = [(ceil((film.start + time) / film.time_base), np.array(code, np.float32)) for time, code in plan.style.changes]
        stats, hold = plan.style.network.vector_length("stats"), plan.job.steady != "off"
        return Stylize(session, np.array(plan.style.code, np.float32), stats=stats, hold=hold, changes=changes)

    def _steady_style(self) -> SteadyStyle:
        """A network that does not normalize draws what it sees, and shimmers no more than the film: there sharpness counts for more."""
        assert self._plan.style is not None
        return SteadyStyle() if self._plan.style.network.vector_length("stats") else SteadyStyle(doubt=4)

    def _render(self) -> Stage:
        job = self._plan.job
        return RenderStyle(self._target, job.style_strength, job.color_from) if self._plan.style else RenderColor(self._target)


def without_work(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames that wait for the encoder, without what is as large as they are."""
    for frame in frames:
        frame.work.motion = frame.work.content = frame.work.styled = None
        yield frame


def coloring(session: Session, setting: Setting, *, steady: bool, batch: int = 1, mirror: bool = False) -> list[Stage]:
    """The stages from work luma to colour; `steady` ones need motion."""
    return [Colorize(session, setting, batch=batch, mirror=mirror), *([SteadyColor()] if steady else []), Amplify(setting.gain)]


def dial(plan: Plan) -> Setting:
    """Where the plan's vividness dial stands."""
    return turn_dial([Setting(*position) for position in plan.network.card.dial], plan.job.vividness)


def full_color(layout: Layout) -> Layout:
    """The same layout with chroma at full size."""
    return dataclasses.replace(layout, chroma="444", fields="progressive")
