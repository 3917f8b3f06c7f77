"""Pictures of noise, to begin a dream with nothing."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ParameterError
from ...memory import check_room
from ...picture import Picture
from .operations import Operations

GREY = 128.0  # the middle of 0..255
STRENGTH = 16.0  # standard deviation in grey levels
_LEAST = 4  # pixels of the coarsest layer's smaller side


def noise(h: int, w: int, seed: int = 0, strength: float = STRENGTH) -> Picture:
    """Return a picture of coloured noise, equally strong at all sizes.

    Dreams grow out of what they find: out of noise of single pixels come fine patterns alone, out
    of clouds of all sizes large shapes, too.

    Parameters
    ----------
    h, w : int
        Height and width in pixels.
    seed : int
        The same one gives the same picture.
    strength : float
        Standard deviation in grey levels, above 0.

    Returns
    -------
    (h, w, 3) float32 Picture
        RGB, around 128 with a standard deviation of `strength`. Its ``source`` names the noise,
        so that a dream of it can be made again.

    Raises
    ------
    ParameterError
        A size below one pixel, a seed that is none, or no strength.
    OutOfMemoryError
        It is larger than the memory.

    Notes
    -----
    A sum of independent normal noise at sizes that halve, each enlarged to the full size.
    """
    for name, value, low in (("h", h, 1), ("w", w, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
            raise ParameterError(f"{name} is {value!r}: a whole number from {low} is expected")
    if seed >= 2**32:
        raise ParameterError(f"seed is {seed!r}: a whole number from 0 to 4294967295 is expected")
    real = isinstance(strength, numbers.Real) and not isinstance(strength, bool)
    if not real or not 0 < float(strength) <= 128:
        raise ParameterError(f"strength is {strength!r}: grey levels, above 0, are expected")
    check_room((h, w), 48)  # the sum, random numbers of 64 bits, and the same of 32
    rng = np.random.RandomState(int(seed))
    ops = Operations()
    total: Any = np.zeros((h, w, 3), np.float32)
    size = int(h), int(w)
    while True:
        ops.add_resized(total, rng.standard_normal((*size, 3)).astype(np.float32))
        if min(size) // 2 < _LEAST:
            break
        size = (size[0] + 1) // 2, (size[1] + 1) // 2
    total *= np.float32(strength / max(float(total.std()), 1e-6))
    pixels = np.clip(total - total.mean() + np.float32(GREY), 0, 255)
    source: dict[str, Any] = {"noise": int(seed), "size": [int(w), int(h)]}
    if strength != STRENGTH:
        source["strength"] = float(strength)
    return Picture(pixels, source=source)


def noise_of(source: Mapping[str, Any]) -> Picture:
    """Return the noise that a picture's ``source`` names."""
    w, h = source["size"]
    return noise(int(h), int(w), int(source["noise"]), source.get("strength", STRENGTH))
