"""How long a person waits for the first picture: seconds from the start of the process to the first video packet written.

python -m benchmarks.startup --out benchmarks/results/startup.json
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks import command, results
from benchmarks.throughput import spread


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The first run is told apart: it finds nothing in the file cache. Raises RuntimeError where no packet is announced."""
    clip = command.prepare(args)
    target, seconds = args.work / "startup.mp4", []
    for _ in range(args.repeats):
        child = command.Running(command.vidcolor(clip, target, args))
        heard = [when for when, event in child if event["event"] == "first_packet"]
        if not heard:
            raise RuntimeError(f"{' '.join(child.words)}: announced no first packet")
        seconds.append(round(heard[0], 3))
    target.unlink()
    return command.describe(args, clip) | {"seconds": seconds, "first_run": seconds[0], "first_packet": spread(seconds[1:] or seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=6)
    command.settings(parser, frames=72)
    args = parser.parse_args()
    results.write(results.frame(command.name("startup", args)) | measure(args), args.out)


if __name__ == "__main__":
    main()
