"""What a film is, before anything is done to it."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import av
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData, Type
from av.video.stream import VideoStream

from vidcolor.errors import InputError
from vidcolor.media.samples.formats import PixelFormat, describe
from vidcolor.media.samples.unpack import rgb_layout
from vidcolor.media.stills import pictures
from vidcolor.picture.planes import Fields, Layout, Siting, Transfer

Kind = Literal["video", "audio", "subtitle", "data", "attachment"]


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a container, as far as a plan needs to speak of it."""

    index: int
    kind: Kind
    codec: str  # FFmpeg's codec name, "unknown" where it has none
    language: str | None = None
    title: str | None = None
    attached_picture: bool = False


@dataclass(frozen=True, slots=True)
class Hdr:
    """HDR10 static metadata in the units of SMPTE ST 2086 / CTA-861.3; other kinds only named."""

    mastering: str | None = None  # x265's master-display string: G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)
    light: str | None = None  # "MaxCLL,MaxFALL"
    dynamic: tuple[str, ...] = ()  # e.g. ("Dolby Vision", "HDR10+"): cannot be carried


@dataclass(frozen=True, slots=True)
class Film:
    """The first video track of a file and what surrounds it.

    Times are exact: `time_base` and `start` in seconds as Fractions, `duration` None where the file does not say. `start` is the
    earliest time of the video and audio streams, the zero of a job's start and end; `duration` is that of the video track
    where the file says so, and `declared` that of the whole file; both count from their own start.
    `primaries`, `transfer` and `matrix` are FFmpeg's numbers (2 = unspecified), as they go back onto the output.
    """

    path: Path
    container: str  # FFmpeg's demuxer name
    video: Stream
    others: tuple[Stream, ...]
    layout: Layout  # of the decoded planes, as Reader delivers them
    pix_fmt: str  # FFmpeg's name of the source's pixel format
    time_base: Fraction
    rate: Fraction | None  # average frame rate
    duration: Fraction | None
    frames: int | None  # as declared or estimated; None = unknown
    start: Fraction = Fraction(0)
    declared: Fraction | None = None
    sample_aspect: Fraction = Fraction(1)
    rotation: int = 0  # degrees counter-clockwise to turn for display, 0 to 359
    display_matrix: tuple[int, ...] | None = None  # the nine numbers as stored, with flips
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range_tagged: bool = False
    siting_tagged: bool = False
    hdr: Hdr | None = None
    still: bool = False  # a picture file: a film of one frame
    seekable: bool = True
    notes: tuple[str, ...] = field(default=())  # what was assumed, e.g. "colour matrix not tagged: BT.601 (576 lines)"


_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_FOREIGN_MATRICES = {
    8: "YCgCo", 11: "YDzDx", 12: "derived", 13: "derived, constant luminance", 14: "ICtCp", 15: "IPT-C2", 16: "YCgCo-R", 17: "YCgCo-R",
}  # fmt: skip
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
_FIELD_ORDERS: dict[int, Fields] = {2: "tff", 3: "bff", 4: "bff", 5: "tff"}  # AVFieldOrder: coded TT, BB, TB, BT; display decides
_GENERATE_PTS = 0x1  # AVFMT_FLAG_GENPTS
_NO_TIMESTAMPS = 0x80  # AVFMT_NOTIMESTAMPS: a bare stream of frames
_LIMITED_BY_DEFAULT = {"h264", "hevc", "av1", "vp8", "vp9", "mpeg1video", "mpeg2video", "mpeg4", "vvc"}


def probe(path: Path) -> Film:
    """Look at a file: its tracks, and the first frame of its first real video track. Pictures are films of one frame.

    Raises InputError, one line: missing, a folder, not a video, no video track, no frame, a pixel format or colour matrix that cannot
    be worked on.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a film")
    if not path.is_file():
        raise InputError(f"{path}: is not a regular file; save it to a file first")
    try:
        picture = pictures.is_picture(path)
    except OSError as trouble:
        raise InputError(f"{path}: cannot be read ({trouble.strerror})") from trouble
    if picture:
        return _still(path)
    with open_input(path) as container:
        stream = video_stream(container, path)
        frame = _first_frame(container, stream, path)
        return _film(path, container, stream, frame)


def open_input(path: Path) -> InputContainer:
    """Open a file for reading. Tags that are not UTF-8 survive as surrogate escapes. Raises InputError for what is no film."""
    errors: dict[str, Any] = {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
    try:
        container = cast(InputContainer, av.open(f"file:{path}", "r", **errors))
    except av.error.PermissionError as trouble:
        raise InputError(f"{path}: may not be read; check its permissions") from trouble
    except av.FFmpegError as trouble:
        raise InputError(f"{path}: is not a video that can be opened ({trouble.strerror})") from trouble
    if container.format.name == "avi" and any(
        s.codec_context and s.codec_context.name in ("h264", "hevc") for s in container.streams.video
    ):
        container.flags &= ~_GENERATE_PTS  # on by PyAV's default; FFmpeg invents wrong times where B-frames have none
    return container


def demux(container: InputContainer, *streams: Any) -> Iterator[Packet[Any]]:
    """As `container.demux`, but tracks that come up after the file was opened (recordings do that) are passed over: PyAV fails there."""
    while True:
        try:
            yield from container.demux(*streams)
        except IndexError:
            continue
        return


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The track that is coloured: the first video track that is no cover picture. Raises InputError where there is none."""
    tracks = [s for s in container.streams.video if not _is_cover(s)]
    if not tracks:
        raise InputError(f"{path}: has no video track")
    if cast(Any, tracks[0].codec_context) is None:
        raise InputError(f"{path}: there is no decoder for its video track")
    return tracks[0]


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> av.VideoFrame:
    stream.thread_type = "SLICE"  # frame threads would decode many frames to give one
    try:
        for packet in demux(container, stream):
            try:
                for frame in packet.decode():
                    return frame
            except av.FFmpegError:  # damaged: the reader reports it, here the next frame will do
                continue
    except av.FFmpegError as trouble:
        raise InputError(f"{path}: no frame can be decoded ({trouble.strerror})") from trouble
    raise InputError(f"{path}: its video track has no frame that can be decoded")


def _film(path: Path, container: InputContainer, stream: VideoStream, frame: av.VideoFrame) -> Film:
    time_base = exact(stream.time_base)
    if time_base is None:
        raise InputError(f"{path}: its video track has no time base")
    notes: list[str] = []
    form, layout, tagged = _layout(path, stream, frame, notes)
    seen = _side_data(frame, notes)
    pts = [t for t in (stream.start_time, frame.pts) if t is not None]
    begin = min(pts) * time_base if pts else Fraction(0)
    others = [s for s in container.streams if s is not stream]
    starts = [s.start_time * (exact(s.time_base) or 0) for s in others if s.type == "audio" and s.start_time is not None]
    start = min([begin, *map(Fraction, starts)])
    seekable = not container.format.flags & _NO_TIMESTAMPS
    declared = Fraction(container.duration, av.time_base) if container.duration and seekable else None  # else guessed from the bit rate
    matroska = container.format.name.startswith("matroska")
    if declared and matroska:  # its header tells the time of the end, not a length
        declared -= start
    if container.format.name == "avi" and stream.frames:  # of a file that is cut short FFmpeg guesses a duration by its size
        duration: Fraction | None = stream.frames * time_base
    elif matroska:
        duration = _tagged_end(stream, begin) or declared
    else:
        duration = (stream.duration * time_base if stream.duration and seekable else None) or declared
    rate = exact(stream.average_rate) or exact(stream.guessed_rate)
    frames = stream.frames or (round(duration * rate) if duration and rate else None)
    matrix = seen.get(Type.DISPLAYMATRIX)
    if form.alpha:
        notes.append("transparency is dropped")
    return Film(
        path=path,
        container=container.format.name,
        video=_stream(stream),
        others=tuple(_stream(s) for s in others),
        layout=layout,
        pix_fmt=frame.format.name,
        time_base=time_base,
        rate=rate,
        duration=duration,
        frames=frames,
        start=start,
        declared=declared,
        sample_aspect=exact(stream.sample_aspect_ratio) or exact(stream.codec_context.sample_aspect_ratio) or Fraction(1),
        rotation=frame.rotation % 360,
        display_matrix=struct.unpack("=9i", matrix[:36]) if matrix else None,
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        matrix=int(frame.colorspace),
        range_tagged=tagged[0],
        siting_tagged=tagged[1],
        hdr=_hdr(stream, seen),
        seekable=seekable,
        notes=tuple(notes),
    )


def _layout(path: Path, stream: VideoStream, frame: av.VideoFrame, notes: list[str]) -> tuple[PixelFormat, Layout, tuple[bool, bool]]:
    """The pixel format, the layout of the planes, and whether range and chroma siting were tagged."""
    try:
        form = describe(frame.format.name)
    except ValueError as trouble:
        raise InputError(f"{path}: {trouble}; convert it to a YUV or RGB format first") from trouble
    asked = _ask(frame)
    if form.rgb:
        return form, rgb_layout(frame.width, frame.height), (True, False)
    full = form.full_range or int(frame.color_range) == 2
    tagged = form.full_range or int(frame.color_range) in (1, 2)
    if not tagged and form.chroma == "400" and stream.codec_context.name not in _LIMITED_BY_DEFAULT:
        full = True
        notes.append("range not tagged: grey is taken as full range")
    siting = asked.get("cl", "unspecified")
    located = siting in ("left", "center", "topleft", "top", "bottomleft", "bottom")
    fields: dict[str, Fields] = {"T": "tff", "B": "bff"}
    layout = Layout(
        width=frame.width,
        height=frame.height,
        depth=form.depth,
        chroma=form.chroma,
        full_range=full,
        matrix=_matrix(path, frame, form, notes),
        siting=cast(Siting, siting) if located else "center" if form.name.startswith("yuvj") else "left",
        transfer=_TRANSFERS.get(int(frame.color_trc), "sdr"),
        fields=fields.get(asked.get("i", "P")) or _FIELD_ORDERS.get(stream.codec_context.field_order, "progressive"),
    )
    return form, layout, (tagged, located)


def _matrix(path: Path, frame: av.VideoFrame, form: PixelFormat, notes: list[str]) -> str:
    number = int(frame.colorspace)
    if number in _FOREIGN_MATRICES:
        raise InputError(f"{path}: colour matrix {_FOREIGN_MATRICES[number]} is not supported; convert the film to BT.709 or BT.2020 first")
    if number == 10:
        notes.append("BT.2020 constant luminance is treated as non-constant")
    if number in _MATRICES:
        return _MATRICES[number]
    if form.name.startswith("yuvj"):
        notes.append("colour matrix not tagged: BT.601 (JPEG)")
        return "bt601"
    matrix = "bt601" if frame.height <= 576 else "bt709"
    notes.append(f"colour matrix not tagged: {'BT.601' if matrix == 'bt601' else 'BT.709'} ({frame.height} lines)")
    return matrix


def _ask(frame: av.VideoFrame) -> dict[str, str]:
    """What FFmpeg's showinfo filter says of a frame ("cl" chroma location, "i" field order); PyAV gives no other way to it."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1))
    chain = [source, graph.add("sidedata", "mode=delete"), graph.add("showinfo", "checksum=0"), graph.add("buffersink")]
    graph.link_nodes(*chain).configure()
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture(local=True) as lines:
            graph.push(frame)
            graph.pull()
    finally:
        av.logging.set_level(level)
    text = " ".join(message for _, name, message in lines if name == "showinfo")
    return dict(re.findall(r"\b(cl|i):(\S+)", text))


def _stream(stream: Any) -> Stream:
    kinds: dict[str, Kind] = {"video": "video", "audio": "audio", "subtitle": "subtitle", "attachment": "attachment"}
    context = stream.codec_context
    codec = context.codec.canonical_name if context else stream.name if stream.type == "data" else None
    tags = stream.metadata
    return Stream(stream.index, kinds.get(stream.type, "data"), codec or "unknown", stream.language, tags.get("title"), _is_cover(stream))


def exact(value: Any) -> Fraction | None:
    """A rational of PyAV as a Fraction, None where it is unset: PyAV 18 says None, 19 says 0/1."""
    return Fraction(value.numerator, value.denominator) if value else None


def _tagged_end(stream: VideoStream, begin: Fraction) -> Fraction | None:
    """Seconds of a Matroska track by its DURATION tag, which is the time of its end; FFmpeg makes up `stream.duration` there."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if not found:
        return None
    end = int(found[1]) * 3600 + int(found[2]) * 60 + Fraction(found[3])
    return end - begin if end > begin else None


def _side_data(frame: av.VideoFrame, notes: list[str]) -> dict[Type, bytes]:
    """Side data of a frame by kind. PyAV 18 gives none at all when FFmpeg knows a kind that it does not."""
    try:
        return {entry.type: bytes(entry) for entry in side_data(frame)}
    except ValueError:
        notes.append("side data of the film cannot be read: HDR metadata, if any, will be missing")
        return {}


def side_data(frame: av.VideoFrame) -> list[SideData]:
    """Every piece of side data of a frame, asked for by number: iterating gives pieces in PyAV 18 and kinds in 19, and 19 counts kinds.

    Raises ValueError for a kind that PyAV 18 does not know.
    """
    pieces: Any = frame.side_data
    found: list[SideData] = []
    with contextlib.suppress(IndexError):
        while True:
            found.append(pieces[len(found)])
    return found


def _hdr(stream: VideoStream, seen: dict[Type, bytes]) -> Hdr | None:
    mastering = _mastering(seen[Type.MASTERING_DISPLAY_METADATA]) if Type.MASTERING_DISPLAY_METADATA in seen else None
    light = None
    if Type.CONTENT_LIGHT_LEVEL in seen:
        light = "{},{}".format(*struct.unpack_from("=2I", seen[Type.CONTENT_LIGHT_LEVEL]))
    dolby = stream.codec_context.codec_tag in ("dvh1", "dvhe", "dvav", "dva1", "dav1") or {Type.DOVI_RPU_BUFFER, Type.DOVI_METADATA} & set(
        seen
    )
    dynamic = [
        name
        for name, found in (
            ("Dolby Vision", dolby),
            ("HDR10+", Type.DYNAMIC_HDR_PLUS in seen),
            ("HDR Vivid", Type.DYNAMIC_HDR_VIVID in seen),
        )
        if found
    ]
    return Hdr(mastering, light, tuple(dynamic)) if mastering or light or dynamic else None


def _mastering(data: bytes) -> str | None:
    """x265's master-display string from AVMasteringDisplayMetadata: chromaticities in 1/50000, luminances in 1/10000 cd/m²."""
    numbers = struct.unpack_from("=22i", data)
    values = [Fraction(n, d) if d else Fraction(0) for n, d in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
    if not (numbers[20] and numbers[21]):
        return None
    chroma = [round(value * 50000) for value in values[:8]]
    (red, green, blue, white), (low, high) = [chroma[i : i + 2] for i in range(0, 8, 2)], (round(v * 10000) for v in values[8:])
    parts = zip(("G", "B", "R", "WP", "L"), (green, blue, red, white, (high, low)), strict=True)
    return "".join(f"{name}({a},{b})" for name, (a, b) in parts)


def _still(path: Path) -> Film:
    planes, extras = pictures.read_picture(path)
    film = film_of(path, planes.layout)
    video = Stream(0, "video", extras.codec)
    return replace(film, video=video, pix_fmt=extras.pix_fmt, rotation=extras.rotation, notes=extras.notes)


def film_of(path: Path, layout: Layout) -> Film:
    """A film of one frame of this layout, with nothing beside it."""
    return Film(
        path=path,
        container="picture",
        video=Stream(0, "video", "rawvideo"),
        others=(),
        layout=layout,
        pix_fmt="",
        time_base=Fraction(1),
        rate=None,
        duration=None,
        frames=1,
        range_tagged=True,
        still=True,
        seekable=False,
    )
