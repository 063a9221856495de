"""The real command as a child process: what it is called with, its events and its report."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed import footage


def vidcolor(source: Path, target: Path, args: argparse.Namespace) -> list[str]:
    """The installed command of this environment. Raises FileNotFoundError where it is not installed."""
    command = Path(sys.executable).with_name("vidcolor")
    if not command.exists():
        raise FileNotFoundError(f"{command}: vidcolor is not installed here: pip install -e .")
    words = ["-o", target, "--json", "--overwrite", "--codec", "h264", "--preset", args.preset, "--crf", f"{args.crf:g}"]
    words += ["--threads", args.threads, "--device", args.device, *(["--style", args.style] if args.style else [])]
    return [str(word) for word in (command, source, *words, *shlex.split(args.extra))]


def settings(parser: argparse.ArgumentParser, frames: int, size: str = "1920x1080") -> None:
    """Options that every measurement of the command has."""
    parser.add_argument("--source", type=Path, help="footage that the clip is made of (default: black-and-white, with --style in colour)")
    parser.add_argument("--style", help="restyle; the clip keeps the colour of its source")
    parser.add_argument("--grey", action="store_true", help="with --style: make the clip grey, so that it is coloured first")
    parser.add_argument("--size", default=size, help="of the clip, WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=frames)
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "vidcolor-benchmarks", help="folder for clips and outputs"
    )
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--crf", type=float, default=18)
    parser.add_argument("--threads", type=int, default=usable_cores(), help="of decoder and encoder, on both sides")
    parser.add_argument("--cpus", help="run on these processors alone, for example 0,1 (default: all this process may use)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--extra", default="", help='more words for vidcolor, for example --extra="--steady off"')
    parser.add_argument("--out", type=Path, help="write the result here, else to standard output")


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare(args: argparse.Namespace) -> Path:
    """Bind this process and its children to the asked-for processors and make the clip."""
    width, height = (int(number) for number in args.size.split("x"))
    source = args.source or (footage.COLOR_SOURCE if args.style else footage.SOURCE)
    clip = footage.make(source, args.work, width, height, args.frames, color=bool(args.style) and not args.grey)
    if args.cpus:
        os.sched_setaffinity(0, {int(number) for number in args.cpus.split(",")})
    return clip


def describe(args: argparse.Namespace, clip: Path) -> dict[str, Any]:
    """What was run: for the result."""
    width, height = (int(number) for number in args.size.split("x"))
    return {
        "clip": {"name": clip.name, "width": width, "height": height, "frames": args.frames, "bytes": clip.stat().st_size},
        "settings": {
            "codec": "h264",
            "preset": args.preset,
            "crf": args.crf,
            "threads": args.threads,
            "device": args.device,
            "style": Path(args.style).name if args.style else None,  # of a picture, no folders
            "extra": args.extra,
        },
        "cpus": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }


def name(benchmark: str, args: argparse.Namespace) -> str:
    """Results of restyling go by a name of their own: they never stand for those of colour."""
    return f"{benchmark}-style" if args.style else benchmark


def timed(words: list[str]) -> tuple[float, dict[str, Any]]:
    """Wall clock in seconds, process start included, and the JSON that standard output ends with: from the last line that begins it.

    Raises RuntimeError where the command fails.
    """
    begun = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return seconds, json.loads(done.stdout[f"\n{done.stdout}".rindex("\n{") :])


class Running:
    """A child whose events are read as they come; iterate for (seconds since it was started, event). Then `report`."""

    def __init__(self, words: list[str]) -> None:
        self.words, self.report = words, dict[str, Any]()
        self.begun = time.perf_counter()
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)

    def __iter__(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """Raises RuntimeError where the command fails."""
        assert self.child.stderr is not None
        assert self.child.stdout is not None
        said = []
        with self.child:
            for line in self.child.stderr:
                if line.startswith("{"):
                    yield time.perf_counter() - self.begun, json.loads(line)
                else:
                    said.append(line.strip())
            lines = self.child.stdout.read().strip().splitlines()
        if self.child.returncode:
            raise RuntimeError(f"{' '.join(self.words)}: exit status {self.child.returncode}: {said[-1:]}")
        self.report = json.loads(lines[-1])
