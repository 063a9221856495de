"""A photo as filters would make a cartoon of it: flat regions, soft steps of lightness, stronger colours, ink along edges."""

from __future__ import annotations

import cv2
import numpy as np

from training.shared.photos import Array, Picture

STEPS, HARD, STEPPED = 7, 6.0, 0.75
"""Steps of lightness, how hard their edges are, and how much of them there is (Winnemoeller et al. 2006, section 3.3)."""
COLOR = 1.35
"""How much stronger colours become, in Lab: their hue stays."""
FINE, WIDER, ALONG = 1.0, 1.6, 2.5
"""Deviation in pixels of the finer Gaussian across a line, how much wider the other is, and deviation along the line."""
SHARE, OFFSET, STEEP = 0.98, 0.008, 90.0
"""Of the difference of Gaussians: weight of the wider one, what is added, and how fast what lies below 0 becomes ink."""
INK = 0.76
"""How dark a line may be."""


def abstract(rgb: Picture) -> Array:
    """RGB float32 (h, w, 3) in [0, 1] of a photo: regions by mean shift between bilateral filters, their lightness in steps and lifted
    where it is in the middle, and `ink`."""
    calm = cv2.bilateralFilter(cv2.bilateralFilter(rgb, 7, 30, 5), 7, 30, 5)
    flat = cv2.bilateralFilter(cv2.pyrMeanShiftFiltering(calm, 10, 20, maxLevel=1), 7, 25, 5)
    lab = cv2.cvtColor(flat.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light = lab[..., 0] / 100
    near = (np.floor(light * STEPS) + 0.5) / STEPS
    stepped = near + np.tanh((light - near) * STEPS * HARD) / (2 * STEPS)
    light = np.clip(STEPPED * stepped + (1 - STEPPED) * light, 0, 1)
    lab[..., 0] = 100 * (light + 0.35 * light * (1 - light))
    lab[..., 1:] = lab[..., 1:] * np.float32(COLOR)
    painted = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    dark = ink(cv2.cvtColor(calm, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32) / 255)
    return np.asarray(painted * (1 - dark[..., None]), np.float32)


def ink(light: Array) -> Array:
    """Lines (h, w), 0 to `INK`, along the edges of a picture's lightness (h, w): a soft difference of Gaussians (Winnemoeller et al.
    2012, eq. 4), smoothed along the edges (Kang et al. 2007), fewer where lines would be crowded."""
    difference = cv2.GaussianBlur(light, (0, 0), FINE) - SHARE * cv2.GaussianBlur(light, (0, 0), WIDER * FINE)
    difference = smoothed_along(difference, *tangents(light)) - (1 - SHARE) * light + OFFSET
    drawn = cv2.medianBlur(np.where(difference > 0, 0, np.tanh(-STEEP * difference)).astype(np.float32), 3)  # without specks
    return np.asarray(INK * drawn * np.clip(1.3 - 2.2 * cv2.GaussianBlur(drawn, (0, 0), 6), 0.3, 1), np.float32)


def tangents(light: Array) -> tuple[Array, Array]:
    """Unit vectors (x, y) along the edges of a picture (h, w): across the gradient of the smoothed structure tensor (Brox et al. 2006)."""
    across, down = (cv2.Sobel(light, cv2.CV_32F, 1 - axis, axis) for axis in (0, 1))
    xx, xy, yy = (cv2.GaussianBlur(product, (0, 0), 2) for product in (across * across, across * down, down * down))
    largest = 0.5 * (xx + yy + np.sqrt((xx - yy) ** 2 + 4 * xy * xy))
    x, y = largest - xx, -xy
    length = np.hypot(x, y)
    nowhere = length < 1e-8
    return np.where(nowhere, 0, x / (length + 1e-12)), np.where(nowhere, 1, y / (length + 1e-12))


def smoothed_along(plane: Array, x: Array, y: Array) -> Array:
    """A Gaussian mean of the plane (h, w) along the curves whose unit tangents are x and y (h, w)."""
    height, width = plane.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    total, weights = plane.copy(), 1.0
    for way in (1, -1):
        at, step = [columns, rows], [way * x, way * y]
        for distance in range(1, int(2 * ALONG) + 1):
            at = [place + part for place, part in zip(at, step, strict=True)]
            value, *turned = (cv2.remap(p, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for p in (plane, x, y))
            weight = float(np.exp(-0.5 * (distance / ALONG) ** 2))
            total, weights = total + weight * value, weights + weight
            same = np.where(turned[0] * step[0] + turned[1] * step[1] < 0, -1, 1).astype(np.float32)  # a tangent has two directions
            step = [same * part for part in turned]
    return np.asarray(total / weights, np.float32)
