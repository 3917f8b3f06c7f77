"""Convolutions with one filter for each channel: too thin for matrix products.

Weights are (kh * kw, channels), so that a tap is one row of memory, like a pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....compiling.decorators import inlined, kernel
from ....compiling.kinds import Bytes, Floats, Pair, Triple
from ....compiling.lanes import LANES, load, spread
from .activation import finish


@inlined
def _window(
    total: Any,
    x: np.ndarray,
    at: int,
    step: int,
    line: int,
    weight: np.ndarray,
    tap: int,
    tap_step: int,
    tap_line: int,
    rows: Pair,
    columns: Pair,
    n: int,
) -> Any:
    """Add the products of a window's numbers, `step` and `line` apart, with taps.

    Where all sizes are constants, no loop is left of it.
    """
    for a in range(rows[0], rows[1]):
        for b in range(columns[0], columns[1]):
            v = load(x, at + a * line + b * step, n)
            total = total + v * load(weight, tap + a * tap_line + b * tap_step, n)
    return total


@kernel
def depthwise(
    x: Floats,
    x_at: Pair,
    size: Pair,
    channels: int,
    weight: Floats,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    y: Floats,
    y_at: Pair,
    out_size: Pair,
    bias: Floats,
    act: int,
    lo: float,
    hi: float,
    mask: Bytes,
    mask_at: Triple,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of the top, with bias and activation.

    Parameters
    ----------
    x, x_at, size, channels
        The bottom and its (h, w).
    weight : ndarray
        (kh * kw * channels).
    kernel, stride, pad
        The convolution's.
    y, y_at, out_size
        The top and its (h, w).
    bias, act, lo, hi, mask, mask_at
        As for `products`; the bias is not empty.
    r0, r1 : int
        Range of the top's rows.
    """
    h, w = size
    kh, kw = kernel
    out_w = out_size[1]
    low, high = np.float32(lo), np.float32(hi)
    step, line = x_at[1], w * x_at[1]
    row = kw * channels
    for i in range(r0, r1):
        top = i * stride[0] - pad[0]
        a0, a1 = max(0, -top), min(kh, h - top)
        for j in range(out_w):
            left = j * stride[1] - pad[1]
            b0, b1 = max(0, -left), min(kw, w - left)
            at = x_at[0] + top * line + left * step
            inside = a0 == 0 and b0 == 0 and a1 == kh and b1 == kw
            to = y_at[0] + (i * out_w + j) * y_at[1]
            gate = mask_at[0] + i * mask_at[1] + j * mask_at[2]
            for first in range(0, channels, LANES):
                n, here = channels - first, at + first
                total = load(bias, first, n)
                if inside and n >= LANES and kh == 3 and kw == 3:
                    total = _window(
                        total, x, here, step, line, weight, first, channels, row, (0, 3), (0, 3),
                        LANES,
                    )  # fmt: skip
                elif inside and n >= LANES and kh == 5 and kw == 5:
                    total = _window(
                        total, x, here, step, line, weight, first, channels, row, (0, 5), (0, 5),
                        LANES,
                    )  # fmt: skip
                else:
                    total = _window(
                        total, x, here, step, line, weight, first, channels, row, (a0, a1),
                        (b0, b1), n,
                    )  # fmt: skip
                finish(total, y, to + first, act, low, high, mask, gate + first, False, n)


@kernel
def depthwise_back(
    g: Floats,
    g_at: Pair,
    out_size: Pair,
    channels: int,
    weight: Floats,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    dx: Floats,
    dx_at: Pair,
    size: Pair,
    act: int,
    lo: float,
    hi: float,
    mask: Bytes,
    mask_at: Triple,
    accumulate: bool,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of the gradient with respect to the bottom.

    Parameters
    ----------
    g, g_at, out_size
        The gradient with respect to the top, and its (h, w).
    channels, weight, kernel, stride, pad
        As for `depthwise`.
    dx, dx_at, size
        The gradient with respect to the bottom, and its (h, w).
    act, lo, hi, mask, mask_at, accumulate
        As for `products`.
    r0, r1 : int
        Range of the bottom's rows.
    """
    out_h, out_w = out_size
    w = size[1]
    kh, kw = kernel
    low, high = np.float32(lo), np.float32(hi)
    step, line = g_at[1], out_w * g_at[1]
    # From one top to the next the window moves on, and the tap back.
    tap_step, tap_line = -stride[1] * channels, -stride[0] * kw * channels
    for r in range(r0, r1):
        i0 = max(0, (r + pad[0] - kh + stride[0]) // stride[0])
        i1 = min(out_h, (r + pad[0]) // stride[0] + 1)
        for q in range(w):
            j0 = max(0, (q + pad[1] - kw + stride[1]) // stride[1])
            j1 = min(out_w, (q + pad[1]) // stride[1] + 1)
            tap = ((r + pad[0] - i0 * stride[0]) * kw + q + pad[1] - j0 * stride[1]) * channels
            at = g_at[0] + i0 * line + j0 * step
            to = dx_at[0] + (r * w + q) * dx_at[1]
            gate = mask_at[0] + r * mask_at[1] + q * mask_at[2]
            rows, columns = i1 - i0, j1 - j0
            for first in range(0, channels, LANES):
                n, here = channels - first, at + first
                total = spread(np.float32(0))
                if rows == 3 and columns == 3 and n >= LANES:
                    total = _window(
                        total, g, here, step, line, weight, tap + first, tap_step, tap_line,
                        (0, 3), (0, 3), LANES,
                    )  # fmt: skip
                elif rows == 5 and columns == 5 and n >= LANES:
                    total = _window(
                        total, g, here, step, line, weight, tap + first, tap_step, tap_line,
                        (0, 5), (0, 5), LANES,
                    )  # fmt: skip
                else:
                    total = _window(
                        total, g, here, step, line, weight, tap + first, tap_step, tap_line,
                        (0, rows), (0, columns), n,
                    )  # fmt: skip
                finish(total, dx, to + first, act, low, high, mask, gate + first, accumulate, n)
