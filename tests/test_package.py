"""vidcolor from Python, and what importing it costs."""

import subprocess
import sys
from inspect import signature
from pathlib import Path

import pytest

import vidcolor
from tests.media.clips import make
from vidcolor.cli.color import color
from vidcolor.errors import InputError, InterruptedRunError, UsageError
from vidcolor.pipeline.events import Cancel
from vidcolor.pipeline.job import DEFAULTS


def test_colorize_returns_the_report(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", size=(96, 64), audio=["aac"])
    report = vidcolor.colorize(str(film), tmp_path / "out.mkv", vividness=1.5, steady="off")
    assert (report.status, report.frames, report.frames_colored) == (0, 12, 12)
    assert report.size == (tmp_path / "out.mkv").stat().st_size
    assert report.copied == ["#1 audio aac (eng)"]


def test_progress_is_told_with_totals_and_notes_in_sentences(tmp_path: Path) -> None:
    film, told, notes = make(tmp_path / "film.mp4", size=(96, 64)), [], []
    vidcolor.colorize(film, tmp_path / "out.mkv", progress=lambda done, total: told.append((done, total)), note=notes.append)
    assert told == [(done, 12) for done in range(1, 13)]
    assert any("colour matrix not tagged" in note for note in notes)


def test_a_call_that_is_cancelled_keeps_what_is_done_and_goes_on(tmp_path: Path) -> None:
    film, cancel = make(tmp_path / "film.mkv", size=(96, 64), frames=30), Cancel()

    def progress(done: int, total: int | None) -> None:
        if done == 10:
            cancel.set()

    with pytest.raises(InterruptedRunError, match="10 frames are safe, the same command with resume=True"):
        vidcolor.colorize(film, tmp_path / "out.mkv", progress=progress, cancel=cancel)
    report = vidcolor.colorize(film, tmp_path / "out.mkv", resume=True)
    assert (report.frames, report.frames_resumed, report.frames_colored) == (30, 10, 20)
    with pytest.raises(InterruptedRunError):
        vidcolor.colorize(film, tmp_path / "other.mkv", cancel=cancel)
    assert not (tmp_path / "other.mkv.part").exists()


def test_messages_speak_of_arguments(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", size=(96, 64), color=True)
    with pytest.raises(InputError, match="use recolor=True"):
        vidcolor.colorize(film, tmp_path / "out.mp4")
    with pytest.raises(UsageError, match=r"^crf=900: ") as caught:
        vidcolor.colorize(film, tmp_path / "out.mp4", recolor=True, crf=900)
    assert caught.value.field == "crf"


def test_errors_are_of_this_package_and_unknown_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        vidcolor.colorize(tmp_path / "missing.mp4", tmp_path / "out.mp4")
    film = make(tmp_path / "film.mp4", size=(96, 64))
    with pytest.raises(UsageError, match="between 0 and 1"):
        vidcolor.colorize(film, tmp_path / "out.mp4", style="any", style_strength=2)
    with pytest.raises(TypeError, match="vividity"):
        vidcolor.colorize(tmp_path / "missing.mp4", tmp_path / "out.mp4", vividity=1)


@pytest.mark.parametrize("words", [["-c", "import vidcolor"], ["-m", "vidcolor", "--version"]], ids=["import", "version"])
def test_neither_import_nor_help_loads_the_heavy_libraries(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-X", "importtime", *words], capture_output=True, text=True, check=True)
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"torch", "openvino", "cv2", "av", "tensorrt", "tensorrt_rtx", "numpy", "pydantic"}


def test_every_way_in_knows_the_same_fields_with_the_same_defaults() -> None:
    asked = {name: parameter.default for name, parameter in signature(vidcolor.colorize).parameters.items()}
    assert {name: value for name, value in asked.items() if name not in ("path", "out", "progress", "note", "cancel")} == {
        name: value for name, value in DEFAULTS.items() if name not in ("input", "out")
    }
    some = {name: parameter.default for name, parameter in signature(vidcolor.Colorizer).parameters.items()}
    assert some.items() <= DEFAULTS.items()
    words = {name: parameter.default for name, parameter in signature(color).parameters.items() if name in DEFAULTS}
    same = {name: value for name, value in words.items() if name not in ("style_at", "color_from")}  # given in other ways
    assert same.items() <= DEFAULTS.items() and len(same) == len(DEFAULTS) - 4


def test_what_is_no_path_and_no_function_is_told(tmp_path: Path) -> None:
    for path, out in ((None, "o.mp4"), ("f.mp4", None), (b"f.mp4", "o.mp4")):
        with pytest.raises(UsageError, match="must be a path"):
            vidcolor.colorize(path, out)
    with pytest.raises(UsageError, match="progress=3"):
        vidcolor.colorize("f.mp4", "o.mp4", progress=3)


@pytest.mark.parametrize(
    "error", [BrokenPipeError("theirs"), MemoryError("theirs"), KeyError("theirs")], ids=lambda error: type(error).__name__
)
def test_what_a_callers_function_raises_comes_out_as_it_was(tmp_path: Path, error: Exception) -> None:
    def progress(done: int, total: int | None) -> None:
        raise error

    with pytest.raises(type(error), match="theirs"):
        vidcolor.colorize(make(tmp_path / "film.mp4", size=(96, 64)), tmp_path / "out.mkv", progress=progress)
