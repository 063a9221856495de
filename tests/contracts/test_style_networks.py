"""What every shipped style network and style encoder promises, and the small ones that other tests use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.contracts.reference import reference
from tests.style_networks import install
from vidcolor.networks import cards as networks
from vidcolor.networks import styles

SHIPPED = [n.name for n in networks.available() if n.card.task in ("stylize", "encode-style")]
DRAWING = [n.name for n in networks.available() if n.card.task == "stylize"]


def of(name: str, folder: Path) -> networks.Network:
    """A shipped network, or one of the small ones ("small/...")."""
    if not name.startswith("small/"):
        return networks.find(name)
    path = folder / f"{name[6:]}.onnx"
    return networks.Network(path, networks.read_card(path.with_suffix(".json")))


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return install(tmp_path_factory.mktemp("small") / "networks")


@pytest.fixture(scope="module", params=["small/stylize", "small/drawing", *DRAWING])
def network(request, small) -> networks.Network:
    return of(request.param, small)


@pytest.fixture
def normalizing(network) -> networks.Network:
    if not network.vector_length("stats"):
        pytest.skip(f"{network.name} does not normalize")
    return network


@pytest.fixture(scope="module")
def run(network):
    return reference(network)


def picture(batch: int = 1, height: int = 64, width: int = 96, seed: int = 0) -> np.ndarray:
    """A soft scene with edges, in colour."""
    y, x = np.mgrid[0:height, 0:width] / 16 + seed
    scene = np.stack([0.5 + 0.3 * np.sin(x + place) * np.cos(y) + 0.1 * (x > y) for place in range(3)]).clip(0, 1)
    return np.stack([np.roll(scene, 7 * index, 2) for index in range(batch)]).astype(np.float32)


def inputs(network: networks.Network, pictures: np.ndarray, weight: float = 0, seed: int = 1) -> dict[str, np.ndarray]:
    """All inputs: a code near those of styles, and no statistics."""
    code, stats = (network.vector_length(name) for name in ("code", "stats"))
    if not code:
        return {"picture": pictures}
    known = [style.code for style in styles.catalogue().values() if style.network == network.name and len(style.code) == code]
    one = np.array(known[0], np.float32) if known else np.random.default_rng(seed).normal(0, 0.3, code).astype(np.float32)
    return {
        "picture": pictures,
        "code": np.repeat(one[None], len(pictures), 0),
        "stats": np.zeros((len(pictures), stats), np.float32),
        "stats_weight": np.array([weight], np.float32),
    }


def test_the_ports_are_those_of_a_style_network(network):
    ports, picture = network.card.inputs, ("N", 3, "H", "W")
    assert ports["picture"] == picture
    if len(ports) == 1:
        assert dict(network.card.outputs) == {"styled": picture}, "one style, no normalization"
        return
    assert ports.keys() == {"picture", "code", "stats", "stats_weight"} and ports["stats_weight"] == (1,)
    assert dict(network.card.outputs) == {"styled": picture, "measured": ports["stats"]}


@pytest.mark.parametrize("sides", [(1, 1), (1, 4), (4, 1), (3, 5)], ids=str)
def test_every_size_and_an_odd_batch_work(network, run, sides):
    height, width = (network.card.multiple * side for side in sides)
    got = run(inputs(network, picture(3, height, width)))
    assert got["styled"].shape == (3, 3, height, width)
    assert "measured" not in got or got["measured"].shape == (3, network.vector_length("stats"))


@pytest.mark.parametrize("what", ["black", "white", "noise", "checkerboard"])
def test_answers_stay_in_range_whatever_comes(network, run, what):
    given = picture(2)
    if what in ("black", "white"):
        given[:] = what == "white"
    elif what == "noise":
        given[:] = np.random.default_rng(3).random(given.shape)
    else:
        given[:] = np.indices(given.shape[2:]).sum(0) % 2
    got = run(inputs(network, given))
    assert all(np.isfinite(array).all() for array in got.values())
    assert got["styled"].min() >= 0 and got["styled"].max() <= 1


def test_without_weight_held_statistics_are_not_there(normalizing, run):
    plain = inputs(normalizing, picture())
    wild = plain | {"stats": np.full_like(plain["stats"], 3)}
    np.testing.assert_array_equal(run(plain)["styled"], run(wild)["styled"])


def test_a_pictures_own_statistics_held_change_nothing(normalizing, run):
    plain = inputs(normalizing, picture())
    own = run(plain)
    held = plain | {"stats": own["measured"], "stats_weight": np.ones(1, np.float32)}
    again = run(held)
    np.testing.assert_allclose(again["styled"], own["styled"], rtol=0, atol=0.01)
    np.testing.assert_allclose(again["measured"], own["measured"], rtol=0.02, atol=0.01)


def test_held_statistics_are_used(normalizing, run):
    plain = inputs(normalizing, picture())
    other = run(inputs(normalizing, 0.5 * picture(seed=2)))["measured"]
    held = plain | {"stats": other, "stats_weight": np.ones(1, np.float32)}
    assert np.abs(run(held)["styled"] - run(plain)["styled"]).mean() > 0.005


def test_another_code_is_another_style(normalizing, run):
    one = inputs(normalizing, picture())
    other = one | {"code": one["code"] + np.float32(0.3)}
    assert np.abs(run(one)["styled"] - run(other)["styled"]).mean() > 0.002


def test_pictures_of_a_batch_do_not_see_each_other(network, run):
    together = inputs(network, picture(3))
    alone = {name: array[1:2] if len(array) == 3 else array for name, array in together.items()}
    for name, array in run(alone).items():
        np.testing.assert_allclose(array, run(together)[name][1:2], rtol=1e-4, atol=network.card.tolerance["f32"][name])


@pytest.mark.parametrize("name", ["small/style-encoder", *(n for n in SHIPPED if n not in DRAWING)])
def test_an_encoder_tells_pictures_apart_and_fits_its_style_network(name, small):
    network = of(name, small)
    assert network.card.inputs["picture"][1:] == (3, "H", "W")
    drawing = of(name.replace("style-encoder", "stylize"), small)
    assert network.card.outputs["code"][1] == drawing.vector_length("code")
    run = reference(network)
    codes = [run({"picture": picture(1, 256, 320, seed)[:, order]})["code"] for seed, order in ((0, [0, 1, 2]), (1, [2, 1, 0]))]
    assert all(np.isfinite(code).all() for code in codes)
    assert np.abs(codes[0] - codes[1]).max() > 1e-4


def test_every_named_style_fits_its_network(tmp_path, monkeypatch):
    monkeypatch.setenv(styles.FOLDER_VARIABLE, str(tmp_path))
    for style in styles.catalogue().values():
        assert len(style.code) == networks.find(style.network, "stylize").vector_length("code"), style.name
