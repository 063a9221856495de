"""Depthwise convolutions with a gradient of their own."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from training.shared.depthwise import Depthwise  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_the_fast_gradient_is_the_gradient(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    layer = Depthwise(8, kernel, stride)
    x = torch.randn(2, 8, 16, 12, requires_grad=True)
    wanted = torch.autograd.grad(layer(x).square().sum(), (x, layer.weight))
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.autograd.grad(layer(x).float().square().sum(), (x, layer.weight))
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours - theirs).norm() < 0.02 * theirs.norm(), "bfloat16 has three digits"
