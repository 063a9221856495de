"""Compile a network in a child process: a crash of the compiler is an exit code, a hang a time-out, Ctrl-C stays with the parent."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vidcolor import wording
from vidcolor.backends.base import use_cpu
from vidcolor.backends.cache import BuildError
from vidcolor.errors import DeviceError

TIMEOUT = 1800.0  # seconds; enterprise TensorRT tries kernels on the GPU for minutes


@dataclass(frozen=True)
class Request:
    """What to compile: see `api.build`. `target` None builds for the GPU number `gpu` of this machine.

    `cpu` is how the person on this side asks for the CPU: the child's messages end with it.
    """

    network: str
    flavour: str
    shapes: dict[str, tuple[int, ...]]
    precision: str
    f32_operators: list[str] = field(default_factory=list)
    target: str | None = None
    gpu: int = 0
    workspace: int | None = None
    cpu: str = field(default_factory=lambda: wording.field("device", "cpu"))


def build_in_child(request: Request, timeout: float = TIMEOUT) -> tuple[bytes, list[str]]:
    """The engine, and TensorRT's lines about memory.

    Raises BuildError where the network is refused, DeviceError where the compiler dies, runs out of memory or takes longer than
    `timeout` seconds. The child never outlives this call, nor this process.
    """
    name = Path(request.network).name
    command = [sys.executable, "-P", "-m", "vidcolor.backends.tensorrt.child"]  # -P: no modules from the folder we stand in
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as child,
    ):
        said, late = _converse(child, json.dumps(asdict(request)).encode() + b"\n", timeout)
        line, _, plan = said.partition(b"\n")
        answer = _answer(line, len(plan))
        if late:
            raise DeviceError(f"compiling {name} for TensorRT took more than {timeout:g} s: {use_cpu()}")
        if answer is None:
            errors.seek(0)
            last = (errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise DeviceError(f"the TensorRT compiler died on {name} (exit status {child.wait()}): {last}; {use_cpu()}")
    if answer["error"]:
        kind = BuildError if answer["refused"] else DeviceError
        advice = "" if use_cpu() in answer["error"] else f"; {use_cpu()}"
        raise kind(f"{answer['flavour']} cannot compile {name}: {answer['error']}{advice}")
    return plan, answer["memory"]


def _converse(child: subprocess.Popen[bytes], question: bytes, timeout: float) -> tuple[bytes, bool]:
    """All that the child answers, and whether it was cut short. The child is dead, or dying by itself, afterwards."""
    heard: list[bytes] = []

    def listen() -> None:
        assert child.stdout
        heard.append(child.stdout.read())

    listener = threading.Thread(target=listen, daemon=True)
    limit = time.monotonic() + timeout
    try:
        listener.start()
        assert child.stdin
        with contextlib.suppress(BrokenPipeError):  # it died before it listened; what it left on stderr tells why
            child.stdin.write(question)
            child.stdin.flush()
        while listener.is_alive() and time.monotonic() < limit:
            listener.join(0.1)  # in short steps, so that Ctrl-C gets through on every system
        late = listener.is_alive()
    finally:
        child.kill()  # ends the reading too, without which the pipe cannot be closed
    listener.join()
    return heard[0], late


def _answer(line: bytes, size: int) -> Any:
    """The first line of the child, or None where it or the engine of `size` bytes behind it is incomplete."""
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if answer["error"] or answer["size"] == size else None
