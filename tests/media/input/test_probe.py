"""What probe() says of a film is what the file says."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import pytest
from av.rational import AVRational
from av.sidedata.sidedata import Type

from tests.media.clips import make, make_sound
from vidcolor.errors import InputError
from vidcolor.media.input.probe import Hdr, Stream, _hdr, _mastering, demux, exact, probe
from vidcolor.media.samples import formats
from vidcolor.picture.planes import Layout

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"


@pytest.mark.parametrize(
    ("lines", "matrix", "said"), [(48, "bt601", "BT.601 (48 lines)"), (576, "bt601", "576 lines"), (578, "bt709", "BT.709 (578 lines)")]
)
def test_an_untagged_matrix_follows_the_number_of_lines(tmp_path, lines, matrix, said):
    film = probe(make(tmp_path / "a.mp4", size=(16, lines), frames=1, options={"preset": "ultrafast"}))
    assert film.layout.matrix == matrix
    assert any(said in note for note in film.notes)
    assert (film.matrix, film.primaries, film.transfer) == (2, 2, 2)


@pytest.mark.parametrize(("number", "matrix"), [(1, "bt709"), (5, "bt601"), (6, "bt601"), (7, "smpte240m"), (9, "bt2020"), (4, "fcc")])
def test_tags_are_taken_as_they_are(tmp_path, number, matrix):
    film = probe(make(tmp_path / "a.mp4", frames=1, matrix=number, primaries=9, transfer=14))
    assert film.layout.matrix == matrix
    assert (film.matrix, film.primaries, film.transfer) == (number, 9, 14)
    assert not any("matrix" in note for note in film.notes)


def test_a_matrix_that_cannot_be_worked_on_is_refused(tmp_path):
    with pytest.raises(InputError, match="YCgCo"):
        probe(make(tmp_path / "a.mp4", frames=1, matrix=8))


@pytest.mark.parametrize(("full", "expected", "tagged"), [(None, False, False), (True, True, True), (False, False, True)])
def test_range(tmp_path, full, expected, tagged):
    film = probe(make(tmp_path / "a.mkv", frames=1, full=full))
    assert (film.layout.full_range, film.range_tagged) == (expected, tagged)


def test_motion_jpeg_is_full_range_bt601_with_centred_chroma(tmp_path):
    film = probe(make(tmp_path / "a.avi", codec="mjpeg", pix_fmt="yuvj422p", frames=1))
    assert film.layout == Layout(64, 48, 8, "422", True, "bt601", "center")


@pytest.mark.parametrize(("number", "transfer"), [(16, "pq"), (18, "hlg"), (1, "sdr")])
def test_transfer(tmp_path, number, transfer):
    film = probe(make(tmp_path / "a.mkv", frames=1, pix_fmt="yuv420p10le", transfer=number, matrix=9, primaries=9))
    assert film.layout.transfer == transfer and film.layout.depth == 10


@pytest.mark.parametrize("location", ["left", "center", "topleft"])
def test_chroma_siting_is_read_from_the_bitstream(tmp_path, location):
    number = {"left": 0, "center": 1, "topleft": 2}[location]
    film = probe(make(tmp_path / "a.mkv", frames=1, options={"x264-params": f"chromaloc={number}"}))
    assert film.layout.siting == location and film.siting_tagged


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.mpg", "mpeg2video"), ("a.mov", "prores_ks")])
def test_field_order(tmp_path, name, codec, order):
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    film = probe(make(tmp_path / name, codec=codec, pix_fmt=pix_fmt, size=(64, 64), frames=3, interlaced=order))
    assert film.layout.fields == order


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_and_its_matrix(tmp_path, degrees):
    film = probe(make(tmp_path / "a.mp4", frames=1, rotation=degrees))
    assert film.rotation == degrees
    if degrees:
        assert film.display_matrix is not None and len(film.display_matrix) == 9
    assert probe(make(tmp_path / "b.mp4", frames=1)).display_matrix is None


def test_sample_aspect_of_container_or_codec(tmp_path):
    assert probe(make(tmp_path / "a.mp4", frames=1, sar=Fraction(16, 11))).sample_aspect == Fraction(16, 11)
    assert probe(make(tmp_path / "a.h264", frames=1, sar=Fraction(4, 3), container="h264")).sample_aspect == Fraction(4, 3)
    assert probe(make(tmp_path / "b.mp4", frames=1)).sample_aspect == 1


def test_the_other_streams_are_listed(tmp_path):
    film = probe(
        make(tmp_path / "a.mkv", audio=["aac", "flac"], subtitles=["subrip"], attachments=[("f.ttf", "font/ttf", b"font")], frames=5)
    )
    assert film.video == Stream(0, "video", "h264")
    kinds = [(s.kind, s.codec, s.language) for s in film.others]
    assert kinds[:3] == [("audio", "aac", "eng"), ("audio", "flac", "deu"), ("subtitle", "subrip", "eng")]
    assert kinds[3][0] == "attachment"


def test_of_two_video_tracks_the_first_real_one_is_the_film(tmp_path):
    film = probe(make(tmp_path / "a.mp4", cover=True, frames=3, second_video="libx264"))
    assert film.video.index == 0
    assert [(s.kind, s.attached_picture) for s in film.others] == [("video", False), ("video", True)]


def test_a_cover_alone_is_no_film(tmp_path):
    with pytest.raises(InputError, match="no video track"):
        probe(make_sound(tmp_path / "a.mp4", "aac", cover=True))


def test_times_are_exact(tmp_path):
    film = probe(make(tmp_path / "a.mp4", frames=10, rate=Fraction(30000, 1001)))
    assert film.rate == Fraction(30000, 1001)
    assert film.frames == 10
    assert film.duration == 10 * Fraction(1001, 30000)
    assert film.start == 0


def test_rationals_of_either_pyav_become_fractions():
    assert exact(AVRational(30000, 1001)) == exact(Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert exact(None) is exact(AVRational(0, 1)) is None


def test_a_late_start_is_the_films_zero_unless_sound_is_earlier(tmp_path):
    late = [1000, 1040, 1080]
    silent = probe(make(tmp_path / "a.mp4", pts=late, time_base=Fraction(1, 1000)))
    assert silent.start == 1
    sound = probe(make(tmp_path / "b.mkv", pts=late, time_base=Fraction(1, 1000), audio=["flac"]))
    assert sound.start == 0


def test_matroska_says_the_length_of_the_video_track_itself(tmp_path):
    film = probe(make(tmp_path / "a.mkv", frames=10, audio=["aac"]))
    assert film.duration == Fraction(2, 5)
    assert film.declared is not None and film.declared > film.duration


def test_bare_streams_cannot_be_sought_in(tmp_path):
    film = probe(make(tmp_path / "a.h264", container="h264", frames=5))
    assert not film.seekable and film.duration is None
    guessed = probe(make(tmp_path / "a.m2v", codec="mpeg2video", container="mpeg2video", frames=5))
    assert guessed.duration is None and guessed.declared is None and guessed.frames is None
    assert probe(make(tmp_path / "a.mkv", frames=5)).seekable


def test_static_hdr_metadata_in_x265_words(tmp_path):
    mastering = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    params = f"log-level=error:pools=1:master-display={mastering}:max-cll=1000,400"
    film = probe(make(tmp_path / "a.mkv", codec="libx265", pix_fmt="yuv420p10le", frames=2, transfer=16, options={"x265-params": params}))
    assert film.hdr is not None
    assert (film.hdr.mastering, film.hdr.light, film.hdr.dynamic) == (mastering, "1000,400", ())
    assert probe(make(tmp_path / "b.mkv", frames=1)).hdr is None


def test_incomplete_mastering_metadata_is_not_made_up():
    numbers = [34000, 50000] * 10
    assert _mastering(struct.pack("=22i", *numbers, 0, 1)) is None


def test_kinds_of_hdr_that_cannot_be_carried_are_named():
    class Tagged:
        codec_context = type("Context", (), {"codec_tag": "dvh1"})

    class Plain:
        codec_context = type("Context", (), {"codec_tag": "hvc1"})

    assert _hdr(Tagged(), {}) == Hdr(dynamic=("Dolby Vision",))
    assert _hdr(Plain(), {Type.DOVI_METADATA: b"", Type.DYNAMIC_HDR_PLUS: b""}) == Hdr(dynamic=("Dolby Vision", "HDR10+"))
    assert _hdr(Plain(), {Type.CONTENT_LIGHT_LEVEL: struct.pack("=2I", 900, 300)}) == Hdr(light="900,300")


def test_grey_without_a_range_is_full_where_the_codec_is_for_pictures(tmp_path):
    film = probe(make(tmp_path / "a.mkv", codec="ffv1", pix_fmt="gray", frames=1))
    assert film.layout.chroma == "400" and film.layout.full_range
    assert any("full range" in note for note in film.notes)


@pytest.mark.parametrize(("codec", "pix_fmt", "name"), [("png", "rgb24", "a.mov"), ("ffv1", "bgr0", "a.mkv"), ("qtrle", "argb", "b.mov")])
def test_rgb_sources_become_sixteen_bit_planes(tmp_path, codec, pix_fmt, name):
    film = probe(make(tmp_path / name, codec=codec, pix_fmt=pix_fmt, frames=1))
    assert film.layout == Layout(64, 48, 16, "444", True, "bt709", "center", rgb=True)
    assert ("transparency is dropped" in film.notes) == (pix_fmt == "argb")


def test_unusable_inputs_give_one_clear_line_each(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("this is no film\n" * 50)
    empty = tmp_path / "empty.mkv"
    empty.touch()
    sound = make_sound(tmp_path / "sound.wav")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in [
        (tmp_path / "absent.mp4", "no such file"),
        (tmp_path, "folder"),
        (text, "not a video"),
        (empty, "not a video"),
        (sound, "no video track"),
        (pipe, "regular file"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            probe(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_film_without_frames_is_refused(tmp_path):
    path = make(tmp_path / "a.mkv", frames=5)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # up to the first Matroska cluster
    with pytest.raises(InputError, match=r"no frame|not a video"):
        probe(path)


def test_names_with_a_colon_percent_or_foreign_letters_open(tmp_path):
    for name in ("http:film.mp4", "film%03d.mp4", "плёнка é.mp4"):
        assert probe(make(tmp_path / "plain.mp4", frames=1).rename(tmp_path / name)).frames == 1


def test_tags_that_are_not_utf8_do_not_hinder(tmp_path):
    path = make(tmp_path / "a.mkv", frames=2, tags={"title": "Kaeferle"})
    path.write_bytes(path.read_bytes().replace(b"Kaeferle", b"K\xe4ferle\xff"))
    assert probe(path).frames


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        (Layout(2, 2), "yuv420p"),
        (Layout(2, 2, 10, "422"), "yuv422p10le"),
        (Layout(2, 2, chroma="400"), "gray"),
        (Layout(2, 2, 12, "400"), "gray12le"),
    ],
)
def test_a_layout_has_its_format_and_back(layout, name):
    assert formats.name_of(layout) == name
    form = formats.describe(name)
    assert (form.depth, form.chroma) == (layout.depth, layout.chroma)


def test_every_format_name_is_known_to_ffmpeg():
    for name in formats._SPECIAL:
        av.VideoFormat(name)


@pytest.mark.parametrize("name", ["grayf32le", "gbrpf32le", "xyz12le", "bayer_rggb8", "cuda", "vaapi"])
def test_formats_that_cannot_be_read_are_named(name):
    with pytest.raises(ValueError, match=name):
        formats.describe(name)


@pytest.mark.skipif(not CLIPS.exists(), reason="shared clips are not here")
def test_the_odd_clips_are_understood():
    phone = probe(CLIPS / "x_rotated_vfr_phone.mp4")
    assert phone.rotation == 180 and phone.frames == 25
    assert probe(CLIPS / "x_rotated90_tiny.mov").rotation == 270
    assert probe(CLIPS / "x_hevc_10bit_tiny.mp4").layout.depth == 10
    hdr = probe(CLIPS / "x_hdr10_pq_bt2020_derived.mp4")
    assert hdr.layout.transfer == "pq" and hdr.layout.matrix == "bt2020" and hdr.hdr is not None and hdr.hdr.light
    fields = probe(CLIPS / "x_interlaced_tff_derived.mpg")
    assert fields.layout.fields == "tff" and fields.start == Fraction(27, 50)


def test_tracks_that_come_up_after_the_file_was_opened_are_passed_over() -> None:
    class Late:
        """PyAV's answer to a packet of a track that it does not know."""

        coming: Iterator[Any] = iter([1, 2, IndexError("list index out of range"), IndexError("again"), 3])

        def demux(self, *streams: Any) -> Iterator[Any]:
            for packet in self.coming:
                if isinstance(packet, IndexError):
                    raise packet
                yield packet

    assert list(demux(cast(Any, Late()))) == [1, 2, 3]


def test_a_file_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *words: Any, **more: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    film = make(tmp_path / "film.mp4")
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"film\.mp4: cannot be read \(Permission denied\)"):
        probe(film)
