"""Quality of restyled films: nearness to the style, content kept, steadiness.

    python -m benchmarks.style clips --out benchmarks/results/style.json
    python -m benchmarks.style clips --styles starry-night,great-wave --only col_dog --frames 12
    python -m benchmarks.style wobble --styles anime

Everything goes through the program's own stages, at its default style size. Gram distances need the training extra.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import results, style_clips
from vidcolor import networks
from vidcolor.styles import catalogue

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PANS = ("col_dog_and_woman", "col_children_bedroom", "col_highway_drive")
"""Clips whose first frames are the photos of pans."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    clips = kinds.add_parser("clips", help="all scores of every style on clips, and the wobble of pans")
    wobble = kinds.add_parser("wobble", help="the wobble of pans alone")
    clips.add_argument("--only", default="col_", help="clips whose name begins so")
    clips.add_argument("--frames", type=int, default=24, help="of each clip: the first shot that has so many")
    clips.add_argument("--gram-frames", type=int, default=3, help="of these, so many are compared with the style")
    clips.add_argument("--no-gram", action="store_true", help="without the distance to the style, which needs the training extra")
    clips.add_argument("--pictures", type=Path, default=DATA / "styles" / "named", help="folder of the pictures behind the styles")
    clips.add_argument(
        "--picture", action="append", default=[], metavar="STYLE=PATH", help="picture, folder or tar file behind a style; may be repeated"
    )
    for kind in (clips, wobble):
        kind.add_argument("--clips", type=Path, default=DATA / "clips", help="a folder of clips, or one clip")
        kind.add_argument("--photo", type=Path, action="append", help="photo or film to pan over; may be repeated")
        kind.add_argument("--styles", help="names or pictures, joined by commas (default: every named style)")
        kind.add_argument("--networks", type=Path, help="folder of networks and styles to try, in place of the shipped ones")
        kind.add_argument("--threads", type=int, default=1, help="of the judge: beside other work more than one is slower by far")
        kind.add_argument("--device", default="cpu")
        kind.add_argument("--out", type=Path, help="write the result here, else to standard output")
    return parser.parse_args(words)


def styles_of(args: argparse.Namespace) -> list[str]:
    """The styles asked for. Raises SystemExit where there are none."""
    if args.networks:
        networks.PLACES = (args.networks, args.networks)
    chosen = args.styles.split(",") if args.styles else list(catalogue())
    if not chosen:
        raise SystemExit("there is no named style yet: name pictures with --styles")
    return chosen


def clips_of(args: argparse.Namespace) -> list[Path]:
    """The clips asked for. Raises SystemExit where there are none."""
    if args.clips.is_file():
        return [args.clips]
    found = sorted(path for path in args.clips.iterdir() if path.name.startswith(args.only)) if args.clips.is_dir() else []
    if not found:
        raise SystemExit(f"{args.clips}: no clip whose name begins with {args.only}")
    return found


def photos_of(args: argparse.Namespace) -> list[Path]:
    """What pans go over. Raises SystemExit where the usual clips are missing."""
    folder = args.clips if args.clips.is_dir() else args.clips.parent
    found = args.photo or [path for name in PANS for path in folder.glob(f"{name}.*")]
    if not found:
        raise SystemExit(f"{folder}: has none of the clips that pans are made of; name a photo with --photo")
    return list(found)


def run_wobble(args: argparse.Namespace, styles: list[str]) -> dict[str, Any]:
    photos = photos_of(args)
    pans = [style_clips.first_frame(path) for path in photos]
    return {"pans": [path.stem for path in photos], "wobble": style_clips.measure_wobble(pans, styles, args.device)}


def run_clips(args: argparse.Namespace, styles: list[str]) -> dict[str, Any]:
    judge, wanted, given = None, dict[str, Any].fromkeys(styles), dict(word.split("=", 1) for word in args.picture)
    if not args.no_gram:
        import torch

        from benchmarks.style_judge import GramJudge

        torch.set_num_threads(args.threads)
        judge = GramJudge()
        for style in styles:
            place = style_clips.picture_of(style, args.pictures, {name: Path(path) for name, path in given.items()})
            if place:
                wanted[style] = judge.style(place)
            else:
                print(f"{style}: has no picture in {args.pictures}; give one with --picture {style}=PATH", file=sys.stderr)
    rows: dict[str, dict[str, Any]] = {style: {} for style in styles}
    for path in clips_of(args):
        for style, row in style_clips.measure_clip(path, wanted, judge, args.frames, args.gram_frames, args.device).items():
            rows[style][path.stem] = row
    found = {style: {"means": style_clips.means(row.values()), "clips": row} for style, row in rows.items()}
    about = {"frames": args.frames, "gram_frames": args.gram_frames, "judge": judge.name if judge else None, "styles": found}
    return about | run_wobble(args, styles)


def clip_table(result: dict[str, Any]) -> str:
    """Means as text, a style a row."""
    keys = ("gram_ratio", "ssim", "ssim_256", "warp_ratio", "warp_to_input", "still", "still_input", "still_off")
    lines = [f"{'style':>20} " + " ".join(f"{key:>13}" for key in keys)]
    for style, row in result["styles"].items():
        lines.append(f"{style:>20} " + " ".join(f"{row['means'].get(key, float('nan')):13.3f}" for key in keys))
    return "\n".join(lines)


def wobble_table(result: dict[str, Any]) -> str:
    """Wobble as text, a style a row."""
    return "\n".join(f"{style:>20} clean {row['clean']:6.2f} noisy {row['noisy']:6.2f}" for style, row in result["wobble"].items())


def main() -> None:
    args = parse()
    begun = time.monotonic()
    styles = styles_of(args)
    found = run_clips(args, styles) if args.kind == "clips" else run_wobble(args, styles)
    name = "style" if args.kind == "clips" else f"style-{args.kind}"
    results.write(results.frame(name) | found | {"seconds": round(time.monotonic() - begun, 1)}, args.out)
    if args.out:
        print((clip_table(found) + "\n" if args.kind == "clips" else "") + wobble_table(found))


if __name__ == "__main__":
    main()
