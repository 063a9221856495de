"""Train the colour generator: supervised on chroma bins, then a short phase against a projected discriminator.

    python -m training.color.colorize supervised --data a.tar:b.tar --lite0 LITE0.pth --out run/a --minutes 75
    python -m training.color.colorize adversarial --data a.tar:b.tar --lite0 LITE0.pth --start run/a/last.pt --out run/b --minutes 30

Each run is seeded, writes `last.pt` every ten minutes (and `NNNNNN.pt` densely in the adversarial phase: the good point is early,
METHODS of DeOldify's NoGAN), and goes on from `last.pt` when it is started again with the same --out. On these processors set
MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 in the environment: without them half the time goes to page faults.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.color.data import BinEncoder, Crops, Sample, class_weights
from training.color.losses import chroma_error, decode, rebalanced_cross_entropy
from training.color.network import Generator, build, weights_of
from training.shared.critics import CRITICS, Critic, Projected, adversarial, hinge, perceptual
from training.shared.encoder import ENCODERS
from training.shared.photos import load_photos
from training.shared.sheet import sheet

Batch = tuple[Tensor, ...]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phase", choices=["supervised", "adversarial"])
    parser.add_argument("--data", required=True, help="tar files of photos, joined by ':'")
    parser.add_argument("--lite0", help="ImageNet weights of EfficientNet-Lite0 (.pth)")
    parser.add_argument("--start", help="a checkpoint of this script, or a plain state dict, to start from")
    parser.add_argument("--heads", help="heads of the discriminator to go on with (training/color/heads.pt)")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--rate", type=float, default=None, help="peak learning rate: 1.2e-3 supervised from scratch, 2e-4 adversarial")
    parser.add_argument("--adversarial", type=float, default=0.3, help="weight of the adversarial loss")
    parser.add_argument("--consistency", type=float, default=2.0, help="weight of the loss between two grains of one crop, beside it")
    parser.add_argument(
        "--perceptual", type=float, default=0.0, help="weight of the distance between what the critic sees of ours and truth"
    )
    parser.add_argument("--critic", choices=sorted(CRITICS), default="projected")
    parser.add_argument("--encoder", choices=sorted(ENCODERS), default="lite0")
    parser.add_argument("--lite2", help="ImageNet weights of EfficientNet-Lite2 (.pth), for --encoder lite2")
    parser.add_argument("--widths", type=int, nargs=3, default=[128, 96, 64], help="channels of the decoder at strides 16, 8 and 4")
    parser.add_argument("--regression", action="store_true", help="answer Cb and Cr themselves instead of a distribution over bins")
    parser.add_argument("--rebalance", type=float, default=0.25, help="power of the weights of rare colours; 0: none")
    parser.add_argument("--film", type=float, default=0.6, help="part of the samples that look like film")
    parser.add_argument("--hints", type=float, default=None, help="part of the samples with hints: 0.6 supervised, 0.3 adversarial")
    parser.add_argument("--memory", type=float, default=0.0, help="part of these whose hints are what a memory of other frames says")
    parser.add_argument("--warm-up", type=int, default=60, help="steps in which the critic learns alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=float, default=10, help="minutes")
    parser.add_argument("--max-steps", type=int, default=0, help="stop after so many steps (a debug run)")
    return parser.parse_args()


class Average:
    """Exponential moving average of a network's state; the decay grows from 0 to `decay`."""

    def __init__(self, network: Generator, decay: float) -> None:
        self.state = {key: value.clone() for key, value in network.state_dict().items()}
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Generator, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].mul_(decay).add_(value, alpha=1 - decay)
            else:
                self.state[key].copy_(value)


class Run:
    """State of one training run: networks, optimisers, counters; saves and resumes all of it."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        photos, bad = load_photos([Path(p) for p in args.data.split(":")])
        self.seen: dict[str, float] = {"photos": len(photos), "unreadable": bad, "step": 0, "crops": 0, "seconds": 0.0}
        self.build = {"encoder": args.encoder, "widths": tuple(args.widths), "regression": args.regression}
        self.network = build(**self.build)
        if args.start:
            start = torch.load(args.start, map_location="cpu", weights_only=True)
            missing = self.network.load_state_dict(weights_of(start), strict=False).missing_keys
            if set(missing) - {"log_weights"} - {key for key in missing if key.endswith("num_batches_tracked")}:
                raise SystemExit(f"{args.start}: not weights of this network, {len(missing)} tensors are missing")
            self.seen["crops"] = start.get("seen", {}).get("crops", 0)
        elif weights := {"lite0": args.lite0, "lite2": args.lite2}.get(args.encoder):
            self.network.enc.load(weights)
        self.classes = torch.from_numpy(class_weights(photos, BinEncoder(), args.rebalance))
        self.network.log_weights.copy_(self.classes.log())
        self.network = self.network.to(memory_format=torch.channels_last)
        self.average = Average(self.network, 0.9995 if args.phase == "supervised" else 0.99)
        self.rate = args.rate or (1.2e-3 if args.phase == "supervised" else 2e-4)
        self.optimisers, self.critic = self.make_optimisers()
        if (args.out / "last.pt").exists():
            self.resume()
        usual = 0.6 if args.phase == "supervised" else 0.3
        hint_rate = usual if args.hints is None else args.hints
        settings = Sample(args.crop, args.phase == "adversarial", hint_rate, args.memory, args.film)
        crops = Crops(photos, settings, args.seed + int(self.seen["step"]))
        self.batches = iter(torch.utils.data.DataLoader(crops, batch_size=args.batch, num_workers=1, prefetch_factor=4))
        plain = Crops(photos, Sample(args.crop, hint_rate=0, film_rate=0, leader_rate=0), seed=2**31)
        self.shown = [torch.from_numpy(np.stack(part)) for part in zip(*(s for s, _ in zip(plain, range(12), strict=False)), strict=True)]

    def make_optimisers(self) -> tuple[list[torch.optim.Optimizer], Critic | None]:
        if self.args.phase == "supervised":
            encoder = [p for name, p in self.network.named_parameters() if name.startswith("enc.")]
            rest = [p for name, p in self.network.named_parameters() if not name.startswith("enc.")]
            groups = [{"params": encoder, "share": 0.4}, {"params": rest, "share": 1.0}]
            return [torch.optim.AdamW(groups, self.rate, weight_decay=1e-2, betas=(0.9, 0.99))], None
        kind = CRITICS[self.args.critic]
        critic: Critic = kind(self.args.lite0) if issubclass(kind, Projected) else kind()
        critic = critic.to(memory_format=torch.channels_last)
        if self.args.heads:
            known = torch.load(self.args.heads, map_location="cpu", weights_only=True)
            if critic.heads.load_state_dict(known, strict=False).unexpected_keys:  # heads that it lacks begin anew
                raise SystemExit(f"{self.args.heads}: not heads of this discriminator")
        generator = torch.optim.Adam(self.network.parameters(), self.rate, betas=(0.0, 0.99))
        return [generator, torch.optim.Adam(critic.heads.parameters(), 1e-3, betas=(0.0, 0.99))], critic

    def save(self, name: str) -> None:
        """Write a checkpoint whole or not at all."""
        state = {"ema": self.average.state, "raw": self.network.state_dict(), "seen": self.seen, "build": self.build}
        if name == "last.pt":
            state["optimisers"] = [o.state_dict() for o in self.optimisers]
            state["heads"] = self.critic.heads.state_dict() if self.critic else None
        self.args.out.mkdir(parents=True, exist_ok=True)
        part = self.args.out / (name + ".part")
        torch.save(state, part)
        part.replace(self.args.out / name)
        sheet(self.args.out / name.replace(".pt", ".png"), self.network, self.shown)

    def resume(self) -> None:
        state = torch.load(self.args.out / "last.pt", map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["raw"])
        self.average.state, self.seen = state["ema"], state["seen"]
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        if self.critic:
            self.critic.heads.load_state_dict(state["heads"])

    def supervised_step(self, part: float) -> dict[str, Tensor]:
        luma, hints, index, weight = self.next_batch()
        rate = self.rate * min(1, (self.seen["step"] + 1) / 200) * (0.49 * (1 + math.cos(math.pi * part)) + 0.02)
        for group in self.optimisers[0].param_groups:
            group["lr"] = rate * group["share"]
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(luma, hints)
        loss = self.supervised(logits.float(), index, weight)
        self.descend(loss, 5.0)
        return {"ce": loss.detach()}

    def adversarial_step(self, part: float) -> dict[str, Tensor]:
        """One step of the generator and one of its critic, which share one look at the coloured pictures."""
        assert self.critic is not None
        args, (luma, hints, index, weight, again) = self.args, self.next_batch()
        for group in self.optimisers[0].param_groups:  # what a high rate adds in noise, a falling one takes back
            group["lr"] = self.rate * (1 - 0.95 * part)
        learning = self.seen["step"] >= args.warm_up  # the critic first learns alone
        temperature = float(np.random.default_rng(int(self.seen["step"])).choice([0.6, 0.8, 1.0]))
        real = decode(index, weight)
        with torch.set_grad_enabled(learning), torch.autocast("cpu", torch.bfloat16):
            logits = self.network(luma, hints).float()
            fake = self.network.chroma(logits, temperature)[0]
            seen = self.critic.look(luma, fake)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            wanted = self.critic.look(luma, real)
        losses: dict[str, Tensor] = {}
        if learning:
            self.critic.heads.requires_grad_(False)
            with torch.autocast("cpu", torch.bfloat16):
                losses["adv"] = adversarial(self.critic.judge(seen))
                some = max(1, len(again) // 4)  # a quarter of the batch is enough, and much cheaper
                other = self.network.chroma(self.network(again[:some], hints[:some]).float(), temperature)[0]
            losses |= {"ce": self.supervised(logits, index, weight), "steady": chroma_error(other, fake[:some])}
            losses["look"] = perceptual(seen, wanted)
            shares = {"ce": 1.0, "adv": args.adversarial, "steady": args.consistency, "look": args.perceptual}
            self.descend(torch.stack([shares[key] * value for key, value in losses.items() if shares[key]]).sum(), 1.0)
            self.critic.heads.requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16):
            losses["critic"] = hinge(self.critic.judge(wanted), self.critic.judge([x.detach() for x in seen]))
        self.optimisers[1].zero_grad()
        losses["critic"].backward()
        self.optimisers[1].step()
        return losses

    def supervised(self, logits: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        if self.args.regression:
            return chroma_error(logits, decode(index, weight))
        return rebalanced_cross_entropy(logits, index, weight, self.classes)

    def next_batch(self) -> Batch:
        return tuple(x.to(memory_format=torch.channels_last) if x.dtype == torch.float32 else x for x in next(self.batches))

    def descend(self, loss: Tensor, clip: float) -> None:
        self.optimisers[0].zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), clip)
        self.optimisers[0].step()
        self.average.update(self.network, int(self.seen["step"]))

    def part(self) -> float:
        """How much of the run is behind, in [0, 1]: of its minutes, or of its steps where those are given and run out first."""
        steps = self.seen["step"] / self.args.max_steps if self.args.max_steps else 0.0
        minutes: float = self.seen["seconds"] / 60 / self.args.minutes
        return min(1.0, max(minutes, steps))

    def train(self) -> None:
        supervised = self.args.phase == "supervised"
        self.network.train(supervised)  # the adversarial phase keeps the batch statistics
        totals: dict[str, list[float]] = defaultdict(list)
        saved = self.seen["seconds"]
        while self.seen["seconds"] < self.args.minutes * 60:
            begun = time.monotonic()
            step = self.supervised_step if supervised else self.adversarial_step
            for key, value in step(self.part()).items():
                totals[key].append(value.item())
            self.seen["step"] += 1
            self.seen["crops"] += self.args.batch
            self.seen["seconds"] += time.monotonic() - begun
            if self.seen["step"] % 50 == 0:
                means = {key: round(float(np.mean(values)), 4) for key, values in totals.items()}
                totals.clear()
                print(json.dumps(self.seen | means), flush=True)
            if self.seen["seconds"] - saved > self.args.save_every * 60:
                saved = self.seen["seconds"]
                self.save("last.pt")
            if not supervised and self.seen["step"] % 150 == 0:
                self.save(f"{int(self.seen['step']):06d}.pt")
            if self.args.max_steps and self.seen["step"] >= self.args.max_steps:
                break
        self.save("last.pt")


def main() -> None:
    Run(parse()).train()


if __name__ == "__main__":
    main()
