"""Cuts: where a film is cut, and where it is only damaged, flickering or moving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.stages.making import frame_of
from vidcolor.picture.planes import Box, Layout, Planes
from vidcolor.stages.base import Frame, Work
from vidcolor.stages.cuts import Cuts

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips"
SOURCE = Planes(np.zeros((2, 2), np.uint8), None, None, Layout(2, 2))


def shot(seed: int, count: int, speed: float = 0.4) -> np.ndarray:
    """Luma of a camera that pans over a random scene."""
    rng = np.random.default_rng(seed)
    scene = cv2.resize(rng.random((10, 30), dtype=np.float32), (400, 72), interpolation=cv2.INTER_CUBIC)
    left = [int(speed * frame) for frame in range(count)]
    return np.stack([scene[:, x : x + 128] for x in left])


def film(*lengths: int) -> np.ndarray:
    return np.concatenate([shot(seed, length) for seed, length in enumerate(lengths)])


def frames(luma: np.ndarray) -> Iterator[Frame]:
    for number, picture in enumerate(luma):
        yield frame_of(number, number, SOURCE, Work(np.clip(picture, 0, 1).astype(np.float32), Box(0, 0, 2, 2)))


def cuts(luma: np.ndarray, **settings: float) -> list[int]:
    return [frame.number for frame in Cuts(**settings).run(frames(luma)) if frame.number and frame.place == 0]


@pytest.mark.parametrize("look_ahead", [0, 1, 2])
def test_cuts_between_scenes_are_found_at_their_frame(look_ahead: int) -> None:
    assert cuts(film(12, 7, 20, 3), look_ahead=look_ahead) == [12, 19, 39]


def test_shots_and_places_count_from_nought_and_a_shot_knows_its_start() -> None:
    out = list(Cuts().run(frames(film(3, 2))))
    assert [(frame.shot, frame.place, frame.shot_start) for frame in out] == [(0, 0, 0), (0, 1, 0), (0, 2, 0), (1, 0, 3), (1, 1, 3)]


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_flash_or_black_frames_no_longer_than_the_look_ahead_are_no_cut(length: int, value: float) -> None:
    luma = film(20)
    luma[9 : 9 + length] = value
    assert cuts(luma, look_ahead=length) == []


def test_a_torn_frame_is_no_cut_and_does_not_hide_the_cut_after_it() -> None:
    luma = film(14, 14)
    luma[11, 20:50] = 1
    assert cuts(luma) == [14]


@pytest.mark.parametrize("look_ahead", [0, 2])
def test_exposure_flicker_is_no_cut(look_ahead: int) -> None:
    luma = film(30, 10)
    rng = np.random.default_rng(7)
    flicker = luma * rng.uniform(0.6, 1, (40, 1, 1)) + rng.uniform(0, 0.1, (40, 1, 1))
    assert cuts(flicker, look_ahead=look_ahead) == [30]


@pytest.mark.parametrize("look_ahead", [0, 2])
def test_a_fast_pan_and_a_fade_are_no_cuts(look_ahead: int) -> None:
    assert cuts(shot(0, 30, speed=8), look_ahead=look_ahead) == []
    assert cuts(film(30) * np.linspace(1, 0, 30).reshape(-1, 1, 1), look_ahead=look_ahead) == []


def test_grain_in_darkness_is_no_cut() -> None:
    assert cuts(np.random.default_rng(0).normal(0.03, 0.02, (20, 72, 128))) == []


@pytest.mark.parametrize("look_ahead", [0, 1, 2])
def test_a_run_that_begins_at_a_shot_finds_the_same_cuts(look_ahead: int) -> None:
    luma = film(9, 14, 6, 11)
    rng = np.random.default_rng(3)
    luma = luma * rng.uniform(0.7, 1, (40, 1, 1))
    luma[17] = 1
    found = cuts(luma, look_ahead=look_ahead)
    assert len(found) >= 3
    for start in found:
        assert cuts(luma[start:], look_ahead=look_ahead) == [cut - start for cut in found if cut > start]


def test_a_lively_shot_does_not_hide_the_cuts_of_the_next() -> None:
    """What a shot's own motion was is forgotten at its end: the next one is judged by its own."""
    lively = np.concatenate([0.4 * shot(20 + number, 1) + 0.6 * shot(23, 1) for number in range(8)])
    still = shot(1, 3, speed=0)
    like_it = 0.5 * still + 0.5 * shot(2, 3, speed=0)
    assert cuts(np.concatenate([lively, still, like_it])) == [8, 11]


def test_greater_sensitivity_finds_more() -> None:
    alike = film(12, 12)
    alike[12:] = 0.65 * alike[:12] + 0.35 * alike[12:]
    assert cuts(alike, sensitivity=0.5) == []
    assert cuts(alike, sensitivity=4) == [12]


def test_settings_without_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="sensitivity"):
        Cuts(sensitivity=0)
    with pytest.raises(ValueError, match="look-ahead"):
        Cuts(look_ahead=-1)


@pytest.mark.parametrize(
    ("clip", "known"),
    [
        ("bw_damaged_reel_1903_1920.mp4", [60, 108, 156]),
        ("col_bikes_street_cuts.mp4", [30, 76, 137, 187, 242]),
        ("col_tears_of_steel_cuts.webm", [52, 122, 158, 221, 309]),
        ("bw_chaplin_policeman.mp4", []),
        ("col_football_juggle.mp4", []),
    ],
)
def test_known_cuts_of_real_films(clip: str, known: list[int]) -> None:
    path = CLIPS / clip
    if not path.exists():
        pytest.skip(f"{clip} is not here")
    capture, pictures = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        grey = cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY)
        pictures.append(cv2.resize(grey, (128, 72), interpolation=cv2.INTER_AREA) / 255)
    assert cuts(np.stack(pictures)) == known
