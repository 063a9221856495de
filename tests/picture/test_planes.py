"""Planes: code values, matrices and sizes against independent formulas and printed tables of the standards."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidcolor.picture.matrices import LUMA_WEIGHTS, chroma_block, from_rgb_units, rgb_offsets, to_rgb_units
from vidcolor.picture.planes import Box, Layout, Planes, at_depth, chroma_units, luma_units, shrink, shrink_color, tone_curve, work_size


def ycc(rgb: np.ndarray, matrix: str) -> np.ndarray:
    """Luma and colour differences as ITU-R BT.709-6 item 3.2 writes them, one line a signal: no matrix algebra."""
    kr, kb = LUMA_WEIGHTS[matrix]
    red, green, blue = rgb
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    return np.array([luma, (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))])


@pytest.mark.parametrize(("matrix", "divisors"), [("bt709", (1.8556, 1.5748)), ("bt601", (1.772, 1.402)), ("bt2020", (1.8814, 1.4746))])
def test_weights_give_the_divisors_that_the_standards_print(matrix: str, divisors: tuple[float, float]) -> None:
    kr, kb = LUMA_WEIGHTS[matrix]
    assert (2 * (1 - kb), 2 * (1 - kr)) == pytest.approx(divisors, abs=1e-9)


@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_rgb_comes_back_from_luma_and_chroma(matrix: str) -> None:
    for rgb in np.random.default_rng(0).random((20, 3)):
        luma, cb, cr = ycc(rgb, matrix)
        assert luma + rgb_offsets(matrix) @ [cb, cr] == pytest.approx(rgb, abs=1e-12)


@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_the_chroma_block_takes_709_to_the_other_matrix(matrix: str) -> None:
    for rgb in np.random.default_rng(1).random((20, 3)):
        assert chroma_block(matrix) @ ycc(rgb, "bt709")[1:] == pytest.approx(ycc(rgb, matrix)[1:], abs=1e-12)
    assert chroma_block("bt709") == pytest.approx(np.eye(2), abs=1e-12)


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("full_range", [False, True])
def test_code_values_of_black_white_and_neutral_are_those_of_the_standards(depth: int, full_range: bool) -> None:
    layout = Layout(4, 4, depth=depth, full_range=full_range)
    scale = 2 ** (depth - 8)
    assert layout.luma_codes == ((0, 2**depth - 1) if full_range else (16 * scale, 235 * scale))
    assert layout.chroma_codes == (128 * scale, 2**depth - 1 if full_range else 224 * scale)
    black, white = layout.luma_codes
    codes = np.array([[black, white, (black + white) // 2]], layout.dtype)
    assert luma_units(codes, layout)[0] == pytest.approx([0, 1, 0.5], abs=0.6 / (white - black))


def test_luma_beyond_black_and_white_is_clipped() -> None:
    assert luma_units(np.array([[0, 255]], np.uint8), Layout(2, 1)).tolist() == [[0, 1]]


@given(
    st.sampled_from(sorted(LUMA_WEIGHTS)), st.sampled_from([8, 10, 16]), st.booleans(), st.tuples(*[st.floats(0, 1, allow_nan=False)] * 3)
)
def test_codes_of_any_matrix_come_back_as_chroma_of_709(matrix: str, depth: int, full_range: bool, rgb: tuple[float, ...]) -> None:
    layout = Layout(1, 1, depth=depth, chroma="444", full_range=full_range, matrix=matrix)
    neutral, span = layout.chroma_codes
    codes = np.clip(np.round(neutral + span * ycc(np.array(rgb), matrix)[1:]), 0, 2**depth - 1).astype(layout.dtype)
    planes = Planes(np.zeros((1, 1), layout.dtype), codes[:1, None], codes[1:, None], layout)
    got = np.array([plane[0, 0] for plane in chroma_units(planes)])
    assert got == pytest.approx(ycc(np.array(rgb), "bt709")[1:], abs=2.5 / span)


def test_grey_planes_have_no_chroma_units() -> None:
    layout = Layout(2, 2, chroma="400")
    assert layout.chroma_shape == (0, 0)
    with pytest.raises(ValueError, match="grey"):
        chroma_units(Planes(np.zeros((2, 2), np.uint8), None, None, layout))


@pytest.mark.parametrize(
    ("chroma", "shape"),
    [("420", (24, 34)), ("422", (47, 34)), ("444", (47, 67)), ("440", (24, 67)), ("411", (47, 17)), ("410", (12, 17))],
)
def test_chroma_planes_of_odd_sizes_are_rounded_up(chroma: str, shape: tuple[int, int]) -> None:
    assert Layout(67, 47, chroma=chroma).chroma_shape == shape


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_tone_curves_rise_from_black_to_white(transfer: str) -> None:
    luma = np.linspace(0, 1, 500, dtype=np.float32)
    out = tone_curve(luma, transfer)
    assert out[0] == pytest.approx(0, abs=1e-3)
    assert out.max() <= 1
    assert out[-1] > 0.98
    assert (np.diff(out) >= -1e-6).all()
    assert out.dtype == np.float32


def test_reference_white_of_pq_and_hlg_looks_alike() -> None:
    """203 cd/m² is code 0.58 of PQ and 0.75 of HLG (ITU-R BT.2408-7, table 1)."""
    white = [float(tone_curve(np.array([code], np.float32), transfer)[0]) for code, transfer in ((0.5807, "pq"), (0.75, "hlg"))]
    assert white[0] == pytest.approx(white[1], abs=0.02)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (Box(0, 0, 1920, 1080), (256, 448)),
        (Box(0, 0, 1080, 1920), (448, 256)),
        (Box(0, 0, 640, 480), (256, 352)),
        (Box(0, 0, 300, 300), (256, 256)),
        (Box(0, 0, 5000, 20), (256, 1024)),
    ],
)
def test_work_size_keeps_the_aspect_within_bounds(box: Box, size: tuple[int, int]) -> None:
    assert work_size(box, 256) == size


@pytest.mark.parametrize("shape", [(1080, 1920), (300, 500), (97, 131)])
@pytest.mark.parametrize("depth", [8, 10])
def test_shrinking_averages_over_areas_inside_the_box(shape: tuple[int, int], depth: int) -> None:
    layout = Layout(shape[1], shape[0], depth=depth)
    rng = np.random.default_rng(2)
    coarse = cv2.resize(rng.random((6, 8), dtype=np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    black, white = layout.luma_codes
    y = np.round(black + coarse * (white - black)).astype(layout.dtype)
    y[:, :10] = white  # outside the box
    y.flags.writeable = False
    box = Box(10, 0, shape[1] - 10, shape[0])
    got = shrink(Planes(y, None, None, layout), box, (64, 96))
    want = cv2.resize(coarse[:, 10:], (96, 64), interpolation=cv2.INTER_AREA)
    assert got.shape == (64, 96)
    assert got.dtype == np.float32
    assert np.abs(got - want).max() < (0.02 if depth == 8 else 0.01)


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_rgb_units_there_and_back(matrix: str) -> None:
    rgb = np.random.default_rng(0).random((3, 5, 7), dtype=np.float32)
    planes = from_rgb_units(rgb, matrix)
    assert planes.dtype == to_rgb_units(planes, matrix).dtype == np.float32
    assert np.abs(to_rgb_units(planes, matrix) - rgb).max() < 1e-5
    grey = from_rgb_units(np.full((3, 1, 1), 0.4, np.float32), matrix).ravel()
    assert np.abs(grey - [0.4, 0, 0]).max() < 1e-6


def test_colours_outside_rgb_are_clipped() -> None:
    wild = to_rgb_units(np.array([0.9, 0.5, -0.5], np.float32).reshape(3, 1, 1), "bt709")
    assert wild.min() >= 0 and wild.max() == 1


@pytest.mark.parametrize("chroma", ["400", "420", "422", "444", "411"])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_shrinking_in_colour_takes_luma_and_chroma_from_inside_the_box_and_turns_them(chroma: str, turns: int) -> None:
    layout = Layout(160, 96, chroma=chroma, depth=10)
    y = np.full((96, 160), 64, np.uint16)
    y[16:80, 32:128] = 64 + 438
    y[16:80, 32:64] = 64 + 876
    planes = [None, None]
    if chroma != "400":
        rows, columns = layout.chroma_shape
        across, down = 160 // columns, 96 // rows
        planes = [np.full((rows, columns), 100, np.uint16) for _ in range(2)]
        for plane, value in zip(planes, (512 + 90, 512 - 45), strict=True):
            plane[16 // down : 80 // down, 32 // across : 128 // across] = value
    size = (48, 32) if turns % 2 else (32, 48)
    got = shrink_color(Planes(y, *planes, layout), Box(32, 16, 96, 64), size, turns)
    assert got.shape == (3, *size) and got.dtype == np.float32 and got.flags.c_contiguous
    upright = np.rot90(got, -turns, (1, 2))
    assert np.abs(upright[0, :, :16] - 1).max() < 0.002 and np.abs(upright[0, :, 16:] - 0.5).max() < 0.002
    wanted = (0, 0) if chroma == "400" else (90 / 896, -45 / 896)
    assert np.abs(upright[1:] - np.array(wanted).reshape(2, 1, 1)).max() < 0.002


def test_codes_at_another_depth() -> None:
    eight, ten = Layout(3, 1), Layout(3, 1, depth=10)
    y = np.array([[0, 16, 255]], np.uint8)
    assert at_depth(y, eight, eight) is y
    up = at_depth(y, eight, ten)
    assert up.dtype == np.uint16 and up.tolist() == [[0, 64, 1020]]
    down = at_depth(np.array([[1, 2, 1023]], np.uint16), ten, eight)
    assert down.dtype == np.uint8 and down.tolist() == [[0, 1, 255]]
    for held, wanted, layout in ((y, up, ten), (y, y, eight)):
        wide = np.zeros((held.shape[0], held.shape[1] + 5), layout.dtype)
        given = wide[:, : held.shape[1]]
        assert at_depth(held, eight, layout, out=given) is given and np.array_equal(given, wanted)
    rounded = np.zeros(down.shape, np.uint8)
    at_depth(np.array([[1, 2, 1023]], np.uint16), ten, eight, out=rounded)
    assert np.array_equal(rounded, down)
