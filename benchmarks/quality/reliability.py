"""Is the network's confidence to be believed? Claimed against measured error of chroma, in bins.

    python -m benchmarks.quality.reliability --network colorize-fast --out reliability.json --svg reliability.svg

Confidence c is 1 / (1 + variance / 0.1²) of the distribution over chroma bins, so it claims that the squared distance of the true
colour from the answer is 0.01 (1/c − 1) on average. Measured at the network's own output size, at temperature 1, tilt 1 and gain 1,
where the answer is the mean of that distribution: at any other place of the dial nothing is claimed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import metrics, photos, svg
from benchmarks.quality.generators import Source, single
from benchmarks.quality.sources import load_source
from benchmarks.shared import results
from benchmarks.shared.places import DATA

Floats = NDArray[np.float32]
BINS = 12


def claimed_variance(confidence: Floats) -> Floats:
    """Expected squared distance of chroma that a confidence in (0, 1] stands for."""
    return np.asarray(0.01 * (1 / confidence - 1), np.float32)


def gather(chosen: Sequence[photos.Photo], source: Source, short_side: int) -> tuple[Floats, Floats]:
    """Claimed variance and measured squared error of every pixel of the network's output, over all photos."""
    claimed, measured = [], []
    for photo in chosen:
        luma, low = photos.look(photo.rgb, short_side)
        inputs = {"luma": luma[None, None], "hints": np.zeros((1, 3, *luma.shape), np.float32)}
        answer = source.open(1, *luma.shape).run(inputs | {"temperature": single(1), "tilt": single(1)})
        size = (low.shape[1], low.shape[0])
        truth = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in metrics.split(photo.rgb)[1]])
        claimed.append(claimed_variance(answer["confidence"][0, 0]).ravel())
        measured.append(np.square(answer["chroma"][0] - truth).sum(0).ravel())
    return np.concatenate(claimed), np.concatenate(measured)


def calibration(claimed: Floats, measured: Floats, bins: int = BINS) -> dict[str, Any]:
    """Bins of equally many pixels by claimed variance, and two sums over them, both on root mean squares (chroma units).

    The calibration error is the mean distance of measured from claimed (Naeini et al. 2015 for classes; Levi et al. 2022 for
    regression). The factor is what claimed variance must be multiplied by to lie nearest to the measured one in least squares.
    """
    order = np.argsort(claimed, kind="stable")
    shares = [
        (len(part), float(claimed[part].mean(dtype=np.float64)), float(measured[part].mean(dtype=np.float64)))
        for part in np.array_split(order, bins)
    ]
    counts, asked, found = (np.array(column, np.float64) for column in zip(*shares, strict=True))
    weights = counts / counts.sum()
    root = float((weights * np.sqrt(asked * found)).sum() / (weights * asked).sum())
    rows = [
        {"pixels": int(n), "confidence": 1 / (1 + a / 0.01), "claimed_rms": float(np.sqrt(a)), "measured_rms": float(np.sqrt(f))}
        for n, a, f in zip(counts, asked, found, strict=True)
    ]
    error = [float((weights * np.abs(np.sqrt(found) - times * np.sqrt(asked))).sum()) for times in (1, root)]
    return {"bins": rows, "calibration_error": error[0], "variance_factor": root**2, "calibration_error_scaled": error[1]}


def table(result: dict[str, Any]) -> str:
    rows = [f"{'confidence':>11} {'claimed rms':>12} {'measured rms':>13}"]
    rows += [f"{row['confidence']:11.3f} {row['claimed_rms']:12.4f} {row['measured_rms']:13.4f}" for row in result["bins"]]
    rows.append(f"calibration error {result['calibration_error']:.4f} (chroma units)")
    rows.append(f"best factor on the variance {result['variance_factor']:.2f}: then {result['calibration_error_scaled']:.4f}")
    return "\n".join(rows)


def diagram(found: Sequence[dict[str, Any]]) -> tuple[list[svg.Panel], list[str]]:
    """A reliability diagram of one or more results: on the broken line a network's claim is true, above it it is too sure."""
    lines = []
    for result in found:
        rows = result["bins"]
        notes = [f"confidence {row['confidence']:.2f}" for row in rows]
        lines.append(svg.Line([(row["claimed_rms"], row["measured_rms"]) for row in rows], notes))
    largest = max(value for line in lines for place in line.places for value in place)
    axes = ("Is confidence calibrated?", "claimed error of chroma, rms", "measured, rms")
    panel = svg.Panel(*axes, lines, reference=[(0, 0), (largest, largest)], zero=True)
    return [panel], [r["network"] for r in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--network", default="colorize-fast", help="a network that the program ships")
    which.add_argument("--checkpoint", type=Path, help="a training checkpoint or state dict (.pt) instead")
    parser.add_argument("--precision", choices=["auto", "f32", "bf16"], default="f32", help="of a shipped network")
    parser.add_argument("--tilt", type=Path, help="rebalancing weights (.pt) for a state dict that lacks them")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--photos", type=Path, default=DATA / "photos" / "val.tar", help="tar file of photos, short side 256")
    parser.add_argument("--subset", choices=list(photos.SUBSETS), default="all")
    parser.add_argument("--limit", type=int, help="use so many photos")
    parser.add_argument("--short-side", type=int, default=photos.SHORT_SIDE, help="of the size at which the network looks")
    parser.add_argument("--label", help="name of the network in the result")
    parser.add_argument("--svg", type=Path, help="draw the reliability diagram into this file")
    parser.add_argument("--out", type=Path, help="write the result here, else to standard output")
    args = parser.parse_args()
    source = load_source(args)
    chosen = photos.load(args.photos, args.subset, args.limit)
    found = calibration(*gather(chosen, source, args.short_side))
    about = {"network": args.label or source.label, "photos": len(chosen), "subset": args.subset, "short_side": args.short_side}
    result = results.frame("reliability") | about | found
    results.write(result, args.out)
    if args.svg:
        svg.save(args.svg, *diagram([result]))
    if args.out:
        print(table(result))


if __name__ == "__main__":
    main()
