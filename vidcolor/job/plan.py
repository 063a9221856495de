"""Looks at a film and decides everything that can be decided before the work."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from vidcolor.backends import choose
from vidcolor.errors import InputError, OutputError, UsageError
from vidcolor.job.journal import Journal
from vidcolor.job.report import Job, Plan, Report
from vidcolor.job.stills import SUFFIXES, check_name
from vidcolor.job.styling import choose_style
from vidcolor.media.encoding import Request, plan_encoding
from vidcolor.media.probe import Film, probe
from vidcolor.media.reader import sample
from vidcolor.media.streams import StreamPlan, plan_streams
from vidcolor.networks import find
from vidcolor.stages.borders import find_box
from vidcolor.stages.tint import judge


def plan(job: Job) -> Plan:
    """Look at the film and decide everything that can be decided before the work.

    Raises InputError, OutputError, UsageError or DeviceError with the reason why it cannot be done.
    """
    check_words(job)
    check_paths(job)
    film = probe(job.input)
    check_kinds(job, film)
    style = choose_style(job, film)
    samples = sample(film)
    if not samples:
        raise InputError(f"{job.input}: no frame could be decoded; is the file complete?")
    verdict = judge(samples)
    notes = list(film.notes)
    if verdict.kind == "colour" and not (style or job.recolor or (job.only_grey and not film.still)):
        parts = "" if film.still else " or --only-grey for its grey shots alone"
        raise InputError(f"{job.input}: already in colour; use --recolor to colour it anew{parts}")
    if verdict.kind == "tint":
        notes.append("tinted: the tint is replaced by colour")
    if film.still and (idle := [word for word, given in for_films(job).items() if given]):
        notes.append(f"{' '.join(idle)}: for films; {job.input.name} is a picture")
    if film.layout.fields != "progressive" and not job.deinterlace:
        notes.append("interlaced: stays so, colour is made per field (--deinterlace makes it progressive)")
    seen = dataclasses.replace(film, layout=dataclasses.replace(film.layout, fields="progressive")) if job.deinterlace else film
    encoding, streams = None, StreamPlan(())
    if not film.still:
        encoding = plan_encoding(seen, job.out, Request(job.codec, job.crf, job.preset, job.pix_fmt, job.lossless, threads(job)))
        streams = plan_streams(film, job.out, encoding, job.drop_unsupported)
        notes += [*encoding.notes, *streams.notes]
    network = find(job.network, "colorize")
    backend, why = choose(job.device)
    box = find_box(samples)
    return Plan(job, seen, verdict, box, encoding, streams, network, backend.name, why, tuple(notes), style)


def check_words(job: Job) -> None:
    """Options that contradict each other."""
    if job.end is not None and job.end <= (job.start or 0):
        raise UsageError(f"--end {float(job.end):g}: must be later than {f'--start {float(job.start):g}' if job.start else '0'}")
    if job.recolor and job.only_grey:
        raise UsageError("--recolor and --only-grey exclude each other: all shots anew, or the grey ones alone")


def check_kinds(job: Job, film: Film) -> None:
    """A film becomes a film, a picture a picture; and the asked-for part lies inside the film."""
    if film.still:
        check_name(str(job.out), job.out.suffix)
    elif job.out.suffix.lower() in SUFFIXES:
        raise UsageError(f"{job.out}: is the name of a picture, but {job.input.name} is a film; use .mp4 or .mkv")
    elif not job.out.suffix:
        raise UsageError(f"{job.out}: the end of the name says what is written; add .mp4 or .mkv")
    length = max((end for end in (film.duration, film.declared) if end is not None), default=None)
    if job.start is not None and length is not None and job.start >= length and not film.still:
        raise UsageError(f"--start {float(job.start):g}: {job.input.name} lasts {float(length):.1f} s")


def for_films(job: Job) -> dict[str, bool]:
    """Options that do nothing to a picture, and whether they were given."""
    return {
        "--codec": job.codec is not None,
        "--crf": job.crf is not None,
        "--preset": job.preset is not None,
        "--pix-fmt": job.pix_fmt is not None,
        "--lossless": job.lossless,
        "--start": job.start is not None,
        "--end": job.end is not None,
        "--deinterlace": job.deinterlace,
        "--only-grey": job.only_grey,
        "--style-at": bool(job.style_at),
    }


def check_input(path: Path) -> None:
    """Raise InputError where there is no such file."""
    try:
        if not path.exists():
            url = re.match(r"[a-z][a-z0-9+.-]+:/", str(path))
            raise InputError(f"{path}: no such file" + ("; vidcolor reads local files only, download it first" if url else ""))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def check_paths(job: Job) -> None:
    """What can be said of the two paths before either is opened."""
    check_input(job.input)
    try:
        check_output(job)
    except OSError as error:
        raise OutputError(f"{job.out}: cannot be written ({error.strerror}); choose another -o") from error


def check_output(job: Job) -> None:
    folder = job.out.parent
    if not folder.is_dir():
        raise OutputError(f"{folder}: no such folder; make it or choose another -o")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: cannot be written; choose another -o")
    if job.out.exists():
        if job.out.is_dir():
            raise OutputError(f"{job.out}: is a folder; name a file, or end the name with / to write into it")
        if job.out.samefile(job.input):
            raise UsageError(f"{job.out}: output and input are the same file; choose another -o")
        if not job.overwrite:
            raise OutputError(f"{job.out}: exists; use --overwrite to replace it or choose another -o")


def finished(job: Job) -> Report | None:
    """What is done already, under --resume: an output that is there, and that no unfinished run is about to replace.

    A run that died after it had named its output, and before it could clear up behind it, is cleared up.
    """
    if not job.resume or job.overwrite or not (job.input.is_file() and job.out.is_file()) or job.out.samefile(job.input):
        return None
    journal = Journal(job.out)
    if journal.folder.exists():
        with journal:
            if not journal.published(job.out):
                return None
            journal.remove()
    return Report(str(job.input), str(job.out), size=job.out.stat().st_size, notes=[f"{job.out}: exists; nothing is left to do"])


def threads(job: Job) -> int:
    """Threads of decoder and encoder: as asked, as the run that is resumed had them, else every core that this process may use."""
    begun = Journal(job.out).header().get("encoding") if job.resume and not job.threads else None
    found = begun.get("threads") if isinstance(begun, dict) else None
    return job.threads or (found if isinstance(found, int) else 0) or cores()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
