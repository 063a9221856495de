"""A network of a few operators in the form of the shipped ones: fp16 weights behind a Cast, stride 4, a card, a golden sample."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
SHAPES = {"luma": (4, 1, 32, 64), "hints": (4, 3, 32, 64), "temperature": (1,)}
"""Inputs for a batch of four."""


def write_network(folder: Path, seed: int = 0) -> Path:
    """small.onnx and small.json in `folder`; the path of the first."""
    random = np.random.default_rng(seed)
    weights = (random.normal(size=(3, 4, 4, 4)) * 0.2).astype(np.float16)
    nodes = [
        helper.make_node("Cast", ["weights"], ["weights.f32"], to=FLOAT, name="unpack"),
        helper.make_node("Concat", ["luma", "hints"], ["planes"], axis=1, name="concat"),
        helper.make_node("Conv", ["planes", "weights.f32"], ["features"], strides=[4, 4], name="conv"),
        helper.make_node("ReduceMean", ["features"], ["mean"], axes=[2, 3], name="mean"),
        helper.make_node("Sub", ["features", "mean"], ["centred"], name="centre"),
        helper.make_node("Mul", ["centred", "temperature"], ["warm"], name="warm"),
        helper.make_node("Tanh", ["warm"], ["bounded"], name="bound"),
        helper.make_node("Mul", ["bounded", "half"], ["scaled"], name="scale"),
        helper.make_node("Split", ["scaled", "parts"], ["chroma", "confidence"], axis=1, name="split"),
    ]
    inputs = {"luma": ["N", 1, "H", "W"], "hints": ["N", 3, "H", "W"], "temperature": [1]}
    outputs = {"chroma": ["N", 2, "H/4", "W/4"], "confidence": ["N", 1, "H/4", "W/4"]}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.float32(0.5), "half"),
            numpy_helper.from_array(np.array([2, 1], np.int64), "parts"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path = folder / "small.onnx"
    path.write_bytes(model.SerializeToString())
    card = {
        "name": "small",
        "inputs": inputs,
        "outputs": outputs,
        "tolerance": {"f32": dict.fromkeys(outputs, 1e-3), "f16": dict.fromkeys(outputs, 0.01)},
        "f32_operators": ["ReduceMean"],
    }
    path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    return path


def golden(path: Path) -> None:
    """small.npz beside a network: two frames and what onnxruntime makes of them."""
    random = np.random.default_rng(1)
    inputs = {"luma": (2, 1, 16, 32), "hints": (2, 3, 16, 32), "temperature": (1,)}
    values = {name: random.random(shape, np.float32) for name, shape in inputs.items()}
    net = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    answers = dict(zip((item.name for item in net.get_outputs()), net.run(None, values), strict=True))
    np.savez(path.with_suffix(".npz"), **values, **answers)
