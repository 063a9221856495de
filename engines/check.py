"""Verify networks: the file against its card, and the golden sample on every backend of this machine, in every precision.

    python -m engines.check [NAME or FILE.onnx ...] [--size 256x448]

Prints a table and ends with 1 where something is wrong. Times are of one run on whatever else this machine is doing: orientation.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidcolor.backends import all_backends
from vidcolor.backends.base import Backend, Precision, Session, Shapes, worst_of
from vidcolor.backends.openvino import shared_core
from vidcolor.errors import DeviceError
from vidcolor.networks import cards as networks

Values = dict[str, NDArray[np.float32]]
PRECISIONS: tuple[Precision, ...] = ("f32", "bf16", "f16")
ROUNDS = 5


def read_golden(network: networks.Network) -> tuple[Values, Values]:
    """Inputs and f32 outputs of the golden sample. Raises DeviceError where it is missing or does not fit the card."""
    try:
        sample: dict[str, Any] = dict(np.load(network.golden))
        return {name: sample[name] for name in network.card.inputs}, {name: sample[name] for name in network.card.outputs}
    except (OSError, ValueError, KeyError) as error:
        raise DeviceError(f"{network.golden}: no golden sample of network {network.name} ({error}): export it again") from error


def differences(got: Values, wanted: Values) -> dict[str, float]:
    """Largest difference of each output; infinite where an answer is not finite.

    It counts by the wanted number, or by the deviation of all wanted numbers of that output, where either is above 1: among statistics
    of ten, a mean near 0 is not known better than the others.
    """
    worst = {}
    for name, array in wanted.items():
        off = np.abs(got[name] - array) / np.maximum(max(1.0, float(array.std())), np.abs(array))
        worst[name] = float(off.max()) if np.isfinite(off).all() else float("inf")
    return worst


def count_macs(path: Path, shapes: Shapes) -> int:
    """Multiply-accumulates of all convolutions for inputs of these shapes."""
    model = shared_core().read_model(path)  # ONNX's own inference of shapes gives up at slices with steps
    model.reshape({name: list(shape) for name, shape in shapes.items()})
    total = 0
    for node in model.get_ops():
        if node.get_type_name() in ("Convolution", "GroupConvolution"):
            filters = list(node.input(1).get_shape())  # groups come first where there are some
            total += prod(node.output(0).get_shape()) * prod(filters[2 if node.get_type_name() == "GroupConvolution" else 1 :])
    return total


def time_run(session: Session, shapes: Shapes) -> float:
    """Median milliseconds of a run, after one that warms up."""
    random = np.random.default_rng(0)
    inputs = {name: random.random(shape, np.float32) for name, shape in shapes.items()}
    session.run(inputs)
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        session.run(inputs)
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def check(network: networks.Network, backend: Backend, precision: Precision, size: tuple[int, int]) -> tuple[bool, str]:
    """Whether this backend answers the golden sample within the card's tolerance, and a line of the table about it."""
    inputs, wanted = read_golden(network)
    begun = time.perf_counter()
    session = backend.load(network.path, {name: array.shape for name, array in inputs.items()}, precision)
    seconds = time.perf_counter() - begun
    try:
        if session.precision != precision:
            return True, f"-           computes in {session.precision} instead"
        worst, allowed = worst_of(differences(session.run(inputs), wanted), network.card.tolerance[precision])
    finally:
        session.close()
    shapes = network.shapes(1, *size)
    timed = backend.load(network.path, shapes, precision)
    try:
        milliseconds = time_run(timed, shapes)
    finally:
        timed.close()
    verdict = "right" if worst <= allowed else "WRONG"
    return worst <= allowed, f"{verdict}      {worst:8.1e} {allowed:8.1e} {seconds:8.2f} {milliseconds:8.1f}"


def check_everywhere(name: str, size: tuple[int, int]) -> bool:
    """Print the rows of one network; False where one is wrong."""
    try:
        network = networks.find(name)
        macs = count_macs(network.path, network.shapes(1, *size))
    except DeviceError as error:
        print(f"{name:<16} WRONG: {error}")
        return False
    print(f"{network.name:<16} sha256 right, {network.path.stat().st_size / 1e6:.2f} MB, {macs / 1e9:.2f} GMAC at {size[0]}x{size[1]}")
    fine = True
    for backend in all_backends():
        if reason := backend.available():
            print(f"  {backend.name:<14} -      skipped: {reason}")
            continue
        for precision in PRECISIONS:
            try:
                right, text = check(network, backend, precision, size)
            except DeviceError as error:
                right, text = False, f"WRONG: {error}"
            fine &= right
            print(f"  {backend.name:<14} {precision:<6} {text}")
    return fine


def parse_size(text: str) -> tuple[int, int]:
    height, width = text.split("x")
    return int(height), int(width)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="names or .onnx files; all shipped networks without")
    parser.add_argument("--size", type=parse_size, default=(256, 448), help="height x width that is timed")
    args = parser.parse_args()
    print(f"  {'backend':<14} {'':<6} {'':<10} {'differs':>8} {'allowed':>8} {'load s':>8} {'ms':>8}")
    names = args.networks or [network.name for network in networks.available()]
    verdicts = [check_everywhere(name, args.size) for name in names]
    sys.exit(0 if all(verdicts) else 1)


if __name__ == "__main__":
    main()
