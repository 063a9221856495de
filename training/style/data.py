"""Pictures to train the style network with: styles and what is wanted of them, and pairs of neighbouring frames made from photos."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from training.shared.photos import Array, Picture
from training.shared.vgg import VGG16
from training.style.losses import colors, gram
from training.style.network import StyleEncoder

SIDE, CROP, CROPS = 320, 256, 4
"""Short side of a style picture, and the crops of it that are looked at: a stroke is as large in the film as it is there."""
PREFERENCE = 3.0
"""How much more often one place is drawn from than the next."""


@dataclass(frozen=True)
class Styles:
    """n pictures to learn from: Gram matrices (n, C, C) at four depths and colours (n, 9), means over crops; what the encoder saw
    (n, CROPS, F); how often each is drawn (n,), summing to 1; how many, from the start, are of the first place."""

    names: list[str]
    grams: list[Tensor]
    colors: Tensor
    seen: Tensor
    odds: Tensor
    first: int


def read_pictures(place: Path) -> Iterator[tuple[str, Picture]]:
    """Names and RGB pictures of a tar file, a folder or a single file. Raises ValueError for one that cannot be read."""

    def read(name: str, data: bytes) -> tuple[str, Picture]:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{place}: {name} cannot be read as a picture")
        return Path(name).stem, np.ascontiguousarray(image[..., ::-1])

    if place.suffix == ".tar":
        with tarfile.open(place) as tar:
            for member in tar:
                if file := tar.extractfile(member):
                    yield read(member.name, file.read())
    else:
        for path in [place] if place.is_file() else sorted(place.glob("*.jpg")):
            yield read(path.name, path.read_bytes())


def resized(picture: Picture, side: int) -> Picture:
    """Short side `side`."""
    scale = side / min(picture.shape[:2])
    size = (max(side, round(picture.shape[1] * scale)), max(side, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8)


def crops(picture: Picture) -> Tensor:
    """Crops (CROPS, 3, 256, 256) in [0, 1], spread along the longer side."""
    large = resized(picture, SIDE)
    height, width = large.shape[:2]
    found = []
    for index in range(CROPS):
        part = index / (CROPS - 1)
        y, x = (
            round((height - CROP) * (part if height > width else index % 2)),
            round((width - CROP) * (part if width >= height else index % 2)),
        )
        found.append(large[y : y + CROP, x : x + CROP])
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() / 255


def held(count: int, held_out: int) -> set[int]:
    """Which of `count` pictures are held out."""
    return {(2 * i + 1) * count // (2 * held_out) for i in range(held_out)}


@torch.no_grad()
def load_styles(places: Sequence[Path], vgg: VGG16, encoder: StyleEncoder, held_out: int = 0) -> Styles:
    """Every picture of every place, but for `held_out` ones of the last, spread evenly: those are for measuring.

    One place is drawn from PREFERENCE times as often as the next, whatever they hold.
    """
    pictures: dict[str, tuple[Picture, float]] = {}
    first = 0
    for rank, place in enumerate(places):
        found = list(read_pictures(place))
        left_out = held(len(found), held_out) if rank == len(places) - 1 else set()
        for index, (name, picture) in enumerate(found):
            if index not in left_out:
                pictures.setdefault(name, (picture, PREFERENCE**-rank / len(found)))
        first = first or len(pictures)
    odds = torch.tensor([share for _, share in pictures.values()], dtype=torch.float64)
    count, widths = len(pictures), (64, 128, 256, 512)
    # Written into place: results kept between the large passing ones would leave holes all over the heap.
    styles = Styles(
        list(pictures), [torch.empty(count, width, width) for width in widths], torch.empty(count, 9),
        torch.empty(count, CROPS, len(encoder.centre)), odds / odds.sum(), first,
    )  # fmt: skip
    for row, (picture, _) in enumerate(pictures.values()):
        parts = crops(picture)
        with torch.autocast("cpu", torch.bfloat16):
            maps = vgg((parts * 255).contiguous(memory_format=torch.channels_last))
        for kept, x in zip(styles.grams, maps, strict=True):
            kept[row] = gram(x).mean(0)
        styles.colors[row] = colors(parts).mean(0)
        styles.seen[row] = encoder.see(parts)
    return styles


def smooth_flow(side: int, rng: np.random.Generator) -> Array:
    """A motion (2, side, side) in pixels: a shift of up to 8, a slight zoom and turn, and a smooth bending."""
    angle, zoom = rng.normal(0, 0.01), 1 + rng.normal(0, 0.01)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - side / 2
    turned = np.stack([zoom * (np.cos(angle) * x - np.sin(angle) * y) - x, zoom * (np.sin(angle) * x + np.cos(angle) * y) - y])
    bend = np.stack(
        [cv2.resize(rng.normal(0, 1.5, (5, 5)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC) for _ in range(2)]
    )
    shift = rng.uniform(-8, 8, (2, 1, 1)) if rng.random() < 0.8 else np.zeros((2, 1, 1))
    return np.asarray(turned + bend + shift, np.float32) if rng.random() < 0.85 else np.zeros((2, side, side), np.float32)


class Pairs(IterableDataset[tuple[Array, ...]]):
    """Endless stream of (first (3, s, s), second (3, s, s), flow (2, s, s), inside (1, s, s), clean (3, s, s)).

    RGB in [0, 1]. `second` is `clean` moved along `flow`; `first` is `clean` too; both have grain of their own, or none. `inside` is
    1 where flow stays in the picture.
    """

    def __init__(self, photos: Sequence[Picture], side: int, seed: Sequence[int]) -> None:
        self.photos, self.side, self.seed = photos, side, seed

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        worker = torch.utils.data.get_worker_info()
        cv2.setNumThreads(1)
        rng = np.random.default_rng([*self.seed, worker.id if worker else 0])
        while True:
            yield self.sample(rng)

    def picture(self, index: int) -> Picture:
        """What is cut from: a photo (h, w, 3), uint8; more channels go the same way, and come back last."""
        return self.photos[index]

    def cut(self, short: int, rng: np.random.Generator) -> int:
        """The side of the square that is cut from a photo with this short side: of any size, down to what is asked for."""
        return int(rng.integers(min(self.side, short), short + 1))

    def sample(self, rng: np.random.Generator) -> tuple[Array, ...]:
        picture, side = self.picture(int(rng.integers(len(self.photos)))), self.side
        height, width = picture.shape[:2]
        cut = self.cut(min(height, width), rng)
        top, left = int(rng.integers(0, height - cut + 1)), int(rng.integers(0, width - cut + 1))
        whole = picture[top : top + cut, left : left + cut]
        whole = whole[:, ::-1] if rng.random() < 0.5 else whole
        # OpenCV averages over areas for at most four channels.
        parts = [np.ascontiguousarray(part) for part in np.split(whole, whole.shape[2] // 3, 2)]
        way = cv2.INTER_AREA if cut > side else cv2.INTER_CUBIC
        parts = [cv2.resize(part, (side, side), interpolation=way).astype(np.float32) / 255 for part in parts]
        if rng.random() < 0.15:
            parts = [np.repeat(part @ np.array([[0.2126], [0.7152], [0.0722]], np.float32), 3, 2) for part in parts]
        clean = np.ascontiguousarray(parts[0])
        flow = smooth_flow(side, rng)
        y, x = np.mgrid[0:side, 0:side].astype(np.float32)
        x, y = x + flow[0], y + flow[1]
        second = cv2.remap(clean, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = ((x >= 0) & (x <= side - 1) & (y >= 0) & (y <= side - 1)).astype(np.float32)[None]
        strength = rng.uniform(0, 0.04) if rng.random() < 0.7 else 0.0
        first, second, *rest = (
            np.ascontiguousarray(part.transpose(2, 0, 1))
            for part in (grained(clean, strength, rng), grained(second, strength, rng), *parts)
        )
        return (first, second, flow, inside, *rest)


def grained(picture: Array, strength: float, rng: np.random.Generator) -> Array:
    """Grain that is mostly of luma, a little of colour."""
    noise = rng.normal(0, 1, (*picture.shape[:2], 1)) + rng.normal(0, 0.4, picture.shape)
    return np.asarray(np.clip(picture + strength * noise, 0, 1), np.float32)
