"""What coloured pictures are judged by (docs/design.md, section 8). NumPy and OpenCV only; each has a test with a known answer.

Pictures are RGB uint8 (H, W, 3); luma is float (H, W) in [0, 1]; chroma is float (2, H, W), Cb and Cr of BT.709 in [-0.5, 0.5].
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.arrays import Array, Picture

WHITE_D65 = np.array([0.95047, 1.0, 1.08883])
RGB_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
"""sRGB (IEC 61966-2-1) to XYZ for D65, and the white that it maps (1, 1, 1) to."""


def split(rgb: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Luma (H, W) and chroma (2, H, W) of BT.709 of an RGB picture, float32."""
    red, green, blue = np.moveaxis(rgb.astype(np.float32) / np.float32(255), -1, 0)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return luma, np.stack([(blue - luma) / 1.8556, (red - luma) / 1.5748])


def join(luma: Array, chroma: Array) -> Picture:
    """RGB uint8 of luma (H, W) and chroma (2, H, W) of BT.709; what leaves RGB is clipped."""
    blue, red = luma + 1.8556 * chroma[0], luma + 1.5748 * chroma[1]
    green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.asarray(np.clip(np.stack([red, green, blue], -1) * 255 + 0.5, 0, 255), np.uint8)


def srgb_to_lab(rgb: Picture) -> NDArray[np.float32]:
    """CIELAB (..., 3) under D65, float32, of sRGB uint8 (..., 3)."""
    codes = np.arange(256) / 255
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4).astype(np.float32)
    ratio = linear[rgb] @ (RGB_TO_XYZ.T / WHITE_D65).astype(np.float32)
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).astype(np.float32)


def ciede2000(first: Array, second: Array) -> Array:
    """CIEDE2000 differences (...) of Lab colours (..., 3), kL = kC = kH = 1; in the precision of the inputs.

    Sharma, Wu and Dalal 2005, equations 2 to 22, whose 34 test pairs it meets to 1e-4.
    """
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0)
    chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(chroma7 / (chroma7 + 25.0**7))
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.arctan2(b1, a1) % math.tau, np.arctan2(b2, a2) % math.tau
    turn = h2 - h1
    turn = np.where(turn > math.pi, turn - math.tau, np.where(turn < -math.pi, turn + math.tau, turn))
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, turn)
    hue_step = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)
    hue = (h1 + h2) / 2
    hue = np.where(np.abs(h1 - h2) > math.pi, np.where(h1 + h2 < math.tau, hue + math.pi, hue - math.pi), hue)
    hue = np.where(grey, h1 + h2, hue)
    light, chroma = (l1 + l2) / 2 - 50, (c1 + c2) / 2
    weight = (
        1 - 0.17 * np.cos(hue - math.pi / 6) + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + math.radians(6)) - 0.20 * np.cos(4 * hue - math.radians(63))
    )  # fmt: skip
    chroma7 = chroma**7
    rotation = -2 * np.sqrt(chroma7 / (chroma7 + 25.0**7)) * np.sin(math.radians(60) * np.exp(-(((np.degrees(hue) - 275) / 25) ** 2)))
    dl = (l2 - l1) / (1 + 0.015 * light**2 / np.sqrt(20 + light**2))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = hue_step / (1 + 0.015 * chroma * weight)
    return np.asarray(np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + rotation * dc * dh, 0)))


def colorfulness(rgb: Picture) -> float:
    """Hasler and Süsstrunk 2003, M(3), signed opponents, sRGB 0..255; 0 for grey, over 80 for very colourful pictures."""
    red, green, blue = np.moveaxis(rgb.astype(np.float32), -1, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(dtype=np.float64), yellow_blue.std(dtype=np.float64))
    return float(spread + 0.3 * np.hypot(red_green.mean(dtype=np.float64), yellow_blue.mean(dtype=np.float64)))


def chroma_error(chroma: Array, truth: Array) -> float:
    """Mean squared error over Cb and Cr together."""
    return float(np.mean(np.square(chroma - truth, dtype=np.float64)))


def frechet_distance(first: Array, second: Array) -> float:
    """Fréchet distance of two sets of features (n, d), each taken as a Gaussian (Dowson and Landau 1982).

    The trace of the square root of S1 S2 is that of sqrt(S1) S2 sqrt(S1), which is symmetric.
    """
    means, spreads = zip(
        *((x.mean(0), np.cov(x, rowvar=False)) for x in (first.astype(np.float64), second.astype(np.float64))), strict=True
    )
    values, vectors = np.linalg.eigh(np.atleast_2d(spreads[0]))
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.linalg.eigvalsh(root @ np.atleast_2d(spreads[1]) @ root)
    traces = np.trace(np.atleast_2d(spreads[0])) + np.trace(np.atleast_2d(spreads[1])) - 2 * np.sqrt(np.maximum(cross, 0)).sum()
    return float(np.square(means[0] - means[1]).sum() + traces)


def kernel_distance(first: Array, second: Array, group: int = 1, subset: int = 50, subsets: int = 50, seed: int = 0) -> tuple[float, float]:
    """KID (Bińkowski et al. 2018): squared MMD under (x·y/d + 1)^3; mean and standard deviation over random subsets.

    Row i of both sets (n, d) is of the same scene, and so are `group` rows in turn; pairs within a group do not count (the
    U-statistic of Gretton et al. 2012, lemma 6), else two versions of the same pictures would score below nothing. `subset` counts
    groups. Raises ValueError for sets of different length, or fewer than two groups.
    """
    if len(first) != len(second) or len(first) < 2 * group:
        raise ValueError(f"{len(first)} and {len(second)} rows cannot be compared in groups of {group}")
    rng, groups, scores = np.random.default_rng(seed), len(first) // group, []
    n = min(subset, groups)
    apart = np.kron(~np.eye(n, dtype=bool), np.ones((group, group), bool))
    for _ in range(subsets):
        rows = (rng.choice(groups, n, replace=False)[:, None] * group + np.arange(group)).ravel()
        x, y = first[rows].astype(np.float64), second[rows].astype(np.float64)
        xx, yy, xy = (((a @ b.T / x.shape[1] + 1) ** 3)[apart].mean() for a, b in ((x, x), (y, y), (x, y)))
        scores.append(xx + yy - 2 * xy)
    return float(np.mean(scores)), float(np.std(scores))


def gradient(plane: Array) -> NDArray[np.float32]:
    """Magnitude of the Sobel gradient (H, W) in units a pixel."""
    across, down = (cv2.Sobel(plane.astype(np.float32), cv2.CV_32F, dx, dy, scale=1 / 8) for dx, dy in ((1, 0), (0, 1)))
    return np.hypot(across, down)


def blotches(luma: Array, chroma: Array) -> float:
    """Share of the picture in blotches: connected regions of chroma over 0.12, each between 0.05 and 3 % of the picture, whose
    rim (one pixel outside) has a mean luma gradient below the picture's median."""
    slope, size = gradient(luma), luma.size
    vivid = (np.hypot(chroma[0], chroma[1]) > 0.12).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(vivid, connectivity=8)
    middle, total = np.median(slope), 0
    for label in range(1, count):
        left, top, width, height, area = stats[label]
        if not 0.0005 * size <= area <= 0.03 * size:
            continue
        near = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
        region = (labels[near] == label).astype(np.uint8)
        rim = (cv2.dilate(region, np.ones((3, 3), np.uint8)) - region).astype(bool)
        if rim.any() and slope[near][rim].mean() < middle:
            total += int(area)
    return total / size


def dark_chroma(luma: Array, chroma: Array) -> float:
    """Mean chroma in the darkest tenth of the picture: what dark blotches raise."""
    return float(np.hypot(chroma[0], chroma[1])[luma <= np.quantile(luma, 0.1)].mean())


def patchiness(luma: Array, chroma: Array) -> float:
    """Mean chroma gradient, a pixel, where luma has next to none: in the half of the picture with the smaller luma gradient, both
    after a blur of 1 pixel, so that grain and coding noise count for little."""
    smooth = [cv2.GaussianBlur(plane.astype(np.float32), (0, 0), 1) for plane in (luma, *chroma)]
    slope = gradient(np.asarray(smooth[0]))
    change = np.hypot(gradient(np.asarray(smooth[1])), gradient(np.asarray(smooth[2])))
    return float(change[slope <= np.median(slope)].mean())
