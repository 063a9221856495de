"""What a backend is: something that runs networks. Every backend passes the contract suite of tests/contracts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vidcolor.wording import field

Arrays = Mapping[str, NDArray[np.float32]]
Precision = Literal["auto", "f32", "bf16", "f16"]
Shapes = Mapping[str, tuple[int, ...]]


class Session(Protocol):
    """One network, loaded for given shapes."""

    @property
    def precision(self) -> str:
        """The precision it really runs in: "f32", "bf16" or "f16"."""
        ...

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """Outputs by name for C-contiguous float32 inputs by name.

        Any batch from 1 to the one that was loaded for. Returned arrays belong to the caller. Raises DeviceError for a wrong name,
        shape or dtype, for a failing device, and once closed.
        """
        ...

    def close(self) -> None:
        """Free what it holds. May be called twice and from any thread."""
        ...


class Backend(Protocol):
    """A way to run networks on a kind of device.

    `key` tells devices and settings apart that share a name. `batch` is how many pictures it is best asked for at a time, where several are
    at hand: 1 to 4. `quick` says that loading takes less than a second, so that it may be done on a guess.
    """

    name: str
    key: str
    batch: int
    quick: bool

    def available(self) -> str | None:
        """None where it can be used, else one sentence that says why not and what would help."""
        ...

    def load(self, network: Path, shapes: Shapes, precision: Precision = "auto") -> Session:
        """Compile an ONNX file for input shapes (batch first, the largest that will come) on this backend.

        Raises DeviceError where the device is absent or the network cannot be compiled.
        """
        ...


def worst_of(off: Mapping[str, float], allowed: Mapping[str, float]) -> tuple[float, float]:
    """Difference and tolerance of the output that is farthest beyond its tolerance, or nearest to it."""
    name = max(off, key=lambda output: off[output] / allowed[output])
    return off[name], allowed[name]


def use_cpu() -> str:
    """The advice that messages about a device end with."""
    return f"use {field('device', 'cpu')}"
