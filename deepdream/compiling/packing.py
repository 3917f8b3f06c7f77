"""Weights in the order in which kernels read them."""

from __future__ import annotations

import numpy as np

from .processor import LANES, PANEL


def panels(n: int) -> list[tuple[int, int]]:
    """Return where the panels of n columns begin, and how wide each is."""
    return [(first, min(PANEL, -(-(n - first) // LANES) * LANES)) for first in range(0, n, PANEL)]


def packed(weight: np.ndarray) -> np.ndarray:
    """Return weights as `products.multiply` reads them.

    Parameters
    ----------
    weight : ndarray
        (..., k, n): matrices that rows of k numbers are multiplied with.

    Returns
    -------
    (..., size) float32 ndarray
        Panel after panel, each (k, 32) or (k, 16) with zeros beyond the last column.
    """
    *more, k, n = weight.shape
    parts = []
    for first, width in panels(n):
        panel = np.zeros((*more, k, width), np.float32)
        panel[..., : min(width, n - first)] = weight[..., first : first + width]
        parts.append(panel.reshape(*more, k * width))
    return np.concatenate(parts, axis=-1) if parts else np.zeros((*more, 0), np.float32)
