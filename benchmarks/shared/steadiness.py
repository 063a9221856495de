"""How well colour holds together over time: warp error of chroma, and consistency of colour distributions (docs/design.md, section 8).

Flow comes from the source's luma alone, so it is the same for every coloured version of a clip and for the true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.arrays import Array, Picture

Floats = NDArray[np.float32]
INTERVALS = (1, 2, 4)
"""Frames apart at which colour distributions are compared (Liu et al. 2021, TCVC)."""


class Path(NamedTuple):
    """Where the pixels of a frame were in an earlier one: map (H, W, 2) of x and y for cv2.remap, visible (H, W) bool."""

    places: Floats
    visible: NDArray[np.bool_]


def flow(frame: Floats, other: Floats) -> Floats:
    """Motion (H, W, 2) of luma in [0, 1]: frame(x) looks like other(x + motion(x)). Dense inverse search (Kroeger et al. 2016)."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    first, second = (np.asarray(np.rint(np.clip(x, 0, 1) * 255), np.uint8) for x in (frame, other))
    return np.asarray(search.calc(first, second, np.zeros((*frame.shape, 2), np.float32)), np.float32)


def trace(frame: Floats, earlier: Floats) -> Path:
    """Flow from a frame back to an earlier one, and where it can be trusted.

    A pixel is hidden where the flow there and back does not meet, |f + b|² > 0.01 (|f|² + |b|²) + 0.5, at edges of the motion,
    |∇f|² > 0.01 |f|² + 0.002 (Ruder et al. 2016; Lai et al. 2018), and where it comes from outside the frame.
    """
    height, width = frame.shape
    back, forth = flow(frame, earlier), flow(earlier, frame)
    places = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1) + back
    returned = bring(forth, places)
    apart, length = square(back + returned), square(back) + square(returned)
    down, across = np.gradient(back, axis=(0, 1))
    inside = (places >= 0).all(-1) & (places[..., 0] <= width - 1) & (places[..., 1] <= height - 1)
    agreed = apart <= 0.01 * length + 0.5
    smooth = square(down) + square(across) <= 0.01 * square(back) + 0.002
    return Path(places, inside & agreed & smooth)


def bring(plane: Floats, places: Floats) -> Floats:
    """Values (H, W, C) read at `places` (H, W, 2), linear; the border goes on outside."""
    across, down = (np.ascontiguousarray(places[..., i]) for i in (0, 1))
    return np.asarray(cv2.remap(plane, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def square(vectors: Any) -> Floats:
    """Squared length of the vectors of the last axis."""
    return np.asarray(np.square(vectors).sum(-1), np.float32)


def warp_error(chroma: Array, earlier: Array, path: Path) -> float | None:
    """Mean squared difference of chroma (2, H, W) and the earlier one brought along the path, over Cb and Cr of visible pixels.

    None where nothing is visible.
    """
    if not path.visible.any():
        return None
    stacked = np.ascontiguousarray(np.moveaxis(earlier.astype(np.float32), 0, -1))
    moved = bring(stacked, path.places)
    return float(np.square(np.moveaxis(chroma, 0, -1) - moved, dtype=np.float64)[path.visible].mean())


def histograms(rgb: Picture) -> NDArray[np.floating[Any]]:
    """(3, 256): the share of each value in R, G and B."""
    return np.stack([np.bincount(rgb[..., i].ravel(), minlength=256) for i in range(3)]) / (rgb.size / 3)


def divergence(first: Array, second: Array) -> float:
    """Jensen–Shannon divergence of two distributions, natural logarithm: from 0 to ln 2."""
    middle = (first + second) / 2
    parts = (np.sum(p[p > 0] * np.log(p[p > 0] / middle[p > 0])) for p in (first, second))
    return float(sum(parts)) / 2


def distribution_consistency(shares: Sequence[Array], shots: Sequence[int]) -> float:
    """CDC (Liu et al. 2021): mean divergence of the histograms of frames 1, 2 and 4 apart, equal weights, mean over R, G and B.

    `shares` from `histograms`, of frames of one size (the number depends on it); pairs across a cut, told by `shots`, do not
    count. A grey clip scores as well as the true one: never quote it without colourfulness. Raises ValueError without a pair.
    """
    means = []
    for step in INTERVALS:
        pairs = [(i, i + step) for i in range(len(shares) - step) if shots[i] == shots[i + step]]
        if pairs:
            means.append(np.mean([[divergence(shares[i][c], shares[j][c]) for c in range(3)] for i, j in pairs]))
    if not means:
        raise ValueError("no two frames of one shot to compare")
    return float(np.mean(means))
