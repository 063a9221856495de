"""Curves of networks over the dial, drawn as SVG from results of `quality photos`.

python -m benchmarks.quality.plot prototype.json first.json second.json --out curve.svg
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality import svg

PANELS = (
    ("Exactness", "chroma PSNR over grey, dB", "gain_db"),
    ("Distance from real photos", "Fréchet ratio", "frechet_ratio"),
)
ACROSS = "colourfulness_ratio"


def curves(found: Sequence[dict[str, Any]]) -> tuple[list[svg.Panel], list[str]]:
    """Gain and Fréchet ratio over colourfulness, a line a network from its palest to its most colourful point.

    Raises ValueError for a result of something else.
    """
    for result in found:
        if result.get("benchmark") != "quality-photos":
            raise ValueError(f"a result of {result.get('benchmark')}, not of quality photos")
    panels = []
    for title, up, key in PANELS:
        lines = []
        for result in found:
            points = sorted(result["points"], key=lambda point: float(point[ACROSS]))
            lines.append(svg.Line([(p[ACROSS], p[key]) for p in points], [f"{result['network']}, {p['point']}" for p in points]))
        panels.append(svg.Panel(title, "colourfulness, ratio to the true photos", up, lines))
    return panels, [f"{result['network']}, {result['photos']} photos" for result in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="results of quality photos, of the same photos")
    parser.add_argument("--out", type=Path, required=True, help="SVG file")
    args = parser.parse_args()
    svg.save(args.out, *curves([json.loads(path.read_text()) for path in args.files]))


if __name__ == "__main__":
    main()
