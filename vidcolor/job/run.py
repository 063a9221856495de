"""Runs a plan: decode, networks and encode overlap; the output appears under its final name only when it is whole."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vidcolor import __version__
from vidcolor.errors import DAMAGED_STATUS, DeviceError, InputError, InterruptedRunError, OutputError
from vidcolor.job import stills
from vidcolor.job.journal import Journal
from vidcolor.job.pipeline import Ahead
from vidcolor.job.report import Plan, Report, describe
from vidcolor.job.segments import Listener, SegmentLoop
from vidcolor.job.wiring import Chain, color_view, open_reader, publish, sessions, to_frames
from vidcolor.media.reader import Reader
from vidcolor.media.streams import assemble
from vidcolor.planes import Box
from vidcolor.stages.cuts import Cuts
from vidcolor.stages.tint import OnlyGrey


def run(plan: Plan, listen: Listener = lambda event: None) -> Report:
    """Do what was planned; the output appears under its final name only when it is whole.

    Raises a VidcolorError; what was encoded until then stays in OUT.part for --resume.
    """
    job, begun = plan.job, time.monotonic()
    report = Report(str(job.input), str(job.out), device=plan.device, notes=list(plan.notes))
    report.network = plan.network.name if plan.colors else ""
    report.style = plan.style.label if plan.style else ""
    report.copied = [describe(s) for s in plan.streams.copied]
    report.dropped = [f"{describe(s)}: {reason}" for s, reason in plan.streams.dropped]
    if plan.encoding is None:
        stills.color_picture(plan, report)
        for text in report.notes[len(plan.notes) :]:
            listen({"event": "note", "text": text})
    else:
        with Journal(job.out) as journal, resumable(plan, journal):
            film(plan, journal, report, listen, begun)
    report.seconds = round(time.monotonic() - begun, 3)
    return report


def film(plan: Plan, journal: Journal, report: Report, listen: Listener, begun: float) -> None:
    """What is left to do of a film, by its journal."""
    header = journal_header(plan)
    if plan.job.resume and (found := journal.resume(header)):
        plan = dataclasses.replace(plan, box=Box(*found["box"]))  # the samples of this run may differ by a frame
    elif thrown := journal.begin(header | {"box": list(plan.box)}):
        why = "their journal cannot be read" if plan.job.resume else "--resume would have gone on with them"
        listen({"event": "note", "text": f"{thrown} segments of an earlier run were thrown away: {why}"})
    report.frames_resumed = journal.segments[-1].next_frame if journal.segments else 0
    if not journal.complete:
        try:
            encode(plan, journal, report, listen, begun)
        except InputError:
            if header["input"] == identity(plan.job.input):  # it would end there again
                journal.remove()
            raise
    report.damage = journal.damage
    report.notes += journal.notes
    if header["input"] != identity(plan.job.input):
        raise InputError(f"{plan.job.input}: was changed while it was being coloured; run again")
    finish(plan, journal, report)


@contextmanager
def resumable(plan: Plan, journal: Journal) -> Iterator[None]:
    """Says with every trouble how to go on, where there is something to go on from."""
    name = plan.job.input

    def how() -> str:
        safe = journal.segments[-1].next_frame if journal.segments else 0
        return f"{safe} frames are safe, the same command with --resume goes on from there" if safe else "no frames are safe yet"

    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(f"{name}: stopped; {how()}") from None
    except MemoryError as error:
        raise DeviceError(f"{name}: out of memory; close other programs or use --prefetch 1; {how()}") from error
    except (DeviceError, OutputError) as error:
        if not journal.segments:
            raise
        raise type(error)(f"{error}; {how()}") from error
    except OSError as error:  # the folder was removed, the disk fell out
        raise OutputError(f"{error.filename or journal.folder}: {error.strerror or error}; {how()}") from error


def journal_header(plan: Plan) -> dict[str, Any]:
    """Everything that the encoded frames depend on: a resumed run must agree in all of it."""
    job = dataclasses.asdict(plan.job)
    for free in ("input", "out", "network", "recolor", "overwrite", "resume", "prefetch", "device"):  # free, or told apart below
        job.pop(free)
    assert plan.encoding is not None
    return {
        "vidcolor": __version__,
        "job": {key: words_of(value) for key, value in job.items()},
        "av": version("av"),
        "input": identity(plan.job.input),
        "network": f"{plan.network.name} {plan.network.card.sha256[:16]}",
        "device": plan.device,
        "encoding": dataclasses.asdict(plan.encoding),
        "style": drawing(plan),
    }


def words_of(value: Any) -> Any:
    """A field of a Job as JSON has it."""
    if isinstance(value, tuple):
        return [words_of(each) for each in value]
    return str(value) if isinstance(value, Path | Fraction) else value


def drawing(plan: Plan) -> str:
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


def encode(plan: Plan, journal: Journal, report: Report, listen: Listener, begun: float) -> None:
    """Decode, colour and encode what the journal does not have yet, segment by segment."""
    assert plan.encoding is not None
    job, last = plan.job, journal.segments[-1] if journal.segments else None
    first = last.next_frame if last else 0
    segments = SegmentLoop(plan, journal, listen, begun)
    try:
        with ExitStack() as stack:
            loaded = stack.enter_context(sessions(plan))
            report.precision = loaded.precision
            chain = Chain(plan, loaded, plan.encoding.layout, job.batch)
            reader = stack.enter_context(open_reader(plan))
            view = color_view(plan)
            incoming = to_frames(iter(reader), view, last.next_shot_start if last else 0)
            decoded = stack.enter_context(Ahead(incoming, job.prefetch, "decode"))
            shots = OnlyGrey().run(Cuts().run(decoded)) if job.only_grey else Cuts().run(decoded)
            painted = chain.run(shots, lambda made: stack.enter_context(Ahead(made, 1, "stage")))
            for frame in stack.enter_context(Ahead(painted, job.prefetch, "fuse")):
                if frame.number >= first:
                    segments.write(frame)
            segments.close(None)
            damage, notes = [*reader.damage, *too_short(plan, reader)], reader.notes
    except BaseException:
        segments.abort()
        raise
    journal.finish(damage, notes)
    report.first_packet = segments.first_packet
    report.frames_colored = chain.colorize.colored if chain.colorize else 0
    report.frames_styled = chain.stylize.styled if chain.stylize else 0


def too_short(plan: Plan, reader: Reader) -> list[str]:
    """Damage that no decoder reports: the film ends more than a second before its declared duration."""
    declared = plan.film.duration
    if plan.job.end is not None or declared is None or reader.last_end is None:
        return []
    if declared - reader.last_end > 1:
        return [f"the film says it lasts {float(declared):.1f} s, but its pictures end after {float(reader.last_end):.1f} s"]
    if reader.missing > 1:
        return [f"the last {float(reader.missing):.1f} s that the file declares are not in it"]
    if plan.film.container == "mpegts" and all(identity(plan.film.path)[1] % packet for packet in (188, 192, 204)):
        return ["the file ends in the middle of a packet: it was cut short"]
    return []


def finish(plan: Plan, journal: Journal, report: Report) -> None:
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
        report.size = publish(whole, job)
    finally:
        whole.unlink(missing_ok=True)
    journal.remove()
    report.damage = [*report.damage, *lost]
    report.frames, report.segments, report.shots = len(pts), len(paths), journal.segments[-1].shots
    if report.damage:
        report.status = DAMAGED_STATUS
