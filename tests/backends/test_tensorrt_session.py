"""The TensorRT backend and its session on a fake GPU that runs the same ONNX and forgives nothing."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from tests.backends.fake_cuda import FakeDevice
from tests.backends.small import SHAPES, golden, write_network
from vidcolor.backends.cache import Cache
from vidcolor.backends.tensorrt import TensorRTBackend, self_test
from vidcolor.errors import DeviceError


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    return write_network(tmp_path_factory.mktemp("network"))


class World:
    """A backend on a fake device, with everything behind it in reach."""

    def __init__(self, network: Path, folder: Path) -> None:
        self.network, self.device = network, FakeDevice()
        self.backend = TensorRTBackend(cache=Cache(folder), connect=lambda index: self.device if index == 0 else FakeDevice(index))

    def load(self, shapes=SHAPES, precision="f32"):
        return self.backend.load(self.network, shapes, precision)

    @property
    def cuda(self):
        return self.device.driver

    @property
    def engine(self):
        return self.device.engines[-1]

    def expected(self, inputs):
        net = ort.InferenceSession(self.network, providers=["CPUExecutionProvider"])
        return dict(zip((item.name for item in net.get_outputs()), net.run(None, inputs), strict=True))


@pytest.fixture
def world(network, tmp_path) -> World:
    return World(network, tmp_path)


def frames(batch: int, seed: int = 0):
    random = np.random.default_rng(seed)
    values = {name: random.random((batch, *shape[1:]), np.float32) for name, shape in SHAPES.items() if len(shape) == 4}
    return values | {"temperature": random.random(1, np.float32)}


def assert_close(got, expected):
    assert got.keys() == expected.keys()
    for name in expected:
        assert got[name].dtype == np.float32 and got[name].shape == expected[name].shape
        np.testing.assert_allclose(got[name], expected[name], atol=1e-5)


def test_every_batch_gives_the_answer_of_the_network(world):
    session = world.load()
    for seed, batch in enumerate((4, 1, 3, 4, 2, 1, 1)):
        inputs = frames(batch, seed)
        assert_close(session.run(inputs), world.expected(inputs))
    session.close()


def test_a_batch_of_one_runs_in_its_own_profile(world):
    session = world.load()
    assert [context.profile for context in world.engine.contexts] == [1]
    for batch in (4, 1, 2, 1):
        session.run(frames(batch))
    assert [context.profile for context in world.engine.contexts] == [1, 0]
    assert [[run["luma"][0] for run in context.runs] for context in world.engine.contexts] == [[4, 2], [1, 1]]
    session.close()


def test_a_session_for_one_frame_has_one_profile_and_context(world):
    session = world.load({name: (1, *shape[1:]) for name, shape in SHAPES.items()})
    inputs = frames(1)
    assert_close(session.run(inputs), world.expected(inputs))
    assert len(world.engine.contexts) == len(world.engine.profiles) == 1
    session.close()


def test_returned_arrays_belong_to_the_caller(world):
    session = world.load()
    first = frames(4, 1)
    got = session.run(first)
    kept = {name: array.copy() for name, array in got.items()}
    session.run(frames(4, 2))
    session.run(frames(1, 3))
    session.close()
    assert_close(got, kept)
    assert all(array.flags.writeable and array.flags.owndata for array in got.values())


def test_inputs_are_left_as_they_are(world):
    session = world.load()
    inputs = frames(4)
    for array in inputs.values():
        array.flags.writeable = False
    before = {name: array.copy() for name, array in inputs.items()}
    session.run(inputs)
    assert all(np.array_equal(inputs[name], before[name]) for name in inputs)
    session.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.pop("hints"), "inputs are hints, luma, temperature"),
        (lambda v: v.update(extra=np.zeros(1, np.float32)), "extra"),
        (lambda v: v.update(luma=v["luma"].astype(np.float64)), "float64"),
        (lambda v: v.update(luma=v["luma"][:, :, ::2]), "up to|contiguous"),
        (lambda v: v.update(luma=np.asfortranarray(v["luma"])), "contiguous False"),
        (lambda v: v.update(luma=np.zeros((5, 1, 32, 64), np.float32)), r"shape \[5, 1, 32, 64\].*up to \[4, 1, 32, 64\]"),
        (lambda v: v.update(luma=np.zeros((4, 1, 32, 32), np.float32)), "shape"),
        (lambda v: v.update(luma=np.zeros((0, 1, 32, 64), np.float32)), "shape"),
        (lambda v: v.update(luma=np.zeros((3, 1, 32, 64), np.float32)), r"different batches: \[3, 4\]"),
        (lambda v: v.update(temperature=np.zeros(2, np.float32)), "temperature"),
        (lambda v: v.update(temperature=np.zeros((), np.float32)), "temperature"),
    ],
)
def test_wrong_inputs_are_refused_and_the_session_goes_on(world, change, words):
    session = world.load()
    inputs = frames(4)
    change(inputs)
    with pytest.raises(DeviceError, match=words):
        session.run(inputs)
    good = frames(2)
    assert_close(session.run(good), world.expected(good))
    session.close()


def test_closing_frees_everything_once_and_ends_the_session(world):
    session = world.load()
    session.run(frames(1))
    session.close()
    assert not world.cuda.device and not world.cuda.pinned and not world.cuda.streams
    session.close()
    with pytest.raises(DeviceError, match="closed"):
        session.run(frames(1))


def test_any_thread_may_run_and_close(world):
    session = world.load()
    inputs = frames(4)
    with ThreadPoolExecutor(1) as other, ThreadPoolExecutor(1) as closer:
        assert_close(other.submit(session.run, inputs).result(60), world.expected(inputs))
        closer.submit(session.close).result(60)
    assert not world.cuda.device and not world.cuda.pinned and not world.cuda.streams


def test_runs_and_close_wait_for_the_run_in_another_thread(world):
    session = world.load()
    inputs, reached, go_on = frames(4), threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        assert go_on.wait(60)

    world.cuda.before_sync = hold
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(session.run, inputs)
        assert reached.wait(60)
        copies = world.cuda.calls.count("h2d")
        second, closing = pool.submit(session.run, frames(1)), pool.submit(session.close)
        assert not wait([second, closing], timeout=0.2).done
        assert world.cuda.calls.count("h2d") == copies and len(world.cuda.device) == 5
        go_on.set()
        assert_close(first.result(60), world.expected(inputs))
        closing.result(60)
        assert second.exception(60) is None or "closed" in str(second.exception())


@pytest.mark.parametrize("call", ["h2d", "d2h", "sync"])
def test_a_failing_gpu_closes_the_session_and_says_why(world, call):
    session = world.load()
    world.cuda.fail[call] = DeviceError("the GPU failed: illegal address")
    with pytest.raises(DeviceError, match="illegal address"):
        session.run(frames(4))
    world.cuda.fail.clear()
    with pytest.raises(DeviceError, match="closed"):
        session.run(frames(4))


@pytest.mark.parametrize("refuse", ["execute", "shape"])
def test_a_refusal_of_tensorrt_is_an_error(world, refuse):
    session = world.load()
    world.engine.contexts[0].refuse = refuse
    with pytest.raises(DeviceError, match="TensorRT"):
        session.run(frames(2))
    assert not world.cuda.device and not world.cuda.pinned and not world.cuda.streams


@pytest.mark.parametrize("call", ["malloc", "malloc_pinned"])
def test_full_memory_at_load_is_an_error_and_frees_what_was_taken(world, call):
    world.cuda.use()
    world.cuda.fail[call] = DeviceError("the GPU's memory is full: lower the batch")
    with pytest.raises(DeviceError, match="memory is full"):
        world.load()
    assert not world.cuda.device and not world.cuda.pinned and not world.cuda.streams


def test_no_context_means_full_memory(world, monkeypatch):
    session = world.load()
    world.engine.no_contexts = True
    with pytest.raises(DeviceError, match="memory is full"):
        session.run(frames(1))


def test_an_engine_that_is_not_float32_is_refused(world, monkeypatch):
    opened = world.device.open

    def open_half(plan: bytes):
        engine = opened(plan)
        engine.kinds["chroma"] = "HALF"
        return engine

    monkeypatch.setattr(world.device, "open", open_half)
    with pytest.raises(DeviceError, match="chroma is HALF"):
        world.load()
    assert not world.cuda.streams


def test_auto_is_f16_and_the_card_names_what_stays_f32(world):
    session = world.load(precision="auto")
    assert session.precision == "f16"
    request = world.device.requests[-1]
    assert (request.precision, request.f32_operators, request.target) == ("f16", ["ReduceMean"], "SM89")
    inputs = frames(3)
    expected = world.expected(inputs)
    for name, array in session.run(inputs).items():
        assert array.dtype == np.float32 and np.abs(array - expected[name]).max() < 0.01
    session.close()


def test_bf16_and_unreadable_networks_are_refused(world, tmp_path):
    with pytest.raises(DeviceError, match="bf16"):
        world.load(precision="bf16")
    with pytest.raises(DeviceError, match=r"none\.onnx"):
        world.backend.load(tmp_path / "none.onnx", SHAPES)


@pytest.mark.parametrize("text", ["{", "[]", '{"f32_operators": 3}'])
def test_a_damaged_card_is_an_error(world, tmp_path, text):
    world.network = write_network(tmp_path)
    world.network.with_suffix(".json").write_text(text)
    with pytest.raises(DeviceError, match=r"small\.json: the network's card is damaged"):
        world.load()


def test_a_network_without_a_card_runs_in_fp16_throughout(world, tmp_path):
    world.network = write_network(tmp_path)
    world.network.with_suffix(".json").unlink()
    world.load(precision="f16").close()
    assert world.device.requests[-1].f32_operators == []


def test_a_network_is_compiled_once_for_each_size_and_precision(world):
    for shapes, precision in (
        (SHAPES, "f32"),
        (SHAPES, "f32"),
        (SHAPES, "f16"),
        (SHAPES | {"luma": (2, 1, 32, 64), "hints": (2, 3, 32, 64)}, "f32"),
    ):
        world.load(shapes, precision).close()
    assert len(world.device.requests) == 3
    world.device.flavour = type(world.device.flavour)("tensorrt_rtx", None, "1.8")
    world.load().close()
    assert len(world.device.requests) == 4


def test_a_changed_network_is_compiled_again(world, tmp_path):
    world.load().close()
    world.network = write_network(tmp_path, seed=5)
    world.load().close()
    assert len(world.device.requests) == 2


def test_an_engine_that_does_not_load_is_compiled_again_once(world, caplog):
    world.load().close()
    world.device.stale = 1
    with caplog.at_level(logging.WARNING, "vidcolor"):
        world.load().close()
    assert len(world.device.requests) == 2 and "compiling it again" in caplog.text
    world.device.stale = 2
    with pytest.raises(DeviceError, match="does not load its own engine"):
        world.load()


def test_kernels_are_kept_between_sessions(world, monkeypatch):
    kept = []

    class Kernels:
        def deserialize(self, blob: bytes) -> bool:
            kept.append(blob)
            return True

        def serialize(self) -> bytes:
            return b"kernels"

    class Config:
        def create_runtime_cache(self) -> Kernels:
            return Kernels()

        def set_runtime_cache(self, kernels: Kernels) -> None:
            self.kernels = kernels

    monkeypatch.setattr("tests.backends.fake_cuda.FakeEngine.create_runtime_config", lambda _self: Config(), raising=False)
    session = world.load()
    (config,) = world.engine.contexts[0].options
    assert isinstance(config.kernels, Kernels) and not kept
    session.close()
    world.load().close()
    assert kept == [b"kernels"]


def test_available_gives_the_sentence_of_the_device(world):
    assert world.backend.available() is None
    assert "no NVIDIA GPU 3" in TensorRTBackend(3, connect=FakeDevice).available()


class Reference:
    """A CPU backend for the self-test: onnxruntime, with an error on demand."""

    name = "cpu"

    def __init__(self, error: float = 0.0) -> None:
        self.error = error

    def available(self) -> None:
        return None

    def load(self, network, shapes, precision="auto"):
        self.net = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
        return self

    def run(self, inputs):
        return {item.name: value + self.error for item, value in zip(self.net.get_outputs(), self.net.run(None, inputs), strict=True)}

    def close(self) -> None:
        pass


@pytest.fixture
def quick(monkeypatch):
    for name, value in (("ROUNDS", 2), ("HEIGHT", 32), ("WIDTH", 80)):
        monkeypatch.setattr(f"vidcolor.backends.tensorrt.selftest.{name}", value)


def test_the_self_test_passes_where_gpu_and_cpu_agree(world, quick):
    golden(world.network)
    report = self_test(world.network, gpu=world.backend, cpu=Reference())
    assert report["passed"] is True and report["verdict"] == "works"
    assert report["gpu"] == "Fake RTX 4090" and report["precision"] == "f16" and report["difference"] <= report["tolerance"]
    assert {"ms_batch_4", "ms_batch_1", "first_load_s", "second_load_s"} <= report.keys()
    assert len(world.device.requests) == 1 and not world.cuda.device
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize("error", [0.5, np.nan])
def test_the_self_test_fails_where_they_differ(world, quick, error):
    golden(world.network)
    report = self_test(world.network, gpu=world.backend, cpu=Reference(error))
    assert report["passed"] is False and "use device='cpu'" in report["verdict"]
    json.dumps(report, allow_nan=False)


def test_the_self_test_says_what_is_missing(world, quick, tmp_path):
    assert self_test(world.network, gpu=TensorRTBackend(2, connect=FakeDevice))["verdict"].startswith("no NVIDIA GPU 2")
    bare = write_network(tmp_path)
    bare.with_suffix(".json").unlink()
    report = self_test(bare, gpu=world.backend, cpu=Reference())
    assert report["passed"] is False and "small.json" in report["verdict"]


def test_importing_the_backend_imports_nothing_of_nvidia():
    code = (
        "import sys, vidcolor.backends.tensorrt as t; t.TensorRTBackend();"
        "print([m for m in sys.modules if m.split('.')[0] in ('tensorrt', 'tensorrt_rtx', 'cuda', 'onnx', 'openvino')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
