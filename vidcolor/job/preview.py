"""What can be seen before a run: a sheet of frames before and after."""

from __future__ import annotations

from pathlib import Path

import cv2

from vidcolor.errors import UsageError
from vidcolor.job.plan import check_input, check_target, examine
from vidcolor.job.publish import write_whole
from vidcolor.job.sheet import before_after
from vidcolor.pipeline.build import Pipeline, full_color, load, quarters
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.sessions import SessionPool


def preview(job: Job, path: Path, pool: SessionPool, frames: int = 6) -> None:
    """A before/after sheet (PNG) of frames across the film, in seconds, without encoding. The output path of `job` is not looked at.

    Raises what `plan` raises, UsageError where `path` is no PNG, and OutputError where it exists or cannot be written.
    """
    check_sheet(job, path)
    check_input(job.input)
    plan, chosen = examine(job, pool, frames)
    pipeline = Pipeline(plan, load(plan, pool), full_color(chosen[0].layout))
    pairs = [(before, pipeline.picture(before)) for before in chosen]
    sheet = before_after(pairs, turns=quarters(plan.film), sample_aspect=float(plan.film.sample_aspect))
    ok, data = cv2.imencode(".png", sheet[..., ::-1])
    assert ok
    write_whole(path, data.tobytes(), job.overwrite)


def check_sheet(job: Job, path: Path) -> None:
    """What can be said of the sheet's path before the work."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: a sheet is written as PNG; end its name with .png", "preview")
    check_target(path, job.input, job.overwrite, "preview")
