"""What the tests of runs share: a film of two segments, and a stand-in for its network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import av
import numpy as np

from vidcolor.backends.base import Arrays, Backend, Precision, Session, Shapes
from vidcolor.pipeline.sessions import SessionPool

FRAMES, SAFE = 40, 25  # in the film, and at the end of its first segment of a second


class Shade:
    """A network's stand-in that colours by luma alone; `trouble` is called with the number of frames so far."""

    precision = "f32"
    trouble: Callable[[int], None] = staticmethod(lambda seen: None)

    def __init__(self) -> None:
        self.seen = 0

    def run(self, inputs: Arrays) -> dict[str, Any]:
        self.seen += len(inputs["luma"])
        self.trouble(self.seen)
        chroma = (inputs["luma"][:, :, ::4, ::4] - np.float32(0.5)) * np.float32(0.2)
        return {"chroma": np.concatenate([chroma, -chroma], 1), "confidence": np.ones_like(chroma)}

    def close(self) -> None:
        pass


class ShadePool(SessionPool):
    """A pool whose colour network is Shade."""

    def prepare(self, backend: Backend, network: Path, shapes: Shapes, precision: Precision = "auto") -> Future[Session]:
        if network.stem.startswith("colorize"):
            ready: Future[Session] = Future()
            ready.set_result(Shade())
            return ready
        return super().prepare(backend, network, shapes, precision)


def frames(path: Path) -> int:
    with av.open(f"file:{path}") as box:
        return sum(1 for _ in box.decode(video=0))


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != "lock")
