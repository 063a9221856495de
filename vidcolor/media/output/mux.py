"""The last mux: coded segments become the video stream, every other stream is copied beside it packet by packet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import lcm
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition

from vidcolor.errors import OutputError
from vidcolor.media.input.probe import Film, demux, open_input
from vidcolor.media.output.choose_encoding import Encoding, configure
from vidcolor.media.output.codecs import ATTACHED_COVERS, ITUNES_TAGS, MAC_LANGUAGES, MOVIES
from vidcolor.media.output.writer import read_header, read_packets

COVER_FILES = {"png": ("cover.png", "image/png"), "mjpeg": ("cover.jpg", "image/jpeg")}
MAY_STAND_STILL = 0x20000  # AVFMT_TS_NONSTRICT: equal dts are allowed
RETRIES = 100
EMPTY_TEXT = b"\0\0"  # of mov_text: no subtitle is shown


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


def free_tags(tags: dict[str, str]) -> list[str]:
    """Tags that MP4 and MOV keep only in a list of keys, which excludes cover art."""
    return [key for key in own_tags(tags) if key.lower() not in ITUNES_TAGS]


def muxer_options(film: Film, container: str, tags: dict[str, str], cover: bool) -> dict[str, str]:
    """Options of the muxer: index at the front, exact start times, tags of any name (but cover art goes first)."""
    if container in MOVIES:
        scale = lcm(1000, film.time_base.denominator)  # edit lists count in it: so that they say the start exactly
        flags = "+faststart+use_metadata_tags" if free_tags(tags) and not cover else "+faststart"
        return {"movflags": flags, "movie_timescale": str(scale if scale < 2**31 else 1_000_000)}
    if container in ("matroska", "webm"):
        return {"avoid_negative_ts": "disabled"}  # AAC begins a few milliseconds below 0, which a cluster that begins at 0 can say
    if container == "mpegts":
        return {"mpegts_copyts": "1"}
    return {}


def own_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags of a file or stream that are its own, without those that muxers and encoders write afresh.

    FFmpeg 9 gives the creation time twice, joined by ";", where an MP4 says it in the header and in its list of keys.
    """
    stale = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate", "bps", "number_of_frames")
    plain = {key: key.lower().split("-")[0] for key in tags}
    return {
        key: value.split(";")[0] if plain[key] == "creation_time" else value
        for key, value in tags.items()
        if plain[key] not in (*stale, "number_of_bytes") and not plain[key].startswith("_statistics")
    }


class Mux:
    """One run of the last mux; holds what its steps share. Times are seconds as Fractions."""

    def __init__(
        self,
        film: Film,
        encoding: Encoding,
        copied: set[int],
        segments: list[Path],
        sorted_pts: list[int],
        start: Fraction | None,
        end: Fraction | None,
    ) -> None:
        self.film, self.encoding, self.copied, self.segments, self.sorted_pts = film, encoding, copied, segments, sorted_pts
        self.cut_in = sorted_pts[0] * film.time_base if start is not None else None
        self.cut_out = film.start + end if end is not None else None
        first = sorted_pts[0] * film.time_base
        self.shift = first if start is not None else min(Fraction(0), first)  # players hide what lies before 0
        self.left_out: Counter[str] = Counter()  # damaged packets of the copied streams
        headers = [read_header(path) for path in segments]
        self.extradata = {extradata for extradata, _ in headers}
        self.coded_pts = [pts for _, times in headers for pts, _ in times]
        if sorted(self.coded_pts) != sorted_pts or len(self.extradata) != 1:
            raise OutputError(f"{segments[0].parent}: its segments do not make this film ({len(self.coded_pts)} frames); start afresh")

    def run(self, source: InputContainer, target: OutputContainer) -> None:
        """Write everything into `target`, interleaved by decoding time."""
        outputs = self._add_streams(source, target)
        target.metadata.update(own_tags(source.metadata))
        target.set_chapters(self._chapters(source))
        target.start_encoding()
        video = self._video_packets(source, outputs[self.film.video.index])
        coming = next(video, None)
        for packet in self._other_packets(source, outputs):
            while coming is not None and coming.dts * coming.time_base <= packet.dts * packet.time_base:
                target.mux(coming)
                coming = next(video, None)
            try:
                target.mux(packet)
            except (av.error.InvalidDataError, av.error.PatchWelcomeError):  # damaged: it cannot be given the target's framing
                self.left_out[packet.stream.type] += 1
        while coming is not None:
            target.mux(coming)
            coming = next(video, None)

    @property
    def damage(self) -> list[str]:
        """What was lost of the copied streams, in words."""
        return [f"{count} damaged packet(s) of the {kind} were left out" for kind, count in self.left_out.items()]

    def _add_streams(self, source: InputContainer, target: OutputContainer) -> dict[int, Any]:
        """Output streams by the index of the source stream, in the source's order."""
        outputs: dict[int, Any] = {}
        covers = read_covers(self.film, self.copied) if self.encoding.container in ATTACHED_COVERS else {}
        for stream in source.streams:
            if stream.index == self.film.video.index:
                output = self._add_video(target)
            elif stream.index in covers:
                name, kind = COVER_FILES[stream.codec_context.name]
                tags = stream.metadata
                target.add_attachment(tags.get("filename", name), tags.get("mimetype", kind), covers[stream.index])
                continue
            elif stream.index in self.copied:
                output = target.add_stream_from_template(stream, opaque=True)
            else:
                continue
            output.metadata.update(own_tags(stream.metadata))
            if self.encoding.container == "mov" and (language := stream.language) in MAC_LANGUAGES:
                output.metadata["language"] = MAC_LANGUAGES[language]
            output.disposition = stream.disposition
            outputs[stream.index] = output
        return outputs

    def _add_video(self, target: OutputContainer) -> Any:
        output: Any = target.add_stream(self.encoding.codec, self.film.rate or 25)
        configure(output.codec_context, self.film, self.encoding)
        output.time_base = 1 / (self.film.rate or Fraction(25)) if self.encoding.container == "avi" else self.film.time_base
        if self.encoding.container in MOVIES and self.encoding.codec.startswith(("libx265", "hevc")):
            output.codec_context.codec_tag = "hvc1"  # Apple's players want the parameter sets in the header
        output.set_display_matrix(self.film.display_matrix)
        output.codec_context.open()
        if extradata := next(iter(self.extradata)):
            output.codec_context.extradata = extradata
        return output

    def _video_packets(self, source: InputContainer, output: Any) -> Iterator[Any]:
        times = iter(decoding_times(self.coded_pts, self.sorted_pts))
        durations = self._durations(source)
        shift = int(self.shift / self.film.time_base)
        for path in self.segments:
            for record in read_packets(path):
                packet: Any = av.Packet(record.payload)
                packet.time_base = self.film.time_base
                packet.pts, packet.dts = record.pts - shift, next(times) - shift
                packet.duration = durations[record.pts]
                packet.is_keyframe = record.key
                packet.stream = output
                yield packet

    def _durations(self, source: InputContainer) -> dict[int, int]:
        """Of each frame by pts: up to the next one; the last as the source's track says, else as the file, else as the one before."""
        pts = self.sorted_pts
        durations = {now: after - now for now, after in pairwise(pts)}
        video = source.streams[self.film.video.index]
        usual = durations[pts[-2]] if len(pts) > 1 else round(1 / ((self.film.rate or 25) * self.film.time_base))
        if video.duration:
            last = (video.start_time or 0) + video.duration - pts[-1]
        else:  # the file may end with another stream: then it says nothing of the last frame
            last = min(usual, round(self.film.duration / self.film.time_base) + pts[0] - pts[-1]) if self.film.duration else 0
        if self.cut_out is not None:
            last = min(last, round(self.cut_out / self.film.time_base) - pts[-1])
        durations[pts[-1]] = last if 0 < last <= 10 * usual else usual
        return durations

    def _other_packets(self, source: InputContainer, outputs: dict[int, Any]) -> Iterator[Any]:
        streams = [s for s in source.streams if s.index in outputs and s.index != self.film.video.index and s.type != "attachment"]
        if not streams:
            return
        movie = self.encoding.container in MOVIES
        step = 0 if cast(Any, av.ContainerFormat(self.encoding.container, "w")).flags & MAY_STAND_STILL else 1
        last: dict[int, int] = {}
        for packet in demuxed(source, streams):
            stream = packet.stream
            if not packet.size or (movie and stream.type == "subtitle" and bytes(packet) == EMPTY_TEXT):
                continue  # the flush packet at the end; pauses, which the muxer writes by itself
            if packet.pts is None and packet.dts is None:
                packet.pts = stream.start_time or 0
            packet.dts = packet.pts if packet.dts is None else packet.dts
            packet.pts = packet.dts if packet.pts is None else packet.pts
            index = stream.index
            if self._clip(packet):
                floor = last.get(index, packet.dts - 1) + step  # some files count backwards, which muxers refuse
                packet.dts = last[index] = max(packet.dts, floor)
                packet.pts = max(packet.pts, packet.dts)
                packet.stream = outputs[index]
                yield packet

    def _clip(self, packet: Any) -> bool:
        """Whether the packet belongs to the stretch; moves it to the new time 0 and shortens subtitles that reach over an end."""
        if packet.stream.disposition & Disposition.attached_pic:
            return True
        base = packet.time_base
        begin, length = packet.pts * base, (packet.duration or 0) * base
        subtitle = packet.stream.type == "subtitle"
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

    def _chapters(self, source: InputContainer) -> list[Any]:
        chapters = []
        for chapter in source.chapters():
            base = chapter["time_base"] or Fraction(1, 1000)
            begin, finish = chapter["start"] * base, chapter["end"] * base
            begin = begin if self.cut_in is None else max(begin, self.cut_in)
            finish = finish if self.cut_out is None else min(finish, self.cut_out)
            if finish > begin:
                times = {"start": round((begin - self.shift) / base), "end": round((finish - self.shift) / base)}
                chapters.append({**chapter, "time_base": base, **times})
        return chapters


def demuxed(source: InputContainer, streams: list[Any]) -> Iterator[Any]:
    """Packets of these streams, as far as they can be read: where a file is damaged, what lies beyond is tried a few times."""
    for _ in range(RETRIES):
        try:
            yield from demux(source, *streams)
        except av.error.EOFError:
            return
        except av.FFmpegError:
            continue
        return


def read_covers(film: Film, wanted: set[int]) -> dict[int, bytes]:
    """Cover art by stream index: Matroska takes it as attachments, which must be known before the header is written."""
    indexes = [other.index for other in film.others if other.attached_picture and other.index in wanted]
    covers: dict[int, bytes] = {}
    if indexes:
        with open_input(film.path) as source:
            for packet in demux(source, [source.streams[index] for index in indexes]):
                if packet.size:
                    covers.setdefault(packet.stream.index, bytes(packet))
                if len(covers) == len(indexes):
                    break  # they come first: the rest of the film is not read
    return covers
