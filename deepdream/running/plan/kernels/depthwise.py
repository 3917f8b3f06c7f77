"""Convolutions with one filter for each channel: too thin for matrix products.

Weights are (kh * kw, channels), so that a tap is one row of memory, like a pixel.
"""

from __future__ import annotations

import numpy as np

from .compiled import Pair, kernel


@kernel
def _add_taps(
    out: np.ndarray,
    channels: int,
    count: int,
    x: np.ndarray,
    at: int,
    step: int,
    weight: np.ndarray,
    tap: int,
    tap_step: int,
) -> None:
    """Add `count` pixels of x, `step` apart, times as many taps, `tap_step` apart, to `out`."""
    while count >= 3:
        x0 = x[at : at + channels]
        x1 = x[at + step : at + step + channels]
        x2 = x[at + 2 * step : at + 2 * step + channels]
        w0 = weight[tap : tap + channels]
        w1 = weight[tap + tap_step : tap + tap_step + channels]
        w2 = weight[tap + 2 * tap_step : tap + 2 * tap_step + channels]
        for c in range(channels):
            out[c] += x0[c] * w0[c] + x1[c] * w1[c] + x2[c] * w2[c]
        at += 3 * step
        tap += 3 * tap_step
        count -= 3
    if count == 2:
        x0 = x[at : at + channels]
        x1 = x[at + step : at + step + channels]
        w0 = weight[tap : tap + channels]
        w1 = weight[tap + tap_step : tap + tap_step + channels]
        for c in range(channels):
            out[c] += x0[c] * w0[c] + x1[c] * w1[c]
    elif count == 1:
        x0 = x[at : at + channels]
        w0 = weight[tap : tap + channels]
        for c in range(channels):
            out[c] += x0[c] * w0[c]


@kernel
def depthwise_back(
    g: np.ndarray,
    g_at: Pair,
    out_size: Pair,
    channels: int,
    weight: np.ndarray,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    mask: np.ndarray,
    mask_at: Pair,
    dx: np.ndarray,
    dx_at: Pair,
    size: Pair,
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
    mask, mask_at
        Numbers of g whose mask is 0 count as 0; or `NO_MASK`. Each number of g is used kh * kw /
        (sh * sw) times: where g may be changed, `apply_mask` beforehand is faster.
    dx, dx_at, size
        The gradient with respect to the bottom, and its (h, w).
    accumulate : bool
        Add to what is in dx.
    r0, r1 : int
        Range of the bottom's rows.
    """
    out_h, out_w = out_size
    w = size[1]
    kh, kw = kernel
    zero = np.float32(0)
    masked = len(mask) > 0
    for r in range(r0, r1):
        i0 = max(0, (r + pad[0] - kh + stride[0]) // stride[0])
        i1 = min(out_h, (r + pad[0]) // stride[0] + 1)
        for q in range(w):
            j0 = max(0, (q + pad[1] - kw + stride[1]) // stride[1])
            j1 = min(out_w, (q + pad[1]) // stride[1] + 1)
            at = dx_at[0] + (r * w + q) * dx_at[1]
            out = dx[at : at + channels]
            if not accumulate:
                for c in range(channels):
                    out[c] = zero
            for i in range(i0, i1):
                a = r + pad[0] - i * stride[0]
                tap = (a * kw + q + pad[1] - j0 * stride[1]) * channels
                at = g_at[0] + (i * out_w + j0) * g_at[1]
                if not masked:
                    step = -stride[1] * channels
                    _add_taps(out, channels, j1 - j0, g, at, g_at[1], weight, tap, step)
                    continue
                for j in range(j0, j1):
                    above = g[at : at + channels]
                    m = mask_at[0] + (i * out_w + j) * mask_at[1]
                    passes = mask[m : m + channels]
                    line = weight[tap : tap + channels]
                    for c in range(channels):
                        out[c] += above[c] * line[c] if passes[c] != 0 else zero
                    at += g_at[1]
                    tap -= stride[1] * channels
