"""Films of many kinds through probe, Reader, SegmentWriter and the last mux: what comes out is what went in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from tests.media.clips import make, png
from vidcolor.media.input.probe import Film, probe
from vidcolor.media.input.reader import Reader
from vidcolor.media.output.choose_encoding import Encoding, Request, plan_encoding
from vidcolor.media.output.streams import assemble, plan_streams
from vidcolor.media.output.writer import SegmentWriter
from vidcolor.picture.planes import Planes

CLIPS = Path(__file__).parents[4] / "shared/data/clips"
VFR = (0, 40, 60, 140, 180, 181, 300, 340, 420, 424, 560, 600)  # in milliseconds
MS = Fraction(1, 1000)


@dataclass(frozen=True)
class Case:
    """A film to make (`source` and the arguments of `make`), what to write it as, and what cannot come out equal."""

    name: str
    source: str
    out: str
    made: dict[str, Any] = field(default_factory=dict)
    codec: str | None = None
    lossless: bool = False
    preset: str | None = "ultrafast"
    moves: bool = False  # the container takes no times below 0: all streams move together
    unlike: tuple[str, ...] = ()  # entries of the manifest that the target cannot hold


CHAPTERS = [(0.0, 0.2, "one"), (0.2, 0.48, "two")]
WEBM = {
    **{"codec": "libvpx-vp9", "rotation": 90, "chapters": CHAPTERS, "tags": {"title": "A film", "MOOD": "blue"}, "subtitles": ["webvtt"]},
    **{"audio": ["libopus"], "sar": Fraction(4, 3), "matrix": 1, "transfer": 1, "primaries": 1},
}

CASES = [
    Case("grey h264 mp4", "a.mp4", "o.mp4", {"pix_fmt": "gray", "audio": ["aac"]}),
    Case("grey ffv1 lossless", "a.mkv", "o.mkv", {"codec": "ffv1", "pix_fmt": "gray"}, "ffv1", preset=None),
    Case("grey 10 bit ffv1", "a.mkv", "o.mkv", {"codec": "ffv1", "pix_fmt": "gray10le"}, "ffv1", preset=None),
    Case("grey 12 bit ffv1", "a.mkv", "o.mkv", {"codec": "ffv1", "pix_fmt": "gray12le"}, "ffv1", preset=None),
    Case("grey 16 bit ffv1", "a.mkv", "o.mkv", {"codec": "ffv1", "pix_fmt": "gray16le"}, "ffv1", preset=None),
    Case("grey x264 lossless", "a.mkv", "o.mp4", {"codec": "ffv1", "pix_fmt": "gray"}, "h264", True),
    Case("grey 10 bit x264 lossless", "a.mkv", "o.mp4", {"codec": "ffv1", "pix_fmt": "gray10le"}, "h264", True),
    Case("grey x265 lossless", "a.mkv", "o.mp4", {"codec": "ffv1", "pix_fmt": "gray"}, "hevc", True),
    Case("grey 10 bit x265 lossless", "a.mkv", "o.mkv", {"codec": "ffv1", "pix_fmt": "gray10le"}, "hevc", True),
    Case("grey 12 bit x265 lossless", "a.mkv", "o.mkv", {"codec": "ffv1", "pix_fmt": "gray12le"}, "hevc", True),
    Case("420 ffv1", "a.mp4", "o.mkv", {"color": True}, "ffv1", preset=None),
    Case("420 10 bit ffv1", "a.mp4", "o.mkv", {"codec": "libx265", "pix_fmt": "yuv420p10le"}, "ffv1", preset=None),
    Case("420 x264 lossless", "a.mp4", "o.mp4", {"color": True, "frames": 24}, "h264", True, "medium"),
    Case("420 10 bit x265 lossless", "a.mp4", "o.mp4", {"pix_fmt": "yuv420p10le"}, "hevc", True),
    Case("422 x264 lossless", "a.mkv", "o.mkv", {"pix_fmt": "yuv422p"}, "h264", True),
    Case("444 10 bit x264 lossless", "a.mkv", "o.mkv", {"pix_fmt": "yuv444p10le"}, "h264", True),
    Case("440 ffv1", "a.mkv", "o.mkv", {"codec": "ffv1", "pix_fmt": "yuv440p"}, "ffv1", preset=None),
    Case("vp9 lossless webm", "a.webm", "o.webm", {"codec": "libvpx-vp9", "audio": ["libopus"]}, "vp9", True, None),
    Case("odd size x264", "a.mkv", "o.mp4", {"codec": "ffv1", "pix_fmt": "gray", "size": (65, 47)}, "h264", True),
    Case("odd size vp9", "a.mkv", "o.mkv", {"codec": "ffv1", "size": (65, 47)}, "vp9", True, None),
    Case("odd size av1", "a.mkv", "o.mp4", {"codec": "ffv1", "size": (67, 65)}, "av1", preset="12"),
    Case("prores", "a.mov", "o.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le", "audio": ["pcm_s16be"]}, "prores", preset="hq"),
    Case("dnxhr", "a.mov", "o.mov", {"size": (256, 128), "frames": 4, "matrix": 1, "audio": ["pcm_s16le"]}, "dnxhr", preset=None),
    Case("full range", "a.mp4", "o.mp4", {"full": True, "matrix": 1, "primaries": 1, "transfer": 1}, "h264", True),
    Case("full range hevc mkv", "a.mkv", "o.mkv", {"full": True, "matrix": 6, "primaries": 6, "transfer": 6}, "hevc", True),
    Case("bt601 tags", "a.mp4", "o.mkv", {"matrix": 5, "primaries": 5, "transfer": 6, "full": False}),
    Case(
        "bt2020 av1",
        "a.mkv",
        "o.mkv",
        {"pix_fmt": "yuv420p10le", "matrix": 9, "primaries": 9, "transfer": 14},
        "av1",
        preset="12",
    ),
    Case("aspect", "a.mp4", "o.mp4", {"sar": Fraction(16, 15)}),
    Case("aspect mkv", "a.mkv", "o.mkv", {"sar": Fraction(64, 45)}),
    Case("turned 90", "a.mp4", "o.mp4", {"rotation": 90, "audio": ["aac"]}),
    Case("turned 270 to mkv", "a.mov", "o.mkv", {"rotation": 270}),
    Case("turned 180 from mkv", "a.mkv", "o.mov", {"rotation": 180}),
    Case("variable rate", "a.mkv", "o.mp4", {"pts": VFR, "time_base": MS, "options": {"bf": "3"}}, "h264", True, "medium"),
    Case("variable rate b-frames", "a.mp4", "o.mkv", {"pts": VFR, "time_base": MS, "options": {"bf": "3"}}, "hevc", True, "fast"),
    Case("variable rate av1", "a.mp4", "o.mp4", {"pts": VFR, "time_base": MS}, "av1", preset="12"),
    Case("variable rate vp9", "a.mp4", "o.webm", {"pts": VFR, "time_base": MS}, "vp9", preset=None),
    Case(
        "late start",
        "a.mp4",
        "o.mp4",
        {"pts": range(1001, 13013, 1001), "time_base": Fraction(1, 24000), "rate": Fraction(24000, 1001), "audio": ["aac", "aac"]},
    ),
    Case("start that is no millisecond", "a.ts", "o.mp4", {"pts": range(93457, 129493, 3003), "time_base": Fraction(1, 90000)}),
    Case("late start mkv", "a.mkv", "o.mkv", {"pts": range(700, 1180, 40), "time_base": MS, "audio": ["flac"]}),
    Case("late sound", "a.mp4", "o.mp4", {"audio": ["aac"], "audio_start": Fraction(1, 5)}),
    Case("ntsc transport stream", "a.ts", "o.ts", {"codec": "mpeg2video", "rate": Fraction(30000, 1001), "audio": ["mp2", "ac3"]}),
    Case("transport stream to mp4", "a.ts", "o.mp4", {"audio": ["aac"]}, unlike=("packets",)),
    Case("mp4 to transport stream", "a.mp4", "o.ts", {"audio": ["aac"]}, moves=True, unlike=("packets", "dispositions")),
    Case("interlaced tff", "a.mkv", "o.mkv", {"codec": "ffv1", "interlaced": "tff"}, "h264", True),
    Case("interlaced bff mp4", "a.mp4", "o.mp4", {"interlaced": "bff"}, "h264"),
    Case("interlaced mpeg2", "a.mpg", "o.mov", {"codec": "mpeg2video", "interlaced": "tff", "audio": ["mp2"]}, "h264"),
    Case("interlaced ffv1", "a.mkv", "o.mkv", {"codec": "ffv1", "interlaced": "bff"}, "ffv1", preset=None),
    Case(
        "interlaced prores", "a.mov", "o.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le", "interlaced": "tff"}, "prores", preset="hq"
    ),
    Case("many sounds", "a.mkv", "o.mkv", {"audio": ["aac", "flac", "libopus", "pcm_s16le"]}),
    Case("pcm to mov", "a.mkv", "o.mov", {"audio": ["pcm_s16le", "pcm_s24le"]}),
    Case("pcm avi", "a.avi", "o.avi", {"codec": "mpeg4", "audio": ["pcm_s16le"]}, preset="fast"),
    Case("pcm avi ffv1", "a.avi", "o.avi", {"codec": "mpeg4", "audio": ["pcm_s16le"]}, "ffv1", preset=None, unlike=("colour",)),
    Case("mp4 to mkv with b-frames", "a.mp4", "o.mkv", {"audio": ["aac"], "chapters": CHAPTERS}, preset="fast"),
    Case("mp4 to mkv without b-frames", "a.mp4", "o.mkv", {"audio": ["aac"], "chapters": CHAPTERS}),
    Case("sound before the film", "a.mkv", "o.mp4", {"pts": range(500, 980, 40), "time_base": MS, "audio": ["aac"]}, preset="fast"),
    Case("chroma between the lines", "a.mpg", "o.mp4", {"codec": "mpeg1video"}, preset="fast"),
    Case("chroma between the lines hevc", "a.mpg", "o.mkv", {"codec": "mpeg1video"}, "hevc"),
    Case("avi to mp4", "a.avi", "o.mp4", {"codec": "mpeg4", "audio": ["libmp3lame"]}),
    Case("texts and chapters mkv", "a.mkv", "o.mkv", {"subtitles": ["subrip", "ass"], "chapters": CHAPTERS, "audio": ["aac"]}),
    Case("texts and chapters mp4", "a.mp4", "o.mp4", {"subtitles": ["mov_text"], "chapters": CHAPTERS, "audio": ["aac"]}),
    Case("texts and chapters mov", "a.mp4", "o.mov", {"subtitles": ["mov_text"], "chapters": CHAPTERS}),
    Case("bitmap subtitles", "a.mkv", "o.mkv", {"subtitles": ["hdmv_pgs_subtitle"]}),
    Case(
        "tags mkv",
        "a.mkv",
        "o.mkv",
        {"tags": {"title": "A film", "DIRECTOR": "N. N.", "comment": "x"}, "stream_tags": {"title": "main", "language": "deu"}},
    ),
    Case(
        "tags mp4", "a.mp4", "o.mp4", {"tags": {"title": "A film", "artist": "N. N.", "comment": "x"}, "stream_tags": {"language": "deu"}}
    ),
    Case(
        "any tags mp4",
        "a.mp4",
        "o.mp4",
        {"tags": {"title": "A film", "mood": "blue"}, "container_options": {"movflags": "use_metadata_tags"}},
    ),
    Case("attachments", "a.mkv", "o.mkv", {"attachments": [("a.ttf", "font/ttf", b"letters"), ("b.txt", "text/plain", b"words")]}),
    Case("cover mp4", "a.mp4", "o.mp4", {"cover": True, "audio": ["aac"]}),
    Case("cover mp4 to mkv", "a.mp4", "o.mkv", {"cover": True}),
    Case("cover mkv", "a.mkv", "o.mkv", {"attachments": [("cover.png", "image/png", png())]}),
    Case("cover mkv to mp4", "a.mkv", "o.mp4", {"attachments": [("cover.png", "image/png", png())]}),
    Case("two videos", "a.mkv", "o.mkv", {"second_video": "mpeg4", "audio": ["aac"]}),
    Case("two videos mp4", "a.mp4", "o.mp4", {"second_video": "mjpeg"}),
    Case("webm of everything", "a.webm", "o.webm", WEBM, preset=None),
    Case("phone", "a.mp4", "o.3gp", {"audio": ["aac"]}),
    Case("blu-ray transport stream", "a.ts", "o.m2ts", {"codec": "mpeg2video", "audio": ["ac3"]}, moves=True),
    Case("flash", "a.mp4", "o.flv", {"audio": ["aac"]}, moves=True, unlike=("languages", "dispositions")),
    Case("one frame", "a.mkv", "o.mp4", {"frames": 1}),
    Case("timecode", "a.mov", "o.mov", {"stream_tags": {"timecode": "01:00:00:00"}}),
    Case("timecode to mkv", "a.mov", "o.mkv", {"stream_tags": {"timecode": "01:00:00:00"}}),
]


def color(film: Film, out: Path, request: Request, folder: Path, parts: int = 3, drop: bool = False) -> Encoding:
    """What the program does, without a network: luma as it is, chroma kept where its format stays, else neutral."""
    encoding = plan_encoding(film, out, request)
    plan = plan_streams(film, out, encoding, drop)
    with Reader(film) as reader:
        frames = [(pts, Planes(p.y.copy(), *(None if c is None else c.copy() for c in (p.cb, p.cr)), p.layout)) for pts, p in reader]
    segments = []
    step = -(-len(frames) // parts)
    for first in range(0, len(frames), step):
        segments.append(folder / f"{first}.seg")
        writer = SegmentWriter(segments[-1], film, encoding)
        for pts, planes in frames[first : first + step]:
            kept = planes.layout.chroma == encoding.layout.chroma
            writer.write(pts, planes if kept else replace_chroma(planes))
        writer.close()
    assemble(film, encoding, plan, segments, out, sorted_pts=[pts for pts, _ in frames])
    return encoding


def replace_chroma(planes: Planes) -> Planes:
    return Planes(planes.y, None, None, planes.layout)


def frames_of(film: Film) -> list[tuple[Fraction, str]]:
    """Time in seconds and hash of the luma of each frame."""
    with Reader(film) as reader:
        return [(pts * film.time_base, hashlib.sha256(np.ascontiguousarray(planes.y)).hexdigest()) for pts, planes in reader]


def _once(key: str, value: str) -> str:
    """FFmpeg 9 joins the creation time of the header and that of the list of keys."""
    return value.split(";")[0] if key == "creation_time" else value


def manifest(path: Path) -> dict[str, Any]:
    """All that surrounds the pictures, in words of its own: what a film's second copy must have too."""
    film = probe(path)
    with av.open(str(path)) as container:
        others = [s for s in container.streams if s.index != film.video.index and not _rewritten(container, s)]
        moving = [s for s in others if s.type != "attachment"]
        packets: dict[int, list[bytes]] = {s.index: [] for s in moving}
        times: dict[int, list[Fraction]] = {s.index: [] for s in moving}
        for packet in container.demux(*moving) if moving else ():
            if packet.size and bytes(packet) != b"\0\0":  # a pause of mov_text
                packets[packet.stream.index].append(bytes(packet))
                times[packet.stream.index].append((packet.pts or 0) * packet.time_base)
        joined = {s.index: [b"".join(packets[s.index])] if _codec(s).startswith("pcm") else packets[s.index] for s in moving}
        video = container.streams[film.video.index]
        return {
            "streams": [(s.type, _codec(s)) for s in others if s.type != "attachment"],
            "languages": [_language(s) for s in [video, *others]],
            "titles": [s.metadata.get("title") for s in [video, *others]],
            "dispositions": [int(s.disposition) for s in [video, *others]],
            "packets": [joined[s.index] for s in moving],
            "packet times": [times[s.index][0] for s in moving if not s.disposition & Disposition.attached_pic],
            "attachments": [(s.metadata.get("filename"), s.metadata.get("mimetype"), s.data) for s in others if s.type == "attachment"],
            "chapters": [
                (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"].get("title")) for c in container.chapters()
            ],
            "tags": {k.lower(): _once(k, v) for k, v in container.metadata.items() if k.lower() not in ("encoder", *BRANDS)},
            "timecode": video.metadata.get("timecode") or video.metadata.get("TIMECODE"),
            "aspect": film.sample_aspect,
            "rotation": film.rotation,
            "fields": film.layout.fields,
            "range": film.layout.full_range,
            "colour": (film.primaries, film.transfer, film.matrix),
            "size": (film.layout.width, film.layout.height),
        }


BRANDS = ("major_brand", "minor_version", "compatible_brands")


def _codec(stream: Any) -> str:
    return stream.codec_context.codec.name if stream.codec_context else "none"


def _language(stream: Any) -> str:
    language = stream.metadata.get("language", "und")
    return {"ger": "deu", "fre": "fra"}.get(language, language)


def _rewritten(container: Any, stream: Any) -> bool:
    """Tracks that a muxer makes of chapters and of the timecode tag."""
    return stream.type == "data" and (bool(container.chapters()) or "timecode" in stream.metadata)


def expected(film: Film, source: Path, result: Film) -> dict[str, Any]:
    """The source's manifest, with what is said otherwise on purpose.

    The matrix is tagged explicitly where the source leaves it open. QuickTime and MP4 enable one track of each kind.
    """
    told = manifest(source)
    primaries, transfer, matrix = told["colour"]
    told["colour"] = (primaries, transfer, {"bt709": 1, "bt601": 6, "bt2020": 9}[film.layout.matrix] if matrix == 2 else matrix)
    if result.container.startswith("mov"):
        kinds = ["video", *(kind for kind, _ in told["streams"])]
        for kind in ("video", "audio", "subtitle"):
            places = [place for place, other in enumerate(kinds) if other == kind]
            if places and not any(told["dispositions"][place] & 1 for place in places):
                told["dispositions"][places[0]] |= 1
    return told


def differences(source: dict[str, Any], copy: dict[str, Any], unlike: tuple[str, ...], moved: Fraction) -> dict[str, Any]:
    """Entries that differ; times may be rounded to a clock of 1/1000 s and are compared after taking off `moved`."""
    before, after = source.pop("packet times"), copy.pop("packet times")
    if any(abs(b + moved - a) > MS for b, a in zip(before, after, strict=True)):
        return {"packet times": (before, after)}
    return {key: (source[key], copy[key]) for key in source if source[key] != copy[key] and key not in unlike}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_nothing_of_the_film_is_lost(case: Case, tmp_path: Path):
    source = make(tmp_path / case.source, **case.made)
    film = probe(source)
    out = tmp_path / case.out
    encoding = color(film, out, Request(codec=case.codec, preset=case.preset, lossless=case.lossless, threads=1), tmp_path)
    result = probe(out)
    before, after = frames_of(film), frames_of(result)
    assert len(after) == len(before)
    moved = after[0][0] - before[0][0] if case.moves else Fraction(0)
    slack = Fraction(0) if result.time_base.denominator % film.time_base.denominator == 0 else result.time_base / 2
    assert [b for (a, _), (b, _) in zip(after, before, strict=True) if abs(a - b - moved) > slack] == []
    if case.lossless or case.codec == "ffv1":
        assert [digest for _, digest in after] == [digest for _, digest in before]
    assert differences(expected(film, source, result), manifest(out), case.unlike, moved) == {}
    assert result.layout.depth == encoding.layout.depth
    if film.siting_tagged and film.layout.chroma == result.layout.chroma == "420" and encoding.codec in ("libx264", "libx265"):
        assert result.layout.siting == film.layout.siting


@pytest.mark.parametrize("out", ["o.mkv", "o.mp4"])
@pytest.mark.parametrize(
    "name",
    [
        "x_hdr10_pq_bt2020_derived.mp4",
        "x_hevc_10bit_tiny.mp4",
        "x_interlaced_tff_derived.mpg",
        "x_rotated90_tiny.mov",
        "x_rotated_vfr_phone.mp4",
    ],
)
def test_nothing_of_a_real_film_is_lost(name: str, out: str, tmp_path: Path):
    source = CLIPS / name
    if not source.exists():
        pytest.skip("needs the shared clips")
    film, target = probe(source), tmp_path / out
    color(film, target, Request(codec="hevc" if film.hdr else "h264", preset="ultrafast", lossless=True, threads=2), tmp_path)
    result = probe(target)
    before, after = frames_of(film), frames_of(result)
    slack = Fraction(0) if out == "o.mp4" else MS / 2
    assert [digest for _, digest in after] == [digest for _, digest in before]
    assert all(abs(a - b) <= slack for (a, _), (b, _) in zip(after, before, strict=True))
    assert differences(expected(film, source, result), manifest(target), (), Fraction(0)) == {}
    assert result.hdr == film.hdr
