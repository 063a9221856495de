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

from vidcolor.job.journal import Range, Segment, segment_path
from vidcolor.media.input.reader import Reader
from vidcolor.media.output.writer import SegmentWriter
from vidcolor.picture.planes import Codes, Planes
from vidcolor.pipeline.build import Pipeline
from vidcolor.pipeline.events import Cancel, FirstPacket, FrameDone, Listener, ignore
from vidcolor.pipeline.model import Plan
from vidcolor.stages.base import Frame


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
        self.listen(FrameDone(self.done - 1, self.done, self.total))

    def packet(self) -> None:
        """The encoder gave something."""
        if self.first_packet is None:
            self.first_packet = round(time.monotonic() - self.begun, 3)
            self.listen(FirstPacket(self.first_packet))


class Rendering:
    """Renders a range of a film into a folder; iterate it once, for its segments.

    When `cancel` is set, the open segment is closed and told, and nothing follows (`cancelled`). Afterwards `reader` knows how
    the film ended. Raises OutputError, InputError or DeviceError; the segment that was open is then removed.
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
        self._told: set[str] = set()  # damage that an earlier segment has named

    def __iter__(self) -> Generator[Segment, None, None]:
        with self.reader, self.pipeline.ahead(self._decoded(), self.plan.job.prefetch) as frames, self.cancel.watching():
            yield from self._segments(frames)

    def _decoded(self) -> Iterator[tuple[int, Planes]]:
        """From the frame on where the networks begin."""
        lead = self.range.first if self.range.lead is None else self.range.lead
        return ((pts, planes) for pts, planes in self.reader if lead is None or pts >= lead)

    def _segments(self, frames: Iterable[Frame]) -> Iterator[Segment]:
        first, until = self.range.first, self.range.until
        segment: OpenSegment | None = None
        try:
            for frame in frames:
                if first is not None and frame.pts < first:
                    continue
                over = until is not None and frame.pts >= until
                if segment is not None and (over or self.cancel.is_set() or self._ends(segment, frame)):
                    closed, segment = segment, None
                    yield closed.close(frame)
                if over:
                    return
                if self.cancel.is_set():
                    self.cancelled = True
                    return
                segment = segment or OpenSegment(self, frame)
                segment.write(frame)
            if segment is not None:
                closed, segment = segment, None
                yield closed.close(None)
        finally:
            if segment is not None:
                segment.abort()

    def _ends(self, segment: OpenSegment, frame: Frame) -> bool:
        lasted = (frame.pts - segment.pts[0]) * self.plan.film.time_base
        return lasted >= self.lengths.longest or (frame.shot != segment.shot and lasted >= self.lengths.shortest)

    def damage(self, until: int | None) -> list[str]:
        """What the decoder lost before `until` (None: in all) and was not told with an earlier segment."""
        new = [line for line in self.reader.damage_until(until) if line not in self._told]
        self._told.update(new)
        return new


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
        first = None if self._begins_film else self.pts[0]
        damage = self._rendering.damage(until)
        return Segment(self._path.name, info.sha256, info.size, first, until, self.pts, lead, self._shots, checksum(self._last), damage)

    def abort(self) -> None:
        self._writer.abort()


def open_reader(plan: Plan, stretch: Range) -> Reader:
    """A reader that gives the frames of a stretch, and those before it that the networks begin with."""
    job, begin = plan.job, min((pts for pts in (stretch.first, stretch.lead) if pts is not None), default=None)
    if begin is not None and stretch.before is not None and not decodes_alike(plan, *stretch.before):
        begin = None  # what a seek gives differs here: read from the beginning
    return Reader(plan.film, threads=job.threads, start=job.start, end=job.end, deinterlace=job.deinterlace, first=begin)


def decodes_alike(plan: Plan, pts: int, wanted: int) -> bool:
    """Whether a reader that seeks to a frame gives this very frame."""
    job = plan.job
    with Reader(plan.film, threads=job.threads, start=job.start, end=job.end, deinterlace=job.deinterlace, first=pts) as reader:
        found = next(iter(reader), None)
    return found is not None and found[0] == pts and checksum(found[1].y) == wanted


def checksum(luma: Codes) -> int:
    """CRC-32 of a plane."""
    return zlib.crc32(np.ascontiguousarray(luma).data)
