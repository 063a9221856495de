"""Ways to run networks, and the choice of one."""

from __future__ import annotations

from vidcolor.backends.base import Backend
from vidcolor.errors import DeviceError, FieldError

NO_DEVICE = "no such device; choose auto, cpu, tensorrt, tensorrt:N or openvino:GPU"


def all_backends(threads: int = 0) -> list[Backend]:
    """All backends, the fastest first, whether they can be used here or not; `threads` as for `choose`."""
    from vidcolor.backends.openvino import OpenVINOBackend
    from vidcolor.backends.tensorrt import TensorRTBackend

    return [TensorRTBackend(), OpenVINOBackend("GPU"), OpenVINOBackend("CPU", threads)]


def is_device(word: str) -> bool:
    """Whether a word names a device: auto, cpu, tensorrt, tensorrt:N, openvino:GPU or openvino:GPU.N."""
    kind, _, which = word.partition(":")
    numbered = kind == "tensorrt" and which.isdecimal() and len(which) < 4
    return word in ("auto", "cpu", "tensorrt") or numbered or (kind == "openvino" and which.split(".")[0] == "GPU")


def choose(device: str, threads: int = 0) -> tuple[Backend, str]:
    """The backend for a word that names a device, and why it is this one in one sentence.

    `auto` takes the first of TensorRT and the CPU that works; `cpu`, `tensorrt`, `tensorrt:N` and `openvino:GPU` (or `GPU.N`) take
    that one or fail. `threads` are those of inference on the CPU, 0 for one each core. Raises UsageError for another word,
    DeviceError where the device cannot be used.
    """
    from vidcolor.backends.openvino import OpenVINOBackend
    from vidcolor.backends.tensorrt import TensorRTBackend

    if not is_device(device):
        raise FieldError("device", device, NO_DEVICE)
    kind, _, which = device.partition(":")
    cpu = OpenVINOBackend("CPU", threads)
    if device == "auto":
        gpu = TensorRTBackend()
        reason = gpu.available()
        if reason is None:
            return gpu, "TensorRT, because an NVIDIA GPU is ready"
        return require(cpu), f"OpenVINO on the CPU, because {reason.split(';')[0]}"  # without the advice to use the CPU
    if device == "cpu":
        return require(cpu), "OpenVINO on the CPU, as asked for"
    if kind == "tensorrt":
        return require(TensorRTBackend(int(which or 0))), f"TensorRT on GPU {which or 0}, as asked for"
    return require(OpenVINOBackend(which)), f"OpenVINO on {which}, as asked for"


def require(backend: Backend) -> Backend:
    if reason := backend.available():
        raise DeviceError(reason)
    return backend
