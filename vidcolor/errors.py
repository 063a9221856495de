"""One class a kind of trouble; each knows the exit status that the command line answers with (design, section 5)."""

from __future__ import annotations


class VidcolorError(Exception):
    """Base of everything this program raises on purpose. The text is one clear line: what, which file, what to do."""

    status = 1


class UsageError(VidcolorError):
    """Words of the command line: unknown codec, container or style, value out of range, output = input."""

    status = 2


class InputError(VidcolorError):
    """The input cannot be used: missing, not a video, no frames, already in colour, empty folder."""

    status = 4


class OutputError(VidcolorError):
    """The output cannot be written: exists, folder missing or read-only, disk full, encoder failed."""

    status = 5


class DeviceError(VidcolorError):
    """Network or device trouble: asked-for device absent, network file damaged, inference failed."""

    status = 6


class InterruptedRunError(VidcolorError):
    """Ctrl-C, after everything was closed. The text says how to resume."""

    status = 130


DAMAGED_STATUS = 3
"""Exit status of a run that is done although the input was damaged: what decodes was delivered."""
