"""Discriminators: what judges pictures while a network trains, and the losses of both. Only their `heads` learn.

Both have `look`, what they see of a coloured picture (a list of maps, with a gradient to the chroma), and `judge`, scores of those:
the generator's step and the critic's share what was looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.shared.encoder import Encoder
from training.shared.vgg import VGG16, load_vgg16

norm = nn.utils.parametrizations.spectral_norm


class Critic(nn.Module):
    heads: nn.ModuleList

    def look(self, luma: Tensor, chroma: Tensor) -> list[Tensor]:
        """Maps of luma (N, 1, H, W) coloured with chroma (N, 2, H/4, W/4)."""
        raise NotImplementedError

    def judge(self, seen: list[Tensor]) -> list[Tensor]:
        """Scores (N, 1, h, w), one map a scale."""
        raise NotImplementedError

    def forward(self, luma: Tensor, chroma: Tensor) -> list[Tensor]:
        return self.judge(self.look(luma, chroma))


class Head(nn.Sequential):
    def __init__(self, channels: int) -> None:
        super().__init__(
            norm(nn.Conv2d(channels, 64, 1)), nn.LeakyReLU(0.2),
            norm(nn.Conv2d(64, 64, 3, padding=1)), nn.LeakyReLU(0.2),
            norm(nn.Conv2d(64, 1, 1)),
        )  # fmt: skip


class Projected(Critic):
    """Projected discriminator (Sauer et al. 2021): small spectral-norm heads on four stages of a frozen ImageNet Lite0.

    It sees the whole coloured picture, hence chroma given luma.
    """

    def __init__(self, lite0: str | Path | None = None) -> None:
        super().__init__()
        self.features = Encoder()
        if lite0 is not None:
            self.features.load(lite0)
        self.features.eval().requires_grad_(False)
        self.heads = nn.ModuleList(Head(width) for width in self.features.widths)

    def see(self, rgb: Tensor) -> list[Tensor]:
        """Lite0's maps of RGB (N, 3, H, W) in [0, 1]."""
        return cast(list[Tensor], self.features(self.features.stem((rgb - 0.498) / 0.502)))

    def look(self, luma: Tensor, chroma: Tensor) -> list[Tensor]:
        return self.see(to_rgb(luma, chroma))

    def judge(self, seen: list[Tensor]) -> list[Tensor]:
        return [head(x) for head, x in zip(self.heads, seen, strict=True)]


class Doubled(Projected):
    """`Projected`, and heads on relu2_2, relu3_3 and relu4_3 of a frozen VGG16 that sees the picture at half size.

    Other features see other faults: where the Fréchet distance in Lite0's was down to 0.05 of grey's, it was 0.19 in VGG16's. Half
    of the batch is enough for them, and cheaper. Raises FileNotFoundError where VGG16's weights are not there.
    Without `lite0` all features are random, which is enough for a test.
    """

    def __init__(self, lite0: str | Path | None = None) -> None:
        super().__init__(lite0)
        self.vgg = VGG16() if lite0 is None else load_vgg16()[0]
        self.heads.extend(Head(width) for width in (128, 256, 512))

    def look(self, luma: Tensor, chroma: Tensor) -> list[Tensor]:
        some = (len(luma) + 1) // 2
        small = F.avg_pool2d(to_rgb(luma[:some], chroma[:some]), 2) * 255
        maps = self.vgg(small)[1:]
        return super().look(luma, chroma) + [x / (x.float().square().mean((1, 2, 3), keepdim=True).sqrt() + 1e-6) for x in maps]


class Patches(Critic):
    """A discriminator from scratch (Isola et al. 2017, spectral norm of Miyato et al. 2018): patches of luma and chroma, at two scales."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        slope = nn.LeakyReLU(0.2)
        near = nn.Sequential(
            norm(nn.Conv2d(18, width, 3, padding=1)), slope, norm(nn.Conv2d(width, 2 * width, 4, 2, 1)), slope,
            norm(nn.Conv2d(2 * width, 2 * width, 3, padding=1)), slope,
        )  # fmt: skip
        far = nn.Sequential(
            norm(nn.Conv2d(2 * width, 4 * width, 4, 2, 1)), slope, norm(nn.Conv2d(4 * width, 4 * width, 3, padding=1)), slope
        )
        self.heads = nn.ModuleList([near, norm(nn.Conv2d(2 * width, 1, 1)), far, norm(nn.Conv2d(4 * width, 1, 1))])

    def look(self, luma: Tensor, chroma: Tensor) -> list[Tensor]:
        return [torch.cat([F.pixel_unshuffle(luma, 4) - 0.5, chroma * 4], 1)]

    def judge(self, seen: list[Tensor]) -> list[Tensor]:
        near = self.heads[0](seen[0])
        return [self.heads[1](near), self.heads[3](self.heads[2](near))]


CRITICS: dict[str, type[Critic]] = {"projected": Projected, "doubled": Doubled, "patches": Patches}


def hinge(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """The critic's loss (Lim and Ye 2017), mean over scales."""
    return torch.stack([F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean() for r, f in zip(real, fake, strict=True)]).mean()


def adversarial(scores: list[Tensor]) -> Tensor:
    """The generator's side of the hinge loss."""
    return -torch.stack([s.float().mean() for s in scores]).mean()


def perceptual(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """L1 between feature maps, each by the mean size of the real one (Johnson et al. 2016, with L1), mean over scales."""
    terms = [(f.float() - r.float()).abs().mean() / r.float().abs().mean() for f, r in zip(fake, real, strict=True)]
    return torch.stack(terms).mean()


def to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """RGB (N, 3, H, W) in [0, 1] of luma and quarter-size chroma of BT.709, clipped."""
    cb, cr = F.interpolate(chroma, scale_factor=4.0, mode="bilinear", align_corners=False).split(1, 1)
    blue, red = luma + 1.8556 * cb, luma + 1.5748 * cr
    return torch.cat([red, (luma - 0.2126 * red - 0.0722 * blue) / 0.7152, blue], 1).clamp(0, 1)
