"""Carries a restyled picture to full size. All three planes are new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, cast

import cv2
import numpy as np

from vidcolor.picture.chroma import (
    encode_chroma,
    extremes,
    fit_rgb,
    headroom_tables,
    in_units,
    look_up,
    own_chroma,
    samples_inside,
    slopes,
    split_by_chroma_sample,
)
from vidcolor.picture.matrices import apply_matrix, chroma_block
from vidcolor.picture.planes import SUBSAMPLING, Box, Codes, Floats, Layout, Planes, at_depth, neutral_chroma
from vidcolor.stages.base import Frame, parts
from vidcolor.stages.target import check_source, check_target, fields, in_field

MIDDLE = 0.5
"""Luma at which planes are given: near it the two interpolations of `RenderStyle` differ least."""


class Low(NamedTuple):
    """At style size, turned as the film is stored: what luma and chroma become at `MIDDLE` luma, and how they change with it.

    Slopes of chroma are of half that size: they are smooth, and cost a quarter.
    """

    planes: list[Floats]
    slopes: list[Floats]


class RenderStyle:
    """Stage: makes `frame.out` for a target layout from the picture and what the style network made of it.

    A plane at full size is linear(slope) · luma + cubic(low − slope · luma_low), both low at style size (the fast guided filter, He and
    Sun 2015): the film's fine detail comes along where the restyled plane follows luma, and stays away where it is flat. It is mixed
    with the film's own plane by `strength`: at 0 the film comes out as it went in. With colour from the film only luma is restyled.
    Outside `work.box` nothing changes.
    Interlaced pictures whose chroma is subsampled vertically are treated field by field. Colour is drawn toward neutral where it
    would leave RGB.
    """

    needs, gives, held = parts("picture", "work", "content", "styled", "color source"), parts("out"), 0

    def __init__(self, target: Layout, strength: float = 1.0, color_from: Literal["film", "style"] = "style") -> None:
        """`strength` in [0, 1]. Raises ValueError outside, and for a grey target: it has no place for colour."""
        check_target(target)
        if not 0 <= strength <= 1:
            raise ValueError(f"strength {strength} is not between 0 and 1")
        self._target = target
        self._strength, self._color = strength, strength if color_from == "style" else 0.0
        self._buffers: dict[tuple[int, ...], Floats] = {}

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with `out` set. Raises ValueError where source and target do not fit, or the frame was not restyled."""
        for frame in frames:
            frame.out = self._rendered(frame)
            yield frame

    def _rendered(self, frame: Frame) -> Planes:
        source, target, box = frame.picture, self._target, frame.work.box
        check_source(source.layout, target)
        own_color = frame.color_source != "made"
        if source.layout.transfer != "sdr":
            raise ValueError("HDR pictures cannot be restyled")
        y = at_depth(source.y, source.layout, target)
        covered = box == target.box and (self._color == 1 or not own_color)
        own = None if covered else self._own(source)
        cb, cr = (encode_chroma(plane, target) for plane in own) if own else (neutral_chroma(target), neutral_chroma(target))
        if self._strength == 0 and own_color:
            return Planes(y, cb, cr, target)
        y = y.copy() if y is source.y else y
        low = self._low(frame)
        for lines in fields(target):
            part = Part(y[lines], (own[0][lines], own[1][lines]) if own else None, cb[lines], cr[lines])
            self._restyle(part, source.y[lines], source.layout, low, in_field(box, lines), own_color)
        return Planes(y, cb, cr, target)

    def _own(self, source: Planes) -> tuple[Floats, Floats]:
        """The film's own chroma on the samples of the target, in its units; neutral for grey."""
        if source.cb is None:
            zero = np.zeros(self._target.chroma_shape, np.float32)
            return zero, zero
        cb, cr = own_chroma(source, self._target)
        if source.layout.matrix == self._target.matrix:
            return cb, cr
        block = self._block(source.layout)
        return block[0, 0] * cb + block[0, 1] * cr, block[1, 0] * cb + block[1, 1] * cr

    def _block(self, source: Layout) -> Floats:
        """(Cb, Cr) of the source's matrix to those of the target's."""
        return (chroma_block(self._target.matrix) @ np.linalg.inv(chroma_block(source.matrix))).astype(np.float32)

    def _low(self, frame: Frame) -> Low:
        work = frame.work
        if work.content is None or work.styled is None:
            raise ValueError("the frame was not restyled")
        content, styled = (np.ascontiguousarray(np.rot90(planes, -work.turns, (1, 2))) for planes in (work.content, work.styled))
        if work.turns == 0:  # a view of what others still need
            styled = styled.copy()
        if frame.color_source == "made":  # what the generator gave has no full-size chroma of its own to be mixed with
            styled[1:] = content[1:] + np.float32(self._color) * (styled[1:] - content[1:])
        if frame.picture.layout.matrix != self._target.matrix:
            styled[1:] = apply_matrix(self._block(frame.picture.layout), styled[1:])
        away = content[0] - np.float32(MIDDLE)
        rise = [*slopes(styled[:1], content[0]), *_coarse_slopes(styled[1:], content[0])]
        return Low([_at_middle(plane, slope, away) for plane, slope in zip(styled, rise, strict=True)], rise)

    def _restyle(self, part: Part, y: Codes, source: Layout, low: Low, box: Box, own_color: bool) -> None:
        """Fill the part of the planes that lies in the box: luma first, since chroma must fit it."""
        if box.height <= 0:
            return
        if self._strength > 0:
            inside = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
            self._paint_luma(part.y[inside], y[inside], source, low)
        across, down = SUBSAMPLING[self._target.chroma]
        lines = min(part.y.shape[0], part.cb.shape[0] << down)  # the last luma line of a field may have no chroma line of its own
        rows = samples_inside(box.top, min(box.height, lines - box.top), lines, down)
        columns = samples_inside(box.left, box.width, part.y.shape[1], across)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        shared = slice(rows.start << down, min(rows.stop << down, lines)), slice(columns.start << across, columns.stop << across)
        own = (part.own[0][rows, columns], part.own[1][rows, columns]) if part.own and own_color else None
        chroma = Part(part.y[shared], own, part.cb[rows, columns], part.cr[rows, columns])
        self._paint_chroma(chroma, y[shared], source, low)

    def _paint_luma(self, out: Codes, y: Codes, source: Layout, low: Low) -> None:
        away = in_units(y, source, MIDDLE)
        (luma,) = self._followed(low, (0,), away)
        if self._strength < 1:
            np.clip(luma, 0, 1, out=luma)
            cv2.addWeighted(luma, self._strength, away, 1 - self._strength, MIDDLE * (1 - self._strength), dst=luma)
        out[:] = _encode_luma(luma, self._target)

    def _paint_chroma(self, part: Part, y: Codes, source: Layout, low: Low) -> None:
        """Fill cb and cr of a part whose luma is painted; its own chroma is mixed in where it has some. `y`: luma as it was."""
        if part.own and self._color == 0:
            chroma = [plane.copy() for plane in part.own]
        else:
            # As at style size, the siting of chroma is left aside: it is less than a pixel.
            guide = cast(Codes, cv2.resize(y, part.cb.shape[::-1], interpolation=cv2.INTER_AREA))
            chroma = self._followed(low, (1, 2), in_units(guide, source, MIDDLE))
            for plane, film in zip(chroma, part.own or (), strict=False):
                cv2.addWeighted(plane, self._color, film, 1 - self._color, 0, dst=plane)
        least, most = extremes(split_by_chroma_sample(part.y, self._target))
        below, above = (look_up(codes, table) for codes, table in zip((least, most), headroom_tables(self._target), strict=True))
        fit_rgb(chroma[0], chroma[1], below, above, self._target.matrix)
        part.cb[:], part.cr[:] = (encode_chroma(plane, self._target) for plane in chroma)

    def _followed(self, low: Low, places: tuple[int, ...], away: Floats) -> list[Floats]:
        """Planes for luma that is `away` (H, W) from `MIDDLE`; area averages where that is less than half as large.

        They lie in buffers that the next call for this size writes over.
        """
        height, width = away.shape
        if away.shape not in self._buffers:
            self._buffers[away.shape] = np.empty((3, height, width), np.float32)
        slope, *planes = self._buffers[away.shape]
        had = low.planes[0].shape
        # Averaging over areas takes seven times as long as linear interpolation, which leaves out nothing down to a half.
        fine, coarse = (cv2.INTER_AREA,) * 2 if 2 * height < had[0] and 2 * width < had[1] else (cv2.INTER_CUBIC, cv2.INTER_LINEAR)
        for place, plane in zip(places, planes, strict=False):
            cv2.resize(low.slopes[place], (width, height), dst=slope, interpolation=coarse)
            cv2.multiply(slope, away, dst=slope)
            cv2.resize(low.planes[place], (width, height), dst=plane, interpolation=fine)
            cv2.add(plane, slope, dst=plane)
        return planes[: len(places)]


def _coarse_slopes(chroma: Floats, luma: Floats) -> list[Floats]:
    """Slopes of chroma (2, h, w) against luma (h, w), at half their size."""
    half = (-(-luma.shape[1] // 2), -(-luma.shape[0] // 2))
    luma, *planes = (cast(Floats, cv2.resize(plane, half, interpolation=cv2.INTER_AREA)) for plane in (luma, *chroma))
    return slopes(planes, luma)


def _at_middle(plane: Floats, slope: Floats, away: Floats) -> Floats:
    """The plane (h, w) as it would be where luma, `away` (h, w) from `MIDDLE`, were there."""
    if slope.shape != plane.shape:
        slope = cast(Floats, cv2.resize(slope, plane.shape[::-1], interpolation=cv2.INTER_LINEAR))
    change = cast(Floats, cv2.multiply(slope, away))
    return cast(Floats, cv2.subtract(plane, change, dst=change))


class Part(NamedTuple):
    """Planes of a frame, or of a field of it: codes that are written, and the film's own chroma where some of it stays."""

    y: Codes
    own: tuple[Floats, Floats] | None
    cb: Codes
    cr: Codes


def _encode_luma(luma: Floats, layout: Layout) -> Codes:
    """Luma in network units to code values, rounded once and held between black and white."""
    black, white = layout.luma_codes
    kind = cv2.CV_8U if layout.depth == 8 else cv2.CV_16U
    codes = cast(Codes, cv2.addWeighted(luma, white - black, luma, 0, black, dtype=kind))
    return np.clip(codes, black, white, out=codes)
