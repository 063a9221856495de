"""`vidcolor FILM`: words of the command line to jobs, and what is said of each."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidcolor.cli.console import fail, out, tell
from vidcolor.errors import FieldError, InterruptedRunError, UsageError, VidcolorError
from vidcolor.version import __version__

if TYPE_CHECKING:
    from vidcolor.job.segments import Lengths
    from vidcolor.pipeline.sessions import SessionPool


@dataclass(frozen=True, slots=True)
class Tools:
    """What films are run with: makes the pool that holds their networks, and how long segments are (None: as usual)."""

    pool: Callable[[], SessionPool] | None = None
    lengths: Lengths | None = None


OTHER_WORDS = "Other words: vidcolor styles · vidcolor networks · vidcolor doctor [--gpu]"


def nonempty_path(text: str) -> Path:
    """A path that was named: an empty word would stand for the whole working folder."""
    if not text:
        raise typer.BadParameter("the name is empty")
    return Path(text)


def changes(texts: list[str] | None) -> tuple[tuple[str, str], ...]:
    """TIME=STYLE, each."""
    found = []
    for text in texts or ():
        time, equals, style = text.partition("=")
        if not (equals and style):
            raise FieldError("style_at", text, "write TIME=STYLE, as in 00:10=great-wave")
        found.append((time, style))
    return tuple(found)


def source_of_color(color_from: str | None, keep_colors: bool) -> str:
    """Whose colour a restyled film has."""
    if keep_colors and color_from == "style":
        raise UsageError("--keep-colors and --color-from style exclude each other", "color_from")
    return "film" if keep_colors else color_from or "style"


def version(asked: bool) -> None:
    if asked:
        out.print(f"vidcolor {__version__}")
        raise typer.Exit


def color(
    context: typer.Context,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Films, pictures, or a folder of them.", parser=nonempty_path)],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="File, or folder for several; without it name.color.ext or name.STYLE.ext beside each."),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(help='Restyle: a name (see: vidcolor styles), a picture, or a mix such as "great-wave:0.7,sketch:0.3".'),
    ] = None,
    style_strength: Annotated[float, typer.Option(help="0 the film as it is, 1 all style.")] = 1.0,
    style_size: Annotated[str | None, typer.Option(help="Short side at which the style looks: pixels, fast (256), best (640).")] = None,
    style_at: Annotated[list[str] | None, typer.Option(help="Another style from a time on: 00:10=great-wave; may be repeated.")] = None,
    color_from: Annotated[str | None, typer.Option(help="Whose colour a restyled film has: film or style (default).")] = None,
    keep_colors: Annotated[bool, typer.Option("--keep-colors", help="As --color-from film.")] = False,
    vividness: Annotated[float, typer.Option(help="0 muted, 1 balanced, 2 bold.")] = 1.0,
    network: Annotated[str, typer.Option(help="Name of a network (see: vidcolor networks) or a .onnx file.")] = "colorize-fast",
    device: Annotated[str, typer.Option(help="auto, cpu, tensorrt[:n] or openvino:GPU.")] = "auto",
    steady: Annotated[str, typer.Option(help="causal: colour and style follow motion; off: every frame for itself.")] = "causal",
    codec: Annotated[str | None, typer.Option(help="h264 (default), hevc, av1, vp9, ffv1, prores, dnxhr, or an FFmpeg encoder.")] = None,
    crf: Annotated[float | None, typer.Option(help="Quality of the encoder; lower is better.")] = None,
    preset: Annotated[str | None, typer.Option(help="Speed of the encoder, in its own words.")] = None,
    pix_fmt: Annotated[str | None, typer.Option(help="Pixel format of the output, in FFmpeg's words.")] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Encode without loss, where the codec can.")] = False,
    start: Annotated[str | None, typer.Option(help="Begin here: seconds or HH:MM:SS.")] = None,
    end: Annotated[str | None, typer.Option(help="End here.")] = None,
    deinterlace: Annotated[bool, typer.Option("--deinterlace", help="Make an interlaced film progressive.")] = False,
    recolor: Annotated[bool, typer.Option("--recolor", help="Colour a film anew that has colour already.")] = False,
    only_grey: Annotated[bool, typer.Option("--only-grey", help="In a mixed film colour just the grey shots.")] = False,
    drop_unsupported: Annotated[bool, typer.Option("--drop-unsupported", help="Leave out streams that the target cannot hold.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run of this command stopped.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    preview: Annotated[
        Path | None, typer.Option(help="Write a before/after sheet (PNG) of frames across the film, and nothing else.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on standard output, events on standard error.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of decoder and encoder; 0 = all cores.")] = 0,
    prefetch: Annotated[int, typer.Option(help="Frames that a worker may be ahead.")] = 8,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks with errors.")] = False,
    _version: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Say the version.")] = False,
) -> None:
    """Colour black-and-white film, or restyle any. Sound, subtitles, timing and sharpness stay as they are.

    vidcolor film.mp4 -o out.mp4

    vidcolor film.mp4 --style anime -o out.mp4
    """
    try:
        asked = {
            "vividness": vividness, "network": network, "device": device, "steady": steady, "codec": codec, "crf": crf, "preset": preset,
            "pix_fmt": pix_fmt, "lossless": lossless, "start": start, "end": end, "deinterlace": deinterlace, "recolor": recolor,
            "only_grey": only_grey, "drop_unsupported": drop_unsupported, "overwrite": overwrite, "resume": resume, "threads": threads,
            "prefetch": prefetch, "style": style, "style_strength": style_strength, "style_size": style_size,
            "color_from": source_of_color(color_from, keep_colors), "style_at": changes(style_at),
        }  # fmt: skip
        batch = Batch(asked, dry_run, preview, as_json, verbose, context.obj)
        pairs = batch.pairs(inputs, output)
    except (VidcolorError, KeyboardInterrupt) as error:
        sys.exit(fail(error, as_json, verbose, None))
    sys.exit(batch.run(pairs))


class Batch:
    """What was asked of one film or of several, and how it is told."""

    def __init__(self, asked: dict[str, Any], dry_run: bool, preview: Path | None, as_json: bool, verbose: bool, tools: Tools) -> None:
        self.tools = tools
        self.asked, self.dry_run, self.preview, self.as_json, self.verbose = asked, dry_run, preview, as_json, verbose

    def pairs(self, inputs: list[Path], output: str | None) -> list[tuple[Path, Path]]:
        """Inputs with their outputs. Raises where words cannot be, before any film is opened."""
        from vidcolor.job import expand
        from vidcolor.pipeline.job import Job

        Job(Path("input"), Path("output"), **self.asked)  # a wrong word is said once, and before a folder is made
        pairs = expand(inputs, output, self.asked["style"])
        if self.preview is not None and len(pairs) > 1:
            raise FieldError("preview", self.preview, f"is one sheet, but there are {len(pairs)} inputs")
        return pairs

    def run(self, pairs: list[tuple[Path, Path]]) -> int:
        """Each in its turn; one that fails does not stop the others. Returns the highest status."""
        from vidcolor.pipeline.sessions import SessionPool

        status, failed, waiting = 0, list[Path](), deque(pairs)
        with (self.tools.pool or SessionPool)() as pool:
            while waiting:
                source, target = waiting.popleft()
                try:
                    status = max(status, self.run_one(source, target, pool))
                except (Exception, KeyboardInterrupt) as error:  # a fault of this program is said as such
                    found = fail(error, self.as_json, self.verbose, source)
                    status = max(status, found)
                    if found == InterruptedRunError.status:
                        break
                    failed.append(source)
        if failed and len(pairs) > 1 and not self.as_json:
            tell(f"{len(failed)} of {len(pairs)} failed: " + ", ".join(map(str, failed)))
        if waiting and not self.as_json:
            tell("not begun: " + ", ".join(str(source) for source, _ in waiting))
        return status

    def run_one(self, source: Path, target: Path, pool: SessionPool) -> int:
        """Preview, plan or run one film; returns the exit status."""
        from vidcolor.cli import running
        from vidcolor.pipeline.job import Job

        job = Job(source, target, **self.asked)
        if self.preview is not None:
            return running.show_preview(job, self.preview, pool)
        if self.dry_run:
            return running.show_plan(job, pool, self.as_json)
        return running.run_one(job, pool, self.as_json, self.tools.lengths)
