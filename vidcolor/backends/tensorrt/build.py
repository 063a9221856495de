"""Compile a network in a child process: a crash of the compiler is an exit code, a hang a time-out, Ctrl-C stays with the parent.

Run as `python -m vidcolor.backends.tensorrt.build` it is that child: a JSON line in, a JSON line and the engine out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from vidcolor.backends.cache import BuildError
from vidcolor.errors import DeviceError

TIMEOUT = 1800.0  # seconds; enterprise TensorRT tries kernels on the GPU for minutes


@dataclass(frozen=True)
class Request:
    """What to compile: see `api.build`. `target` None builds for the GPU number `gpu` of this machine."""

    network: str
    flavour: str
    shapes: dict[str, tuple[int, ...]]
    precision: str
    f32_operators: list[str] = field(default_factory=list)
    target: str | None = None
    gpu: int = 0
    workspace: int | None = None


def build_in_child(request: Request, timeout: float = TIMEOUT) -> tuple[bytes, list[str]]:
    """The engine, and TensorRT's lines about memory.

    Raises BuildError where the network is refused, DeviceError where the compiler dies, runs out of memory or takes longer than
    `timeout` seconds. The child never outlives this call, nor this process.
    """
    name = Path(request.network).name
    command = [sys.executable, "-P", "-m", "vidcolor.backends.tensorrt.build"]  # -P: no modules from the folder we stand in
    late = threading.Event()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as child,
    ):

        def give_up() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(timeout, give_up)
        timer.start()
        try:
            assert child.stdin and child.stdout
            child.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
            child.stdin.flush()
            line, plan = child.stdout.readline(), child.stdout.read()
            code = child.wait()
        except BrokenPipeError:
            line, plan, code = b"", b"", child.wait()
        finally:
            timer.cancel()
            child.kill()
        answer = _answer(line)
        if answer is None or (not answer["error"] and answer["size"] != len(plan)):
            if late.is_set():
                raise DeviceError(f"compiling {name} for TensorRT took more than {timeout:g} s: use --device cpu")
            errors.seek(0)
            last = (errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise DeviceError(f"the TensorRT compiler died on {name} (exit status {code}): {last}; use --device cpu")
    if answer["error"]:
        kind = BuildError if answer["refused"] else DeviceError
        advice = "" if "--device cpu" in answer["error"] else "; use --device cpu"
        raise kind(f"{answer['flavour']} cannot compile {name}: {answer['error']}{advice}")
    return plan, answer["memory"]


def _answer(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def main() -> None:
    """The child. Ends with os._exit, so that no destructor of the native libraries runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = open(os.dup(1), "wb")  # noqa: PTH123, SIM115  (a handle; closed by the end of the process)
    os.dup2(2, 1)  # whatever a library prints must not mix with the answer
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        _send(out, *_compile(Request(**request)))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _compile(request: Request) -> tuple[dict[str, object], bytes]:
    from vidcolor.backends.tensorrt import api

    answer: dict[str, object] = {"error": "", "refused": False, "flavour": request.flavour}
    try:
        answer["flavour"] = str(api.flavour(request.flavour))
        model = Path(request.network).read_bytes()
        if request.precision == "f16":
            from vidcolor.backends.tensorrt.half import to_half

            model = to_half(model, request.f32_operators)
        if request.target is None:
            from vidcolor.backends.tensorrt.cuda import CudaRuntime

            CudaRuntime(request.gpu)  # makes it the current GPU, the one to build for
        strict, target = request.precision == "f32", request.target
        plan, memory = api.build(request.flavour, model, request.shapes, strict_f32=strict, target=target, workspace=request.workspace)
    except (DeviceError, OSError) as error:
        answer |= {"error": str(error), "refused": isinstance(error, BuildError)}
        return answer, b""
    return answer | {"size": len(plan), "memory": memory}, plan


def _send(out: BinaryIO, answer: dict[str, object], plan: bytes) -> None:
    out.write(json.dumps(answer).encode() + b"\n")
    out.write(plan)
    out.flush()


def _die_with_parent() -> None:
    os.read(0, 1)  # ends when the parent closes its side, or dies
    os._exit(1)


if __name__ == "__main__":
    main()
