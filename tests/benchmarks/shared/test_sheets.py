"""Contact sheets."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.shared import sheets


def flat(value: int, height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), (value, 0, 0), np.uint8)


def test_pictures_keep_their_aspect_and_stand_in_rows_and_columns() -> None:
    rows = [[flat(10, 50, 100), flat(20, 100, 50)], [flat(30, 100, 100), flat(40, 40, 20)]]
    made = sheets.sheet(rows, height=20)
    assert made.shape == (20 + 4 + 20, 40 + 4 + 10, 3)
    assert [int(made[y, x, 0]) for y, x in ((5, 20), (5, 47), (30, 10), (30, 47))] == [10, 20, 30, 40]
    assert (made[20:24] == 255).all()
    assert (made[24:, 20:44] == 255).all()  # the square is narrower than its column


def test_a_sheet_is_written_in_its_colours(tmp_path: Path) -> None:
    sheets.save(tmp_path / "new" / "a.png", [[flat(200, 8, 8)]], height=8)
    assert cv2.imread(str(tmp_path / "new" / "a.png"))[0, 0].tolist() == [0, 0, 200]  # OpenCV reads BGR


def test_a_sheet_without_pictures_or_with_ragged_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sheets.sheet([[]])
    with pytest.raises(ValueError, match="zip"):
        sheets.sheet([[flat(1, 8, 8)], []])
