"""Profiles, and the fp16 graph that is made of an f32 one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.backends.small import SHAPES, write_network
from vidcolor.backends.cache import BuildError
from vidcolor.backends.tensorrt import api, half


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
