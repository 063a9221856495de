"""How messages name the fields of a job: `crf=18` to whoever calls from Python, `--crf 18` on the command line.

Every floor may speak of a field, none knows how it was given. Who talks to the person says how, around all that it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

LARGEST, LONGEST = 10**18, 200
"""Beyond which a number, or the length of a text, is not repeated to the person who gave it."""
Wording = Callable[[str, object], str]
"""From a field's name and a value (None: the field as such) to how this person gives it."""


def in_python(name: str, value: object) -> str:
    """As a keyword argument."""
    return name if value is None else f"{name}={shown(value)!r}" if isinstance(value, str) else f"{name}={shown(value)}"


def shown(value: object) -> str:
    """A value in as few characters as say it: 0.5 and 2 rather than 1/2 and 2.0."""
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a very large number"
    text = f"{float(value):g}" if isinstance(value, float | Fraction) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


_wording: Wording = in_python


def field(name: str, value: object = None) -> str:
    """A field of a job, or the field with a value, as the person at hand gives it."""
    return _wording(name, value)


@contextmanager
def spoken(wording: Wording) -> Iterator[None]:
    """While this lasts, messages name fields in these words."""
    global _wording
    before, _wording = _wording, wording
    try:
        yield
    finally:
        _wording = before
