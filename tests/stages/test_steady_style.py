"""SteadyStyle: shimmer goes, paint moves with the picture, and nothing of one thing stays on another."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from tests.stages.making import SIZE, frame_of, texture
from vidcolor.picture.planes import Box, Floats, Layout, Planes
from vidcolor.stages.base import Work
from vidcolor.stages.find_motion import FindMotion
from vidcolor.stages.steady_style import SteadyStyle

NOTHING = Planes(np.zeros((2, 2), np.uint8), None, None, Layout(2, 2, chroma="400"))


def planes(luma: Floats) -> Floats:
    """Luma with a little colour: (3, h, w), read-only."""
    out = np.stack([luma, (luma - 0.5) * np.float32(0.3), (0.5 - luma) * np.float32(0.2)])
    out.flags.writeable = False
    return out


def run(contents: list[Floats], styled: list[Floats], steady: SteadyStyle | None = None, shot: int = 0) -> list[Floats]:
    frames = []
    for number, (content, new) in enumerate(zip(contents, styled, strict=True)):
        work = Work(NOTHING.y.astype(np.float32), Box(0, 0, 2, 2), content=planes(content), styled=new)
        frames.append(frame_of(number, number, NOTHING, work, shot))
    return [frame.work.styled for frame in (steady or SteadyStyle()).run(FindMotion().run(frames))]


def shimmer(count: int, shape: tuple[int, ...], size: float) -> Floats:
    """Soft blotches of their own in every frame."""
    rough = np.random.default_rng(7).normal(0, size, (count, 3, 16, 24)).astype(np.float32)
    return np.stack([[cv2.resize(p, shape[::-1], interpolation=cv2.INTER_CUBIC) for p in frame] for frame in rough])


def test_shimmer_of_a_still_scene_is_averaged_away() -> None:
    luma = texture(0)[:, : SIZE[1]]
    noisy = list(planes(texture(1)[:, : SIZE[1]]) + shimmer(16, SIZE, 0.02))
    out = run([luma] * 16, noisy)
    before, after = (np.mean([np.square(b - a).mean() for a, b in pairwise(x[5:])]) for x in (noisy, out))
    assert after < before / 4


def test_hard_edges_that_flicker_are_averaged_too() -> None:
    """Specks of paint that come and go, far from the mean each time: a difference of every pixel alone would let them through."""
    luma, rng = texture(0)[:, : SIZE[1]], np.random.default_rng(1)
    specks = [planes((0.5 + 0.3 * np.sign(rng.normal(size=SIZE))).astype(np.float32)) for _ in range(16)]
    out = run([luma] * 16, specks)
    before, after = (np.mean([np.square(b - a).mean() for a, b in pairwise(x[5:])]) for x in (specks, out))
    assert after < before / 5


def test_a_thin_dark_line_leaves_no_trail() -> None:
    """A line of 3 pixels crosses a scene, 8 pixels a frame, painted dark as it is."""
    scene = 0.4 + 0.4 * texture(2)[:, : SIZE[1]]
    lumas = []
    for number in range(10):
        luma = scene.copy()
        luma[:, 40 + 8 * number : 43 + 8 * number] = 0
        lumas.append(luma)
    out = run(lumas, [planes(luma) for luma in lumas])
    trail = np.abs(out[-1] - planes(lumas[-1]))[0, :, 40 : 40 + 8 * 9]
    assert trail.mean() < 0.02
    assert (trail > 0.15).mean() < 0.02


def test_paint_moves_with_the_picture_and_stays_sharp() -> None:
    """A pan of 3 pixels a frame: the mean of four moved frames must lie on the true paint, detail included."""
    film, paint = texture(0), texture(1)
    views = [slice(3 * i, 3 * i + SIZE[1]) for i in range(12)]
    truth = [planes(paint[:, view]) for view in views]
    noisy = [t + n for t, n in zip(truth, shimmer(12, SIZE, 0.03), strict=True)]
    out = run([film[:, view] for view in views], noisy)
    inner = (slice(None), slice(8, -8), slice(16, -16))
    before, after = (np.mean([np.square(a - b)[inner].mean() for a, b in zip(x[5:], truth[5:], strict=True)]) for x in (noisy, out))
    assert after < before / 2
    clean = run([film[:, view] for view in views], truth)
    detail = [cv2.Laplacian(x[-1][0], cv2.CV_32F)[inner[1:]].std() for x in (clean, truth)]
    assert detail[0] > 0.9 * detail[1]


def test_what_is_uncovered_keeps_nothing_of_what_covered_it() -> None:
    scene, square = texture(2), texture(3)
    lumas, truth = [], []
    for number in range(8):
        luma, paint = scene[:, : SIZE[1]].copy(), np.full(SIZE, 0.3, np.float32)
        left = 16 + 12 * number
        luma[40:88, left : left + 48] = 0.3 + 0.7 * square[40:88, :48]
        paint[40:88, left : left + 48] = 0.8
        lumas.append(luma)
        truth.append(planes(paint))
    out = run(lumas, truth)
    wrong = np.abs(out[-1] - truth[-1]).max(axis=0)
    assert (wrong > 0.1).mean() < 0.01


def test_paint_that_changes_altogether_is_changed_at_once() -> None:
    luma = texture(0)[:, : SIZE[1]]
    dark, light = (planes(np.full(SIZE, value, np.float32)) for value in (0.2, 0.7))
    out = run([luma] * 12, [dark] * 6 + [light] * 6)
    assert np.abs(out[6] - light).max() < 0.02


def test_memory_grows_with_strength() -> None:
    luma = texture(0)[:, : SIZE[1]]
    noisy = list(planes(texture(1)[:, : SIZE[1]]) + shimmer(16, SIZE, 0.02))
    weak, strong = (run([luma] * 16, noisy, SteadyStyle(strength)) for strength in (0.5, 2))
    calm = [np.mean([np.square(b - a).mean() for a, b in pairwise(x[8:])]) for x in (weak, strong)]
    assert calm[1] < calm[0] / 2


def test_the_first_answer_of_a_shot_is_the_networks_own_and_nothing_is_remembered_over_a_cut() -> None:
    lumas, paint = [texture(seed)[:, : SIZE[1]] for seed in range(3)], [planes(texture(seed)[:, 20 : 20 + SIZE[1]]) for seed in range(3)]
    fresh, used = run(lumas, paint), SteadyStyle()
    run([texture(9)[:, : SIZE[1]]] * 2, paint[:2], used)
    again = run(lumas, paint, used, shot=1)
    assert np.array_equal(again[0], paint[0])
    assert all(np.array_equal(a, b) for a, b in zip(fresh, again, strict=True))


def test_with_more_doubt_new_paint_is_taken_sooner() -> None:
    luma = texture(0)[:, : SIZE[1]]
    paint = [planes(np.full(SIZE, value, np.float32)) for value in (0.4, 0.4, 0.5)]
    trusting, doubting = (run([luma] * 3, paint, SteadyStyle(doubt=doubt))[-1][0].mean() for doubt in (1, 8))
    assert trusting < 0.45 < doubting


def test_as_a_stage_it_begins_anew_with_every_shot_and_every_style() -> None:
    luma = texture(0)[:, : SIZE[1]]
    noisy = list(planes(texture(1)[:, : SIZE[1]]) + shimmer(6, SIZE, 0.02))
    frames = [frame_of(number, number, NOTHING, Work(luma, Box(0, 0, 2, 2))) for number in range(6)]
    for frame, new, shot, style in zip(frames, noisy, (0, 0, 1, 1, 1, 1), (0, 0, 0, 0, 1, 1), strict=True):
        frame.shot, frame.work.style, frame.work.content, frame.work.styled = shot, style, planes(luma), new
    out = [frame.work.styled for frame in SteadyStyle().run(FindMotion().run(frames))]
    kept = [np.array_equal(styled, new) for styled, new in zip(out, noisy, strict=True)]
    assert kept == [True, False, True, False, True, False]


def test_a_frame_that_was_not_restyled_is_refused() -> None:
    with pytest.raises(ValueError, match="not restyled"):
        next(SteadyStyle().run([frame_of(0, 0, NOTHING, Work(texture(0), Box(0, 0, 2, 2)))]))


def test_frames_given_out_are_not_written_by_later_ones() -> None:
    lumas, paint = [texture(0)[:, : SIZE[1]]] * 4, list(planes(texture(1)[:, : SIZE[1]]) + shimmer(4, SIZE, 0.02))
    frames = [
        frame_of(number, number, NOTHING, Work(luma, Box(0, 0, 2, 2), content=planes(luma), styled=new))
        for number, (luma, new) in enumerate(zip(lumas, paint, strict=True))
    ]
    given = [(frame.work.styled, frame.work.styled.tobytes()) for frame in SteadyStyle().run(FindMotion().run(frames))]
    assert all(out.tobytes() == before for out, before in given)


def test_a_change_of_size_and_a_blank_frame_are_borne() -> None:
    lumas = []
    for shape in ((128, 192), (192, 128), (64, 64), (32, 32)):
        lumas += [cv2.resize(luma, shape[::-1]) for luma in (texture(0)[: shape[0], : shape[1]], np.zeros(shape, np.float32))]
    for luma, out in zip(lumas, run(lumas, [planes(luma) for luma in lumas]), strict=True):
        assert out.shape == (3, *luma.shape)
        assert np.isfinite(out).all()


def test_strength_without_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="strength"):
        SteadyStyle(0)
    with pytest.raises(ValueError, match="doubt"):
        SteadyStyle(doubt=0)
