"""Gaussian filters, as numbers."""

from __future__ import annotations

import numpy as np

# Filters are cut off this many standard deviations from their middle, as SciPy's are.
TRUNCATE = 4.0


def half_gaussian(sigma: float) -> np.ndarray:
    """Return the middle and one side of a Gaussian filter whose weights add up to one.

    Parameters
    ----------
    sigma : float
        Standard deviation in pixels; with 0 the filter does nothing.

    Returns
    -------
    (radius + 1) float64 ndarray
    """
    radius = int(TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(radius + 1) / max(sigma, 1e-12)) ** 2)
    return np.asarray(weights / (2 * weights.sum() - weights[0]))
