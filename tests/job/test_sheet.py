"""The contact sheet shows the colours that the planes hold."""

import numpy as np
import pytest

from vidcolor.job.sheet import before_after, to_screen
from vidcolor.picture.planes import Layout, Planes


def flat(layout: Layout, y: int, cb: int | None, cr: int | None) -> Planes:
    def plane(value: int | None, shape: tuple[int, int]) -> np.ndarray | None:
        return None if value is None else np.full(shape, value, layout.dtype)

    luma = plane(y, (layout.height, layout.width))
    assert luma is not None
    return Planes(luma, plane(cb, layout.chroma_shape), plane(cr, layout.chroma_shape), layout)


@pytest.mark.parametrize(
    ("layout", "codes", "rgb"),
    [
        (Layout(8, 4, chroma="400"), (126, None, None), (128, 128, 128)),
        (Layout(8, 4), (63, 102, 240), (255, 0, 0)),  # red in BT.709, limited range
        (Layout(8, 4, matrix="bt601"), (81, 90, 240), (255, 0, 0)),  # red in BT.601
        (Layout(8, 4, depth=10, chroma="444", full_range=True), (74, 1023, 465), (0, 0, 255)),  # blue, full range
    ],
    ids=["grey", "709", "601", "10 bit full"],
)
def test_known_colours(layout: Layout, codes: tuple[int, int | None, int | None], rgb: tuple[int, int, int]) -> None:
    shown = to_screen(flat(layout, *codes))
    assert shown.shape == (4, 8, 3)
    np.testing.assert_allclose(shown, np.broadcast_to(rgb, shown.shape), atol=2)


def test_before_stands_above_after() -> None:
    dark, light = (flat(Layout(40, 30, chroma="400"), y, None, None) for y in (16, 235))
    sheet = before_after([(dark, light)] * 3, width=300)
    assert sheet.shape[1] == 300
    half = sheet.shape[0] // 2
    assert sheet[: half - 4, :90].max() == 0
    assert sheet[half + 4 :].min() == 255


def test_many_pictures_stand_in_rows_so_that_they_can_be_seen() -> None:
    dark, light = (flat(Layout(160, 90, chroma="400"), y, None, None) for y in (16, 235))
    sheet = before_after([(dark, light)] * 6, width=600)
    assert sheet.shape == (2 * 2 * (111 + 4) - 4, 600, 3)  # three in each of two rows
    assert [sheet[row, 100].max() for row in (50, 165, 280, 395)] == [0, 255, 0, 255]


def test_pictures_are_shown_as_a_player_shows_them() -> None:
    layout = Layout(40, 30, chroma="400")
    codes = np.full((30, 40), 16, np.uint8)
    codes[:, 30:] = 235  # light at the right
    planes = Planes(codes, None, None, layout)
    wide = before_after([(planes, planes)], width=400, sample_aspect=2)
    assert wide.shape[0] == 2 * 150 + 4
    turned = before_after([(planes, planes)], width=300, turns=1)
    assert turned.shape[0] == 2 * 400 + 4
    assert turned[50, 150].min() == 255 and turned[350, 150].max() == 0, "a quarter counter-clockwise: the right side is up"


def test_no_pairs_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        before_after([])
