"""What the generator is asked for; what its critic adds stands in `training.shared.critics`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.color.network import make_bins


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
