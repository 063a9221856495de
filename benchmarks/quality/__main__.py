"""Quality of a colour network: its curve over the dial on photos, its steadiness on clips, and sheets to look at.

    python -m benchmarks.quality photos --checkpoint last.pt --points 1:1,1:0,0.6:1 --subset prototype --limit 120 --out photos.json
    python -m benchmarks.quality clips --network colorize-fast --steady off,causal --sheets sheets --out clips.json

Photos need the training extra (the judge is a PyTorch network); clips do so only with --checkpoint.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.quality.generators import Mirrored, Point, Source, default_point
from benchmarks.quality.peers import OneColor
from benchmarks.quality.sources import load_source
from benchmarks.shared import results
from benchmarks.shared.places import CLIPS, DATA

POINTS = "1:1,1:0,0.6:1,0.6:0.5,0.6:0"
COLUMNS = (
    "gain_db",
    "colourfulness_ratio",
    "frechet_ratio",
    "kid_ratio",
    "frechet_vgg_ratio",
    "kid_vgg_ratio",
    "ciede2000",
    "blotches_ratio",
    "dark_chroma_ratio",
    "patchiness_ratio",
)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    photos = kinds.add_parser("photos", help="the curve over the dial")
    photos.add_argument("--photos", type=Path, default=DATA / "photos" / "val.tar", help="tar file of photos, short side 256")
    photos.add_argument("--points", default=POINTS, help="T:tilt or T:tilt:gain, joined by commas")
    photos.add_argument("--subset", choices=["all", "prototype"], default="all", help="prototype: without the ImageNet photos")
    photos.add_argument("--spread", action="store_true", help="--limit takes photos evenly over the file, not its first ones")
    photos.add_argument("--judges", default="lite2", help="lite2, vgg, or both joined by a comma (slower; final results have both)")
    photos.add_argument("--short-side", type=int, default=256, help="of the size at which the network looks: a multiple of 32")
    photos.add_argument("--mirror", action="store_true", help="the mean with the answer to the mirrored picture, mirrored back")
    photos.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "vidcolor-benchmarks", help="keeps the judge's features"
    )
    photos.add_argument("--film", action="store_true", help="show the network the photos as film would have left them, grain and all")
    clips = kinds.add_parser("clips", help="steadiness, beside the truth's")
    clips.add_argument("--clips", type=Path, default=CLIPS, help="a folder of clips, or one clip")
    clips.add_argument("--point", help="T:tilt or T:tilt:gain; without it the default of the network's dial")
    clips.add_argument("--steady", default="off,causal", help="off, causal, or both joined by a comma")
    clips.add_argument("--only", default="", help="clips whose name begins so, for example col_ or bw_")
    for kind, things in ((photos, "photos"), (clips, "frames of each clip")):
        which = kind.add_mutually_exclusive_group()
        which.add_argument("--network", default="colorize-fast", help="a network that the program ships")
        which.add_argument("--checkpoint", type=Path, help="a training checkpoint or state dict (.pt) instead")
        which.add_argument("--one-color", type=OneColor.parse, metavar="CB:CR", help="one colour for everything instead")
        which.add_argument("--resnet6", type=Path, help="checkpoint of a peer (see benchmarks/quality/peers.py) instead")
        kind.add_argument("--precision", choices=["auto", "f32", "bf16"], default="auto", help="of a shipped network")
        kind.add_argument("--label", help="name of the network in the result")
        kind.add_argument("--tilt", type=Path, help="rebalancing weights (.pt) for a state dict that lacks them")
        kind.add_argument("--threads", type=int, default=1, help="of the networks: beside other work more than one is slower by far")
        kind.add_argument("--limit", type=int, help=f"use so many {things}")
        kind.add_argument("--sheets", type=Path, help="write contact sheets into this folder")
        kind.add_argument("--out", type=Path, help="write the result here, else to standard output")
    return parser.parse_args(words)


def run_photos(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks.quality import photos
    from benchmarks.quality.features import judges

    torch.set_num_threads(args.threads)
    chosen = photos.load(args.photos, args.subset, args.limit, args.spread)
    points = [Point.parse(text) for text in args.points.split(",")]
    source: Source = load_source(args)
    if args.mirror:
        source = Mirrored(source)
    found = photos.measure(chosen, source, points, judges(args.judges.split(",")), args.cache, args.sheets, args.short_side, args.film)
    return {"subset": args.subset, "spread": args.spread, "mirror": args.mirror} | found


def run_clips(args: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.quality import clips

    found = (
        [args.clips] if args.clips.is_file() else sorted(p for p in args.clips.iterdir() if p.name.startswith(args.only or ("bw_", "col_")))
    )
    if not found:
        raise SystemExit(f"{args.clips}: no clip whose name begins with {args.only or 'bw_ or col_'}")
    point = Point.parse(args.point) if args.point else default_point("" if args.checkpoint else args.network)
    return clips.measure(found, load_source(args), point, args.steady.split(","), args.limit, args.sheets)


def photo_table(result: dict[str, Any]) -> str:
    """The curve as text, one point a row."""
    shown = [key for key in COLUMNS if key in result["points"][0]]
    rows = [f"{'T:tilt':>12} " + " ".join(f"{key.removesuffix('_ratio')[:11]:>11}" for key in shown)]
    rows += [f"{row['point']:>12} " + " ".join(f"{row[key]:11.3f}" for key in shown) for row in result["points"]]
    return "\n".join(rows)


def clip_table(result: dict[str, Any]) -> str:
    """Scores as text, one version of one clip a row."""
    keys = ("warp_1", "warp_8", "cdc", "colourfulness")
    rows = [f"{'clip':>24} {'version':>8} " + " ".join(f"{key:>13}" for key in keys)]
    for name, scores in (result["clips"] | {"mean": result["means"]}).items():
        for version in (*result["modes"], "truth"):
            shown = (f"{scores[version].get(key, float('nan')):13.6g}" for key in keys)
            rows.append(f"{name:>24} {version:>8} " + " ".join(shown))
    return "\n".join(rows)


def main() -> None:
    args = parse()
    begun = time.monotonic()
    found = run_photos(args) if args.kind == "photos" else run_clips(args)
    if args.label:
        found["network"] = args.label
    result = results.frame(f"quality-{args.kind}") | found | {"seconds": round(time.monotonic() - begun, 1)}
    results.write(result, args.out)
    if args.out:
        print(photo_table(result) if args.kind == "photos" else clip_table(result))


if __name__ == "__main__":
    main()
