"""Cuts found on clips whose cuts are known, beside PySceneDetect's detectors: as they are, and with flicker and flashes.

python -m benchmarks.quality.cuts --out benchmarks/results/cuts.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scenedetect
from numpy.typing import NDArray
from scenedetect.detectors import AdaptiveDetector, ContentDetector

from benchmarks.shared import machine
from benchmarks.shared.places import CLIPS
from vidcolor.picture.planes import Box, Layout, Planes, work_size
from vidcolor.stages.base import Frame, Work
from vidcolor.stages.cuts import Cuts

KNOWN = {
    "bw_damaged_reel_1903_1920.mp4": [60, 108, 156],
    "col_bikes_street_cuts.mp4": [30, 76, 137, 187, 242],
    "col_tears_of_steel_cuts.webm": [52, 122, 158, 221, 309],
}
"""First frame of each shot but the first; every other clip is one shot."""
TOLERANCE = 1
Picture = NDArray[np.uint8]
Finder = Callable[[list[Picture]], list[int]]


def read(path: Path) -> list[Picture]:
    """Every frame, BGR, at half of the size that a network looks at."""
    capture = cv2.VideoCapture(str(path))
    pictures: list[Picture] = []
    while True:
        good, picture = capture.read()
        if not good:
            return pictures
        height, width = work_size(Box(0, 0, picture.shape[1], picture.shape[0]), 128)
        pictures.append(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8))


def damaged(pictures: list[Picture], seed: int = 0) -> list[Picture]:
    """Contrast off by up to a quarter and brightness by up to 15 codes in each frame, every fortieth frame white."""
    rng = np.random.default_rng(seed)
    out = []
    for number, picture in enumerate(pictures):
        flicker = picture * rng.uniform(0.75, 1.25) + rng.uniform(-15, 15)
        out.append(np.full_like(picture, 255) if number % 40 == 17 else np.clip(flicker, 0, 255).astype(np.uint8))
    return out


def ours(look_ahead: int) -> Finder:
    layout, box = Layout(2, 2, chroma="400"), Box(0, 0, 2, 2)
    source = Planes(np.zeros((2, 2), np.uint8), None, None, layout)

    def frames(pictures: list[Picture]) -> Iterator[Frame]:
        for number, picture in enumerate(pictures):
            grey = np.float32(1 / 255) * cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
            yield Frame(number, number, source, shrunk=Work(grey, box))

    return lambda pictures: [f.number for f in Cuts(look_ahead=look_ahead).run(frames(pictures)) if f.number and not f.place]


def theirs(detector: type[Any]) -> Finder:
    def find(pictures: list[Picture]) -> list[int]:
        finder, cuts = detector(), []
        for number, picture in enumerate(pictures):
            cuts += finder.process_frame(scenedetect.FrameTimecode(number, fps=25.0), picture)
        cuts += finder.post_process(scenedetect.FrameTimecode(len(pictures), fps=25.0))
        return [cut.frame_num for cut in cuts]

    return find


FINDERS: dict[str, Finder] = {
    "vidcolor": ours(2),
    "vidcolor, look-ahead 1": ours(1),
    "vidcolor, live": ours(0),
    "ContentDetector": theirs(ContentDetector),
    "AdaptiveDetector": theirs(AdaptiveDetector),
}


def score(found: list[int], known: list[int]) -> dict[str, Any]:
    """Cuts that were found within one frame, and those found where none is."""
    hit = [cut for cut in known if any(abs(cut - other) <= TOLERANCE for other in found)]
    wrong = [cut for cut in found if not any(abs(cut - other) <= TOLERANCE for other in known)]
    return {"known": len(known), "found": len(hit), "false": len(wrong), "cuts": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=CLIPS)
    parser.add_argument("--out", type=Path, help="write the result here, else to standard output")
    words = parser.parse_args()
    clips = {path.name: read(path) for path in sorted(words.clips.glob("[bc]*_*"))}
    results: dict[str, Any] = {}
    for case, change in (("as they are", list[Picture]), ("flicker and flashes", damaged)):
        for name, find in FINDERS.items():
            each = {clip: score(find(change(pictures)), KNOWN.get(clip, [])) for clip, pictures in clips.items()}
            total = {key: sum(one[key] for one in each.values()) for key in ("known", "found", "false")}
            results.setdefault(case, {})[name] = {"total": total, "clips": each}
    versions = {"scenedetect": scenedetect.__version__}
    text = json.dumps({"commit": machine.commit(), "machine": machine.describe(), "rivals": versions, "cuts": results}, indent=1)
    if words.out:
        words.out.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
