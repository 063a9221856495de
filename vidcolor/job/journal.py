"""The journal of a run: what was encoded so far, so that a run can go on after any death (design, section 4).

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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vidcolor.errors import OutputError, UsageError

OWN = ("journal.new", "*.seg", "*.seg.part", "whole.*", "journal.jsonl")
"""What a run writes into its folder, in the order in which it is removed; nothing else in there ever is."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One encoded stretch: `pts` of its frames in order, and where the next one starts.

    `next_frame` is the number of the first frame after it, `next_shot_start` that of the first frame of the shot it lies in
    (a resumed run replays the networks from there), `shots` how many shots began before `next_frame`.
    """

    file: str
    sha256: str
    size: int
    pts: list[int]
    next_frame: int
    next_shot_start: int
    shots: int


class Journal:
    """The journal of one output, as a context: inside it no other run can work on the same output.

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
        with self._told():
            self.folder.mkdir(exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise OutputError(f"{self.folder}: another run is working on this output; wait for it or choose another -o") from error
        return self

    def __exit__(self, *_: object) -> None:
        if not self.path.exists() or (self._taken and not self.segments):  # nothing worth keeping
            with suppress(OutputError):  # what went wrong before is the thing to tell
                self.remove()
        self._lock.release()

    def begin(self, header: dict[str, Any]) -> int:
        """Start afresh; returns how many segments of an earlier run were thrown away."""
        with self._told():
            thrown = len(list(self.folder.glob("*.seg")))
            self._clear()
        self._taken = True
        self._append(header)
        return thrown

    def resume(self, header: dict[str, Any]) -> dict[str, Any] | None:
        """Take up what an earlier run left and return its whole header; None where it left nothing that can be read.

        Segments whose file is missing or damaged, and all after them, are left out; so is a torn last line. Raises UsageError, and
        changes nothing, where the earlier header differs in anything of `header`.
        """
        lines = self._read()
        if not lines:
            return None
        if differences := _differences(lines[0], json.loads(json.dumps(header))):
            raise UsageError(
                f"{self.folder}: was begun differently ({'; '.join(differences)}); "
                "repeat --resume with what it was begun with, or leave --resume out to start afresh"
            )
        self._taken = True
        with self._told():
            for line in lines[1:]:
                if line.get("complete"):
                    self.complete, self.damage, self.notes = True, list(line.get("damage", [])), list(line.get("notes", []))
                    break
                segment = self._segment(line)
                if segment is None:
                    break
                self.segments.append(segment)
            self._rewrite(lines[0])
        return lines[0]

    def header(self) -> dict[str, Any]:
        """The header of an earlier run; empty where there is none."""
        return next(iter(self._read()), {})

    def add(self, segment: Segment) -> None:
        self._append(asdict(segment))
        self.segments.append(segment)

    def finish(self, damage: list[str], notes: list[str]) -> None:
        """All frames are encoded; `damage` is what the decoder lost on the way, `notes` what it assumed."""
        self._append({"complete": True, "damage": damage, "notes": notes})
        self.complete, self.damage, self.notes = True, damage, notes

    def publishing(self, whole: Path) -> None:
        """The whole film is about to get its final name: `published` knows it again even if the run dies right after that."""
        with self._told():
            self._append({"published": _identity(whole)})

    def published(self, out: Path) -> bool:
        """Whether `out` is the film that this journal's run made."""
        with self._told():
            return out.is_file() and self._read()[-1:] == [{"published": _identity(out)}]

    def remove(self) -> None:
        """Nothing of this folder is needed any more."""
        with self._told():
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

    def segment_path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.seg"

    def _clear(self) -> None:
        for pattern in OWN:
            for path in self.folder.glob(pattern):
                path.unlink()

    def _segment(self, line: dict[str, Any]) -> Segment | None:
        """What a line says, if it follows on the segments before it and its file is whole."""
        try:
            segment = Segment(**line)
            path, done = self.segment_path(len(self.segments)), self.segments[-1].next_frame if self.segments else 0
            numbers = all(isinstance(n, int) for n in (*segment.pts, segment.size, segment.next_shot_start, segment.shots))
            follows = numbers and segment.file == path.name and segment.next_frame == done + len(segment.pts)
        except TypeError:
            return None
        if not follows or not path.is_file() or path.stat().st_size != segment.size:
            return None
        with path.open("rb") as file:
            return segment if hashlib.file_digest(file, "sha256").hexdigest() == segment.sha256 else None

    def _read(self) -> list[dict[str, Any]]:
        """The lines up to the first that is none: the one that was being written when a run died."""
        if not self.path.is_file():
            return []
        with self._told():
            texts = self.path.read_bytes().splitlines()
        lines = []
        for text in texts:
            try:
                line = json.loads(text)
            except ValueError:
                break
            if not isinstance(line, dict):
                break
            lines.append(line)
        return lines

    def _append(self, line: dict[str, Any]) -> None:
        with self._told(), self.path.open("a") as file:
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
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check the folder or choose another -o"
            raise OutputError(f"{self.folder}: cannot be written ({error.strerror}); {advice}") from error


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
