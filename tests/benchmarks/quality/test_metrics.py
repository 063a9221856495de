"""Every measure against an answer that is known without it."""

import cv2
import numpy as np
import pytest

from benchmarks.quality import metrics
from benchmarks.shared import similarity

SHARMA = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425 | 50 3.1571 -77.2803 50 0 -82.7485 2.8615 | 50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000 | 50 -1.1848 -84.8006 50 0 -82.7485 1.0000 | 50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669 | 50 -1 2 50 0 0 2.3669 | 50 2.49 -0.001 50 -2.49 0.0009 7.1792 | 50 2.49 -0.001 50 -2.49 0.0010 7.1792
50 2.49 -0.001 50 -2.49 0.0011 7.2195 | 50 2.49 -0.001 50 -2.49 0.0012 7.2195 | 50 -0.001 2.49 50 0.0009 -2.49 4.8045
50 -0.001 2.49 50 0.0010 -2.49 4.8045 | 50 -0.001 2.49 50 0.0011 -2.49 4.7461 | 50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492 | 50 2.5 0 61 -5 29 22.8977 | 50 2.5 0 56 -27 -3 31.9030 | 50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000 | 50 2.5 0 50 3.2972 0 1.0000 | 50 2.5 0 50 1.8634 0.5757 1.0000 | 50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644 | 63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731 | 35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373 | 36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441 | 90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377 | 2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""
"""The test data of Sharma, Wu and Dalal 2005: two Lab colours and their difference."""


def sharma_pairs() -> np.ndarray:
    return np.array([pair.split() for line in SHARMA.strip().splitlines() for pair in line.split(" | ")], float)


def flat(red: int, green: int, blue: int, size: int = 8) -> np.ndarray:
    return np.full((size, size, 3), (red, green, blue), np.uint8)


def test_ciede2000_meets_all_pairs_of_sharma_both_ways_round() -> None:
    pairs = sharma_pairs()
    assert len(pairs) == 34
    first, second, known = pairs[:, :3], pairs[:, 3:6], pairs[:, 6]
    np.testing.assert_allclose(metrics.ciede2000(first, second), known, atol=1e-4)
    np.testing.assert_allclose(metrics.ciede2000(second, first), known, atol=1e-4)


def test_single_precision_is_enough_for_ciede2000_of_pictures() -> None:
    pairs = sharma_pairs()[16:]  # the earlier ones were made to stand on a discontinuity
    found = metrics.ciede2000(pairs[:, :3].astype(np.float32), pairs[:, 3:6].astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pairs[:, 6], atol=2e-3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_known_srgb_colours(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(metrics.srgb_to_lab(np.array([rgb], np.uint8))[0], lab, atol=0.02)


def test_splitting_and_joining_gives_the_picture_back() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 24, 3), np.uint8)
    np.testing.assert_array_equal(metrics.join(*metrics.split(picture)), picture)


def test_chroma_of_pure_blue_and_red_is_half_a_unit() -> None:
    assert metrics.split(flat(0, 0, 255))[1][0].max() == pytest.approx(0.5, abs=1e-6)
    assert metrics.split(flat(255, 0, 0))[1][1].max() == pytest.approx(0.5, abs=1e-6)


def test_colourfulness_of_grey_is_nothing() -> None:
    assert metrics.colorfulness(np.random.default_rng(0).integers(0, 256, (16, 16, 1), np.uint8).repeat(3, 2)) == 0


def test_colourfulness_of_one_colour_is_three_tenths_of_its_opponents() -> None:
    # rg = 100, yb = 50 - 200 = -150
    assert metrics.colorfulness(flat(100, 0, 200)) == pytest.approx(0.3 * np.hypot(100, -150))


def test_colourfulness_takes_opponents_with_their_sign() -> None:
    half = np.concatenate([flat(255, 0, 0), flat(0, 255, 0)])  # rg = ±255: mean 0, deviation 255; yb = 127.5 everywhere
    assert metrics.colorfulness(half) == pytest.approx(255 + 0.3 * 127.5)


def test_chroma_psnr_of_a_known_error() -> None:
    truth = np.zeros((2, 4, 4), np.float32)
    assert similarity.psnr(metrics.chroma_error(truth + np.float32(0.1), truth)) == pytest.approx(20, abs=1e-5)
    one_plane = truth.copy()
    one_plane[0] = 0.1  # half of the values are right: 3 dB better
    assert similarity.psnr(metrics.chroma_error(one_plane, truth)) == pytest.approx(23.0103, abs=1e-4)
    assert similarity.psnr(0) == float("inf")


def exact_gaussian(mean: np.ndarray, spread: np.ndarray, n: int = 400) -> np.ndarray:
    """Samples whose mean and covariance are exactly these."""
    x = np.random.default_rng(1).normal(size=(n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ np.linalg.cholesky(spread).T + mean


def test_frechet_distance_of_known_gaussians() -> None:
    one = exact_gaussian(np.zeros(3), np.eye(3))
    moved = exact_gaussian(np.array([3, 0, 4]), np.diag([1.0, 4.0, 9.0]))
    # |(3, 0, 4)|² + (1 - 1)² + (2 - 1)² + (3 - 1)²
    assert metrics.frechet_distance(one, moved) == pytest.approx(25 + 5)
    assert metrics.frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_gaussians_that_do_not_commute() -> None:
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    first, second = np.diag([4.0, 1.0]), turn @ np.diag([9.0, 2.0]) @ turn.T
    # for 2x2 matrices tr sqrt(M) = sqrt(tr M + 2 sqrt(det M))
    known = np.trace(first + second) - 2 * np.sqrt(np.trace(first @ second) + 2 * np.sqrt(np.linalg.det(first @ second)))
    found = metrics.frechet_distance(exact_gaussian(np.zeros(2), first), exact_gaussian(np.zeros(2), second))
    assert found == pytest.approx(known)


def test_frechet_distance_survives_fewer_samples_than_dimensions() -> None:
    few = np.random.default_rng(0).normal(size=(10, 30))
    assert metrics.frechet_distance(few, few + 1) == pytest.approx(30)


def test_kernel_distance_of_one_distribution_is_nothing_on_average() -> None:
    rng = np.random.default_rng(0)
    same, spread = metrics.kernel_distance(rng.normal(size=(600, 4)), rng.normal(size=(600, 4)))
    far, _ = metrics.kernel_distance(rng.normal(size=(600, 4)), rng.normal(size=(600, 4)) + 1)
    assert abs(same) < spread
    assert far > 10 * spread


def test_kernel_distance_of_the_same_scenes_is_not_below_nothing() -> None:
    scenes = np.random.default_rng(0).normal(size=(50, 4)).repeat(4, 0) * 3  # four samples of each alike
    assert metrics.kernel_distance(scenes, scenes, group=4) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    with pytest.raises(ValueError, match="cannot be compared"):
        metrics.kernel_distance(scenes, scenes[:-4], group=4)


def test_kernel_distance_of_two_points_is_that_of_the_formula() -> None:
    # d = 1: k(a, a) = (1 + 1)³ = 8, k(a, b) = (2 + 1)³ = 27, k(b, b) = (4 + 1)³ = 125
    mean, spread = metrics.kernel_distance(np.full((4, 1), 1.0), np.full((4, 1), 2.0), subset=3, subsets=2)
    assert (mean, spread) == (pytest.approx(8 + 125 - 2 * 27), 0)


def scene(size: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Luma with texture on the right half and none on the left; no chroma."""
    luma = np.full((size, size), 0.5, np.float32)
    luma[:, size // 2 :] += np.random.default_rng(0).uniform(-0.2, 0.2, (size, size // 2)).astype(np.float32)
    luma[:, : size // 2] += np.linspace(0, 0.01, size // 2, dtype=np.float32)
    return luma, np.zeros((2, size, size), np.float32)


def test_a_spot_of_colour_that_luma_knows_nothing_of_is_a_blotch() -> None:
    luma, chroma = scene()
    chroma[1, 40:60, 20:40] = 0.2
    assert metrics.blotches(luma, chroma) == pytest.approx(400 / 200**2)


@pytest.mark.parametrize(
    ("rows", "columns", "value", "why"),
    [
        (slice(40, 60), slice(140, 160), 0.2, "luma has edges there"),
        (slice(40, 60), slice(20, 40), 0.11, "it is muted"),
        (slice(40, 44), slice(20, 24), 0.2, "it is too small"),
        (slice(20, 80), slice(20, 80), 0.2, "it is too large"),
    ],
)
def test_other_spots_of_colour_are_not_blotches(rows: slice, columns: slice, value: float, why: str) -> None:
    luma, chroma = scene()
    chroma[1, rows, columns] = value
    assert metrics.blotches(luma, chroma) == 0, why


def test_blotches_at_the_rim_of_the_picture_and_side_by_side_are_counted_apart() -> None:
    luma, chroma = scene()
    chroma[0, :20, :20] = 0.3
    chroma[0, 60:80, :20] = -0.3
    assert metrics.blotches(luma, chroma) == pytest.approx(800 / 200**2)


def test_dark_chroma_looks_at_the_darkest_tenth_alone() -> None:
    luma = np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 100)
    chroma = np.zeros((2, 10, 100), np.float32)
    chroma[0, 0], chroma[1, 0], chroma[:, 5] = 0.03, -0.04, 0.4
    assert metrics.dark_chroma(luma, chroma) == pytest.approx(0.05)


def test_gradient_of_a_ramp_is_its_slope() -> None:
    ramp = np.add.outer(np.arange(12) * 0.03, np.arange(12) * 0.04)
    np.testing.assert_allclose(metrics.gradient(ramp)[1:-1, 1:-1], 0.05, rtol=1e-5)


def test_patchiness_sees_colour_change_where_luma_does_not() -> None:
    luma, calm = scene()
    patchy, edged = calm.copy(), calm.copy()
    patchy[0, :, :100] = 0.01 * np.arange(100)  # on the half without texture
    edged[0, :, 100:] = 0.01 * np.arange(100)  # on the textured half
    assert metrics.patchiness(luma, calm) == 0
    assert metrics.patchiness(luma, patchy) == pytest.approx(0.01, rel=0.1)
    assert metrics.patchiness(luma, edged) < 0.001


def test_patchiness_of_grain_is_small() -> None:
    luma, chroma = scene()
    noisy = np.random.default_rng(0).normal(0, 0.01, chroma.shape).astype(np.float32)
    raw = np.hypot(*(metrics.gradient(cv2.GaussianBlur(c, (0, 0), 0.01)) for c in noisy)).mean()
    assert metrics.patchiness(luma, noisy) < 0.5 * raw
