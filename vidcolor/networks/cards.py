"""Finds networks and checks their cards. A network is an ONNX file, NAME.onnx, with its card NAME.json beside it; never code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vidcolor.errors import DeviceError

Port = tuple[int | str, ...]
"""Dimensions of an input or output: a number, or a name that stands for any ("N", "H", "W", "H/4")."""

PLACES = (Path(__file__).parents[1] / "_networks", Path(__file__).parents[2] / "engines" / "networks")
"""Where the shipped networks lie: inside an installed package, else in the checkout that an editable install points to."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Pictures a network was trained on, and the class of their licence: free, research or unstated."""

    name: str
    licence: str


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a network.

    `inputs` and `outputs` by name; `work_size` is the short side it looks at in pixels, both sides multiples of `multiple`;
    `sha256` of the ONNX file; `licence` of the weights; `data`, `seed`, `hours`, `commit` and `crops` of their training; `metrics`
    as measured by benchmarks; `tolerance` the largest difference from the f32 answer by precision and output, relative above 1; `dial`
    the vividness positions 0, 1 and 2 as (temperature, tilt, gain), for the task "colorize" only; `f32_operators` what an fp16 build
    leaves in f32; `weights` the name of the network whose ONNX file this one uses, where it has none of its own; `mirror` whether the
    answers to a picture and to its mirror image are averaged.
    """

    name: str
    task: str
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    work_size: int
    multiple: int
    sha256: str
    licence: str
    data: tuple[DataSet, ...]
    seed: int
    hours: float
    commit: str
    crops: int
    metrics: Mapping[str, Any]
    tolerance: Mapping[str, Mapping[str, float]]
    dial: tuple[tuple[float, float, float], ...] = ()
    f32_operators: tuple[str, ...] = ()
    weights: str = ""
    mirror: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """An ONNX file and its card."""

    path: Path
    card: Card

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def golden(self) -> Path:
        """The golden sample: a .npz with inputs and f32 outputs by name."""
        return self.path.with_suffix(".npz")

    def shapes(self, batch: int, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the card's inputs, its names N, H and W replaced."""
        sizes = {"N": batch, "H": height, "W": width}
        return {name: tuple(size if isinstance(size, int) else sizes[size] for size in port) for name, port in self.card.inputs.items()}

    def vector_length(self, port: str) -> int:
        """Length of the vectors (N, D) of an input; 0 where the network has no such input."""
        return int(self.card.inputs.get(port, (0,))[-1])


def available() -> list[Network]:
    """The shipped networks by name, their files not yet verified. Raises DeviceError for a card that cannot be read."""
    return [_network(path) for path in sorted(_folder().glob("*.json"))]


def find(name: str, task: str = "") -> Network:
    """A shipped network by its name, or any by the path of its .onnx file; the file is verified against its card.

    Raises DeviceError where there is none, its card is missing or wrong, the file is damaged, or it is not for the `task` given.
    """
    if name.endswith(".onnx"):
        if not is_file(name):
            raise DeviceError(f"{name}: no such network file")
        network = Network(Path(name), read_card(Path(name).with_suffix(".json")))
    else:
        path = _folder() / f"{name}.json"
        if not is_file(path):
            names = ", ".join(card.stem for card in sorted(_folder().glob("*.json")))
            raise DeviceError(f"no network is called {name!r}: choose one of {names or 'none'}, or give the path of a .onnx file")
        network = _network(path)
    if hashlib.sha256(_read(network.path)).hexdigest() != network.card.sha256:
        raise DeviceError(f"{network.path}: network {network.name} is damaged, its sha256 is not that of its card: install vidcolor again")
    if task and network.card.task != task:
        raise DeviceError(f"network {network.name} is for the task {network.card.task}, not {task}: see vidcolor networks")
    return network


def read_card(path: Path) -> Card:
    """The card in a JSON file; one with `weights` says only what differs from the card of those.

    Raises DeviceError that says what is missing or wrong.
    """
    raw = _json(path)
    if isinstance(raw, dict) and isinstance(raw.get("weights"), str):
        raw = _json(path.with_name(f"{raw['weights']}.json")) | raw
    try:
        return _card(raw)
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DeviceError(f"{path}: the network's card is wrong: {what}") from error


def is_file(name: str | Path) -> bool:
    """Whether a word is the path of a file."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name that is too long, or holds what no path may
        return False


def _network(path: Path) -> Network:
    card = read_card(path)
    return Network(path.with_name(f"{card.weights or path.stem}.onnx"), card)


def _json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise DeviceError(f"{path}: the network's card is not JSON ({error})") from error


def _folder() -> Path:
    for place in PLACES:
        if place.is_dir():
            return place
    raise DeviceError(f"{PLACES[0]}: the networks are missing: install vidcolor again")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DeviceError(f"{path}: cannot be read ({error.strerror})") from error


def _card(raw: Any) -> Card:
    if not isinstance(raw, dict):
        raise TypeError("it is not an object")
    unknown = raw.keys() - {field.name for field in fields(Card)}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}")
    for name, kind in {"name": str, "task": str, "sha256": str, "licence": str, "commit": str, "metrics": dict, "tolerance": dict}.items():
        if not isinstance(raw[name], kind):
            raise TypeError(f"{name!r} is not {'text' if kind is str else 'an object'}")
    return Card(
        **{name: raw[name] for name in ("name", "task", "sha256", "licence", "commit", "metrics")},
        **{name: _number(raw[name], name, int) for name in ("work_size", "multiple", "seed", "crops")},
        hours=_number(raw["hours"], "hours", float),
        inputs=_ports(raw["inputs"], "inputs"),
        outputs=_ports(raw["outputs"], "outputs"),
        data=tuple(DataSet(str(entry["name"]), str(entry["licence"])) for entry in raw["data"]),
        tolerance={str(key): _tolerance(value, f"tolerance {key}", raw["outputs"]) for key, value in raw["tolerance"].items()},
        dial=tuple(_position(entry) for entry in (raw["dial"] if raw["task"] == "colorize" else raw.get("dial", ()))),
        f32_operators=tuple(map(str, raw.get("f32_operators", ()))),
        weights=str(raw.get("weights", "")),
        mirror=raw.get("mirror", False) is True,
    )


def _number(value: Any, name: str, kind: type[Any]) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind is int and not isinstance(value, int)) or value < 0:
        raise TypeError(f"{name!r} is not a {'whole number' if kind is int else 'number'} from 0")
    return kind(value)


def _ports(value: Any, name: str) -> dict[str, Port]:
    if not isinstance(value, dict) or not value:
        raise TypeError(f"{name!r} is not an object with shapes")
    for port, shape in value.items():
        if not isinstance(shape, list) or not all(isinstance(size, (int, str)) for size in shape):
            raise TypeError(f"{name!r}: the shape of {port!r} is not a list of numbers and names")
    return {port: tuple(shape) for port, shape in value.items()}


def _tolerance(value: Any, name: str, outputs: Any) -> dict[str, float]:
    if not isinstance(value, dict) or value.keys() != outputs.keys():
        raise TypeError(f"{name!r} is not an object with a number for every output")
    return {output: _number(number, name, float) for output, number in value.items()}


def _position(entry: Any) -> tuple[float, float, float]:
    if not isinstance(entry, list) or len(entry) != 3:
        raise TypeError("'dial' is not three numbers a position: temperature, tilt, gain")
    temperature, tilt, gain = (_number(value, "dial", float) for value in entry)
    return temperature, tilt, gain
