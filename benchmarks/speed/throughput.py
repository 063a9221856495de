"""End to end speed: the wall clock of the command against a plain transcode of the same file, alternating in one run.

    python -m benchmarks.speed.throughput --pairs 5 --out benchmarks/results/throughput_1080p.json
    python -m benchmarks.speed.throughput --size 3840x2160 --frames 200 --out benchmarks/results/throughput_2160p.json
    python -m benchmarks.speed.throughput --style anime --frames 240 --out benchmarks/results/style_1080p.json
    python -m benchmarks.speed.throughput --style anime --size 854x480 --frames 240 --peer venv/bin/styletransfer-lite --out style_480p.json

Both sides use the same encoder, preset, crf and threads and copy the sound; process start counts. The ratio is transcode seconds
by ours: 1 would mean that colour costs nothing. With --style, --peer adds a third side: the `video` command of the PyPI package
styletransfer-lite on the same file, all its settings its own (it writes MPEG-4, 640 pixels wide, without sound). --fusion adds the
same clip made grey: coloured and restyled in one pass, and only coloured.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.shared import results
from benchmarks.speed import command

KEYS = ("frames", "frames_colored", "frames_styled", "seconds", "first_packet", "network", "style", "device", "precision")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles (inclusive); of a single value, that value."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return {"median": round(middle, 4), "q1": round(low, 4), "q3": round(high, 4)}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Runs in rounds, the side that goes first changing from round to round.

    Raises RuntimeError where a run fails or loses frames.
    """
    clip = command.prepare(args)
    target = args.work / "throughput.mp4"
    sides = words_of(args, clip, target)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    report = dict[str, Any]()
    for number in range(args.pairs):
        first = number % len(sides)
        for side in [*sides, *sides][first : first + len(sides)]:
            took, said = command.timed(sides[side])
            if said["frames"] != args.frames:
                raise RuntimeError(f"{' '.join(sides[side])}: wrote {said['frames']} of {args.frames} frames")
            seconds[side].append(round(took, 3))
            report = said if side == "ours" else report
        print(f"round {number + 1}: " + ", ".join(f"{side} {took[-1]:.1f} s" for side, took in seconds.items()), file=sys.stderr)
    target.unlink()
    found = {
        "report": {key: report[key] for key in KEYS},
        "seconds": seconds,
        "ratio": by_ours(seconds, "transcode"),
        "fps": {side: spread([args.frames / s for s in took]) for side, took in seconds.items()},
    }
    if args.peer:
        version = subprocess.run([args.peer, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        found["peer"] = {"name": version, "style": args.peer_style, "ratio": by_ours(seconds, "peer")}
    if args.fusion:
        one_after_the_other = [ours + color for ours, color in zip(seconds["ours"], seconds["color"], strict=True)]
        found["fusion"] = {
            "to_style": by_ours(seconds, "fused"),
            "to_both": spread([fused / both for fused, both in zip(seconds["fused"], one_after_the_other, strict=True)]),
        }
    return command.describe(args, clip) | found


def by_ours(seconds: dict[str, list[float]], side: str) -> dict[str, float]:
    """Seconds of a side by those of ours, round by round."""
    return spread([other / own for own, other in zip(seconds["ours"], seconds[side], strict=True)])


def words_of(args: argparse.Namespace, clip: Path, target: Path) -> dict[str, list[str]]:
    """The command of every side that was asked for."""
    same = ["--preset", args.preset, "--crf", f"{args.crf:g}", "--threads", str(args.threads)]
    sides = {
        "ours": command.vidcolor(clip, target, args),
        "transcode": [sys.executable, "-m", "benchmarks.speed.transcode", str(clip), str(target), *same],
    }
    if args.peer:
        sides["peer"] = [str(args.peer), "video", str(clip), "-o", str(target), "--style", args.peer_style, "--json"]
    elif args.style:
        print("the peer is left out: no --peer was given", file=sys.stderr)
    if args.fusion:
        grey = argparse.Namespace(**vars(args) | {"grey": True})
        grey_clip = command.prepare(grey)
        sides["fused"] = command.vidcolor(grey_clip, target, grey)
        sides["color"] = command.vidcolor(grey_clip, target, argparse.Namespace(**vars(grey) | {"style": None}))
    return sides


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="rounds in which every side runs once")
    parser.add_argument("--peer", help="with --style: the executable of styletransfer-lite, to run beside ours")
    parser.add_argument("--peer-style", default="7", help="which of its styles")
    parser.add_argument(
        "--fusion", action="store_true", help="with --style: also the clip made grey, coloured and restyled, and coloured alone"
    )
    command.settings(parser, frames=600)
    args = parser.parse_args(words)
    if (args.peer or args.fusion) and not args.style:
        parser.error("--peer and --fusion restyle: they need --style")
    return args


def main() -> None:
    args = parse()
    results.write(results.frame(command.name("throughput", args)) | measure(args), args.out)


if __name__ == "__main__":
    main()
