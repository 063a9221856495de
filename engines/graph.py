"""A network of torch as an ONNX graph that every backend takes, and whether it says the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from torch import nn

from engines.check import differences
from engines.kinds import Kind, Values

OPSET = 18
PARITY = 2e-4
MARGIN = 3
"""Largest absolute difference allowed between the file in onnxruntime and torch with the same fp16-rounded weights, both in f32."""
HALF_FROM = 1024
"""Tensors of at least so many values are stored as fp16: the convolution weights. Batch norms are small and stay f32."""


def to_onnx(network: nn.Module, kind: Kind) -> onnx.ModelProto:
    """An f32 graph of `network`, in eval mode; initializers of its state keep their names, without the wrapper's prefix."""
    example = tuple(torch.from_numpy(value) for value in kind.picture((2, 64, 96), 0).values())
    dynamic = tuple({i: torch.export.Dim.DYNAMIC for i, size in enumerate(port) if isinstance(size, str)} for port in kind.inputs.values())
    program = torch.onnx.export(
        network, example, dynamo=True, optimize=False, opset_version=OPSET, verbose=False,
        input_names=list(kind.inputs), output_names=list(kind.outputs), dynamic_shapes=dynamic,
    )  # fmt: skip
    assert program is not None
    names = set(network.state_dict())

    def touches_weights(node: ir.Node) -> bool | None:
        return False if any(value is not None and value.name in names for value in node.inputs) else None

    fold_constants(program.model, should_fold=touches_weights)  # optimize=True would fold the batch norms
    remove_unused_nodes(program.model)
    return tidy(program.model_proto, kind, names)


def tidy(model: onnx.ModelProto, kind: Kind, names: set[str]) -> onnx.ModelProto:
    """Without traces of the exporter (stack traces hold paths), with the card's names of dimensions, constants stored once.

    `names` are those of the state; two of its tensors may be equal, and both are needed to train on.
    """
    graph = model.graph
    nodes, weights = list(graph.node), {}
    same: dict[str, str] = {}
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        name = tensor.name.removeprefix("generator.")
        key = (tensor.data_type, array.shape, array.tobytes())
        if tensor.name not in names:  # a constant of the graph
            name = first.setdefault(key, name)
        same[tensor.name] = name
        weights[name] = numpy_helper.from_array(array, name)
    kept = []
    for node in nodes:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = [same.get(name, name) for name in node.input]
        kept.append(helper.make_node(node.op_type, inputs, list(node.output), **attributes))

    def port(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    inputs = [port(name, shape) for name, shape in kind.inputs.items()]
    outputs = [port(name, shape) for name, shape in kind.outputs.items()]
    plain = helper.make_graph(kept, kind.name, inputs, outputs, list(weights.values()))
    return helper.make_model(plain, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9, producer_name="vidcolor")


def halve(model: onnx.ModelProto) -> None:
    """Store large initializers as fp16, each followed by a Cast to f32."""
    casts = []
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < HALF_FROM:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name))
        for node in model.graph.node:
            for index, used in enumerate(node.input):
                if used == name:
                    node.input[index] = f"{name}.f32"
        casts.append(helper.make_node("Cast", [name], [f"{name}.f32"], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def answer(network: nn.Module, kind: Kind, inputs: Values) -> Values:
    """Outputs of torch by name."""
    with torch.inference_mode():
        outputs = network(*(torch.from_numpy(inputs[name]) for name in kind.inputs))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return {name: output.float().numpy() for name, output in zip(kind.outputs, outputs, strict=True)}


def check_parity(data: bytes, network: nn.Module, kind: Kind) -> float:
    """Largest difference between onnxruntime and torch over the kind's shapes. Raises ValueError above PARITY."""
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    worst, names = 0.0, list(kind.outputs)
    for shape in kind.shapes:
        inputs = kind.picture(shape, 1)
        got = dict(zip(names, session.run(names, inputs), strict=True))
        worst = max(worst, *differences(got, answer(network, kind, inputs)).values())
    if not worst <= PARITY:
        raise ValueError(f"the exported graph differs from torch by {worst:g}, more than {PARITY:g}")
    return worst


def tolerances(network: nn.Module, kind: Kind) -> dict[str, dict[str, float]]:
    """Largest difference a backend may show, by precision and output: what torch shows in that precision, with the margin of the kind."""
    result = {"f32": dict.fromkeys(kind.outputs, 5 * PARITY)}
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        shown = []
        for seed in range(2):
            inputs = kind.picture((2, 64, 96), seed)
            exact = answer(network, kind, inputs)
            with torch.autocast("cpu", dtype):
                shown.append(differences(answer(network, kind, inputs), exact))
        result[name] = {
            output: float(f"{kind.margin.get(output, MARGIN) * max(off[output] for off in shown):.2g}") for output in kind.outputs
        }
    return result
