"""Train the colour generator: supervised on chroma bins, then a short phase against a projected discriminator.

    python -m training.color.colorize supervised --data a.tar:b.tar --lite0 LITE0.pth --out run/a --minutes 75
    python -m training.color.colorize adversarial --data a.tar:b.tar --lite0 LITE0.pth --start run/a/last.pt --out run/b --minutes 30

Each run is seeded, writes `last.pt` every ten minutes (and `NNNNNN.pt` densely in the adversarial phase: the good point is early,
METHODS of DeOldify's NoGAN), and goes on from `last.pt` when it is started again with the same --out. On these processors set
MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 in the environment: without them half the time goes to page faults.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.color.data import BinEncoder, Crops, Sample, class_weights
from training.color.losses import chroma_error, decode, rebalanced_cross_entropy
from training.color.network import Generator, build, weights_of
from training.shared.critics import CRITICS, Critic, Projected, adversarial, hinge, perceptual, to_rgb
from training.shared.encoder import ENCODERS
from training.shared.loop import Loop
from training.shared.photos import load_photos


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


class Run(Loop):
    """Network, its moving average, and in the adversarial phase a critic with an optimiser of its own."""

    counted = "crops"

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self.supervised = args.phase == "supervised"
        args.rate = args.rate or (1.2e-3 if self.supervised else 2e-4)
        self.clip, self.dense = (5.0, 0) if self.supervised else (1.0, 150)
        photos, bad = load_photos([Path(p) for p in args.data.split(":")])
        self.seen |= {"photos": len(photos), "unreadable": bad}
        self.build = {"encoder": args.encoder, "widths": tuple(args.widths), "regression": args.regression}
        self.network = self.begin()
        self.classes = torch.from_numpy(class_weights(photos, BinEncoder(), args.rebalance))
        self.network.log_weights.copy_(self.classes.log())
        self.network = self.network.to(memory_format=torch.channels_last)
        self.learned = list(self.network.parameters())
        self.average = Average(self.network, 0.9995 if self.supervised else 0.99)
        self.optimiser = self.make_optimiser()
        self.critic = None if self.supervised else self.make_critic()
        self.judge = torch.optim.Adam(self.critic.heads.parameters(), 1e-3, betas=(0.0, 0.99)) if self.critic else None
        self.resume()
        self.batches = self.feed(Crops(photos, self.settings(), args.seed + int(self.seen["step"])))
        plain = Crops(photos, Sample(args.crop, hint_rate=0, film_rate=0, leader_rate=0), seed=2**31)
        self.shown = [torch.from_numpy(np.stack(part)) for part in zip(*(s for s, _ in zip(plain, range(12), strict=False)), strict=True)]
        self.network.train(self.supervised)  # the adversarial phase keeps the batch statistics

    def begin(self) -> Generator:
        """The network as the run finds it: with the weights of --start, or an encoder that knows ImageNet, or at random."""
        args, network = self.args, build(**self.build)
        if args.start:
            start = torch.load(args.start, map_location="cpu", weights_only=True)
            missing = network.load_state_dict(weights_of(start), strict=False).missing_keys
            if set(missing) - {"log_weights"} - {key for key in missing if key.endswith("num_batches_tracked")}:
                raise SystemExit(f"{args.start}: not weights of this network, {len(missing)} tensors are missing")
            self.seen["crops"] = start.get("seen", {}).get("crops", 0)
        elif weights := {"lite0": args.lite0, "lite2": args.lite2}.get(args.encoder):
            network.enc.load(weights)
        return network

    def make_optimiser(self) -> torch.optim.Optimizer:
        if not self.supervised:
            return torch.optim.Adam(self.learned, self.args.rate, betas=(0.0, 0.99))
        encoder = [p for name, p in self.network.named_parameters() if name.startswith("enc.")]
        rest = [p for name, p in self.network.named_parameters() if not name.startswith("enc.")]
        groups = [{"params": encoder, "share": 0.4}, {"params": rest, "share": 1.0}]
        return torch.optim.AdamW(groups, self.args.rate, weight_decay=1e-2, betas=(0.9, 0.99))

    def make_critic(self) -> Critic:
        kind = CRITICS[self.args.critic]
        critic: Critic = kind(self.args.lite0) if issubclass(kind, Projected) else kind()
        critic = critic.to(memory_format=torch.channels_last)
        if self.args.heads:
            known = torch.load(self.args.heads, map_location="cpu", weights_only=True)
            if critic.heads.load_state_dict(known, strict=False).unexpected_keys:  # heads that it lacks begin anew
                raise SystemExit(f"{self.args.heads}: not heads of this discriminator")
        return critic

    def settings(self) -> Sample:
        args, usual = self.args, 0.6 if self.supervised else 0.3
        return Sample(args.crop, not self.supervised, usual if args.hints is None else args.hints, args.memory, args.film)

    def rate(self) -> float:
        rate: float = self.args.rate
        if self.supervised:
            return rate * min(1, (self.seen["step"] + 1) / 200) * (0.49 * (1 + math.cos(math.pi * self.part())) + 0.02)
        return rate * (1 - 0.95 * self.part())  # what a high rate adds in noise, a falling one takes back

    def kept(self) -> dict[str, Any]:
        return {"ema": self.average.state, "raw": self.network.state_dict(), "seen": self.seen, "build": self.build}

    def state(self) -> dict[str, Any]:
        optimisers = [optimiser.state_dict() for optimiser in (self.optimiser, self.judge) if optimiser]
        return self.kept() | {"optimisers": optimisers, "heads": self.critic.heads.state_dict() if self.critic else None}

    def restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["raw"])
        self.average.state = saved["ema"]
        optimisers = [optimiser for optimiser in (self.optimiser, self.judge) if optimiser]
        for optimiser, state in zip(optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        if self.critic:
            self.critic.heads.load_state_dict(saved["heads"])

    def next_batch(self) -> list[Tensor]:
        return [x.to(memory_format=torch.channels_last) if x.dtype == torch.float32 else x for x in next(self.batches)]

    def descend(self, losses: dict[str, Tensor], shares: dict[str, float]) -> Tensor:
        loss = super().descend(losses, shares)
        self.average.update(self.network, int(self.seen["step"]))
        return loss

    def step(self) -> dict[str, Tensor]:
        return self.supervised_step() if self.supervised else self.adversarial_step()

    def supervised_step(self) -> dict[str, Tensor]:
        luma, hints, index, weight = self.next_batch()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(luma, hints)
        return {"ce": self.descend({"ce": self.distance(logits.float(), index, weight)}, {"ce": 1.0})}

    def adversarial_step(self) -> dict[str, Tensor]:
        """One step of the generator and one of its critic, which share one look at the coloured pictures."""
        assert self.critic is not None
        args, (luma, hints, index, weight, again) = self.args, self.next_batch()
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
            losses |= {"ce": self.distance(logits, index, weight), "steady": self.unsteadiness(again, hints, temperature, fake)}
            losses["look"] = perceptual(seen, wanted)
            self.descend(losses, {"ce": 1.0, "adv": args.adversarial, "steady": args.consistency, "look": args.perceptual})
            self.critic.heads.requires_grad_(True)
        return losses | {"critic": self.criticize([x.detach() for x in seen], wanted)}

    def distance(self, logits: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        """From the truth: what the supervised phase learns by."""
        if self.args.regression:
            return chroma_error(logits, decode(index, weight))
        return rebalanced_cross_entropy(logits, index, weight, self.classes)

    def unsteadiness(self, again: Tensor, hints: Tensor, temperature: float, fake: Tensor) -> Tensor:
        """How far the answers to the same crops with other grain are from the first ones."""
        some = max(1, len(again) // 4)  # a quarter of the batch is enough, and much cheaper
        with torch.autocast("cpu", torch.bfloat16):
            other = self.network.chroma(self.network(again[:some], hints[:some]).float(), temperature)[0]
        return chroma_error(other, fake[:some])

    def criticize(self, seen: list[Tensor], wanted: list[Tensor]) -> Tensor:
        """One step of the critic, from what it saw of our pictures and of the true ones."""
        assert self.critic is not None and self.judge is not None
        with torch.autocast("cpu", torch.bfloat16):
            loss = hinge(self.critic.judge(wanted), self.critic.judge(seen))
        self.judge.zero_grad()
        loss.backward()
        self.judge.step()
        return loss

    def sheet(self) -> Tensor:
        """The same few photos grey, coloured at temperature 0.6 and true, a row each."""
        luma, hints, index, weight = self.shown
        training = self.network.training
        self.network.eval()
        ours = self.network.chroma(self.network(luma, hints).float(), 0.6)[0]
        self.network.train(training)
        truth = decode(index, weight)
        rows = [torch.cat(list(to_rgb(luma, chroma)), 2) for chroma in (torch.zeros_like(truth), ours, truth)]
        return torch.cat(rows, 1)


def main() -> None:
    Run(parse()).train()


if __name__ == "__main__":
    main()
