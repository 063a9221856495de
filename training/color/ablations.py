"""Runs the rows of the ablation table in README.md, one after the other, and measures each on the same photos.

    python -m training.color.ablations --data a.tar:b.tar --lite0 LITE0.pth --lite2 LITE2.pth --start run/a/last.pt --out run/ablations

Rows of the first kind train from ImageNet weights; rows of the second go on from one shared checkpoint. Every row sees the same number
of crops with the same seed. Finished rows are kept: the command goes on where it was stopped. `--table` prints what is there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

POINTS = "1:1,0.6:0.25:1.2,0.6:0:1.2"
FROM_IMAGENET = {
    "base: Lite0, decoder 128/96/64, bins, power 0.25, film 0.6": [],
    "encoder Lite2": ["--encoder", "lite2"],
    "encoder of dense convolutions, from scratch": ["--encoder", "dense"],
    "decoder 64/48/32": ["--widths", "64", "48", "32"],
    "decoder 192/144/96": ["--widths", "192", "144", "96"],
    "regression instead of bins": ["--regression"],
    "no rebalancing": ["--rebalance", "0"],
    "rebalancing power 0.5": ["--rebalance", "0.5"],
    "no film": ["--film", "0"],
}
FROM_SHARED = {
    "no critic: more of the same": ["supervised", "--rate", "2e-4"],
    "projected critic": ["adversarial"],
    "patch critic from scratch": ["adversarial", "--critic", "patches", "--warm-up", "200"],
    "projected critic, perceptual loss 0.5": ["adversarial", "--perceptual", "0.5"],
    "projected critic, no consistency": ["adversarial", "--consistency", "0"],
}
COLUMNS = ("gain_db", "colourfulness_ratio", "frechet_ratio", "ciede2000", "patchiness_ratio")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="tar files of photos, joined by ':'")
    parser.add_argument("--lite0", help="ImageNet weights of EfficientNet-Lite0 (.pth)")
    parser.add_argument("--lite2", help="ImageNet weights of EfficientNet-Lite2 (.pth)")
    parser.add_argument("--start", help="the shared checkpoint")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--steps", type=int, default=782, help="of 32 crops each; 782: 25,000 crops")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--table", action="store_true", help="only print the table of what is there")
    return parser.parse_args()


def folder(args: argparse.Namespace, name: str) -> Path:
    out: Path = args.out
    return out / "".join(c if c.isalnum() else "-" for c in name)


def train(args: argparse.Namespace, name: str, words: list[str]) -> None:
    """One row: train, measure, keep the result. Raises CalledProcessError where either fails."""
    place = folder(args, name)
    if (place / "photos.json").exists():
        return
    common = ["--data", args.data, "--lite0", args.lite0, "--out", str(place), "--max-steps", str(args.steps), "--minutes", "600"]
    subprocess.run([sys.executable, "-m", "training.color.colorize", *words, *common], check=True)
    measure = ["photos", "--checkpoint", str(place / "last.pt"), "--points", POINTS, "--subset", "prototype", "--limit", "120"]
    subprocess.run([sys.executable, "-m", "benchmarks.quality", *measure, "--label", name, "--out", str(place / "photos.json")], check=True)


def table(args: argparse.Namespace) -> str:
    """The finished rows as a Markdown table, two points of the dial a row."""
    lines = ["| row | T : α : gain | gain over grey | colourfulness | Fréchet | CIEDE2000 | patchiness |", "|" + " --- |" * 7]
    for name in [*FROM_IMAGENET, *FROM_SHARED]:
        if (folder(args, name) / "photos.json").exists():
            result = json.loads((folder(args, name) / "photos.json").read_text(encoding="utf-8"))
            for row in result["points"]:
                figures = " | ".join(f"{row[key]:+.2f} dB" if key == "gain_db" else f"{row[key]:.2f}" for key in COLUMNS)
                lines.append(f"| {name} | {row['point']} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    args = parse()
    if not args.table:
        rows = {name: ["supervised", *words, "--lite2", args.lite2] for name, words in FROM_IMAGENET.items()}
        rows |= {name: [*words, "--start", args.start] for name, words in FROM_SHARED.items()}
        for name, words in rows.items():
            if args.only in name:
                train(args, name, words)
    print(table(args))


if __name__ == "__main__":
    main()
