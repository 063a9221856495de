"""TensorRT without a GPU: what is found missing, the fp16 graph, and real engines built by TensorRT-RTX in a child process."""

from __future__ import annotations

import ctypes
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
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.backends.small import write_network
from vidcolor.backends.cache import BuildError, Cache
from vidcolor.backends.tensorrt import TensorRTBackend, api, device, half, probe, self_test
from vidcolor.backends.tensorrt import build as build_module
from vidcolor.backends.tensorrt.build import Request, build_in_child
from vidcolor.backends.tensorrt.cuda import CudaRuntime
from vidcolor.errors import DeviceError

SHIPPED = sorted((Path(__file__).parents[2] / "engines" / "networks").glob("*.onnx"))
SHAPES = {"luma": (4, 1, 32, 64), "hints": (4, 3, 32, 64), "temperature": (1,)}
HAS_DRIVER = "no NVIDIA driver" not in (TensorRTBackend().available() or "")

rtx = pytest.mark.skipif(not importlib.util.find_spec("tensorrt_rtx"), reason="tensorrt_rtx is not installed: pip install 'vidcolor[rtx]'")
bindings = pytest.mark.skipif(not importlib.util.find_spec("cuda"), reason="cuda-bindings is not installed")
no_driver = pytest.mark.skipif(HAS_DRIVER, reason="this machine has an NVIDIA driver")
posix = pytest.mark.skipif(sys.platform != "linux", reason="uses FIFOs and /proc")


# What is here, and what is missing


class FakeDriver:
    """libcuda.so.1 with its calls taken by ctypes; `failing` maps the name of a call to its answer."""

    def __init__(self, gpus=(("NVIDIA GeForce RTX 3060", (8, 6), 12 << 30),), version=13000, failing=None) -> None:
        self.gpus, self.version, self.failing = gpus, version, failing or {}

    def __getattr__(self, name):
        def call(*arguments):
            if name in self.failing:
                return self.failing[name]
            return getattr(self, f"_{name}")(*arguments) or 0

        call.__name__ = name
        return call

    def _cuInit(self, flags) -> None:  # noqa: N802
        assert flags == 0

    def _cuDriverGetVersion(self, version) -> None:  # noqa: N802
        version._obj.value = self.version

    def _cuDeviceGetCount(self, count) -> None:  # noqa: N802
        count._obj.value = len(self.gpus)

    def _cuDeviceGet(self, handle, index) -> None:  # noqa: N802
        handle._obj.value = 100 + index.value

    def _cuDeviceGetName(self, name, size, handle) -> None:  # noqa: N802
        assert size.value == ctypes.sizeof(name)
        name.value = self.gpus[handle.value - 100][0].encode()

    def _cuDeviceTotalMem_v2(self, memory, handle) -> None:  # noqa: N802
        memory._obj.value = self.gpus[handle.value - 100][2]

    def _cuDeviceGetAttribute(self, value, attribute, handle) -> None:  # noqa: N802
        value._obj.value = self.gpus[handle.value - 100][1][{75: 0, 76: 1}[attribute.value]]


def test_the_driver_is_asked_for_every_gpu():
    driver = FakeDriver((("A", (7, 5), 8 << 30), ("B", (12, 0), 32 << 30)), version=13010)
    assert probe.gpus(driver) == [probe.Gpu(0, "A", (7, 5), 8 << 30, 13010), probe.Gpu(1, "B", (12, 0), 32 << 30, 13010)]
    assert [gpu.sm for gpu in probe.gpus(driver)] == ["SM75", "SM120"]
    with pytest.raises(DeviceError, match="no NVIDIA GPU 2: this machine has 2"):
        probe.gpu(2, driver)


@pytest.mark.parametrize(
    ("failing", "words"),
    [({"cuInit": 100}, "sees no GPU"), ({"cuInit": 999}, "cuInit answered 999"), ({"cuDeviceGetName": 1}, "cuDeviceGetName answered 1")],
)
def test_a_driver_that_does_not_work_is_told_in_one_sentence(failing, words):
    with pytest.raises(DeviceError, match=words):
        probe.gpus(FakeDriver(failing=failing))


def test_without_a_driver_the_verdict_says_so_and_nothing_else_is_touched(monkeypatch):
    monkeypatch.setattr(probe, "LIBRARY", "libnone.so.1")
    monkeypatch.setattr(api, "flavour", lambda _name: pytest.fail("TensorRT was touched without a driver"))
    sentence = "no NVIDIA driver: TensorRT cannot run here; install the driver, or use --device cpu"
    assert TensorRTBackend().available() == sentence
    assert self_test(Path("any.onnx")) == {"passed": None, "verdict": sentence}
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        TensorRTBackend().load(Path(__file__), SHAPES)


def _installed(monkeypatch, *names: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in names else None)
    monkeypatch.setattr(api, "flavour", lambda name: api.Flavour(name, None, "1"))


@pytest.mark.parametrize(
    ("capability", "installed", "expected"),
    [
        ((8, 6), ("tensorrt_rtx", "tensorrt"), "tensorrt_rtx"),
        ((8, 6), ("tensorrt",), "tensorrt"),
        ((9, 0), ("tensorrt_rtx", "tensorrt"), "tensorrt"),
        ((12, 0), ("tensorrt_rtx",), "tensorrt_rtx"),
    ],
)
def test_rtx_where_it_covers_the_gpu_else_enterprise(monkeypatch, capability, installed, expected):
    _installed(monkeypatch, *installed)
    assert api.flavour_for(probe.Gpu(0, "X", capability, 1, 13000)).name == expected


@pytest.mark.parametrize(
    ("capability", "installed", "words"),
    [
        ((8, 9), (), r"SM89.*not installed: pip install 'vidcolor\[rtx\]'"),
        ((9, 0), ("tensorrt_rtx",), r"SM90.*not installed: pip install 'vidcolor\[tensorrt\]'"),
        ((6, 1), ("tensorrt_rtx", "tensorrt"), "SM61.*too old"),
    ],
)
def test_a_gpu_without_tensorrt_for_it_says_what_to_install(monkeypatch, capability, installed, words):
    _installed(monkeypatch, *installed)
    with pytest.raises(DeviceError, match=words):
        api.flavour_for(probe.Gpu(0, "X", capability, 1, 13000))


@bindings
def test_an_old_driver_and_missing_packages_are_told(monkeypatch):
    _installed(monkeypatch, "tensorrt_rtx", "onnx")
    monkeypatch.setattr(probe, "_load", lambda: FakeDriver(version=12040))
    assert "CUDA 12.4, and the installed packages need CUDA 13: update the driver" in (TensorRTBackend().available() or "")
    monkeypatch.setattr(probe, "_load", FakeDriver)
    assert TensorRTBackend().available() is None
    _installed(monkeypatch, "tensorrt_rtx")
    assert "pip install onnx" in (TensorRTBackend().available() or "")
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    assert "cuda-bindings" in (TensorRTBackend().available() or "")


def test_a_broken_package_is_told():
    with pytest.raises(DeviceError, match="no_such_tensorrt does not load"):
        api.flavour("no_such_tensorrt")


def test_a_request_names_the_target_of_rtx_and_the_gpu_of_enterprise(monkeypatch):
    found = device.Device.__new__(device.Device)
    found.gpu = probe.Gpu(1, "X", (8, 6), 8 << 30, 13000)
    for name, target in (("tensorrt_rtx", "SM86"), ("tensorrt", None)):
        found.flavour = api.Flavour(name, None, "1")
        request = found.request(Path("n.onnx"), SHAPES, "f16", [])
        assert (request.target, request.gpu, request.workspace) == (target, 1, 4 << 30)


@bindings
@no_driver
def test_the_cuda_runtime_without_a_driver_is_an_error_of_ours():
    with pytest.raises(DeviceError, match="cudaErrorInsufficientDriver"):
        CudaRuntime(0)


@bindings
def test_cuda_calls_take_their_arguments_in_cudas_order(monkeypatch):
    from cuda.bindings import runtime

    made, status = [], runtime.cudaError_t.cudaSuccess

    def record(name):
        return lambda *arguments: made.append((name, *arguments)) or (status, 7)

    names = ("cudaSetDevice", "cudaMalloc", "cudaFree", "cudaHostAlloc", "cudaFreeHost", "cudaStreamCreateWithFlags", "cudaStreamDestroy",
             "cudaMemcpyAsync", "cudaStreamSynchronize")  # fmt: skip
    for name in names:
        assert callable(getattr(runtime, name))
        monkeypatch.setattr(runtime, name, record(name))
    cuda = CudaRuntime(3)
    assert (cuda.malloc(10), cuda.malloc_pinned(20), cuda.stream()) == (7, 7, 7)
    cuda.h2d(1, 2, 3, 4)
    cuda.d2h(1, 2, 3, 4)
    to_device, to_host = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice, runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
    assert made == [
        ("cudaSetDevice", 3), ("cudaMalloc", 10), ("cudaHostAlloc", 20, 0), ("cudaStreamCreateWithFlags", 1),
        ("cudaMemcpyAsync", 1, 2, 3, to_device, 4), ("cudaMemcpyAsync", 1, 2, 3, to_host, 4),
    ]  # fmt: skip
    status = runtime.cudaError_t.cudaErrorMemoryAllocation
    with pytest.raises(DeviceError, match="memory is full"):
        cuda.malloc(1 << 50)
    status = runtime.cudaError_t.cudaErrorIllegalAddress
    with pytest.raises(DeviceError, match="cudaStreamSynchronize answered cudaErrorIllegalAddress"):
        cuda.sync(4)


# Profiles and the fp16 graph


def test_profiles_fix_the_size_and_vary_the_batch_alone():
    inputs = {"luma": (-1, 1, -1, -1), "hints": (-1, 3, -1, -1), "temperature": (1,)}
    one, many = (1, 1, 32, 64), (4, 1, 32, 64)
    first, second = api.profiles(inputs, SHAPES)
    assert first["luma"] == (one, one, one) and second["luma"] == (one, many, many)
    assert "temperature" not in first and second["hints"][2] == (4, 3, 32, 64)
    assert len(api.profiles(inputs, {name: (1, *shape[1:]) for name, shape in SHAPES.items()})) == 1
    assert api.profiles({"x": (4, 8)}, {"x": (4, 8)}) == []


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"luma": (4, 1, 32, 64)}, "inputs are hints, luma"),
        ({"luma": (4, 1, 32, 64), "hints": (4, 2, 32, 64)}, r"hints is \[-1, 3, -1, -1\].*\[4, 2, 32, 64\]"),
        ({"luma": (4, 1, 32), "hints": (4, 3, 32, 64)}, "luma"),
        ({"luma": (0, 1, 32, 64), "hints": (4, 3, 32, 64)}, "luma"),
    ],
)
def test_shapes_that_are_not_the_networks_are_refused(shapes, words):
    with pytest.raises(BuildError, match=words):
        api.profiles({"luma": (-1, 1, -1, -1), "hints": (-1, 3, -1, -1)}, shapes)


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    return write_network(tmp_path_factory.mktemp("network"))


def _kinds(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    return {value.name: value.type.tensor_type.elem_type for value in [*graph.value_info, *graph.input, *graph.output]}


@pytest.mark.parametrize("keep", [[], ["ReduceMean"], ["mean", "Sub"], ["Concat", "Split"]])
def test_the_fp16_graph_is_fp16_but_for_its_ends_and_what_is_listed(network, keep):
    original = onnx.load(network)
    model = onnx.load_from_string(half.to_half(network.read_bytes(), keep))
    onnx.checker.check_model(model, full_check=True)
    kinds = _kinds(model)
    assert all(kinds[value.name] == TensorProto.FLOAT for value in [*model.graph.input, *model.graph.output])
    for node in model.graph.node:
        stays = node.op_type in keep or node.name in keep
        if node.op_type != "Cast" and any(node.name == other.name for other in original.graph.node):
            assert {kinds[name] for name in node.output} == {TensorProto.FLOAT if stays else TensorProto.FLOAT16}, node.name
    assert {item.name for item in model.graph.initializer} <= {name for node in model.graph.node for name in node.input}
    casts = [(node.input[0], node.attribute[0].i) for node in model.graph.node if node.op_type == "Cast"]
    assert len(casts) == len(set(casts)), "a value is cast twice"


def test_the_fp16_graph_gives_the_answer_within_fp16(network):
    random = np.random.default_rng(0)
    inputs = {name: random.random(shape, np.float32) for name, shape in SHAPES.items()}
    exact = ReferenceEvaluator(onnx.load(network)).run(None, inputs)
    close = ReferenceEvaluator(onnx.load_from_string(half.to_half(network.read_bytes(), ["ReduceMean"]))).run(None, inputs)
    for a, b in zip(exact, close, strict=True):
        assert b.dtype == np.float32 and 0 < np.abs(a - b).max() < 0.01


def _model(nodes, constants) -> bytes:
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2, None, None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.mark.parametrize("value", [1e-9, 1e6])
def test_constants_that_fp16_cannot_hold_are_refused_unless_listed(value):
    model = _model([helper.make_node("Add", ["x", "eps"], ["y"], name="stabilise")], {"eps": np.float32(value)})
    with pytest.raises(BuildError, match=r"eps of Add stabilise.*list the operator as f32"):
        half.to_half(model)
    onnx.checker.check_model(onnx.load_from_string(half.to_half(model, ["Add"])), full_check=True)


def test_scales_types_and_constant_nodes_are_kept_right():
    fill = numpy_helper.from_array(np.array([0.25], np.float32))
    nodes = [
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Constant", [], ["size"], value=numpy_helper.from_array(np.array([1], np.int64))),
        helper.make_node("ConstantOfShape", ["size"], ["quarter"], value=fill),
        helper.make_node("Cast", ["size"], ["one"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "two"], ["a"]),
        helper.make_node("Add", ["a", "quarter"], ["b"]),
        helper.make_node("Sub", ["b", "one"], ["c"]),
        helper.make_node("Resize", ["c", "", "scales"], ["y"], mode="nearest"),
    ]
    model = _model(nodes, {"scales": np.array([1, 1, 2, 2], np.float32)})
    converted = onnx.load_from_string(half.to_half(model))
    onnx.checker.check_model(converted, full_check=True)
    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4) / 32
    (y,) = ReferenceEvaluator(converted).run(None, {"x": x})
    np.testing.assert_array_equal(y, (x * 2 + 0.25 - 1).repeat(2, 2).repeat(2, 3))


def test_graphs_with_branches_are_refused():
    inner = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "b", [], [helper.make_tensor_value_info("z", 1, None)])
    nodes = [helper.make_node("If", ["c"], ["y"], name="fork", then_branch=inner, else_branch=inner)]
    with pytest.raises(BuildError, match="If fork has a graph inside"):
        half.to_half(_model(nodes, {"c": np.array(True)}))


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
        ({"network": __file__, "precision": "f32"}, BuildError, "parse the ONNX model"),
        ({"network": __file__}, DeviceError, "died on .*DecodeError"),
    ],
)
def test_a_refusal_comes_back_as_one_line(network, changes, kind, words):
    with pytest.raises(DeviceError, match=words) as caught:
        build_in_child(_request(network, **changes))
    assert type(caught.value) is kind and "\n" not in str(caught.value) and str(caught.value).count("--device cpu") == 1


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


def test_a_hanging_compiler_is_given_up(endless):
    with pytest.raises(DeviceError, match=r"endless\.onnx for TensorRT took more than 0\.5 s"):
        build_in_child(_request(endless[0]), timeout=0.5)


@posix
def test_ctrl_c_ends_the_child(tmp_path):
    """In a process of its own: OpenVINO, loaded by other tests, leaves a signal stack behind that Python's handler may crash on."""
    parent, child = _start_parent(tmp_path)
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=30)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    _until(lambda: not child.exists(), "the child outlived Ctrl-C")


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


@rtx
@pytest.mark.skipif(not SHIPPED, reason="no network in engines/networks")
@pytest.mark.parametrize("target", ["SM75", "SM80", "SM86", "SM89", "SM120"])
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_networks_build_in_fp16_for_every_gpu(path, target):
    plan, _ = api.build("tensorrt_rtx", _half(path), _shapes(path), target=target)
    assert plan[:4] == b"vtrt" and int.from_bytes(plan[16:24], "little") == len(plan)


@rtx
@pytest.mark.skipif(not SHIPPED, reason="no network in engines/networks")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_networks_build_in_f32_and_fp16_is_smaller(path):
    model = path.read_bytes()
    exact, _ = api.build("tensorrt_rtx", model, _shapes(path), strict_f32=True, target="SM86")
    small, _ = api.build("tensorrt_rtx", _half(path), _shapes(path), target="SM86")
    assert len(small) < 0.8 * len(exact)


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


@rtx
def test_every_name_used_exists_in_tensorrt_rtx():
    trt = api.flavour("tensorrt_rtx").module
    names = {
        "ILogger": ["log"],
        "Builder": ["create_network", "create_builder_config", "create_optimization_profile", "build_serialized_network"],
        "NetworkDefinitionCreationFlag": ["STRONGLY_TYPED"],
        "OnnxParser": ["parse", "num_errors", "get_error"],
        "ParserError": ["node_operator", "node_name", "desc"],
        "IBuilderConfig": ["add_optimization_profile", "set_memory_pool_limit", "clear_flag", "set_compute_capability"],
        "IOptimizationProfile": ["set_shape"],
        "BuilderFlag": ["TF32"],
        "MemoryPoolType": ["WORKSPACE"],
        "ComputeCapability": list(api.RTX_TARGETS),
        "Runtime": ["deserialize_cuda_engine"],
        "ICudaEngine": [
            "num_io_tensors", "num_optimization_profiles", "get_tensor_name", "get_tensor_mode", "get_tensor_dtype", "get_tensor_shape",
            "create_execution_context", "create_runtime_config",
        ],
        "IExecutionContext": [
            "set_optimization_profile_async", "set_input_shape", "get_tensor_shape", "set_tensor_address", "execute_async_v3",
        ],
        "IRuntimeConfig": ["create_runtime_cache", "set_runtime_cache"],
        "IRuntimeCache": ["serialize", "deserialize"],
    }  # fmt: skip
    assert not [f"{owner}.{name}" for owner, parts in names.items() for name in parts if not hasattr(getattr(trt, owner), name)]
    assert (trt.float32.name, trt.TensorIOMode.INPUT.name) == ("FLOAT", "INPUT")
    covered = {name for name in trt.ComputeCapability.__members__ if name.startswith("SM")}
    assert covered >= set(api.RTX_TARGETS)
