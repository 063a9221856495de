"""Still pictures: films of one frame, without segments."""

from __future__ import annotations

from vidcolor.errors import UsageError
from vidcolor.job.report import Plan, Report
from vidcolor.job.wiring import paint_one, publish, sessions
from vidcolor.media import pictures
from vidcolor.media.picture_tags import PictureFormat

SUFFIXES: dict[str, PictureFormat] = {
    ".bmp": "bmp", ".jpeg": "jpeg", ".jpg": "jpeg", ".png": "png", ".tif": "tiff", ".tiff": "tiff", ".webp": "webp",
}  # fmt: skip
"""Format of a picture by the end of its name."""


def check_name(plan_out: str, suffix: str) -> None:
    """Raise UsageError where a picture would be written under a name that is not a picture's."""
    if suffix.lower() not in SUFFIXES:
        raise UsageError(f"{plan_out}: a picture is written as one of {', '.join(sorted(SUFFIXES))}")


def color_picture(plan: Plan, report: Report) -> None:
    """Colour one picture; what its format cannot hold is noted in the report."""
    job = plan.job
    planes, extras = pictures.read_picture(job.input)
    with sessions(plan) as loaded:
        out = paint_one(plan, loaded, planes)
        report.precision = loaded.precision
    part = job.out.with_name(job.out.name + ".part")
    try:
        report.notes += pictures.write_picture(part, out, extras, format=SUFFIXES[job.out.suffix.lower()])
        report.size = publish(part, job)
    finally:
        part.unlink(missing_ok=True)
    report.frames = report.shots = 1
    report.frames_colored, report.frames_styled = int(plan.colors), int(plan.style is not None)
