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
from vidcolor.stages.base import Frame

ESTIMATED = 24
"""Frames that an estimate colours and encodes."""


def estimate(plan: Plan, pool: SessionPool) -> float | None:
    """About how many seconds the run will take, from a few frames that are coloured and encoded for it; None if the length is unknown."""
    if plan.frames is None or plan.encoding is None:
        return None
    pipeline = Pipeline(plan, load(plan, pool), plan.encoding.layout)
    with tempfile.TemporaryDirectory() as folder, open_reader(plan, Range()) as reader:
        writer, decoded = SegmentWriter(Path(folder) / "trial.seg", plan.film, plan.encoding), iter(reader)
        for frame in pipeline.run(itertools.islice(decoded, 1)):  # the first one pays for warming up
            _write(writer, frame)
        begun, done = time.monotonic(), 0
        with pipeline.ahead(itertools.islice(decoded, ESTIMATED), plan.job.prefetch) as frames:
            for done, frame in enumerate(frames, 1):  # noqa: B007  (the last number is how many there were)
                _write(writer, frame)
        writer.close()
        spent = time.monotonic() - begun
    return max(0.1, round(spent / max(1, done) * plan.frames, 1))


def _write(writer: SegmentWriter, frame: Frame) -> None:
    assert frame.out is not None
    writer.write(frame.pts, frame.out)
