"""What a plan holds: PyTorch's tensors or NumPy's arrays, by revision and device."""

from __future__ import annotations

import sys

import numpy as np


def like(array, values):
    """Return numpy values in the kind of an array: a tensor on its device, or as they are."""
    if isinstance(array, np.ndarray):
        return values
    return sys.modules["torch"].from_numpy(values).to(array.device)


def as_numpy(array):
    """Return an array or a tensor as a numpy array."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()
