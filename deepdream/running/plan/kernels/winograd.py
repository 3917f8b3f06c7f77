"""Convolutions of stride 1 by Winograd: 36 multiplications for a tile, whatever the kernel's size.

A tile of m x m outputs of a kernel r x r sees 6 x 6 inputs d where m + r - 1 = 6: F(4x4, 3x3) takes
36 multiplications instead of 144, F(2x2, 5x5) instead of 100. With the matrices of Lavin and Gray
("Fast algorithms for convolutional neural networks", 2016, section 4.3), which belong to the points
0, 1, -1, 2, -2 and infinity, the outputs are ``A^T ((G w G^T) * (B^T d B)) A``, summed over the
channels between the two transforms: 36 matrix products (tiles, channels) x (channels, outputs),
which `torch.bmm` does. For some tens of tiles at once the operands stay in the cache. The error is
near 1e-6 of the outputs' norm.

B does not depend on r. A^T is the first m powers of the points; G is the first r powers, each row
divided by the product of the differences to the other points.

The gradient of the bottom is the same convolution of the top's gradient, with the weights turned
around, and padding r - 1 - pad.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....compiling.decorators import Pair, allocating, inlined, kernel
from ....compiling.lanes import LANES, load, spread, store, to_bytes
from .activation import NONE, activated, passing

POINTS = (0, 1, -1, 2, -2)


def outputs_of(kernel: int) -> int:
    """Return m, the outputs along a side of a tile, for a kernel of 3 or 5."""
    return 7 - kernel


def tiles(out_h: int, out_w: int, m: int) -> int:
    """Return the number of tiles of m x m outputs of a top; they are counted row by row."""
    return -(-out_h // m) * -(-out_w // m)


def _filter_matrix(r: int) -> np.ndarray:
    """Return G, (6, r)."""
    rows = [
        [point**k / np.prod([point - other for other in POINTS if other != point])
         for k in range(r)]
        for point in POINTS
    ]  # fmt: skip
    return np.array([*rows, [0] * (r - 1) + [1]])


def weights_transform(weight: np.ndarray, gradient: bool = False) -> np.ndarray:
    """Return the transformed weights, (36, c, n) float32, c and n swapped for the gradient.

    Parameters
    ----------
    weight : ndarray
        (n, c, r, r), the convolution's; r is 3 or 5.
    gradient : bool
        For the gradient of the bottom: the kernel turned by 180 degrees, (36, n, c).
    """
    n, c, r = weight.shape[:3]
    if gradient:
        weight, c, n = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3), n, c
    # G w G^T is one product with the 36 x r^2 numbers of both G.
    g = _filter_matrix(r)
    both = np.einsum("ij,lk->iljk", g, g).reshape(36, r * r)
    taps = weight.transpose(2, 3, 1, 0).reshape(r * r, c * n).astype(np.float64)
    return (both @ taps).reshape(36, c, n).astype(np.float32)


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
def _input_transform(
    x: np.ndarray,
    x_at: Pair,
    size: Pair,
    channels: int,
    pad: Pair,
    v: np.ndarray,
    m: int,
    tiles_w: int,
    t0: int,
    t1: int,
    s: np.ndarray,
) -> None:
    h, w = size
    step = x_at[1]
    plane = (t1 - t0) * channels
    whole = channels - channels % LANES
    for tile in range(t0, t1):
        ty = tile // tiles_w
        top, left = ty * m - pad[0], (tile - ty * tiles_w) * m - pad[1]
        rows = max(0, -top), min(6, h - top)
        columns = max(0, -left), min(6, w - left)
        at = x_at[0] + (top * w + left) * step
        to = (tile - t0) * channels
        for first in range(0, whole, LANES):
            _input_tile(
                x, at + first, step, w * step, rows, columns, v, to + first, plane, s, LANES
            )
        if whole < channels:
            _input_tile(
                x, at + whole, step, w * step, rows, columns, v, to + whole, plane, s,
                channels - whole,
            )  # fmt: skip


@allocating
def input_transform(
    x: np.ndarray,
    x_at: Pair,
    size: Pair,
    channels: int,
    pad: Pair,
    v: np.ndarray,
    m: int,
    tiles_w: int,
    t0: int,
    t1: int,
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
    """
    s = np.empty(36 * LANES, np.float32)
    _input_transform(x, x_at, size, channels, pad, v, m, tiles_w, t0, t1, s)


@inlined
def _write(
    v: Any,
    y: np.ndarray,
    to: int,
    act: int,
    low: np.float32,
    high: np.float32,
    mask: np.ndarray,
    gate: int,
    accumulate: bool,
    n: int,
) -> None:
    if len(mask) > 0 and act != NONE:
        store(mask, gate, to_bytes(passing(v, act, low, high)), n)
    if accumulate:
        v = load(y, to, n) + v
    store(y, to, activated(v, act, low, high), n)


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
        put, open_ = to + i * line, gate + i * gate_line
        _write(a0 + p + d + b, y, put, act, low, high, mask, open_, accumulate, n)
        if columns == 1:
            continue
        put, open_ = put + step, open_ + gate_step
        v = q + two * e
        v = v + a5 if m == 2 else v + b
        _write(v, y, put, act, low, high, mask, open_, accumulate, n)
        if columns == 2:
            continue
        put, open_ = put + step, open_ + gate_step
        _write(p + four * d + b, y, put, act, low, high, mask, open_, accumulate, n)
        if columns == 3:
            continue
        put, open_ = put + step, open_ + gate_step
        _write(q + eight * e + a5, y, put, act, low, high, mask, open_, accumulate, n)


@kernel
def _output_transform(
    product: np.ndarray,
    outputs: int,
    y: np.ndarray,
    y_at: Pair,
    out_size: Pair,
    bias: np.ndarray,
    act: int,
    lo: float,
    hi: float,
    mask: np.ndarray,
    mask_at: Pair,
    accumulate: bool,
    m: int,
    tiles_w: int,
    t0: int,
    t1: int,
    s: np.ndarray,
) -> None:
    h, w = out_size
    low, high = np.float32(lo), np.float32(hi)
    plane = (t1 - t0) * outputs
    step, gate_step = y_at[1], mask_at[1]
    whole = outputs - outputs % LANES
    for tile in range(t0, t1):
        ty = tile // tiles_w
        top, left = ty * m, (tile - ty * tiles_w) * m
        rows, columns = min(m, h - top), min(m, w - left)
        at = (tile - t0) * outputs
        to, gate = y_at[0] + (top * w + left) * step, mask_at[0] + (top * w + left) * gate_step
        for first in range(0, whole, LANES):
            b = load(bias, first, LANES) if len(bias) > 0 else spread(np.float32(0))
            _output_tile(
                product, at + first, plane, y, to + first, step, w * step, b, act, low, high,
                mask, gate + first, gate_step, w * gate_step, accumulate, m, rows, columns, s,
                LANES,
            )  # fmt: skip
        if whole < outputs:
            n = outputs - whole
            b = load(bias, whole, n) if len(bias) > 0 else spread(np.float32(0))
            _output_tile(
                product, at + whole, plane, y, to + whole, step, w * step, b, act, low, high,
                mask, gate + whole, gate_step, w * gate_step, accumulate, m, rows, columns, s,
                n,
            )  # fmt: skip


@allocating
def output_transform(
    product: np.ndarray,
    outputs: int,
    y: np.ndarray,
    y_at: Pair,
    out_size: Pair,
    bias: np.ndarray,
    act: int,
    lo: float,
    hi: float,
    mask: np.ndarray,
    mask_at: Pair,
    accumulate: bool,
    m: int,
    tiles_w: int,
    t0: int,
    t1: int,
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
        As for `bias_act`; the bias may be empty.
    accumulate : bool
        Add to what is in y; with `NONE` only.
    m, tiles_w, t0, t1
        As for `input_transform`.
    """
    s = np.empty(24 * LANES, np.float32)
    _output_transform(
        product, outputs, y, y_at, out_size, bias, act, lo, hi, mask, mask_at, accumulate,
        m, tiles_w, t0, t1, s,
    )  # fmt: skip
