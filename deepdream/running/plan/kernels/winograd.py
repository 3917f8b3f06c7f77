"""Winograd's transforms of tiles, before and after the products: see `plan.winograd`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....compiling.decorators import inlined, kernel
from ....compiling.kinds import Bytes, Floats, Pair, Triple
from ....compiling.lanes import LANES, load, spread, store
from .activation import finish


@inlined
def _input_tile(
    x: np.ndarray,
    at: int,
    step: int,
    line: int,
    rows: Pair,
    columns: Pair,
    v: np.ndarray,
    to: int,
    plane: int,
    s: np.ndarray,
    n: int,
) -> None:
    """Transform n channels of a tile whose first number would be at x[at].

    Of its six rows and six columns only those from `rows` and `columns` exist.
    """
    two, four, five = np.float32(2), np.float32(4), np.float32(5)
    nothing = spread(np.float32(0))
    top, bottom = rows
    for j in range(6):
        here = at + j * step
        if top == 0 and bottom == 6 and columns[0] <= j < columns[1]:
            a0, a1, a2 = load(x, here, n), load(x, here + line, n), load(x, here + 2 * line, n)
            here += 3 * line
            a3, a4, a5 = load(x, here, n), load(x, here + line, n), load(x, here + 2 * line, n)
        elif columns[0] <= j < columns[1]:
            a0 = load(x, here, n) if top <= 0 < bottom else nothing
            a1 = load(x, here + line, n) if top <= 1 < bottom else nothing
            a2 = load(x, here + 2 * line, n) if top <= 2 < bottom else nothing
            a3 = load(x, here + 3 * line, n) if top <= 3 < bottom else nothing
            a4 = load(x, here + 4 * line, n) if top <= 4 < bottom else nothing
            a5 = load(x, here + 5 * line, n) if top <= 5 < bottom else nothing
        else:
            a0 = a1 = a2 = a3 = a4 = a5 = nothing
        p, q = a4 - four * a2, a3 - four * a1
        d, e = a4 - a2, two * (a3 - a1)
        k = j * LANES
        store(s, k, four * a0 - five * a2 + a4, LANES)
        store(s, k + 6 * LANES, p + q, LANES)
        store(s, k + 12 * LANES, p - q, LANES)
        store(s, k + 18 * LANES, d + e, LANES)
        store(s, k + 24 * LANES, d - e, LANES)
        store(s, k + 30 * LANES, four * a1 - five * a3 + a5, LANES)
    for i in range(6):
        k = i * 6 * LANES
        a0, a1, a2 = load(s, k, LANES), load(s, k + LANES, LANES), load(s, k + 2 * LANES, LANES)
        k += 3 * LANES
        a3, a4, a5 = load(s, k, LANES), load(s, k + LANES, LANES), load(s, k + 2 * LANES, LANES)
        p, q = a4 - four * a2, a3 - four * a1
        d, e = a4 - a2, two * (a3 - a1)
        put = to + i * 6 * plane
        store(v, put, four * a0 - five * a2 + a4, n)
        store(v, put + plane, p + q, n)
        store(v, put + 2 * plane, p - q, n)
        store(v, put + 3 * plane, d + e, n)
        store(v, put + 4 * plane, d - e, n)
        store(v, put + 5 * plane, four * a1 - five * a3 + a5, n)


@kernel
def input_transform(
    x: Floats,
    x_at: Pair,
    size: Pair,
    channels: int,
    pad: Pair,
    v: Floats,
    m: int,
    tiles_w: int,
    t0: int,
    t1: int,
    s: Floats,
) -> None:
    """Write B^T d B of tiles t0 to t1.

    Parameters
    ----------
    x, x_at, size, channels
        The bottom and its (h, w).
    pad : tuple of int
        The convolution's, 0 to r - 1.
    v : ndarray
        Gets (36, t1 - t0, channels).
    m : int
        Outputs along a side of a tile: `outputs_of` the kernel.
    tiles_w : int
        Tiles in a row: the top's width / m, rounded up.
    t0, t1 : int
        Range of tiles.
    s : ndarray
        At least `TILE` float32 of scratch.
    """
    h, w = size
    step = x_at[1]
    plane = (t1 - t0) * channels
    for tile in range(t0, t1):
        ty = tile // tiles_w
        top, left = ty * m - pad[0], (tile - ty * tiles_w) * m - pad[1]
        rows = max(0, -top), min(6, h - top)
        columns = max(0, -left), min(6, w - left)
        at = x_at[0] + (top * w + left) * step
        to = (tile - t0) * channels
        for first in range(0, channels, LANES):
            _input_tile(
                x, at + first, step, w * step, rows, columns, v, to + first, plane, s,
                channels - first,
            )  # fmt: skip


@inlined
def _output_tile(
    product: np.ndarray,
    at: int,
    plane: int,
    y: np.ndarray,
    to: int,
    step: int,
    line: int,
    b: Any,
    act: int,
    low: np.float32,
    high: np.float32,
    mask: np.ndarray,
    gate: int,
    gate_step: int,
    gate_line: int,
    accumulate: bool,
    m: int,
    rows: int,
    columns: int,
    s: np.ndarray,
    n: int,
) -> None:
    """Transform n channels of a tile whose first product is product[at], and write them."""
    two, four, eight = np.float32(2), np.float32(4), np.float32(8)
    for j in range(6):
        k = at + j * plane
        a0, a1, a2 = (
            load(product, k, n),
            load(product, k + 6 * plane, n),
            load(product, k + 12 * plane, n),
        )
        k += 18 * plane
        a3, a4, a5 = (
            load(product, k, n),
            load(product, k + 6 * plane, n),
            load(product, k + 12 * plane, n),
        )
        p, q, d, e = a1 + a2, a1 - a2, a3 + a4, a3 - a4
        k = j * LANES
        store(s, k, a0 + p + d, LANES)
        if m == 2:
            store(s, k + 6 * LANES, q + two * e + a5, LANES)
        else:
            store(s, k + 6 * LANES, q + two * e, LANES)
            store(s, k + 12 * LANES, p + four * d, LANES)
            store(s, k + 18 * LANES, q + eight * e + a5, LANES)
    for i in range(rows):
        k = i * 6 * LANES
        a0, a1, a2 = load(s, k, LANES), load(s, k + LANES, LANES), load(s, k + 2 * LANES, LANES)
        k += 3 * LANES
        a3, a4, a5 = load(s, k, LANES), load(s, k + LANES, LANES), load(s, k + 2 * LANES, LANES)
        p, q, d, e = a1 + a2, a1 - a2, a3 + a4, a3 - a4
        a5 = a5 + b
        k = i * 6 * LANES
        store(s, k, a0 + p + d + b, LANES)
        if m == 2:
            store(s, k + LANES, q + two * e + a5, LANES)
        else:
            store(s, k + LANES, q + two * e + b, LANES)
            store(s, k + 2 * LANES, p + four * d + b, LANES)
            store(s, k + 3 * LANES, q + eight * e + a5, LANES)
        put, open_ = to + i * line, gate + i * gate_line
        for j in range(columns):
            v = load(s, k + j * LANES, LANES)
            finish(v, y, put + j * step, act, low, high, mask, open_ + j * gate_step, accumulate, n)


@kernel
def output_transform(
    product: Floats,
    outputs: int,
    y: Floats,
    y_at: Pair,
    out_size: Pair,
    bias: Floats,
    act: int,
    lo: float,
    hi: float,
    mask: Bytes,
    mask_at: Triple,
    accumulate: bool,
    m: int,
    tiles_w: int,
    t0: int,
    t1: int,
    s: Floats,
) -> None:
    """Write A^T product A of tiles t0 to t1, with bias and activation.

    Parameters
    ----------
    product : ndarray
        (36, t1 - t0, outputs).
    outputs : int
        Channels of the top.
    y, y_at, out_size
        The top and its (h, w).
    bias, act, lo, hi, mask, mask_at
        As for `products`.
    accumulate : bool
        Add to what is in y.
    m, tiles_w, t0, t1
        As for `input_transform`.
    s : ndarray
        At least `TILE` float32 of scratch.
    """
    h, w = out_size
    low, high = np.float32(lo), np.float32(hi)
    plane = (t1 - t0) * outputs
    step, gate_step, gate_line = y_at[1], mask_at[2], mask_at[1]
    for tile in range(t0, t1):
        ty = tile // tiles_w
        top, left = ty * m, (tile - ty * tiles_w) * m
        rows, columns = min(m, h - top), min(m, w - left)
        at = (tile - t0) * outputs
        to = y_at[0] + (top * w + left) * step
        gate = mask_at[0] + top * gate_line + left * gate_step
        for first in range(0, outputs, LANES):
            n = outputs - first
            b = load(bias, first, n) if len(bias) > 0 else spread(np.float32(0))
            _output_tile(
                product, at + first, plane, y, to + first, step, w * step, b, act, low, high,
                mask, gate + first, gate_step, gate_line, accumulate, m, rows, columns, s, n,
            )  # fmt: skip
