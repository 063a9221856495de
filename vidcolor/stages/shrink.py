"""Makes what is looked at: the picture at work size, and at style size where a style is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from vidcolor.picture.planes import Box, shrink, shrink_color
from vidcolor.stages.base import Frame, Work, parts


class View(NamedTuple):
    """How a network looks at a film: the part it sees, the size (height, width) it sees it at, quarter turns to upright."""

    box: Box
    size: tuple[int, int]
    turns: int


class Shrink:
    """Stage: gives every frame its work luma, upright, and at `style_size` (height, width) its content; by area averaging.

    With a style the content is all that the style network will see of the film. Here alone, and where `out` is made, full-size
    planes are computed on.
    """

    needs, held = parts("picture"), 0

    def __init__(self, view: View, style_size: tuple[int, int] | None = None) -> None:
        self._view, self._style_size = view, style_size
        self._stored = view.size[::-1] if view.turns % 2 else view.size
        self.gives = parts("work", "content") if style_size else parts("work")

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with work set."""
        box, turns = self._view.box, self._view.turns
        for frame in frames:
            luma = np.ascontiguousarray(np.rot90(shrink(frame.picture, box, self._stored), turns))
            content = shrink_color(frame.picture, box, self._style_size, turns) if self._style_size else None
            frame.shrunk = Work(luma, box, turns=turns, content=content)
            yield frame
