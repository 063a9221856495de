"""Puts colour onto the full-size frame. Luma leaves as it came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import cv2
import numpy as np

from vidcolor.picture.chroma import (
    Guided,
    add_luma_detail,
    buffers,
    encode_chroma,
    enlarge,
    extremes,
    fit_rgb,
    guided,
    hdr_tables,
    headroom_tables,
    in_units,
    look_up,
    own_chroma,
    samples_inside,
    sited_mean,
    split_by_chroma_sample,
)
from vidcolor.picture.matrices import apply_matrix, chroma_block
from vidcolor.picture.planes import SUBSAMPLING, Box, Codes, Floats, Layout, Planes, at_depth, neutral_chroma
from vidcolor.stages.base import Frame, Work, parts
from vidcolor.stages.target import check_source, check_target, fields, in_field

STRIP = 1 << 17
"""Chroma samples that are computed on at a time."""


class RenderColor:
    """Stage: makes `frame.out` for a target layout from the picture's luma and the chroma at work size.

    The luma array of `out` is the picture's own, shifted where the target has another depth; chroma is at the target's format and
    depth, neutral outside `work.box`, and drawn toward neutral where the colour would leave RGB. Interlaced pictures whose chroma is
    subsampled vertically are treated field by field.
    """

    needs, gives, held = parts("picture", "work", "chroma", "color source"), parts("out"), 0

    def __init__(self, target: Layout) -> None:
        """Raises ValueError for a grey target: it has no place for colour."""
        check_target(target)
        self._target = target
        self._block = chroma_block(target.matrix).astype(np.float32)
        self._buffers: dict[tuple[int, int], Guided] = {}

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with `out` set. Raises ValueError where picture and target do not fit, or chroma is missing."""
        for frame in frames:
            check_source(frame.picture.layout, self._target)
            frame.out = self._colored(frame.picture, frame.work) if frame.color_source == "made" else self._kept(frame.picture)
            yield frame

    def _colored(self, source: Planes, work: Work) -> Planes:
        if work.chroma is None:
            raise ValueError("the frame has no chroma to put onto it")
        chroma, seen = (np.ascontiguousarray(np.rot90(plane, -work.turns, (-2, -1))) for plane in (work.chroma, work.luma))
        height, width = chroma.shape[1:]
        luma = cast(Floats, cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA))
        low = guided(apply_matrix(self._block, chroma), luma)
        cb, cr = neutral_chroma(self._target), neutral_chroma(self._target)
        for lines in fields(self._target):
            self._color(source.y[lines], source.layout, in_field(work.box, lines), low, cb[lines], cr[lines])
        return Planes(at_depth(source.y, source.layout, self._target), cb, cr, self._target)

    def _color(self, y: Codes, source: Layout, box: Box, low: Guided, cb: Codes, cr: Codes) -> None:
        """Fill the part of cb and cr that lies in the box, strip by strip: a strip's temporaries stay in the cache."""
        across, down = SUBSAMPLING[self._target.chroma]
        y = y[: cb.shape[0] << down]  # the last luma line of a field may have no chroma line of its own
        rows = samples_inside(box.top, box.height, y.shape[0], down)
        columns = samples_inside(box.left, box.width, y.shape[1], across)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        large = self._large(rows.stop - rows.start, columns.stop - columns.start)
        enlarge(low, large)
        y = y[rows.start << down : rows.stop << down, columns.start << across : columns.stop << across]
        for strip in self._strips(*large.luma.shape):
            part = Guided(*(plane[strip] for plane in large))
            codes = self._codes(y[strip.start << down : strip.stop << down], source, part)
            inside = slice(rows.start + strip.start, rows.start + strip.stop)
            cb[inside, columns], cr[inside, columns] = codes

    def _codes(self, y: Codes, source: Layout, large: Guided) -> tuple[Codes, Codes]:
        """Code values of Cb and Cr for the luma samples y."""
        grid = split_by_chroma_sample(y, self._target)
        mean = sited_mean(grid, self._target.siting)
        if source.transfer == "sdr":
            cb, cr = add_luma_detail(large, in_units(mean, source))
        else:
            guide, factor = (look_up(cast(Codes, mean.astype(source.dtype)), table) for table in hdr_tables(source))
            cb, cr = (np.multiply(values, factor, out=values) for values in add_luma_detail(large, guide))
        below, above = (look_up(codes, table) for codes, table in zip(extremes(grid), headroom_tables(source), strict=True))
        fit_rgb(cb, cr, below, above, self._target.matrix)
        return encode_chroma(cb, self._target), encode_chroma(cr, self._target)

    def _large(self, height: int, width: int) -> Guided:
        if (height, width) not in self._buffers:
            self._buffers[height, width] = buffers(height, width)
        return self._buffers[height, width]

    def _strips(self, height: int, width: int) -> list[slice]:
        """Rows of about STRIP samples; one strip where a mean reaches over the rows of a strip."""
        size = max(1, STRIP // width) if self._target.siting in ("left", "center") else height
        return [slice(start, min(start + size, height)) for start in range(0, height, size)]

    def _kept(self, source: Planes) -> Planes:
        """The source's own chroma; converted only where format, siting, range or depth differ."""
        target, layout = self._target, source.layout
        y = at_depth(source.y, layout, target)
        if source.cb is None or source.cr is None:
            return Planes(y, neutral_chroma(target), neutral_chroma(target), target)
        if layout.matrix != target.matrix:
            raise ValueError(f"a frame kept in {layout.matrix} cannot leave as {target.matrix}: its luma would have to change")
        if _chroma_kind(layout) == _chroma_kind(target):
            return Planes(y, source.cb, source.cr, target)
        cb, cr = (encode_chroma(values, target) for values in own_chroma(source, target))
        return Planes(y, cb, cr, target)


def _chroma_kind(layout: Layout) -> tuple[object, ...]:
    return layout.chroma, layout.siting if layout.chroma != "444" else None, layout.depth, layout.full_range
