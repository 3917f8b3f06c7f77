"""Convolutions with one filter for each channel: too thin for matrix products.

Weights are (kh * kw, channels), so that a tap is one row of memory, like a pixel.
"""

from __future__ import annotations

import numpy as np

from .compiled import Pair, kernel
from .lanes import LANES, load, spread, store


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
    channels, kernel, stride, pad
        Of the bottom, and the convolution's.
    weight : ndarray
        (kh * kw * channels).
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
    for r in range(r0, r1):
        i0 = max(0, (r + pad[0] - kh + stride[0]) // stride[0])
        i1 = min(out_h, (r + pad[0]) // stride[0] + 1)
        for q in range(w):
            j0 = max(0, (q + pad[1] - kw + stride[1]) // stride[1])
            j1 = min(out_w, (q + pad[1]) // stride[1] + 1)
            to = dx_at[0] + (r * w + q) * dx_at[1]
            for first in range(0, channels, LANES):
                n = channels - first
                total = load(dx, to + first, n) if accumulate else spread(np.float32(0))
                for i in range(i0, i1):
                    a = r + pad[0] - i * stride[0]
                    for j in range(j0, j1):
                        tap = (a * kw + q + pad[1] - j * stride[1]) * channels
                        above = load(g, g_at[0] + (i * out_w + j) * g_at[1] + first, n)
                        total = total + above * load(weight, tap + first, n)
                store(dx, to + first, total, n)
