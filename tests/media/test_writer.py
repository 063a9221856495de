"""SegmentWriter: what is encoded is what was given, and a segment under its name is whole."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vidcolor.errors import OutputError
from vidcolor.media.encoding import Encoding, Request, plan_encoding
from vidcolor.media.probe import Film, Stream
from vidcolor.media.writer import SegmentWriter, read_header, read_packets
from vidcolor.planes import Layout, Planes


def film_of(layout: Layout, pix_fmt: str = "gray", time_base: Fraction = Fraction(1, 25)) -> Film:
    return Film(Path("film.mkv"), "matroska", Stream(0, "video", "ffv1"), (), layout, pix_fmt, time_base, Fraction(25), None, None)


def planes_of(layout: Layout, seed: int = 0) -> Planes:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 1 << layout.depth, (layout.height, layout.width)).astype(layout.dtype)
    if layout.chroma == "400":
        return Planes(y, None, None, layout)
    cb, cr = (rng.integers(0, 1 << layout.depth, layout.chroma_shape).astype(layout.dtype) for _ in range(2))
    return Planes(y, cb, cr, layout)


def encoding_for(film: Film, out: str = "out.mkv", **asked: object) -> Encoding:
    return plan_encoding(film, Path(out), Request(threads=1, **asked))  # type: ignore[arg-type]


def test_a_segment_holds_one_packet_a_frame_and_its_hash(tmp_path):
    layout = Layout(64, 48, chroma="400")
    film = film_of(layout)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding_for(film, preset="ultrafast"))
    for number in range(5):
        writer.write(number * 3, planes_of(layout, number))
    assert not (tmp_path / "0.seg").exists()
    info = writer.close()
    assert (info.packets, info.frames, info.first_pts, info.last_pts) == (5, 5, 0, 12)
    data = (tmp_path / "0.seg").read_bytes()
    assert (info.size, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    records = list(read_packets(tmp_path / "0.seg"))
    assert sorted(record.pts for record in records) == [0, 3, 6, 9, 12]
    assert records[0].key
    assert [(record.pts, record.dts) for record in records] == read_header(tmp_path / "0.seg")[1]
    assert [path.name for path in tmp_path.iterdir()] == ["0.seg"]


def test_abort_leaves_nothing(tmp_path):
    layout = Layout(64, 48, chroma="400")
    film = film_of(layout)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding_for(film))
    writer.write(0, planes_of(layout))
    writer.abort()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_segment_cut_short_is_told(tmp_path):
    layout = Layout(64, 48, chroma="400")
    film = film_of(layout)
    writer = SegmentWriter(tmp_path / "0.seg", film, encoding_for(film, codec="ffv1"))
    writer.write(0, planes_of(layout))
    writer.close()
    data = (tmp_path / "0.seg").read_bytes()
    (tmp_path / "0.seg").write_bytes(data[:-1])
    with pytest.raises(OutputError, match="cut short"):
        list(read_packets(tmp_path / "0.seg"))
    with pytest.raises(OutputError, match="cut short"):
        read_header(tmp_path / "0.seg")
