"""Decodes a film: planes and exact times, in order, with what was damaged or had to be assumed."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Any, Self, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidcolor.errors import InputError
from vidcolor.media import pictures
from vidcolor.media.clock import Clock
from vidcolor.media.formats import same_samples
from vidcolor.media.probe import Film, demux, exact, open_input
from vidcolor.media.unpack import copied, unpack
from vidcolor.planes import Planes

_DAMAGE_LINES = 20
_READ_ERRORS_IN_A_ROW = 8
_STEPS_BACK = (0, 1, 4, 16)  # seconds before the wanted start at which a seek is tried
_TIMES_NEED_THE_BEGINNING = {"mpeg"}  # program streams time only some frames: after a seek FFmpeg derives others
_PACKETS_VANISH = {"mpegts", "mpeg"}  # containers whose damaged packets leave no trace but a gap in the times
_GAP = Fraction(1)  # seconds
_HIDDEN_FRAMES = {"vp8", "vp9", "av1"}  # codecs whose packets need not show a frame


class Reader:
    """Iterate it inside `with` for (pts, Planes), pts strictly increasing in `film.time_base`. One pass.

    `threads` 0 lets FFmpeg choose. `start` and `end` are seconds from `film.start`: frames with start <= time < end come, their pts as
    in the source. Planes are read-only views of the decoder's buffers, valid as long as they are held. `deinterlace` makes one
    progressive frame of each interlaced one.

    After the iteration: `damage` (what was lost, in words), `lost` (frames that did not come), `flawed` (frames that FFmpeg calls
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
        self._layout = replace(film.layout, fields="progressive") if self._deinterlace else film.layout
        self._damage: list[str] = []
        self._container: InputContainer | None = None
        self._clock = Clock(film)
        self._expected: set[int] = set()  # pts of packets whose frame has not come yet
        self._furthest = film.start
        self._whole = False
        self._first: int | None = None  # pts of the first decoded frame
        self._early: list[int] = []  # pts of packets before it that gave none

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._container is not None:
            self._container.close()  # PyAV frees decoders late otherwise
            self._container = None

    @property
    def damage(self) -> list[str]:
        """One line for each piece of damage, at most twenty; then how many more. Empty for a sound film."""
        more = self.lost + self.flawed - len(self._damage)
        return [*self._damage, f"and {more} more"] if more > 0 else list(self._damage)

    @property
    def notes(self) -> list[str]:
        """What was assumed about frame times, and frames before the first key frame; empty for most films."""
        count = len(self._early)
        return [*self._clock.notes, *([f"before the first key frame {count} frame(s) cannot be decoded"] if count else [])]

    @property
    def missing(self) -> Fraction:
        """Seconds that the file declares beyond the last packet that could be read; 0 unless the film was read to its end."""
        if not self._whole or self.film.declared is None:
            return Fraction(0)
        return max(self.film.start + self.film.declared - self._furthest, Fraction(0))

    def __iter__(self) -> Iterator[tuple[int, Planes]]:
        if self.film.still:
            yield 0, pictures.read_picture(self.film.path)[0]
            return
        count = 0
        tick = self.film.time_base
        for pts, frame in self._timed():
            when = pts * tick
            if self._start is not None and when < self._start:
                continue
            if self._end is not None and when >= self._end:
                break
            count += 1
            if frame.is_corrupt:
                self.flawed += 1
                self._report(f"damaged frame at {self._clock_time(when)}")
            self.last_end = when + self._clock.length(frame) * tick - self.film.start
            yield pts, self._planes(frame)
        else:
            self._whole = self._end is None
        self._count_lost()
        if not count and self._start is None and self._end is None:
            raise InputError(f"{self.film.path}: no frame can be decoded")

    def _timed(self) -> Iterator[tuple[int, av.VideoFrame]]:
        frames = self._from_start()
        return self._progressive(frames) if self._deinterlace else frames

    def _from_start(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames from a place at or before the wanted start: a key frame there, else an earlier one, else the film's first."""
        seekable = self.film.seekable and self.film.container not in _TIMES_NEED_THE_BEGINNING
        if self._start is not None and self._start > self.film.start and seekable:
            for back in _STEPS_BACK:
                container, stream = self._open_decoder()
                place = self._start - back
                if place <= self.film.start:
                    break
                try:
                    container.seek(place // self.film.time_base, stream=stream)
                except av.FFmpegError:
                    break
                frames = self._stamped(container, stream)
                first = next(frames, None)
                if first is not None and first[0] * self.film.time_base <= self._start:
                    return itertools.chain([first], frames)
        return self._stamped(*self._open_decoder())

    def _open_decoder(self) -> tuple[InputContainer, VideoStream]:
        if self._container is not None:
            self._container.close()
        self._container = container = open_input(self.film.path)
        self._clock = Clock(self.film)
        self._expected.clear()
        self._damage.clear()
        self._early.clear()
        self.lost, self._first = 0, None
        stream = cast(VideoStream, container.streams[self.film.video.index])
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        return container, stream

    def _stamped(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, av.VideoFrame]]:
        last: int | None = None
        for packet in self._packets(container, stream):
            if packet.pts is not None and not packet.is_discard:
                self._expected.add(packet.pts)
            self._clock.sent(packet)
            try:
                frames = packet.decode()
            except av.error.MemoryError:
                raise
            except av.FFmpegError as trouble:
                self._lose(packet, trouble)
                continue
            for frame in frames:
                if frame.pts is not None:
                    self._expected.discard(frame.pts)
                pts = self._clock.stamp(frame)
                if self._first is None:
                    self._first = pts
                if last is not None and self.film.container in _PACKETS_VANISH and (pts - last) * self.film.time_base > _GAP:
                    self.lost += 1
                    self._report(f"no frames from {self._clock_time(last * self.film.time_base)} on")
                last = pts
                yield pts, frame
        if (
            last is not None
            and self.film.seekable
            and self.film.video.codec not in _HIDDEN_FRAMES
            and max(self._expected, default=last) > last
        ):
            yield from self._tail(last)

    def _tail(self, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames after `last` that are still expected: an error while frame threads are emptied takes the ones behind it along."""
        with open_input(self.film.path) as container:
            stream = cast(VideoStream, container.streams[self.film.video.index])
            stream.codec_context.thread_count = 1
            try:
                container.seek(last, stream=stream)
            except av.FFmpegError:  # they stay counted as lost
                return
            for packet in self._packets(container, stream):
                with contextlib.suppress(av.FFmpegError):  # already reported
                    for frame in packet.decode():
                        if frame.pts is not None and frame.pts > last and frame.pts in self._expected:
                            self._expected.discard(frame.pts)
                            yield self._clock.stamp(frame), frame

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        """Packets of the film's video track, the empty one that flushes the decoder last; goes on after read errors."""
        in_a_row = 0
        while True:
            try:
                for packet in demux(container):
                    in_a_row = 0
                    self._reached(packet)
                    if packet.stream is stream and (packet.size or packet.dts is None):
                        yield cast("Packet[VideoStream]", packet)
                return
            except av.FFmpegError as trouble:
                in_a_row += 1
                if in_a_row == 1:
                    self.lost += 1
                    self._report(f"cannot be read on at {self._clock_time(self._furthest)} ({trouble.strerror})")
                if in_a_row == _READ_ERRORS_IN_A_ROW:
                    yield from self._flush(stream)
                    return

    @staticmethod
    def _flush(stream: VideoStream) -> Iterable[Packet[VideoStream]]:
        packet: Any = Packet()
        packet.stream = stream
        packet.time_base = stream.time_base
        return [packet]

    def _reached(self, packet: Packet[Any]) -> None:
        at = packet.pts if packet.pts is not None else packet.dts
        tick = exact(packet.time_base)
        if at is not None and tick:
            self._furthest = max(self._furthest, (at + (packet.duration or 0)) * tick)

    def _lose(self, packet: Packet[Any], trouble: av.FFmpegError) -> None:
        at = packet.pts if packet.pts is not None else packet.dts
        if self._first is None:  # nothing to go by yet: a recording may start between key frames
            self._early.append(at or 0)
            return
        self.lost += 1
        self._report(f"frame lost near {'the end' if at is None else self._clock_time(at * self.film.time_base)} ({trouble.strerror})")

    def _count_lost(self) -> None:
        """Frames that a packet promised and that never came; FFmpeg drops some without an error."""
        tick, first = self.film.time_base, self._first
        if not self._whole or first is None:
            return
        expected = set() if self.film.video.codec in _HIDDEN_FRAMES else self._expected
        silent = [pts for pts in sorted(expected) if pts > first and (self._start is None or pts * tick >= self._start)]
        for pts in silent[self.lost :]:
            self._report(f"frame lost at {self._clock_time(pts * tick)}")
        self.lost = max(self.lost, len(silent))
        early = {*self._early, *(pts for pts in expected if pts < first)} if self._start is None else set()
        if early and (first - min(early)) * tick > _GAP:
            self.lost += len(early)
            self._report(f"no frames before {self._clock_time(first * tick)}")
            early.clear()
        self._early = sorted(early)

    def _report(self, line: str) -> None:
        if len(self._damage) < _DAMAGE_LINES:
            self._damage.append(line)

    def _clock_time(self, when: Fraction) -> str:
        return f"{float(when - self.film.start):.3f} s"

    def _progressive(self, frames: Iterator[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, av.VideoFrame]]:
        """One progressive frame per interlaced one, by FFmpeg's bwdif; it counts time in halves."""
        graph: av.filter.Graph | None = None
        for pts, frame in frames:
            if graph is None:
                graph = av.filter.Graph()
                source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=self.film.time_base)
                filters = graph.add("bwdif", f"mode=send_frame:parity={self.film.layout.fields}:deint=all")
                graph.link_nodes(source, filters, graph.add("buffersink")).configure()
            frame.pts, frame.time_base = pts, self.film.time_base
            graph.push(frame)
            yield from _pulled(graph)
        if graph is not None:
            graph.push(None)
            yield from _pulled(graph)

    def _planes(self, frame: av.VideoFrame) -> Planes:
        layout = self.film.layout
        if (frame.width, frame.height) != (layout.width, layout.height):
            raise InputError(
                f"{self.film.path}: the frame size changes from {layout.width}x{layout.height} to {frame.width}x{frame.height}; "
                "cut the film there and colour the pieces"
            )
        if frame.format.name != self.film.pix_fmt and not same_samples(frame.format.name, self.film.pix_fmt):
            raise InputError(
                f"{self.film.path}: the pixel format changes from {self.film.pix_fmt} to {frame.format.name}; "
                "cut the film there and colour the pieces"
            )
        return unpack(frame, self._layout)


def _pulled(graph: av.filter.Graph) -> Iterator[tuple[int, av.VideoFrame]]:
    while True:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield cast(int, frame.pts) // 2, frame


def sample(film: Film, most: int = 16, seconds: float = 1.5) -> list[Planes]:
    """At most `most` frames spread over the film, in order, copied; about `seconds` of work.

    Key frames, coarse to fine, so that stopping early still spreads; where the film has few, or cannot be sought in, frames
    from its beginning on as far as the time goes. Raises InputError when nothing can be decoded.
    """
    if film.still:
        return [pictures.read_picture(film.path)[0]]
    deadline = time.monotonic() + seconds
    found = _key_frames(film, most, deadline) if film.seekable and film.duration else {}
    if len(found) < most // 2:
        stride = max((film.frames or 0) // most, 1)
        with Reader(film) as reader:
            for number, (pts, planes) in enumerate(reader):
                if number % stride == 0:
                    found.setdefault(pts, copied(planes))
                if len(found) >= most or time.monotonic() > deadline:
                    break
    return [found[pts] for pts in sorted(found)]


def _key_frames(film: Film, most: int, deadline: float) -> dict[int, Planes]:
    """Key frames by pts. A decoder that is flushed after one gives it at once."""
    found: dict[int, Planes] = {}
    with open_input(film.path) as container:
        stream = cast(VideoStream, container.streams[film.video.index])
        stream.thread_type = "SLICE"
        stream.codec_context.skip_frame = "NONKEY"
        begin = (stream.start_time or 0) * film.time_base
        for number in _coarse_to_fine(most):
            if time.monotonic() > deadline:
                break
            place = begin + (film.duration or 0) * Fraction(2 * number + 1, 2 * most)
            try:
                container.seek(place // film.time_base, stream=stream)
                frame = _next_key_frame(container, stream)
            except av.FFmpegError:  # damaged here: the others will do
                continue
            if frame is not None and frame.pts is not None and frame.pts not in found and _fits(frame, film):
                found[frame.pts] = copied(unpack(frame, film.layout))
    return found


def _next_key_frame(container: InputContainer, stream: VideoStream) -> av.VideoFrame | None:
    for packet in demux(container, stream):
        if packet.is_keyframe and packet.size:
            frames = [*packet.decode(), *stream.codec_context.decode(None)]
            return frames[0] if frames else None
    return None


def _fits(frame: av.VideoFrame, film: Film) -> bool:
    same_size = (frame.width, frame.height) == (film.layout.width, film.layout.height)
    return same_size and same_samples(frame.format.name, film.pix_fmt) and not frame.is_corrupt


def _coarse_to_fine(count: int) -> list[int]:
    """0 to count - 1, ordered so that every beginning of the list is spread (bit-reversed)."""
    bits = max(count - 1, 1).bit_length()
    order = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(1 << bits))
    return [number for number in order if number < count]
