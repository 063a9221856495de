"""The kinds of networks there are, by the name or the task on their card: ports, sizes, inputs to compare with, how weights become one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from training.color.network import Generator, Runtime
from training.style.network import CODE, STATISTICS, AnimeNetwork, StyleEncoder, StyleNetwork

Values = dict[str, NDArray[np.float32]]
State = Mapping[str, Tensor]
Ports = dict[str, list[str | int]]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Kind:
    """`part`: where a checkpoint keeps the weights; `picture`: inputs of a shape (N, H, W), by name and in the order of `inputs`;
    `shapes`: what the file is compared with torch at; `plain`: the network without weights; `wrap`: what is exported around it;
    `margin`: how much farther from f32 than torch in the same precision a backend may be, for outputs where that is not 3."""

    name: str
    part: str
    inputs: Ports
    outputs: Ports
    work_size: int
    picture: Callable[[Shape, int], Values]
    shapes: tuple[Shape, ...]
    plain: Callable[[], nn.Module]
    limit_bytes: int = 10_000_000
    multiple: int = 32
    wrap: Callable[[nn.Module], nn.Module] | None = None
    margin: Mapping[str, float] = field(default_factory=dict)

    def build(self, state: State) -> nn.Module:
        """The network of a state that may lack the counters of batch norms, in eval mode."""
        network = self.plain()
        counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
        network.load_state_dict(counters | dict(state))
        return (self.wrap(network) if self.wrap else network).eval()


def grey_picture(shape: Shape, seed: int) -> Values:
    """Inputs of the size (N, H, W) that look like pictures: soft gradients, edges, a little grain, a few dots of hints."""
    count, height, width = shape
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 32
    luma = np.zeros((count, 1, height, width))
    hints = np.zeros((count, 3, height, width))
    for index in range(count):
        a, b, c = random.uniform(0.5, 2, 3)
        waves = np.sin(a * x + c) * np.cos(b * y)
        luma[index, 0] = 0.5 + 0.3 * waves + 0.15 * (waves > 0.3) + random.normal(0, 0.01, waves.shape)
        for top, left in zip(random.integers(0, height - 8, 3), random.integers(0, width - 8, 3), strict=True):
            cb, cr = random.uniform(-0.3, 0.3, 2)
            hints[index, :, top : top + 8, left : left + 8] = np.array([cb, cr, 1])[:, None, None]
    luma = np.round(luma.clip(0, 1) * 255) / 255
    return {
        "luma": luma.astype(np.float32),
        "hints": hints.astype(np.float32),
        "temperature": np.ones(1, np.float32),
        "tilt": np.full(1, 0.5, np.float32),
    }


def color_picture(shape: Shape, seed: int) -> Values:
    """RGB (N, 3, H, W) in [0, 1]: three grey ones."""
    grey = grey_picture((3 * shape[0], *shape[1:]), seed)["luma"]
    return {"picture": np.ascontiguousarray(grey.reshape(shape[0], 3, *shape[1:]))}


def picture_and_code(shape: Shape, seed: int) -> Values:
    """A picture, a code, and statistics that are held a little."""
    random = np.random.default_rng(seed)
    count = shape[0]
    return color_picture(shape, seed) | {
        "code": random.normal(0, 0.3, (count, CODE)).astype(np.float32),
        "stats": random.uniform(0.5, 1.5, (count, STATISTICS)).astype(np.float32),
        "stats_weight": np.full(1, 0.01, np.float32),  # statistics that are made up and counted for more give white
    }


PICTURE: list[str | int] = ["N", 3, "H", "W"]
NUMBERS: list[str | int] = ["N", STATISTICS]
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "colorize", "ema",
            {"luma": ["N", 1, "H", "W"], "hints": ["N", 3, "H", "W"], "temperature": [1], "tilt": [1]},
            {"chroma": ["N", 2, "H/4", "W/4"], "confidence": ["N", 1, "H/4", "W/4"]},
            256, grey_picture, ((1, 32, 32), (2, 64, 96), (3, 96, 64), (1, 256, 448)), Generator, wrap=Runtime,
        ),
        Kind(
            "stylize", "network",
            {"picture": PICTURE, "code": ["N", CODE], "stats": NUMBERS, "stats_weight": [1]},
            {"styled": PICTURE, "measured": NUMBERS},
            352, picture_and_code, ((1, 32, 32), (2, 64, 96), (3, 96, 64), (1, 192, 320)), partial(StyleNetwork, 8), 5_000_000,
            multiple=16, margin={"measured": 10},  # OpenVINO knows the last means to a hundredth of a deviation
        ),
        Kind(
            "stylize-anime", "network", {"picture": PICTURE}, {"styled": PICTURE},
            352, color_picture, ((1, 32, 32), (2, 64, 96), (3, 96, 64), (1, 192, 320)), AnimeNetwork, 5_000_000, multiple=16,
        ),
        Kind(
            "encode-style", "encoder", {"picture": PICTURE}, {"code": ["N", CODE]},
            256, color_picture, ((1, 64, 64), (2, 64, 96), (1, 256, 320)), StyleEncoder, 5_000_000,
        ),
    )
}  # fmt: skip


def kind_of(card: Mapping[str, Any]) -> Kind:
    """The kind of a card's network: its own, where the name has one, else that of its task."""
    found: Kind | None = KINDS.get(card["name"])
    return found or KINDS[card["task"]]
