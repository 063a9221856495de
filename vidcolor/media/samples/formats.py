"""FFmpeg's pixel formats: how the samples of a picture lie in memory, and which format holds given planes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

from vidcolor.picture.planes import Chroma, Layout

Packing = Literal["planar", "semiplanar", "packed", "fields", "palette", "bits"]


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """One pixel format.

    `order` names the components as they lie in memory: one plane each for "planar", "y" then the interleaved pair for
    "semiplanar", the samples of one group of pixels for "packed" ("yuyv"), with "a" for alpha and "x" for padding. `shift` is
    how far a sample of `depth` bits is shifted up in its word. `fields` gives (shift, bits) of each component of `order` inside one
    word of `word` bytes.
    """

    name: str
    packing: Packing
    order: str
    depth: int = 8
    chroma: Chroma = "444"
    shift: int = 0
    big_endian: bool = False
    full_range: bool = False  # by definition of the format, whatever the file says
    word: int = 1
    fields: tuple[tuple[int, int], ...] = ()

    @property
    def rgb(self) -> bool:
        return "r" in self.order

    @property
    def alpha(self) -> bool:
        return "a" in self.order


_PLANAR = re.compile(r"(yuvj|yuva|yuv|gbra|gbr|gray)(410|411|420|422|440|444)?p?(9|10|12|14|16)?(msb)?(le|be)?")
_SEMIPLANAR = re.compile(r"p([024])(10|12|16)(le|be)")
_RGB = re.compile(r"([rgbax0]+)(24|48|64)?(le|be)?")

_CHROMA_OF_P: dict[str, Chroma] = {"0": "420", "2": "422", "4": "444"}

_SPECIAL: dict[str, PixelFormat] = {
    form.name: form
    for form in (
        PixelFormat("nv12", "semiplanar", "yuv", chroma="420"),
        PixelFormat("nv21", "semiplanar", "yvu", chroma="420"),
        PixelFormat("nv16", "semiplanar", "yuv", chroma="422"),
        PixelFormat("nv24", "semiplanar", "yuv"),
        PixelFormat("nv42", "semiplanar", "yvu"),
        PixelFormat("nv20le", "semiplanar", "yuv", 10, "422", word=2),
        PixelFormat("nv20be", "semiplanar", "yuv", 10, "422", word=2, big_endian=True),
        PixelFormat("yuyv422", "packed", "yuyv", chroma="422"),
        PixelFormat("uyvy422", "packed", "uyvy", chroma="422"),
        PixelFormat("yvyu422", "packed", "yvyu", chroma="422"),
        PixelFormat("y210le", "packed", "yuyv", 10, "422", shift=6, word=2),
        PixelFormat("y210be", "packed", "yuyv", 10, "422", shift=6, word=2, big_endian=True),
        PixelFormat("y212le", "packed", "yuyv", 12, "422", shift=4, word=2),
        PixelFormat("y212be", "packed", "yuyv", 12, "422", shift=4, word=2, big_endian=True),
        PixelFormat("y216le", "packed", "yuyv", 16, "422", word=2),
        PixelFormat("y216be", "packed", "yuyv", 16, "422", word=2, big_endian=True),
        PixelFormat("uyyvyy411", "packed", "uyyvyy", chroma="411"),
        PixelFormat("vuya", "packed", "vuya"),
        PixelFormat("vuyx", "packed", "vuyx"),
        PixelFormat("ayuv", "packed", "ayuv"),
        PixelFormat("uyva", "packed", "uyva"),
        PixelFormat("vyu444", "packed", "vyu"),
        PixelFormat("ayuv64le", "packed", "ayuv", 16, word=2),
        PixelFormat("ayuv64be", "packed", "ayuv", 16, word=2, big_endian=True),
        PixelFormat("xv36le", "packed", "uyvx", 12, shift=4, word=2),
        PixelFormat("xv36be", "packed", "uyvx", 12, shift=4, word=2, big_endian=True),
        PixelFormat("xv48le", "packed", "uyvx", 16, word=2),
        PixelFormat("xv48be", "packed", "uyvx", 16, word=2, big_endian=True),
        PixelFormat("xv30le", "fields", "vyu", 10, word=4, fields=((20, 10), (10, 10), (0, 10))),
        PixelFormat("v30xle", "fields", "vyu", 10, word=4, fields=((22, 10), (12, 10), (2, 10))),
        PixelFormat("ya8", "packed", "ya", chroma="400"),
        PixelFormat("ya16le", "packed", "ya", 16, "400", word=2),
        PixelFormat("ya16be", "packed", "ya", 16, "400", word=2, big_endian=True),
        PixelFormat("monow", "bits", "y", chroma="400", full_range=True),
        PixelFormat("monob", "bits", "y", chroma="400", full_range=True),
        PixelFormat("pal8", "palette", "rgba"),
        PixelFormat("x2rgb10le", "fields", "rgb", 10, word=4, fields=((20, 10), (10, 10), (0, 10))),
        PixelFormat("x2bgr10le", "fields", "bgr", 10, word=4, fields=((20, 10), (10, 10), (0, 10))),
        PixelFormat("rgb8", "fields", "rgb", word=1, fields=((5, 3), (2, 3), (0, 2))),
        PixelFormat("bgr8", "fields", "bgr", word=1, fields=((6, 2), (3, 3), (0, 3))),
        PixelFormat("rgb4_byte", "fields", "rgb", word=1, fields=((3, 1), (1, 2), (0, 1))),
        PixelFormat("bgr4_byte", "fields", "bgr", word=1, fields=((3, 1), (1, 2), (0, 1))),
        *(
            PixelFormat(f"{order}{bits}{end}", "fields", order, word=2, big_endian=end == "be", fields=fields)
            for order in ("rgb", "bgr")
            for bits, fields in (
                ("565", ((11, 5), (5, 6), (0, 5))),
                ("555", ((10, 5), (5, 5), (0, 5))),
                ("444", ((8, 4), (4, 4), (0, 4))),
            )
            for end in ("le", "be")
        ),
    )
}


@cache
def describe(name: str) -> PixelFormat:
    """The format that FFmpeg calls `name`. Raises ValueError where this program cannot read it (float, XYZ, Bayer, hardware)."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    if found := _SEMIPLANAR.fullmatch(name):
        bits = int(found[2])
        return PixelFormat(name, "semiplanar", "yuv", bits, _CHROMA_OF_P[found[1]], 16 - bits, found[3] == "be", word=2)
    if (found := _PLANAR.fullmatch(name)) and (found[2] or found[1].startswith("g")):
        return _planar(name, found)
    if found := _RGB.fullmatch(name):
        deep = found[2] in ("48", "64")
        order = found[1].replace("0", "x")
        return PixelFormat(name, "packed", order, 16 if deep else 8, big_endian=found[3] == "be", full_range=True, word=2 if deep else 1)
    raise ValueError(f"pixel format {name} cannot be read")


def _planar(name: str, found: re.Match[str]) -> PixelFormat:
    family, chroma, bits, high, end = found.groups()
    depth = int(bits or 8)
    order = {"gray": "y", "gbr": "gbr", "gbra": "gbra", "yuva": "yuva"}.get(family, "yuv")
    return PixelFormat(
        name,
        "planar",
        order,
        depth,
        cast(Chroma, "400" if family == "gray" else chroma or "444"),
        shift=16 - depth if high else 0,
        big_endian=end == "be",
        full_range=family in ("yuvj", "gbr", "gbra"),
        word=1 if depth == 8 else 2,
    )


def name_of(layout: Layout) -> str:
    """FFmpeg's name of the planar little-endian format that holds planes of this layout as they are ("yuv420p10le", "gray")."""
    family = "gray" if layout.chroma == "400" else f"yuv{layout.chroma}p"
    return family if layout.depth == 8 else f"{family}{layout.depth}le"


def same_samples(one: str, other: str) -> bool:
    """Whether two formats give planes of the same kind: depth, chroma format, RGB or not."""
    first, second = describe(one), describe(other)
    return first.rgb == second.rgb and (first.rgb or (first.depth, first.chroma) == (second.depth, second.chroma))
