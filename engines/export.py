"""Write a trained network as a file: ONNX, card and golden sample; or an ONNX file back into a state dict.

    python -m engines.export run/b/last.pt --card engines/networks/colorize-fast.json --out engines/networks
    python -m engines.export --to-state-dict engines/networks/colorize-fast.onnx start.pt

The card given holds what an export cannot know (name, task, licence, data, seed, hours, commit, crops, metrics, dial); what it can
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
import torch
from onnx import numpy_helper
from torch import Tensor

from engines.graph import HALF_FROM, answer, check_parity, halve, to_onnx, tolerances
from engines.kinds import KINDS, Kind, kind_of
from training.color.network import weights_of


def read_state(path: Path, part: str = "ema") -> dict[str, Tensor]:
    """Weights as f32 of a part of a checkpoint (of the colour generator: its moving average) or of a plain state dict."""
    return weights_of(torch.load(path, map_location="cpu", weights_only=True), part)


def rounded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state as the file will hold it: large tensors rounded to fp16. Raises OverflowError where a weight leaves its range."""
    result = dict(state)
    for key, value in state.items():
        if value.numel() >= HALF_FROM:
            result[key] = value.half().float()
            if not torch.isfinite(result[key]).all():
                raise OverflowError(f"{key}: a weight of {value.abs().max():g} does not fit fp16")
    return result


def export(source: Path, about: dict[str, Any], out: Path) -> Path:
    """Write NAME.onnx, NAME.json and NAME.npz into `out`; returns the path of the ONNX file. Raises where a check fails."""
    kind = kind_of(about)
    network = kind.build(rounded(read_state(source, kind.part)))
    model = to_onnx(network, kind)
    halve(model)
    onnx.checker.check_model(model, full_check=True)
    path = out / f"{about['name']}.onnx"
    data = model.SerializeToString(deterministic=True)
    if len(data) > kind.limit_bytes:
        raise ValueError(f"{path}: {len(data)} bytes, more than {kind.limit_bytes}")
    worst = check_parity(data, network, kind)
    golden = kind.picture((2, 64, 96), 0)
    path.write_bytes(data)
    sample: Any = golden | answer(network, kind, golden)
    np.savez_compressed(path.with_suffix(".npz"), **sample)
    known = {
        "inputs": kind.inputs, "outputs": kind.outputs, "work_size": kind.work_size, "multiple": kind.multiple,
        "sha256": hashlib.sha256(data).hexdigest(), "tolerance": tolerances(network, kind),
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(about | known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}: {len(data) / 1e6:.2f} MB, within {worst:.1e} of torch")
    return path


def to_state_dict(path: Path, kind: Kind = KINDS["colorize"]) -> dict[str, Tensor]:
    """The state dict of the network that `path` was exported from, f32; the counters of batch norms start at 0."""
    state = {}
    expected = kind.plain().state_dict()
    for tensor in onnx.load(path).graph.initializer:
        if tensor.name in expected:
            state[tensor.name] = torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
    counters = {name: value for name, value in expected.items() if name.endswith("num_batches_tracked")}
    missing = expected.keys() - state.keys() - counters.keys()
    if missing:
        raise ValueError(f"{path}: not an export of this kind of network, {len(missing)} tensors are missing, {min(missing)} among them")
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
        card = json.loads(args.source.with_suffix(".json").read_text(encoding="utf-8"))
        torch.save(to_state_dict(args.source, kind_of(card)), args.target)
    elif args.card is None or args.target is not None:
        parser.error("an export needs --card and no second file")
    else:
        export(args.source, json.loads(args.card.read_text(encoding="utf-8")), args.out)


if __name__ == "__main__":
    main()
