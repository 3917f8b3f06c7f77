"""What stands between a layer's sum and its top, or between a gradient and where it goes.

Forward nothing, a ReLU, or a Clip, which leave a mask of where the gradient passes; backward the
`GATE` of such a mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....compiling.decorators import inlined
from ....compiling.lanes import load, spread, store, to_bytes, to_truths, where
from .codes import CLIP, GATE, NONE, RELU


@inlined
def activated(v: Any, act: int, low: np.float32, high: np.float32) -> Any:
    """Return `v` where it is above 0, else `low` times it, for `RELU`; in low..high for `CLIP`."""
    if act == RELU:
        return where(v > np.float32(0), v, low * v)  # NaN stays
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


@inlined
def finish(
    v: Any,
    y: np.ndarray,
    to: int,
    act: int,
    low: np.float32,
    high: np.float32,
    mask: np.ndarray,
    gate: int,
    accumulate: bool,
    n: int,
) -> None:
    """Write `n` numbers of a top or a gradient, at ``y[to]``; their mask is at ``mask[gate]``.

    `RELU` and `CLIP` write the mask, if it is not empty, and what the activation makes of `v`.
    `GATE` reads it: where it is 0 the numbers become `low` times themselves, after `accumulate` has
    added what was there; 0 if `low` is 0, whatever they were.
    """
    if accumulate:
        v = load(y, to, n) + v
    if act == GATE:
        shut = spread(np.float32(0))
        if low != np.float32(0):
            shut = low * v
        v = where(to_truths(load(mask, gate, n)), v, shut)
    elif act != NONE:
        if len(mask) > 0:
            store(mask, gate, to_bytes(passing(v, act, low, high)), n)
        v = activated(v, act, low, high)
    store(y, to, v, n)
