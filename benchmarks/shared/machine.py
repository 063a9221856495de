"""What a figure was measured on: every result carries it."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.shared.places import ROOT

FEATURES = {
    "amx_tile": "AMX", "amx_bf16": "AMX-BF16", "avx512_bf16": "AVX-512-BF16", "avx512_vnni": "AVX-512-VNNI", "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI", "avx2": "AVX2",
}  # fmt: skip
"""Flags of /proc/cpuinfo that decide how fast a network runs, and their common names."""
PACKAGES = ("vidcolor", "av", "numpy", "opencv-python", "opencv-python-headless", "openvino", "torch")


def describe() -> dict[str, Any]:
    """Processor, cores that this process may use, memory, instruction sets, versions; None where the system does not say."""
    info = Path("/proc/cpuinfo")
    lines = dict(line.split(":", 1) for line in info.read_text().split("\n\n")[0].splitlines() if ":" in line) if info.exists() else {}
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    return {
        "processor": fields.get("model name") or platform.processor() or None,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "features": [name for flag, name in FEATURES.items() if flag in flags],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1) if hasattr(os, "sysconf") else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Installed versions of the packages that matter."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit(root: Path = ROOT) -> str | None:
    """Commit of the checkout, with "+" where files differ from it; None outside a checkout."""
    git = ["git", "-C", str(root)]
    named = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    if named.returncode:
        return None
    changed = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=False)
    return named.stdout.strip() + ("+" if changed.stdout.strip() else "")
