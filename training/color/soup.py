"""Average the weights of colour networks that began from each other (Wortsman et al. 2022, "Model soups").

    python -m training.color.soup last.pt=0.5 second.pt=0.4 supervised.pt=0.1 --out soup.pt

Of checkpoints the moving average counts. `benchmarks.quality photos --checkpoint soup.pt` tells whether it is worth anything.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from training.color.network import weights_of


def average(states: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    """Weighted mean of float tensors, by name; counters are the first one's.

    Raises ValueError where shares do not sum to 1, or where the networks differ in names or shapes.
    """
    if abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares sum to {sum(shares):g}, not to 1")
    first, *others = states
    for other in others:
        differing = first.keys() ^ other.keys() or {key for key in first if first[key].shape != other[key].shape}
        if differing:
            raise ValueError(f"not one network: {len(differing)} tensors differ, {min(differing)} among them")
    return {
        key: sum(share * state[key].float() for share, state in zip(shares, states, strict=True)) if value.is_floating_point() else value
        for key, value in first.items()
    }


def read(path: Path) -> dict[str, Tensor]:
    """The moving average of a checkpoint, or a plain state dict; without the counters of batch norms, which exports lack."""
    state = weights_of(torch.load(path, map_location="cpu", weights_only=True))
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", metavar="FILE=SHARE")
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    pairs = [part.rpartition("=") for part in args.parts]
    try:
        state = average([read(Path(path)) for path, _, _ in pairs], [float(share) for _, _, share in pairs])
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    torch.save(state, args.out)


if __name__ == "__main__":
    main()
