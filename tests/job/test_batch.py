"""Which films a person means, and where their outputs go."""

from pathlib import Path

import pytest

from vidcolor.errors import InputError, UsageError
from vidcolor.job.batch import expand


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).touch()
    return [folder / name for name in names]


def test_one_film_and_a_file_name(tmp_path: Path) -> None:
    (film,) = touch(tmp_path, "a.mp4")
    assert expand([film], str(tmp_path / "b.mkv")) == [(film, tmp_path / "b.mkv")]


def test_without_output_each_lies_beside_its_input(tmp_path: Path) -> None:
    films = touch(tmp_path, "a.mp4", "b.tar.mkv")
    assert [out.name for _, out in expand(films, None)] == ["a.color.mp4", "b.tar.color.mkv"]


def test_a_container_that_is_not_written_becomes_mkv(tmp_path: Path) -> None:
    films = touch(tmp_path, "a.mpg", "b.WMV", "c.webm", "d.TIFF")
    assert [out.name for _, out in expand(films, None)] == ["a.color.mkv", "b.color.mkv", "c.color.webm", "d.color.TIFF"]
    assert [out.name for _, out in expand(films, f"{tmp_path}/new")] == ["a.mkv", "b.mkv", "c.webm", "d.TIFF"]


def test_two_inputs_never_share_an_output(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.color\.mkv"):
        expand(touch(tmp_path, "a.mpg", "a.mkv"), None)


def test_a_folder_stands_for_its_films_and_not_for_earlier_outputs(tmp_path: Path) -> None:
    touch(tmp_path, "b.MP4", "a.png", "a.color.mp4", "notes.txt", ".hidden")
    assert [source.name for source, _ in expand([tmp_path], None)] == ["a.png", "b.MP4"]


def test_output_folder_is_made_and_keeps_names(tmp_path: Path) -> None:
    films = touch(tmp_path, "a.mp4", "b.mp4")
    assert [out for _, out in expand(films, f"{tmp_path}/new")] == [tmp_path / "new" / "a.mp4", tmp_path / "new" / "b.mp4"]
    assert (tmp_path / "new").is_dir()


def test_one_output_file_for_many_inputs_is_refused(tmp_path: Path) -> None:
    films = touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(UsageError, match="2 inputs"):
        expand(films, str(tmp_path / "out.mp4"))


def test_two_inputs_of_one_name_in_one_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    films = touch(tmp_path / "x", "a.mp4") + touch(tmp_path / "y", "a.mp4")
    with pytest.raises(UsageError, match=r"a\.mp4"):
        expand(films, f"{tmp_path}/")


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no films"):
        expand([tmp_path], None)
