"""What works on this machine, what does not, and the command that would change it. Never installs anything."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

from vidcolor.backends import all_backends, choose
from vidcolor.errors import VidcolorError
from vidcolor.media.output import available
from vidcolor.networks import cards as networks
from vidcolor.version import __version__

PACKAGES = ("av", "numpy", "opencv-python", "opencv-python-headless", "openvino", "tensorrt", "tensorrt_rtx_cu13", "cuda-bindings")


def examine(gpu: bool = False) -> dict[str, dict[str, Any]]:
    """Findings by group: program, packages, devices, encoders, networks; with `gpu` also the self-test of the NVIDIA path."""
    findings: dict[str, dict[str, Any]] = {
        "program": {"vidcolor": __version__, "python": platform.python_version(), "system": platform.platform()},
        "packages": {name: found for name in PACKAGES if (found := package(name))},
        "devices": {name: reason or "works" for name, reason in ((b.name, b.available()) for b in all_backends())},
        "encoders": available.encoders(),
        "networks": {},
    }
    backend, why = choose("auto")
    findings["devices"]["auto chooses"] = f"{backend.name}: {why}"
    for network in networks.available():
        try:
            networks.find(network.name)
            findings["networks"][network.name] = "whole"
        except VidcolorError as error:
            findings["networks"][network.name] = str(error)
    if gpu:
        from vidcolor.backends.tensorrt import self_test

        findings["gpu"] = self_test(networks.find("colorize-fast").path)
    return findings


def package(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None
