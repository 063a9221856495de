"""Where things lie: the checkout, the results in it, and the photos and clips beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DATA = ROOT.parent / "shared" / "data"
CLIPS = DATA / "clips"
