"""A few frames of a film, spread over it, to judge it by."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vidcolor.errors import InputError
from vidcolor.media.input.entry import Entry
from vidcolor.media.input.probe import Film, demux, open_input
from vidcolor.media.samples.formats import same_samples
from vidcolor.media.samples.unpack import copied, unpack
from vidcolor.media.stills import pictures
from vidcolor.picture.planes import Planes

_FILL = 0.5  # seconds for frames that are no key frames


def sample(film: Film, most: int = 16, seconds: float = 1.5) -> list[Planes]:
    """At most `most` frames spread over the film, in order, copied; about `seconds` of work at most.

    Key frames, coarse to fine, so that stopping early still spreads. Where the film has fewer than half as many, or cannot be sought
    in, frames behind them (behind the beginning) come along, for at most half a second. Raises InputError when nothing can be decoded.
    """
    if film.still:
        return [pictures.read_picture(film.path)[0]]
    deadline = time.monotonic() + seconds
    found: dict[int, Planes] = {}
    keys = _key_frames(film, found, most, deadline) if film.seekable and film.duration else []
    if len(found) < most // 2:
        deadline = min(deadline, time.monotonic() + _FILL)
        _fill(film, found, most, deadline, keys)
    if len(found) < most // 2:  # there are none, or times that mislead
        _fill(film, found, most, deadline, [None])
    if not found:
        raise InputError(f"{film.path}: no frame can be decoded")
    return [found[pts] for pts in sorted(found)]


def _key_frames(film: Film, found: dict[int, Planes], most: int, deadline: float) -> list[Entry]:
    """Add key frames by pts to `found`, each decoded once however many places it is the nearest to. Returns where they are, in order."""
    seen: dict[int, Entry] = {}
    with open_input(film.path) as container:
        stream = cast(VideoStream, container.streams[film.video.index])
        stream.thread_type = "SLICE"
        stream.codec_context.skip_frame = "NONKEY"
        begin = (stream.start_time or 0) * film.time_base
        for number in _coarse_to_fine(most):
            if time.monotonic() > deadline:
                break
            place = begin + (film.duration or 0) * Fraction(2 * number + 1, 2 * most)
            with contextlib.suppress(av.FFmpegError):  # damaged here: the others will do
                container.seek(place // film.time_base, stream=stream)
                frame = _next_key_frame(container, stream, seen)
                if frame is not None and frame.pts is not None and _fits(frame, film) and not frame.is_corrupt:
                    found[frame.pts] = copied(unpack(frame, film.layout))
    return sorted(seen[pts] for pts in found if pts in seen)


def _next_key_frame(container: InputContainer, stream: VideoStream, seen: dict[int, Entry]) -> av.VideoFrame | None:
    """The next key frame; None where it was seen before. A decoder that is flushed after a frame gives it at once."""
    for packet in demux(container, stream):
        if packet.is_keyframe and packet.size:
            if packet.pts in seen:
                return None
            if packet.pts is not None:
                seen[packet.pts] = Entry.at(packet.pts, packet)
            frames = [*packet.decode(), *stream.codec_context.decode(None)]
            return frames[0] if frames else None
    return None


def _fill(film: Film, found: dict[int, Planes], most: int, deadline: float, starts: Sequence[Entry | None]) -> None:
    """Add frames behind each start (None: the beginning) until `found` has `most`.

    As far apart as `most` of them over the whole film would be, and nearer where the time does not reach so far.
    """
    stride = max((film.frames or 0) // most, 1)
    with open_input(film.path) as container:
        stream = cast(VideoStream, container.streams[film.video.index])
        stream.thread_type = "AUTO"
        for number, start in enumerate(starts):
            left, begun = len(starts) - number, time.monotonic()
            share, wanted = (deadline - begun) / left, -(-(most - len(found)) // left)
            following = starts[number + 1] if left > 1 else None
            added, apart, before = 0, stride, begun
            for frame in _frames_from(container, stream, start):
                now = time.monotonic()
                if added == wanted or (now - begun > share and found) or (following and (frame.pts or 0) >= following.pts):
                    break
                if frame.pts is not None and frame.pts in found:
                    apart, before = 1, now
                elif not _fits(frame, film) or (frame.is_corrupt and found):  # a damaged one is better than none
                    continue
                elif apart >= stride or (now - before) * (wanted + 1) > share:
                    found[len(found) if frame.pts is None else frame.pts] = copied(unpack(frame, film.layout))
                    added, apart, before = added + 1, 1, now
                else:
                    apart += 1


def _frames_from(container: InputContainer, stream: VideoStream, start: Entry | None) -> Iterator[av.VideoFrame]:
    """Frames from a key frame on, None for the beginning, until the file cannot be read on."""
    with contextlib.suppress(av.FFmpegError):
        if start is not None:
            container.seek(start.seek, stream=stream)
        packets = demux(container, stream)
        for packet in packets if start is None else start.packets(packets) or ():
            with contextlib.suppress(av.InvalidDataError):
                yield from (frame for frame in packet.decode() if start is None or frame.pts is None or frame.pts >= start.pts)


def _fits(frame: av.VideoFrame, film: Film) -> bool:
    same_size = (frame.width, frame.height) == (film.layout.width, film.layout.height)
    return same_size and same_samples(frame.format.name, film.pix_fmt)


def _coarse_to_fine(count: int) -> list[int]:
    """0 to count - 1, ordered so that every beginning of the list is spread (bit-reversed)."""
    bits = max(count - 1, 1).bit_length()
    order = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(1 << bits))
    return [number for number in order if number < count]
