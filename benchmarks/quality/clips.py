"""Colour clips turned grey and coloured again, with and without steadiness, beside their true colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import metrics
from benchmarks.quality.generators import Point, Source, paint
from benchmarks.shared import steadiness
from benchmarks.shared.sheets import save
from vidcolor.analysis.borders import find_box
from vidcolor.media.input.probe import probe
from vidcolor.media.input.reader import Reader
from vidcolor.media.input.sample import sample
from vidcolor.picture.planes import Box, Layout, Planes, chroma_units, shrink, work_size
from vidcolor.pipeline.build import coloring
from vidcolor.stages.base import Frame, Work
from vidcolor.stages.colorize import Setting
from vidcolor.stages.cuts import Cuts
from vidcolor.stages.find_motion import FindMotion

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
SHORT_SIDE = 256
STEPS = {1: 1, 8: 4}
"""Frames apart at which chroma is compared: of every frame with the one before, of every fourth with the one eight before."""
CDC_SIZE = (448, 256)
"""Width and height at which colour distributions are compared: the number depends on it."""
SHEET_FRAMES = 6


@dataclass
class Clip:
    """A clip at work size: luma (H, W) of each frame, the shot it is in, and its true chroma (2, H, W), None for a grey film."""

    name: str
    luma: list[Floats]
    shots: list[int]
    truth: list[Halves] | None


def load(path: Path, limit: int | None = None) -> Clip:
    """Luma and true chroma at work size, inside the black borders; chroma in half precision to save memory."""
    film = probe(path)
    box = find_box(sample(film))
    size = work_size(box, SHORT_SIDE)
    luma: list[Floats] = []
    truth: list[Halves] = []
    with Reader(film) as reader:
        for planes in islice((planes for _, planes in reader), limit):
            luma.append(shrink(planes, box, size))
            if planes.cb is not None:
                truth.append(true_chroma(planes, box, size))
    shots = [frame.shot for frame in Cuts().run(grey_frames(luma))]
    colored = bool(truth) and float(np.mean([np.abs(c).mean() for c in truth])) > 0.004
    return Clip(path.stem, luma, shots, truth if colored else None)


def true_chroma(planes: Planes, box: Box, size: tuple[int, int]) -> Halves:
    """Chroma (2, H, W) of the picture inside `box` at work size, float16."""
    layout, found = planes.layout, []
    for plane in chroma_units(planes):
        across, down = plane.shape[1] / layout.width, plane.shape[0] / layout.height
        rows = slice(round(box.top * down), round((box.top + box.height) * down))
        columns = slice(round(box.left * across), round((box.left + box.width) * across))
        found.append(cv2.resize(plane[rows, columns], size[::-1], interpolation=cv2.INTER_AREA))
    return np.stack(found).astype(np.float16)


def grey_frames(luma: Sequence[Floats], shots: Sequence[int] | None = None) -> Iterator[Frame]:
    """Frames as the program's stages take them, with nothing but luma. With `shots`, they know theirs."""
    first = 0
    for number, plane in enumerate(luma):
        height, width = plane.shape
        codes = np.asarray(np.rint(plane * 255), np.uint8)
        source = Planes(codes, None, None, Layout(width, height, chroma="400", full_range=True))
        frame = Frame(number, number, source, shrunk=Work(plane, Box(0, 0, width, height)))
        if shots is not None:
            first = number if number == 0 or shots[number] != shots[number - 1] else first
            frame.shot, frame.place = shots[number], number - first
        yield frame


def color(clip: Clip, source: Source, point: Point, steady: str) -> list[Halves]:
    """Chroma (2, H, W) of each frame by the program's own stages; `steady` is "off" or "causal"."""
    session = source.open(1, *clip.luma[0].shape)
    frames: Iterable[Frame] = grey_frames(clip.luma, clip.shots)
    follow = steady != "off"
    for stage in [*([FindMotion()] if follow else []), *coloring(session, Setting(*point), steady=follow)]:
        frames = stage.run(frames)
    return [painted(frame.work) for frame in frames]


def painted(work: Work) -> Halves:
    """Chroma (2, H, W) of a coloured frame at work size."""
    assert work.chroma is not None
    height, width = work.chroma.shape[1:]
    low = np.asarray(cv2.resize(work.luma, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    return paint(work.luma, low, work.chroma).astype(np.float16)


def compare(clip: Clip, versions: dict[str, list[Halves]]) -> dict[str, dict[str, float]]:
    """Scores of each version of one clip's chroma: warp error at each step, CDC, colourfulness."""
    errors: dict[tuple[str, int], list[float]] = {}
    for step, stride in STEPS.items():
        for i in range(step, len(clip.luma), stride):
            if clip.shots[i] != clip.shots[i - step]:
                continue
            path = steadiness.trace(clip.luma[i], clip.luma[i - step])
            for name, chroma in versions.items():
                error = steadiness.warp_error(chroma[i], chroma[i - step], path)
                if error is not None:
                    errors.setdefault((name, step), []).append(error)
    scores = {}
    for name, chroma in versions.items():
        pictures = (metrics.join(y, c.astype(np.float32)) for y, c in zip(clip.luma, chroma, strict=True))
        shares, vivid = [], []
        for picture in pictures:
            small = np.asarray(cv2.resize(picture, CDC_SIZE, interpolation=cv2.INTER_AREA), np.uint8)
            shares.append(steadiness.histograms(small))
            vivid.append(metrics.colorfulness(picture))
        scores[name] = {f"warp_{step}": float(np.mean(errors[name, step])) for step in STEPS if (name, step) in errors}
        scores[name] |= {"cdc": steadiness.distribution_consistency(shares, clip.shots), "colourfulness": float(np.mean(vivid))}
    return scores


def measure(
    paths: Sequence[Path], source: Source, point: Point, modes: Sequence[str], limit: int | None, sheets: Path | None
) -> dict[str, Any]:
    """Every clip coloured; scores for those whose colours are known, sheets of all."""
    rows: dict[str, Any] = {}
    for path in paths:
        clip = load(path, limit)
        versions = {mode: color(clip, source, point, mode) for mode in modes}
        if sheets:
            write_sheet(sheets / f"{clip.name}.png", clip, versions)
        if clip.truth is not None:
            rows[clip.name] = {"frames": len(clip.luma), "shots": clip.shots[-1] + 1} | compare(clip, versions | {"truth": clip.truth})
    return {"point": str(point), "network": source.label, "clips": rows, "means": means(rows, [*modes, "truth"]), "modes": list(modes)}


def means(rows: dict[str, Any], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean over clips of each score of each version."""
    keys = [f"warp_{step}" for step in STEPS] + ["cdc", "colourfulness"]
    return {
        name: {key: float(np.mean(found)) for key in keys if (found := [row[name][key] for row in rows.values() if key in row[name]])}
        for name in names
    }


def write_sheet(path: Path, clip: Clip, versions: dict[str, list[Halves]]) -> None:
    """Frames across the clip: grey above, then each version, then the truth where it is known."""
    chosen = np.linspace(0, len(clip.luma) - 1, SHEET_FRAMES + 2).round().astype(int)[1:-1]
    shown = [[np.zeros((2, *clip.luma[0].shape), np.float16)] * len(clip.luma), *versions.values()]
    shown += [clip.truth] if clip.truth is not None else []
    save(path, [[metrics.join(clip.luma[i], chroma[i].astype(np.float32)) for i in chosen] for chroma in shown])
