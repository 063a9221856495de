"""Steadiness of made clips whose answer is known."""

import cv2
import numpy as np
import pytest

from benchmarks.shared import steadiness


def texture(height: int = 96, width: int = 160) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 1, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def colors(height: int = 96, width: int = 160) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([0.2 * np.sin(x / 9), 0.2 * np.cos(y / 7)]).astype(np.float32)


def pan(plane: np.ndarray, pixels: int) -> np.ndarray:
    return np.ascontiguousarray(np.roll(plane, -pixels, -1))


def test_constant_chroma_under_a_pan_has_no_warp_error() -> None:
    luma, chroma = texture(), np.full((2, 96, 160), 0.1, np.float32)
    path = steadiness.trace(pan(luma, 3), luma)
    assert path.visible.mean() > 0.8
    assert steadiness.warp_error(chroma, chroma, path) == pytest.approx(0, abs=1e-12)


def test_chroma_that_moves_with_the_picture_has_next_to_no_warp_error() -> None:
    luma, chroma = texture(), colors()
    path = steadiness.trace(pan(luma, 3), luma)
    moving = steadiness.warp_error(pan(chroma, 3), chroma, path)
    left_behind = steadiness.warp_error(chroma, chroma, path)
    assert moving is not None
    assert left_behind is not None
    assert moving < 0.02 * left_behind


def test_flicker_of_a_known_size_has_a_known_warp_error() -> None:
    luma, chroma = texture(), colors()
    other = chroma + np.array([0.04, 0], np.float32)[:, None, None]
    path = steadiness.trace(luma, luma)
    assert path.visible.all()
    # one of two planes is off by 0.04
    assert steadiness.warp_error(other, chroma, path) == pytest.approx(0.04**2 / 2, rel=1e-4)


def test_what_is_uncovered_is_not_judged() -> None:
    background, block = texture(), texture(40, 40)
    before, after = background.copy(), background.copy()
    before[30:70, 40:80], after[30:70, 48:88] = block, block
    path = steadiness.trace(after, before)
    assert path.visible[35:65, 41:47].mean() < 0.1  # uncovered by the block's move
    assert path.visible[35:65, 53:83].mean() > 0.95  # the block itself
    assert path.visible[5:25].mean() > 0.95


def test_pixels_from_outside_the_frame_are_not_judged() -> None:
    luma = texture(96, 200)
    path = steadiness.trace(np.ascontiguousarray(luma[:, 12:172]), np.ascontiguousarray(luma[:, :160]))
    assert not path.visible[:, -4:].any()
    assert path.visible[10:-10, 20:120].mean() > 0.95


def test_nothing_visible_has_no_warp_error() -> None:
    path = steadiness.Path(np.zeros((4, 4, 2), np.float32), np.zeros((4, 4), bool))
    assert steadiness.warp_error(np.zeros((2, 4, 4)), np.zeros((2, 4, 4)), path) is None


def test_divergence_of_known_distributions() -> None:
    first, second = np.array([1.0, 0, 0]), np.array([0, 0.5, 0.5])
    assert steadiness.divergence(first, second) == pytest.approx(np.log(2))
    assert steadiness.divergence(first, first) == 0
    half = np.array([0.5, 0.5, 0])
    known = (np.log(1 / 0.75) + 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)) / 2
    assert steadiness.divergence(first, half) == pytest.approx(known)


def test_histograms_are_shares() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, :, 1], picture[..., 2] = 255, 7
    shares = steadiness.histograms(picture)
    assert (shares[0, 0], shares[1, 0], shares[1, 255], shares[2, 7]) == (1, 0.5, 0.5, 1)
    np.testing.assert_allclose(shares.sum(1), 1)


def shares(*values: int) -> list[np.ndarray]:
    return [steadiness.histograms(np.full((2, 2, 3), value, np.uint8)) for value in values]


def test_distribution_consistency_weighs_the_three_intervals_alike() -> None:
    # a, b, a, b, ...: differs 1 apart (ln 2), is the same 2 and 4 apart
    assert steadiness.distribution_consistency(shares(*[10, 20] * 5), [0] * 10) == pytest.approx(np.log(2) / 3)
    assert steadiness.distribution_consistency(shares(*[10] * 10), [0] * 10) == 0


def test_distribution_consistency_does_not_look_across_a_cut() -> None:
    frames = shares(*[10] * 6, *[200] * 6)
    assert steadiness.distribution_consistency(frames, [0] * 6 + [1] * 6) == 0
    assert steadiness.distribution_consistency(frames, [0] * 12) > 0
    with pytest.raises(ValueError, match="no two frames"):
        steadiness.distribution_consistency(frames, list(range(12)))
