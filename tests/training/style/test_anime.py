"""What the anime network is asked for, and what it may learn from."""

import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from training.style import anime  # noqa: E402

pytestmark = pytest.mark.torch


def smooth_photo(seed: int, side: int = 256) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)


def put(tar: tarfile.TarFile, name: str, picture: np.ndarray, folder: Path) -> None:
    cv2.imwrite(str(folder / name), picture)
    tar.add(folder / name, name)


def test_abstraction_flattens_grain_and_keeps_edges() -> None:
    photo = np.full((64, 64, 3), 90, np.uint8)
    photo[:, 32:] = 180
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 5, photo.shape), 0, 255).astype(np.uint8)
    made = anime.abstract(noisy)
    assert made.dtype == np.float32 and made.min() >= 0 and made.max() <= 1
    assert made[8:-8, 8:24].std() < 0.4 * (noisy[8:-8, 8:24] / 255).std()
    assert made[:, 40:].mean() - made[:, :24].mean() > 0.2


def test_abstraction_draws_lines_along_edges() -> None:
    photo = np.full((64, 64, 3), 200, np.uint8)
    photo[:, 32:] = 80
    made = anime.abstract(photo).mean(2)
    assert made[32, 29:36].min() < made[32, 50] - 0.03, "darker than the dark side"


def test_abstraction_keeps_hue() -> None:
    made = anime.abstract(np.full((64, 64, 3), (180, 90, 60), np.uint8))[32, 32]
    assert made[0] > made[1] > made[2]


def test_what_is_not_for_commerce_is_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cartoons.tar", "w") as tar:
        for name in ("free.jpg", "bound.jpg"):
            put(tar, name, smooth_photo(0), tmp_path)
    rows = ["file\tsource\toriginal_path\tlicence", "free.jpg\ta\tb\tCC BY 4.0", "bound.jpg\ta\tb\tfigures: non-commercial research only"]
    (tmp_path / "cartoons.tsv").write_text("\n".join(rows), encoding="utf-8")
    assert len(anime.load_cartoons(tmp_path / "cartoons.tar")) == 1


def test_edges_of_the_false_cartoons_are_smoothed() -> None:
    picture = np.full((256, 256, 3), 20, np.uint8)
    picture[:, 100:] = 230
    true, smoothed = anime.cartoon_crops([picture], 192, 2, np.random.default_rng(0))
    steepest = [(x[..., 1:] - x[..., :-1]).abs().amax() for x in (true, smoothed)]
    assert steepest[1] < 0.6 * steepest[0]


@pytest.mark.slow
def test_a_short_run_with_its_critic_can_be_gone_on_with(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        put(tar, "0.png", smooth_photo(1), tmp_path)
    with tarfile.open(tmp_path / "cartoons.tar", "w") as tar:
        put(tar, "free.jpg", smooth_photo(2), tmp_path)
    (tmp_path / "cartoons.tsv").write_text("file\tlicence\nfree.jpg\tMIT", encoding="utf-8")
    torch.save({}, tmp_path / "lite0.pth")
    words = [sys.executable, "-m", "training.style.anime", "--photos", str(tmp_path / "photos.tar")]
    words += ["--cartoons", str(tmp_path / "cartoons.tar"), "--lite0", str(tmp_path / "lite0.pth"), "--out", str(tmp_path / "run")]
    words += ["--batch", "2", "--crop", "64", "--warm-up", "0"]
    for steps in ("1", "2"):
        subprocess.run([*words, "--random-features", "--max-steps", steps], check=True, cwd=Path(__file__).parents[3])
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["seen"]["step"] == 2
    assert (tmp_path / "run" / "last.png").exists()
