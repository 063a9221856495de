"""Files that are written aside: whole under their name, or not there; nothing of anybody else's is touched."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.media.clips import make, png
from vidcolor.errors import OutputError
from vidcolor.job.publish import aside, write_whole


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.png", b"first", overwrite=False)
    with pytest.raises(RuntimeError), aside(tmp_path / "b.png", overwrite=False) as part:
        part.write_bytes(b"half")
        raise RuntimeError
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.png": b"first"}


def test_what_came_up_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    with pytest.raises(OutputError, match="came up"), aside(target, overwrite=False) as part:
        part.write_bytes(b"ours")
        target.write_bytes(b"theirs")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.png": b"theirs"}
    write_whole(target, b"ours", overwrite=True)
    assert target.read_bytes() == b"ours"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_it_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.png", b"ours", overwrite=False)
    (tmp_path / "b.png").write_bytes(b"any")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b.png").stat().st_mode


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_a_person_keeps_beside_a_picture_is_neither_used_nor_followed(tmp_path: Path, run_command: Any, kind: str) -> None:
    (tmp_path / "photo.png").write_bytes(png((64, 48)))
    beside, precious = tmp_path / "out.png.part", tmp_path / "precious"
    precious.write_bytes(b"precious")
    if kind == "file":
        beside.write_bytes(b"precious")
    elif kind == "folder":
        beside.mkdir()
    else:
        beside.symlink_to(precious)
    assert run_command(tmp_path / "photo.png", "-o", tmp_path / "out.png", "--recolor")[0] == 0
    assert precious.read_bytes() == b"precious"
    assert beside.is_dir() if kind == "folder" else beside.read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.png", "out.png.part", "photo.png", "precious"]


@pytest.mark.parametrize("words", [["--preview", "sheet.png"], ["-o", "out.png", "--recolor"]], ids=["preview", "picture"])
def test_a_full_disk_leaves_nothing_under_the_name(
    tmp_path: Path, run_command: Any, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source = make(tmp_path / "film.mkv", size=(64, 48)) if words[0] == "--preview" else tmp_path / "photo.png"
    if source.suffix == ".png":
        source.write_bytes(png((64, 48)))

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    status, _, said = run_command(source, *words)
    assert status == 5 and "No space left" in said
    assert [p.name for p in tmp_path.iterdir()] == [source.name]
