"""Progress with pictures: the same few photos beside every checkpoint."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from training.color.losses import decode
from training.color.network import Generator
from training.shared.critics import to_rgb


@torch.no_grad()
def sheet(path: Path, network: Generator, samples: list[Tensor]) -> None:
    """Write a PNG of samples (luma, hints, indices, weights): grey, coloured at temperature 0.6 and true, a row each."""
    luma, hints, index, weight = samples
    training = network.training
    network.eval()
    ours = network.chroma(network(luma, hints).float(), 0.6)[0]
    network.train(training)
    truth = decode(index, weight)
    rows = [torch.cat(list(to_rgb(luma, chroma)), 2) for chroma in (torch.zeros_like(truth), ours, truth)]
    picture = torch.cat(rows, 1).permute(1, 2, 0).numpy()
    cv2.imwrite(str(path), np.ascontiguousarray(np.rint(picture * 255).astype(np.uint8)[..., ::-1]))
