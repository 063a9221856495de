"""Runs a plan: decode, networks and encode overlap; the output appears under its final name only when it is whole."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vidcolor.errors import DAMAGED_STATUS, DeviceError, InputError, InterruptedRunError, OutputError
from vidcolor.job import stills
from vidcolor.job.journal import Journal
from vidcolor.job.publish import publish
from vidcolor.job.segments import Lengths, Progress, Rendering, other_frames_error
from vidcolor.media.input.damage import in_lines
from vidcolor.media.output.streams import assemble
from vidcolor.picture.planes import Box
from vidcolor.pipeline.build import Pipeline, load
from vidcolor.pipeline.events import Cancel, Listener, Note, SegmentDone, Started, ignore
from vidcolor.pipeline.model import Plan, Report, describe
from vidcolor.pipeline.sessions import SessionPool
from vidcolor.version import __version__
from vidcolor.wording import field


def run(
    plan: Plan, pool: SessionPool, listen: Listener = ignore, *, cancel: Cancel | None = None, lengths: Lengths | None = None
) -> Report:
    """Do what was planned; the output appears under its final name only when it is whole.

    `listen` is told events as they happen. `lengths` are those of the segments in which the work is kept safe. Raises a VidcolorError;
    what was encoded until then stays in OUT.part to be resumed.
    """
    job, begun = plan.job, time.monotonic()
    report = Report(str(job.input), str(job.out), device=plan.backend.name, notes=list(plan.notes))
    report.network = plan.network.name if plan.colors else ""
    report.style = plan.style.label if plan.style else ""
    report.copied = [describe(s) for s in plan.streams.copied]
    report.dropped = [f"{describe(s)}: {reason}" for s, reason in plan.streams.dropped]
    if plan.encoding is None:
        with stopped_in_words(plan):
            stills.color_picture(plan, pool, report)
        for text in report.notes[len(plan.notes) :]:
            listen(Note(text))
    else:
        with Journal(job.out) as journal, stopped_in_words(plan, journal):
            run_film(plan, pool, journal, report, Progress(begun, listen=listen), cancel or Cancel(), lengths or Lengths())
    report.seconds = round(time.monotonic() - begun, 3)
    return report


def run_film(plan: Plan, pool: SessionPool, journal: Journal, report: Report, progress: Progress, cancel: Cancel, lengths: Lengths) -> None:
    """What is left to do of a film, by its journal."""
    header = journal_header(plan)
    if plan.job.resume and (found := journal.resume(header)):
        plan = as_it_was_seen(plan, found)
    elif thrown := journal.begin(header | {"box": list(plan.look.box), "kind": plan.look.verdict.kind}):
        why = "their journal cannot be read" if plan.job.resume else f"{field('resume', True)} would have gone on with them"
        progress.listen(Note(f"{thrown} segments of an earlier run were thrown away: {why}"))
    report.frames_resumed = progress.done = journal.frames
    progress.total = plan.frames
    progress.listen(Started(progress.total, progress.done))
    if not journal.complete:
        try:
            render_gaps(plan, pool, journal, report, progress, cancel, lengths)
        except InputError:
            if header["input"] == identity(plan.job.input):  # it would end there again
                journal.remove()
            raise
    report.damage = journal.damage
    report.notes += journal.notes
    if header["input"] != identity(plan.job.input):
        raise InputError(f"{plan.job.input}: was changed while it was being coloured; run again")
    mux_and_publish(plan, journal, report)


def as_it_was_seen(plan: Plan, found: dict[str, Any]) -> Plan:
    """The plan with borders and verdict of the run that is resumed: the samples of this run may differ by a frame.

    Raises InputError for a journal that cannot have been written by this program.
    """
    try:
        left, top, width, height = (int(side) for side in found["box"])
        layout = plan.film.layout
        inside = 0 <= left < left + width <= layout.width and 0 <= top < top + height <= layout.height
        if not inside or found["kind"] not in ("grey", "tint", "color"):
            raise ValueError("box and kind are none")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{plan.job.out}.part: its journal is damaged; run again without {field('resume')}") from error
    verdict = dataclasses.replace(plan.look.verdict, kind=found["kind"])
    return dataclasses.replace(plan, look=dataclasses.replace(plan.look, box=Box(left, top, width, height), verdict=verdict))


@contextmanager
def stopped_in_words(plan: Plan, journal: Journal | None = None) -> Iterator[None]:
    """Says with every trouble how to go on, where there is something to go on from."""
    name = plan.job.input

    def how() -> str:
        if journal is None:
            return ""
        if not journal.frames:
            return "; no frames are safe yet"
        return f"; {journal.frames} frames are safe, the same command with {field('resume', True)} goes on from there"

    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(f"{name}: stopped{how()}") from None
    except MemoryError as error:
        raise DeviceError(f"{name}: out of memory; close other programs or use {field('prefetch', 1)}{how()}") from error
    except (DeviceError, OutputError) as error:
        if journal is None or not journal.segments:
            raise
        raise type(error)(f"{error}{how()}") from error
    except OSError as error:  # the folder was removed, the disk fell out
        where = error.filename or (journal.folder if journal else plan.job.out)
        raise OutputError(f"{where}: {error.strerror or error}{how()}") from error


def journal_header(plan: Plan) -> dict[str, Any]:
    """Everything that the encoded frames depend on: a resumed run must agree in all of it."""
    job = dataclasses.asdict(plan.job)
    for free in ("input", "out", "network", "recolor", "overwrite", "resume", "prefetch", "device"):  # free, or told apart below
        job.pop(free)
    assert plan.encoding is not None
    return {
        "vidcolor": __version__,
        "job": {key: to_json(value) for key, value in job.items()},
        "av": version("av"),
        "input": identity(plan.job.input),
        "network": f"{plan.network.name} {plan.network.card.sha256[:16]}",
        "device": plan.backend.name,
        "encoding": dataclasses.asdict(plan.encoding),
        "style": style_identity(plan),
    }


def to_json(value: Any) -> Any:
    """A field of a Job as JSON has it."""
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    return str(value) if isinstance(value, Path | Fraction) else value


def style_identity(plan: Plan) -> str:
    """The style network and the code, which a person's own style may change under one name."""
    if plan.style is None:
        return ""
    code = hashlib.sha256(repr((plan.style.code, plan.style.changes)).encode()).hexdigest()[:16]
    return f"{plan.style.network.name} {plan.style.network.card.sha256[:16]} {code}"


def identity(path: Path) -> list[Any]:
    """What changes when a file is changed or replaced. Raises InputError where it is gone."""
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read any more ({error.strerror})") from error
    return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]


def render_gaps(
    plan: Plan, pool: SessionPool, journal: Journal, report: Report, progress: Progress, cancel: Cancel, lengths: Lengths
) -> None:
    """Decode, colour and encode what the journal does not have yet. Raises KeyboardInterrupt where it was cancelled."""
    assert plan.encoding is not None
    sessions = load(plan, pool)
    report.precision = sessions.precision
    pipeline = Pipeline(plan, sessions, plan.encoding.layout)
    for gap in journal.gaps():
        rendering = Rendering(plan, pipeline, gap, journal.folder, progress=progress, cancel=cancel, lengths=lengths)
        with closing(iter(rendering)) as segments:  # its threads end with it, whatever happens here
            for segment in segments:
                journal.add(segment)
                progress.listen(SegmentDone(journal.frames, progress.total))
        if rendering.cancelled:
            raise KeyboardInterrupt
    if journal.segments and journal.gaps():
        raise other_frames_error(plan)
    journal.finish(in_lines([(line, frames) for each in journal.segments for line, frames in each.damage]), all_notes(journal))
    report.first_packet, report.frames_colored = progress.first_packet, progress.colored
    report.frames_styled = progress.made if plan.style else 0


def all_notes(journal: Journal) -> list[str]:
    """What readers assumed, each once: of notes that differ in their numbers alone, the last, which counts all."""
    return list({re.sub(r"\d+", "#", note): note for segment in journal.segments for note in segment.notes}.values())


def mux_and_publish(plan: Plan, journal: Journal, report: Report) -> None:
    """One last mux with the copied streams, then the final name."""
    job = plan.job
    assert plan.encoding is not None
    if not journal.segments:
        raise InputError(f"{job.input}: no frames in the asked-for part" if job.start or job.end else f"{job.input}: has no frames")
    whole = journal.folder / f"whole{job.out.suffix}"
    whole.unlink(missing_ok=True)  # of a run that died while it wrote it
    need, free = sum(s.size for s in journal.segments), shutil.disk_usage(journal.folder).free
    if free < need:  # the copied streams come on top, and are not known before
        raise OutputError(f"{job.out}: {((need - free) >> 20) + 1} MB more disk space are needed to join the parts; free some")
    pts = [p for s in journal.segments for p in s.pts]
    paths = [journal.folder / s.file for s in journal.segments]
    try:
        lost = assemble(plan.film, plan.encoding, plan.streams, paths, whole, start=job.start, end=job.end, sorted_pts=pts)
        journal.publishing(whole)
        report.size = publish(whole, job.out, job.overwrite)
    finally:
        whole.unlink(missing_ok=True)
    report.damage = [*report.damage, *lost]
    report.frames, report.segments, report.shots = len(pts), len(paths), sum(s.shots for s in journal.segments)
    journal.remove()
    if report.damage:
        report.status = DAMAGED_STATUS
