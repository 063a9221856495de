"""What all runs share: time and rate, a line of JSON every 50 steps, checkpoints to go on from and a sheet of pictures beside them."""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from training.shared.photos import Array


def common_options(parser: argparse.ArgumentParser) -> None:
    """Of runs of style and of anime."""
    parser.add_argument("--photos", required=True, help="tar files of photos, joined by ':'")
    parser.add_argument("--lite0", required=True, help="ImageNet weights of EfficientNet-Lite0 (.pth)")
    parser.add_argument("--start", type=Path, help="a checkpoint to start from")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=float, default=10, help="minutes")
    parser.add_argument("--random-features", action="store_true", help="judge by untrained features (a debug run)")
    parser.add_argument("--max-steps", type=int, default=0, help="stop after so many steps (a debug run)")


class Loop:
    """A run: parameters that learn, counters, checkpoints. What differs is in `step`, `state`, `restore`, `sheet` and `rate`.

    `args` has at least out, minutes, batch, rate, seed, save_every and max_steps, as `common_options` gives them.
    """

    learned: list[nn.Parameter]
    optimiser: torch.optim.Optimizer
    """Of what is learned; a group of its parameters may have a "share" of the rate."""
    clip = 5.0
    """Norm that the gradient of what is learned is cut to."""
    counted = "pictures"
    """What a batch is counted in."""
    dense = 0
    """Steps from one checkpoint that stays to the next, NNNNNN.pt beside the last; 0: none does."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        self.seen: dict[str, float] = {"step": 0, self.counted: 0, "seconds": 0.0}

    @property
    def path(self) -> Path:
        """Where the checkpoint is kept."""
        return Path(self.args.out) / "last.pt"

    def step(self) -> dict[str, Tensor]:
        """Learn once; returns the losses."""
        raise NotImplementedError

    def kept(self) -> dict[str, Any]:
        """What is saved of what was learned: enough to use it."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """What is saved to go on from: `kept`, and more where that is not enough."""
        return self.kept()

    def restore(self, saved: dict[str, Any]) -> None:
        """Take back what `state` gave, but for the counters."""
        raise NotImplementedError

    def sheet(self) -> Tensor | None:
        """A picture (3, H, W) of what was learned so far."""
        return None

    def rate(self) -> float:
        """The learning rate of the step to come."""
        rate: float = self.args.rate * min(1, (self.seen["step"] + 1) / 100) * max(0.03, 1 - self.part() ** 2)
        return rate

    def feed(self, samples: IterableDataset[tuple[Array, ...]]) -> Iterator[list[Tensor]]:
        """Batches, made by a worker. It is forked here: call this before OpenMP has threads, else it waits for them for ever."""
        return iter(DataLoader(samples, batch_size=self.args.batch, num_workers=1, prefetch_factor=4))

    def descend(self, losses: dict[str, Tensor], shares: dict[str, float]) -> Tensor:
        """One step down the sum of the losses that have a share; returns that sum."""
        loss = torch.stack([shares[key] * value for key, value in losses.items() if shares[key]]).sum()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.learned, self.clip)
        self.optimiser.step()
        return loss

    def part(self) -> float:
        """How much of the run is behind, in [0, 1]: of its minutes, or of its steps where those run out first."""
        steps = self.seen["step"] / self.args.max_steps if self.args.max_steps else 0.0
        minutes: float = self.seen["seconds"] / 60 / self.args.minutes
        return min(1.0, max(minutes, steps))

    def train(self) -> None:
        totals: dict[str, list[float]] = defaultdict(list)
        saved = self.seen["seconds"]
        while self.part() < 1:
            begun, rate = time.monotonic(), self.rate()
            for group in self.optimiser.param_groups:
                group["lr"] = rate * group.get("share", 1.0)
            for key, value in self.step().items():
                totals[key].append(value.item())
            self.seen["step"] += 1
            self.seen[self.counted] += self.args.batch
            self.seen["seconds"] += time.monotonic() - begun
            if self.seen["step"] % 50 == 0:
                print(json.dumps(self.seen | {key: round(float(np.mean(values)), 4) for key, values in totals.items()}), flush=True)
                totals.clear()
            if self.seen["seconds"] - saved > self.args.save_every * 60:
                saved = self.seen["seconds"]
                self.save()
            if self.dense and self.seen["step"] % self.dense == 0:
                self.write(self.path.with_name(f"{int(self.seen['step']):06d}.pt"), self.kept())
        self.save()

    def save(self) -> None:
        """Write the checkpoint that the run can go on from."""
        self.write(self.path, self.state())

    def resume(self) -> None:
        """Go on from that checkpoint, where there is one."""
        if self.path.exists():
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            self.restore(saved)
            self.seen = saved["seen"]

    def write(self, path: Path, state: dict[str, Any]) -> None:
        """A file, whole or not at all, and a sheet beside it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)
        with torch.no_grad():
            picture = self.sheet()
        if picture is not None:
            codes = np.rint(picture.clamp(0, 1).permute(1, 2, 0).numpy()[..., ::-1] * 255).astype(np.uint8)
            cv2.imwrite(str(path.with_suffix(".png")), codes)
