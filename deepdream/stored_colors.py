"""From the colours that a file stores to those of a picture: RGB, 0..255, of sRGB.

What is stored is told apart by its space and its depth. Eight bits go through LittleCMS, which
Pillow brings and which knows every profile. More bits go through ``color_profiles``, where the
profile is three primaries and curves; through other profiles they are rounded to eight bits first,
and a warning says so. Alpha is no colour, and no profile touches it.
"""

from __future__ import annotations

import functools
import io
import logging
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image

from .color_profiles import ALIKE, Shaper, lab_to_srgb, parse_shaper, profile_space, some_colors
from .errors import ImageError

_log = logging.getLogger(__name__)
_MOST = 0.9  # the share of values that is nearly all

# Which pictures an ICC profile of a space is for; grey is repeated for one of RGB.
_FITTING = {"GRAY": ("L",), "RGB": ("RGB", "L"), "CMYK": ("CMYK",)}


class Stored(NamedTuple):
    """The colours of a file, upright or not, before anything is done to them.

    Attributes
    ----------
    levels : (h, w, channels) ndarray
        uint8 as stored, or float32 for more bits: 0..255; of Lab L* 0..100 and a*, b* as they are.
    space : {"L", "RGB", "CMYK", "LAB"}
        With 1, 3, 4 and 3 channels. CMYK is ink: 255 is all of it.
    alpha : (h, w) uint8 ndarray or None
    profile : bytes, Shaper or None
        An ICC profile, or a colour space that the file describes in another way.
    orientation : int
        As in EXIF; 1 is upright.
    """

    levels: np.ndarray
    space: str
    alpha: np.ndarray | None = None
    profile: bytes | Shaper | None = None
    orientation: int = 1


def level_scale(samples: np.ndarray, bits: int | None, what: str) -> float:
    """Return the number that makes samples of more than eight bits levels of 0..255.

    Parameters
    ----------
    samples : ndarray
        Of the colours, without alpha.
    bits : int or None
        How many bits the largest whole number has; None where the file does not tell, because it
        has more room than levels.
    what : str
        The name of the picture, for messages.

    Returns
    -------
    float
        Floating point numbers are scaled from 0..1 where they lie within, which the logger says,
        and taken as 0..255 where not. Whole numbers without `bits` are 0..255 where they lie
        within, else 0..65535, or, of 32 bits without sign, the whole range where they go beyond its
        half.

    Raises
    ------
    ImageError
        NaN or infinity, or numbers of no known scale.

    Warns
    -----
    UserWarning
        Floating point numbers beyond 0..1, nearly all of which lie within.
    """
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise ImageError(f"{what} holds values that are not finite (NaN or infinity).")
    if bits is not None:
        return 255 / (2**bits - 1)
    low, high = float(samples.min()), float(samples.max())
    if samples.dtype.kind == "f":
        if low >= 0 and high <= 1:
            _log.warning("%s has floating point values in 0..1: 0 is black, 1 is white", what)
            return 255.0
        if low > -1 and (samples <= 1).mean() > _MOST and (samples % 1).any():
            _tell(
                f"{what} has floating point values from {low:.3g} to {high:.3g}, nearly all of "
                "them within 0..1: taken as 0..255, since not all are. Cut off what is above 1?"
            )
        return 1.0
    if samples.dtype == np.uint32 and high > 1 << 31:
        return 255 / (2**32 - 1)
    if low < 0 or high > 65535:
        raise ImageError(
            f"{what} holds whole numbers from {low:.0f} to {high:.0f}: 0..255 or 0..65535 can be "
            "read. Save it with 8 or 16 bits."
        )
    return 1 / 257 if high > 255 else 1.0


def to_srgb(stored: Stored, what: str) -> np.ndarray:
    """Return the colours of a picture.

    Parameters
    ----------
    stored : Stored
    what : str
        Its name, for warnings.

    Returns
    -------
    (h, w, 3) float32 ndarray
        RGB of sRGB, 0..255. What has no profile is taken for sRGB as it is, and what has one that
        is sRGB to a level, is left as it is stored.

    Warns
    -----
    UserWarning
        The profile is damaged, or belongs to other pictures: the colours are taken as stored. Or it
        can only be applied to eight of the bits.
    """
    profile = stored.profile
    if isinstance(profile, bytes):
        try:
            return _through_icc(stored, profile, what)
        except (ValueError, OSError, TypeError, ImportError, ArithmeticError) as error:
            _tell(f"the colour profile of {what} cannot be used ({error}): colours as stored")
    elif profile is not None and stored.space in ("L", "RGB"):
        return _through_shaper(stored, profile)
    return _as_stored(stored)


def _tell(text: str) -> None:
    warnings.warn(text, stacklevel=5)


def _through_icc(stored: Stored, profile: bytes, what: str) -> np.ndarray:
    if stored.space == "LAB":  # its colours are absolute
        return _as_stored(stored)
    space = profile_space(profile)
    if stored.space not in _FITTING.get(space, ()):
        names = {"L": "grey"}
        raise ValueError(
            f"it is for {space}, the picture is {names.get(stored.space, stored.space)}"
        )
    shaper = parse_shaper(profile)
    if shaper is not None:
        if _is_srgb(profile):
            return _as_stored(stored)
        if stored.levels.dtype != np.uint8 and shaper.begins_at_black():
            return _through_shaper(stored, shaper)
    levels = stored.levels
    if levels.dtype != np.uint8:
        levels = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    if space == "RGB" and stored.space == "L":
        levels = np.repeat(levels, 3, axis=2)
    if shaper is None and _changes_nothing(profile, space):
        return _as_stored(stored)
    made = _littlecms(levels, profile, space, exact=shaper is None)
    if stored.levels.dtype != np.uint8:
        _tell(
            f"the colour profile of {what} can be applied to 8 bits only: its levels are rounded "
            "to them"
        )
    return made


@functools.lru_cache(maxsize=8)
def _is_srgb(profile: bytes) -> bool:
    shaper = parse_shaper(profile)
    return shaper is not None and shaper.is_srgb()


@functools.lru_cache(maxsize=8)
def _changes_nothing(profile: bytes, space: str) -> bool:
    if space == "CMYK":
        return False
    levels = np.rint(some_colors(1 if space == "GRAY" else 3)).astype(np.uint8)
    return bool(np.abs(_littlecms(levels, profile, space, exact=True) - levels).max() <= ALIKE)


_NO_OPTIMIZE = 0x0100  # ImageCms.Flags has it since Pillow 10.1


def _littlecms(levels: np.ndarray, profile: bytes, space: str, exact: bool) -> np.ndarray:
    """Return uint8 levels of a profile's space as (h, w, 3) float32 sRGB.

    LittleCMS's optimisations are right to a level for primaries and curves. They put tables of 17
    to 33 steps in the place of others, which moves colours by up to 30 levels (`exact` forgoes
    them), and dark greys by up to 10: grey is looked up in a table of its own.
    """
    if space == "GRAY":
        ramp = _converted(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis], profile, True)
        return ramp[0][levels[..., 0]].astype(np.float32)
    return _converted(levels, profile, exact).astype(np.float32)


def _converted(levels: np.ndarray, profile: bytes, exact: bool) -> np.ndarray:
    from PIL import ImageCms

    image = _image(levels)
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.PERCEPTUAL,
            "RGB",
            flags=_NO_OPTIMIZE if exact else 0,  # type: ignore[arg-type]
        )
    except ImageCms.PyCMSError as error:
        raise ValueError(str(error)) from error
    return np.asarray(converted)


def _image(levels: np.ndarray) -> Image.Image:
    """Return uint8 levels as a Pillow image: grey, RGB or CMYK by their channels."""
    h, w, channels = levels.shape
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[channels]
    return Image.frombytes(mode, (w, h), np.ascontiguousarray(levels).tobytes())


def _through_shaper(stored: Stored, shaper: Shaper) -> np.ndarray:
    levels = stored.levels
    if shaper.matrix is not None and levels.shape[2] == 1:
        levels = np.repeat(levels, 3, axis=2)
    elif shaper.matrix is None and levels.shape[2] == 3:
        return _as_stored(stored)
    return shaper.to_srgb(levels)


def _as_stored(stored: Stored) -> np.ndarray:
    levels = stored.levels
    if stored.space == "L":
        return np.repeat(levels[..., :1].astype(np.float32), 3, axis=2)
    if stored.space == "RGB":
        return levels.astype(np.float32)
    if stored.space == "CMYK":
        if levels.dtype == np.uint8:
            return np.asarray(_image(levels).convert("RGB")).astype(np.float32)
        rest = 1 - levels / np.float32(255)  # what each ink leaves, as Pillow has it
        return 255 * rest[..., :3] * rest[..., 3:]
    return lab_to_srgb(levels)
