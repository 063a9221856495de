"""What NVIDIA driver and GPUs are here, asked of the driver itself: works with no NVIDIA package installed.

Asked before anything of TensorRT is touched: without a driver its enterprise flavour ends in a segmentation fault.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from vidcolor.backends.base import use_cpu
from vidcolor.errors import DeviceError

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR = 75, 76  # CUdevice_attribute


@dataclass(frozen=True)
class Gpu:
    """One GPU: its number, name, compute capability (8.6 is (8, 6)), memory in bytes; and the driver's CUDA version (13000 is 13.0)."""

    index: int
    name: str
    capability: tuple[int, int]
    memory: int
    driver: int

    @property
    def sm(self) -> str:
        """The capability in NVIDIA's short form: SM86."""
        return f"SM{self.capability[0]}{self.capability[1]}"


def gpus(library: Any = None) -> list[Gpu]:
    """All GPUs of this machine, by number.

    `library` stands in for the driver's library in tests. Raises DeviceError where there is no driver, it does not start or it
    sees no GPU.
    """
    cuda = library or _load()
    status = cuda.cuInit(0)
    if status == NO_DEVICE:
        raise DeviceError(f"the NVIDIA driver sees no GPU: TensorRT cannot run here; {use_cpu()}")
    if status:
        raise DeviceError(f"the NVIDIA driver does not start (cuInit answered {status}): reinstall it or restart, or {use_cpu()}")
    version, count = ctypes.c_int(), ctypes.c_int()
    _ask(cuda.cuDriverGetVersion, ctypes.byref(version))
    _ask(cuda.cuDeviceGetCount, ctypes.byref(count))
    return [_gpu(cuda, index, version.value) for index in range(count.value)]


def gpu(index: int, library: Any = None) -> Gpu:
    """The GPU of that number. Raises DeviceError as `gpus`, and where there is none of that number."""
    found = gpus(library)
    if not 0 <= index < len(found):
        raise DeviceError(f"no NVIDIA GPU {index}: this machine has {len(found)}, counted from 0")
    return found[index]


def _load() -> Any:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise DeviceError(f"no NVIDIA driver: TensorRT cannot run here; install the driver, or {use_cpu()}") from error


def _gpu(cuda: Any, index: int, driver: int) -> Gpu:
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    memory, name = ctypes.c_size_t(), ctypes.create_string_buffer(256)
    _ask(cuda.cuDeviceGet, ctypes.byref(device), ctypes.c_int(index))
    _ask(cuda.cuDeviceGetName, name, ctypes.c_int(len(name)), device)
    _ask(cuda.cuDeviceTotalMem_v2, ctypes.byref(memory), device)
    _ask(cuda.cuDeviceGetAttribute, ctypes.byref(major), ctypes.c_int(COMPUTE_CAPABILITY_MAJOR), device)
    _ask(cuda.cuDeviceGetAttribute, ctypes.byref(minor), ctypes.c_int(COMPUTE_CAPABILITY_MINOR), device)
    return Gpu(index, name.value.decode(errors="replace"), (major.value, minor.value), memory.value, driver)


def _ask(function: Any, *arguments: Any) -> None:
    status = function(*arguments)
    if status:
        raise DeviceError(f"the NVIDIA driver failed ({function.__name__} answered {status}): restart the machine, or {use_cpu()}")
