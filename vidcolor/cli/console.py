"""Where the command line speaks: standard output for answers, standard error for everything else."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

from rich.console import Console

from vidcolor.errors import InterruptedRunError, VidcolorError
from vidcolor.wording import shown

PLAIN: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
out, err = Console(soft_wrap=True, highlight=False, emoji=False), Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def in_words(name: str, value: object) -> str:
    """A field of a job as a word of the command line."""
    if name == "input":
        return str(value)
    word = "-o" if name == "out" else f"--{name.replace('_', '-')}"
    return word if value is None or value is True else f"{word} {shown(value)}"


def tell(text: str) -> None:
    """A line to standard error."""
    err.print(text, markup=False)


def answer(value: Any) -> None:
    """JSON, a line, to standard output."""
    out.print(json.dumps(value), markup=False)


def tell_event(event: dict[str, Any]) -> None:
    """JSON, a line, to standard error."""
    tell(json.dumps(event))


def fail(error: BaseException, as_json: bool, verbose: bool, source: Path | None) -> int:
    """One line to standard error; returns the exit status."""
    if isinstance(error, KeyboardInterrupt):
        error = InterruptedRunError(f"{source}: stopped" if source else "stopped")
    known = isinstance(error, VidcolorError)
    status = error.status if isinstance(error, VidcolorError) else 1
    text = str(error) if known else f"{source}: {type(error).__name__}: {error}; this is a fault of vidcolor (-v tells more)"
    if verbose:
        tell("".join(traceback.format_exception(error)))
    if as_json:
        tell_event({"event": "error", "input": str(source) if source else None, "text": text})
        answer({"input": str(source) if source else None, "status": status, "error": text})
    else:
        tell(f"vidcolor: {text}")
    return status
