"""3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): 36 multiplications instead of 144.

A tile of 4 x 4 outputs sees 6 x 6 inputs d. With the matrices of Lavin and Gray ("Fast algorithms
for convolutional neural networks", 2016, section 4.3) the outputs are
``A^T ((G w G^T) * (B^T d B)) A``, summed over the channels between the two transforms: 36 matrix
products (tiles, channels) x (channels, outputs), which `torch.bmm` does. For some tens of tiles at
once the operands stay in the cache. The error is near 1e-6 of the outputs' norm.

The gradient of the bottom is the same convolution of the top's gradient, with the weights turned
around, and padding 2 - pad.
"""

from __future__ import annotations

import numpy as np

from .compiled import Pair, allocating, kernel

# Channels that are transformed at once: their 36 numbers fit into the innermost cache, and a
# constant trip count is unrolled.
B = 16

G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)


def tiles(out_h: int, out_w: int) -> int:
    """Return the number of tiles of a top; they are counted row by row."""
    return -(-out_h // 4) * -(-out_w // 4)


def weights_transform(weight: np.ndarray, gradient: bool = False) -> np.ndarray:
    """Return the transformed weights, (36, c, n) float32, c and n swapped for the gradient.

    Parameters
    ----------
    weight : ndarray
        (n, c, 3, 3), the convolution's.
    gradient : bool
        For the gradient of the bottom: the kernel turned by 180 degrees, (36, n, c).
    """
    w = weight.astype(np.float64)
    if gradient:
        w = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    n, c = w.shape[:2]
    u = np.einsum("ij,ncjk,lk->ilcn", G, w, G, optimize=True)
    return np.ascontiguousarray(u.reshape(36, c, n), np.float32)


@kernel
def _input_transform(
    x: np.ndarray,
    x_at: Pair,
    size: Pair,
    channels: int,
    pad: Pair,
    v: np.ndarray,
    tiles_w: int,
    t0: int,
    t1: int,
    s: np.ndarray,
    t: np.ndarray,
) -> None:
    h, w = size
    plane = (t1 - t0) * channels
    zero, two = np.float32(0), np.float32(2)
    four, five = np.float32(4), np.float32(5)
    for tile in range(t0, t1):
        ty = tile // tiles_w
        top, left = ty * 4 - pad[0], (tile - ty * tiles_w) * 4 - pad[1]
        for first in range(0, channels, B):
            n = min(B, channels - first)
            for i in range(6):
                y = top + i
                for j in range(6):
                    q = left + j
                    k = (i * 6 + j) * B
                    to = s[k : k + B]
                    if y < 0 or y >= h or q < 0 or q >= w:
                        for c in range(B):
                            to[c] = zero
                        continue
                    at = x_at[0] + (y * w + q) * x_at[1] + first
                    source = x[at : at + n]
                    if n == B:
                        for c in range(B):
                            to[c] = source[c]
                    else:
                        for c in range(n):
                            to[c] = source[c]
            for j in range(6):
                k = j * B
                for c in range(k, k + B):
                    a0, a1, a2 = s[c], s[c + 6 * B], s[c + 12 * B]
                    a3, a4, a5 = s[c + 18 * B], s[c + 24 * B], s[c + 30 * B]
                    p, q4 = a4 - four * a2, a3 - four * a1
                    d, e = a4 - a2, two * (a3 - a1)
                    t[c] = four * a0 - five * a2 + a4
                    t[c + 6 * B] = p + q4
                    t[c + 12 * B] = p - q4
                    t[c + 18 * B] = d + e
                    t[c + 24 * B] = d - e
                    t[c + 30 * B] = four * a1 - five * a3 + a5
            for i in range(6):
                k = i * 6 * B
                for c in range(k, k + B):
                    a0, a1, a2 = t[c], t[c + B], t[c + 2 * B]
                    a3, a4, a5 = t[c + 3 * B], t[c + 4 * B], t[c + 5 * B]
                    p, q4 = a4 - four * a2, a3 - four * a1
                    d, e = a4 - a2, two * (a3 - a1)
                    s[c] = four * a0 - five * a2 + a4
                    s[c + B] = p + q4
                    s[c + 2 * B] = p - q4
                    s[c + 3 * B] = d + e
                    s[c + 4 * B] = d - e
                    s[c + 5 * B] = four * a1 - five * a3 + a5
            for m in range(36):
                at = m * plane + (tile - t0) * channels + first
                to = v[at : at + n]
                source = s[m * B : m * B + n]
                if n == B:
                    for c in range(B):
                        to[c] = source[c]
                else:
                    for c in range(n):
                        to[c] = source[c]


@allocating
def input_transform(
    x: np.ndarray,
    x_at: Pair,
    size: Pair,
    channels: int,
    pad: Pair,
    v: np.ndarray,
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
        The convolution's, 0 to 2.
    v : ndarray
        Gets (36, t1 - t0, channels).
    tiles_w : int
        Tiles in a row: the top's width / 4, rounded up.
    t0, t1 : int
        Range of tiles.
    """
    s = np.zeros(36 * B, np.float32)
    t = np.empty(36 * B, np.float32)
    _input_transform(x, x_at, size, channels, pad, v, tiles_w, t0, t1, s, t)


@kernel
def _output_transform(
    m: np.ndarray,
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
    tiles_w: int,
    t0: int,
    t1: int,
    s: np.ndarray,
    t: np.ndarray,
    o: np.ndarray,
    b: np.ndarray,
    passes: np.ndarray,
) -> None:
    h, w = out_size
    low, high, zero = np.float32(lo), np.float32(hi), np.float32(0)
    two, four, eight = np.float32(2), np.float32(4), np.float32(8)
    keep = len(mask) > 0 and act != 0
    plane = (t1 - t0) * outputs
    for tile in range(t0, t1):
        ty = tile // tiles_w
        top, left = ty * 4, (tile - ty * tiles_w) * 4
        for first in range(0, outputs, B):
            n = min(B, outputs - first)
            for k in range(36):
                at = k * plane + (tile - t0) * outputs + first
                source = m[at : at + n]
                to = s[k * B : k * B + n]
                if n == B:
                    for c in range(B):
                        to[c] = source[c]
                else:
                    for c in range(n):
                        to[c] = source[c]
            for j in range(6):
                k = j * B
                for c in range(k, k + B):
                    a1, a2, a3, a4 = s[c + 6 * B], s[c + 12 * B], s[c + 18 * B], s[c + 24 * B]
                    p, q, d, e = a1 + a2, a1 - a2, a3 + a4, a3 - a4
                    t[c] = s[c] + p + d
                    t[c + 6 * B] = q + two * e
                    t[c + 12 * B] = p + four * d
                    t[c + 18 * B] = q + eight * e + s[c + 30 * B]
            if len(bias) > 0:
                for c in range(n):
                    b[c] = bias[first + c]
            for i in range(4):
                k = i * 6 * B
                for c in range(B):
                    a1, a2 = t[k + B + c], t[k + 2 * B + c]
                    a3, a4 = t[k + 3 * B + c], t[k + 4 * B + c]
                    p, q, d, e = a1 + a2, a1 - a2, a3 + a4, a3 - a4
                    o[i * 4 * B + c] = t[k + c] + p + d + b[c]
                    o[(i * 4 + 1) * B + c] = q + two * e + b[c]
                    o[(i * 4 + 2) * B + c] = p + four * d + b[c]
                    o[(i * 4 + 3) * B + c] = q + eight * e + t[k + 5 * B + c] + b[c]
            # The whole tile at once: this is one long loop, not one for each pixel.
            if act == 1:
                for c in range(16 * B):
                    v = o[c]
                    passes[c] = v > zero
                    o[c] = v if v > zero else v * zero
            elif act == 2:
                for c in range(16 * B):
                    v = o[c]
                    passes[c] = (v >= low) & (v <= high)
                    v = high if v > high else v
                    o[c] = low if v < low else v
            for i in range(min(4, h - top)):
                for j in range(min(4, w - left)):
                    pixel = (top + i) * w + left + j
                    at = y_at[0] + pixel * y_at[1] + first
                    to = y[at : at + n]
                    source = o[(i * 4 + j) * B : (i * 4 + j + 1) * B]
                    if accumulate:
                        for c in range(n):
                            to[c] += source[c]
                    elif n == B:
                        for c in range(B):
                            to[c] = source[c]
                    else:
                        for c in range(n):
                            to[c] = source[c]
                    if keep:
                        at = mask_at[0] + pixel * mask_at[1] + first
                        line = mask[at : at + n]
                        gate = passes[(i * 4 + j) * B : (i * 4 + j + 1) * B]
                        if n == B:
                            for c in range(B):
                                line[c] = gate[c]
                        else:
                            for c in range(n):
                                line[c] = gate[c]


@allocating
def output_transform(
    m: np.ndarray,
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
    tiles_w: int,
    t0: int,
    t1: int,
) -> None:
    """Write A^T m A of tiles t0 to t1, with bias and activation.

    Parameters
    ----------
    m : ndarray
        (36, t1 - t0, outputs): the products.
    outputs : int
        Channels of the top.
    y, y_at, out_size
        The top and its (h, w).
    bias, act, lo, hi, mask, mask_at
        As for `bias_act`; the bias may be empty.
    accumulate : bool
        Add to what is in y; with `NONE` only.
    tiles_w, t0, t1
        As for `input_transform`.
    """
    s = np.zeros(36 * B, np.float32)
    t = np.empty(24 * B, np.float32)
    o = np.empty(16 * B, np.float32)
    b = np.zeros(B, np.float32)
    passes = np.empty(16 * B, np.uint8)
    _output_transform(
        m,
        outputs,
        y,
        y_at,
        out_size,
        bias,
        act,
        lo,
        hi,
        mask,
        mask_at,
        accumulate,
        tiles_w,
        t0,
        t1,
        s,
        t,
        o,
        b,
        passes,
    )
