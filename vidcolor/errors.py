"""One class a kind of trouble; each knows the exit status that the command line answers with (docs/design.md, section 5)."""

from __future__ import annotations

from vidcolor.wording import field


class VidcolorError(Exception):
    """Base of everything this program raises on purpose. The text is one clear line: what, which file, what to do."""

    status = 1


class UsageError(VidcolorError):
    """What was asked for cannot be: unknown codec, container or style, value out of range, output = input.

    `field` is the name of the field of the job that is wrong, "" where it is not one alone.
    """

    status = 2

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class FieldError(UsageError):
    """A field of a job cannot have this value. The text begins with the field as the person gave it."""

    def __init__(self, name: str, value: object, reason: str) -> None:
        super().__init__(f"{field(name, value)}: {reason}", name)


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
