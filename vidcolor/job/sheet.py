"""A contact sheet of pairs: before above, after below."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidcolor.planes import Planes, luma_units, rgb_offsets

Rgb = NDArray[np.uint8]


def to_rgb(planes: Planes) -> Rgb:
    """Planes as a picture for the eye: uint8 (height, width, 3), clipped, by the layout's own matrix; chroma is spread linearly."""
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


def before_after(pairs: Sequence[tuple[Planes, Planes]], width: int = 1920, gap: int = 4) -> Rgb:
    """Pairs side by side, each before above after, `width` pixels in all: uint8 (h, width, 3).

    Raises ValueError without pairs.
    """
    if not pairs:
        raise ValueError("a sheet needs at least one pair")
    each = (width - gap * (len(pairs) - 1)) // len(pairs)
    columns = []
    for pair in pairs:
        height = round(each * pair[0].layout.height / pair[0].layout.width)
        shown = [cv2.resize(to_rgb(p), (each, height), interpolation=cv2.INTER_AREA) for p in pair]
        columns.append(np.vstack([shown[0], np.full((gap, each, 3), 255, np.uint8), shown[1]]))
    sheet = np.full((columns[0].shape[0], width, 3), 255, np.uint8)
    for i, column in enumerate(columns):
        left = i * (each + gap)
        sheet[: column.shape[0], left : left + each] = column[: sheet.shape[0]]
    return sheet
