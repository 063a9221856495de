"""Photos to training samples: crops, film-like luma, hints and softly encoded chroma bins.

Everything here is numpy and OpenCV, so that it runs in the data worker and not in the training process.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset

from training.color.network import STEP, make_bins
from training.shared.photos import Array, Picture

LUT_HALF = 20
"""The bin look-up table covers chroma of +-20 steps, wider than the disc of bins, so that a neighbour is always inside."""


def split(rgb: Picture) -> tuple[Array, Array, Array]:
    """Y in [0, 1], Cb and Cr in [-0.5, 0.5] of BT.709, float32, from RGB uint8."""
    red, green, blue = (rgb[..., i].astype(np.float32) / 255 for i in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return luma, (blue - luma) / 1.8556, (red - luma) / 1.5748


class BinEncoder:
    """Soft encoding of chroma on the bin grid: the four neighbouring bins, bilinear weights."""

    def __init__(self) -> None:
        bins = make_bins().numpy()
        self.count = len(bins)
        self.table = -np.ones((2 * LUT_HALF + 1, 2 * LUT_HALF + 1), np.int64)
        steps = np.round(bins / STEP).astype(int) + LUT_HALF
        self.table[steps[:, 0], steps[:, 1]] = np.arange(len(bins))

    def nearest(self, cb: Array, cr: Array) -> Array:
        """Index of the nearest bin, -1 outside the disc."""
        limit = 2 * LUT_HALF
        i = np.clip(np.round(cb / STEP).astype(int) + LUT_HALF, 0, limit)
        j = np.clip(np.round(cr / STEP).astype(int) + LUT_HALF, 0, limit)
        return np.asarray(self.table[i, j])

    def __call__(self, cb: Array, cr: Array) -> tuple[Array, Array]:
        """Indices (4, h, w) and weights (4, h, w), summing to 1; colours outside the disc are drawn to its rim."""
        scale = np.minimum(1, 0.33 / np.maximum(np.hypot(cb, cr), 1e-6)) / STEP
        x, y = cb * scale, cr * scale
        x0, y0 = np.floor(x), np.floor(y)
        fx, fy = x - x0, y - y0
        i, j = x0.astype(int) + LUT_HALF, y0.astype(int) + LUT_HALF
        index = np.stack([self.table[i, j], self.table[i + 1, j], self.table[i, j + 1], self.table[i + 1, j + 1]])
        weight = np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy]).astype(np.float32)
        weight *= index >= 0
        weight /= weight.sum(0, keepdims=True) + 1e-6
        return np.maximum(index, 0), weight


def class_weights(photos: Sequence[Picture], encoder: BinEncoder, power: float = 0.25) -> Array:
    """Rebalancing weights (K,) with mean 1 under the empirical prior: (p + 1e-4)^-power.

    Weights over about 7:1 between rare and common bins bend everything (125:1 was worse than grey), hence the small power.
    """
    count = np.zeros(encoder.count)
    for photo in random.Random(0).sample(list(photos), min(800, len(photos))):
        _, cb, cr = split(cv2.resize(photo, (64, 64), interpolation=cv2.INTER_AREA))
        found = encoder.nearest(cb, cr)
        count += np.bincount(found[found >= 0], minlength=encoder.count)
    prior = count / count.sum() + 1e-5
    prior /= prior.sum()
    weights = (prior + 1e-4) ** -power
    return np.asarray(weights / (prior * weights).sum(), np.float32)


def film_luma(rgb: Picture, luma: Array, rng: np.random.Generator) -> Array:
    """Luma as a film stock, a lens and a scan might have left it; float32 in [0, 1]."""
    out = luma
    if rng.random() < 0.3:  # ortho- and panchromatic stock: another spectral response
        out = (rgb.astype(np.float32) / 255) @ rng.dirichlet((1.5, 3, 1.2)).astype(np.float32)
    out = np.clip(out, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.2)))
    out = (out - 0.5) * np.float32(rng.uniform(0.75, 1.15)) + np.float32(0.5 + rng.uniform(-0.06, 0.06))
    if rng.random() < 0.15:  # low resolution
        size = out.shape[1::-1]
        small = cv2.resize(out, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    elif rng.random() < 0.3:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.3))
    if rng.random() < 0.2:  # vignette
        y, x = np.mgrid[-1 : 1 : out.shape[0] * 1j, -1 : 1 : out.shape[1] * 1j]
        out = out * (1 - rng.uniform(0, 0.25) * (x**2 + y**2))
    if rng.random() < 0.05:  # a scratch
        out = out.copy()
        column = rng.integers(0, out.shape[1])
        out[:, column : column + rng.integers(1, 3)] = rng.choice([0.05, 0.95])
    if rng.random() < 0.2:
        _ok, data = cv2.imencode(".jpg", np.clip(out * 255, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32) / 255
    return np.clip(out, 0, 1).astype(np.float32)


def grain(luma: Array, rng: np.random.Generator) -> Array:
    """Fresh film grain on luma: fine or slightly clumped, up to 0.04."""
    noise: Array = rng.normal(0, rng.uniform(0.005, 0.04), luma.shape).astype(np.float32)
    if rng.random() < 0.4:
        noise = cv2.GaussianBlur(noise, (0, 0), 0.7) * 2
    return np.asarray(np.clip(luma + noise, 0, 1), np.float32)


def dots(cb: Array, cr: Array, rng: np.random.Generator) -> Array:
    """A few dots of true colour, as a person would click them: hints (3, h, w)."""
    side = cb.shape[0]
    hints = np.zeros((3, side, side), np.float32)
    for _ in range(rng.integers(1, 7)):
        radius, y, x = rng.integers(2, 7), rng.integers(0, side), rng.integers(0, side)
        area = slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)
        hints[0][area], hints[1][area], hints[2][area] = cb[area].mean(), cr[area].mean(), 1
    return hints


def carried(cb: Array, cr: Array, rng: np.random.Generator) -> Array:
    """The true chroma warped, noisy, muted and partly erased, as steadiness and references will feed it: hints (3, h, w)."""
    side = cb.shape[0]
    move = np.array([[1, 0, rng.normal(0, 1.5)], [0, 1, rng.normal(0, 1.5)]], np.float32)
    moved = [cv2.warpAffine(c, move, (side, side), borderMode=cv2.BORDER_REFLECT) for c in (cb, cr)]
    muted = rng.uniform(0.5, 1.0) if rng.random() < 0.3 else 1.0
    patches = rng.random((rng.integers(2, 9), rng.integers(2, 9))).astype(np.float32)
    kept = cv2.resize(patches, (side, side), interpolation=cv2.INTER_LINEAR) > rng.uniform(0.1, 0.7)
    noise = rng.uniform(0, 0.02)
    planes = [(c * muted + rng.normal(0, noise, c.shape)) * kept for c in moved]
    return np.stack([*planes, kept * rng.uniform(0.3, 1)]).astype(np.float32)


def remembered(cb: Array, cr: Array, other: Array, rng: np.random.Generator) -> Array:
    """Chroma as a memory of other frames finds it again by matching: hints (3, h, w). `other` (2, h, w) is another picture's chroma.

    It lies a little off, is known in blocks of eight pixels, is now and then of another thing (of this picture or of the other), is
    missing in patches, and as a whole may be of another shot: shifted in hue and strength. The weight says how sure the match was:
    errors are the more frequent the lower it is, but not unheard of where it is high.
    """
    side = cb.shape[0]
    true = np.stack([cb, cr]).astype(np.float32)
    flow = [_smooth(rng, side, 5) * np.float32(rng.choice([0, 1.5, 4, 8])) for _ in range(2)]
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    found = np.stack([cv2.remap(plane, x + flow[0], y + flow[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) for plane in true])
    trust = np.clip(_smooth(rng, side, int(rng.integers(2, 9))) * 0.5 + np.float32(rng.uniform(0.3, 1.1)), 0, 1)
    elsewhere = np.roll(true, (int(rng.integers(side)), int(rng.integers(side))), (1, 2)) if rng.random() < 0.5 else other
    wrong = _smooth(rng, side, int(rng.integers(3, 13))) * 0.5 + 0.5 > 0.35 + 0.65 * trust
    found = np.where(wrong, elsewhere, found)
    if rng.random() < 0.25:  # of another shot: other light, another grade
        angle, strength = rng.normal(0, 0.35), np.exp(rng.normal(-0.1, 0.3))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32) * np.float32(strength)
        found = np.einsum("ij,jhw->ihw", turn, found)
        trust = trust * np.float32(rng.uniform(0.2, 0.7))
    if rng.random() < 0.6:
        small = [cv2.resize(plane, (side // 8, side // 8), interpolation=cv2.INTER_AREA) for plane in found.astype(np.float32)]
        found = np.stack([cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR) for plane in small])
    kept = (trust > 0.12) & (_smooth(rng, side, int(rng.integers(2, 12))) * 0.5 + 0.5 > rng.choice([0, 0.1, 0.5]))
    weight = trust * kept
    return np.concatenate([found * kept, weight[None]]).astype(np.float32)


def _smooth(rng: np.random.Generator, side: int, knots: int) -> Array:
    """A smooth random plane (side, side) in about [-1, 1], with so many knots each way."""
    return np.asarray(cv2.resize(rng.uniform(-1, 1, (knots, knots)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC))


def leader(side: int, rng: np.random.Generator) -> Picture:
    """What has no colour in any film: leaders, title cards, fades. A flat or shaded grey, often with letters or blocks.

    Without them a network that knows photos alone takes every smooth grey for sky.
    """
    start, end = rng.uniform(0, 255, 2)
    y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    angle, shaded = rng.uniform(0, 2 * np.pi), rng.random() < 0.5
    grey = start + (end - start) * (np.cos(angle) * x + np.sin(angle) * y) * 0.4 * shaded
    card = np.ascontiguousarray(np.clip(grey, 0, 255).astype(np.uint8))
    for _ in range(int(rng.integers(0, 4))):
        place, ink = (int(rng.integers(0, side)), int(rng.integers(0, side))), int(rng.integers(0, 256))
        if rng.random() < 0.6:
            text = "".join(chr(code) for code in rng.integers(65, 91, int(rng.integers(2, 8))))
            cv2.putText(card, text, (place[0] // 2, place[1]), int(rng.integers(0, 4)), rng.uniform(0.5, 1.5), ink, int(rng.integers(1, 4)))
        else:
            cv2.rectangle(card, place, (int(rng.integers(0, side)), int(rng.integers(0, side))), ink, -1)
    return np.repeat(card[..., None], 3, 2)


@dataclass(frozen=True)
class Sample:
    """Settings of one kind of sample."""

    crop: int = 128
    pairs: bool = False  # also give the same crop with fresh grain and a shift of up to 2 px, for the consistency loss
    hint_rate: float = 0.6  # part of the samples with hints
    memory_share: float = 0.0  # part of these whose hints are what a memory of other frames says
    film_rate: float = 0.6  # part of the samples whose luma looks like film, and two thirds of that with grain
    leader_rate: float = 0.02  # part of the samples that are grey leaders and title cards


class Crops(IterableDataset[tuple[Array, ...]]):
    """Endless stream of (luma (1, s, s), hints (3, s, s), bin indices (4, s/4, s/4), weights (4, s/4, s/4)).

    With `pairs`, a fifth member: the luma again, shifted and with other grain.
    """

    def __init__(self, photos: Sequence[Picture], settings: Sample, seed: int) -> None:
        self.photos, self.settings, self.seed, self.encoder = photos, settings, seed, BinEncoder()

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        worker = torch.utils.data.get_worker_info()
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            yield self.sample(rng)

    def crop(self, rng: np.random.Generator) -> Picture:
        if rng.random() < self.settings.leader_rate:
            return leader(self.settings.crop, rng)
        photo, size = self.photos[int(rng.integers(len(self.photos)))], self.settings.crop
        height, width = photo.shape[:2]
        smallest = round(0.86 * size)  # objects as large as in whole pictures: the network is asked about those
        side = int(rng.integers(min(smallest, height, width), min(256, height, width) + 1))
        y, x = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        cut = cv2.resize(
            photo[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA if side >= size else cv2.INTER_LINEAR
        )
        return np.ascontiguousarray(cut[:, ::-1]) if rng.random() < 0.5 else cut

    def sample(self, rng: np.random.Generator) -> tuple[Array, ...]:
        rgb, quarter = self.crop(rng), (self.settings.crop // 4,) * 2
        luma, cb, cr = split(rgb)
        index, weight = self.encoder(*(cv2.resize(c, quarter, interpolation=cv2.INTER_AREA) for c in (cb, cr)))
        film = film_luma(rgb, luma, rng) if rng.random() < self.settings.film_rate else luma
        kind = rng.random()
        hints = np.zeros((3, *luma.shape), np.float32)
        if kind < self.settings.hint_rate * (1 - self.settings.memory_share) / 2.5:
            hints = dots(cb, cr, rng)
        elif kind < self.settings.hint_rate * (1 - self.settings.memory_share):
            hints = carried(cb, cr, rng)
        elif kind < self.settings.hint_rate:
            hints = remembered(cb, cr, np.stack(split(self.crop(rng))[1:]), rng)
        first = grain(film, rng) if rng.random() < self.settings.film_rate * 2 / 3 else film
        made = (first[None], hints, index, weight)
        if not self.settings.pairs:
            return made
        move = np.array([[1, 0, rng.integers(-2, 3)], [0, 1, rng.integers(-2, 3)]], np.float32)
        moved = cv2.warpAffine(film, move, film.shape[::-1], borderMode=cv2.BORDER_REFLECT)
        return (*made, grain(moved, rng)[None])
