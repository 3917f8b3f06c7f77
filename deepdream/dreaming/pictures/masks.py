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
    """Return a mask as numbers between 0 (nothing changes) and 1 (all may).

    Parameters
    ----------
    mask : (h, w) or (h, w, 3) array or PIL.Image
        White or 1 where the picture may change, black or 0 where not: booleans, numbers in 0..1, or
        in 0..255 where one of them is above 1, by more than resizing brings about. Colours count by
        their mean, what is transparent counts as black.
    size : (int, int)
        Height and width of the picture. A mask of another size has to have the same shape, and is
        brought to this size.

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
    h, w = picture.shape[:2]
    if abs(w / h / (size[1] / size[0]) - 1) > _ALIKE:
        raise ParameterError(
            f"the mask is {w}x{h}, the picture {size[1]}x{size[0]}: a mask has the picture's size, "
            "or its shape at another size"
        )
    alpha = picture.alpha
    grey = np.asarray(picture).mean(axis=2, dtype=np.float32) / 255
    if alpha is not None:
        grey = grey * (alpha / np.float32(255))
    if (h, w) != size:
        grey = np.asarray(resized(Picture(np.repeat(grey[..., None], 3, 2)), size))[..., 0]
    grey = np.clip(grey, 0, 1).astype(np.float32)
    if not grey.any():
        raise ParameterError(
            "the mask is black everywhere: nothing may change. White is where the dream goes"
        )
    return grey
