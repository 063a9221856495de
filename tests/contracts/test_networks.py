"""What every shipped network promises: its card is true, its file is plain ONNX, its answers are sane."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from engines.check import differences
from tests.contracts.reference import reference
from vidcolor.networks import cards as networks

SHIPPED = networks.available()
LARGEST_FILE, LARGEST_GOLDEN = 10_000_000, 250_000


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda network: network.name)
def network(request) -> networks.Network:
    return networks.find(request.param.name)


@pytest.fixture(scope="module")
def model(network) -> onnx.ModelProto:
    return onnx.load(network.path)


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


def test_the_golden_sample_is_what_the_reference_runtime_answers(network):
    golden = dict(np.load(network.golden))
    assert golden.keys() == network.card.inputs.keys() | network.card.outputs.keys()
    got = reference(network)({name: golden[name] for name in network.card.inputs})
    assert got.keys() == network.card.outputs.keys()
    off = differences(got, {name: golden[name] for name in got})
    assert all(off[name] <= allowed for name, allowed in network.card.tolerance["f32"].items())


def test_the_golden_sample_is_not_trivial(network):
    golden = dict(np.load(network.golden))
    assert all(golden[name].std() > 10 * network.card.tolerance["f32"][name] for name in network.card.outputs)
