"""The command as a person meets it: what it answers to good and to bad input, its exit status, and what it leaves on the disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.media.clips import make, png
from vidcolor.media.output.writer import SegmentWriter


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey film of 12 frames with sound."""
    return make(tmp_path_factory.mktemp("film") / "film.mp4", size=(96, 64), audio=["aac"])


@pytest.fixture
def run(run_command: Any) -> Any:
    return run_command


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_a_grey_film_comes_back_in_colour_with_its_sound(film: Path, tmp_path: Path, run: Any) -> None:
    status, said, _ = run(film, "-o", tmp_path / "out.mp4", "--json")
    assert status == 0
    report = json.loads(one_line(said))
    assert report["frames"] == report["frames_colored"] == 12
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    with av.open(str(tmp_path / "out.mp4")) as box:
        assert [s.type for s in box.streams] == ["video", "audio"]
        planes = [frame.to_ndarray(format="yuv420p")[64:] for frame in box.decode(video=0)]
    assert len(planes) == 12
    assert any(np.ptp(p.astype(int)) > 0 for p in planes), "chroma is not flat: something was coloured"


def test_events_are_lines_of_json(film: Path, tmp_path: Path, run: Any) -> None:
    _, _, events = run(film, "-o", tmp_path / "out.mp4", "--json")
    kinds = [json.loads(line)["event"] for line in events.splitlines()]
    assert kinds.count("frame") == 12
    assert "first_packet" in kinds and "segment" in kinds


def test_errors_are_json_too(film: Path, tmp_path: Path, run: Any) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no film")
    status, said, events = run(film, tmp_path / "bad.mp4", "-o", f"{tmp_path}/out/", "--json")
    assert status == 4
    assert [json.loads(line)["status"] for line in said.splitlines()] == [0, 4]
    assert [json.loads(line)["input"] for line in events.splitlines() if json.loads(line)["event"] == "error"] == [
        str(tmp_path / "bad.mp4")
    ]


def test_a_film_in_colour_is_refused_with_the_hint(tmp_path: Path, run: Any) -> None:
    color = make(tmp_path / "colour.mp4", size=(96, 64), color=True)
    status, _, said = run(color, "-o", tmp_path / "out.mp4")
    assert status == 4
    assert "--recolor" in one_line(said)
    assert run(color, "-o", tmp_path / "out.mp4", "--recolor")[0] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [("missing.mp4", None), ("text.mp4", b"not a film at all" * 50), ("empty.mp4", b"")],
    ids=["missing", "text", "empty"],
)
def test_an_unusable_input_is_one_line_and_4(tmp_path: Path, run: Any, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, _, said = run(tmp_path / name, "-o", tmp_path / "out.mp4")
    assert status == 4
    assert name in one_line(said)
    assert not (tmp_path / "out.mp4").exists()
    assert not (tmp_path / "out.mp4.part").exists()


def test_sound_alone_is_not_a_video(tmp_path: Path, run: Any) -> None:
    with av.open(str(tmp_path / "sound.m4a"), "w", format="mp4") as box:
        stream = box.add_stream("aac", 48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        stream.layout = "mono"
        box.mux([*stream.encode(frame), *stream.encode(None)])
    assert run(tmp_path / "sound.m4a", "-o", tmp_path / "out.mp4")[0] == 4


def test_a_film_without_frames(tmp_path: Path, run: Any) -> None:
    with av.open(str(tmp_path / "none.mkv"), "w") as box:
        stream = box.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        box.start_encoding()
    status, _, said = run(tmp_path / "none.mkv", "-o", tmp_path / "out.mkv")
    assert status == 4
    assert "none.mkv" in one_line(said)


def test_output_over_input_is_refused(film: Path, run: Any) -> None:
    before = film.read_bytes()
    status, _, said = run(film, "-o", film, "--overwrite")
    assert status == 2
    assert "same file" in one_line(said)
    assert film.read_bytes() == before


def test_an_existing_output_is_kept_unless_overwrite(film: Path, tmp_path: Path, run: Any) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    status, _, said = run(film, "-o", out)
    assert status == 5
    assert "--overwrite" in one_line(said)
    assert out.read_bytes() == b"precious"
    assert run(film, "-o", out, "--overwrite")[0] == 0
    assert out.stat().st_size > 100


def test_a_missing_folder_is_said(film: Path, tmp_path: Path, run: Any) -> None:
    status, _, said = run(film, "-o", tmp_path / "no" / "out.mp4")
    assert status == 5
    assert "no such folder" in one_line(said)


def test_an_unwritable_folder_is_said(film: Path, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not (Path(path) == tmp_path and mode == os.W_OK))
    assert run(film, "-o", tmp_path / "out.mp4")[0] == 5


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "out.mp4", "--codec", "nosuch"],
        ["-o", "out.nosuch"],
        ["-o", "out.webm", "--codec", "h264"],
        ["-o", "out.mp4", "--pix-fmt", "nosuch"],
        ["-o", "out.mkv", "--codec", "vp9", "--pix-fmt", "gray16le"],
        ["-o", "out.mp4", "--crf", "900"],
        ["-o", "out.mp4", "--codec", "av1", "--lossless"],
        ["-o", "out.mp4", "--vividness", "3"],
        ["-o", "out.mp4", "--steady", "perhaps"],
        ["-o", "out.mp4", "--start", "yesterday"],
        ["-o", "out.mp4", "--nosuch"],
        ["-o", "out.mp4", "--start", "0.3", "--end", "0.2"],
        ["-o", "out.mp4", "--end", "0"],
        ["-o", "out.mp4", "--start", "100"],
        ["-o", "out.mp4", "--recolor", "--only-grey"],
        ["-o", "out.png"],
        ["-o", "out"],
        ["--preview", "out.jpg"],
    ],
    ids=lambda words: " ".join(words[2:]) or words[1],
)
def test_wrong_words_are_2_and_leave_nothing(
    film: Path, tmp_path: Path, run: Any, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, said = run(film, *words)
    assert status == 2, said
    assert one_line(said).startswith("vidcolor: ")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_network_and_an_absent_device_are_6(film: Path, tmp_path: Path, run: Any) -> None:
    for words in (["--network", "nosuch"], ["--device", "openvino:GPU"]):
        status, _, said = run(film, "-o", tmp_path / "out.mp4", *words)
        assert status == 6, said
        one_line(said)


def test_a_damaged_network_file_is_6(film: Path, tmp_path: Path, run: Any) -> None:
    from vidcolor.networks.cards import find

    path = find("colorize-fast").path
    for suffix in (".onnx", ".json"):
        shutil.copy(path.with_suffix(suffix), tmp_path / f"bad{suffix}")
    data = bytearray((tmp_path / "bad.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.onnx").write_bytes(data)
    status, _, said = run(film, "-o", tmp_path / "out.mp4", "--network", tmp_path / "bad.onnx")
    assert status == 6
    assert "damaged" in one_line(said)


def test_a_truncated_film_is_delivered_and_3(tmp_path: Path, run: Any) -> None:
    whole = make(tmp_path / "whole.mkv", size=(96, 64), frames=100, options={"g": "10"})
    data = whole.read_bytes()
    (tmp_path / "half.mkv").write_bytes(data[: len(data) // 2])
    status, _, said = run(tmp_path / "half.mkv", "-o", tmp_path / "out.mkv")
    assert status == 3, said
    assert "damaged input" in said
    with av.open(str(tmp_path / "out.mkv")) as box:
        assert 10 < sum(1 for _ in box.decode(video=0)) < 100


def test_disk_full_while_writing_is_5_and_resumable(film: Path, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: SegmentWriter, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(SegmentWriter, "_put", full)
        status, _, said = run(film, "-o", tmp_path / "out.mp4")
    assert status == 5
    assert "space" in said
    assert not (tmp_path / "out.mp4").exists()
    assert run(film, "-o", tmp_path / "out.mp4", "--resume")[0] == 0


def test_one_failure_does_not_stop_a_batch(film: Path, tmp_path: Path, run: Any) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(film, tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "b.mp4").write_bytes(b"no film")
    shutil.copy(film, tmp_path / "in" / "c.mp4")
    status, _, said = run(tmp_path / "in", "-o", f"{tmp_path}/out/")
    assert status == 4
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.mp4", "c.mp4"]
    assert said.strip().splitlines()[-1].startswith("1 of 3 failed")


def test_one_file_for_many_inputs_is_2(film: Path, tmp_path: Path, run: Any) -> None:
    assert run(film, film, "-o", tmp_path / "out.mp4")[0] == 2


def test_dry_run_says_and_does_nothing(film: Path, tmp_path: Path, run: Any) -> None:
    status, said, _ = run(film, "-o", tmp_path / "out.mp4", "--dry-run", "--json")
    assert status == 0
    plan = json.loads(one_line(said))
    assert plan["copied"] == ["#1 audio aac (eng)"]
    assert plan["estimate"] > 0
    assert list(tmp_path.iterdir()) == []


def test_dry_run_tells_a_person_what_would_be_done(tmp_path: Path, run: Any) -> None:
    film = make(tmp_path / "film.mp4", size=(96, 64), frames=20, audio=["aac"])
    status, said, _ = run(film, "-o", tmp_path / "out.mp4", "--dry-run", "--start", "0.2", "--end", "0.6")
    assert status == 0
    assert "black-and-white film, h264 96x64 yuv420p" in said
    assert "10 frames" in said and "#1 audio aac (eng)" in said and "about " in said
    assert "[]" not in said and "None" not in said and "True" not in said


def test_only_the_asked_for_part_is_estimated(tmp_path: Path, run: Any) -> None:
    film = make(tmp_path / "film.mp4", size=(96, 64), frames=50)
    _, said, _ = run(film, "-o", tmp_path / "out.mp4", "--dry-run", "--json", "--start", "0.4", "--end", "1")
    assert json.loads(said)["frames"] == 15


def test_preview_never_writes_over_a_file_unasked(film: Path, tmp_path: Path, run: Any) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(png((64, 48)))
    before = photo.read_bytes()
    assert run(photo, "--preview", photo, "--recolor", "--overwrite")[0] == 2
    assert run(film, "--preview", photo)[0] == 5
    assert photo.read_bytes() == before
    assert run(film, "--preview", photo, "--overwrite")[0] == 0
    assert photo.read_bytes() != before


def test_a_picture_becomes_a_picture(tmp_path: Path, run: Any) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), (np.arange(48 * 64, dtype=np.uint32).reshape(48, 64) * 21).astype(np.uint16))
    assert run(photo, "-o", tmp_path / "out.mp4")[0] == 2
    status, _, said = run(photo, "-o", tmp_path / "out.jpg", "--codec", "hevc")
    assert status == 0
    assert "--codec: for films" in said
    assert "16 bit become 8" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.jpg", "photo.png"]


def test_only_grey_does_not_colour_a_picture_that_has_colour(tmp_path: Path, run: Any) -> None:
    (tmp_path / "photo.png").write_bytes(png((64, 48)))
    status, _, said = run(tmp_path / "photo.png", "--only-grey")
    assert status == 4
    assert "--only-grey" not in one_line(said)


def test_preview_is_a_picture_and_nothing_else(film: Path, tmp_path: Path, run: Any) -> None:
    status, _, said = run(film, "--preview", tmp_path / "sheet.png")
    assert status == 0
    assert "sheet.png" in one_line(said)
    with av.open(str(tmp_path / "sheet.png")) as box:
        assert next(box.decode(video=0)).width == 1920
    assert [p.name for p in tmp_path.iterdir()] == ["sheet.png"]


def test_start_and_end_give_that_part(film: Path, tmp_path: Path, run: Any) -> None:
    assert run(film, "-o", tmp_path / "out.mp4", "--start", "0.2", "--end", "0:00.4")[0] == 0
    with av.open(str(tmp_path / "out.mp4")) as box:
        times = [frame.pts * frame.time_base for frame in box.decode(video=0)]
    assert times == [Fraction(i, 25) for i in range(5)]


def test_networks_and_doctor_speak_json(run: Any) -> None:
    status, said, _ = run("networks", "--json")
    assert status == 0
    assert "colorize-fast" in [n["name"] for n in json.loads(said)]
    status, said, _ = run("doctor", "--json")
    assert status == 0
    assert json.loads(said)["networks"]["colorize-fast"] == "whole"


def test_help_and_version(run: Any) -> None:
    status, said, _ = run("--help")
    assert status == 0
    assert "--vividness" in said and "doctor" in said
    assert "Usage: vidcolor [OPTIONS]" in said
    assert "name.color.ext" in said
    assert run("--version")[1].startswith("vidcolor ")
