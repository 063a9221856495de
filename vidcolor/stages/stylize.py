"""The style network at work: a picture and a style code in, the restyled picture out, with statistics held over each shot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import cv2
import numpy as np

from vidcolor.backends.base import Session
from vidcolor.picture.chroma import upsample
from vidcolor.picture.matrices import apply_matrix, chroma_block, from_rgb_units, to_rgb_units
from vidcolor.picture.planes import Floats
from vidcolor.stages.base import Frame, Work, parts

KEPT = np.float32(0.9)
"""Share of the held statistics that a new frame leaves: slow changes of light are followed in about ten frames."""
MEAN_SPREAD, CONTRAST_SPREAD = 0.15, 0.4
"""Sigmas of the Gaussian weight of the difference of mean luma, and of the logarithm of its deviation: a fade must not be averaged into
held statistics."""


class ShotStatistics:
    """Statistics of the normalization layers over a shot: a running mean, and how far it fits the next frame.

    The first frame of a shot is normalized by its own. Later ones by the mean of those before, in which old frames fade. Where a
    frame is of another brightness or contrast (a fade from black, a flash) the mean counts less, and is left sooner.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new shot begins."""
        self._stats: Floats = np.zeros((1, self._size), np.float32)
        self._light: Floats = np.zeros(2, np.float32)
        self._seen = 0

    def propose(self, luma: Floats) -> tuple[Floats, np.float32]:
        """Statistics (1, S) for a frame with this luma (h, w), and their weight in [0, 1] against the frame's own."""
        if not self._seen:
            return self._stats, np.float32(0)
        off = (_light(luma) - self._light) / np.array([MEAN_SPREAD, CONTRAST_SPREAD], np.float32)
        return self._stats, np.float32(np.exp(-0.5 * np.square(off).sum()))

    def accept(self, luma: Floats, measured: Floats, weight: np.float32) -> None:
        """Take in what was measured on the frame to which `propose` gave this weight."""
        part = max(np.float32(1 / (self._seen + 1)), 1 - KEPT, 1 - weight)
        self._stats = self._stats + part * (measured - self._stats)
        self._light = self._light + part * (_light(luma) - self._light)
        self._seen += 1


class Stylize:
    """Stage: gives every frame `work.styled`; colour that was made is put into `work.content` first.

    Frames go through the network one by one: each may need the statistics of the one before.
    """

    needs, gives, held = parts("work", "content", "chroma", "shot", "color source"), parts("content", "styled"), 0

    def __init__(
        self,
        session: Session,
        code: Floats,
        *,
        stats: int,
        hold: bool = True,
        changes: Sequence[tuple[int, Floats]] = (),
    ) -> None:
        """`code` (D,); `stats`: how many numbers the network's statistics have.

        Without a code (D = 0), or statistics, the network is not given any: it draws one style, or does not normalize.
        Without `hold` every frame is normalized by its own statistics. `changes` are pairs of a pts and the code from there on, in
        order; a change is to statistics what a cut is.
        """
        self.session = session
        self._codes = [np.ascontiguousarray(each[None], np.float32) for each in (code, *(later for _, later in changes))]
        self._times = [pts for pts, _ in changes]
        self._held, self._hold, self._stats = ShotStatistics(stats), hold, stats
        self._stretch: tuple[int, int] | None = None

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with styled and style set. Raises ValueError where a frame has no content, or no chroma that was to be made."""
        for frame in frames:
            place = bisect_right(self._times, frame.pts)
            if (frame.shot, place) != self._stretch:
                self._stretch = frame.shot, place
                self._held.reset()
            work, matrix = frame.work, frame.picture.layout.matrix
            if work.content is None:
                raise ValueError("the frame has no content to be restyled")
            if frame.color_source == "made":
                work.content = colored(work.content, work, matrix)
            work.style = place
            work.styled = self._restyle(work.content, self._codes[place], matrix)
            yield frame

    def _restyle(self, content: Floats, code: Floats, matrix: str) -> Floats:
        given = {"picture": to_rgb_units(content, matrix)[None]} | ({"code": code} if code.size else {})
        if not self._stats:
            return from_rgb_units(self.session.run(given)["styled"][0], matrix)
        stats, weight = self._held.propose(content[0])
        if not self._hold:
            weight = np.float32(0)
        answer = self.session.run(given | {"stats": stats, "stats_weight": weight.reshape(1)})
        self._held.accept(content[0], answer["measured"], weight)
        return from_rgb_units(answer["styled"][0], matrix)


def colored(content: Floats, work: Work, matrix: str) -> Floats:
    """Content (3, h, w) whose colour is the chroma that was made, following the detail of luma; units of `matrix`.

    Raises ValueError where none was made.
    """
    if work.chroma is None:
        raise ValueError("the frame has no chroma to be restyled with")
    block = chroma_block(matrix).astype(np.float32)
    low = cast(Floats, cv2.resize(work.luma, work.chroma.shape[:0:-1], interpolation=cv2.INTER_AREA))
    return np.concatenate([content[:1], upsample(apply_matrix(block, work.chroma), low, content[0])])


def _light(luma: Floats) -> Floats:
    """Mean of luma (h, w) and logarithm of its deviation, every fourth pixel."""
    some = luma[::4, ::4]
    return np.array([some.mean(), np.log(np.maximum(some.std(), np.float32(0.01)))], np.float32)
