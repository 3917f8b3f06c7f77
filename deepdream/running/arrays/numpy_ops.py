"""Array operations on a CPU, in NumPy.

Functions that PyTorch has under the same name, with the same arguments, are NumPy's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy import abs as abs
from numpy import add as add
from numpy import amax as amax
from numpy import concatenate as concatenate
from numpy import divide as divide
from numpy import empty_like as empty_like
from numpy import exp as exp
from numpy import expm1 as expm1
from numpy import flip as flip
from numpy import isnan as isnan
from numpy import log as log
from numpy import log1p as log1p
from numpy import matmul as matmul
from numpy import maximum as maximum
from numpy import moveaxis as moveaxis
from numpy import multiply as multiply
from numpy import ones_like as ones_like
from numpy import sqrt as sqrt
from numpy import square as square
from numpy import subtract as subtract
from numpy import tanh as tanh
from numpy import trunc as trunc
from numpy import where as where
from numpy import zeros_like as zeros_like

from .columns import correlate as correlate
from .columns import spread as spread
from .columns import weight_diff as weight_diff
from .pooling import average_pool as average_pool
from .pooling import max_pool as max_pool
from .pooling import places as places
from .pooling import spread_average as spread_average
from .pooling import spread_maximum as spread_maximum

# Values of one array that a chain of operations works on at a time: a few such arrays lie in a
# core's cache together, so that a chain reads main memory once.
PART = 2**15


def computing() -> AbstractContextManager[Any]:
    """Return a context for layers: NaN, infinity and overflow are Caffe's business, no warnings."""
    return np.errstate(all="ignore")


def parts(*arrays: Any) -> Iterable[tuple[Any, ...]]:
    """Return arrays of one shape part by part, for functions of each value by itself.

    Parameters
    ----------
    *arrays : ndarray
        C-contiguous.

    Returns
    -------
    iterable of tuple of ndarray
        Views of the same part of each.
    """
    if arrays[0].size <= PART:
        return (arrays,)
    flat = [array.reshape(-1) for array in arrays]
    cuts = (slice(start, start + PART) for start in range(0, arrays[0].size, PART))
    return (tuple(array[cut] for array in flat) for cut in cuts)


def by_position(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Yield some positions of (items, channels, ...) arrays at a time, with all their channels.

    Parameters
    ----------
    *arrays : ndarray
        Of one shape, C-contiguous.

    Yields
    ------
    tuple of ndarray, (items, channels, positions)
        Views of the same part of each.
    """
    items, channels, *rest = arrays[0].shape
    size = math.prod(rest)
    flat = [array.reshape(items, channels, size) for array in arrays]
    count = max(16, PART // max(1, items * channels))
    for start in range(0, size, count):
        yield tuple(array[:, :, start : start + count] for array in flat)


def like(values: np.ndarray, x: Any) -> Any:
    """Return host values as an array of the type and the place of `x`."""
    return values.astype(x.dtype, copy=False)


def copy(x: Any) -> Any:
    """Return a copy."""
    return x.copy()


def integers(x: Any) -> Any:
    """Return values as whole numbers, cut toward zero."""
    return x.astype(np.int64)


def clip(x: Any, low: float | None = None, high: float | None = None, out: Any = None) -> Any:
    """Return x, but at most `high`, and then at least `low`; NaN stays."""
    if high is not None:
        x = out = np.minimum(x, high, out=out)
    if low is not None:
        out = np.maximum(x, low, out=out)
    return out


def sign(x: Any) -> Any:
    """Return 1 where x > 0, -1 where x < 0, and else 0: also for NaN, as in Caffe."""
    y = (x > 0).astype(x.dtype)
    y -= x < 0
    return y


def scale(x: Any, factor: Any, out: Any) -> None:
    """Write factor * x as BLAS does: zeros where the factor is 0 or NaN, whatever x is there.

    Parameters
    ----------
    x : ndarray
    factor : float or ndarray
        An array broadcasts to the shape of `x`.
    out : ndarray
        Like `x`; may be `x` itself.
    """
    multiply(x, factor, out=out)
    off = np.not_equal(factor, factor) | np.equal(factor, 0)
    if off.any():
        np.copyto(out, 0, where=off)


def power(x: Any, exponent: float, out: Any = None) -> Any:
    """Return x ^ exponent, for each value."""
    return np.power(x, exponent, out=out)


def leaky(x: Any, slope: float, out: Any) -> None:
    """Write max(x, 0) + slope * min(x, 0): 0 times -infinity is NaN, as in Caffe."""
    if slope == 0 and (not x.size or np.minimum.reduce(x, axis=None) > -np.inf):
        np.maximum(x, 0, out=out)
    else:
        below = np.minimum(x, 0)
        below *= slope
        np.maximum(x, 0, out=out)
        out += below


def argsort(x: Any, axis: int) -> Any:
    """Return places from the smallest to the largest value; equal ones stay in order."""
    return np.argsort(x, axis, kind="stable")


def pick(x: Any, places: Any, axis: int) -> Any:
    """Return the values of x at `places` along an axis."""
    return np.take_along_axis(x, places, axis)


def put(x: Any, places: Any, values: Any, axis: int) -> None:
    """Write values into x at `places` along an axis."""
    np.put_along_axis(x, places, values, axis)


def add_at(x: Any, places: Any, values: Any) -> None:
    """Add values[i] to x[places[i]], also where places repeat."""
    np.add.at(x, places, values)
