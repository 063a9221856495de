"""What restyled pictures are judged by, apart from the style itself. NumPy and OpenCV only; each has a test with a known answer.

Pictures are RGB (3, H, W) in [0, 1], planes are Y, Cb and Cr (3, H, W); float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.similarity import ssim
from benchmarks.shared.steadiness import Path, square

Floats = NDArray[np.float32]
STILL_FLOW, STILL_LUMA, STILL_BLUR = 0.25, 1.0, 2.0
"""Pixels of motion, levels of blurred luma, and pixels of that blur, up to which a place counts as still."""
STILL_SHARE = 0.01
"""Of the picture that must be still for the pair to count."""
PAN_STEP, PAN_FRAMES, PAN_SIZE = 2, 10, (480, 640)
GRAIN = 6.0


def ssim_256(first: Floats, second: Floats) -> float:
    """The same after averaging over round(short side / 256) pixels, as the authors advise for large pictures."""
    factor = max(1, round(min(first.shape) / 256))
    size = first.shape[1] // factor, first.shape[0] // factor
    small = (np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32) for plane in (first, second))
    return ssim(*small)


def still(luma: Floats, earlier: Floats, path: Path) -> NDArray[np.bool_] | None:
    """Where the film stands still (H, W) between two of its frames; None where that is less than a hundredth of the picture.

    Flow can be trusted and is at most a quarter of a pixel, and luma, blurred by a Gaussian of 2 pixels so that grain is no
    motion, changes by at most one level of 255.
    """
    height, width = luma.shape
    grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)
    change = cv2.GaussianBlur(luma - earlier, (0, 0), STILL_BLUR)
    found = path.visible & (square(path.places - grid) <= STILL_FLOW**2) & (np.abs(change) <= STILL_LUMA / 255)
    return np.asarray(found) if found.mean() >= STILL_SHARE else None


class Shimmer:
    """Gathers the absolute change of RGB, in levels of 255, where the film stands still."""

    def __init__(self) -> None:
        self.counts = np.zeros(256, np.int64)

    def add(self, rgb: Floats, earlier: Floats, where: NDArray[np.bool_] | None) -> None:
        if where is not None:
            change = np.rint(np.abs(rgb - earlier)[:, where] * 255).astype(np.int64)
            self.counts += np.bincount(change.ravel(), minlength=256)

    def scores(self) -> dict[str, float]:
        """Mean and 99th percentile; empty where nothing stood still."""
        total = int(self.counts.sum())
        if not total:
            return {}
        shares = np.cumsum(self.counts) / total
        return {"still": float(self.counts @ np.arange(256)) / total, "still_p99": float(np.searchsorted(shares, 0.99))}


class Pan(NamedTuple):
    """A pan over a still photo, RGB uint8 (H, W, 3) a frame, without and with grain."""

    clean: list[NDArray[np.uint8]]
    noisy: list[NDArray[np.uint8]]


def pan(photo: NDArray[np.uint8], seed: int = 0) -> Pan:
    """Ten frames of 640x480 of a photo (H, W, 3), each cut two pixels further to the right than the one before.

    The photo is brought to a height of 480. Grain is normal with a deviation of 6 levels, the same in R, G and B, new in every frame.
    Raises ValueError for a photo that is too narrow.
    """
    (height, width), reach = PAN_SIZE, PAN_STEP * (PAN_FRAMES - 1)
    wide = round(photo.shape[1] * height / photo.shape[0])
    if wide < width + reach:
        raise ValueError(f"a photo of {photo.shape[1]}x{photo.shape[0]} is too narrow for a pan of 640x480")
    kind = cv2.INTER_AREA if height < photo.shape[0] else cv2.INTER_CUBIC
    large = np.asarray(cv2.resize(photo, (wide, height), interpolation=kind), np.uint8)
    left = (wide - width - reach) // 2
    clean = [np.ascontiguousarray(large[:, left + PAN_STEP * i :][:, :width]) for i in range(PAN_FRAMES)]
    rng = np.random.default_rng(seed)
    return Pan(clean, [grained(frame, rng) for frame in clean])


def grained(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    noise = rng.normal(0, GRAIN, (*rgb.shape[:2], 1))
    return np.asarray(np.rint(np.clip(rgb + noise, 0, 255)), np.uint8)


def wobble(frames: Sequence[Floats]) -> float:
    """Mean absolute difference, in levels of 255, of each frame (3, H, W) of a pan and the one before moved by the true motion."""
    changes = (np.abs(now[..., :-PAN_STEP] - before[..., PAN_STEP:]).mean(dtype=np.float64) for before, now in pairwise(frames))
    return 255 * float(np.mean(list(changes)))
