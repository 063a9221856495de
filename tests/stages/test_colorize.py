"""The colorize stage on a session made by hand: batches, cuts, dial, steadiness."""

import numpy as np
import pytest

from tests.stages.sessions import Echo
from vidcolor.frames import Frame, Work
from vidcolor.planes import Box, Floats, Layout, Planes
from vidcolor.stages.colorize import LARGEST, Colorize, Setting, amplify, turn_dial

DIAL = [Setting(1.0, 1.0, 0.8), Setting(0.6, 0.5, 1.2), Setting(0.4, 0.0, 1.5)]


def frames(shots: list[int], keep: tuple[int, ...] = ()) -> list[Frame]:
    layout = Layout(64, 32, chroma="400")
    made, places = [], dict.fromkeys(shots, 0)
    for number, shot in enumerate(shots):
        luma = np.full((32, 64), number / 20, np.float32)
        source = Planes(np.zeros((32, 64), np.uint8), None, None, layout)
        made.append(Frame(number, number, source, Work(luma, Box(0, 0, 64, 32)), shot, places[shot], keep=number in keep))
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
    assert sum(session.batches) == stage.colored == 1
    assert [f.work.chroma is None for f in out] == [False, True, True, True]


def test_steadiness_is_reset_at_each_shot_and_its_hints_reach_the_network() -> None:
    class Note:
        def __init__(self) -> None:
            self.calls: list[str] = []

        def reset(self) -> None:
            self.calls.append("reset")

        def propose(self, frame: Frame) -> Floats | None:
            return np.full((3, 32, 64), frame.number, np.float32)

        def accept(self, frame: Frame, chroma: Floats, confidence: Floats) -> Floats:
            self.calls.append(f"accept {frame.number}")
            return chroma * 0

    session, steady = Echo(), Note()
    out = list(Colorize(session, Setting(1, 0, 1), batch=1, steady=steady).run(frames([0, 0, 1])))
    assert steady.calls == ["reset", "accept 0", "accept 1", "reset", "accept 2"]
    assert [float(h.max()) for h in session.hints] == [0, 1, 2]
    assert all(f.work.chroma is not None and not f.work.chroma.any() for f in out)


def test_steadiness_is_reset_where_the_first_frames_of_a_shot_were_kept() -> None:
    class Note:
        resets = 0

        def reset(self) -> None:
            self.resets += 1

        def propose(self, frame: Frame) -> Floats | None:
            return None

        def accept(self, frame: Frame, chroma: Floats, confidence: Floats) -> Floats:
            return chroma

    steady = Note()
    list(Colorize(Echo(), Setting(1, 0, 1), batch=2, steady=steady).run(frames([0, 0, 1, 1, 1, 1], keep=(2, 3, 4))))
    assert steady.resets == 2


def test_the_dial_is_linear_between_its_three_positions() -> None:
    assert turn_dial(DIAL, 0) == DIAL[0]
    assert turn_dial(DIAL, 1) == DIAL[1]
    assert turn_dial(DIAL, 2) == DIAL[2]
    assert turn_dial(DIAL, 0.5) == Setting(0.8, 0.75, 1.0)
    with pytest.raises(ValueError, match="between 0 and 2"):
        turn_dial(DIAL, 2.1)


def test_gain_keeps_hue_and_never_leaves_the_disc() -> None:
    chroma = np.array([[[0.1, 0.4]], [[0.05, -0.3]]], np.float32)
    louder = amplify(chroma, 1.5)
    np.testing.assert_allclose(louder[:, 0, 0], [0.15, 0.075], rtol=1e-5)
    assert np.hypot(*louder[:, 0, 1]) == pytest.approx(LARGEST, rel=1e-5)
    assert louder[0, 0, 1] / louder[1, 0, 1] == pytest.approx(-4 / 3, rel=1e-5)
