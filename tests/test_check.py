"""engines/check.py tells right networks from wrong ones; engines/build.py compiles them without a GPU."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from engines import build, check
from tests.backends.small import write_network

FOLDER = Path(__file__).parents[1] / "engines" / "networks"


@pytest.fixture
def copy(tmp_path) -> Path:
    for suffix in (".onnx", ".json", ".npz"):
        shutil.copy(FOLDER / f"colorize-fast{suffix}", tmp_path)
    return tmp_path / "colorize-fast.onnx"


def run(monkeypatch, capsys, module, *words: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["tool", *words])
    with pytest.raises(SystemExit) as end:
        module.main()
    return end.value.code, capsys.readouterr().out


def test_a_whole_network_passes_on_every_backend(copy, monkeypatch, capsys):
    status, table = run(monkeypatch, capsys, check, str(copy), "--size", "32x32")
    assert status == 0 and "WRONG" not in table
    assert any(line.split()[:3] == ["openvino", "f32", "right"] for line in table.splitlines())


def test_an_answer_beyond_the_tolerance_fails(copy, monkeypatch, capsys):
    sample = dict(np.load(copy.with_suffix(".npz")))
    sample["chroma"][0, 0, 3, 3] += 0.01
    np.savez(copy.with_suffix(".npz"), **sample)
    status, table = run(monkeypatch, capsys, check, str(copy), "--size", "32x32")
    assert status == 1 and any(line.split()[:3] == ["openvino", "f32", "WRONG"] for line in table.splitlines())


@pytest.mark.parametrize("suffix", [".onnx", ".json", ".npz"])
def test_a_missing_or_damaged_file_fails_and_is_named(copy, monkeypatch, capsys, suffix):
    copy.with_suffix(suffix).write_bytes(b"damaged")
    status, table = run(monkeypatch, capsys, check, str(copy), "--size", "32x32")
    assert status == 1 and "WRONG" in table and f"colorize-fast{suffix}" in table


def test_an_answer_that_is_not_a_number_is_infinitely_wrong():
    assert check.differences({"y": np.array([np.nan], np.float32)}, {"y": np.zeros(1, np.float32)}) == {"y": float("inf")}


def test_the_output_that_is_farthest_beyond_its_own_tolerance_counts():
    assert check.worst_of({"picture": 0.02, "statistics": 0.1}, {"picture": 0.01, "statistics": 0.15}) == (0.02, 0.01)


def test_multiplications_are_counted_by_hand_the_same(tmp_path):
    path = write_network(tmp_path)  # one convolution, 4 to 3 channels, 4x4, stride 4
    shapes = {"luma": (2, 1, 32, 64), "hints": (2, 3, 32, 64), "temperature": (1,)}
    assert check.count_macs(path, shapes) == 2 * 8 * 16 * 3 * 4 * 4 * 4


@pytest.mark.skipif(not importlib.util.find_spec("tensorrt_rtx"), reason="tensorrt_rtx is not installed: pip install 'vidcolor[rtx]'")
def test_an_engine_is_built_and_kept(copy, tmp_path, monkeypatch, capsys):
    words = [str(copy), "--target", "SM86", "--size", "32x32", "--batch", "1", "--out", str(tmp_path / "out")]
    status, line = run(monkeypatch, capsys, build, *words)
    assert status == 0 and "SM86" in line and "MB" in line
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["colorize-fast.SM86.f16.1x32x32.engine"]


def test_a_network_that_cannot_be_built_fails(copy, monkeypatch, capsys):
    copy.write_bytes(b"damaged")
    status, line = run(monkeypatch, capsys, build, str(copy), "--target", "SM86")
    assert status == 1 and "is damaged" in line
