"""Local response normalisation across channels.

With s = k + alpha / n * (sum of x^2 over the n nearest channels), y = x * s^-beta. The gradient is
g s^-beta - 2 beta alpha / n * x * (sum over the window of g x s^(-beta - 1)); it computes s again
from x, which is cheaper than to write s and read it back. For beta = 0.75, the one that all nets
use, s^-0.75 = 1 / (sqrt(s) * sqrt(sqrt(s))): square roots are vector instructions, powers are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....compiling.decorators import inlined, kernel
from ....compiling.kinds import Bytes, Floats, Pair
from ....compiling.lanes import LANES, load, spread, square_root, store, to_truths, where


@inlined
def _window_sum(padded: np.ndarray, first: int, n: int) -> Any:
    """Return the sums of n neighbours each, the first of them from ``padded[first]`` on."""
    total = load(padded, first, LANES)
    for d in range(1, n):
        total = total + load(padded, first + d, LANES)
    return total


@inlined
def _power(s: Any, beta: float, scratch: np.ndarray) -> Any:
    """Return s ** -beta."""
    if beta == 0.75:
        root = square_root(s)
        return np.float32(1) / (root * square_root(root))
    store(scratch, 0, s, LANES)
    for i in range(LANES):
        scratch[i] = scratch[i] ** np.float32(-beta)
    return load(scratch, 0, LANES)


@kernel
def lrn(
    x: Floats,
    x_at: Pair,
    channels: int,
    n: int,
    alpha: float,
    beta: float,
    k: float,
    y: Floats,
    y_at: Pair,
    p0: int,
    p1: int,
    s: Floats,
) -> None:
    """Normalise pixels p0 to p1 of x into y.

    Parameters
    ----------
    x, x_at, channels
        The bottom.
    n : int
        Channels of a window, odd.
    alpha, beta, k : float
        The layer's.
    y, y_at
        The top; not the bottom's memory.
    p0, p1 : int
        Range of pixels.
    s : ndarray
        At least `lrn_scratch` float32.
    """
    squares, scratch = s[LANES:], s
    for i in range(channels + n + LANES):
        squares[i] = np.float32(0)
    half = n // 2
    factor, start = np.float32(alpha / n), np.float32(k)
    for p in range(p0, p1):
        at, to = x_at[0] + p * x_at[1], y_at[0] + p * y_at[1]
        for first in range(0, channels, LANES):
            there = channels - first
            v = load(x, at + first, there)
            store(squares, half + first, v * v, there)
        for first in range(0, channels, LANES):
            there = channels - first
            strength = start + factor * _window_sum(squares, first, n)
            v = load(x, at + first, there) * _power(strength, beta, scratch)
            store(y, to + first, v, there)


@kernel
def lrn_back(
    x: Floats,
    x_at: Pair,
    channels: int,
    n: int,
    alpha: float,
    beta: float,
    k: float,
    g: Floats,
    g_at: Pair,
    dx: Floats,
    dx_at: Pair,
    mask: Bytes,
    mask_at: Pair,
    accumulate: bool,
    p0: int,
    p1: int,
    s: Floats,
) -> None:
    """Write the gradient with respect to pixels p0 to p1 of x into dx.

    Parameters
    ----------
    x, x_at, channels, n, alpha, beta, k
        As for `lrn`.
    g, g_at
        The gradient with respect to the top.
    dx, dx_at
        The gradient with respect to the bottom; may be g's memory unless `accumulate`.
    mask, mask_at
        Of the layer that made x: dx becomes 0 where it is 0, what was added before included; or
        `NO_MASK`.
    accumulate : bool
        Add to what is in dx.
    p0, p1 : int
        Range of pixels.
    s : ndarray
        At least `lrn_scratch` float32.
    """
    size = channels + n + LANES
    scratch, direct, padded = s, s[LANES:], s[2 * LANES + channels :]
    for i in range(2 * size + n):
        padded[i] = np.float32(0)
    half = n // 2
    factor, start = np.float32(alpha / n), np.float32(k)
    back = np.float32(-2 * beta * alpha / n)
    for p in range(p0, p1):
        at, up, to = x_at[0] + p * x_at[1], g_at[0] + p * g_at[1], dx_at[0] + p * dx_at[1]
        gate = mask_at[0] + p * mask_at[1]
        for first in range(0, channels, LANES):
            there = channels - first
            v = load(x, at + first, there)
            store(padded, half + first, v * v, there)
        # Sums read squares ahead and behind, so that the terms need a place of their own.
        terms = half + channels + n + LANES
        for first in range(0, channels, LANES):
            there = channels - first
            strength = start + factor * _window_sum(padded, first, n)
            scaled = load(g, up + first, there) * _power(strength, beta, scratch)
            store(direct, first, scaled, there)
            store(padded, terms + first, scaled * load(x, at + first, there) / strength, there)
        for first in range(0, channels, LANES):
            there = channels - first
            through = back * _window_sum(padded, terms - half + first, n)
            v = load(direct, first, there) + load(x, at + first, there) * through
            if accumulate:
                v = load(dx, to + first, there) + v
            if len(mask) > 0:
                passes = to_truths(load(mask, gate + first, there))
                v = where(passes, v, spread(np.float32(0)))
            store(dx, to + first, v, there)
