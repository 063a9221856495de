"""Contact sheets: rows of pictures to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.shared.arrays import Picture

GAP = 4


def sheet(rows: Sequence[Sequence[Picture]], height: int = 192) -> Picture:
    """Rows of RGB pictures under one another on white, every picture `height` pixels high, its aspect kept.

    A column is as wide as its widest picture. Raises ValueError where there is none, or rows differ in length.
    """
    scaled = [[resize(picture, height) for picture in row] for row in rows]
    if not scaled or not scaled[0]:
        raise ValueError("a sheet needs at least one picture")
    widths = [max(picture.shape[1] for picture in column) for column in zip(*scaled, strict=True)]
    out = np.full((len(rows) * (height + GAP) - GAP, sum(widths) + GAP * (len(widths) - 1), 3), 255, np.uint8)
    for i, row in enumerate(scaled):
        left = 0
        for picture, width in zip(row, widths, strict=True):
            out[i * (height + GAP) :][:height, left : left + picture.shape[1]] = picture
            left += width + GAP
    return out


def resize(picture: Picture, height: int) -> Picture:
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    kind = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=kind), np.uint8)


def save(path: Path, rows: Sequence[Sequence[Picture]], height: int = 192) -> None:
    """Write a sheet as PNG or JPEG, by its name. Raises OSError where it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(path.suffix, np.ascontiguousarray(sheet(rows, height)[..., ::-1]))
    if not ok:
        raise OSError(f"{path}: cannot be encoded")
    path.write_bytes(data.tobytes())
