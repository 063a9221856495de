"""Borders: bars and gates are found to the pixel, dark pictures are not taken for them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vidcolor.analysis.borders import find_box
from vidcolor.picture.planes import Box, Layout, Planes

CHAPLIN = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips" / "bw_chaplin_policeman.mp4"
WIDTH, HEIGHT = 192, 108


def film(box: Box, count: int = 12, level: float = 16, noise: float = 1, depth: int = 8, bright: float = 1) -> list[Planes]:
    """Frames whose picture, of random brightness, lies in the box."""
    rng = np.random.default_rng(5)
    layout = Layout(WIDTH, HEIGHT, depth=depth)
    out = []
    for _ in range(count):
        y = np.full((HEIGHT, WIDTH), level, np.float64)
        scene = cv2.resize(rng.random((9, 16)), (box.width, box.height), interpolation=cv2.INTER_LINEAR)
        y[box.top : box.top + box.height, box.left : box.left + box.width] = 16 + 200 * bright * scene
        y = np.clip(y + rng.normal(0, noise, y.shape), 0, 255) * (1 << (depth - 8))
        out.append(Planes(y.astype(layout.dtype), None, None, layout))
    return out


WHOLE = Box(0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("box", [WHOLE, Box(0, 14, 192, 80), Box(24, 0, 144, 108), Box(30, 10, 120, 90), Box(0, 0, 180, 108)])
def test_bars_are_found_to_the_line(box: Box, depth: int) -> None:
    assert find_box(film(box, depth=depth)) == box


def test_one_picture_is_enough_for_black_bars() -> None:
    assert find_box(film(Box(24, 0, 144, 108), count=1)) == Box(24, 0, 144, 108)


def test_odd_borders_are_rounded_outward_to_even_boxes() -> None:
    assert find_box(film(Box(25, 7, 141, 95))) == Box(24, 6, 142, 96)


def test_grey_bars_count_only_when_they_are_the_same_in_many_frames() -> None:
    box = Box(24, 0, 144, 108)
    grey = film(box, level=120, noise=0)
    assert find_box(grey) == box
    assert find_box(grey[:3]) == WHOLE


def test_dust_on_the_border_and_a_flash_do_not_hide_it() -> None:
    frames = film(Box(24, 0, 144, 108), count=16)
    frames[4].y[:] = 235
    frames[7].y[50:52, 3:9] = 220
    assert find_box(frames) == Box(24, 0, 144, 108)


def test_a_bar_that_is_only_in_some_frames_is_picture() -> None:
    assert find_box(film(Box(24, 0, 144, 108), count=8) + film(WHOLE, count=8)) == WHOLE


def test_a_dark_scene_and_a_dark_vignette_are_no_borders() -> None:
    assert find_box(film(Box(24, 0, 144, 108), bright=0.05)) == WHOLE
    fading = film(WHOLE)
    slope = np.clip((np.arange(WIDTH) - 20) / 120, 0, 1)
    for frame in fading:
        frame.y[:] = np.round(16 + (frame.y.astype(float).clip(16) - 16) * slope)
    assert find_box(fading) == WHOLE


def test_black_film_and_a_sliver_of_picture_keep_the_whole_frame() -> None:
    assert find_box(film(WHOLE, bright=0)) == WHOLE
    assert find_box(film(Box(90, 0, 12, 108))) == WHOLE


def test_without_samples_it_refuses() -> None:
    with pytest.raises(ValueError, match="samples"):
        find_box([])


def test_the_chaplin_clip_is_pillarboxed() -> None:
    if not CHAPLIN.exists():
        pytest.skip("the clip is not here")
    capture, samples = cv2.VideoCapture(str(CHAPLIN)), []
    while (read := capture.read())[0]:
        samples.append(Planes(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY), None, None, Layout(640, 360, full_range=True)))
    box = find_box(samples[::15])
    assert (box.top, box.height) == (0, 360)
    assert 66 <= box.left <= 76
    assert 564 <= box.left + box.width <= 576
