"""What goes wrong in the middle of a run: one clear line, the right status, what is safe kept, nothing half done under the final name."""

from __future__ import annotations

import errno
import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.job.films import FRAMES, SAFE, Shade, files, frames
from tests.media.clips import make
from vidcolor.errors import DeviceError
from vidcolor.job import journal as journals
from vidcolor.job import segments
from vidcolor.job.journal import segment_path
from vidcolor.media.input.reader import Reader

planning, running = (importlib.import_module(f"vidcolor.job.{name}") for name in ("plan", "run"))  # the package holds their functions


def raising(error: BaseException, at: int) -> Callable[[int], None]:
    def trouble(seen: int) -> None:
        if seen >= at:
            raise error

    return trouble


@pytest.mark.parametrize("at", [1, 30], ids=["at once", "mid-film"])
@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (DeviceError("the device fell off the bus"), 6, "fell off the bus"),
        (MemoryError(), 6, "out of memory"),
        (ValueError("a bug"), 1, "fault of vidcolor"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
    ids=["device", "memory", "bug", "interrupt"],
)
def test_a_network_that_fails(
    film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, words: str, at: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Shade, "trouble", staticmethod(raising(error, at)))
        got, _, (line,) = run(film, "-o", out)
    assert got == status
    assert words in line
    assert files(out.parent) == ([] if at == 1 else ["o.mkv.part/0.seg", "o.mkv.part/journal.jsonl"])
    if at > 1 and status != 1:
        assert f"{SAFE} frames are safe" in line and "--resume" in line
    got, said, _ = run(film, "-o", out, "--resume", "--json")
    assert (got, json.loads(said)["frames_resumed"]) == (0, 0 if at == 1 else SAFE)
    assert frames(out) == FRAMES
    assert files(out.parent) == ["o.mkv"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("a bug")], ids=["memory", "bug"])
def test_a_decoder_that_fails(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    whole = Reader._planes

    def planes(self: Reader, frame: Any) -> Any:
        if frame.pts * frame.time_base > 1.2:
            raise error
        return whole(self, frame)

    monkeypatch.setattr(Reader, "_planes", planes)
    assert run(film, "-o", out)[0] == (6 if isinstance(error, MemoryError) else 1)
    assert not out.exists()


def test_an_encoder_that_fails_midway(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, seen = segments.SegmentWriter._put, 0

    def put(self: Any, data: bytes) -> None:
        nonlocal seen
        seen += 1
        if seen > 35:
            raise av.error.ExternalError(1, "Generic error in an external library")
        whole(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(segments.SegmentWriter, "_put", put)
        status, _, (line,) = run(film, "-o", out)
    assert status == 5
    assert "libx264 failed" in line and "--resume" in line
    assert run(film, "-o", out, "--resume")[0] == 0
    assert frames(out) == FRAMES


@pytest.mark.parametrize("stage", ["journal", "mux"])
def test_a_disk_that_is_full(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def add(self: journals.Journal, segment: journals.Segment) -> None:
        if len(self.segments) > 0:
            patched.setattr("os.fsync", full)
        whole(self, segment)

    whole = journals.Journal.add
    with monkeypatch.context() as patched:
        if stage == "journal":
            patched.setattr(journals.Journal, "add", add)
        else:
            patched.setattr(running, "assemble", full)
        status, _, (line,) = run(film, "-o", out)
    assert status == 5
    assert "No space left" in line and "--resume" in line
    assert not out.exists()
    assert run(film, "-o", out, "--resume")[0] == 0
    assert frames(out) == FRAMES
    assert files(out.parent) == ["o.mkv"]


def test_space_for_one_more_copy_is_asked_for_before_the_last_mux(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 100))
        status, _, (line,) = run(film, "-o", out)
    assert status == 5
    assert "1 MB more" in line and "--resume" in line
    status, said, _ = run(film, "-o", out, "--resume", "--json")
    assert (status, json.loads(said)["frames_resumed"], json.loads(said)["frames_colored"]) == (0, FRAMES, 0)


@pytest.mark.parametrize("moment", ["mux", "name"])
def test_ctrl_c_in_the_last_mux(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(running, "assemble" if moment == "mux" else "publish", stop)
        status, _, (line,) = run(film, "-o", out)
    assert status == 130
    assert f"{FRAMES} frames are safe" in line
    assert not [name for name in files(out.parent) if "whole" in name]
    assert run(film, "-o", out, "--resume")[0] == 0
    assert frames(out) == FRAMES


def test_ctrl_c_before_the_work_is_one_line(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(planning, "probe", stop)
    status, _, (line,) = run(film, "-o", out)
    assert status == 130
    assert line.endswith("stopped")
    assert files(out.parent) == []


def test_ctrl_c_while_words_are_read_is_one_line(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vidcolor.cli.color.changes", stop)
    status, _, lines = run(film, "-o", out)
    assert (status, lines) == (130, ["vidcolor: stopped"])


def test_an_output_that_comes_up_meanwhile_is_not_touched(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Shade, "trouble", staticmethod(lambda seen: out.write_bytes(b"precious")))
        status, _, (line,) = run(film, "-o", out)
    assert status == 5
    assert "came up meanwhile" in line and "--overwrite" in line
    assert out.read_bytes() == b"precious"
    assert run(film, "-o", out, "--resume")[0] == 5
    assert run(film, "-o", out, "--resume", "--overwrite")[0] == 0
    assert frames(out) == FRAMES


@pytest.mark.parametrize("at", [1, 40], ids=["early", "late"])
def test_an_output_folder_that_vanishes(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    monkeypatch.setattr(Shade, "trouble", staticmethod(lambda seen: shutil.rmtree(out.parent, ignore_errors=True) if seen >= at else None))
    status, _, (line,) = run(film, "-o", out)
    assert status == 5
    assert str(out.parent) in line


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_an_input_that_changes_meanwhile_is_seen(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    def trouble(seen: int) -> None:
        if seen >= 30 and film.exists():
            film.unlink() if change == "removed" else make(film, size=(64, 48), frames=6, audio=["aac"])

    with monkeypatch.context() as patched:
        patched.setattr(Shade, "trouble", staticmethod(trouble))
        status, _, (line,) = run(film, "-o", out)
    assert status == 4
    assert str(film) in line
    assert not out.exists()
    if change == "replaced":
        status, _, (line,) = run(film, "-o", out, "--resume")
        assert status == 2
        assert "another input" in line
        assert run(film, "-o", out)[0] == 0
        assert frames(out) == 6


@pytest.fixture
def broken(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that died after its first segment."""
    with monkeypatch.context() as patched:
        patched.setattr(Shade, "trouble", staticmethod(raising(DeviceError("gone"), 30)))
        assert run(film, "-o", out)[0] == 6
    return out.with_name("o.mkv.part")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--crf", "30"], "crf: "),
        (["--codec", "ffv1"], "ffv1"),
        (["--vividness", "2"], "vividness: 1.0, now 2.0"),
        (["--end", "1"], "end: "),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_other_settings_are_never_mixed_and_nothing_is_lost(
    film: Path, out: Path, run: Any, broken: Path, words: list[str], named: str
) -> None:
    before = files(broken)
    status, _, (line,) = run(film, "-o", out, "--resume", *words)
    assert status == 2
    assert named in line
    assert files(broken) == before
    assert run(film, "-o", out, "--resume")[0] == 0
    assert frames(out) == FRAMES


def test_another_network_or_version_is_never_mixed(film: Path, out: Path, run: Any, broken: Path) -> None:
    header, *rest = (broken / "journal.jsonl").read_text().splitlines()
    for key in ("network", "vidcolor", "av"):
        (broken / "journal.jsonl").write_text("\n".join([json.dumps(json.loads(header) | {key: "0.0.1"}), *rest]) + "\n")
        status, _, (line,) = run(film, "-o", out, "--resume")
        assert status == 2
        assert f"{key}: 0.0.1, now " in line
    assert run(film, "-o", out)[0] == 0


def test_what_does_not_matter_to_the_frames_may_differ(
    film: Path, out: Path, run: Any, broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(film.parent)
    monkeypatch.setattr(planning, "cores", lambda: 7)  # the cores of another day: the threads of the first run are kept
    status, said, _ = run(film.name, "-o", "../out/o.mkv", "--resume", "--json", "--recolor", "--overwrite", "--prefetch", "2")
    assert status == 0
    assert json.loads(said)["frames_resumed"] == SAFE


@pytest.mark.parametrize("cleared", [0, 9], ids=["while clearing up", "before"])
def test_a_run_that_died_right_after_naming_its_output_is_cleared_up(
    film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, cleared: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(journals.Journal, "remove", lambda self: segment_path(self.folder, cleared).unlink(missing_ok=True))
        assert run(film, "-o", out)[0] == 0
    assert "o.mkv.part/journal.jsonl" in files(out.parent)
    before = out.read_bytes()
    status, _, _ = run(film, "-o", out, "--resume")
    assert status == 0
    assert files(out.parent) == ["o.mkv"]
    assert out.read_bytes() == before


def test_a_resumed_batch_goes_on_with_the_film_that_was_broken(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.mkv", "b.mkv"):
        shutil.copy2(film, film.with_name(name))
    film.unlink()
    seen = 0

    def trouble(_: int) -> None:
        nonlocal seen
        seen += 1
        if seen == 70:  # in the second film
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Shade, "trouble", staticmethod(trouble))
        assert run(film.parent, "-o", f"{out.parent}/")[0] == 130
    made = (out.parent / "a.mkv").stat().st_mtime_ns
    status, said, _ = run(film.parent, "-o", f"{out.parent}/", "--resume", "--json")
    first, second = (json.loads(line) for line in said.splitlines())
    assert status == 0
    assert "nothing is left to do" in first["notes"][0]
    assert second["frames"] == FRAMES
    assert (out.parent / "a.mkv").stat().st_mtime_ns == made
    assert files(out.parent) == ["a.mkv", "b.mkv"]


def test_an_error_in_the_middle_of_a_batch_keeps_json_one_line_a_film(film: Path, out: Path, run: Any) -> None:
    film.with_name("g.mkv").write_bytes(b"no film")
    shutil.copy2(film, film.with_name("h.mkv"))
    status, said, _ = run(film.parent, "-o", f"{out.parent}/", "--json")
    assert status == 4
    assert [json.loads(line)["status"] for line in said.splitlines()] == [0, 4, 0]
