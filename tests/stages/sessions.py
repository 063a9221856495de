"""A session made by hand, for stages that need one."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vidcolor.planes import Floats


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
