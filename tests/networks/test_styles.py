"""Named styles: found in both places, refused where damaged; the words that name a style read exactly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.style_networks import CODES, install, write_style
from vidcolor.errors import DeviceError, OutputError, UsageError
from vidcolor.networks import cards as networks
from vidcolor.networks import styles


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of shipped styles; a person's own lie in tmp_path/own."""
    folder = install(tmp_path / "networks")
    monkeypatch.setattr(networks, "PLACES", (folder,))
    monkeypatch.setenv(styles.FOLDER_VARIABLE, str(tmp_path / "own"))
    return folder / "styles"


def test_shipped_styles_come_first_by_name_and_then_a_persons_own(shipped: Path) -> None:
    styles.own_folder().mkdir()
    write_style(styles.own_folder(), "alpha")
    assert list(styles.catalogue()) == ["cold", "plain", "warm", "alpha"]


def test_a_persons_own_style_never_takes_the_place_of_a_shipped_one(shipped: Path) -> None:
    styles.own_folder().mkdir()
    write_style(styles.own_folder(), "warm", title="Other")
    assert styles.catalogue()["warm"].title == "Warm"


def test_without_any_styles_the_catalogue_is_empty(shipped: Path) -> None:
    shutil.rmtree(shipped)
    assert styles.catalogue() == {}


def test_the_shipped_catalogue_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(styles.FOLDER_VARIABLE, str(tmp_path))
    for name, style in styles.catalogue().items():
        assert name == style.name


def test_the_folder_of_own_styles_is_that_of_the_variable_or_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(styles.FOLDER_VARIABLE, "/elsewhere")
    assert styles.own_folder() == Path("/elsewhere")
    monkeypatch.delenv(styles.FOLDER_VARIABLE)
    assert styles.own_folder().parts[-2:] == ("vidcolor", "styles")


@pytest.mark.parametrize("field", ["name", "title", "painter", "date", "source", "licence", "network", "code"])
def test_every_field_of_a_style_is_needed_and_named_when_missing(shipped: Path, field: str) -> None:
    path = shipped / "warm.json"
    raw = json.loads(path.read_text())
    del raw[field]
    path.write_text(json.dumps(raw))
    with pytest.raises(DeviceError, match=rf"warm\.json: the style is damaged: '{field}' is missing"):
        styles.catalogue()


@pytest.mark.parametrize(
    "change",
    [
        {"title": 3},
        {"name": "other"},
        {"code": None},
        {"code": "1"},
        {"code": [1, "2"]},
        {"code": [True]},
        {"code": [float("nan")]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_wrong_style_is_refused_in_one_line(shipped: Path, change: dict) -> None:
    write_style(shipped, "warm", **change)
    with pytest.raises(DeviceError, match=r"warm\.json: the style is damaged") as caught:
        styles.catalogue()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_style_that_is_no_json_object_is_refused(shipped: Path, text: str) -> None:
    (shipped / "warm.json").write_text(text)
    with pytest.raises(DeviceError, match=r"warm\.json"):
        styles.catalogue()


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("sketch", [("sketch", 1)]),
        ("great-wave:0.7,sketch:0.3", [("great-wave", 0.7), ("sketch", 0.3)]),
        ("great-wave : 0.7 , sketch:0.3", [("great-wave", 0.7), ("sketch", 0.3)]),
        ("a,b", [("a", 0.5), ("b", 0.5)]),
        ("a:0.335,b:0.335,c:0.335", [("a", 1 / 3), ("b", 1 / 3), ("c", 1 / 3)]),
        ("a:1", [("a", 1)]),
        ("a:0,b:1", [("a", 0), ("b", 1)]),
        ("C:\\pictures\\mine.jpg", [("C:\\pictures\\mine.jpg", 1)]),
    ],
)
def test_a_mix_is_read_with_shares_that_sum_to_1(word: str, parts: list[tuple[str, float]]) -> None:
    read = styles.parse_mix(word)
    assert [name for name, _ in read] == [name for name, _ in parts]
    assert [share for _, share in read] == pytest.approx([share for _, share in parts])
    assert sum(share for _, share in read) == pytest.approx(1)


def test_the_path_of_a_file_is_one_style_whatever_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a,b.jpg", "a:0.5"):
        Path(name).touch()
        assert styles.parse_mix(name) == [(name, 1)]
    assert styles.parse_mix("warm,a:0.5") == [("warm", 0.5), ("a:0.5", 0.5)]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("a:0.7,b:0.2", "sum to 0.9"), ("a:1.02", "sum to 1.02"), ("a:-0.5,b:1.5", "negative"), ("a:0.5,b", "every style"),
        ("a:nan", "negative"), ("a:inf", "sum to inf"), ("a:x", "not a weight"), ("a:", "not a weight"), ("", "empty"),
        ("a,,b", "empty"), ("a,", "empty"), ("a:0.5", "use style_strength"),
    ],
)  # fmt: skip
def test_a_mix_that_cannot_be_is_refused_in_one_line(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        styles.parse_mix(word)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_answered_with_the_nearest(shipped: Path) -> None:
    known = styles.catalogue()
    assert "did you mean warm" in str(styles.unknown_style_error("Worm", known))
    assert "vidcolor styles lists" in str(styles.unknown_style_error("impressionism", known))
    assert "no such picture" in str(styles.unknown_style_error("warm.jpg", known))
    assert "no such picture" in str(styles.unknown_style_error("pictures/warm", known))


def test_codes_are_mixed_by_their_shares() -> None:
    assert styles.mix([((0.0, 1.0), 0.25), ((4.0, 1.0), 0.75)]) == (3.0, 1.0)
    with pytest.raises(ValueError, match="lengths"):
        styles.mix([((1.0,), 0.5), ((1.0, 2.0), 0.5)])


def own(name: str) -> styles.Style:
    return styles.Style(name, name, "", "", "a.jpg", "", "stylize", tuple(CODES["warm"]))


def test_a_style_that_is_kept_is_found_again(shipped: Path) -> None:
    path = styles.save(own("my-style-2"))
    assert path.parent == styles.own_folder()
    assert styles.catalogue()["my-style-2"] == own("my-style-2")
    assert [p.name for p in path.parent.iterdir()] == ["my-style-2.json"]


def test_a_kept_style_is_replaced_only_when_asked(shipped: Path) -> None:
    styles.save(own("mine"))
    with pytest.raises(OutputError, match="overwrite=True"):
        styles.save(own("mine"))
    styles.save(own("mine"), overwrite=True)


@pytest.mark.parametrize("name", ["", "Mine", "my style", "a/b", "..", "-a", "a--b", "a:b", "a,b", "ä"])
def test_a_name_that_could_not_be_written_after_style_is_refused(shipped: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"^name="):
        styles.save(own(name))


def test_the_name_of_a_shipped_style_cannot_be_taken(shipped: Path) -> None:
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="comes with vidcolor"):
            styles.save(own("warm"), overwrite)


def test_a_folder_that_cannot_be_made_is_said(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(styles.FOLDER_VARIABLE, str(tmp_path / "file" / "own"))
    with pytest.raises(OutputError, match="cannot be written"):
        styles.save(own("mine"))
