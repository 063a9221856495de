"""Pictures to look at: frames of clips in every style, photos beside what another program made of them."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.arrays import Picture
from benchmarks.shared.sheets import save
from benchmarks.style import lite
from benchmarks.style.restyle import Clip
from vidcolor.picture.planes import Floats

AHEAD = 8
"""The frame that is shown has so many before it, so that statistics and motion are held as they are in a film."""
LABEL = (240, 200)
"""Height and width in pixels of a name."""


def to_picture(rgb: Floats) -> Picture:
    """uint8 (H, W, 3) of RGB (3, H, W) in [0, 1]."""
    return np.ascontiguousarray(np.moveaxis(np.rint(rgb * 255).astype(np.uint8), 0, -1))


def label(text: str) -> Picture:
    """A name on white."""
    picture = np.full((*LABEL, 3), 255, np.uint8)
    for row, part in enumerate(text[i : i + 18] for i in range(0, len(text), 18)):
        cv2.putText(picture, part, (4, LABEL[0] // 2 + 20 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return picture


def column(path: Path, styles: Sequence[str], device: str, ahead: int = AHEAD) -> Iterator[Picture]:
    """One frame of a clip, plain and in each style."""
    with Clip(path, ahead + 1, styles[0], device) as clip:
        yield to_picture(clip.rgb(clip.frames[-1][1]))
        for style in styles:
            *_, last = clip.restyled(style)
            assert last.out is not None
            yield to_picture(clip.rgb(last.out))


class Look(NamedTuple):
    """What a sheet shows: styles, pixels of the height of a row, and the peer with its styles, where it is given."""

    styles: Sequence[str]
    height: int = 240
    device: str = "cpu"
    peer: str | None = None
    peer_styles: str = ""

    @property
    def names(self) -> list[str]:
        return [*self.styles, *lite.names(self.peer, self.peer_styles)]

    def column(self, path: Path, ahead: int = AHEAD) -> list[Picture]:
        """One frame of a clip, plain, in each style and in those of the peer."""
        found = list(column(path, self.styles, self.device, ahead))
        peers = lite.names(self.peer, self.peer_styles).values()
        return found + [lite.restyle(str(self.peer), found[:1], style)[0] for style in peers]


def write(out: Path, clips: Sequence[Path], look: Look) -> None:
    """A row for each style, the first for the clips themselves; a clip a column."""
    columns = [look.column(path) for path in clips]
    save(out, list(zip(map(label, ("input", *look.names)), *columns, strict=True)), look.height)


def pairs(tar: Path, count: int) -> Iterator[tuple[bytes, NDArray[np.uint8]]]:
    """So many photos, as files, evenly over the file, each with what the other program made of it: NAME_photo, NAME_anime."""
    with tarfile.open(tar) as file:
        data = {Path(member.name).stem: found.read() for member in file if (found := file.extractfile(member))}
    names = sorted(name.removesuffix("_photo") for name in data if name.endswith("_photo"))
    for i in range(min(count, len(names))):
        name = names[i * len(names) // min(count, len(names))]
        other = cv2.imdecode(np.frombuffer(data[f"{name}_anime"], np.uint8), cv2.IMREAD_COLOR)
        if other is None:
            raise ValueError(f"{tar}: {name}_anime cannot be read as a picture")
        yield data[f"{name}_photo"], np.ascontiguousarray(other[..., ::-1])


def write_pairs(out: Path, tar: Path, count: int, look: Look) -> None:
    """A row for the photos, one for each style, one for the reference of the pairs; a photo a column."""
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (photo, other) in enumerate(pairs(tar, count)):
            path = Path(folder) / f"{number}.jpg"
            path.write_bytes(photo)
            columns.append([*look.column(path, 0), other])
    save(out, list(zip(map(label, ("photo", *look.names, "reference")), *columns, strict=True)), look.height)
