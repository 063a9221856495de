"""Quality of a colour network: its curve over the dial on photos, its steadiness on clips, sheets to look at.

python -m benchmarks.quality photos --checkpoint last.pt --points 1:1,1:0,0.6:1 --subset prototype --limit 120 --out photos.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.generators import Checkpoint, Generator, Point

POINTS = "1:1,1:0,0.6:1,0.6:0.5,0.6:0"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    photos = kinds.add_parser("photos", help="the curve over the dial")
    photos.add_argument("--photos", type=Path, default=DATA / "photos" / "val.tar", help="tar file of photos, short side 256")
    photos.add_argument("--points", default=POINTS, help="T:tilt or T:tilt:gain, joined by commas")
    photos.add_argument("--subset", choices=["all", "prototype"], default="all")
    photos.add_argument("--limit", type=int, help="use so many photos")
    photos.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "vidcolor-benchmarks")
    for kind in (photos,):
        kind.add_argument("--checkpoint", type=Path, help="training checkpoint or state dict (.pt)")
        kind.add_argument("--tilt", type=Path, help="rebalancing weights (.pt) for a state dict that lacks them")
        kind.add_argument(
            "--threads", type=int, default=1, help="of PyTorch: on small pictures more than one is slower, beside other work by far"
        )
        kind.add_argument("--out", type=Path, help="write the result here, else to standard output")
    return parser.parse_args(words)


def load_generator(args: argparse.Namespace) -> Generator:
    return Checkpoint(args.checkpoint, args.tilt)


def run_photos(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks import photos

    torch.set_num_threads(args.threads)
    chosen = photos.load(args.photos, args.subset, args.limit)
    points = [Point.parse(text) for text in args.points.split(",")]
    return {"subset": args.subset} | photos.measure(chosen, load_generator(args), points, args.cache)


def table(result: dict[str, Any]) -> str:
    """The curve as text, one point a row."""
    keys = [
        "gain_db",
        "colourfulness_ratio",
        "frechet_ratio",
        "kid",
        "ciede2000",
        "blotches_ratio",
        "dark_chroma_ratio",
        "patchiness_ratio",
    ]
    rows = [f"{'T:tilt':>12} " + " ".join(f"{key.removesuffix('_ratio')[:11]:>11}" for key in keys)]
    rows += [f"{row['point']:>12} " + " ".join(f"{row[key]:11.3f}" for key in keys) for row in result["points"]]
    return "\n".join(rows)


def main() -> None:
    args = parse()
    begun = time.monotonic()
    result = {"benchmark": f"quality-{args.kind}", "commit": machine.commit(), "machine": machine.describe()}
    result |= run_photos(args)
    result["seconds"] = round(time.monotonic() - begun, 1)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + "\n")
        print(table(result))
    else:
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
