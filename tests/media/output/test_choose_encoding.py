"""plan_encoding: the luma plane keeps its bits, and whatever does not go together is refused before work starts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from vidcolor.errors import UsageError
from vidcolor.media.input.probe import Film, Hdr, Stream
from vidcolor.media.output.choose_encoding import Encoding, Request, container_of, plan_encoding
from vidcolor.media.output.codecs import CODERS
from vidcolor.media.samples.formats import describe, name_of
from vidcolor.picture.planes import Layout
from vidcolor.wording import spoken


def film_of(chroma: str = "400", depth: int = 8, size: tuple[int, int] = (64, 48), **more: object) -> Film:
    layout = Layout(*size, depth=depth, chroma=chroma)  # type: ignore[arg-type]
    stream = Stream(0, "video", "ffv1")
    film = Film(Path("film.mkv"), "matroska", stream, (), layout, name_of(layout), Fraction(1, 25), Fraction(25), None, None)
    return replace(film, **more)  # type: ignore[arg-type]


def rgb_film(pix_fmt: str = "gbrp") -> Film:
    return film_of(layout=Layout(64, 48, 16, "444", True, "bt709", "center", rgb=True), pix_fmt=pix_fmt)


def plan(film: Film, out: str = "out.mkv", **asked: object) -> Encoding:
    return plan_encoding(film, Path(out), Request(threads=1, **asked))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("codec", "chroma", "depth", "chosen"),
    [
        ("h264", "400", 8, "yuv420p"),
        ("h264", "400", 10, "yuv420p10le"),
        ("h264", "410", 8, "yuv420p"),
        ("h264", "411", 8, "yuv422p"),
        ("h264", "420", 8, "yuv420p"),
        ("h264", "422", 10, "yuv422p10le"),
        ("h264", "440", 8, "yuv444p"),
        ("h264", "444", 8, "yuv444p"),
        ("hevc", "420", 12, "yuv420p12le"),
        ("av1", "400", 10, "yuv420p10le"),
        ("vp9", "440", 8, "yuv440p"),
        ("ffv1", "400", 8, "yuv444p"),
        ("ffv1", "400", 16, "yuv444p16le"),
        ("ffv1", "411", 8, "yuv411p"),
        ("ffv1", "420", 14, "yuv420p14le"),
        ("ffv1", "440", 12, "yuv440p12le"),
        ("prores", "422", 10, "yuv422p10le"),
        ("prores", "444", 10, "yuv444p10le"),
    ],
)
def test_depth_and_chroma_format_are_kept_or_the_next_larger_taken(codec: str, chroma: str, depth: int, chosen: str):
    encoding = plan(film_of(chroma, depth), "out.mov" if codec == "prores" else "out.mkv", codec=codec)
    assert encoding.pix_fmt == chosen
    assert encoding.layout.depth == depth
    assert name_of(encoding.layout) == chosen


@pytest.mark.parametrize(("codec", "depth", "given"), [("prores", 8, 10), ("h264", 9, 10), ("hevc", 9, 10)])
def test_luma_shifted_up_is_said(codec: str, depth: int, given: int):
    encoding = plan(film_of("420", depth), "out.mov", codec=codec)
    assert encoding.layout.depth == given
    assert any(f"from {depth} to {given} bits" in note for note in encoding.notes)


@pytest.mark.parametrize(
    ("codec", "depth", "instead"),
    [("h264", 12, "hevc"), ("av1", 12, "hevc"), ("vp9", 10, "hevc"), ("hevc", 16, "ffv1"), ("prores", 12, "hevc")],
)
def test_bits_that_would_go_are_refused_with_the_codec_that_holds_them(codec: str, depth: int, instead: str):
    with pytest.raises(UsageError, match=f"codec='{instead}'"):
        plan(film_of("400", depth), "out.mov" if codec == "prores" else "out.mkv", codec=codec)


def test_bits_go_when_asked_and_that_is_said():
    encoding = plan(film_of("400", 12), pix_fmt="yuv420p10le")
    assert encoding.layout.depth == 10
    assert any("rounded from 12 to 10 bits" in note for note in encoding.notes)


@pytest.mark.parametrize(("size", "chosen"), [((65, 48), "yuv444p"), ((64, 47), "yuv422p"), ((65, 47), "yuv444p")])
def test_odd_sizes_are_never_cropped(size: tuple[int, int], chosen: str):
    encoding = plan(film_of("400", 8, size))
    assert (encoding.pix_fmt, encoding.layout.width, encoding.layout.height) == (chosen, *size)
    assert any("odd sizes" in note for note in encoding.notes)


def test_chroma_smaller_than_the_source_is_said():
    assert any("4:2:0" in note for note in plan(film_of("444"), codec="av1").notes)


def test_rgb_stays_rgb_in_ffv1_and_becomes_yuv_elsewhere():
    for source, written in (("rgb24", "bgr0"), ("gbrp10le", "gbrp10le"), ("rgb48le", "gbrp16le")):
        kept = plan(rgb_film(source), codec="ffv1")
        assert (kept.pix_fmt, kept.layout.rgb, kept.layout.depth) == (written, True, 16)
    turned = plan(rgb_film())
    assert (turned.pix_fmt, turned.layout.rgb, turned.layout.depth, turned.layout.full_range) == ("yuv444p", False, 8, True)
    assert any("RGB" in note for note in turned.notes)


@pytest.mark.parametrize(
    ("out", "asked", "told"),
    [
        ("out.xyz", {}, "no container"),
        ("out", {}, "no container"),
        ("out.mpg", {}, "MPEG program streams"),
        ("out.mkv", {"codec": "divx"}, "codec='divx': unknown"),
        ("out.mkv", {"preset": "swift"}, "preset='swift'"),
        ("out.mkv", {"codec": "ffv1", "preset": "fast"}, "has none"),
        ("out.mkv", {"crf": 52.0}, "takes 0 to 51"),
        ("out.mkv", {"crf": -1.0}, "takes 0 to 51"),
        ("out.mkv", {"codec": "av1", "crf": 64.0}, "takes 1 to 63"),
        ("out.mov", {"codec": "prores", "crf": 20.0}, "no such scale"),
        ("out.mkv", {"crf": 20.0, "lossless": True}, "exclude"),
        ("out.mkv", {"codec": "av1", "lossless": True}, "no lossless mode"),
        ("out.mov", {"codec": "prores", "lossless": True}, "no lossless mode"),
        ("out.mov", {"codec": "dnxhr", "lossless": True}, "no lossless mode"),
        ("out.webm", {"codec": "h264"}, "does not hold h264"),
        ("out.mp4", {"codec": "prores"}, "does not hold prores"),
        ("out.mkv", {"codec": "dnxhr"}, "does not hold dnxhr; use .mov"),
        ("out.ts", {"codec": "ffv1"}, "does not hold ffv1"),
        ("out.mkv", {"pix_fmt": "yuv420p12le"}, "pix_fmt='yuv420p12le'"),
        ("out.mkv", {"codec": "ffv1", "pix_fmt": "gbrp10le"}, "lose its luma plane"),
        ("out.mov", {"codec": "dnxhr"}, "64x48"),
        ("out.mkv", {"codec": "h264_nvenc"}, "h264_nvenc does not open"),
    ],
)
def test_what_does_not_go_together_is_refused(out: str, asked: dict[str, object], told: str):
    with pytest.raises(UsageError, match=told) as error:
        plan(film_of(), out, **asked)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("out", "asked", "field", "told"),
    [
        ("out.xyz", {}, "out", "out.xyz: no container"),
        ("out.mp4", {"codec": "prores"}, "out", "out.mp4: the container mp4"),
        ("out.mkv", {"codec": "divx"}, "codec", "<codec divx>: unknown"),
        ("out.mkv", {"crf": 52.0}, "crf", "<crf 52.0>: h264 takes"),
        ("out.mov", {"codec": "prores", "crf": 20.0}, "crf", "<crf>: prores has"),
        ("out.mkv", {"preset": "swift"}, "preset", "<preset swift>: unknown"),
        ("out.mkv", {"pix_fmt": "yuv420p12le"}, "pix_fmt", "<pix_fmt yuv420p12le>: libx264 takes"),
        ("out.mkv", {"codec": "av1", "lossless": True}, "lossless", "<lossless>: av1 has"),
        ("out.mkv", {"crf": 20.0, "lossless": True}, "", "<crf> and <lossless> exclude"),
    ],
)
def test_a_refusal_names_the_field_in_the_words_of_who_asked(out: str, asked: dict[str, object], field: str, told: str):
    def words(name: str, value: object) -> str:
        return f"<{name}>" if value is None or value is True else f"<{name} {value}>"

    with spoken(words), pytest.raises(UsageError) as error:
        plan(film_of(), out, **asked)
    assert error.value.field == field and str(error.value).startswith(told)


def test_pixel_format_for_an_odd_size_that_the_encoder_cannot_take_is_refused():
    with pytest.raises(UsageError, match="65x47"):
        plan(film_of("400", 8, (65, 47)), pix_fmt="yuv420p")


@pytest.mark.parametrize(("codec", "option"), [("h264", "qp"), ("hevc", "x265-params"), ("vp9", "lossless")])
def test_lossless_has_no_crf(codec: str, option: str):
    encoding = plan(film_of(), codec=codec, lossless=True)
    assert option in encoding.options
    assert "crf" not in encoding.options


def test_the_suffix_names_the_container_in_any_case():
    assert [container_of(Path(name)) for name in ("a.MKV", "a.m4v", "a.b.webm")] == ["matroska", "mp4", "webm"]


def test_webm_is_vp9_without_being_asked():
    assert plan(film_of(), "out.webm").codec == "libvpx-vp9"


def test_fields_are_coded_as_fields_or_it_is_said():
    film = film_of(layout=Layout(64, 48, fields="tff"))
    assert "+ildct" in plan(film).options["flags"]
    assert any("deinterlace=True" in note for note in plan(film, codec="hevc").notes)


def test_hdr_that_cannot_be_carried_is_said():
    hdr = Hdr("G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)", "1000,400", ("Dolby Vision",))
    film = film_of("420", 10, hdr=hdr)
    assert plan(film, codec="hevc").options["x265-params"].endswith(f"master-display={hdr.mastering}:max-cll=1000,400:pools=1")
    av1 = plan(film, codec="av1").options["svtav1-params"]
    assert "G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.0001)" in av1
    assert any("Dolby Vision" in note for note in plan(film).notes)
    assert any("HDR10" in note for note in plan(film, codec="ffv1").notes)


@pytest.mark.parametrize("name", [name for name, coder in CODERS.items() if coder.formats])
def test_hardware_is_never_given_more_bits_than_it_keeps(name: str):
    """FFmpeg offers 16-bit formats for encoders that keep 10: luma would lose bits unseen."""
    assert max(describe(pixels).depth for pixels in CODERS[name].formats or ()) <= (8 if name.startswith("h264") else 10)
