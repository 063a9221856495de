"""The style network at work: a picture and a style code in, the restyled picture out, with statistics held over each shot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import cv2
import numpy as np

from vidcolor.backends.base import Session
from vidcolor.chroma import upsample
from vidcolor.frames import Frame
from vidcolor.planes import Floats, chroma_block, from_rgb_units, mixed, shrink_color, to_rgb_units

KEPT = np.float32(0.9)
"""Share of the held statistics that a new frame leaves: slow changes of light are followed in about ten frames."""
MEAN_SPREAD, CONTRAST_SPREAD = 0.15, 0.4
"""Difference of mean luma, and of the logarithm of its deviation, at which held statistics count 0.6: a fade is no light change."""


class Held:
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
    """Stage: gives every frame `work.content` and `work.styled`, in colour where the frame has some or was given some.

    Frames go through the network one by one: each may need the statistics of the one before.
    """

    held = 0

    def __init__(
        self,
        session: Session,
        code: Floats,
        size: tuple[int, int],
        *,
        stats: int,
        hold: bool = True,
        changes: Sequence[tuple[int, Floats]] = (),
    ) -> None:
        """`code` (D,); `size` (height, width) at which the network looks at upright pictures; `stats` numbers in its statistics.

        Without a code (D = 0), or statistics, the network is not given any: it draws one style, or does not normalize.
        Without `hold` every frame is normalized by its own statistics. `changes` are pairs of a pts and the code from there on, in
        order; a change is to statistics what a cut is.
        """
        self.session, self.size = session, size
        self.styled = 0
        self._codes = [np.ascontiguousarray(each[None], np.float32) for each in (code, *(later for _, later in changes))]
        self._times = [pts for pts, _ in changes]
        self._held, self._hold, self._stats = Held(stats), hold, stats
        self._stretch: tuple[int, int] | None = None

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with content, styled and style set."""
        for frame in frames:
            place = bisect_right(self._times, frame.pts)
            if (frame.shot, place) != self._stretch:
                self._stretch = frame.shot, place
                self._held.reset()
            work = frame.work
            work.content, work.style = content_of(frame, self.size), place
            work.styled = self._restyle(work.content, self._codes[place], frame.source.layout.matrix)
            self.styled += 1
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


def content_of(frame: Frame, size: tuple[int, int]) -> Floats:
    """What the style network is shown: upright Y, Cb, Cr (3, height, width) in units of the source's matrix.

    Luma and colour are the source's, by area averaging; where a generator gave chroma, that follows the detail of luma instead.
    """
    source, work = frame.source, frame.work
    content = shrink_color(source, work.box, size, work.turns)
    if not frame.own_color and work.chroma is not None:
        block = chroma_block(source.layout.matrix).astype(np.float32)
        low = cast(Floats, cv2.resize(work.luma, work.chroma.shape[:0:-1], interpolation=cv2.INTER_AREA))
        content[1:] = upsample(mixed(block, work.chroma), low, content[0])
    return content


def _light(luma: Floats) -> Floats:
    """Mean of luma (h, w) and logarithm of its deviation, every fourth pixel."""
    some = luma[::4, ::4]
    return np.array([some.mean(), np.log(np.maximum(some.std(), np.float32(0.01)))], np.float32)
