"""The pipeline as a whole: what it takes to add a stage, a source or a hint, and that its threads change nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.job.films import Shade
from vidcolor.analysis.tint import UNKNOWN
from vidcolor.backends.openvino import OpenVINOBackend
from vidcolor.media.input.probe import film_of
from vidcolor.networks.cards import find
from vidcolor.picture.planes import Box, Layout, Planes
from vidcolor.pipeline.build import Pipeline, Sessions
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.model import Look, Plan
from vidcolor.stages.base import Frame, Stage, check_order, parts
from vidcolor.stages.steady_color import SteadyColor

LAYOUT, TARGET = Layout(96, 64, chroma="400", full_range=True), Layout(96, 64, full_range=True)


def plan(**asked: Any) -> Plan:
    job = Job(Path("camera"), Path("nowhere.mkv"), **asked)
    look = Look(film_of(Path("camera"), LAYOUT), UNKNOWN, Box(0, 0, 96, 64))
    return Plan(job, look, find("colorize-fast"), OpenVINOBackend(), "")


def pictures(count: int, cut: int = 10**9) -> Iterator[tuple[int, Planes]]:
    """A pan over a scene, over another one from frame `cut` on."""
    for number in range(count):
        rough = np.random.default_rng(number >= cut).random((8, 24), dtype=np.float32)
        scene = cv2.resize(rough, (192, 64), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        y = np.rint(scene[:, 2 * (number % 40) :][:, :96] * 200 + 20).astype(np.uint8)
        y.flags.writeable = False
        yield number * number, Planes(y, None, None, LAYOUT)


def codes(frame: Frame) -> list[bytes]:
    assert frame.out is not None and frame.out.cb is not None and frame.out.cr is not None
    return [plane.tobytes() for plane in (frame.out.y, frame.out.cb, frame.out.cr)]


class Invert:
    """Stands for a remover of dust: turns marked pixels round, and touches nothing else."""

    needs, gives, held = parts("picture"), parts("picture"), 0

    def __init__(self, marked: np.ndarray) -> None:
        self.marked = marked

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            y = np.where(self.marked, 255 - frame.picture.y, frame.picture.y)
            frame.picture = replace(frame.picture, y=y)
            yield frame


def test_a_stage_that_mends_the_picture_is_seen_by_all_that_follow_and_changes_what_it_says_alone() -> None:
    marked = np.zeros((64, 96), bool)
    marked[20:44, 30:60] = True
    sessions = Sessions(Shade(), None)
    plain = list(Pipeline(plan(), sessions, TARGET).run(pictures(6)))
    mended = list(Pipeline(plan(), sessions, TARGET, full_size=lambda: [Invert(marked)]).run(pictures(6)))
    for before, after in zip(plain, mended, strict=True):
        assert np.array_equal(after.out.y[~marked], before.decoded.y[~marked]) and np.array_equal(after.decoded.y, before.decoded.y)
        assert np.array_equal(after.out.y[marked], 255 - before.decoded.y[marked])
        assert not np.array_equal(after.work.luma, before.work.luma), "networks see the mended picture"
        assert not np.array_equal(after.out.cb, before.out.cb)


@pytest.mark.parametrize("steady", ["off", "causal"])
def test_a_camera_gets_every_picture_back_before_it_gives_the_next(steady: Any) -> None:
    taken: list[int] = []

    def camera() -> Iterator[tuple[int, Planes]]:
        for pts, planes in pictures(12, cut=6):
            taken.append(pts)
            yield pts, planes

    for number, frame in enumerate(Pipeline(plan(steady=steady), Sessions(Shade(), None), TARGET, look_ahead=0).run(camera())):
        assert len(taken) == number + 1
        assert frame.pts == taken[-1]
        assert frame.shot == (number >= 6)
        codes(frame)


@pytest.mark.parametrize("steady", ["off", "causal"])
def test_what_a_person_hints_is_followed_with_steadiness_and_without(steady: Any) -> None:
    class Hinter:
        """Marks the left half of every frame blue."""

        needs, gives, held = parts(), parts(), 0

        def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
            for frame in frames:
                frame.hints.given = np.zeros((3, 256, 384), np.float32)
                frame.hints.given[:, :, :192] = np.array([0.3, -0.1, 1], np.float32)[:, None, None]
                yield frame

    backend, card = OpenVINOBackend(), find("colorize-fast")
    session = backend.load(card.path, card.shapes(4, 256, 384), "f32")
    pipelines = [Pipeline(plan(steady=steady), Sessions(session, None), TARGET, full_size=more) for more in (list, lambda: [Hinter()])]
    for frame, hinted in zip(*(pipeline.run(pictures(4)) for pipeline in pipelines), strict=True):
        left = hinted.out.cb[4:-4, 4:20].mean()
        assert left > 170 and left > frame.out.cb[4:-4, 4:20].mean() + 30
    session.close()


def test_threads_and_batches_change_nothing() -> None:
    asked = plan()
    batched = replace(asked, backend=type("Four", (), {"name": "four", "batch": 4})())
    answers = []
    for each in (asked, batched):
        pipeline = Pipeline(each, Sessions(Shade(), None), TARGET)
        answers.append([(frame.pts, frame.shot, codes(frame)) for frame in pipeline.run(pictures(20, cut=7))])
        with pipeline.ahead(pictures(20, cut=7), 3) as frames:
            answers.append([(frame.pts, frame.shot, codes(frame)) for frame in frames])
            names = {thread.name for thread in threading.enumerate() if thread.name.startswith("vidcolor-")}
    assert all(answer == answers[0] for answer in answers)
    assert names <= {"vidcolor-decode", "vidcolor-color", "vidcolor-render"}


def test_a_pipeline_serves_many_stretches_with_stages_of_their_own() -> None:
    pipeline = Pipeline(plan(), Sessions(Shade(), None), TARGET)
    first, again = ([codes(frame) for frame in pipeline.run(pictures(5))] for _ in range(2))
    assert first == again


def test_a_stage_that_lacks_what_it_needs_is_found_before_any_frame() -> None:
    stages: list[Stage] = [SteadyColor()]
    with pytest.raises(ValueError, match="SteadyColor needs chroma, motion"):
        check_order(stages, parts())


def test_a_plan_that_colours_without_a_network_is_refused() -> None:
    with pytest.raises(ValueError, match="needs chroma"):
        Pipeline(plan(), Sessions(None, None), TARGET)


def test_one_shot_has_no_cuts() -> None:
    pipeline = Pipeline(plan(), Sessions(Shade(), None), TARGET, one_shot=True)
    assert [(frame.shot, frame.place) for frame in pipeline.run(pictures(8, cut=4))] == [(0, place) for place in range(8)]
