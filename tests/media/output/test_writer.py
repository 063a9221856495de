"""SegmentWriter: what is encoded is what was given, and a segment under its name is whole."""

from __future__ import annotations

import hashlib
import resource
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidcolor.errors import OutputError
from vidcolor.media.input.probe import Film, Stream
from vidcolor.media.output.choose_encoding import Encoding, Request, plan_encoding
from vidcolor.media.output.writer import SegmentWriter, read_header, read_packets
from vidcolor.media.samples.formats import describe, name_of
from vidcolor.media.samples.pack import pack, plane_view
from vidcolor.media.samples.unpack import from_rgb, rgb_layout, to_rgb, unpack
from vidcolor.picture.planes import Layout, Planes


def film_of(layout: Layout, pix_fmt: str = "gray", time_base: Fraction = Fraction(1, 25)) -> Film:
    return Film(Path("film.mkv"), "matroska", Stream(0, "video", "ffv1"), (), layout, pix_fmt, time_base, Fraction(25), None, None)


def planes_of(layout: Layout, seed: int = 0) -> Planes:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 1 << layout.depth, (layout.height, layout.width)).astype(layout.dtype)
    if layout.chroma == "400":
        return Planes(y, None, None, layout)
    cb, cr = (rng.integers(0, 1 << layout.depth, layout.chroma_shape).astype(layout.dtype) for _ in range(2))
    return Planes(y, cb, cr, layout)


def encoding_for(film: Film, out: str = "out.mkv", **asked: object) -> Encoding:
    return plan_encoding(film, Path(out), Request(threads=1, **asked))  # type: ignore[arg-type]


def test_a_segment_holds_one_packet_a_frame_and_its_hash(tmp_path):
    layout = Layout(64, 48, chroma="400")
    film = film_of(layout)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding_for(film, preset="ultrafast"))
    for number in range(5):
        writer.write(number * 3, planes_of(layout, number))
    assert not (tmp_path / "0.seg").exists()
    info = writer.close()
    assert (info.packets, info.frames, info.first_pts, info.last_pts) == (5, 5, 0, 12)
    data = (tmp_path / "0.seg").read_bytes()
    assert (info.size, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    records = list(read_packets(tmp_path / "0.seg"))
    assert sorted(record.pts for record in records) == [0, 3, 6, 9, 12]
    assert records[0].key
    assert [(record.pts, record.dts) for record in records] == read_header(tmp_path / "0.seg")[1]
    assert [path.name for path in tmp_path.iterdir()] == ["0.seg"]


def test_abort_leaves_nothing(tmp_path):
    layout = Layout(64, 48, chroma="400")
    film = film_of(layout)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding_for(film))
    writer.write(0, planes_of(layout))
    writer.abort()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_segment_cut_short_is_told(tmp_path):
    layout = Layout(64, 48, chroma="400")
    film = film_of(layout)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding_for(film, codec="ffv1"))
    writer.write(0, planes_of(layout))
    writer.close()
    data = (tmp_path / "0.seg").read_bytes()
    (tmp_path / "0.seg").write_bytes(data[:-1])
    with pytest.raises(OutputError, match="cut short"):
        list(read_packets(tmp_path / "0.seg"))
    with pytest.raises(OutputError, match="cut short"):
        read_header(tmp_path / "0.seg")


@pytest.mark.parametrize(("pix_fmt", "written"), [("rgb24", "bgr0"), ("gbrp10le", "gbrp10le"), ("rgb48le", "gbrp16le")])
def test_rgb_comes_back_as_it_was(pix_fmt: str, written: str):
    layout = rgb_layout(32, 24)
    depth = describe(written).depth
    rgb = np.random.default_rng(3).integers(0, 1 << depth, (24, 32, 3)).astype(np.uint8 if depth == 8 else np.uint16)
    planes = from_rgb(rgb, (1 << depth) - 1, layout)
    picture = pack(planes, layout, encoding_for(film_of(layout, pix_fmt), codec="ffv1").pix_fmt)
    assert picture.format.name == written
    back = to_rgb(unpack(picture, layout), depth)
    assert np.abs(back.astype(int) - rgb).max() <= 1


@pytest.mark.parametrize(("held", "taken"), [(8, 10), (10, 10), (12, 10), (9, 16)])
def test_codes_are_shifted_exactly_and_rounded_once(held: int, taken: int):
    source, target = Layout(8, 4, held, "444"), Layout(8, 4, taken, "444")
    planes = planes_of(source)
    picture = pack(planes, target, name_of(target))
    for number, codes in enumerate((planes.y, planes.cb, planes.cr)):
        assert codes is not None
        wide = codes.astype(int)
        expected = wide << (taken - held) if taken >= held else np.minimum(np.rint(wide / (1 << (held - taken)) + 1e-9), (1 << taken) - 1)
        assert np.array_equal(plane_view(picture, number, target), expected)


def test_grey_gets_neutral_chroma():
    layout = Layout(64, 48, 10, "400")
    encoding = encoding_for(film_of(layout, "gray10le"))
    picture = pack(planes_of(layout), encoding.layout, encoding.pix_fmt)
    assert {int(code) for number in (1, 2) for code in np.unique(plane_view(picture, number, encoding.layout))} == {512}


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path):
    layout = Layout(64, 48, chroma="400")
    film = film_of(layout)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding_for(film, codec="ffv1"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match=r"0\.seg: cannot be written: File too large") as error:
            for number in range(20):
                writer.write(number, planes_of(layout, number))
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


class FailingEncoder:
    def encode(self, frame: object) -> list[object]:
        raise av.error.ExternalError(0, "out of luck")


def test_an_encoder_that_fails_midway_is_an_output_error(tmp_path):
    layout = Layout(64, 48, chroma="400")
    film = film_of(layout)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding_for(film, preset="ultrafast"))
    writer.write(0, planes_of(layout))
    writer._encoder = FailingEncoder()  # type: ignore[assignment]
    with pytest.raises(OutputError, match="libx264 failed: out of luck"):
        writer.write(1, planes_of(layout))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path):
    film = film_of(Layout(64, 48, chroma="400"))
    with pytest.raises(OutputError, match="No such file"):
        SegmentWriter(tmp_path / "none" / "0.seg", film, encoding_for(film))


def test_the_same_frames_give_the_same_segment_whatever_memory_held(tmp_path: Path):
    """x264's AVX-512 routines read memory that nobody wrote; B-frames and a width like this one show it."""
    film = film_of(Layout(96, 64, chroma="400"))
    encoding = plan_encoding(film, Path("o.mkv"), Request(threads=1))
    rng, told, held = np.random.default_rng(0), set(), []
    for _ in range(12):
        held = [*held[-8:], rng.bytes(int(rng.integers(1000, 3_000_000)))]
        writer = SegmentWriter(tmp_path / "0.seg", film, encoding)
        for number in range(50):
            writer.write(number, planes_of(film.layout, number))
        told.add(writer.close().sha256)
    assert len(told) == 1


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "ffv1"])
def test_the_same_frames_give_the_same_segment(codec: str, tmp_path: Path):
    layout = Layout(128, 96, chroma="400")
    film = film_of(layout)
    encoding = plan_encoding(film, Path("o.mkv"), Request(codec=codec, threads=2))
    told = []
    for _ in range(2):
        writer = SegmentWriter(tmp_path / "0.seg", film, encoding)
        for number in range(16):
            writer.write(number, planes_of(layout, number % 3))
        told.append(writer.close())
    assert told[0] == told[1]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "ffv1"])
@pytest.mark.parametrize("size", [(67, 65), (129, 98), (130, 97)])
def test_no_size_is_cropped(codec: str, size: tuple[int, int], tmp_path: Path):
    layout = Layout(*size, chroma="420")
    film = film_of(layout, "yuv420p")
    encoding = encoding_for(film, codec=codec)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding)
    writer.write(0, planes_of(replace(layout, chroma="400")))
    writer.close()
    decoder = av.CodecContext.create({"av1": "libdav1d"}.get(codec, codec), "r")
    if codec == "ffv1":  # leaves its size to the container
        decoder.width, decoder.height, decoder.pix_fmt = *size, encoding.pix_fmt
    if extradata := read_header(tmp_path / "0.seg")[0]:
        decoder.extradata = extradata
    frames = [f for r in read_packets(tmp_path / "0.seg") for p in (av.Packet(r.payload), None) for f in decoder.decode(p)]
    assert [(frame.width, frame.height, frame.format.name) for frame in frames] == [(*size, encoding.pix_fmt)]


@pytest.mark.parametrize(("pix_fmt", "held", "depth"), [("nv12", 8, 8), ("p010le", 10, 10), ("p010le", 8, 10)])
def test_the_formats_of_hardware_hold_the_same_codes(pix_fmt: str, held: int, depth: int):
    source, target = Layout(66, 35, held), Layout(66, 35, depth)
    planes = planes_of(source)
    back = unpack(pack(planes, target, pix_fmt), target)
    for given, got in ((planes.y, back.y), (planes.cb, back.cb), (planes.cr, back.cr)):
        assert given is not None
        assert np.array_equal(given.astype(np.uint16) << (depth - held), got)


def test_grey_is_neutral_in_the_formats_of_hardware():
    layout = Layout(64, 48, 10)
    back = unpack(pack(planes_of(Layout(64, 48, 10, "400")), layout, "p010le"), layout)
    assert {int(code) for codes in (back.cb, back.cr) if codes is not None for code in np.unique(codes)} == {512}
