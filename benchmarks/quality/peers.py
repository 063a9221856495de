"""What colour networks are compared with: one colour for everything, and a peer that can be run.

The peer is the ResNet-6 of akbokha/image-colorization (MIT; commit c4745f6, checkpoints/model-epoch-30-losses-0.003.pth): the first half
of a ResNet-18 (He et al. 2016) on luma, and convolutions between three doublings. It was trained on 40,000 Places photos at 224 pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from benchmarks.quality.generators import Floats
from vidcolor.backends.base import Arrays, Session
from vidcolor.picture.matrices import from_rgb_units


class OneColor:
    """Cb and Cr for every pixel of every picture: its own source and session."""

    precision = "f32"

    def __init__(self, cb: float, cr: float) -> None:
        self.chroma, self.label = np.array([cb, cr], np.float32), f"one colour ({cb:g}, {cr:g})"

    @classmethod
    def parse(cls, text: str) -> OneColor:
        """From "CB:CR". Raises ValueError for anything else."""
        cb, cr = (float(number) for number in text.split(":"))
        return cls(cb, cr)

    def open(self, batch: int, height: int, width: int) -> Session:
        return self

    def run(self, inputs: Arrays) -> dict[str, Floats]:
        count, _, height, width = inputs["luma"].shape
        chroma = np.broadcast_to(self.chroma[:, None, None], (count, 2, height // 4, width // 4)).copy()
        return {"chroma": chroma, "confidence": np.ones((count, 1, *chroma.shape[2:]), np.float32)}

    def close(self) -> None:
        """Nothing is held."""


class ResNet6:
    """The peer as a source and a session: its colours (a, b of Lab, with the picture's own luma for L) as chroma at a quarter of the size.

    Needs the training extra. Raises SystemExit where the file holds another network's weights.
    """

    precision = "f32"

    def __init__(self, path: Path, threads: int = 1) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch, self.network, self.label = torch, _resnet6(), "akbokha ResNet-6"
        state = torch.load(path, map_location="cpu", weights_only=True)
        try:
            self.network.load_state_dict(state)
        except RuntimeError as error:
            raise SystemExit(f"{path}: not weights of this network ({str(error).splitlines()[0]})") from error
        self.network.eval().requires_grad_(False)

    def open(self, batch: int, height: int, width: int) -> Session:
        return self

    def run(self, inputs: Arrays) -> dict[str, Floats]:
        with self.torch.inference_mode():
            answer = self.network(self.torch.from_numpy(inputs["luma"])).numpy() * 255 - 128
        chroma = np.stack([chroma_of_lab(luma[0], ab) for luma, ab in zip(inputs["luma"], answer, strict=True)])
        return {"chroma": chroma, "confidence": np.ones_like(chroma[:, :1])}

    def close(self) -> None:
        """Nothing is held."""


def chroma_of_lab(luma: Floats, ab: Floats) -> Floats:
    """Cb, Cr of BT.709 (2, h/4, w/4) for luma (h, w) in [0, 1] taken for L / 100, and a, b (2, h, w) of CIE Lab."""
    rgb = cast(Floats, cv2.cvtColor(np.dstack([luma * 100, *ab]).astype(np.float32), cv2.COLOR_Lab2RGB))
    size = luma.shape[1] // 4, luma.shape[0] // 4
    planes = from_rgb_units(rgb.transpose(2, 0, 1), "bt709")[1:]
    return np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes])


def _resnet6() -> Any:
    from torch import nn
    from torchvision.models import resnet18

    def convolution(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]

    front = list(resnet18().children())[:6]
    front[0] = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    double = nn.Upsample(scale_factor=2)
    back = [*convolution(128, 128), double, *convolution(128, 64), *convolution(64, 64), double, *convolution(64, 32)]
    network = nn.Module()
    network.midlevel_resnet = nn.Sequential(*front)
    network.upsample = nn.Sequential(*back, nn.Conv2d(32, 2, 3, padding=1), nn.Upsample(scale_factor=2))
    network.forward = lambda luma: network.upsample(network.midlevel_resnet(luma))
    return network
