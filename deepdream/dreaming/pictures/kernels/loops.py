"""Compiled loops over pictures: what a dream does at every step besides running the net.

Pictures are flat float32 arrays here, h rows of n = 3 w numbers. A kernel works on rows r0 to r1
and writes nothing outside them, so that threads may share the rows out; what it computes does not
depend on how. See ``running.plan.kernels`` for the manner.
"""

from __future__ import annotations

import numpy as np

from ....compiling.decorators import exact_kernel, inlined, kernel
from ....compiling.kinds import Doubles, Floats, Longs
from ....compiling.lanes import LANES, load, spread, store, where
from .codes import ABS, EDGE, ROLL, SQUARE


@inlined
def _continued(i: int, n: int, border: int) -> int:
    """Return `borders.continued`, for one position."""
    if border == ROLL:
        return i % n
    if border == EDGE:
        return min(max(i, 0), n - 1)
    return (n - 1) - abs(i % max(1, 2 * n - 2) - (n - 1))


@kernel
def gaussians(
    x: Floats,
    h: int,
    w: int,
    border: int,
    taps: Floats,
    radii: Longs,
    share: float,
    out: Floats,
    scratch: Floats,
    above: Longs,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of `share` times the sum of three blurred pictures.

    Parameters
    ----------
    x : ndarray
        (h * 3 w) float32.
    border : int
        ROLL, REFLECT or EDGE.
    taps : ndarray
        (3 (R + 1)) float32: of three symmetric filters the middle and one side; R is the largest
        radius.
    radii : ndarray
        (3) int64, ascending.
    out : ndarray
        As x, in memory of its own.
    scratch : ndarray
        (3 (3 w + 6 R) + LANES) float32, the thread's own.
    above : ndarray
        (2 R + 1) int64, the thread's own.
    """
    n = 3 * w
    small, middle, large = radii[0], radii[1], radii[2]
    b_taps, c_taps = large + 1, 2 * (large + 1)
    pad = 3 * large
    width = n + 2 * pad
    factor = spread(np.float32(share))
    for i in range(r0, r1):
        for t in range(-large, large + 1):
            above[large + t] = _continued(i + t, h, border) * n
        for j in range(0, n, LANES):
            there = n - j
            v = load(x, i * n + j, there)
            a, b, c = taps[0] * v, taps[b_taps] * v, taps[c_taps] * v
            for t in range(1, small + 1):
                v = load(x, above[large - t] + j, there) + load(x, above[large + t] + j, there)
                a = a + taps[t] * v
                b = b + taps[b_taps + t] * v
                c = c + taps[c_taps + t] * v
            for t in range(small + 1, middle + 1):
                v = load(x, above[large - t] + j, there) + load(x, above[large + t] + j, there)
                b = b + taps[b_taps + t] * v
                c = c + taps[c_taps + t] * v
            for t in range(middle + 1, large + 1):
                v = load(x, above[large - t] + j, there) + load(x, above[large + t] + j, there)
                c = c + taps[c_taps + t] * v
            store(scratch, pad + j, a, there)
            store(scratch, width + pad + j, b, there)
            store(scratch, 2 * width + pad + j, c, there)
        for p in range(1, large + 1):
            before = pad + 3 * _continued(-p, w, border)
            after = pad + 3 * _continued(w - 1 + p, w, border)
            for k in range(3):
                start = k * width
                for channel in range(3):
                    scratch[start + pad - 3 * p + channel] = scratch[start + before + channel]
                    scratch[start + pad + n - 3 + 3 * p + channel] = scratch[
                        start + after + channel
                    ]
        for j in range(0, n, LANES):
            at = pad + j
            total = taps[0] * load(scratch, at, LANES)
            for t in range(1, small + 1):
                total = total + taps[t] * (
                    load(scratch, at - 3 * t, LANES) + load(scratch, at + 3 * t, LANES)
                )
            at += width
            total = total + taps[b_taps] * load(scratch, at, LANES)
            for t in range(1, middle + 1):
                total = total + taps[b_taps + t] * (
                    load(scratch, at - 3 * t, LANES) + load(scratch, at + 3 * t, LANES)
                )
            at += width
            total = total + taps[c_taps] * load(scratch, at, LANES)
            for t in range(1, large + 1):
                total = total + taps[c_taps + t] * (
                    load(scratch, at - 3 * t, LANES) + load(scratch, at + 3 * t, LANES)
                )
            store(out, i * n + j, factor * total, n - j)


@kernel
def row_sums(
    g: Floats, stride: int, n: int, weights: Floats, weights_stride: int, what: int,
    sums: Doubles, scratch: Floats, r0: int, r1: int,
) -> None:  # fmt: skip
    """Write the sums of rows r0 to r1: of absolute values, of squares, or of the values.

    Parameters
    ----------
    g : ndarray
        Flat float32, rows `stride` numbers apart, n numbers each.
    weights : ndarray
        Factors of the values, rows `weights_stride` numbers apart; or nothing.
    what : int
        ABS, SQUARE or PLAIN.
    sums : ndarray
        (h) float64.
    scratch : ndarray
        (LANES) float32, the thread's own.
    """
    nothing = spread(np.float32(0))
    for i in range(r0, r1):
        total = nothing
        for j in range(0, n, LANES):
            there = n - j
            v = load(g, i * stride + j, there)
            if what == ABS:
                v = where(v >= nothing, v, nothing - v)
            elif what == SQUARE:
                v = v * v
            if len(weights) > 0:
                v = v * load(weights, i * weights_stride + j, there)
            total = total + v
        store(scratch, 0, total, LANES)
        whole = 0.0
        for k in range(LANES):
            whole += np.float64(scratch[k])
        sums[i] = whole


@exact_kernel
def climb(
    x: Floats, x_at: int, x_stride: int, g: Floats, g_at: int, g_stride: int, n: int,
    weights: Floats, factor: float, low: Floats, high: Floats, r0: int, r1: int,
) -> None:  # fmt: skip
    """Set rows r0 to r1 of a part of x to ``clip(x + factor * weights * g)``.

    Parameters
    ----------
    x, g : ndarray
        Flat float32; the parts begin at `x_at` and `g_at`, their rows are n numbers long and
        `x_stride` and `g_stride` apart.
    weights : ndarray
        Flat float32, where x is and as x is; or nothing.
    factor : float
        Rounded to 32 bits first.
    low, high : ndarray
        (n) float32, bounds of a row; or nothing. NaN stays.
    """
    f = np.float32(factor)
    for i in range(r0, r1):
        to, source = x_at + i * x_stride, g_at + i * g_stride
        for j in range(0, n, LANES):
            there = n - j
            v = f * load(g, source + j, there)
            if len(weights) > 0:
                v = load(weights, to + j, there) * v
            v = load(x, to + j, there) + v
            if len(low) > 0:
                bound = load(low, j, there)
                v = where(bound > v, bound, v)
                bound = load(high, j, there)
                v = where(v > bound, bound, v)
            store(x, to + j, v, there)


@kernel
def reduce(
    x: Floats, h: int, w: int, channels: int, border: int, out: Floats,
    scratch: Floats, r0: int, r1: int,
) -> None:  # fmt: skip
    """Write rows r0 to r1 of every second row and column of x blurred by (1, 4, 6, 4, 1) / 16.

    Parameters
    ----------
    x : ndarray
        (h * w * channels) float32.
    out : ndarray
        ((h + 1) // 2 * ((w + 1) // 2) * channels) float32.
    scratch : ndarray
        (w * channels) float32, the thread's own.
    """
    n, m = w * channels, (w + 1) // 2
    four, six = spread(np.float32(4 / 16)), spread(np.float32(6 / 16))
    one = spread(np.float32(1 / 16))
    for r in range(r0, r1):
        i = 2 * r
        a, b = _continued(i - 2, h, border) * n, _continued(i - 1, h, border) * n
        c, d = _continued(i + 1, h, border) * n, _continued(i + 2, h, border) * n
        for j in range(0, n, LANES):
            there = n - j
            v = one * (load(x, a + j, there) + load(x, d + j, there))
            v = v + four * (load(x, b + j, there) + load(x, c + j, there))
            store(scratch, j, v + six * load(x, i * n + j, there), there)
        to = r * m * channels
        for p in range(m):
            j = 2 * p
            if 2 <= j < w - 2:
                a, b, c, d = j - 2, j - 1, j + 1, j + 2
            else:
                a, b = _continued(j - 2, w, border), _continued(j - 1, w, border)
                c, d = _continued(j + 1, w, border), _continued(j + 2, w, border)
            for k in range(channels):
                ends = scratch[a * channels + k] + scratch[d * channels + k]
                sides = scratch[b * channels + k] + scratch[c * channels + k]
                total = ends + np.float32(4) * sides + np.float32(6) * scratch[j * channels + k]
                out[to + p * channels + k] = np.float32(1 / 16) * total


@kernel
def join(
    detail: Floats, factor: float, lower: Floats, share: float, h: int, w: int,
    channels: int, border: int, out: Floats, scratch: Floats, r0: int, r1: int,
) -> None:  # fmt: skip
    """Write rows r0 to r1 of ``factor * detail + share * expand(lower)``.

    Parameters
    ----------
    detail : ndarray
        (h * w * channels) float32.
    factor, share : float
        Rounded to 32 bits first.
    lower : ndarray
        ((h + 1) // 2 * ((w + 1) // 2) * channels) float32.
    out : ndarray
        As `detail`; it may be the same.
    scratch : ndarray
        (((w + 1) // 2 + 2) * channels) float32, the thread's own.
    """
    rows, columns = (h + 1) // 2, (w + 1) // 2
    n, m = w * channels, columns * channels
    f, s = np.float32(factor), np.float32(share)
    for i in range(r0, r1):
        r = i // 2
        here, after = r * m, _continued(r + 1, rows, border) * m
        if i % 2:
            for j in range(0, m, LANES):
                there = m - j
                v = load(lower, here + j, there) + load(lower, after + j, there)
                store(scratch, channels + j, spread(np.float32(0.5) * s) * v, there)
        else:
            before = _continued(r - 1, rows, border) * m
            for j in range(0, m, LANES):
                there = m - j
                v = load(lower, before + j, there) + load(lower, after + j, there)
                v = v + spread(np.float32(6)) * load(lower, here + j, there)
                store(scratch, channels + j, spread(np.float32(0.125) * s) * v, there)
        first = _continued(-1, columns, border) * channels
        last = _continued(columns, columns, border) * channels
        for k in range(channels):
            scratch[k] = scratch[channels + first + k]
            scratch[channels + m + k] = scratch[channels + last + k]
        start = i * n
        for p in range(w // 2):
            at, to = (p + 1) * channels, start + 2 * p * channels
            for k in range(channels):
                left, middle, right = (
                    scratch[at - channels + k], scratch[at + k], scratch[at + channels + k],
                )  # fmt: skip
                even = np.float32(0.125) * (left + np.float32(6) * middle + right)
                odd = np.float32(0.5) * (middle + right)
                out[to + k] = f * detail[to + k] + even
                out[to + channels + k] = f * detail[to + channels + k] + odd
        if w % 2:
            at, to = columns * channels, start + (w - 1) * channels
            for k in range(channels):
                left, middle, right = (
                    scratch[at - channels + k], scratch[at + k], scratch[at + channels + k],
                )  # fmt: skip
                even = np.float32(0.125) * (left + np.float32(6) * middle + right)
                out[to + k] = f * detail[to + k] + even


@kernel
def warp(
    x: Floats, h: int, w: int, border: int, rows: Doubles, columns: Doubles, width: int,
    out: Floats, r0: int, r1: int,
) -> None:  # fmt: skip
    """Write rows r0 to r1 of what stands between the pixels of a picture; see `Operations.warp`.

    Parameters
    ----------
    x : ndarray
        (h * w * 3) float32.
    rows, columns : ndarray
        (height * width) float64.
    out : ndarray
        (height * width * 3) float32.
    """
    for p in range(r0 * width, r1 * width):
        top, left = np.int64(np.floor(rows[p])), np.int64(np.floor(columns[p]))
        down, along = np.float32(rows[p] - top), np.float32(columns[p] - left)
        up, low = _continued(top, h, border) * w, _continued(top + 1, h, border) * w
        a, b = _continued(left, w, border), _continued(left + 1, w, border)
        for k in range(3):
            first = x[3 * (up + a) + k] * (1 - along) + x[3 * (up + b) + k] * along
            second = x[3 * (low + a) + k] * (1 - along) + x[3 * (low + b) + k] * along
            out[3 * p + k] = first * (1 - down) + second * down


@kernel
def warp_back(
    g: Floats, rows: Doubles, columns: Doubles, count: int, h: int, w: int, border: int,
    out: Floats,
) -> None:  # fmt: skip
    """Add to a picture the adjoint of `warp`; see `Operations.warp_back`. For one thread."""
    for p in range(count):
        r, c = rows[p], columns[p]
        if border != ROLL and not (0 <= r <= h - 1 and 0 <= c <= w - 1):
            continue
        top, left = np.int64(np.floor(r)), np.int64(np.floor(c))
        down, along = np.float32(r - top), np.float32(c - left)
        up, low = _continued(top, h, border) * w, _continued(top + 1, h, border) * w
        a, b = _continued(left, w, border), _continued(left + 1, w, border)
        for k in range(3):
            v = g[3 * p + k]
            out[3 * (up + a) + k] += v * (1 - down) * (1 - along)
            out[3 * (up + b) + k] += v * (1 - down) * along
            out[3 * (low + a) + k] += v * down * (1 - along)
            out[3 * (low + b) + k] += v * down * along
