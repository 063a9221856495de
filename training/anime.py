"""Train the anime network: photos to flat regions, clean lines and clear colours.

    python -m training.anime --photos a.tar:b.tar --cartoons cartoons.tar --lite0 LITE0.pth --out run/anime --minutes 30

What is wanted of a photo is first said by filters (`abstract`: Winnemoeller et al. 2006 and 2012): the network learns it from pictures
with grain, so that film stays still, in far less time than the filters take. Then small heads on frozen features that learn to tell its
pictures from cartoons pull them that way (projected GAN, Sauer et al. 2021); cartoons whose edges were smoothed count as false too
(CartoonGAN, Chen et al. 2018), which keeps lines clean.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.critics import Projected
from training.data import Array, Picture, load_photos
from training.loop import Loop, common_options
from training.losses import adversarial, hinge
from training.style import AnimeNetwork
from training.style_data import Pairs, read_pictures, resized
from training.style_losses import luma, moved, slopes

WEIGHTS = {"flat": 10.0, "edges": 12.0, "steady": 80.0, "adv": 0.05}
FORBIDDEN = "non-commercial"
"""Pictures whose licence says so are not trained on."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common_options(parser)
    parser.add_argument("--cartoons", required=True, type=Path, help="tar file of cartoons, its licences in a .tsv beside it")
    parser.add_argument("--warm-up", type=int, default=5000, help="steps before the cartoons have a say")
    for name, value in WEIGHTS.items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"weight of the {name} loss")
    return parser.parse_args()


def abstract(rgb: Picture) -> Array:
    """A photo as filters would make a cartoon of it: RGB float32 (h, w, 3) in [0, 1].

    Regions by mean shift between bilateral filters; lightness in soft steps (Winnemoeller et al. 2006, section 3.3), lifted a little;
    colours a quarter stronger in Lab, their hue kept; lines by a soft difference of Gaussians (Winnemoeller et al. 2012, eq. 4), fewer
    of them where they would be crowded.
    """
    calm = cv2.bilateralFilter(cv2.bilateralFilter(rgb, 7, 22, 5), 7, 22, 5)
    flat = cv2.bilateralFilter(cv2.pyrMeanShiftFiltering(calm, 8, 14, maxLevel=1), 5, 20, 4)
    lab = cv2.cvtColor(flat.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light, step = lab[..., 0], 100 / 9
    near = (np.floor(light / step) + 0.5) * step
    stepped = near + step / 2 * np.tanh((light - near) / step * 5)
    lab[..., 0] = 100 * np.clip((stepped + light) / 200, 0, 1) ** 0.85
    lab[..., 1:] = lab[..., 1:] * np.float32(1.25)
    grey = cv2.cvtColor(calm, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    difference = cv2.GaussianBlur(grey, (0, 0), 0.8) - 0.99 * cv2.GaussianBlur(grey, (0, 0), 1.28) + 0.012
    ink = cv2.medianBlur(np.where(difference > 0, 0, -np.tanh(60 * difference)).astype(np.float32), 3)  # without specks
    ink *= np.clip(1.4 - 3 * cv2.GaussianBlur(ink, (0, 0), 5), 0.2, 1) * 0.7
    painted = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(painted * (1 - ink[..., None]), 0, 1), np.float32)


class AnimePairs(Pairs):
    """As `Pairs`, and sixth what is wanted of the first (3, s, s). The filters are slow, so what they made of a photo is kept."""

    def __init__(self, photos: Sequence[Picture], side: int, seed: Sequence[int]) -> None:
        super().__init__(photos, side, seed)
        self.kept: dict[int, Picture] = {}

    def cut(self, short: int, rng: np.random.Generator) -> int:
        """About what is asked for: in films, which are larger than photos are here, lines are no finer than in what filters make."""
        return int(rng.integers(min(round(0.7 * self.side), short), min(round(1.2 * self.side), short) + 1))

    def picture(self, index: int) -> Picture:
        if index not in self.kept:
            photo = self.photos[index]
            self.kept[index] = np.dstack([photo, np.rint(abstract(photo) * 255).astype(np.uint8)])
        return self.kept[index]


def load_cartoons(place: Path) -> list[Picture]:
    """Cartoons of short side 256 whose licence does not forbid it. Raises FileNotFoundError without the list of licences."""
    with place.with_suffix(".tsv").open(encoding="utf-8") as file:
        licences = {Path(row["file"]).stem: row["licence"] for row in csv.DictReader(file, delimiter="\t")}
    return [resized(picture, 256) for name, picture in read_pictures(place) if FORBIDDEN not in licences[name]]


def cartoon_crops(cartoons: Sequence[Picture], side: int, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Crops (count, 3, side, side) of cartoons in [0, 1], and the same with their edges smoothed away."""
    found, smoothed = [], []
    for index in rng.integers(len(cartoons), size=count):
        picture = cartoons[index]
        y, x = (int(rng.integers(0, length - side + 1)) for length in picture.shape[:2])
        crop = picture[y : y + side, x : x + side]
        crop = np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)
        edges = cv2.dilate(cv2.Canny(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), 80, 160), np.ones((3, 3), np.uint8))
        blurred = np.where(edges[..., None] > 0, cv2.GaussianBlur(crop, (0, 0), 1.6), crop)
        found.append(crop)
        smoothed.append(blurred)
    both = [torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255 for crops in (found, smoothed)]
    return both[0], both[1]


def grey(rgb: Tensor) -> Tensor:
    """RGB without colour: the critic judges how cartoons are drawn; their colours would tint films (AnimeGAN, Chen et al. 2020)."""
    return luma(rgb).expand(-1, 3, -1, -1)


class Run(Loop):
    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        photos, bad = load_photos([Path(p) for p in args.photos.split(":")])
        pairs = AnimePairs(photos, args.crop, [args.seed, time.time_ns()] if self.path.exists() else [args.seed])
        # The worker is forked before OpenMP has threads: after it would wait for them for ever.
        self.batches = iter(torch.utils.data.DataLoader(pairs, batch_size=args.batch, num_workers=1, prefetch_factor=4))
        self.cartoons = load_cartoons(args.cartoons)
        self.seen |= {"photos": len(photos), "unreadable": bad, "cartoons": len(self.cartoons)}
        self.network = AnimeNetwork()
        self.critic = Projected(None if args.random_features else args.lite0).to(memory_format=torch.channels_last)
        self.judge = torch.optim.Adam(self.critic.heads.parameters(), 1e-3, betas=(0.0, 0.99))
        if args.start:
            saved = torch.load(args.start, map_location="cpu", weights_only=True)
            self.network.load_state_dict(saved["network"])
        self.network = self.network.to(memory_format=torch.channels_last)
        self.learned = list(self.network.parameters())
        self.optimiser = torch.optim.Adam(self.learned, args.rate, betas=(0.5, 0.99))
        if self.path.exists():
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(saved["network"])
            self.critic.heads.load_state_dict(saved["heads"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.judge.load_state_dict(saved["judge"])
            self.seen = saved["seen"]
        self.random = np.random.default_rng([args.seed, int(self.seen["step"])])

    def paint(self, picture: Tensor) -> Tensor:
        """The anime of pictures (N, 3, H, W)."""
        drawn: Tensor = self.network(picture).float()
        return drawn

    def step(self) -> dict[str, Tensor]:
        first, second, flow, inside, _, wanted = (x.to(memory_format=torch.channels_last) for x in next(self.batches))
        judged = self.seen["step"] >= self.args.warm_up
        with torch.autocast("cpu", torch.bfloat16):
            some = (len(first) + 1) // 2  # enough for steadiness, and cheaper
            styled, after = self.paint(torch.cat([first, second[:some]])).split([len(first), some])
        losses = {
            "flat": (styled - wanted).abs().mean(),
            "edges": torch.stack([(a - b).abs().mean() for a, b in zip(slopes(styled), slopes(wanted), strict=True)]).sum(),
            "steady": ((moved(styled[:some], flow[:some]) - after).square() * inside[:some]).mean(),
        }
        if judged:
            with torch.autocast("cpu", torch.bfloat16):
                seen = self.critic.see(grey(styled))
                self.critic.heads.requires_grad_(False)
                losses["adv"] = adversarial(self.critic.judge(seen))
                self.critic.heads.requires_grad_(True)
        loss = self.descend(losses, {key: getattr(self.args, key) for key in losses})
        return losses | {"loss": loss} | ({"critic": self.criticize([x.detach() for x in seen])} if judged else {})

    def criticize(self, seen: list[Tensor]) -> Tensor:
        """One step of the critic: cartoons are real; ours and cartoons without edges are not."""
        real, smoothed = cartoon_crops(self.cartoons, self.args.crop, self.args.batch, self.random)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                true, blurred = self.critic.see(grey(real)), self.critic.see(grey(smoothed))
            scores = self.critic.judge(true)
            loss = (
                hinge(scores, self.critic.judge(seen))
                + 0.5 * torch.stack([F.relu(1 + x).mean() for x in self.critic.judge(blurred)]).mean()
            )
        self.judge.zero_grad()
        loss.backward()
        self.judge.step()
        return loss

    def state(self) -> dict[str, Any]:
        networks = {"network": self.network.state_dict(), "heads": self.critic.heads.state_dict(), "seen": self.seen}
        return networks | {"optimiser": self.optimiser.state_dict(), "judge": self.judge.state_dict()}

    def sheet(self) -> Tensor:
        """Photos, what the filters make of them, and what the network makes."""
        _, _, _, _, clean, wanted = (x[:8] for x in next(self.batches))
        return torch.cat([torch.cat(list(row), 2) for row in (clean, wanted, self.paint(clean))], 1)


def main() -> None:
    Run(parse()).train()


if __name__ == "__main__":
    main()
