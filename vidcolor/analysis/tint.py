"""Tells grey film, tinted film and film that is already in colour apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np

from vidcolor.picture.matrices import apply_matrix, chroma_block
from vidcolor.picture.planes import Floats, Planes, shrink_color

Kind = Literal["grey", "tint", "color"]

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
    colored: float  # share of frames that have colours of their own


UNKNOWN = Verdict("grey", 0.0, 0.0, 0.0)
"""What is taken for true of a film that was not looked at yet."""


def judge(samples: Sequence[Planes]) -> Verdict:
    """Judge a film by frames spread over it.

    "color" when a quarter of the frames have colours of their own; else "tint" when chroma is a narrow function of luma, which may
    change from shot to shot, in half of them; else "grey". Raises ValueError where there are no samples.
    """
    if not samples:
        raise ValueError("colour cannot be judged without samples")
    strengths, spreads = np.array([_measure(sample) for sample in samples]).T
    colored = float(np.mean(spreads > NARROW))
    kind: Kind = "color" if colored >= SHARE else "tint" if np.median(strengths) > NEUTRAL else "grey"
    return Verdict(kind, float(np.median(strengths)), float(np.median(spreads)), colored)


def is_grey(planes: Planes) -> bool:
    """Whether one frame has no colours of its own: it is neutral or tinted."""
    return _measure(planes)[1] <= NARROW


def _measure(planes: Planes) -> tuple[float, float]:
    """Strength of chroma, and its spread about the best curve of fourth degree over luma."""
    if planes.cb is None or planes.cr is None:
        return 0.0, 0.0
    luma, chroma = _small(planes)
    strength = float(np.quantile(np.hypot(*chroma), 0.95))
    powers = np.vander(luma, 5)
    curve, *_ = np.linalg.lstsq(powers, chroma.T, rcond=None)
    own = chroma.T - powers @ curve
    return strength, float(np.sqrt(np.mean(np.sum(own**2, axis=1))))


def _small(planes: Planes) -> tuple[Floats, Floats]:
    """Luma (n,) and chroma of BT.709 (2, n) of the picture at SIZE, by way of a size at which rounding to whole codes averages out."""
    layout = planes.layout
    larger = shrink_color(planes, layout.box, (4 * SIZE[1], 4 * SIZE[0]))
    small = np.stack([cast(Floats, cv2.resize(plane, SIZE, interpolation=cv2.INTER_AREA)) for plane in larger])
    back = np.linalg.inv(chroma_block(layout.matrix)).astype(np.float32)
    return small[0].ravel(), apply_matrix(back, small[1:]).reshape(2, -1)
