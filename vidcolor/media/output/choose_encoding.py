"""Which encoder, pixel format and options a film is written with: everything that can be refused is refused here, before work starts."""

from __future__ import annotations

import io
import itertools
import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import cv2
from av.video.codeccontext import VideoCodecContext

from vidcolor.errors import FieldError, UsageError
from vidcolor.media.input.probe import Film, open_input
from vidcolor.media.output import hdr
from vidcolor.media.output.codecs import ALIASES, CODERS, CONTAINERS, DEFAULT_CODEC, HELD, UNSUITABLE, Coder
from vidcolor.media.samples.formats import PixelFormat, describe
from vidcolor.picture.planes import SUBSAMPLING, Chroma, Layout
from vidcolor.wording import field

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes its settings to stderr by itself: errors only

CPU_AVX_512F = 13  # OpenCV's number of this processor feature
GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER
NEEDS_GLOBAL_HEADER = 0x40  # AVFMT_GLOBALHEADER
HOLDER = {"dnxhr": ".mov", "prores": ".mov or .mkv"}  # where Matroska is not the one that holds everything
FIELD_ORDER = {"progressive": 1, "tff": 2, "bff": 3}  # AVFieldOrder

LARGER: dict[Chroma, tuple[Chroma, ...]] = {
    "400": ("420", "422", "444"),
    "410": ("410", "420", "422", "444"),
    "411": ("411", "422", "444"),
    "420": ("420", "422", "444"),
    "422": ("422", "444"),
    "440": ("440", "444"),
    "444": ("444",),
}
"""Chroma formats that hold at least what the source has, nearest first."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the person asked for; None leaves the choice to the program. `threads` 0 lets the encoder choose."""

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    lossless: bool = False
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the film will be written. `layout` is that of the planes that the encoder takes; `notes` are said before the work starts."""

    container: str  # FFmpeg's muxer name
    codec: str  # FFmpeg's encoder name
    pix_fmt: str
    layout: Layout
    options: dict[str, str]
    threads: int
    notes: tuple[str, ...] = ()


def plan_encoding(film: Film, out: Path, request: Request) -> Encoding:
    """Choose encoder, pixel format and options for `out`.

    The luma plane keeps its bit depth where the encoder has it, else it is shifted up exactly (said in notes). Raises UsageError
    for a codec, container, preset, crf or pixel format that is unknown or does not go together.
    """
    container = container_of(out)
    name, coder = _coder(request.codec or DEFAULT_CODEC.get(container, "h264"))
    notes: list[str] = []
    pixels = _pixel_format(film, name, coder, request, notes)
    layout = _layout(film, coder.name, pixels, notes)
    options = _quality(name, coder, request, pixels)
    _interlacing(film, name, coder, options, notes)
    if film.siting_tagged and layout.chroma in ("420", "422", "411", "410"):
        options["chroma_sample_location"] = layout.siting
    hdr.add_static_data(film.hdr, coder.name, options, notes)
    if coder.name == "libx265" and request.threads:
        join(options, "x265-params", f"pools={request.threads}")
    if coder.name == "libsvtav1" and request.threads:
        join(options, "svtav1-params", f"lp={request.threads}")
    if container == "avi":
        options["bf"] = "0"  # AVI keeps no presentation times
        _refuse_variable_rate(film, out)
    encoding = Encoding(container, coder.name, pixels.name, layout, options, request.threads, tuple(notes))
    _try_out(film, encoding, name, out)
    return encoding


def container_of(out: Path) -> str:
    """FFmpeg's muxer for a file name. Raises UsageError for a suffix that is not known."""
    suffix = out.suffix.lower()
    if suffix in UNSUITABLE:
        raise UsageError(f"{out.name}: {UNSUITABLE[suffix]}", "out")
    container = CONTAINERS.get(suffix)
    if container is None:
        known = " ".join(sorted(CONTAINERS))
        raise UsageError(f"{out.name}: no container is known by the suffix {out.suffix!r}; use one of {known}", "out")
    return container


def join(options: dict[str, str], name: str, value: str) -> None:
    """Append to an encoder's own parameter string (`a=1:b=2`)."""
    options[name] = f"{options[name]}:{value}" if name in options else value


def configure(context: VideoCodecContext, film: Film, encoding: Encoding) -> None:
    """Set everything that the encoder must know of the film, before it is opened."""
    layout = encoding.layout
    context.width, context.height = layout.width, layout.height
    context.pix_fmt = encoding.pix_fmt
    context.time_base = film.time_base
    context.framerate = film.rate or Fraction(25)
    context.sample_aspect_ratio = film.sample_aspect
    context.color_range = 2 if layout.full_range else 1
    context.color_primaries, context.color_trc = film.primaries, film.transfer
    context.colorspace = matrix_number(film, encoding)
    context.field_order = FIELD_ORDER[layout.fields]
    if encoding.threads:
        context.thread_count = encoding.threads
    context.options = encoder_options(encoding)


def encoder_options(encoding: Encoding) -> dict[str, str]:
    """The encoding's options, and what this processor asks for beside them.

    x264's AVX-512 routines for the macroblock tree read memory that was never written: with B-frames and some widths the same
    frames give other packets each time, and a resumed run would differ from an unbroken one. AVX2 routines do not, and cost 2 %.
    """
    options = dict(encoding.options)
    if encoding.codec == "libx264" and cv2.checkHardwareSupport(CPU_AVX_512F):
        join(options, "x264-params", "asm=avx2")
    return options


def matrix_number(film: Film, encoding: Encoding) -> int:
    """FFmpeg's number of the matrix that the planes are in: the source's own tag where it says the same, 0 for RGB."""
    if encoding.layout.rgb:
        return 0
    number = {"bt709": 1, "fcc": 4, "bt601": 6, "smpte240m": 7, "bt2020": 9}[encoding.layout.matrix]
    return film.matrix if (number, film.matrix) in ((6, 5), (9, 10)) else number


def open_encoder(film: Film, encoding: Encoding) -> VideoCodecContext:
    """A fresh encoder, ready for frames. Raises av.FFmpegError where it does not open."""
    context = cast(VideoCodecContext, av.CodecContext.create(encoding.codec, "w"))
    configure(context, film, encoding)
    if cast(Any, av.ContainerFormat(encoding.container, "w")).flags & NEEDS_GLOBAL_HEADER:
        context.flags |= GLOBAL_HEADER
    context.open()
    return context


def _coder(word: str) -> tuple[str, Coder]:
    name = ALIASES.get(word.lower(), word.lower())
    if name not in CODERS:
        raise FieldError("codec", word, f"unknown; use one of {' '.join(CODERS)}")
    try:
        av.Codec(CODERS[name].name, "w")
    except av.codec.codec.UnknownCodecError:
        raise FieldError("codec", word, f"this build of FFmpeg has no encoder {CODERS[name].name}") from None
    return name, CODERS[name]


def _offered(coder: Coder) -> list[PixelFormat]:
    """The encoder's formats that planes go into by one copy: planar without alpha, and those of hardware."""
    names = coder.formats or [video.name for video in av.Codec(coder.name, "w").video_formats or []]
    return [pixels for name in names if (pixels := _writable(name))]


def _writable(name: str) -> PixelFormat | None:
    try:
        pixels = describe(name)
    except ValueError:
        return None
    planar = pixels.packing == "planar" and not (pixels.alpha or pixels.big_endian or pixels.shift or name.startswith(("yuvj", "gray")))
    return pixels if planar or name in ("nv12", "p010le", "bgr0") else None  # FFV1 knows 8-bit RGB as bgr0 only


def _pixel_format(film: Film, name: str, coder: Coder, request: Request, notes: list[str]) -> PixelFormat:
    offered = _offered(coder)
    if request.pix_fmt is not None:
        return _asked_format(film, coder, offered, request.pix_fmt, notes)
    depth, chroma = source_depth(film), film.layout.chroma
    if film.layout.rgb and name == "ffv1":
        return min((p for p in offered if p.rgb and p.depth >= depth), key=lambda p: p.depth)
    deep = [p for p in offered if not p.rgb and p.depth >= depth]
    if not deep:
        most = max((p for p in offered if not p.rgb), key=lambda p: p.depth)
        holder, lossy = field("codec", "hevc" if depth <= 12 else "ffv1"), field("pix_fmt", most.name)
        text = f"{film.path.name} has {depth} bits; {coder.name} holds {most.depth}: use {holder}, or accept the loss with {lossy}"
        raise UsageError(text, "codec")
    wanted = ("444",) if chroma == "400" and name == "ffv1" else LARGER[chroma]
    fitting = [p for p in deep if p.chroma in wanted and _takes_size(coder, p, film.layout)]
    if fitting:
        chosen = min(fitting, key=lambda p: (p.depth, wanted.index(p.chroma)))
    else:
        chosen = max((p for p in deep if _takes_size(coder, p, film.layout)), key=lambda p: (_chroma_samples(p.chroma), -p.depth))
        notes.append(f"{coder.name} has no {_dotted(chroma)} chroma: {_dotted(chosen.chroma)}")
    odd = film.layout.width % 2 or film.layout.height % 2
    if film.layout.rgb:
        notes.append(f"RGB is written as YUV {_dotted(chosen.chroma)} ({chosen.name})")
    elif odd and fitting and chosen.chroma != wanted[0]:
        notes.append(f"{coder.name} takes odd sizes as {_dotted(chosen.chroma)} only")
    return chosen


def _asked_format(film: Film, coder: Coder, offered: list[PixelFormat], asked: str, notes: list[str]) -> PixelFormat:
    chosen = next((p for p in offered if p.name == asked), None)
    if chosen is None:
        raise FieldError("pix_fmt", asked, f"{coder.name} takes {' '.join(p.name for p in offered)}")
    if not _takes_size(coder, chosen, film.layout):
        size = f"{film.layout.width}x{film.layout.height}"
        raise FieldError("pix_fmt", asked, f"{coder.name} does not take {size} as {_dotted(chosen.chroma)}")
    if chosen.rgb and not film.layout.rgb:
        raise FieldError("pix_fmt", asked, f"{film.path.name} is YUV and would lose its luma plane; use a YUV format")
    if chosen.depth < source_depth(film):
        notes.append(f"luma is rounded from {source_depth(film)} to {chosen.depth} bits, as asked by {field('pix_fmt', asked)}")
    return chosen


def _takes_size(coder: Coder, pixels: PixelFormat, layout: Layout) -> bool:
    """x264 and x265 refuse sizes that are not whole numbers of chroma samples; everybody else pads."""
    if coder.name not in ("libx264", "libx265"):
        return True
    across, down = SUBSAMPLING[pixels.chroma]
    return layout.width % (1 << across) == 0 and layout.height % (1 << down) == 0


def _chroma_samples(chroma: Chroma) -> int:
    return -sum(SUBSAMPLING[chroma])


def _dotted(chroma: str) -> str:
    return "grey" if chroma == "400" else ":".join(chroma)


def source_depth(film: Film) -> int:
    """Bits of a sample in the file: those of the layout, but of the pixel format for RGB (whose planes are made at 16 bits)."""
    return describe(film.pix_fmt).depth if film.layout.rgb else film.layout.depth


def _layout(film: Film, coder: str, pixels: PixelFormat, notes: list[str]) -> Layout:
    if pixels.rgb:
        return film.layout
    depth = source_depth(film)
    if coder == "dnxhd" and film.layout.matrix not in ("bt709", "bt2020"):
        notes.append(f"DNxHR knows no {film.layout.matrix.upper().replace('BT', 'BT.')} matrix: colour is written by BT.709")
        film = replace(film, layout=replace(film.layout, matrix="bt709"))
    if pixels.depth > depth:
        notes.append(f"luma is shifted from {depth} to {pixels.depth} bits (exactly; no bit is lost)")
    return replace(film.layout, depth=pixels.depth, chroma=pixels.chroma, rgb=False)


def _quality(name: str, coder: Coder, request: Request, pixels: PixelFormat) -> dict[str, str]:
    options = {"flags": "+cgop", **coder.options}
    if request.preset is not None and request.preset not in coder.presets:
        known = f"use one of {' '.join(coder.presets)}" if coder.presets else f"{name} has none"
        raise FieldError("preset", request.preset, f"unknown to {name}; {known}")
    preset = request.preset or coder.default_preset or _profile(name, pixels)
    options |= coder.presets.get(preset or "", {})
    if request.lossless and coder.lossless is None:
        raise FieldError("lossless", True, f"{name} has no lossless mode; use h264, hevc, vp9 or ffv1")
    if request.crf is not None and coder.crf is None:
        raise FieldError("crf", None, f"{name} has no such scale")
    if request.crf is not None and request.lossless:
        raise UsageError(f"{field('crf')} and {field('lossless')} exclude each other")
    if request.lossless and coder.lossless:
        for option, value in coder.lossless.items():
            join(options, option, value)
    elif coder.crf:
        low, high, default = coder.crf
        crf = default if request.crf is None else request.crf
        if not low <= crf <= high:
            raise FieldError("crf", crf, f"{name} takes {low:g} to {high:g}")
        options[coder.crf_option] = f"{crf:g}"
    return options


def _profile(name: str, pixels: PixelFormat) -> str | None:
    """ProRes and DNxHR know quality as profiles only, and each profile has its pixel format."""
    if name == "prores":
        return "4444" if pixels.chroma == "444" else "hq"
    if name == "dnxhr":
        return "dnxhr_444" if pixels.chroma == "444" else "dnxhr_hqx" if pixels.depth == 10 else "dnxhr_hq"
    return None


def _interlacing(film: Film, name: str, coder: Coder, options: dict[str, str], notes: list[str]) -> None:
    if film.layout.fields == "progressive":
        return
    if coder.interlaced:
        options["flags"] += "+ildct+ilme"
    else:
        see = field("deinterlace", True)
        notes.append(f"{name} does not code fields: frames are coded whole and the film may no longer be shown as interlaced; see {see}")


def _refuse_variable_rate(film: Film, out: Path) -> None:
    with open_input(film.path) as container:
        stream = container.streams[film.video.index]
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
    steps = {(later - earlier) * film.time_base for earlier, later in itertools.pairwise(times)}
    if steps and max(steps) - min(steps) > max(2 * film.time_base, Fraction(1, 900)):
        raise UsageError(f"{out.name}: {film.path.name} has a variable frame rate, which AVI cannot hold; use .mkv or .mp4", "out")


def _try_out(film: Film, encoding: Encoding, name: str, out: Path) -> None:
    """Open encoder and container for real, in memory: nothing else tells what they take."""
    container, holder = encoding.container, HOLDER.get(name, ".mkv")
    if container in HELD and name.split("_")[0] not in HELD[container]:
        raise UsageError(f"{out.name}: the container {container} does not hold {name}; use {holder}", "out")
    size = f"{film.layout.width}x{film.layout.height}"
    with av.open(io.BytesIO(), "w", format=container) as trial:
        try:
            context = cast(VideoCodecContext, trial.add_stream(encoding.codec, film.rate or 25).codec_context)
            configure(context, film, encoding)
            context.open()
        except av.FFmpegError as error:
            raise FieldError("codec", name, f"{encoding.codec} does not open for {size} {encoding.pix_fmt} ({reason(error)})") from None
        except ValueError:
            raise UsageError(f"{out.name}: the container {container} does not hold {name}; use {holder}", "out") from None
        try:
            trial.start_encoding()
        except av.FFmpegError as error:
            raise UsageError(f"{out.name}: the container {container} does not hold {name} ({reason(error)}); use {holder}", "out") from None


def reason(error: Exception) -> str:
    """FFmpeg's own words, in one line."""
    return str(getattr(error, "strerror", None) or error)
