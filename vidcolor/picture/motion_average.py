"""A running mean of planes along the motion of the film. Causal: only earlier frames are used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import cv2
import numpy as np

from vidcolor.picture.motion import Match, Motion, match
from vidcolor.picture.planes import Floats

Disagreement = Callable[[Floats, tuple[int, ...]], Floats]
"""From differences (n, h, w) between new planes and the mean to squared deviations of the shape given, in sigmas."""


class MotionAverage:
    """Keeps planes of one shot still; `reset` at every cut.

    What is past loses its weight where the motion cannot be trusted (`motion.match`) and where the new planes say something else
    altogether. So what is uncovered starts anew, and a little flicker rather than a ghost is left.
    """

    def __init__(
        self,
        longest: float,
        max_return_error: float,
        disagreement: Disagreement,
        interpolations: Sequence[int],
        *,
        half: bool = False,
        doubt: float = 1.0,
    ) -> None:
        """`longest`: frames that the mean remembers; `max_return_error` as in `motion.match`; `interpolations`: OpenCV's, for each plane.

        With `half`, motion is matched and trusted at half the size of the planes. `doubt` scales what speaks against a match. Raises
        ValueError where `longest` or `doubt` is not positive.
        """
        if not (longest > 0 and doubt > 0):
            raise ValueError(f"strength and doubt must be above 0, not {longest} frames and {doubt}")
        self._longest, self._doubt = np.float32(longest), np.float32(-0.5 * doubt)
        self._max_return_error, self._disagreement, self._interpolations = max_return_error, disagreement, interpolations
        self._half = half
        self._exp: Any = cv2.exp if half else np.exp  # they differ in the last bit; so frames stay what they were
        self._buffers: Floats | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new shot begins."""
        self._mean: Floats | None = None
        self._weight = np.zeros((0, 0), np.float32)  # how many frames are in the mean, at the size at which motion is matched

    def accept(self, planes: Floats, motion: Motion | None) -> Floats:
        """The mean of planes (n, h, w) and of what `motion` brings from the frame before; without motion the planes themselves."""
        if motion is None or self._mean is None or self._mean.shape != planes.shape:
            height, width = planes.shape[1:]
            self._mean, self._weight = planes, np.ones((height // 2, width // 2) if self._half else (height, width), np.float32)
            return planes
        found = match(motion, self._weight, self._max_return_error)
        then, off = self._differences(self._mean, planes, found)
        doubt = found.doubt + self._disagreement(off, found.doubt.shape)
        weight = found.weight * self._exp(doubt * self._doubt) * found.inside + np.float32(1)
        total = self._full(weight, planes.shape)
        mean = np.empty_like(planes)
        for plane, before, difference in zip(mean, then, off, strict=True):
            cv2.divide(difference, total, dst=difference)
            cv2.add(before, difference, dst=plane)
        self._mean, self._weight = mean, np.minimum(weight, self._longest)
        return mean

    def _differences(self, mean: Floats, planes: Floats, found: Match) -> tuple[Floats, Floats]:
        """The mean where its pixels have moved to, and how far the new planes are from it; in memory that the next frame writes over."""
        places = enlarged(found.x, found.y, planes.shape[:0:-1]) if self._half else (found.x, found.y)
        then, off = self._scratch(planes.shape)
        for before, plane, kind, difference, new in zip(then, mean, self._interpolations, off, planes, strict=True):
            cv2.remap(plane, *places, kind, dst=before, borderMode=cv2.BORDER_REPLICATE)
            cv2.subtract(new, before, dst=difference)
        return then, off

    def _full(self, weight: Floats, shape: tuple[int, ...]) -> Floats:
        return cast(Floats, cv2.resize(weight, shape[:0:-1], interpolation=cv2.INTER_LINEAR)) if self._half else weight

    def _scratch(self, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Two sets of planes that are written anew each frame: fresh memory costs more than the arithmetic."""
        if self._buffers is None or self._buffers.shape[1:] != shape:
            self._buffers = np.empty((2, *shape), np.float32)
        return self._buffers[0], self._buffers[1]


def enlarged(x: Floats, y: Floats, size: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Places in a picture of half the size as places at (width, height): pixel centres stay where they are."""
    two = np.float32(2)
    columns, rows = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    half_columns, half_rows = np.arange(x.shape[1], dtype=np.float32), np.arange(x.shape[0], dtype=np.float32)[:, None]
    across, down = (cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * two for flow in (x - half_columns, y - half_rows))
    return cast(Floats, across + columns), cast(Floats, down + rows)
