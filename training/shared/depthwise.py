"""Depthwise convolution whose gradient in bfloat16 is fast on CPUs.

oneDNN's backward kernels for depthwise convolutions in bfloat16 fall back to slow references when the stride is 2 (the picture's gradient)
or the kernel is 5x5 (the kernel's): together they took half of a training step. The forward passes and 3x3 kernels of stride 1 are fast,
and everything can be said in those.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, weight.shape[0])

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        kernel, channels, stride = weight.shape[-1], weight.shape[0], ctx.stride
        spread = given
        if stride > 1:  # a strided convolution is a plain one of which every other answer is dropped
            spread = torch.zeros_like(x)
            spread[:, :, ::stride, ::stride] = given
        to_x = F.conv2d(spread, weight.flip(2, 3), None, 1, kernel // 2, 1, channels) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return to_x, None, None
        if kernel == 3:
            return to_x, _kernel_gradient(x, given, stride, 1), None
        to_weight, (height, width) = torch.empty_like(weight), x.shape[2:]
        wide = F.pad(x, (2, 2, 2, 2))
        for row in (2, 0):  # a 5x5 kernel is covered by four 3x3 ones
            for column in (2, 0):
                seen = wide[:, :, row : row + height + 2, column : column + width + 2]
                to_weight[:, :, row : row + 3, column : column + 3] = _kernel_gradient(seen, spread, 1, 0)
        return to_x, to_weight, None


def _kernel_gradient(x: Tensor, given: Tensor, stride: int, padding: int) -> Tensor:
    """Gradient (C, 1, 3, 3) of a depthwise 3x3 kernel."""
    channels = x.shape[1]
    steps, pads = [stride, stride], [padding, padding]
    kernel = x.new_empty(channels, 1, 3, 3)
    mask = [False, True, False]
    answer = torch.ops.aten.convolution_backward(given, x, kernel, None, steps, pads, [1, 1], False, [0, 0], channels, mask)
    return answer[1]


class Depthwise(nn.Conv2d):
    """`nn.Conv2d` with as many groups as channels, kernel 3 or 5, stride 1 or 2, no bias; sizes that the stride divides."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            x, weight = x.to(kind), weight.to(kind)
        if x.dtype != torch.bfloat16 or not torch.is_grad_enabled():
            return super().forward(x)
        return _Depthwise.apply(x, weight, self.stride[0])
