"""Looks at a film and decides everything that can be decided before the work."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vidcolor.analysis.borders import find_box
from vidcolor.analysis.tint import UNKNOWN, judge
from vidcolor.backends import choose
from vidcolor.errors import FieldError, InputError, OutputError, UsageError
from vidcolor.job.journal import Journal
from vidcolor.job.styling import choose_style
from vidcolor.media.input.probe import Film, probe
from vidcolor.media.input.sample import sample
from vidcolor.media.output.choose_encoding import Request, plan_encoding
from vidcolor.media.output.streams import plan_streams
from vidcolor.media.stills.pictures import SUFFIXES, is_picture
from vidcolor.networks.cards import find
from vidcolor.picture.planes import Planes
from vidcolor.pipeline.build import color_shapes
from vidcolor.pipeline.job import FILM_FIELDS, Job, given
from vidcolor.pipeline.model import Look, Plan, Report
from vidcolor.pipeline.sessions import SessionPool
from vidcolor.wording import field

SAMPLES = 16
"""Frames of a film that are looked at, at most."""


def plan(job: Job, pool: SessionPool) -> Plan:
    """Look at the film and decide everything that can be decided before the work; its networks are being loaded meanwhile.

    Raises InputError, OutputError, UsageError or DeviceError with the reason why it cannot be done.
    """
    check_paths(job)
    planned, _ = examine(job, pool, SAMPLES, network_threads(job), check_kinds)
    film, verdict = planned.film, planned.look.verdict
    notes = list(film.notes)
    if verdict.kind == "color" and not (planned.style or job.recolor or (job.only_grey and not film.still)):
        parts = "" if film.still else f" or {field('only_grey', True)} for its grey shots alone"
        raise InputError(f"{job.input}: already in colour; use {field('recolor', True)} to colour it anew{parts}")
    if verdict.kind == "tint":
        notes.append("tinted: the tint is replaced by colour")
    if film.still:
        if idle := given(job, FILM_FIELDS):
            notes.append(f"{' '.join(field(name) for name in idle)}: for films; {job.input.name} is a picture")
        return dataclasses.replace(planned, notes=tuple(notes))
    if film.layout.fields != "progressive" and not job.deinterlace:
        notes.append(f"interlaced: stays so, colour is made per field ({field('deinterlace', True)} makes it progressive)")
    leaves = dataclasses.replace(film, layout=dataclasses.replace(film.layout, fields="progressive")) if job.deinterlace else film
    encoding = plan_encoding(leaves, job.out, Request(job.codec, job.crf, job.preset, job.pix_fmt, job.lossless, threads(job)))
    streams = plan_streams(film, job.out, encoding, job.drop_unsupported)
    notes += [*encoding.notes, *streams.notes]
    return dataclasses.replace(planned, encoding=encoding, streams=streams, notes=tuple(notes))


def examine(
    job: Job, pool: SessionPool, most: int, threads: int = 0, check: Callable[[Job, Film], None] = lambda job, film: None
) -> tuple[Plan, list[Planes]]:
    """A plan as far as the input alone decides it, and the frames, `most` at most, that were looked at.

    `threads` are those of the networks on a CPU, 0 for every core; `check` may refuse the film before any more work. Raises as `plan` does.
    """
    choosing = pool.submit(lambda: choose(job.device, threads))
    film = probe(job.input)
    check(job, film)
    network = find(job.network, "colorize")
    backend, why = choosing.result()
    guess = Plan(job, Look(film, UNKNOWN, film.layout.box), network, backend, why)
    if job.style is None and backend.quick:  # most films have no borders: then this is what will be needed
        pool.prepare(backend, network.path, color_shapes(guess))
    style = choose_style(job, film)
    samples = sample(film, most)
    if not samples:
        raise InputError(f"{job.input}: no frame could be decoded; is the file complete?")
    return dataclasses.replace(guess, look=Look(film, judge(samples), find_box(samples)), style=style), samples


def check_kinds(job: Job, film: Film) -> None:
    """A film becomes a film, a picture a picture; and the asked-for part lies inside the film."""
    suffix = job.out.suffix.lower()
    if film.still:
        if suffix not in SUFFIXES:
            raise UsageError(f"{job.out}: a picture is written as one of {', '.join(sorted(SUFFIXES))}", "out")
    elif suffix in SUFFIXES:
        raise UsageError(f"{job.out}: is the name of a picture, but {job.input.name} is a film; use .mp4 or .mkv", "out")
    elif not suffix:
        raise UsageError(f"{job.out}: the end of the name says what is written; add .mp4 or .mkv", "out")
    length = max((end for end in (film.duration, film.declared) if end is not None), default=None)
    if job.start is not None and length is not None and job.start >= length and not film.still:
        raise FieldError("start", job.start, f"{job.input.name} lasts {float(length):.1f} s")


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
        raise OutputError(f"{job.out}: cannot be written ({error.strerror}); choose another {field('out')}") from error


def check_output(job: Job) -> None:
    folder = job.out.parent
    if not folder.is_dir():
        raise OutputError(f"{folder}: no such folder; make it or choose another {field('out')}")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: cannot be written; choose another {field('out')}")
    if job.out.is_dir():
        raise OutputError(f"{job.out}: is a folder; name a file, or end the name with / to write into it")
    check_target(job.out, job.input, job.overwrite, "out")


def check_target(target: Path, source: Path, overwrite: bool, name: str) -> None:
    """What holds for every file that is written, given as the field `name`: it is not the input, and replaced only where that is asked for.

    Raises UsageError and OutputError.
    """
    if not target.exists():
        return
    if source.exists() and target.samefile(source):
        raise UsageError(f"{target}: output and input are the same file; choose another {field(name)}", name)
    if not overwrite:
        raise OutputError(f"{target}: exists; use {field('overwrite', True)} to replace it or choose another {field(name)}")


def finished(job: Job) -> Report | None:
    """What is done already, where a run is to be resumed: an output that is there, and that no unfinished run is about to replace.

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


def network_threads(job: Job) -> int:
    """Threads of the networks: every core for a picture; half of them for a film, whose decoder and encoder need the others."""
    with suppress(OSError):  # said by who opens it
        if is_picture(job.input):
            return 0
    return max(1, cores() // 2)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
