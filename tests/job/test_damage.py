"""Damage, cancelling and seeking: what a run says of a film does not depend on how often it was stopped."""

from __future__ import annotations

import errno
import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from tests.job.films import SAFE, Shade, ShadePool
from tests.media.clips import make, spoil
from vidcolor.errors import DeviceError, InputError, InterruptedRunError
from vidcolor.job import plan as make_plan
from vidcolor.job import run as run_job
from vidcolor.job.journal import Range
from vidcolor.job.segments import Lengths, Rendering, checksum
from vidcolor.media.input.reader import Reader
from vidcolor.pipeline.build import Pipeline, load
from vidcolor.pipeline.events import Cancel, Event, FrameDone
from vidcolor.pipeline.job import Job

running = importlib.import_module("vidcolor.job.run")  # the package holds its function


def raising(error: BaseException, at: int) -> Callable[[int], None]:
    def trouble(seen: int) -> None:
        if seen >= at:
            raise error

    return trouble


@pytest.mark.parametrize("complete", [True, False], ids=["complete", "not said to be complete"])
def test_a_segment_that_is_lost_is_made_again_and_damage_is_still_told(
    film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, complete: bool
) -> None:
    """The film says that it lasts longer than it does; the output's last mux fails, then its first segment goes."""
    whole = make(film.with_name("whole.mkv"), size=(64, 48), frames=120, options={"g": "10"}).read_bytes()
    film.write_bytes(whole[: len(whole) * 2 // 3])
    unbroken = out.with_name("unbroken.mkv")
    assert run(film, "-o", unbroken, "--codec", "ffv1")[0] == 3
    with monkeypatch.context() as patched:
        patched.setattr(running, "assemble", lambda *_, **__: raising(OSError(errno.ENOSPC, "No space left on device"), 0)(1))
        assert run(film, "-o", out, "--codec", "ffv1")[0] == 5
    folder = out.with_name("o.mkv.part")
    if complete:
        (folder / "0.seg").unlink()
    else:  # it died right before it said so
        lines = (folder / "journal.jsonl").read_text().splitlines()
        assert "complete" in json.loads(lines[-1])
        (folder / "journal.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    status, said, _ = run(film, "-o", out, "--codec", "ffv1", "--resume", "--json")
    report = json.loads(said)
    assert status == 3
    assert report["damage"] and report["frames_resumed"] == report["frames"] - (SAFE if complete else 0)
    assert pictures(out) == pictures(unbroken)


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as box:
        return [frame.to_ndarray(format="yuv420p").tobytes() for frame in box.decode(video=0)]


def test_notes_of_the_first_part_are_not_forgotten(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that begins between two key frames says so, also where it was stopped and resumed."""
    data = make(film.with_name("whole.ts"), size=(64, 48), frames=90, options={"g": "12", "bf": "0"}).read_bytes()
    source = film.with_name("mid.ts")
    source.write_bytes(data[188 * 40 :])
    assert run(source, "-o", out.with_name("plain.mkv"), "--json")[0] in (0, 3)
    plain = json.loads(run(source, "-o", out.with_name("plain.mkv"), "--json", "--overwrite")[1])
    with monkeypatch.context() as patched:
        patched.setattr(Shade, "trouble", staticmethod(raising(DeviceError("gone"), 30)))
        assert run(source, "-o", out)[0] == 6
    resumed = json.loads(run(source, "-o", out, "--resume", "--json")[1])
    assert resumed["frames_resumed"] > 0
    assert (resumed["notes"], resumed["damage"]) == (plain["notes"], plain["damage"])


def test_many_losses_are_told_once_and_counted(film: Path, out: Path, run: Any) -> None:
    source = make(film.with_name("losses.mov"), size=(64, 48), frames=100, codec="prores_ks", pix_fmt="yuv422p10le")
    spoil(source, range(5, 90, 2))
    status, said, _ = run(source, "-o", out, "--json", "--codec", "ffv1")
    report = json.loads(said)
    assert (status, report["segments"] > 2) == (3, True)
    assert len(set(report["damage"])) == 21 and report["damage"][-1] == "and 23 more"


def test_cancelling_at_any_moment_keeps_every_frame_that_went_to_the_encoder(film: Path, out: Path) -> None:
    class Late(Cancel):
        """Is set between two looks at it, wherever that is."""

        def __init__(self, looks: int) -> None:
            super().__init__()
            self.looks = looks

        def is_set(self) -> bool:
            self.looks -= 1
            return self.looks < 0

    for looks in (1, 2, 7, 8, 20):
        events: list[Event] = []
        with ShadePool() as pool, pytest.raises(InterruptedRunError) as stopped:
            asked = Job(film, out, overwrite=True, threads=1)
            run_job(make_plan(asked, pool), pool, events.append, cancel=Late(looks), lengths=Lengths(10, 60))
        done = sum(isinstance(event, FrameDone) for event in events)
        assert f"{done} frames are safe" in str(stopped.value) or (done == 0 and "no frames" in str(stopped.value))


def test_a_reader_that_seeks_to_other_pictures_reads_from_the_beginning(film: Path, out: Path) -> None:
    answers = []
    with ShadePool() as pool:
        planned = make_plan(Job(film, out, threads=1, codec="ffv1"), pool)
        pipeline = Pipeline(planned, load(planned, pool), planned.encoding.layout)
        with Reader(planned.film) as reader:
            times, sums = zip(*((pts, checksum(planes.y)) for pts, planes in reader), strict=True)
        for wrong in (0, 1):
            stretch = Range(times[25], None, times[25], (times[24], sums[24] ^ wrong))
            rendering = Rendering(planned, pipeline, stretch, out.parent)
            (segment,) = rendering
            assert rendering.reader.sought == (not wrong)
            answers.append((segment.pts, segment.sha256))
    assert answers[0] == answers[1] and answers[0][0] == list(times[25:])


def test_a_clock_that_starts_afresh_leads_nowhere_else(film: Path, out: Path, run: Any) -> None:
    """Two recordings joined as they are: every time of the first stands for a place of the second, too."""
    parts = [make(film.with_name(f"{name}.ts"), size=(64, 48), frames=60, options={"g": "10"}) for name in "ab"]
    joined = film.with_name("joined.ts")
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    whole, part = out.with_name("whole.mkv"), out.with_name("part.mkv")
    assert run(joined, "-o", whole, "--codec", "ffv1")[0] == 0
    assert run(joined, "-o", part, "--codec", "ffv1", "--start", "1.6")[0] == 0
    assert pictures(part) == pictures(whole)[40:]
    for kept in (1, 2, 3):
        with ShadePool() as pool:
            planned = make_plan(Job(joined, out, threads=1, codec="ffv1"), pool)
            pipeline = Pipeline(planned, load(planned, pool), planned.encoding.layout)
            folder = out.with_name(f"{kept}")
            folder.mkdir()
            segments = list(Rendering(planned, pipeline, Range(), folder, lengths=Lengths(1, 1)))
            rest = [s for made in [Rendering(planned, pipeline, segments[kept - 1].following, folder, lengths=Lengths(1, 1))] for s in made]
        assert [s.pts for s in rest] == [s.pts for s in segments[kept:]]
        assert [s.sha256 for s in rest] == [s.sha256 for s in segments[kept:]]


def test_a_range_that_the_film_does_not_have_is_refused(film: Path, out: Path) -> None:
    with ShadePool() as pool:
        planned = make_plan(Job(film, out, threads=1, codec="ffv1"), pool)
        pipeline = Pipeline(planned, load(planned, pool), planned.encoding.layout)
        with pytest.raises(InputError, match="other frames"):
            list(Rendering(planned, pipeline, Range(first=1001, lead=1001), out.parent))
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize(
    "change", [{"box": None}, {"box": [0, 0, 9]}, {"box": [-1, 0, 64, 48]}, {"box": [0, 0, 0, 0]}, {"kind": "mauve"}], ids=str
)
def test_a_forged_header_is_refused_in_one_line(
    film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Shade, "trouble", staticmethod(raising(DeviceError("gone"), 30)))
        assert run(film, "-o", out)[0] == 6
    path = out.with_name("o.mkv.part") / "journal.jsonl"
    header, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps(json.loads(header) | change), *rest, "[" * 100_000]) + "\n")
    status, _, (line,) = run(film, "-o", out, "--resume")
    assert status == 4 and "journal is damaged" in line
    assert run(film, "-o", out)[0] == 0


def test_what_the_film_was_taken_for_is_kept_over_a_resume(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Shade, "trouble", staticmethod(raising(DeviceError("gone"), 30)))
        assert run(film, "-o", out, "--style", "anime", "--style-size", "64")[0] == 6
    planning = importlib.import_module("vidcolor.job.plan")
    monkeypatch.setattr(planning, "judge", lambda samples: replace(planning.UNKNOWN, kind="color"))  # another day's samples
    status, said, _ = run(film, "-o", out, "--style", "anime", "--style-size", "64", "--resume", "--json")
    report = json.loads(said)
    assert (status, report["frames_colored"]) == (0, report["frames"] - SAFE)
