"""Chooses the command by the first word, and answers with the exit status."""

from __future__ import annotations

import signal
import sys

import typer

from vidcolor.cli import color, doctor, styles
from vidcolor.cli.console import PLAIN, fail, in_words, tell
from vidcolor.errors import InterruptedRunError, UsageError, VidcolorError
from vidcolor.wording import spoken

films = typer.Typer(**PLAIN)
films.command(epilog=color.OTHER_WORDS)(color.color)
others = typer.Typer(**PLAIN)
others.add_typer(styles.app, name="styles")
others.command()(doctor.networks)
others.command()(doctor.doctor)


def main(words: list[str] | None = None, tools: color.Tools | None = None) -> None:
    """Entry point. The first word chooses: `networks`, `styles`, `doctor`; anything else is a film. `tools` are what films are run with."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = sys.argv[1:] or ["--help"] if words is None else words
    asked = others if words and words[0] in ("networks", "styles", "doctor") else films
    with spoken(in_words):
        sys.exit(status_of(asked, words, tools or color.Tools()))


def status_of(asked: typer.Typer, words: list[str], tools: color.Tools) -> int:
    """Do what was asked; returns the exit status."""
    try:
        status = asked(words, prog_name="vidcolor", standalone_mode=False, obj=tools)
    except (KeyboardInterrupt, typer.Abort):
        status = InterruptedRunError.status
    except VidcolorError as error:
        status = fail(error, False, False, None)
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's and click's own, whichever of them reads the words
            raise
        tell(f"vidcolor: {error.format_message()} (vidcolor --help tells all options)")
        status = UsageError.status
    if status == InterruptedRunError.status:  # typer turns Ctrl-C into this status without a word; what was said ends by sys.exit
        tell("vidcolor: stopped")
    return int(status or 0)
