"""The few calls of the CUDA runtime that a session needs, each raising DeviceError where CUDA refuses."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from vidcolor.backends.base import use_cpu
from vidcolor.errors import DeviceError


class Cuda(Protocol):
    """Memory and one queue of work on a GPU. Addresses and streams are ints; what is queued has happened after `sync` only."""

    def use(self) -> None:
        """Make the GPU the current one of this thread. Each thread needs it before any other call."""
        ...

    def malloc(self, size: int) -> int: ...

    def free(self, address: int) -> None: ...

    def malloc_pinned(self, size: int) -> int:
        """Host memory that the GPU copies from and to without a detour."""
        ...

    def free_pinned(self, address: int) -> None: ...

    def stream(self) -> int:
        """A stream of its own, that does not wait for the default stream."""
        ...

    def destroy(self, stream: int) -> None: ...

    def h2d(self, device: int, host: int, size: int, stream: int) -> None: ...

    def d2h(self, host: int, device: int, size: int, stream: int) -> None: ...

    def sync(self, stream: int) -> None: ...


class CudaRuntime:
    """Cuda by the package cuda-bindings, which carries the CUDA runtime inside."""

    def __init__(self, index: int) -> None:
        """Raises DeviceError where the package is missing or the GPU cannot be used."""
        self._rt = import_runtime()
        self._index = index
        self.use()

    def use(self) -> None:
        self._call("cudaSetDevice", self._index)

    def malloc(self, size: int) -> int:
        return int(self._call("cudaMalloc", size))

    def free(self, address: int) -> None:
        self._call("cudaFree", address)

    def malloc_pinned(self, size: int) -> int:
        return int(self._call("cudaHostAlloc", size, 0))

    def free_pinned(self, address: int) -> None:
        self._call("cudaFreeHost", address)

    def stream(self) -> int:
        return int(self._call("cudaStreamCreateWithFlags", self._rt.cudaStreamNonBlocking))

    def destroy(self, stream: int) -> None:
        self._call("cudaStreamDestroy", stream)

    def h2d(self, device: int, host: int, size: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", device, host, size, self._rt.cudaMemcpyKind.cudaMemcpyHostToDevice, stream)

    def d2h(self, host: int, device: int, size: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", host, device, size, self._rt.cudaMemcpyKind.cudaMemcpyDeviceToHost, stream)

    def sync(self, stream: int) -> None:
        self._call("cudaStreamSynchronize", stream)

    def _call(self, function: str, *arguments: Any) -> Any:
        status, *answer = getattr(self._rt, function)(*arguments)
        if status == self._rt.cudaError_t.cudaErrorMemoryAllocation:
            raise DeviceError(f"the GPU's memory is full: close other programs that use it, or {use_cpu()}")
        if status != self._rt.cudaError_t.cudaSuccess:
            raise DeviceError(f"the GPU failed: {function} answered {status.name}; {use_cpu()}")
        return answer[0] if answer else None


def import_runtime() -> Any:
    """The module cuda.bindings.runtime. Raises DeviceError where it is not installed."""
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise DeviceError(f"TensorRT needs the package cuda-bindings: pip install 'vidcolor[rtx]', or {use_cpu()}") from error
