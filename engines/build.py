"""Compile networks for NVIDIA GPUs with TensorRT-RTX, on any machine, with or without a GPU.

    python -m engines.build [NAME or FILE.onnx ...] [--target SM86 ...] [--batch 4] [--size 256x448] [--precision f16] [--out DIR]

Shows that every network builds for every GPU, how large its engine is and how much memory it takes; --out keeps the engines.
vidcolor itself compiles what it needs when it first runs on a GPU, for the sizes of the film, and keeps that in its engine cache.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from engines.check import parse_size
from vidcolor.backends.tensorrt.api import RTX_TARGETS
from vidcolor.backends.tensorrt.build import Request, build_in_child
from vidcolor.errors import DeviceError
from vidcolor.networks import cards as networks


def build(network: networks.Network, target: str, shapes: dict[str, tuple[int, ...]], precision: str) -> tuple[bytes, str]:
    """The engine for a GPU of compute capability `target`, and a line about it. Raises DeviceError."""
    request = Request(str(network.path), "tensorrt_rtx", shapes, precision, list(network.card.f32_operators), target)
    begun = time.perf_counter()
    engine, facts = build_in_child(request)
    seconds = time.perf_counter() - begun
    memory = "; ".join(fact.split("]")[-1].strip() for fact in facts if "Activation" in fact)
    return engine, f"{len(engine) / 1e6:7.2f} MB {seconds:6.1f} s  {memory}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="names or .onnx files; all shipped networks without")
    parser.add_argument("--target", action="append", choices=RTX_TARGETS, help="compute capability; several may be given, all without")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=parse_size, default=(256, 448), help="height x width")
    parser.add_argument("--precision", choices=["f16", "f32"], default="f16")
    parser.add_argument("--out", type=Path, help="folder to keep the engines in")
    args = parser.parse_args()
    failed = False
    for name in args.networks or [network.name for network in networks.available()]:
        for target in args.target or RTX_TARGETS:
            try:
                network = networks.find(name)
                engine, line = build(network, target, network.shapes(args.batch, *args.size), args.precision)
            except DeviceError as error:
                failed, line = True, f"failed: {error}"
            else:
                keep(args.out, f"{network.name}.{target}.{args.precision}.{args.batch}x{args.size[0]}x{args.size[1]}.engine", engine)
            print(f"{name:<16} {target:<6} {args.precision} {line}", flush=True)
    sys.exit(1 if failed else 0)


def keep(folder: Path | None, name: str, engine: bytes) -> None:
    """Write an engine whole or not at all; nothing without a folder."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.part"
        part.write_bytes(engine)
        part.replace(folder / name)


if __name__ == "__main__":
    main()
