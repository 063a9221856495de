"""A film in stretches: rendered in any order and in processes of their own, it is the film that one run makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.job.films import ShadePool
from tests.media.clips import make
from vidcolor.job import plan
from vidcolor.job.journal import Journal, Segment
from vidcolor.job.run import journal_header, mux_and_publish
from vidcolor.job.segments import Lengths, Progress, Rendering
from vidcolor.pipeline.build import Pipeline, load
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.model import Report

TASK = """
import dataclasses, json, sys
from pathlib import Path
from tests.job.films import ShadePool
from vidcolor.job import plan
from vidcolor.job.journal import Range
from vidcolor.job.segments import Rendering
from vidcolor.pipeline.build import Pipeline, load
from vidcolor.pipeline.job import Job

film, out, folder, stretch = sys.argv[1:]
with ShadePool() as pool:
    planned = plan(Job(film, out, threads=1), pool)
    pipeline = Pipeline(planned, load(planned, pool), planned.encoding.layout)
    for segment in Rendering(planned, pipeline, Range(**json.loads(stretch)), Path(folder)):
        print(json.dumps(dataclasses.asdict(segment)))
"""


def frames(path: Path) -> list[bytes]:
    with av.open(str(path)) as box:
        return [np.ascontiguousarray(frame.to_ndarray(format="yuv420p")).tobytes() for frame in box.decode(video=0)]


def render(film: Path, out: Path, folder: Path, **stretch: int) -> list[Segment]:
    words = [sys.executable, "-c", TASK, film, out, folder, json.dumps(stretch)]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [Segment(**json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_two_tasks_out_of_order_in_two_processes_make_the_film_that_one_run_makes(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mkv", size=(96, 64), frames=60, audio=["aac"], options={"g": "12"})
    one, two = tmp_path / "one.mkv", tmp_path / "two.mkv"
    middle = 30 * 40  # pts, within a shot: its networks begin at the shot's first frame
    with ShadePool() as pool:
        planned = plan(Job(film, one, threads=1), pool)
        pipeline = Pipeline(planned, load(planned, pool), planned.encoding.layout)
        with Journal(one) as journal:
            journal.begin(journal_header(planned))
            split = Lengths(float("inf"), middle / 1000)
            for segment in Rendering(planned, pipeline, journal.gaps()[0], journal.folder, lengths=split, progress=Progress(0)):
                journal.add(segment)
            assert [s.pts[0] for s in journal.segments] == [0, middle]
            mux_and_publish(planned, journal, Report(str(film), str(one)))
        with Journal(two) as journal:
            journal.begin({})
            for segment in render(film, two, journal.folder, first=middle, lead=0):
                journal.add(segment)
            (gap,) = journal.gaps()
            assert (gap.first, gap.until) == (None, middle)
            for segment in render(film, two, journal.folder, until=middle):
                journal.add(segment)
            assert journal.gaps() == []
            mux_and_publish(plan(Job(film, two, threads=1), pool), journal, Report(str(film), str(two)))
    assert frames(one) == frames(two)
