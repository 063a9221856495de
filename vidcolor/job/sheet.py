"""A contact sheet of pairs: before above, after below."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidcolor.picture.matrices import rgb_offsets
from vidcolor.picture.planes import Planes, luma_units

Rgb = NDArray[np.uint8]
SHAPE = 1.5
"""Width by height that a sheet comes near to, so that it fills a screen."""


def to_screen(planes: Planes) -> Rgb:
    """Planes of any layout for the eye: uint8 (height, width, 3), clipped; HDR through its tone curve, chroma spread linearly."""
    layout = planes.layout
    luma = luma_units(planes.y, layout)
    if planes.cb is None or planes.cr is None:
        return np.repeat(np.round(luma * 255).astype(np.uint8)[..., None], 3, 2)
    neutral, span = layout.chroma_codes
    size = (luma.shape[1], luma.shape[0])
    units = ((c.astype(np.float32) - neutral) / np.float32(span) for c in (planes.cb, planes.cr))
    chroma = np.stack([cv2.resize(c, size, interpolation=cv2.INTER_LINEAR) for c in units], -1)
    rgb = luma[..., None] + chroma @ rgb_offsets(layout.matrix).astype(np.float32).T
    return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def before_after(
    pairs: Sequence[tuple[Planes, Planes]], width: int = 1920, gap: int = 4, *, turns: int = 0, sample_aspect: float = 1
) -> Rgb:
    """Pairs in rows, each before above after, `width` pixels in all: uint8 (h, width, 3).

    Pictures are shown as a player shows them: `sample_aspect` is the width of a sample by its height, `turns` quarters
    counter-clockwise to upright. Raises ValueError without pairs.
    """
    if not pairs:
        raise ValueError("a sheet needs at least one pair")
    layout = pairs[0][0].layout
    aspect = layout.width * sample_aspect / layout.height
    aspect = max(0.1, min(10, 1 / aspect if turns % 2 else aspect))
    across = min(range(1, len(pairs) + 1), key=lambda n: abs(math.log(n * aspect / (2 * -(-len(pairs) // n)) / SHAPE)))
    each = (width - gap * (across - 1)) // across
    height = max(1, round(each / aspect))
    cell = 2 * (height + gap)
    sheet = np.full((cell * -(-len(pairs) // across) - gap, width, 3), 255, np.uint8)
    for i, pair in enumerate(pairs):
        top, left = i // across * cell, i % across * (each + gap)
        for planes, start in zip(pair, (top, top + height + gap), strict=True):
            upright = np.ascontiguousarray(np.rot90(to_screen(planes), turns))
            sheet[start : start + height, left : left + each] = cv2.resize(upright, (each, height), interpolation=cv2.INTER_AREA)
    return sheet
