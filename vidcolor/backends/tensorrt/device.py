"""An NVIDIA GPU with everything that is needed to run networks on it, or the sentence that says what is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from vidcolor.backends.base import Shapes, use_cpu
from vidcolor.backends.tensorrt import api, probe
from vidcolor.backends.tensorrt.build import Request, build_in_child
from vidcolor.backends.tensorrt.cuda import Cuda, CudaRuntime, import_runtime
from vidcolor.errors import DeviceError


class Device:
    """`gpu` and `flavour` of TensorRT for it."""

    def __init__(self, index: int = 0) -> None:
        """Looks in this order, each with its own sentence: driver, GPU, TensorRT, other packages, the driver's version.

        Raises DeviceError with that sentence.
        """
        self.gpu = probe.gpu(index)
        self.flavour = api.flavour_for(self.gpu)
        needed = import_runtime().CUDART_VERSION // 1000 * 1000
        if self.gpu.driver < needed:
            raise DeviceError(
                f"the NVIDIA driver is for CUDA {self.gpu.driver // 1000}.{self.gpu.driver % 1000 // 10}, and the installed packages "
                f"need CUDA {needed // 1000}: update the driver, or {use_cpu()}"
            )
        if not importlib.util.find_spec("onnx"):
            raise DeviceError(f"TensorRT needs the package onnx to make fp16 networks: pip install onnx, or {use_cpu()}")

    def request(self, network: Path, shapes: Shapes, precision: str, f32_operators: list[str]) -> Request:
        """What to compile for this GPU. Half of its memory at most is scratch: a desktop lives on the same card."""
        sizes = {name: tuple(shape) for name, shape in shapes.items()}
        target = self.gpu.sm if self.flavour.rtx else None
        return Request(
            str(network), self.flavour.name, sizes, precision, f32_operators, target, gpu=self.gpu.index, workspace=self.gpu.memory // 2
        )

    def build(self, request: Request) -> bytes:
        return build_in_child(request)[0]

    def open(self, plan: bytes) -> Any:
        return api.open_engine(self.flavour.name, plan, self.gpu.index)

    def cuda(self) -> Cuda:
        return CudaRuntime(self.gpu.index)
