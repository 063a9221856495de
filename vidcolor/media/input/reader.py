"""Decodes a film: planes and exact times, in order, with what was damaged or had to be assumed."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil
from types import TracebackType
from typing import Any, Self, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidcolor.errors import InputError
from vidcolor.media.input.clock import Clock
from vidcolor.media.input.damage import Damage, Piece, in_lines
from vidcolor.media.input.entry import Entry, find_entry
from vidcolor.media.input.probe import Film, demux, exact, open_input
from vidcolor.media.samples.formats import same_samples
from vidcolor.media.samples.unpack import unpack
from vidcolor.media.stills import pictures
from vidcolor.picture.planes import Planes

_READ_ERRORS_IN_A_ROW = 8
_STEPS_BACK = (0, 1, 4, 16)  # seconds before the wanted place at which a seek is tried
_CLOCKS_RESTART = {"mpegts"}  # recordings are joined as they are: a time may stand for several places, and a seek lands in any
_TIMES_NEED_THE_BEGINNING = {"mpeg"}  # program streams time only some frames: after a seek FFmpeg derives others

Stamped = Iterator[tuple[int, av.VideoFrame]]


class Reader:
    """Iterate it inside `with` for (pts, Planes), pts strictly increasing in `film.time_base`. One pass.

    `threads` 0 lets FFmpeg choose. `start` and `end` are seconds from `film.start`: frames with start <= time < end come, their pts as
    in the source. `first` and `until` are pts: of these frames those with first <= pts < until come, the same as without these bounds,
    also where the film's times are not those that are stored; then what lies before is decoded and thrown away, else it is jumped over.
    (What a decoder puts into the holes of a damaged frame depends on what it saw before, and may differ.)
    Planes are read-only views of the decoder's buffers, valid as long as they are held. `deinterlace` makes one progressive frame of
    each interlaced one.

    From the first frame on: `sought` (whether what lies before was jumped over, not decoded). After the iteration: `damage` (what was
    lost, in words), `lost` (frames that did not come), `flawed` (frames that FFmpeg calls corrupt, delivered), `notes` (what was
    assumed about times), `last_end` (seconds from film.start at which the last frame ends) and `missing` (seconds that the file
    declares beyond what could be read).

    Raises InputError when the frame size or pixel format changes, and when no frame can be decoded.
    """

    def __init__(
        self,
        film: Film,
        *,
        threads: int = 0,
        start: Fraction | None = None,
        end: Fraction | None = None,
        first: int | None = None,
        until: int | None = None,
        deinterlace: bool = False,
    ) -> None:
        self.film = film
        self.sought = False
        self.last_end: Fraction | None = None
        self._threads = threads
        self._start = None if start is None else ceil((film.start + start) / film.time_base)
        end_pts = None if end is None else ceil((film.start + end) / film.time_base)
        self._first = self._start if first is None and film.container in _CLOCKS_RESTART else first
        self._since = max((pts for pts in (self._start, first) if pts is not None), default=None)
        self._until = min((pts for pts in (end_pts, until) if pts is not None), default=None)
        self._deinterlace = deinterlace and film.layout.fields != "progressive"
        self._layout = replace(film.layout, fields="progressive") if self._deinterlace else film.layout
        self._container: InputContainer | None = None
        self._clock = Clock(film)
        self._damage = Damage(film, self._since, self._until)
        self._furthest = film.start
        self._whole = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._container is not None:
            self._container.close()  # PyAV frees decoders late otherwise
            self._container = None

    @property
    def damage(self) -> list[str]:
        """One line for each piece of damage, at most twenty; then how many more. Empty for a sound film."""
        return in_lines(self._damage.pieces())

    def damage_between(self, since: int | None, until: int | None) -> list[Piece]:
        """Every piece of damage with since <= pts < until, once the frame at `until` has come. May be asked from another thread."""
        return self._damage.pieces(since, until)

    @property
    def lost(self) -> int:
        """Frames that did not come."""
        return self._damage.lost

    @property
    def flawed(self) -> int:
        """Frames that FFmpeg calls corrupt; they were delivered."""
        return self._damage.flawed

    @property
    def notes(self) -> list[str]:
        """What was assumed about frame times, and frames before the first key frame; empty for most films."""
        return [*self._clock.notes, *self._damage.early_note()]

    @property
    def missing(self) -> Fraction:
        """Seconds that the file declares beyond the last packet that could be read; 0 unless the film was read to its end."""
        if not self._whole or self.film.declared is None:
            return Fraction(0)
        return max(self.film.start + self.film.declared - self._furthest, Fraction(0))

    def __iter__(self) -> Iterator[tuple[int, Planes]]:
        if self.film.still:
            if (self._first is None or self._first <= 0) and (self._until is None or self._until > 0):
                yield 0, pictures.read_picture(self.film.path)[0]
            return
        count = 0
        tick = self.film.time_base
        for pts, frame in self._timed():
            if self._since is not None and pts < self._since:
                continue
            if self._until is not None and pts >= self._until:
                break
            count += 1
            if frame.is_corrupt:
                self._damage.corrupt(pts)
            self.last_end = (pts + self._clock.length(frame)) * tick - self.film.start
            yield pts, self._planes(frame)
        else:
            self._whole = self._until is None
        if not count and self._since is None and self._until is None:
            raise InputError(f"{self.film.path}: no frame can be decoded")

    def _timed(self) -> Stamped:
        frames = self._from_first()
        return self._progressive(frames) if self._deinterlace else frames

    def _from_first(self) -> Stamped:
        """Frames from a place at or before the first wanted one on, the nearest from which they are sure to be the same."""
        begin, frames = self._from_start()
        if self._first is None or self._since != self._first or self._first * self.film.time_base <= self.film.start or not self._seekable:
            return frames
        container, stream = self._open_decoder(begin)
        entry = find_entry(container, stream, self._first)
        if entry is not None and (packets := self._packets_from(entry, container, stream)) is not None:
            found = self._behind(entry, self._stamped(stream, packets))
            if found is not None:
                self.sought = True
                return found
        container, stream = self._open_decoder(begin)
        return self._stamped(stream, self._packets(container, stream))

    def _packets_from(self, entry: Entry, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]] | None:
        """Packets from the entry's key frame on; None where no seek leads to it."""
        for back in _STEPS_BACK:
            try:
                container.seek(entry.seek - back // self.film.time_base, stream=stream)
            except av.FFmpegError:
                return None
            if (packets := entry.packets(self._packets(container, stream))) is not None:
                return packets
        return None

    def _behind(self, entry: Entry, frames: Stamped) -> Stamped | None:
        """The last frame of the entry's lead and all behind it; None where the lead is not just what was promised."""
        assert self._first is not None
        lead: list[int] = []
        before: list[tuple[int, av.VideoFrame]] = []
        for pts, frame in frames:
            if pts >= self._first:
                before.append((pts, frame))
                break
            if pts >= entry.pts:  # what is shown before a key frame and coded behind it leans on pictures before
                if frame.is_corrupt or (not lead and not entry.agrees(frame)):
                    return None
                lead.append(pts)
                before = [(pts, frame)]
        return itertools.chain(before, frames) if tuple(lead) == entry.lead and not self._clock.notes else None

    @property
    def _seekable(self) -> bool:
        return self.film.seekable and self.film.container not in _TIMES_NEED_THE_BEGINNING

    def _from_start(self) -> tuple[int | None, Stamped]:
        """The time that was sought, None for the beginning, and frames from there on: of a key frame at or before the wanted start."""
        begin = ceil(self.film.start / self.film.time_base)
        if self._start is not None and self._start > begin and self._seekable and self.film.container not in _CLOCKS_RESTART:
            wanted = self._start - 1 if self._deinterlace else self._start  # which needs the frame before
            for back in _STEPS_BACK:
                place = self._start - round(back / self.film.time_base)
                if place <= begin:
                    break
                try:
                    container, stream = self._open_decoder(place)
                except av.FFmpegError:
                    break
                frames = self._stamped(stream, self._packets(container, stream))
                earliest = next(frames, None)
                if earliest is not None and earliest[0] <= wanted:
                    self.sought = True
                    return place, itertools.chain([earliest], frames)
        container, stream = self._open_decoder(None)
        return None, self._stamped(stream, self._packets(container, stream))

    def _open_decoder(self, place: int | None) -> tuple[InputContainer, VideoStream]:
        """The film opened afresh, at its beginning or at a key frame before a pts. Raises av.FFmpegError where that cannot be sought."""
        if self._container is not None:
            self._container.close()
        self._container = container = open_input(self.film.path)
        self._clock = Clock(self.film)
        self._damage = Damage(self.film, self._since, self._until)
        stream = cast(VideoStream, container.streams[self.film.video.index])
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        if place is not None:
            container.seek(place, stream=stream)
        return container, stream

    def _stamped(self, stream: VideoStream, packets: Iterator[Packet[VideoStream]]) -> Stamped:
        last: int | None = None
        damage = self._damage
        for packet in packets:
            damage.sent(packet)
            self._clock.sent(packet)
            try:
                frames = packet.decode()
            except av.error.MemoryError:
                raise
            except av.FFmpegError as trouble:
                damage.refused(self._place_of(packet), trouble)
                continue
            for frame in frames:
                last = self._clock.stamp(frame)
                damage.came(frame, last)
                yield last, frame
        if last is not None and self.film.seekable and damage.cut_off:
            yield from self._tail(last)
        damage.ended()

    def _tail(self, last: int) -> Stamped:
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
                        if frame.pts is not None and frame.pts > last and self._damage.awaits(frame.pts):
                            pts = self._clock.stamp(frame)
                            self._damage.came(frame, pts)
                            yield pts, frame

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
                    self._damage.unread(self._furthest // self.film.time_base, trouble)
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

    def _place_of(self, packet: Packet[Any]) -> int:
        """A packet's time, or how far the film was read where it has none."""
        at = packet.pts if packet.pts is not None else packet.dts
        return self._furthest // self.film.time_base if at is None else at

    def _progressive(self, frames: Stamped) -> Stamped:
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


def _pulled(graph: av.filter.Graph) -> Stamped:
    while True:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield cast(int, frame.pts) // 2, frame
