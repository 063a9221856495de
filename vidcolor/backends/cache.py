"""Compiled networks kept between runs: one self-checking file an entry, one builder at a time, never in the way of the work.

A file is a JSON line (key, size, sha256, info) and the bytes after it, so there is no second file to fall out of step. A
damaged file is moved to `.bad` and built again. A folder that cannot be written is by-passed. Both are logged as warnings.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from vidcolor.backends.base import use_cpu
from vidcolor.errors import DeviceError

log = logging.getLogger("vidcolor")

SCHEMA = 1
LONGEST_HEADER = 1 << 16
KEEP = 40  # entries, those last used; an engine has some 12 MB


class BuildError(DeviceError):
    """The compiler refused the network. The same inputs would be refused again, so the cache remembers it."""


class DamagedEntryError(Exception):
    """A cache file that is not what was written. Never leaves this module."""


def key_of(inputs: Mapping[str, object]) -> str:
    """SHA-256, in hexadecimal, of everything that an entry depends on. The order of the names does not matter.

    Never make it of the compiled bytes: two builds of one network differ.
    """
    text = json.dumps({"schema": SCHEMA, **inputs}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Cache:
    """A folder of compiled networks, shared by every process of this user."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is made when first needed; by default the user's cache folder for vidcolor."""
        self.folder = folder or Path(user_cache_dir("vidcolor")) / "engines"

    def path(self, key: str) -> Path:
        """The file of an entry."""
        return self.folder / f"{key}.engine"

    def fetch(self, key: str, build: Callable[[], bytes], info: Mapping[str, object]) -> bytes:
        """The entry, built where it is missing. `info` is kept in the file for whoever looks at it.

        Of several processes one builds and the others wait. Raises what `build` raises; a BuildError is remembered, and
        raised again without building.
        """
        with contextlib.suppress(OSError, DamagedEntryError):  # a quick look without the lock; what is wrong is told under it
            return self._read(key)
        try:
            lock = self._lock(key)
        except (OSError, NotImplementedError) as error:  # filelock: NotImplementedError where the file system has no locks
            log.warning("engine cache %s cannot be written (%s): building without it", self.folder, error)
            return build()
        with lock:
            self._sweep(key)
            try:
                return self._read(key)
            except FileNotFoundError:
                pass
            except (OSError, DamagedEntryError) as error:
                self._put_aside(key, error)
            self._recall(key)
            try:
                blob = build()
            except BuildError as error:
                self._remember(key, str(error).removesuffix(f"; {use_cpu()}"))  # in words that may not be those of the next run
                raise
            self._publish(key, blob, info)
            return blob

    def get(self, key: str) -> bytes | None:
        """The entry, or None where it is missing; also where it is damaged, after moving it away."""
        try:
            return self._read(key)
        except FileNotFoundError:
            return None
        except (OSError, DamagedEntryError) as error:
            self._put_aside(key, error)
            return None

    def put(self, key: str, blob: bytes, info: Mapping[str, object]) -> None:
        """Write an entry in one step. A folder that cannot be written is a warning."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.warning("engine cache %s cannot be written (%s)", self.folder, error)
            return
        self._publish(key, blob, info)

    def drop(self, key: str) -> None:
        """Forget an entry that turned out to be of no use."""
        self._put_aside(key, DamagedEntryError("it does not load"))

    def _read(self, key: str) -> bytes:
        with self.path(key).open("rb") as file:
            line = file.readline(LONGEST_HEADER)
            blob = file.read()
        try:
            header = json.loads(line)
            facts = (header["key"], header["size"], header["sha256"])
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedEntryError("its first line is damaged") from error
        if facts[0] != key:
            raise DamagedEntryError("it belongs to another key")
        if facts[1] != len(blob):
            raise DamagedEntryError(f"it has {len(blob)} bytes instead of {facts[1]}")
        if facts[2] != hashlib.sha256(blob).hexdigest():
            raise DamagedEntryError("its checksum does not fit")
        with contextlib.suppress(OSError):  # a read-only folder cannot note the use, and is not pruned either
            os.utime(self.path(key))
        return blob

    def _lock(self, key: str) -> FileLock:
        """The entry's lock, held. The kernel frees it when its holder dies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path(key).with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("another process compiles this network: waiting for it")
            lock.acquire()
        return lock

    def _sweep(self, key: str) -> None:
        """Remove what builders that died left behind. Only under the lock."""
        for leftover in self.folder.glob(f"{key}.*.tmp"):
            with contextlib.suppress(OSError):  # on Windows a reader may hold it; the next sweep gets it
                leftover.unlink()

    def _prune(self) -> None:
        """Remove what was not used for longest, so that films of ever new sizes do not fill the disk."""
        files = [*self.folder.glob("*.engine"), *self.folder.glob("*.bad")]
        with contextlib.suppress(OSError):  # another process may prune at the same time
            for file in sorted(files, key=lambda path: path.stat().st_mtime)[:-KEEP]:
                file.unlink()

    def _put_aside(self, key: str, why: Exception) -> None:
        path = self.path(key)
        try:
            path.replace(path.with_suffix(".bad"))
        except OSError as error:
            log.warning("engine cache: %s is of no use (%s) and cannot be moved (%s)", path, why, error)
        else:
            log.warning("engine cache: %s is of no use (%s), moved to .bad and built again", path, why)

    def _remember(self, key: str, message: str) -> None:
        with _warning("a failed build", self.folder):
            self.path(key).with_suffix(".failed").write_text(message, encoding="utf-8")

    def _recall(self, key: str) -> None:
        note = self.path(key).with_suffix(".failed")
        if note.exists():
            raise BuildError(f"{note.read_text(encoding='utf-8').strip()} (remembered; delete {note} to try again, or {use_cpu()})")

    def _publish(self, key: str, blob: bytes, info: Mapping[str, object]) -> None:
        header = {"key": key, "size": len(blob), "sha256": hashlib.sha256(blob).hexdigest(), "info": dict(info)}
        with _warning("a compiled network", self.folder):
            handle, name = tempfile.mkstemp(prefix=f"{key}.", suffix=".tmp", dir=self.folder)
            try:
                with open(handle, "wb") as file:  # noqa: PTH123  (an open handle, not a path)
                    file.write(json.dumps(header).encode() + b"\n")
                    file.write(blob)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path(key))
                self._prune()
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise


@contextlib.contextmanager
def _warning(what: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.warning("engine cache %s cannot keep %s (%s)", folder, what, error)
