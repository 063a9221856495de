"""What TensorRT needs and what is said where it is missing: driver, GPU, packages, the names of the libraries."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.backends.small import SHAPES
from vidcolor.backends.tensorrt import TensorRTBackend, api, device, probe, self_test
from vidcolor.backends.tensorrt.cuda import CudaRuntime
from vidcolor.errors import DeviceError

HAS_DRIVER = "no NVIDIA driver" not in (TensorRTBackend().available() or "")

rtx = pytest.mark.skipif(not importlib.util.find_spec("tensorrt_rtx"), reason="tensorrt_rtx is not installed: pip install 'vidcolor[rtx]'")
bindings = pytest.mark.skipif(not importlib.util.find_spec("cuda"), reason="cuda-bindings is not installed")
no_driver = pytest.mark.skipif(HAS_DRIVER, reason="this machine has an NVIDIA driver")


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
    sentence = "no NVIDIA driver: TensorRT cannot run here; install the driver, or use device='cpu'"
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


def test_enterprise_tensorrt_that_does_not_start_is_an_error_of_ours(monkeypatch):
    def start(_logger):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    module = SimpleNamespace(ILogger=object, Runtime=start)
    monkeypatch.setattr(api, "flavour", lambda name: api.Flavour(name, module, "11.4"))
    messages = api.Messages()
    messages.errors.append("CUDA initialization failure with error: 35")
    monkeypatch.setattr(messages, "clear", lambda: None)
    monkeypatch.setattr(api, "_logger", lambda _name: (None, messages))
    with pytest.raises(DeviceError, match=r"TensorRT 11\.4 does not start: CUDA initialization failure"):
        api.open_engine("tensorrt", b"plan")


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
