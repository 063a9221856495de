"""Test clips of any size and length, made from real footage: cropped to the asked-for aspect, enlarged, run back and forth."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

SOURCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "clips" / "bw_new_york_drive_1940s.mp4"
SAMPLE_RATE = 48000


def make(source: Path, folder: Path, width: int, height: int, frames: int) -> Path:
    """A grey H.264 clip (4:2:0, 8 bit) with an AAC track in `folder`; one that is there is used again.

    Raises FileNotFoundError without the source.
    """
    target = folder / f"{source.stem}_{width}x{height}_{frames}.mp4"
    if target.exists():
        return target
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such footage; name a clip with --source")
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part.mp4")
    planes, rate = read_luma(source)
    with av.open(str(part), "w") as writer:
        video = writer.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "16"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = writer.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        for number, plane in enumerate(back_and_forth(planes, frames)):
            frame = av.VideoFrame(width, height, "yuv420p")
            enlarged = np.asarray(cv2.resize(crop(plane, width, height), (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
            for target_plane, values in zip(
                frame.planes, (enlarged, *[np.full((height // 2, width // 2), 128, np.uint8)] * 2), strict=True
            ):
                rows = np.zeros((target_plane.height, target_plane.line_size), np.uint8)
                rows[:, : values.shape[1]] = values
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


def read_luma(source: Path) -> tuple[list[NDArray[np.uint8]], Fraction]:
    """Luma of every frame of an 8-bit planar clip, and its frame rate."""
    with av.open(str(source)) as reader:
        stream = reader.streams.video[0]
        rate = stream.average_rate
        if not rate:
            raise ValueError(f"{source}: has no frame rate")
        return [luma(frame) for frame in reader.decode(stream)], Fraction(rate.numerator, rate.denominator)


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Code values of the first plane of an 8-bit planar frame."""
    plane = frame.planes[0]
    return np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()


def back_and_forth(planes: list[NDArray[np.uint8]], frames: int) -> Iterator[NDArray[np.uint8]]:
    """So many of them, forward and backward in turn, so that no cut appears."""
    loop = planes + planes[-2:0:-1]
    for number in range(frames):
        yield loop[number % len(loop)]


def crop(plane: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
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
