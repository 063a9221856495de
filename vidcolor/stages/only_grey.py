"""In a mixed film, leaves the shots alone that are in colour already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from vidcolor.analysis.tint import DARK, is_grey
from vidcolor.stages.base import Frame, parts


class OnlyGrey:
    """Stage: the colour of a shot stays the film's own when the first frame of it that can be judged is in colour.

    A fade leads through black, often without a cut, and a black frame looks grey: after frames that are dark the judgement is made
    anew, and while they are dark a frame with colours of its own is kept.
    """

    needs, gives, held = parts("picture", "work", "shot", "color source"), parts("color source"), 0

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with their color source set."""
        shot, keep, judged = None, False, False
        for frame in frames:
            if frame.shot != shot:
                shot, keep, judged = frame.shot, False, False
            dark = float(np.quantile(frame.work.luma[::8, ::8], 0.95)) < DARK
            if dark:
                keep = keep or not is_grey(frame.picture)
            elif not judged:
                keep = not is_grey(frame.picture)
            judged = not dark
            if keep:
                frame.color_source = "film"
            yield frame
