"""Networks on NVIDIA GPUs: TensorRT-RTX on GeForce, RTX and workstation cards, enterprise TensorRT on the others, same code.

Nothing of NVIDIA is imported before a network is loaded or availability is asked for.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vidcolor.backends.base import Precision, Shapes
from vidcolor.backends.cache import Cache, key_of
from vidcolor.backends.tensorrt.build import Request
from vidcolor.backends.tensorrt.device import Device
from vidcolor.backends.tensorrt.selftest import self_test
from vidcolor.backends.tensorrt.session import TensorRTSession
from vidcolor.errors import DeviceError

__all__ = ["TensorRTBackend", "TensorRTSession", "self_test"]

log = logging.getLogger("vidcolor")


class TensorRTBackend:
    """Runs networks on one NVIDIA GPU. Engines are compiled once, in a child process, and kept in the engine cache."""

    name = "tensorrt"
    batch, quick = 4, False

    def __init__(self, index: int = 0, cache: Cache | None = None, connect: Callable[[int], Device] = Device) -> None:
        """`index`: number of the GPU. `connect` gives the device; it is called when the GPU is first needed."""
        self.index, self.key = index, f"tensorrt:{index}"
        self.cache = cache or Cache()
        self._connect = connect

    def available(self) -> str | None:
        """None where networks can run on this GPU, else one sentence that says why not and what would help."""
        try:
            self.device()
        except DeviceError as error:
            return str(error)
        return None

    def device(self) -> Device:
        """The GPU and the TensorRT for it. Raises DeviceError where something is missing."""
        return self._connect(self.index)

    def load(self, network: Path, shapes: Shapes, precision: Precision = "auto") -> TensorRTSession:
        """See `backends.base.Backend.load`. "auto" is f16; "f32" runs without TF32; there is no bf16, which SM75 lacks.

        Operators that the card (the JSON file beside the network) lists as `f32_operators` stay f32 in f16. Only the batch may vary
        at `run`; height and width are those of `shapes`. The first load of a network for a size compiles it, which takes seconds
        with TensorRT-RTX and minutes with enterprise TensorRT. Raises DeviceError where the GPU cannot be used or the network
        cannot be compiled.
        """
        if precision == "bf16":
            raise DeviceError("TensorRT runs vidcolor's networks in f16 or f32, not in bf16: ask for one of these")
        try:
            data = network.read_bytes()
        except OSError as error:
            raise DeviceError(f"{network}: the network cannot be read ({error.strerror}): reinstall vidcolor") from error
        device = self.device()
        request = device.request(network, shapes, "f32" if precision == "f32" else "f16", _f32_operators(network))
        key = _key(request, data, device)
        info: dict[str, object] = {"network": network.name, "shapes": {name: list(shape) for name, shape in shapes.items()}}
        info |= {"precision": request.precision, "gpu": device.gpu.name, "flavour": str(device.flavour)}

        def build() -> bytes:
            log.info("compiling %s for %s with %s; kept in %s", network.name, device.gpu.name, device.flavour, self.cache.folder)
            return device.build(request)

        cuda = device.cuda()
        plan = self.cache.fetch(key, build, info)
        try:
            engine = device.open(plan)
        except DeviceError as error:  # say the driver changed: once more from the start, then it is an error
            log.warning("%s: compiling it again", error)
            self.cache.drop(key)
            engine = device.open(self.cache.fetch(key, build, info))
        options, keep = _kernels(engine, self.cache, key_of({"engine": key, "gpu": device.gpu.name, "driver": device.gpu.driver}))
        return TensorRTSession(cuda, engine, shapes, request.precision, context_options=options, on_close=keep)


def _f32_operators(network: Path) -> list[str]:
    """What the card lists; nothing where there is no card."""
    card = network.with_suffix(".json")
    if not card.exists():
        return []
    try:
        return sorted(json.loads(card.read_text(encoding="utf-8")).get("f32_operators", []))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DeviceError(f"{card}: the network's card is damaged ({error}): reinstall vidcolor") from error


def _key(request: Request, network: bytes, device: Device) -> str:
    """Everything that an engine depends on. Engines of TensorRT-RTX fit every GPU of one SM, others one GPU model and driver."""
    inputs: dict[str, object] = {
        "network": hashlib.sha256(network).hexdigest(),
        "flavour": device.flavour.name,
        "version": device.flavour.version,
        "shapes": {name: list(shape) for name, shape in request.shapes.items()},
        "precision": request.precision,
        "f32_operators": request.f32_operators,
        "target": request.target,
        "workspace": request.workspace,
        "system": platform.system(),
    }
    if request.target is None:
        gpu = device.gpu
        inputs |= {"gpu": gpu.name, "sm": gpu.sm, "memory": gpu.memory, "driver": gpu.driver}
    return key_of(inputs)


def _kernels(engine: Any, cache: Cache, key: str) -> tuple[tuple[Any, ...], Callable[[], None]]:
    """TensorRT-RTX compiles its kernels when a network first runs. What to give a context so that it reads the kept ones, and
    what to call when a session closes so that they are kept. Nothing for enterprise TensorRT, whose engines hold their kernels.
    """
    config: Any = engine.create_runtime_config() if hasattr(engine, "create_runtime_config") else None
    if not hasattr(config, "create_runtime_cache"):
        return (), lambda: None
    kernels = config.create_runtime_cache()
    kept = cache.get(key)
    if kept is not None and not kernels.deserialize(kept):
        log.info("kernels kept from an earlier run were made by another driver or GPU: compiling them again")
    config.set_runtime_cache(kernels)

    def keep() -> None:
        now = bytes(kernels.serialize())
        if now != kept:
            cache.put(key, now, {"what": "kernels compiled by TensorRT-RTX"})

    return (config,), keep
