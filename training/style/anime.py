"""Train the anime network: photos to flat regions, clean lines and clear colours.

    python -m training.style.anime --photos a.tar:b.tar --cartoons cartoons.tar --lite0 LITE0.pth --out run/anime --minutes 30

What is wanted of a photo is first said by filters (`training.style.abstraction`): the network learns it from pictures with grain, so
that film stays still, in far less time than the filters take, judged by colours, slopes and VGG16's first features. Then small heads on
frozen features that learn to tell its pictures from those of the filters and from cartoons pull them that way (projected GAN, Sauer et
al. 2021); cartoons whose edges were smoothed count as false too (CartoonGAN, Chen et al. 2018), which keeps lines clean.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.shared.critics import Projected, adversarial, hinge
from training.shared.loop import Loop, common_options
from training.shared.photos import Picture, load_photos
from training.shared.vgg import VGG16, load_vgg16
from training.style.abstraction import abstract
from training.style.data import Pairs, read_pictures, resized
from training.style.losses import luma, moved, slopes
from training.style.network import AnimeNetwork

WEIGHTS = {"flat": 10.0, "edges": 12.0, "look": 1.0, "steady": 40.0, "adv": 0.05}
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


class AnimePairs(Pairs):
    """As `Pairs`, and sixth what is wanted of the first (3, s, s). The filters are slow: what they made of a photo is kept, in a file."""

    def __init__(self, photos: Sequence[Picture], side: int, seed: Sequence[int], file: Path) -> None:
        super().__init__(photos, side, seed)
        wanted = load_wanted(photos, file)
        self.both = [np.dstack([photo, made]) for photo, made in zip(photos, wanted, strict=True)]

    def cut(self, short: int, rng: np.random.Generator) -> int:
        """About what is asked for: in films, which are larger than photos are here, lines are no finer than in what filters make."""
        return int(rng.integers(min(round(0.7 * self.side), short), min(round(1.2 * self.side), short) + 1))

    def picture(self, index: int) -> Picture:
        return self.both[index]


def load_wanted(photos: Sequence[Picture], file: Path) -> list[Picture]:
    """What the filters make of each photo: from the file where it is there, else made by all cores, in minutes, and written.

    Raises ValueError where the file is of other photos.
    """
    if file.exists():
        with np.load(file) as kept:
            wanted = [kept[str(index)] for index in range(len(kept.files))]
        if [made.shape for made in wanted] != [photo.shape for photo in photos]:
            raise ValueError(f"{file} was made of other photos: remove it, or take another --out")
        return wanted
    with Pool(initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        wanted = pool.map(filtered, photos, 16)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".part").open("wb") as part:
        np.savez(part, **{str(index): made for index, made in enumerate(wanted)})
    file.with_suffix(".part").replace(file)
    return wanted


def filtered(photo: Picture) -> Picture:
    """`abstract`, in whole numbers."""
    return np.asarray(np.rint(abstract(photo) * 255), np.uint8)


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
        seed = [args.seed, time.time_ns()] if self.path.exists() else [args.seed]
        pairs = AnimePairs(photos, args.crop, seed, args.out / "wanted.npz")
        self.batches = self.feed(pairs)
        self.cartoons = load_cartoons(args.cartoons)
        self.seen |= {"photos": len(photos), "unreadable": bad, "cartoons": len(self.cartoons)}
        self.vgg = (VGG16() if args.random_features else load_vgg16()[0]).to(memory_format=torch.channels_last)
        self.network = AnimeNetwork()
        self.critic = Projected(None if args.random_features else args.lite0).to(memory_format=torch.channels_last)
        self.judge = torch.optim.Adam(self.critic.heads.parameters(), 1e-3, betas=(0.0, 0.99))
        if args.start:
            saved = torch.load(args.start, map_location="cpu", weights_only=True)
            self.network.load_state_dict(saved["network"])
        self.network = self.network.to(memory_format=torch.channels_last)
        self.learned = list(self.network.parameters())
        self.optimiser = torch.optim.Adam(self.learned, args.rate, betas=(0.5, 0.99))
        self.resume()
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
            "look": self.look(styled[:some], wanted[:some]),
            "steady": ((moved(styled[:some], flow[:some]) - after).square() * inside[:some]).mean(),
        }
        if judged:
            with torch.autocast("cpu", torch.bfloat16):
                seen = self.critic.see(grey(styled))
                self.critic.heads.requires_grad_(False)
                losses["adv"] = adversarial(self.critic.judge(seen))
                self.critic.heads.requires_grad_(True)
        loss = self.descend(losses, {key: getattr(self.args, key) for key in losses})
        return losses | {"loss": loss} | ({"critic": self.criticize([x.detach() for x in seen], wanted)} if judged else {})

    def look(self, styled: Tensor, wanted: Tensor) -> Tensor:
        """How far what VGG16 sees first (relu1_2, relu2_2) is from what is wanted: lines, which a mean of colours is content to blur."""
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.vgg(styled * 255, 2)
            with torch.no_grad():
                known = self.vgg(wanted * 255, 2)
        return torch.stack([(x - there).abs().float().mean() / there.float().mean() for x, there in zip(maps, known, strict=True)]).sum()

    def criticize(self, seen: list[Tensor], wanted: Tensor) -> Tensor:
        """One step of the critic: cartoons and what the filters made are real; ours and cartoons without edges are not."""
        some = (self.args.batch + 1) // 2
        cartoons, smoothed = cartoon_crops(self.cartoons, self.args.crop, some, self.random)
        real = torch.cat([cartoons, wanted[some:]])
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

    def restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.critic.heads.load_state_dict(saved["heads"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.judge.load_state_dict(saved["judge"])

    def kept(self) -> dict[str, Any]:
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
