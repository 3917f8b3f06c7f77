"""The gradient of a convolution of larger stride: columns back to their pixels (col2im).

The columns of one output pixel are the gradient with respect to the kh * kw * channels numbers
under its window, in the order (row of the kernel, column of the kernel, channel).
"""

from __future__ import annotations

import numpy as np

from ....compiling.decorators import Pair, allocating, kernel
from ....compiling.lanes import LANES, load, spread, store


@kernel
def scatter_columns(
    col: np.ndarray,
    o0: int,
    o1: int,
    out_w: int,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    dilation: Pair,
    dx: np.ndarray,
    dx_at: Pair,
    size: Pair,
    accumulate: bool,
    r0: int,
    r1: int,
) -> None:
    """Add columns back to the pixels that they came from, in rows r0 to r1 of dx only.

    For many channels; `scatter_planes` is for few.

    Parameters
    ----------
    col : ndarray
        ((o1 - o0) * out_w, kh * kw * channels): columns of the output rows o0 to o1.
    out_w : int
        Width of the top.
    channels, kernel, stride, pad, dilation
        Of the bottom, and the convolution's.
    dx, dx_at, size
        The gradient with respect to the bottom and its (h, w).
    accumulate : bool
        Add to what is there; else the rows are overwritten.
    r0, r1 : int
        Range of rows of dx.
    """
    h, w = size
    kh, kw = kernel
    for r in range(r0, r1):
        start = dx_at[0] + r * w * dx_at[1]
        if not accumulate:
            for q in range(w):
                for first in range(0, channels, LANES):
                    to = start + q * dx_at[1] + first
                    store(dx, to, spread(np.float32(0)), channels - first)
        for ki in range(kh):
            above = r + pad[0] - ki * dilation[0]
            if above < 0 or above % stride[0]:
                continue
            oy = above // stride[0]
            if oy < o0 or oy >= o1:
                continue
            for ox in range(out_w):
                base = (((oy - o0) * out_w + ox) * kh + ki) * kw * channels
                for kj in range(kw):
                    q = ox * stride[1] - pad[1] + kj * dilation[1]
                    if q < 0 or q >= w:
                        continue
                    to, at = start + q * dx_at[1], base + kj * channels
                    for first in range(0, channels, LANES):
                        n = channels - first
                        total = load(dx, to + first, n) + load(col, at + first, n)
                        store(dx, to + first, total, n)


@kernel
def _scatter_planes(
    col: np.ndarray,
    o0: int,
    o1: int,
    out_w: int,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    dilation: Pair,
    dx: np.ndarray,
    dx_at: Pair,
    size: Pair,
    accumulate: bool,
    r0: int,
    r1: int,
    planes: np.ndarray,
) -> None:
    h, w = size
    kh, kw = kernel
    s = stride[1]
    outs = (o1 - o0) * out_w
    length = w // s + 1
    for r in range(r0, r1):
        for j in range(0, s * channels * length, LANES):
            store(planes, j, spread(np.float32(0)), s * channels * length - j)
        for ki in range(kh):
            above = r + pad[0] - ki * dilation[0]
            if above < 0 or above % stride[0]:
                continue
            oy = above // stride[0]
            if oy < o0 or oy >= o1:
                continue
            for kj in range(kw):
                shift = kj * dilation[1] - pad[1]
                phase = shift % s
                ahead = (shift - phase) // s  # column of the plane that ox = 0 falls on
                n = (w - phase + s - 1) // s  # columns of the plane
                first, last = max(0, -ahead), min(out_w, n - ahead)
                if last <= first:
                    continue
                for c in range(channels):
                    at = ((ki * kw + kj) * channels + c) * outs + (oy - o0) * out_w
                    to = (phase * channels + c) * length + ahead
                    for j in range(first, last, LANES):
                        n = last - j
                        total = load(planes, to + j, n) + load(col, at + j, n)
                        store(planes, to + j, total, n)
        start = dx_at[0] + r * w * dx_at[1]
        for phase in range(s):
            n = (w - phase + s - 1) // s
            for c in range(channels):
                at = (phase * channels + c) * length
                plane = planes[at : at + max(n, 0)]
                to = start + phase * dx_at[1] + c
                if accumulate:
                    for j in range(n):
                        dx[to] += plane[j]
                        to += s * dx_at[1]
                else:
                    for j in range(n):
                        dx[to] = plane[j]
                        to += s * dx_at[1]


@allocating
def scatter_planes(
    col: np.ndarray,
    o0: int,
    o1: int,
    out_w: int,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    dilation: Pair,
    dx: np.ndarray,
    dx_at: Pair,
    size: Pair,
    accumulate: bool,
    r0: int,
    r1: int,
) -> None:
    """Add transposed columns back to the pixels that they came from, in rows r0 to r1 only.

    The same as `scatter_columns`, for few channels (a picture's three): `col` is
    (kh * kw * channels, (o1 - o0) * out_w), as the product of transposed matrices gives it, so that
    the long axis is the contiguous one. A row of dx is summed up in planes of its own, one for each
    channel and each column of the stride, where every tap is one contiguous addition, and
    interleaved at the end.
    """
    planes = np.empty(channels * (size[1] + stride[1]), np.float32)
    _scatter_planes(
        col, o0, o1, out_w, channels, kernel, stride, pad, dilation, dx, dx_at, size, accumulate,
        r0, r1, planes,
    )  # fmt: skip
