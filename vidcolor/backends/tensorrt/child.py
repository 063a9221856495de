"""The child process that compiles: `python -m vidcolor.backends.tensorrt.child`. A JSON line in, a JSON line and the engine out."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import BinaryIO

from vidcolor.backends.cache import BuildError
from vidcolor.backends.tensorrt import api
from vidcolor.backends.tensorrt.build import Request
from vidcolor.errors import DeviceError
from vidcolor.wording import spoken


def main() -> None:
    """Answers one request. Ends with os._exit, so that no destructor of the native libraries runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = open(os.dup(1), "wb")  # noqa: PTH123, SIM115  (a handle; closed by the end of the process)
    os.dup2(2, 1)  # whatever a library prints must not mix with the answer
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        asked = Request(**request)
        with spoken(lambda name, value: asked.cpu):  # the one field that is spoken of here
            _send(out, *_compile(asked))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _compile(request: Request) -> tuple[dict[str, object], bytes]:
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
