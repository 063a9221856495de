"""Frames made by hand, for stages."""

from __future__ import annotations

from vidcolor.picture.planes import Planes
from vidcolor.stages.base import ColorSource, Frame, Work


def frame_of(
    number: int, pts: int, planes: Planes, work: Work, shot: int = 0, place: int = 0, color_source: ColorSource | None = None
) -> Frame:
    """A frame that was shrunk; without a word, its colour was made where it has chroma, else it is the film's own, if there is any."""
    source = color_source or ("made" if work.chroma is not None else "film" if planes.cb is not None else "none")
    return Frame(number, pts, planes, source, shot, place, shrunk=work)
