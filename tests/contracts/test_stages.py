"""What every stage promises: frames in, frames out, in order; nothing over a cut; nothing kept beyond `held`; the source untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest

from tests.stages.sessions import Echo, Tint
from vidcolor.frames import Frame, Stage, Work
from vidcolor.planes import Box, Layout, Planes, shrink, shrink_color
from vidcolor.stages.colorize import Colorize, Setting
from vidcolor.stages.cuts import Cuts
from vidcolor.stages.fuse import Fuse
from vidcolor.stages.fuse_style import FuseStyle
from vidcolor.stages.steady import Steady
from vidcolor.stages.style_steady import StyleSteady
from vidcolor.stages.stylize import Stylize
from vidcolor.stages.tint import OnlyGrey

LAYOUT = Layout(64, 48)
CODE, STYLE_SIZE = np.array([0.9, 0.5, 0.7], np.float32), (64, 96)
BOX = Box(0, 0, 64, 48)
SHOTS = [5, 1, 7, 2, 4]


@dataclass(frozen=True)
class Case:
    """A stage under contract: how it is made."""

    make: Callable[[], Stage]


CASES = {
    "cuts": Case(Cuts),
    "cuts, live": Case(lambda: Cuts(look_ahead=0)),
    "only-grey": Case(OnlyGrey),
    "colorize": Case(lambda: Colorize(Echo(), Setting(0.6, 0.5, 1.2), batch=3)),
    "colorize, steady": Case(lambda: Colorize(Echo(), Setting(0.6, 0.5, 1.2), batch=3, steady=Steady())),
    "stylize": Case(lambda: Stylize(Tint(), CODE, STYLE_SIZE, stats=6)),
    "stylize, frame by frame": Case(lambda: Stylize(Tint(), CODE, STYLE_SIZE, stats=6, hold=False)),
    "stylize, changing": Case(lambda: Stylize(Tint(), CODE, STYLE_SIZE, stats=6, changes=[(20, CODE / 2)])),
    "style steady": Case(StyleSteady),
    "fuse style": Case(lambda: FuseStyle(LAYOUT)),
    "fuse style, half, 10 bit 4:4:4": Case(lambda: FuseStyle(Layout(64, 48, depth=10, chroma="444"), 0.5, "film")),
    "fuse": Case(lambda: Fuse(LAYOUT)),
    "fuse, 10 bit 4:4:4": Case(lambda: Fuse(Layout(64, 48, depth=10, chroma="444"))),
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
    """Frames with all that any stage needs; pts uneven, as in film of variable rate."""
    out: list[Frame] = []
    for shot, length in enumerate(shots[first:], first):
        for place in range(length):
            planes = picture(shot, place)
            luma = shrink(planes, BOX, (32, 64))
            chroma = np.random.default_rng(100 + shot).uniform(-0.2, 0.2, (2, 8, 16)).astype(np.float32)
            work = Work(luma, BOX, chroma, np.full((8, 16), 0.5, np.float32))
            work.content = shrink_color(planes, BOX, STYLE_SIZE)
            work.styled = (0.5 * work.content + 0.1).astype(np.float32)
            for array in (luma, chroma, work.content, work.styled):
                array.flags.writeable = False
            number = sum(shots[:shot]) + place
            out.append(Frame(number, number * number - 3, planes, work, shot, place))
    return out


def answer(frame: Frame) -> dict[str, Any]:
    """All that a stage may have said of a frame."""
    out = frame.out
    planes = None if out is None else [plane.tobytes() for plane in (out.y, out.cb, out.cr)]
    made = {name: getattr(frame.work, name) for name in ("chroma", "content", "styled")}
    return {"place": frame.place, "keep": frame.keep, "out": planes} | {k: None if v is None else v.tobytes() for k, v in made.items()}


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
    before = [(frame.source.y.tobytes(), frame.work.luma.tobytes()) for frame in frames]
    sources = [id(frame.source) for frame in frames]
    out = list(case.make().run(frames))  # read-only arrays raise where they are written
    assert [(frame.source.y.tobytes(), frame.work.luma.tobytes()) for frame in out] == before
    assert [id(frame.source) for frame in out] == sources


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
