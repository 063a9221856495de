"""The last part of the vividness dial: chroma louder or softer, but never beyond natural colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from vidcolor.picture.planes import Floats
from vidcolor.stages.base import Frame, parts

LARGEST = 0.45
"""Chroma is kept inside this radius: hardly any natural colour lies outside it."""


class Amplify:
    """Stage: multiplies the chroma that was made. After steadiness, whose measures know chroma as the network gives it."""

    needs, gives, held = parts("chroma", "color source"), parts("chroma"), 0

    def __init__(self, gain: float) -> None:
        self._gain = gain

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with chroma amplified."""
        for frame in frames:
            if frame.color_source == "made" and frame.work.chroma is not None:
                frame.work.chroma = amplify(frame.work.chroma, self._gain)
            yield frame


def amplify(chroma: Floats, gain: float) -> Floats:
    """Chroma (2, h, w) times `gain`, its length held below LARGEST."""
    louder = chroma * np.float32(gain)
    length = np.hypot(louder[0], louder[1])
    held = np.minimum(1, LARGEST / np.maximum(length, 1e-6))
    return np.asarray(louder * held, np.float32)
