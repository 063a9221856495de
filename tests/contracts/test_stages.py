"""What every stage promises: frames in, frames out, in order; nothing over a cut; nothing kept beyond `held`; the decoded planes untouched;
nothing is needed but what is declared, and nothing given but that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import cv2
import numpy as np
import pytest

from tests.stages.sessions import Echo, Tint
from vidcolor.picture.motion import Flow, prepare
from vidcolor.picture.planes import Box, Layout, Planes, shrink, shrink_color
from vidcolor.stages.amplify import Amplify
from vidcolor.stages.base import Frame, Hints, Stage, Work
from vidcolor.stages.colorize import Colorize, Setting
from vidcolor.stages.cuts import Cuts
from vidcolor.stages.find_motion import FindMotion
from vidcolor.stages.only_grey import OnlyGrey
from vidcolor.stages.render_color import RenderColor
from vidcolor.stages.render_style import RenderStyle
from vidcolor.stages.shrink import Shrink, View
from vidcolor.stages.steady_color import SteadyColor
from vidcolor.stages.steady_style import SteadyStyle
from vidcolor.stages.stylize import Stylize

LAYOUT = Layout(64, 48)
CODE, STYLE_SIZE = np.array([0.9, 0.5, 0.7], np.float32), (64, 96)
BOX = Box(0, 0, 64, 48)
SHOTS = [5, 1, 7, 2, 4]


@dataclass(frozen=True)
class Case:
    """A stage under contract: how it is made."""

    make: Callable[[], Stage]


VIEW = View(BOX, (32, 64), 0)
CASES = {
    "shrink": Case(lambda: Shrink(VIEW)),
    "shrink, for a style": Case(lambda: Shrink(VIEW, STYLE_SIZE)),
    "cuts": Case(Cuts),
    "cuts, live": Case(lambda: Cuts(look_ahead=0)),
    "only-grey": Case(OnlyGrey),
    "find motion": Case(FindMotion),
    "colorize": Case(lambda: Colorize(Echo(), Setting(0.6, 0.5, 1.2), batch=3)),
    "colorize, live": Case(lambda: Colorize(Echo(), Setting(0.6, 0.5, 1.2), mirror=True)),
    "steady color": Case(SteadyColor),
    "amplify": Case(lambda: Amplify(1.2)),
    "stylize": Case(lambda: Stylize(Tint(), CODE, stats=6)),
    "stylize, frame by frame": Case(lambda: Stylize(Tint(), CODE, stats=6, hold=False)),
    "stylize, changing": Case(lambda: Stylize(Tint(), CODE, stats=6, changes=[(20, CODE / 2)])),
    "steady style": Case(SteadyStyle),
    "render style": Case(lambda: RenderStyle(LAYOUT)),
    "render style, half, 10 bit 4:4:4": Case(lambda: RenderStyle(Layout(64, 48, depth=10, chroma="444"), 0.5, "film")),
    "render color": Case(lambda: RenderColor(LAYOUT)),
    "render color, 10 bit 4:4:4": Case(lambda: RenderColor(Layout(64, 48, depth=10, chroma="444"))),
}


def picture(shot: int, place: int) -> Planes:
    """A scene of its own for each shot, moving a little; every second shot in colour. Arrays are read-only."""
    rng = np.random.default_rng(shot)
    scene = cv2.resize(rng.random((6, 10), dtype=np.float32), (80, 48), interpolation=cv2.INTER_LINEAR)[:, place : place + 64]
    y = np.round(16 + 219 * scene).astype(np.uint8)
    chroma = [np.round(128 + 60 * (shot % 2) * (rng.random((24, 32)) - 0.5)).astype(np.uint8) for _ in range(2)]
    for plane in (y, *chroma):
        plane.flags.writeable = False
    return Planes(y, *chroma, LAYOUT)


def film(shots: list[int] = SHOTS, first: int = 0) -> list[Frame]:
    """Frames with all that any stage needs; pts uneven, as in film of variable rate. Every third shot keeps its own colour."""
    out: list[Frame] = []
    flow = Flow()
    for shot, length in enumerate(shots[first:], first):
        past = None
        for place in range(length):
            planes = picture(shot, place)
            luma = shrink(planes, BOX, (32, 64))
            chroma = np.random.default_rng(100 + shot).uniform(-0.2, 0.2, (2, 8, 16)).astype(np.float32)
            work = Work(luma, BOX, chroma, np.full((8, 16), 0.5, np.float32))
            work.content = shrink_color(planes, BOX, STYLE_SIZE)
            work.styled = (0.5 * work.content + 0.1).astype(np.float32)
            now = prepare(work.content[0])
            work.motion, past = None if past is None else flow.between(past, now), now
            hints = Hints(given=np.full((3, 32, 64), 0.1, np.float32))
            for array in (luma, chroma, work.content, work.styled, hints.given):
                array.flags.writeable = False
            number = sum(shots[:shot]) + place
            source = "film" if shot % 3 == 2 else "made"
            out.append(Frame(number, number * number - 3, planes, source, shot, place, None, hints, work))
    return out


FIELDS = {
    "picture": ("picture",),
    "work": ("work.luma", "work.box", "work.turns"),
    "color source": ("color_source",),
    "shot": ("place", "shot_start"),
    "motion": ("work.motion",),
    "chroma": ("work.chroma", "work.confidence"),
    "content": ("work.content",),
    "styled": ("work.styled", "work.style"),
    "out": ("out",),
}
"""What each part of a frame is made of."""


def part_of(frame: Frame, part: str) -> list[Any]:
    """A part of a frame as something that compares."""
    return [plain(attrgetter(name)(frame)) for name in FIELDS[part]]


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, Planes):
        return [plain(plane) for plane in (value.y, value.cb, value.cr)]
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def answer(frame: Frame) -> dict[str, Any]:
    """All that a stage may have said of a frame."""
    return {part: part_of(frame, part) for part in FIELDS}


def bare(frame: Frame, needs: frozenset[str]) -> Frame:
    """The frame with nothing but what is needed; chroma comes with frames whose colour is made alone."""
    work = frame.work
    needed = needs if frame.color_source == "made" else needs - {"chroma"}
    for part in FIELDS.keys() - needed:
        if part == "color source":
            frame.color_source = "made"
        elif part == "shot":
            frame.shot, frame.place, frame.shot_start = 0, frame.number, None
        elif part == "work":
            work.luma, work.box = np.zeros((2, 2), np.float32), Box(0, 0, 0, 0)
        elif part in ("motion", "chroma", "content", "styled"):
            for name in FIELDS[part]:
                setattr(work, name.removeprefix("work."), 0 if name == "work.style" else None)
    if not needed & {"work", "motion", "chroma", "content", "styled"}:
        frame.shrunk = None
    return frame


def one_by_one(frames: list[Frame], seen: list[int]) -> Iterator[Frame]:
    """Frames as a live source gives them, counting what was taken."""
    for frame in frames:
        seen.append(frame.number)
        yield frame


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_the_same_frames_come_out_in_the_same_order_with_their_pts(case: Case) -> None:
    frames = film()
    before = [(frame.number, frame.pts) for frame in frames]
    out = list(case.make().run(frames))
    assert [id(frame) for frame in out] == [id(frame) for frame in frames]
    assert [(frame.number, frame.pts) for frame in out] == before


def test_nothing_comes_of_nothing_and_one_frame_of_one(case: Case) -> None:
    assert list(case.make().run([])) == []
    assert len(list(case.make().run(film()[:1]))) == 1


def test_no_more_than_held_frames_are_kept_back_and_the_end_flushes_them(case: Case) -> None:
    stage, frames, taken = case.make(), film(), list[int]()
    for given, _ in enumerate(stage.run(one_by_one(frames, taken))):
        assert len(taken) - given - 1 <= stage.held
    assert given + 1 == len(frames)


def test_the_source_and_the_work_at_hand_are_not_written(case: Case) -> None:
    frames = film()
    before = [(plain(frame.decoded), frame.work.luma.tobytes()) for frame in frames]
    decoded = [id(frame.decoded) for frame in frames]
    out = list(case.make().run(frames))  # read-only arrays raise where they are written
    assert [(plain(frame.decoded), frame.work.luma.tobytes()) for frame in out] == before
    assert [id(frame.decoded) for frame in out] == decoded


def test_a_stage_makes_do_with_what_it_needs_and_gives_what_it_says(case: Case) -> None:
    stage = case.make()
    for frame in stage.run([bare(frame, stage.needs) for frame in film()]):
        for part in stage.gives - {"motion", "chroma", "shot"}:
            assert all(value is not None for value in part_of(frame, part)), part
        if "shot" in stage.gives:
            assert frame.shot_start is not None
        if "motion" in stage.gives:
            assert (frame.work.motion is None) == (frame.place == 0 or frame.color_source == "film")
        if "chroma" in stage.gives and frame.color_source == "made":
            assert frame.work.chroma is not None


def test_a_stage_that_lacks_what_it_says_it_needs_does_not_do_as_if_it_had_it(case: Case) -> None:
    """What is declared is really read: without it there is an error, or another answer."""
    stage = case.make()
    whole = [answer(frame) for frame in stage.run(film())]
    for part in stage.needs - {"picture", "shot", "color source"}:
        if part == "motion":
            continue  # there is none at the beginning of a shot: a stage takes it for that
        frames = [bare(frame, stage.needs - {part}) for frame in film()]
        try:
            lacking = [{name: told[name] for name in stage.gives} for told in map(answer, case.make().run(frames))]
        except (ValueError, AttributeError, AssertionError, cv2.error):
            continue
        assert lacking != [{name: told[name] for name in stage.gives} for told in whole], part


def test_a_stage_leaves_alone_what_it_does_not_give(case: Case) -> None:
    stage, frames = case.make(), film()
    before = [{part: part_of(frame, part) for part in FIELDS.keys() - stage.gives} for frame in frames]
    if isinstance(stage, Shrink):  # it makes all that is known at work size anew
        before = [{part: told[part] for part in ("picture", "color source", "shot", "out")} for told in before]
    for frame, told in zip(stage.run(frames), before, strict=True):
        assert {part: part_of(frame, part) for part in told} == told


def test_the_same_input_gives_the_same_output_however_it_arrives(case: Case) -> None:
    at_once = [answer(frame) for frame in case.make().run(film())]
    live = [answer(frame) for frame in case.make().run(one_by_one(film(), []))]
    assert at_once == live


def test_nothing_is_carried_over_a_cut(case: Case) -> None:
    whole = [answer(frame) for frame in case.make().run(film())]
    for first in range(1, len(SHOTS)):
        part = [answer(frame) for frame in case.make().run(film(first=first))]
        assert part == whole[sum(SHOTS[:first]) :]


def test_what_comes_after_a_cut_changes_nothing_before_it(case: Case) -> None:
    whole = [answer(frame) for frame in case.make().run(film())]
    for last in range(1, len(SHOTS)):
        part = [answer(frame) for frame in case.make().run(film(SHOTS[:last]))]
        assert part == whole[: len(part)]


def test_a_failing_source_is_heard_and_nothing_more_comes(case: Case) -> None:
    def broken() -> Iterator[Frame]:
        yield from film()[:4]
        raise OSError("the film tore")

    with pytest.raises(OSError, match="tore"):
        list(case.make().run(broken()))
