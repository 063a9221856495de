"""The command line: words to a Job, messages, exit status. No logic."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from vidcolor import __version__, cli_styles
from vidcolor.console import PLAIN, err, out
from vidcolor.errors import InterruptedRunError, UsageError, VidcolorError

app = typer.Typer(**PLAIN)
others = typer.Typer(**PLAIN)
others.add_typer(cli_styles.app, name="styles")

OTHER_WORDS = "Other words: vidcolor styles · vidcolor networks · vidcolor doctor [--gpu]"
SIDES = {"fast": 256, "best": 640}
"""Words of --style-size."""


def seconds(text: str | None) -> Fraction | None:
    """Seconds, or [HH:]MM:SS[.fff], as an exact number."""
    if text is None:
        return None
    try:
        parts = [Fraction(part) for part in text.split(":")]
    except (ValueError, ZeroDivisionError):
        parts = []
    if not 1 <= len(parts) <= 3 or any(part < 0 for part in parts):
        raise typer.BadParameter(f"{text!r} is not a time; write seconds or HH:MM:SS")
    return sum((part * 60**place for place, part in enumerate(reversed(parts))), Fraction(0))


def named(text: str) -> Path:
    """A path that was named: an empty word would stand for the whole working folder."""
    if not text:
        raise typer.BadParameter("the name is empty")
    return Path(text)


def side(text: str | None) -> int | None:
    """The short side that a word of --style-size means; None for the network's own."""
    if text is None or text in SIDES:
        return SIDES.get(text or "")
    if not text.isdecimal():
        raise typer.BadParameter(f"--style-size {text!r}: a number of pixels, fast (256) or best (640)")
    return int(text)


def changes(texts: list[str] | None) -> tuple[tuple[Fraction, str], ...]:
    """TIME=STYLE, each."""
    found = []
    for text in texts or ():
        time, equals, style = text.partition("=")
        if not (equals and style):
            raise typer.BadParameter(f"--style-at {text!r}: write TIME=STYLE, as in 00:10=great-wave")
        found.append((seconds(time) or Fraction(0), style))
    return tuple(found)


def source_of_color(color_from: str | None, keep_colors: bool) -> str:
    """Whose colour a restyled film has."""
    if color_from not in (None, "film", "style"):
        raise typer.BadParameter(f"--color-from {color_from!r}: film or style")
    if keep_colors and color_from == "style":
        raise typer.BadParameter("--keep-colors and --color-from style exclude each other")
    return "film" if keep_colors else color_from or "style"


def version(asked: bool) -> None:
    if asked:
        out.print(f"vidcolor {__version__}")
        raise typer.Exit


@app.command(epilog=OTHER_WORDS)
def color(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Films, pictures, or a folder of them.", parser=named)],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="File, or folder for several; without it name.color.ext or name.STYLE.ext beside each."),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(help='Restyle: a name (see: vidcolor styles), a picture, or a mix such as "great-wave:0.7,sketch:0.3".'),
    ] = None,
    style_strength: Annotated[float, typer.Option(min=0, max=1, help="0 the film as it is, 1 all style.")] = 1.0,
    style_size: Annotated[str | None, typer.Option(help="Short side at which the style looks: pixels, fast (256), best (640).")] = None,
    style_at: Annotated[list[str] | None, typer.Option(help="Another style from a time on: 00:10=great-wave; may be repeated.")] = None,
    color_from: Annotated[str | None, typer.Option(help="Whose colour a restyled film has: film or style (default).")] = None,
    keep_colors: Annotated[bool, typer.Option("--keep-colors", help="As --color-from film.")] = False,
    vividness: Annotated[float, typer.Option(min=0, max=2, help="0 muted, 1 as most like it, 2 bold.")] = 1.0,
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
    threads: Annotated[int, typer.Option(min=0, help="Threads of decoder and encoder; 0 = all cores.")] = 0,
    prefetch: Annotated[int, typer.Option(min=1, max=256, help="Frames that a worker may be ahead.")] = 8,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks with errors.")] = False,
    _version: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Say the version.")] = False,
) -> None:
    """Colour black-and-white film, or restyle any. Sound, subtitles, timing and sharpness stay as they are.

    vidcolor film.mp4 -o out.mp4

    vidcolor film.mp4 --style anime -o out.mp4
    """
    common = {
        "vividness": vividness, "network": network, "device": device, "steady": steady, "codec": codec, "crf": crf, "preset": preset,
        "pix_fmt": pix_fmt, "lossless": lossless, "start": seconds(start), "end": seconds(end), "deinterlace": deinterlace,
        "recolor": recolor, "only_grey": only_grey, "drop_unsupported": drop_unsupported, "overwrite": overwrite, "resume": resume,
        "threads": threads, "prefetch": prefetch, "style": style, "style_strength": style_strength, "style_size": side(style_size),
        "color_from": source_of_color(color_from, keep_colors), "style_at": changes(style_at),
    }  # fmt: skip
    if steady not in ("off", "causal"):
        raise typer.BadParameter(f"--steady {steady!r}: off or causal")
    try:
        from vidcolor import job

        pairs = job.expand(inputs, output, style)
        if preview is not None and len(pairs) > 1:
            raise UsageError(f"--preview {preview}: is one sheet, but there are {len(pairs)} inputs")
    except (VidcolorError, KeyboardInterrupt) as error:
        sys.exit(fail(error, as_json, verbose, None))
    status, failed = 0, []
    for source, target in pairs:
        try:
            status = max(status, one(job.Job(source, target, **common), dry_run, preview, as_json))  # type: ignore[arg-type]
        except VidcolorError as error:
            status = max(status, fail(error, as_json, verbose, source))
            failed.append(source)
            if error.status == 130:
                break
        except KeyboardInterrupt as error:  # before the work began: there is nothing to go on from
            sys.exit(fail(error, as_json, verbose, source))
        except Exception as error:  # a fault of this program: said as such, and the rest of a batch goes on
            status = max(status, fail(error, as_json, verbose, source))
            failed.append(source)
    if failed and len(pairs) > 1 and not as_json:
        err.print(f"{len(failed)} of {len(pairs)} failed: " + ", ".join(map(str, failed)), markup=False)
    sys.exit(status)


def fail(error: BaseException, as_json: bool, verbose: bool, source: Path | None) -> int:
    """One line to standard error; returns the exit status."""
    if isinstance(error, KeyboardInterrupt):
        error = InterruptedRunError(f"{source}: stopped" if source else "stopped")
    status = error.status if isinstance(error, VidcolorError) else 1
    text = (
        str(error)
        if isinstance(error, VidcolorError)
        else f"{source}: {type(error).__name__}: {error}; this is a fault of vidcolor (-v tells more)"
    )
    if verbose:
        err.print("".join(traceback.format_exception(error)), markup=False)
    if as_json:
        print_event({"event": "error", "input": str(source) if source else None, "text": text})
        out.print(json.dumps({"input": str(source) if source else None, "status": status, "error": text}), markup=False)
    else:
        err.print(f"vidcolor: {text}", markup=False)
    return status


def one(asked: Any, dry_run: bool, preview: Path | None, as_json: bool) -> int:
    from vidcolor import job

    if preview is not None:
        job.preview(asked, preview)
        err.print(f"{preview}: before and after of frames across {asked.input}", markup=False)
        return 0
    if not dry_run and (report := job.finished(asked)):
        err.print(f"note: {report.notes[0]}", markup=False) if not as_json else out.print(json.dumps(report.as_dict()), markup=False)
        return 0
    plan = job.plan(asked)
    if dry_run:
        say_plan(plan.as_dict() | {"estimate": job.estimate(plan)}, as_json)
        return 0
    if as_json:
        report = job.run(plan, print_event)
        out.print(json.dumps(report.as_dict()), markup=False)
    else:
        for note in plan.notes:
            err.print(f"note: {note}", markup=False)
        report = watched(plan)
    for text in report.damage if not as_json else ():  # the report has it
        err.print(f"vidcolor: {asked.input}: damaged input: {text}", markup=False)
    return report.status


def print_event(event: dict[str, Any]) -> None:
    err.print(json.dumps(event), markup=False)


class Fps(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} fps" if task.speed else "")


def watched(plan: Any) -> Any:
    """Run with a progress bar on a terminal, with two plain lines elsewhere."""
    from vidcolor import job

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Fps(), TimeElapsedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=err) if err.is_terminal else None
    with bar or nullcontext():
        task = bar.add_task(plan.job.input.name, total=plan.frames) if bar else None

        def listen(event: dict[str, Any]) -> None:
            if event["event"] == "note":
                err.print(f"note: {event['text']}", markup=False)
            elif bar and task is not None and event["event"] == "frame":
                bar.update(task, completed=event["number"] + 1)

        report = job.run(plan, listen)
    err.print(f"{report.output}: {report.frames} frames in {report.seconds:.1f} s ({report.fps:.1f} fps) on {report.device}", markup=False)
    return report


def say_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        out.print(json.dumps(plan), markup=False)
        return
    kind = {"grey": "black-and-white", "tint": "tinted", "colour": "colour"}[plan["kind"]]
    length = f", {plan['frames']} frames" if plan["frames"] else ""
    left, top, width, height = plan["picture"]
    lines = [
        ("input", f"{plan['input']}: {kind} {'picture' if plan['still'] else 'film'}, {plan['video']}{'' if plan['still'] else length}"),
        ("output", f"{plan['output']}: {plan['encoder']}"),
        ("looked at", f"{width}x{height} from ({left}, {top}); what lies outside stays neutral" if plan["borders"] else ""),
        *(("copied", text) for text in plan["copied"]),
        *(("left out", text) for text in plan["dropped"]),
        ("network", f"{plan['network']}, vividness {plan['vividness']:g}, steady {plan['steady']}" if plan["network"] else ""),
        ("style", style_in_words(plan["style"])),
        ("device", plan["why"]),
        *(("note", text) for text in plan["notes"]),
        ("takes", f"about {plan['estimate']:.0f} s" if plan["estimate"] else ""),
    ]
    for key, text in lines:
        if text:
            out.print(f"{key + ':':<11}{text}", markup=False)


def style_in_words(style: dict[str, Any] | None) -> str:
    if style is None:
        return ""
    color = ", colour from the film" if style["color_from"] == "film" else ""
    later = "".join(f", from {time:g} s {name}" for time, name in style["changes"])
    return f"{style['name']}{later}, strength {style['strength']:g}, seen at {style['size']} by {style['network']}{color}"


@others.command()
def networks(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the networks that are installed."""
    from vidcolor.networks import available

    found = available()
    if as_json:
        out.print(
            json.dumps([{"name": n.name, "path": str(n.path), "task": n.card.task, "licence": n.card.licence} for n in found]), markup=False
        )
        return
    table = Table("name", "task", "work size", "licence")
    for n in found:
        table.add_row(n.name, n.card.task, str(n.card.work_size), n.card.licence)
    out.print(table)


@others.command()
def doctor(
    gpu: Annotated[bool, typer.Option("--gpu", help="Test the NVIDIA path in earnest.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say which devices, backends and codecs work here, what is missing, and the command that would bring it."""
    from vidcolor.doctor import examine

    findings = examine(gpu)
    if as_json:
        out.print(json.dumps(findings), markup=False)
        return
    for group, rows in findings.items():
        table = Table(group, "", title_justify="left", show_header=True)
        for key, value in rows.items():
            table.add_row(key, str(value))
        out.print(table)


def main(words: list[str] | None = None) -> None:
    """Entry point. The first word chooses: `networks`, `styles`, `doctor`; anything else is a film."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = sys.argv[1:] or ["--help"] if words is None else words
    asked = others if words and words[0] in ("networks", "styles", "doctor") else app
    try:
        status = asked(words, prog_name="vidcolor", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        status = InterruptedRunError.status
    except VidcolorError as error:
        status = fail(error, False, False, None)
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's and click's own, whichever of them reads the words
            raise
        err.print(f"vidcolor: {error.format_message()} (vidcolor --help tells all options)", markup=False)
        status = UsageError.status
    if status == InterruptedRunError.status:  # typer turns Ctrl-C into this status without a word; what was said ends by sys.exit
        err.print("vidcolor: stopped")
    sys.exit(status or 0)
