"""What travels between reader and writer, and the contract of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from vidcolor.picture.motion import Motion
from vidcolor.picture.planes import Box, Floats, Planes

ColorSource = Literal["film", "made", "none"]
"""Whose colour a frame has: the film's own, one that the generator makes, or none at all.

After the stage that makes it, a frame whose colour is made has `work.chroma`.
"""


@dataclass(slots=True)
class Hints:
    """Colours that the generator is told: `given` by a person, `proposed` by what is known of other frames.

    Each is (3, H, W) float32 at work size: Cb and Cr of BT.709 in [-0.5, 0.5], and weight in [0, 1]; None where there are none.
    """

    given: Floats | None = None
    proposed: Floats | None = None

    def merged(self, shape: tuple[int, int]) -> Floats:
        """One set of planes (3, H, W): what a person said where they said anything, else what was proposed, else nothing."""
        if self.given is None:
            return np.zeros((3, *shape), np.float32) if self.proposed is None else self.proposed
        if self.proposed is None:
            return self.given
        return np.where(self.given[2] > 0, self.given, self.proposed)


@dataclass(slots=True)
class Work:
    """What is known of a frame at work size; each computed once.

    luma (H, W) in [0, 1]; chroma (2, H/4, W/4), Cb and Cr of BT.709; confidence (H/4, W/4) in [0, 1]. All float32. `box` is the part
    of the picture that was looked at (without black borders). All are upright: the picture was turned counter-clockwise by `turns`
    quarters. `motion` leads to the frame before, within a shot.

    At style size: `content` (3, h, w), what the style network was shown, and `styled` (3, h, w), what it made of it; both are Y, Cb
    and Cr in network units of the picture's own matrix. `style` counts the styles that follow each other in a film.

    Raises ValueError for luma that is no float32 plane.
    """

    luma: Floats
    box: Box
    chroma: Floats | None = None
    confidence: Floats | None = None
    turns: int = 0
    motion: Motion | None = None
    content: Floats | None = None
    styled: Floats | None = None
    style: int = 0

    def __post_init__(self) -> None:
        if self.luma.dtype != np.float32 or self.luma.ndim != 2:
            raise ValueError(f"work luma must be a float32 plane, and is {self.luma.dtype} {self.luma.shape}")


@dataclass(slots=True)
class Frame:
    """One frame on its way: `pts` in the film's time base, its planes, its shot, what is known of it, and what leaves.

    `decoded` is what the decoder gave and is never written. `picture` begins as that; a stage that mends the film replaces it by
    planes of its own. `out` is made last. `number` counts frames from 0 where the pipeline began, `shot` its shots, `place` the frames of
    this shot from 0; `shot_start` is the pts of the first of these. `work` is there once the frame was shrunk.
    """

    number: int
    pts: int
    decoded: Planes
    color_source: ColorSource = "made"
    shot: int = 0
    place: int = 0
    shot_start: int | None = None
    hints: Hints = field(default_factory=Hints)
    picture: Planes = field(init=False)
    shrunk: Work | None = None
    out: Planes | None = None

    def __post_init__(self) -> None:
        self.picture = self.decoded

    @property
    def work(self) -> Work:
        """What is known at work size. Raises ValueError where the frame was not shrunk yet."""
        if self.shrunk is None:
            raise ValueError("the frame was not shrunk: there is nothing at work size")
        return self.shrunk


Part = Literal["picture", "work", "color source", "shot", "motion", "chroma", "content", "styled", "out"]
"""What a stage may need of a frame, or give it. Chroma is there for frames whose colour is made."""


class Stage(Protocol):
    """Frames in, frames out: same number, same order, same pts. Ending the input flushes.

    A stage reads what it `needs`, sets what it `gives`, and leaves the rest alone. Nothing is carried over a change of `frame.shot`; at
    most `held` frames are kept back at any moment (0: live); the same input gives the same output. A stage is used for one stretch of film.
    """

    @property
    def needs(self) -> frozenset[Part]:
        """What earlier stages must have set."""
        ...

    @property
    def gives(self) -> frozenset[Part]:
        """What this stage sets or replaces."""
        ...

    @property
    def held(self) -> int:
        """The most frames this stage keeps back."""
        ...

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on, one by one, as they become ready."""
        ...


def parts(*names: Part) -> frozenset[Part]:
    """A set of parts, for `needs` and `gives`."""
    return frozenset(names)


def check_order(stages: Sequence[Stage], known: frozenset[Part]) -> None:
    """Raise ValueError where a stage needs what none before it gives; frames come with picture, color source and what is `known`."""
    known |= {"picture", "color source"}
    for stage in stages:
        if missing := stage.needs - known:
            raise ValueError(f"{type(stage).__name__} needs {', '.join(sorted(missing))}, which no stage before it gives")
        known |= stage.gives
