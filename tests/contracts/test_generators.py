"""What every shipped generator promises: sane colours for whatever comes, hints and dial that do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from tests.contracts.reference import reference
from vidcolor.networks import cards as networks


@pytest.fixture(scope="module", params=[n for n in networks.available() if n.card.task == "colorize"], ids=lambda network: network.name)
def network(request) -> networks.Network:
    return networks.find(request.param.name)


@pytest.fixture(scope="module")
def run(network):
    return reference(network)


def picture(batch: int = 1, height: int = 64, width: int = 96, seed: int = 0) -> dict[str, np.ndarray]:
    """A soft scene with edges, without hints."""
    y, x = np.mgrid[0:height, 0:width] / 16 + seed
    luma = (0.5 + 0.3 * np.sin(x) * np.cos(y) + 0.1 * (x > y)).clip(0, 1).astype(np.float32)
    shift = [np.roll(luma, 7 * index, 1) for index in range(batch)]
    return {
        "luma": np.stack(shift)[:, None],
        "hints": np.zeros((batch, 3, height, width), np.float32),
        "temperature": np.ones(1, np.float32),
        "tilt": np.zeros(1, np.float32),
    }


def test_the_dial_goes_from_muted_to_bold(network):
    assert len(network.card.dial) == 3
    assert all(temperature > 0 and 0 <= tilt <= 1 and gain > 0 for temperature, tilt, gain in network.card.dial)


def test_the_golden_sample_has_hints(network):
    assert np.load(network.golden)["hints"][:, 2].max() == 1


@pytest.mark.parametrize("sides", [(1, 1), (1, 4), (4, 1), (3, 5)], ids=str)
def test_every_size_and_an_odd_batch_work(network, run, sides):
    height, width = (network.card.multiple * side for side in sides)
    got = run(picture(3, height, width))
    assert got["chroma"].shape == (3, 2, height // 4, width // 4)
    assert got["confidence"].shape == (3, 1, height // 4, width // 4)


@pytest.mark.parametrize("what", ["black", "white", "noise", "checkerboard", "wild hints", "cold", "hot"])
def test_answers_stay_in_range_whatever_comes(run, what):
    inputs = picture(2)
    random = np.random.default_rng(3)
    if what in ("black", "white"):
        inputs["luma"][:] = what == "white"
    elif what == "noise":
        inputs["luma"][:] = random.random(inputs["luma"].shape)
    elif what == "checkerboard":
        inputs["luma"][:] = np.indices(inputs["luma"].shape[2:]).sum(0) % 2
    elif what == "wild hints":
        inputs["hints"][:] = random.uniform(-0.5, 0.5, inputs["hints"].shape)
        inputs["hints"][:, 2] = 1
    else:
        inputs["temperature"][:] = 0.05 if what == "cold" else 20
    got = run(inputs)
    assert np.isfinite(got["chroma"]).all() and np.abs(got["chroma"]).max() <= 0.5
    assert np.isfinite(got["confidence"]).all() and got["confidence"].min() >= 0 and got["confidence"].max() <= 1


@pytest.mark.parametrize("color", [(0.15, -0.1), (-0.15, 0.15), (-0.1, -0.1), (0.0, 0.0)], ids=str)
def test_hints_of_weight_one_move_the_colour_towards_them(run, color):
    plain, hinted = picture(), picture()
    hinted["hints"][0] = np.array([*color, 1], np.float32)[:, None, None]
    wanted = np.array(color, np.float32)[:, None, None]
    before = np.abs(run(plain)["chroma"][0] - wanted).mean()
    after = np.abs(run(hinted)["chroma"][0] - wanted).mean()
    assert after < 0.7 * before


def test_hints_without_weight_are_not_there(run):
    plain, empty = picture(), picture()
    empty["hints"][0, :2] = 0
    np.testing.assert_array_equal(run(plain)["chroma"], run(empty)["chroma"])


def test_a_lower_temperature_is_surer(run):
    hot, cold = picture(), picture()
    cold["temperature"][:] = 0.3
    a, b = run(hot), run(cold)
    assert np.abs(a["chroma"] - b["chroma"]).mean() > 1e-3
    assert b["confidence"].mean() > a["confidence"].mean()


def test_taking_the_tilt_back_makes_colour_calmer(run):
    bold, honest = picture(), picture()
    honest["tilt"][:] = 1
    assert np.abs(run(honest)["chroma"]).mean() < np.abs(run(bold)["chroma"]).mean()


def test_frames_of_a_batch_do_not_see_each_other(network, run):
    together = picture(3)
    alone = {name: array[1:2] if array.ndim == 4 else array for name, array in together.items()}
    for name, array in run(alone).items():
        np.testing.assert_allclose(array, run(together)[name][1:2], rtol=0, atol=network.card.tolerance["f32"][name])
