"""Films and pictures restyled by the program itself: its plan, its networks in its precision, its stages; but no file is written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from vidcolor.job.journal import Range
from vidcolor.job.plan import plan
from vidcolor.job.segments import open_reader
from vidcolor.job.styling import choose_style
from vidcolor.media.stills.pictures import SUFFIXES
from vidcolor.picture.matrices import to_rgb_units
from vidcolor.picture.planes import Floats, Planes, shrink_color
from vidcolor.pipeline.build import Pipeline, color_view, full_color, load, quarters, style_size
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.model import Plan
from vidcolor.pipeline.sessions import SessionPool
from vidcolor.stages.base import Frame
from vidcolor.stages.cuts import Cuts
from vidcolor.stages.shrink import Shrink

Mode = Literal["off", "causal"]


class Clip:
    """Frames of one shot of a clip, restyled as often as asked for. A context: the networks are loaded once and closed at the end."""

    def __init__(self, path: Path, frames: int, style: str, device: str = "auto") -> None:
        """The first shot with so many frames, else the longest; `style` is any that there is, to plan with."""
        # FFV1 takes every layout: what is measured is the program's answer, not an encoder's.
        suffix, codec = (".png", None) if path.suffix.lower() in SUFFIXES else (".mkv", "ffv1")
        out = Path(tempfile.gettempdir()) / f"never-written{suffix}"
        self._pool, self._precisions = SessionPool(), set[str]()
        job = Job(path, out, codec=codec, style=style, device=device, overwrite=True)
        self.name, self.plan = path.stem, plan(job, self._pool)
        with open_reader(self.plan, Range()) as reader:
            decoded = (Frame(number, pts, planes) for number, (pts, planes) in enumerate(reader))
            shot = first_shot(Shrink(color_view(self.plan)).run(decoded), frames)
        self.first, self.frames = shot[0].number, [(frame.pts, frame.decoded) for frame in shot]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

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
        target = chosen.encoding.layout if chosen.encoding else full_color(chosen.film.layout)
        sessions = load(chosen, self._pool)
        self._precisions.add(sessions.precision)
        return Pipeline(chosen, sessions, target).run(self.frames)

    def precision(self) -> str:
        """What the networks that were used so far run in."""
        return ", ".join(sorted(self._precisions))

    def look(self, planes: Planes, size: tuple[int, int] | None = None) -> Floats:
        """Y, Cb and Cr (3, h, w) at style size or another, in units of the planes' own matrix: upright, inside the black borders."""
        return shrink_color(planes, self.plan.look.box, size or self.size, quarters(self.plan.film))

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
