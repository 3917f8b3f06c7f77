"""Pooling on a CPU: a maximum or an average over windows, in NumPy.

A window's maximum is found along the width first and then along the height, a few whole channels at
a time, so that what one step leaves for the next lies in the cache. Of equal values the first in
reading order counts, as in Caffe: it lies in the first row that has the maximum, at its first place
there.

Source: ``pooling_layer.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .windows import Pool

# What Caffe's maximum starts from, for float and double alike.
LOWEST = float(np.finfo(np.float32).min)

BLOCK = 2**16  # values of the input that are pooled at a time


class Winners(NamedTuple):
    """Where maxima were found.

    Attributes
    ----------
    code : ndarray, like the top
        Place within the window, counted row by row.
    empty : ndarray of bool or None
        Windows without a maximum, where there are any.
    pool : Pool
    shape : tuple of int
        Of the bottom.
    """

    code: Any
    empty: Any
    pool: Pool
    shape: tuple[int, ...]


def max_pool(x: Any, p: Pool, out: Any) -> Winners:
    """Write each window's maximum.

    NaN never wins; a window without any number gives the lowest float32.

    Parameters
    ----------
    x : ndarray, (items, channels, h, w)
    p : Pool
    out : ndarray, (items, channels, out_h, out_w)

    Returns
    -------
    Winners
        For `places` and `spread_maximum`.
    """
    if not x.size:
        out[...] = -np.inf
    code = np.zeros(out.shape, np.uint8 if math.prod(p.kernel) <= 256 else np.int32)
    codes = _planes(code)
    odd = not x.size
    for part, plane, made in _blocks(x, out):
        _maximum(plane, p, made, codes[part])
        if not np.minimum.reduce(made, axis=None) > LOWEST:  # so NaN, too
            odd = True
            _maximum(np.where(np.isnan(plane), -np.inf, plane), p, made, codes[part])
    empty = None
    if odd and not out.min(initial=0) > LOWEST:
        empty = out <= LOWEST
        np.maximum(out, LOWEST, out=out)
    return Winners(code, empty, p, x.shape)


def _maximum(x: Any, p: Pool, out: Any, code: Any) -> None:
    """Write maxima of (planes, h, w) and their places within the windows; NaN gives NaN."""
    (kh, kw), (sh, sw) = p.kernel, p.stride
    x = _padded(x, p, out.shape[1:], -np.inf)
    best = x[:, :, _every(0, sw, out.shape[2])]
    place = np.zeros(best.shape, code.dtype)
    for k in range(1, kw):
        value = x[:, :, _every(k, sw, out.shape[2])]
        # The last that beats all before it: numbers rise, so that the largest one counts.
        np.maximum(place, np.multiply(value > best, k, dtype=code.dtype), out=place)
        best = np.maximum(best, value, out=None if k == 1 else best)
    rows = _every(0, sh, out.shape[1])
    out[...], code[...] = best[:, rows], place[:, rows]
    for k in range(1, kh):
        rows = _every(k, sh, out.shape[1])
        value = best[:, rows]
        number = place[:, rows] + code.dtype.type(k * kw)
        number *= value > out
        np.maximum(code, number, out=code)
        np.maximum(out, value, out=out)


def places(found: Winners) -> Any:
    """Return where in its plane each maximum lies, counted row by row; -1 for none."""
    if not found.shape[2] * found.shape[3]:
        return np.full(found.code.shape, -1)
    index = _index(found, found.code)
    return index if found.empty is None else np.where(found.empty, -1, index)


def _index(found: Winners, code: Any) -> Any:
    steps, starts = _steps(found.pool, found.shape[3], code.shape[-2:])
    index = steps[code]
    index += starts
    return index


@lru_cache(maxsize=256)
def _steps(p: Pool, width: int, outs: tuple[int, int]) -> tuple[Any, Any]:
    """Return how far each place of a window lies from its start, and where windows start.

    Nobody writes into them.
    """
    (kh, kw), (sh, sw), (ph, pw) = p[:3]
    steps = np.add.outer(np.arange(kh) * width, np.arange(kw)).reshape(-1)
    rows, columns = np.arange(outs[0]) * sh - ph, np.arange(outs[1]) * sw - pw
    return steps, np.add.outer(rows * width, columns)


def spread_maximum(found: Winners, g: Any, out: Any) -> None:
    """Give each window's gradient to its maximum; `out`, like the bottom, is overwritten."""
    if found.empty is not None:  # these give to nobody
        g = np.where(found.empty, g.dtype.type(0), g)
    codes = _planes(found.code)
    size = out.shape[2] * out.shape[3]
    for part, plane, gs in _blocks(out, g):
        index = _index(found, codes[part])
        if found.empty is not None:
            index[found.empty.reshape(codes.shape)[part]] = 0
        index += (np.arange(len(plane)) * size)[:, None, None]
        sums = np.bincount(index.reshape(-1), gs.reshape(-1), plane.size)
        plane[...] = sums.reshape(plane.shape)


def average_pool(x: Any, p: Pool, out: Any) -> None:
    """Write each window's average; what counts is the part within the picture and its padding.

    Parameters
    ----------
    x : ndarray, (items, channels, h, w)
    p : Pool
    out : ndarray, (items, channels, out_h, out_w)
    """
    areas = _areas(p, x.shape[2:], out.shape[2:], x.dtype)
    for _, plane, made in _blocks(x, out):
        if p.kernel == plane.shape[1:] and made.shape[1:] == (1, 1):
            made[...] = plane.reshape(len(plane), -1).sum(1)[:, None, None]
        else:
            wide = _padded(plane, p, made.shape[1:], 0)
            by_row = wide[:, :, _every(0, p.stride[1], made.shape[2])].copy()
            for k in range(1, p.kernel[1]):
                by_row += wide[:, :, _every(k, p.stride[1], made.shape[2])]
            made[...] = by_row[:, _every(0, p.stride[0], made.shape[1])]
            for k in range(1, p.kernel[0]):
                made += by_row[:, _every(k, p.stride[0], made.shape[1])]
        made /= areas


def spread_average(p: Pool, g: Any, out: Any) -> None:
    """Give each window's gradient to all of its pixels: the transpose of `average_pool`."""
    areas = _areas(p, out.shape[2:], g.shape[2:], g.dtype)
    for _, plane, gs in _blocks(out, g):
        each = gs / areas
        height, width = _reach(p, gs.shape[1:])
        by_row = np.zeros((len(plane), height, gs.shape[2]), g.dtype)
        for k in range(p.kernel[0]):
            by_row[:, _every(k, p.stride[0], gs.shape[1])] += each
        whole = np.zeros((len(plane), height, width), g.dtype)
        for k in range(p.kernel[1]):
            whole[:, :, _every(k, p.stride[1], gs.shape[2])] += by_row
        whole = whole[:, p.pad[0] :, p.pad[1] :]
        h, w = (min(a, b) for a, b in zip(plane.shape[1:], whole.shape[1:]))
        if (h, w) != plane.shape[1:]:
            plane[...] = 0
        plane[:, :h, :w] = whole[:, :h, :w]


def _blocks(x: Any, y: Any) -> Iterator[tuple[slice, Any, Any]]:
    """Yield some planes of the bottom and of the top at a time, and their numbers."""
    xs, ys = _planes(x), _planes(y)
    if not x.size or not y.size:
        return
    count = max(1, BLOCK // max(1, x.shape[2] * x.shape[3]))
    for start in range(0, len(xs), count):
        part = slice(start, start + count)
        yield part, xs[part], ys[part]


def _planes(x: Any) -> Any:
    """Return (items, channels, h, w) as (planes, h, w)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _every(start: int, step: int, count: int) -> slice:
    return slice(start, start + (count - 1) * step + 1, step)


def _reach(p: Pool, outs: tuple[int, ...]) -> tuple[int, int]:
    """Return how far the windows reach, along height and width, from the padding's start on."""
    (height, width), (kh, kw), (sh, sw) = outs, p.kernel, p.stride
    return (height - 1) * sh + kh, (width - 1) * sw + kw


def _padded(x: Any, p: Pool, outs: tuple[int, ...], value: float) -> Any:
    """Return (planes, h, w) as far as windows reach, with `value` around the picture."""
    reach = _reach(p, outs)
    if not any(p.pad) and reach[0] <= x.shape[1] and reach[1] <= x.shape[2]:
        return x
    wide = np.full((len(x), *reach), value, x.dtype)
    top, left = p.pad
    h, w = max(0, min(x.shape[1], reach[0] - top)), max(0, min(x.shape[2], reach[1] - left))
    wide[:, top : top + h, left : left + w] = x[:, :h, :w]
    return wide


@lru_cache(maxsize=256)
def _areas(p: Pool, spatial: tuple[int, ...], outs: tuple[int, ...], dtype: Any) -> Any:
    """Return (out_h, out_w): how many pixels of picture and padding each window covers.

    Nobody writes into it.
    """
    lengths = []
    for size, count, kernel, stride, pad in zip(spatial, outs, *p[:3]):
        starts = np.arange(count) * stride - pad
        lengths.append(np.minimum(starts + kernel, size + pad) - starts)
    return np.multiply.outer(*lengths).astype(dtype)
