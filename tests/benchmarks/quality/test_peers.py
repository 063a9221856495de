"""What colour networks are compared with."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality.generators import Point, ask
from benchmarks.quality.peers import OneColor, ResNet6, chroma_of_lab


def test_one_colour_is_the_same_everywhere() -> None:
    (chroma,) = ask(OneColor.parse("-0.02:0.03"), np.random.default_rng(0).random((32, 64), dtype=np.float32), [Point(1, 1)])
    assert chroma.shape[:1] == (2,)
    assert np.allclose(chroma[0], -0.02) and np.allclose(chroma[1], 0.03)


@pytest.mark.parametrize("text", ["1", "a:b", "1:2:3"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        OneColor.parse(text)


def test_lab_becomes_chroma() -> None:
    rgb = np.full((8, 8, 3), (0.8, 0.4, 0.2), np.float32)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)
    chroma = chroma_of_lab(lab[..., 0] / 100, lab[..., 1:].transpose(2, 0, 1))
    y = rgb[0, 0] @ (0.2126, 0.7152, 0.0722)
    assert chroma.shape == (2, 2, 2)
    assert np.allclose(chroma[:, 0, 0], [(0.2 - y) / 1.8556, (0.8 - y) / 1.5748], atol=2e-3)


@pytest.mark.slow
@pytest.mark.torch
def test_the_peers_network_answers_and_other_weights_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")
    from benchmarks.quality.peers import _resnet6

    torch.manual_seed(0)
    torch.save(_resnet6().state_dict(), tmp_path / "peer.pth")
    torch.save({"some": torch.zeros(1)}, tmp_path / "other.pth")
    answer = ResNet6(tmp_path / "peer.pth").run({"luma": np.random.default_rng(0).random((1, 1, 64, 96), dtype=np.float32)})
    assert answer["chroma"].shape == (1, 2, 16, 24) and answer["confidence"].shape == (1, 1, 16, 24)
    with pytest.raises(SystemExit, match="not weights of this network"):
        ResNet6(tmp_path / "other.pth")
