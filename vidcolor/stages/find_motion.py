"""Finds how each frame follows from the one before it in its shot: once, for all stages that carry something along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vidcolor.picture.motion import Flow, MotionView, prepare
from vidcolor.stages.base import Frame, parts


class FindMotion:
    """Stage: gives every frame but the first of its shot `work.motion`, found on the content where there is some, else on work luma."""

    needs, gives, held = parts("work", "shot"), parts("motion"), 0

    def __init__(self) -> None:
        self._flow = Flow()

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with motion set."""
        shot, past = -1, None
        for frame in frames:
            work = frame.work
            now = prepare(work.luma if work.content is None else work.content[0])
            work.motion = self._flow.between(past, now) if past is not None and self._follows(past, now, frame.shot == shot) else None
            shot, past = frame.shot, now
            yield frame

    @staticmethod
    def _follows(past: MotionView, now: MotionView, same_shot: bool) -> bool:
        return same_shot and past.grey.shape == now.grey.shape
