"""The generator at work: luma and hints in, chroma and confidence out, in batches that never cross a cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from vidcolor.backends.base import Session
from vidcolor.picture.planes import Floats
from vidcolor.stages.base import Frame, parts


@dataclass(frozen=True, slots=True)
class Setting:
    """One position of the vividness dial: temperature of the distribution, part of the tilt taken back, gain on chroma."""

    temperature: float
    tilt: float
    gain: float


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


class Colorize:
    """Stage: gives every frame whose colour is to be made `work.chroma`, as the network says it, and `work.confidence`.

    Batches are counted from the first frame of each shot, so a resumed run makes the same ones. With `mirror` the network looks
    twice, at the picture and at its mirror image, and the answers are averaged.
    """

    needs, gives = parts("work", "shot", "color source"), parts("chroma")

    def __init__(self, session: Session, setting: Setting, *, batch: int = 1, mirror: bool = False) -> None:
        self.session, self.setting, self.batch, self.mirror = session, setting, batch, mirror

    @property
    def held(self) -> int:
        return self.batch - 1

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on with chroma and confidence set."""
        waiting: list[Frame] = []
        for frame in frames:
            if waiting and frame.shot != waiting[0].shot:
                yield from self._color(waiting)
                waiting = []
            waiting.append(frame)
            if len(waiting) == self.batch:
                yield from self._color(waiting)
                waiting = []
        if waiting:
            yield from self._color(waiting)

    def _color(self, frames: list[Frame]) -> list[Frame]:
        wanted = [frame for frame in frames if frame.color_source == "made"]
        if not wanted:
            return frames
        lumas = [frame.work.luma for frame in wanted]
        hints = [frame.hints.merged(luma.shape) for frame, luma in zip(wanted, lumas, strict=True)]
        answer = self._ask(np.stack(lumas)[:, None], np.stack(hints))
        for frame, chroma, confidence in zip(wanted, answer["chroma"], answer["confidence"], strict=True):
            frame.work.chroma, frame.work.confidence = chroma, confidence[0]
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
