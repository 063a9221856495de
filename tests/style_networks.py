"""A style network and a style encoder of a few operators, in the form of the shipped ones, with cards and named styles."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vidcolor.networks import cards as networks

FLOAT = TensorProto.FLOAT
CODE, STATS = 6, 6
"""Numbers of a code (scale and shift of R, G, B) and of the statistics (mean and deviation of R, G, B)."""
CODES = {"warm": [0.2, 0.1, 0.1, 0.8, 0.4, 0.2], "cold": [0.1, 0.1, 0.2, 0.2, 0.4, 0.8], "plain": [0.25, 0.25, 0.25, 0.5, 0.5, 0.5]}


def stylize() -> onnx.ModelProto:
    """styled = clip(scale · (picture − mean) / deviation + shift), statistics of each channel, the held ones by their weight."""
    nodes = [
        ("ReduceMean", ["picture"], "mean", {"axes": [2, 3]}),
        ("Sub", ["picture", "mean"], "centred", {}),
        ("Mul", ["centred", "centred"], "square", {}),
        ("ReduceMean", ["square"], "variance", {"axes": [2, 3]}),
        ("Add", ["variance", "smallest"], "positive", {}),
        ("Sqrt", ["positive"], "deviation", {}),
        ("Concat", ["mean", "deviation"], "own", {"axis": 1}),
        ("Reshape", ["own", "flat"], "measured", {}),
        ("Sub", ["stats", "measured"], "off", {}),
        ("Mul", ["off", "stats_weight"], "moved", {}),
        ("Add", ["measured", "moved"], "used", {}),
        ("Reshape", ["used", "planes"], "used4", {}),
        ("Split", ["used4", "three"], ["used_mean", "used_deviation"], {"axis": 1}),
        ("Reshape", ["code", "planes"], "code4", {}),
        ("Split", ["code4", "three"], ["scale", "shift"], {"axis": 1}),
        ("Sub", ["picture", "used_mean"], "level", {}),
        ("Div", ["level", "used_deviation"], "normal", {}),
        ("Mul", ["normal", "scale"], "scaled", {}),
        ("Add", ["scaled", "shift"], "shifted", {}),
        ("Clip", ["shifted", "zero", "one"], "styled", {}),
    ]
    constants = {
        "smallest": np.float32(1e-5), "zero": np.float32(0), "one": np.float32(1), "flat": np.array([-1, STATS], np.int64),
        "planes": np.array([-1, 6, 1, 1], np.int64), "three": np.array([3, 3], np.int64),
    }  # fmt: skip
    inputs = {"picture": ["N", 3, "H", "W"], "code": ["N", CODE], "stats": ["N", STATS], "stats_weight": [1]}
    return model(nodes, constants, inputs, {"styled": ["N", 3, "H", "W"], "measured": ["N", STATS]})


def encoder() -> onnx.ModelProto:
    """The code of a picture: a third of the deviation of each channel, and its mean."""
    nodes = [
        ("ReduceMean", ["picture"], "mean", {"axes": [2, 3]}),
        ("Sub", ["picture", "mean"], "centred", {}),
        ("Mul", ["centred", "centred"], "square", {}),
        ("ReduceMean", ["square"], "variance", {"axes": [2, 3]}),
        ("Sqrt", ["variance"], "deviation", {}),
        ("Concat", ["deviation", "mean"], "both", {"axis": 1}),
        ("Reshape", ["both", "flat"], "code", {}),
    ]
    return model(nodes, {"flat": np.array([1, CODE], np.int64)}, {"picture": [1, 3, "H", "W"]}, {"code": [1, CODE]})


def drawing() -> onnx.ModelProto:
    """A network of one style: darker, no code, no statistics."""
    nodes = [("Mul", ["picture", "half"], "styled", {})]
    return model(nodes, {"half": np.float32(0.5)}, {"picture": ["N", 3, "H", "W"]}, {"styled": ["N", 3, "H", "W"]})


def model(nodes, constants, inputs, outputs) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(kind, takes, gives if isinstance(gives, list) else [gives], **rest) for kind, takes, gives, rest in nodes],
        "small",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def write(folder: Path, name: str, task: str, made: onnx.ModelProto, work_size: int, **more: object) -> None:
    """NAME.onnx and NAME.json."""
    data = made.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    ports = [
        {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
        for values in (made.graph.input, made.graph.output)
    ]
    card = {
        "name": name, "task": task, "inputs": ports[0], "outputs": ports[1], "work_size": work_size, "multiple": 32,
        "sha256": hashlib.sha256(data).hexdigest(), "licence": "MIT", "data": [], "seed": 0, "hours": 0, "commit": "none", "crops": 0,
        "metrics": {}, "tolerance": {"f32": dict.fromkeys(ports[1], 1e-3)},
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(card | more), encoding="utf-8")


def install(folder: Path) -> Path:
    """The networks folder of a program that has the shipped generators, these style networks and the styles of CODES."""
    shipped = next(place for place in networks.PLACES if place.is_dir())
    folder.mkdir(parents=True)
    for path in shipped.glob("colorize-*"):
        shutil.copy(path, folder)
    write(folder, "stylize", "stylize", stylize(), 480)
    write(folder, "drawing", "stylize", drawing(), 480)
    write(folder, "style-encoder", "encode-style", encoder(), 256)
    (folder / "styles").mkdir()
    for name, code in CODES.items():
        write_style(folder / "styles", name, code=code)
    return folder


def write_style(folder: Path, name: str, /, **changes: object) -> Path:
    """NAME.json with the fields of a style, changed as asked for."""
    fields = {"title": name.title(), "painter": "Nobody", "date": "1900", "source": "made by code", "licence": "public domain"}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"name": name, **fields, "network": "stylize", "code": CODES["plain"]} | changes), encoding="utf-8")
    return path
