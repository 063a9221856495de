"""Finds how each frame follows from the one before it in its shot: once, for all stages that carry something along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vidcolor.picture.motion import Flow, MotionView, prepare
from vidcolor.stages.base import Frame, parts


class FindMotion:
    """Stage: gives every frame but the first of its shot `work.motion`, found on the content where there is some, else on work luma.

    Frames that nothing is carried to, since they keep their colour and are not restyled, have none, and none leads from them.
    """

    needs, gives, held = parts("work", "shot", "color source"), parts("motion"), 0

    def __init__(self) -> None:
        self._flow = Flow()

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with motion set."""
        shot: int | None = None
        past: MotionView | None = None
        for frame in frames:
            work, now = frame.work, None
            work.motion = None
            if work.content is not None or frame.color_source == "made":
                now = prepare(work.luma if work.content is None else work.content[0])
                if past is not None and frame.shot == shot and past.grey.shape == now.grey.shape:
                    work.motion = self._flow.between(past, now)
            shot, past = frame.shot, now
            yield frame
