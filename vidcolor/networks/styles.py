"""Finds named styles and checks them. A style is a JSON file, NAME.json: a code for a style network and where it comes from; never code.

Shipped styles lie in `styles` beside the networks, a person's own in a folder of that person.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from platformdirs import user_data_dir

from vidcolor.errors import DeviceError, FieldError, OutputError, UsageError
from vidcolor.networks import cards as networks
from vidcolor.wording import field

FOLDER_VARIABLE = "VIDCOLOR_STYLES"
"""Environment variable that names another folder for a person's own styles."""
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TOLERANCE = 0.01
"""By which the weights of a mix may miss 1."""


@dataclass(frozen=True, slots=True)
class Style:
    """A named style: `code` for the network of that name, empty where that has one style alone; `title`, `painter`, `date`, `source` and
    `licence` of the picture behind it.

    `encoder` is the start of the sha256 of the style encoder that made the code, empty where it was tuned with the network.
    """

    name: str
    title: str
    painter: str
    date: str
    source: str
    licence: str
    network: str
    code: tuple[float, ...]
    encoder: str = ""


def own_folder() -> Path:
    """Where a person's own styles lie."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else Path(user_data_dir("vidcolor")) / "styles"


def catalogue() -> dict[str, Style]:
    """Every style by name: those that are shipped, then a person's own. Raises DeviceError for a file that cannot be read."""
    shipped = next((place / "styles" for place in networks.PLACES if place.is_dir()), None)
    found: dict[str, Style] = {}
    for folder in (shipped, own_folder()):
        for path in sorted(folder.glob("*.json")) if folder else ():
            found.setdefault(path.stem, read_style(path))
    return found


def read_style(path: Path) -> Style:
    """The style in a JSON file. Raises DeviceError that says what is missing or wrong."""
    try:
        raw = json.loads(path.read_bytes())
        return _style(raw, path.stem)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be read ({error.strerror})") from error
    except KeyError as error:
        raise DeviceError(f"{path}: the style is damaged: {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise DeviceError(f"{path}: the style is damaged: {error}") from error


def _style(raw: Any, stem: str) -> Style:
    if not isinstance(raw, dict):
        raise TypeError("it is not an object")
    if unknown := raw.keys() - {each.name for each in fields(Style)}:
        raise ValueError(f"unknown field {min(unknown)!r}")
    texts = {name: raw[name] for name in ("name", "title", "painter", "date", "source", "licence", "network")}
    texts["encoder"] = raw.get("encoder", "")
    for name, value in texts.items():
        if not isinstance(value, str):
            raise TypeError(f"{name!r} is not text")
    if texts["name"] != stem:
        raise ValueError(f"it is called {texts['name']!r}, and its file {stem!r}")
    code = raw["code"]
    if not isinstance(code, list) or not all(type(value) in (int, float) and math.isfinite(value) for value in code):
        raise TypeError("'code' is not a list of numbers")
    return Style(**texts, code=tuple(map(float, code)))


def check_name(name: str, overwrite: bool = False) -> Path:
    """The file of a person's own style of this name.

    Raises UsageError for a name that is not made of small letters, digits and hyphens or belongs to a shipped style, OutputError
    where it exists already.
    """
    if not NAME.fullmatch(name):
        raise FieldError("name", name, "use small letters, digits and single hyphens, as in my-style")
    path = own_folder() / f"{name}.json"
    if not path.exists() and name in catalogue():
        raise FieldError("name", name, "is a style that comes with vidcolor; choose another name")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists; use {field('overwrite', True)} to replace it or choose another {field('name')}")
    return path


def save(style: Style, overwrite: bool = False) -> Path:
    """Keep a person's own style; returns its file. Raises what `check_name` raises, and OutputError where it cannot be written."""
    path = check_name(style.name, overwrite)
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(asdict(style)), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def parse_mix(word: str) -> list[tuple[str, float]]:
    """The parts of a word that names a style, and their shares, which sum to 1: "sketch", "a.jpg", "great-wave:0.7,sketch:0.3".

    Parts without weights have equal shares. A word that is the path of a file is one part. Raises UsageError for weights that are
    negative, do not sum to 1 within 0.01, or are given for some parts only, and for empty parts.
    """
    if networks.is_file(word):
        return [(word, 1.0)]
    parts = [_part(text.strip(), word) for text in word.split(",")]
    weights = [weight for _, weight in parts if weight is not None]
    if not weights:
        return [(name, 1 / len(parts)) for name, _ in parts]
    if len(weights) < len(parts):
        raise FieldError("style", word, "give a weight to every style of the mix, or to none")
    if any(not weight >= 0 for weight in weights):
        raise FieldError("style", word, "weights must not be negative")
    total = sum(weights)
    if not abs(total - 1) <= TOLERANCE:
        hint = f"; for less of a style use {field('style_strength')}" if len(parts) == 1 else ""
        raise FieldError("style", word, f"the weights sum to {total:g}, and must sum to 1{hint}")
    return [(name, weight / total) for (name, _), weight in zip(parts, weights, strict=True)]


def _part(text: str, word: str) -> tuple[str, float | None]:
    if not text:
        raise FieldError("style", word, "a style's name is empty")
    name, colon, weight = (piece.strip() for piece in text.rpartition(":"))
    if not colon or networks.is_file(text):
        return text, None
    try:
        return name, float(weight)
    except ValueError:
        if NAME.fullmatch(name):
            raise FieldError("style", word, f"{weight!r} is not a weight; write numbers, as in {name}:0.5") from None
        return text, None


def unknown_style_error(name: str, known: Mapping[str, Style]) -> UsageError:
    """The error for a name that is neither a style nor a picture, with the nearest names."""
    if Path(name).suffix or "/" in name or os.sep in name:
        return FieldError("style", name, "no such picture")
    near = difflib.get_close_matches(name.lower(), known, 3, 0.5)
    offer = f"did you mean {' or '.join(near)}?" if near else "vidcolor styles lists them all"
    if not known:
        offer = "this version of vidcolor comes without styles, their networks are still in training"
    return FieldError("style", name, f"no such style; {offer}")


def mix(codes: Sequence[tuple[Sequence[float], float]]) -> tuple[float, ...]:
    """The mean of codes by their shares. Raises ValueError where they differ in length."""
    if len({len(code) for code, _ in codes}) != 1:
        raise ValueError("codes of different lengths cannot be mixed")
    return tuple(sum(share * code[place] for code, share in codes) for place in range(len(codes[0][0])))
