"""Frames made by hand, for stages."""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.picture.planes import Floats, Planes
from vidcolor.stages.base import ColorSource, Frame, Work

SIZE = (128, 192)
"""Of the pictures that `texture` gives, but for their width."""


def frame_of(
    number: int, pts: int, planes: Planes, work: Work, shot: int = 0, place: int = 0, color_source: ColorSource | None = None
) -> Frame:
    """A frame that was shrunk; without a word, its colour was made where it has chroma, else it is the film's own, if there is any."""
    source = color_source or ("made" if work.chroma is not None else "film" if planes.cb is not None else "none")
    return Frame(number, pts, planes, source, shot, place, shrunk=work)


def texture(seed: int, width: int = 320) -> Floats:
    """Luma with coarse and fine detail, of its own for every seed."""
    rng = np.random.default_rng(seed)
    fine = cv2.resize(rng.random((32, width // 4), dtype=np.float32), (width, SIZE[0]), interpolation=cv2.INTER_CUBIC)
    coarse = cv2.resize(rng.random((6, width // 20), dtype=np.float32), (width, SIZE[0]), interpolation=cv2.INTER_CUBIC)
    return (0.5 * fine + 0.5 * coarse).clip(0, 1)
