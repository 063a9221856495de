"""One film by the command line: previewed, planned, or run with its progress shown."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from vidcolor import job as jobs
from vidcolor.cli.console import answer, err, out, tell, tell_event
from vidcolor.errors import InterruptedRunError
from vidcolor.job.segments import Lengths
from vidcolor.pipeline.events import Cancel, Event, FrameDone, Note, Started
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.model import Plan, Report
from vidcolor.pipeline.sessions import SessionPool


def show_preview(job: Job, sheet: Path, pool: SessionPool) -> int:
    """Write a before/after sheet; returns the exit status."""
    jobs.preview(job, sheet, pool)
    tell(f"{sheet}: before and after of frames across {job.input}")
    return 0


def show_plan(job: Job, pool: SessionPool, as_json: bool) -> int:
    """Say what would be done; returns the exit status."""
    plan = jobs.plan(job, pool)
    said = plan.as_dict() | {"estimate": jobs.estimate(plan, pool)}
    if as_json:
        answer(said)
    else:
        say_plan(said)
    return 0


def run_one(job: Job, pool: SessionPool, as_json: bool, lengths: Lengths | None = None) -> int:
    """Do what was asked, unless it is done already, in segments of these lengths; returns the exit status."""
    if report := jobs.finished(job):
        answer(report.as_dict()) if as_json else tell(f"note: {report.notes[0]}")
        return 0
    plan = jobs.plan(job, pool)
    with stopping() as cancel:
        if as_json:
            report = jobs.run(plan, pool, lambda event: tell_event(event.as_dict()), cancel=cancel, lengths=lengths)
            answer(report.as_dict())
            return report.status
        for note in plan.notes:
            tell(f"note: {note}")
        report = run_with_progress(plan, pool, cancel, lengths)
    for text in report.damage:
        tell(f"vidcolor: {job.input}: damaged input: {text}")
    return report.status


@contextmanager
def stopping() -> Iterator[Cancel]:
    """A token that Ctrl-C sets while the run looks at it; at other times Ctrl-C stops at once, and so does the second one.

    The second ends the process as it is: threads that were left working would crash an interpreter that shuts down.
    """
    cancel, asked = Cancel(), 0

    def stop(number: int, frame: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            tell("vidcolor: stopped at once; what is safe is in the .part folder")
            os._exit(InterruptedRunError.status)
        if not cancel.watched:
            raise KeyboardInterrupt
        cancel.set()

    former = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


class Fps(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} fps" if task.speed else "")


def run_with_progress(plan: Plan, pool: SessionPool, cancel: Cancel, lengths: Lengths | None) -> Report:
    """Run with a progress bar on a terminal, with a plain line elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Fps(), TimeElapsedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=err) if err.is_terminal else None
    with bar or nullcontext():
        task = bar.add_task(plan.job.input.name, total=plan.frames) if bar else None

        def listen(event: Event) -> None:
            if isinstance(event, Note):
                tell(f"note: {event.text}")
            elif bar and task is not None and isinstance(event, Started):
                bar.update(task, completed=event.resumed)
            elif bar and task is not None and isinstance(event, FrameDone):
                bar.update(task, completed=event.done)

        report = jobs.run(plan, pool, listen, cancel=cancel, lengths=lengths)
    tell(f"{report.output}: {summary(report)}")
    return report


def summary(report: Report) -> str:
    """How much was done, how fast, and where."""
    before = f" ({report.frames_resumed} of them before)" if report.frames_resumed else ""
    frames = "1 frame" if report.frames == 1 else f"{report.frames} frames"
    return f"{frames}{before} in {report.seconds:.1f} s ({report.fps:.1f} fps) on {report.device}"


def say_plan(plan: dict[str, Any]) -> None:
    """A plan as lines on standard output."""
    kind = {"grey": "black-and-white", "tint": "tinted", "color": "colour"}[plan["kind"]]
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
