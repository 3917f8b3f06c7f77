"""Pooling: Caffe's windows, ties and divisors.

Windows are given by kernel, stride and pad and the top's size, whatever rule that size came from;
parts of a window outside the picture do not exist.
"""

from __future__ import annotations

import numpy as np

from ....compiling.decorators import kernel
from ....compiling.kinds import Bytes, Floats, Pair
from ....compiling.lanes import LANES, load, spread, spread_byte, store, to_truths, where

LOWEST = np.float32(np.finfo(np.float32).min)
NOBODY = 255  # place of the maximum of a window without any number


@kernel
def max_pool(
    x: Floats,
    x_at: Pair,
    size: Pair,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    y: Floats,
    y_at: Pair,
    out_size: Pair,
    places: Bytes,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of the maxima, and their places.

    Parameters
    ----------
    x, x_at, size, channels
        The bottom and its (h, w).
    kernel, stride, pad
        The layer's; kh * kw is at most 255.
    y, y_at, out_size
        The top and its (h, w).
    places : ndarray
        (out_h * out_w * channels) uint8: gets the place of the first maximum in its window, row by
        row, parts outside the picture counted; 255 for a window without any number above the lowest
        float32 (NaN is none), whose maximum is the lowest float32.
    r0, r1 : int
        Range of the top's rows.
    """
    h, w = size
    kh, kw = kernel
    out_w = out_size[1]
    for i in range(r0, r1):
        top = i * stride[0] - pad[0]
        a0, a1 = max(0, -top), min(kh, h - top)
        for j in range(out_w):
            left = j * stride[1] - pad[1]
            b0, b1 = max(0, -left), min(kw, w - left)
            at = x_at[0] + (top * w + left) * x_at[1]
            pixel = i * out_w + j
            for first in range(0, channels, LANES):
                n = channels - first
                best, place = spread(LOWEST), spread_byte(np.uint8(NOBODY))
                for a in range(a0, a1):
                    for b in range(b0, b1):
                        v = load(x, at + (a * w + b) * x_at[1] + first, n)
                        larger = v > best
                        best = where(larger, v, best)
                        place = where(larger, spread_byte(np.uint8(a * kw + b)), place)
                store(y, y_at[0] + pixel * y_at[1] + first, best, n)
                store(places, pixel * channels + first, place, n)


@kernel
def max_pool_back(
    g: Floats,
    g_at: Pair,
    out_size: Pair,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    places: Bytes,
    dx: Floats,
    dx_at: Pair,
    size: Pair,
    mask: Bytes,
    mask_at: Pair,
    accumulate: bool,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of the gradient of `max_pool`.

    Parameters
    ----------
    g, g_at, out_size
        The gradient with respect to the top, and its (h, w).
    channels, kernel, stride, pad, places
        As for `max_pool`.
    dx, dx_at, size
        The gradient with respect to the bottom, and its (h, w).
    mask, mask_at
        Of the layer that made the bottom: dx becomes 0 where it is 0, what was added before
        included; or `NO_MASK`.
    accumulate : bool
        Add to what is in dx.
    r0, r1 : int
        Range of the bottom's rows.
    """
    out_h, out_w = out_size
    w = size[1]
    kh, kw = kernel
    nothing = spread(np.float32(0))
    for r in range(r0, r1):
        i0 = max(0, (r + pad[0] - kh + stride[0]) // stride[0])
        i1 = min(out_h, (r + pad[0]) // stride[0] + 1)
        for q in range(w):
            j0 = max(0, (q + pad[1] - kw + stride[1]) // stride[1])
            j1 = min(out_w, (q + pad[1]) // stride[1] + 1)
            to = dx_at[0] + (r * w + q) * dx_at[1]
            gate = mask_at[0] + (r * w + q) * mask_at[1]
            for first in range(0, channels, LANES):
                n = channels - first
                total = load(dx, to + first, n) if accumulate else nothing
                for i in range(i0, i1):
                    a = r + pad[0] - i * stride[0]
                    for j in range(j0, j1):
                        k = np.uint8(a * kw + q + pad[1] - j * stride[1])
                        pixel = i * out_w + j
                        here = load(places, pixel * channels + first, n) == spread_byte(k)
                        above = load(g, g_at[0] + pixel * g_at[1] + first, n)
                        total = total + where(here, above, nothing)
                if len(mask) > 0:
                    total = where(to_truths(load(mask, gate + first, n)), total, nothing)
                store(dx, to + first, total, n)


@kernel
def average_pool(
    x: Floats,
    x_at: Pair,
    size: Pair,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    y: Floats,
    y_at: Pair,
    out_size: Pair,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of the averages.

    Parameters as for `max_pool`. A sum is divided by the part of its window that lies within the
    picture and its padding.
    """
    h, w = size
    kh, kw = kernel
    out_w = out_size[1]
    for i in range(r0, r1):
        top = i * stride[0] - pad[0]
        for j in range(out_w):
            left = j * stride[1] - pad[1]
            area = min(kh, h + pad[0] - top) * min(kw, w + pad[1] - left)
            factor = np.float32(1 / area)
            to = y_at[0] + (i * out_w + j) * y_at[1]
            for first in range(0, channels, LANES):
                n = channels - first
                total = spread(np.float32(0))
                for a in range(max(0, top), min(h, top + kh)):
                    for b in range(max(0, left), min(w, left + kw)):
                        total = total + load(x, x_at[0] + (a * w + b) * x_at[1] + first, n)
                store(y, to + first, factor * total, n)


@kernel
def average_pool_back(
    g: Floats,
    g_at: Pair,
    out_size: Pair,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    dx: Floats,
    dx_at: Pair,
    size: Pair,
    mask: Bytes,
    mask_at: Pair,
    accumulate: bool,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of the gradient of `average_pool`; parameters as `max_pool_back`."""
    h, w = size
    out_h, out_w = out_size
    kh, kw = kernel
    nothing = spread(np.float32(0))
    for r in range(r0, r1):
        i0 = max(0, (r + pad[0] - kh + stride[0]) // stride[0])
        i1 = min(out_h, (r + pad[0]) // stride[0] + 1)
        for q in range(w):
            j0 = max(0, (q + pad[1] - kw + stride[1]) // stride[1])
            j1 = min(out_w, (q + pad[1]) // stride[1] + 1)
            to = dx_at[0] + (r * w + q) * dx_at[1]
            gate = mask_at[0] + (r * w + q) * mask_at[1]
            for first in range(0, channels, LANES):
                n = channels - first
                total = load(dx, to + first, n) if accumulate else nothing
                for i in range(i0, i1):
                    rows = min(kh, h + 2 * pad[0] - i * stride[0])
                    for j in range(j0, j1):
                        factor = np.float32(1 / (rows * min(kw, w + 2 * pad[1] - j * stride[1])))
                        above = load(g, g_at[0] + (i * out_w + j) * g_at[1] + first, n)
                        total = total + factor * above
                if len(mask) > 0:
                    total = where(to_truths(load(mask, gate + first, n)), total, nothing)
                store(dx, to + first, total, n)
