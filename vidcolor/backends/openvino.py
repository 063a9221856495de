"""OpenVINO: runs networks on any x86 or ARM processor, and on Intel GPUs.

The precision is always set in words, since OpenVINO's own default follows the processor and moves the picture. Compiled models
are not cached on disk: OpenVINO loads a damaged cache file without a word, and compiling takes about 0.2 s.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidcolor.backends.base import Arrays, Precision, Shapes, use_cpu
from vidcolor.errors import DeviceError

if TYPE_CHECKING:
    import openvino


NOISE = ("Exception from ", "Check '", "FrontEnd API failed", "Summary:", "To facilitate the conversion")
"""Beginnings of lines in OpenVINO's messages that say nothing to a user."""


class OpenVINOBackend:
    """One OpenVINO device: "CPU", or "GPU", "GPU.1" and so on for Intel graphics."""

    def __init__(self, device: str = "CPU", threads: int = 0) -> None:
        """`threads` for inference on the CPU; 0 is one for each core."""
        self.device, self.threads = device, threads
        self.name = "openvino" if device == "CPU" else f"openvino:{device}"
        self.key, self.quick = f"{self.name}, {threads} threads", True
        self.batch = 1 if device == "CPU" else 4  # four at a time cost a CPU 15 % more each: they leave its cache

    def available(self) -> str | None:
        """None where the device can be used, else one sentence that says why not and what would help."""
        try:
            found = shared_core().available_devices
        except DeviceError as error:
            return str(error)
        if any(name == self.device or name.startswith(f"{self.device}.") for name in found):
            return None
        advice = "; Intel graphics need their OpenCL driver (package intel-opencl-icd)" if self.device.startswith("GPU") else ""
        return f"OpenVINO finds no {self.device} here, only {', '.join(found)}{advice}: {use_cpu()}"

    def load(self, network: Path, shapes: Shapes, precision: Precision = "auto") -> OpenVINOSession:
        """See `backends.base.Backend.load`. "auto" is bf16 where the CPU computes in it, f16 on a GPU, else f32.

        One compiled model serves every batch: it is as fast as one for each, and gives the same answer to the bit.
        """
        if reason := self.available():
            raise DeviceError(reason)
        try:
            data = network.read_bytes()
        except OSError as error:
            raise DeviceError(f"{network}: the network cannot be read ({error.strerror}): install vidcolor again") from error
        try:
            core = shared_core()
            model = core.read_model(data)
            batched = _set_shapes(model, shapes)
            outputs = [port.any_name for port in model.outputs]  # a compiled model may have given them further names
            compiled = core.compile_model(model, self.device, self._settings(core, precision))
            return OpenVINOSession(compiled, outputs, {name: tuple(shape) for name, shape in shapes.items()}, batched)
        except (RuntimeError, ValueError, TypeError) as error:
            raise DeviceError(f"{network}: OpenVINO cannot load this network on {self.device}: {_reason(error)}") from error

    def _settings(self, core: openvino.Core, precision: Precision) -> dict[str, Any]:
        hint: str = precision
        if precision == "auto":
            native, fast = core.get_property(self.device, "OPTIMIZATION_CAPABILITIES"), "BF16" if self.device == "CPU" else "FP16"
            hint = {"BF16": "bf16", "FP16": "f16"}[fast] if fast in native else "f32"
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if self.device == "CPU":  # the cores are shared with decoder and encoder: no thread is tied to one
            settings |= {"INFERENCE_NUM_THREADS": self.threads, "ENABLE_CPU_PINNING": False}
        return settings


@cache
def shared_core() -> openvino.Core:
    """OpenVINO's core, one for the process and never destroyed.

    Its CPU plugin gives the loading thread a signal stack of its own and puts the former back when a core is destroyed; with two
    cores a freed stack stays in use, and the next Ctrl-C crashes. Raises DeviceError where OpenVINO cannot be imported.
    """
    try:
        import openvino  # takes a third of a second, which help texts need not wait for
    except ImportError as error:
        raise DeviceError(f"OpenVINO cannot be imported ({error}): pip install openvino") from error
    return openvino.Core()


class OpenVINOSession:
    """One compiled network. One run at a time; others wait."""

    def __init__(
        self, compiled: openvino.CompiledModel, outputs: list[str], largest: dict[str, tuple[int, ...]], batched: Collection[str]
    ) -> None:
        """`outputs` by name, in their order; `largest` shape of each input; `batched` names the inputs whose batch may be smaller."""
        self.precision: str = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self._lock = threading.Lock()
        self._largest, self._batched = largest, batched
        self._outputs = outputs
        self._request: openvino.InferRequest | None = compiled.create_infer_request()

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """See `backends.base.Session.run`."""
        import openvino

        self._check(inputs)
        with self._lock:
            if self._request is None:
                raise DeviceError("this OpenVINO session is closed")
            try:
                for name, array in inputs.items():
                    self._request.set_tensor(name, openvino.Tensor(array))
                self._request.infer()
                return {name: self._request.get_output_tensor(index).data.copy() for index, name in enumerate(self._outputs)}
            except RuntimeError as error:
                raise DeviceError(f"OpenVINO failed to run the network: {_reason(error)}") from error

    def close(self) -> None:
        """See `backends.base.Session.close`. Waits for a run in another thread."""
        with self._lock:
            self._request = None

    def _check(self, inputs: Arrays) -> None:
        if inputs.keys() != self._largest.keys():
            raise DeviceError(f"the network's inputs are {', '.join(sorted(self._largest))}, and {', '.join(sorted(inputs))} were given")
        for name, array in inputs.items():
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise DeviceError(f"input {name} is {array.dtype}, contiguous {array.flags.c_contiguous}; it must be C-contiguous float32")
            largest = self._largest[name]
            smaller = name in self._batched and array.ndim > 0 and 1 <= array.shape[0] <= largest[0]
            if array.shape != (array.shape[0] if smaller else largest[0], *largest[1:]):
                raise DeviceError(f"input {name} has shape {list(array.shape)}, and the session was loaded for up to {list(largest)}")
        batches = {inputs[name].shape[0] for name in self._batched}
        if len(batches) > 1:
            raise DeviceError(f"the inputs have different batches: {sorted(batches)}")


def _set_shapes(model: openvino.Model, shapes: Shapes) -> list[str]:
    """Fix the sizes of the model's inputs, the batch to 1 up to that of `shapes`; returns the inputs whose batch may vary.

    Raises ValueError where `shapes` does not fit the network, or it does not take and give f32.
    """
    import openvino

    for port in [*model.inputs, *model.outputs]:
        if port.element_type != openvino.Type.f32:
            raise ValueError(f"its {port.any_name} is {port.element_type.to_string()}, and vidcolor runs f32 in and out")
    ports = {port.any_name: port.partial_shape for port in model.inputs}
    if ports.keys() != shapes.keys():
        raise ValueError(f"its inputs are {', '.join(sorted(ports))}, and shapes were given for {', '.join(sorted(shapes))}")
    batched, wanted = [], {}
    for name, shape in shapes.items():
        if min(shape, default=1) < 1 or not ports[name].compatible(openvino.PartialShape(list(shape))):
            raise ValueError(f"its {name} has the shape {ports[name]}, and {list(shape)} was asked for")
        open_batch = len(shape) > 0 and ports[name][0].is_dynamic
        batched += [name] if open_batch else []
        wanted[name] = openvino.PartialShape([openvino.Dimension(1, shape[0]) if open_batch else shape[0], *shape[1:]] if shape else [])
    model.reshape(wanted)
    return batched


def _reason(error: Exception) -> str:
    """OpenVINO's message as one line, without places in its source."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(NOISE)) or type(error).__name__
