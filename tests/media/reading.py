"""Reading in tests: by the Reader, and by plain PyAV apart from the code under test."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from vidcolor.media.input.probe import probe
from vidcolor.media.input.reader import Reader
from vidcolor.picture.planes import Planes


def plain(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def read(path: Path, **asked) -> tuple[list[tuple[int, Planes]], Reader]:
    with Reader(probe(path), **asked) as reader:
        return list(reader), reader


def samples(frame: av.VideoFrame) -> list[np.ndarray]:
    """Planes of a planar frame cut out by hand, apart from the code under test."""
    found = []
    for plane in frame.planes:
        deep = frame.format.components[0].bits > 8
        raw = np.frombuffer(bytes(plane), "<u2" if deep else "u1").reshape(plane.height, -1)
        found.append(raw[:, : plane.width])
    return found
