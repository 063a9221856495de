"""What a run tells while it works, and how it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `kind` names it in JSON."""

    kind: ClassVar[str] = ""

    def as_dict(self) -> dict[str, Any]:
        return {"event": self.kind} | asdict(self)


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The work begins: `total` frames as far as the film says (None: unknown), of which `resumed` are safe already."""

    kind: ClassVar[str] = "started"
    total: int | None
    resumed: int


@dataclass(frozen=True, slots=True)
class FrameDone(Event):
    """A frame went to the encoder: `done` of `total` now."""

    kind: ClassVar[str] = "frame"
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class FirstPacket(Event):
    """The encoder gave its first packet, so many seconds after the run began."""

    kind: ClassVar[str] = "first_packet"
    seconds: float


@dataclass(frozen=True, slots=True)
class SegmentDone(Event):
    """A segment is safe on disk, with all frames up to `frames` of `total`."""

    kind: ClassVar[str] = "segment"
    frames: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Note(Event):
    """Something that the person should know, in a whole sentence."""

    kind: ClassVar[str] = "note"
    text: str


Listener = Callable[[Event], None]
"""Is told events as they happen, in the thread that runs the job."""


def ignore(event: Event) -> None:
    """The listener of whoever does not care."""


class Cancel:
    """Tells a run to stop, from any thread or a signal handler: the open segment is closed and kept.

    `watched` is true while the run looks at it between frames; at other times only an exception stops it.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.watched = False

    def set(self) -> None:
        self._asked.set()

    def is_set(self) -> bool:
        return self._asked.is_set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While this lasts, the run looks at the token between frames."""
        self.watched = True
        try:
            yield
        finally:
            self.watched = False
