"""Keeps a restyled shot still: its planes are averaged along the motion of the film. Causal: only earlier frames are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

import cv2
import numpy as np

from vidcolor.frames import Frame
from vidcolor.motion import Flow, Seen, see
from vidcolor.planes import Floats

LONGEST = 4.0
"""Frames that the running mean remembers at strength 1."""
MEET = 1.0
"""Pixels, at half size, by which flow there and back may miss each other: paint is coarser than the film, and may be carried where
chroma may not. With 0.4 the warp error is a fifth larger."""
SPREAD = 0.16
"""Difference between the mean and the network's new answer, all planes together, at which the mean counts 0.6."""
AROUND = 3
"""Side of the square, at half size, over which that difference is averaged first: shimmer cancels out in it, another thing does not.

With hard-edged paint on a pan under grain (sigma 6), 18.4 levels of wobble become 5.8; 14.5 with the difference of every pixel alone.
"""


KINDS = (cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_LINEAR)
"""How the mean's planes are fetched: linear would blur luma from frame to frame; in chroma nobody sees it, and it costs a third."""


class Past(NamedTuple):
    """The frame before: its luma, the mean (3, h, w), and how many frames are in it (at half the size)."""

    seen: Seen
    mean: Floats
    weight: Floats


class StyleSteady:
    """Stage: `work.styled` becomes a running mean along flow, which begins anew with every shot and every change of style.

    Motion is found and trusted at half the style size. What moves apart from it, and where the network now paints something else,
    loses its past: a little shimmer rather than a ghost is left.
    """

    held = 0

    def __init__(self, strength: float = 1.0, doubt: float = 1.0) -> None:
        """`strength` scales how many frames are remembered, `doubt` what speaks against a match, squared. Raises ValueError where one of
        them is not positive."""
        if not (strength > 0 and doubt > 0):
            raise ValueError(f"strength and doubt must be above 0, not {strength} and {doubt}")
        self._longest, self._doubt = np.float32(LONGEST * strength), np.float32(doubt)
        self._flow = Flow(MEET)
        self._past: Past | None = None
        self._buffers: Floats | None = None

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with styled steadied. Raises ValueError where a frame was not restyled."""
        stretch: tuple[int, int] | None = None
        for frame in frames:
            work = frame.work
            if work.content is None or work.styled is None:
                raise ValueError("the frame was not restyled")
            if (frame.shot, work.style) != stretch:
                stretch = frame.shot, work.style
                self.reset()
            work.styled = self.accept(work.content, work.styled)
            yield frame

    def reset(self) -> None:
        """Forget everything: a new shot begins."""
        self._past = None

    def accept(self, content: Floats, styled: Floats) -> Floats:
        """Steadied planes (3, h, w) for the network's `styled`, made of `content`; all three planes in network units."""
        height, width = styled.shape[1:]
        seen = see(content[0], (width // 2, height // 2))
        if self._past is None or self._past.mean.shape != styled.shape:
            self._past = Past(seen, styled, np.ones_like(seen.luma))
            return styled
        trace = self._flow.trace(self._past.seen, seen, self._past.weight)
        places = _enlarged(trace.x, trace.y, (width, height))
        mean, off = self._scratch(styled.shape)
        for then, plane, kind, difference, new in zip(mean, self._past.mean, KINDS, off, styled, strict=True):
            cv2.remap(plane, *places, kind, dst=then, borderMode=cv2.BORDER_REPLICATE)
            cv2.subtract(new, then, dst=difference)
        doubt = trace.doubt + _squares(_around(off, seen.luma.shape)) * np.float32(1 / SPREAD**2)
        trusted = trace.weight * cv2.exp(doubt * (np.float32(-0.5) * self._doubt)) * trace.inside + np.float32(1)
        total = cv2.resize(trusted, (width, height), interpolation=cv2.INTER_LINEAR)
        steadied = np.empty_like(styled)
        for plane, then, difference in zip(steadied, mean, off, strict=True):
            cv2.divide(difference, total, dst=difference)
            cv2.add(then, difference, dst=plane)
        self._past = Past(seen, steadied, np.minimum(trusted, self._longest))
        return steadied

    def _scratch(self, shape: tuple[int, ...]) -> Floats:
        """Two sets of planes that are written anew each frame: fresh memory costs more than the arithmetic."""
        if self._buffers is None or self._buffers.shape[1:] != shape:
            self._buffers = np.empty((2, *shape), np.float32)
        return self._buffers


def _around(planes: Floats, size: tuple[int, ...]) -> Floats:
    """Planes at `size` (h, w), each pixel the mean of its neighbourhood."""
    return np.stack([cv2.blur(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA), (AROUND, AROUND)) for plane in planes])


def _squares(planes: Floats) -> Floats:
    """Sum of the squares of the planes."""
    total = cv2.multiply(planes[0], planes[0])
    for plane in planes[1:]:
        cv2.accumulateSquare(plane, total)
    return cast(Floats, total)


def _enlarged(x: Floats, y: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Places in a picture of half the size as places at (width, height): pixel centres stay where they are."""
    two = np.float32(2)
    columns, rows = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    half_columns, half_rows = np.arange(x.shape[1], dtype=np.float32), np.arange(x.shape[0], dtype=np.float32)[:, None]
    across, down = (cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * two for flow in (x - half_columns, y - half_rows))
    return cast(Floats, across + columns), cast(Floats, down + rows)
