"""Peak memory of the command, and whether it grows with the length of the film (Linux: /proc).

python -m benchmarks.speed.memory --frames 2000 --out benchmarks/results/memory.json
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from benchmarks.shared import results
from benchmarks.speed import command

WINDOW = 50
"""Frames over which the resident size is a median: it breathes with the buffers."""


def resident(pid: int) -> tuple[int, int]:
    """Resident size now and its peak, in KiB. Raises ProcessLookupError once the process is gone."""
    path = Path(f"/proc/{pid}/status")
    if not path.exists():
        raise ProcessLookupError(f"{path}: no such process")
    fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if line.startswith("Vm"))
    if "VmRSS" not in fields:
        raise ProcessLookupError(f"{path}: the process has ended")
    return int(fields["VmRSS"].split()[0]), int(fields["VmHWM"].split()[0])


def growth(sizes: dict[int, int], early: int, late: int) -> float:
    """Relative growth between two frames, medians over the windows that end there. Raises ValueError where nothing was sampled."""
    means = []
    for end in (early, late):
        inside = [size for number, size in sizes.items() if end - WINDOW <= number < end]
        if not inside:
            raise ValueError(f"no sample in the {WINDOW} frames before frame {end}")
        means.append(statistics.median(inside))
    return means[1] / means[0] - 1


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """One run; the resident size is read whenever a frame is announced."""
    clip = command.prepare(args)
    target = args.work / "memory.mp4"
    child = command.Running(command.vidcolor(clip, target, args))
    sizes: dict[int, int] = {}
    peak = 0
    for _, event in child:
        try:
            size, peak = resident(child.child.pid)
        except ProcessLookupError:  # the last events may outlive it
            continue
        if event["event"] == "frame":
            sizes[event["done"] - 1] = size
    target.unlink()
    early, late = args.early, args.frames
    return command.describe(args, clip) | {
        "peak_mib": round(peak / 1024, 1),
        "growth": {"from": early, "to": late, "share": round(growth(sizes, early, late), 4)},
        "resident_mib": {number: round(sizes[number] / 1024, 1) for number in sorted(sizes) if number % 100 == 0},
        "frames_colored": child.report["frames_colored"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--early", type=int, default=200, help="the frame that growth is counted from")
    command.settings(parser, frames=2000)
    args = parser.parse_args()
    results.write(results.frame(command.name("memory", args)) | measure(args), args.out)


if __name__ == "__main__":
    main()
