"""Films and pictures restyled by the program itself: its plan, its networks in its precision, its stages; but no file is written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from vidcolor.frames import Frame
from vidcolor.job.plan import plan
from vidcolor.job.report import Job, Plan
from vidcolor.job.stills import SUFFIXES
from vidcolor.job.styling import choose_style
from vidcolor.job.wiring import (
    Chain,
    Sessions,
    color_view,
    full_color,
    load_session,
    load_style_session,
    open_reader,
    quarters,
    style_size,
    to_frames,
)
from vidcolor.planes import Floats, Planes, shrink_color, to_rgb_units
from vidcolor.stages.cuts import Cuts

Mode = Literal["off", "causal"]


class Clip:
    """Frames of one shot of a clip, restyled as often as asked for. A context: the networks are loaded once and closed at the end."""

    def __init__(self, path: Path, frames: int, style: str, device: str = "auto") -> None:
        """The first shot with so many frames, else the longest; `style` is any that there is, to plan with."""
        # FFV1 takes every layout: what is measured is the program's answer, not an encoder's.
        suffix, codec = (".png", None) if path.suffix.lower() in SUFFIXES else (".mkv", "ffv1")
        out = Path(tempfile.gettempdir()) / f"never-written{suffix}"
        self.name, self.plan = path.stem, plan(Job(path, out, codec=codec, style=style, device=device, overwrite=True))
        with open_reader(self.plan) as reader:
            shot = first_shot(to_frames(iter(reader), color_view(self.plan), 0), frames)
        self.first, self.frames = shot[0].number, [(frame.pts, frame.source) for frame in shot]
        self._stack, self._loaded = ExitStack(), dict[str, Sessions]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._loaded.clear()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) at which the style network looks, and at which its answer is judged."""
        return style_size(self.plan)

    def planned(self, style: str, steady: Mode = "causal") -> Plan:
        """The plan for a style."""
        job = replace(self.plan.job, style=style, steady=steady)
        return replace(self.plan, job=job, style=choose_style(job, self.plan.film))

    def restyled(self, style: str, steady: Mode = "causal") -> Iterator[Frame]:
        """Every frame with `out` set, at full size. `steady` "off": statistics and motion are not followed."""
        return self.run(self.planned(style, steady))

    def run(self, chosen: Plan) -> Iterator[Frame]:
        """Every frame by a plan of this clip."""
        encoding = chosen.encoding
        target, batch = (encoding.layout, chosen.job.batch) if encoding else (full_color(chosen.film.layout), 1)
        chain = Chain(chosen, self._sessions(chosen), target, batch)
        return chain.run(Cuts().run(to_frames(iter(self.frames), color_view(chosen), 0)))

    def _sessions(self, chosen: Plan) -> Sessions:
        assert chosen.style is not None
        name = chosen.style.network.name
        if name not in self._loaded:
            color = next((loaded.color for loaded in self._loaded.values()), None)
            if chosen.colors and color is None:
                color = self._stack.enter_context(closing(load_session(chosen)))
            self._loaded[name] = Sessions(color, self._stack.enter_context(closing(load_style_session(chosen))))
        return self._loaded[name]

    def precision(self) -> str:
        """What the networks that were used so far run in."""
        return ", ".join(sorted({loaded.precision for loaded in self._loaded.values()}))

    def look(self, planes: Planes, size: tuple[int, int] | None = None) -> Floats:
        """Y, Cb and Cr (3, h, w) at style size or another, in units of the planes' own matrix: upright, inside the black borders."""
        return shrink_color(planes, self.plan.box, size or self.size, quarters(self.plan.film))

    def rgb(self, planes: Planes, size: tuple[int, int] | None = None) -> Floats:
        """RGB (3, h, w) in [0, 1] at style size or another."""
        return to_rgb_units(self.look(planes, size), planes.layout.matrix)


def first_shot(frames: Iterable[Frame], count: int) -> list[Frame]:
    """The first `count` frames in a row that no cut divides; the longest run where there is none so long."""
    best, current = list[Frame](), list[Frame]()
    for frame in Cuts().run(frames):
        if current and frame.shot != current[-1].shot:
            current = []
        current.append(frame)
        if len(current) > len(best):
            best = current
        if len(current) == count:
            break
    return best
