"""Stylize: the network sees the film's own picture, and statistics are held over a shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.stages.making import frame_of
from tests.stages.sessions import Tint
from vidcolor.picture.matrices import from_rgb_units
from vidcolor.picture.planes import Box, Floats, Layout, Planes
from vidcolor.stages.base import Frame, Work
from vidcolor.stages.shrink import Shrink, View
from vidcolor.stages.stylize import Stylize, colored

LAYOUT = Layout(96, 64)
BOX = Box(0, 0, 96, 64)
SIZE = (64, 96)
VIEW = View(BOX, SIZE, 0)
NOTHING = np.zeros(SIZE, np.float32)
CODE = np.array([1, 0.6, 0.8], np.float32)


def rgb_frame(rgb: Sequence[float], layout: Layout = LAYOUT, **more: object) -> Frame:
    """A frame of one colour."""
    values = from_rgb_units(np.array(rgb, np.float32).reshape(3, 1, 1), layout.matrix).ravel()
    black, white = layout.luma_codes
    neutral, span = layout.chroma_codes
    codes = np.rint([black + values[0] * (white - black), neutral + values[1] * span, neutral + values[2] * span]).astype(int)
    planes = [np.full(shape, code, layout.dtype) for shape, code in zip(((64, 96), *[layout.chroma_shape] * 2), codes, strict=True)]
    planes_of = Planes(*planes, layout)
    return shown(frame_of(0, 0, planes_of, Work(NOTHING, BOX), **more))


def grey_frame(luma: Floats, number: int = 0, shot: int = 0) -> Frame:
    planes = Planes(np.rint(luma * 255).astype(np.uint8), None, None, replace(LAYOUT, chroma="400", full_range=True))
    return shown(frame_of(number, number, planes, Work(NOTHING, BOX), shot))


def shown(frame: Frame, view: View = VIEW, size: tuple[int, int] = SIZE) -> Frame:
    """The frame with what networks look at."""
    return next(Shrink(view, size).run([frame]))


def scene(light: float = 1.0, seed: int = 0) -> Floats:
    rough = np.random.default_rng(seed).random((8, 12), dtype=np.float32)
    return cv2.resize(rough, (96, 64), interpolation=cv2.INTER_CUBIC).clip(0, 1) * np.float32(light)


def run(session: Tint, lumas: Sequence[Floats], shots: Sequence[int] | None = None, **more: bool) -> list[Floats]:
    frames = [grey_frame(luma, number, shots[number] if shots else 0) for number, luma in enumerate(lumas)]
    return [frame.work.styled for frame in Stylize(session, CODE, stats=6, **more).run(frames)]


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("chroma", ["420", "422", "444"])
@pytest.mark.parametrize(("depth", "full"), [(8, False), (10, True)])
def test_the_network_is_shown_the_colours_that_a_viewer_sees(matrix: str, chroma: str, depth: int, full: bool) -> None:
    session = Tint()
    layout = replace(LAYOUT, matrix=matrix, chroma=chroma, depth=depth, full_range=full)
    next(Stylize(session, CODE, stats=6).run([rgb_frame([0.8, 0.3, 0.2], layout)]))
    assert np.abs(session.pictures[0].mean((0, 2, 3)) - [0.8, 0.3, 0.2]).max() < 0.01


def test_a_grey_frame_is_shown_with_the_colour_it_was_given() -> None:
    frame = grey_frame(np.full((64, 96), 0.5, np.float32))
    frame.work.chroma = np.stack([np.full((16, 24), -0.1, np.float32), np.full((16, 24), 0.2, np.float32)])
    content = colored(frame.work.content, frame.work, "bt709")
    assert np.abs(content.mean((1, 2)) - [0.5, -0.1, 0.2]).max() < 0.01


def test_given_colour_goes_through_the_matrix_of_the_source() -> None:
    frame = grey_frame(np.full((64, 96), 0.5, np.float32))
    frame.work.chroma = np.stack([np.full((16, 24), -0.1, np.float32), np.full((16, 24), 0.2, np.float32)])
    wanted = from_rgb_units(np.array([0.5 + 1.5748 * 0.2, 0, 0], np.float32).reshape(3, 1, 1), "bt709")
    assert wanted.shape == (3, 1, 1)
    content = colored(frame.work.content, frame.work, "bt601").mean((1, 2))
    assert content[2] == pytest.approx(0.2 * 1.5748 / 1.402 - 0.114 / 1.402 * 0, abs=0.03)
    assert content[2] != pytest.approx(0.2, abs=0.002)


def test_a_kept_frame_shows_its_own_colour() -> None:
    frame = rgb_frame([0.8, 0.3, 0.2], color_source="film")
    frame.work.chroma = np.zeros((2, 16, 24), np.float32)
    (frame,) = Stylize(Tint(), CODE, stats=6).run([frame])
    assert frame.work.content[2].mean() > 0.1


def test_a_frame_that_was_not_coloured_or_has_no_content_is_refused() -> None:
    with pytest.raises(ValueError, match="no chroma"):
        next(Stylize(Tint(), CODE, stats=6).run([rgb_frame([0.8, 0.3, 0.2], color_source="made")]))
    frame = rgb_frame([0.8, 0.3, 0.2])
    frame.work.content = None
    with pytest.raises(ValueError, match="no content"):
        next(Stylize(Tint(), CODE, stats=6).run([frame]))


def test_only_the_picture_inside_the_borders_is_shown_and_upright() -> None:
    luma = np.zeros((64, 96), np.float32)
    luma[8:56] = 0.5
    luma[8:56, :24] = 1
    content = shown(grey_frame(luma), View(Box(0, 8, 96, 48), SIZE, 1), (96, 64)).work.content
    assert content.shape == (3, 96, 64)
    assert content[0, -16:].min() > 0.9
    assert content[0, :64].max() < 0.6
    assert content[0].min() > 0.4


def test_a_network_of_one_style_is_given_the_picture_alone() -> None:
    class Drawing:
        precision = "f32"

        def run(self, inputs):
            assert inputs.keys() == {"picture"}
            return {"styled": inputs["picture"] * np.float32(0.5)}

        def close(self) -> None:
            pass

    frames = [grey_frame(np.full((64, 96), 0.5, np.float32))]
    (frame,) = Stylize(Drawing(), np.zeros(0, np.float32), stats=0).run(frames)
    assert np.abs(frame.work.styled.mean((1, 2)) - [0.25, 0, 0]).max() < 0.01


def test_the_answer_is_in_the_units_of_the_content() -> None:
    (styled,) = run(Tint(), [np.full((64, 96), 0.5, np.float32)])
    assert styled.shape == (3, *SIZE)
    assert np.abs(styled.mean((1, 2)) - [0.5, 0, 0]).max() < 0.01


def test_the_first_frame_of_a_shot_is_normalized_by_its_own_statistics_and_later_ones_by_the_held() -> None:
    session = Tint()
    run(session, [scene()] * 6, [0, 0, 0, 1, 1, 2])
    assert session.weights == pytest.approx([0, 1, 1, 0, 1, 0])


def test_statistics_that_jump_about_do_not_show() -> None:
    """A bright spot that comes and goes changes the statistics; the rest of the picture must stay."""
    lumas = [scene() for _ in range(12)]
    for luma in lumas[::2]:
        luma[:8, :24] = 1
    held, free = (np.stack(run(Tint(), lumas, hold=hold))[4:, 0, 16:] for hold in (True, False))
    assert np.abs(np.diff(held, axis=0)).mean() < 0.3 * np.abs(np.diff(free, axis=0)).mean()


def test_without_hold_every_frame_is_for_itself() -> None:
    session = Tint()
    lumas = [scene(seed=seed) for seed in range(3)]
    out = run(session, lumas, hold=False)
    assert session.weights == [0, 0, 0]
    for luma, styled in zip(lumas, out, strict=True):
        assert np.array_equal(run(Tint(), [luma])[0], styled)


def test_slow_changes_of_light_are_followed() -> None:
    lights = np.linspace(1, 0.6, 40)
    held = run(Tint(), [scene(light) for light in lights])
    own = run(Tint(), [scene(lights[-1])])[0]
    assert np.abs(held[-1] - own).mean() < 0.05


def test_a_fade_from_black_does_not_end_in_wild_contrast() -> None:
    lights = [0.0, 0.02, 0.1, 0.3, 0.6, 1, 1, 1]
    held = run(Tint(), [scene(light) for light in lights])
    own = run(Tint(), [scene(1)])[0]
    assert all(np.abs(styled[0] - own[0]).mean() < 0.15 for styled in held[3:])


def test_a_change_of_style_comes_at_its_time_and_is_a_new_start() -> None:
    session, other = Tint(), np.array([0.2, 0.2, 0.2], np.float32)
    frames = [grey_frame(scene(), number) for number in range(6)]
    out = [frame.work.styled for frame in Stylize(session, CODE, stats=6, changes=[(2, other), (4, CODE)]).run(frames)]
    assert [frame.work.style for frame in frames] == [0, 0, 1, 1, 2, 2]
    assert session.weights == pytest.approx([0, 1, 0, 1, 0, 1])
    assert np.allclose(out[0], out[1], atol=1e-3) and np.allclose(out[2], out[3], atol=1e-3) and np.allclose(out[0], out[5], atol=1e-3)
    assert out[2][0].std() < 0.5 * out[0][0].std()
