"""Convolution on a CPU: columns and a matrix product, as in Caffe.

Each window of a picture is laid out as a column (im2col), and the filters are the rows of a matrix:
their product is the convolution of all positions at once. The gradient at the picture goes the
other way: a product gives columns, which are added up where windows overlap (col2im).

Caffe lays out the columns of a whole picture. Here it is some lines of positions at a time, so that
memory stays small and columns are used while they lie in the cache. A 1x1 filter's columns are the
picture itself.

Source: ``im2col.cpp`` and ``base_conv_layer.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

import itertools
import math
import threading
from functools import lru_cache
from typing import Any

import numpy as np

from .windows import Filter

BAND = 2**20  # values in the columns of one band

_local = threading.local()


def correlate(x: Any, weight: Any, f: Filter, out: Any) -> None:
    """Cross-correlate pictures with filters.

    Parameters
    ----------
    x : ndarray, (items, channels, *spatial)
        The pictures.
    weight : ndarray, (outputs, channels / group, *kernel)
        The filters.
    f : Filter
    out : ndarray, (items, outputs, *positions)
        Overwritten.
    """
    shape = _shape(x, f, out)
    rows = weight.reshape(f.group, -1, shape.depth)
    for item, made in zip(x, out):
        y = made.reshape(f.group, rows.shape[1], shape.positions)
        for band in shape.bands:
            np.matmul(rows, shape.columns(item, band), out=y[:, :, band.part])


def spread(g: Any, weight: Any, f: Filter, out: Any) -> None:
    """Let each value of `g` paint its filter: the transpose of `correlate`.

    Parameters
    ----------
    g : ndarray, (items, outputs, *positions)
    weight : ndarray, (outputs, channels / group, *kernel)
    f : Filter
    out : ndarray, (items, channels, *spatial)
        Overwritten.
    """
    shape = _shape(out, f, g)
    rows = weight.reshape(f.group, -1, shape.depth).transpose(0, 2, 1)
    for item, made in zip(g, out):
        values = item.reshape(f.group, rows.shape[2], shape.positions)
        if shape.plain:
            np.matmul(rows, values, out=made.reshape(f.group, shape.depth, shape.positions))
            continue
        made[...] = 0
        for band in shape.bands:
            columns = _scratch("columns", f.group * shape.depth * band.positions, g.dtype)
            columns = columns.reshape(f.group, shape.depth, band.positions)
            np.matmul(rows, values[:, :, band.part], out=columns)
            columns = columns.reshape(len(made), *f.kernel, *band.sizes)
            for met, of in band.taps:
                made[met] += columns[of]


def weight_diff(x: Any, g: Any, f: Filter, out: Any) -> None:
    """Add the gradient with respect to the filters to `out`.

    Parameters
    ----------
    x : ndarray, (items, channels, *spatial)
    g : ndarray, (items, outputs, *positions)
    f : Filter
    out : ndarray, (outputs, channels / group, *kernel)
    """
    shape = _shape(x, f, g)
    total = out.reshape(f.group, -1, shape.depth)
    for item, values in zip(x, g):
        values = values.reshape(f.group, total.shape[1], shape.positions)
        for band in shape.bands:
            total += np.matmul(values[:, :, band.part], shape.columns(item, band).swapaxes(1, 2))


class _Band:
    """Lines `start` to `stop` of positions, along the first spatial axis.

    Attributes
    ----------
    sizes : tuple of int
        How many positions, for each axis.
    part : slice
        Their places among all positions.
    taps : list of (tuple, tuple)
        For each index into the kernel: an index of the input positions that it meets, and one of
        their places in the columns (channels, *kernel, *positions).
    """

    def __init__(self, shape: _Shape, start: int, stop: int) -> None:
        inner = shape.outs[1:]
        self.start = start
        self.sizes = (stop - start, *inner)
        self.positions = math.prod(self.sizes)
        self.part = slice(start * math.prod(inner), stop * math.prod(inner))
        f = shape.filter
        # What the band reads: from `begin` on, `reach` long, of which `within` exists.
        self.begin = tuple(
            first * s - p for first, s, p in zip((start, *(0 for _ in inner)), f.stride, f.pad)
        )
        self.reach = tuple(
            (count - 1) * s + e for count, s, e in zip(self.sizes, f.stride, f.extent)
        )
        ends = [min(b + r, size) for b, r, size in zip(self.begin, self.reach, shape.spatial)]
        starts = [min(max(b, 0), e) for b, e in zip(self.begin, ends)]
        self.source = (slice(None), *map(slice, starts, ends))
        self.target = (
            slice(None),
            *(slice(lo - b, hi - b) for lo, hi, b in zip(starts, ends, self.begin)),
        )
        self.inside = all(
            b >= 0 and b + r <= size for b, r, size in zip(self.begin, self.reach, shape.spatial)
        )
        # Steps so wide that most of what the band reaches over is neither read nor there.
        self.sparse = math.prod(self.reach) > 8 * max(math.prod(shape.spatial), 2**12)
        self._shape = shape
        self._taps: list[Any] | None = None

    @property
    def taps(self) -> list[Any]:
        if self._taps is None:
            self._taps = []
            for tap in itertools.product(*(self._meetings(k) for k in range(len(self.sizes)))):
                kernel, met, of = zip(*tap)
                self._taps.append(((slice(None), *met), (slice(None), *kernel, *of)))
        return self._taps

    def _meetings(self, axis: int) -> list[tuple[int, slice, slice]]:
        """Return, for each kernel index along an axis, which input meets which positions."""
        f, size, found = self._shape.filter, self._shape.spatial[axis], []
        s = f.stride[axis]
        for j in range(f.kernel[axis]):
            first = self.begin[axis] + j * f.dilation[axis]  # what position 0 meets
            low = max(0, -(first // s))
            high = min(self.sizes[axis], -((first - size) // s))
            if low < high:
                places = slice(first + low * s, first + (high - 1) * s + 1, s)
                found.append((j, places, slice(low, high)))
        return found


class _Shape:
    """What of a convolution follows from the sizes: made once for each."""

    def __init__(self, f: Filter, inputs: tuple[int, ...], outs: tuple[int, ...]) -> None:
        self.filter, self.outs = f, outs
        self.channels, *spatial = inputs
        self.spatial = tuple(spatial)
        self.positions = math.prod(outs)
        self.depth = self.channels // f.group * math.prod(f.kernel)
        ones = (1,) * len(f.kernel)
        self.plain = f.kernel == f.stride == ones and not any(f.pad) and self.spatial == outs
        lines = outs[0]
        if not self.plain:
            line = f.group * self.depth * math.prod(outs[1:])
            most = max(1, min(lines, BAND // max(1, line)))
            lines = -(-lines // max(1, -(-lines // most)))  # as many in each
        self.bands = (
            [_Band(self, at, min(at + lines, outs[0])) for at in range(0, outs[0], lines)]
            if self.positions
            else []
        )

    def columns(self, x: Any, band: _Band) -> Any:
        """Return the columns of some positions of one picture: (group, depth, positions)."""
        f = self.filter
        if self.plain:
            return x.reshape(f.group, self.depth, self.positions)
        shape = (self.channels, *f.kernel, *band.sizes)
        columns = _scratch("columns", math.prod(shape), x.dtype)
        self._lay_out(x, band, columns.reshape(shape))
        return columns.reshape(f.group, self.depth, band.positions)

    def _lay_out(self, x: Any, band: _Band, columns: Any) -> None:
        """Write the columns: (channels, *kernel, *positions)."""
        f = self.filter
        if band.sparse:
            columns[...] = 0
            for met, of in band.taps:
                columns[of] = x[met]
            return
        if band.inside:
            start = sum(b * s for b, s in zip(band.begin, x.strides[1:]))
            whole = x
        else:
            whole = _scratch("padded", self.channels * math.prod(band.reach), x.dtype)
            whole = whole.reshape(self.channels, *band.reach)
            whole[...] = 0
            whole[band.target] = x[band.source]
            start = 0
        steps = whole.strides[1:]
        windows = np.ndarray(
            columns.shape,
            x.dtype,
            whole,
            start,
            (
                whole.strides[0],
                *(step * d for step, d in zip(steps, f.dilation)),
                *(step * s for step, s in zip(steps, f.stride)),
            ),
        )
        np.copyto(columns, windows)


@lru_cache(maxsize=4096)
def _shaped(f: Filter, inputs: tuple[int, ...], outs: tuple[int, ...]) -> _Shape:
    return _Shape(f, inputs, outs)


def _shape(x: Any, f: Filter, y: Any) -> _Shape:
    return _shaped(f, x.shape[1:], y.shape[2:])


def _scratch(name: str, count: int, dtype: Any) -> Any:
    """Return `count` values of this thread's memory called `name`, to be overwritten."""
    kept = getattr(_local, name, None)
    if kept is None or kept.dtype != dtype or kept.size < count:
        kept = np.empty(count, dtype)
        setattr(_local, name, kept)
    return kept[:count]
