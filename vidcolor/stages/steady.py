"""Keeps colour still within a shot: chroma is averaged along the motion of luma. Causal: only earlier frames are used."""

from __future__ import annotations

from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vidcolor.frames import Frame
from vidcolor.planes import Floats

LONGEST = 8.0
"""Frames that the running mean remembers at strength 1."""
LUMA_SPREAD = 0.06
"""Difference of exposure-normalised luma (the standard deviation of a frame is 0.25) at which a match counts 0.6."""
MEET = 0.4
"""Pixels of chroma size by which flow there and back may miss each other before a match counts 0.6."""
CHROMA_SPREAD = 0.1
"""Difference between the mean and the network's new answer at which the mean counts 0.6."""

Bytes = NDArray[np.uint8]


class Past(NamedTuple):
    """The frame before: normalised luma for flow and at chroma size, mean chroma (2, h, w), and how many frames are in that mean."""

    grey: Bytes
    luma: Floats
    chroma: Floats
    weight: Floats


class Steady:
    """Running mean of chroma along flow, for one film; `reset` at every cut.

    Past frames lose their weight where the motion cannot be trusted: where luma differs along it, where flow there and back do not
    meet (Sundaram et al. 2010), and where the network now says something else altogether. So what is uncovered starts anew, and
    a little flicker rather than a ghost is left. Answers count alike: weighed by confidence the mean would fade, since the
    network is surest of grey.
    """

    def __init__(self, strength: float = 1.0) -> None:
        """`strength` scales how many frames are remembered. Raises ValueError where it is not positive."""
        if not strength > 0:
            raise ValueError(f"strength must be above 0, not {strength}")
        self._longest = np.float32(LONGEST * strength)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._past: Past | None = None

    def reset(self) -> None:
        """Forget everything: a new shot begins."""
        self._past = None

    def propose(self, frame: Frame) -> Floats | None:
        """Hints for the network: none. What earlier frames say is averaged into its answer instead."""
        return None

    def accept(self, frame: Frame, chroma: Floats, confidence: Floats) -> Floats:
        """Steadied chroma (2, h, w) for the network's `chroma` (2, h, w); `confidence` (h, w) is not used."""
        height, width = chroma.shape[1:]
        grey, luma = _normalised(frame.work.luma, (width, height))
        if self._past is None or self._past.luma.shape != luma.shape:
            self._past = Past(grey, luma, chroma, np.ones_like(luma))
            return chroma
        carried, weight = self._carried(self._past, grey, luma, chroma)
        total = weight + np.float32(1)
        mean = carried + (chroma - carried) / total
        self._past = Past(grey, luma, mean, np.minimum(total, self._longest))
        return mean

    def _carried(self, past: Past, grey: Bytes, luma: Floats, chroma: Floats) -> tuple[Floats, Floats]:
        """The mean of the past brought to this frame, and the weight that it has here."""
        height, width = luma.shape
        back, forth = self._motion(grey, past.grey, (width, height)), self._motion(past.grey, grey, (width, height))
        columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
        x, y = cast(Floats, back[..., 0] + columns), cast(Floats, back[..., 1] + rows)
        # Cubic, because the mean is moved once a frame: linear interpolation would blur it away.
        mean = np.moveaxis(_fetch(np.dstack(tuple(past.chroma)), x, y, cv2.INTER_CUBIC), 2, 0)
        weight, luma_then, *returned = np.moveaxis(_fetch(np.dstack([past.weight, past.luma, forth]), x, y, cv2.INTER_LINEAR), 2, 0)
        doubt = (
            np.square((luma - luma_then) / np.float32(LUMA_SPREAD))
            + np.square((back + np.dstack(returned)) / np.float32(MEET)).sum(axis=2)
            + np.square((mean - chroma) / np.float32(CHROMA_SPREAD)).sum(axis=0)
        )
        inside = (x > -1) & (x < width) & (y > -1) & (y < height)
        return mean, weight * np.exp(doubt * np.float32(-0.5)) * inside

    def _motion(self, grey: Bytes, other: Bytes, size: tuple[int, int]) -> Floats:
        """Flow at (width, height), in pixels of that size: grey(x) looks like other(x + flow(x)). Kroeger et al. 2016."""
        height, width = grey.shape
        flow = self._flow.calc(grey, other, np.zeros((height, width, 2), np.float32))
        scale = np.array([size[0] / width, size[1] / height], np.float32)
        return cast(Floats, cv2.resize(flow, size, interpolation=cv2.INTER_AREA) * scale)


def _normalised(luma: Floats, size: tuple[int, int]) -> tuple[Bytes, Floats]:
    """Luma with mean 0.5 and deviation 0.25, so that flicker is no motion: bytes at half size, for flow; at (width, height)."""
    half = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    mean, deviation = half.mean(dtype=np.float64), half.std(dtype=np.float64)
    scale = 0.25 / max(deviation, 0.02)
    even = np.clip(half * np.float32(scale) + np.float32(0.5 - mean * scale), 0, 1)
    return np.rint(even * np.float32(255)).astype(np.uint8), cast(Floats, cv2.resize(even, size, interpolation=cv2.INTER_AREA))


def _fetch(planes: Floats, x: Floats, y: Floats, interpolation: int) -> Floats:
    """The values of planes (h, w, n) at x and y (h, w)."""
    return cast(Floats, cv2.remap(planes, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE))
