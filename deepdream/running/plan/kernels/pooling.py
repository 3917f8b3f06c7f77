"""Pooling: Caffe's windows, ties and divisors.

Windows are given by kernel, stride and pad and the top's size, whatever rule that size came from;
parts of a window outside the picture do not exist.
"""

from __future__ import annotations

import numpy as np

from .compiled import Pair, kernel

LOWEST = np.float32(np.finfo(np.float32).min)
NOBODY = 255  # place of the maximum of a window without any number


@kernel
def max_pool(
    x: np.ndarray,
    x_at: Pair,
    size: Pair,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    y: np.ndarray,
    y_at: Pair,
    out_size: Pair,
    where: np.ndarray,
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
    where : ndarray
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
        for j in range(out_w):
            left = j * stride[1] - pad[1]
            at = y_at[0] + (i * out_w + j) * y_at[1]
            best = y[at : at + channels]
            at = (i * out_w + j) * channels
            place = where[at : at + channels]
            started = False
            for a in range(max(0, -top), min(kh, h - top)):
                b, end = max(0, -left), min(kw, w - left)
                base = x_at[0] + ((top + a) * w + left) * x_at[1]
                # Three at once: one pass over what has been found so far.
                while b + 2 < end:
                    at = base + b * x_at[1]
                    x0 = x[at : at + channels]
                    x1 = x[at + x_at[1] : at + x_at[1] + channels]
                    x2 = x[at + 2 * x_at[1] : at + 2 * x_at[1] + channels]
                    k = np.uint8(a * kw + b)
                    k1, k2 = np.uint8(k + 1), np.uint8(k + 2)
                    if started:
                        for c in range(channels):
                            v, f = best[c], place[c]
                            f = k if x0[c] > v else f
                            v = x0[c] if x0[c] > v else v
                            f = k1 if x1[c] > v else f
                            v = x1[c] if x1[c] > v else v
                            place[c] = k2 if x2[c] > v else f
                            best[c] = x2[c] if x2[c] > v else v
                    else:
                        for c in range(channels):
                            v = LOWEST
                            f = k if x0[c] > v else np.uint8(NOBODY)
                            v = x0[c] if x0[c] > v else v
                            f = k1 if x1[c] > v else f
                            v = x1[c] if x1[c] > v else v
                            place[c] = k2 if x2[c] > v else f
                            best[c] = x2[c] if x2[c] > v else v
                    started = True
                    b += 3
                while b < end:
                    if not started:
                        for c in range(channels):
                            best[c] = LOWEST
                            place[c] = NOBODY
                    at = base + b * x_at[1]
                    x0 = x[at : at + channels]
                    k = np.uint8(a * kw + b)
                    for c in range(channels):
                        v = best[c]
                        place[c] = k if x0[c] > v else place[c]
                        best[c] = x0[c] if x0[c] > v else v
                    started = True
                    b += 1
            if not started:
                for c in range(channels):
                    best[c] = LOWEST
                    place[c] = NOBODY


@kernel
def max_pool_back(
    g: np.ndarray,
    g_at: Pair,
    out_size: Pair,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    where: np.ndarray,
    dx: np.ndarray,
    dx_at: Pair,
    size: Pair,
    mask: np.ndarray,
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
    channels, kernel, stride, pad, where
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
    zero = np.float32(0)
    for r in range(r0, r1):
        i0 = max(0, (r + pad[0] - kh + stride[0]) // stride[0])
        i1 = min(out_h, (r + pad[0]) // stride[0] + 1)
        for q in range(w):
            j0 = max(0, (q + pad[1] - kw + stride[1]) // stride[1])
            j1 = min(out_w, (q + pad[1]) // stride[1] + 1)
            at = dx_at[0] + (r * w + q) * dx_at[1]
            out = dx[at : at + channels]
            started = accumulate
            for i in range(i0, i1):
                a = r + pad[0] - i * stride[0]
                j = j0
                while j < j1:
                    b = q + pad[1] - j * stride[1]
                    at = g_at[0] + (i * out_w + j) * g_at[1]
                    g0 = g[at : at + channels]
                    k0 = np.uint8(a * kw + b)
                    at = (i * out_w + j) * channels
                    w0 = where[at : at + channels]
                    if j + 2 < j1:
                        at = g_at[0] + (i * out_w + j + 1) * g_at[1]
                        g1 = g[at : at + channels]
                        at += g_at[1]
                        g2 = g[at : at + channels]
                        at = (i * out_w + j + 1) * channels
                        w1 = where[at : at + channels]
                        w2 = where[at + channels : at + 2 * channels]
                        k1, k2 = np.uint8(k0 - stride[1]), np.uint8(k0 - 2 * stride[1])
                        if started:
                            for c in range(channels):
                                v = out[c] + (g0[c] if w0[c] == k0 else zero)
                                v += g1[c] if w1[c] == k1 else zero
                                out[c] = v + (g2[c] if w2[c] == k2 else zero)
                        else:
                            for c in range(channels):
                                v = g0[c] if w0[c] == k0 else zero
                                v += g1[c] if w1[c] == k1 else zero
                                out[c] = v + (g2[c] if w2[c] == k2 else zero)
                        j += 3
                    elif started:
                        for c in range(channels):
                            out[c] += g0[c] if w0[c] == k0 else zero
                        j += 1
                    else:
                        for c in range(channels):
                            out[c] = g0[c] if w0[c] == k0 else zero
                        j += 1
                    started = True
            if not started:
                for c in range(channels):
                    out[c] = zero
            if len(mask) > 0:
                at = mask_at[0] + (r * w + q) * mask_at[1]
                passes = mask[at : at + channels]
                for c in range(channels):
                    out[c] = out[c] if passes[c] != 0 else zero


@kernel
def average_pool(
    x: np.ndarray,
    x_at: Pair,
    size: Pair,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    y: np.ndarray,
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
    zero = np.float32(0)
    for i in range(r0, r1):
        top = i * stride[0] - pad[0]
        for j in range(out_w):
            left = j * stride[1] - pad[1]
            area = min(kh, h + pad[0] - top) * min(kw, w + pad[1] - left)
            factor = np.float32(1 / area)
            at = y_at[0] + (i * out_w + j) * y_at[1]
            out = y[at : at + channels]
            for c in range(channels):
                out[c] = zero
            for a in range(max(0, top), min(h, top + kh)):
                for b in range(max(0, left), min(w, left + kw)):
                    at = x_at[0] + (a * w + b) * x_at[1]
                    row = x[at : at + channels]
                    for c in range(channels):
                        out[c] += row[c]
            for c in range(channels):
                out[c] *= factor


@kernel
def average_pool_back(
    g: np.ndarray,
    g_at: Pair,
    out_size: Pair,
    channels: int,
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    dx: np.ndarray,
    dx_at: Pair,
    size: Pair,
    mask: np.ndarray,
    mask_at: Pair,
    accumulate: bool,
    r0: int,
    r1: int,
) -> None:
    """Write rows r0 to r1 of the gradient of `average_pool`; parameters as `max_pool_back`."""
    h, w = size
    out_h, out_w = out_size
    kh, kw = kernel
    zero = np.float32(0)
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
                rows = min(kh, h + 2 * pad[0] - i * stride[0])
                for j in range(j0, j1):
                    factor = np.float32(1 / (rows * min(kw, w + 2 * pad[1] - j * stride[1])))
                    at = g_at[0] + (i * out_w + j) * g_at[1]
                    above = g[at : at + channels]
                    for c in range(channels):
                        out[c] += above[c] * factor
            if len(mask) > 0:
                at = mask_at[0] + (r * w + q) * mask_at[1]
                passes = mask[at : at + channels]
                for c in range(channels):
                    out[c] = out[c] if passes[c] != 0 else zero
