"""Finding networks in both places, and refusing damaged files and wrong cards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vidcolor.errors import DeviceError
from vidcolor.networks import cards as networks

CHECKOUT = Path(__file__).parents[2] / "engines" / "networks"


@pytest.fixture
def places(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """An installed package without networks and a checkout that has them."""
    package, checkout = tmp_path / "package" / "_networks", tmp_path / "engines" / "networks"
    shutil.copytree(CHECKOUT, checkout)
    monkeypatch.setattr(networks, "PLACES", (package, checkout))
    return package, checkout


def card_of(folder: Path) -> dict:
    return json.loads((folder / "colorize-fast.json").read_text(encoding="utf-8"))


def write_card(folder: Path, card: object) -> Path:
    path = folder / "colorize-fast.json"
    path.write_text(json.dumps(card), encoding="utf-8")
    return path


def test_places_are_those_of_package_and_checkout():
    assert networks.PLACES[0].parts[-2:] == ("vidcolor", "_networks")
    assert networks.PLACES[1].parts[-2:] == ("engines", "networks")


def test_a_checkout_gives_its_own_networks(places):
    found = networks.find("colorize-fast")
    assert found.path == places[1] / "colorize-fast.onnx" and found.name == "colorize-fast"
    assert found.golden.is_file()


def test_an_installed_package_comes_before_a_checkout(places):
    package, checkout = places
    shutil.copytree(checkout, package)
    assert networks.find("colorize-fast").path == package / "colorize-fast.onnx"
    assert {network.path.parent for network in networks.available()} == {package}


def test_available_networks_are_listed_by_name(places):
    before = [network.name for network in networks.available()]
    shutil.copy(places[1] / "colorize-fast.onnx", places[1] / "another.onnx")
    (places[1] / "another.json").write_text(json.dumps(card_of(places[1]) | {"name": "another"}), encoding="utf-8")
    assert [network.name for network in networks.available()] == ["another", *before]


def test_a_network_can_use_the_weights_of_another(places):
    card = {"name": "careful", "weights": "colorize-fast", "work_size": 320, "mirror": True}
    (places[1] / "careful.json").write_text(json.dumps(card), encoding="utf-8")
    found, base = networks.find("careful"), networks.find("colorize-fast")
    assert found.path == base.path and found.golden == base.golden
    assert (found.name, found.card.work_size, found.card.mirror) == ("careful", 320, True)
    assert (found.card.sha256, base.card.mirror) == (base.card.sha256, False)


def test_weights_that_are_not_there_are_said(places):
    (places[1] / "careful.json").write_text(json.dumps({"name": "careful", "weights": "nothing"}), encoding="utf-8")
    with pytest.raises(DeviceError, match=r"nothing\.json"):
        networks.find("careful")


def test_no_networks_at_all_is_said(places, monkeypatch, tmp_path):
    monkeypatch.setattr(networks, "PLACES", (tmp_path / "nowhere",))
    for ask in (networks.available, lambda: networks.find("colorize-fast")):
        with pytest.raises(DeviceError, match="missing: install vidcolor again"):
            ask()


def test_an_unknown_name_lists_the_known_ones(places):
    with pytest.raises(DeviceError, match=r"'colorize-slow'.*colorize-fast"):
        networks.find("colorize-slow")


def test_a_network_is_found_by_path_with_its_card_beside_it(places, tmp_path):
    for suffix in (".onnx", ".json"):
        shutil.copy(places[1] / f"colorize-fast{suffix}", tmp_path / f"mine{suffix}")
    found = networks.find(str(tmp_path / "mine.onnx"))
    assert found.path == tmp_path / "mine.onnx" and found.card.work_size == 256


def test_a_path_without_a_card_or_a_file_is_refused(places, tmp_path):
    shutil.copy(places[1] / "colorize-fast.onnx", tmp_path / "mine.onnx")
    with pytest.raises(DeviceError, match=r"mine\.json"):
        networks.find(str(tmp_path / "mine.onnx"))
    with pytest.raises(DeviceError, match=r"yours\.onnx: no such network file"):
        networks.find(str(tmp_path / "yours.onnx"))


@pytest.mark.parametrize("damage", ["one bit", "cut off", "empty", "longer"])
def test_a_damaged_network_is_found_out_in_one_line(places, damage):
    path = places[1] / "colorize-fast.onnx"
    data = bytearray(path.read_bytes())
    if damage == "one bit":
        data[len(data) // 2] ^= 1
    path.write_bytes({"cut off": data[:-1], "empty": b"", "longer": data + b"\0"}.get(damage, bytes(data)))
    with pytest.raises(DeviceError, match=r"network colorize-fast is damaged") as caught:
        networks.find("colorize-fast")
    assert "\n" not in str(caught.value) and caught.value.status == 6


@pytest.mark.parametrize("field", list(card_of(CHECKOUT)))
def test_every_field_of_a_card_is_needed_and_named_when_missing(places, field):
    card = card_of(places[1])
    del card[field]
    with pytest.raises(DeviceError, match=rf"colorize-fast\.json: .*'{field}' is missing"):
        networks.read_card(write_card(places[1], card))


@pytest.mark.parametrize(
    "change",
    [
        {"work_size": "256"}, {"work_size": 256.5}, {"multiple": True}, {"seed": -1}, {"hours": "one"}, {"name": 3}, {"metrics": []},
        {"inputs": {}}, {"inputs": ["luma"]}, {"outputs": {"chroma": "N"}}, {"outputs": {"chroma": [1.5]}}, {"data": [{"name": "x"}]},
        {"tolerance": {"f32": None}}, {"tolerance": {"f32": {}}}, {"tolerance": 1}, {"dial": [[1, 1]]}, {"dial": 1}, {"surprise": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_card_is_refused_in_one_line(places, change):
    with pytest.raises(DeviceError, match=r"colorize-fast\.json: the network's card is wrong") as caught:
        networks.read_card(write_card(places[1], card_of(places[1]) | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_card_that_is_no_json_object_is_refused(places, text):
    path = places[1] / "colorize-fast.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeviceError, match=r"colorize-fast\.json"):
        networks.find("colorize-fast")


def test_only_generators_need_a_dial(places):
    card = card_of(places[1]) | {"task": "stylize"}
    del card["dial"]
    assert networks.read_card(write_card(places[1], card)).dial == ()
    assert len(networks.read_card(write_card(places[1], card_of(places[1]) | {"task": "colorize", "dial": [[1, 1, 1]]})).dial) == 1


def test_a_network_for_another_task_is_refused(places):
    assert networks.find("colorize-fast", "colorize").name == "colorize-fast"
    with pytest.raises(DeviceError, match="for the task colorize, not stylize"):
        networks.find("colorize-fast", "stylize")
