"""Worker threads: order, bounded queues, errors, and an end in every case."""

import threading
import time
from collections.abc import Iterator

import pytest

from vidcolor.pipeline.prefetch import Prefetch


def test_items_arrive_in_order_and_the_thread_ends() -> None:
    with Prefetch(range(100), 3, "test") as items:
        assert list(items) == list(range(100))
    assert not [t for t in threading.enumerate() if t.name == "vidcolor-test"]


def test_the_producer_is_never_more_than_the_queue_ahead() -> None:
    made = 0

    def source() -> Iterator[int]:
        nonlocal made
        for i in range(50):
            made += 1
            yield i

    with Prefetch(source(), 4, "test") as items:
        for i in items:
            time.sleep(0.001)
            assert made <= i + 1 + 4 + 1  # taken, waiting, in the producer's hand


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    seen = []
    with pytest.raises(OSError, match="disk"), Prefetch(source(), 2, "test") as items:
        seen.extend(items)
    assert seen == [1]


def test_leaving_early_lets_a_blocked_producer_go_and_closes_it() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    with Prefetch(source(), 2, "test") as items:
        assert next(iter(items)) == 0
    assert closed.is_set()


def test_a_chain_of_two_ends_when_the_outer_is_left_early() -> None:
    with Prefetch(range(10**9), 2, "inner") as inner, Prefetch((i * 2 for i in inner), 2, "outer") as outer:
        iterator = iter(outer)
        assert [next(iterator), next(iterator)] == [0, 2]
    assert not [t for t in threading.enumerate() if t.name in ("vidcolor-inner", "vidcolor-outer")]
