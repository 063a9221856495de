"""What both renderers ask of the picture that comes and of the layout that leaves."""

from __future__ import annotations

from vidcolor.picture.planes import SUBSAMPLING, Box, Layout


def check_target(target: Layout) -> None:
    """Raise ValueError for a grey target: it has no place for colour."""
    if target.chroma == "400":
        raise ValueError("a grey layout cannot take colour")


def check_source(source: Layout, target: Layout) -> None:
    """Raise ValueError where luma could not go from source to target as it is (RGB sources are converted by the writer)."""
    if (source.width, source.height) != (target.width, target.height):
        raise ValueError(f"a {source.width}x{source.height} picture cannot leave as {target.width}x{target.height}")
    if source.full_range != target.full_range and not source.rgb:
        raise ValueError("luma keeps its range: source and target must both be full or both be limited")


def fields(target: Layout) -> list[slice]:
    """The lines of each field where an interlaced picture must be treated field by field, since its chroma has fewer lines; else all."""
    apart = target.fields != "progressive" and SUBSAMPLING[target.chroma][1] > 0
    return [slice(0, None, 2), slice(1, None, 2)] if apart else [slice(0, None, 1)]


def in_field(box: Box, lines: slice) -> Box:
    """A box of the picture as a box of the field with these lines."""
    top, bottom = (-((lines.start - line) // lines.step) for line in (box.top, box.top + box.height))
    return Box(box.left, top, box.width, bottom - top)
