"""What every backend promises, over every backend and every shipped network.

A new backend adds itself to BACKENDS. One that cannot be used on this machine is skipped with the reason it gives itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from engines.check import differences
from tests.backends.fake_cuda import FakeDevice
from tests.backends.small import write_network
from vidcolor.backends.base import Backend
from vidcolor.backends.cache import Cache
from vidcolor.backends.openvino import OpenVINOBackend
from vidcolor.backends.tensorrt import TensorRTBackend
from vidcolor.errors import DeviceError
from vidcolor.networks import cards as networks


def on_fake_gpu(folder: Path) -> Backend:
    device = FakeDevice()
    return TensorRTBackend(cache=Cache(folder), connect=lambda index: device)


BACKENDS: dict[str, Callable[[Path], Backend]] = {
    "openvino": lambda folder: OpenVINOBackend(),
    "openvino one thread": lambda folder: OpenVINOBackend(threads=1),
    "openvino:GPU": lambda folder: OpenVINOBackend("GPU"),
    "tensorrt": lambda folder: TensorRTBackend(cache=Cache(folder)),
    "tensorrt on a fake GPU": on_fake_gpu,
}

SHIPPED = networks.available()
SMALL = {"luma": (3, 1, 32, 64), "hints": (3, 3, 32, 64), "temperature": (1,)}


@pytest.fixture(params=list(BACKENDS))
def backend(request, tmp_path) -> Backend:
    made = BACKENDS[request.param](tmp_path / "cache")
    if reason := made.available():
        pytest.skip(reason)
    return made


@pytest.fixture(params=SHIPPED, ids=lambda network: network.name)
def shipped(request) -> networks.Network:
    return request.param


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return write_network(tmp_path_factory.mktemp("small"))


@pytest.fixture
def session(backend, small):
    opened = backend.load(small, SMALL, "f32")
    yield opened
    opened.close()


def values(shapes, batch: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.random((batch, *shape[1:]) if len(shape) in (2, 4) else shape, np.float32) for name, shape in shapes.items()}


def reference(path: Path, inputs):
    net = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(zip((port.name for port in net.get_outputs()), net.run(None, inputs), strict=True))


def assert_close(got, wanted, tolerance: float | Mapping[str, float]) -> None:
    assert got.keys() == wanted.keys()
    for name in wanted:
        assert got[name].dtype == np.float32 and got[name].shape == wanted[name].shape, name
    allowed = tolerance if isinstance(tolerance, Mapping) else dict.fromkeys(wanted, tolerance)
    assert all(off <= allowed[name] for name, off in differences(got, wanted).items())


def test_shipped_network_gives_its_golden_answer(backend, shipped):
    golden = dict(np.load(shipped.golden))
    inputs = {name: golden[name] for name in shipped.card.inputs}
    session = backend.load(shipped.path, {name: array.shape for name, array in inputs.items()})
    got = session.run(inputs)
    session.close()
    assert_close(got, {name: golden[name] for name in shipped.card.outputs}, shipped.card.tolerance[session.precision])


def test_f32_is_f32_and_keeps_the_f32_tolerance(backend, shipped):
    golden = dict(np.load(shipped.golden))
    inputs = {name: golden[name] for name in shipped.card.inputs}
    session = backend.load(shipped.path, {name: array.shape for name, array in inputs.items()}, "f32")
    assert session.precision == "f32"
    assert_close(session.run(inputs), {name: golden[name] for name in shipped.card.outputs}, shipped.card.tolerance["f32"])
    session.close()


@pytest.mark.parametrize("sides", [(1, 1), (1, 4), (4, 1), (3, 2), pytest.param((8, 14), marks=pytest.mark.slow)], ids=str)
def test_every_size_that_the_card_allows_is_right_in_every_batch(backend, shipped, sides):
    shapes = shipped.shapes(3, *(shipped.card.multiple * side for side in sides))
    session = backend.load(shipped.path, shapes, "f32")
    for batch in (3, 1, 2):
        inputs = values(shapes, batch, seed=batch)
        assert_close(session.run(inputs), reference(shipped.path, inputs), shipped.card.tolerance["f32"])
    session.close()


def test_a_frame_has_the_same_answer_alone_and_among_others(session):
    together = values(SMALL, 3)
    whole = session.run(together)
    for index in range(3):
        alone = {name: array[index : index + 1] if array.ndim == 4 else array for name, array in together.items()}
        assert_close(session.run(alone), {name: array[index : index + 1] for name, array in whole.items()}, 1e-5)


def test_the_same_input_gives_the_same_answer(session):
    first, _, again = (session.run(values(SMALL, 2, seed)) for seed in (0, 1, 0))
    assert_close(again, first, 0)


def test_answers_belong_to_the_caller(session, small):
    inputs = values(SMALL, 2)
    first = session.run(inputs)
    kept = {name: array.copy() for name, array in first.items()}
    second = session.run(values(SMALL, 2, seed=9))
    assert_close(first, kept, 0)
    assert not any(np.shares_memory(first[name], second[name]) for name in first)
    session.close()
    for name, array in first.items():
        np.testing.assert_array_equal(array, kept[name])
        array += 1  # and may be written to


def test_inputs_are_left_alone_and_may_be_read_only(session, small):
    inputs = values(SMALL, 2)
    kept = {name: array.copy() for name, array in inputs.items()}
    for array in inputs.values():
        array.flags.writeable = False
    assert_close(session.run(inputs), reference(small, kept), 1e-3)
    assert_close(inputs, kept, 0)


WRONG = {
    "missing": lambda v: {"luma": v["luma"], "temperature": v["temperature"]},
    "unknown": lambda v: v | {"chroma": v["luma"]},
    "misspelt": lambda v: {"Luma": v["luma"], "hints": v["hints"], "temperature": v["temperature"]},
    "channels": lambda v: v | {"luma": np.repeat(v["luma"], 3, 1)},
    "width": lambda v: v | {"luma": np.ascontiguousarray(v["luma"][..., :-32]), "hints": np.ascontiguousarray(v["hints"][..., :-32])},
    "no batch": lambda v: v | {"luma": v["luma"][0]},
    "empty batch": lambda v: v | {"luma": v["luma"][:0], "hints": v["hints"][:0]},
    "batch too large": lambda v: v | {name: np.concatenate([v[name]] * 2) for name in ("luma", "hints")},
    "two batches": lambda v: v | {"luma": v["luma"][:1]},
    "scalar": lambda v: v | {"temperature": np.float32(1).reshape(())},
    "two temperatures": lambda v: v | {"temperature": np.ones(2, np.float32)},
    "float64": lambda v: v | {"luma": v["luma"].astype(np.float64)},
    "float16": lambda v: v | {"luma": v["luma"].astype(np.float16)},
    "uint8": lambda v: v | {"luma": v["luma"].astype(np.uint8)},
    "not contiguous": lambda v: v | {"luma": np.flip(v["luma"], -1)},
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_wrong_inputs_are_refused_and_do_no_harm(session, small, wrong):
    good = values(SMALL, 2)
    with pytest.raises(DeviceError) as caught:
        session.run(WRONG[wrong](good))
    assert one_line(caught.value)
    if "float" in wrong or wrong == "uint8":
        assert f"luma is {wrong}" in str(caught.value)
    assert_close(session.run(good), reference(small, good), 1e-3)


@pytest.mark.parametrize(
    "change",
    [{"luma": (1, 3, 32, 64)}, {"luma": (1, 1, 64)}, {"luma": (0, 1, 32, 64)}, {"mask": (1, 1, 32, 64)}, {"temperature": (2,)}],
    ids=str,
)
def test_shapes_that_do_not_fit_the_network_are_refused(backend, small, change):
    if isinstance(backend, TensorRTBackend) and backend.device().gpu.name.startswith("Fake"):
        pytest.skip("the fake GPU builds nothing: real builds have their own tests")
    with pytest.raises(DeviceError) as caught:
        backend.load(small, SMALL | change)
    assert one_line(caught.value)


@pytest.mark.parametrize("damage", ["cut off", "garbage", "empty", "missing", "a folder"])
def test_a_damaged_network_is_refused(backend, small, tmp_path, damage):
    if isinstance(backend, TensorRTBackend) and backend.device().gpu.name.startswith("Fake") and damage not in ("missing", "a folder"):
        pytest.skip("the fake GPU builds nothing: real builds have their own tests")
    path = tmp_path / "damaged.onnx"
    data = small.read_bytes()
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"cut off": data[: len(data) // 2], "garbage": b"no network" * 50, "empty": b""}[damage])
    with pytest.raises(DeviceError, match=r"damaged\.onnx") as caught:
        backend.load(path, SMALL)
    assert one_line(caught.value)


def test_a_closed_session_refuses_to_run_and_closes_again(session):
    session.close()
    session.close()
    with pytest.raises(DeviceError) as caught:
        session.run(values(SMALL, 1))
    assert one_line(caught.value)


def test_closing_from_other_threads_while_running_is_safe(backend, small):
    session = backend.load(small, SMALL, "f32")
    inputs = values(SMALL, 2)
    wanted = reference(small, inputs)
    running, wrong = threading.Barrier(5), []

    def run() -> None:
        running.wait()
        for _ in range(200):
            try:
                assert_close(session.run(inputs), wanted, 1e-3)
            except DeviceError as error:
                if "closed" not in str(error):
                    wrong.append(error)
                return
            except BaseException as error:
                wrong.append(error)
                return

    def close() -> None:
        running.wait()
        try:
            session.close()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for work in (run, run, run, close, close)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    with pytest.raises(DeviceError):
        session.run(inputs)


def test_runs_from_several_threads_do_not_mix(session, small):
    wanted = [(values(SMALL, 3, seed), reference(small, values(SMALL, 3, seed))) for seed in range(4)]
    start, wrong = threading.Barrier(4), []

    def run(inputs, answer) -> None:
        start.wait()
        try:
            for _ in range(50):
                assert_close(session.run(inputs), answer, 1e-3)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads) and not wrong


def test_two_sessions_do_not_meet(backend, small):
    first, second = backend.load(small, SMALL, "f32"), backend.load(small, SMALL | {"luma": (1, 1, 64, 32), "hints": (1, 3, 64, 32)}, "f32")
    first.close()
    inputs = {
        "luma": np.ones((1, 1, 64, 32), np.float32),
        "hints": np.zeros((1, 3, 64, 32), np.float32),
        "temperature": np.ones(1, np.float32),
    }
    assert_close(second.run(inputs), reference(small, inputs), 1e-3)
    second.close()


@pytest.mark.parametrize("name", list(BACKENDS))
def test_availability_is_a_sentence_or_nothing(name, tmp_path):
    made = BACKENDS[name](tmp_path)
    reason = made.available()
    assert made.name
    assert reason is None or ("\n" not in reason and len(reason.split()) > 3)


def one_line(error: Exception) -> bool:
    return bool(str(error)) and "\n" not in str(error)
