"""Local response normalisation across channels.

With s = k + alpha / n * (sum of x^2 over the n nearest channels), y = x * s^-beta. The gradient is
g s^-beta - 2 beta alpha / n * x * (sum over the window of g x s^(-beta - 1)); it computes s again
from x, which is cheaper than to write s and read it back. For beta = 0.75, the one that all nets
use, s^-0.75 = 1 / (sqrt(s) * sqrt(sqrt(s))): square roots are vector instructions, powers are not.
"""

from __future__ import annotations

import numpy as np

from .compiled import Pair, allocating, kernel


@kernel
def _window_sums(
    padded: np.ndarray, total: np.ndarray, channels: int, n: int, factor: float, k: float
) -> None:
    """Write k + factor times the sum of each n neighbours of `padded` into `total`."""
    f, start = np.float32(factor), np.float32(k)
    if n == 5:
        t0, t1, t2 = padded[:channels], padded[1 : 1 + channels], padded[2 : 2 + channels]
        t3, t4 = padded[3 : 3 + channels], padded[4 : 4 + channels]
        for c in range(channels):
            total[c] = start + f * (t0[c] + t1[c] + t2[c] + t3[c] + t4[c])
        return
    for c in range(channels):
        total[c] = padded[c]
    for d in range(1, n):
        line = padded[d : d + channels]
        for c in range(channels):
            total[c] += line[c]
    for c in range(channels):
        total[c] = start + f * total[c]


@kernel
def _lrn(
    x: np.ndarray,
    x_at: Pair,
    channels: int,
    n: int,
    alpha: float,
    beta: float,
    k: float,
    y: np.ndarray,
    y_at: Pair,
    p0: int,
    p1: int,
    squares: np.ndarray,
    s: np.ndarray,
) -> None:
    half = n // 2
    middle = squares[half : half + channels]
    one, power = np.float32(1), np.float32(-beta)
    for p in range(p0, p1):
        at = x_at[0] + p * x_at[1]
        row = x[at : at + channels]
        at = y_at[0] + p * y_at[1]
        out = y[at : at + channels]
        for c in range(channels):
            middle[c] = row[c] * row[c]
        _window_sums(squares, s, channels, n, alpha / n, k)
        if beta == 0.75:
            for c in range(channels):
                root = np.sqrt(s[c])
                out[c] = row[c] * (one / (root * np.sqrt(root)))
        else:
            for c in range(channels):
                out[c] = row[c] * s[c] ** power


@allocating
def lrn(
    x: np.ndarray,
    x_at: Pair,
    channels: int,
    n: int,
    alpha: float,
    beta: float,
    k: float,
    y: np.ndarray,
    y_at: Pair,
    p0: int,
    p1: int,
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
    """
    squares = np.zeros(channels + n, np.float32)
    s = np.empty(channels, np.float32)
    _lrn(x, x_at, channels, n, alpha, beta, k, y, y_at, p0, p1, squares, s)


@kernel
def _lrn_back(
    x: np.ndarray,
    x_at: Pair,
    channels: int,
    n: int,
    alpha: float,
    beta: float,
    k: float,
    g: np.ndarray,
    g_at: Pair,
    dx: np.ndarray,
    dx_at: Pair,
    mask: np.ndarray,
    mask_at: Pair,
    accumulate: bool,
    p0: int,
    p1: int,
    padded: np.ndarray,
    s: np.ndarray,
    through: np.ndarray,
    direct: np.ndarray,
) -> None:
    half = n // 2
    middle = padded[half : half + channels]
    zero, one, power = np.float32(0), np.float32(1), np.float32(-beta)
    factor = -2 * beta * alpha / n
    for p in range(p0, p1):
        at = x_at[0] + p * x_at[1]
        row = x[at : at + channels]
        at = g_at[0] + p * g_at[1]
        above = g[at : at + channels]
        at = dx_at[0] + p * dx_at[1]
        out = dx[at : at + channels]
        for c in range(channels):
            middle[c] = row[c] * row[c]
        _window_sums(padded, s, channels, n, alpha / n, k)
        if beta == 0.75:
            for c in range(channels):
                root = np.sqrt(s[c])
                inverse = one / (s[c] * root * np.sqrt(root))
                direct[c] = above[c] * (inverse * s[c])
                middle[c] = above[c] * row[c] * inverse
        else:
            for c in range(channels):
                scaled = s[c] ** power
                direct[c] = above[c] * scaled
                middle[c] = above[c] * row[c] * (scaled / s[c])
        _window_sums(padded, through, channels, n, factor, 0.0)
        if accumulate:
            for c in range(channels):
                out[c] += direct[c] + row[c] * through[c]
        else:
            for c in range(channels):
                out[c] = direct[c] + row[c] * through[c]
        if len(mask) > 0:
            at = mask_at[0] + p * mask_at[1]
            passes = mask[at : at + channels]
            for c in range(channels):
                out[c] = out[c] if passes[c] != 0 else zero


@allocating
def lrn_back(
    x: np.ndarray,
    x_at: Pair,
    channels: int,
    n: int,
    alpha: float,
    beta: float,
    k: float,
    g: np.ndarray,
    g_at: Pair,
    dx: np.ndarray,
    dx_at: Pair,
    mask: np.ndarray,
    mask_at: Pair,
    accumulate: bool,
    p0: int,
    p1: int,
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
    """
    padded = np.zeros(channels + n, np.float32)
    s = np.empty(channels, np.float32)
    through = np.empty(channels, np.float32)
    direct = np.empty(channels, np.float32)
    _lrn_back(
        x,
        x_at,
        channels,
        n,
        alpha,
        beta,
        k,
        g,
        g_at,
        dx,
        dx_at,
        mask,
        mask_at,
        accumulate,
        p0,
        p1,
        padded,
        s,
        through,
        direct,
    )
