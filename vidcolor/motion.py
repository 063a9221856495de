"""Motion from one picture to the next, found on luma, and how far it can be trusted. Knows no frame and no file."""

from __future__ import annotations

from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vidcolor.planes import Floats

LUMA_SPREAD = 0.06
"""Difference of exposure-normalised luma (the standard deviation of a frame is 0.25) at which a match counts 0.6."""
MEET = 0.4
"""Pixels by which flow there and back may miss each other before a match counts 0.6."""

Bytes = NDArray[np.uint8]


class Seen(NamedTuple):
    """Luma of one picture, exposure-normalised: bytes for flow, and floats (h, w) at the size at which motion is wanted."""

    grey: Bytes
    luma: Floats


class Trace(NamedTuple):
    """Where the pixels (h, w) of a picture lay in the one before: columns x and rows y there, in pixels of that size.

    `weight` is what was asked for at that place, `doubt` squared deviations that speak against the match, `inside` whether the
    place lies in the picture at all.
    """

    x: Floats
    y: Floats
    weight: Floats
    doubt: Floats
    inside: NDArray[np.bool_]


class Flow:
    """Dense inverse search flow (Kroeger et al. 2016)."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def trace(self, past: Seen, now: Seen, weight: Floats) -> Trace:
        """Follow every pixel of `now` back into `past`, whose pixels have the weights (h, w) given.

        Doubt grows where luma differs along the flow, and where flow there and back do not meet (Sundaram et al. 2010).
        """
        height, width = now.luma.shape
        back, forth = self._motion(now.grey, past.grey, (width, height)), self._motion(past.grey, now.grey, (width, height))
        columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
        x, y = cast(Floats, back[..., 0] + columns), cast(Floats, back[..., 1] + rows)
        there, luma_then, *returned = np.moveaxis(fetch(np.dstack([weight, past.luma, forth]), x, y, cv2.INTER_LINEAR), 2, 0)
        doubt = (
            np.square((now.luma - luma_then) / np.float32(LUMA_SPREAD))
            + np.square((back + np.dstack(returned)) / np.float32(MEET)).sum(axis=2)
        )  # fmt: skip
        return Trace(x, y, there, doubt, (x > -1) & (x < width) & (y > -1) & (y < height))

    def _motion(self, grey: Bytes, other: Bytes, size: tuple[int, int]) -> Floats:
        """Flow at (width, height), in pixels of that size: grey(x) looks like other(x + flow(x))."""
        height, width = grey.shape
        flow = self._flow.calc(grey, other, np.zeros((height, width, 2), np.float32))
        scale = np.array([size[0] / width, size[1] / height], np.float32)
        return cast(Floats, cv2.resize(flow, size, interpolation=cv2.INTER_AREA) * scale)


def see(luma: Floats, size: tuple[int, int]) -> Seen:
    """Luma with mean 0.5 and deviation 0.25, so that flicker is no motion: bytes at half size, for flow; at (width, height)."""
    half = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    mean, deviation = half.mean(dtype=np.float64), half.std(dtype=np.float64)
    scale = 0.25 / max(deviation, 0.02)
    even = np.clip(half * np.float32(scale) + np.float32(0.5 - mean * scale), 0, 1)
    return Seen(np.rint(even * np.float32(255)).astype(np.uint8), cast(Floats, cv2.resize(even, size, interpolation=cv2.INTER_AREA)))


def fetch(planes: Floats, x: Floats, y: Floats, interpolation: int) -> Floats:
    """The values of planes (h, w, n) at x and y (h, w)."""
    return cast(Floats, cv2.remap(planes, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE))
