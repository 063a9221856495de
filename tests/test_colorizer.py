"""Pictures that are arrays, without files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

import vidcolor
from vidcolor.errors import DeviceError, UsageError


def scene(seed: int = 0, width: int = 96) -> np.ndarray:
    rough = np.random.default_rng(seed).random((6, 12), dtype=np.float32)
    return (cv2.resize(rough, (width, 64), interpolation=cv2.INTER_CUBIC).clip(0, 1) * 255).astype(np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    return rgb @ np.array([0.2126, 0.7152, 0.0722])


@pytest.fixture(scope="module")
def colorizer() -> Iterator[vidcolor.Colorizer]:
    with vidcolor.Colorizer() as made:
        yield made


@pytest.mark.parametrize("deep", [False, True], ids=["8 bit", "16 bit"])
def test_a_grey_picture_gets_colour_and_keeps_its_luma(colorizer: vidcolor.Colorizer, deep: bool) -> None:
    grey = scene().astype(np.uint16) * 257 if deep else scene()
    before = grey.copy()
    rgb = colorizer(grey)
    assert (rgb.shape, rgb.dtype) == ((64, 96, 3), grey.dtype)
    assert np.abs(luma(rgb) - grey).max() < (260 if deep else 1.01)
    assert np.ptp(rgb.astype(int), axis=2).max() > (500 if deep else 2), "something was coloured"
    assert np.array_equal(grey, before)


def test_a_picture_with_colour_is_coloured_anew(colorizer: vidcolor.Colorizer) -> None:
    grey = scene()
    red = np.stack([grey, grey // 3, grey // 3], -1)
    again = colorizer(red)
    assert np.abs(luma(again) - luma(red)).max() < 1.5
    assert np.abs(again.astype(int) - red).max() > 30


def test_frames_of_a_shot_are_steadier_than_each_by_itself(colorizer: vidcolor.Colorizer) -> None:
    rng = np.random.default_rng(0)
    frames = [np.clip(scene().astype(int) + rng.normal(0, 12, (64, 96)), 0, 255).astype(np.uint8) for _ in range(6)]
    alone, along = [colorizer(frame) for frame in frames], list(colorizer.shot(frames))
    assert np.array_equal(along[0], alone[0])

    def unrest(pictures: list[np.ndarray]) -> float:
        chroma = np.stack([picture[..., 2].astype(int) - picture[..., 1] for picture in pictures[2:]])
        return float(np.square(np.diff(chroma, axis=0)).mean())

    assert unrest(along) < 0.7 * unrest(alone)


def test_a_shot_is_given_one_by_one(colorizer: vidcolor.Colorizer) -> None:
    taken = []

    def camera() -> Iterator[np.ndarray]:
        for number in range(4):
            taken.append(number)
            yield scene()

    for number, _ in enumerate(colorizer.shot(camera())):
        assert len(taken) == number + 1
    assert list(colorizer.shot([])) == []


@pytest.mark.slow
def test_a_style_needs_no_file_either() -> None:
    with vidcolor.Colorizer(style="starry-night", style_size=128) as colorizer:
        rgb = colorizer(np.repeat(scene()[..., None], 3, 2))
    assert rgb.shape == (64, 96, 3)
    assert rgb[..., 2].astype(int).mean() > rgb[..., 0].mean() + 10, "it is blue"


@pytest.mark.parametrize(
    "picture",
    [None, np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8), "film.mp4"],
    ids=["nothing", "floats", "four channels", "empty", "a line", "a name"],
)
def test_what_is_no_picture_is_refused(colorizer: vidcolor.Colorizer, picture: Any) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        colorizer(picture)
    with pytest.raises(ValueError, match="a picture is"):
        list(colorizer.shot([scene(), picture]))


def test_another_size_within_a_shot_is_refused(colorizer: vidcolor.Colorizer) -> None:
    with pytest.raises(ValueError, match="picture 1 is"):
        list(colorizer.shot([scene(), scene(width=64)]))


def test_arguments_are_checked_when_it_is_made() -> None:
    with pytest.raises(UsageError, match="vividness"):
        vidcolor.Colorizer(vividness=9)
    with pytest.raises(DeviceError, match="nosuch"):
        vidcolor.Colorizer(network="nosuch")


def test_a_style_that_is_none_is_told_when_it_is_made() -> None:
    with pytest.raises(UsageError, match="nosuch"):
        vidcolor.Colorizer(style="nosuch")


def test_once_closed_it_says_so() -> None:
    made = vidcolor.Colorizer()
    made.close()
    made.close()
    with pytest.raises(UsageError, match="closed"):
        made(scene())


def test_a_shot_goes_on_while_other_sizes_are_coloured(colorizer: vidcolor.Colorizer) -> None:
    shot = colorizer.shot([scene()] * 3)
    first = next(shot)
    for width in (64, 128, 192, 256, 320, 384):
        colorizer(scene(width=width))
    assert all(np.abs(other.astype(int) - first).max() < 8 for other in shot)


def test_the_order_of_bytes_does_not_matter(colorizer: vidcolor.Colorizer) -> None:
    deep = scene().astype(np.uint16) * 257
    assert np.array_equal(colorizer(deep.astype(">u2")), colorizer(deep))
