"""HDR10 static data on its way through encoder parameters: the only way that PyAV offers."""

from __future__ import annotations

import re

from vidcolor.media.input.probe import Hdr

WORDS = {
    "libx265": ("x265-params", "master-display", "max-cll"),
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light"),
}
"""Of each encoder that takes the data: its parameter string, and its names for mastering display and light level."""


def add_static_data(hdr: Hdr | None, codec: str, options: dict[str, str], notes: list[str]) -> None:
    """Add mastering display and light level to the encoder's options; say in `notes` what will be lost.

    x265 and x264 take the integers of SMPTE ST 2086 (0.00002 of chromaticity, 0.0001 cd/m²), SVT-AV1 takes the real numbers.
    """
    if hdr is None:
        return
    notes += [f"{kind} data cannot be carried and will be lost" for kind in hdr.dynamic]
    if not hdr.mastering and not hdr.light:
        return
    words = WORDS.get(codec)
    if words is None:
        notes.append(f"HDR10 static data will be lost with {codec}; hevc, h264 and av1 keep it")
        return
    option, mastering, light = words
    spelt = _real_numbers(hdr.mastering) if hdr.mastering and codec == "libsvtav1" else hdr.mastering
    values = [f"{mastering}={spelt}"] if spelt else []
    values += [f"{light}={hdr.light}"] if hdr.light else []
    options[option] = ":".join([*([options[option]] if option in options else []), *values])


def _real_numbers(mastering: str) -> str:
    def real(match: re.Match[str]) -> str:
        unit = 10000 if match[1] == "L" else 50000
        return f"{match[1]}({int(match[2]) / unit:.6g},{int(match[3]) / unit:.6g})"

    return re.sub(r"(WP|G|B|R|L)\((\d+),(\d+)\)", real, mastering)
