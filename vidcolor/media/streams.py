"""What the target container can hold, and the last mux: coded segments and every other stream of the film, packet by packet."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer

from vidcolor.errors import OutputError, UsageError
from vidcolor.media.encoding import Encoding, configure, reason
from vidcolor.media.probe import Film, Stream
from vidcolor.media.writer import read_segment, read_times

MOVIES = ("mp4", "mov", "3gp")  # muxers of the QuickTime family


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Which streams go along. `dropped` pairs each other stream with the reason; `notes` are said before the work starts."""

    copied: tuple[Stream, ...]
    dropped: tuple[tuple[Stream, str], ...] = ()
    notes: tuple[str, ...] = ()


def plan_streams(film: Film, out: Path, encoding: Encoding, drop_unsupported: bool) -> StreamPlan:
    """Find out by trial which streams of the film the target container takes.

    Raises UsageError, naming each stream and the reason, where some do not fit and `drop_unsupported` is not set.
    """
    copied: list[Stream] = []
    dropped: list[tuple[Stream, str]] = []
    with _open_source(film) as source:
        for other in film.others:
            why = _refusal(source, source.streams[other.index], encoding.container)
            if why is None:
                copied.append(other)
            else:
                dropped.append((other, why))
    if dropped and not drop_unsupported:
        told = "; ".join(f"stream {stream.index} ({stream.kind}, {stream.codec}): {why}" for stream, why in dropped)
        raise UsageError(f"{out.name} cannot hold all of {film.path.name}: {told}. Use .mkv, or --drop-unsupported to go on without")
    return StreamPlan(tuple(copied), tuple(dropped))


def assemble(
    film: Film,
    encoding: Encoding,
    plan: StreamPlan,
    segments: list[Path],
    out: Path,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    sorted_pts: list[int],
) -> None:
    """Write `out`: the coded segments as the video stream, every stream of `plan.copied` beside it.

    `sorted_pts` are the presentation times of all coded frames in the film's time base, rising; `start` and `end` are seconds from
    `film.start`, as Reader takes them. With `start` the first frame becomes time 0; every stream is clipped to the same stretch.
    Raises OutputError where the file cannot be written or the segments do not hold exactly these frames.
    """
    try:
        with (
            _open_source(film) as source,
            av.open(str(out), "w", format=encoding.container, container_options=_muxer_options(film, encoding)) as target,
        ):
            _Mux(film, encoding, plan, source, target, sorted_pts, start, end).run(segments)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"{out}: cannot be written: {reason(error)}") from error


def decoding_times(coded_pts: list[int], sorted_pts: list[int]) -> list[int]:
    """A dts for each packet in coded order: strictly rising, never above its pts, for any spacing of the pts.

    Packet k takes the k-th presentation time, delayed by as many frames as the deepest reordering needs; what comes before the
    first frame is extrapolated by the first step.
    """
    rank = {pts: place for place, pts in enumerate(sorted_pts)}
    delay = max((place - rank[pts] for place, pts in enumerate(coded_pts)), default=0)
    step = sorted_pts[1] - sorted_pts[0] if len(sorted_pts) > 1 else 1
    before = [sorted_pts[0] - step * back for back in range(delay, 0, -1)]
    return (before + sorted_pts)[: len(coded_pts)]


class _Mux:
    """One run of the last mux; holds what its steps share."""

    def __init__(
        self,
        film: Film,
        encoding: Encoding,
        plan: StreamPlan,
        source: InputContainer,
        target: OutputContainer,
        sorted_pts: list[int],
        start: Fraction | None,
        end: Fraction | None,
    ) -> None:
        self.film, self.encoding, self.source, self.target = film, encoding, source, target
        self.sorted_pts = sorted_pts
        self.cut_in = sorted_pts[0] * film.time_base if start is not None else None
        self.cut_out = film.start + end if end is not None else None
        self.shift = self.cut_in or Fraction(0)
        self.copied = {stream.index for stream in plan.copied}

    def run(self, segments: list[Path]) -> None:
        outputs = self._add_streams(segments)
        self.target.metadata.update(global_tags(self.source.metadata))
        self.target.set_chapters(self._chapters())
        self.target.start_encoding()
        video = self._video_packets(segments, outputs[self.film.video.index])
        coming = next(video, None)
        for packet in self._other_packets(outputs):
            while coming is not None and coming.dts * coming.time_base <= packet.dts * packet.time_base:
                self.target.mux(coming)
                coming = next(video, None)
            self.target.mux(packet)
        while coming is not None:
            self.target.mux(coming)
            coming = next(video, None)

    def _add_streams(self, segments: list[Path]) -> dict[int, Any]:
        """Output streams by the index of the source stream, in the source's order."""
        outputs: dict[int, Any] = {}
        for stream in self.source.streams:
            if stream.index == self.film.video.index:
                output: Any = self.target.add_stream(self.encoding.codec, self.film.rate or 25)
                configure(output.codec_context, self.film, self.encoding)
                output.time_base = self.film.time_base
                if self.encoding.codec.startswith(("libx265", "hevc")) and self.encoding.container in MOVIES:
                    output.codec_context.codec_tag = "hvc1"  # Apple's players want the parameter sets in the header only
                output.codec_context.open()
                self._same_header(segments, output.codec_context)
            elif stream.index in self.copied:
                output = self.target.add_stream_from_template(stream, opaque=True)
            else:
                continue
            output.metadata.update(stream_tags(stream.metadata))
            output.disposition = stream.disposition
            outputs[stream.index] = output
        return outputs

    def _same_header(self, segments: list[Path], context: Any) -> None:
        headers = {read_segment(path)[0] for path in segments}
        if len(headers) != 1:
            raise OutputError(f"{segments[0].parent}: segments were coded with different settings; start afresh")
        header = headers.pop()
        if header:
            context.extradata = header

    def _video_packets(self, segments: list[Path], output: Any) -> Iterator[Any]:
        coded = [pts for path in segments for pts, _ in read_times(path)]
        if sorted(coded) != self.sorted_pts:
            raise OutputError(
                f"{segments[0].parent}: segments hold {len(coded)} frames, not the film's {len(self.sorted_pts)}; start afresh"
            )
        times = iter(decoding_times(coded, self.sorted_pts))
        durations = self._durations()
        shift = int(self.shift / self.film.time_base)
        for path in segments:
            for record in read_segment(path)[1]:
                packet: Any = av.Packet(record.payload)
                packet.time_base = self.film.time_base
                packet.pts, packet.dts = record.pts - shift, next(times) - shift
                packet.duration = durations[record.pts]
                packet.is_keyframe = record.key
                packet.stream = output
                yield packet

    def _durations(self) -> dict[int, int]:
        """Of each frame by pts: up to the next one; the last one as the source's track says, else as the one before."""
        pts = self.sorted_pts
        durations = {now: after - now for now, after in itertools.pairwise(pts)}
        video = self.source.streams[self.film.video.index]
        usual = durations[pts[-2]] if len(pts) > 1 else round(1 / ((self.film.rate or 25) * self.film.time_base))
        last = video.start_time + video.duration - pts[-1] if video.duration and video.start_time is not None else 0
        durations[pts[-1]] = last if 0 < last <= 10 * usual else usual
        return durations

    def _other_packets(self, outputs: dict[int, Any]) -> Iterator[Any]:
        streams = [stream for stream in self.source.streams if stream.index in self.copied and stream.type != "attachment"]
        if not streams:
            return
        for packet in self.source.demux(*streams):
            if (packet.dts is None and packet.pts is None) or not packet.size:
                continue  # the flush packet at the end
            packet.dts = packet.pts if packet.dts is None else packet.dts
            packet.pts = packet.dts if packet.pts is None else packet.pts
            index = packet.stream.index
            if self._clip(packet):
                packet.stream = outputs[index]
                yield packet

    def _clip(self, packet: Any) -> bool:
        """Whether the packet belongs to the stretch; moves it to the new time 0 and shortens subtitles that reach over an end."""
        base = packet.time_base
        begin, length = packet.pts * base, (packet.duration or 0) * base
        subtitle = packet.stream.type == "subtitle"
        if packet.stream.disposition & av.stream.Disposition.attached_pic:
            return True
        if self.cut_in is not None and begin < self.cut_in and not (subtitle and begin + length > self.cut_in):
            return False
        if self.cut_out is not None and begin >= self.cut_out:
            return False
        move = round(self.shift / base)
        packet.pts, packet.dts = packet.pts - move, packet.dts - move
        if subtitle:
            late = max(0, -packet.pts) if self.cut_in is not None else 0
            over = 0 if self.cut_out is None else max(0, round((begin + length - self.cut_out) / base))
            packet.pts, packet.dts = packet.pts + late, packet.dts + late
            packet.duration = max(0, (packet.duration or 0) - late - over)
        return True

    def _chapters(self) -> list[Any]:
        chapters = []
        for chapter in self.source.chapters():
            base = chapter["time_base"] or Fraction(1, 1000)
            begin, finish = chapter["start"] * base, chapter["end"] * base
            begin = begin if self.cut_in is None else max(begin, self.cut_in)
            finish = finish if self.cut_out is None else min(finish, self.cut_out)
            if finish > begin:
                move = self.shift
                chapters.append({**chapter, "time_base": base, "start": round((begin - move) / base), "end": round((finish - move) / base)})
        return chapters


def global_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags of a file that are its own, without those that the muxer writes afresh."""
    return {
        key: value
        for key, value in tags.items()
        if key.lower() not in ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")
    }


def stream_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags of a stream that are its own, without the statistics that a muxer adds."""
    stale = ("encoder", "duration", "rotate", "bps", "number_of_frames", "number_of_bytes", "vendor_id")
    plain = {key: key.lower().removesuffix("-eng") for key in tags}
    return {key: value for key, value in tags.items() if plain[key] not in stale and not plain[key].startswith("_statistics")}


def _open_source(film: Film) -> InputContainer:
    return av.open(str(film.path), metadata_errors="replace")


def _muxer_options(film: Film, encoding: Encoding) -> dict[str, str]:
    if encoding.container in MOVIES:
        scale = lcm(1000, film.time_base.denominator)  # so that edit lists say the start exactly
        return {"movflags": "+faststart", "movie_timescale": str(scale if scale < 2**31 else 1_000_000)}
    if encoding.container == "mpegts":
        return {"mpegts_copyts": "1", "muxdelay": "0"}
    return {}


def _refusal(source: InputContainer, stream: Any, container: str) -> str | None:
    """Why the container does not take a stream, found by writing a header in memory; None where it takes it."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (av.FFmpegError, ValueError) as error:
        return reason(error)
    return None
