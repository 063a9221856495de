"""Keeps a restyled shot still: its planes are averaged along the motion of the film. Causal: only earlier frames are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import cv2
import numpy as np

from vidcolor.picture.motion_average import MotionAverage
from vidcolor.picture.planes import Floats
from vidcolor.stages.base import Frame, parts

LONGEST = 4.0
"""Frames that the running mean remembers at strength 1."""
MAX_RETURN_ERROR_PX = 1.0
"""Sigma, in pixels at half size, of the Gaussian weight of how far flow there and back miss each other: paint is coarser than the film, and
may be carried where chroma may not. With 0.4 the warp error is a fifth larger."""
STYLE_SPREAD = 0.16
"""Sigma of the Gaussian weight of the difference between the mean and the network's new answer, all planes together."""
DIFFERENCE_WINDOW = 3
"""Side of the square, at half size, over which that difference is averaged first: shimmer cancels out in it, another thing does not.

With hard-edged paint on a pan under grain (sigma 6), 18.4 levels of wobble become 5.8; 14.5 with the difference of every pixel alone.
"""
INTERPOLATIONS = (cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_LINEAR)
"""How the mean's planes are sampled: linear would blur luma from frame to frame; in chroma nobody sees it, and it costs a third."""


class SteadyStyle:
    """Stage: `work.styled` becomes a running mean along motion; where there is none, at the beginning of a shot, and with every change of
    style it begins anew.

    Motion is trusted at half the style size. What moves apart from it, and where the network now paints something else, loses its past.
    """

    needs, gives, held = parts("motion", "styled"), parts("styled"), 0

    def __init__(self, strength: float = 1.0, doubt: float = 1.0) -> None:
        """`strength` scales how many frames are remembered, `doubt` what speaks against a match, squared. Raises ValueError where one of
        them is not positive."""
        self._mean = MotionAverage(LONGEST * strength, MAX_RETURN_ERROR_PX, _disagreement, INTERPOLATIONS, half=True, doubt=doubt)

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with styled steadied. Raises ValueError where a frame was not restyled."""
        style: int | None = None
        for frame in frames:
            work = frame.work
            if work.styled is None:
                raise ValueError("the frame was not restyled")
            if work.style != style:
                style = work.style
                self._mean.reset()
            work.styled = self._mean.accept(work.styled, work.motion)
            yield frame


def _disagreement(off: Floats, size: tuple[int, ...]) -> Floats:
    """Squared differences at `size`, each pixel of them first the mean of its neighbourhood."""
    window = (DIFFERENCE_WINDOW, DIFFERENCE_WINDOW)
    around = [cv2.blur(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA), window) for plane in off]
    total = cv2.multiply(around[0], around[0])
    for plane in around[1:]:
        cv2.accumulateSquare(plane, total)
    return cast(Floats, total * np.float32(1 / STYLE_SPREAD**2))
