"""Small pictures: what the page shows of a large one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..color_profiles import srgb_profile
from ..files import replacing
from ..picture import to_uint8

SCREEN, THUMB = 2048, 480  # longer sides, in pixels


def write_small(picture: np.ndarray, folder: Path) -> None:
    """Write what the page shows of a picture: for the screen, and as one of many."""
    image = Image.fromarray(to_uint8(picture))
    write_jpeg(image, folder / "screen.jpg", SCREEN)
    write_jpeg(image, folder / "thumb.jpg", THUMB)


def write_jpeg(image: Image.Image, path: Path, longest: int, quality: int = 90) -> None:
    """Write a picture as JPEG, shrunk where a side is longer than `longest` pixels."""
    scale = min(1.0, longest / max(image.size))
    if scale < 1:
        w, h = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((w, h), Image.Resampling.LANCZOS, reducing_gap=3.0)
    with replacing(path) as part:
        image.save(part, "JPEG", quality=quality, subsampling=0, icc_profile=srgb_profile(3))
