"""Keeps colour still within a shot: chroma is averaged along the motion of luma. Causal: only earlier frames are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from vidcolor.picture.motion_average import MotionAverage
from vidcolor.picture.planes import Floats
from vidcolor.stages.base import Frame, parts

LONGEST = 8.0
"""Frames that the running mean remembers at strength 1."""
MAX_RETURN_ERROR_PX = 0.4
"""Sigma, in pixels of chroma, of the Gaussian weight of how far flow there and back miss each other."""
CHROMA_SPREAD = 0.1
"""Sigma of the Gaussian weight of the difference between the mean and the network's new answer."""


class SteadyColor:
    """Stage: `work.chroma` becomes a running mean along motion; where there is none, at the beginning of a shot, it begins anew.

    Answers count alike: weighed by confidence the mean would fade, since the network is surest of grey.
    """

    needs, gives, held = parts("motion", "chroma", "color source"), parts("chroma"), 0

    def __init__(self, strength: float = 1.0) -> None:
        """`strength` scales how many frames are remembered. Raises ValueError where it is not positive."""
        # Cubic, because the mean is moved once a frame: linear interpolation would blur it away.
        self._mean = MotionAverage(LONGEST * strength, MAX_RETURN_ERROR_PX, _disagreement, (cv2.INTER_CUBIC,) * 2)

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with chroma steadied. Raises ValueError where a frame that is to be coloured has no chroma."""
        for frame in frames:
            if frame.color_source == "made":
                if frame.work.chroma is None:
                    raise ValueError("the frame has no chroma to be steadied")
                frame.work.chroma = self._mean.accept(frame.work.chroma, frame.work.motion)
            else:
                self._mean.reset()
            yield frame


def _disagreement(off: Floats, _: tuple[int, ...]) -> Floats:
    return np.asarray(np.square(off / np.float32(CHROMA_SPREAD)).sum(axis=0), np.float32)
