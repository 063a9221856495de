"""The journal of a run: what was encoded so far, so that a run can go on after any death (design, section 4).

`OUT.part/` holds `journal.jsonl` and one file a segment. The first line is the header: everything that the frames depend on.
Then a line a segment, written after its file is safe on disk; the last says that all frames are encoded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vidcolor.errors import OutputError


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

    Entering raises OutputError where the folder cannot be written or another run holds it.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out.with_name(out.name + ".part")
        self.path = self.folder / "journal.jsonl"
        self.segments: list[Segment] = []
        self.complete = False
        self.damage: list[str] = []
        self._lock = FileLock(self.folder / "lock", timeout=0)

    def __enter__(self) -> Journal:
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise OutputError(f"{self.folder}: another run is working on this output; wait for it or choose another -o") from error
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({error.strerror}); choose another -o") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self.folder.exists() and not self.path.exists():  # nothing worth keeping was written
            shutil.rmtree(self.folder)

    def begin(self, header: dict[str, Any]) -> int:
        """Start afresh; returns how many segments of an earlier run were thrown away."""
        thrown = len(self._read()[1:])
        for old in self.folder.iterdir():
            if old.name != "lock":
                old.unlink()
        self._append(header)
        return thrown

    def resume(self, header: dict[str, Any]) -> dict[str, Any] | None:
        """Take up what an earlier run left, if its header agrees in all of `header`; else None and nothing is changed.

        Returns the whole earlier header. Segments whose file is missing or damaged, and all after them, are left out; so is a torn
        last line.
        """
        lines = self._read()
        if not lines or lines[0] != lines[0] | json.loads(json.dumps(header)):
            return None
        for line in lines[1:]:
            if "complete" in line:
                self.complete, self.damage = True, line["damage"]
                break
            segment = Segment(**line)
            if not self._whole(segment):
                break
            self.segments.append(segment)
        self._rewrite(lines[0])
        return lines[0]

    def add(self, segment: Segment) -> None:
        self._append(asdict(segment))
        self.segments.append(segment)

    def finish(self, damage: list[str]) -> None:
        """All frames are encoded; `damage` is what the decoder lost on the way."""
        self._append({"complete": True, "damage": damage})
        self.complete, self.damage = True, damage

    def remove(self) -> None:
        """The output is whole: nothing of this folder is needed any more."""
        self._lock.release()
        shutil.rmtree(self.folder)

    def segment_path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.seg"

    def _whole(self, segment: Segment) -> bool:
        path = self.folder / segment.file
        if not path.is_file() or path.stat().st_size != segment.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == segment.sha256

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        lines = []
        for text in self.path.read_text().splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:  # the line that was being written when the run died
                break
        return lines

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, header: dict[str, Any]) -> None:
        whole = [header, *(asdict(s) for s in self.segments), *([{"complete": True, "damage": self.damage}] if self.complete else [])]
        part = self.path.with_suffix(".new")
        part.write_text("".join(json.dumps(line) + "\n" for line in whole))
        part.replace(self.path)
