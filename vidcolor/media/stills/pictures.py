"""Still pictures: read as planes, written with what surrounds them (orientation, colour profile, resolution)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np

from vidcolor.errors import InputError, OutputError
from vidcolor.media.samples.formats import describe
from vidcolor.media.samples.unpack import from_rgb, rgb_layout, to_rgb, unpack
from vidcolor.media.stills.picture_tags import PictureFormat, Tags, add_tags, as_stored, format_of, is_animated_png, read_tags
from vidcolor.picture.planes import Layout, Planes

SUFFIXES: dict[str, PictureFormat] = {
    ".bmp": "bmp", ".jpeg": "jpeg", ".jpg": "jpeg", ".png": "png", ".tif": "tiff", ".tiff": "tiff", ".webp": "webp",
}  # fmt: skip
"""Format of a picture by the end of its name."""
_DECODERS = {"jpeg": "mjpeg", "png": "png", "webp": "webp", "bmp": "bmp"}
_HEAD = 65536  # bytes in which an animated PNG says so
_ADOBE_DEFLATE = 8  # TIFF compression; older OpenCV has no name for it
_LOSSLESS = 101  # WebP quality that OpenCV takes for lossless
_ROTATIONS = {3: 180, 4: 180, 5: 270, 6: 270, 7: 90, 8: 90}


@dataclass(frozen=True, slots=True)
class PictureExtras:
    """What a picture file holds beside its planes.

    `depth` is the bit depth of the stored samples; `codec` and `pix_fmt` are FFmpeg's words; `notes` say what is left behind.
    """

    format: PictureFormat
    codec: str
    pix_fmt: str
    depth: int = 8
    tags: Tags = field(default_factory=Tags)
    notes: tuple[str, ...] = ()

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise to turn for display (mirroring left aside)."""
        return _ROTATIONS.get(self.tags.orientation, 0)


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture, by its first bytes: JPEG, PNG, TIFF, WebP or BMP. Motion JPEG and animations are not."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    kind = format_of(head)
    if kind == "jpeg":
        return path.suffix.lower() not in (".mjpg", ".mjpeg")
    if kind == "webp":
        return not (head[12:16] == b"VP8X" and head[20] & 0x02)
    return kind is not None and not (kind == "png" and is_animated_png(head))


def read_picture(path: Path) -> tuple[Planes, PictureExtras]:
    """Planes as stored (not turned), and what surrounds them.

    JPEG and lossy WebP give their own YUV planes, so luma is the decoder's; grey is full range with chroma "400"; everything else
    becomes 16-bit RGB planes. Transparency is dropped, and so is a grey colour profile, which would not fit a colour picture.
    Raises InputError: unreadable, damaged, CMYK, floating point.
    """
    try:
        data = path.read_bytes()
    except OSError as trouble:
        raise InputError(f"{path}: cannot be read ({trouble.strerror})") from trouble
    kind = format_of(data[:16])
    if kind is None:
        raise InputError(f"{path}: is not a JPEG, PNG, TIFF, WebP or BMP picture")
    tags, notes = read_tags(data, kind), []
    if tags.cmyk:
        raise InputError(f"{path}: CMYK pictures are not supported; convert it to RGB first")
    if tags.icc and tags.icc[16:20] == b"GRAY":
        tags = Tags(tags.exif, None, tags.xmp, tags.dpi, tags.orientation)
        notes.append("the grey colour profile is dropped: it does not fit a colour picture")
    planes, pix_fmt, depth, alpha = _tiff(path, data) if kind == "tiff" else _decoded(path, data, _DECODERS[kind])
    if alpha:
        notes.append("transparency is dropped")
    return planes, PictureExtras(kind, _DECODERS.get(kind, "tiff"), pix_fmt, depth, tags, tuple(notes))


def _decoded(path: Path, data: bytes, codec: str) -> tuple[Planes, str, int, bool]:
    decoder = cast(Any, av.CodecContext.create(codec, "r"))
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except av.FFmpegError as trouble:
        raise InputError(f"{path}: the picture is damaged ({trouble.strerror})") from trouble
    if not frames:
        raise InputError(f"{path}: the picture is damaged: it gives no image")
    frame: av.VideoFrame = frames[0]
    try:
        form = describe(frame.format.name)
    except ValueError as trouble:
        raise InputError(f"{path}: {trouble}; save it as 8- or 16-bit RGB or grey") from trouble
    size = frame.width, frame.height
    if form.rgb:
        layout = rgb_layout(*size)
    elif form.chroma == "400":
        matrix = "bt601" if codec == "mjpeg" else "bt709"  # of the grey JPEG and of the coloured one: JFIF knows no other
        layout = Layout(*size, form.depth, "400", True, matrix, "center")
    else:
        full = form.full_range or int(frame.color_range) == 2
        layout = Layout(*size, form.depth, form.chroma, full, "bt601", "center")
    return unpack(frame, layout), form.name, form.fields[0][1] if form.fields else form.depth, _see_through(frame)


def _see_through(frame: av.VideoFrame) -> bool:
    """Whether any sample is transparent: many files have an alpha channel that says nothing."""
    form = describe(frame.format.name)
    return form.alpha and form.packing != "palette" and bool((frame.to_ndarray(format="rgba")[..., 3] < 255).any())


def _tiff(path: Path, data: bytes) -> tuple[Planes, str, int, bool]:
    """TIFF through libtiff, which knows more of its kinds than FFmpeg."""
    try:
        image = cast(Any, cv2.imdecode(np.frombuffer(as_stored(data), np.uint8), cv2.IMREAD_UNCHANGED))
    except cv2.error:  # too large, or damaged beyond libtiff's patience
        image = None
    if image is None:
        raise InputError(f"{path}: the picture is damaged, or of a kind that cannot be read")
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: {image.dtype} samples are not supported; save it as 8 or 16 bit")
    depth = image.dtype.itemsize * 8
    height, width = image.shape[:2]
    if image.ndim == 2:
        return (
            Planes(image, None, None, Layout(width, height, depth, "400", True, "bt709", "center")),
            "gray" if depth == 8 else "gray16le",
            depth,
            False,
        )
    alpha = image.shape[2] == 4 and bool((image[..., 3] < (1 << depth) - 1).any())
    rgb = np.ascontiguousarray(image[..., 2::-1])
    return from_rgb(rgb, float((1 << depth) - 1), rgb_layout(width, height)), "rgb24" if depth == 8 else "rgb48le", depth, alpha


def write_picture(path: Path, planes: Planes, extras: PictureExtras, quality: int = 95, format: PictureFormat | None = None) -> list[str]:
    """Write 4:4:4 or grey planes under exactly this path, in `format` or, without one, in that of the source.

    16 bit where source and format have it (PNG, TIFF). `quality` 1 to 100 is that of JPEG and WebP; JPEG is 4:4:4, and a WebP made of
    a lossless one is lossless. Returns notes on
    what the format could not hold. Raises OutputError when the file cannot be written, ValueError for subsampled planes.
    """
    kind = format or extras.format
    depth = 16 if extras.depth > 8 and kind in ("png", "tiff") else 8
    rgb = to_rgb(planes, depth)
    lossless = extras.format == kind and describe(extras.pix_fmt).rgb  # lossy WebP is YUV
    settings = {
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS if lossless else quality],
        "tiff": [cv2.IMWRITE_TIFF_COMPRESSION, _ADOBE_DEFLATE],
    }
    suffix = {"jpeg": ".jpg", "tiff": ".tif"}.get(kind, f".{kind}")
    try:
        done, coded = cv2.imencode(suffix, np.ascontiguousarray(rgb[..., ::-1]), settings.get(kind, []))
    except cv2.error as trouble:
        raise OutputError(f"{path}: {kind} cannot hold a picture of {planes.layout.width}x{planes.layout.height}") from trouble
    if not done:
        raise OutputError(f"{path}: the {kind} encoder failed; choose another format")
    try:
        path.write_bytes(add_tags(coded.tobytes(), kind, extras.tags))
    except OSError as trouble:
        raise OutputError(f"{path}: cannot be written ({trouble.strerror})") from trouble
    return _lost(extras, kind, depth)


def _lost(extras: PictureExtras, kind: PictureFormat, depth: int) -> list[str]:
    tags, notes = extras.tags, []
    if depth < extras.depth:
        notes.append(f"{extras.depth} bit become 8: {kind} has no more")
    if kind == "bmp" and any((tags.exif, tags.icc, tags.xmp, tags.dpi)):
        notes.append("BMP holds no Exif, colour profile, XMP or resolution")
    if kind == "tiff" and tags.exif and extras.format != "tiff":
        notes.append("of Exif only orientation, resolution and texts go into TIFF")
    if kind == "webp" and tags.dpi and not tags.exif:
        notes.append("WebP holds no resolution")
    return notes
