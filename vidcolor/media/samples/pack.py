"""From Planes to a frame that an encoder takes."""

from __future__ import annotations

from typing import Any, cast

import av
import numpy as np

from vidcolor.media.samples.formats import describe
from vidcolor.media.samples.unpack import to_rgb
from vidcolor.picture.planes import Codes, Layout, Planes, at_depth


def pack(planes: Planes, layout: Layout, pix_fmt: str) -> av.VideoFrame:
    """Planes as a frame of a pixel format that holds planes of `layout`: one copy, depth shifted where it differs."""
    form = describe(pix_fmt)
    picture = av.VideoFrame(layout.width, layout.height, pix_fmt)
    paired = form.packing == "semiplanar"  # Cb and Cr in turn on one plane
    if form.rgb:
        rgb = to_rgb(planes, form.depth)
        for place, channel in enumerate(form.order.replace("x", "")):
            target = plane_view(picture, 0, layout)[..., place] if form.packing == "packed" else plane_view(picture, place, layout)
            np.copyto(target, rgb[..., "rgb".index(channel)])
        return picture
    for number, source in enumerate((planes.y, planes.cb, planes.cr)):
        target = plane_view(picture, min(number, 1), layout)[..., number - 1] if paired and number else plane_view(picture, number, layout)
        if source is None:
            target[:] = layout.chroma_codes[0] << form.shift
        else:
            at_depth(source, planes.layout, layout, out=target)
            if form.shift:  # the format keeps its samples at the upper end of the words
                np.left_shift(target, form.shift, out=target)
    return picture


def plane_view(picture: av.VideoFrame, number: int, layout: Layout) -> Codes:
    """A writable view of one plane of a frame, without the padding of its lines; (height, width, samples) where samples are interleaved."""
    form = describe(picture.format.name)
    plane = picture.planes[number]
    dtype = np.uint8 if form.depth == 8 else np.uint16
    lines: Any = np.frombuffer(cast(Any, plane), dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
    height, width = (layout.height, layout.width) if number == 0 or form.rgb else layout.chroma_shape
    if form.packing == "semiplanar" and number:
        lines = lines.reshape(len(lines), -1, 2)
    if form.packing == "packed":
        lines = lines.reshape(len(lines), -1, len(form.order))
    return lines[:height, :width]  # type: ignore[no-any-return]
