"""The training script in its smallest form: both phases run, resume, and are counted."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from training.color.data import BinEncoder, Crops, Sample, class_weights, leader, remembered, split  # noqa: E402
from training.color.losses import decode, rebalanced_cross_entropy  # noqa: E402
from training.color.network import Generator, build, make_bins  # noqa: E402
from training.shared.encoder import ENCODERS  # noqa: E402
from training.shared.photos import load_photos  # noqa: E402

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[3]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A tar with three colour pictures and one member that is no picture."""
    rng = np.random.default_rng(0)
    path = tmp_path / "photos.tar"
    with tarfile.open(path, "w") as tar:
        for i in range(4):
            small = rng.integers(0, 255, (8, 8, 3), np.uint8)
            data = (
                cv2.imencode(".jpg", cv2.resize(small, (280, 256), interpolation=cv2.INTER_CUBIC))[1].tobytes() if i < 3 else b"no picture"
            )
            info = tarfile.TarInfo(f"{i}.jpg")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def train(*words: object) -> list[dict[str, float]]:
    done = subprocess.run(
        [sys.executable, "-m", "training.color.colorize", *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_both_phases_run_and_resume(photos: Path, tmp_path: Path) -> None:
    small = ["--data", photos, "--batch", 2, "--crop", 64]
    train("supervised", *small, "--out", tmp_path / "a", "--max-steps", 2)
    first = torch.load(tmp_path / "a" / "last.pt", weights_only=True)
    assert first["seen"]["step"] == 2
    assert first["seen"]["unreadable"] == 1
    train("supervised", *small, "--out", tmp_path / "a", "--max-steps", 3)
    again = torch.load(tmp_path / "a" / "last.pt", weights_only=True)
    assert again["seen"]["step"] == 3
    assert again["seen"]["crops"] == 6
    assert {moments["step"].item() for moments in again["optimisers"][0]["state"].values()} == {3}, "the optimiser went on too"
    for steps in (2, 3):
        train("adversarial", *small, "--start", tmp_path / "a" / "last.pt", "--out", tmp_path / "b", "--warm-up", 1, "--max-steps", steps)
    last = torch.load(tmp_path / "b" / "last.pt", weights_only=True)
    assert last.keys() == {"ema", "raw", "seen", "build", "optimisers", "heads"}
    steps_of = [{moments["step"].item() for moments in optimiser["state"].values()} for optimiser in last["optimisers"]]
    assert steps_of == [{2}, {3}], "the generator's, which began a step later, and the critic's"
    assert last["seen"]["crops"] == 12, "six of them before"
    moved = [key for key in last["raw"] if key.endswith("weight") and not torch.equal(last["raw"][key], again["ema"][key])]
    assert moved, "the generator moves once the critic has learned alone"


@pytest.mark.slow
def test_the_recipe_goes_through_all_phases_and_hands_on_its_network(photos: Path, tmp_path: Path) -> None:
    words = ["--data", photos, "--out", tmp_path / "run", "--batch", 2, "--crop", 64, "--max-steps", 1]
    command = [sys.executable, "-m", "training.color.recipe", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last = torch.load(tmp_path / "run" / "adversarial" / "last.pt", weights_only=True)
    assert last["seen"]["crops"] == 6, "two crops in each of three phases"
    assert (tmp_path / "run" / "scenes" / "last.png").exists()


def test_soft_encoding_keeps_colours(photos: Path) -> None:
    images, _ = load_photos([photos])
    _, cb, cr = split(images[0])
    index, weight = BinEncoder()(cb, cr)
    back = decode(torch.from_numpy(index)[None], torch.from_numpy(weight)[None])[0].numpy()
    inside = np.hypot(cb, cr) < 0.30
    np.testing.assert_allclose(back[:, inside], np.stack([cb, cr])[:, inside], atol=1e-3)
    np.testing.assert_allclose(weight.sum(0), 1, atol=1e-3)


def test_class_weights_are_mild(photos: Path) -> None:
    weights = class_weights(load_photos([photos])[0], BinEncoder())
    assert weights.max() / weights.min() < 12


def test_hints_of_a_memory_are_the_righter_the_surer_and_say_nothing_where_they_are_not_sure() -> None:
    rng = np.random.default_rng(0)
    smooth = [cv2.resize(rng.uniform(-0.3, 0.3, (6, 6)).astype(np.float32), (96, 96), interpolation=cv2.INTER_CUBIC) for _ in range(4)]
    (cb, cr), other = smooth[:2], np.stack(smooth[2:])
    every = [remembered(cb, cr, other, rng) for _ in range(60)]
    assert all(hints.shape == (3, 96, 96) and hints.dtype == np.float32 and np.isfinite(hints).all() for hints in every)
    weights = np.stack([hints[2] for hints in every])
    errors = np.stack([np.hypot(hints[0] - cb, hints[1] - cr) for hints in every])
    assert weights.min() == 0 and weights.max() <= 1
    assert all(not hints[:2, hints[2] == 0].any() for hints in every)
    sure, unsure = errors[weights > 0.8].mean(), errors[(weights > 0) & (weights < 0.4)].mean()
    assert sure < 0.5 * unsure
    assert (errors[weights > 0.8] > 0.15).any(), "now and then it is wrong and sure"


def test_samples_with_hints_of_a_memory_are_drawn_by_their_share(photos: Path) -> None:
    crops = Crops(load_photos([photos])[0], Sample(64, hint_rate=1, memory_share=1), 0)
    drawn = [hints for (_, hints, _, _), _ in zip(crops, range(20), strict=False)]
    assert sum(len(np.unique(hints[2])) > 50 for hints in drawn) > 15, "weights are graded"


def test_crops_are_seeded(photos: Path) -> None:
    images, _ = load_photos([photos])
    one, two, other = (next(iter(Crops(images, Sample(64, pairs=True), seed))) for seed in (1, 1, 2))
    assert [part.shape for part in one] == [(1, 64, 64), (3, 64, 64), (4, 16, 16), (4, 16, 16), (1, 64, 64)]
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_leaders_are_grey_and_differ() -> None:
    rng = np.random.default_rng(0)
    made = [leader(64, rng) for _ in range(20)]
    for picture in made:
        assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8
        assert np.array_equal(picture[..., 0], picture[..., 1]) and np.array_equal(picture[..., 0], picture[..., 2])
    assert len({picture.tobytes() for picture in made}) == 20


def test_generator_reaches_every_parameter_and_any_size() -> None:
    network, classes = Generator().train(), torch.ones(len(make_bins()))
    logits = network(torch.rand(2, 1, 64, 96), torch.rand(2, 3, 64, 96))
    assert logits.shape == (2, len(make_bins()), 16, 24)
    index, weight = torch.zeros(2, 4, 16, 24, dtype=torch.long), torch.full((2, 4, 16, 24), 0.25)
    rebalanced_cross_entropy(logits, index, weight, classes).backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


def test_chroma_of_a_sure_network_is_its_bin_with_full_confidence() -> None:
    network = Generator()
    logits = torch.full((1, len(network.bins), 2, 2), -50.0)
    logits[:, 7] = 50.0
    chroma, confidence = network.chroma(logits)
    torch.testing.assert_close(chroma[0, :, 0, 0], network.bins[7])
    assert confidence.min() > 0.999


def test_cross_entropy_of_a_uniform_answer_is_the_logarithm_of_the_bins() -> None:
    bins = len(make_bins())
    index, weight = torch.zeros(1, 4, 2, 2, dtype=torch.long), torch.full((1, 4, 2, 2), 0.25)
    loss = rebalanced_cross_entropy(torch.zeros(1, bins, 2, 2), index, weight, torch.ones(bins))
    assert loss.item() == pytest.approx(np.log(bins), rel=1e-5)


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
@pytest.mark.parametrize("regression", [False, True])
def test_every_variant_answers_chroma_at_a_quarter_of_the_size(encoder: str, regression: bool) -> None:
    network = build(encoder, (32, 32, 32), regression)
    chroma, confidence = network.chroma(network(torch.rand(2, 1, 64, 96), torch.zeros(2, 3, 64, 96)), 0.6, 1.0)
    assert chroma.shape == (2, 2, 16, 24) and confidence.shape == (2, 1, 16, 24)
