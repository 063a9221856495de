"""Finds cuts: gives each frame its shot and its place in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import cast

import cv2
import numpy as np

from vidcolor.picture.planes import Floats
from vidcolor.stages.base import Frame, parts

THUMBNAIL = (32, 18)
"""Width and height at which frames are compared: far above grain and scratches."""
REACH = (4, 3)
"""Columns and rows by which a frame may have moved against another: an eighth to a sixth of the picture."""
FLAT = 2e-4
"""Variance of luma below which a picture counts as empty."""
LOWEST = 0.22
"""Difference that makes a cut in a still shot, at sensitivity 1."""
LOWEST_LIVE = 0.38
"""The same without look-ahead: that sudden motion goes on is not known yet."""
MEMORY = 6
"""Differences of this shot that tell how lively it is."""


class Cuts:
    """Stage: sets `frame.shot`, `frame.place` and `frame.shot_start`.

    A cut lies before a frame when it and the `look_ahead` frames after it differ from each of the last frames of the shot by
    more than this shot, and the next one, differ within themselves. So a bad frame or a flash of at most `look_ahead` frames is
    no cut. With look-ahead 0 (live) it is taken for one.

    What is decided within a shot depends on frames since that shot's start, and on the look-ahead, alone: a run that begins at
    the first frame of a shot finds the same cuts.
    """

    needs, gives = parts("work"), parts("shot")

    def __init__(self, sensitivity: float = 1.0, look_ahead: int = 2) -> None:
        """`sensitivity` above 1 finds more cuts.

        Raises ValueError for a sensitivity that is not positive or a negative look-ahead.
        """
        if not sensitivity > 0:
            raise ValueError(f"sensitivity must be above 0, not {sensitivity}")
        if look_ahead < 0:
            raise ValueError(f"look-ahead must not be negative, and is {look_ahead}")
        self._lowest = (LOWEST if look_ahead else LOWEST_LIVE) / sensitivity
        self._look_ahead = look_ahead
        self._shot = 0
        self._place = 0
        self._start: int | None = None
        self._seen: deque[Floats] = deque(maxlen=max(2, look_ahead + 1))
        self._moves: deque[float] = deque(maxlen=MEMORY)

    @property
    def held(self) -> int:
        """The most frames this stage keeps back."""
        return self._look_ahead

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with shot and place set."""
        waiting: deque[tuple[Frame, Floats]] = deque()
        for frame in frames:
            waiting.append((frame, thumbnail(frame.work.luma)))
            if len(waiting) > self._look_ahead:
                yield self._placed(waiting)
        while waiting:
            yield self._placed(waiting)

    def _placed(self, waiting: deque[tuple[Frame, Floats]]) -> Frame:
        """The first waiting frame, with its shot decided; the others are the look-ahead."""
        coming = [picture for _, picture in waiting]
        frame, picture = waiting.popleft()
        if self._seen:
            move = difference(self._seen[-1], picture)
            if move > self._lowest and self._is_cut(coming):
                self._seen.clear()
                self._moves.clear()
                self._shot += 1
                self._place = 0
            else:
                self._moves.append(move)
        self._seen.append(picture)
        if self._place == 0:
            self._start = frame.pts
        frame.shot, frame.place, frame.shot_start = self._shot, self._place, self._start
        self._place += 1
        return frame

    def _is_cut(self, coming: Sequence[Floats]) -> bool:
        across = min(difference(old, new) for old in self._seen for new in coming)
        # A bad frame makes two large differences: the third largest tells how lively the shot is.
        before = sorted(self._moves)[-3] if len(self._moves) > 2 else 0.0
        after = min((difference(one, other) for one, other in combinations(coming, 2)), default=0.0)
        return across > self._lowest + max(before, after)


def thumbnail(luma: Floats) -> Floats:
    """Luma (H, W) at the size at which frames are compared."""
    return cast(Floats, cv2.resize(luma, THUMBNAIL, interpolation=cv2.INTER_AREA))


def difference(one: Floats, other: Floats) -> float:
    """How far two thumbnails differ in structure: 0 the same, about 1 unrelated; up to 2.

    One minus the structure term of SSIM, (2 cov + c) / (var + var + c), over the picture's middle at the best of small shifts:
    blind to brightness, nearly blind to contrast, and forgiving of camera moves.
    """
    across, down = REACH
    middle = other[down:-down, across:-across]
    covariance = cv2.matchTemplate(one, middle, cv2.TM_CCOEFF) / middle.size
    kernel = np.full(middle.shape, 1 / middle.size, np.float32)
    mean, square = (_valid(plane, kernel) for plane in (one, one * one))
    variance = np.maximum(square - mean * mean, 0) + middle.var()
    return float(1 - ((2 * covariance + FLAT) / (variance + FLAT)).max())


def _valid(plane: Floats, kernel: Floats) -> Floats:
    """Correlation at the places where the kernel lies wholly inside."""
    return cast(Floats, cv2.matchTemplate(plane, kernel, cv2.TM_CCORR))
