"""How near a picture is to a style: distance of Gram matrices of VGG16's features (Gatys et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.styles import NAMED
from training.shared.photos import Picture
from training.shared.vgg import load_vgg16
from training.style.data import crops, read_pictures
from training.style.losses import gram

Floats = NDArray[np.float32]
Grams = list[Tensor]
"""Gram matrices (C, C) of relu1_2, 2_2, 3_3 and 4_3."""


class GramJudge:
    """VGG16. With max pooling, which it was itself trained with, it is what the style network learns from; `average` is another look."""

    def __init__(self, average: bool = False) -> None:
        """Raises FileNotFoundError where VGG16's weights are missing."""
        network, weights = load_vgg16(average)
        self.network = network.to(memory_format=torch.channels_last)
        self.name = f"VGG16 ({weights}), relu1_2, 2_2, 3_3, 4_3, {'average' if average else 'max'} pooling"

    @torch.inference_mode()
    def grams(self, rgb: Floats) -> Grams:
        """Of one picture, RGB (3, H, W) in [0, 1]."""
        return self._grams(torch.from_numpy(rgb)[None])

    @torch.inference_mode()
    def each(self, pictures: Iterable[Picture]) -> list[Grams]:
        """Of each picture, means over the crops that training looks at."""
        return [self._grams(crops(picture)) for picture in pictures]

    def style(self, pictures: Iterable[Picture]) -> Grams:
        """What is wanted of a style: the mean of `each`, of its picture or of all its pictures. Raises ValueError where there is none."""
        return mean(self.each(pictures))

    def _grams(self, pictures: Tensor) -> Grams:
        maps = self.network((pictures * 255).contiguous(memory_format=torch.channels_last))
        return [gram(x).mean(0) for x in maps]


def mean(found: Sequence[Grams]) -> Grams:
    """The mean of pictures. Raises ValueError where there is none."""
    if not found:
        raise ValueError("there is no picture of the style")
    return [torch.stack(each).mean(0) for each in zip(*found, strict=True)]


def alone(found: Sequence[Grams]) -> float:
    """Mean distance of a picture of a style from the mean of the others, of two or more: what the style itself would score."""
    return sum(distance(one, mean([*found[:i], *found[i + 1 :]])) for i, one in enumerate(found)) / len(found)


def distance(grams: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """`training.style.losses.gram_distance` of pictures whose Gram matrices are known already."""
    terms = [(x - there).square().sum() / there.square().sum() for x, there in zip(grams, wanted, strict=True)]
    return float(torch.stack(terms).mean())


def pictures_of(styles: Sequence[str], places: Sequence[Path], given: Mapping[str, Path]) -> dict[str, list[Picture]]:
    """The pictures behind each style, none where that is not known: all that lie at the place given for it, the file that the style
    is, or the picture of the catalogue, looked for in folders and tar files."""
    found = {style: [picture for _, picture in read_pictures(place)] for style, place in given.items() if style in styles}
    found |= {style: [picture for _, picture in read_pictures(Path(style))] for style in styles if Path(style).is_file()}
    wanted = {NAMED[style]: style for style in styles if style in NAMED and style not in found}
    for place in places:
        for name, picture in read_pictures(place) if wanted else ():
            if style := wanted.pop(name, None):
                found[style] = [picture]
    return {style: found.get(style, []) for style in styles}
