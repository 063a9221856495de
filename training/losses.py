"""What the generator and its critic are asked for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.network import make_bins


def rebalanced_cross_entropy(logits: Tensor, index: Tensor, weight: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy against softly encoded bins, each pixel weighted by its colour's rarity (Zhang et al. 2016, eq. 2)."""
    picked = torch.log_softmax(logits, 1).gather(1, index)
    rarity = (classes[index] * weight).sum(1)
    return (-(weight * picked).sum(1) * rarity).sum() / rarity.sum()


def decode(index: Tensor, weight: Tensor) -> Tensor:
    """Chroma (N, 2, h, w) of softly encoded bins: indices and weights (N, 4, h, w)."""
    return (make_bins()[index] * weight[..., None]).sum(1).permute(0, 3, 1, 2)


def chroma_error(chroma: Tensor, truth: Tensor) -> Tensor:
    """Smooth L1 of chroma, scaled to the size of the other losses."""
    return F.smooth_l1_loss(chroma, truth, beta=0.02) * 10


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
