"""Small test films, made by keyword: a textured picture that moves, and whatever should surround it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange

from vidcolor.media.samples.formats import describe

FFMPEG_RANGE = {"limited": 1, "full": 2}


def picture(index: int, size: tuple[int, int], color: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y in [0, 1], Cb and Cr in [-0.5, 0.5], each (height, width) float64: waves, an edge and fixed noise that move with `index`."""
    width, height = size
    x, y = np.meshgrid(np.arange(width) + 2 * index, np.arange(height))
    noise = np.random.default_rng(7).random((height, 4 * width))[:, [i % (4 * width) for i in range(2 * index, 2 * index + width)]]
    luma = 0.5 + 0.25 * np.sin(x / 5) * np.cos(y / 7) + 0.1 * (x // 16 % 2) + 0.1 * (noise - 0.5)
    if not color:
        return luma, np.zeros_like(luma), np.zeros_like(luma)
    return luma, 0.2 * np.sin(x / 11), 0.2 * np.cos(y / 9)


def video_frame(index: int, size: tuple[int, int], pix_fmt: str, color: bool = False, full: bool = False) -> av.VideoFrame:
    """One frame of the moving picture in any pixel format; code values are written by hand where the format is planar YUV or grey."""
    y, cb, cr = picture(index, size, color)
    form = describe(pix_fmt)
    if form.packing != "planar" or form.rgb or form.shift:
        if form.rgb:
            rgb = np.stack([y + 1.5748 * cr, y - 0.1873 * cb - 0.4681 * cr, y + 1.8556 * cb], axis=-1)
            between = av.VideoFrame.from_ndarray(np.clip(np.rint(rgb * 65535), 0, 65535).astype(np.uint16), format="rgb48le")
        else:
            bridge = "gray16le" if form.chroma == "400" else f"yuv{form.chroma}p" + ("" if form.depth == 8 else "16le")
            between = video_frame(index, size, bridge, color, full)
        return between if between.format.name == pix_fmt else between.reformat(format=pix_fmt)
    peak, scale = (1 << form.depth) - 1, 1 << (form.depth - 8)
    full = full or form.full_range
    black, white, span = (0, peak, peak) if full else (16 * scale, 235 * scale, 224 * scale)
    frame = av.VideoFrame(*size, pix_fmt)
    frame.color_range = ColorRange.JPEG if full else ColorRange.MPEG
    codes = {"y": y * (white - black) + black, "u": cb * span + 128 * scale, "v": cr * span + 128 * scale, "a": np.full_like(y, peak)}
    for plane, name in zip(frame.planes, form.order, strict=True):
        rows, columns = np.indices((plane.height, plane.width))
        tall, wide = (size[1] + plane.height - 1) // plane.height, (size[0] + plane.width - 1) // plane.width
        values = codes[name][np.minimum(rows * tall, size[1] - 1), np.minimum(columns * wide, size[0] - 1)]
        memory = np.zeros((plane.height, plane.line_size // form.word), f"{'>' if form.big_endian else '<'}u{form.word}")
        memory[:, : plane.width] = np.clip(np.rint(values), 0, peak)
        plane.update(memory.tobytes())
    return frame


def make(
    path: Path,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    frames: int = 12,
    rate: Fraction | int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    color: bool = False,
    full: bool | None = None,
    matrix: int | None = None,
    primaries: int | None = None,
    transfer: int | None = None,
    sar: Fraction | None = None,
    rotation: int | None = None,
    interlaced: str | None = None,
    options: Mapping[str, str] | None = None,
    audio: Sequence[str] = (),
    audio_start: Fraction = Fraction(0),
    subtitles: Sequence[str] = (),
    chapters: Sequence[tuple[float, float, str]] = (),
    tags: Mapping[str, str] | None = None,
    stream_tags: Mapping[str, str] | None = None,
    attachments: Sequence[tuple[str, str, bytes]] = (),
    cover: bool = False,
    second_video: str | None = None,
    container: str | None = None,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write a film and return its path.

    `pts` (in `time_base`, default one frame period) gives any timing, negative and late starts too; else frames follow at `rate`.
    `interlaced` is "tff" or "bff". `audio` names encoders, one track each (languages eng, deu, fra, … in turn). `subtitles` names
    codecs: "subrip", "ass", "mov_text", "hdmv_pgs_subtitle". `chapters` are (start, end, title) in seconds. `full`, `matrix`, `primaries`
    and `transfer` are tagged only where given. `second_video` adds a video track of that codec after the first.
    """
    base = time_base or 1 / Fraction(rate)
    times = list(pts) if pts is not None else [round(i / Fraction(rate) / base) for i in range(frames)]
    with av.open(str(path), "w", format=container, container_options=dict(container_options or {})) as out:
        out.metadata.update(tags or {})
        settings = {"preset": "veryfast", "g": "12"} if codec in ("libx264", "libx265") else {}
        if codec == "libx265":
            settings["x265-params"] = "log-level=error:pools=1"
        video: Any = out.add_stream(codec, rate=Fraction(rate), options={**settings, **(options or {})})
        video.width, video.height = size
        video.pix_fmt = pix_fmt
        video.time_base = video.codec_context.time_base = base
        video.codec_context.thread_count = 1
        video.metadata.update(stream_tags or {})
        given = {
            "color_range": None if full is None else 2 if full else 1,
            "colorspace": matrix,
            "color_primaries": primaries,
            "color_trc": transfer,
            "sample_aspect_ratio": sar,
        }
        for name, value in given.items():
            if value is not None:
                setattr(video.codec_context, name, value)
        if interlaced:
            video.codec_context.flags |= av.codec.context.Flags.interlaced_dct | av.codec.context.Flags.interlaced_me
        if rotation is not None:
            video.set_display_rotation(rotation)
        extra = _second_video(out, second_video, size) if second_video else None
        sounds = [_audio_stream(out, name, index) for index, name in enumerate(audio)]
        texts = [_subtitle_stream(out, name, index) for index, name in enumerate(subtitles)]
        picture_stream = _cover_stream(out) if cover else None
        for name, kind, data in attachments:
            out.add_attachment(name, kind, data)
        if chapters:
            ms = Fraction(1, 1000)
            out.set_chapters(
                [
                    {"id": i + 1, "start": round(a * 1000), "end": round(b * 1000), "time_base": ms, "metadata": {"title": title}}
                    for i, (a, b, title) in enumerate(chapters)
                ]
            )
        length = float(len(times) / Fraction(rate)) if pts is None else float((times[-1] - times[0]) * base) + float(1 / Fraction(rate))
        out.start_encoding()
        if picture_stream:
            _mux_cover(out, picture_stream)
        for stream in sounds:
            out.mux(_sound(stream, length, audio_start))
        for name, stream in zip(subtitles, texts, strict=True):
            _mux_subtitles(out, stream, name, length)
        flags = _field_flags(interlaced, size, pix_fmt) if interlaced else None
        for index, moment in enumerate(times):
            frame = video_frame(index, size, pix_fmt, color, bool(full))
            if flags:
                flags.push(frame)
                frame = flags.pull()
            frame.pts, frame.time_base = moment, base
            for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
                value = given[name]
                setattr(frame, name, value if value is not None else 0 if name == "color_range" else 2)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if extra:
            for index in range(len(times)):
                frame = video_frame(index, size, extra.pix_fmt, True)
                frame.pts, frame.time_base = index, 1 / Fraction(25)
                out.mux(extra.encode(frame))
            out.mux(extra.encode(None))
    return path


def make_sound(path: Path, codec: str = "pcm_s16le", *, cover: bool = False) -> Path:
    """A file with half a second of sound and, if asked, a cover picture, but no film."""
    with av.open(str(path), "w") as out:
        stream = _audio_stream(out, codec, 0)
        picture_stream = _cover_stream(out) if cover else None
        out.start_encoding()
        if picture_stream:
            _mux_cover(out, picture_stream)
        out.mux(_sound(stream, 0.5, Fraction(0)))
    return path


def _second_video(out: Any, codec: str, size: tuple[int, int]) -> Any:
    stream = out.add_stream(codec, rate=25)
    stream.width, stream.height = size
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    return stream


def _field_flags(order: str, size: tuple[int, int], pix_fmt: str) -> Any:
    """A filter that marks frames as interlaced: PyAV cannot set that flag of a frame."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=size[0], height=size[1], format=av.VideoFormat(pix_fmt), time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
    return graph


LANGUAGES = ("eng", "deu", "fra", "spa")


def _audio_stream(out: Any, codec: str, index: int) -> Any:
    stream = out.add_stream(codec, rate=48000)
    stream.layout = "stereo"
    stream.metadata["language"] = LANGUAGES[index]
    return stream


def _sound(stream: Any, length: float, start: Fraction) -> list[Any]:
    """Packets of a tone, a little different in each track."""
    step, packets = 1024, []
    for index in range(math.ceil(length * 48000 / step)):
        t = (np.arange(step) + index * step) / 48000
        wave = (0.3 * np.sin(2 * np.pi * (220 + 110 * stream.index) * t) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None, :], format="s16", layout="stereo")
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        frame.pts = index * step + round(start * 48000)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


ASS_HEADER = b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,16\n\n[Events]\n"


def _subtitle_stream(out: Any, codec: str, index: int) -> Any:
    stream = out.add_mux_stream(codec)
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = LANGUAGES[index]
    return stream


def _mux_subtitles(out: Any, stream: Any, codec: str, length: float) -> None:
    for number in range(2):
        text = f"line {number} of {codec}".encode()
        data = {
            "mov_text": len(text).to_bytes(2, "big") + text,
            "ass": b"%d,0,Default,,0,0,0,," % number + text,
            "hdmv_pgs_subtitle": b"\x80\x00\x00",  # an END segment: enough for a container
        }.get(codec, text)
        packet = av.Packet(data)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = round(number * length * 500)
        packet.duration = round(length * 250)
        packet.is_keyframe = True
        out.mux(packet)


def _cover_stream(out: Any) -> Any:
    stream = out.add_mux_stream("png", width=16, height=16)
    stream.time_base = Fraction(1, 90000)
    stream.disposition = av.stream.Disposition.attached_pic
    return stream


def png(size: tuple[int, int] = (16, 16)) -> bytes:
    """A small PNG file, as cover art is stored."""
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, "rgb24", Fraction(1, 25)
    frame = video_frame(0, size, "rgb24", True)
    frame.pts = 0
    return b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode(None)])


def _mux_cover(out: Any, stream: Any) -> None:
    packet = av.Packet(png())
    packet.stream, packet.time_base = stream, Fraction(1, 90000)
    packet.pts = packet.dts = 0
    packet.is_keyframe = True
    out.mux(packet)


def spoil(path: Path, numbers: Iterable[int]) -> Path:
    """Overwrite most of some packets of the video."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for at, size in (places[number] for number in numbers):
        data[at + size // 4 : at + size] = b"\xff" * (size - size // 4)
    path.write_bytes(data)
    return path
