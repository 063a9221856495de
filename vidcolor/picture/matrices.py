"""The matrices between R, G, B and luma and chroma, and between the chroma of one and of another. All in network units."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LUMA_WEIGHTS = {
    "bt709": (0.2126, 0.0722),
    "bt601": (0.299, 0.114),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}
"""Kr and Kb of each colour matrix (ITU-R BT.709-6, BT.601-7, BT.2020-2; SMPTE 240M; FCC 73.682)."""


def chroma_block(matrix: str) -> NDArray[np.floating[Any]]:
    """The 2x2 block that takes (Cb, Cr) of BT.709 to those of `matrix`: rows 1 and 2 of M_target · M_709⁻¹.

    Grey maps to grey, so the luma column of these rows is zero.
    """
    return (rgb_to_ycc(matrix) @ np.linalg.inv(rgb_to_ycc("bt709")))[1:, 1:]


def rgb_to_ycc(matrix: str) -> NDArray[np.floating[Any]]:
    """The 3x3 matrix from R, G, B in [0, 1] to Y in [0, 1] and Cb, Cr in [-0.5, 0.5]."""
    red, blue = LUMA_WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    rows = [luma, (np.array([0, 0, 1]) - luma) / (2 - 2 * blue), (np.array([1, 0, 0]) - luma) / (2 - 2 * red)]
    return np.stack(rows).astype(np.float64)


def rgb_offsets(matrix: str) -> NDArray[np.floating[Any]]:
    """(3, 2): what one unit of Cb and of Cr adds to R, G and B at a given luma."""
    return np.linalg.inv(rgb_to_ycc(matrix))[:, 1:]


def to_rgb_units(planes: Floats, matrix: str) -> Floats:
    """RGB (3, h, w) in [0, 1], clipped, of Y, Cb, Cr (3, h, w) in network units of `matrix`."""
    back = np.linalg.inv(rgb_to_ycc(matrix)).astype(np.float32)
    rgb = apply_matrix(back, planes)
    return np.clip(rgb, 0, 1, out=rgb)


def from_rgb_units(rgb: Floats, matrix: str) -> Floats:
    """Y, Cb, Cr (3, h, w) in network units of `matrix`, of RGB (3, h, w) in [0, 1]."""
    return apply_matrix(rgb_to_ycc(matrix).astype(np.float32), rgb)


def apply_matrix(matrix: Floats, planes: Floats) -> Floats:
    """Planes (m, h, w) that are sums of planes (n, h, w), by the rows of a matrix (m, n).

    Not by BLAS, whose threads wait for more work on the cores that the networks need: with it a restyled 1080p frame took a third longer.
    """
    result = np.empty((len(matrix), *planes.shape[1:]), np.float32)
    for row, plane in zip(matrix.tolist(), result, strict=True):
        (share, first), *others = [(share, other) for share, other in zip(row, planes, strict=True) if abs(share) > 1e-7]
        np.multiply(first, np.float32(share), out=plane)
        for share, other in others:
            cv2.scaleAdd(other, share, plane, dst=plane)
    return result
