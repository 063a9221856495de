"""The times of decoded frames."""

from __future__ import annotations

import heapq
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet

from vidcolor.media.input.probe import Film


class Clock:
    """Gives each frame its time in the film's time base: the source's where it has one, else the nearest that can be derived.

    Frames must be stamped in the order in which they are shown. Where a container stores only decoding times (AVI), these, sorted, are
    the times of the frames; where it stores none, frames follow each other by their duration or the film's rate.
    """

    _FRESH_START = Fraction(1)  # seconds; times that fall back further are a new clock, not a slip

    def __init__(self, film: Film) -> None:
        self._tick = film.time_base
        self._step = max(round(1 / (film.rate or 25) / film.time_base), 1)
        self._last: int | None = None
        self._last_length = self._step
        self._shift = 0
        self._timed = False
        self._decoding: list[int] = []
        self._counts = {"without a time: it was derived": 0, "with a repeated or falling time: moved by the least": 0}
        self._jumps = 0

    @property
    def notes(self) -> list[str]:
        lines = [f"{count} frame{'s' if count > 1 else ''} {what}" for what, count in self._counts.items() if count]
        return [*lines, *([f"the clock starts afresh {self._jumps} time(s): joined"] if self._jumps else [])]

    def sent(self, packet: Packet[Any]) -> None:
        """Note a packet that goes to the decoder."""
        if packet.pts is None and packet.dts is not None and not self._timed:
            heapq.heappush(self._decoding, packet.dts)

    def length(self, frame: av.VideoFrame) -> int:
        """How long a frame is shown."""
        return frame.duration or self._step

    def stamp(self, frame: av.VideoFrame) -> int:
        """The frame's time, always later than the one before."""
        pts = self._derived() if frame.pts is None else frame.pts + self._shift
        self._timed = self._timed or frame.pts is not None
        if self._last is not None and pts <= self._last:
            if (self._last - pts) * self._tick > self._FRESH_START:
                self._jumps += 1
                forward = self._last + self._last_length - pts
                self._shift += forward
                pts += forward
            else:
                self._counts["with a repeated or falling time: moved by the least"] += 1
                pts = self._last + 1
        self._last, self._last_length = pts, self.length(frame)
        return pts

    def _derived(self) -> int:
        self._counts["without a time: it was derived"] += 1
        if self._decoding and not self._timed:
            return heapq.heappop(self._decoding)
        return 0 if self._last is None else self._last + self._last_length
