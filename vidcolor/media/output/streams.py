"""Which streams of a film the target container can hold, found out before work starts; and the way to the last mux."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.sidedata.sidedata import Type
from av.stream import Disposition

from vidcolor.errors import OutputError, UsageError
from vidcolor.media.input.probe import Film, Stream, open_input, side_data
from vidcolor.media.output.choose_encoding import Encoding, reason
from vidcolor.media.output.codecs import (
    ATTACHED_COVERS,
    CODED_ASPECT,
    FILE_TAGS,
    HELD,
    KEEP_ASPECT,
    KEEP_CHAPTERS,
    KEEP_ROTATION,
    MOVIES,
    NO_DISPOSITIONS,
    SHIFTS_TO_ZERO,
    TRACK_TAGS,
)
from vidcolor.media.output.mux import COVER_FILES, Mux, free_tags, muxer_options, own_tags
from vidcolor.wording import field

IN_PICTURES = {
    Type.A53_CC: "closed captions inside the pictures",
    Type.STEREO3D: "marks of stereoscopic pictures",
    Type.SPHERICAL: "marks of spherical pictures",
}
EMPTY_TAGS = {("language", "und"), ("handler_name", "VideoHandler"), ("handler_name", "SoundHandler"), ("handler_name", "SubtitleHandler")}
"""Tags that a muxer made and that say nothing."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Which streams go along. `dropped` pairs each other stream with the reason; `notes` are said before the work starts."""

    copied: tuple[Stream, ...]
    dropped: tuple[tuple[Stream, str], ...] = ()
    notes: tuple[str, ...] = ()


def plan_streams(film: Film, out: Path, encoding: Encoding, drop_unsupported: bool) -> StreamPlan:
    """Find out by trial which streams of the film the target container takes.

    Raises UsageError, naming each stream and the reason, where some do not fit and `drop_unsupported` is not set.
    """
    copied: list[Stream] = []
    dropped: list[tuple[Stream, str]] = []
    notes: list[str] = []
    if film.still:
        return StreamPlan(())
    with open_input(film.path) as source:
        for other in film.others:
            stream = source.streams[other.index]
            if other.kind == "data" and _is_rewritten(source, stream, encoding.container, notes):
                continue
            why = _refusal(stream, other, encoding.container)
            if why is None:
                copied.append(other)
            else:
                dropped.append((other, why))
        notes += _losses(film, encoding, source, copied)
    if dropped and not drop_unsupported:
        told = "; ".join(f"stream {stream.index}: {why}" for stream, why in dropped)
        help_ = "use" if encoding.container == "matroska" else "use .mkv, or"
        drop = field("drop_unsupported", True)
        raise UsageError(f"{out.name} cannot hold all of {film.path.name}: {told}; {help_} {drop} to go on without", "out")
    return StreamPlan(tuple(copied), tuple(dropped), tuple(notes))


def assemble(
    film: Film,
    encoding: Encoding,
    plan: StreamPlan,
    segments: list[Path],
    out: Path,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    sorted_pts: list[int],
) -> list[str]:
    """Write `out`: the coded segments as the video stream, every stream of `plan.copied` beside it. Returns what of these was damaged.

    `sorted_pts` are the presentation times of all coded frames in the film's time base, rising; `start` and `end` are seconds from
    `film.start`, as Reader takes them. With `start` the first frame becomes time 0; every stream is clipped to the same stretch.
    Raises OutputError where the file cannot be written or the segments do not hold exactly these frames.
    """
    mux = Mux(film, encoding, {stream.index for stream in plan.copied}, segments, sorted_pts, start, end)
    try:
        with open_input(film.path) as source:
            options = muxer_options(film, encoding.container, source.metadata, _has_cover(plan.copied))
            with _open_target(out, encoding.container, options) as target:
                mux.run(source, target)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"{out}: cannot be written: {reason(error)}") from error
    return mux.damage


def _open_target(out: Path, container: str, options: dict[str, str]) -> OutputContainer:
    """Tags that are no UTF-8 go out as they came in, byte for byte (PyAV 19 does that without being told)."""
    errors: dict[str, Any] = {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
    return cast(OutputContainer, av.open(f"file:{out}", "w", format=container, container_options=options, **errors))


def _losses(film: Film, encoding: Encoding, source: InputContainer, copied: list[Stream]) -> list[str]:
    """What the container cannot say, in words."""
    container, notes = encoding.container, []
    if source.chapters() and container not in KEEP_CHAPTERS:
        notes.append(f"chapters will be lost: {container} has none")
    if film.rotation and container not in KEEP_ROTATION:
        notes.append(f"the rotation of {film.rotation} degrees will be lost: {container} cannot say it")
    if film.sample_aspect != 1 and container not in KEEP_ASPECT and not encoding.codec.startswith(CODED_ASPECT):
        shape = f"{film.sample_aspect.numerator}:{film.sample_aspect.denominator}"
        notes.append(
            f"the shape of the pixels ({shape}) will be lost: {container} is not told of it by {encoding.codec}; use .mp4, .mov or h264"
        )
    if container in MOVIES and _has_cover(tuple(copied)) and (lost := free_tags(source.metadata)):
        notes.append(f"tags will be lost: {', '.join(lost)} ({container} keeps either cover art or tags of any name)")
    if any(stream.disposition & ~Disposition.default for stream in source.streams) and container in NO_DISPOSITIONS:
        notes.append(f"marks of tracks (forced, hearing impaired and so on) will be lost: {container} has none")
    notes += [*_lost_tags(source, container), *_inside_pictures(source, film)]
    if container == "avi":
        notes.append("AVI keeps no times: the film starts at 0")
        if "264" not in encoding.codec and (film.matrix != 2 or film.primaries != 2):
            notes.append(f"AVI keeps no colour tags with {encoding.codec}")
    elif (source.streams[film.video.index].start_time or 0) < 0 or (container in SHIFTS_TO_ZERO and film.start < 1):
        notes.append(f"{container} shows nothing before 0: all streams together may start a fraction of a second later")
    return notes


def _inside_pictures(source: InputContainer, film: Film) -> list[str]:
    """What the first coded pictures carry beside themselves and a new encoder is not given: PyAV cannot attach it to a frame."""
    found: set[str] = set()
    try:
        frames = cast(Iterator[Any], source.decode(source.streams[film.video.index]))
        for frame in islice(frames, 3):
            found |= {IN_PICTURES[piece.type] for piece in side_data(frame) if piece.type in IN_PICTURES}
    except (av.FFmpegError, ValueError, IndexError):  # damage is Reader's to tell; ValueError is a kind that PyAV does not know
        return []
    return [f"{what} will be lost: they cannot be given to a new encoder" for what in sorted(found)]


def _lost_tags(source: InputContainer, container: str) -> list[str]:
    notes = []
    kept = FILE_TAGS.get(container)
    if kept is not None and (lost := [key for key in own_tags(source.metadata) if key.lower() not in kept]):
        notes.append(f"tags will be lost: {', '.join(lost)} ({container} has no place for them)")
    for stream in source.streams if container in TRACK_TAGS else ():
        tags = {key: value for key, value in own_tags(stream.metadata).items() if (key.lower(), value) not in EMPTY_TAGS}
        if lost := [key for key in tags if key.lower() not in TRACK_TAGS[container] and stream.type != "attachment"]:
            notes.append(f"tags of stream {stream.index} will be lost: {', '.join(lost)} ({container} has no place for them)")
    return notes


def _has_cover(streams: tuple[Stream, ...]) -> bool:
    return any(stream.attached_picture for stream in streams)


def _is_rewritten(source: InputContainer, stream: Any, container: str, notes: list[str]) -> bool:
    """Tracks that are not copied because the muxer makes them afresh: of chapters, and of the timecode tag."""
    if "timecode" in stream.metadata:
        if container not in MOVIES:
            notes.append(f"the timecode track becomes a tag ({stream.metadata['timecode']}): {container} has no such track")
        return True
    return source.format.name.startswith("mov") and bool(source.chapters()) and stream.metadata.get("handler_name") == "SubtitleHandler"


def _refusal(stream: Any, told: Stream, container: str) -> str | None:
    """Why the container does not take a stream, found by writing a header in memory; None where it takes it."""
    what = "attached files" if told.kind == "attachment" else f"{told.kind} in {told.codec}"
    if container in HELD and told.codec not in HELD[container]:
        return f"{container} has no place for {what}"
    if told.attached_picture and container in ATTACHED_COVERS:
        return None if told.codec in COVER_FILES else f"{container} has no place for cover art in {told.codec}"
    if told.kind in ("audio", "video", "subtitle") and stream.codec_context is None:
        return f"{what} cannot be copied: this build of FFmpeg does not know it"
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return f"{container} has no place for {what}"
    return None
