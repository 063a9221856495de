"""Finds what is not picture: letterbox, pillar-box, the dark edges of a scanner's gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidcolor.picture.planes import Box, Floats, Planes, luma_units

POINTS = 160
"""Points of each line that are looked at."""
DARK, EVEN, SAME = 0.1, 0.04, 0.02
"""A black border: at most this bright, this even along a line, and this near to the outermost line."""
CONSTANT = 0.012
"""A border that is not black must be as even as this, in at least MANY samples: a clear sky is not."""
MANY = 8
STEP = 0.1
"""The picture beside a border must be brighter than it by this much, or darker, in a quarter of the samples."""
SMALLEST = (0.3, 0.4)
"""Share of width and of height that is picture; borders that would leave less are none."""


def find_box(samples: Sequence[Planes]) -> Box:
    """The picture's part of the frame, from frames spread over a film that are all of one size.

    A border is a run of lines at an edge that are black (or of one constant value) in nine samples of ten, and that end at a
    step: an edge that lies in the dark fades in and is no border. Even offsets; widths and heights are even too where the box
    does not reach the edge of the frame. Raises ValueError where there are no samples.
    """
    if not samples:
        raise ValueError("borders cannot be found without samples")
    height, width = samples[0].y.shape
    top, bottom = _both([_lines(sample, rows=True) for sample in samples], SMALLEST[1])
    left, right = _both([_lines(sample, rows=False) for sample in samples], SMALLEST[0])
    return Box(left, top, width - left - right, height - top - bottom)


def _lines(sample: Planes, rows: bool) -> Floats:
    """(lines, 3): low, middle and high luma of each row or column, outliers such as dust left out."""
    y = sample.y if rows else sample.y.T
    some = luma_units(y[:, :: max(1, y.shape[1] // POINTS)], sample.layout)
    return np.quantile(some, (0.03, 0.5, 0.97), axis=1).T.astype(np.float32)


def _both(lines: list[Floats], smallest: float) -> tuple[int, int]:
    """How many lines the borders at the first and at the last edge have."""
    every = np.stack(lines)
    count = every.shape[1]
    first, last = _border(every), _border(every[:, ::-1])
    if count - first - last < smallest * count:
        return 0, 0
    # Rounded outward: a dark line too many does no harm, a grey line of picture shows.
    return first - first % 2, last - (count - last) % 2 if last else 0


def _border(every: Floats) -> int:
    """Lines of the border at the first edge; `every` is (samples, lines, 3)."""
    low, middle, high = np.moveaxis(every, 2, 0)
    outer = middle[:, :1]
    even, same = high - low, np.abs(middle - outer)
    plain = (high <= DARK + EVEN) & (middle <= DARK) & (even <= EVEN) & (same <= SAME)
    if len(every) >= MANY and np.ptp(outer) <= CONSTANT:
        plain |= (even <= CONSTANT) & (same <= CONSTANT)
    border = plain.mean(axis=0) >= 0.9
    run = len(border) if border.all() else int(np.argmin(border))
    if run in (0, len(border)):
        return 0
    beyond = slice(run, run + max(4, len(border) // 100))
    step = np.maximum(high[:, beyond].max(axis=1) - outer[:, 0], outer[:, 0] - low[:, beyond].min(axis=1))
    if np.mean(step >= STEP) < 0.25:
        return 0
    return run
