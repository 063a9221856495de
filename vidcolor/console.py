"""Where the command line speaks: standard output for answers, standard error for everything else."""

from __future__ import annotations

from typing import Any

from rich.console import Console

PLAIN: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
out, err = Console(soft_wrap=True, highlight=False, emoji=False), Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
