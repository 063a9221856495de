"""Sessions made by hand, for stages that need one."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vidcolor.picture.planes import Floats


class Echo:
    """Answers with chroma that tells the mean luma, and notes the batches and hints it was given."""

    precision = "f32"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.hints: list[Floats] = []

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        luma = inputs["luma"]
        assert luma.flags.c_contiguous and inputs["hints"].shape == (len(luma), 3, *luma.shape[2:])
        self.batches.append(len(luma))
        self.hints.append(inputs["hints"])
        shape = (len(luma), 1, luma.shape[2] // 4, luma.shape[3] // 4)
        means = luma.mean((1, 2, 3)).reshape(-1, 1, 1, 1) / 10
        ones = np.ones(shape, np.float32)
        return {"chroma": np.concatenate([means * ones, -means * ones], 1), "confidence": ones}

    def close(self) -> None:
        pass


class Tint:
    """A style network's stand-in: (picture - mean) / deviation · code / 4 + 1/2, with statistics of each channel, or the held ones.

    `code` (3,); notes the weights of the held statistics it was given, and the pictures.
    """

    precision = "f32"

    def __init__(self) -> None:
        self.weights: list[float] = []
        self.pictures: list[Floats] = []

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        assert all(array.flags.c_contiguous and array.dtype == np.float32 for array in inputs.values())
        picture, stats = inputs["picture"], inputs["stats"]
        own = np.concatenate([picture.mean((2, 3)), picture.std((2, 3)) + np.float32(1e-3)], 1)
        assert stats.shape == own.shape and inputs["code"].shape == (1, 3)
        mean, deviation = np.split(own + inputs["stats_weight"] * (stats - own), 2, 1)
        scale = inputs["code"] / deviation / 4
        self.weights.append(float(inputs["stats_weight"][0]))
        self.pictures.append(picture)
        styled = (picture - mean[..., None, None]) * scale[..., None, None] + np.float32(0.5)
        return {"styled": styled.clip(0, 1), "measured": own}

    def close(self) -> None:
        pass
