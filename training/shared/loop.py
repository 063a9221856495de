"""What runs of style and of anime share: time and rate, a line of JSON every 50 steps, checkpoints to go on from."""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn


def common_options(parser: argparse.ArgumentParser) -> None:
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
    """A run: `args` of `common_options`, parameters that learn, counters. What differs is in `step`, `state` and `sheet`."""

    learned: list[nn.Parameter]
    optimiser: torch.optim.Optimizer

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        self.seen: dict[str, float] = {"step": 0, "pictures": 0, "seconds": 0.0}

    @property
    def path(self) -> Path:
        """Where the checkpoint is kept."""
        return Path(self.args.out) / "last.pt"

    def step(self) -> dict[str, Tensor]:
        """Learn once; returns the losses."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """What is saved."""
        raise NotImplementedError

    def sheet(self) -> Tensor | None:
        """A picture (3, H, W) of what was learned so far."""
        return None

    def descend(self, losses: dict[str, Tensor], shares: dict[str, float]) -> Tensor:
        loss = torch.stack([shares[key] * value for key, value in losses.items()]).sum()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.learned, 5.0)
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
            begun = time.monotonic()
            for group in self.optimiser.param_groups:
                group["lr"] = self.args.rate * min(1, (self.seen["step"] + 1) / 100) * max(0.03, 1 - self.part() ** 2)
            for key, value in self.step().items():
                totals[key].append(value.item())
            self.seen["step"] += 1
            self.seen["pictures"] += self.args.batch
            self.seen["seconds"] += time.monotonic() - begun
            if self.seen["step"] % 50 == 0:
                print(json.dumps(self.seen | {key: round(float(np.mean(values)), 4) for key, values in totals.items()}), flush=True)
                totals.clear()
            if self.seen["seconds"] - saved > self.args.save_every * 60:
                saved = self.seen["seconds"]
                self.save()
        self.save()

    def save(self) -> None:
        """Write the checkpoint whole or not at all, and a sheet beside it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        torch.save(self.state(), part)
        part.replace(self.path)
        with torch.no_grad():
            picture = self.sheet()
        if picture is not None:
            codes = np.rint(picture.clamp(0, 1).permute(1, 2, 0).numpy()[..., ::-1] * 255).astype(np.uint8)
            cv2.imwrite(str(self.path.with_suffix(".png")), codes)
