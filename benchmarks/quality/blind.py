"""A page that asks people which of two pictures has the more believable colours, without telling them which is whose.

    python -m benchmarks.quality.blind --a colorize-fast --b last.pt --pairs 30 --out blind.html
    python -m benchmarks.quality.blind --a ours --b theirs --out blind.html                   two folders of pictures of the same names
    python -m benchmarks.quality.blind --tally choices-1.json choices-2.json                  sums what people saved from their pages

A side is a network that the program ships, a training checkpoint (.pt) or a folder of pictures. Each is on the left as often as the
other. The page is one file: it needs no network and no server, and keeps its choices in the browser until they are saved.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks.quality import metrics
from benchmarks.quality.generators import Checkpoint, Point, Shipped, Source, ask, default_point, paint
from benchmarks.shared.arrays import Picture
from benchmarks.shared.places import DATA
from vidcolor.stages.amplify import amplify

if TYPE_CHECKING:
    from benchmarks.quality.photos import Photo

TEMPLATE = Path(__file__).with_name("blind.html")
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
Z95 = 1.959964
"""Two-sided 95 % of the normal distribution."""


@dataclass(frozen=True)
class Pair:
    """One question: what is shown on either side of it, and whether A is on the left."""

    name: str
    a: Picture
    b: Picture
    a_left: bool


def wilson(wins: int, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927); (0, 1) where nothing was counted."""
    if not count:
        return 0.0, 1.0
    share, scale = wins / count, 1 + Z95**2 / count
    middle = (share + Z95**2 / (2 * count)) / scale
    half = Z95 / scale * math.sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def files(folder: Path) -> dict[str, Path]:
    """Pictures of a folder by their names without ending."""
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in PICTURES}


def read(path: Path) -> Picture:
    """RGB. Raises ValueError where it is no picture."""
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path}: cannot be read as a picture")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def color(photo: Photo, source: Source, point: Point) -> Picture:
    """A photo coloured by the program's own way from its luma alone."""
    from benchmarks.quality.photos import look

    luma = metrics.split(photo.rgb)[0]
    seen, low = look(photo.rgb)
    (answer,) = ask(source, seen, [point])
    return metrics.join(luma, paint(luma, low, amplify(answer, point.gain)))


def side(words: str, names: Sequence[str], photos: Mapping[str, Photo], point: Point) -> list[Picture]:
    """Pictures of one side, in the order of the names."""
    path = Path(words)
    if path.is_dir():
        found = files(path)
        return [read(found[name]) for name in names]
    source: Source = Checkpoint(path) if path.suffix == ".pt" else Shipped(words, threads=1)
    return [color(photos[name], source, point) for name in names]


def common(a: str, b: str, path: Path) -> tuple[list[str], dict[str, Photo]]:
    """Names that both sides can show, and the photos where a side is a network. Raises SystemExit where there is none."""
    folders = [set(files(Path(words))) for words in (a, b) if Path(words).is_dir()]
    photos: dict[str, Photo] = {}
    if len(folders) < 2:
        from benchmarks.quality.photos import load

        photos = {Path(photo.name).stem: photo for photo in load(path)}
        folders.append(set(photos))
    names = sorted(set.intersection(*folders))
    if not names:
        raise SystemExit(f"{a} and {b} have no picture of the same name")
    return names, photos


def shuffle(names: Sequence[str], count: int, seed: int) -> list[tuple[str, bool]]:
    """`count` of the names in random order, A on the left in half of them (one more or less where the count is odd)."""
    chance = random.Random(seed)
    chosen = chance.sample(list(names), min(count, len(names)))
    extra = chance.randrange(2)
    sides = [(i + extra) % 2 == 0 for i in range(len(chosen))]
    chance.shuffle(sides)
    return list(zip(chosen, sides, strict=True))


def embed(picture: Picture, quality: int = 92) -> str:
    """A data URI of a JPEG with full chroma."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), settings)[1]
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"


def page(pairs: Sequence[Pair], a: str, b: str) -> str:
    """The page. Raises ValueError for two sides of one name, and for a pair that differs in size."""
    if a == b:
        raise ValueError(f"both sides are called {a}: give them names with --label-a and --label-b")
    asked = []
    for pair in pairs:
        if pair.a.shape != pair.b.shape:
            raise ValueError(f"{pair.name}: the two pictures differ in size")
        left, right = (embed(picture) for picture in ((pair.a, pair.b) if pair.a_left else (pair.b, pair.a)))
        asked.append({"code": hashlib.sha256((left + right).encode()).hexdigest()[:6], "left": left, "right": right})
    key = {"a": a, "b": b, "a_left": [pair.a_left for pair in pairs], "pictures": [pair.name for pair in pairs]}
    hidden = base64.b64encode(json.dumps(key).encode()).decode()
    data = {"page": hashlib.sha256((hidden + "".join(pair["code"] for pair in asked)).encode()).hexdigest()[:8]}
    text = json.dumps(data | {"key": hidden, "pairs": asked}).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace("/*DATA*/null", text)


def tally(saved: Sequence[dict[str, Any]]) -> str:
    """What several people saved, summed for each two names: preferred, share of the decided pairs, 95 % interval."""
    sums: dict[tuple[str, ...], Counter[str | None]] = {}
    people: Counter[tuple[str, ...]] = Counter()
    for one in saved:
        names = tuple(sorted((one["a"], one["b"])))
        winners = [choice["winner"] for choice in one["choices"]]
        if strangers := {winner for winner in winners if winner is not None} - set(names):
            raise ValueError(f"choices of page {one['blind']} name {min(strangers)}, which is neither side")
        sums.setdefault(names, Counter()).update(winners)
        people[names] += 1
    lines = []
    for names, counts in sums.items():
        decided = sum(counts[name] for name in names)
        lines.append(
            f"{' against '.join(names)}: {people[names]} times answered, {decided} pairs decided, {counts[None]} without difference"
        )
        for name in names:
            low, high = wilson(counts[name], decided)
            share = f"{counts[name] / decided:4.0%}" if decided else "   –"
            lines.append(f"  {share}  ({low:.0%} to {high:.0%})  {counts[name]:4} × {name}")
    return "\n".join(lines)


def label(words: str, point: Point) -> str:
    """Name of a side: a folder's or a network's with its point of the dial."""
    return Path(words).name if Path(words).is_dir() else f"{Path(words).name} at {point}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--a", default="colorize-fast", help="a shipped network, a checkpoint (.pt) or a folder of pictures")
    parser.add_argument("--b", help="the other side")
    parser.add_argument("--point", help="T:tilt or T:tilt:gain of networks; without it the default of each one's dial")
    parser.add_argument("--point-b", help="of side B, where it differs")
    parser.add_argument("--label-a", help="its name in the result")
    parser.add_argument("--label-b", help="its name in the result")
    parser.add_argument("--photos", type=Path, default=DATA / "photos" / "val.tar", help="tar file of photos that networks colour")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("blind.html"))
    parser.add_argument("--tally", nargs="+", type=Path, metavar="JSON", help="sum saved choices instead")
    args = parser.parse_args()
    if args.tally:
        print(tally([json.loads(path.read_text(encoding="utf-8")) for path in args.tally]))
        return
    if not args.b:
        parser.error("--b is needed: what --a is compared with")
    names, photos = common(args.a, args.b, args.photos)
    order = shuffle(names, args.pairs, args.seed)
    asked = zip((args.a, args.b), (args.point, args.point_b or args.point), strict=True)
    points = [Point.parse(text) if text else default_point(words) for words, text in asked]
    chosen = [name for name, _ in order]
    shown = [side(words, chosen, photos, point) for words, point in zip((args.a, args.b), points, strict=True)]
    pairs = [Pair(name, a, b, left) for (name, left), a, b in zip(order, *shown, strict=True)]
    labels = (args.label_a or label(args.a, points[0]), args.label_b or label(args.b, points[1]))
    args.out.write_text(page(pairs, *labels), encoding="utf-8")
    print(f"{args.out}: {len(pairs)} pairs; open it in a browser")


if __name__ == "__main__":
    main()
