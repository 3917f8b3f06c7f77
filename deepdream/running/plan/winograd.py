"""Convolutions of stride 1 by Winograd: 36 multiplications for a tile, whatever the kernel's size.

A tile of m x m outputs of a kernel r x r sees 6 x 6 inputs d where m + r - 1 = 6: F(4x4, 3x3) takes
36 multiplications instead of 144, F(2x2, 5x5) instead of 100. With the matrices of Lavin and Gray
("Fast algorithms for convolutional neural networks", 2016, section 4.3), which belong to the points
0, 1, -1, 2, -2 and infinity, the outputs are ``A^T ((G w G^T) * (B^T d B)) A``, summed over the
channels between the two transforms: 36 matrix products (tiles, channels) x (channels, outputs).
For some tens of tiles at once the operands stay in the cache. The error is
near 1e-6 of the outputs' norm.

B does not depend on r. A^T is the first m powers of the points; G is the first r powers, each row
divided by the product of the differences to the other points.

The gradient of the bottom is the same convolution of the top's gradient, with the weights turned
around, and padding r - 1 - pad.
"""

from __future__ import annotations

import numpy as np

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
