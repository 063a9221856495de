"""The generator at work: luma and hints in, chroma and confidence out, in batches that never cross a cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vidcolor.backends.base import Session
from vidcolor.frames import Frame
from vidcolor.planes import Floats

LARGEST = 0.45
"""Chroma is kept inside this radius: hardly any natural colour lies outside it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One position of the vividness dial: temperature of the distribution, part of the tilt taken back, gain on chroma."""

    temperature: float
    tilt: float
    gain: float


class Steadiness(Protocol):
    """Keeps colour still within a shot; a collaborator of this stage, not a stage after it."""

    def reset(self) -> None:
        """Forget everything: a new shot begins."""
        ...

    def propose(self, frame: Frame) -> Floats | None:
        """Hints (3, H, W) for the network, or None."""
        ...

    def accept(self, frame: Frame, chroma: Floats, confidence: Floats) -> Floats:
        """Chroma (2, h, w) to be used for this frame, given the network's answer."""
        ...


def turn_dial(settings: Sequence[Setting], vividness: float) -> Setting:
    """The dial at `vividness` in [0, 2]: linear between the positions 0 (muted), 1 (default) and 2 (bold).

    Raises ValueError outside [0, 2].
    """
    if not 0 <= vividness <= 2:
        raise ValueError(f"vividness {vividness} is not between 0 and 2")
    low = min(int(vividness), 1)
    part = vividness - low
    a, b = settings[low], settings[low + 1]
    return Setting(*((1 - part) * x + part * y for x, y in zip(astuple(a), astuple(b), strict=True)))


def astuple(setting: Setting) -> tuple[float, float, float]:
    return setting.temperature, setting.tilt, setting.gain


class Colorize:
    """Stage: gives every frame `work.chroma` and `work.confidence`.

    Batches are counted from the first frame of each shot, so a resumed run makes the same ones. With `mirror` the network looks
    twice, at the picture and at its mirror image, and the answers are averaged.
    """

    def __init__(
        self, session: Session, setting: Setting, *, batch: int = 1, steady: Steadiness | None = None, mirror: bool = False
    ) -> None:
        self.session, self.setting, self.batch, self.steady, self.mirror = session, setting, batch, steady, mirror
        self.colored = 0
        self._shot: int | None = None

    @property
    def held(self) -> int:
        return self.batch - 1

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        waiting: list[Frame] = []
        for frame in frames:
            if waiting and (frame.shot != waiting[0].shot or len(waiting) == self.batch):
                yield from self._color(waiting)
                waiting = []
            waiting.append(frame)
            if len(waiting) == self.batch:
                yield from self._color(waiting)
                waiting = []
        if waiting:
            yield from self._color(waiting)

    def _color(self, frames: list[Frame]) -> list[Frame]:
        wanted = [frame for frame in frames if not frame.keep]
        if not wanted:
            return frames
        answer = self._ask(np.stack([frame.work.luma[None] for frame in wanted]), np.stack([self._hints(frame) for frame in wanted]))
        for frame, chroma, confidence in zip(wanted, answer["chroma"], answer["confidence"], strict=True):
            steadied = self.steady.accept(frame, chroma, confidence[0]) if self.steady else chroma
            frame.work.chroma, frame.work.confidence = amplify(steadied, self.setting.gain), confidence[0]
        self.colored += len(wanted)
        return frames

    def _ask(self, luma: Floats, hints: Floats) -> Mapping[str, Floats]:
        dial = {"temperature": np.array([self.setting.temperature], np.float32), "tilt": np.array([self.setting.tilt], np.float32)}
        answer = self.session.run({"luma": luma, "hints": hints} | dial)
        if not self.mirror:
            return answer
        other = self.session.run(
            {name: np.ascontiguousarray(planes[..., ::-1]) for name, planes in (("luma", luma), ("hints", hints))} | dial
        )
        return {name: (planes + other[name][..., ::-1]) * np.float32(0.5) for name, planes in answer.items()}

    def _hints(self, frame: Frame) -> Floats:
        if self.steady:
            if frame.shot != self._shot:  # its first frames may have been kept
                self.steady.reset()
                self._shot = frame.shot
            frame.work.hints = self.steady.propose(frame)
        given = frame.work.hints
        return np.zeros((3, *frame.work.luma.shape), np.float32) if given is None else given


def amplify(chroma: Floats, gain: float) -> Floats:
    """Chroma (2, h, w) times `gain`, its length held below LARGEST."""
    louder = chroma * np.float32(gain)
    length = np.hypot(louder[0], louder[1])
    held = np.minimum(1, LARGEST / np.maximum(length, 1e-6))
    return np.asarray(louder * held, np.float32)
