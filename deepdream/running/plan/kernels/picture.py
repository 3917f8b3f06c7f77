"""From the picture to the net's input and back: the roll, the step, the mean gradient.

The picture is NCHW as pycaffe keeps it, the input and its gradient are NHWC. Rounding is that of
the NumPy expressions in `dreaming.dream`.
"""

from __future__ import annotations

import numpy as np

from .compiled import Pair, exact_kernel


@exact_kernel
def roll_in(
    x: np.ndarray,
    size: Pair,
    channels: int,
    ox: int,
    oy: int,
    data: np.ndarray,
    data_at: Pair,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of ``np.roll(np.roll(x, ox, -1), oy, -2)`` into an NHWC value.

    Parameters
    ----------
    x : ndarray
        (channels * h * w) float32, the picture in CHW order.
    size : tuple of int
        h, w.
    ox, oy : int
        Pixels to the right, and down; any sign.
    data, data_at
        Where to.
    r0, r1 : int
        Range of rows of `data`.
    """
    h, w = size
    shift = ox % w
    for i in range(r0, r1):
        source = (i - oy) % h
        start = data_at[0] + i * w * data_at[1]
        for c in range(channels):
            row = x[(c * h + source) * w : (c * h + source + 1) * w]
            at = start + c
            for j in range(shift):
                data[at] = row[w - shift + j]
                at += data_at[1]
            for j in range(w - shift):
                data[at] = row[j]
                at += data_at[1]


@exact_kernel
def roll_step(
    x: np.ndarray,
    size: Pair,
    channels: int,
    ox: int,
    oy: int,
    g: np.ndarray,
    g_at: Pair,
    factor: float,
    lo: np.ndarray,
    hi: np.ndarray,
    r0: int,
    r1: int,
) -> None:
    """Set x to ``clip(x + factor * g)``, with the roll of g undone, for rows r0 to r1 of g.

    Parameters
    ----------
    x, size, channels, ox, oy
        As for `roll_in`, which rolled the picture that g belongs to.
    g, g_at
        The gradient, NHWC.
    factor : float
        Step size divided by the mean gradient; rounded to float32 first.
    lo, hi : ndarray
        (channels) float32, bounds of each channel; infinite ones for no bounds. NaN stays.
    r0, r1 : int
        Range of rows of `g`.
    """
    h, w = size
    shift = ox % w
    f = np.float32(factor)
    for i in range(r0, r1):
        target = (i - oy) % h
        start = g_at[0] + i * w * g_at[1]
        for c in range(channels):
            row = x[(c * h + target) * w : (c * h + target + 1) * w]
            low, high = lo[c], hi[c]
            at = start + c
            for j in range(w):
                k = j - shift if j >= shift else j - shift + w
                v = row[k] + f * g[at]
                v = low if v < low else v
                row[k] = high if v > high else v
                at += g_at[1]


@exact_kernel
def abs_sum(g: np.ndarray, g_at: Pair, channels: int, p0: int, p1: int) -> float:
    """Return the sum of the absolute values of pixels p0 to p1, added up in float64."""
    total = 0.0
    for p in range(p0, p1):
        start = g_at[0] + p * g_at[1]
        for c in range(start, start + channels):
            total += abs(np.float64(g[c]))
    return total
