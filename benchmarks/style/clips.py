"""Restyled clips beside what they were made from: nearness to the style, content kept, steadiness with and without help."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared import similarity, steadiness
from benchmarks.style import lite, metrics
from benchmarks.style.restyle import Clip, Mode
from vidcolor.picture.matrices import from_rgb_units
from vidcolor.picture.planes import Floats, Planes

if TYPE_CHECKING:
    from benchmarks.style.judge import GramJudge, Grams

RATIOS = {
    "gram_ratio": ("gram", "gram_input"), "gram_root_ratio": ("gram_root", "gram_root_input"),
    "warp_ratio": ("warp", "warp_off"), "warp_to_input": ("warp", "warp_input"),
}  # fmt: skip
"""Of scores: what is divided by what."""


@dataclass
class Seen:
    """Frames at style size: Y, Cb, Cr (3, h, w) and RGB (3, h, w) of some of them."""

    planes: list[Floats] = field(default_factory=list)
    rgb: list[Floats] = field(default_factory=list)


class Ground:
    """What all versions of one clip are compared with: the source's planes, its motion, where it stands still."""

    def __init__(self, clip: Clip) -> None:
        self.source = seen(clip, (planes for _, planes in clip.frames))
        luma = [planes[0] for planes in self.source.planes]
        self.paths = [steadiness.trace(now, before) for before, now in pairwise(luma)]
        pairs = zip(pairwise(luma), self.paths, strict=True)
        self.still = [metrics.still(now, before, path) for (before, now), path in pairs]

    def steadiness(self, version: Seen) -> dict[str, float]:
        """Warp error of all planes, and change where the film stands still."""
        planes, errors, shimmer = version.planes, list[float](), metrics.Shimmer()
        for i, (path, where) in enumerate(zip(self.paths, self.still, strict=True)):
            error = steadiness.warp_error(planes[i + 1], planes[i], path)
            if error is not None:
                errors.append(error)
            shimmer.add(version.rgb[i + 1], version.rgb[i], where)
        return ({"warp": float(np.mean(errors))} if errors else {}) | shimmer.scores()

    def likeness(self, version: Seen) -> dict[str, float]:
        """SSIM of luma with the source's, mean over frames, at style size and as its authors advise."""
        pairs = [(a[0], b[0]) for a, b in zip(version.planes, self.source.planes, strict=True)]
        kinds = {"ssim": similarity.ssim, "ssim_256": metrics.ssim_256}
        return {key: float(np.mean([measure(a, b) for a, b in pairs])) for key, measure in kinds.items()}


def seen(clip: Clip, frames: Iterable[Planes]) -> Seen:
    """Planes of any layout as they are compared."""
    found = Seen()
    for planes in frames:
        found.planes.append(clip.look(planes))
        found.rgb.append(clip.rgb(planes))
    return found


def restyled(clip: Clip, style: str, steady: Mode = "causal") -> Seen:
    """A version of the clip by the program's stages."""
    return seen(clip, (frame.out for frame in clip.restyled(style, steady) if frame.out is not None))


def spread(count: int, most: int) -> list[int]:
    """At most so many of `count` frames, from the first to the last."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(most, count))})


def measure_clip(
    path: Path, styles: Mapping[str, Grams | None], judge: GramJudge | None, frames: int, gram_frames: int, device: str
) -> dict[str, dict[str, Any]]:
    """Scores of every style on one clip."""
    with Clip(path, frames, next(iter(styles)), device) as clip:
        ground = Ground(clip)
        own = {f"{key}_input": value for key, value in ground.steadiness(ground.source).items()}
        chosen = spread(len(clip.frames), gram_frames)
        plain = [judge.grams(ground.source.rgb[i]) for i in chosen] if judge else []
        rows = {}
        for style, wanted in styles.items():
            version = restyled(clip, style)
            row = ground.likeness(version) | ground.steadiness(version) | own
            if judge and wanted is not None:
                row |= distances((judge.grams(version.rgb[i]) for i in chosen), wanted, "")
                row |= distances(plain, wanted, "_input")
            row |= {f"{key}_off": value for key, value in ground.steadiness(restyled(clip, style, "off")).items()}
            row |= with_ratios(row)
            rows[style] = row
            print(f"{clip.name} {style}: " + ", ".join(f"{key} {row[key]:.3g}" for key in ("ssim", *RATIOS) if key in row), file=sys.stderr)
        about = {"first": clip.first, "frames": len(clip.frames), "size": list(clip.size), "precision": clip.precision()}
    return {style: about | row for style, row in rows.items()}


def distances(found: Iterable[Grams], wanted: Grams, suffix: str) -> dict[str, float]:
    """Means over frames of the Gram distance, which is a squared one, and of its root."""
    from benchmarks.style.judge import distance

    squares = np.array([distance(grams, wanted) for grams in found])
    return {f"gram{suffix}": float(squares.mean()), f"gram_root{suffix}": float(np.sqrt(squares).mean())}


def means(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean over clips of each score, over those that have it, and what is quoted of ratios.

    Of Gram distances that is the mean of the clips' own ratios, else bright clips, far from most styles, would decide; of warp errors
    the ratio of the means, else a clip that stands still would, where next to nothing is divided by. Both stand in "of_clips" and
    "of_means" for all.
    """
    found: dict[str, list[float]] = {}
    for row in rows:
        for key, value in row.items():
            if isinstance(value, float):
                found.setdefault(key, []).append(value)
    averages = {key: float(np.mean(values)) for key, values in found.items()}
    of_clips = {key: averages.pop(key) for key in RATIOS if key in averages}
    of_means = with_ratios(averages)
    quoted = {key: (of_clips if key.startswith("gram") else of_means)[key] for key in of_clips}
    return averages | quoted | {"of_clips": of_clips, "of_means": of_means}


def with_ratios(scores: Mapping[str, Any]) -> dict[str, float]:
    """The ratios that can be made of scores."""
    return {key: scores[over] / scores[under] for key, (over, under) in RATIOS.items() if over in scores and scores.get(under)}


def measure_wobble(
    photos: Sequence[NDArray[np.uint8]], styles: Sequence[str], device: str, peer: str | None = None, peer_styles: str = ""
) -> dict[str, dict[str, float]]:
    """Wobble of each style, of the input under "input" and of the peer's styles, on a clean pan and one with grain: means over photos."""
    scores: dict[str, dict[str, list[float]]] = {}
    for number, photo in enumerate(photos):
        for kind, frames in metrics.pan(photo, number)._asdict().items():
            for name, version in pan_versions(frames, styles, device):
                scores.setdefault(name, {}).setdefault(kind, []).append(metrics.wobble(version))
            for name, style in lite.names(peer, peer_styles).items():
                styled = [
                    np.moveaxis(picture, -1, 0).astype(np.float32) / np.float32(255) for picture in lite.restyle(str(peer), frames, style)
                ]
                scores.setdefault(name, {}).setdefault(kind, []).append(metrics.wobble(styled))
    return {name: {kind: float(np.mean(values)) for kind, values in kinds.items()} for name, kinds in scores.items()}


def pan_versions(frames: Sequence[NDArray[np.uint8]], styles: Sequence[str], device: str) -> Iterator[tuple[str, list[Floats]]]:
    """RGB of a pan at its own size, as the program reads it, under "input", and as it writes it in each style."""
    height, width, _ = frames[0].shape
    with tempfile.TemporaryDirectory() as folder:
        path = write_lossless(Path(folder) / "pan.mkv", frames)
        with Clip(path, len(frames), styles[0], device) as clip:
            yield "input", [clip.rgb(planes, (height, width)) for _, planes in clip.frames]
            for style in styles:
                yield style, [clip.rgb(frame.out, (height, width)) for frame in clip.restyled(style) if frame.out is not None]


def write_lossless(path: Path, frames: Sequence[NDArray[np.uint8]]) -> Path:
    """RGB frames (H, W, 3) as FFV1: Y, Cb and Cr of BT.709, 4:4:4, full range, 8 bit."""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("ffv1", rate=24)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 2
        for rgb in frames:
            planes = from_rgb_units(np.moveaxis(rgb, -1, 0).astype(np.float32) / np.float32(255), "bt709")
            planes[1:] += np.float32(128 / 255)
            codes = np.clip(np.rint(planes * 255), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(codes, format="yuv444p")
            frame.colorspace, frame.color_range = 1, 2
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))
    return path


def first_frame(path: Path) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of a picture, or of the first frame of a film. Raises ValueError where it cannot be read."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is not None:
        return np.ascontiguousarray(picture[..., ::-1])
    with av.open(str(path)) as reader:
        for frame in reader.decode(video=0):
            return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    raise ValueError(f"{path}: no frame can be decoded")
