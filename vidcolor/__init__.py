"""vidcolor colours black-and-white film, or restyles any, and keeps everything else of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidcolor.job.report import Report

__version__ = "0.1.0"
__all__ = ["__version__", "colorize"]


def colorize(path: str | Path, out: str | Path, **options: Any) -> Report:
    """Colour the film at `path` into `out`, or restyle it with `style`; `options` are the fields of `vidcolor.job.report.Job`
    (vividness, style, codec, start, …).

    Returns the Report. Raises a `vidcolor.errors.VidcolorError`, whose text is one clear line, and TypeError for an unknown option.
    """
    from vidcolor import job

    asked = job.Job(Path(path), Path(out), **options)
    return job.finished(asked) or job.run(job.plan(asked))
