"""A network sees a film as a person does."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.media.clips import make
from vidcolor.media.input.probe import probe
from vidcolor.picture.planes import Box, Layout, Planes
from vidcolor.pipeline.build import view_of
from vidcolor.stages.base import Frame
from vidcolor.stages.shrink import Shrink, View


def half_dark(tmp_path: Path, orientation: int) -> Path:
    """A JPEG whose top is light when it is shown upright, stored as Exif `orientation` says (TIFF/EXIF 2.3, tag 0x0112)."""
    upright = np.full((64, 96), 30, np.uint8)
    upright[:20] = 220
    stored = {1: upright, 3: np.rot90(upright, 2), 6: np.rot90(upright), 8: np.rot90(upright, -1)}[orientation]
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(stored))
    assert done
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0\0\0\0\0"
    path = tmp_path / f"{orientation}.jpg"
    path.write_bytes(data.tobytes()[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data.tobytes()[2:])
    return path


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_network_sees_a_sideways_picture_upright(tmp_path: Path, orientation: int) -> None:
    from vidcolor.media.stills.pictures import read_picture

    path = half_dark(tmp_path, orientation)
    film, (planes, _) = probe(path), read_picture(path)
    view = view_of(film, Box(0, 0, film.layout.width, film.layout.height), 256)
    (frame,) = Shrink(view).run([Frame(0, 0, planes)])
    height, width = frame.work.luma.shape
    assert width > height
    assert frame.work.luma[: height // 4].min() > 0.7
    assert frame.work.luma[height // 2 :].max() < 0.3


def test_a_film_is_turned_as_its_display_matrix_says(tmp_path: Path) -> None:
    film = probe(make(tmp_path / "turned.mp4", size=(96, 64), rotation=90))
    assert view_of(film, Box(0, 0, 96, 64), 256) == View(Box(0, 0, 96, 64), (384, 256), 1)


def test_the_view_has_the_displayed_proportions(tmp_path: Path) -> None:
    film = replace(probe(make(tmp_path / "wide.mp4", size=(96, 64))), sample_aspect=Fraction(4, 3))
    assert view_of(film, Box(0, 0, 96, 64), 256).size == (256, 512)


def test_a_plain_view_is_the_box_itself() -> None:
    layout = Layout(64, 64, chroma="400", full_range=True)
    y = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
    (frame,) = Shrink(View(Box(0, 0, 64, 64), (64, 64), 0)).run([Frame(0, 0, Planes(y, None, None, layout))])
    np.testing.assert_allclose(frame.work.luma, y / 255, atol=1e-6)
