"""`vidcolor networks` and `vidcolor doctor`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from vidcolor.cli.console import answer, out


def networks(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the networks that are installed."""
    from vidcolor.networks.cards import available

    found = available()
    if as_json:
        answer([{"name": n.name, "path": str(n.path), "task": n.card.task, "licence": n.card.licence} for n in found])
        return
    table = Table("name", "task", "work size", "licence")
    for n in found:
        table.add_row(n.name, n.card.task, str(n.card.work_size), n.card.licence)
    out.print(table)


def doctor(
    gpu: Annotated[bool, typer.Option("--gpu", help="Test the NVIDIA path in earnest.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say which devices, backends and codecs work here, what is missing, and the command that would bring it."""
    from vidcolor.job.health import examine

    findings = examine(gpu)
    if as_json:
        answer(findings)
        return
    for group, rows in findings.items():
        table = Table(group, "", title_justify="left", show_header=True)
        for key, value in rows.items():
            table.add_row(key, str(value))
        out.print(table)
