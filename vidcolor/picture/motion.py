"""Motion from one picture to the next, found on luma, and how far it can be trusted. Knows no frame and no file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vidcolor.picture.planes import Floats

LUMA_SPREAD = 0.06
"""Sigma of the Gaussian weight of a difference of exposure-normalised luma, whose own standard deviation is 0.25."""
Bytes = NDArray[np.uint8]


class MotionView(NamedTuple):
    """Luma of one picture with mean 0.5 and deviation 0.25, at half its size: bytes for flow, and floats."""

    grey: Bytes
    luma: Floats


class Motion(NamedTuple):
    """How one picture follows from the one before it: both views, and flow (columns, rows) from each to the other, in their pixels."""

    now: MotionView
    past: MotionView
    back: list[Floats]
    forth: list[Floats]


class Match(NamedTuple):
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
    """Dense inverse search flow (Kroeger et al. 2016), there and back."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def between(self, past: MotionView, now: MotionView) -> Motion:
        """The motion from `past` to `now`, which are of one size."""
        return Motion(now, past, self._find(now.grey, past.grey), self._find(past.grey, now.grey))

    def _find(self, grey: Bytes, other: Bytes) -> list[Floats]:
        """grey(x, y) looks like other(x + flow[0], y + flow[1])."""
        return cast(list[Floats], list(cv2.split(self._flow.calc(grey, other, np.zeros((*grey.shape, 2), np.float32)))))


def prepare(luma: Floats) -> MotionView:
    """What flow looks at, of luma (H, W): half its size, its exposure evened out, so that flicker is no motion."""
    half = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    mean, deviation = half.mean(dtype=np.float64), half.std(dtype=np.float64)
    scale = 0.25 / max(deviation, 0.02)
    even = np.clip(half * np.float32(scale) + np.float32(0.5 - mean * scale), 0, 1)
    return MotionView(np.rint(even * np.float32(255)).astype(np.uint8), even)


def match(motion: Motion, weight: Floats, max_return_error: float) -> Match:
    """Follow every pixel of a picture back into the one before, whose pixels have the weights (h, w) given, at the size of these.

    Doubt grows where luma differs along the flow, and where flow there and back do not meet (Sundaram et al. 2010):
    `max_return_error` is the sigma, in pixels of that size, of the Gaussian weight of how far they miss each other.
    """
    height, width = weight.shape
    now, past = (_sized(view.luma, (width, height)) for view in (motion.now, motion.past))
    across, down = _scaled(motion.back, (width, height))
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    x, y = cast(Floats, across + columns), cast(Floats, down + rows)
    there, luma_then, *returning = sample_at((weight, past, *_scaled(motion.forth, (width, height))), x, y, cv2.INTER_LINEAR)
    doubt = np.square((now - luma_then) * np.float32(1 / LUMA_SPREAD))
    for way, reverse in zip((across, down), returning, strict=True):
        doubt += np.square((way + reverse) / np.float32(max_return_error))
    return Match(x, y, there, doubt, (x > -1) & (x < width) & (y > -1) & (y < height))


def _sized(plane: Floats, size: tuple[int, int]) -> Floats:
    return plane if plane.shape[::-1] == size else cast(Floats, cv2.resize(plane, size, interpolation=cv2.INTER_AREA))


def _scaled(flow: list[Floats], size: tuple[int, int]) -> list[Floats]:
    """Flow at (width, height), in pixels of that size."""
    height, width = flow[0].shape
    if size == (width, height):
        return flow
    return [_sized(way, size) * np.float32(wanted / had) for way, wanted, had in zip(flow, size, (width, height), strict=True)]


def sample_at(planes: Iterable[Floats], x: Floats, y: Floats, interpolation: int) -> list[Floats]:
    """The values of each plane (h, w) at x and y (h, w).

    One by one: four of them woven into one array and taken apart again took twice as long.
    """
    return [cast(Floats, cv2.remap(plane, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)) for plane in planes]
