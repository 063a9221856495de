"""Fuse: luma leaves as it came, colour lies where it belongs and inside RGB."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.stages.making import frame_of
from vidcolor.picture.chroma import upsample
from vidcolor.picture.matrices import rgb_offsets
from vidcolor.picture.planes import SUBSAMPLING, Box, Layout, Planes, shrink
from vidcolor.stages.base import Frame, Work
from vidcolor.stages.render_color import RenderColor

FORMATS = ["420", "422", "444", "440", "411", "410"]


def picture(layout: Layout, seed: int = 0) -> np.ndarray:
    """Luma codes with smooth parts, edges, and every code of the range."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((layout.height // 8 + 1, layout.width // 8 + 1), dtype=np.float32)
    luma = cv2.resize(coarse, (layout.width, layout.height), interpolation=cv2.INTER_NEAREST)
    luma += rng.normal(0, 0.1, luma.shape)
    black, white = layout.luma_codes
    return np.clip(np.round(black + luma * (white - black)), 0, (1 << layout.depth) - 1).astype(layout.dtype)


def colored(source: Layout, target: Layout, chroma: np.ndarray | float = 0.2, box: Box | None = None, y: np.ndarray | None = None) -> Frame:
    y = picture(source) if y is None else y
    y.flags.writeable = False
    box = box or Box(0, 0, source.width, source.height)
    planes = Planes(y, None, None, source)
    work = Work(shrink(planes, box, (32, 64)), box, np.broadcast_to(np.asarray(chroma, np.float32), (2, 8, 16)).copy())
    return next(RenderColor(target).run([frame_of(0, 0, planes, work)]))


def to_rgb(out: Planes) -> np.ndarray:
    """RGB in [0, 1], chroma repeated to full size; the matrix from its definition."""
    layout = out.layout
    across, down = SUBSAMPLING[layout.chroma]
    black, white = layout.luma_codes
    neutral, span = layout.chroma_codes
    luma = (out.y.astype(np.float64) - black) / (white - black)
    cb, cr = (
        np.repeat(np.repeat((plane.astype(np.float64) - neutral) / span, 1 << down, 0), 1 << across, 1)[: luma.shape[0], : luma.shape[1]]
        for plane in (out.cb, out.cr)
    )
    offsets = rgb_offsets(layout.matrix)
    return np.stack([luma + offset[0] * cb + offset[1] * cr for offset in offsets], axis=-1)


@pytest.mark.parametrize("chroma", FORMATS)
@pytest.mark.parametrize("depth", [8, 10, 16])
@pytest.mark.parametrize("full_range", [False, True])
def test_no_pixel_leaves_rgb_by_more_than_rounding(chroma: str, depth: int, full_range: bool) -> None:
    layout = Layout(75, 41, depth=depth, chroma=chroma, full_range=full_range, matrix="bt601")
    vivid = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 8, 16))
    out = colored(layout, layout, vivid).out
    black, white = layout.luma_codes
    legal = (out.y >= black) & (out.y <= white)
    rgb = to_rgb(out)[legal]
    rounding = 0.5 / layout.chroma_codes[1] * np.abs(rgb_offsets("bt601")).sum(axis=1).max() + 1e-5
    assert rgb.min() >= -rounding
    assert rgb.max() <= 1 + rounding
    assert np.ptp(out.cb) > 0.2 * layout.chroma_codes[1]


def test_luma_is_the_sources_own_array_and_untouched() -> None:
    layout = Layout(64, 32)
    y = picture(layout)
    before = y.copy()
    frame = colored(layout, layout, y=y)
    assert frame.out.y is y
    assert np.array_equal(y, before)


@pytest.mark.parametrize("chroma", FORMATS)
@pytest.mark.parametrize("siting", ["left", "center", "topleft", "bottom"])
@pytest.mark.parametrize("fields", ["progressive", "tff"])
def test_flat_colour_on_flat_grey_comes_out_as_that_colour(chroma: str, siting: str, fields: str) -> None:
    source = Layout(67, 35, chroma="400", fields=fields)
    target = replace(source, chroma=chroma, siting=siting, depth=10)
    y = np.full((35, 67), 126, np.uint8)
    out = colored(source, target, np.array([0.1, -0.05]).reshape(2, 1, 1), y=y).out
    assert out.layout == target
    assert out.cb.shape == out.cr.shape == target.chroma_shape
    assert out.cb.dtype == np.uint16
    assert set(np.unique(out.cb)) == {round(512 + 0.1 * 896)}
    assert set(np.unique(out.cr)) == {round(512 - 0.05 * 896)}


def test_chroma_goes_through_the_targets_matrix() -> None:
    y = np.full((32, 64), 126, np.uint8)
    rgb = {}
    for matrix in ("bt709", "bt601", "bt2020"):
        layout = Layout(64, 32, chroma="444", depth=16, matrix=matrix)
        out = colored(layout, layout, np.array([0.1, -0.05]).reshape(2, 1, 1), y=y.astype(np.uint16) << 8).out
        rgb[matrix] = to_rgb(out)[16, 32]
    # The same change of R - B and of G - B at the same luma: only the weights of luma differ between matrices.
    assert rgb["bt601"] - rgb["bt601"].mean() == pytest.approx(rgb["bt709"] - rgb["bt709"].mean(), abs=1e-3)
    assert rgb["bt2020"] - rgb["bt2020"].mean() == pytest.approx(rgb["bt709"] - rgb["bt709"].mean(), abs=1e-3)


@pytest.mark.parametrize("chroma", FORMATS)
def test_outside_the_box_is_neutral_and_inside_is_not(chroma: str) -> None:
    layout = Layout(96, 64, chroma=chroma)
    y = np.full((64, 96), 126, np.uint8)
    out = colored(layout, layout, 0.1, box=Box(8, 12, 80, 40), y=y).out
    across, down = SUBSAMPLING[chroma]
    inside = np.zeros_like(out.cb, bool)
    inside[12 >> down : 52 >> down, 8 >> across : 88 >> across] = True
    assert (out.cb[~inside] == 128).all()
    assert (out.cb[inside] == 150).all()


def test_an_edge_of_luma_sharpens_the_edge_of_chroma() -> None:
    """A step seen at an eighth of the size: guided upsampling must be nearer to the true step than cubic alone."""
    luma = np.full((128, 128), 0.2, np.float32)
    luma[:, 68:] = 0.8
    chroma = np.stack([luma - 0.5, 0.5 - luma]) * np.float32(0.5)
    low = [cv2.resize(plane, (16, 16), interpolation=cv2.INTER_AREA) for plane in (*chroma, luma)]
    ours = upsample(np.stack(low[:2]), low[2], luma)
    cubic = np.stack([cv2.resize(plane, (128, 128), interpolation=cv2.INTER_CUBIC) for plane in low[:2]])
    assert np.abs(ours - chroma).mean() < 0.5 * np.abs(cubic - chroma).mean()


def test_left_siting_looks_half_a_pixel_to_the_left_of_centre_siting() -> None:
    """On a ramp, chroma that follows luma is lower by half a luma pixel's step where samples are sited to the left."""
    y = np.broadcast_to(np.linspace(60 << 8, 180 << 8, 256).astype(np.uint16), (64, 256)).copy()
    ramp = cv2.resize(y.astype(np.float32), (16, 8), interpolation=cv2.INTER_AREA)
    chroma = np.stack([(ramp - ramp.mean()) / 65536, np.zeros_like(ramp)])
    cb = {}
    for siting in ("left", "center"):
        layout = Layout(256, 64, depth=16, siting=siting)
        cb[siting] = colored(layout, layout, chroma, y=y).out.cb.astype(float)
    step = np.diff(cb["center"][16, 32:96]).mean() / 2
    shift = (cb["center"] - cb["left"])[16, 32:96].mean()
    assert 0.02 * step < shift < step


def test_fields_of_an_interlaced_picture_do_not_share_chroma() -> None:
    layout = Layout(64, 64, fields="tff")
    y = np.full((64, 64), 60, np.uint8)
    y[1::2] = 240  # the second field is beyond white: there is no room for colour
    out = colored(layout, layout, 0.1, y=y).out
    assert (out.cb[0::2] > 128).all()
    assert (out.cb[1::2] == 128).all()
    mixed = colored(replace(layout, fields="progressive"), replace(layout, fields="progressive"), 0.1, y=y.copy()).out
    assert (mixed.cb == 128).all()


@pytest.mark.parametrize(("transfer", "code"), [("pq", 450), ("hlg", 140)])
def test_hdr_chroma_is_weaker_where_the_tone_curve_is_steep(transfer: str, code: int) -> None:
    hdr = Layout(64, 32, depth=10, transfer=transfer, matrix="bt709")
    sdr = replace(hdr, transfer="sdr")
    y = np.full((32, 64), code, np.uint16)
    strength = {layout.transfer: colored(layout, layout, 0.01, y=y.copy()).out.cb[8, 8] - 512.0 for layout in (hdr, sdr)}
    assert 0.2 * strength["sdr"] < strength[transfer] < strength["sdr"]


def test_the_same_frame_gives_the_same_planes_and_planes_of_their_own() -> None:
    layout = Layout(64, 32)
    y = picture(layout)
    box = Box(0, 0, 64, 32)
    planes = Planes(y, None, None, layout)
    frames = [frame_of(i, i, planes, Work(shrink(planes, box, (32, 64)), box, np.full((2, 8, 16), 0.1, np.float32))) for i in range(2)]
    first, second = RenderColor(layout).run(frames)
    assert np.array_equal(first.out.cb, second.out.cb)
    assert not np.shares_memory(first.out.cb, second.out.cb)


def kept(planes: Planes, target: Layout) -> Planes:
    frame = frame_of(0, 0, planes, Work(np.zeros((32, 64), np.float32), Box(0, 0, 64, 32)), color_source="film")
    return next(RenderColor(target).run([frame])).out


def color_ramp(layout: Layout) -> Planes:
    """A source whose Cb rises with x and Cr falls with y, sampled where the layout sites its chroma."""
    across, down = SUBSAMPLING[layout.chroma]
    height, width = layout.chroma_shape
    x = np.arange(width) * (1 << across) + (0 if layout.siting == "left" else ((1 << across) - 1) / 2)
    y = np.arange(height) * (1 << down) + ((1 << down) - 1) / 2
    neutral, span = layout.chroma_codes
    cb = np.broadcast_to(neutral + span * 0.004 * (x - 32), (height, width))
    cr = np.broadcast_to((neutral - span * 0.004 * (y - 16))[:, None], (height, width))
    codes = [np.round(plane).astype(layout.dtype) for plane in (cb, cr)]
    return Planes(picture(layout), *codes, layout)


def test_a_kept_frame_of_the_same_layout_leaves_as_it_came() -> None:
    source = color_ramp(Layout(64, 32))
    out = kept(source, source.layout)
    assert out.y is source.y
    assert out.cb is source.cb
    assert out.cr is source.cr


@pytest.mark.parametrize("chroma", FORMATS)
@pytest.mark.parametrize("siting", ["left", "center"])
def test_a_kept_frame_of_another_chroma_format_keeps_its_colours_in_place(chroma: str, siting: str) -> None:
    source = color_ramp(Layout(64, 32, depth=12))
    target = Layout(64, 32, depth=12, chroma=chroma, siting=siting)
    out, truth = kept(source, target), color_ramp(target)
    inner = (slice(2, -2), slice(3, -3))
    for ours, theirs in ((out.cb, truth.cb), (out.cr, truth.cr)):
        assert np.abs(ours.astype(int) - theirs.astype(int))[inner].max(initial=0) <= 2


def test_a_kept_frame_at_a_greater_depth_is_shifted_exactly() -> None:
    source = color_ramp(Layout(64, 32))
    out = kept(source, replace(source.layout, depth=10))
    assert np.array_equal(out.cb, source.cb.astype(np.uint16) << 2)


@pytest.mark.parametrize(("held", "depth"), [(8, 10), (10, 16), (16, 8), (12, 10)])
def test_luma_is_shifted_exactly_or_rounded_to_the_depth_of_the_target(held: int, depth: int) -> None:
    source = Layout(64, 32, depth=held)
    y = picture(source)
    target = replace(source, depth=depth)
    wanted = np.minimum(np.floor(y * 2.0 ** (depth - held) + 0.5), (1 << depth) - 1)
    for out in (colored(source, target, y=y).out, kept(Planes(y, None, None, source), target)):
        assert out.y.dtype == target.dtype
        assert np.array_equal(out.y, wanted)


def test_a_kept_grey_frame_is_neutral() -> None:
    layout = Layout(64, 32, chroma="400")
    out = kept(Planes(picture(layout), None, None, layout), Layout(64, 32, depth=10))
    assert (out.cb == 512).all()
    assert (out.cr == 512).all()


def test_what_does_not_fit_is_refused() -> None:
    layout = Layout(64, 32)
    with pytest.raises(ValueError, match="grey layout"):
        RenderColor(replace(layout, chroma="400"))
    with pytest.raises(ValueError, match="64x32"):
        colored(layout, Layout(32, 32))
    with pytest.raises(ValueError, match="range"):
        colored(layout, replace(layout, full_range=True))
    with pytest.raises(ValueError, match="bt601"):
        kept(color_ramp(replace(layout, matrix="bt601")), layout)
    bare = frame_of(0, 0, color_ramp(layout), Work(np.zeros((32, 64), np.float32), Box(0, 0, 64, 32)), color_source="made")
    with pytest.raises(ValueError, match="no chroma"):
        next(RenderColor(layout).run([bare]))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_chroma_of_an_upright_view_lies_where_it_belongs_in_a_picture_stored_turned(turns: int) -> None:
    source = Layout(64, 32, chroma="400")
    target = replace(source, chroma="444")
    chroma = np.random.default_rng(3).uniform(-0.2, 0.2, (2, 8, 16)).astype(np.float32)
    straight = colored(source, target, chroma)
    work = straight.work
    upright = Work(np.rot90(work.luma, turns), work.box, np.rot90(chroma, turns, (1, 2)), turns=turns)
    turned = next(RenderColor(target).run([frame_of(0, 0, straight.picture, upright)]))
    np.testing.assert_array_equal(turned.out.cb, straight.out.cb)
    np.testing.assert_array_equal(turned.out.cr, straight.out.cr)
