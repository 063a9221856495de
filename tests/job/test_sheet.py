"""The contact sheet shows the colours that the planes hold."""

import numpy as np
import pytest

from vidcolor.job.sheet import before_after, to_rgb
from vidcolor.planes import Layout, Planes


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
    shown = to_rgb(flat(layout, *codes))
    assert shown.shape == (4, 8, 3)
    np.testing.assert_allclose(shown, np.broadcast_to(rgb, shown.shape), atol=2)


def test_before_stands_above_after() -> None:
    dark, light = (flat(Layout(40, 30, chroma="400"), y, None, None) for y in (16, 235))
    sheet = before_after([(dark, light)] * 3, width=300)
    assert sheet.shape[1] == 300
    half = sheet.shape[0] // 2
    assert sheet[: half - 4, :90].max() == 0
    assert sheet[half + 4 :].min() == 255


def test_no_pairs_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        before_after([])
