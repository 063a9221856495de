"""A piece of a film by pts is what the whole film gives there, bit for bit, whether it was sought or read up to."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.media.clips import make, spoil
from vidcolor.media.input.damage import in_lines
from vidcolor.media.input.probe import Film, probe
from vidcolor.media.input.reader import Reader

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"
MS = Fraction(1, 1000)
VFR = [0, 40, 60, 140, 180, 181, 300, 340, 420, 424, 560, 600, 3000, 3040, 3041, 3100, *range(3140, 4000, 37)]
OPEN = {"g": "10", "bf": "2", "x264-params": "open-gop=1:scenecut=0"}
X265 = "log-level=error:pools=1:keyint=10:min-keyint=10:bframes=3:open-gop="
REFRESH = {"x264-params": "intra-refresh=1:keyint=15"}
B = {"g": "10", "bf": "3"}
BEFORE_ZERO = {"pts": range(-900, 1100, 40), "time_base": MS, "container_options": {"avoid_negative_ts": "disabled"}}

Made = dict[str, Any]

SOUGHT: dict[str, tuple[str, Made]] = {
    "h264 mp4": ("a.mp4", {"options": B}),
    "h264 mkv": ("a.mkv", {"options": B}),
    "h264 mov and sound": ("a.mov", {"options": B, "audio": ["aac"]}),
    "h264 transport stream": ("a.ts", {"options": B, "audio": ["mp2"]}),
    "h264 flash": ("a.flv", {"options": B}),
    "deep pyramid": ("a.mp4", {"options": {"g": "30", "bf": "8", "x264-params": "b-pyramid=normal:b-adapt=2"}}),
    "open groups mp4": ("a.mp4", {"options": OPEN}),
    "open groups mkv": ("a.mkv", {"options": OPEN}),
    "open groups transport stream": ("a.ts", {"options": OPEN}),
    "hevc open groups mkv": ("a.mkv", {"codec": "libx265", "options": {"x265-params": X265 + "1"}}),
    "hevc open groups mp4": ("a.mp4", {"codec": "libx265", "options": {"x265-params": X265 + "1"}}),
    "hevc transport stream": ("a.ts", {"codec": "libx265", "options": {"x265-params": X265 + "0"}}),
    "every frame a key frame": ("a.mp4", {"options": {"g": "1", "bf": "0"}}),
    "variable rate mp4": ("a.mp4", {"pts": VFR, "time_base": MS, "options": B}),
    "variable rate mkv": ("a.mkv", {"pts": VFR, "time_base": MS, "options": B}),
    "negative times": ("a.mkv", {**BEFORE_ZERO, "codec": "ffv1"}),
    "late start": ("a.mp4", {"pts": range(7007, 60060, 1001), "time_base": Fraction(1, 24000), "options": B, "audio": ["aac"]}),
    "edit list": ("a.mp4", {"pts": range(-320, 1680, 40), "time_base": MS, "options": B}),
    "mpeg2 transport stream": ("a.ts", {"codec": "mpeg2video", "options": {"g": "10", "bf": "2"}}),
    "mpeg4 mp4": ("a.mp4", {"codec": "mpeg4", "options": {"g": "10", "bf": "2"}}),
    "mpeg4 avi": ("a.avi", {"codec": "mpeg4", "options": {"g": "10"}}),
    "vp8": ("a.webm", {"codec": "libvpx", "options": {"g": "10", "auto-alt-ref": "1", "lag-in-frames": "10"}}),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "options": {"g": "10", "auto-alt-ref": "1", "lag-in-frames": "10"}}),
    "av1": ("a.mkv", {"codec": "libsvtav1", "size": (128, 128), "options": {"g": "10", "preset": "12"}}),
    "ffv1": ("a.mkv", {"codec": "ffv1", "options": {"g": "10", "context": "1"}}),
    "prores": ("a.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}),
    "windows media": ("a.wmv", {"codec": "wmv2", "options": {"g": "10"}}),
    "interlaced h264": ("a.mkv", {"interlaced": "tff", "options": B}),
    "interlaced mpeg2 transport stream": ("a.ts", {"codec": "mpeg2video", "interlaced": "bff", "options": {"g": "10", "bf": "2"}}),
}
READ: dict[str, tuple[str, Made]] = {
    "negative times and b-frames": ("a.mkv", {**BEFORE_ZERO, "options": B}),
    "program stream": ("a.mpg", {"codec": "mpeg2video", "options": {"g": "10", "bf": "2"}, "audio": ["mp2"]}),
    "interlaced program stream": ("a.mpg", {"codec": "mpeg2video", "interlaced": "tff", "options": {"g": "10"}}),
    "avi without times": ("a.avi", {"options": B}),
    "bare stream": ("a.h264", {"container": "h264", "options": B}),
    "pictures that become whole by and by": ("a.mkv", {"options": REFRESH}),
    "one key frame": ("a.mp4", {"options": {"g": "250"}}),
}


def read(film: Film, **asked: Any) -> tuple[list[tuple[int, bytes]], Reader]:
    with Reader(film, **asked) as reader:
        return [(pts, np.ascontiguousarray(planes.y).tobytes()) for pts, planes in reader], reader


def ranges(pts: list[int]) -> list[tuple[int | None, int | None]]:
    """Pieces that begin and end at frames, between them, at the ends and beyond them."""
    count = len(pts)
    inside = [(pts[a], pts[min(a + 3, count - 1)]) for a in range(1, count - 1, 4)]
    return [
        *inside,
        (pts[count // 2], None),
        (None, pts[count // 3]),
        (pts[count // 3] + 1, pts[count // 2] + 1),
        (pts[-1], None),
        (pts[-1] + 1, None),
        (pts[0], pts[1]),
        (pts[0] - 5, pts[0]),
        (pts[5], pts[5]),
    ]


def check(film: Film, sought: bool | None, **asked: Any) -> None:
    """Every range equals the whole film's; `sought` says whether those inside must be sought, or must not."""
    whole, reader = read(film, **asked)
    late = [pts for pts, _ in whole][len(whole) * 3 // 5]
    for first, until in ranges([pts for pts, _ in whole]):
        piece, reader = read(film, first=first, until=until, **asked)
        expected = [(p, y) for p, y in whole if (first is None or p >= first) and (until is None or p < until)]
        assert [p for p, _ in piece] == [p for p, _ in expected], (first, until)
        assert [y for _, y in piece] == [y for _, y in expected], (first, until)
        assert reader.damage == []
        if sought is not None and first is not None and first >= late:
            assert reader.sought is sought, first


@pytest.mark.parametrize("name", SOUGHT)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_sought_piece_is_what_the_whole_film_gives(name, threads, tmp_path):
    file, made = SOUGHT[name]
    check(probe(make(tmp_path / file, **{"frames": 50, **made})), True, threads=threads)


@pytest.mark.parametrize("name", READ)
def test_what_cannot_be_sought_is_read_from_the_beginning(name, tmp_path):
    file, made = READ[name]
    check(probe(make(tmp_path / file, **{"frames": 50, **made})), False)


@pytest.mark.parametrize("name", ["interlaced h264", "interlaced mpeg2 transport stream"])
def test_a_piece_made_progressive_knows_the_frames_beside_it(name, tmp_path):
    file, made = SOUGHT[name]
    check(probe(make(tmp_path / file, frames=50, **made)), True, deinterlace=True)


@pytest.mark.parametrize("name", ["h264 mp4", "h264 transport stream", "open groups mkv", "interlaced h264", "avi without times"])
def test_a_piece_of_a_piece(name, tmp_path):
    file, made = (SOUGHT | READ)[name]
    film = probe(make(tmp_path / file, frames=50, **made))
    check(film, None, start=Fraction(3, 5), end=Fraction(8, 5), deinterlace=True)


def test_a_still_picture_is_one_frame_at_zero(tmp_path):
    path = tmp_path / "a.png"
    frame = av.VideoFrame.from_ndarray(np.zeros((8, 8), np.uint8), format="gray")
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 8, 8, "gray", Fraction(1)
    path.write_bytes(b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode(None)]))
    film = probe(path)
    counts = [len(read(film, first=first, until=until)[0]) for first, until in ((None, None), (0, 1), (1, None), (0, 0), (-3, 2))]
    assert counts == [1, 1, 0, 0, 1]


def joined(tmp_path: Path, starts: tuple[int, int], codec: str = "libx264") -> Film:
    """Two recordings of two seconds in one file; `starts` in frames."""
    parts = [
        make(tmp_path / f"{number}.ts", codec=codec, pts=range(start, start + 50), options={"g": "10", "bf": "2"})
        for number, start in enumerate(starts)
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return probe(path)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("starts", [(500, 0), (0, 0), (25, 65), (10, 50), (0, 500)])
def test_a_clock_that_starts_afresh_is_gone_through(starts, codec, tmp_path):
    film = joined(tmp_path, starts, codec)
    whole, _ = read(film)
    assert len(whole) > 90
    for share in (10, 45, 55, 60, 80, 95):
        first, until = whole[share * len(whole) // 100][0], whole[share * len(whole) // 100 + 4][0]
        piece, _ = read(film, first=first, until=until)
        assert piece == [(p, y) for p, y in whole if first <= p < until], share


def test_no_more_is_read_than_the_piece_needs(tmp_path, monkeypatch):
    film = probe(make(tmp_path / "a.mkv", frames=200, options={"g": "10", "bf": "2"}))
    whole, _ = read(film)
    packets: list[Any] = []
    reached = Reader._reached
    monkeypatch.setattr(Reader, "_reached", lambda self, packet: (packets.append(packet.pts), reached(self, packet))[1])
    piece, _ = read(film, first=whole[100][0], until=whole[110][0], threads=1)
    assert len(piece) == 10
    assert min(packets) >= whole[80][0] and max(packets) <= whole[125][0]


def spoiled(path: Path, numbers: tuple[int, ...]) -> Film:
    """The film with most of some packets overwritten."""
    return probe(spoil(path, numbers))


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"), [("a.mkv", "ffv1", "yuv420p"), ("a.mov", "prores_ks", "yuv422p10le"), ("a.ts", "libx264", "yuv420p")]
)
@pytest.mark.parametrize("threads", [1, 3])
def test_damage_is_told_once_by_the_parts_of_a_run(name, codec, pix_fmt, threads, tmp_path):
    path = make(tmp_path / name, codec=codec, pix_fmt=pix_fmt, frames=75, options={"g": "5"})
    borders = [None, *(pts for pts, _ in read(probe(path))[0][15::15]), None]
    film = spoiled(path, (20, 21, 40, 60))
    whole, reader = read(film, threads=threads)
    assert reader.damage and in_lines(reader.damage_between(None, None)) == reader.damage
    told: list[str] = []
    times: list[int] = []
    for first, until in pairwise(borders):
        piece, part = read(film, first=first, until=until, threads=threads)
        times += [pts for pts, _ in piece]
        told += part.damage
        assert part.damage == in_lines(part.damage_between(first, until)) == in_lines(reader.damage_between(first, until))
    assert times == [pts for pts, _ in whole]
    assert sorted(told) == sorted(reader.damage)


def test_damage_until_a_frame_is_known_when_that_frame_comes(tmp_path):
    film = spoiled(make(tmp_path / "a.mov", codec="prores_ks", pix_fmt="yuv422p10le", frames=60), (20, 40))
    counts = []
    with Reader(film, threads=3) as reader:
        for pts, _ in reader:
            counts.append(len(reader.damage_between(None, pts)))
        assert counts == [0] * 20 + [1] * 19 + [2] * 19
        assert [len(reader.damage_between(None, round(t / 25 / film.time_base))) for t in (20, 21, 40, 41)] == [0, 1, 1, 2]


def test_a_frame_that_is_silently_missing_is_known_before_the_end(tmp_path):
    with Reader(probe(make(tmp_path / "a.mkv", frames=50, options={"g": "10", "bf": "0"}))) as reader:
        for number, (pts, _) in enumerate(reader):
            if number == 20:
                reader._damage._promised.add(pts - 1)  # a packet that gave neither a frame nor an error
            if number > 20:
                assert reader.damage_between(None, pts) == [("frame lost at 0.799 s", 1)]
                assert reader.damage_between(None, 799) == reader.damage_between(pts, None) == []
