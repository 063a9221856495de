"""The pool: each network is loaded once, ahead of its use, and closed at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidcolor.errors import DeviceError
from vidcolor.pipeline.sessions import KEPT, SessionPool

SHAPES = {"luma": (1, 1, 32, 32)}


class Loaded:
    precision = "f32"

    def __init__(self) -> None:
        self.closed = 0

    def run(self, inputs: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        self.closed += 1


class Backend:
    name, key, batch, quick = "pretended", "pretended, 1 thread", 1, True

    def __init__(self, trouble: Callable[[], None] = lambda: None) -> None:
        self.loaded: list[Loaded] = []
        self.threads_seen: list[str] = []
        self.trouble = trouble

    def available(self) -> None:
        return None

    def load(self, network: Path, shapes: Any, precision: str = "auto") -> Loaded:
        self.threads_seen.append(threading.current_thread().name)
        self.trouble()
        self.loaded.append(Loaded())
        return self.loaded[-1]


def failing_once(error: Exception) -> Backend:
    """A backend whose first load goes wrong."""
    left = [error]

    def trouble() -> None:
        if left:
            raise left.pop()

    return Backend(trouble)


def test_what_is_prepared_is_what_is_got_and_loaded_in_a_thread_of_its_own() -> None:
    backend = Backend()
    with SessionPool() as pool:
        pool.prepare(backend, Path("a.onnx"), SHAPES)
        assert pool.get(backend, Path("a.onnx"), SHAPES) is pool.get(backend, Path("a.onnx"), dict(SHAPES)) is backend.loaded[0]
        assert pool.get(backend, Path("a.onnx"), {"luma": (1, 1, 64, 32)}) is not backend.loaded[0]
        assert pool.get(backend, Path("b.onnx"), SHAPES) is not backend.loaded[0]
        assert pool.get(backend, Path("a.onnx"), SHAPES, "f32") is not backend.loaded[0]
    assert len(backend.loaded) == 4
    assert all(name.startswith("vidcolor-load") for name in backend.threads_seen)
    assert [session.closed for session in backend.loaded] == [1] * 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vidcolor-load")]


def test_those_not_used_for_longest_are_closed_first() -> None:
    backend = Backend()
    with SessionPool() as pool:
        for side in range(1, KEPT + 1):
            pool.get(backend, Path("a.onnx"), {"luma": (1, 1, side, 1)})
        pool.get(backend, Path("a.onnx"), {"luma": (1, 1, 1, 1)})  # used again
        pool.get(backend, Path("a.onnx"), {"luma": (1, 1, 99, 1)})
        assert [session.closed for session in backend.loaded] == [0, 1, *[0] * (KEPT - 1)]


def test_what_fails_is_told_to_who_asks_and_tried_anew_the_next_time() -> None:
    backend = failing_once(DeviceError("no memory"))
    with SessionPool() as pool:
        pool.prepare(backend, Path("a.onnx"), SHAPES)
        with pytest.raises(DeviceError, match="no memory"):
            pool.get(backend, Path("a.onnx"), SHAPES)
        assert pool.get(backend, Path("a.onnx"), SHAPES) is backend.loaded[0]


def test_a_failure_nobody_asked_about_ends_quietly() -> None:
    with SessionPool() as pool:
        pool.prepare(failing_once(DeviceError("no memory")), Path("a.onnx"), SHAPES)


def test_nothing_is_closed_for_who_may_hold_any_of_them() -> None:
    backend = Backend()
    with SessionPool(kept=None) as pool:
        for side in range(1, 3 * KEPT):
            pool.get(backend, Path("a.onnx"), {"luma": (1, 1, side, 1)})
        assert not any(session.closed for session in backend.loaded)


def test_an_error_that_is_not_ours_neither_hides_nor_stops_the_closing() -> None:
    backend = failing_once(ValueError("a bug"))
    with SessionPool() as pool:
        pool.prepare(backend, Path("a.onnx"), SHAPES)
        pool.get(backend, Path("b.onnx"), SHAPES)
    assert [session.closed for session in backend.loaded] == [1]


def test_devices_of_one_name_have_sessions_of_their_own() -> None:
    first, second = Backend(), Backend()
    second.key = "pretended, another"  # type: ignore[misc]
    with SessionPool() as pool:
        assert pool.get(first, Path("a.onnx"), SHAPES) is not pool.get(second, Path("a.onnx"), SHAPES)
