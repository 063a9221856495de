"""What every shipped network promises: its card is true, its file is plain ONNX, its answers are sane."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto

from vidcolor import networks

SHIPPED = networks.available()
LARGEST_FILE, LARGEST_GOLDEN = 10_000_000, 200_000


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda network: network.name)
def network(request) -> networks.Network:
    return networks.find(request.param.name)


@pytest.fixture(scope="module")
def model(network) -> onnx.ModelProto:
    return onnx.load(network.path)


@pytest.fixture(scope="module")
def run(network):
    session = ort.InferenceSession(network.path, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def picture(batch: int = 1, height: int = 64, width: int = 96, seed: int = 0) -> dict[str, np.ndarray]:
    """A soft scene with edges, without hints."""
    y, x = np.mgrid[0:height, 0:width] / 16 + seed
    luma = (0.5 + 0.3 * np.sin(x) * np.cos(y) + 0.1 * (x > y)).clip(0, 1).astype(np.float32)
    shift = [np.roll(luma, 7 * index, 1) for index in range(batch)]
    return {
        "luma": np.stack(shift)[:, None],
        "hints": np.zeros((batch, 3, height, width), np.float32),
        "temperature": np.ones(1, np.float32),
        "tilt": np.zeros(1, np.float32),
    }


def test_some_network_is_shipped():
    assert "colorize-fast" in [network.name for network in SHIPPED]


def test_the_card_names_the_file_and_knows_its_sha256(network):
    assert network.path.stem == (network.card.weights or network.name)
    assert network.card.sha256 == hashlib.sha256(network.path.read_bytes()).hexdigest()


def test_the_card_tells_where_the_weights_come_from(network):
    card = network.card
    assert card.licence and card.commit and card.metrics
    assert card.hours > 0 and card.crops > 0
    assert card.data and {entry.licence for entry in card.data} <= {"free", "research", "unstated"}


def test_the_card_names_inputs_and_outputs_of_the_graph(network, model):
    for ports, values in ((network.card.inputs, model.graph.input), (network.card.outputs, model.graph.output)):
        graph = {}
        for value in values:
            assert value.type.tensor_type.elem_type == TensorProto.FLOAT
            graph[value.name] = tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim)
        assert graph == dict(ports)


def test_the_dial_goes_from_muted_to_bold(network):
    assert len(network.card.dial) == 3
    assert all(temperature > 0 and 0 <= tilt <= 1 and gain > 0 for temperature, tilt, gain in network.card.dial)


def test_the_file_is_plain_onnx_that_every_runtime_takes(model):
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain for opset in model.opset_import} == {""} and model.opset_import[0].version >= 17
    assert {node.domain for node in model.graph.node} == {""} and not model.functions
    operators = Counter(node.op_type for node in model.graph.node)
    assert not operators.keys() & {"If", "Loop", "Scan", "DeformConv", "Unique", "CenterCropPad", "InstanceNormalization"}


def test_the_file_carries_no_traces_of_its_making(model):
    assert not model.doc_string and not model.metadata_props and not model.graph.value_info
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_files_are_small_and_weights_are_stored_as_fp16(network, model):
    assert network.path.stat().st_size <= LARGEST_FILE
    assert network.golden.stat().st_size <= LARGEST_GOLDEN
    large = [tensor for tensor in model.graph.initializer if np.prod(tensor.dims) >= 1024]
    assert large and {tensor.data_type for tensor in large} == {TensorProto.FLOAT16}


def test_the_golden_sample_is_what_the_reference_runtime_answers(network, run):
    golden = dict(np.load(network.golden))
    assert golden.keys() == network.card.inputs.keys() | network.card.outputs.keys()
    got = run({name: golden[name] for name in network.card.inputs})
    for name, array in got.items():
        np.testing.assert_allclose(array, golden[name], rtol=0, atol=network.card.tolerance["f32"])


def test_the_golden_sample_is_not_trivial(network):
    golden = dict(np.load(network.golden))
    assert all(golden[name].std() > 10 * network.card.tolerance["f32"] for name in network.card.outputs)
    assert golden["hints"][:, 2].max() == 1


@pytest.mark.parametrize("sides", [(1, 1), (1, 4), (4, 1), (3, 5)], ids=str)
def test_every_size_and_an_odd_batch_work(network, run, sides):
    height, width = (network.card.multiple * side for side in sides)
    got = run(picture(3, height, width))
    assert got["chroma"].shape == (3, 2, height // 4, width // 4)
    assert got["confidence"].shape == (3, 1, height // 4, width // 4)


@pytest.mark.parametrize("what", ["black", "white", "noise", "checkerboard", "wild hints", "cold", "hot"])
def test_answers_stay_in_range_whatever_comes(run, what):
    inputs = picture(2)
    random = np.random.default_rng(3)
    if what in ("black", "white"):
        inputs["luma"][:] = what == "white"
    elif what == "noise":
        inputs["luma"][:] = random.random(inputs["luma"].shape)
    elif what == "checkerboard":
        inputs["luma"][:] = np.indices(inputs["luma"].shape[2:]).sum(0) % 2
    elif what == "wild hints":
        inputs["hints"][:] = random.uniform(-0.5, 0.5, inputs["hints"].shape)
        inputs["hints"][:, 2] = 1
    else:
        inputs["temperature"][:] = 0.05 if what == "cold" else 20
    got = run(inputs)
    assert np.isfinite(got["chroma"]).all() and np.abs(got["chroma"]).max() <= 0.5
    assert np.isfinite(got["confidence"]).all() and got["confidence"].min() >= 0 and got["confidence"].max() <= 1


@pytest.mark.parametrize("color", [(0.15, -0.1), (-0.15, 0.15), (-0.1, -0.1), (0.0, 0.0)], ids=str)
def test_hints_of_weight_one_move_the_colour_towards_them(run, color):
    plain, hinted = picture(), picture()
    hinted["hints"][0] = np.array([*color, 1], np.float32)[:, None, None]
    wanted = np.array(color, np.float32)[:, None, None]
    before = np.abs(run(plain)["chroma"][0] - wanted).mean()
    after = np.abs(run(hinted)["chroma"][0] - wanted).mean()
    assert after < 0.7 * before


def test_hints_without_weight_are_not_there(run):
    plain, empty = picture(), picture()
    empty["hints"][0, :2] = 0
    np.testing.assert_array_equal(run(plain)["chroma"], run(empty)["chroma"])


def test_a_lower_temperature_is_surer(run):
    hot, cold = picture(), picture()
    cold["temperature"][:] = 0.3
    a, b = run(hot), run(cold)
    assert np.abs(a["chroma"] - b["chroma"]).mean() > 1e-3
    assert b["confidence"].mean() > a["confidence"].mean()


def test_taking_the_tilt_back_makes_colour_calmer(run):
    bold, honest = picture(), picture()
    honest["tilt"][:] = 1
    assert np.abs(run(honest)["chroma"]).mean() < np.abs(run(bold)["chroma"]).mean()


def test_frames_of_a_batch_do_not_see_each_other(network, run):
    together = picture(3)
    alone = {name: array[1:2] if array.ndim == 4 else array for name, array in together.items()}
    for name, array in run(alone).items():
        np.testing.assert_allclose(array, run(together)[name][1:2], rtol=0, atol=network.card.tolerance["f32"])
