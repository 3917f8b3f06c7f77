"""Masks: where a picture may change."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ImageError, ParameterError
from ...images import to_picture
from ...picture import Picture, in_unit_range, resized
from .borders import Size

_ALIKE = 0.02  # ratios of sides that differ by less are the same, but for rounding


def as_mask(mask: Any, size: Size) -> np.ndarray:
    """Return a mask for a picture, as numbers between 0 (nothing changes) and 1 (all may).

    Parameters
    ----------
    mask : (h, w) or (h, w, 3) array or PIL.Image
        See `read_mask`.
    size : (int, int)
        See `fitted`.

    Returns
    -------
    (h, w) float32 ndarray

    Raises
    ------
    ImageError
        It is no picture.
    ParameterError
        Its shape is not the picture's, or it is black everywhere.
    """
    return fitted(read_mask(mask), size)


def read_mask(mask: Any) -> np.ndarray:
    """Return a mask as numbers between 0 and 1.

    Parameters
    ----------
    mask : (h, w) or (h, w, 3) array or PIL.Image
        White or 1 where something counts, black or 0 where not: booleans, numbers in 0..1, or
        in 0..255 where one of them is above 1, by more than resizing brings about. Colours count by
        their mean, what is transparent counts as black.

    Returns
    -------
    (h, w) float32 ndarray
        Of the mask's size.

    Raises
    ------
    ImageError
        It is no picture.
    """
    if isinstance(mask, np.ndarray) and mask.dtype == bool:
        mask = mask.astype(np.uint8)
    levels = np.asarray(mask)
    unit = levels.dtype.kind in "ui" and levels.size > 0 and 0 <= levels.min() <= levels.max() <= 1
    unit = unit or (levels.dtype.kind == "f" and levels.size > 0 and in_unit_range(levels))
    if unit:  # one kind of mask has one scale from here on
        mask = Picture(levels.astype(np.float32) * np.float32(255), getattr(mask, "alpha", None))
    try:
        picture = to_picture(mask)
    except ImageError as error:
        raise ImageError(f"mask: {error}") from error
    grey = np.asarray(picture).mean(axis=2, dtype=np.float32) / 255
    if picture.alpha is not None:
        grey = grey * (picture.alpha / np.float32(255))
    return grey.astype(np.float32)


def fitted(grey: np.ndarray, size: Size, what: str = "the mask") -> np.ndarray:
    """Return a mask at a picture's size.

    Parameters
    ----------
    grey : (h, w) float32 ndarray
        From `read_mask`.
    size : (int, int)
        Height and width of the picture. A mask of another size has to have the same shape, and is
        brought to this size.
    what : str
        What to call it.

    Returns
    -------
    (h, w) float32 ndarray
        0..1.

    Raises
    ------
    ParameterError
        Its shape is not the picture's, or it is black everywhere.
    """
    h, w = grey.shape
    if abs(w / h / (size[1] / size[0]) - 1) > _ALIKE:
        raise ParameterError(
            f"{what} is {w}x{h}, the picture {size[1]}x{size[0]}: a mask has the picture's size, "
            "or its shape at another size"
        )
    if (h, w) != size:
        grey = np.asarray(resized(Picture(np.repeat(grey[..., None], 3, 2)), size))[..., 0]
    grey = np.clip(grey, 0, 1).astype(np.float32)
    if not grey.any():
        raise ParameterError(
            f"{what} is black everywhere: nothing may change. White is where the dream goes"
        )
    return grey
