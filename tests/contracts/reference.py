"""The reference runtime: what a network's answers are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime as ort

from vidcolor.networks.cards import Network

Arrays = dict[str, np.ndarray]


def reference(network: Network) -> Callable[[Arrays], Arrays]:
    """Runs a network on inputs by name."""
    session = ort.InferenceSession(network.path, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))
