"""Renders a stretch of a film: frames go to segments, each of which is safe on disk before it is told.

What is made of a stretch depends on the film, the plan and the range alone. So stretches may be rendered in any order and in any
process: that is what a resumed run, "this shot again" and many machines share.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidcolor.errors import InputError
from vidcolor.job.journal import Range, Segment, segment_path
from vidcolor.media.input.reader import Reader
from vidcolor.media.output.writer import SegmentWriter
from vidcolor.picture.planes import Codes, Planes
from vidcolor.pipeline.build import Pipeline
from vidcolor.pipeline.events import Cancel, FirstPacket, FrameDone, Listener, ignore
from vidcolor.pipeline.model import Plan
from vidcolor.stages.base import Frame
from vidcolor.wording import field


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of a segment: shots are joined to the first, longer shots are split at the second (docs/design.md, section 4)."""

    shortest: float = 10
    longest: float = 60


@dataclass(slots=True)
class Progress:
    """What a run counts: frames that were done before, frames in all (None: unknown), and what was made in this run.

    `begun` is of `time.monotonic`; `first_packet` seconds after it; `made` frames of which `colored` got their colour here.
    """

    begun: float
    done: int = 0
    total: int | None = None
    colored: int = 0
    made: int = 0
    first_packet: float | None = None
    listen: Listener = ignore

    def frame(self, frame: Frame) -> None:
        """A frame went to the encoder."""
        self.colored += frame.work.chroma is not None
        self.done += 1
        self.made += 1
        self.listen(FrameDone(self.done, self.total))

    def packet(self) -> None:
        """The encoder gave something."""
        if self.first_packet is None:
            self.first_packet = round(time.monotonic() - self.begun, 3)
            self.listen(FirstPacket(self.first_packet))


class OtherPicturesError(Exception):
    """The film does not give the pictures that it gave before, at least not where a seek leads. Never leaves this module."""


class Rendering:
    """Renders a range of a film into a folder; iterate it once, for its segments.

    When `cancel` is set, the open segment is closed and told, and nothing follows (`cancelled`). Afterwards `reader` knows how the film was
    read. Raises OutputError, InputError or DeviceError; the segment that was open is then removed.
    """

    def __init__(
        self,
        plan: Plan,
        pipeline: Pipeline,
        stretch: Range,
        folder: Path,
        *,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        lengths: Lengths | None = None,
    ) -> None:
        self.plan, self.pipeline, self.range, self.folder = plan, pipeline, stretch, folder
        self.progress, self.cancel, self.lengths = progress or Progress(time.monotonic()), cancel or Cancel(), lengths or Lengths()
        self.cancelled = False
        self.reader = open_reader(plan, stretch)

    def __iter__(self) -> Generator[Segment, None, None]:
        try:
            try:
                yield from self._rendered()
            except OtherPicturesError:  # raised before the first frame of the range was written
                if not self.reader.sought:
                    raise
                self.reader = open_reader(self.plan, Range())
                yield from self._rendered()
        except OtherPicturesError as error:
            raise other_frames_error(self.plan) from error

    def _rendered(self) -> Iterator[Segment]:
        with self.reader, self.pipeline.ahead(self._decoded(), self.plan.job.prefetch) as frames, self.cancel.watching():
            yield from self._segments(frames)

    def _decoded(self) -> Iterator[tuple[int, Planes]]:
        """From the frame on where the networks begin; the frame before the range is compared with what it was."""
        first, lead, before = self.range.first, self.range.lead, self.range.before
        begin = first if lead is None else lead
        for pts, planes in self.reader:
            if before is not None and self.reader.sought and pts >= before[0]:
                if (pts, checksum(planes.y)) != before:
                    raise OtherPicturesError
                before = None
            if begin is None or pts >= begin:
                yield pts, planes
            elif self.cancel.is_set():
                return

    def _segments(self, frames: Iterable[Frame]) -> Iterator[Segment]:
        first, until = self.range.first, self.range.until
        segment: OpenSegment | None = None
        over, fresh = False, True
        try:
            for frame in frames:
                stop, over = self.cancel.is_set(), until is not None and frame.pts >= until
                if segment is not None and (over or stop or self._ends(segment, frame)):
                    closed, segment = segment, None
                    yield closed.close(frame)
                if over or stop:
                    break
                if first is None or frame.pts >= first:
                    if first is not None and fresh and frame.pts != first:
                        raise OtherPicturesError
                    fresh = False
                    segment = segment or OpenSegment(self, frame)
                    segment.write(frame)
            else:
                stop = segment is None and self.cancel.is_set()
                if segment is not None:
                    closed, segment = segment, None
                    yield closed.close(None)
            self.cancelled = stop and not over
        finally:
            if segment is not None:
                segment.abort()

    def _ends(self, segment: OpenSegment, frame: Frame) -> bool:
        lasted = (frame.pts - segment.pts[0]) * self.plan.film.time_base
        return lasted >= self.lengths.longest or (frame.shot != segment.shot and lasted >= self.lengths.shortest)


class OpenSegment:
    """A segment that is being written."""

    def __init__(self, rendering: Rendering, first: Frame) -> None:
        plan = rendering.plan
        assert plan.encoding is not None
        self.pts: list[int] = []
        self.shot = first.shot
        self._rendering, self._shots = rendering, 0
        self._begins_film = rendering.range.first is None and first.number == 0
        self._last: Codes = first.decoded.y
        self._path = segment_path(rendering.folder, first.pts)
        self._writer = SegmentWriter(self._path, plan.film, plan.encoding)

    def write(self, frame: Frame) -> None:
        assert frame.out is not None
        self._writer.write(frame.pts, frame.out)
        self.pts.append(frame.pts)
        self.shot, self._last = frame.shot, frame.decoded.y
        self._shots += frame.place == 0
        if self._writer.packets:
            self._rendering.progress.packet()
        self._rendering.progress.frame(frame)

    def close(self, following: Frame | None) -> Segment:
        """Finish it; `following` is the frame that comes next, None at the film's end."""
        info = self._writer.close()
        self._rendering.progress.packet()
        until, lead = (None, None) if following is None else (following.pts, following.shot_start)
        first, reader = None if self._begins_film else self.pts[0], self._rendering.reader
        damage = reader.damage_between(first, until)
        if following is None:
            damage += [(text, 1) for text in too_short(self._rendering.plan, reader)]
        return Segment(
            self._path.name, info.sha256, info.size, first, until, self.pts, lead, self._shots, checksum(self._last), damage, reader.notes
        )

    def abort(self) -> None:
        self._writer.abort()


def other_frames_error(plan: Plan) -> InputError:
    """The error for a film that does not have the frames of a range that it had."""
    return InputError(f"{plan.film.path}: gives other frames than it gave before; run again without {field('resume')}")


def open_reader(plan: Plan, stretch: Range) -> Reader:
    """A reader that gives the frames of a stretch, and those before it that the networks begin with and by which it is known again."""
    job, before = plan.job, stretch.before[0] if stretch.before else None
    begin = min((pts for pts in (stretch.first, stretch.lead, before) if pts is not None), default=None)
    return Reader(plan.film, threads=job.threads, start=job.start, end=job.end, deinterlace=job.deinterlace, first=begin)


def too_short(plan: Plan, reader: Reader) -> list[str]:
    """Damage that no decoder reports: the film ends more than a second before its declared duration."""
    declared = plan.film.duration
    if plan.job.end is not None or declared is None or reader.last_end is None:
        return []
    if declared - reader.last_end > 1:
        return [f"the film says it lasts {float(declared):.1f} s, but its pictures end after {float(reader.last_end):.1f} s"]
    if reader.missing > 1:
        return [f"the last {float(reader.missing):.1f} s that the file declares are not in it"]
    if plan.film.container == "mpegts" and all(plan.film.path.stat().st_size % packet for packet in (188, 192, 204)):
        return ["the file ends in the middle of a packet: it was cut short"]
    return []


def checksum(luma: Codes) -> int:
    """CRC-32 of a plane."""
    return zlib.crc32(np.ascontiguousarray(luma).data)
