"""Bias and activation after a matrix product, and the mask on the way back."""

from __future__ import annotations

import numpy as np

from .compiled import Pair, kernel

NONE, RELU, CLIP = 0, 1, 2


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
    low, high, zero = np.float32(lo), np.float32(hi), np.float32(0)
    keep = len(mask) > 0
    b = bias[:channels]
    for p in range(p0, p1):
        start = y_at[0] + p * y_at[1]
        row = y[start : start + channels]
        source = x[(p - p0) * channels : (p - p0 + 1) * channels]
        if act == 0:
            for c in range(channels):
                row[c] = source[c] + b[c]
            continue
        at = mask_at[0] + p * mask_at[1] if keep else 0
        passes = mask[at : at + channels]
        if act == 1:
            if keep:
                for c in range(channels):
                    v = source[c] + b[c]
                    passes[c] = v > zero
                    row[c] = v if v > zero else v * zero
            else:
                for c in range(channels):
                    v = source[c] + b[c]
                    row[c] = v if v > zero else v * zero
        elif keep:
            for c in range(channels):
                v = source[c] + b[c]
                passes[c] = (v >= low) & (v <= high)
                v = high if v > high else v
                row[c] = low if v < low else v
        else:
            for c in range(channels):
                v = source[c] + b[c]
                v = high if v > high else v
                row[c] = low if v < low else v


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
    zero = np.float32(0)
    for p in range(p0, p1):
        start = g_at[0] + p * g_at[1]
        at = mask_at[0] + p * mask_at[1]
        row = g[start : start + channels]
        passes = mask[at : at + channels]
        for c in range(channels):
            row[c] = row[c] if passes[c] != 0 else zero
