"""Looks at a film and decides everything that can be decided before the work."""

from __future__ import annotations

import dataclasses
import os

from vidcolor.backends import choose
from vidcolor.errors import InputError, OutputError, UsageError
from vidcolor.job.report import Job, Plan
from vidcolor.job.stills import check_name
from vidcolor.media.encoding import Request, plan_encoding
from vidcolor.media.probe import probe
from vidcolor.media.reader import sample
from vidcolor.media.streams import StreamPlan, plan_streams
from vidcolor.networks import find
from vidcolor.stages.borders import find_box
from vidcolor.stages.tint import judge


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
    if film.still:
        check_name(str(job.out), job.out.suffix)
    if film.layout.fields != "progressive" and not job.deinterlace:
        notes.append("Interlaced: stays interlaced, colour is made per field (--deinterlace makes it progressive).")
    seen = dataclasses.replace(film, layout=dataclasses.replace(film.layout, fields="progressive")) if job.deinterlace else film
    encoding, streams = None, StreamPlan(())
    if not film.still:
        encoding = plan_encoding(seen, job.out, Request(job.codec, job.crf, job.preset, job.pix_fmt, job.lossless, job.threads or cores()))
        streams = plan_streams(film, job.out, encoding, job.drop_unsupported)
        notes += [*encoding.notes, *streams.notes]
    network = find(job.network)
    backend, why = choose(job.device)
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


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
