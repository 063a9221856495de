"""The book of what a film promised and did not give: frames that were lost, frames that came damaged."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import Any, NamedTuple

import av
from av.packet import Packet

from vidcolor.media.input.probe import Film

Piece = tuple[str, int]
"""One piece of damage: a line that says it, and how many frames it is."""
LINES = 20
_GAP = Fraction(1)  # seconds
_PACKETS_VANISH = {"mpegts", "mpeg"}  # containers whose damaged packets leave no trace but a gap in the times
_HIDDEN_FRAMES = {"vp8", "vp9", "av1"}  # codecs whose packets need not show a frame


class _Piece(NamedTuple):
    """One piece of damage: the pts where it lies, a line with `{}` for that time, and how many frames it is."""

    pts: int
    line: str
    frames: int = 1


class Damage:
    """Is told what goes to the decoder, what comes, and every error; all times are pts in the film's time base.

    What does not lie in since <= pts < until is left aside. The answers may be asked for at any time and from another thread.
    """

    def __init__(self, film: Film, since: int | None = None, until: int | None = None) -> None:
        self._film = film
        self._since, self._until = since, until
        self._gap = _GAP / film.time_base
        self._hidden = film.video.codec in _HIDDEN_FRAMES
        self._told: list[_Piece] = []
        self._flawed: list[int] = []  # pts of delivered frames that FFmpeg calls corrupt
        self._refused: list[tuple[int, str]] = []  # packets that the decoder gave an error for, and the reason
        self._early: list[int] = []  # packets before the first frame that gave none
        self._promised: set[int] = set()  # packets whose frame has not come yet
        self._newest: int | None = None  # the latest time of a packet
        self._afresh = False  # a packet's time fell far back: promises no longer tell what is overdue
        self._first: int | None = None
        self._last: int | None = None
        self._shown: int | None = None  # the latest time of a frame as the file stores it, which the clock may have moved
        self._ended = False

    def sent(self, packet: Packet[Any]) -> None:
        """A packet goes to the decoder."""
        if packet.pts is None or packet.is_discard:
            return
        self._promised.add(packet.pts)
        self._newest = packet.pts if self._newest is None else max(self._newest, packet.pts)
        self._afresh = self._afresh or self._newest - packet.pts > self._gap

    def came(self, frame: av.VideoFrame, pts: int) -> None:
        """A frame was decoded; `pts` is the time that the clock gives it."""
        if frame.pts is not None:
            self._promised.discard(frame.pts)
            self._shown = frame.pts if self._shown is None else max(self._shown, frame.pts)
        if self._first is None or self._last is None:
            self._first = pts
        elif self._film.container in _PACKETS_VANISH and pts - self._last > self._gap:
            self._told.append(_Piece(self._last, "no frames from {} on"))
        self._last = pts

    def refused(self, pts: int, trouble: av.FFmpegError) -> None:
        """The decoder gave an error for a packet: one frame will not come, this or one near it."""
        if self._first is None:  # nothing to go by yet: a recording may start between key frames
            self._early.append(pts)
        else:
            self._refused.append((pts, f" ({trouble.strerror})"))

    def unread(self, pts: int, trouble: av.FFmpegError) -> None:
        """The file gave an error there."""
        self._told.append(_Piece(pts, f"cannot be read on at {{}} ({trouble.strerror})"))

    def corrupt(self, pts: int) -> None:
        """A frame is delivered that FFmpeg calls corrupt."""
        self._flawed.append(pts)

    def ended(self) -> None:
        """Everything was decoded: what has not come will not come."""
        self._ended = True

    def awaits(self, pts: int | None) -> bool:
        """Whether a frame was promised and has not come."""
        return pts in self._promised

    @property
    def cut_off(self) -> bool:
        """Whether frames are missing behind the last one."""
        return not self._hidden and self._last is not None and max(self._promised, default=self._last) > self._last

    @property
    def lost(self) -> int:
        """Frames that did not come."""
        return sum(piece.frames for piece in self._lost())

    @property
    def flawed(self) -> int:
        """Delivered frames that FFmpeg calls corrupt."""
        return len(self._flawed)

    def pieces(self, since: int | None = None, until: int | None = None) -> list[Piece]:
        """Every piece of damage with since <= pts < until, in order."""
        flawed = [_Piece(pts, "damaged frame at {}") for pts in list(self._flawed)]
        found = sorted(p for p in [*self._lost(), *flawed] if (since is None or p.pts >= since) and (until is None or p.pts < until))
        return [(piece.line.format(self._clock_time(piece.pts)), piece.frames) for piece in found]

    def early_note(self) -> list[str]:
        """How many frames cannot be decoded at the beginning, where that is less than a second and so no damage."""
        early = self._before_first()
        return [f"before the first key frame {len(early)} frame(s) cannot be decoded"] if early and not self._is_damage(early) else []

    def _lost(self) -> list[_Piece]:
        pieces = list(self._told)
        if (early := self._before_first()) and self._is_damage(early) and self._first is not None:
            pieces.append(_Piece(early[0], f"no frames before {self._clock_time(self._first)}", len(early)))
        missing = [pts for pts in self._overdue() if self._first is not None and pts > self._first]
        # An error tells the reason, a promise that is not kept the place; with threads the error comes some packets late.
        for pts, error in zip_longest(missing, sorted(self._refused)):
            at, why = error or (0, "")
            pieces.append(_Piece(at, f"frame lost near {{}}{why}") if pts is None else _Piece(pts, f"frame lost at {{}}{why}"))
        since, until = self._since, self._until
        return [p for p in pieces if (since is None or p.pts >= since) and (until is None or p.pts < until)]

    def _before_first(self) -> list[int]:
        """Packets before the first frame that gave none; FFmpeg drops some without an error."""
        first = self._first
        if first is None or self._since is not None:
            return []
        return sorted({*self._early, *(pts for pts in self._overdue() if pts < first)})

    def _overdue(self) -> list[int]:
        """Promised frames that would have come before the latest one did, or before the end."""
        shown = self._shown
        if self._hidden or shown is None or (self._afresh and not self._ended):
            return []
        return [pts for pts in sorted(self._promised) if self._ended or pts < shown]

    def _is_damage(self, early: list[int]) -> bool:
        return self._first is not None and self._first - early[0] > self._gap

    def _clock_time(self, pts: int) -> str:
        return f"{float(pts * self._film.time_base - self._film.start):.3f} s"


def in_lines(pieces: Sequence[Piece]) -> list[str]:
    """A line for each piece of damage, at most twenty; then how many frames more."""
    lines = [line for line, _ in pieces[:LINES]]
    more = sum(frames for _, frames in pieces[LINES:])
    return [*lines, f"and {more} more"] if more > 0 else lines
