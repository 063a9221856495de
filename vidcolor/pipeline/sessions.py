"""Loaded networks, kept for what runs one after the other, and loaded in a thread while a film is still being looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from vidcolor.backends.base import Backend, Precision, Session, Shapes
from vidcolor.errors import VidcolorError

T = TypeVar("T")
Key = tuple[str, int, Path, tuple[tuple[str, tuple[int, ...]], ...], Precision]
KEPT = 4
"""Sessions that stay loaded: colour and style, in two sizes."""


class SessionPool:
    """Gives sessions by network, shapes and device; a context that closes them all."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[Key, Future[Session]] = OrderedDict()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "vidcolor-load")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Do something else that leads to a session in the pool's thread."""
        return self._worker.submit(work)

    def prepare(self, backend: Backend, network: Path, shapes: Shapes, precision: Precision = "auto") -> Future[Session]:
        """Begin to load a network in the pool's thread. What goes wrong is raised by `get`."""
        key = backend.name, getattr(backend, "threads", 0), network, tuple(sorted(shapes.items())), precision
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = self._worker.submit(backend.load, network, shapes, precision)
            self._loaded.move_to_end(key)
            forgotten = [self._loaded.popitem(last=False)[1] for _ in range(len(self._loaded) - KEPT)]
            found = self._loaded[key]
        for old in forgotten:
            self._close(old)
        return found

    def get(self, backend: Backend, network: Path, shapes: Shapes, precision: Precision = "auto") -> Session:
        """The loaded network. It belongs to the pool: do not close it, and use it before three others are asked for.

        Raises what `Backend.load` raises.
        """
        loading = self.prepare(backend, network, shapes, precision)
        try:
            return loading.result()
        except BaseException:
            with self._lock:  # the next film may have more luck
                self._loaded = OrderedDict((key, each) for key, each in self._loaded.items() if each is not loading)
            raise

    def close(self) -> None:
        """Close everything. Waits for what is being loaded."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        for each in self._loaded.values():
            self._close(each)
        self._loaded.clear()

    @staticmethod
    def _close(loading: Future[Session]) -> None:
        if loading.cancelled():
            return
        with suppress(VidcolorError), closing(loading.result()):  # one that never loaded has told whoever asked for it
            pass
