"""Gives a complete file its final name; until then it lies beside it under a name that nobody else has."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidcolor.errors import OutputError
from vidcolor.media.output.writer import sync_folder
from vidcolor.wording import field


@contextmanager
def aside(target: Path, overwrite: bool) -> Iterator[Path]:
    """An empty file beside `target` to write into, which gets that name when the block ends well, and is removed when it does not.

    Raises OutputError where it cannot be made, and as `publish` does.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        Path(name).chmod(0o666 & ~_umask())  # as any new file, where mkstemp's is private
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror}); choose another name") from error
    part = Path(name)
    try:
        yield part
        publish(part, target, overwrite)
    finally:
        part.unlink(missing_ok=True)


def write_whole(target: Path, data: bytes, overwrite: bool) -> None:
    """Write a file so that it is whole under its name, or not there. Raises OutputError."""
    with aside(target, overwrite) as part:
        try:
            part.write_bytes(data)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written ({error.strerror})") from error


def publish(whole: Path, target: Path, overwrite: bool) -> int:
    """Give a complete file its final name, and return its size; never over a file that came up meanwhile, unless that was asked for.

    Raises OutputError where that cannot be done.
    """
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: came up meanwhile; move it away, or use {field('overwrite', True)} to replace it")
    try:
        with whole.open("rb") as file:
            os.fsync(file.fileno())
        size = whole.stat().st_size
        whole.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from error
    return size


def _umask() -> int:
    """The process's umask, which can be known only by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
