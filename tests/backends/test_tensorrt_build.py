"""Real engines, built by TensorRT-RTX without a GPU; and the child process that builds them."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from tests.backends.small import SHAPES, write_network
from vidcolor.backends.cache import BuildError, Cache
from vidcolor.backends.tensorrt import TensorRTBackend, api, half
from vidcolor.backends.tensorrt import build as build_module
from vidcolor.backends.tensorrt.build import Request, build_in_child
from vidcolor.errors import DeviceError
from vidcolor.wording import spoken

SHIPPED = sorted((Path(__file__).parents[2] / "engines" / "networks").glob("*.onnx"))
HAS_DRIVER = "no NVIDIA driver" not in (TensorRTBackend().available() or "")

rtx = pytest.mark.skipif(not importlib.util.find_spec("tensorrt_rtx"), reason="tensorrt_rtx is not installed: pip install 'vidcolor[rtx]'")
no_driver = pytest.mark.skipif(HAS_DRIVER, reason="this machine has an NVIDIA driver")
posix = pytest.mark.skipif(sys.platform != "linux", reason="uses FIFOs and /proc")


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    return write_network(tmp_path_factory.mktemp("network"))


# The child process


def _request(path: Path, **changes) -> Request:
    return replace(Request(str(path), "tensorrt_rtx", dict(SHAPES), "f16", ["ReduceMean"], "SM86"), **changes)


@rtx
def test_a_child_builds_a_plan_that_the_cache_keeps(network, tmp_path):
    calls = []

    def build() -> bytes:
        plan, memory = build_in_child(_request(network))
        calls.append(memory)
        return plan

    plan = Cache(tmp_path).fetch("key", build, {})
    assert plan[:4] == b"vtrt" and Cache(tmp_path).fetch("key", build, {}) == plan
    assert len(calls) == 1 and sum("Total Activation Memory" in line for line in calls[0]) == 2  # two profiles


@rtx
@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"workspace": 1}, BuildError, "workspace|OutOfMemory"),
        ({"shapes": {"luma": (4, 1, 32, 64)}}, BuildError, "inputs are hints, luma, temperature"),
        ({"network": "/none.onnx"}, DeviceError, "No such file"),
        ({"flavour": "no_such_tensorrt"}, DeviceError, "does not load"),
        ({"network": "garbage", "precision": "f32"}, BuildError, "parse the ONNX model"),
        ({"network": "garbage"}, DeviceError, "died on .*DecodeError"),
    ],
)
def test_a_refusal_comes_back_as_one_line(network, tmp_path, changes, kind, words):
    if changes.get("network") == "garbage":
        (tmp_path / "garbage.onnx").write_bytes(b"\xff" * 100)
        changes = changes | {"network": str(tmp_path / "garbage.onnx")}
    with pytest.raises(DeviceError, match=words) as caught:
        build_in_child(_request(network, **changes))
    assert type(caught.value) is kind and "\n" not in str(caught.value) and str(caught.value).count("device='cpu'") == 1


@pytest.mark.parametrize("flavour", ["no_such_tensorrt", "json"])
def test_the_child_speaks_as_the_person_on_this_side_does(network, flavour):
    with spoken(lambda name, value: f"<{name} {value}>"), pytest.raises(DeviceError, match=r"use <device cpu>$"):
        build_in_child(_request(network, flavour=flavour))


@rtx
@no_driver
def test_building_for_the_gpu_of_a_machine_without_one_is_not_remembered(network):
    with pytest.raises(DeviceError, match="InsufficientDriver") as caught:
        build_in_child(_request(network, target=None))
    assert not isinstance(caught.value, BuildError)


@pytest.fixture
def endless(tmp_path, monkeypatch):
    """A network that is never done reading, and the children that read it."""
    if sys.platform != "linux":
        pytest.skip("uses FIFOs and /proc")
    path, started = tmp_path / "endless.onnx", []
    os.mkfifo(path)
    popen = subprocess.Popen

    def start(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(build_module.subprocess, "Popen", start)
    yield path, started
    assert all(child.poll() is not None for child in started), "a child outlived its call"


@rtx
def test_a_hanging_compiler_is_given_up(endless):
    with pytest.raises(DeviceError, match=r"endless\.onnx for TensorRT took more than 0\.5 s"):
        build_in_child(_request(endless[0]), timeout=0.5)


@rtx
@posix
def test_ctrl_c_ends_the_child(tmp_path):
    """In a process of its own: OpenVINO, loaded by other tests, leaves a signal stack behind that Python's handler may crash on."""
    parent, child = _start_parent(tmp_path)
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=30)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    _until(lambda: not child.exists(), "the child outlived Ctrl-C")


@rtx
def test_a_killed_compiler_is_an_error_that_is_not_remembered(endless):
    path, started = endless
    timer = threading.Timer(0.5, lambda: started[0].kill())
    timer.start()
    with pytest.raises(DeviceError, match=r"died on endless\.onnx \(exit status -9\)") as caught:
        build_in_child(_request(path), timeout=60)
    assert not isinstance(caught.value, BuildError)


def _until(condition, what: str) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.02)


def _start_parent(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that builds an endless network, and the folder of its child in /proc."""
    path = folder / "endless.onnx"
    os.mkfifo(path)
    code = (
        "import subprocess, sys, json; from vidcolor.backends.tensorrt import build as b; popen = subprocess.Popen\n"
        "def start(*a, **k):\n    child = popen(*a, **k); print(child.pid, flush=True); return child\n"
        "subprocess.Popen = start; b.build_in_child(b.Request(**json.loads(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, json.dumps(asdict(_request(path)))]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert parent.stdout
    child = Path("/proc") / parent.stdout.readline().strip()
    assert child.exists()
    return parent, child


@rtx
@posix
def test_a_child_dies_with_its_parent(tmp_path):
    parent, child = _start_parent(tmp_path)
    parent.kill()
    parent.communicate()
    _until(lambda: not child.exists() or ") Z" in (child / "stat").read_text(), "the child outlived its parent")


@rtx
@posix
def test_ctrl_c_at_the_terminal_does_not_reach_the_build(network):
    command = [sys.executable, "-P", "-m", "vidcolor.backends.tensorrt.child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout

        def ignores() -> bool:
            (line,) = (row for row in Path(f"/proc/{child.pid}/status").read_text().splitlines() if row.startswith("SigIgn"))
            return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)

        _until(ignores, "SIGINT is not ignored")
        child.send_signal(signal.SIGINT)
        child.stdin.write(json.dumps(asdict(_request(network))).encode() + b"\n")
        child.stdin.flush()
        answer = json.loads(child.stdout.readline())
        assert not answer["error"] and len(child.stdout.read()) == answer["size"]


# Real builds of the shipped networks, in this process to save its start


@pytest.mark.slow
@rtx
@pytest.mark.skipif(not SHIPPED, reason="no network in engines/networks")
@pytest.mark.parametrize("target", ["SM75", "SM80", "SM86", "SM89", "SM120"])
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_networks_build_in_fp16_for_every_gpu(path, target):
    plan, _ = api.build("tensorrt_rtx", _half(path), _shapes(path), target=target)
    assert plan[:4] == b"vtrt" and int.from_bytes(plan[16:24], "little") == len(plan)


@pytest.mark.slow
@rtx
@pytest.mark.skipif(not SHIPPED, reason="no network in engines/networks")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_networks_build_in_f32_and_fp16_is_smaller(path):
    model = path.read_bytes()
    exact, _ = api.build("tensorrt_rtx", model, _shapes(path), strict_f32=True, target="SM86")
    small, _ = api.build("tensorrt_rtx", _half(path), _shapes(path), target="SM86")
    assert len(small) < 0.9 * len(exact)  # of small networks the kernels are most
    assert len(exact) - len(small) > 0.7 * len(model), "about as many bytes as the weights have in fp16"


def _half(path: Path) -> bytes:
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return half.to_half(path.read_bytes(), card.get("f32_operators", []))


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The card's shapes at batch 4 and 64x96."""
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    sizes = {"N": 4, "H": 64, "W": 96}
    return {name: tuple(dim if isinstance(dim, int) else sizes[dim] for dim in shape) for name, shape in card["inputs"].items()}


@rtx
def test_an_operator_that_tensorrt_lacks_is_named():
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear", antialias=1, name="shrink")
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", 1, ["N", 2, 4, 4])], [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(np.array([1, 1, 0.5, 0.5], np.float32), "scales")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    with pytest.raises(BuildError, match=r"Resize shrink: .*[Aa]ntialias"):
        api.build("tensorrt_rtx", model, {"x": (1, 2, 4, 4)}, target="SM86")


@rtx
@no_driver
def test_the_runtime_without_a_driver_refuses_the_plan(network):
    plan, _ = api.build("tensorrt_rtx", network.read_bytes(), SHAPES, target="SM86")
    with pytest.raises(DeviceError, match=r"does not load its own engine: .*35"):
        api.open_engine("tensorrt_rtx", plan)
