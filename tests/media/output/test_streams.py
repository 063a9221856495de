"""plan_streams and assemble: what a container cannot hold is said before; what is clipped is clipped in every stream."""

from __future__ import annotations

import resource
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.clips import make, png
from vidcolor.errors import OutputError, UsageError
from vidcolor.media.input.probe import Film, probe
from vidcolor.media.input.reader import Reader
from vidcolor.media.output.choose_encoding import Encoding, Request, plan_encoding
from vidcolor.media.output.mux import decoding_times
from vidcolor.media.output.streams import StreamPlan, assemble, plan_streams
from vidcolor.media.output.writer import SegmentWriter

FAST = Request(preset="ultrafast", threads=1)


def segments_of(film: Film, encoding: Encoding, folder: Path, *, every: int = 5, **stretch: Any) -> tuple[list[Path], list[int]]:
    paths: list[Path] = []
    times: list[int] = []
    writer: SegmentWriter | None = None
    with Reader(film, **stretch) as reader:
        for number, (pts, planes) in enumerate(reader):
            if number % every == 0:
                if writer:
                    writer.close()
                paths.append(folder / f"{number}.seg")
                writer = SegmentWriter(paths[-1], film, encoding)
            assert writer
            writer.write(pts, planes)
            times.append(pts)
    assert writer
    writer.close()
    return paths, times


def copy(source: Path, out: Path, request: Request = FAST, **stretch: Any) -> tuple[Film, StreamPlan]:
    film = probe(source)
    encoding = plan_encoding(film, out, request)
    plan = plan_streams(film, out, encoding, drop_unsupported=True)
    paths, times = segments_of(film, encoding, out.parent, **stretch)
    assemble(film, encoding, plan, paths, out, sorted_pts=times, **stretch)
    return film, plan


def packets_of(path: Path, kind: str) -> list[tuple[Fraction, Fraction, bytes]]:
    """(start, length, bytes) of each packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        base = stream.time_base
        return [(p.pts * base, (p.duration or 0) * base, bytes(p)) for p in container.demux(stream) if p.size and bytes(p) != b"\0\0"]


@given(
    gaps=st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=12), min_size=1, max_size=5),
    reorder=st.integers(0, 3),
    first=st.integers(-1000, 1000),
)
def test_decoding_times_rise_and_never_pass_the_presentation(gaps, reorder, first):
    shown, coded, now = [], [], first
    for segment in gaps:
        times = []
        for gap in segment:
            times.append(now)
            now += gap
        shown += times
        for start in range(0, len(times), reorder + 1):  # each last frame of a group is coded before the others
            group = times[start : start + reorder + 1]
            coded += [group[-1], *group[:-1]]
    dts = decoding_times(coded, shown)
    assert len(dts) == len(coded)
    assert all(a < b for a, b in pairwise(dts))
    assert all(d <= p for d, p in zip(dts, coded, strict=True))


@pytest.mark.parametrize(
    ("source", "out", "made", "told"),
    [
        ("a.mkv", "o.mp4", {"subtitles": ["subrip"]}, "stream 1: mp4 has no place for subtitle in subrip"),
        ("a.mkv", "o.mp4", {"attachments": [("a.ttf", "font/ttf", b"x")]}, "attached files"),
        ("a.mkv", "o.webm", {"audio": ["aac"]}, "stream 1: webm has no place for audio in aac"),
        ("a.mkv", "o.ts", {"audio": ["flac"]}, "no place for audio in flac"),
        ("a.mkv", "o.ts", {"subtitles": ["hdmv_pgs_subtitle"]}, "no place for subtitle in hdmv_pgs_subtitle"),
        ("a.mp4", "o.avi", {"subtitles": ["mov_text"]}, "stream 1: avi has no place for subtitle in mov_text"),
        ("a.mkv", "o.mkv", {"attachments": [("a.ttf", "font/ttf", b"x")]}, None),
    ],
)
def test_streams_that_do_not_fit_are_named_before_work_starts(source, out, made, told, tmp_path):
    film = probe(make(tmp_path / source, frames=4, **made))
    encoding = plan_encoding(film, Path(out), Request(threads=1))
    if told is None:
        assert plan_streams(film, Path(out), encoding, drop_unsupported=False).dropped == ()
        return
    with pytest.raises(UsageError) as error:
        plan_streams(film, Path(out), encoding, drop_unsupported=False)
    assert told in str(error.value)
    assert "drop_unsupported=True" in str(error.value)
    assert "\n" not in str(error.value)
    plan = plan_streams(film, Path(out), encoding, drop_unsupported=True)
    assert len(plan.dropped) == 1
    assert not set(plan.copied) & {stream for stream, _ in plan.dropped}


@pytest.mark.parametrize(
    ("source", "out", "made", "told"),
    [
        ("a.mkv", "o.ts", {"chapters": [(0.0, 0.1, "one")]}, "chapters"),
        ("a.mp4", "o.ts", {"rotation": 90}, "rotation of 90"),
        ("a.mkv", "o.avi", {}, "keeps no times"),
        ("a.mov", "o.mkv", {"stream_tags": {"timecode": "01:00:00:00"}}, "timecode track becomes a tag (01:00:00:00)"),
        ("a.mkv", "o.mp4", {"tags": {"MOOD": "blue"}, "attachments": [("cover.png", "image/png", png())]}, "tags will be lost: MOOD"),
    ],
)
def test_what_a_container_cannot_say_is_noted(source, out, made, told, tmp_path):
    film = probe(make(tmp_path / source, frames=4, **made))
    plan = plan_streams(film, Path(out), plan_encoding(film, Path(out), FAST), drop_unsupported=False)
    assert any(told in note for note in plan.notes)


def test_variable_rate_is_refused_for_avi(tmp_path):
    source = make(tmp_path / "a.mkv", pts=[0, 40, 100, 120, 200], time_base=Fraction(1, 1000))
    with pytest.raises(UsageError, match="variable frame rate"):
        plan_encoding(probe(source), Path("o.avi"), FAST)


def test_a_stretch_is_clipped_in_every_stream(tmp_path):
    chapters = [(0.0, 0.3, "one"), (0.3, 0.6, "two"), (0.6, 1.0, "three")]
    source = make(tmp_path / "a.mkv", frames=25, audio=["flac"], subtitles=["subrip"], chapters=chapters)
    film, _ = copy(source, tmp_path / "o.mkv", start=Fraction(2, 5), end=Fraction(4, 5))
    result = probe(tmp_path / "o.mkv")
    with Reader(result) as reader:
        assert [pts * result.time_base for pts, _ in reader] == [Fraction(n, 25) for n in range(10)]
    with av.open(str(tmp_path / "o.mkv")) as container:
        told = [(c["metadata"]["title"], c["start"] * c["time_base"], c["end"] * c["time_base"]) for c in container.chapters()]
    assert told == [("two", 0, Fraction(1, 5)), ("three", Fraction(1, 5), Fraction(2, 5))]
    before, after = packets_of(source, "audio"), packets_of(tmp_path / "o.mkv", "audio")
    kept = [(start, data) for start, _, data in before if Fraction(2, 5) <= start < Fraction(4, 5)]
    assert [data for _, _, data in after] == [data for _, data in kept]
    assert all(abs(a - (b - Fraction(2, 5))) <= Fraction(1, 1000) for (a, _, _), (b, _) in zip(after, kept, strict=True))
    assert [(start, length) for start, length, _ in packets_of(tmp_path / "o.mkv", "subtitle")] == [(Fraction(1, 10), Fraction(1, 4))]
    assert film.start == 0


def test_a_subtitle_that_reaches_over_both_ends_is_shortened(tmp_path):
    source = make(tmp_path / "a.mkv", frames=50, subtitles=["subrip"])  # a line from 0.00 to 0.50 s, another from 1.00 to 1.50 s
    copy(source, tmp_path / "o.mkv", start=Fraction(1, 5), end=Fraction(6, 5))
    told = [(start, length) for start, length, _ in packets_of(tmp_path / "o.mkv", "subtitle")]
    assert told == [(0, Fraction(3, 10)), (Fraction(4, 5), Fraction(1, 5))]


def test_an_end_alone_moves_nothing(tmp_path):
    source = make(tmp_path / "a.mp4", frames=25, audio=["aac"], pts=range(25, 50), time_base=Fraction(1, 25))
    film, _ = copy(source, tmp_path / "o.mp4", end=Fraction(9, 5))
    result = probe(tmp_path / "o.mp4")
    with Reader(result) as reader:
        times = [pts * result.time_base for pts, _ in reader]
    assert times == [1 + Fraction(n, 25) for n in range(len(times))]
    assert max(times) < film.start + Fraction(9, 5)
    assert packets_of(tmp_path / "o.mp4", "video")[-1][:2] == (max(times), Fraction(1, 25))
    assert all(start < film.start + Fraction(9, 5) for start, _, _ in packets_of(tmp_path / "o.mp4", "audio"))


def test_a_film_that_begins_below_zero_begins_at_zero_with_its_sound(tmp_path):
    film = replace(probe(make(tmp_path / "a.mkv", audio=["flac"])), time_base=Fraction(1, 1000))
    encoding = plan_encoding(film, tmp_path / "o.mp4", FAST)
    plan = plan_streams(film, tmp_path / "o.mp4", encoding, drop_unsupported=False)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding)
    with Reader(film) as reader:
        times = [pts - 120 for pts, planes in reader if not writer.write(pts - 120, planes)]
    writer.close()
    assemble(film, encoding, plan, [tmp_path / "0.seg"], tmp_path / "o.mp4", sorted_pts=times)
    result = probe(tmp_path / "o.mp4")
    with Reader(result) as reader:
        assert [pts * result.time_base for pts, _ in reader] == [Fraction(n, 25) for n in range(12)]
    assert packets_of(tmp_path / "o.mp4", "audio")[0][0] == Fraction(120, 1000)


@pytest.mark.parametrize(("source", "out"), [("a.ts", "o.mp4"), ("a.mp4", "o.ts"), ("a.ts", "o.mkv"), ("a.ts", "o.mov")])
def test_aac_sounds_the_same_between_transport_stream_and_file(source, out, tmp_path):
    copy(make(tmp_path / source, audio=["aac"]), tmp_path / out)
    sounds = []
    for path in (tmp_path / source, tmp_path / out):
        with av.open(str(path)) as container:
            packets = [av.Packet(bytes(p)) for p in container.demux(audio=0) if p.size]  # without "skip the first samples"
            decoder = av.CodecContext.create("aac", "r")
            if extradata := container.streams.audio[0].codec_context.extradata:
                decoder.extradata = extradata
            sounds.append(np.concatenate([frame.to_ndarray() for packet in [*packets, None] for frame in decoder.decode(packet)], axis=1))
    assert np.array_equal(sounds[0], sounds[1])
    assert sounds[0].any()


def test_marks_of_tracks_are_kept(tmp_path):
    plain = make(tmp_path / "plain.mkv", audio=["aac", "aac"], subtitles=["subrip", "subrip"])
    marks = ["default", "original", "comment", "forced", "hearing_impaired"]
    with av.open(str(plain)) as source, av.open(str(tmp_path / "a.mkv"), "w") as target:
        outputs = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        for output, mark in zip(outputs.values(), marks, strict=True):
            output.disposition = av.stream.Disposition[mark]
        for packet in source.demux():
            if packet.size:
                packet.stream = outputs[packet.stream.index]
                target.mux(packet)
    copy(tmp_path / "a.mkv", tmp_path / "o.mkv")
    told = []
    for name in ("a.mkv", "o.mkv"):
        with av.open(str(tmp_path / name)) as container:
            told.append([s.disposition for s in container.streams])
    assert told[0] == told[1] == [av.stream.Disposition[mark] for mark in marks]


@pytest.mark.parametrize(("codec", "out"), [("h264", "o.mkv"), ("hevc", "o.mp4"), ("av1", "o.mp4"), ("av1", "o.mkv")])
def test_hdr10_static_data_comes_out_as_it_went_in(codec, out, tmp_path):
    params = (
        "log-level=error:pools=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,100):max-cll=1000,400"
    )
    tags = {"pix_fmt": "yuv420p10le", "matrix": 9, "primaries": 9, "transfer": 16, "full": False}
    source = make(tmp_path / "a.mp4", codec="libx265", options={"x265-params": params}, **tags)
    film, _ = copy(source, tmp_path / out, Request(codec=codec, preset="12" if codec == "av1" else "ultrafast", threads=1))
    assert film.hdr is not None
    assert probe(tmp_path / out).hdr == film.hdr


def test_index_of_an_mp4_is_at_the_front(tmp_path):
    copy(make(tmp_path / "a.mp4"), tmp_path / "o.mp4")
    data = (tmp_path / "o.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_hevc_in_mp4_has_the_tag_that_apple_plays(tmp_path):
    copy(make(tmp_path / "a.mp4"), tmp_path / "o.mp4", Request(codec="hevc", preset="ultrafast", threads=1))
    assert b"hvc1" in (tmp_path / "o.mp4").read_bytes()


def test_segments_of_another_run_are_refused(tmp_path):
    film = probe(make(tmp_path / "a.mkv"))
    encoding = plan_encoding(film, tmp_path / "o.mkv", FAST)
    paths, times = segments_of(film, encoding, tmp_path)
    with pytest.raises(OutputError, match="start afresh"):
        assemble(film, encoding, StreamPlan(()), paths[:-1], tmp_path / "o.mkv", sorted_pts=times)
    other = plan_encoding(film, tmp_path / "o.mkv", Request(preset="slow", threads=1))
    writer = SegmentWriter(paths[0], film, other)
    with Reader(film, end=Fraction(1, 5)) as reader:
        for pts, planes in reader:
            writer.write(pts, planes)
    writer.close()
    with pytest.raises(OutputError, match="start afresh"):
        assemble(film, encoding, StreamPlan(()), paths, tmp_path / "o.mkv", sorted_pts=times)


@pytest.mark.parametrize("out", ["o.mkv", "o.mp4"])
def test_a_full_disk_in_the_last_mux_is_one_clear_line(out, tmp_path):
    film = probe(make(tmp_path / "a.mkv", codec="ffv1", pix_fmt="gray"))
    encoding = plan_encoding(film, tmp_path / out, Request(codec="ffv1", threads=1))
    paths, times = segments_of(film, encoding, tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written: File too large") as error:
            assemble(film, encoding, StreamPlan(()), paths, tmp_path / out, sorted_pts=times)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    film = probe(make(tmp_path / "a.mkv"))
    encoding = plan_encoding(film, tmp_path / "o.mkv", FAST)
    paths, times = segments_of(film, encoding, tmp_path)
    with pytest.raises(OutputError, match="No such file"):
        assemble(film, encoding, StreamPlan(()), paths, tmp_path / "none" / "o.mkv", sorted_pts=times)


def test_tags_that_are_no_utf8_go_out_as_they_came_in(tmp_path):
    source = make(tmp_path / "a.mkv", tags={"title": "cafXX", "DIRECTOR": "N. N."})
    source.write_bytes(source.read_bytes().replace(b"cafXX", b"caf\xe9 "))
    copy(source, tmp_path / "o.mkv")
    assert b"caf\xe9 " in (tmp_path / "o.mkv").read_bytes()


def test_the_creation_time_survives_a_copy_of_a_copy_with_tags_of_any_name(tmp_path):
    source = make(tmp_path / "a.mp4", tags={"creation_time": "1999-01-01T00:00:00.000000Z", "x-archive": "N. N."})
    copy(source, tmp_path / "b.mp4")
    copy(tmp_path / "b.mp4", tmp_path / "c.mp4")
    header = [file.read_bytes().partition(b"mvhd")[2][:12] for file in (source, tmp_path / "b.mp4", tmp_path / "c.mp4")]
    assert header[0] == header[1] == header[2]
    assert any(header[0][4:8])  # version and flags, seconds since 1904


@pytest.mark.parametrize("out", ["o.mp4", "o.mkv"])
def test_sound_whose_times_stand_still_or_go_back_is_muxed(out, tmp_path):
    plain = make(tmp_path / "plain.mkv", audio=["flac"], frames=25)
    with av.open(str(plain)) as source, av.open(str(tmp_path / "a.mkv"), "w") as target:
        outputs = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        previous: int | None = None
        for packet in source.demux():
            if packet.size:
                if packet.stream.type == "audio":
                    previous, packet.pts, packet.dts = packet.pts, previous or packet.pts, previous or packet.dts
                    packet.pts = packet.dts = packet.pts // 90 * 90
                packet.stream = outputs[packet.stream.index]
                target.mux(packet)
    copy(tmp_path / "a.mkv", tmp_path / out)
    assert [data for _, _, data in packets_of(tmp_path / out, "audio")] == [data for _, _, data in packets_of(plain, "audio")]


def test_what_can_be_read_of_a_truncated_film_is_muxed(tmp_path):
    source = make(tmp_path / "a.mkv", frames=50, audio=["flac"], options={"g": "5"})
    data = source.read_bytes()
    (tmp_path / "half.mkv").write_bytes(data[: len(data) // 2])
    copy(tmp_path / "half.mkv", tmp_path / "o.mp4")
    kept = packets_of(tmp_path / "o.mp4", "audio")
    assert 0 < len(kept) < len(packets_of(source, "audio"))


@pytest.mark.parametrize(("source", "out"), [("a.ts", "o.mp4"), ("a.mp4", "o.ts"), ("a.ts", "o.mkv")])
def test_a_second_h264_track_plays_after_a_change_of_framing(source, out, tmp_path):
    copy(make(tmp_path / source, second_video="libx264"), tmp_path / out)
    pictures = []
    for path in (tmp_path / source, tmp_path / out):
        with av.open(str(path)) as container:
            pictures.append([frame.to_ndarray() for frame in container.decode(container.streams.video[1])])
    assert len(pictures[1]) == 12
    assert np.array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize(
    ("out", "made", "told"),
    [
        ("o.ts", {"tags": {"title": "A film"}}, "tags will be lost: title"),
        ("o.avi", {"audio": ["pcm_s16le"]}, "tags of stream 1 will be lost: language"),
        ("o.mp4", {"stream_tags": {"MOOD": "blue"}}, "tags of stream 0 will be lost: MOOD"),
        ("o.mkv", {"stream_tags": {"MOOD": "blue"}, "tags": {"X": "y"}}, None),
    ],
)
def test_tags_that_will_be_lost_are_named(out, made, told, tmp_path):
    film = probe(make(tmp_path / "a.mkv", frames=4, **made))
    notes = plan_streams(film, Path(out), plan_encoding(film, Path(out), FAST), drop_unsupported=False).notes
    assert [note for note in notes if "tags" in note] == ([] if told is None else [note for note in notes if note.startswith(told)])
    assert told is None or any(note.startswith(told) for note in notes)


@pytest.mark.parametrize("out", ["o.mp4", "o.mkv"])
def test_the_last_frame_lasts_as_long_as_it_did(out, tmp_path):
    plain = make(tmp_path / "plain.mp4", frames=6, options={"bf": "0"})
    with av.open(str(plain)) as source, av.open(str(tmp_path / "a.mp4"), "w") as target:
        output = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.duration *= 5 if packet.pts * packet.time_base == Fraction(1, 5) else 1
                packet.stream = output
                target.mux(packet)
    copy(tmp_path / "a.mp4", tmp_path / out)
    assert probe(tmp_path / "a.mp4").duration == probe(tmp_path / out).duration == Fraction(2, 5)


def test_the_last_frame_lasts_as_long_as_it_did_after_a_long_one(tmp_path):
    """Matroska tells the end of the file; the frame before the last is no measure of the last."""
    times = [0, 40, 81, 200, 210, 500]
    source = make(tmp_path / "a.mkv", pts=times, time_base=Fraction(1, 1000), options={"bf": "0"})
    copy(source, tmp_path / "o.mkv")
    assert probe(source).duration == probe(tmp_path / "o.mkv").duration == Fraction(54, 100)


@pytest.mark.parametrize(("out", "codec", "kept"), [("o.mkv", "hevc", True), ("o.mp4", "ffv1", True), ("o.mkv", "ffv1", False)])
def test_the_shape_of_pixels_is_kept_or_its_loss_is_said(out, codec, kept, tmp_path):
    film, plan = copy(make(tmp_path / "a.mkv", frames=4, sar=Fraction(16, 11)), tmp_path / out, Request(codec))
    assert (probe(tmp_path / out).sample_aspect == film.sample_aspect == Fraction(16, 11)) == kept
    assert any("shape of the pixels" in note for note in plan.notes) != kept


def test_closed_captions_inside_the_pictures_are_named_as_lost(tmp_path):
    plain = make(tmp_path / "plain.ts", codec="mpeg2video", frames=4)
    captions = b"\x00\x00\x01\xb2GA94\x03\x42\xff\xfc\x80\x80\xfd\x80\x80\xff"  # user data of ATSC A/53 before the first slice
    with av.open(str(plain)) as source, av.open(str(tmp_path / "a.ts"), "w") as target:
        output = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                told = av.Packet(bytes(packet).replace(b"\x00\x00\x01\x01", captions + b"\x00\x00\x01\x01", 1))
                told.pts, told.dts, told.time_base, told.stream = packet.pts, packet.dts, packet.time_base, output
                target.mux(told)
    for name, expected in (("plain.ts", 0), ("a.ts", 1)):
        film = probe(tmp_path / name)
        notes = plan_streams(film, Path("o.mkv"), plan_encoding(film, Path("o.mkv"), FAST), drop_unsupported=False).notes
        assert len([note for note in notes if "closed captions" in note]) == expected
