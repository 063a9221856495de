"""What can be seen before a run: a sheet of frames, and about how long it will take."""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2

from vidcolor.errors import InputError, OutputError, UsageError
from vidcolor.job.report import Job, Plan
from vidcolor.job.sheet import Rgb, before_after
from vidcolor.job.styling import choose_style
from vidcolor.job.wiring import Chain, color_view, open_reader, paint_one, quarters, sessions, to_frames
from vidcolor.media.probe import probe
from vidcolor.media.reader import sample
from vidcolor.media.streams import StreamPlan
from vidcolor.media.writer import SegmentWriter
from vidcolor.networks import find
from vidcolor.stages.borders import find_box
from vidcolor.stages.tint import judge

ESTIMATED = 24
"""Frames that an estimate colours and encodes."""


def preview(job: Job, path: Path, frames: int = 6) -> None:
    """A before/after sheet (PNG) of frames across the film, in seconds, without encoding. The output path of `job` is not looked at.

    Raises what `plan` raises, UsageError where `path` is no PNG, and OutputError where it exists or cannot be written.
    """
    check_sheet(job, path)
    if not job.input.exists():
        raise InputError(f"{job.input}: no such file")
    film = probe(job.input)
    chosen = sample(film, most=frames)
    if not chosen:
        raise InputError(f"{job.input}: no frame could be decoded; is the file complete?")
    network, style = find(job.network, "colorize"), choose_style(job, film)
    plan = Plan(replace(job, batch=1), film, judge(chosen), find_box(chosen), None, StreamPlan(()), network, "", "", (), style)
    with sessions(plan) as loaded:
        pairs = [(before, paint_one(plan, loaded, before)) for before in chosen]
    write_sheet(path, before_after(pairs, turns=quarters(film), sample_aspect=float(film.sample_aspect)))


def check_sheet(job: Job, path: Path) -> None:
    """What can be said of the sheet's path before the work."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: a sheet is written as PNG; end its name with .png")
    if path.exists() and job.input.exists() and path.samefile(job.input):
        raise UsageError(f"{path}: sheet and input are the same file; choose another --preview")
    if path.exists() and not job.overwrite:
        raise OutputError(f"{path}: exists; use --overwrite to replace it or choose another --preview")


def write_sheet(path: Path, sheet: Rgb) -> None:
    ok, data = cv2.imencode(".png", sheet[..., ::-1])
    assert ok
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def estimate(plan: Plan) -> float | None:
    """About how many seconds the run will take, from a few frames that are coloured and encoded for it; None if the length is unknown."""
    if plan.frames is None or plan.encoding is None:
        return None
    view = color_view(plan)
    with sessions(plan) as loaded, tempfile.TemporaryDirectory() as folder, open_reader(plan) as reader:
        writer = SegmentWriter(Path(folder) / "trial.seg", plan.film, plan.encoding)
        trial = to_frames(itertools.islice(iter(reader), ESTIMATED + 1), view, 0)
        begun, done = time.monotonic(), 0
        for frame in Chain(plan, loaded, plan.encoding.layout, 1).run(trial):
            assert frame.out is not None
            writer.write(frame.pts, frame.out)
            if done == 0:  # the first frame pays for warming up
                begun = time.monotonic()
            done += 1
        writer.close()
        spent = time.monotonic() - begun
    return round(spent / max(1, done - 1) * plan.frames, 1)
