"""SteadyColor: flicker of colour goes, colour moves with the picture, and nothing of one thing stays on another."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from tests.stages.making import SIZE, frame_of, texture
from vidcolor.picture.planes import Box, Floats, Layout, Planes
from vidcolor.stages.base import Frame, Work
from vidcolor.stages.find_motion import FindMotion
from vidcolor.stages.steady_color import SteadyColor

SOURCE = Planes(np.zeros((2, 2), np.uint8), None, None, Layout(2, 2, chroma="400"))


def low(plane: Floats) -> Floats:
    return cv2.resize(plane, (SIZE[1] // 4, SIZE[0] // 4), interpolation=cv2.INTER_AREA)


def frame(luma: Floats, chroma: Floats, number: int = 0, shot: int = 0) -> Frame:
    luma = luma.copy()
    luma.flags.writeable = False
    return frame_of(number, number, SOURCE, Work(luma, Box(0, 0, 2, 2), chroma), shot)


def run(steady: SteadyColor, lumas: list[Floats], chromas: list[Floats], shot: int = 0) -> list[Floats]:
    frames = [frame(luma, chroma, number, shot) for number, (luma, chroma) in enumerate(zip(lumas, chromas, strict=True))]
    return [out.work.chroma for out in steady.run(FindMotion().run(frames))]


def pan(count: int, speed: int = 4) -> tuple[list[Floats], list[Floats]]:
    """A textured scene that moves by whole chroma pixels, and its true chroma."""
    luma, cb = texture(0), texture(1) * np.float32(0.3) - np.float32(0.15)
    views = [slice(speed * i, speed * i + SIZE[1]) for i in range(count)]
    return [luma[:, view] for view in views], [np.stack([low(cb[:, view]), -low(cb[:, view])]) for view in views]


def test_flicker_of_a_still_scene_is_averaged_away() -> None:
    luma, rng = texture(0)[:, : SIZE[1]], np.random.default_rng(0)
    base = np.full((2, 32, 48), 0.1, np.float32)
    noisy = [base + rng.normal(0, 0.03, (2, 1, 1)).astype(np.float32) for _ in range(16)]
    out = run(SteadyColor(), [luma] * 16, noisy)
    before, after = (np.mean([np.square(b - a).mean() for a, b in pairwise(x[4:])]) for x in (noisy, out))
    assert after < before / 4
    assert np.mean(out[8:]) == pytest.approx(0.1, abs=0.02)


def test_colour_moves_with_the_picture() -> None:
    lumas, truth = pan(12)
    rng = np.random.default_rng(0)
    noisy = [chroma + rng.normal(0, 0.02, (2, 1, 1)).astype(np.float32) for chroma in truth]
    out = run(SteadyColor(), lumas, noisy)
    before, after = (np.mean([np.square(a - b)[:, 2:-2, 2:-2].mean() for a, b in zip(x[4:], truth[4:], strict=True)]) for x in (noisy, out))
    assert after < before / 2


def test_true_colour_of_a_moving_scene_stays_as_vivid() -> None:
    lumas, truth = pan(16)
    out = run(SteadyColor(), lumas, truth)
    assert np.std(out[-1]) > 0.97 * np.std(truth[-1])


def test_exposure_flicker_does_not_hinder() -> None:
    luma, rng = texture(0)[:, : SIZE[1]], np.random.default_rng(0)
    lumas = [(luma * (0.3 if number % 2 else 0.9) + rng.uniform(0, 0.1)).astype(np.float32) for number in range(10)]
    noisy = [np.full((2, 32, 48), 0.1, np.float32) + rng.normal(0, 0.03, (2, 1, 1)).astype(np.float32) for _ in range(10)]
    out = run(SteadyColor(), lumas, noisy)
    before, after = (np.mean([np.square(b - a).mean() for a, b in pairwise(x[3:])]) for x in (noisy, out))
    assert after < before / 4


@pytest.mark.parametrize("vivid", [1, 0.3])
def test_what_is_uncovered_takes_no_colour_from_what_covered_it(vivid: float) -> None:
    """A red square crosses a blue scene: where it was, the network's own blue must show at once, be the colours strong or faint."""
    scene, square = texture(2), texture(3)
    lumas, truth = [], []
    for number in range(8):
        luma, red = scene[:, : SIZE[1]].copy(), np.zeros(SIZE, np.float32)
        left = 16 + 12 * number
        luma[40:88, left : left + 48] = 0.3 + 0.7 * square[40:88, :48]
        red[40:88, left : left + 48] = 1
        lumas.append(luma)
        truth.append(np.stack([low(vivid * 0.15 * (1 - red)), low(vivid * 0.25 * red)]))
    out = run(SteadyColor(), lumas, truth)
    wrong = np.abs(out[-1] - truth[-1]).max(axis=0)
    assert (wrong > 0.1 * vivid).mean() < 0.01


def test_flow_there_and_back_finds_what_luma_alone_does_not() -> None:
    """A square nearly as bright as the scene uncovers it: only the motion tells that there was something else before."""
    scene, square = 0.5 + 0.14 * (texture(2) - 0.5), 0.5 + 0.14 * (texture(3) - 0.5)
    lumas, truth = [], []
    for number in range(8):
        luma, red = scene[:, : SIZE[1]].copy(), np.zeros(SIZE, np.float32)
        luma[:24:8], luma[4:24:8] = 1, 0
        left = 16 + 12 * number
        luma[40:112, left : left + 64] = square[40:112, :64]
        red[40:112, left : left + 64] = 1
        lumas.append(luma.astype(np.float32))
        truth.append(np.stack([low(0.0 * red), low(0.08 * red)]))
    out = run(SteadyColor(), lumas, truth)
    ghost = (out[-1][1] - truth[-1][1])[10:28, : (16 + 12 * 7) // 4]
    assert ghost.mean() < 0.1 * 0.08


def test_a_new_mind_of_the_network_is_followed() -> None:
    luma = texture(0)[:, : SIZE[1]]
    green, red = (np.broadcast_to(np.array(c, np.float32).reshape(2, 1, 1), (2, 32, 48)).copy() for c in ((-0.15, -0.15), (-0.1, 0.25)))
    out = run(SteadyColor(), [luma] * 12, [green] * 6 + [red] * 6)
    assert np.abs(out[6] - red).max() < 0.02


def test_the_first_answer_of_a_shot_is_the_networks_own() -> None:
    lumas, truth = pan(4)
    steady = SteadyColor()
    run(steady, lumas, truth)
    other = -truth[0]
    assert np.array_equal(run(steady, lumas[:1], [other], shot=1)[0], other)


def test_the_same_shot_gives_the_same_colours_before_and_after_a_cut() -> None:
    lumas, truth = pan(5)
    fresh = run(SteadyColor(), lumas, truth)
    used = SteadyColor()
    run(used, [texture(7)[:, : SIZE[1]]] * 3, truth[:3])
    assert all(np.array_equal(a, b) for a, b in zip(fresh, run(used, lumas, truth, shot=1), strict=True))


def test_after_a_frame_that_keeps_its_own_colour_it_begins_anew() -> None:
    lumas, truth = pan(4)
    frames = [frame(luma, chroma, number) for number, (luma, chroma) in enumerate(zip(lumas, truth, strict=True))]
    frames[1].color_source = "film"
    out = list(SteadyColor().run(FindMotion().run(frames)))
    assert [np.array_equal(made.work.chroma, chroma) for made, chroma in zip(out, truth, strict=True)] == [True, True, True, False]


def test_a_frame_that_was_not_coloured_is_refused() -> None:
    bare = frame(texture(0), None)
    bare.color_source = "made"
    with pytest.raises(ValueError, match="no chroma"):
        next(SteadyColor().run([bare]))


def test_the_networks_arrays_are_not_written() -> None:
    lumas, truth = pan(3)
    for chroma in truth:
        chroma.flags.writeable = False
    before = [chroma.tobytes() for chroma in truth]
    run(SteadyColor(), lumas, truth)
    assert [chroma.tobytes() for chroma in truth] == before


def test_a_change_of_size_and_a_blank_frame_are_borne() -> None:
    lumas = []
    for shape in ((128, 192), (192, 128), (64, 64)):
        lumas += [cv2.resize(luma, shape[::-1]) for luma in (texture(0)[: shape[0], : shape[1]], np.zeros(shape, np.float32))]
    chromas = [np.full((2, luma.shape[0] // 4, luma.shape[1] // 4), 0.1, np.float32) for luma in lumas]
    for chroma, out in zip(chromas, run(SteadyColor(), lumas, chromas), strict=True):
        assert out.shape == chroma.shape
        assert np.isfinite(out).all()


def test_strength_without_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="strength"):
        SteadyColor(strength=0)
