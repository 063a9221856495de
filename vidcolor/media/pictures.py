"""Still pictures: read as planes, written with what surrounds them (orientation, colour profile, resolution)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidcolor.errors import InputError
from vidcolor.planes import Planes

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM")


@dataclass(frozen=True, slots=True)
class PictureExtras:
    codec: str
    pix_fmt: str
    notes: tuple[str, ...] = ()


def is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(16)
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def read_picture(path: Path) -> tuple[Planes, PictureExtras]:
    raise InputError(f"{path}: pictures cannot be read yet")
