"""Test clips of any size and length, made from real footage: cropped to the asked-for aspect, enlarged, run back and forth."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.places import CLIPS

SOURCE, COLOR_SOURCE = CLIPS / "bw_new_york_drive_1940s.mp4", CLIPS / "col_highway_drive.mp4"
SAMPLE_RATE = 48000
Plane = NDArray[np.uint8]
T = TypeVar("T")


def make(source: Path, folder: Path, width: int, height: int, frames: int, color: bool = False) -> Path:
    """An H.264 clip (4:2:0, 8 bit), grey or in the source's colour, with an AAC track in `folder`; one that is there is used again.

    Raises FileNotFoundError without the source.
    """
    target = folder / f"{source.stem}_{width}x{height}_{frames}{'_color' * color}.mp4"
    if target.exists():
        return target
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such footage; name a clip with --source")
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part.mp4")
    pictures, rate = read(source, color)
    with av.open(str(part), "w") as writer:
        video = writer.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "16"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = writer.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        for number, picture in enumerate(back_and_forth(pictures, frames)):
            frame = av.VideoFrame(width, height, "yuv420p")
            sizes = (width, height), *[(width // 2, height // 2)] * 2
            for target_plane, plane, size in zip(frame.planes, picture, sizes, strict=True):
                values = cv2.resize(crop(plane, width, height), size, interpolation=cv2.INTER_CUBIC)
                rows = np.zeros((target_plane.height, target_plane.line_size), np.uint8)
                rows[:, : size[0]] = values
                target_plane.update(rows.tobytes())
            frame.pts = number
            frame.time_base = 1 / rate
            writer.mux(video.encode(frame))
        writer.mux(video.encode(None))
        for sound in tone(Fraction(frames) / rate):
            writer.mux(audio.encode(sound))
        writer.mux(audio.encode(None))
    part.replace(target)
    return target


def read(source: Path, color: bool) -> tuple[list[tuple[Plane, Plane, Plane]], Fraction]:
    """Y, Cb and Cr of every frame of an 8-bit planar clip, these two neutral unless in `color`, and its frame rate.

    Raises ValueError where it has no frame rate, or no 4:2:0 colour to give.
    """
    with av.open(str(source)) as reader:
        stream = reader.streams.video[0]
        rate = stream.average_rate
        if not rate:
            raise ValueError(f"{source}: has no frame rate")
        if color and stream.pix_fmt not in ("yuv420p", "yuvj420p"):
            raise ValueError(f"{source}: is {stream.pix_fmt}; colour is taken from yuv420p alone")
        pictures = []
        for frame in reader.decode(stream):
            y = plane(frame, 0)
            neutral = np.full((y.shape[0] // 2, y.shape[1] // 2), 128, np.uint8)
            pictures.append((y, plane(frame, 1), plane(frame, 2)) if color else (y, neutral, neutral))
        return pictures, Fraction(rate.numerator, rate.denominator)


def plane(frame: av.VideoFrame, index: int) -> Plane:
    """Code values of a plane of an 8-bit planar frame."""
    found = frame.planes[index]
    return np.frombuffer(bytes(found), np.uint8).reshape(found.height, found.line_size)[:, : found.width].copy()


def back_and_forth(pictures: list[T], frames: int) -> Iterator[T]:
    """So many of them, forward and backward in turn, so that no cut appears."""
    loop = pictures + pictures[-2:0:-1]
    for number in range(frames):
        yield loop[number % len(loop)]


def crop(plane: Plane, width: int, height: int) -> Plane:
    """The largest part in the middle with the aspect of width : height."""
    rows, columns = plane.shape
    wanted = min(columns, round(rows * width / height)), min(rows, round(columns * height / width))
    left, top = (columns - wanted[0]) // 2, (rows - wanted[1]) // 2
    return plane[top : top + wanted[1], left : left + wanted[0]]


def tone(seconds: Fraction) -> Iterator[av.AudioFrame]:
    """A quiet 440 Hz tone, stereo."""
    total, block = int(seconds * SAMPLE_RATE), 1024
    for start in range(0, total, block):
        times = np.arange(start, min(start + block, total)) / SAMPLE_RATE
        wave = (0.05 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield frame
