"""Pixels of more than eight bits, where Pillow would keep eight: of PNG and of PPM.

Pillow has no RGB of sixteen bits in memory. Its decoders read them, though, and keep one of the two
bytes of each level, which one is for the mode's name to say: read twice, nothing is lost. TIFF is
in ``tiff_pixels``.
"""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np
from PIL import Image

from .errors import ImageError
from .picture_files import open_picture

_SEARCHED = 1 << 20  # bytes in which the codestream of a JPEG 2000 file is looked for

# Pillow's names of what a PNG of sixteen bits holds, and those of what keeps the lower bytes. The
# bytes of grey with alpha are those of a pixel of four channels.
_HALVES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
_GREY_ALPHA = "LA;16B"


def read_deep(image: Image.Image, data: memoryview | bytes, name: str) -> np.ndarray | None:
    """Return the levels of a picture that Pillow would cut to eight bits.

    Parameters
    ----------
    image : PIL.Image.Image
        As `open_picture` yields it; its pixels have not been read.
    data : memoryview or bytes
        The file.
    name : str
        What to call it in errors.

    Returns
    -------
    (h, w, channels) float32 ndarray or None
        0..255: grey and alpha, RGB, or RGBA. None where Pillow's own pixels are all there is.

    Raises
    ------
    ImageError
        A damaged picture.
    """
    tiles: Any = getattr(image, "tile", ())
    if len(tiles) != 1:
        return None
    codec, _, offset, arguments = tiles[0]
    mode = arguments[0] if isinstance(arguments, tuple) else arguments
    if image.format == "PNG" and mode == _GREY_ALPHA:
        halves = _bytes(image, "RGBA").reshape(*image.size[::-1], 2, 2)
        return _levels(halves[..., 0], halves[..., 1])
    if image.format == "PNG" and mode in _HALVES:
        high = _bytes(image, mode)
        with open_picture(data, name) as again:
            low = _bytes(again, _HALVES[mode])
        return _levels(high, low)
    if image.format == "PPM" and mode == "RGB" and isinstance(arguments, tuple):
        return _ppm(image, codec, bytes(data[offset:]), int(arguments[1]))
    return None


def _levels(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return levels of 0..255, float32, of the two bytes of each, uint8."""
    levels = high.astype(np.float32)
    levels *= 256
    levels += low
    levels /= 257
    return levels


def refuse_deep_jpeg2000(image: Image.Image, data: memoryview | bytes, name: str) -> None:
    """Refuse JPEG 2000 of more than eight bits, whose lightest colours Pillow makes black.

    It rounds to eight bits by adding half a level and lets the sum overflow: white is 0. Grey of
    ten bits and more keeps them.

    Raises
    ------
    ImageError
        Such a picture.
    """
    if image.format != "JPEG2000" or image.mode == "I;16":
        return
    begin = bytes(data[:_SEARCHED]).find(b"\xff\x4f\xff\x51")  # SOC and SIZ: the codestream begins
    if begin < 0:
        return
    (count,) = struct.unpack_from(">H", data, begin + 40)
    depths = [(data[begin + 42 + 3 * i] & 0x7F) + 1 for i in range(count)]
    if max(depths) > 8:
        raise ImageError(
            f"{name} is a JPEG 2000 picture of {max(depths)} bits per channel, whose lightest "
            "colours Pillow reads as black. Save it as PNG or TIFF first, which keeps its bits."
        )


def _bytes(image: Image.Image, mode: str) -> np.ndarray:
    """Return the bytes that Pillow's decoder keeps when it is told that the file has this mode."""
    tile: Any = image.tile[0]  # type: ignore[attr-defined]
    # A plain tuple in Pillow before 11.1.
    told = tile._replace(args=mode) if hasattr(tile, "_replace") else (*tile[:3], mode)
    image.tile = [told]  # type: ignore[attr-defined]
    return np.asarray(image)


def _ppm(image: Image.Image, codec: str, body: bytes, largest: int) -> np.ndarray | None:
    w, h = image.size
    if largest < 256:
        return None
    if codec == "ppm_plain":
        numbers = re.sub(rb"#[^\r\n]*", b" ", body).split()
        levels = np.array(numbers[: h * w * 3], np.float32)
    else:
        levels = np.frombuffer(body, ">u2", h * w * 3).astype(np.float32)
    return np.minimum(levels.reshape(h, w, 3) * np.float32(255 / largest), 255)


def deep_transparency(levels: np.ndarray, colour: tuple[int, ...]) -> np.ndarray:
    """Return the alpha of a PNG of sixteen bits that has one transparent colour.

    Parameters
    ----------
    levels : (h, w, channels) float32 ndarray
        0..255.
    colour : tuple of int
        Its levels of 0..65535, one a channel.

    Returns
    -------
    (h, w) uint8 ndarray
    """
    stored = np.rint(levels * np.float32(257)).astype(np.int64)
    return np.where((stored == colour).all(axis=2), 0, 255).astype(np.uint8)
