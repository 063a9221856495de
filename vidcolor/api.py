"""`vidcolor.colorize`: a film to a film, from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from os import PathLike
from typing import Literal

from vidcolor import job as jobs
from vidcolor.errors import FieldError, InterruptedRunError
from vidcolor.pipeline.events import Cancel, Event, FrameDone, Note
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.model import Report
from vidcolor.pipeline.sessions import SessionPool

Time = float | Fraction | str
"""Seconds from the film's start, or text as HH:MM:SS."""


class ListenerError(Exception):
    """What a caller's own function raised, so that it is not taken for trouble with a disk. Never leaves this module."""


def colorize(
    path: str | PathLike[str],
    out: str | PathLike[str],
    *,
    vividness: float = 1.0,
    style: str | None = None,
    style_strength: float = 1.0,
    style_size: int | Literal["fast", "best"] | None = None,
    style_at: Sequence[tuple[Time, str]] = (),
    color_from: Literal["film", "style"] = "style",
    steady: Literal["off", "causal"] = "causal",
    network: str = "colorize-fast",
    device: str = "auto",
    start: Time | None = None,
    end: Time | None = None,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    pix_fmt: str | None = None,
    lossless: bool = False,
    deinterlace: bool = False,
    recolor: bool = False,
    only_grey: bool = False,
    drop_unsupported: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    threads: int = 0,
    prefetch: int = 8,
    progress: Callable[[int, int | None], None] | None = None,
    note: Callable[[str], None] | None = None,
    cancel: Cancel | None = None,
) -> Report:
    """Colour the film or picture at `path` into `out`, or restyle it; sound, subtitles, timing and all else are kept.

    vividness: 0 muted, 1 balanced, 2 bold.
    style: a name (`vidcolor styles` lists them), a picture's path, or a mix such as "great-wave:0.7,sketch:0.3".
    style_strength: 0 the film as it is, 1 all style. style_size: short side in pixels at which the style looks, "fast" (256) or "best"
        (640). style_at: pairs of a time and the style from there on. color_from: whose colour a restyled film has.
    steady: "causal" lets colour and style follow motion; "off" takes every frame for itself.
    network: name of a network, or the path of an .onnx file. device: "auto", "cpu", "tensorrt", "tensorrt:N" or "openvino:GPU".
    start, end: the part that is wanted. Times are seconds or "HH:MM:SS".
    codec, crf, preset, pix_fmt, lossless: how it is encoded, in the encoder's words; None leaves the choice to vidcolor.
    deinterlace: make an interlaced film progressive. recolor: colour a film anew that has colour. only_grey: in a mixed film
        colour the grey shots alone. drop_unsupported: leave out streams that the target cannot hold.
    overwrite: replace an output that exists. resume: go on where an earlier, equal call was stopped.
    threads: of decoder and encoder, 0 for every core. prefetch: frames that a worker may be ahead, 1 to 256.
    progress: is told how many frames are done, and how many there are (None: unknown), after every frame.
    note: is told, in whole sentences, what the person should know.
    cancel: set it from another thread, and the call stops at the next frame; what is done is kept for `resume`.

    Returns the Report; `status` is 3 where the input was damaged and delivered as far as it decodes. Raises a
    `vidcolor.errors.VidcolorError`, whose text is one clear line: UsageError (with the name of the `field`) for an argument that cannot
    be, InputError, OutputError, DeviceError, and InterruptedRunError after `cancel`; and what `progress` and `note` raise.
    """

    def listen(event: Event) -> None:
        try:
            if progress is not None and isinstance(event, FrameDone):
                progress(event.done, event.total)
            if note is not None and isinstance(event, Note):
                note(event.text)
        except Exception as error:
            raise ListenerError from error

    for name, each in (("progress", progress), ("note", note)):
        if each is not None and not callable(each):
            raise FieldError(name, each, "must be a function")
    asked = Job(
        path, out, vividness=vividness, network=network, device=device, steady=steady, codec=codec, crf=crf, preset=preset,  # type: ignore[arg-type]
        pix_fmt=pix_fmt, lossless=lossless, start=start, end=end, deinterlace=deinterlace, recolor=recolor, only_grey=only_grey,  # type: ignore[arg-type]
        drop_unsupported=drop_unsupported, overwrite=overwrite, resume=resume, threads=threads, prefetch=prefetch, style=style,
        style_strength=style_strength, style_size=style_size, color_from=color_from, style_at=style_at,  # type: ignore[arg-type]
    )  # fmt: skip
    if report := jobs.finished(asked):
        return report
    try:
        with SessionPool() as pool:
            plan = jobs.plan(asked, pool)
            for text in plan.notes:
                listen(Note(text))
            if cancel is not None and cancel.is_set():
                raise InterruptedRunError(f"{asked.input}: stopped before the work")
            return jobs.run(plan, pool, listen, cancel=cancel)
    except ListenerError as error:
        assert error.__cause__ is not None
        raise error.__cause__ from None
