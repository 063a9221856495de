"""What goes wrong in the middle of a run: one clear line, the right status, what is safe kept, nothing half done under the final name."""

from __future__ import annotations

import errno
import importlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.media.clips import make
from vidcolor import cli
from vidcolor.backends.base import Arrays
from vidcolor.errors import DeviceError
from vidcolor.job import journal as journals
from vidcolor.job import segments
from vidcolor.media.reader import Reader

planning, running = (
    importlib.import_module(f"vidcolor.job.{name}") for name in ("plan", "run")
)  # the package holds functions of these names
FRAMES, SAFE = 40, 25  # in the film, and at the end of its first segment of a second


class Shade:
    """A network's stand-in that colours by luma alone; `trouble` is called with the number of frames so far."""

    precision = "f32"
    trouble: Callable[[int], None] = staticmethod(lambda seen: None)

    def __init__(self) -> None:
        self.seen = 0

    def run(self, inputs: Arrays) -> dict[str, Any]:
        self.seen += len(inputs["luma"])
        self.trouble(self.seen)
        chroma = (inputs["luma"][:, :, ::4, ::4] - np.float32(0.5)) * np.float32(0.2)
        return {"chroma": np.concatenate([chroma, -chroma], 1), "confidence": np.ones_like(chroma)}

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("source") / "film.mkv", size=(64, 48), frames=FRAMES, audio=["aac"])


@pytest.fixture
def film(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A film of two segments of a second, coloured by Shade."""
    monkeypatch.setattr(segments, "SHORTEST", 1)
    monkeypatch.setattr(segments, "LONGEST", 1)
    monkeypatch.setattr(running, "load_session", lambda plan: Shade())
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return Path(shutil.copy2(source, tmp_path / "in" / "film.mkv"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "o.mkv"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in this process: (status, standard output, lines of standard error that are no notes)."""

    def command(*words: object) -> tuple[int, str, list[str]]:
        with pytest.raises(SystemExit) as end:
            cli.main(["--steady", "off", *map(str, words)])
        said = capsys.readouterr()
        assert not [t.name for t in threading.enumerate() if t.name.startswith("vidcolor-")], "every worker has ended"
        return int(end.value.code or 0), said.out, [line for line in said.err.splitlines() if not line.startswith(("note:", "{"))]

    return command


def raising(error: BaseException, at: int) -> Callable[[int], None]:
    def trouble(seen: int) -> None:
        if seen >= at:
            raise error

    return trouble


def frames(path: Path) -> int:
    with av.open(f"file:{path}") as box:
        return sum(1 for _ in box.decode(video=0))


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != "lock")


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
    assert files(out.parent) == ([] if at == 1 else ["o.mkv.part/000000.seg", "o.mkv.part/journal.jsonl"])
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
        if segment.next_frame > SAFE:
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


def test_a_run_that_died_right_after_naming_its_output_is_cleared_up(
    film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(journals.Journal, "remove", lambda self: None)
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
        if seen == 18:  # in the second film
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


def test_a_film_whose_size_changes_leaves_nothing_that_is_of_no_use(
    film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = (make(film.with_name(f"{width}.ts"), size=(width, 48), frames=FRAMES) for width in (64, 96))
    film.with_name("both.ts").write_bytes(small.read_bytes() + large.read_bytes())
    status, _, (line,) = run(film.with_name("both.ts"), "-o", out)
    assert status == 4
    assert "size changes" in line
    assert files(out.parent) == []


def test_one_frame_is_a_film(film: Path, out: Path, run: Any) -> None:
    one = make(film.with_name("one.mkv"), size=(64, 48), frames=1)
    status, said, _ = run(one, "-o", out, "--json")
    assert (status, json.loads(said)["frames"], json.loads(said)["shots"], frames(out)) == (0, 1, 1, 1)


def test_a_transport_stream_that_is_cut_short_is_said(film: Path, out: Path, run: Any) -> None:
    whole = make(film.with_name("whole.ts"), size=(64, 48), frames=FRAMES).read_bytes()
    film.with_name("cut.ts").write_bytes(whole[: len(whole) // 2 // 188 * 188 + 40])
    assert run(film.with_name("whole.ts"), "-o", out.with_name("w.mkv"))[0] == 0
    assert run(film.with_name("cut.ts"), "-o", out)[0] == 3


@pytest.mark.parametrize(
    "name",
    ["a:b.mp4", "http:x.mkv", "%03d.mp4", "-dash.mkv", "with  space 'q' $x [red]x :smile:.mkv", "ünï日本.mkv", "b\udcffad.mkv"],
)
def test_odd_names_come_out_as_they_are_written(film: Path, out: Path, run: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(out.parent)
    shutil.copy2(film, name)
    status, said, lines = run("--json", "--", name)
    assert (status, lines) == (0, [])
    report = json.loads(said)
    assert report["input"] == name
    assert frames(Path(report["output"])) == FRAMES
    assert len(files(out.parent)) == 2


@pytest.mark.parametrize("which", ["input", "output"])
def test_names_that_are_too_long_are_said(film: Path, out: Path, run: Any, which: str) -> None:
    long = out.with_name("x" * 300 + ".mkv")
    status, _, (line,) = run(long, "-o", out) if which == "input" else run(film, "-o", long)
    assert status == (4 if which == "input" else 5)
    assert "too long" in line
    assert run(film, "-o", out.with_name("x" * 251 + ".mkv"))[0] == 5  # no room for ".part"
    assert files(out.parent) == []


def test_an_empty_word_is_not_the_working_folder(film: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(film.parent)
    assert run("")[0] == 2
    assert files(film.parent) == ["film.mkv"]


def test_a_url_is_refused_with_what_to_do(out: Path, run: Any) -> None:
    status, _, (line,) = run("https://example.org/film.mkv", "-o", out)
    assert status == 4
    assert "download it first" in line


def test_an_avi_that_is_cut_short_is_said(film: Path, out: Path, run: Any) -> None:
    whole = make(film.with_name("whole.avi"), codec="mpeg4", size=(64, 48), frames=60).read_bytes()
    film.with_name("cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    assert run(film.with_name("whole.avi"), "-o", out.with_name("w.mkv"))[0] == 0
    status, _, lines = run(film.with_name("cut.avi"), "-o", out)
    assert status == 3
    assert any("2.4 s" in line for line in lines)


def test_damaged_sound_of_a_recording_is_left_out_and_said(film: Path, out: Path, run: Any) -> None:
    data = bytearray(make(film.with_name("whole.ts"), size=(64, 48), frames=FRAMES, audio=["aac"]).read_bytes())
    packets = [at for at in range(0, len(data), 188) if (data[at + 1] & 0x1F) << 8 | data[at + 2] == 0x101]  # the second track's
    for at in packets[8:12]:
        data[at + 20 : at + 188] = bytes(168)
    film.with_name("bad.ts").write_bytes(data)
    status, _, lines = run(film.with_name("bad.ts"), "-o", out)
    assert status == 3, lines
    assert any("damaged packet(s) of the audio" in line for line in lines)
    assert frames(out) == FRAMES
