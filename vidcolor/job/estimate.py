"""About how long a run will take."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path

from vidcolor.job.journal import Range
from vidcolor.job.segments import open_reader
from vidcolor.media.output.writer import SegmentWriter
from vidcolor.pipeline.build import Pipeline, load
from vidcolor.pipeline.model import Plan
from vidcolor.pipeline.sessions import SessionPool

ESTIMATED = 24
"""Frames that an estimate colours and encodes."""


def estimate(plan: Plan, pool: SessionPool) -> float | None:
    """About how many seconds the run will take, from a few frames that are coloured and encoded for it; None if the length is unknown."""
    if plan.frames is None or plan.encoding is None:
        return None
    pipeline = Pipeline(plan, load(plan, pool), plan.encoding.layout)
    with tempfile.TemporaryDirectory() as folder, open_reader(plan, Range()) as reader:
        writer = SegmentWriter(Path(folder) / "trial.seg", plan.film, plan.encoding)
        begun, done = time.monotonic(), 0
        with pipeline.ahead(itertools.islice(iter(reader), ESTIMATED + 1), plan.job.prefetch) as frames:
            for frame in frames:
                assert frame.out is not None
                writer.write(frame.pts, frame.out)
                if done == 0:  # the first frame pays for warming up
                    begun = time.monotonic()
                done += 1
        writer.close()
        spent = time.monotonic() - begun
    return round(spent / max(1, done - 1) * plan.frames, 1)
