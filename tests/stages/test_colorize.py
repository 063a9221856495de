"""The colorize stage on a session made by hand: batches, cuts, dial, hints."""

import numpy as np
import pytest

from tests.stages.making import frame_of
from tests.stages.sessions import Echo
from vidcolor.picture.planes import Box, Floats, Layout, Planes
from vidcolor.stages.amplify import LARGEST, Amplify, amplify
from vidcolor.stages.base import Frame, Work
from vidcolor.stages.colorize import Colorize, Setting, turn_dial

DIAL = [Setting(1.0, 1.0, 0.8), Setting(0.6, 0.5, 1.2), Setting(0.4, 0.0, 1.5)]


def frames(shots: list[int], keep: tuple[int, ...] = ()) -> list[Frame]:
    layout = Layout(64, 32, chroma="400")
    made, places = [], dict.fromkeys(shots, 0)
    for number, shot in enumerate(shots):
        luma = np.full((32, 64), number / 20, np.float32)
        source = Planes(np.zeros((32, 64), np.uint8), None, None, layout)
        color = "film" if number in keep else "made"
        made.append(frame_of(number, number, source, Work(luma, Box(0, 0, 64, 32)), shot, places[shot], color))
        places[shot] += 1
    return made


def test_batches_never_cross_a_cut_and_start_anew_with_each_shot() -> None:
    session = Echo()
    out = list(Colorize(session, Setting(1, 0, 1), batch=3).run(frames([0] * 4 + [1] * 5 + [2])))
    assert session.batches == [3, 1, 3, 2, 1]
    assert [f.number for f in out] == list(range(10))


def test_every_frame_gets_its_own_answer() -> None:
    for frame in Colorize(Echo(), Setting(1, 0, 1), batch=4).run(frames([0] * 7)):
        assert frame.work.chroma is not None and frame.work.chroma.shape == (2, 8, 16)
        np.testing.assert_allclose(frame.work.chroma[0], frame.number / 200, rtol=1e-5)


def test_a_mirrored_look_makes_the_answer_even_handed() -> None:
    class Left:
        """Answers the luma itself, but only in the left half of what it is shown: a network that favours one side."""

        def run(self, inputs: dict[str, Floats]) -> dict[str, Floats]:
            luma = inputs["luma"][:, :, ::4, ::4]
            half = luma * (np.arange(luma.shape[3]) < luma.shape[3] // 2)
            return {"chroma": np.repeat(half, 2, 1), "confidence": luma}

        def close(self) -> None: ...

    made = frames([0])
    made[0].work.luma[:] = np.linspace(0, 0.4, 64, dtype=np.float32)
    (out,) = Colorize(Left(), Setting(1, 0, 1), mirror=True).run(made)
    seen = made[0].work.luma[::4, ::4]
    mirrored = made[0].work.luma[::4, ::-4][:, ::-1]
    expected = np.where(np.arange(16) < 8, seen, mirrored) / 2
    np.testing.assert_allclose(out.work.chroma[0], expected, atol=1e-6)


def test_frames_that_are_kept_never_reach_the_network() -> None:
    session = Echo()
    stage = Colorize(session, Setting(1, 0, 1), batch=2)
    out = list(stage.run(frames([0, 0, 0, 0], keep=(1, 2, 3))))
    assert sum(session.batches) == 1
    assert [f.work.chroma is None for f in out] == [False, True, True, True]


def test_hints_reach_the_network_and_what_a_person_said_goes_before_what_was_proposed() -> None:
    session, made = Echo(), frames([0, 0, 0, 0])
    given, proposed = (np.full((3, 32, 64), value, np.float32) for value in (0.1, 0.3))
    given[:, :, 32:] = 0
    made[1].hints.given = given
    made[2].hints.proposed = proposed
    made[3].hints.given, made[3].hints.proposed = given, proposed
    list(Colorize(session, Setting(1, 0, 1), batch=4).run(made))
    (hints,) = session.hints
    assert not hints[0].any()
    assert np.array_equal(hints[1], given) and np.array_equal(hints[2], proposed)
    assert np.array_equal(hints[3][:, :, :32], given[:, :, :32]) and np.array_equal(hints[3][:, :, 32:], proposed[:, :, 32:])


def test_the_dial_is_linear_between_its_three_positions() -> None:
    assert turn_dial(DIAL, 0) == DIAL[0]
    assert turn_dial(DIAL, 1) == DIAL[1]
    assert turn_dial(DIAL, 2) == DIAL[2]
    assert turn_dial(DIAL, 0.5) == Setting(0.8, 0.75, 1.0)
    with pytest.raises(ValueError, match="between 0 and 2"):
        turn_dial(DIAL, 2.1)


def test_only_colour_that_was_made_is_amplified() -> None:
    made = frames([0, 0], keep=(1,))
    for frame in made:
        frame.work.chroma = np.full((2, 8, 16), 0.1, np.float32)
    first, second = Amplify(2).run(made)
    assert first.work.chroma[0, 0, 0] == pytest.approx(0.2) and second.work.chroma[0, 0, 0] == pytest.approx(0.1)


def test_gain_keeps_hue_and_never_leaves_the_disc() -> None:
    chroma = np.array([[[0.1, 0.4]], [[0.05, -0.3]]], np.float32)
    louder = amplify(chroma, 1.5)
    np.testing.assert_allclose(louder[:, 0, 0], [0.15, 0.075], rtol=1e-5)
    assert np.hypot(*louder[:, 0, 1]) == pytest.approx(LARGEST, rel=1e-5)
    assert louder[0, 0, 1] / louder[1, 0, 1] == pytest.approx(-4 / 3, rel=1e-5)
