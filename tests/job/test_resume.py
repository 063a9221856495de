"""A run that dies at any moment and is resumed gives the same frames as an unbroken one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.media.clips import make

# Segments of a second or two make three deaths fit a test; their lengths are the only thing that differs.
COMMAND = """
from vidcolor.cli.color import Tools
from vidcolor.cli.main import main
from vidcolor.job.segments import Lengths
main(tools=Tools(lengths=Lengths(1, 2)))
"""


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def frames(path: Path) -> list[tuple[int, str]]:
    with av.open(str(path)) as box:
        return [(f.pts, hashlib.sha256(f.to_ndarray(format="yuv420p").tobytes()).hexdigest()) for f in box.decode(video=0)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s with B-frames and a variable frame rate."""
    pts = [i * 40 + (i % 3) * 5 for i in range(200)]
    return make(tmp_path_factory.mktemp("film") / "film.mkv", size=(96, 64), pts=pts, time_base=Fraction(1, 1000), audio=["aac"])


@pytest.fixture(scope="module")
def unbroken(film: Path) -> list[tuple[int, str]]:
    out = film.with_name("unbroken.mkv")
    process = start(film, "-o", out)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return frames(out)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not known here")
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_killed_and_resumed_equals_unbroken(film: Path, unbroken: list[tuple[int, str]], tmp_path: Path, segments: int) -> None:
    out = tmp_path / "out.mkv"
    process = start(film, "-o", out, "--json")
    assert process.stderr is not None
    seen = 0
    for line in process.stderr:
        seen += json.loads(line)["event"] == "segment"
        if seen == segments:
            time.sleep(0.02 * segments)  # somewhere inside the next segment
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not out.exists(), "nothing under the final name unless it is complete"
    resumed = start(film, "-o", out, "--resume", "--json")
    said, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert json.loads(said)["frames_resumed"] > 0
    assert frames(out) == unbroken
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


@pytest.mark.slow
def test_ctrl_c_closes_the_open_segment_and_says_how_to_go_on(film: Path, tmp_path: Path) -> None:
    whole, out, words = tmp_path / "whole.mkv", tmp_path / "out.mkv", ("--codec", "ffv1")  # a segment more changes nothing without loss
    first = start(film, "-o", whole, *words)
    first.communicate(timeout=120)
    assert first.returncode == 0
    process = start(film, "-o", out, *words, "--json")
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line).get("done") == 40:  # in the midst of the second segment
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    safe = re.search(r"(\d+) frames are safe, the same command with --resume", said)
    assert safe and int(safe[1]) >= 40
    assert not out.exists()
    again = start(film, "-o", out, "--resume", *words, "--json")
    said, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert json.loads(said)["frames_resumed"] == int(safe[1])
    assert frames(out) == frames(whole)


@pytest.mark.slow
def test_resume_with_nothing_to_resume_starts_afresh(film: Path, unbroken: list[tuple[int, str]], tmp_path: Path) -> None:
    process = start(film, "-o", tmp_path / "out.mkv", "--resume")
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert frames(tmp_path / "out.mkv") == unbroken


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to another process here")
def test_a_second_ctrl_c_stops_at_once_and_never_crashes(film: Path, tmp_path: Path) -> None:
    for pause in (0.0, 0.02, 0.1):
        process = start(film, "-o", tmp_path / "out.mkv", "--json")
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line).get("done") == 20:
                break
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
