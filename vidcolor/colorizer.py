"""`vidcolor.Colorizer`: pictures that are arrays to pictures that are arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from vidcolor.analysis.tint import judge
from vidcolor.backends import choose
from vidcolor.errors import UsageError
from vidcolor.job.styling import choose_style, side_of
from vidcolor.media.input.probe import Film, film_of
from vidcolor.media.samples.unpack import from_rgb, rgb_layout, to_rgb
from vidcolor.networks.cards import find
from vidcolor.picture.planes import Layout, Planes
from vidcolor.pipeline.build import Pipeline, full_color, load
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.model import Look, Plan
from vidcolor.pipeline.sessions import SessionPool

Picture = NDArray[np.uint8] | NDArray[np.uint16]
"""Grey (height, width) or R, G, B (height, width, 3), full range, 8 or 16 bit."""
NOWHERE = Path("array")
"""Stands for the file that there is none of."""


class Colorizer:
    """Colours pictures, or restyles them, without files. A context; networks are loaded for each size once and freed at its end.

        with Colorizer(vividness=1.2) as colorizer:
            rgb = colorizer(grey)                       # one picture
            for rgb in colorizer.shot(frames): ...      # frames of one shot: colour follows motion

    Pictures with colour keep it when they are restyled, and lose it when they are coloured.
    """

    def __init__(
        self,
        *,
        vividness: float = 1.0,
        style: str | None = None,
        style_strength: float = 1.0,
        style_size: int | Literal["fast", "best"] | None = None,
        color_from: Literal["film", "style"] = "style",
        steady: Literal["off", "causal"] = "causal",
        network: str = "colorize-fast",
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        """As `vidcolor.colorize` has them; `threads` are those of the networks on a CPU, 0 for every core.

        Raises UsageError for an argument that cannot be, DeviceError where network or device cannot be used.
        """
        self._job = Job(
            NOWHERE, NOWHERE, vividness=vividness, style=style, style_strength=style_strength, style_size=style_size,  # type: ignore[arg-type]
            color_from=color_from, steady=steady, network=network, device=device, threads=threads,
        )  # fmt: skip
        self._network = find(network, "colorize")
        self._backend, self._why = choose(device, threads)
        self._style = choose_style(self._job, film_of(NOWHERE, Layout(1, 1)))
        self._pool, self._closed = SessionPool(kept=None), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks. May be called twice; a shot that is half given ends with a DeviceError."""
        self._closed = True
        self._pool.close()

    def __call__(self, picture: Picture) -> Picture:
        """One picture to R, G, B (height, width, 3) of the same depth. Raises ValueError for an array that is no picture."""
        (made,) = self.shot([picture])
        return made

    def shot(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Pictures of one shot, of one size and kind, to R, G, B (height, width, 3) of the same depth, in their order.

        Raises ValueError for an array that is no picture, or is not of the first one's shape and type, UsageError once it is closed.
        """
        if self._closed:
            raise UsageError("this Colorizer is closed; make another")
        coming = iter(pictures)
        for first in coming:
            planes = planes_of(first)
            for frame in self._pipeline(planes).run(self._planes(planes, coming)):
                assert frame.out is not None
                yield to_rgb(frame.out, np.asarray(first).dtype.itemsize * 8)

    def _planes(self, first: Planes, others: Iterator[Picture]) -> Iterator[tuple[int, Planes]]:
        yield 0, first
        for pts, picture in enumerate(others, 1):
            planes = planes_of(picture)
            if planes.layout != first.layout:
                raise ValueError(f"picture {pts} is {kind_of(planes)}, and the first {kind_of(first)}")
            yield pts, planes

    def _pipeline(self, planes: Planes) -> Pipeline:
        layout = planes.layout
        film: Film = film_of(NOWHERE, layout)
        look = Look(film, judge([planes]), layout.box)
        style = self._style and replace(self._style, side=side_of(self._job, film, self._style.network))
        plan = Plan(self._job, look, self._network, self._backend, self._why, style)
        return Pipeline(plan, load(plan, self._pool), full_color(layout), one_shot=True)


def kind_of(planes: Planes) -> str:
    layout = planes.layout
    return f"{'RGB' if layout.rgb else 'grey'}, {layout.width}x{layout.height}" + ("" if layout.rgb else f", {layout.depth} bit")


def planes_of(picture: Any) -> Planes:
    """An array as planes. Raises ValueError for one that is no picture."""
    array = np.asarray(picture)
    if array.dtype.kind == "u":  # of either byte order
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype not in (np.uint8, np.uint16) or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or not array.size:
        raise ValueError(f"a picture is uint8 or uint16, (height, width) or (height, width, 3), and this is {array.dtype} {array.shape}")
    depth, (height, width) = array.dtype.itemsize * 8, array.shape[:2]
    if array.ndim == 2:
        return Planes(cast(Picture, array), None, None, Layout(width, height, depth, "400", True, "bt709", "center"))
    return from_rgb(cast(Picture, array), float((1 << depth) - 1), rgb_layout(width, height))
