"""What a person asks for, checked where it is made: the same for command line, Python and files."""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from vidcolor.backends import NO_DEVICE, is_device
from vidcolor.errors import FieldError, UsageError
from vidcolor.wording import field

STYLE_SIDES = {"fast": 256, "best": 640}
"""Words for the short side at which a style network looks."""
LONGEST_TEXT = 4096
"""Bytes of a name or word."""
LONGEST_TIME = 10**9
"""Seconds beyond which nothing is a time in a film."""
TIME = re.compile(r"\d{1,9}(\.\d{0,12})?|\.\d{1,12}")
"""One part of a time as text. Without exponents: one of ten digits would be computed for ever."""


def seconds(value: Any) -> Fraction:
    """Seconds, or text as seconds or [HH:]MM:SS[.fff], as an exact number. Raises ValueError for what is no time."""
    wrong = ValueError("is not a time; write seconds or HH:MM:SS")
    if isinstance(value, str):
        parts = value.split(":")
        if len(parts) > 3 or not all(TIME.fullmatch(part) for part in parts):
            raise wrong
        return sum((Fraction(part) * 60**place for place, part in enumerate(reversed(parts))), Fraction(0))
    number = isinstance(value, numbers.Real | Decimal) and not isinstance(value, bool)
    if not number or not 0 <= value < LONGEST_TIME:
        raise wrong
    return Fraction(value) if isinstance(value, numbers.Rational) else Fraction(str(value))


def _between(low: float, high: float) -> AfterValidator:
    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be between {low:g} and {high:g}")
        return value

    return AfterValidator(check)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a number")
    return value


def _path(value: Any) -> Any:
    if isinstance(value, str) and not value:
        raise ValueError("the name is empty")
    if isinstance(value, str | os.PathLike):
        _writable(os.fspath(value))
    return Path(value) if isinstance(value, str | os.PathLike) else value


def _writable(text: Any) -> Any:
    """Text that no system call chokes on."""
    if isinstance(text, str):
        try:
            fits = len(os.fsencode(text)) <= LONGEST_TEXT and "\0" not in text
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise ValueError("holds what no name may, or is too long")
    return text


def _plain_number(value: Any) -> Any:
    """NumPy's and other numbers as Python's own."""
    if isinstance(value, bool | int | float) or not isinstance(value, numbers.Real):
        return value
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _device(value: str) -> str:
    if not is_device(value):
        raise ValueError(NO_DEVICE)
    return value


def _style_side(value: Any) -> Any:
    if isinstance(value, str):
        side = STYLE_SIDES.get(value, int(value) if value.isdecimal() and len(value) < 6 else None)
        if side is None:
            raise ValueError(f"must be a number of pixels, fast ({STYLE_SIDES['fast']}) or best ({STYLE_SIDES['best']})")
        return side
    return value


def _pairs(value: Any) -> Any:
    """Lists as tuples: both are pairs to a person."""
    if not isinstance(value, list | tuple) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        raise ValueError("must be pairs of a time and a style")
    return tuple(tuple(pair) for pair in value)


Seconds = Annotated[Fraction, BeforeValidator(seconds)]
Text = Annotated[str, AfterValidator(_writable)]
Number = Annotated[float, BeforeValidator(_plain_number)]
Whole = Annotated[int, BeforeValidator(_plain_number)]
FilePath = Annotated[Path, BeforeValidator(_path)]
T = TypeVar("T")


def _with_own_errors(kind: type[T]) -> type[T]:
    """A pydantic dataclass that raises this program's own errors, by field name."""
    made: Callable[..., None] = kind.__init__

    def __init__(self: T, *values: Any, **named: Any) -> None:  # noqa: N807
        try:
            made(self, *values, **named)
        except ValidationError as error:
            raise _own_error(error.errors()[0]) from None

    kind.__init__ = __init__  # type: ignore[method-assign, assignment]
    return kind


def _own_error(error: Any) -> UsageError:
    """The first thing that pydantic found wrong, in this program's words."""
    name, kind = error["loc"][0] if error["loc"] else "", error["type"]
    if isinstance(name, int):  # given by position
        name = list(DEFAULTS)[name]
    if kind == "unexpected_keyword_argument":
        return UsageError(f"{name}: no such field of a job", name)
    if kind in ("missing", "missing_argument"):
        return UsageError(f"{field(name)}: is missing", name)
    whys = {
        "float_type": "must be a number",
        "int_type": "must be a whole number",
        "bool_type": "must be True or False",
        "string_type": "must be text",
        "is_instance_of": "must be a path",
        "path_type": "must be a path",
    }
    if kind == "value_error":
        why = str(error["ctx"]["error"])
    elif kind == "literal_error":
        why = f"must be {error['ctx']['expected']}".replace("'", "")
    else:
        why = whys.get(kind, str(error["msg"]))
    return FieldError(name, error["input"], why)


@_with_own_errors
@dataclass(frozen=True, slots=True, config=ConfigDict(strict=True, arbitrary_types_allowed=True, extra="forbid"))
class Job:
    """What a person asked for.

    `vividness` 0 is muted, 1 balanced, 2 bold. Times are seconds from the film's start, or text as HH:MM:SS. `threads` are those of
    decoder and encoder, 0 for every core this process may use. `style` is a name, a picture or a mix, `style_at` pairs of a time and the
    style from there on; `style_size` the short side at which the style network looks: pixels, "fast", "best", or None for its own.

    Raises UsageError, whose `field` names what is wrong.
    """

    input: FilePath
    out: FilePath
    vividness: Annotated[Number, _between(0, 2)] = 1.0
    network: Text = "colorize-fast"
    device: Annotated[Text, AfterValidator(_device)] = "auto"
    steady: Literal["off", "causal"] = "causal"
    codec: Text | None = None
    crf: Annotated[Number, AfterValidator(_finite)] | None = None
    preset: Text | None = None
    pix_fmt: Text | None = None
    lossless: bool = False
    start: Seconds | None = None
    end: Seconds | None = None
    deinterlace: bool = False
    recolor: bool = False
    only_grey: bool = False
    drop_unsupported: bool = False
    overwrite: bool = False
    resume: bool = False
    threads: Annotated[Whole, _between(0, 1024)] = 0
    prefetch: Annotated[Whole, _between(1, 256)] = 8
    style: Text | None = None
    style_strength: Annotated[Number, _between(0, 1)] = 1.0
    style_size: Annotated[Whole | None, BeforeValidator(_style_side)] = None
    color_from: Literal["film", "style"] = "style"
    style_at: Annotated[tuple[tuple[Seconds, Text], ...], BeforeValidator(_pairs)] = ()

    def __post_init__(self) -> None:
        """Fields that contradict each other."""
        if self.end is not None and self.end <= (self.start or 0):
            begin = field("start", self.start) if self.start else "0"
            raise FieldError("end", self.end, f"must be later than {begin}")
        if self.recolor and self.only_grey:
            both = f"{field('recolor', True)} and {field('only_grey', True)}"
            raise UsageError(f"{both} exclude each other: all shots anew, or the grey ones alone", "only_grey")
        if self.style is None and (given := [name for name in STYLE_FIELDS if getattr(self, name) != DEFAULTS[name]]):
            words = " ".join(field(name) for name in given)
            raise UsageError(f"{words}: says how to restyle, but there is no {field('style')}", given[0])


STYLE_FIELDS = ("style_strength", "style_size", "color_from", "style_at")
"""What means nothing without a style."""
FILM_FIELDS = ("codec", "crf", "preset", "pix_fmt", "lossless", "start", "end", "deinterlace", "only_grey", "style_at")
"""What does nothing to a picture."""
DEFAULTS = {each.name: each.default for each in dataclasses.fields(Job)}


def given(job: Job, names: tuple[str, ...]) -> list[str]:
    """Those of the fields that were set to something else than their default."""
    return [name for name in names if getattr(job, name) != DEFAULTS[name]]
