"""Keeps a restyled shot still: its planes are averaged along the motion of the film. Causal: only earlier frames are used."""

from __future__ import annotations

from typing import NamedTuple, cast

import cv2
import numpy as np

from vidcolor.motion import Flow, Seen, fetch, see
from vidcolor.planes import Floats

LONGEST = 4.0
"""Frames that the running mean remembers at strength 1."""
SPREAD = 0.12
"""Difference between the mean and the network's new answer, all planes together, at which the mean counts 0.6."""


class Past(NamedTuple):
    """The frame before: its luma, the mean (h, w, 3), and how many frames are in it (at half the size)."""

    seen: Seen
    mean: Floats
    weight: Floats


class StyleSteady:
    """Running mean of restyled planes along flow, for one film; `reset` at every cut.

    Motion is found and trusted at half the style size. What moves apart from it, and what the network now paints otherwise, loses
    its past: a little shimmer rather than a ghost is left.
    """

    def __init__(self, strength: float = 1.0) -> None:
        """`strength` scales how many frames are remembered. Raises ValueError where it is not positive."""
        if not strength > 0:
            raise ValueError(f"strength must be above 0, not {strength}")
        self._longest = np.float32(LONGEST * strength)
        self._flow = Flow()
        self._past: Past | None = None

    def reset(self) -> None:
        """Forget everything: a new shot begins."""
        self._past = None

    def accept(self, content: Floats, styled: Floats) -> Floats:
        """Steadied planes (3, h, w) for the network's `styled`, made of `content`; all three planes in network units."""
        height, width = styled.shape[1:]
        seen = see(content[0], (width // 2, height // 2))
        new = cast(Floats, cv2.merge(list(styled)))
        if self._past is None or self._past.mean.shape != new.shape:
            self._past = Past(seen, new, np.ones_like(seen.luma))
            return styled
        trace = self._flow.trace(self._past.seen, seen, self._past.weight)
        then = fetch(self._past.mean, *_enlarged(trace.x, trace.y, (width, height)), cv2.INTER_CUBIC)
        trusted = trace.weight * np.exp(trace.doubt * np.float32(-0.5)) * trace.inside
        weight = cast(Floats, cv2.resize(trusted, (width, height), interpolation=cv2.INTER_LINEAR))
        off = cv2.subtract(new, then)
        weight *= np.exp(np.einsum("ijk,ijk->ij", off, off) * np.float32(-0.5 / SPREAD**2))
        total = weight + np.float32(1)
        mean = then + off / total[..., None]
        half = cast(Floats, cv2.resize(total, (width // 2, height // 2), interpolation=cv2.INTER_AREA))
        self._past = Past(seen, mean, np.minimum(half, self._longest))
        return np.stack(cv2.split(mean))


def _enlarged(x: Floats, y: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Places in a picture of half the size as places at (width, height): pixel centres stay where they are."""
    two = np.float32(2)
    columns, rows = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    half_columns, half_rows = np.arange(x.shape[1], dtype=np.float32), np.arange(x.shape[0], dtype=np.float32)[:, None]
    across, down = (cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * two for flow in (x - half_columns, y - half_rows))
    return cast(Floats, across + columns), cast(Floats, down + rows)
