"""`vidcolor styles`: lists them, shows them on a frame, adds a person's own. Words to functions; no logic."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from vidcolor.cli.console import PLAIN, answer, out, tell

app = typer.Typer(**PLAIN, invoke_without_command=True)


@app.callback()
def styles(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    gallery: Annotated[Path | None, typer.Option(help="Write every style on one frame: a page (.html) or a picture (.png, .jpg).")] = None,
    on: Annotated[Path | None, typer.Option(help="The picture or film whose frame a gallery shows.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, tensorrt[:n] or openvino:GPU.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a gallery that exists.")] = False,
) -> None:
    """List the styles that --style knows by name, or show them on a frame."""
    if context.invoked_subcommand:
        return
    if (gallery is None) != (on is None):
        raise typer.BadParameter("--gallery OUT.html and --on PICTURE_OR_FILM go together")
    if gallery is not None and on is not None:
        from vidcolor.job.gallery import gallery as show

        count = show(on, gallery, device, overwrite)
        tell(f"{gallery}: {count} styles on a frame of {on}")
        return
    from vidcolor.networks.styles import catalogue

    found = catalogue()
    if as_json:
        answer([{k: v for k, v in asdict(style).items() if k not in ("code", "encoder")} for style in found.values()])
        return
    table = Table("name", "title", "painter", "date", "licence")
    for style in found.values():
        table.add_row(style.name, style.title, style.painter, style.date, style.licence)
    out.print(table)


@app.command()
def add(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="The picture whose style is wanted.")],
    name: Annotated[str, typer.Option(help="What --style will call it; without it the picture's own name.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, tensorrt[:n] or openvino:GPU.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a style of your own of this name.")] = False,
) -> None:
    """Keep the style of a picture under a name."""
    from vidcolor.job.styling import add_style

    style, path = add_style(picture, name, device, overwrite)
    tell(f"style {style} is kept in {path}; use it with --style {style}")
