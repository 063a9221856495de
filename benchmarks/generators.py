"""Colour networks behind one call, whether they are a training checkpoint or a network that the program ships."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Point(NamedTuple):
    """A place on the dial: temperature, the part of the tilt taken back, and what chroma is multiplied by."""

    temperature: float
    tilt: float
    gain: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Point:
        """From "T:tilt" or "T:tilt:gain"."""
        return cls(*(float(number) for number in text.split(":")))

    def __str__(self) -> str:
        return ":".join(f"{number:g}" for number in (self if self.gain != 1 else self[:2]))


class Generator(Protocol):
    """Chroma of one picture at some points of the dial."""

    def __call__(self, luma: Floats, points: Sequence[Point]) -> list[Floats]:
        """Chroma (2, H/4, W/4) at each point before its gain, of luma (H, W) in [0, 1] at work size."""
        ...


class Checkpoint:
    """A training checkpoint, or a plain state dict, run by PyTorch. `tilt` is a file of rebalancing weights for one without them."""

    def __init__(self, path: Path, tilt: Path | None = None) -> None:
        import torch

        from training.network import Generator

        self.torch, self.network = torch, Generator()
        saved = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, Any] = {key: value.float() for key, value in saved.get("ema", saved).items()}
        if tilt is not None:
            state["log_weights"] = torch.load(tilt, map_location="cpu", weights_only=True).float().log()
        missing = [key for key in self.network.load_state_dict(state, strict=False).missing_keys if not key.endswith("num_batches_tracked")]
        if missing:
            raise SystemExit(f"{path}: not weights of this network, {', '.join(missing[:3])} missing (older ones need --tilt)")
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def __call__(self, luma: Floats, points: Sequence[Point]) -> list[Floats]:
        torch = self.torch
        with torch.inference_mode():
            logits = self.network(torch.from_numpy(luma)[None, None], torch.zeros(1, 3, *luma.shape))
            return [self.network.chroma(logits, p.temperature, p.tilt)[0][0].numpy() for p in points]
