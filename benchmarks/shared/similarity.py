"""How alike two pictures are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def psnr(error: float) -> float:
    """Decibels of a mean squared error against a peak of 1, the span of Cb and of Cr; infinite for no error."""
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim(first: Floats, second: Floats) -> float:
    """Mean structural similarity of two planes (H, W) with peak 1: Wang et al. 2004.

    Gaussian window of 11x11 with a deviation of 1.5, K1 = 0.01, K2 = 0.03, over all places where the window lies inside.
    """

    def mean(plane: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5)[5:-5, 5:-5], np.float32)

    x, y = mean(first), mean(second)
    xx, yy, xy = mean(first * first) - x * x, mean(second * second) - y * y, mean(first * second) - x * y
    c1, c2 = np.float32(0.01**2), np.float32(0.03**2)
    return float((((2 * x * y + c1) * (2 * xy + c2)) / ((x * x + y * y + c1) * (xx + yy + c2))).mean(dtype=np.float64))
