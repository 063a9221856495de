"""Write a trained generator as a network: ONNX file, card and golden sample; or an ONNX file back into a state dict.

    python -m engines.export run/b/last.pt --card engines/networks/colorize-fast.json --out engines/networks
    python -m engines.export --to-state-dict engines/networks/colorize-fast.onnx start.pt

The card given holds what an export cannot know (name, licence, data, seed, hours, commit, crops, metrics, dial); what it can
know is written anew (inputs, outputs, sizes, sha256, tolerance). Convolution weights are stored as fp16 with a Cast behind each,
which every runtime folds when it loads; all arithmetic is f32. Initializers keep the names of the state dict and batch norms stay
unfolded, so that the next training run can start from the file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from torch import Tensor, nn

from engines.check import difference
from training.network import Generator, Runtime

Values = dict[str, NDArray[np.float32]]

OPSET = 18
WORK_SIZE, MULTIPLE = 256, 32
INPUTS: dict[str, list[str | int]] = {"luma": ["N", 1, "H", "W"], "hints": ["N", 3, "H", "W"], "temperature": [1], "tilt": [1]}
OUTPUTS: dict[str, list[str | int]] = {"chroma": ["N", 2, "H/4", "W/4"], "confidence": ["N", 1, "H/4", "W/4"]}
PARITY_SHAPES = [(1, 32, 32), (2, 64, 96), (3, 96, 64), (1, 256, 448)]
PARITY = 2e-4
"""Largest absolute difference allowed between the file in onnxruntime and torch with the same fp16-rounded weights, both in f32."""

LIMIT_BYTES = 10_000_000
HALF_FROM = 1024
"""Tensors of at least so many values are stored as fp16: the convolution weights. Batch norms are small and stay f32."""


def read_state(path: Path) -> dict[str, Tensor]:
    """Weights as f32 of a checkpoint of training/colorize.py (its moving average) or of a plain state dict."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    state = saved.get("ema", saved)
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def rounded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state as the file will hold it: large tensors rounded to fp16. Raises OverflowError where a weight leaves its range."""
    result = dict(state)
    for key, value in state.items():
        if value.numel() >= HALF_FROM:
            result[key] = value.half().float()
            if not torch.isfinite(result[key]).all():
                raise OverflowError(f"{key}: a weight of {value.abs().max():g} does not fit fp16")
    return result


def to_onnx(network: nn.Module) -> onnx.ModelProto:
    """An f32 graph of `network`, an eval-mode Runtime; initializers of its state keep their names, without the wrapper's prefix."""
    example = (torch.rand(2, 1, 64, 96), torch.zeros(2, 3, 64, 96), torch.ones(1), torch.zeros(1))
    sizes = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    program = torch.onnx.export(
        network, example, dynamo=True, optimize=False, opset_version=OPSET, verbose=False,
        input_names=list(INPUTS), output_names=list(OUTPUTS), dynamic_shapes=(sizes, sizes, None, None),
    )  # fmt: skip
    assert program is not None
    names = set(network.state_dict())

    def touches_weights(node: ir.Node) -> bool | None:
        return False if any(value is not None and value.name in names for value in node.inputs) else None

    fold_constants(program.model, should_fold=touches_weights)  # optimize=True would fold the batch norms
    remove_unused_nodes(program.model)
    return tidy(program.model_proto)


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without traces of the exporter (stack traces hold paths), with the card's names of dimensions, constants stored once."""
    graph = model.graph
    nodes, weights = list(graph.node), {}
    same: dict[str, str] = {}
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        name = tensor.name.removeprefix("generator.")
        key = (tensor.data_type, array.shape, array.tobytes())
        if name == tensor.name:  # a constant of the graph, not of the state
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

    inputs = [port(name, shape) for name, shape in INPUTS.items()]
    outputs = [port(name, shape) for name, shape in OUTPUTS.items()]
    plain = helper.make_graph(kept, "generator", inputs, outputs, list(weights.values()))
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


def picture(shape: tuple[int, int, int], seed: int = 0) -> Values:
    """Inputs of the size (N, H, W) that look like pictures: soft gradients, edges, a little grain, a few dots of hints."""
    count, height, width = shape
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 32
    luma = np.zeros((count, 1, height, width))
    hints = np.zeros((count, 3, height, width))
    for index in range(count):
        a, b, c = random.uniform(0.5, 2, 3)
        waves = np.sin(a * x + c) * np.cos(b * y)
        luma[index, 0] = 0.5 + 0.3 * waves + 0.15 * (waves > 0.3) + random.normal(0, 0.01, waves.shape)
        for top, left in zip(random.integers(0, height - 8, 3), random.integers(0, width - 8, 3), strict=True):
            cb, cr = random.uniform(-0.3, 0.3, 2)
            hints[index, :, top : top + 8, left : left + 8] = np.array([cb, cr, 1])[:, None, None]
    luma = np.round(luma.clip(0, 1) * 255) / 255
    return {
        "luma": luma.astype(np.float32),
        "hints": hints.astype(np.float32),
        "temperature": np.ones(1, np.float32),
        "tilt": np.full(1, 0.5, np.float32),
    }


def answer(network: nn.Module, inputs: Values) -> Values:
    """Outputs of torch by name."""
    with torch.inference_mode():
        outputs = network(*(torch.from_numpy(inputs[name]) for name in INPUTS))
    return {name: output.float().numpy() for name, output in zip(OUTPUTS, outputs, strict=True)}


def check_parity(data: bytes, network: nn.Module) -> float:
    """Largest difference between onnxruntime and torch over PARITY_SHAPES. Raises ValueError above PARITY."""
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    worst = 0.0
    for shape in PARITY_SHAPES:
        inputs = picture(shape, seed=1)
        got = dict(zip(OUTPUTS, session.run(list(OUTPUTS), inputs), strict=True))
        worst = max(worst, difference(got, answer(network, inputs)))
    if not worst <= PARITY:
        raise ValueError(f"the exported graph differs from torch by {worst:g}, more than {PARITY:g}")
    return worst


def tolerances(network: nn.Module) -> dict[str, float]:
    """Largest absolute difference a backend may show: what torch shows in that precision against f32, with a margin of 3."""
    result = {"f32": 5 * PARITY}
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        worst = 0.0
        for seed in range(2):
            inputs = picture((2, 64, 96), seed)
            exact = answer(network, inputs)
            with torch.autocast("cpu", dtype):
                worst = max(worst, difference(answer(network, inputs), exact))
        result[name] = float(f"{3 * worst:.2g}")
    return result


def export(source: Path, about: dict[str, Any], out: Path) -> Path:
    """Write NAME.onnx, NAME.json and NAME.npz into `out`; returns the path of the ONNX file. Raises where a check fails."""
    state = rounded(read_state(source))
    generator = Generator()
    generator.load_state_dict(
        {name: value for name, value in generator.state_dict().items() if name.endswith("num_batches_tracked")} | state
    )
    network = Runtime(generator).eval()
    model = to_onnx(network)
    halve(model)
    onnx.checker.check_model(model, full_check=True)
    path = out / f"{about['name']}.onnx"
    data = model.SerializeToString(deterministic=True)
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"{path}: {len(data)} bytes, more than {LIMIT_BYTES}")
    worst = check_parity(data, network)
    golden = picture((2, 64, 96))
    path.write_bytes(data)
    sample: Any = golden | answer(network, golden)
    np.savez_compressed(path.with_suffix(".npz"), **sample)
    known = {
        "inputs": INPUTS, "outputs": OUTPUTS, "work_size": WORK_SIZE, "multiple": MULTIPLE,
        "sha256": hashlib.sha256(data).hexdigest(), "tolerance": tolerances(network),
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(about | known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}: {len(data) / 1e6:.2f} MB, within {worst:.1e} of torch")
    return path


def to_state_dict(path: Path) -> dict[str, Tensor]:
    """The state dict of the network that `path` was exported from, f32; the counters of batch norms start at 0."""
    state = {}
    expected = Generator().state_dict()
    for tensor in onnx.load(path).graph.initializer:
        if tensor.name in expected:
            state[tensor.name] = torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
    counters = {name: value for name, value in expected.items() if name.endswith("num_batches_tracked")}
    missing = expected.keys() - state.keys() - counters.keys()
    if missing:
        raise ValueError(f"{path}: not an export of this generator, {len(missing)} tensors are missing, {min(missing)} among them")
    return counters | state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="checkpoint or state dict; with --to-state-dict an ONNX file")
    parser.add_argument("target", type=Path, nargs="?", help="with --to-state-dict: the .pt file to write")
    parser.add_argument("--to-state-dict", action="store_true", help="turn an ONNX file back into a state dict")
    parser.add_argument("--card", type=Path, help="JSON with the fields that an export cannot know")
    parser.add_argument("--out", type=Path, default=Path("engines/networks"))
    args = parser.parse_args()
    if args.to_state_dict:
        if args.target is None:
            parser.error("--to-state-dict needs a file to write to")
        torch.save(to_state_dict(args.source), args.target)
    elif args.card is None or args.target is not None:
        parser.error("an export needs --card and no second file")
    else:
        export(args.source, json.loads(args.card.read_text(encoding="utf-8")), args.out)


if __name__ == "__main__":
    main()
