"""Trains colorize-fast from scratch: the phases of `training.color.colorize` that the shipped network went through, one after the other.

    python -m training.color.recipe --data a.tar:b.tar --lite0 LITE0.pth --out run

About four hours on two cores. It goes on where it was stopped when it is started again. What it does not know is passed on to every
phase (`--max-steps 2` for a look). The last checkpoint is OUT/adversarial/last.pt; the checkpoints before it lie beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PHASES = {
    "objects": "supervised --minutes 150",
    "scenes": "supervised --minutes 20 --rate 1e-4 --crop 192 --batch 16",
    "adversarial": "adversarial --minutes 70 --adversarial 0.5 --crop 192 --batch 16",
}
"""Small crops first, since they are cheap; then crops that show objects as large as whole pictures do."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path)
    args, rest = parser.parse_known_args()
    before: Path | None = None
    for name, words in PHASES.items():
        start = ["--start", str(before)] if before else []
        place = args.out / name
        done = subprocess.run(
            [sys.executable, "-m", "training.color.colorize", *words.split(), *start, "--out", str(place), *rest], check=False
        )
        if done.returncode:
            raise SystemExit(done.returncode)
        before = place / "last.pt"


if __name__ == "__main__":
    main()
