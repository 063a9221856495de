"""End to end speed: the wall clock of the command against a plain transcode of the same file, alternating in one run.

    python -m benchmarks.throughput --pairs 5 --out benchmarks/results/throughput_1080p.json
    python -m benchmarks.throughput --size 3840x2160 --frames 200 --out benchmarks/results/throughput_2160p.json

Both sides use the same encoder, preset, crf and threads and copy the sound; process start counts. The ratio is transcode seconds
by ours: 1 would mean that colour costs nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import command, results


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles (inclusive); of a single value, that value."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return {"median": round(middle, 4), "q1": round(low, 4), "q3": round(high, 4)}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Pairs of runs, the one that goes first changing from pair to pair. Raises RuntimeError where a run fails or loses frames."""
    clip = command.prepare(args)
    target = args.work / "throughput.mp4"
    ours_words = command.vidcolor(clip, target, args)
    same = ["--preset", args.preset, "--crf", f"{args.crf:g}", "--threads", str(args.threads)]
    plain_words = [sys.executable, "-m", "benchmarks.transcode", str(clip), str(target), *same]
    ours, plain_seconds, report = list[float](), list[float](), dict[str, Any]()
    for number in range(args.pairs):
        for mine in (True, False) if number % 2 == 0 else (False, True):
            words = ours_words if mine else plain_words
            took, said = command.timed(words)
            if said["frames"] != args.frames:
                raise RuntimeError(f"{' '.join(words)}: wrote {said['frames']} of {args.frames} frames")
            (ours if mine else plain_seconds).append(round(took, 3))
            report = said if mine else report
        print(f"pair {number + 1}: ours {ours[-1]:.1f} s, transcode {plain_seconds[-1]:.1f} s", file=sys.stderr)
    target.unlink()
    keys = ("frames", "frames_colored", "seconds", "first_packet", "network", "device", "precision")
    return command.describe(args, clip) | {
        "report": {key: report[key] for key in keys},
        "seconds": {"ours": ours, "transcode": plain_seconds},
        "ratio": spread([plain / own for own, plain in zip(ours, plain_seconds, strict=True)]),
        "fps": {"ours": spread([args.frames / s for s in ours]), "transcode": spread([args.frames / s for s in plain_seconds])},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    command.settings(parser, frames=600)
    args = parser.parse_args()
    results.write(results.frame("throughput") | measure(args), args.out)


if __name__ == "__main__":
    main()
