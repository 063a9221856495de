"""A GPU made of onnxruntime and suspicion: it runs the same ONNX, and fails where a careless session would get away with it.

Addresses are bounds-checked, memory starts as 0xA5 and is poisoned when freed, and what is queued on a stream happens at `sync` and
not before. Every thread has to say which GPU it uses.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort

from vidcolor.backends.tensorrt import api
from vidcolor.backends.tensorrt.build import Request
from vidcolor.backends.tensorrt.half import to_half
from vidcolor.backends.tensorrt.probe import Gpu
from vidcolor.errors import DeviceError

FRESH, FREED = 0xA5, 0xDD
GPU = Gpu(0, "Fake RTX 4090", (8, 9), 24 << 30, 13000)


class FakeCuda:
    def __init__(self) -> None:
        self.device: dict[int, np.ndarray] = {}
        self.pinned: dict[int, np.ndarray] = {}
        self.graveyard: list[np.ndarray] = []
        self.streams: dict[int, list[Callable[[], None]]] = {}
        self.threads: set[threading.Thread] = set()
        self.next_address, self.next_stream = 0x7F00_0000_0000, 11
        self.fail: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.before_sync: Callable[[], object] = lambda: None

    def _enter(self, name: str) -> None:
        self.calls.append(name)
        assert threading.current_thread() in self.threads, f"{name} before use() in this thread"
        if name in self.fail:
            raise self.fail[name]

    def use(self) -> None:
        self.threads.add(threading.current_thread())

    def malloc(self, size: int) -> int:
        self._enter("malloc")
        assert size > 0
        address, self.next_address = self.next_address, self.next_address + size + (1 << 20)
        self.device[address] = np.full(size, FRESH, np.uint8)
        return address

    def free(self, address: int) -> None:
        self._enter("free")
        self._bury(self.device.pop(address))

    def malloc_pinned(self, size: int) -> int:
        self._enter("malloc_pinned")
        memory = np.full(size, FRESH, np.uint8)
        self.pinned[memory.ctypes.data] = memory
        return memory.ctypes.data

    def free_pinned(self, address: int) -> None:
        self._enter("free_pinned")
        self._bury(self.pinned.pop(address))

    def _bury(self, memory: np.ndarray) -> None:
        assert not any(self.streams.values()), "memory freed while work is queued"
        memory[:] = FREED
        self.graveyard.append(memory)  # kept, so that a view of it shows poison instead of crashing

    def stream(self) -> int:
        self._enter("stream")
        self.next_stream += 1
        self.streams[self.next_stream] = []
        return self.next_stream

    def destroy(self, stream: int) -> None:
        self._enter("destroy")
        self.streams.pop(stream)

    def h2d(self, device: int, host: int, size: int, stream: int) -> None:
        self._enter("h2d")
        self.streams[stream].append(lambda: _copy(self.view(device, size), _view(self.pinned, host, size)))

    def d2h(self, host: int, device: int, size: int, stream: int) -> None:
        self._enter("d2h")
        self.streams[stream].append(lambda: _copy(_view(self.pinned, host, size), self.view(device, size)))

    def sync(self, stream: int) -> None:
        self.before_sync()
        queue, self.streams[stream] = self.streams[stream], []  # a GPU that fails here does no more work
        self._enter("sync")
        for work in queue:
            work()

    def view(self, address: int, size: int) -> np.ndarray:
        return _view(self.device, address, size)


def _view(memory: dict[int, np.ndarray], address: int, size: int) -> np.ndarray:
    for start, block in memory.items():
        if start <= address and address + size <= start + len(block):
            return block[address - start : address - start + size]
    raise AssertionError(f"illegal address {address:#x} (+{size})")


def _copy(target: np.ndarray, source: np.ndarray) -> None:
    target[:] = source


class FakeEngine:
    """What a session asks of an engine. A plan is a JSON line with the shapes, and the ONNX file."""

    def __init__(self, cuda: FakeCuda, plan: bytes) -> None:
        line, model = plan.split(b"\n", 1)
        self.cuda = cuda
        self.net = ort.InferenceSession(model, _options(), providers=["CPUExecutionProvider"])
        self.inputs = {item.name: tuple(d if isinstance(d, int) else -1 for d in item.shape) for item in self.net.get_inputs()}
        self.outputs = [item.name for item in self.net.get_outputs()]
        self.profiles = api.profiles(self.inputs, {name: tuple(shape) for name, shape in json.loads(line).items()})
        self.contexts: list[FakeContext] = []
        self.kinds: dict[str, str] = {}
        self.no_contexts = False

    @property
    def num_io_tensors(self) -> int:
        return len(self.inputs) + len(self.outputs)

    @property
    def num_optimization_profiles(self) -> int:
        return max(1, len(self.profiles))

    def get_tensor_name(self, index: int) -> str:
        return [*self.inputs, *self.outputs][index]

    def get_tensor_mode(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(name="INPUT" if name in self.inputs else "OUTPUT")

    def get_tensor_dtype(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(name=self.kinds.get(name, "FLOAT"))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.inputs[name]

    def create_execution_context(self, *options: object) -> FakeContext | None:
        if self.no_contexts:
            return None
        self.contexts.append(FakeContext(self, options))
        return self.contexts[-1]


class FakeContext:
    def __init__(self, engine: FakeEngine, options: tuple[object, ...]) -> None:
        self.engine, self.options = engine, options
        self.profile = 0
        self.addresses: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...]] = {name: dims for name, dims in engine.inputs.items() if -1 not in dims}
        self.runs: list[dict[str, tuple[int, ...]]] = []
        self.refuse = ""

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        assert stream in self.engine.cuda.streams
        self.profile = index
        return index < len(self.engine.profiles) and self.refuse != "profile"

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        dims = self.engine.inputs[name]
        if -1 in dims:
            low, _, high = self.engine.profiles[self.profile][name]
            if len(shape) != len(low) or not all(a <= size <= b for a, size, b in zip(low, shape, high, strict=True)):
                return False
        elif tuple(shape) != dims:
            return False
        self.shapes[name] = tuple(shape)
        return self.refuse != "shape"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self.shapes:
            return self.shapes[name]
        zeros = {key: np.zeros(shape, np.float32) for key, shape in self.shapes.items()}
        return tuple(self.engine.net.run([name], zeros)[0].shape) if len(zeros) == len(self.engine.inputs) else (-1,)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return self.refuse != "address"

    def execute_async_v3(self, stream: int) -> bool:
        engine = self.engine
        if self.refuse == "execute" or set(self.addresses) != {*engine.inputs, *engine.outputs} or set(self.shapes) != set(engine.inputs):
            return False
        shapes, addresses = dict(self.shapes), dict(self.addresses)
        self.runs.append(shapes)
        engine.cuda.streams[stream].append(lambda: self._execute(shapes, addresses))
        return True

    def _execute(self, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int]) -> None:
        view = self.engine.cuda.view
        inputs = {name: view(addresses[name], 4 * int(np.prod(shape))).view(np.float32).reshape(shape) for name, shape in shapes.items()}
        for name, value in zip(self.engine.outputs, self.engine.net.run(self.engine.outputs, inputs), strict=True):
            view(addresses[name], value.nbytes)[:] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)


class FakeDevice:
    """Stands in for vidcolor.backends.tensorrt.device.Device: the build makes a plan that FakeEngine runs."""

    def __init__(self, index: int = 0) -> None:
        if index:
            raise DeviceError(f"no NVIDIA GPU {index}: this machine has 1, counted from 0")
        self.gpu = GPU
        self.flavour = api.Flavour("tensorrt_rtx", None, "1.7.1.116")
        self.driver = FakeCuda()
        self.requests: list[Request] = []
        self.engines: list[FakeEngine] = []
        self.stale = 0

    def request(self, network, shapes, precision, f32_operators) -> Request:
        return Request(str(network), self.flavour.name, dict(shapes), precision, f32_operators, self.gpu.sm, workspace=1 << 30)

    def build(self, request: Request) -> bytes:
        self.requests.append(request)
        model = Path(request.network).read_bytes()
        if request.precision == "f16":
            model = to_half(model, request.f32_operators)
        return json.dumps(request.shapes).encode() + b"\n" + model

    def open(self, plan: bytes) -> FakeEngine:
        if self.stale:
            self.stale -= 1
            raise DeviceError("TensorRT-RTX 1.7.1.116 does not load its own engine: created with another version")
        self.engines.append(FakeEngine(self.driver, plan))
        return self.engines[-1]

    def cuda(self) -> FakeCuda:
        return self.driver


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return options
