"""What restyled pictures are judged by, on pictures whose answer is known."""

import numpy as np
import pytest

from benchmarks.shared import similarity, steadiness
from benchmarks.style import metrics


def texture(height: int = 64, width: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (height, width)).astype(np.float32)


def test_ssim_of_a_picture_with_itself_is_one() -> None:
    assert similarity.ssim(texture(), texture()) == pytest.approx(1, abs=1e-4)


def test_ssim_of_flat_pictures_is_that_of_their_brightness() -> None:
    dark, bright = np.full((32, 32), 0.25, np.float32), np.full((32, 32), 0.75, np.float32)
    c1 = 0.01**2
    assert similarity.ssim(dark, bright) == pytest.approx((2 * 0.25 * 0.75 + c1) / (0.25**2 + 0.75**2 + c1), abs=1e-4)


def test_ssim_is_the_formula_of_its_authors() -> None:
    first, second = texture(15, 17).astype(float), texture(15, 17, 1).astype(float)
    line = np.exp(-np.square(np.arange(11) - 5) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    scores = []
    for top in range(5):
        for left in range(7):
            x, y = (plane[top : top + 11, left : left + 11] for plane in (first, second))
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            covariance = (window * (x - mx) * (y - my)).sum()
            scores.append((2 * mx * my + 1e-4) * (2 * covariance + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    assert similarity.ssim(first.astype(np.float32), second.astype(np.float32)) == pytest.approx(np.mean(scores), abs=1e-4)


def test_fine_grain_counts_less_at_the_advised_scale() -> None:
    smooth = np.repeat(np.repeat(texture(64, 80), 8, 0), 8, 1)  # 512 x 640: factor 2
    grained = smooth + 0.2 * (texture(512, 640, 1) - np.float32(0.5))
    small = [plane.reshape(256, 2, 320, 2).mean((1, 3)) for plane in (smooth, grained)]
    assert metrics.ssim_256(smooth, grained) == pytest.approx(similarity.ssim(*small), abs=1e-4)
    assert metrics.ssim_256(smooth, grained) > similarity.ssim(smooth, grained)
    assert metrics.ssim_256(small[0], small[1]) == similarity.ssim(*small)


def path(shape: tuple[int, int], motion: np.ndarray) -> steadiness.Path:
    grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1).astype(np.float32)
    return steadiness.Path(grid + motion.astype(np.float32), np.ones(shape, bool))


def test_what_moves_or_changes_is_not_still() -> None:
    luma, motion = texture(), np.zeros((64, 80, 2))
    motion[:, :40, 0] = 0.5
    later = luma.copy()
    later[:20] += np.float32(5 / 255)
    where = metrics.still(later, luma, path((64, 80), motion))
    assert where is not None
    assert not where[:, :40].any()
    assert not where[:14].any()
    assert where[30:, 40:].all()


def test_grain_is_not_taken_for_motion() -> None:
    luma = texture()
    later = luma + np.random.default_rng(1).normal(0, 2 / 255, luma.shape).astype(np.float32)
    where = metrics.still(later, luma, path((64, 80), np.zeros((64, 80, 2))))
    assert where is not None
    assert where.mean() > 0.9


def test_a_picture_that_moves_as_a_whole_has_no_still_part() -> None:
    assert metrics.still(texture(), texture(), path((64, 80), np.ones((64, 80, 2)))) is None


def test_shimmer_is_the_change_where_the_film_stands_still() -> None:
    shimmer, before = metrics.Shimmer(), np.full((3, 10, 20), 0.5, np.float32)
    after, where = before.copy(), np.ones((10, 20), bool)
    after[:, :, :10] += np.float32(4 / 255)
    where[5:] = False
    after[:, 5:] = 0  # moves: does not count
    shimmer.add(after, before, where)
    shimmer.add(after, before, None)
    assert shimmer.scores() == {"still": pytest.approx(2), "still_p99": 4}
    assert metrics.Shimmer().scores() == {}


def photo(height: int = 480, width: int = 700) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def floats(frames: list[np.ndarray]) -> list[np.ndarray]:
    return [np.moveaxis(frame, -1, 0).astype(np.float32) / 255 for frame in frames]


def test_a_pan_moves_by_two_pixels_a_frame_and_does_not_wobble() -> None:
    pan = metrics.pan(photo())
    assert [frame.shape for frame in pan.clean] == [(480, 640, 3)] * 10
    np.testing.assert_array_equal(pan.clean[3][:, :-6], pan.clean[0][:, 6:])
    assert metrics.wobble(floats(pan.clean)) == 0


def test_grain_of_six_levels_wobbles_by_its_own_mean_difference() -> None:
    pan = metrics.pan(np.full((480, 700, 3), 128, np.uint8))
    # mean |difference| of two normal variables: 2 sigma / sqrt(pi)
    assert metrics.wobble(floats(pan.noisy)) == pytest.approx(12 / np.sqrt(np.pi), rel=0.01)
    assert (pan.noisy[0][..., 0] == pan.noisy[0][..., 2]).all()
    assert (pan.noisy[0] != pan.noisy[1]).mean() > 0.9


def test_a_narrow_photo_cannot_be_panned_over() -> None:
    with pytest.raises(ValueError, match="too narrow"):
        metrics.pan(photo(480, 640))
