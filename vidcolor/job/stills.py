"""Still pictures: films of one frame, without segments."""

from __future__ import annotations

from vidcolor.job.publish import aside
from vidcolor.media.stills import pictures
from vidcolor.pipeline.build import Pipeline, full_color, load
from vidcolor.pipeline.model import Plan, Report
from vidcolor.pipeline.sessions import SessionPool


def color_picture(plan: Plan, pool: SessionPool, report: Report) -> None:
    """Colour one picture; what its format cannot hold is noted in the report."""
    job = plan.job
    planes, extras = pictures.read_picture(job.input)
    sessions = load(plan, pool)
    report.precision = sessions.precision
    out = Pipeline(plan, sessions, full_color(planes.layout)).picture(planes)
    with aside(job.out, job.overwrite) as part:
        report.notes += pictures.write_picture(part, out, extras, format=pictures.SUFFIXES[job.out.suffix.lower()])
        report.size = part.stat().st_size
    report.frames = report.shots = 1
    report.frames_colored, report.frames_styled = int(plan.colors), int(plan.style is not None)
