"""RenderStyle: the restyled picture at full size, the film's own where it is not restyled, always inside RGB."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.stages.making import frame_of
from vidcolor.picture.matrices import rgb_offsets, to_rgb_units
from vidcolor.picture.planes import SUBSAMPLING, Box, Floats, Layout, Planes, shrink, shrink_color
from vidcolor.stages.base import Frame, Work
from vidcolor.stages.render_style import RenderStyle

FORMATS = ["420", "422", "444", "440", "411", "410"]
SIZE = (64, 96)


def film(layout: Layout, seed: int = 0, soft: bool = False) -> Planes:
    """A picture with edges and colours that lie inside RGB; read-only."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((3, layout.height // 8 + 1, layout.width // 8 + 1), dtype=np.float32)
    kind = cv2.INTER_CUBIC if soft else cv2.INTER_NEAREST
    luma, cb, cr = (cv2.resize(plane, (layout.width, layout.height), interpolation=kind) for plane in coarse)
    black, white = layout.luma_codes
    y = np.round(black + (0.3 + 0.4 * luma.clip(0, 1)) * (white - black)).astype(layout.dtype)
    if layout.chroma == "400":
        return frozen(Planes(y, None, None, layout))
    neutral, span = layout.chroma_codes
    size = layout.chroma_shape[::-1]
    small = [cv2.resize(plane.clip(0, 1), size, interpolation=cv2.INTER_AREA) for plane in (cb, cr)]
    return frozen(Planes(y, *(np.round(neutral + 0.2 * (plane - 0.5) * span).astype(layout.dtype) for plane in small), layout))


def frozen(planes: Planes) -> Planes:
    for plane in (planes.y, planes.cb, planes.cr):
        if plane is not None:
            plane.flags.writeable = False
    return planes


def restyled(source: Planes, target: Layout, styled: Floats | None = None, **more: object) -> Frame:
    """A frame through the stage; `styled` (3, 1, 1) or (3, h, w) in units of the source's matrix, its content as it is without."""
    box, turns = more.pop("box", Box(0, 0, source.layout.width, source.layout.height)), more.pop("turns", 0)
    size = SIZE[::-1] if turns % 2 else SIZE
    content = shrink_color(source, box, size, turns)
    work = Work(shrink(source, box, SIZE), box, more.pop("chroma", None), turns=turns, content=content)
    work.styled = content.copy() if styled is None else np.broadcast_to(styled, content.shape).astype(np.float32)
    (frame,) = RenderStyle(target, **more).run([frame_of(0, 0, source, work)])
    return frame


def flat(*values: float) -> Floats:
    return np.array(values, np.float32).reshape(3, 1, 1)


def units(planes: Planes) -> tuple[Floats, Floats, Floats]:
    black, white = planes.layout.luma_codes
    neutral, span = planes.layout.chroma_codes
    return (planes.y - float(black)) / (white - black), (planes.cb - float(neutral)) / span, (planes.cr - float(neutral)) / span


@pytest.mark.parametrize("chroma", FORMATS)
@pytest.mark.parametrize(("depth", "full"), [(8, False), (10, False), (12, True), (16, True)])
@pytest.mark.parametrize("fields", ["progressive", "tff"])
def test_at_strength_0_the_film_comes_out_as_it_is(chroma: str, depth: int, full: bool, fields: str) -> None:
    source = film(Layout(83, 59, depth=depth, chroma=chroma, full_range=full, fields=fields))
    out = restyled(source, source.layout, flat(0.9, 0.1, -0.3), strength=0.0).out
    for ours, theirs in zip((out.y, out.cb, out.cr), (source.y, source.cb, source.cr), strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)


def test_at_strength_0_luma_of_a_grey_film_is_its_own_and_colour_what_it_was_given() -> None:
    source = film(Layout(96, 64, chroma="400"))
    given = np.broadcast_to(np.array([0.1, -0.05], np.float32).reshape(2, 1, 1), (2, 16, 24)).copy()
    content = np.concatenate([shrink_color(source, Box(0, 0, 96, 64), SIZE)[:1], np.broadcast_to(given[:, :1, :1], (2, *SIZE))])
    work = Work(shrink(source, Box(0, 0, 96, 64), SIZE), Box(0, 0, 96, 64), given, content=content, styled=np.zeros_like(content))
    (frame,) = RenderStyle(replace(source.layout, chroma="420"), 0.0).run([frame_of(0, 0, source, work)])
    assert np.array_equal(frame.out.y, source.y)
    _, cb, cr = units(frame.out)
    assert np.abs(cb - 0.1).max() < 0.003
    assert np.abs(cr + 0.05).max() < 0.003


@pytest.mark.parametrize("chroma", FORMATS)
@pytest.mark.parametrize("depth", [8, 10, 16])
@pytest.mark.parametrize("fields", ["progressive", "bff"])
def test_flat_paint_comes_out_as_that_colour_everywhere(chroma: str, depth: int, fields: str) -> None:
    layout = Layout(83, 59, depth=depth, chroma=chroma, fields=fields)
    out = restyled(film(layout), layout, flat(0.5, 0.1, -0.05)).out
    assert out.layout == layout
    assert out.y.dtype == layout.dtype
    black, white = layout.luma_codes
    neutral, span = layout.chroma_codes
    assert np.abs(out.y.astype(int) - round(black + 0.5 * (white - black))).max() <= 1
    assert np.abs(out.cb.astype(int) - round(neutral + 0.1 * span)).max() <= 1
    assert np.abs(out.cr.astype(int) - round(neutral - 0.05 * span)).max() <= 1


def test_strength_mixes_film_and_paint() -> None:
    source = film(Layout(96, 64))
    none, half, whole = (units(restyled(source, source.layout, flat(0.5, 0.1, -0.05), strength=s).out) for s in (0, 0.5, 1))
    for a, b, c in zip(none, half, whole, strict=True):
        assert np.abs(b - (a + c) / 2).max() < 0.005


@pytest.mark.parametrize("source", [Layout(96, 64), Layout(96, 64, chroma="444", depth=10)])
def test_with_colour_from_the_film_chroma_is_its_own(source: Layout) -> None:
    planes = film(source)
    out = restyled(planes, source, flat(0.5, 0.2, 0.2), color_from="film").out
    assert np.array_equal(out.cb, planes.cb)
    assert np.array_equal(out.cr, planes.cr)
    assert np.ptp(out.y.astype(int)) <= 2


def test_paint_that_follows_luma_gets_the_films_fine_detail_and_flat_paint_none() -> None:
    layout = Layout(768, 512, chroma="444", depth=16, full_range=True)
    stripes = np.tile(np.repeat([0.25, 0.75], 7), 55)[:768]
    source = frozen(
        Planes(
            np.round(np.broadcast_to(stripes, (512, 768)) * 65535).astype(np.uint16), *[np.full((512, 768), 32768, np.uint16)] * 2, layout
        )
    )
    content = shrink_color(source, Box(0, 0, 768, 512), (320, 480))
    work = Work(shrink(source, Box(0, 0, 768, 512), SIZE), Box(0, 0, 768, 512), content=content)
    ramp = {}
    for name, styled in (("follows", 0.5 * content + 0.25), ("flat", np.full_like(content, 0.5) * flat(1, 0, 0))):
        work.styled = styled.astype(np.float32)
        (frame,) = RenderStyle(layout).run([frame_of(0, 0, source, work)])
        ramp[name] = units(frame.out)[0][256]
    plain = cv2.resize(0.5 * content[0] + 0.25, (768, 512), interpolation=cv2.INTER_CUBIC)[256]
    truth = 0.5 * stripes + 0.25
    assert np.square(ramp["follows"] - truth).mean() < 0.5 * np.square(plain - truth).mean()
    assert np.ptp(ramp["flat"]) < 0.001


@pytest.mark.parametrize("chroma", FORMATS)
@pytest.mark.parametrize(("strength", "color_from"), [(1.0, "style"), (0.6, "style"), (1.0, "film")])
def test_no_pixel_leaves_rgb_by_more_than_rounding(chroma: str, strength: float, color_from: str) -> None:
    layout = Layout(75, 41, chroma=chroma, matrix="bt601")
    wild = np.random.default_rng(1).uniform(-0.5, 1.2, (3, *SIZE)).astype(np.float32) - flat(0, 0.3, 0.3)
    out = restyled(film(layout), layout, wild, strength=strength, color_from=color_from).out
    across, down = SUBSAMPLING[chroma]
    y, cb, cr = units(out)
    cb, cr = (np.repeat(np.repeat(plane, 1 << down, 0), 1 << across, 1)[:41, :75] for plane in (cb, cr))
    rgb = np.stack([y + offset[0] * cb + offset[1] * cr for offset in rgb_offsets("bt601")])
    assert rgb.min() > -0.01
    assert rgb.max() < 1.01


def test_outside_the_picture_nothing_changes() -> None:
    source = film(Layout(96, 64))
    out = restyled(source, source.layout, flat(0.9, 0.02, 0.02), box=Box(16, 8, 64, 48)).out
    inside = np.zeros((64, 96), bool)
    inside[8:56, 16:80] = True
    assert np.array_equal(out.y[~inside], source.y[~inside])
    assert np.array_equal(out.cb[~inside[::2, ::2]], source.cb[~inside[::2, ::2]])
    assert (out.y[inside] > 200).all()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_what_was_seen_upright_lies_where_it_belongs(turns: int) -> None:
    source = film(Layout(96, 64), soft=True)
    out = restyled(source, source.layout, turns=turns).out
    assert np.abs(out.y.astype(int) - source.y).mean() < 2


def test_a_change_of_matrix_keeps_the_colours() -> None:
    source = film(Layout(96, 64, chroma="444", matrix="bt601"))
    target = replace(source.layout, matrix="bt709")
    styled = flat(0.5, 0.1, -0.05)
    _, cb, cr = units(restyled(source, target, styled).out)
    wanted = to_rgb_units(styled, "bt601").ravel()
    got = to_rgb_units(np.array([0.5, cb.mean(), cr.mean()], np.float32).reshape(3, 1, 1), "bt709").ravel()
    assert np.abs((wanted - wanted @ [0.2126, 0.7152, 0.0722]) - (got - got @ [0.2126, 0.7152, 0.0722])).max() < 0.01


@pytest.mark.parametrize(("held", "depth"), [(8, 10), (16, 8)])
def test_another_depth_is_written_in_its_own_codes(held: int, depth: int) -> None:
    source = film(Layout(96, 64, depth=held))
    target = replace(source.layout, depth=depth)
    for strength in (0.0, 1.0):
        out = restyled(source, target, strength=strength).out
        assert out.y.dtype == out.cb.dtype == target.dtype
        ours, theirs = units(out), units(source)
        assert np.abs(ours[0] - theirs[0]).mean() < 0.02
        assert np.abs(ours[1] - theirs[1]).mean() < 0.01


def test_the_work_is_not_written() -> None:
    source = film(Layout(96, 64, chroma="400"))
    frame = restyled(source, replace(source.layout, chroma="420"), flat(0.5, 0.1, 0.1), chroma=np.zeros((2, 16, 24), np.float32))
    assert np.abs(frame.work.styled - flat(0.5, 0.1, 0.1)).max() < 1e-6


def test_what_does_not_fit_is_refused() -> None:
    layout = Layout(96, 64)
    with pytest.raises(ValueError, match="grey layout"):
        RenderStyle(replace(layout, chroma="400"))
    with pytest.raises(ValueError, match="strength"):
        RenderStyle(layout, 1.5)
    with pytest.raises(ValueError, match="96x64"):
        restyled(film(layout), Layout(48, 32))
    with pytest.raises(ValueError, match="range"):
        restyled(film(layout), replace(layout, full_range=True))
    with pytest.raises(ValueError, match="HDR"):
        restyled(film(replace(layout, transfer="pq", depth=10)), layout)
    bare = frame_of(0, 0, film(layout), Work(np.zeros(SIZE, np.float32), Box(0, 0, 96, 64)))
    with pytest.raises(ValueError, match="not restyled"):
        list(RenderStyle(layout).run([bare]))
