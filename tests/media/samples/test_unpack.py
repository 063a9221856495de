"""Every pixel format becomes planes that hold the decoder's values, bit for bit."""

from __future__ import annotations

import gc

import av
import numpy as np
import pytest

from tests.media.clips import make, video_frame
from tests.media.reading import plain, read, samples
from vidcolor.media.input.probe import probe
from vidcolor.media.input.reader import Reader
from vidcolor.media.samples.formats import describe
from vidcolor.media.samples.unpack import rgb_layout, to_rgb, unpack
from vidcolor.picture.planes import Layout

PLANAR = [
    ("ffv1", "yuv420p"),
    ("ffv1", "yuv422p"),
    ("ffv1", "yuv444p"),
    ("ffv1", "yuv440p"),
    ("ffv1", "yuv411p"),
    ("ffv1", "yuv410p"),
    ("ffv1", "gray"),
    ("ffv1", "gray10le"),
    ("ffv1", "gray12le"),
    ("ffv1", "gray16le"),
    ("ffv1", "yuv420p9le"),
    ("ffv1", "yuv420p10le"),
    ("ffv1", "yuv422p12le"),
    ("ffv1", "yuv444p14le"),
    ("ffv1", "yuv444p16le"),
    ("libx264", "yuv420p"),
    ("libx264", "yuv422p10le"),
    ("libx265", "yuv420p12le"),
    ("libvpx-vp9", "yuv444p"),
    ("mjpeg", "yuvj420p"),
]


@pytest.mark.parametrize(("codec", "pix_fmt"), PLANAR)
def test_planar_samples_are_the_decoders(tmp_path, codec, pix_fmt):
    size = (64, 48) if codec == "libx265" else (51, 37) if codec in ("ffv1", "libvpx-vp9") else (50, 38)
    path = make(tmp_path / "a.mkv", codec=codec, pix_fmt=pix_fmt, size=size, frames=4, color=True)
    frames, reader = read(path, threads=2)
    expected = plain(path)
    assert len(frames) == len(expected) == 4
    layout = reader.film.layout
    assert (layout.width, layout.height) == size
    for (pts, planes), frame in zip(frames, expected, strict=True):
        assert pts == frame.pts
        wanted = samples(frame)
        given = [p for p in (planes.y, planes.cb, planes.cr) if p is not None]
        assert len(given) == len(wanted)
        for one, other in zip(given, wanted, strict=True):
            assert one.dtype == layout.dtype
            assert np.array_equal(one, other)
        assert planes.cb is None or planes.cb.shape == layout.chroma_shape
    assert not reader.damage and not reader.notes and not reader.missing


def test_planes_are_views_that_outlive_their_frame_and_cannot_be_written(tmp_path):
    path = make(tmp_path / "a.mkv", codec="ffv1", frames=12)
    held = []
    with Reader(probe(path)) as reader:
        for _, planes in reader:
            assert not planes.y.flags.owndata and not planes.y.flags.writeable
            held.append((planes, planes.y.copy()))
    del reader
    gc.collect()
    assert all(np.array_equal(planes.y, kept) for planes, kept in held)
    with pytest.raises(ValueError, match="read-only"):
        held[0][0].y[0, 0] = 1


REARRANGED = [
    ("nv12", "yuv420p"),
    ("nv21", "yuv420p"),
    ("nv16", "yuv422p"),
    ("nv24", "yuv444p"),
    ("nv42", "yuv444p"),
    ("p010le", "yuv420p10le"),
    ("p010be", "yuv420p10le"),
    ("p012le", "yuv420p12le"),
    ("p016le", "yuv420p16le"),
    ("p210le", "yuv422p10le"),
    ("p412le", "yuv444p12le"),
    ("nv20le", "yuv422p10le"),
    ("yuyv422", "yuv422p"),
    ("uyvy422", "yuv422p"),
    ("yvyu422", "yuv422p"),
    ("y210le", "yuv422p10le"),
    ("y212le", "yuv422p12le"),
    ("vuyx", "yuv444p"),
    ("vyu444", "yuv444p"),
    ("ayuv", "yuva444p"),
    ("uyva", "yuva444p"),
    ("vuya", "yuva444p"),
    ("ayuv64le", "yuva444p16le"),
    ("xv30le", "yuv444p10le"),
    ("v30xle", "yuv444p10le"),
    ("xv36le", "yuv444p12le"),
    ("xv48le", "yuv444p16le"),
    ("yuv420p10be", "yuv420p10le"),
    ("yuva422p", "yuva422p"),
    ("gray10be", "gray10le"),
    ("ya8", "gray"),
    ("ya16be", "gray16le"),
]


@pytest.mark.parametrize(("pix_fmt", "planar"), REARRANGED)
def test_other_layouts_are_rearranged_without_changing_a_value(pix_fmt, planar):
    """Against FFmpeg's own conversion to the planar format of the same depth and subsampling."""
    size = (48, 30)
    form = describe(pix_fmt)
    source = video_frame(3, size, planar, color=True)
    frame = source if pix_fmt == planar else source.reformat(format=pix_fmt)
    planes = unpack(frame, Layout(*size, form.depth, form.chroma))
    wanted = samples(source)
    assert np.array_equal(planes.y, wanted[0])
    if planes.cb is not None:
        assert np.array_equal(planes.cb, wanted[1]) and np.array_equal(planes.cr, wanted[2])


def test_the_six_byte_groups_of_411_are_taken_apart():
    frame = av.VideoFrame(8, 1, "uyyvyy411")
    memory = np.zeros(frame.planes[0].line_size, np.uint8)
    memory[:12] = range(12)
    frame.planes[0].update(memory.tobytes())
    planes = unpack(frame, Layout(8, 1, chroma="411"))
    assert planes.y.tolist() == [[1, 2, 4, 5, 7, 8, 10, 11]]
    assert (planes.cb.tolist(), planes.cr.tolist()) == ([[0, 6]], [[3, 9]])


RGB = ["rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "0rgb", "bgr0", "gbrp", "gbrap", "pal8"]


@pytest.mark.parametrize("pix_fmt", RGB)
def test_eight_bit_rgb_returns_exactly(pix_fmt):
    size = (40, 24)
    if pix_fmt == "pal8":
        image = np.stack([np.indices((24, 40))[0] % 8 * 36, np.indices((24, 40))[1] % 8 * 36, np.indices((24, 40))[0] * 0], axis=-1)
        image = image.astype(np.uint8)
        index, table = np.unique(image.reshape(-1, 3), axis=0, return_inverse=True)
        frame = av.VideoFrame(*size, "pal8")
        memory = np.zeros((24, frame.planes[0].line_size), np.uint8)
        memory[:, :40] = table.reshape(24, 40)
        frame.planes[0].update(memory.tobytes())
        entries = np.zeros((256, 4), np.uint8)
        entries[: len(index)] = np.c_[index[:, ::-1], np.full(len(index), 255)]  # B, G, R, A in memory
        frame.planes[1].update(entries.tobytes())
    else:
        frame = video_frame(1, size, pix_fmt, color=True)
        image = frame.to_ndarray(format="rgb24")
    planes = unpack(frame, rgb_layout(*size))
    assert planes.y.dtype == np.uint16 and planes.layout.chroma == "444"
    assert np.array_equal(to_rgb(planes), image)


@pytest.mark.parametrize("pix_fmt", ["rgb48le", "rgb48be", "rgba64le", "bgra64be", "gbrp10le", "gbrp12le", "gbrp16le", "x2rgb10le"])
def test_deep_rgb_returns_within_two_of_65535(pix_fmt):
    frame = video_frame(1, (40, 24), pix_fmt, color=True)
    planes = unpack(frame, rgb_layout(40, 24))
    wanted = frame.to_ndarray(format="rgb48le").astype(int)
    bits = describe(pix_fmt).depth
    levels = np.rint(wanted / 65535 * ((1 << bits) - 1))  # FFmpeg repeats or shifts bits on the way up: compare levels
    assert np.abs(to_rgb(planes, 16) / 65535 * ((1 << bits) - 1) - levels).max() <= (2 if bits == 16 else 1)


def test_unequal_bit_fields_are_scaled_each_by_its_own_peak():
    frame = av.VideoFrame(4, 1, "rgb565le")
    words = np.zeros(frame.planes[0].line_size // 2, "<u2")
    words[:4] = [31 << 11, 63 << 5, 31, 0]
    frame.planes[0].update(words.tobytes())
    assert to_rgb(unpack(frame, rgb_layout(4, 1)))[0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]


@pytest.mark.parametrize(("pix_fmt", "white"), [("monow", 0), ("monob", 1)])
def test_bits_become_black_and_white(pix_fmt, white):
    frame = av.VideoFrame(11, 2, pix_fmt)
    memory = np.zeros((2, frame.planes[0].line_size), np.uint8)
    memory[0, :2] = [0b10000000, 0b00100000]
    frame.planes[0].update(memory.tobytes())
    y = unpack(frame, Layout(11, 2, 8, "400", True)).y
    assert y.shape == (2, 11)
    assert y[0].tolist() == [255 if (x in (0, 10)) == bool(white) else 0 for x in range(11)]


@pytest.mark.parametrize(("codec", "pix_fmt", "name"), [("png", "rgb24", "a.mov"), ("ffv1", "bgr0", "a.mkv"), ("gif", "rgb8", "a.gif")])
def test_rgb_films_return_exactly(tmp_path, codec, pix_fmt, name):
    path = make(tmp_path / name, codec=codec, pix_fmt=pix_fmt, frames=3, color=True)
    frames, _ = read(path)
    for (_, planes), frame in zip(frames, plain(path), strict=True):
        assert planes.layout.rgb
        assert np.array_equal(to_rgb(planes), frame.to_ndarray(format="rgb24"))


def test_packed_and_semiplanar_films(tmp_path):
    for name, pix_fmt in (("a.mov", "yuyv422"), ("a.mkv", "nv12")):
        path = make(tmp_path / name, codec="rawvideo", pix_fmt=pix_fmt, frames=2, color=True)
        frames, _ = read(path)
        for (_, planes), frame in zip(frames, plain(path), strict=True):
            wanted = samples(frame.reformat(format="yuv422p" if pix_fmt == "yuyv422" else "yuv420p"))
            assert all(np.array_equal(a, b) for a, b in zip((planes.y, planes.cb, planes.cr), wanted, strict=True))
