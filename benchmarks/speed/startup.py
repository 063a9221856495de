"""How long a person waits for the first picture: seconds from the start of the process to the first video packet written.

    python -m benchmarks.speed.startup --out benchmarks/results/startup.json
    python -m benchmarks.speed.startup --style picture.jpg --beside anime --out benchmarks/results/startup_style.json

With --beside the two styles take turns: a picture has to be looked at first, a named style has its code.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.shared import results
from benchmarks.speed import command
from benchmarks.speed.throughput import spread


def first_packet(words: list[str]) -> float:
    """Seconds until it. Raises RuntimeError where none is announced."""
    child = command.Running(words)
    heard = [when for when, event in child if event["event"] == "first_packet"]
    if not heard:
        raise RuntimeError(f"{' '.join(words)}: announced no first packet")
    return round(heard[0], 3)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The first run of each side is told apart: it finds nothing in the file cache."""
    clip = command.prepare(args)
    target: Path = args.work / "startup.mp4"
    sides = {args.style: command.vidcolor(clip, target, args)}
    if args.beside:
        sides[args.beside] = command.vidcolor(clip, target, argparse.Namespace(**vars(args) | {"style": args.beside}))
    seconds: dict[str | None, list[float]] = {side: [] for side in sides}
    for number in range(args.repeats):
        for side in sorted(sides, key=str, reverse=number % 2 == 1):
            seconds[side].append(first_packet(sides[side]))
    target.unlink()
    own = seconds[args.style]
    found = {"seconds": own, "first_run": own[0], "first_packet": spread(own[1:] or own)}
    if args.beside:
        other = seconds[args.beside]
        extra = [a - b for a, b in zip(own, other, strict=True)]
        found["beside"] = {"style": args.beside, "seconds": other, "extra": spread(extra[1:] or extra)}
    return command.describe(args, clip) | found


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--beside", metavar="STYLE", help="another style to start in turn with --style")
    command.settings(parser, frames=72)
    args = parser.parse_args(words)
    if args.beside and (not args.style or args.style == args.beside):
        parser.error("--beside is another style than --style")
    return args


def main() -> None:
    args = parse()
    results.write(results.frame(command.name("startup", args)) | measure(args), args.out)


if __name__ == "__main__":
    main()
