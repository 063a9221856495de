"""Cuts the stream of coloured frames into segments and journals each once it is safe."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from vidcolor.frames import Frame
from vidcolor.job.journal import Journal, Segment
from vidcolor.job.report import Plan
from vidcolor.media.writer import SegmentWriter

SHORTEST, LONGEST = 10, 60
"""Seconds of a segment: shots are joined to the first, longer shots are split at the second (design, section 4)."""

Listener = Callable[[dict[str, Any]], None]
"""Is told events as they happen: {"event": "frame" | "first_packet" | "segment" | "note", …}."""


class SegmentLoop:
    """Takes coloured frames in order; `write` each, `close(None)` at the end, `abort` instead where something failed."""

    def __init__(self, plan: Plan, journal: Journal, listen: Listener, begun: float) -> None:
        self.plan, self.journal, self.listen, self.begun = plan, journal, listen, begun
        self.writer: SegmentWriter | None = None
        self.pts: list[int] = []
        self.shot = -1
        self.shots = journal.segments[-1].shots if journal.segments else 0
        self.first_packet: float | None = None

    def write(self, frame: Frame) -> None:
        assert frame.out is not None
        cut = frame.shot != self.shot
        if self.writer is not None:
            lasted = (frame.pts - self.pts[0]) * self.plan.film.time_base
            if lasted >= LONGEST or (cut and lasted >= SHORTEST):
                self.close(frame)
        if cut:
            self.shot = frame.shot
            self.shots += frame.place == 0
        if self.writer is None:
            assert self.plan.encoding is not None
            self.writer = SegmentWriter(self.journal.segment_path(len(self.journal.segments)), self.plan.film, self.plan.encoding)
        self.writer.write(frame.pts, frame.out)
        self.pts.append(frame.pts)
        if self.writer.packets:
            self._wrote_packet()
        self.listen({"event": "frame", "number": frame.number})

    def close(self, following: Frame | None) -> None:
        """Finish the open segment; `following` is the frame that begins the next one, None at the film's end."""
        if self.writer is None:
            return
        path = self.journal.segment_path(len(self.journal.segments))
        info = self.writer.close()
        self.writer = None
        self._wrote_packet()
        done = (self.journal.segments[-1].next_frame if self.journal.segments else 0) + len(self.pts)
        start = done if following is None else following.number - following.place
        self.journal.add(Segment(path.name, info.sha256, info.size, self.pts, done, start, self.shots))
        self.listen({"event": "segment", "frames": done})
        self.pts = []

    def abort(self) -> None:
        if self.writer is not None:
            self.writer.abort()
            self.writer = None

    def _wrote_packet(self) -> None:
        if self.first_packet is None:
            self.first_packet = round(time.monotonic() - self.begun, 3)
            self.listen({"event": "first_packet", "seconds": self.first_packet})
