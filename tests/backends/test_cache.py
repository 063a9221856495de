"""The engine cache: what is in it is right, or it is built again; nothing it meets stops the work."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from vidcolor.backends.cache import BuildError, Cache, key_of
from vidcolor.errors import DeviceError

KEY = key_of({"network": "abc", "precision": "f16"})
PLAN = bytes(range(256)) * 40


class Builder:
    def __init__(self, blob: bytes = PLAN) -> None:
        self.blob, self.calls = blob, 0

    def __call__(self) -> bytes:
        self.calls += 1
        return self.blob


def test_the_key_depends_on_every_input_and_not_on_their_order():
    assert key_of({"a": 1, "b": [2, 3]}) == key_of({"b": [2, 3], "a": 1})
    assert len({key_of({"a": 1, "b": 2}), key_of({"a": 2, "b": 2}), key_of({"a": 1, "b": 3}), key_of({"a": 1})}) == 4


def test_an_entry_is_built_once_and_then_read(tmp_path):
    build = Builder()
    assert [Cache(tmp_path).fetch(KEY, build, {"network": "x"}) for _ in range(3)] == [PLAN] * 3
    assert build.calls == 1
    assert b'"network": "x"' in Cache(tmp_path).path(KEY).read_bytes().splitlines()[0]


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: _flip(data, len(data) - 100),
        lambda data: _flip(data, 3),
        lambda data: data[:-1],
        lambda data: data[:20],
        lambda data: data + b"x",
        lambda _data: b"",
        lambda _data: b"\n",
        lambda _data: b"[1, 2]\n" + PLAN,
        lambda _data: b"\xff" * 200_000,
    ],
    ids=["body", "header", "truncated", "half a header", "longer", "empty", "empty line", "other JSON", "garbage"],
)
def test_a_damaged_entry_is_put_aside_and_built_again_with_a_warning(tmp_path, caplog, damage):
    cache, build = Cache(tmp_path), Builder()
    cache.put(KEY, PLAN, {})
    damaged = damage(cache.path(KEY).read_bytes())
    cache.path(KEY).write_bytes(damaged)
    with caplog.at_level(logging.WARNING, "vidcolor"):
        assert cache.fetch(KEY, build, {}) == PLAN
    assert build.calls == 1
    assert cache.path(KEY).with_suffix(".bad").read_bytes() == damaged
    assert "moved to .bad" in caplog.text and str(cache.path(KEY)) in caplog.text
    assert cache.fetch(KEY, build, {}) == PLAN and build.calls == 1


def test_an_entry_under_another_key_is_refused(tmp_path):
    cache, build = Cache(tmp_path), Builder(b"mine")
    cache.put(KEY, PLAN, {})
    other = key_of({"network": "other"})
    cache.path(KEY).replace(cache.path(other))
    assert cache.fetch(other, build, {}) == b"mine"


def test_get_tells_absence_and_damage_by_none(tmp_path, caplog):
    cache = Cache(tmp_path / "not yet")
    assert cache.get(KEY) is None and not caplog.text
    cache.put(KEY, PLAN, {})
    assert cache.get(KEY) == PLAN
    cache.path(KEY).write_bytes(b"short")
    assert cache.get(KEY) is None and "first line" in caplog.text


def test_a_dropped_entry_is_built_again(tmp_path):
    cache, build = Cache(tmp_path), Builder()
    cache.fetch(KEY, build, {})
    cache.drop(KEY)
    cache.fetch(KEY, build, {})
    assert build.calls == 2


def test_a_folder_that_cannot_be_made_is_bypassed_with_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    cache, build = Cache(tmp_path / "file" / "engines"), Builder()
    assert cache.fetch(KEY, build, {}) == PLAN
    assert "cannot be written" in caplog.text
    cache.put(KEY, PLAN, {})
    assert build.calls == 1


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root writes anywhere, and Windows has no such mode")
def test_a_read_only_folder_is_bypassed_with_a_warning(tmp_path, caplog):
    tmp_path.chmod(0o500)
    try:
        assert Cache(tmp_path).fetch(KEY, Builder(), {}) == PLAN
    finally:
        tmp_path.chmod(0o700)
    assert "cannot be written" in caplog.text


def test_what_a_read_only_folder_holds_is_still_read(tmp_path, monkeypatch):
    Cache(tmp_path).put(KEY, PLAN, {})
    monkeypatch.setattr(Cache, "_lock", _refuse)
    build = Builder()
    assert Cache(tmp_path).fetch(KEY, build, {}) == PLAN and build.calls == 0


@pytest.mark.parametrize("error", [PermissionError("read-only"), NotImplementedError("no locks here")])
def test_a_refused_lock_means_building_without_the_cache(tmp_path, monkeypatch, caplog, error):
    monkeypatch.setattr("vidcolor.backends.cache.FileLock.acquire", lambda *_a, **_k: (_ for _ in ()).throw(error))
    assert Cache(tmp_path).fetch(KEY, Builder(), {}) == PLAN
    assert "cannot be written" in caplog.text and not Cache(tmp_path).path(KEY).exists()


def _refuse(*_args: object, **_kwargs: object) -> None:
    raise PermissionError("read-only")


def test_a_full_disk_costs_the_entry_and_not_the_work(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(os, "fsync", _full)
    assert Cache(tmp_path).fetch(KEY, Builder(), {}) == PLAN
    assert "No space left" in caplog.text
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".tmp", ".engine")]


def _full(_handle: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_refused_network_is_remembered_and_says_how_to_forget(tmp_path):
    calls = []

    def build() -> bytes:
        calls.append(1)
        raise BuildError("Resize: antialiasing is not supported")

    for _ in range(2):
        with pytest.raises(BuildError, match="antialiasing"):
            Cache(tmp_path).fetch(KEY, build, {})
    assert len(calls) == 1
    note = Cache(tmp_path).path(KEY).with_suffix(".failed")
    with pytest.raises(BuildError, match=r"delete .*\.failed"):
        Cache(tmp_path).fetch(KEY, build, {})
    note.unlink()
    assert Cache(tmp_path).fetch(KEY, Builder(), {}) == PLAN


def test_a_passing_trouble_is_not_remembered(tmp_path):
    def build() -> bytes:
        raise DeviceError("out of memory")

    with pytest.raises(DeviceError):
        Cache(tmp_path).fetch(KEY, build, {})
    assert Cache(tmp_path).fetch(KEY, Builder(), {}) == PLAN


def test_leftovers_of_dead_builders_are_swept(tmp_path):
    mine, other = tmp_path / f"{KEY}.dead.tmp", tmp_path / "otherkey.busy.tmp"
    for path in (mine, other):
        path.write_bytes(b"half")
    Cache(tmp_path).fetch(KEY, Builder(), {})
    assert not mine.exists() and other.exists()


def test_what_was_not_used_for_longest_goes_first(tmp_path, monkeypatch):
    monkeypatch.setattr("vidcolor.backends.cache.KEEP", 3)
    cache = Cache(tmp_path)
    for number, key in enumerate("abc"):
        cache.put(key, PLAN, {})
        os.utime(cache.path(key), (1000 + number, 1000 + number))
    assert cache.get("a") == PLAN
    cache.put("d", PLAN, {})
    assert [key for key in "abcd" if cache.path(key).exists()] == ["a", "c", "d"]


def test_threads_build_once(tmp_path):
    build = Builder()

    def slowly() -> bytes:
        time.sleep(0.1)
        return build()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _i: Cache(tmp_path).fetch(KEY, slowly, {}), range(4))) == {PLAN}
    assert build.calls == 1


CHILD = """
import os, sys, time
from pathlib import Path
from vidcolor.backends.cache import Cache
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
def build():
    (folder / f"built-{os.getpid()}").touch()
    time.sleep(seconds)
    return os.urandom(1000)
print(Cache(folder).fetch("k", build, {}).hex())
"""


def _start(folder: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True)


def _wait_for(folder: Path) -> None:
    limit = time.monotonic() + 30
    while not list(folder.glob("built-*")):
        assert time.monotonic() < limit, "the child never built"
        time.sleep(0.02)


def test_of_several_processes_one_builds_and_all_get_the_same(tmp_path):
    children = [_start(tmp_path, 0.5) for _ in range(3)]
    answers = {child.communicate(timeout=60)[0] for child in children}
    assert len(answers) == 1 and len(answers.pop().strip()) == 2000
    assert len(list(tmp_path.glob("built-*"))) == 1


def test_a_killed_builder_frees_the_lock(tmp_path):
    child = _start(tmp_path, 600)
    _wait_for(tmp_path)
    child.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    child.communicate(timeout=30)
    with FileLock(Cache(tmp_path).path("k").with_suffix(".lock")).acquire(timeout=10):
        pass
    assert Cache(tmp_path).fetch("k", Builder(), {}) == PLAN
