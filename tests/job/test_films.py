"""Films that are odd, damaged or oddly named: coloured as far as they go, or refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import av
import pytest

from tests.job.films import FRAMES, files, frames
from tests.media.clips import make


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


@pytest.mark.parametrize("fields", ["tff", "bff"])
def test_deinterlacing_makes_a_progressive_film(film: Path, out: Path, run: Any, fields: str) -> None:
    woven = make(film.with_name("woven.mkv"), size=(64, 64), frames=8, interlaced=fields)

    def shown(path: Path) -> list[tuple[bool, bytes]]:
        with av.open(str(path)) as box:
            return [(frame.interlaced_frame, frame.to_ndarray(format="gray").tobytes()) for frame in box.decode(video=0)]

    assert run(woven, "-o", out, "--codec", "ffv1")[0] == 0
    source, kept = shown(woven), shown(out)
    assert all(interlaced for interlaced, _ in source + kept)
    assert [luma for _, luma in kept] == [luma for _, luma in source]
    assert run(woven, "-o", out, "--codec", "ffv1", "--deinterlace", "--overwrite")[0] == 0
    made = shown(out)
    assert len(made) == len(source) and not any(interlaced for interlaced, _ in made)
    assert all(luma != before for (_, luma), (_, before) in zip(made, source, strict=True))
