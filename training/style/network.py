"""The style network (docs/design.md, section 7) and the encoder that gives the code of any picture.

The network looks at a PixelUnshuffled picture and answers a picture of the same size. What makes one style another is the scale and
shift behind each normalization (conditional instance normalization, Dumoulin et al. 2017) and a matrix of colours. These numbers are
the code (as in Ghiasi et al. 2017): so the mean of two codes is a style between them. Statistics of the normalizations come out, and
can come in, so that a film can hold them over a shot.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.shared.encoder import ENCODERS, Bottleneck, ConvNorm, imagenet_weights

NEAR, FAR, FINE, BLOCKS = 48, 96, 20, 3
"""Channels at strides 4, 8 and 2, and residual blocks at stride 8."""
CHANNELS = (NEAR, FAR, *[FAR] * (2 * BLOCKS), NEAR, FINE)
STRIDES = (4, 8, *[8] * (2 * BLOCKS), 4, 2)
"""Channels and strides of every normalization."""
STATISTICS = 2 * sum(CHANNELS)
"""Numbers in `stats`: a mean and a deviation for every normalized channel."""
PALETTE = 12
"""A matrix (3, 3) and an offset (3,) of colours."""
CODE = STATISTICS + PALETTE
"""Numbers in a style code: scale and shift of every normalized channel, and the palette, as differences from doing nothing.

A code of 64 numbers with a linear layer behind it learned textures slower: 0.55 against 0.51 of Gram distance after 500 steps of four
styles.
"""
CONTRAST = 2.5
"""Slope that lets the sigmoid give back a picture about as it was."""
CALM = 0.05
"""Scale of what the encoder's head says, as 0.1 is of what it sees: every step of training moves all its numbers at once, and without
these codes jump about, thirty times as large as those that are learned one by one."""
BRANCH = 0.4
"""Share of a residual branch where no normalization tames it."""
SMALLEST = 1e-5
"""Added to the variance of a channel."""


class Convolution(nn.Conv2d):
    """3x3, the rim continued: zeros there would be seen as a frame around the picture."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride, 1, padding_mode="replicate")


def twice(x: Tensor) -> Tensor:
    """Maps at twice the size, bilinear: nearest neighbours show as blocks of eight pixels."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def blur_of_four(channels: int = 3) -> Tensor:
    """Filters (4C, 4C, 3, 3) that blur, before a `pixel_shuffle` by 2, as [1 2 1] / 4 both ways would behind it.

    With the rim of the maps continued, that picture's is mirrored. On the wide picture the same took four times as long.
    """
    weight, binomial = torch.zeros(channels, 2, 2, channels, 2, 2, 3, 3), (0.25, 0.5, 0.25)
    for row, column, down, across in itertools.product((0, 1), (0, 1), (-1, 0, 1), (-1, 0, 1)):
        (cell_down, from_row), (cell_across, from_column) = divmod(row + down, 2), divmod(column + across, 2)
        share = binomial[down + 1] * binomial[across + 1]
        for channel in range(channels):
            weight[channel, row, column, channel, from_row, from_column, cell_down + 1, cell_across + 1] += share
    return weight.reshape(4 * channels, 4 * channels, 3, 3)


def alike(matrix: Tensor) -> Tensor:
    """Matrices (N, 3, 3) of colours as (N, 12, 12), the same for each of the four pixels that `pixel_unshuffle` by 2 puts together."""
    return (matrix[:, :, None, :, None] * torch.eye(4)[:, None]).reshape(-1, 12, 12)


def some(x: Tensor, step: int) -> Tensor:
    """One in `step` of the pixels of maps (N, C, H, W), both ways."""
    return x if step == 1 else x[:, :, step // 2 :: step, step // 2 :: step]


class Painter(nn.Module):
    """Convolutions from a picture to the change of its colours; `layer`, which applies each but the last, makes the style.

    It works at strides 4 and 8 and ends at stride 2, where it sees the picture again: fine lines need not pass through the rest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.down = Convolution(48, NEAR), Convolution(NEAR, FAR, 2)
        self.body = nn.ModuleList(Convolution(FAR, FAR) for _ in range(2 * BLOCKS))
        self.up, self.near = nn.Conv2d(FAR, NEAR, 1), Convolution(NEAR, NEAR)
        self.wide, self.fine, self.last = nn.Conv2d(NEAR, FINE, 1), Convolution(FINE + 12, FINE), Convolution(FINE, 12)
        nn.init.normal_(self.last.weight, std=0.01)
        nn.init.zeros_(cast(Tensor, self.last.bias))
        self.register_buffer("blur", blur_of_four(), persistent=False)

    @property
    def filters(self) -> list[Convolution]:
        """The convolutions with something behind them."""
        return [self.first, self.down, *cast(list[Convolution], list(self.body)), self.near, self.fine]

    def forward(
        self,
        shown: Tensor,
        fours: Tensor,
        layer: Callable[[Convolution, Tensor], Tensor],
        level: Callable[[Tensor, int], Tensor],
        branch: float,
    ) -> Tensor:
        """The change for a picture (N, 3, H, W) in [-1, 1], as `pixel_unshuffle` by 2 has it (N, 12, H/2, W/2); so is `fours` the picture.

        `level` may take off what all pixels have in common, from the maps (of a stride) before a 1x1 convolution; `branch`: share of
        residual branches.
        """
        first, down, *body, near, fine = self.filters
        x = skip = F.relu(layer(first, F.pixel_unshuffle(shown, 4)))
        x = F.relu(layer(down, x))
        for one, two in zip(body[::2], body[1::2], strict=True):
            x = x + branch * layer(two, F.relu(layer(one, x)))
        x = F.relu(layer(near, twice(self.up(level(x, 8))) + skip))
        x = twice(self.wide(level(x, 4)))
        x = F.relu(layer(fine, torch.cat([x, fours.to(x.dtype)], 1)))
        change = self.last(x)
        # What repeats every two pixels does not pass: without it nets draw a grid long before they draw strokes.
        return F.conv2d(F.pad(change, (1, 1, 1, 1), mode="replicate"), cast(Tensor, self.blur).to(change.dtype))


class StyleNetwork(nn.Module):
    """Picture and code in, picture out.

    `every`: statistics are those of one pixel in so many both ways, at every depth; 0, in training, of all. With 8 the network takes a
    quarter less time, and a deviation over a picture of 480 lines is off by about one part in a hundred.
    """

    def __init__(self, every: int = 0) -> None:
        super().__init__()
        self.painter, self.every = Painter(), every
        for layer in (*self.painter.filters, self.painter.up, self.painter.wide):
            # A normalization takes them away again. Adam turns the rounding errors of their gradients into steps: they grew to a hundred
            # deviations, and cost bf16 all its bits.
            cast(Tensor, layer.bias).detach().zero_()
            cast(Tensor, layer.bias).requires_grad_(False)
        plain = torch.zeros(CODE)
        plain[STATISTICS:] = torch.cat([torch.eye(3).flatten(), torch.zeros(3)])  # the picture's own colours
        self.register_buffer("plain", plain)

    def forward(self, picture: Tensor, code: Tensor, stats: Tensor, stats_weight: Tensor) -> tuple[Tensor, Tensor]:
        """Styled RGB (N, 3, H, W) in [0, 1], and the statistics (N, S) that this picture has of its own.

        Of `picture` (N, 3, H, W), RGB in [0, 1], H and W multiples of 8; `code` (N, CODE); `stats` (N, S), used by the part
        `stats_weight` (1,) in [0, 1] in place of the picture's own.
        """
        widths = [2 * width for width in CHANNELS]
        affines, palette = (cast(Tensor, self.plain) + code).split([STATISTICS, PALETTE], 1)
        norms = zip(affines.split(widths, 1), stats.split(widths, 1), STRIDES, strict=True)
        measured: list[Tensor] = []

        def sampled(x: Tensor, stride: int) -> Tensor:
            return some(x, max(1, self.every // stride))

        def centre(x: Tensor, stride: int) -> Tensor:
            return sampled(x, stride).float().mean((2, 3), keepdim=True)

        def level(x: Tensor, stride: int) -> Tensor:
            # Else a normalization behind it is handed means of two hundred deviations: what light does to those, held statistics pass on.
            return x - centre(x, stride)

        def layer(convolution: Convolution, x: Tensor) -> Tensor:
            affine, held, stride = next(norms)
            # Means go round the convolution: beside them what differs from place to place would be lost in bf16's eight bits.
            around = centre(x, stride)
            x = convolution(x - around)
            away = F.conv2d(around, convolution.weight.float().sum((2, 3), keepdim=True))
            seen = sampled(x, stride)
            mean = seen.mean((2, 3), keepdim=True)
            deviation = ((seen - mean).square().mean((2, 3), keepdim=True) + SMALLEST).sqrt()
            own = torch.cat([mean + away, deviation], 1)
            measured.append(own.flatten(1))
            change, spread = (stats_weight * (held[..., None, None] - own)).chunk(2, 1)
            scale, shift = affine[..., None, None].chunk(2, 1)
            scale = (1 + scale) / (deviation + spread)
            return x * scale + (shift - (mean + change) * scale)

        shown = picture * 2 - 1
        fours = F.pixel_unshuffle(shown, 2)
        matrix, offset = alike(palette[:, :9].reshape(-1, 3, 3)), palette[:, 9:].repeat_interleave(4, 1)[..., None]
        colors = CONTRAST * (matrix @ fours.flatten(2) + offset).reshape(fours.shape)
        styled = torch.sigmoid(colors + self.painter(shown, fours, layer, level, 1.0))
        return F.pixel_shuffle(styled, 2), torch.cat(measured, 1)

    def bound(self, limit: float = 2.0) -> None:
        """Scale every filter whose size is above `limit` back to it.

        Behind a normalization a filter's size changes nothing, so it only grows, and the statistics with it, out of half precision.
        """
        with torch.no_grad():
            for layer in self.painter.filters:
                size = layer.weight.flatten(1).norm(dim=1).clamp_min(1e-8)
                layer.weight.mul_((limit / size).clamp_max(1)[:, None, None, None])

    @torch.no_grad()
    def settle(self, picture: Tensor, codes: Tensor) -> None:
        """Scale every filter so that its channel has a deviation of about 1 over `picture` (N, 3, H, W) in each of `codes` (M, CODE).

        The answers stay: a normalization follows. The statistics become numbers that half precision holds.
        """
        nothing = torch.zeros(len(picture), STATISTICS)
        logs = []
        for code in codes:
            _, measured = self(picture, code[None].expand(len(picture), -1), nothing, torch.zeros(1))
            pairs = measured.split([2 * width for width in CHANNELS], 1)
            logs.append(torch.cat([pair.chunk(2, 1)[1] for pair in pairs], 1).log().mean(0))
        for layer, deviation in zip(self.painter.filters, torch.stack(logs).mean(0).exp().split(CHANNELS), strict=True):
            layer.weight.div_(deviation[:, None, None, None])


class AnimeNetwork(nn.Module):
    """Picture in, picture out: one style, its own network, and no normalization.

    On 24 crops learned by heart it reached filters' pictures in half the steps of `StyleNetwork`, and nothing has to be held over a shot.
    """

    def __init__(self) -> None:
        super().__init__()
        self.painter, self.palette = Painter(), nn.Conv2d(3, 3, 1)
        for layer in self.painter.filters:
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(cast(Tensor, layer.bias))
        with torch.no_grad():
            self.palette.weight.copy_(CONTRAST * torch.eye(3)[..., None, None])
        nn.init.zeros_(cast(Tensor, self.palette.bias))

    def forward(self, picture: Tensor) -> Tensor:
        """Drawn RGB (N, 3, H, W) in [0, 1] of `picture` (N, 3, H, W), RGB in [0, 1], H and W multiples of 8."""
        shown = picture * 2 - 1
        fours = F.pixel_unshuffle(shown, 2)
        matrix, offset = alike(self.palette.weight[None, :, :, 0, 0])[0], cast(Tensor, self.palette.bias).repeat_interleave(4)
        colors = F.conv2d(fours, matrix[..., None, None], offset)
        change = self.painter(shown, fours, lambda convolution, x: convolution(x), lambda x, stride: x, BRANCH)
        return F.pixel_shuffle(torch.sigmoid(colors + change), 2)


class StyleEncoder(nn.Module):
    """The code of a picture, from means and deviations of what a frozen ImageNet Lite0 sees at four depths, and of its colours.

    Where texture lies does not matter, only what there is (AdaIN, Huang and Belongie 2017, takes such statistics for the style).
    """

    STAGES = ENCODERS["lite0"][:5]

    def __init__(self, lite0: str | Path | None = None, code: int = CODE) -> None:
        super().__init__()
        self.stem, self.blocks, channels, self.taps = ConvNorm(3, 32, 3, 2), nn.ModuleList(), 32, set[int]()
        widths = 0
        for number, (expansion, outputs, repeats, stride, kernel) in enumerate(self.STAGES):
            for repeat in range(repeats):
                self.blocks.append(Bottleneck(channels, outputs, expansion, kernel, stride if repeat == 0 else 1))
                channels = outputs
            if number != 3:
                self.taps.add(len(self.blocks) - 1)
                widths += 2 * outputs
        self.register_buffer("centre", torch.zeros(widths + 9))
        self.register_buffer("spread", torch.ones(widths + 9))
        self.head = nn.Sequential(nn.Linear(widths + 9, 192), nn.ReLU(), nn.Linear(192, code))
        if lite0 is not None:
            found, needed = imagenet_weights(lite0), self.state_dict()
            self.load_state_dict({key: value for key, value in found.items() if key in needed}, strict=False)
        for part in (self.stem, self.blocks):
            part.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> StyleEncoder:
        """Only the head learns; batch norms of what is frozen keep their statistics."""
        self.head.train(mode)
        return self

    def see(self, picture: Tensor) -> Tensor:
        """Statistics (N, F) of RGB (N, 3, H, W) in [0, 1]."""
        colors = picture.flatten(2)
        mean = colors.mean(2, keepdim=True)
        covariance = (colors - mean) @ (colors - mean).transpose(1, 2) / colors.shape[2]
        upper = [covariance[:, i, j, None] for i in range(3) for j in range(i, 3)]
        seen = [mean.flatten(1), *upper]
        x = self.stem((picture - 0.498) / 0.502)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                centre = x.mean((2, 3), keepdim=True)
                seen += [centre.flatten(1), ((x - centre).square().mean((2, 3)) + SMALLEST).sqrt()]
        return torch.cat(seen, 1)

    def encode(self, seen: Tensor) -> Tensor:
        """Codes (N, CODE) of what `see` gave."""
        code: Tensor = self.head(0.1 * ((seen - self.centre) / self.spread).clamp(-4, 4))
        return CALM * code

    def forward(self, picture: Tensor) -> Tensor:
        """The code (N, CODE) of RGB pictures (N, 3, H, W) in [0, 1]."""
        return self.encode(self.see(picture))
