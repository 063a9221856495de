"""Decodes a film: planes and exact times, in order, with what was damaged or had to be assumed."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Any, Self, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidcolor.errors import InputError
from vidcolor.media import pictures
from vidcolor.media.probe import Film, open_input
from vidcolor.media.unpack import copied, unpack
from vidcolor.planes import Planes

_BACKWARD_JUMP = Fraction(1)  # seconds; times that fall back further are a new clock, not a slip
_DAMAGE_LINES = 20
_READ_ERRORS_IN_A_ROW = 8


class Reader:
    """Iterate it inside `with` for (pts, Planes), pts strictly increasing in `film.time_base`. One pass.

    `threads` 0 lets FFmpeg choose. `start` and `end` are seconds from `film.start`: frames with start <= time < end come, their pts as
    in the source. Planes are read-only views of the decoder's buffers, valid as long as they are held. `deinterlace` makes one
    progressive frame of each interlaced one.

    After the iteration: `damage` (what was lost, in words), `lost` (packets that gave no frame), `flawed` (frames that FFmpeg calls
    corrupt, delivered), `notes` (what was assumed about times), `last_end` (seconds from film.start at which the last frame
    ends) and `missing` (seconds that the file declares beyond what could be read).

    Raises InputError when the frame size or pixel format changes, and when no frame can be decoded.
    """

    def __init__(
        self, film: Film, *, threads: int = 0, start: Fraction | None = None, end: Fraction | None = None, deinterlace: bool = False
    ) -> None:
        self.film = film
        self.lost = 0
        self.flawed = 0
        self.last_end: Fraction | None = None
        self._threads = threads
        self._start = None if start is None else film.start + start
        self._end = None if end is None else film.start + end
        self._deinterlace = deinterlace and film.layout.fields != "progressive"
        self._damage: list[str] = []
        self._container: InputContainer | None = None
        self._clock = _Clock(film)
        self._furthest = Fraction(0)

    def __enter__(self) -> Self:
        if not self.film.still:
            self._container = open_input(self.film.path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    @property
    def damage(self) -> list[str]:
        """One line for each piece of damage, the first twenty; then how many more."""
        more = self.lost + self.flawed - len(self._damage)
        return [*self._damage, f"and {more} more"] if more > 0 else list(self._damage)

    @property
    def notes(self) -> list[str]:
        return self._clock.notes

    def __iter__(self) -> Iterator[tuple[int, Planes]]:
        if self.film.still:
            yield 0, pictures.read_picture(self.film.path)[0]
            return
        if self._container is None:
            raise RuntimeError("a Reader is used inside `with`")
        count = 0
        for pts, frame in self._timed(self._container):
            when = pts * self.film.time_base
            if self._start is not None and when < self._start:
                continue
            if self._end is not None and when >= self._end:
                break
            count += 1
            self.last_end = when + self._clock.length(frame) * self.film.time_base - self.film.start
            yield pts, self._planes(frame)
        if not count and self._start is None and self._end is None:
            raise InputError(f"{self.film.path}: no frame can be decoded")

    def _timed(self, container: InputContainer) -> Iterator[tuple[int, av.VideoFrame]]:
        stream = cast(VideoStream, container.streams[self.film.video.index])
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        for frame in self._frames(container, stream):
            yield self._clock.stamp(frame), frame

    def _frames(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        for packet in container.demux(stream):
            self._clock.sent(packet)
            yield from packet.decode()

    def _planes(self, frame: av.VideoFrame) -> Planes:
        layout = self.film.layout
        if (frame.width, frame.height) != (layout.width, layout.height):
            raise InputError(
                f"{self.film.path}: the frame size changes from {layout.width}x{layout.height} to {frame.width}x{frame.height}; "
                "cut the film there and colour the pieces"
            )
        return unpack(frame, layout)


class _Clock:
    """Gives each frame its time: the source's where it has one, else the nearest that can be derived."""

    def __init__(self, film: Film) -> None:
        self._step = max(round(1 / film.rate / film.time_base), 1) if film.rate else 1
        self.notes: list[str] = []
        self._last: int | None = None

    def sent(self, packet: Packet[Any]) -> None: ...

    def length(self, frame: av.VideoFrame) -> int:
        return frame.duration or self._step

    def stamp(self, frame: av.VideoFrame) -> int:
        assert frame.pts is not None
        return frame.pts
