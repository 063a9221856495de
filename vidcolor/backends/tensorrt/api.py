"""TensorRT's two flavours behind one set of names: the subset that TensorRT-RTX 1.7 and TensorRT 10.13 to 11 share.

Nothing here imports TensorRT when the module is imported.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidcolor.backends.base import Shapes, use_cpu
from vidcolor.backends.cache import BuildError
from vidcolor.backends.tensorrt.probe import Gpu
from vidcolor.errors import DeviceError

log = logging.getLogger("vidcolor")

RTX_TARGETS = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")
"""What TensorRT-RTX 1.7 builds for. Data-centre GPUs of SM90 and SM100 need enterprise TensorRT."""
OLDEST = (7, 5)

Profile = Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Flavour:
    """An installed TensorRT: the name of its module, the module, its version."""

    name: str
    module: Any
    version: str

    @property
    def rtx(self) -> bool:
        return self.name == "tensorrt_rtx"

    def __str__(self) -> str:
        return f"{'TensorRT-RTX' if self.rtx else 'TensorRT'} {self.version}"


def flavour_for(gpu: Gpu) -> Flavour:
    """The installed flavour for a GPU: RTX where it covers it, else enterprise.

    Raises DeviceError where the GPU is too old or no fitting flavour is installed.
    """
    if gpu.capability < OLDEST:
        raise DeviceError(f"{gpu.name} ({gpu.sm}) is too old for TensorRT, which begins at SM75: {use_cpu()}")
    if gpu.sm in RTX_TARGETS and importlib.util.find_spec("tensorrt_rtx"):
        return flavour("tensorrt_rtx")
    if importlib.util.find_spec("tensorrt"):
        return flavour("tensorrt")
    extra = "rtx" if gpu.sm in RTX_TARGETS else "tensorrt"
    raise DeviceError(f"TensorRT for {gpu.name} ({gpu.sm}) is not installed: pip install 'vidcolor[{extra}]', or {use_cpu()}")


@functools.cache
def flavour(name: str) -> Flavour:
    """Import `tensorrt_rtx` or `tensorrt`. Raises DeviceError where its libraries are missing or broken."""
    try:
        module = importlib.import_module(name)
        return Flavour(name, module, str(module.__version__))
    except (ImportError, OSError, AttributeError) as error:
        raise DeviceError(f"the package {name} does not load ({_line(str(error))}): reinstall it, or {use_cpu()}") from error


class Messages:
    """What TensorRT said since it was last asked; the first error is the one that tells, later ones follow from it."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.facts: list[str] = []

    def clear(self) -> None:
        self.errors.clear()
        self.facts.clear()

    @property
    def error(self) -> str:
        return _line(self.errors[0]) if self.errors else "it gave no reason"


@functools.cache
def _logger(name: str) -> tuple[Any, Messages]:
    """The one logger of this process: TensorRT keeps the first it is given and ignores the others."""
    trt, messages = flavour(name).module, Messages()

    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            if severity.name in ("INTERNAL_ERROR", "ERROR"):
                messages.errors.append(text)
            elif severity.name == "INFO":
                messages.facts.append(text)

    return Logger(), messages


def build(
    name: str,
    model: bytes,
    shapes: Shapes,
    *,
    strict_f32: bool = False,
    target: str | None = None,
    workspace: int | None = None,
) -> tuple[bytes, list[str]]:
    """Compile an ONNX model with the flavour of that name; the engine, and TensorRT's lines about memory.

    For the GPU of this machine, or for `target` ("SM86", RTX alone, needs no GPU). `workspace` bounds scratch memory, in bytes.
    `strict_f32` turns TF32 off. Raises BuildError where the network is refused, DeviceError where memory runs out.
    """
    trt = flavour(name).module
    logger, messages = _logger(name)
    messages.clear()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        raise BuildError(_parse_error(parser) if parser.num_errors else messages.error)
    config = builder.create_builder_config()
    if target is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, target), 0)
    if strict_f32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
    inputs = {tensor.name: tuple(tensor.shape) for tensor in (network.get_input(i) for i in range(network.num_inputs))}
    for profile in profiles(inputs, shapes):
        made = builder.create_optimization_profile()
        for tensor, range_ in profile.items():
            made.set_shape(tensor, *range_)
        config.add_optimization_profile(made)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        if "OutOfMemory" in messages.error:
            raise DeviceError(messages.error)
        raise BuildError(messages.error)
    return bytes(plan), [fact for fact in messages.facts if "Memory" in fact]


def profiles(inputs: Mapping[str, Sequence[int]], shapes: Shapes) -> list[Profile]:
    """Optimization profiles for the largest shapes: one for a batch of 1, one for batches up to that loaded for.

    Only the batch, dimension 0, varies, and only where the network leaves it open (-1). Height and width are fixed: a wide range
    costs many times the memory. Raises BuildError where the shapes are not the network's.
    """
    if set(inputs) != set(shapes):
        raise BuildError(f"the network's inputs are {', '.join(sorted(inputs))}, and shapes were given for {', '.join(sorted(shapes))}")
    for name, dims in inputs.items():
        given = shapes[name]
        if len(dims) != len(given) or any(dim not in (-1, size) for dim, size in zip(dims, given, strict=True)) or 0 in given:
            raise BuildError(f"the network's input {name} is {list(dims)} (-1 is open), and {list(given)} was asked for")
    dynamic = {name: tuple(shapes[name]) for name, dims in inputs.items() if -1 in dims}
    one = {name: (1, *shape[1:]) if inputs[name][0] == -1 else shape for name, shape in dynamic.items()}
    found: list[Profile] = [{name: (one[name], one[name], one[name]) for name in dynamic}]
    if one != dynamic:
        found.append({name: (one[name], shape, shape) for name, shape in dynamic.items()})
    return found if dynamic else []


def open_engine(name: str, plan: bytes, gpu: int = 0) -> Any:
    """The engine of a plan on GPU number `gpu`, which has to be the current one. Only after the driver was probed.

    Raises DeviceError where TensorRT refuses it.
    """
    _, messages = _logger(name)
    messages.clear()
    try:
        engine = _runtime(name, gpu).deserialize_cuda_engine(plan)
    except TypeError as error:  # enterprise TensorRT's way to say that CUDA does not start
        raise DeviceError(f"{flavour(name)} does not start: {messages.error}; {use_cpu()}") from error
    if engine is None:
        raise DeviceError(f"{flavour(name)} does not load its own engine: {messages.error}")
    return engine


@functools.cache
def _runtime(name: str, gpu: int) -> Any:
    """One runtime a GPU, never freed: it has to outlive its engines."""
    return flavour(name).module.Runtime(_logger(name)[0])


def _parse_error(parser: Any) -> str:
    error = parser.get_error(0)
    return _line(f"{error.node_operator()} {error.node_name()}: {error.desc()}").removeprefix(": ")


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
