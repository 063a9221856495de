"""From a decoded frame to Planes: views where the memory allows it, exact rearrangement where not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from vidcolor.media.samples.formats import PixelFormat, describe
from vidcolor.picture.matrices import rgb_to_ycc
from vidcolor.picture.planes import Codes, Floats, Layout, Planes

Words = NDArray[np.unsignedinteger[Any]]


def unpack(frame: av.VideoFrame, layout: Layout) -> Planes:
    """Planes of a decoded frame, read by `layout` (of the film; its depth and chroma format must be those of the frame).

    Planar samples in native byte order are views of the decoder's buffers: read-only, and they keep the frame alive. Everything
    else is rearranged into arrays of its own without changing a value. RGB becomes 16-bit full-range 4:4:4; alpha is dropped.
    Raises ValueError for a pixel format that cannot be read.
    """
    form = describe(frame.format.name)
    if form.rgb:
        rgb, peak = _rgb(frame, form)
        return from_rgb(rgb, peak, layout)
    parts = _components(frame, form)
    y = parts["y"]
    return Planes(y, parts.get("u"), parts.get("v"), layout)


def words(frame: av.VideoFrame, plane: int, width: int, height: int, form: PixelFormat) -> Words:
    """(height, width) words of one plane as a read-only view, line padding left out; big-endian ones are copied to native order."""
    source = frame.planes[plane]
    dtype = np.dtype(f"{'>' if form.big_endian else '<'}u{form.word}")
    raw = np.frombuffer(cast(Any, source), np.uint8)
    stride = source.line_size
    lines = raw.reshape(-1, abs(stride))[:height]
    if stride < 0:  # stored bottom line first
        lines = lines[::-1]
    view = lines[:, : width * form.word].view(dtype)
    if not dtype.isnative:
        return view.astype(dtype.newbyteorder("="))
    view.flags.writeable = False
    return view


def _components(frame: av.VideoFrame, form: PixelFormat) -> dict[str, Codes]:
    width, height = frame.width, frame.height
    lower, across = Layout(width, height, chroma=form.chroma).chroma_shape
    if form.packing == "planar":
        sizes = [(height, width) if name in "yargb" else (lower, across) for name in form.order]
        found = {name: words(frame, index, w, h, form) for index, (name, (h, w)) in enumerate(zip(form.order, sizes, strict=True))}
    elif form.packing == "semiplanar":
        pair = words(frame, 1, 2 * across, lower, form)
        found = {"y": words(frame, 0, width, height, form)}
        found |= {name: np.ascontiguousarray(pair[:, place::2]) for place, name in enumerate(form.order[1:])}
    elif form.packing == "packed":
        found = _packed(frame, form)
    elif form.packing == "fields":
        group = words(frame, 0, width, height, form)
        found = {
            name: ((group >> shift) & ((1 << bits) - 1)).astype(np.uint16)
            for name, (shift, bits) in zip(form.order, form.fields, strict=True)
        }
    elif form.packing == "bits":
        packed = words(frame, 0, -(-width // 8), height, form)
        bits = np.unpackbits(cast(NDArray[np.uint8], packed), axis=1, count=width)
        found = {"y": (bits if form.name == "monob" else 1 - bits) * np.uint8(255)}
    else:
        raise ValueError(f"pixel format {form.name} cannot be read")
    return {name: cast(Codes, plane >> form.shift if form.shift else plane) for name, plane in found.items() if name != "x"}


def _packed(frame: av.VideoFrame, form: PixelFormat) -> dict[str, Words]:
    """Samples that repeat in groups: each component is every n-th word of a line."""
    group, pixels = len(form.order), max(form.order.count("y"), 1)
    groups = -(-frame.width // pixels)
    line = words(frame, 0, groups * group, frame.height, form).reshape(frame.height, groups, group)
    found = {}
    for name in dict.fromkeys(form.order):
        places = [place for place, other in enumerate(form.order) if other == name]
        plane = line[:, :, places].reshape(frame.height, -1)
        found[name] = plane[:, : frame.width] if name == "y" else plane
    return found


def _rgb(frame: av.VideoFrame, form: PixelFormat) -> tuple[Floats | Codes, float]:
    """(height, width, 3) R, G, B and the value that means full."""
    if form.packing == "palette":
        table = np.frombuffer(cast(Any, frame.planes[1]), "<u4")  # A, R, G, B from the high byte down
        index = words(frame, 0, frame.width, frame.height, form)
        entries = np.stack([(table >> shift) & 255 for shift in (16, 8, 0)], axis=-1).astype(np.uint8)
        return entries[index], 255.0
    parts = _components(frame, form)
    if form.packing == "fields" and len({bits for _, bits in form.fields}) > 1:
        peaks = dict(zip(form.order, ((1 << bits) - 1 for _, bits in form.fields), strict=True))
        return np.stack([parts[name].astype(np.float32) / np.float32(peaks[name]) for name in "rgb"], axis=-1), 1.0
    bits = form.fields[0][1] if form.fields else form.depth
    return cast(Codes, np.stack([parts[name] for name in "rgb"], axis=-1)), float((1 << bits) - 1)


def rgb_layout(width: int, height: int) -> Layout:
    """The layout of planes made from RGB: 16 bit, full range, 4:4:4, BT.709."""
    return Layout(width, height, 16, "444", True, "bt709", "center", rgb=True)


def from_rgb(rgb: Floats | Codes, peak: float, layout: Layout) -> Planes:
    """Planes of an RGB picture (height, width, 3) whose values go from 0 to `peak`; `layout` as `rgb_layout` gives it.

    Luma and chroma by the layout's matrix (ITU-R BT.709-6, section 3), each rounded once to 16 bit.
    """
    black, white = layout.luma_codes
    neutral, span = layout.chroma_codes
    scale = np.array([white - black, span, span])[:, None] / peak
    offset = np.array([black, neutral, neutral])[:, None]
    coded = cv2.transform(rgb.astype(np.float32), np.hstack([rgb_to_ycc(layout.matrix) * scale, offset]).astype(np.float32))
    codes = np.clip(np.rint(coded), 0, (1 << layout.depth) - 1).astype(layout.dtype)
    y, cb, cr = (np.ascontiguousarray(codes[..., index]) for index in range(3))
    return Planes(y, cb, cr, layout)


def to_rgb(planes: Planes, depth: int = 8) -> Codes:
    """(height, width, 3) R, G, B, full range, uint8 for depth 8 and uint16 above, from 4:4:4 or grey planes of any depth and matrix.

    Values outside are clipped; each value is rounded once. Raises ValueError for subsampled chroma.
    """
    layout = planes.layout
    peak = (1 << depth) - 1
    black, white = layout.luma_codes
    neutral, span = layout.chroma_codes
    if planes.cb is None or planes.cr is None:
        grey = np.clip(np.rint((planes.y.astype(np.float32) - black) * np.float32(peak / (white - black))), 0, peak)
        return cast(Codes, np.repeat(grey.astype(np.uint8 if depth == 8 else np.uint16)[..., None], 3, axis=2))
    if layout.chroma != "444":
        raise ValueError(f"RGB is made from 4:4:4 planes, not {layout.chroma}")
    back = np.linalg.inv(rgb_to_ycc(layout.matrix)) * peak / np.array([white - black, span, span])
    offset = -back @ np.array([black, neutral, neutral])
    coded = cv2.merge([plane.astype(np.float32) for plane in (planes.y, planes.cb, planes.cr)])
    rgb = cv2.transform(coded, np.hstack([back, offset[:, None]]).astype(np.float32))
    return cast(Codes, np.clip(np.rint(rgb), 0, peak).astype(np.uint8 if depth == 8 else np.uint16))


def copied(planes: Planes) -> Planes:
    """The same planes in memory of their own, so that the decoder's buffers are free."""
    y, cb, cr = (None if plane is None else plane.copy() for plane in (planes.y, planes.cb, planes.cr))
    return replace(planes, y=cast(Codes, y), cb=cb, cr=cr)
