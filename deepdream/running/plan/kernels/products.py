"""Convolutions and other products of pixels with weights, with their end in the same go."""

from __future__ import annotations

import numpy as np

from ....compiling.decorators import kernel
from ....compiling.kinds import Bytes, Five, Floats, Pair, Triple
from ....compiling.lanes import LANES, load, spread, store
from ....compiling.processor import FEW, PANEL, ROWS
from ....compiling.products import (
    multiply,
    multiply_few,
    multiply_few_half,
    multiply_half,
    multiply_one,
    multiply_one_half,
)
from .activation import finish
from .codes import NONE


@kernel
def _block(
    x: Floats, at: int, step: int, pieces: Five, weight: Floats, panel: int, rows: int,
    half: bool, y: Floats, to: int, y_step: int,
) -> None:  # fmt: skip
    """Write the sums of `rows` pixels with one panel."""
    if half:
        if rows == ROWS:
            multiply_half(x, at, step, pieces, weight, panel, y, to, y_step)
        elif rows == FEW:
            multiply_few_half(x, at, step, pieces, weight, panel, y, to, y_step)
        else:
            multiply_one_half(x, at, step, pieces, weight, panel, y, to, y_step)
    elif rows == ROWS:
        multiply(x, at, step, pieces, weight, panel, y, to, y_step)
    elif rows == FEW:
        multiply_few(x, at, step, pieces, weight, panel, y, to, y_step)
    else:
        multiply_one(x, at, step, pieces, weight, panel, y, to, y_step)


@kernel
def products(
    x: Floats,
    x_at: Triple,
    pieces: Five,
    weight: Floats,
    weight_line: int,
    n: int,
    bias: Floats,
    act: int,
    lo: float,
    hi: float,
    mask: Bytes,
    mask_at: Triple,
    y: Floats,
    y_at: Triple,
    accumulate: bool,
    size: Pair,
    s: Floats,
) -> None:
    """Write n channels of each pixel of y: the products of a window of x with weights.

    Pixel (i, j) of a value at ``(offset, line, step)`` begins at ``offset + i * line + j * step``;
    of x that is where the window of y's pixel begins, which is made of pieces.

    Parameters
    ----------
    x, x_at
        What is multiplied; padding included.
    pieces : tuple of int
        ``(rows, line, columns, step, length)`` of a window: from one piece to the next, and how
        many numbers each has.
    weight : ndarray
        ``compiling.products.packed`` (rows * columns * length, n).
    weight_line : int
        From the weights of one line of y to those of the next, in floats; 0 if they are the same.
    n : int
        Columns of the weights.
    bias : ndarray
        (n) float32, or empty.
    act, lo, hi, mask, mask_at
        `RELU`, `CLIP` or `GATE`: see `activation.finish`. The mask may be empty, but for `GATE`.
    y, y_at
        What is written; no part of x.
    accumulate : bool
        Add to what is in y.
    size : tuple of int
        Rows and columns of y's pixels.
    s : ndarray
        At least `BLOCK` float32 of scratch.
    """
    rows, columns = size
    low, high = np.float32(lo), np.float32(hi)
    depth = pieces[0] * pieces[2] * pieces[4]
    plain = act == NONE and len(bias) == 0 and not accumulate
    for i in range(rows):
        panel = i * weight_line
        for first in range(0, n, PANEL):
            half = PANEL > LANES and n - first <= LANES
            width = LANES if half else PANEL
            j = 0
            while j < columns:
                # A block that would reach too far begins earlier, and leaves out what is done; few
                # pixels are cheaper in one or two small blocks.
                start, count, left = j, ROWS, columns - j
                if left < ROWS:
                    if left <= 2 * FEW and columns >= FEW:
                        start, count = min(j, columns - FEW), FEW
                    elif columns >= ROWS:
                        start = columns - ROWS
                    else:
                        count = FEW if left >= FEW else 1
                at = x_at[0] + i * x_at[1] + start * x_at[2]
                if plain and width <= n - first:
                    to = y_at[0] + i * y_at[1] + start * y_at[2] + first
                    _block(x, at, x_at[2], pieces, weight, panel, count, half, y, to, y_at[2])
                    j = start + count
                    continue
                _block(x, at, x_at[2], pieces, weight, panel, count, half, s, 0, width)
                for r in range(j - start, count):
                    to = y_at[0] + i * y_at[1] + (start + r) * y_at[2] + first
                    gate = mask_at[0] + i * mask_at[1] + (start + r) * mask_at[2] + first
                    for c in range(0, min(width, n - first), LANES):
                        here = n - first - c
                        v = load(s, r * width + c, LANES)
                        if len(bias) > 0:
                            v = v + load(bias, first + c, here)
                        finish(v, y, to + c, act, low, high, mask, gate + c, accumulate, here)
                j = start + count
            panel += depth * width


@kernel
def affine(
    x: Floats,
    x_at: Triple,
    scale: Floats,
    factor: float,
    bias: Floats,
    n: int,
    act: int,
    lo: float,
    hi: float,
    mask: Bytes,
    mask_at: Triple,
    y: Floats,
    y_at: Triple,
    accumulate: bool,
    size: Pair,
) -> None:
    """Write y: each number times a factor, times its channel's, plus its channel's shift.

    Parameters
    ----------
    x, x_at, n, size
        The value, its channels, rows and columns; may be y.
    scale, bias : ndarray
        (n) float32, or empty.
    factor : float
    act, lo, hi, mask, mask_at, y, y_at, accumulate
        As for `products`.
    """
    low, high, times = np.float32(lo), np.float32(hi), np.float32(factor)
    for i in range(size[0]):
        for j in range(size[1]):
            at = x_at[0] + i * x_at[1] + j * x_at[2]
            to = y_at[0] + i * y_at[1] + j * y_at[2]
            gate = mask_at[0] + i * mask_at[1] + j * mask_at[2]
            for first in range(0, n, LANES):
                here = n - first
                v = times * load(x, at + first, here)
                if len(scale) > 0:
                    v = v * load(scale, first, here)
                if len(bias) > 0:
                    v = v + load(bias, first, here)
                finish(v, y, to + first, act, low, high, mask, gate + first, accumulate, here)


@kernel
def padded(
    x: Floats, x_at: Pair, size: Pair, channels: int, corner: Pair, out: Floats,
    out_size: Pair,
) -> None:  # fmt: skip
    """Copy a part of x, with zeros where there is no x.

    Parameters
    ----------
    x, x_at, size, channels
        The value and its (h, w).
    corner : tuple of int
        Row and column of the part's first pixel; may lie outside.
    out, out_size
        Gets (rows, columns, channels).
    """
    h, w = size
    rows, columns = out_size
    line = columns * channels
    left, right = min(columns, max(0, -corner[1])), max(0, min(columns, w - corner[1]))
    nothing = spread(np.float32(0))
    for i in range(rows):
        to, row = i * line, corner[0] + i
        first, last = left * channels, right * channels
        if row < 0 or row >= h or right <= left:
            first = last = line
        for k in range(0, first, LANES):
            store(out, to + k, nothing, first - k)
        if first < last:
            at = x_at[0] + (row * w + corner[1] + left) * x_at[1]
            if x_at[1] == channels:
                for k in range(0, last - first, LANES):
                    store(out, to + first + k, load(x, at + k, last - first - k), last - first - k)
            else:
                for j in range(right - left):
                    for k in range(0, channels, LANES):
                        here = to + first + j * channels + k
                        store(out, here, load(x, at + j * x_at[1] + k, channels - k), channels - k)
        for k in range(last, line, LANES):
            store(out, to + k, nothing, line - k)


@kernel
def spread_out(
    x: Floats, size: Pair, start: Pair, stride: Pair, channels: int, y: Floats,
    y_at: Pair, y_size: Pair, act: int, lo: float, mask: Bytes, mask_at: Pair,
    accumulate: bool,
) -> None:  # fmt: skip
    """Write pixels of y that lie side by side in one pixel of x: (stride rows, columns, channels).

    Parameters
    ----------
    x, size
        Dense, of so many rows and columns.
    start : tuple of int
        Where the first pixel's own pixels begin in y; those outside y are left out.
    stride, channels
        Pixel (i, j) of x holds y's ``start + (i, j) * stride`` and what follows.
    y, y_at, y_size
        What is written, and its (h, w).
    act, lo, mask, mask_at, accumulate
        `NONE` or `GATE`: as for `products`.
    """
    low = np.float32(lo)
    for i in range(size[0]):
        for a in range(stride[0]):
            row = start[0] + i * stride[0] + a
            if row < 0 or row >= y_size[0]:
                continue
            for j in range(size[1]):
                for b in range(stride[1]):
                    column = start[1] + j * stride[1] + b
                    if column < 0 or column >= y_size[1]:
                        continue
                    at = (((i * size[1] + j) * stride[0] + a) * stride[1] + b) * channels
                    pixel = row * y_size[1] + column
                    to, gate = y_at[0] + pixel * y_at[1], mask_at[0] + pixel * mask_at[1]
                    if channels <= 4:
                        for c in range(channels):
                            v = x[at + c]
                            if accumulate:
                                v += y[to + c]
                            if act != 0 and mask[gate + c] == 0:
                                v = low * v if low != np.float32(0) else low
                            y[to + c] = v
                        continue
                    for c in range(0, channels, LANES):
                        here = channels - c
                        v = load(x, at + c, here)
                        finish(v, y, to + c, act, low, low, mask, gate + c, accumulate, here)
