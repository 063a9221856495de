"""What the style network is asked for. Feature maps are those of `training.shared.vgg`: relu1_2, 2_2, 3_3 and 4_3."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def gram(x: Tensor) -> Tensor:
    """Gram matrices (N, C, C) of maps (N, C, H, W), by the number of places (Gatys et al. 2016, eq. 3); f32."""
    flat = x.permute(0, 2, 3, 1).flatten(1, 2)  # no copy of maps in channels-last order
    half = (flat.detach().transpose(1, 2) @ flat).float() / flat.shape[1]
    return 2 * half - half.detach()  # the same numbers and gradient, the latter by one product instead of two


def gram_distances(maps: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Squared distances (depths, N) of Gram matrices by the squared size of the wanted ones (N, C, C)."""
    terms = [(gram(x) - there).square().sum((1, 2)) / there.square().sum((1, 2)) for x, there in zip(maps, wanted, strict=True)]
    return torch.stack(terms)


def gram_distance(maps: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """The mean of `gram_distances` over depths and pictures."""
    return gram_distances(maps, wanted).mean()


def gram_loss(maps: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """The mean of their roots: squared, one deep layer and the quietest styles, which are far from every photo, would be all."""
    return (gram_distances(maps, wanted) + 1e-3).sqrt().mean()


def content_loss(maps: list[Tensor], known: list[Tensor]) -> Tensor:
    """Squared distance at relu3_3 and relu4_3, every channel normalized over the picture: what is where, not how strong."""

    def even(x: Tensor) -> Tensor:
        return F.instance_norm(x.float(), eps=1e-2)

    return torch.stack([(even(x) - even(there)).square().mean() for x, there in zip(maps[2:], known[2:], strict=True)]).mean()


def luma(rgb: Tensor) -> Tensor:
    """BT.709 luma (N, 1, H, W) of RGB."""
    return (rgb * torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def structure(styled: Tensor, content: Tensor, enough: float = 0.6) -> Tensor:
    """How far the mean SSIM of luma (Wang et al. 2004, 8x8 windows) stays below `enough`; 0 from there on."""
    x, y = luma(styled), luma(content)

    def mean(z: Tensor) -> Tensor:
        return F.avg_pool2d(z, 8, 2)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    ssim = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4))
    return F.relu(enough - ssim.mean((1, 2, 3))).mean()


def colors(rgb: Tensor) -> Tensor:
    """Mean and the six entries of the covariance (N, 9) of RGB (N, 3, H, W)."""
    flat = rgb.float().flatten(2)
    centre = flat.mean(2, keepdim=True)
    covariance = (flat - centre) @ (flat - centre).transpose(1, 2) / flat.shape[2]
    return torch.cat([centre[:, :, 0], torch.stack([covariance[:, i, j] for i in range(3) for j in range(i, 3)], 1)], 1)


def color_statistics(styled: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance of `colours` from the wanted (N, 9): the palette, which Gram matrices learn slowly."""
    scale = torch.tensor([1.0] * 3 + [5.0] * 6)
    return ((colors(styled) - wanted) * scale).square().sum(1).mean() * 4


def moved(picture: Tensor, flow: Tensor) -> Tensor:
    """The picture (N, C, H, W) fetched along `flow` (N, 2, H, W) in pixels: out(x) = picture(x + flow(x))."""
    height, width = picture.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([(x + flow[:, 0]) * 2 / (width - 1) - 1, (y + flow[:, 1]) * 2 / (height - 1) - 1], -1)
    return F.grid_sample(picture, places, mode="bilinear", padding_mode="border", align_corners=True)


def slopes(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbours, across and down."""
    return picture[..., 1:] - picture[..., :-1], picture[..., 1:, :] - picture[..., :-1, :]


def total_variation(rgb: Tensor) -> Tensor:
    """Mean absolute difference of neighbours."""
    across, down = slopes(rgb)
    return across.abs().mean() + down.abs().mean()
