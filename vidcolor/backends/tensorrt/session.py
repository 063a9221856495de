"""A session over an engine: pinned and device buffers of the largest size, one stream, one execution context a profile."""

from __future__ import annotations

import contextlib
import ctypes
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidcolor.backends.base import Arrays, Shapes, use_cpu
from vidcolor.backends.tensorrt.cuda import Cuda
from vidcolor.errors import DeviceError

FLOAT_BYTES = 4


class TensorRTSession:
    """One network on one GPU, for batches up to the one it was loaded for. One run at a time; others wait."""

    def __init__(
        self,
        cuda: Cuda,
        engine: Any,
        shapes: Shapes,
        precision: str,
        *,
        context_options: tuple[Any, ...] = (),
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """`shapes`: the largest of each input. `context_options` go to `create_execution_context`.

        `on_close` is called once, while the GPU still works. Raises DeviceError where memory runs out or the engine does not fit.
        """
        self.precision = precision
        self._cuda, self._engine, self._largest = cuda, engine, {name: tuple(shape) for name, shape in shapes.items()}
        self._options, self._on_close = context_options, on_close
        self._lock, self._closed = threading.RLock(), False
        self._device: dict[str, int] = {}
        self._pinned: dict[str, int] = {}
        self._contexts: dict[int, Any] = {}
        self._shapes: dict[int, dict[str, tuple[int, ...]]] = {}
        self._outputs: list[str] = []
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self._open_batch = [name for name in names if name in shapes and -1 in tuple(engine.get_tensor_shape(name))[:1]]
        cuda.use()
        self._stream = cuda.stream()
        try:
            self._allocate(names)
        except BaseException:
            self._release()
            raise

    def _allocate(self, names: list[str]) -> None:
        engine = self._engine
        for name in names:
            if engine.get_tensor_dtype(name).name != "FLOAT":
                raise DeviceError(f"the network's {name} is {engine.get_tensor_dtype(name).name}, and vidcolor runs float32 in and out")
        inputs = [name for name in names if engine.get_tensor_mode(name).name == "INPUT"]
        if set(inputs) != set(self._largest):
            raise DeviceError(f"the engine's inputs are {', '.join(inputs)}, and shapes were given for {', '.join(self._largest)}")
        self._outputs = [name for name in names if name not in self._largest]
        # The last profile is the one for large batches. Output sizes follow from it, so its context comes first.
        last = engine.num_optimization_profiles - 1
        context = self._new_context(last)
        self._set_shapes(context, last, self._largest)
        for name in names:
            shape = tuple(context.get_tensor_shape(name))
            if -1 in shape:
                raise DeviceError(f"the network's output {name} has no size before it has run, which vidcolor does not take")
            size = FLOAT_BYTES * math.prod(shape)
            self._device[name] = self._cuda.malloc(size)
            self._pinned[name] = self._cuda.malloc_pinned(size)
        self._bind(context)

    def _new_context(self, profile: int) -> Any:
        context = self._engine.create_execution_context(*self._options)
        if context is None:
            raise DeviceError(f"the GPU's memory is full: close other programs that use it, lower the batch, or {use_cpu()}")
        self._contexts[profile] = context
        if self._engine.num_optimization_profiles > 1 and not context.set_optimization_profile_async(profile, self._stream):
            raise DeviceError(f"TensorRT refused optimization profile {profile}")
        self._shapes[profile] = {}
        return context

    def _bind(self, context: Any) -> None:
        for name, address in self._device.items():
            if not context.set_tensor_address(name, address):
                raise DeviceError(f"TensorRT refused the buffer of {name}")

    def _set_shapes(self, context: Any, profile: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        if self._shapes[profile] == shapes:
            return
        for name, shape in shapes.items():
            if not context.set_input_shape(name, shape):
                raise DeviceError(f"TensorRT refused the shape {list(shape)} of {name}")
        self._shapes[profile] = dict(shapes)

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """See `backends.base.Session.run`. After a failure of the GPU the session is closed: its memory cannot be trusted."""
        with self._lock:
            if self._closed:
                raise DeviceError("this TensorRT session is closed")
            shapes = self._check(inputs)
            try:
                return self._run(inputs, shapes)
            except DeviceError:
                self._on_close = lambda: None
                with contextlib.suppress(DeviceError):  # the GPU has failed already; that is what is told
                    self.close()
                raise

    def _run(self, inputs: Arrays, shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
        cuda, stream = self._cuda, self._stream
        cuda.use()
        single = all(shapes[name][0] == 1 for name in self._open_batch)
        profile = 0 if single else self._engine.num_optimization_profiles - 1
        if profile not in self._contexts:
            self._bind(self._new_context(profile))
        context = self._contexts[profile]
        self._set_shapes(context, profile, shapes)
        for name, array in inputs.items():
            self._host(name, shapes[name])[...] = array
            cuda.h2d(self._device[name], self._pinned[name], array.nbytes, stream)
        if not context.execute_async_v3(stream):
            raise DeviceError(f"TensorRT failed to run the network: {use_cpu()}")
        sizes = {name: tuple(context.get_tensor_shape(name)) for name in self._outputs}
        for name, shape in sizes.items():
            cuda.d2h(self._pinned[name], self._device[name], FLOAT_BYTES * math.prod(shape), stream)
        cuda.sync(stream)
        return {name: self._host(name, shape).copy() for name, shape in sizes.items()}

    def _host(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The pinned buffer of a tensor, as an array of that shape."""
        raw = (ctypes.c_float * math.prod(shape)).from_address(self._pinned[name])
        return np.ctypeslib.as_array(raw).reshape(shape)

    def _check(self, inputs: Arrays) -> dict[str, tuple[int, ...]]:
        """The shapes of the inputs, or DeviceError where they are not what the session was loaded for."""
        if set(inputs) != set(self._largest):
            raise DeviceError(f"the network's inputs are {', '.join(sorted(self._largest))}, and {', '.join(sorted(inputs))} were given")
        batches = set()
        for name, array in inputs.items():
            largest, open_batch = self._largest[name], name in self._open_batch
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise DeviceError(f"input {name} is {array.dtype}, contiguous {array.flags.c_contiguous}; it must be C-contiguous float32")
            fixed = array.shape[1:] == largest[1:] if open_batch else array.shape == largest
            if len(array.shape) != len(largest) or not fixed or (open_batch and not 1 <= array.shape[0] <= largest[0]):
                raise DeviceError(f"input {name} has shape {list(array.shape)}, and the session was loaded for up to {list(largest)}")
            if open_batch and largest[0] > 1:
                batches.add(array.shape[0])
        if len(batches) > 1:
            raise DeviceError(f"the inputs have different batches: {sorted(batches)}")
        return {name: array.shape for name, array in inputs.items()}

    def close(self) -> None:
        """See `backends.base.Session.close`. Waits for a run in another thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._cuda.use()
                self._on_close()
            finally:
                self._release()

    def _release(self) -> None:
        self._closed = True
        self._contexts.clear()  # before the memory that they point to
        self._engine = None
        with contextlib.ExitStack() as stack:  # each is freed, whatever becomes of the others
            stack.callback(self._cuda.destroy, self._stream)
            for address in self._device.values():
                stack.callback(self._cuda.free, address)
            for address in self._pinned.values():
                stack.callback(self._cuda.free_pinned, address)
            stack.callback(self._cuda.sync, self._stream)  # first of all: an interrupted run may still be copying
        self._device.clear()
        self._pinned.clear()
