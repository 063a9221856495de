"""The colour generator (docs/design.md, section 7) and the variants of it that the ablations compare.

The generator looks at luma and hints at work size and answers, for every 4x4 block, a distribution over chroma bins.
Its encoder is EfficientNet-Lite0 (Tan & Le 2019, the Lite variant of 2020), so that ImageNet weights can start it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.shared.encoder import ConvNorm, Encoder

STEP, RADIUS = 0.04, 0.36
"""Distance between neighbouring chroma bins and the radius of the disc they fill, in Cb/Cr units of [-0.5, 0.5]."""


def make_bins(step: float = STEP, radius: float = RADIUS) -> Tensor:
    """Centres of the chroma bins, float32 (K, 2) of Cb, Cr: a square grid cut to a disc."""
    grid = np.arange(-12, 13) * step
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    return torch.tensor(points[(points**2).sum(1) < radius**2], dtype=torch.float32)


class Generator(nn.Module):
    """Luma and hints in, logits over chroma bins out.

    Buffers: ``bins`` (K, 2), the centres; ``log_weights`` (K,), the logarithm of the rebalancing weights that training used,
    so that their tilt can be taken back (`chroma`).
    """

    bins: Tensor
    log_weights: Tensor

    def __init__(self, encoder: str = "lite0", widths: tuple[int, int, int] = (128, 96, 64), outputs: int = 0) -> None:
        super().__init__()
        bins, w = make_bins(), widths
        self.enc = Encoder(encoder)
        four, eight, sixteen, deep = self.enc.widths
        self.register_buffer("bins", bins)
        self.register_buffer("log_weights", torch.zeros(len(bins)))
        self.hint = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        nn.init.zeros_(self.hint.weight)  # the encoder starts by seeing a plain picture
        self.l32, self.l16, self.d16 = ConvNorm(deep, w[0], 1), ConvNorm(sixteen, w[0], 1), ConvNorm(w[0], w[0], 3)
        self.l8, self.u8, self.d8 = (
            ConvNorm(eight, w[1], 1),
            ConvNorm(w[0], w[1], 1),
            nn.Sequential(ConvNorm(w[1], w[1]), ConvNorm(w[1], w[1])),
        )
        self.l4, self.u4, self.d4 = (
            ConvNorm(four, w[2], 1),
            ConvNorm(w[1], w[2], 1),
            nn.Sequential(ConvNorm(w[2], w[2]), ConvNorm(w[2], w[2])),
        )
        self.ctx, self.head = ConvNorm(deep, w[0], 1), nn.Conv2d(w[2], outputs or len(bins), 1)
        self.hint4, self.detail = ConvNorm(3, 16, 3), ConvNorm(1, 16, 7, 4)
        self.mix = ConvNorm(w[2] + 32, w[2], 3)

    def forward(self, luma: Tensor, hints: Tensor) -> Tensor:
        """Logits (N, K, H/4, W/4) from luma (N, 1, H, W) in [0, 1] and hints (N, 3, H, W); H and W multiples of 32."""
        stem = self.enc.stem
        x = (luma.expand(-1, 3, -1, -1) - 0.5) / 0.5
        four, eight, sixteen, deep = self.enc(stem[2](stem[1](stem[0](x) + self.hint(hints))))
        context = self.ctx(deep.mean((2, 3), keepdim=True))
        z = self.d16(double(self.l32(deep) + context) + self.l16(sixteen))
        z = self.d8(double(self.u8(z)) + self.l8(eight))
        z = self.d4(double(self.u4(z)) + self.l4(four))
        z = self.mix(torch.cat([z, self.hint4(F.avg_pool2d(hints, 4)), self.detail(luma - 0.5)], 1))
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


class Regressor(Generator):
    """The same network with Cb and Cr themselves as outputs instead of bins: no dial, no confidence. For comparison."""

    def __init__(self, encoder: str = "lite0", widths: tuple[int, int, int] = (128, 96, 64)) -> None:
        super().__init__(encoder, widths, outputs=2)

    def chroma(self, logits: Tensor, temperature: Tensor | float = 1.0, tilt: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        return logits.float(), torch.ones_like(logits[:, :1], dtype=torch.float32)


def build(encoder: str = "lite0", widths: tuple[int, int, int] = (128, 96, 64), regression: bool = False) -> Generator:
    """The generator of these settings; a checkpoint keeps them under "build"."""
    return Regressor(encoder, widths) if regression else Generator(encoder, widths)


def weights_of(saved: Mapping[str, Any], part: str = "ema") -> dict[str, Tensor]:
    """Weights as f32 of a part of a checkpoint (of the colour generator: its moving average), or of a plain state dict."""
    return {key: value.float() if value.is_floating_point() else value for key, value in saved.get(part, saved).items()}


def double(x: Tensor) -> Tensor:
    """Twice the size, bilinear: the stages of the encoder differ by exactly two for sizes that are multiples of 32."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
