"""The Reader gives what FFmpeg decodes, bit for bit, at the source's own times, and says what was damaged."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.clips import make, video_frame
from tests.media.reading import plain, read, samples
from vidcolor.errors import InputError
from vidcolor.media.input.clock import Clock
from vidcolor.media.input.probe import probe
from vidcolor.media.input.reader import Reader
from vidcolor.media.samples.unpack import to_rgb

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"
MS = Fraction(1, 1000)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("times", [[0, 40, 80, 400, 410, 2000], [1000, 1040, 1060, 1500]])
def test_variable_and_late_times_are_kept(tmp_path, name, times):
    path = make(tmp_path / name, pts=times, time_base=MS, options={"bf": "2"})
    frames, reader = read(path)
    base = reader.film.time_base
    assert [pts * base for pts, _ in frames] == [t * MS for t in times]


def test_negative_times_are_kept(tmp_path):
    times = [-100, -60, -20, 20]
    path = make(tmp_path / "a.mkv", codec="ffv1", pts=times, time_base=MS, container_options={"avoid_negative_ts": "disabled"})
    frames, reader = read(path)
    assert [pts for pts, _ in frames] == times
    assert reader.film.start == Fraction(-1, 10)
    assert reader.last_end is not None and reader.last_end > Fraction(12, 100)


def test_frames_with_bidirectional_prediction_come_in_order_of_time(tmp_path):
    for name in ("a.mp4", "a.ts", "a.mkv"):
        path = make(tmp_path / name, frames=20, options={"bf": "3", "g": "10"})
        frames, reader = read(path, threads=3)
        pts = [p for p, _ in frames]
        assert pts == sorted(set(pts)) and len(pts) == 20
        assert pts == [f.pts for f in plain(path)]
        assert not reader.notes


def test_times_that_avi_does_not_hold_are_derived_in_step(tmp_path):
    path = make(tmp_path / "a.avi", frames=20, options={"bf": "3", "g": "10"})
    frames, reader = read(path)
    assert [p * reader.film.time_base for p, _ in frames] == [Fraction(i, 25) for i in range(20)]
    assert reader.notes == ["20 frames without a time: it was derived"]


def test_a_bare_stream_counts_from_zero_at_its_rate(tmp_path):
    path = make(tmp_path / "a.h264", container="h264", frames=12, rate=Fraction(30000, 1001), options={"bf": "2"})
    frames, reader = read(path)
    times = [p * reader.film.time_base for p, _ in frames]
    assert len(times) == 12 and times[0] == 0
    assert all(abs(t - i * Fraction(1001, 30000)) < Fraction(1, 1000) for i, t in enumerate(times))
    assert reader.notes


class Told:
    """A frame as far as the clock looks at it."""

    def __init__(self, pts: int | None, duration: int = 0) -> None:
        self.pts, self.duration = pts, duration


def clock_of(tmp_path):
    return Clock(probe(make(tmp_path / "a.mkv", frames=1)))  # time base 1/1000, 40 a frame


def test_repeated_times_move_by_the_least(tmp_path):
    clock = clock_of(tmp_path)
    assert [clock.stamp(Told(t)) for t in (0, 40, 40, 40, 120, 110, 160)] == [0, 40, 41, 42, 120, 121, 160]
    assert clock.notes == ["3 frames with a repeated or falling time: moved by the least"]


def test_a_missing_time_follows_the_frame_before(tmp_path):
    clock = clock_of(tmp_path)
    assert [clock.stamp(Told(t, 20)) for t in (100, None, None, 160)] == [100, 120, 140, 160]


def test_a_clock_that_starts_afresh_is_joined(tmp_path):
    clock = clock_of(tmp_path)
    assert [clock.stamp(Told(t)) for t in (90000, 90040, 0, 40, 80)] == [90000, 90040, 90080, 90120, 90160]
    assert any("starts afresh" in note for note in clock.notes)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mpg", "a.avi"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_piece_is_exactly_the_frames_between(tmp_path, name, threads):
    codec = {"a.mpg": "mpeg2video", "a.avi": "mpeg4"}.get(name, "libx264")
    path = make(
        tmp_path / name, codec=codec, size=(64, 64), frames=60, options={"g": "10", "bf": "2"}, audio=[] if name == "a.avi" else ["mp2"]
    )
    film = probe(path)
    everything, _ = read(path)
    base = film.time_base
    for first, last in ((0, 60), (7, 31), (30, 31), (45, 60)):
        start = everything[first][0] * base - film.start
        end = everything[last][0] * base - film.start if last < 60 else None
        piece, reader = read(path, start=start, end=end, threads=threads)
        assert [p for p, _ in piece] == [p for p, _ in everything[first:last]]
        assert all(np.array_equal(a.y, b.y) for (_, a), (_, b) in zip(piece, everything[first:last], strict=True))
        assert not reader.damage


def test_open_groups_of_pictures_give_every_frame_of_a_piece(tmp_path):
    path = make(tmp_path / "a.mkv", frames=60, options={"g": "10", "bf": "2", "x264-params": "open-gop=1:scenecut=0"})
    film = probe(path)
    everything, _ = read(path)
    for first in range(18, 34):
        piece, _ = read(path, start=everything[first][0] * film.time_base, end=everything[first + 3][0] * film.time_base)
        assert [p for p, _ in piece] == [p for p, _ in everything[first : first + 3]]
        assert all(np.array_equal(a.y, b.y) for (_, a), (_, b) in zip(piece, everything[first:], strict=False))


def test_a_piece_of_a_bare_stream_is_found_without_seeking(tmp_path):
    path = make(tmp_path / "a.h264", container="h264", frames=20)
    piece, _ = read(path, start=Fraction(10, 25), end=Fraction(12, 25))
    assert len(piece) == 2


def test_a_piece_beyond_the_end_is_empty(tmp_path):
    assert read(make(tmp_path / "a.mp4", frames=5), start=Fraction(100))[0] == []


def test_interlaced_frames_come_as_they_are_or_made_progressive(tmp_path):
    path = make(tmp_path / "a.mkv", size=(64, 64), frames=8, interlaced="tff", color=True)
    plainly, _ = read(path)
    assert plainly[0][1].layout.fields == "tff"
    frames, _ = read(path, deinterlace=True)
    assert [p for p, _ in frames] == [p for p, _ in plainly]
    assert all(planes.layout.fields == "progressive" for _, planes in frames)
    assert any(not np.array_equal(a.y, b.y) for (_, a), (_, b) in zip(frames, plainly, strict=True))
    assert all(np.array_equal(a.y[::2], b.y[::2]) for (_, a), (_, b) in zip(frames, plainly, strict=True))  # the first field stays


def test_progressive_films_are_not_touched_by_deinterlacing(tmp_path):
    path = make(tmp_path / "a.mkv", frames=3)
    assert all(np.array_equal(a.y, b.y) for (_, a), (_, b) in zip(read(path, deinterlace=True)[0], read(path)[0], strict=True))


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.mkv", "ffv1"), ("a.webm", "libvpx-vp9"), ("a.ts", "libx264")])
def test_a_truncated_film_gives_what_is_there_and_shows_what_is_missing(tmp_path, name, codec):
    path = make(tmp_path / name, codec=codec, frames=75)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames, reader = read(path)
    assert 5 < len(frames) < 70
    assert reader.last_end is not None
    if name != "a.ts":  # a transport stream does not declare its length
        assert reader.film.duration is not None and reader.film.duration - reader.last_end > 1
        assert reader.missing > 1


def test_a_whole_film_misses_nothing(tmp_path):
    for name in ("a.mkv", "a.mp4", "a.ts", "a.avi"):
        _, reader = read(make(tmp_path / name, frames=30, audio=["mp2"]))
        assert reader.missing < Fraction(1, 10) and reader.lost == reader.flawed == 0 and reader.damage == []


def spoil(path: Path, share: float = 0.05) -> Path:
    """Overwrite a piece in the middle with noise."""
    data = bytearray(path.read_bytes())
    noise = random.Random(3)
    for place in range(len(data) // 2, len(data) // 2 + int(len(data) * share)):
        data[place] = noise.randrange(256)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mkv", "ffv1", "yuv420p"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
    ],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_film_damaged_in_the_middle_goes_on_to_its_end(tmp_path, name, codec, pix_fmt, threads):
    path = make(tmp_path / name, codec=codec, pix_fmt=pix_fmt, size=(64, 64), frames=75)
    whole, _ = read(path)
    frames, reader = read(spoil(path), threads=threads)
    assert 30 < len(frames) <= 75
    assert frames[-1][0] == whole[-1][0]
    assert reader.lost + reader.flawed > 0 and reader.damage
    pts = [p for p, _ in frames]
    assert pts == sorted(set(pts))


def without(path: Path, unwanted: set[int], out_path: Path) -> Path:
    """The same film with some packets (by their number) left out, but promised by a later time."""
    with av.open(str(path)) as given, av.open(str(out_path), "w") as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(video=0)):
            if packet.size and number not in unwanted:
                packet.stream = stream
                out.mux(packet)
    return out_path


@pytest.mark.parametrize(("group", "damaged"), [(10, False), (40, True)])
def test_frames_before_the_first_key_frame_are_noted_and_count_as_damage_from_one_second_on(tmp_path, group, damaged):
    path = make(tmp_path / "a.mkv", frames=50, options={"g": str(group), "bf": "0", "x264-params": "scenecut=0"})
    frames, reader = read(without(path, {0}, tmp_path / "b.mkv"))
    assert len(frames) == 50 - group
    assert reader.lost == (group - 1 if damaged else 0)
    assert bool(reader.damage) is damaged
    assert bool(reader.notes) is not damaged


def test_packets_that_an_edit_list_hides_are_not_lost(tmp_path):
    path = make(tmp_path / "a.mp4", pts=[-80, -40, 0, 40, 80], time_base=MS)
    frames, reader = read(path)
    assert [p * reader.film.time_base for p, _ in frames] == [f.pts * f.time_base for f in plain(path)]
    assert reader.lost == 0 and not reader.damage


def test_a_film_that_starts_late_misses_nothing(tmp_path):
    for name in ("a.mkv", "a.mp4", "a.ts"):
        _, reader = read(make(tmp_path / name, pts=[3000, 3040, 3080], time_base=MS))
        assert reader.missing < Fraction(1, 10)
        assert reader.film.duration == Fraction(12, 100) or name == "a.ts"


def test_leaving_early_and_reading_again_is_safe(tmp_path):
    film = probe(make(tmp_path / "a.mp4", frames=40))
    for count in (1, 3):
        with Reader(film, threads=3) as reader:
            kept = [planes for _, (_, planes) in zip(range(count), reader, strict=False)]
        assert kept[0].y.mean() > 0
    with Reader(film) as reader:
        assert sum(1 for _ in reader) == 40


def test_films_stored_bottom_line_first_come_upright(tmp_path):
    path = make(tmp_path / "a.avi", codec="rawvideo", pix_fmt="bgr24", frames=2, color=True)
    frames, _ = read(path)
    assert np.array_equal(to_rgb(frames[0][1]), plain(path)[0].to_ndarray(format="rgb24"))
    assert np.array_equal(to_rgb(frames[0][1]), video_frame(0, (64, 48), "rgb24", color=True).to_ndarray())


@pytest.mark.parametrize("threads", [1, 4])
def test_damage_near_the_end_takes_no_sound_frame_along(tmp_path, threads):
    path = make(tmp_path / "a.mov", codec="prores_ks", pix_fmt="yuv422p10le", frames=20)
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    at, size = places[18]
    data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    whole, reader = read(path, threads=threads)
    assert [round(p * reader.film.time_base * 25) for p, _ in whole] == [*range(18), 19]
    assert reader.lost == 1 and len(reader.damage) == 1


def test_the_list_of_damage_stays_short(tmp_path):
    path = make(tmp_path / "a.mov", codec="prores_ks", pix_fmt="yuv422p10le", frames=60)
    frames, reader = read(spoil(path, 0.45))
    assert reader.lost > 21
    assert len(reader.damage) == 21 and reader.damage[-1] == f"and {reader.lost + reader.flawed - 20} more"
    assert len(frames) == 60 - reader.lost


def test_a_change_of_size_is_refused_with_its_place(tmp_path):
    parts = [make(tmp_path / f"{w}.h264", container="h264", size=(w, 48), frames=4) for w in (64, 96)]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(p.read_bytes() for p in parts))
    with pytest.raises(InputError, match="64x48 to 96x48"):
        read(path)


def test_the_second_video_track_is_left_alone(tmp_path):
    path = make(tmp_path / "a.mkv", frames=6, second_video="mjpeg", audio=["aac"], subtitles=["subrip"], cover=False)
    frames, _ = read(path)
    assert len(frames) == 6
    assert all(np.array_equal(p.y, samples(f)[0]) for (_, p), f in zip(frames, plain(path), strict=True))


def test_a_video_track_behind_the_sound_is_read_to_its_last_frame(tmp_path):
    source, path = make(tmp_path / "a.mkv", frames=20, audio=["aac"], options={"bf": "3"}), tmp_path / "b.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w") as out:
        streams = {1: out.add_stream_from_template(given.streams[1]), 0: out.add_stream_from_template(given.streams[0])}
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    assert probe(path).video.index == 1
    assert len(read(path, threads=3)[0]) == 20


@pytest.mark.skipif(not CLIPS.exists(), reason="shared clips are not here")
@pytest.mark.parametrize(
    "name", ["x_hdr10_pq_bt2020_derived.mp4", "x_hevc_10bit_tiny.mp4", "x_interlaced_tff_derived.mpg", "x_rotated90_tiny.mov"]
)
def test_the_odd_clips_are_read_bit_for_bit(name):
    frames, reader = read(CLIPS / name)
    expected = plain(CLIPS / name)
    assert [p for p, _ in frames] == [f.pts for f in expected]
    for (_, planes), frame in zip(frames, expected, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip((planes.y, planes.cb, planes.cr), samples(frame), strict=True))
    assert not reader.damage and not reader.notes
