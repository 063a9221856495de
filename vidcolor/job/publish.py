"""Gives a complete file its final name."""

from __future__ import annotations

import os
from pathlib import Path

from vidcolor.errors import OutputError
from vidcolor.media.output.writer import sync_folder
from vidcolor.pipeline.job import Job
from vidcolor.wording import field


def publish(whole: Path, job: Job) -> int:
    """Give a complete file its final name, and return its size; never over a file that came up meanwhile, unless that was asked for.

    Raises OutputError where that cannot be done.
    """
    if job.out.exists() and not job.overwrite:
        raise OutputError(f"{job.out}: came up meanwhile; move it away, or use {field('overwrite', True)} to replace it")
    try:
        with whole.open("rb") as file:
            os.fsync(file.fileno())
        size = whole.stat().st_size
        whole.replace(job.out)
        sync_folder(job.out.parent)
    except OSError as error:
        raise OutputError(f"{job.out}: cannot be written ({error.strerror})") from error
    return size
