"""Worker threads with bounded queues between them: decode, networks and encode overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_END = object()


class Prefetch(Generic[T]):
    """Runs an iterable in a thread of its own, at most `size` items ahead of its consumer.

    An exception of the iterable is raised in the consumer after the items before it. `close` stops the thread (and closes a
    generator inside it) and returns once it has ended; leaving the `with` block does that too.
    """

    def __init__(self, source: Iterable[T], size: int, name: str) -> None:
        self._source = source
        self._queue: queue.Queue[object] = queue.Queue(size)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"vidcolor-{name}", daemon=True)

    def __enter__(self) -> Prefetch[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        while (item := self._queue.get()) is not _END:
            yield item  # type: ignore[misc]  # only items of the source and _END are put in
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._stopped.set()
        while self._thread.is_alive():
            try:  # a producer that waits for a place is let go
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _work(self) -> None:
        iterator = iter(self._source)
        try:
            for item in iterator:
                self._put(item)
                if self._stopped.is_set():
                    break
        except BaseException as error:  # it is raised again where it can be answered: in the consumer
            self._error = error
        finally:
            try:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
            except BaseException as error:
                self._error = self._error or error
            finally:
                self._put(_END)

    def _put(self, item: object) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue
