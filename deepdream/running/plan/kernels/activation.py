"""What stands between a layer's sum and its top: nothing, a ReLU, or a Clip."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....compiling.decorators import inlined
from ....compiling.lanes import spread, where

NONE, RELU, CLIP = 0, 1, 2


@inlined
def activated(v: Any, act: int, low: np.float32, high: np.float32) -> Any:
    """Return `v` where it is above 0, else 0, for `RELU`; `v` in low..high for `CLIP`."""
    if act == RELU:
        return where(v > np.float32(0), v, np.float32(0) * v)  # NaN stays
    if act == CLIP:
        v = where(v > high, spread(high), v)
        return where(low > v, spread(low), v)
    return v


@inlined
def passing(v: Any, act: int, low: np.float32, high: np.float32) -> Any:
    """Return where the gradient passes."""
    if act == RELU:
        return v > np.float32(0)
    return (v >= low) & (v <= high)
