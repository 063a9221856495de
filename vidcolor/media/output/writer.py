"""Encodes one segment of a film and keeps its packets in a file of their own until the last mux."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import av
from av.filter import Graph

from vidcolor.errors import OutputError
from vidcolor.media.input.probe import Film
from vidcolor.media.output.choose_encoding import Encoding, matrix_number, open_encoder, reason
from vidcolor.media.samples.pack import pack
from vidcolor.picture.planes import Planes

MAGIC = b"vidcolor segment 1\n"
LENGTH = struct.Struct("<I")  # of the extradata that follows
RECORD = struct.Struct("<qqBI")  # pts, dts, 1 for a key frame, payload length


class Record(NamedTuple):
    """One encoded packet; times in the film's time base."""

    pts: int
    dts: int
    key: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """What was written: for the journal, and to tell a whole segment from a damaged one."""

    packets: int
    frames: int
    first_pts: int
    last_pts: int
    size: int
    sha256: str


class SegmentWriter:
    """A fresh encoder whose packets go to `path`, under that name only when complete.

    Raises OutputError where the encoder or the disk fails; the part that was written is then removed.
    """

    def __init__(self, path: Path, film: Film, encoding: Encoding) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._film = film
        self._encoding = encoding
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self.packets = 0
        self._size = 0
        self._pts: list[int] = []
        try:
            self._encoder = open_encoder(film, encoding)
            self._fields = _field_marker(film, encoding)
            self._file = self._part.open("wb")
            extradata = self._encoder.extradata or b""
            self._put(MAGIC + LENGTH.pack(len(extradata)) + extradata)
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def write(self, pts: int, planes: Planes) -> None:
        """Encode one picture; `pts` in the film's time base, rising. Grey planes get neutral chroma."""
        picture = pack(planes, self._encoding.layout, self._encoding.pix_fmt)
        picture.pts = pts
        picture.time_base = self._film.time_base
        _tag(picture, self._film, self._encoding)
        self._pts.append(pts)
        self._encode(self._fields(picture) if self._fields else picture)

    def close(self) -> SegmentInfo:
        """Flush the encoder, sync the file to the disk and give it its name."""
        self._encode(None)
        if self.packets != len(self._pts):
            self.abort()
            raise OutputError(f"{self._path.name}: {self._encoding.codec} took {len(self._pts)} frames and gave {self.packets} packets")
        try:
            assert self._file is not None
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise self._failed(error) from error
        return SegmentInfo(self.packets, len(self._pts), min(self._pts), max(self._pts), self._size, self._hash.hexdigest())

    def abort(self) -> None:
        """Give up: close and remove what was written. May be called at any time, also twice."""
        if self._file is not None:
            self._file.close()
        self._part.unlink(missing_ok=True)

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            for packet in self._encoder.encode(picture):
                if packet.size:
                    payload = bytes(packet)
                    pts = packet.pts if packet.pts is not None else 0
                    dts = packet.dts if packet.dts is not None else pts
                    self._put(RECORD.pack(pts, dts, packet.is_keyframe, len(payload)) + payload)
                    self.packets += 1
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def _failed(self, error: Exception) -> OutputError:
        try:
            self.abort()
        except OSError:  # closing a full disk's file fails again: the first failure is the one to tell
            self._part.unlink(missing_ok=True)
        what = f"{self._encoding.codec} failed" if isinstance(error, av.FFmpegError) else "cannot be written"
        return OutputError(f"{self._path}: {what}: {reason(error)}")


def read_header(path: Path) -> tuple[bytes, list[tuple[int, int]]]:
    """Extradata of the encoder, and (pts, dts) of each packet in coded order. Raises OutputError for a file that is not whole."""
    with path.open("rb") as file:
        extradata = _read_extradata(path, file)
        times = []
        while head := file.read(RECORD.size):
            pts, dts, _, length = RECORD.unpack(_whole(path, head, RECORD.size))
            times.append((pts, dts))
            file.seek(length, os.SEEK_CUR)
        if file.tell() > path.stat().st_size:
            raise _cut_short(path)
    return extradata, times


def read_packets(path: Path) -> Iterator[Record]:
    """The packets in coded order. Raises OutputError for a file that is not whole."""
    with path.open("rb") as file:
        _read_extradata(path, file)
        while head := file.read(RECORD.size):
            pts, dts, key, length = RECORD.unpack(_whole(path, head, RECORD.size))
            yield Record(pts, dts, bool(key), _whole(path, file.read(length), length))


def _read_extradata(path: Path, file: BinaryIO) -> bytes:
    if file.read(len(MAGIC)) != MAGIC:
        raise OutputError(f"{path}: not a segment; remove it and start afresh")
    (length,) = LENGTH.unpack(_whole(path, file.read(LENGTH.size), LENGTH.size))
    return _whole(path, file.read(length), length)


def _whole(path: Path, data: bytes, length: int) -> bytes:
    if len(data) < length:
        raise _cut_short(path)
    return data


def _cut_short(path: Path) -> OutputError:
    return OutputError(f"{path}: segment is cut short; remove it and start afresh")


def _tag(picture: av.VideoFrame, film: Film, encoding: Encoding) -> None:
    """Some encoders take colour tags from the frame, some from the context: both are told."""
    picture.color_range = 2 if encoding.layout.full_range else 1
    picture.color_primaries, picture.color_trc = film.primaries, film.transfer
    picture.colorspace = matrix_number(film, encoding)


def _field_marker(film: Film, encoding: Encoding) -> Any:
    """A filter that marks frames as interlaced with their field order: PyAV cannot set it on a frame. None for progressive film."""
    if encoding.layout.fields == "progressive":
        return None
    graph = Graph()
    layout = encoding.layout
    source = graph.add_buffer(width=layout.width, height=layout.height, format=av.VideoFormat(encoding.pix_fmt), time_base=film.time_base)
    source.link_to(marker := graph.add("setfield", layout.fields))
    marker.link_to(graph.add("buffersink"))
    graph.configure()

    def mark(picture: av.VideoFrame) -> av.VideoFrame:
        graph.push(picture)
        marked = graph.pull()
        marked.pts = picture.pts
        return marked  # type: ignore[return-value]

    return mark


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where folders can be opened (not on Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
