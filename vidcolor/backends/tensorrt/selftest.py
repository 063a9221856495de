"""The self-test of a GPU: the whole NVIDIA path once, against the CPU, with everything a bug report needs."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidcolor.backends.base import Backend, Session, use_cpu, worst_of
from vidcolor.errors import DeviceError

FRAMES, HEIGHT, WIDTH = 4, 256, 448
ROUNDS = 50

Values = dict[str, NDArray[np.float32]]


def self_test(network: Path, index: int = 0, gpu: Backend | None = None, cpu: Backend | None = None) -> dict[str, Any]:
    """Load a network on GPU `index`, run four frames there and on the CPU, compare them by the card's tolerance, take the time.

    Findings by name; "passed" is True, False, or None where there is nothing to test, and "verdict" is a sentence. Needs the card
    and the golden sample beside the network. `gpu` and `cpu` stand in for the backends in tests. Never raises DeviceError.
    """
    from vidcolor.backends.openvino import OpenVINOBackend
    from vidcolor.backends.tensorrt import TensorRTBackend

    backend = gpu or TensorRTBackend(index)
    if why := backend.available():
        return {"passed": None, "verdict": why}
    findings: dict[str, Any] = _hardware(backend)
    try:
        card = json.loads(network.with_suffix(".json").read_text(encoding="utf-8"))
        frames = _frames(network, card)
        reference = _answer(cpu or OpenVINOBackend(), network, frames)
        for name in ("first", "second"):  # the second start finds the engine, and the kernels, in the cache
            start = time.perf_counter()
            session = backend.load(network, {name: array.shape for name, array in frames.items()})
            findings[f"{name}_load_s"] = round(time.perf_counter() - start, 3)
            try:
                findings |= _compare(session, frames, reference, card["tolerance"][session.precision])
                findings |= _timings(session, frames)
            finally:
                session.close()
    except (DeviceError, OSError, KeyError, ValueError) as error:
        return findings | {"passed": False, "verdict": f"the self-test failed: {type(error).__name__}: {error}"}
    passed = findings["difference"] <= findings["tolerance"]
    return findings | {"passed": passed, "verdict": "works" if passed else f"the GPU's answer differs from the CPU's: {use_cpu()}"}


def _hardware(backend: Any) -> dict[str, Any]:
    device = backend.device()
    gpu = device.gpu
    return {"gpu": gpu.name, "sm": gpu.sm, "memory": gpu.memory, "driver_cuda": gpu.driver, "tensorrt": str(device.flavour)}


def _frames(network: Path, card: Mapping[str, Any]) -> Values:
    """Four frames at work size: the golden sample, upright and mirrored, repeated to fill them."""
    with np.load(network.with_suffix(".npz")) as golden:
        values = {name: golden[name] for name in card["inputs"]}
    for name, array in values.items():
        if array.ndim == 4:
            both = np.concatenate([array, array[..., ::-1]])
            tiles = (-(-FRAMES // len(both)), 1, -(-HEIGHT // both.shape[2]), -(-WIDTH // both.shape[3]))
            values[name] = np.ascontiguousarray(np.tile(both, tiles)[:FRAMES, :, :HEIGHT, :WIDTH])
    return values


def _answer(backend: Backend, network: Path, frames: Values) -> Values:
    session = backend.load(network, {name: array.shape for name, array in frames.items()}, "f32")
    try:
        return session.run(frames)
    finally:
        session.close()


def _compare(session: Session, frames: Values, reference: Values, tolerance: Mapping[str, float]) -> dict[str, Any]:
    """Differences of all outputs, and the one that is farthest beyond its tolerance, or nearest to it."""
    answer = session.run(frames)
    differences = {name: float(np.abs(answer[name] - expected).max()) for name, expected in reference.items()}
    one = session.run({name: array[:1] if array.ndim == 4 else array for name, array in frames.items()})
    alone = {name: float(np.abs(one[name] - expected[:1]).max()) for name, expected in reference.items()}
    if not np.isfinite([*differences.values(), *alone.values()]).all():
        raise DeviceError(f"the GPU's answer holds NaN or infinity: {use_cpu()}")
    worst = {name: max(differences[name], alone[name]) for name in reference}
    difference, allowed = worst_of(worst, tolerance)
    differences |= {f"{output}, batch of 1": off for output, off in alone.items()}
    return {"precision": session.precision, "differences": differences, "difference": difference, "tolerance": allowed}


def _timings(session: Session, frames: Values) -> dict[str, Any]:
    single = {name: array[:1] if array.ndim == 4 else array for name, array in frames.items()}
    return {f"ms_batch_{FRAMES}": _median(lambda: session.run(frames)), "ms_batch_1": _median(lambda: session.run(single))}


def _median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return round(1000 * statistics.median(times), 3)
