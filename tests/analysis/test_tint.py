"""Tint: grey, sepia and colour film are told apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.stages.making import frame_of
from vidcolor.analysis.tint import is_grey, judge
from vidcolor.picture.planes import Box, Layout, Planes, shrink
from vidcolor.stages.base import Work
from vidcolor.stages.only_grey import OnlyGrey

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips"


def scene(seed: int) -> np.ndarray:
    return cv2.resize(np.random.default_rng(seed).random((9, 16), dtype=np.float32), (128, 72), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def frame(kind: str, seed: int = 0, layout: Layout | None = None, noise: float = 0.7) -> Planes:
    """Planes of a grey, sepia, blue-toned or coloured scene, with chroma noise in codes of 8 bit."""
    layout = layout or Layout(128, 72)
    rng = np.random.default_rng(seed + 100)
    luma, shape = scene(seed), layout.chroma_shape
    black, white = layout.luma_codes
    neutral, span = layout.chroma_codes
    tone = cv2.resize(luma, shape[::-1], interpolation=cv2.INTER_AREA)
    arch = tone * (1 - tone)
    chroma = {
        "grey": (0 * tone, 0 * tone),
        "sepia": (-0.25 * arch, 0.15 * arch),
        "blue": (0.1 + 0 * tone, -0.05 + 0 * tone),
        "dull": tuple(0.05 * (cv2.resize(scene(seed + i), shape[::-1]) - 0.5) for i in (31, 57)),
        "color": tuple(0.3 * (cv2.resize(scene(seed + i), shape[::-1]) - 0.5) for i in (31, 57)),
    }[kind]
    unit = noise * (1 << (layout.depth - 8))
    codes = [np.round(neutral + span * plane + rng.normal(0, unit, shape)).clip(0, (1 << layout.depth) - 1) for plane in chroma]
    y = np.round(black + luma * (white - black)).astype(layout.dtype)
    return Planes(y, *(plane.astype(layout.dtype) for plane in codes), layout)


LAYOUTS = [Layout(128, 72), Layout(128, 72, depth=10, chroma="444"), Layout(128, 72, chroma="422", full_range=True, matrix="bt601")]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("kind", "verdict"), [("grey", "grey"), ("sepia", "tint"), ("blue", "tint"), ("dull", "color"), ("color", "color")]
)
def test_film_is_judged_by_what_its_chroma_depends_on(kind: str, verdict: str, layout: Layout) -> None:
    found = judge([frame(kind, seed, layout) for seed in range(6)])
    assert found.kind == verdict
    assert found.colored == (verdict == "color")
    assert is_grey(frame(kind, 9, layout)) == (verdict != "color")


def test_a_film_tinted_differently_from_shot_to_shot_is_tinted() -> None:
    assert judge([frame(kind, seed) for seed, kind in enumerate(["sepia", "blue", "grey", "sepia", "blue", "sepia"])]).kind == "tint"


def test_one_colour_card_in_a_grey_film_does_not_make_it_colour() -> None:
    found = judge([frame("grey", seed) for seed in range(9)] + [frame("color")])
    assert found.kind == "grey"
    assert found.colored == pytest.approx(0.1)


def test_planes_without_chroma_are_grey() -> None:
    layout = Layout(128, 72, chroma="400")
    assert judge([Planes(frame("grey").y, None, None, layout)]).kind == "grey"


def test_without_samples_it_refuses() -> None:
    with pytest.raises(ValueError, match="samples"):
        judge([])


def test_only_grey_keeps_colour_shots_by_their_first_frame() -> None:
    work = Work(np.full((32, 64), 0.5, np.float32), Box(0, 0, 128, 72))
    kinds = ["grey", "color", "color", "grey", "sepia"]
    frames = [
        frame_of(i, i, frame(kind, i), work, shot, 0, "made") for i, (kind, shot) in enumerate(zip(kinds, [0, 0, 1, 1, 2], strict=True))
    ]
    assert [out.color_source == "film" for out in OnlyGrey().run(frames)] == [False, False, True, True, False]


def test_only_grey_sees_a_colour_shot_that_fades_in_from_black_without_a_cut() -> None:
    whole = {kind: frame(kind) for kind in ("grey", "color")}
    neutral = whole["grey"].layout.chroma_codes[0]

    def faded(kind: str, gain: float) -> Planes:
        planes = whole[kind]
        black = planes.layout.luma_codes[0]
        y, cb, cr = (
            np.round((plane.astype(float) - level) * gain + level).astype(np.uint8)
            for plane, level in ((planes.y, black), (planes.cb, neutral), (planes.cr, neutral))
        )
        return Planes(y, cb, cr, planes.layout)

    story = [
        ("grey", 1),
        ("grey", 0.1),
        ("grey", 0),
        ("color", 0),
        ("color", 0.2),
        ("color", 1),
        ("color", 0),
        ("grey", 0),
        ("grey", 1),
    ]
    made = [faded(kind, gain) for kind, gain in story]
    size = Box(0, 0, 128, 72)
    frames = [frame_of(i, i, planes, Work(shrink(planes, size, (32, 64)), size), color_source="made") for i, planes in enumerate(made)]
    kept = [out.color_source == "film" for out in OnlyGrey().run(frames)]
    assert kept[:3] == [False] * 3
    assert kept[4:6] == [True] * 2
    assert kept[8] is False


@pytest.mark.parametrize("clip", sorted(path.name for path in CLIPS.glob("[bc]*_*")))
def test_real_clips_are_told_apart(clip: str) -> None:
    capture, samples = cv2.VideoCapture(str(CLIPS / clip)), []
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    for _ in range(0, 120):
        good, picture = capture.read()
        if not good:
            break
        if len(samples) < 6 and capture.get(cv2.CAP_PROP_POS_FRAMES) % max(1, min(count, 120) // 6) == 1:
            height, width = (size // 2 * 2 for size in picture.shape[:2])
            ycc = cv2.cvtColor(picture[:height, :width], cv2.COLOR_BGR2YCrCb)
            samples.append(
                Planes(ycc[..., 0], ycc[..., 2], ycc[..., 1], Layout(width, height, chroma="444", full_range=True, matrix="bt601"))
            )
    assert len(samples) >= 3
    assert judge(samples).kind == ("grey" if clip.startswith("bw_") else "color")
