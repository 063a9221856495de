"""Results as JSON: what every one of them carries, and how it is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.shared import machine


def frame(benchmark: str) -> dict[str, Any]:
    """Name, time, commit and machine: the head of every result."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"benchmark": benchmark, "time": now, "commit": machine.commit(), "machine": machine.describe()}


def write(result: dict[str, Any], path: Path | None) -> None:
    """To a file, whole or not at all, or to standard output."""
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    if path is None:
        print(text, end="")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
