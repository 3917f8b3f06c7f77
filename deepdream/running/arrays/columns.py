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
FEW = 9  # taps of a kernel that are added up one by one

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
    rows = weight.reshape(shape.matrix(weight))
    for item, made in zip(x, out):
        y = made.reshape(*rows.shape[:-1], shape.positions)
        for band in shape.bands:
            np.matmul(rows, shape.columns(item, band), out=y[..., band.part])


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
    rows = weight.reshape(shape.matrix(weight)).swapaxes(-1, -2)
    for item, made in zip(g, out):
        values = item.reshape(*rows.shape[:-2], rows.shape[-1], shape.positions)
        if shape.plain:
            np.matmul(rows, values, out=made.reshape(*rows.shape[:-1], shape.positions))
            continue
        made[...] = 0
        for band in shape.bands:
            columns = _scratch("columns", f.group * shape.depth * band.positions, g.dtype)
            columns = columns.reshape(*rows.shape[:-1], band.positions)
            np.matmul(rows, values[..., band.part], out=columns)
            _add_up(columns.reshape(len(made), *f.kernel, *band.sizes), band, made)


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
    total = out.reshape(shape.matrix(out))
    product = _scratch("product", total.size, total.dtype).reshape(total.shape)
    multiply = np.dot if total.ndim == 2 else np.matmul  # of one position dot makes a BLAS call
    for item, values in zip(x, g):
        values = values.reshape(*total.shape[:-1], shape.positions)
        for band in shape.bands:
            columns = shape.columns(item, band).swapaxes(-1, -2)
            total += multiply(values[..., band.part], columns, out=product)


def _add_up(columns: Any, band: _Band, out: Any) -> None:
    """Add columns, (channels, *kernel, *positions), to the picture that they are windows of."""
    if len(band.taps) <= FEW:
        for met, of in band.taps:
            out[met] += columns[of]
        return
    # Along the first axis, then along the next: k + k additions instead of k * k.
    axes = len(band.sizes)
    low, high = band.lines
    for axis, meetings in enumerate(band.meetings):
        shape = list(columns.shape[:1] + columns.shape[2:])
        shape[axes] = high - low if axis == 0 else out.shape[axis + 1]
        if axis == axes - 1:
            total = out if axis == 0 else out[:, low:high]
        else:
            total = _scratch(f"sums {axis}", math.prod(shape), out.dtype).reshape(shape)
            total[...] = 0
        shift = low if axis == 0 < axes - 1 else 0
        before = (slice(None),) * axes
        for j, met, of in meetings:
            into = (*before, slice(met.start - shift, met.stop - shift, met.step))
            part = (*before, of)
            total[into] += columns[:, j][part]
        columns = total


class _Band:
    """Lines `start` to `stop` of positions, along the first spatial axis.

    Attributes
    ----------
    sizes : tuple of int
        How many positions, for each axis.
    part : slice
        Their places among all positions.
    meetings : list of list of (int, slice, slice)
        For each axis and each kernel index along it: the index, the input positions that it meets,
        and which of the band's positions meet them.
    lines : (int, int)
        From which to which line of the input the band reaches.
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
        # What the band reads: from `begin` on, `reach` long. Of it `source` exists, at `target`.
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
        self._taps: list[Any] | None = None
        self.meetings = [self._meetings(f, shape.spatial, axis) for axis in range(len(inner) + 1)]
        met = [places for _, places, _ in self.meetings[0]]
        self.lines = (
            min((places.start for places in met), default=0),
            max((places.stop for places in met), default=0),
        )

    @property
    def taps(self) -> list[Any]:
        if self._taps is None:
            self._taps = []
            for tap in itertools.product(*self.meetings):
                kernel, met, of = zip(*tap)
                self._taps.append(((slice(None), *met), (slice(None), *kernel, *of)))
        return self._taps

    def _meetings(
        self, f: Filter, spatial: tuple[int, ...], axis: int
    ) -> list[tuple[int, slice, slice]]:
        size, s = spatial[axis], f.stride[axis]
        found = []
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
        self.form = (self.depth,) if f.group == 1 else (f.group, self.depth)
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

    def matrix(self, weight: Any) -> tuple[int, ...]:
        """Return the shape of filters as rows: (outputs, depth), or one such for each group."""
        if self.filter.group == 1:
            return (weight.shape[0], self.depth)
        return (self.filter.group, weight.shape[0] // self.filter.group, self.depth)

    def columns(self, x: Any, band: _Band) -> Any:
        """Return the columns of some positions of one picture: (depth, positions).

        With groups, (group, depth, positions).
        """
        if self.plain:
            return x.reshape(*self.form, self.positions)
        shape = (self.channels, *self.filter.kernel, *band.sizes)
        columns = _scratch("columns", math.prod(shape), x.dtype)
        self._lay_out(x, band, columns.reshape(shape))
        return columns.reshape(*self.form, band.positions)

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


@lru_cache(maxsize=512)
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
