"""Loaded networks, kept for what runs one after the other, and loaded in a thread while a film is still being looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from vidcolor.backends.base import Backend, Precision, Session, Shapes

T = TypeVar("T")
Key = tuple[str, Path, tuple[tuple[str, tuple[int, ...]], ...], Precision]
KEPT = 4
"""Sessions that stay loaded: colour and style, in two sizes."""


class SessionPool:
    """Gives sessions by network, shapes and device; a context that closes them all."""

    def __init__(self, kept: int | None = KEPT) -> None:
        """`kept` sessions stay loaded, those used last; None: all of them, for who may hold any of them."""
        self._kept = kept
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
        key = backend.key, network, tuple(sorted(shapes.items())), precision
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = self._worker.submit(backend.load, network, shapes, precision)
            self._loaded.move_to_end(key)
            over = 0 if self._kept is None else len(self._loaded) - self._kept
            forgotten = [self._loaded.popitem(last=False)[1] for _ in range(over)]
            found = self._loaded[key]
        for old in forgotten:
            self._close(old)
        return found

    def get(self, backend: Backend, network: Path, shapes: Shapes, precision: Precision = "auto") -> Session:
        """The loaded network. It belongs to the pool, which closes it: do not hold it while more than `kept` others are asked for.

        Raises what `Backend.load` raises.
        """
        loading = self.prepare(backend, network, shapes, precision)
        try:
            return loading.result()
        except Exception:
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
        if not loading.cancelled() and loading.exception() is None:  # what went wrong was told to whoever asked for it
            loading.result().close()
