"""Still pictures: exact in, exact out, and what surrounds them kept."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.media.clips import make, png
from vidcolor.errors import InputError, OutputError
from vidcolor.media.input.probe import probe
from vidcolor.media.input.reader import Reader
from vidcolor.media.input.sample import sample
from vidcolor.media.samples.unpack import from_rgb, rgb_layout, to_rgb
from vidcolor.media.stills.picture_tags import Tags, add_tags, read_entries, read_tags, write_entries
from vidcolor.media.stills.pictures import PictureExtras, is_picture, read_picture, write_picture
from vidcolor.picture.planes import Layout, Planes

EXIF = b"II*\0\x08\0\0\0" + write_entries({274: (3, 1, b"\6\0"), 305: (2, 6, b"maker\0")}, 8)
ICC = struct.pack(">I", 140) + b"\0" * 12 + b"RGB XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 100
XMP = b"<x:xmpmeta/>"
TAGS = Tags(EXIF, ICC, XMP, (300.0, 300.0), 6)


def rgb_image(dtype=np.uint8, size=(21, 34), seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (*size, 3)).astype(dtype)


def grey_image(dtype=np.uint8, size=(21, 34)) -> np.ndarray:
    return rgb_image(dtype, size)[..., 0].copy()


def save(path: Path, image: np.ndarray, *settings: int) -> Path:
    assert cv2.imwrite(str(path), image, list(settings))
    return path


def test_rgb_comes_back_within_one_level_of_eight_bit():
    corners = np.array(np.meshgrid([0, 1, 127, 254, 255], [0, 128, 255], [0, 3, 255])).reshape(3, -1).T.reshape(1, -1, 3).astype(np.uint8)
    for image in (rgb_image(), corners):
        planes = from_rgb(image, 255.0, rgb_layout(image.shape[1], image.shape[0]))
        assert np.array_equal(to_rgb(planes), image)


def test_sixteen_bit_rgb_comes_back_within_two_of_65535():
    image = rgb_image(np.uint16)
    back = to_rgb(from_rgb(image, 65535.0, rgb_layout(34, 21)), 16)
    assert np.abs(back.astype(int) - image).max() <= 2


def test_grey_rgb_gives_exactly_neutral_chroma():
    image = np.repeat(grey_image()[..., None], 3, axis=2)
    planes = from_rgb(image, 255.0, rgb_layout(34, 21))
    assert np.array_equal(planes.y, image[..., 0].astype(np.uint16) * 257)
    assert (planes.cb == 32768).all() and (planes.cr == 32768).all()


def test_subsampled_planes_are_not_made_into_rgb():
    layout = Layout(4, 4)
    with pytest.raises(ValueError, match="4:4:4"):
        to_rgb(Planes(np.zeros((4, 4), np.uint8), np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), layout))


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_eight_bit_grey_is_read_exactly(tmp_path, suffix):
    image = grey_image()
    planes, extras = read_picture(save(tmp_path / f"a.{suffix}", image))
    if planes.layout.rgb:  # BMP stores grey as a palette
        assert np.array_equal(planes.y, image.astype(np.uint16) * 257)
    else:
        assert np.array_equal(planes.y, image)
        assert planes.cb is None and planes.layout.chroma == "400" and planes.layout.full_range
    assert extras.depth == 8


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_is_read_exactly(tmp_path, suffix):
    image = grey_image(np.uint16)
    planes, extras = read_picture(save(tmp_path / f"a.{suffix}", image))
    assert np.array_equal(planes.y, image)
    assert planes.layout.depth == extras.depth == 16


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colour_goes_in_and_out_with_its_depth(tmp_path, suffix, dtype):
    image = rgb_image(dtype)
    planes, extras = read_picture(save(tmp_path / f"a.{suffix}", image))
    assert planes.layout.rgb
    assert write_picture(tmp_path / "out.part", planes, extras) == []
    back = cv2.imdecode(np.fromfile(tmp_path / "out.part", np.uint8), cv2.IMREAD_UNCHANGED)
    assert back.dtype == dtype
    assert np.abs(back.astype(int) - image).max() <= (0 if dtype == np.uint8 else 2)


def test_the_luma_of_a_jpeg_is_the_decoders(tmp_path):
    path = save(tmp_path / "a.jpg", rgb_image(), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    planes, extras = read_picture(path)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert planes.layout == Layout(34, 21, 8, "420", True, "bt601", "center")
    raw = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
    assert np.array_equal(planes.y, raw[:21, :34])
    assert planes.cb.shape == (11, 17)
    assert extras.codec == "mjpeg"


def test_a_grey_jpeg_is_one_plane(tmp_path):
    planes, _ = read_picture(save(tmp_path / "a.jpg", grey_image()))
    assert planes.layout.chroma == "400" and planes.layout.full_range


def test_a_lossless_webp_stays_lossless(tmp_path):
    image = rgb_image()
    planes, extras = read_picture(save(tmp_path / "a.webp", image, cv2.IMWRITE_WEBP_QUALITY, 101))
    write_picture(tmp_path / "b.webp", planes, extras)
    assert np.array_equal(cv2.imread(str(tmp_path / "b.webp")), image)


def test_a_grey_jpeg_that_gets_colour_keeps_its_luma(tmp_path):
    """Within a level and the loss of the codec: JFIF knows BT.601 alone, for the grey picture as for the coloured one."""
    planes, extras = read_picture(save(tmp_path / "a.jpg", cv2.GaussianBlur(grey_image(size=(64, 64)), (0, 0), 4)))
    red = Planes(planes.y, np.full((64, 64), 110, np.uint8), np.full((64, 64), 160, np.uint8), replace(planes.layout, chroma="444"))
    write_picture(tmp_path / "b.jpg", red, extras, quality=100)
    again, _ = read_picture(tmp_path / "b.jpg")
    assert np.abs(again.y.astype(int) - planes.y).max() <= 2
    assert abs(float(again.cr.mean()) - 160) < 1


def test_transparency_is_dropped_and_said(tmp_path):
    image = np.dstack([rgb_image(), np.full((21, 34), 7, np.uint8)])
    for name in ("a.png", "a.tif"):
        planes, extras = read_picture(save(tmp_path / name, image))
        assert np.array_equal(to_rgb(planes)[..., ::-1], image[..., :3])
        assert "transparency is dropped" in extras.notes


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_an_alpha_channel_that_hides_nothing_is_not_spoken_of(tmp_path, name):
    image = np.dstack([rgb_image(), np.full((21, 34), 255, np.uint8)])
    assert read_picture(save(tmp_path / name, image, cv2.IMWRITE_WEBP_QUALITY, 101))[1].notes == ()


def palette_png(colors: list[tuple[int, int, int]], index: np.ndarray) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = index.shape
    rows = b"".join(b"\0" + bytes(row) for row in index)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    table = b"".join(bytes(c) for c in colors)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"PLTE", table) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_palette_is_looked_up(tmp_path):
    colors = [(255, 0, 0), (3, 200, 77), (10, 20, 30)]
    index = np.array([[0, 1, 2, 1], [2, 2, 0, 1]], np.uint8)
    path = tmp_path / "p.png"
    path.write_bytes(palette_png(colors, index))
    planes, _ = read_picture(path)
    assert np.array_equal(to_rgb(planes), np.array(colors, np.uint8)[index])


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp"])
def test_orientation_profile_xmp_and_resolution_are_kept(tmp_path, kind):
    layout = Layout(34, 21, 8, "400", True)
    planes = Planes(grey_image(), None, None, layout)
    first = tmp_path / "first"
    write_picture(first, planes, PictureExtras(kind, kind, "gray", 8, TAGS))
    read, extras = read_picture(first)
    assert extras.format == kind
    assert (extras.tags.orientation, extras.tags.icc, extras.tags.xmp) == (6, ICC, XMP)
    assert extras.rotation == 270
    assert read_entries(extras.tags.exif)[305] == (2, 6, b"maker\0")
    if kind != "webp":
        assert extras.tags.dpi == pytest.approx((300, 300), abs=0.05)
    if kind in ("png", "tiff"):
        assert np.array_equal(read.y, planes.y if read.layout.depth == 8 else planes.y.astype(np.uint16) * 257)  # not turned
    second = tmp_path / "second"
    to444 = Planes(read.y, None, None, Layout(34, 21, read.layout.depth, "400", read.layout.full_range)) if not read.layout.rgb else read
    write_picture(second, to444, extras)
    assert read_tags(second.read_bytes(), kind) == extras.tags
    assert np.array_equal(read_picture(second)[0].y, read.y) or kind in ("jpeg", "webp")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("color", [False, True])
def test_pixels_of_a_tiff_are_not_turned_by_its_orientation(tmp_path, dtype, color):
    image = rgb_image(dtype) if color else grey_image(dtype)
    plain = cv2.imencode(".tif", image)[1].tobytes()
    want, _ = read_picture(save(tmp_path / "a.tif", image))
    for orientation in range(1, 9):
        exif = b"II*\0\x08\0\0\0" + write_entries({274: (3, 1, bytes([orientation, 0]))}, 8)
        path = tmp_path / f"{orientation}.tif"
        path.write_bytes(add_tags(plain, "tiff", Tags(exif=exif)))
        planes, extras = read_picture(path)
        assert np.array_equal(planes.y, want.y)
        assert extras.tags.orientation == orientation


def test_white_zero_tiff_comes_as_light(tmp_path):
    image = grey_image()
    entries = {256: (4, 1, struct.pack("<I", 34)), 257: (4, 1, struct.pack("<I", 21)), 258: (3, 1, b"\x08\0"), 259: (3, 1, b"\1\0")}
    entries |= {262: (3, 1, b"\0\0"), 273: (4, 1, struct.pack("<I", 8)), 277: (3, 1, b"\1\0"), 278: (4, 1, struct.pack("<I", 21))}
    entries |= {279: (4, 1, struct.pack("<I", image.size))}
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + image.size) + image.tobytes() + write_entries(entries, 8 + image.size))
    assert np.array_equal(read_picture(path)[0].y, 255 - image)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_png_of_few_bits_spans_the_whole_range(tmp_path, bits):
    levels = np.arange(1 << bits, dtype=np.uint8)
    packed = np.packbits(((levels[:, None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8).ravel()).tobytes()
    head = struct.pack(">IIBBBBB", len(levels), 1, bits, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" + packed)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    (tmp_path / "a.png").write_bytes(data)
    y = read_picture(tmp_path / "a.png")[0].y
    assert y.tolist() == [[int(v) * 255 // ((1 << bits) - 1) for v in levels]]


def test_a_long_profile_is_split_over_jpeg_segments():
    profile = ICC + bytes(range(256)) * 600
    data = cv2.imencode(".jpg", rgb_image())[1].tobytes()
    assert read_tags(add_tags(data, "jpeg", Tags(icc=profile)), "jpeg").icc == profile


def test_a_grey_profile_is_dropped_and_said(tmp_path):
    grey = ICC.replace(b"RGB ", b"GRAY")
    data = cv2.imencode(".jpg", grey_image())[1].tobytes()
    path = tmp_path / "a.jpg"
    path.write_bytes(add_tags(data, "jpeg", Tags(icc=grey, dpi=(72.0, 72.0))))
    _, extras = read_picture(path)
    assert extras.tags.icc is None and extras.tags.dpi == (72.0, 72.0)
    assert any("grey colour profile" in note for note in extras.notes)


def test_a_tiff_written_by_hand_is_read_with_its_resolution(tmp_path):
    image = grey_image()
    entries = {256: (4, 1, struct.pack("<I", 34)), 257: (4, 1, struct.pack("<I", 21)), 258: (3, 1, b"\x08\0"), 259: (3, 1, b"\1\0")}
    entries |= {262: (3, 1, b"\1\0"), 273: (4, 1, struct.pack("<I", 8)), 277: (3, 1, b"\1\0"), 278: (4, 1, struct.pack("<I", 21))}
    entries |= {
        279: (4, 1, struct.pack("<I", image.size)),
        282: (5, 1, struct.pack("<II", 6000, 10)),
        283: (5, 1, struct.pack("<II", 600, 1)),
    }
    pixels = image.tobytes()
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + write_entries(entries, 8 + len(pixels)))
    planes, extras = read_picture(path)
    assert np.array_equal(planes.y, image)
    assert extras.tags.dpi == (600.0, 600.0)


def test_big_endian_exif_is_understood():
    exif = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, 8, 0, 0)
    data = add_tags(cv2.imencode(".png", rgb_image())[1].tobytes(), "png", Tags(exif=exif))
    assert read_tags(data, "png").orientation == 8


def test_what_a_format_cannot_hold_is_said(tmp_path):
    planes, extras = read_picture(save(tmp_path / "a.png", rgb_image(np.uint16)))
    assert any("16 bit become 8" in note for note in write_picture(tmp_path / "b", planes, extras, format="jpeg"))


def test_a_picture_is_a_film_of_one_frame(tmp_path):
    path = save(tmp_path / "a.png", grey_image())
    film = probe(path)
    assert film.still and film.frames == 1 and film.others == ()
    with Reader(film) as reader:
        frames = list(reader)
    assert [pts for pts, _ in frames] == [0]
    assert np.array_equal(frames[0][1].y, grey_image())
    assert len(sample(film)) == 1


def test_pictures_are_told_from_films(tmp_path):
    cases = {"a.png": True, "a.jpg": True, "a.tif": True, "a.webp": True, "a.bmp": True}
    for name, expected in cases.items():
        assert is_picture(save(tmp_path / name, rgb_image())) is expected
    assert not is_picture(make(tmp_path / "film.mp4", frames=2))
    assert not is_picture(make(tmp_path / "moving.png", codec="apng", pix_fmt="rgb24", container="apng", frames=3))
    assert probe(tmp_path / "moving.png").frames != 1


def test_a_truncated_picture_gives_one_clear_line(tmp_path):
    for name, cut in (("a.png", 60), ("a.jpg", 30), ("a.tif", 100)):
        path = save(tmp_path / name, rgb_image())
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(InputError, match=name) as caught:
            read_picture(path)
        assert "\n" not in str(caught.value)


def test_cmyk_and_float_pictures_are_refused(tmp_path):
    path = save(tmp_path / "a.tif", np.random.default_rng(0).random((8, 8, 3)).astype(np.float32))
    with pytest.raises(InputError, match="float32"):
        read_picture(path)
    jpeg = bytearray(cv2.imencode(".jpg", rgb_image())[1].tobytes())
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 9] = 4
    (tmp_path / "c.jpg").write_bytes(jpeg)
    with pytest.raises(InputError, match="CMYK"):
        read_picture(tmp_path / "c.jpg")


def test_an_unwritable_place_is_an_output_error(tmp_path):
    planes, extras = read_picture(save(tmp_path / "a.png", rgb_image()))
    with pytest.raises(OutputError, match="cannot be written"):
        write_picture(tmp_path / "missing" / "b.png", planes, extras)


def test_damaged_tags_count_as_absent():
    assert read_tags(b"\xff\xd8\xff\xe1", "jpeg") == Tags()
    assert read_entries(b"II*\0\xff\xff\xff\x00") == {}
    assert read_tags(png()[:20], "png") == Tags()
