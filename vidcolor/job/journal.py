"""The journal of a run: what was encoded so far, so that a run can go on after any death (docs/design.md, section 4).

`OUT.part/` holds `journal.jsonl` and one file a segment. The first line is the header: everything that the frames depend on.
Then a line a segment, written after its file is safe on disk; the last says that all frames are encoded.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vidcolor.errors import OutputError, UsageError
from vidcolor.wording import field

OWN = ("journal.new", "*.seg", "*.seg.part", "whole.*", "journal.jsonl")
"""What a run writes into its folder, in the order in which it is removed; nothing else in there ever is."""


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of a film, in pts: frames from `first` up to, not including, `until`; None is where the asked-for part begins or ends.

    `lead` is the first frame of the shot that `first` lies in: the networks begin there, so that a stretch does not depend on what was
    made of the one before it. `before` is the frame before `first`: its pts and a checksum of its decoded luma, which show whether
    seeking there decodes the same pictures.
    """

    first: int | None = None
    until: int | None = None
    lead: int | None = None
    before: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One encoded stretch: `pts` of its frames in order, and where the next one starts.

    `first` is None where it begins the asked-for part, `until` is the pts of the frame after it, None at the end. `next_lead` is the pts of
    the first frame of the shot that this frame lies in, `shots` how many shots begin here, `checksum` that of the last frame's decoded
    luma. `damage` is what the decoder lost between them, in lines, and how many frames each is; `notes` what
    the reader had assumed until then.
    """

    file: str
    sha256: str
    size: int
    first: int | None
    until: int | None
    pts: list[int]
    next_lead: int | None
    shots: int
    checksum: int
    damage: list[tuple[str, int]]
    notes: list[str]

    @property
    def following(self) -> Range:
        """What comes after it, to the end."""
        return Range(self.until, None, self.next_lead, (self.pts[-1], self.checksum))


class Journal:
    """The journal of one output, as a context: inside it no other run can work on the same output.

    Its segments are kept by their range: they may be made in any order, and what lies between them is still to do.

    Leaving it removes the folder unless frames are safe in it. Everything raises OutputError where the folder cannot be read or
    written; entering also where another run holds it.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out.with_name(out.name + ".part")
        self.path = self.folder / "journal.jsonl"
        self.segments: list[Segment] = []
        self.complete = False
        self.damage: list[str] = []
        self.notes: list[str] = []
        self._taken = False
        self._lock = FileLock(self.folder / "lock", timeout=0)

    def __enter__(self) -> Journal:
        with self._as_output_error():
            self.folder.mkdir(exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise OutputError(
                    f"{self.folder}: another run is working on this output; wait for it or choose another {field('out')}"
                ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if not self.path.exists() or (self._taken and not self.segments):  # nothing worth keeping
            with suppress(OutputError):  # what went wrong before is the thing to tell
                self.remove()
        self._lock.release()

    def begin(self, header: dict[str, Any]) -> int:
        """Start afresh; returns how many segments of an earlier run were thrown away."""
        with self._as_output_error():
            thrown = len(list(self.folder.glob("*.seg")))
            self._clear()
        self._taken = True
        self._append(header)
        return thrown

    def resume(self, header: dict[str, Any]) -> dict[str, Any] | None:
        """Take up what an earlier run left and return its whole header; None where it left nothing that can be read.

        Segments whose file is missing or damaged are left out; so are a line that is none, and all after it. Raises UsageError, and
        changes nothing, where the earlier header differs in anything of `header`.
        """
        lines = self._read()
        if not lines:
            return None
        if differences := _differences(lines[0], json.loads(json.dumps(header))):
            raise UsageError(
                f"{self.folder}: was begun differently ({'; '.join(differences)}); "
                f"repeat {field('resume', True)} with what it was begun with, or leave it out to start afresh"
            )
        self._taken = True
        with self._as_output_error():
            for line in lines[1:]:
                if line.get("complete"):
                    self.complete, self.damage, self.notes = True, _texts(line.get("damage")), _texts(line.get("notes"))
                    break
                segment = _segment(line)
                if segment is None:
                    break
                if self._whole(segment) and not any(_overlap(segment, other) for other in self.segments):
                    self._insert(segment)
            self.complete = self.complete and not self.gaps()
            self._rewrite(lines[0])
        return lines[0]

    def gaps(self) -> list[Range]:
        """The stretches that no segment holds, in order."""
        found, coming = [], Range()
        for segment in self.segments:
            if segment.first not in (None, coming.first):
                found.append(replace(coming, until=segment.first))
            coming = segment.following
        if not self.segments or self.segments[-1].until is not None:
            found.append(coming)
        return found

    @property
    def frames(self) -> int:
        """How many frames are safe."""
        return sum(len(segment.pts) for segment in self.segments)

    def header(self) -> dict[str, Any]:
        """The header of an earlier run; empty where there is none."""
        return next(iter(self._read()), {})

    def add(self, segment: Segment) -> None:
        """A segment, whose file is safe in the folder, whatever was made before it."""
        self._append(asdict(segment))
        self._insert(segment)

    def finish(self, damage: list[str], notes: list[str]) -> None:
        """All frames are encoded; `damage` is what the decoder lost on the way, `notes` what it assumed."""
        self._append({"complete": True, "damage": damage, "notes": notes})
        self.complete, self.damage, self.notes = True, damage, notes

    def publishing(self, whole: Path) -> None:
        """The whole film is about to get its final name: `published` knows it again even if the run dies right after that."""
        with self._as_output_error():
            self._append({"published": _identity(whole)})

    def published(self, out: Path) -> bool:
        """Whether `out` is the film that this journal's run made."""
        with self._as_output_error():
            return out.is_file() and self._read()[-1:] == [{"published": _identity(out)}]

    def remove(self) -> None:
        """Nothing of this folder is needed any more."""
        with self._as_output_error():
            if self.folder.is_dir():
                self._clear()
        lock = self.folder / "lock"
        with suppress(PermissionError):  # Windows removes no open file
            lock.unlink(missing_ok=True)
        self._lock.release()
        with suppress(OSError):  # another run came in, or something that is not ours lies there
            if os.name == "nt":
                lock.unlink(missing_ok=True)
            self.folder.rmdir()

    def _clear(self) -> None:
        for pattern in OWN:
            for path in self.folder.glob(pattern):
                path.unlink()

    def _insert(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.segments.sort(key=lambda each: each.pts[0])

    def _whole(self, segment: Segment) -> bool:
        """Whether the file of a segment is as it was written."""
        path = self.folder / segment.file
        if not path.is_file() or path.stat().st_size != segment.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == segment.sha256

    def _read(self) -> list[dict[str, Any]]:
        """The lines up to the first that is none: the one that was being written when a run died."""
        if not self.path.is_file():
            return []
        with self._as_output_error():
            texts = self.path.read_bytes().splitlines()
        lines = []
        for text in texts:
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                break
            if not isinstance(line, dict):
                break
            lines.append(line)
        return lines

    def _append(self, line: dict[str, Any]) -> None:
        with self._as_output_error(), self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, header: dict[str, Any]) -> None:
        whole = [header, *(asdict(s) for s in self.segments)]
        whole += [{"complete": True, "damage": self.damage, "notes": self.notes}] if self.complete else []
        part = self.path.with_suffix(".new")
        with part.open("w") as file:
            file.write("".join(json.dumps(line) + "\n" for line in whole))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    @contextmanager
    def _as_output_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = (
                "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"check the folder or choose another {field('out')}"
            )
            raise OutputError(f"{self.folder}: cannot be written ({error.strerror}); {advice}") from error


def segment_path(folder: Path, first: int) -> Path:
    """The file of the segment whose first frame has this pts."""
    return folder / f"{first}.seg"


def _segment(line: dict[str, Any]) -> Segment | None:
    """What a line says; None where it says nothing that can be."""
    try:
        segment = Segment(**line)
        whole = (segment.size, segment.shots, segment.checksum, *segment.pts)
        open_ended = (segment.first, segment.until, segment.next_lead)
        numbers = all(type(n) is int for n in whole) and all(n is None or type(n) is int for n in open_ended)
        lines = [line for line, frames in segment.damage if type(frames) is int]
        texts = all(isinstance(text, str) for text in (segment.file, segment.sha256, *lines, *segment.notes))
        if not (numbers and texts and segment.pts and all(a < b for a, b in pairwise(segment.pts))):
            return None
        first, until = segment.pts[0], segment.until
    except (TypeError, ValueError):
        return None
    fits = (
        segment.file == segment_path(Path(), first).name and segment.first in (None, first) and (until is None or until > segment.pts[-1])
    )
    return segment if fits else None


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _overlap(one: Segment, other: Segment) -> bool:
    """Whether two segments hold, or reach over, the same stretch."""
    early, late = sorted((one, other), key=lambda each: each.pts[0])
    return late.first is None or early.until is None or early.until > late.pts[0]


def _identity(path: Path) -> list[int]:
    """What a file keeps when it is renamed."""
    stat = path.stat()
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns]


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """In words, in which settings `old` differs from `new`."""
    found: dict[str, str] = {}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            found |= {word.split(":")[0]: word for word in _differences(before, value)}
        elif before != value:
            short = len(f"{before}{value}") < 80 and not isinstance(value, dict | list)
            found[key] = f"{key}: {before}, now {value}" if short else f"another {key}"
    return list(found.values())
