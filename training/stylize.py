"""Train the style network and the head of its encoder, or fit a code to one picture.

    python -m training.stylize train --photos a.tar:b.tar --styles named/:paintings.tar --lite0 LITE0.pth --out run/s --minutes 70
    python -m training.stylize fit --style my.jpg --start run/s/last.pt --photos a.tar --lite0 LITE0.pth --out my.pt

Content and style are judged by VGG16 (Gatys et al. 2016; Johnson et al. 2016). Steadiness is learned from pairs: a picture and the same
picture moved along a smooth random flow, both with grain, must be styled alike, with statistics held from the first of them.
Runs are seeded, write `last.pt` every ten minutes and go on from it when started again with the same --out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from training.data import load_photos
from training.style import StyleEncoder, StyleNetwork
from training.style_data import Pairs, load_styles
from training.style_losses import colour_statistics, content_loss, gram_distance, moved, structure, total_variation
from training.vgg import VGG16, load_vgg16

WEIGHTS = {"content": 2.0, "gram": 1.0, "colour": 1.0, "structure": 4.0, "steady": 40.0, "smooth": 0.3}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["train", "fit"])
    parser.add_argument("--photos", required=True, help="tar files of photos, joined by ':'")
    parser.add_argument("--styles", help="tar files or folders of style pictures, joined by ':'; what comes first is drawn most often")
    parser.add_argument("--hold-out", type=int, default=0, help="leave so many pictures of the last place for measuring")
    parser.add_argument("--style", type=Path, help="the picture whose code is to be fitted")
    parser.add_argument("--lite0", required=True, help="ImageNet weights of EfficientNet-Lite0 (.pth)")
    parser.add_argument("--start", type=Path, help="a checkpoint to start from")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=float, default=10, help="minutes")
    parser.add_argument("--random-features", action="store_true", help="judge by an untrained VGG16 (a debug run)")
    parser.add_argument("--max-steps", type=int, default=0, help="stop after so many steps")
    for name, value in WEIGHTS.items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"weight of the {name} loss")
    return parser.parse_args()


class Run:
    """State of one run: networks, what they are judged by, optimiser, counters."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        photos, bad = load_photos([Path(p) for p in args.photos.split(":")])
        pairs = Pairs(photos, args.crop, [args.seed, time.time_ns()] if (args.out / "last.pt").exists() else [args.seed])
        # The worker is forked before OpenMP has threads: after it would wait for them for ever.
        self.batches = iter(torch.utils.data.DataLoader(pairs, batch_size=args.batch, num_workers=1, prefetch_factor=4))
        self.vgg = (VGG16(average=True) if args.random_features else load_vgg16(average=True)[0]).to(memory_format=torch.channels_last)
        self.network, self.encoder = StyleNetwork(), StyleEncoder(args.lite0)
        places = [Path(p) for p in (args.styles if args.task == "train" else str(args.style)).split(":")]
        self.styles = load_styles(places, self.vgg, self.encoder, args.hold_out)
        self.seen: dict[str, float] = {"photos": len(photos), "unreadable": bad, "styles": len(self.styles.names), "step": 0, "pictures": 0}
        self.seen["seconds"] = 0.0
        features = self.styles.seen.flatten(0, 1)
        self.encoder.centre.copy_(features.mean(0))
        self.encoder.spread.copy_(features.std(0, unbiased=False) + 1e-3)
        if args.start:
            self.load(torch.load(args.start, map_location="cpu", weights_only=True))
        self.network = self.network.to(memory_format=torch.channels_last)
        self.learned: list[nn.Parameter] = self.what_learns()
        self.optimiser = torch.optim.Adam(self.learned, args.rate, betas=(0.9, 0.99))
        if (args.out / "last.pt").exists() and args.task == "train":
            saved = torch.load(args.out / "last.pt", map_location="cpu", weights_only=True)
            self.load(saved)
            self.optimiser.load_state_dict(saved["optimiser"])
            self.seen = saved["seen"]
        self.random = np.random.default_rng(args.seed + int(self.seen["step"]))

    def what_learns(self) -> list[nn.Parameter]:
        if self.args.task == "train":
            return [*self.network.parameters(), *self.encoder.head.parameters()]
        self.network.requires_grad_(False)
        with torch.no_grad():
            self.code = nn.Parameter(self.encoder.encode(self.styles.seen[0]).mean(0, keepdim=True))
        return [self.code]

    def load(self, saved: dict[str, dict[str, Tensor]]) -> None:
        self.network.load_state_dict(saved["network"])
        self.encoder.load_state_dict(saved["encoder"])

    def save(self) -> None:
        """Write the checkpoint, or the fitted code, whole or not at all."""
        args = self.args
        path = args.out / "last.pt" if args.task == "train" else args.out
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        if args.task == "fit":
            torch.save({"code": self.code.detach()}, part)
        else:
            state = {"network": self.network.state_dict(), "encoder": self.encoder.state_dict(), "seen": self.seen}
            torch.save(state | {"optimiser": self.optimiser.state_dict()}, part)
            self.sheet(path.with_suffix(".png"))
        part.replace(path)

    def codes(self, chosen: Tensor) -> Tensor:
        if self.args.task == "fit":
            return self.code.expand(len(chosen), -1)
        crops = torch.from_numpy(self.random.integers(0, self.styles.seen.shape[1], len(chosen)))
        return self.encoder.encode(self.styles.seen[chosen, crops])

    def step(self) -> dict[str, Tensor]:
        first, second, flow, inside, clean = (x.to(memory_format=torch.channels_last) for x in next(self.batches))
        chosen = torch.from_numpy(self.random.choice(len(self.styles.odds), len(first), p=self.styles.odds.numpy()))
        wanted = [grams[chosen] for grams in self.styles.grams]
        codes = self.codes(chosen)
        nothing = torch.zeros(len(first), self.network.statistics)
        with torch.autocast("cpu", torch.bfloat16):
            styled, stats = self.network(first, codes, nothing, torch.zeros(1))
            held = torch.ones(1) * float(self.random.random() < 0.7)
            after, _ = self.network(second, codes, stats.detach().float(), held)
            maps = self.vgg(styled.float() * 255)
            with torch.no_grad():
                known = self.vgg(clean * 255)
        styled, after = styled.float(), after.float()
        losses = {
            "content": content_loss(maps, known),
            "gram": gram_distance(maps, wanted),
            "colour": colour_statistics(styled, self.styles.colours[chosen]),
            "structure": structure(styled, clean),
            "steady": ((moved(styled, flow) - after).square() * inside).mean(),
            "smooth": total_variation(styled),
        }
        loss = torch.stack([getattr(self.args, key) * value for key, value in losses.items()]).sum()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.learned, 5.0)
        self.optimiser.step()
        return losses | {"loss": loss}

    def part(self) -> float:
        """How much of the run is behind, in [0, 1]."""
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

    @torch.no_grad()
    def sheet(self, path: Path) -> None:
        """Four photos, plain and in the first eleven styles."""
        _, _, _, _, clean = (x[:4] for x in next(self.batches))
        rows = [clean]
        for seen in self.styles.seen[:11]:
            code = self.encoder.encode(seen[:1]).expand(len(clean), -1)
            rows.append(self.network(clean, code, torch.zeros(len(clean), self.network.statistics), torch.zeros(1))[0])
        picture = torch.cat([torch.cat(list(row), 1) for row in rows], 2).permute(1, 2, 0).numpy()
        cv2.imwrite(str(path), np.rint(picture[..., ::-1] * 255).astype(np.uint8))


def main() -> None:
    Run(parse()).train()


if __name__ == "__main__":
    main()
