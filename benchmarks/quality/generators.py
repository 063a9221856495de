"""Colour networks as sessions, whether they are a training checkpoint or a network that the program ships."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vidcolor import backends
from vidcolor.backends.base import Arrays, Precision, Session
from vidcolor.networks import cards as networks
from vidcolor.picture.chroma import fit_rgb, upsample

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


def default_point(name: str) -> Point:
    """Where the dial of a shipped network stands by itself; a checkpoint has no dial yet and takes that of colorize-fast."""
    dials = {network.name: network.card.dial for network in networks.available()}
    return Point(*dials.get(name, dials["colorize-fast"])[1])


class Source(Protocol):
    """Where sessions of one network come from."""

    @property
    def label(self) -> str:
        """The network's name in results."""
        ...

    def open(self, batch: int, height: int, width: int) -> Session:
        """A session for luma (batch, 1, height, width). Kept by the source; never closed by who asks."""
        ...


class Shipped:
    """A network that the program ships, on the CPU, in the precision that it would choose itself."""

    def __init__(self, name: str, precision: Precision = "auto", threads: int = 0) -> None:
        """`threads` of inference, 0 for one each core."""
        self.network, self.precision, self.label = networks.find(name), precision, name
        self.backend, self.sessions = backends.choose("cpu", threads)[0], dict[tuple[int, int, int], Session]()

    def open(self, batch: int, height: int, width: int) -> Session:
        key = (batch, height, width)
        if key not in self.sessions:
            shapes = {"luma": (batch, 1, height, width), "hints": (batch, 3, height, width), "temperature": (1,), "tilt": (1,)}
            self.sessions[key] = self.backend.load(self.network.path, shapes, self.precision)
            self.label = f"{self.network.name} ({self.sessions[key].precision})"
        return self.sessions[key]


class Checkpoint:
    """A training checkpoint, or a plain state dict, run by PyTorch: its own session for every size.

    `tilt` is a file of rebalancing weights for a state dict without them. The logits of the last picture are kept, so that several
    points of the dial cost one run of the network.
    """

    precision = "f32"

    def __init__(self, path: Path, tilt: Path | None = None, threads: int = 1) -> None:
        """Raises SystemExit where the file holds another network's weights."""
        import torch

        from training.color.network import build, weights_of

        torch.set_num_threads(threads)
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.torch, self.network, self.label = torch, build(**saved.get("build", {})), str(path.name)
        state = weights_of(saved)
        if tilt is not None:
            state["log_weights"] = torch.load(tilt, map_location="cpu", weights_only=True).float().log()
        missing = [key for key in self.network.load_state_dict(state, strict=False).missing_keys if not key.endswith("num_batches_tracked")]
        if missing:
            raise SystemExit(f"{path}: not weights of this network, {', '.join(missing[:3])} missing (older ones need --tilt)")
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.last: tuple[Floats, Floats, Any] | None = None

    def open(self, batch: int, height: int, width: int) -> Session:
        return self

    def run(self, inputs: Arrays) -> dict[str, Floats]:
        luma, hints = inputs["luma"], inputs["hints"]
        with self.torch.inference_mode():
            if self.last is None or not (np.array_equal(luma, self.last[0]) and np.array_equal(hints, self.last[1])):
                logits = self.network(self.torch.from_numpy(luma), self.torch.from_numpy(hints))
                self.last = (luma.copy(), hints.copy(), logits)
            answer = self.network.chroma(self.last[2], float(inputs["temperature"][0]), float(inputs["tilt"][0]))
        return {name: value.numpy() for name, value in zip(("chroma", "confidence"), answer, strict=True)}

    def close(self) -> None:
        self.last = None


class Mirrored:
    """A network that looks at every picture and at its mirror image, and answers with the mean of both.

    The mean is of chroma and of confidence after their reduction. Both go through the network as one batch.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def label(self) -> str:
        return f"{self.source.label}, mirrored"

    def open(self, batch: int, height: int, width: int) -> Session:
        return MirroredSession(self.source.open(2 * batch, height, width))


class MirroredSession:
    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def precision(self) -> str:
        return self.session.precision

    def run(self, inputs: Arrays) -> dict[str, Floats]:
        pairs = {name: np.concatenate([a, a[..., ::-1]]) if a.ndim == 4 else a for name, a in inputs.items()}
        count = len(inputs["luma"])
        return {name: (a[:count] + a[count:, ..., ::-1]) * np.float32(0.5) for name, a in self.session.run(pairs).items()}

    def close(self) -> None:
        self.session.close()


def ask(source: Source, luma: Floats, points: Sequence[Point]) -> list[Floats]:
    """Chroma (2, H/4, W/4) of one luma (H, W) at work size, without hints, at each point before its gain."""
    session = source.open(1, *luma.shape)
    inputs = {"luma": luma[None, None], "hints": np.zeros((1, 3, *luma.shape), np.float32)}
    return [session.run(inputs | {"temperature": single(p.temperature), "tilt": single(p.tilt)})["chroma"][0] for p in points]


def paint(luma: Floats, low: Floats, chroma: Floats) -> Floats:
    """Chroma (2, H, W) of a picture by the program's own path: guided by luma (H, W) and (h, w), then drawn into RGB."""
    cb, cr = upsample(chroma, low, luma)
    below, above = (np.reciprocal(np.maximum(room, np.float32(1e-6))) for room in (luma, 1 - luma))
    fit_rgb(cb, cr, below, above, "bt709")
    return np.stack([cb, cr])


def single(number: float) -> Floats:
    return np.array([number], np.float32)
