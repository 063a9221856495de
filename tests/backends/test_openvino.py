"""What is OpenVINO's own: devices, precision, types, threads; and the choice of a backend. The rest is in the contract suite."""

from __future__ import annotations

import builtins
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.backends.small import write_network
from vidcolor import backends
from vidcolor.backends import openvino as openvino_module
from vidcolor.backends.openvino import OpenVINOBackend
from vidcolor.backends.tensorrt import TensorRTBackend
from vidcolor.errors import DeviceError, UsageError

SMALL = {"luma": (2, 1, 32, 64), "hints": (2, 3, 32, 64), "temperature": (1,)}


@pytest.fixture
def small(tmp_path):
    return write_network(tmp_path)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(TensorRTBackend, "available", lambda self: "no NVIDIA driver here; install it")


def native(precision: str) -> bool:
    import openvino

    return precision.upper() in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def test_openvino_is_imported_late():
    code = "import sys, vidcolor.backends, vidcolor.networks.cards, vidcolor.backends.openvino; sys.exit('openvino' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_auto_precision_is_bf16_where_the_processor_has_it_else_f32(small):
    session = OpenVINOBackend().load(small, SMALL)
    assert session.precision == ("bf16" if native("bf16") else "f32")
    session.close()


def test_precision_says_what_really_runs(small):
    session = OpenVINOBackend().load(small, SMALL, "f32")
    assert session.precision == "f32"
    if not native("bf16"):
        pytest.skip("this processor computes in f32 alone")
    rounded = OpenVINOBackend().load(small, SMALL, "bf16")
    assert rounded.precision == "bf16"
    inputs = {name: np.random.default_rng(0).random(shape, np.float32) for name, shape in SMALL.items()}
    difference = max(np.abs(a - b).max() for a, b in zip(session.run(inputs).values(), rounded.run(inputs).values(), strict=True))
    assert 1e-5 < difference < 0.05


def test_a_device_that_is_not_there_is_refused_by_name(small):
    backend = OpenVINOBackend("NPU.7")
    assert backend.available() is not None and "NPU.7" in backend.available()
    with pytest.raises(DeviceError, match=r"finds no NPU\.7 here"):
        backend.load(small, SMALL)


def test_without_openvino_the_command_that_brings_it_is_said(small, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "openvino":
            raise ImportError("no module named openvino")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(openvino_module, "shared_core", openvino_module.shared_core.__wrapped__)  # the core of this process is loaded
    monkeypatch.setattr(builtins, "__import__", without)
    backend = OpenVINOBackend()
    assert "pip install openvino" in backend.available()
    with pytest.raises(DeviceError, match="pip install openvino"):
        backend.load(small, SMALL)


def test_threads_are_those_asked_for(small, monkeypatch):
    import openvino

    seen = []
    real = openvino.Core.compile_model
    monkeypatch.setattr(openvino.Core, "compile_model", lambda *args, **kwargs: seen.append(real(*args, **kwargs)) or seen[-1])
    OpenVINOBackend(threads=1).load(small, SMALL).close()
    assert seen[0].get_property("INFERENCE_NUM_THREADS") == 1
    assert seen[0].get_property("NUM_STREAMS") == 1
    assert seen[0].get_property("ENABLE_CPU_PINNING") is False


def one_operator(folder, kind: str, source: int, target: int, **attributes):
    graph = helper.make_graph(
        [helper.make_node(kind, ["x"], ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", source, ["N", 1, 4])],
        [helper.make_tensor_value_info("y", target, ["N", 1, 4])],
    )
    path = folder / "one.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize(("source", "target"), [(TensorProto.UINT8, TensorProto.FLOAT), (TensorProto.FLOAT, TensorProto.INT64)])
def test_networks_that_do_not_speak_f32_are_refused(tmp_path, source, target):
    path = one_operator(tmp_path, "Cast", source, target, to=target)
    with pytest.raises(DeviceError, match="runs f32 in and out"):
        OpenVINOBackend().load(path, {"x": (1, 1, 4)})


def test_an_operator_that_openvino_does_not_know_is_named(tmp_path):
    path = one_operator(tmp_path, "Fancy", TensorProto.FLOAT, TensorProto.FLOAT, domain="strange.org")
    with pytest.raises(DeviceError, match=r"one\.onnx: OpenVINO cannot load this network on CPU.*Fancy") as caught:
        OpenVINOBackend().load(path, {"x": (1, 1, 4)})
    assert "\n" not in str(caught.value)


def test_outputs_keep_their_names_where_openvino_reorders_operators(tmp_path):
    """It moves a Sigmoid before a DepthToSpace, whose output then answers to both names."""
    ports = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 2, 2]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1, 4, 4]),
    ]
    nodes = [helper.make_node("DepthToSpace", ["x"], ["a"], blocksize=2), helper.make_node("Sigmoid", ["a"], ["y"])]
    graph = helper.make_graph(nodes, "shuffle", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "shuffle.onnx")
    session = OpenVINOBackend().load(tmp_path / "shuffle.onnx", {"x": (1, 4, 2, 2)}, "f32")
    assert session.run({"x": np.zeros((1, 4, 2, 2), np.float32)}).keys() == {"y"}
    session.close()


def test_auto_says_what_it_chose_and_why(no_gpu):
    backend, why = backends.choose("auto")
    assert backend.name == "openvino" and why == "OpenVINO on the CPU, because no NVIDIA driver here"


def test_auto_takes_a_gpu_that_is_ready(monkeypatch):
    monkeypatch.setattr(TensorRTBackend, "available", lambda self: None)
    backend, why = backends.choose("auto")
    assert backend.name == "tensorrt" and "NVIDIA GPU is ready" in why


def test_cpu_is_openvino_even_beside_a_gpu(monkeypatch):
    monkeypatch.setattr(TensorRTBackend, "available", lambda self: None)
    backend, why = backends.choose("cpu", threads=1)
    assert isinstance(backend, OpenVINOBackend) and backend.device == "CPU" and backend.threads == 1 and "asked" in why


@pytest.mark.parametrize("device", ["tensorrt", "tensorrt:1"])
def test_an_explicit_device_fails_rather_than_falls_back(no_gpu, device):
    with pytest.raises(DeviceError, match="no NVIDIA driver here"):
        backends.choose(device)


def test_an_explicit_device_gets_its_number(monkeypatch):
    monkeypatch.setattr(TensorRTBackend, "available", lambda self: None)
    assert backends.choose("tensorrt:1")[0].index == 1
    monkeypatch.setattr(OpenVINOBackend, "available", lambda self: None)
    backend, _ = backends.choose("openvino:GPU.1")
    assert backend.device == "GPU.1" and backend.name == "openvino:GPU.1"


@pytest.mark.parametrize(
    "device", ["", "gpu", "cuda", "CPU", "tensorrt:", "tensorrt:x", "tensorrt:-1", "openvino", "openvino:CPU2", "cpu:1"]
)
def test_other_words_are_refused_with_the_known_ones(device):
    with pytest.raises(UsageError, match="choose auto, cpu, tensorrt"):
        backends.choose(device)


def test_every_backend_has_a_name_of_its_own():
    names = [backend.name for backend in backends.all_backends()]
    assert names == ["tensorrt", "openvino:GPU", "openvino"]


def test_ctrl_c_after_several_backends_is_an_exception_and_not_a_crash(small):
    code = (
        "import signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from vidcolor.backends.openvino import OpenVINOBackend\n"
        f"for _ in range(3): OpenVINOBackend().load(Path({str(small)!r}), {SMALL!r}).close()\n"
        "import gc; gc.collect()\n"
        "try: signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt: sys.exit(77)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 77
