"""Motion from one picture to the next, found on luma, and how far it can be trusted. Knows no frame and no file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vidcolor.planes import Floats

LUMA_SPREAD = 0.06
"""Difference of exposure-normalised luma (the standard deviation of a frame is 0.25) at which a match counts 0.6."""
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

    def __init__(self, meet: float = 0.4) -> None:
        """`meet`: pixels by which flow there and back may miss each other before a match counts 0.6."""
        self._meet = np.float32(meet)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def trace(self, past: Seen, now: Seen, weight: Floats) -> Trace:
        """Follow every pixel of `now` back into `past`, whose pixels have the weights (h, w) given.

        Doubt grows where luma differs along the flow, and where flow there and back do not meet (Sundaram et al. 2010).
        """
        height, width = now.luma.shape
        across, down = self._motion(now.grey, past.grey, (width, height))
        columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
        x, y = cast(Floats, across + columns), cast(Floats, down + rows)
        returned = self._motion(past.grey, now.grey, (width, height))
        there, luma_then, *returning = fetch((weight, past.luma, *returned), x, y, cv2.INTER_LINEAR)
        doubt = np.square((now.luma - luma_then) * np.float32(1 / LUMA_SPREAD))
        for way, reverse in zip((across, down), returning, strict=True):
            doubt += np.square((way + reverse) / self._meet)
        return Trace(x, y, there, doubt, (x > -1) & (x < width) & (y > -1) & (y < height))

    def _motion(self, grey: Bytes, other: Bytes, size: tuple[int, int]) -> list[Floats]:
        """Flow at (width, height), in pixels of that size: grey(x, y) looks like other(x + flow[0], y + flow[1])."""
        height, width = grey.shape
        flow = cv2.split(self._flow.calc(grey, other, np.zeros((height, width, 2), np.float32)))
        if size == (width, height):
            return cast(list[Floats], list(flow))
        return [
            cast(Floats, cv2.resize(way, size, interpolation=cv2.INTER_AREA) * np.float32(wanted / had))
            for way, wanted, had in zip(flow, size, (width, height), strict=True)
        ]


def see(luma: Floats, size: tuple[int, int]) -> Seen:
    """Luma with mean 0.5 and deviation 0.25, so that flicker is no motion: bytes at half size, for flow; at (width, height)."""
    half = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    mean, deviation = half.mean(dtype=np.float64), half.std(dtype=np.float64)
    scale = 0.25 / max(deviation, 0.02)
    even = np.clip(half * np.float32(scale) + np.float32(0.5 - mean * scale), 0, 1)
    return Seen(np.rint(even * np.float32(255)).astype(np.uint8), cast(Floats, cv2.resize(even, size, interpolation=cv2.INTER_AREA)))


def fetch(planes: Iterable[Floats], x: Floats, y: Floats, interpolation: int) -> list[Floats]:
    """The values of each plane (h, w) at x and y (h, w).

    One by one: four of them woven into one array and taken apart again took twice as long.
    """
    return [cast(Floats, cv2.remap(plane, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)) for plane in planes]
