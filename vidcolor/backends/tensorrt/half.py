"""An f32 ONNX graph as an fp16 one. TensorRT networks are strongly typed: they run in the types of the graph and nothing else.

The network's inputs and outputs stay f32. Operators that the card lists stay f32 too, with casts around them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.helper import make_node

from vidcolor.backends.cache import BuildError

F32_INPUTS = {("Resize", 2)}
"""Inputs that the ONNX specification wants in f32 in every graph: the scales of Resize."""

LARGEST = float(np.finfo(np.float16).max)


def to_half(model: bytes, f32_operators: Collection[str] = ()) -> bytes:
    """A serialized f32 ONNX model as one that computes in fp16.

    `f32_operators` are operator types ("ReduceMean") or names of nodes that stay f32. fp16 initializers behind a Cast to f32, as
    the shipped files have them, are taken as they are. Raises BuildError for a constant that fp16 cannot hold, and for graphs
    with branches or loops.
    """
    proto = onnx.load_from_string(model)
    converter = _Converter(proto, frozenset(f32_operators))
    converter.run()
    return bytes(proto.SerializeToString())


class _Converter:
    """Every f32 value is made in one type and cast, once, where it is used in the other. The f16 form of `x` is called `x.f16`."""

    def __init__(self, proto: Any, f32_operators: frozenset[str]) -> None:
        self.graph = proto.graph
        self.f32_operators = f32_operators
        self.constants: dict[str, Any] = {}
        self.nodes = self._without_constants()
        types = _types(proto)
        self.floats = {name for name, kind in types.items() if kind == TensorProto.FLOAT} | set(self.constants)
        self.made = {value.name for value in self.graph.input}
        self.done: list[Any] = []
        self.initializers: list[Any] = [item for item in self.graph.initializer if item.name not in self.constants]

    def _without_constants(self) -> list[Any]:
        """The nodes, with every f32 constant moved to `constants`: initializers, Constant nodes, and Casts of fp16 initializers."""
        initializers = {item.name: item for item in self.graph.initializer}
        self.constants = {name: numpy_helper.to_array(item) for name, item in initializers.items() if item.data_type == TensorProto.FLOAT}
        left = []
        for node in self.graph.node:
            if any(item.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for item in node.attribute):
                raise BuildError(f"{node.op_type} {node.name} has a graph inside: fp16 for TensorRT knows no branches")
            value = _constant(node, initializers)
            if value is None:
                left.append(node)
            else:
                self.constants[node.output[0]] = value
        return left

    def run(self) -> None:
        for node in self.nodes:
            self._convert(node)
        for output in self.graph.output:
            if output.name in self.floats:
                self._as(output.name, TensorProto.FLOAT, "the output")
        del self.graph.node[:], self.graph.initializer[:], self.graph.value_info[:]
        self.graph.node.extend(self.done)
        used = {name for node in self.done for name in node.input} | {output.name for output in self.graph.output}
        self.graph.initializer.extend(item for item in self.initializers if item.name in used)

    def _convert(self, node: Any) -> None:
        stays = node.op_type in self.f32_operators or node.name in self.f32_operators
        kind = TensorProto.FLOAT if stays else TensorProto.FLOAT16
        for position, name in enumerate(node.input):
            if name in self.floats:
                wanted = TensorProto.FLOAT if (node.op_type, position) in F32_INPUTS else kind
                node.input[position] = self._as(name, wanted, f"{node.op_type} {node.name}")
        for position, name in enumerate(node.output):
            if name in self.floats:
                node.output[position] = _named(name, kind)
                self.made.add(node.output[position])
        if kind == TensorProto.FLOAT16:
            _retype(node)
        self.done.append(node)

    def _as(self, name: str, kind: int, user: str) -> str:
        """The name under which an f32 value can be had in a type; made where it is not there yet."""
        wanted = _named(name, kind)
        if wanted not in self.made:
            self.made.add(wanted)
            if name in self.constants:
                value = self.constants[name] if kind == TensorProto.FLOAT else _half(self.constants[name], f"{name} of {user}")
                self.initializers.append(numpy_helper.from_array(value, wanted))
            else:
                source = name if kind == TensorProto.FLOAT16 else _named(name, TensorProto.FLOAT16)
                self.done.append(make_node("Cast", [source], [wanted], to=kind, name=f"{wanted}.cast"))
        return wanted


def _named(name: str, kind: int) -> str:
    return f"{name}.f16" if kind == TensorProto.FLOAT16 else name


def _types(proto: Any) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True).graph
    values: Iterable[Any] = [*inferred.input, *inferred.value_info, *inferred.output]
    return {value.name: value.type.tensor_type.elem_type for value in values}


def _constant(node: Any, initializers: dict[str, Any]) -> Any:
    """The f32 array that a node always gives, or None."""
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    if node.op_type == "Constant":
        if "value" in attributes and attributes["value"].data_type == TensorProto.FLOAT:
            return numpy_helper.to_array(attributes["value"])
        for name in ("value_float", "value_floats"):
            if name in attributes:
                return np.array(attributes[name], np.float32)
    if node.op_type == "Cast" and attributes["to"] == TensorProto.FLOAT and node.input[0] in initializers:
        return numpy_helper.to_array(initializers[node.input[0]]).astype(np.float32)
    return None


def _half(value: Any, where: str) -> Any:
    with np.errstate(over="ignore"):
        half = value.astype(np.float16)
    if not np.isfinite(half[np.isfinite(value)]).all():
        raise BuildError(f"the constant {where} is beyond {LARGEST:.0f} and does not fit fp16: list the operator as f32")
    if value.size == 1 and value.item() != 0 and half.item() == 0:  # an epsilon that becomes 0 is a division by zero
        raise BuildError(f"the constant {where} is {value.item():g}, which is 0 in fp16: list the operator as f32")
    return half


def _retype(node: Any) -> None:
    """Attributes that name or carry a type: f32 becomes fp16."""
    for item in node.attribute:
        if item.name in ("to", "dtype") and item.type == onnx.AttributeProto.INT and item.i == TensorProto.FLOAT:
            item.i = TensorProto.FLOAT16
        if node.op_type == "ConstantOfShape" and item.name == "value" and item.t.data_type == TensorProto.FLOAT:
            item.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item.t).astype(np.float16)))
