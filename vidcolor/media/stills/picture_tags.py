"""What surrounds the pixels of a picture file: Exif, colour profile, XMP and resolution of JPEG, PNG, WebP and TIFF.

Layouts by Exif 2.32 (its IFDs are TIFF 6.0's), ICC.1:2022 annex B, PNG third edition, and Google's WebP container.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

PictureFormat = Literal["jpeg", "png", "tiff", "webp", "bmp"]
Entries = dict[int, tuple[int, int, bytes]]
"""TIFF entries by tag: (type, count, value in little-endian order)."""

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
_XMP_TAG, _ICC_TAG = 700, 34675
_TEXT_TAGS = (270, 271, 272, 305, 306, 315, 33432)  # description, make, model, software, date, artist, copyright
_PHOTOMETRIC, _CMYK = 262, 5
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_JPEG_ICC = b"ICC_PROFILE\0"
_JPEG_EXIF = b"Exif\0\0"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_INCH = 0.0254  # metres
_SEGMENT = 65533  # most bytes of a JPEG segment


@dataclass(frozen=True, slots=True)
class Tags:
    """`exif` is a TIFF structure (what follows "Exif\\0\\0" in JPEG); `dpi` is across, down; `orientation` Exif's 1 to 8."""

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    orientation: int = 1
    cmyk: bool = False


def format_of(head: bytes) -> PictureFormat | None:
    """The format that the first bytes of a file name; None for anything but the five."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    starts: dict[bytes, PictureFormat] = {b"\xff\xd8\xff": "jpeg", _PNG_START: "png", b"BM": "bmp"}
    starts |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff")
    return next((name for start, name in starts.items() if head.startswith(start)), None)


def read_tags(data: bytes, kind: PictureFormat) -> Tags:
    """Tags of a picture file. What is damaged counts as absent."""
    try:
        found = {"jpeg": _from_jpeg, "png": _from_png, "webp": _from_webp, "tiff": _from_tiff, "bmp": _from_bmp}[kind](data)
    except (struct.error, IndexError, ValueError, zlib.error):
        return Tags()
    entries = read_entries(found.exif) if found.exif else {}
    orientation = _number(entries, ORIENTATION) or 1
    return Tags(found.exif, found.icc, found.xmp, found.dpi or _dpi(entries), orientation if 1 <= orientation <= 8 else 1, found.cmyk)


def add_tags(data: bytes, kind: PictureFormat, tags: Tags) -> bytes:
    """The picture file with these tags added; it must have none of them yet. Formats without a place for a tag leave it out."""
    return {"jpeg": _to_jpeg, "png": _to_png, "webp": _to_webp, "tiff": _to_tiff}[kind](data, tags) if kind != "bmp" else data


def read_entries(data: bytes) -> Entries:
    """The first IFD of a TIFF structure, without sub-IFDs; empty where it is damaged. BigTIFF is not read."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8 or data[2:4] not in (b"*\0", b"\0*"):
        return {}
    entries: Entries = {}
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        for place in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(f"{order}HHI", data, place)
            size = _TYPE_SIZES.get(kind, 1) * number
            (offset,) = (place + 8,) if size <= 4 else struct.unpack_from(f"{order}I", data, place + 8)
            value = data[offset : offset + size]
            if len(value) == size:
                entries[tag] = (kind, number, value if order == "<" else _swapped(value, kind))
    except struct.error:
        return entries
    return entries


def write_entries(entries: Entries, at: int, following: int = 0) -> bytes:
    """An IFD in little-endian order for offset `at`, its long values behind it."""
    spot = at + 2 + 12 * len(entries) + 4
    table, values = struct.pack("<H", len(entries)), b""
    for tag, (kind, number, value) in sorted(entries.items()):
        table += struct.pack("<HHI", tag, kind, number)
        if len(value) <= 4:
            table += value.ljust(4, b"\0")
        else:
            table += struct.pack("<I", spot + len(values))
            values += value + b"\0" * (len(value) % 2)
    return table + struct.pack("<I", following) + values


def as_stored(data: bytes) -> bytes:
    """The TIFF file with its orientation set to 1, since OpenCV turns the pixels by it even when asked for them unchanged."""
    order = "<" if data[:2] == b"II" else ">"
    if ORIENTATION not in read_entries(data):
        return data
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    place = at + 2
    while struct.unpack_from(f"{order}H", data, place)[0] != ORIENTATION:
        place += 12
    return data[: place + 8] + struct.pack(f"{order}H", 1) + data[place + 10 :]


def _swapped(value: bytes, kind: int) -> bytes:
    word = {3: 2, 8: 2, 4: 4, 9: 4, 5: 4, 10: 4, 11: 4, 13: 4, 12: 8}.get(kind, 1)
    return b"".join(value[i : i + word][::-1] for i in range(0, len(value), word))


def _number(entries: Entries, tag: int) -> int | None:
    kind, _, value = entries.get(tag, (0, 0, b""))
    return int.from_bytes(value[: _TYPE_SIZES[kind]], "little") if kind in (1, 3, 4) else None


def _dpi(entries: Entries) -> tuple[float, float] | None:
    pair = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        kind, _, value = entries.get(tag, (0, 0, b""))
        if kind != 5:
            return None
        above, below = struct.unpack_from("<II", value)
        pair.append(above / below if below else 0.0)
    per = {2: 1.0, 3: 2.54}.get(_number(entries, RESOLUTION_UNIT) or 2)
    return (pair[0] * per, pair[1] * per) if per and min(pair) > 0 else None


def _dpi_entries(dpi: tuple[float, float]) -> Entries:
    across, down = (struct.pack("<II", round(value * 1000), 1000) for value in dpi)
    return {X_RESOLUTION: (5, 1, across), Y_RESOLUTION: (5, 1, down), RESOLUTION_UNIT: (3, 1, b"\2\0")}


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, payload) of a JPEG file up to its scan."""
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        if data[at + 1] == 0xFF:  # fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield data[at + 1], data[at + 4 : at + 2 + length]
        at += 2 + length


def _from_jpeg(data: bytes) -> Tags:
    exif = xmp = dpi = None
    cmyk, profile = False, {}
    for marker, body in _segments(data):
        if marker == 0xE0 and body[:5] == b"JFIF\0" and len(body) >= 12:
            per = {1: 1.0, 2: 2.54}.get(body[7])
            across, down = struct.unpack_from(">HH", body, 8)
            dpi = (across * per, down * per) if per and across and down else None
        elif marker == 0xE1 and body.startswith(_JPEG_EXIF):
            exif = exif or body[6:]
        elif marker == 0xE1 and body.startswith(_JPEG_XMP):
            xmp = xmp or body[len(_JPEG_XMP) :]
        elif marker == 0xE2 and body.startswith(_JPEG_ICC):
            profile[body[12]] = body[14:]
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            cmyk = body[5] == 4
    return Tags(exif, b"".join(profile[n] for n in sorted(profile)) or None, xmp, dpi, cmyk=cmyk)


def _to_jpeg(data: bytes, tags: Tags) -> bytes:
    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body if len(body) <= _SEGMENT else b""

    (length,) = struct.unpack_from(">H", data, 4)  # the encoder's own JFIF segment gives way
    units = struct.pack(">BHH", 1, *(min(round(value), 65535) for value in tags.dpi)) if tags.dpi else b"\0\0\1\0\1"
    out = data[:2] + segment(0xE0, b"JFIF\0\1\1" + units + b"\0\0")
    out += segment(0xE1, _JPEG_EXIF + tags.exif) if tags.exif else b""
    out += segment(0xE1, _JPEG_XMP + tags.xmp) if tags.xmp else b""
    if tags.icc:
        parts = [tags.icc[i : i + _SEGMENT - 14] for i in range(0, len(tags.icc), _SEGMENT - 14)]
        out += b"".join(segment(0xE2, _JPEG_ICC + bytes([n, len(parts)]) + part) for n, part in enumerate(parts, 1))
    return out + data[4 + length :]


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def is_animated_png(data: bytes) -> bool:
    """Whether a PNG announces more than one frame; the beginning of the file is enough."""
    for name, _ in _png_chunks(data):
        if name in (b"acTL", b"IDAT"):
            return name == b"acTL"
    return False


def _from_png(data: bytes) -> Tags:
    chunks = dict(_png_chunks(data))
    dpi = icc = xmp = None
    if b"pHYs" in chunks:
        across, down, unit = struct.unpack(">IIB", chunks[b"pHYs"])
        dpi = (across * _INCH, down * _INCH) if unit == 1 and across and down else None
    if b"iCCP" in chunks:
        icc = zlib.decompress(chunks[b"iCCP"].partition(b"\0")[2][1:])
    if chunks.get(b"iTXt", b"").startswith(_PNG_XMP):
        xmp = chunks[b"iTXt"][len(_PNG_XMP) :]
    return Tags(chunks.get(b"eXIf"), icc, xmp, dpi)


def _to_png(data: bytes, tags: Tags) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    out = b""
    if tags.icc:
        out += chunk(b"iCCP", b"icc\0\0" + zlib.compress(tags.icc))
    if tags.dpi:
        out += chunk(b"pHYs", struct.pack(">IIB", *(round(value / _INCH) for value in tags.dpi), 1))
    out += chunk(b"eXIf", tags.exif) if tags.exif else b""
    out += chunk(b"iTXt", _PNG_XMP + tags.xmp) if tags.xmp else b""
    head = 8 + 12 + 13  # signature and IHDR
    return data[:head] + out + data[head:]


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _from_webp(data: bytes) -> Tags:
    chunks = dict(_riff_chunks(data))
    exif = chunks.get(b"EXIF")
    return Tags(exif.removeprefix(_JPEG_EXIF) if exif else None, chunks.get(b"ICCP"), chunks.get(b"XMP "))


def _to_webp(data: bytes, tags: Tags) -> bytes:
    """The extended container (VP8X) around a plain one; WebP has no place for the resolution but Exif."""
    chunks = dict(_riff_chunks(data))
    if b"VP8 " in chunks:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", chunks[b"VP8 "], 6))
    else:
        (packed,) = struct.unpack_from("<I", chunks[b"VP8L"], 1)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    pictured = next((name, body) for name, body in chunks.items() if name in (b"VP8 ", b"VP8L"))
    flags = 0x20 * bool(tags.icc) | 0x08 * bool(tags.exif) | 0x04 * bool(tags.xmp)
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    parts = [(b"VP8X", struct.pack("<I", flags) + sides), (b"ICCP", tags.icc), pictured, (b"EXIF", tags.exif), (b"XMP ", tags.xmp)]
    body = b"".join(name + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for name, part in parts if part)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _from_tiff(data: bytes) -> Tags:
    entries = read_entries(data)
    kept = {tag: entries[tag] for tag in (ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, *_TEXT_TAGS) if tag in entries}
    exif = b"II*\0\x08\0\0\0" + write_entries(kept, 8) if kept else None
    icc, xmp = (entries[tag][2] if tag in entries else None for tag in (_ICC_TAG, _XMP_TAG))
    return Tags(exif, icc, xmp, cmyk=_number(entries, _PHOTOMETRIC) == _CMYK)


def _to_tiff(data: bytes, tags: Tags) -> bytes:
    """A new IFD at the end of the file; the first one stays behind unused."""
    entries = read_entries(data)
    given = read_entries(tags.exif) if tags.exif else {}
    entries |= {tag: given[tag] for tag in (ORIENTATION, *_TEXT_TAGS) if tag in given}
    entries |= _dpi_entries(tags.dpi) if tags.dpi else {}
    entries |= {_ICC_TAG: (7, len(tags.icc), tags.icc)} if tags.icc else {}
    entries |= {_XMP_TAG: (1, len(tags.xmp), tags.xmp)} if tags.xmp else {}
    data += b"\0" * (len(data) % 2)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + write_entries(entries, len(data))


def _from_bmp(data: bytes) -> Tags:
    across, down = struct.unpack_from("<ii", data, 38)
    return Tags(dpi=(across * _INCH, down * _INCH) if across > 0 and down > 0 else None)
