"""Tells grey film, tinted film and film that is already in colour apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np

from vidcolor.frames import Frame
from vidcolor.planes import Floats, Planes, chroma_units, luma_units

Kind = Literal["grey", "tint", "colour"]

SIZE = (48, 36)
"""Width and height at which colour is judged: far above grain and the blocks of a codec."""
NEUTRAL = 0.012
"""Chroma of a frame (95th percentile) that still counts as grey: about three code values of 8 bit."""
NARROW = 0.0055
"""Spread of chroma about a curve of luma (root mean square) that is a tint: sepia after JPEG 0.003 to 0.005, dull film from 0.007."""
SHARE = 0.25
"""Share of frames with colours of their own from which on a film is in colour."""
DARK = 0.25
"""Luma of a frame (95th percentile) below which its colours may be too faint to be told from none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a film is, and why. Chroma in network units, medians over the frames."""

    kind: Kind
    strength: float  # 95th percentile of chroma in a frame
    spread: float  # of chroma about a curve of luma
    coloured: float  # share of frames that have colours of their own


def judge(samples: Sequence[Planes]) -> Verdict:
    """Judge a film by frames spread over it.

    "colour" when a quarter of the frames have colours of their own; else "tint" when chroma is a narrow function of luma, which may
    change from shot to shot, in half of them; else "grey". Raises ValueError where there are no samples.
    """
    if not samples:
        raise ValueError("colour cannot be judged without samples")
    strengths, spreads = np.array([_measure(sample) for sample in samples]).T
    coloured = float(np.mean(spreads > NARROW))
    kind: Kind = "colour" if coloured >= SHARE else "tint" if np.median(strengths) > NEUTRAL else "grey"
    return Verdict(kind, float(np.median(strengths)), float(np.median(spreads)), coloured)


def is_grey(planes: Planes) -> bool:
    """Whether one frame has no colours of its own: it is neutral or tinted."""
    return _measure(planes)[1] <= NARROW


class OnlyGrey:
    """Marks the frames of a shot `keep` when its first frame that can be judged is in colour.

    A fade leads through black, often without a cut, and a black frame looks grey: after frames that are dark the judgement is made
    anew, and while they are dark a frame with colours of its own is kept.
    """

    held = 0

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with `keep` set."""
        shot, keep, judged = None, False, False
        for frame in frames:
            if frame.shot != shot:
                shot, keep, judged = frame.shot, False, False
            dark = float(np.quantile(frame.work.luma[::8, ::8], 0.95)) < DARK
            if dark:
                keep = keep or not is_grey(frame.source)
            elif not judged:
                keep = not is_grey(frame.source)
            judged = not dark
            frame.keep = keep
            yield frame


def _measure(planes: Planes) -> tuple[float, float]:
    """Strength of chroma, and its spread about the best curve of fourth degree over luma."""
    if planes.cb is None or planes.cr is None:
        return 0.0, 0.0
    luma = _small(luma_units(planes.y, planes.layout)).ravel()
    chroma = np.stack([_small(plane).ravel() for plane in chroma_units(planes)])
    strength = float(np.quantile(np.hypot(*chroma), 0.95))
    powers = np.vander(luma, 5)
    curve, *_ = np.linalg.lstsq(powers, chroma.T, rcond=None)
    own = chroma.T - powers @ curve
    return strength, float(np.sqrt(np.mean(np.sum(own**2, axis=1))))


def _small(plane: Floats) -> Floats:
    return cast(Floats, cv2.resize(plane, SIZE, interpolation=cv2.INTER_AREA))
