"""Which of the encoders that a person can name work on this machine."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import av

from vidcolor.media.output.codecs import CODERS

HARDWARE = ("nvenc", "qsv", "amf", "videotoolbox")
"""Ends of the names of encoders that need a device, and so must be opened to be known."""


def encoders() -> dict[str, str]:
    """By the name a person uses: "works", or why it does not."""
    return {name: _state(name, coder.name) for name, coder in CODERS.items()}


def _state(name: str, encoder: str) -> str:
    try:
        context: Any = av.CodecContext.create(encoder, "w")
        if name.endswith(HARDWARE):
            context.width, context.height, context.time_base = 256, 256, Fraction(1, 25)
            context.pix_fmt = "nv12" if name.endswith("qsv") else "yuv420p"
            context.open()
    except av.error.FFmpegError as error:
        return f"does not open here ({cast(str, error.strerror)})"
    except av.codec.codec.UnknownCodecError:
        return "is not in this build of FFmpeg"
    return "works"
