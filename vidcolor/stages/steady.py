"""Keeps colour still within a shot: chroma is averaged along the motion of luma. Causal: only earlier frames are used."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from vidcolor.frames import Frame
from vidcolor.motion import Flow, Seen, fetch, see
from vidcolor.planes import Floats

LONGEST = 8.0
"""Frames that the running mean remembers at strength 1."""
CHROMA_SPREAD = 0.1
"""Difference between the mean and the network's new answer at which the mean counts 0.6."""


class Past(NamedTuple):
    """The frame before: its luma at chroma size, mean chroma (2, h, w), and how many frames are in that mean."""

    seen: Seen
    chroma: Floats
    weight: Floats


class Steady:
    """Running mean of chroma along flow, for one film; `reset` at every cut.

    Past frames lose their weight where the motion cannot be trusted: where luma differs along it, where flow there and back do not
    meet (Sundaram et al. 2010), and where the network now says something else altogether. So what is uncovered starts anew, and
    a little flicker rather than a ghost is left. Answers count alike: weighed by confidence the mean would fade, since the
    network is surest of grey.
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

    def propose(self, frame: Frame) -> Floats | None:
        """Hints for the network: none. What earlier frames say is averaged into its answer instead."""
        return None

    def accept(self, frame: Frame, chroma: Floats, confidence: Floats) -> Floats:
        """Steadied chroma (2, h, w) for the network's `chroma` (2, h, w); `confidence` (h, w) is not used."""
        height, width = chroma.shape[1:]
        seen = see(frame.work.luma, (width, height))
        if self._past is None or self._past.seen.luma.shape != seen.luma.shape:
            self._past = Past(seen, chroma, np.ones_like(seen.luma))
            return chroma
        carried, weight = self._carried(self._past, seen, chroma)
        total = weight + np.float32(1)
        mean = carried + (chroma - carried) / total
        self._past = Past(seen, mean, np.minimum(total, self._longest))
        return mean

    def _carried(self, past: Past, seen: Seen, chroma: Floats) -> tuple[Floats, Floats]:
        """The mean of the past brought to this frame, and the weight that it has here."""
        trace = self._flow.trace(past.seen, seen, past.weight)
        # Cubic, because the mean is moved once a frame: linear interpolation would blur it away.
        mean = np.stack(fetch(past.chroma, trace.x, trace.y, cv2.INTER_CUBIC))
        doubt = trace.doubt + np.square((mean - chroma) / np.float32(CHROMA_SPREAD)).sum(axis=0)
        return mean, trace.weight * np.exp(doubt * np.float32(-0.5)) * trace.inside
