"""What travels between Reader and Writer, and the contract of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from vidcolor.planes import Box, Floats, Planes


@dataclass(slots=True)
class Work:
    """What is known of a frame at work size; each computed once.

    luma (H, W) in [0, 1]; chroma (2, H/4, W/4), Cb and Cr of BT.709; confidence (H/4, W/4) in [0, 1]; hints (3, H, W): Cb, Cr
    and weight. All float32. `box` is the part of the source that was looked at (without black borders). All are upright: the
    source was turned counter-clockwise by `turns` quarters.

    At style size: `content` (3, h, w), what the style network was shown, and `styled` (3, h, w), what it made of it; both are Y, Cb
    and Cr in network units of the source's own matrix. `style` counts the styles that follow each other in a film.
    """

    luma: Floats
    box: Box
    chroma: Floats | None = None
    confidence: Floats | None = None
    hints: Floats | None = None
    turns: int = 0
    content: Floats | None = None
    styled: Floats | None = None
    style: int = 0


@dataclass(slots=True)
class Frame:
    """One frame on its way: `source` planes (never written), `out` planes, `pts` in the film's time base, its shot.

    `number` counts the film's frames from 0, `shot` its shots, `place` the frames of this shot from 0. `keep` says that the
    frame leaves as it came (a colour shot under --only-grey).
    """

    number: int
    pts: int
    source: Planes
    work: Work
    shot: int = 0
    place: int = 0
    keep: bool = False
    out: Planes | None = field(default=None)

    @property
    def own_color(self) -> bool:
        """Whether its colour is the film's own: none was made for it, or none is to be used."""
        return self.keep or self.work.chroma is None


class Stage(Protocol):
    """Frames in, frames out: same number, same order, same pts. Ending the input flushes.

    Nothing is carried over a change of `frame.shot`; at most `held` frames are kept back at any moment (0 = live); the same
    input gives the same output. A stage is used for one film.
    """

    @property
    def held(self) -> int:
        """The most frames this stage keeps back."""
        ...

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on, one by one, as they become ready."""
        ...
