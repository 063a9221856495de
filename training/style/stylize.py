"""Train the style network and the head of its encoder, or fit a code to one picture.

    python -m training.style.stylize train --photos a.tar:b.tar --styles named/:paintings.tar --lite0 LITE0.pth --out run/s --minutes 70
    python -m training.style.stylize fit --style my.jpg --start run/s/last.pt --photos a.tar --lite0 LITE0.pth --out my.pt

Content and style are judged by VGG16 (Gatys et al. 2016; Johnson et al. 2016). Steadiness is learned from pairs: a picture and the same
picture moved along a smooth random flow, both with grain, must be styled alike, with statistics held from the first of them.
Runs are seeded, write `last.pt` every ten minutes and go on from it when started again with the same --out.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.shared.loop import Loop, common_options
from training.shared.photos import load_photos
from training.shared.vgg import VGG16, load_vgg16
from training.style.data import Pairs, Styles, load_styles
from training.style.losses import color_statistics, content_loss, gram_loss, moved, structure, total_variation
from training.style.network import CODE, STATISTICS, StyleEncoder, StyleNetwork

WEIGHTS = {"content": 0.5, "gram": 8.0, "colour": 1.0, "structure": 3.0, "steady": 80.0, "smooth": 0.3, "likeness": 1.0}
OWN = 5.0
"""How much faster than all else the codes of the first place's styles are learned, one by one."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["train", "fit"])
    common_options(parser)
    parser.add_argument("--styles", help="tar files or folders of style pictures, joined by ':'; what comes first is drawn most often")
    parser.add_argument("--hold-out", type=int, default=0, help="leave so many pictures of the last place for measuring")
    parser.add_argument("--own-share", type=float, default=0.5, help="how often a style of the first place is drawn by its own code")
    parser.add_argument(
        "--encoder-only", action="store_true", help="the network stays as it is: any picture's code gets nearer to a fitted one"
    )
    parser.add_argument("--style", type=Path, help="the picture whose code is to be fitted")
    for name, value in WEIGHTS.items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"weight of the {name} loss")
    return parser.parse_args()


class Run(Loop):
    """Networks, and what they are judged by."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self.whole = args.task == "train" and not args.encoder_only
        photos, bad = load_photos([Path(p) for p in args.photos.split(":")])
        pairs = Pairs(photos, args.crop, [args.seed, time.time_ns()] if (args.out / "last.pt").exists() else [args.seed])
        self.batches = self.feed(pairs)
        self.vgg = (VGG16() if args.random_features else load_vgg16()[0]).to(memory_format=torch.channels_last)
        self.network, self.encoder = StyleNetwork(), StyleEncoder(args.lite0)
        places = [Path(p) for p in (args.styles if args.task == "train" else str(args.style)).split(":")]
        kept = args.out / "styles.pt"  # looking at some hundred pictures takes minutes
        if args.task == "train" and kept.exists():
            self.styles = Styles(**torch.load(kept, weights_only=True))
        else:
            self.styles = load_styles(places, self.vgg, self.encoder, args.hold_out)
        if args.task == "train" and not kept.exists():
            args.out.mkdir(parents=True, exist_ok=True)
            torch.save(vars(self.styles), kept)
        if args.encoder_only:  # named ones have codes of their own
            self.styles.odds.fill_(1 / len(self.styles.odds))
        self.seen |= {"photos": len(photos), "unreadable": bad, "styles": len(self.styles.names)}
        self.own = nn.Parameter(0.1 / OWN * torch.randn(self.styles.first, CODE))
        features = self.styles.seen.flatten(0, 1)
        self.encoder.centre.copy_(features.mean(0))
        self.encoder.spread.copy_(features.std(0, unbiased=False) + 1e-3)
        if args.start:
            self.load(torch.load(args.start, map_location="cpu", weights_only=True))
        self.network = self.network.to(memory_format=torch.channels_last)
        self.learned: list[nn.Parameter] = self.what_learns()
        self.optimiser = torch.optim.Adam(self.learned, args.rate, betas=(0.9, 0.99))
        if args.task == "train":
            self.resume()
        self.random = np.random.default_rng(args.seed + int(self.seen["step"]))

    def what_learns(self) -> list[nn.Parameter]:
        if self.whole:
            return [*self.network.parameters(), *self.encoder.head.parameters(), self.own]
        self.network.requires_grad_(False)
        if self.args.task == "train":
            return list(self.encoder.head.parameters())
        with torch.no_grad():
            self.code = nn.Parameter(self.encoder.encode(self.styles.seen[0]).mean(0, keepdim=True))
        return [self.code]

    def load(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.encoder.load_state_dict(saved["encoder"])
        for name, code in zip(saved["names"], saved["codes"], strict=True):
            if name in self.styles.names[: self.styles.first]:
                self.own.data[self.styles.names.index(name)] = code / OWN

    def restore(self, saved: dict[str, Any]) -> None:
        self.load(saved)
        self.optimiser.load_state_dict(saved["optimiser"])

    @property
    def path(self) -> Path:
        """Where the checkpoint, or the fitted code, is kept."""
        return super().path if self.args.task == "train" else Path(self.args.out)

    def kept(self) -> dict[str, Any]:
        if self.args.task == "fit":
            return {"code": self.code.detach()}
        networks = {"network": self.network.state_dict(), "encoder": self.encoder.state_dict()}
        networks |= {"names": self.styles.names[: self.styles.first], "codes": OWN * self.own.detach()}
        return networks | {"seen": self.seen, "optimiser": self.optimiser.state_dict()}

    def codes(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Codes of styles, and how far the encoder's are from those that were learned one by one."""
        if self.args.task == "fit":
            return self.code.expand(len(chosen), -1), torch.zeros(())
        crops = torch.from_numpy(self.random.integers(0, self.styles.seen.shape[1], len(chosen)))
        said, known = self.encoder.encode(self.styles.seen[chosen, crops]), chosen < self.styles.first
        own = OWN * self.own[torch.where(known, chosen, 0)]
        by_own = known & torch.from_numpy(self.random.random(len(chosen)) < self.args.own_share)
        off = ((said - own.detach()).square().mean(1) * known).mean()
        return torch.where(by_own[:, None], own, said), off

    def step(self) -> dict[str, Tensor]:
        first, second, flow, inside, clean = (x.to(memory_format=torch.channels_last) for x in next(self.batches))
        chosen = torch.from_numpy(self.random.choice(len(self.styles.odds), len(first), p=self.styles.odds.numpy()))
        wanted = [grams[chosen] for grams in self.styles.grams]
        codes, off = self.codes(chosen)
        nothing = torch.zeros(len(first), STATISTICS)
        some = (len(first) + 1) // 2  # enough for steadiness, and a quarter for content: cheaper
        few = (len(first) + 3) // 4
        with torch.autocast("cpu", torch.bfloat16):
            styled, stats = self.network(first, codes, nothing, torch.zeros(1))
            held = torch.ones(1) * float(self.random.random() < 0.7)
            after, _ = self.network(second[:some], codes[:some], stats[:some].detach().float(), held)
            maps = self.vgg(styled.float() * 255)
            with torch.no_grad():
                known = self.vgg(clean[:few] * 255)
        styled, after = styled.float(), after.float()
        losses = {
            "content": content_loss([x[:few] for x in maps], known),
            "gram": gram_loss(maps, wanted),
            "colour": color_statistics(styled, self.styles.colors[chosen]),
            "structure": structure(styled, clean),
            "steady": ((moved(styled[:some], flow[:some]) - after).square() * inside[:some]).mean(),
            "smooth": total_variation(styled),
            "likeness": off,
        }
        loss = self.descend(losses, {key: getattr(self.args, key) for key in losses})
        if self.whole:
            self.network.bound()
        return losses | {"loss": loss}

    def sheet(self) -> Tensor | None:
        """Four photos, plain and in the first eleven styles."""
        if self.args.task == "fit":
            return None
        _, _, _, _, clean = (x[:4] for x in next(self.batches))
        rows = [clean]
        for own in self.own[:11]:
            code = (OWN * own)[None].expand(len(clean), -1)
            rows.append(self.network(clean, code, torch.zeros(len(clean), STATISTICS), torch.zeros(1))[0])
        return torch.cat([torch.cat(list(row), 1) for row in rows], 2)

    def settle(self) -> None:
        """Make what was learned fit for half precision, and save it."""
        _, _, _, _, clean = next(self.batches)
        self.network.settle(clean, OWN * self.own.detach())
        self.save()


def main() -> None:
    run = Run(parse())
    run.train()
    if run.whole:
        run.settle()


if __name__ == "__main__":
    main()
