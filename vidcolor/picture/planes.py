"""Planes of a picture, how their code values are laid out, and the arithmetic between code values and network units.

Network units: luma gamma-coded, full range [0, 1]; Cb and Cr of BT.709 in [-0.5, 0.5]; float32. This module knows no
file and no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vidcolor.picture.matrices import chroma_block

Codes = NDArray[np.uint8] | NDArray[np.uint16]
Floats = NDArray[np.float32]
Chroma = Literal["400", "410", "411", "420", "422", "440", "444"]
Siting = Literal["left", "center", "topleft", "top", "bottomleft", "bottom"]
Fields = Literal["progressive", "tff", "bff"]
Transfer = Literal["sdr", "pq", "hlg"]

SUBSAMPLING: dict[str, tuple[int, int]] = {"410": (2, 2), "411": (2, 0), "420": (1, 1), "422": (1, 0), "440": (0, 1), "444": (0, 0)}
"""Binary logarithms of the horizontal and vertical chroma subsampling."""


class Box(NamedTuple):
    """A rectangle in luma pixels: left, top, width, height."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How code values are to be read: size in luma pixels, bit depth (8 to 16), chroma format, range, matrix.

    `rgb` marks planes that were made from an RGB source (then 16 bit, full range, 4:4:4) and go back to RGB on the way out.
    """

    width: int
    height: int
    depth: int = 8
    chroma: Chroma = "420"
    full_range: bool = False
    matrix: str = "bt709"
    siting: Siting = "left"
    transfer: Transfer = "sdr"
    fields: Fields = "progressive"
    rgb: bool = False

    @property
    def box(self) -> Box:
        """The whole picture."""
        return Box(0, 0, self.width, self.height)

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        return np.uint8 if self.depth == 8 else np.uint16

    @property
    def chroma_shape(self) -> tuple[int, int]:
        """(height, width) of each chroma plane; (0, 0) for grey."""
        if self.chroma == "400":
            return (0, 0)
        across, down = SUBSAMPLING[self.chroma]
        return -(-self.height >> down), -(-self.width >> across)

    @property
    def luma_codes(self) -> tuple[int, int]:
        """Code values of black and white."""
        return (0, (1 << self.depth) - 1) if self.full_range else (16 << (self.depth - 8), 235 << (self.depth - 8))

    @property
    def chroma_codes(self) -> tuple[int, int]:
        """Code value of neutral, and the span that one unit of Cb or Cr covers."""
        return 1 << (self.depth - 1), (1 << self.depth) - 1 if self.full_range else 224 << (self.depth - 8)


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Code values of one picture: y (height, width); cb and cr (`layout.chroma_shape`) or None for grey.

    Arrays are uint8 for 8 bit and uint16 above. Planes that a decoder delivered are views of its buffers: never write them. Raises
    ValueError where an array is not what the layout says.
    """

    y: Codes
    cb: Codes | None
    cr: Codes | None
    layout: Layout

    def __post_init__(self) -> None:
        layout = self.layout
        wanted = {"y": (layout.height, layout.width)}
        if self.cb is not None or self.cr is not None:
            wanted |= {"cb": layout.chroma_shape, "cr": layout.chroma_shape}
        for name, shape in wanted.items():
            plane = getattr(self, name)
            if plane is None or plane.shape != shape or plane.dtype != layout.dtype:
                found = "missing" if plane is None else f"{plane.dtype} {plane.shape}"
                raise ValueError(f"plane {name} must be {np.dtype(layout.dtype)} {shape}, and is {found}")


def neutral_chroma(layout: Layout) -> Codes:
    """A chroma plane of a layout in which nothing has a colour."""
    neutral, _ = layout.chroma_codes
    return cast(Codes, np.full(layout.chroma_shape, neutral, layout.dtype))


def luma_units(y: Codes, layout: Layout) -> Floats:
    """Code values to network units: float32, black 0, white 1, clipped; PQ and HLG through a tone curve."""
    black, white = layout.luma_codes
    units = y.astype(np.float32)
    units = np.clip((units - black) * np.float32(1 / (white - black)), 0, 1)
    return units if layout.transfer == "sdr" else tone_curve(units, layout.transfer)


def at_depth(codes: Codes, source: Layout, target: Layout, out: Codes | None = None) -> Codes:
    """Codes of any plane at the depth of the target: shifted up exactly, or rounded; written into `out` where that is given.

    Without `out` the array itself where its depth is the target's.
    """
    shift = target.depth - source.depth
    if shift == 0 and out is None:
        return codes
    if shift > 0:
        return np.left_shift(codes, shift, out=out, dtype=np.uint16)
    if shift < 0:
        rounded = (codes.astype(np.uint32) + (1 << (-shift - 1))) >> -shift
        codes = cast(Codes, np.minimum(rounded, (1 << target.depth) - 1))
    if out is None:
        return cast(Codes, codes.astype(target.dtype))
    np.copyto(out, codes, casting="unsafe")
    return out


def tone_curve(luma: Floats, transfer: Transfer) -> Floats:
    """HDR luma to what an SDR viewer would be shown, both gamma-coded in [0, 1].

    PQ by the EOTF of SMPTE ST 2084, HLG by the inverse OETF of ITU-R BT.2100-2; then light relative to 203 cd/m² (BT.2408
    reference white) through x / (1 + x) scaled to keep middle grey, and the 1/2.4 power.
    """
    if transfer == "pq":
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = luma ** np.float32(1 / m2)
        light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** np.float32(1 / m1) * np.float32(10000 / 203)
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(luma <= 0.5, luma**2 / 3, (np.exp((luma - c) / a) + b) / 12) * np.float32(1 / 0.265)
    return np.asarray(np.clip(1.25 * light / (1 + light), 0, 1) ** np.float32(1 / 2.4), np.float32)


def chroma_units(planes: Planes) -> tuple[Floats, Floats]:
    """Cb and Cr of BT.709 in [-0.5, 0.5], float32, at the size of the chroma planes.

    Raises ValueError for grey planes.
    """
    if planes.cb is None or planes.cr is None:
        raise ValueError("grey planes have no chroma")
    neutral, span = planes.layout.chroma_codes
    cb, cr = ((c.astype(np.float32) - neutral) / np.float32(span) for c in (planes.cb, planes.cr))
    back = np.linalg.inv(chroma_block(planes.layout.matrix)).astype(np.float32)
    return back[0, 0] * cb + back[0, 1] * cr, back[1, 0] * cb + back[1, 1] * cr


def work_size(box: Box, short_side: int, multiple: int = 32) -> tuple[int, int]:
    """(height, width) at which a network looks at a picture: short side `short_side`, both multiples of `multiple`.

    The aspect is kept to the nearest multiple; never more than 4:1, so that a strip of film does not explode.
    """
    short = min(box.width, box.height)
    long = max(box.width, box.height)
    other = min(4 * short_side, max(short_side, round(short_side * long / short / multiple) * multiple))
    return (short_side, other) if box.width >= box.height else (other, short_side)


def shrink(planes: Planes, box: Box, size: tuple[int, int]) -> Floats:
    """Luma of the picture inside `box` at work size (height, width): float32 in network units, by area averaging.

    This and `shrink_chroma` are one of the two places where full-size planes are computed on; the other is where `Frame.out` is made.
    """
    return luma_units(_shrunk(planes.y[box.top : box.top + box.height, box.left : box.left + box.width], size), planes.layout)


def shrink_chroma(planes: Planes, box: Box, size: tuple[int, int]) -> Floats:
    """Cb and Cr of the picture inside `box`: (2, height, width), float32 units of the planes' own matrix, by area averaging.

    Zero for grey planes. The siting of chroma, less than a pixel of the source, is left aside.
    """
    if planes.cb is None or planes.cr is None:
        return np.zeros((2, *size), np.float32)
    across, down = SUBSAMPLING[planes.layout.chroma]
    rows = slice(box.top >> down, -(-(box.top + box.height) >> down))
    columns = slice(box.left >> across, -(-(box.left + box.width) >> across))
    neutral, span = planes.layout.chroma_codes
    small = np.stack([_shrunk(plane[rows, columns], size) for plane in (planes.cb, planes.cr)])
    return (small.astype(np.float32) - neutral) * np.float32(1 / span)


def shrink_color(planes: Planes, box: Box, size: tuple[int, int], turns: int = 0) -> Floats:
    """Y, Cb, Cr (3, height, width) of the picture inside `box`, turned counter-clockwise by quarters; units of its own matrix."""
    stored = size[::-1] if turns % 2 else size
    every = np.concatenate([shrink(planes, box, stored)[None], shrink_chroma(planes, box, stored)])
    return np.ascontiguousarray(np.rot90(every, turns, (1, 2)))


def _shrunk(inside: Codes, size: tuple[int, int]) -> Codes:
    height, width = size
    larger = inside.shape[0] >= height and inside.shape[1] >= width
    while larger and inside.shape[0] >= 4 * height and inside.shape[1] >= 4 * width:  # halving whole numbers has a fast path
        inside = cast(Codes, cv2.resize(inside, (inside.shape[1] // 2, inside.shape[0] // 2), interpolation=cv2.INTER_AREA))
    return cast(Codes, cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA if larger else cv2.INTER_LINEAR))
