"""Photos from tar files."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32 unless a docstring says otherwise; OpenCV's and NumPy's own types say less
Picture = NDArray[Any]  # RGB uint8 (h, w, 3)


def load_photos(tars: Sequence[Path], side: int = 256) -> tuple[list[Picture], int]:
    """RGB photos (h, w, 3) uint8 of short side `side` from tar files, and how many members could not be read."""
    photos, bad = [], 0
    for path in tars:
        with tarfile.open(path) as tar:
            for member in tar:
                if not member.name.lower().endswith((".jpg", ".jpeg", ".png")):
                    continue
                file = tar.extractfile(member)
                image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR) if file else None
                if image is None:
                    bad += 1
                    continue
                height, width = image.shape[:2]
                scale = side / min(height, width)
                size = (max(side, round(width * scale)), max(side, round(height * scale)))
                if size != (width, height):
                    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                photos.append(np.ascontiguousarray(image[..., ::-1]))
    return photos, bad
