"""The curve of a colour network over its dial, on photos whose colours are known."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import metrics
from benchmarks.quality.features import SAMPLES
from benchmarks.quality.features import shrink as prepare_picture
from benchmarks.quality.generators import Point, Source, ask, paint
from benchmarks.shared import similarity
from benchmarks.shared.sheets import save
from vidcolor.picture.planes import Box, Layout, Planes, shrink, work_size
from vidcolor.stages.amplify import amplify

Floats = NDArray[np.float32]
SHORT_SIDE, SHEET_PHOTOS = 256, 8
RATIOS = ("colourfulness", "blotches", "dark_chroma", "patchiness")
SUBSETS = {"all": "", "prototype": "imagenet"}
"""What a name must not contain to be in a subset: the prototype had seen some of the ImageNet photos."""


@dataclass(frozen=True)
class Photo:
    name: str
    rgb: NDArray[np.uint8]


def load(path: Path, subset: str = "all", limit: int | None = None, spread: bool = False) -> list[Photo]:
    """Photos of a tar file in its order, short side 256; `limit` counts after the subset was taken.

    `spread` takes them evenly over the file, where neighbours often show the same kind of thing, and not from its beginning.
    """
    without, photos = SUBSETS[subset], list[Photo]()
    with tarfile.open(path) as tar:
        for member in tar:
            if not member.name.endswith((".jpg", ".png")) or (without and without in member.name):
                continue
            if len(photos) == limit and not spread:
                break
            file = tar.extractfile(member)
            image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR) if file else None
            if image is None:
                raise ValueError(f"{path}: {member.name} cannot be read as a picture")
            photos.append(Photo(member.name, np.ascontiguousarray(image[..., ::-1])))
    if spread and limit and limit < len(photos):
        return [photos[i * len(photos) // limit] for i in range(limit)]
    return photos


def look(rgb: NDArray[np.uint8], short_side: int = SHORT_SIDE, film: int | None = None) -> tuple[Floats, Floats]:
    """Luma of a picture as the network sees it, at work size, and at the quarter size that chroma comes in.

    With `film`, a seed: as a stock, a lens, a scan and grain might have left it, by the changes that training makes.
    """
    luma, _ = metrics.split(rgb)
    if film is not None:
        from training.color.data import film_luma, grain

        rng = np.random.default_rng(film)
        luma = grain(film_luma(rgb, luma, rng), rng)
    height, width = luma.shape
    codes = np.asarray(np.rint(luma * 255), np.uint8)
    planes = Planes(codes, None, None, Layout(width, height, chroma="400", full_range=True))
    box = Box(0, 0, width, height)
    rows, columns = work_size(box, short_side)
    seen = shrink(planes, box, (rows, columns))
    return seen, np.asarray(cv2.resize(seen, (columns // 4, rows // 4), interpolation=cv2.INTER_AREA), np.float32)


class Judge(Protocol):
    """Pictures to features, SAMPLES rows a picture; `name` tells one judge from another in the cache."""

    name: str

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> Floats: ...


class Score:
    """Gathers one kind of picture: the truth's, grey or one point of the dial."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}
        self.small: list[NDArray[np.uint8]] = []
        self.squares, self.pixels = 0.0, 0

    def add(self, luma: Floats, chroma: Floats, truth: Floats, lab: Floats) -> NDArray[np.uint8]:
        """One picture: its luma, its chroma and the true one (2, H, W), the true picture in Lab. Returns it as RGB."""
        rgb = metrics.join(luma, chroma)
        difference = metrics.ciede2000(metrics.srgb_to_lab(rgb), lab)
        found = {
            "colourfulness": metrics.colorfulness(rgb),
            "ciede2000": float(difference.mean()),
            "ciede2000_p95": float(np.quantile(difference, 0.95)),
            "blotches": metrics.blotches(luma, chroma),
            "dark_chroma": metrics.dark_chroma(luma, chroma),
            "patchiness": metrics.patchiness(luma, chroma),
        }
        for key, value in found.items():
            self.values.setdefault(key, []).append(value)
        self.squares += metrics.chroma_error(chroma, truth) * luma.size
        self.pixels += luma.size
        self.small.append(prepare_picture(rgb))
        return rgb

    def means(self) -> dict[str, float]:
        """Means over pictures; PSNR of the squared error pooled over all pixels of all pictures."""
        return {key: float(np.mean(values)) for key, values in self.values.items()} | {"psnr": similarity.psnr(self.squares / self.pixels)}


def measure(
    photos: Sequence[Photo],
    source: Source,
    points: Sequence[Point],
    judges: Mapping[str, Judge],
    cache: Path | None = None,
    sheets: Path | None = None,
    short_side: int = SHORT_SIDE,
    film: bool = False,
) -> dict[str, Any]:
    """Scores of grey, of the truth and of every point of the dial; ratios are to the truth's mean, Fréchet's and KID's to the grey's.

    `judges` go by what is put behind their figures: "_vgg" gives frechet_vgg, kid_vgg and their ratios. Sheets show grey, every
    point and the truth, a row each, eight photos a sheet. With `film` the network sees photos as film would have left them.
    """
    grey, truth, scores = Score(), Score(), {point: Score() for point in points}
    shown: list[list[NDArray[np.uint8]]] = []
    for number, photo in enumerate(photos):
        luma, chroma = metrics.split(photo.rgb)
        lab = metrics.srgb_to_lab(photo.rgb)
        seen, low = look(photo.rgb, short_side, number if film else None)
        column = [grey.add(luma, np.zeros_like(chroma), chroma, lab)]
        for point, answer in zip(points, ask(source, seen, points), strict=True):
            column.append(scores[point].add(luma, paint(luma, low, amplify(answer, point.gain)), chroma, lab))
        column.append(truth.add(luma, chroma, chroma, lab))
        shown.append(column)
        if len(shown) == SHEET_PHOTOS or number == len(photos) - 1:
            if sheets:
                save(sheets / f"photos_{number // SHEET_PHOTOS:02}.png", list(zip(*shown, strict=True)))
            shown = []
    label = source.label + (f", {short_side} px" if short_side != SHORT_SIDE else "") + (", film" if film else "")
    about = {"photos": len(photos), "network": label, "short_side": short_side, "film": film}
    return summary(grey, truth, scores, judges, cache) | about


def summary(grey: Score, truth: Score, scores: dict[Point, Score], judges: Mapping[str, Judge], cache: Path | None) -> dict[str, Any]:
    """What was gathered, as data."""
    base, known, rows = grey.means(), truth.means(), []
    for point, score in scores.items():
        found = score.means()
        rows.append(
            {"point": str(point), "temperature": point.temperature, "tilt": point.tilt, "gain": point.gain}
            | {"gain_db": found["psnr"] - base["psnr"]}
            | {f"{key}_ratio": found[key] / known[key] for key in RATIOS}
            | found
        )
    for suffix, judge in judges.items():
        plain, real = (cached_features(judge, score.small, cache) for score in (grey, truth))
        far = distances(plain, real, suffix)
        base |= far
        for row, score in zip(rows, scores.values(), strict=True):
            near = distances(judge(score.small), real, suffix)
            row |= near | {f"{key}{suffix}_ratio": near[f"{key}{suffix}"] / far[f"{key}{suffix}"] for key in ("frechet", "kid")}
    known.pop("psnr")
    return {"judges": [judge.name for judge in judges.values()], "grey": base, "truth": known, "points": rows}


def distances(seen: Floats, real: Floats, suffix: str) -> dict[str, float]:
    """Fréchet distance of features from the true ones, KID and its spread."""
    kid, spread = metrics.kernel_distance(seen, real, SAMPLES)
    return {f"frechet{suffix}": metrics.frechet_distance(seen, real), f"kid{suffix}": kid, f"kid{suffix}_sd": spread}


def cached_features(judge: Judge, pictures: Sequence[NDArray[np.uint8]], cache: Path | None) -> Floats:
    """Features of pictures that do not change from run to run, kept under the hash of what they are made from."""
    if cache is None:
        return judge(pictures)
    digest = hashlib.sha256(judge.name.encode())
    for picture in pictures:
        digest.update(picture.tobytes())
    kept = cache / f"{digest.hexdigest()[:24]}.npy"
    if kept.exists():
        return np.asarray(np.load(kept), np.float32)
    found = judge(pictures)
    cache.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}.part.npy")
    np.save(part, found)
    part.replace(kept)
    return found
