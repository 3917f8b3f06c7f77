"""The colour space that a file tells: by an ICC profile, or in the other ways that there are."""

from __future__ import annotations

import struct
import warnings
from typing import Any

from PIL import Image

from .color_profiles import ADOBE_RGB, Shaper, coded_shaper, png_shaper

_BOXES = 1 << 16  # bytes in which the boxes of an AVIF are, before its pixels
_EXIF, _INTEROPERABILITY = 0x8769, 0xA005  # EXIF's directories
_COLOR_SPACE = 0xA001
_ADOBE = 2  # a ColorSpace that some cameras write; EXIF itself knows 1, sRGB, and "uncalibrated"


def profile_of(
    image: Image.Image, data: memoryview | bytes | None, what: str
) -> bytes | Shaper | None:
    """Return the colour space that a picture tells.

    Parameters
    ----------
    image : PIL.Image.Image
    data : memoryview or bytes, optional
        Its file, for what Pillow does not tell.
    what : str
        Its name, for warnings.

    Returns
    -------
    bytes, Shaper or None
        An ICC profile, or another colour space. None where it says nothing, or sRGB.

    Warns
    -----
    UserWarning
        It says what is not understood; then it is taken as sRGB.
    """
    try:
        if image.format == "PNG":
            return _of_png(image.info, b"" if data is None else data)
        icc = image.info.get("icc_profile")
        if icc:
            return bytes(icc)
        nclx = image.info.get("nclx_profile")
        if isinstance(nclx, dict):
            return coded_shaper(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))
        if image.format == "AVIF" and data is not None:
            return _of_avif(bytes(data[:_BOXES]))
        if image.format in ("JPEG", "MPO") and image.mode == "RGB" and _is_adobe_rgb(image):
            return ADOBE_RGB
    except (ValueError, KeyError, TypeError, struct.error) as error:
        warnings.warn(
            f"the colours of {what} are not understood ({error}): taken as sRGB", stacklevel=5
        )
    return None


def _of_avif(head: bytes) -> Shaper | None:
    """Return what the first nclx box of an AVIF says; Pillow passes it over."""
    at = head.find(b"colrnclx")
    return None if at < 0 else coded_shaper(*struct.unpack_from(">HH", head, at + 8))


def _of_png(info: dict[Any, Any], data: memoryview | bytes) -> bytes | Shaper | None:
    """Return what counts of PNG's chunks: cICP before iCCP before sRGB before gAMA and cHRM."""
    codes = _chunk(data, b"cICP")
    if len(codes) == 4 and codes[0] != 2:
        return coded_shaper(codes[0], codes[1])
    icc = info.get("icc_profile")
    if icc:
        return bytes(icc)
    if "srgb" in info or "gamma" not in info:
        return None
    return png_shaper(float(info["gamma"]), info.get("chromaticity"))


def _chunk(data: memoryview | bytes, wanted: bytes) -> bytes:
    """Return what a chunk before the pixels holds; nothing where it is not there."""
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == wanted:
            return bytes(data[at + 8 : at + 8 + length])
        if kind == b"IDAT":
            break
        at += 12 + length
    return b""


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Tell whether a camera says Adobe RGB in EXIF, as DCF 2.0 has it: interoperability R03."""
    # Damaged EXIF makes Pillow raise nearly anything, and is told where the picture is turned.
    try:
        exif = image.getexif()
        if _EXIF not in exif:
            return False
        if exif.get_ifd(_EXIF).get(_COLOR_SPACE) == _ADOBE:
            return True
        index = exif.get_ifd(_INTEROPERABILITY).get(1, b"")
    except Exception:
        return False
    return str(index.decode("latin-1") if isinstance(index, bytes) else index)[:3] == "R03"
