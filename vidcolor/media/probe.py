"""What a film is, before anything is done to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from vidcolor.planes import Layout

Kind = Literal["video", "audio", "subtitle", "data", "attachment"]


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a container, as far as a plan needs to speak of it."""

    index: int
    kind: Kind
    codec: str  # FFmpeg's codec name, "unknown" where it has none
    language: str | None = None
    title: str | None = None
    attached_picture: bool = False


@dataclass(frozen=True, slots=True)
class Hdr:
    """HDR10 static metadata in the units of SMPTE ST 2086 / CTA-861.3; other kinds only named."""

    mastering: str | None = None  # x265's master-display string: G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)
    light: str | None = None  # "MaxCLL,MaxFALL"
    dynamic: tuple[str, ...] = ()  # e.g. ("Dolby Vision", "HDR10+"): cannot be carried


@dataclass(frozen=True, slots=True)
class Film:
    """The first video track of a file and what surrounds it.

    Times are exact: `time_base` and `start` in seconds as Fractions, `duration` None where the file does not say.
    `primaries`, `transfer` and `matrix` are FFmpeg's numbers (2 = unspecified), as they go back onto the output.
    """

    path: Path
    container: str  # FFmpeg's demuxer name
    video: Stream
    others: tuple[Stream, ...]
    layout: Layout  # of the decoded planes, as Reader delivers them
    pix_fmt: str  # FFmpeg's name of the source's pixel format
    time_base: Fraction
    rate: Fraction | None  # average frame rate
    duration: Fraction | None
    frames: int | None  # as declared or estimated; None = unknown
    sample_aspect: Fraction = Fraction(1)
    rotation: int = 0  # degrees counter-clockwise to turn for display
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range_tagged: bool = False
    hdr: Hdr | None = None
    still: bool = False  # a picture file: a film of one frame
    seekable: bool = True
    notes: tuple[str, ...] = field(default=())  # what was assumed, e.g. "colour matrix not tagged: BT.601 (576 lines)"
