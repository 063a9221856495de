"""A few frames of a film, spread over it, to judge it by."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vidcolor.errors import InputError
from vidcolor.media import pictures
from vidcolor.media.formats import same_samples
from vidcolor.media.probe import Film, demux, open_input
from vidcolor.media.unpack import copied, unpack
from vidcolor.planes import Planes


def sample(film: Film, most: int = 16, seconds: float = 1.5) -> list[Planes]:
    """At most `most` frames spread over the film, in order, copied; about `seconds` of work.

    Key frames, coarse to fine, so that stopping early still spreads; where the film has few, or cannot be sought in, frames
    from its beginning on as far as the time goes. Raises InputError when nothing can be decoded.
    """
    if film.still:
        return [pictures.read_picture(film.path)[0]]
    deadline = time.monotonic() + seconds
    found = _key_frames(film, most, deadline) if film.seekable and film.duration else {}
    if len(found) < most // 2:
        stride = max((film.frames or 0) // most, 1)
        for number, frame in enumerate(_from_the_beginning(film)):
            if number % stride == 0 and _fits(frame, film):
                found.setdefault(number if frame.pts is None else frame.pts, copied(unpack(frame, film.layout)))
            if len(found) >= most or time.monotonic() > deadline:
                break
    if not found:
        raise InputError(f"{film.path}: no frame can be decoded")
    return [found[pts] for pts in sorted(found)]


def _from_the_beginning(film: Film) -> Iterator[av.VideoFrame]:
    with open_input(film.path) as container:
        stream = cast(VideoStream, container.streams[film.video.index])
        stream.thread_type = "AUTO"
        with contextlib.suppress(av.FFmpegError):  # what comes until the file cannot be read on will do
            for packet in demux(container, stream):
                with contextlib.suppress(av.InvalidDataError):
                    yield from packet.decode()


def _key_frames(film: Film, most: int, deadline: float) -> dict[int, Planes]:
    """Key frames by pts. A decoder that is flushed after one gives it at once."""
    found: dict[int, Planes] = {}
    with open_input(film.path) as container:
        stream = cast(VideoStream, container.streams[film.video.index])
        stream.thread_type = "SLICE"
        stream.codec_context.skip_frame = "NONKEY"
        begin = (stream.start_time or 0) * film.time_base
        for number in _coarse_to_fine(most):
            if time.monotonic() > deadline:
                break
            place = begin + (film.duration or 0) * Fraction(2 * number + 1, 2 * most)
            try:
                container.seek(place // film.time_base, stream=stream)
                frame = _next_key_frame(container, stream)
            except av.FFmpegError:  # damaged here: the others will do
                continue
            if frame is not None and frame.pts is not None and frame.pts not in found and _fits(frame, film):
                found[frame.pts] = copied(unpack(frame, film.layout))
    return found


def _next_key_frame(container: InputContainer, stream: VideoStream) -> av.VideoFrame | None:
    for packet in demux(container, stream):
        if packet.is_keyframe and packet.size:
            frames = [*packet.decode(), *stream.codec_context.decode(None)]
            return frames[0] if frames else None
    return None


def _fits(frame: av.VideoFrame, film: Film) -> bool:
    same_size = (frame.width, frame.height) == (film.layout.width, film.layout.height)
    return same_size and same_samples(frame.format.name, film.pix_fmt) and not frame.is_corrupt


def _coarse_to_fine(count: int) -> list[int]:
    """0 to count - 1, ordered so that every beginning of the list is spread (bit-reversed)."""
    bits = max(count - 1, 1).bit_length()
    order = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(1 << bits))
    return [number for number in order if number < count]
