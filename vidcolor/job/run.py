"""The one place that wires the rooms together: a Job is planned, said, and run."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2

from vidcolor import __version__
from vidcolor.backends import choose
from vidcolor.backends.base import Session
from vidcolor.errors import DAMAGED_STATUS, InputError, InterruptedRunError, OutputError, UsageError
from vidcolor.frames import Frame, Work
from vidcolor.journal import Journal, Segment
from vidcolor.media import pictures
from vidcolor.media.encoding import Request, plan_encoding
from vidcolor.media.probe import probe
from vidcolor.media.reader import Reader, sample
from vidcolor.media.streams import StreamPlan, assemble, plan_streams
from vidcolor.media.writer import SegmentWriter
from vidcolor.networks import Network, find
from vidcolor.pipeline import Ahead
from vidcolor.planes import Box, Layout, Planes, shrink, work_size
from vidcolor.report import Job, Plan, Report, describe
from vidcolor.sheet import before_after
from vidcolor.stages.borders import find_box
from vidcolor.stages.colorize import Colorize, Setting, turn_dial
from vidcolor.stages.cuts import Cuts
from vidcolor.stages.fuse import Fuse
from vidcolor.stages.steady import Steady
from vidcolor.stages.tint import OnlyGrey, judge

SHORTEST, LONGEST = 10, 60
"""Seconds of a segment: shots are joined to the first, longer shots are split at the second (design, section 4)."""

ESTIMATED = 24
"""Frames that an estimate colours and encodes."""

Listener = Callable[[dict[str, Any]], None]
"""Is told events as they happen: {"event": "frame" | "first_packet" | "segment" | "note" | …, …}."""


def plan(job: Job) -> Plan:
    """Look at the film and decide everything that can be decided before the work.

    Raises InputError, OutputError, UsageError or DeviceError with the reason why it cannot be done.
    """
    check_paths(job)
    film = probe(job.input)
    samples = sample(film)
    if not samples:
        raise InputError(f"{job.input}: no frame could be decoded; is the file complete?")
    verdict = judge(samples)
    notes = list(film.notes)
    if verdict.kind == "colour" and not (job.recolor or job.only_grey):
        raise InputError(f"{job.input}: already in colour; use --recolor to colour it anew or --only-grey for its grey shots alone")
    if verdict.kind == "tint":
        notes.append("The film is tinted; the tint is replaced by colour.")
    if film.layout.fields != "progressive" and not job.deinterlace:
        notes.append("Interlaced: stays interlaced, colour is made per field (--deinterlace makes it progressive).")
    seen = dataclasses.replace(film, layout=dataclasses.replace(film.layout, fields="progressive")) if job.deinterlace else film
    threads = job.threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else job.threads or os.cpu_count() or 1
    encoding = plan_encoding(seen, job.out, Request(job.codec, job.crf, job.preset, job.pix_fmt, job.lossless, threads))
    streams = StreamPlan((), (), ()) if film.still else plan_streams(film, job.out, encoding, job.drop_unsupported)
    network = find(job.network)
    backend, why = choose(job.device)
    notes += [*encoding.notes, *streams.notes]
    box = find_box(samples)
    return Plan(job, seen, verdict, box, encoding, streams, network, backend.name, why, tuple(notes))


def check_paths(job: Job) -> None:
    """What can be said of the two paths before either is opened."""
    if not job.input.exists():
        raise InputError(f"{job.input}: no such file")
    if job.out.exists():
        if job.out.is_dir():
            raise OutputError(f"{job.out}: is a folder; name a file, or end the name with / to write into it")
        if job.out.samefile(job.input):
            raise UsageError(f"{job.out}: output and input are the same file; choose another -o")
        if not job.overwrite:
            raise OutputError(f"{job.out}: exists; use --overwrite to replace it or choose another -o")
    folder = job.out.parent
    if not folder.is_dir():
        raise OutputError(f"{folder}: no such folder; make it or choose another -o")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: cannot be written; choose another -o")


def run(plan: Plan, listen: Listener = lambda event: None) -> Report:
    """Do what was planned; the output appears under its final name only when it is whole.

    Raises a VidcolorError; what was encoded until then stays in OUT.part for --resume.
    """
    job, begun = plan.job, time.monotonic()
    report = Report(str(job.input), str(job.out), network=plan.network.name, device=plan.device, notes=list(plan.notes))
    report.copied = [describe(s) for s in plan.streams.copied]
    report.dropped = [f"{describe(s)}: {reason}" for s, reason in plan.streams.dropped]
    if plan.film.still:
        color_picture(plan, report)
    else:
        with Journal(job.out) as journal:
            header = journal_header(plan)
            if not (job.resume and journal.resume(header)) and (thrown := journal.begin(header)):
                listen({"event": "note", "text": f"{thrown} segments of an earlier run were thrown away (--resume goes on with them)"})
            if not journal.complete:
                encode(plan, journal, report, listen, begun)
            report.damage = journal.damage
            finish(plan, journal, report)
    report.seconds = round(time.monotonic() - begun, 3)
    report.size = job.out.stat().st_size
    return report


def journal_header(plan: Plan) -> dict[str, Any]:
    """Everything that the encoded frames depend on: a resumed run must agree in all of it."""
    job = dataclasses.asdict(plan.job)
    for free in ("out", "overwrite", "resume", "prefetch", "device"):
        job.pop(free)
    stat = plan.job.input.stat()
    return {
        "vidcolor": __version__,
        "job": {key: str(value) if isinstance(value, Path | Fraction) else value for key, value in job.items()},
        "input": [str(plan.job.input.resolve()), stat.st_size, stat.st_mtime_ns],
        "network": plan.network.card.sha256,
        "device": plan.device,
        "encoding": dataclasses.asdict(plan.encoding),
        "box": list(plan.box),
        "kind": plan.verdict.kind,
    }


def load_session(plan: Plan) -> Session:
    """The planned network on the planned device, for this film's work size."""
    backend, _ = choose(plan.job.device)
    batch = 1 if plan.film.still else plan.job.batch
    return backend.load(plan.network.path, session_shapes(batch, *work_size(plan.box, plan.network.card.work_size)))


def session_shapes(batch: int, height: int, width: int) -> dict[str, tuple[int, ...]]:
    return {"luma": (batch, 1, height, width), "hints": (batch, 3, height, width), "temperature": (1,), "tilt": (1,)}


def dial(network: Network, vividness: float) -> Setting:
    return turn_dial([Setting(*position) for position in network.card.dial], vividness)


def to_frames(decoded: Iterator[tuple[int, Planes]], box: Box, size: tuple[int, int], skip: int) -> Iterator[Frame]:
    """Decoded planes as frames with their work luma; the first `skip` ones are only decoded."""
    for number, (pts, planes) in enumerate(decoded):
        if number >= skip:
            yield Frame(number, pts, planes, Work(shrink(planes, box, size), box))


def encode(plan: Plan, journal: Journal, report: Report, listen: Listener, begun: float) -> None:
    """Decode, colour and encode what the journal does not have yet, segment by segment."""
    job, last = plan.job, journal.segments[-1] if journal.segments else None
    first = last.next_frame if last else 0
    report.frames_resumed = first
    session = load_session(plan)
    report.precision = session.precision
    colorize = Colorize(session, dial(plan.network, job.vividness), batch=job.batch, steady=Steady() if job.steady == "causal" else None)
    segments = SegmentLoop(plan, journal, listen, begun)
    try:
        with ExitStack() as stack:
            stack.callback(session.close)
            reader = stack.enter_context(Reader(plan.film, threads=job.threads, start=job.start, end=job.end, deinterlace=job.deinterlace))
            size = work_size(plan.box, plan.network.card.work_size)
            incoming = to_frames(iter(reader), plan.box, size, last.next_shot_start if last else 0)
            decoded = stack.enter_context(Ahead(incoming, job.prefetch, "decode"))
            shots = Cuts().run(decoded)
            colored = colorize.run(OnlyGrey().run(shots) if job.only_grey else shots)
            fused = stack.enter_context(Ahead(Fuse(plan.encoding.layout).run(colored), job.prefetch, "networks"))
            for frame in fused:
                if frame.number >= first:
                    segments.write(frame)
            segments.close(None)
            damage = [*reader.damage, *too_short(plan, reader.last_end)]
    except KeyboardInterrupt:
        segments.abort()
        safe = journal.segments[-1].next_frame if journal.segments else 0
        raise InterruptedRunError(
            f"{job.input}: stopped; {safe} frames are safe, the same command with --resume goes on from there"
        ) from None
    except BaseException:
        segments.abort()
        raise
    journal.finish(damage)
    report.first_packet = segments.first_packet
    report.frames_colored = colorize.colored


def too_short(plan: Plan, end: Fraction | None) -> list[str]:
    """Damage that no decoder reports: the film ends more than a second before its declared duration."""
    declared = plan.film.duration
    if plan.job.end is not None or declared is None or end is None or declared - end <= 1:
        return []
    return [f"the film says it lasts {float(declared):.1f} s, but its pictures end after {float(end):.1f} s"]


class SegmentLoop:
    """Cuts the stream of coloured frames into segments and journals each once it is safe."""

    def __init__(self, plan: Plan, journal: Journal, listen: Listener, begun: float) -> None:
        self.plan, self.journal, self.listen, self.begun = plan, journal, listen, begun
        self.writer: SegmentWriter | None = None
        self.pts: list[int] = []
        self.shot, self.shot_start = -1, 0
        self.shots = journal.segments[-1].shots if journal.segments else 0
        self.first_packet: float | None = None

    def write(self, frame: Frame) -> None:
        assert frame.out is not None
        cut = frame.shot != self.shot
        if self.writer is not None:
            lasted = (frame.pts - self.pts[0]) * self.plan.film.time_base
            if lasted >= LONGEST or (cut and lasted >= SHORTEST):
                self.close(frame)
        if cut:
            self.shot, self.shot_start = frame.shot, frame.number - frame.place
            self.shots += frame.place == 0
        if self.writer is None:
            self.writer = SegmentWriter(self.journal.segment_path(len(self.journal.segments)), self.plan.film, self.plan.encoding)
        self.writer.write(frame.pts, frame.out)
        self.pts.append(frame.pts)
        if self.first_packet is None and self.writer.packets:
            self.first_packet = round(time.monotonic() - self.begun, 3)
            self.listen({"event": "first_packet", "seconds": self.first_packet})
        self.listen({"event": "frame", "number": frame.number})

    def close(self, following: Frame | None) -> None:
        """Finish the open segment; `following` is the frame that begins the next one, None at the film's end."""
        if self.writer is None:
            return
        path = self.journal.segment_path(len(self.journal.segments))
        info = self.writer.close()
        self.writer = None
        done = sum(len(s.pts) for s in self.journal.segments) + len(self.pts)
        start = done if following is None else following.number - following.place
        self.journal.add(Segment(path.name, info.sha256, info.size, self.pts, done, start, self.shots))
        self.listen({"event": "segment", "frames": done})
        self.pts = []

    def abort(self) -> None:
        if self.writer is not None:
            self.writer.abort()
            self.writer = None


def finish(plan: Plan, journal: Journal, report: Report) -> None:
    """One last mux with the copied streams, then the final name."""
    job = plan.job
    if not journal.segments:
        raise InputError(f"{job.input}: no frames in the asked-for part" if job.start or job.end else f"{job.input}: has no frames")
    need = 2 * sum(s.size for s in journal.segments)
    free = shutil.disk_usage(journal.folder).free
    if free < need:
        raise OutputError(f"{job.out}: {need - free >> 20} MB more disk space are needed to join the parts; free some and use --resume")
    whole = journal.folder / f"whole{job.out.suffix}"
    pts = [p for s in journal.segments for p in s.pts]
    paths = [journal.folder / s.file for s in journal.segments]
    assemble(plan.film, plan.encoding, plan.streams, paths, whole, start=job.start, end=job.end, sorted_pts=pts)
    publish(whole, job)
    journal.remove()
    report.frames, report.segments, report.shots = len(pts), len(paths), journal.segments[-1].shots
    if report.damage:
        report.status = DAMAGED_STATUS


def publish(whole: Path, job: Job) -> None:
    """Give a complete file its final name; never over a file that came up meanwhile, unless that was asked for."""
    if job.out.exists() and not job.overwrite:
        raise OutputError(f"{job.out}: exists; use --overwrite to replace it or choose another -o")
    with whole.open("rb") as file:
        os.fsync(file.fileno())
    whole.replace(job.out)


def color_picture(plan: Plan, report: Report) -> None:
    """A still is a film of one frame, without segments."""
    job = plan.job
    planes, extras = pictures.read_picture(job.input)
    session = load_session(plan)
    try:
        size = work_size(plan.box, plan.network.card.work_size)
        out = color_one(session, dial(plan.network, job.vividness), planes, plan.box, size, plan.encoding.layout)
    finally:
        session.close()
    part = job.out.with_name(job.out.name + ".part")
    pictures.write_picture(part, out, extras, job.out.suffix)
    publish(part, job)
    report.frames = report.frames_colored = report.shots = 1
    report.precision = session.precision


def color_one(session: Session, setting: Setting, planes: Planes, box: Box, size: tuple[int, int], target: Layout) -> Planes:
    """One picture through network and fuse."""
    (frame,) = Fuse(target).run(Colorize(session, setting).run(to_frames(iter([(0, planes)]), box, size, 0)))
    assert frame.out is not None
    return frame.out


def preview(job: Job, path: Path, frames: int = 6) -> None:
    """A before/after sheet (PNG) of frames across the film, in seconds, without encoding. The output path of `job` is not looked at.

    Raises what `plan` raises, and OutputError where `path` cannot be written.
    """
    if not job.input.exists():
        raise InputError(f"{job.input}: no such file")
    film = probe(job.input)
    chosen = sample(film, most=frames)
    if not chosen:
        raise InputError(f"{job.input}: no frame could be decoded; is the file complete?")
    network, box = find(job.network), find_box(chosen)
    height, width = work_size(box, network.card.work_size)
    backend, _ = choose(job.device)
    session = backend.load(network.path, session_shapes(1, height, width))
    setting = dial(network, job.vividness)
    try:
        pairs = [(grey, color_one(session, setting, grey, box, (height, width), full_color(grey.layout))) for grey in chosen]
    finally:
        session.close()
    write_sheet(path, pairs)


def full_color(layout: Layout) -> Layout:
    """The same layout with chroma at full size."""
    return dataclasses.replace(layout, chroma="444", fields="progressive")


def write_sheet(path: Path, pairs: list[tuple[Planes, Planes]]) -> None:
    ok, data = cv2.imencode(".png", before_after(pairs)[..., ::-1])
    assert ok
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def estimate(plan: Plan) -> float | None:
    """About how many seconds the run will take, from a few frames that are coloured and encoded for it; None if the length is unknown."""
    if plan.film.frames is None or plan.film.still:
        return None
    size = work_size(plan.box, plan.network.card.work_size)
    session = load_session(plan)
    fuse = Fuse(plan.encoding.layout)
    with tempfile.TemporaryDirectory() as folder, Reader(plan.film, threads=plan.job.threads) as reader:
        writer = SegmentWriter(Path(folder) / "trial.seg", plan.film, plan.encoding)
        trial = itertools.islice(iter(reader), ESTIMATED + 1)
        stage = Colorize(session, dial(plan.network, plan.job.vividness), steady=Steady() if plan.job.steady == "causal" else None)
        begun, done = time.monotonic(), 0
        for frame in fuse.run(stage.run(to_frames(trial, plan.box, size, 0))):
            assert frame.out is not None
            writer.write(frame.pts, frame.out)
            if done == 0:  # the first frame pays for warming up
                begun = time.monotonic()
            done += 1
        writer.close()
        spent = time.monotonic() - begun
    session.close()
    return round(spent / max(1, done - 1) * plan.film.frames, 1)
