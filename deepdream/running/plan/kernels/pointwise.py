"""Bias and activation after a matrix product, and the mask on the way back."""

from __future__ import annotations

import numpy as np

from ....compiling.decorators import Pair, kernel
from ....compiling.lanes import LANES, load, spread, store, to_bytes, to_truths, where
from .activation import NONE, activated, passing


@kernel
def bias_act(
    x: np.ndarray,
    y: np.ndarray,
    y_at: Pair,
    channels: int,
    bias: np.ndarray,
    act: int,
    lo: float,
    hi: float,
    mask: np.ndarray,
    mask_at: Pair,
    p0: int,
    p1: int,
) -> None:
    """Write pixels p0 to p1 of y: a bias added to a product, and an activation applied.

    Parameters
    ----------
    x : ndarray
        (p1 - p0, channels) float32, the product; not a part of y.
    y, y_at, channels
        The value.
    bias : ndarray
        (channels) float32.
    act : int
        `NONE`; `RELU`, the sum where it is above 0, else 0, NaN stays; or `CLIP`, no less than `lo`
        and no more than `hi`.
    mask, mask_at
        Gets 1 where the gradient passes: above 0 for `RELU`, lo to hi before clipping for `CLIP`.
        `NO_MASK`, or `NONE`: nothing is written.
    p0, p1 : int
        Range of pixels.
    """
    low, high = np.float32(lo), np.float32(hi)
    keep = len(mask) > 0 and act != NONE
    for p in range(p0, p1):
        source = (p - p0) * channels
        to = y_at[0] + p * y_at[1]
        at = mask_at[0] + p * mask_at[1]
        for first in range(0, channels, LANES):
            n = channels - first
            v = load(x, source + first, n) + load(bias, first, n)
            store(y, to + first, activated(v, act, low, high), n)
            if keep:
                store(mask, at + first, to_bytes(passing(v, act, low, high)), n)


@kernel
def apply_mask(
    g: np.ndarray,
    g_at: Pair,
    channels: int,
    mask: np.ndarray,
    mask_at: Pair,
    p0: int,
    p1: int,
) -> None:
    """Set pixels p0 to p1 of g to 0 where the mask is 0, in place."""
    for p in range(p0, p1):
        to = g_at[0] + p * g_at[1]
        at = mask_at[0] + p * mask_at[1]
        for first in range(0, channels, LANES):
            n = channels - first
            passes = to_truths(load(mask, at + first, n))
            v = where(passes, load(g, to + first, n), spread(np.float32(0)))
            store(g, to + first, v, n)
