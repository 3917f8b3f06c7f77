"""Layers that slide a window over a picture: Convolution, Deconvolution, Pooling.

Sizes are Caffe's, which differ from PyTorch's at the edges: a convolution's size division truncates
toward zero, a pooling's rounds up, and a padded pooling drops a last window that would start in the
padding. Ties in a maximum go to the first value in reading order.

Source: ``base_conv_layer.cpp``, ``conv_layer.cpp``, ``deconv_layer.cpp``, ``pooling_layer.cpp``
of BVLC/caffe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import PrototxtError, ShapeError
from ...on_demand import torch
from ..blob import MAX_COUNT, Blob
from .base import (
    Layer,
    Shape,
    Window,
    canonical_axis,
    in_range,
    pairwise_equal_shapes,
    refuse_in_place,
    register,
)

# What Caffe's maximum starts from, for float and double alike.
LOWEST = float(np.finfo(np.float32).min)


class FilterLayer(Layer):
    """What Convolution and Deconvolution share: parameters, weights and their gradients."""

    bottoms = (1, None)
    tops = (1, None)
    equal_tops = True
    transposed = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.convolution_param
        shape = tuple(bottom[0].shape)
        self.axes = len(shape)
        self.axis = canonical_axis(p.axis, self.axes)
        n = self.axes - self.axis - 1  # spatial axes
        if n > 3:
            raise PrototxtError(f"{n} spatial axes after axis {self.axis}: at most 3 are supported")
        self.kernel = _per_axis(p, "kernel_size", ("kernel_h", "kernel_w"), n, None, 1)
        self.stride = _per_axis(p, "stride", ("stride_h", "stride_w"), n, 1, 1)
        self.pad = _per_axis(p, "pad", ("pad_h", "pad_w"), n, 0, 0)
        self.dilation = _per_axis(p, "dilation", None, n, 1, 1)
        self.num_output = in_range("num_output", p.num_output, 1)
        self.group = in_range("group", p.group, 1)
        self.channels = shape[self.axis]
        if self.channels % self.group:
            raise ShapeError(f"{self.channels} input channels cannot form {self.group} groups")
        if self.num_output % self.group:
            raise PrototxtError(f"num_output {self.num_output} cannot form {self.group} groups")
        self.extent = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel))
        rows, columns = self.num_output, self.channels
        if self.transposed:
            rows, columns = columns, rows
        self.add_param((rows, columns // self.group, *self.kernel), p.weight_filler)
        if p.bias_term:
            self.add_param((self.num_output,), p.bias_filler)

    def out_size(self, size: int, axis: int) -> int:
        """Return the length of a top's spatial axis for a bottom's."""
        raise NotImplementedError

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        pairwise_equal_shapes(bottom_shapes)
        shape = bottom_shapes[0]
        if len(shape) != self.axes:
            raise ShapeError(f"bottom has {len(shape)} axes {tuple(shape)}, {self.axes} expected")
        if shape[self.axis] != self.channels:
            raise ShapeError(
                f"bottom has {shape[self.axis]} channels, the weights expect {self.channels}"
            )
        spatial = shape[self.axis + 1 :]
        sizes = tuple(self.out_size(size, i) for i, size in enumerate(spatial))
        if any(size < 0 for size in sizes):
            raise ShapeError(
                f"the picture is too small: kernel {self.kernel}, pad {self.pad} on {spatial} "
                f"would give {sizes}"
            )
        return [(*shape[: self.axis], self.num_output, *sizes)] * len(bottom_shapes)

    def _batch(self, x: torch.Tensor) -> torch.Tensor:
        """Return x as (items, channels, *spatial), with one spatial axis at least."""
        spatial = x.shape[self.axis + 1 :] or (1,)
        return x.reshape(math.prod(x.shape[: self.axis]), x.shape[self.axis], *spatial)

    def _reach(self, x: torch.Tensor) -> tuple[int, ...]:
        """Return how many of the kernel's values, along each axis, can meet the padded x."""
        if self.transposed:
            return self.kernel
        axes = zip(x.shape[2:], self.kernel, self.pad, self.dilation)
        return tuple(min(k, -(-(size + 2 * pad) // d)) for size, k, pad, d in axes)

    def _settings(self, x: torch.Tensor) -> tuple[Any, ...]:
        """Return stride, padding, dilation, transposed, output padding, groups for PyTorch."""
        if not self.kernel:  # a convolution without spatial axes is a matrix product
            return (1,), (0,), (1,), self.transposed, (0,), self.group
        # Where the kernel has been cut there is one output, whatever the stride.
        stride = tuple(
            s if reach == k else size + 2 * pad
            for s, reach, k, size, pad in zip(
                self.stride, self._reach(x), self.kernel, x.shape[2:], self.pad
            )
        )
        zeros = (0,) * len(self.kernel)
        return stride, self.pad, self.dilation, self.transposed, zeros, self.group

    def _cut(self, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the weights that can meet the padded x, with one spatial axis at least.

        Division that truncates toward zero gives an output even where the kernel is larger than
        that; the rest of it meets zeros.
        """
        if not self.kernel:
            return weight.unsqueeze(2)
        for axis, reach in enumerate(self._reach(x), 2):
            weight = weight.narrow(axis, 0, reach)
        return weight

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bias = self.blobs[1].get_data() if len(self.blobs) > 1 else None
        for below, above in zip(bottom, top):
            y = above.mutable_data()
            if not y.numel():
                continue
            x = self._batch(below.get_data())
            if x.numel():
                weight = self._cut(self.blobs[0].get_data(), x)
                y.copy_(torch.convolution(x, weight, bias, *self._settings(x)).view_as(y))
            else:  # nothing but padding
                self._batch(y).zero_().add_(0 if bias is None else _column(bias, self._batch(y)))

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        for below, above, wanted in zip(bottom, top, propagate_down):
            g, x = self._batch(above.get_diff()), self._batch(below.get_data())
            mask = [bool(wanted), *self.param_diffs, False][:3]
            if not any(mask):
                continue
            if not g.numel() or not x.numel():
                if wanted:
                    below.mutable_diff().zero_()
                continue
            gx, gw, gb = torch.ops.aten.convolution_backward(
                g,
                x,
                self._cut(self.blobs[0].get_data(), x),
                [self.num_output],
                *self._settings(x),
                mask,
            )
            if mask[1]:
                self._cut(self.blobs[0].mutable_diff(), x).add_(gw)
            if mask[2]:
                self.blobs[1].mutable_diff().add_(gb)
            if wanted:
                diff = below.mutable_diff()
                diff.copy_(gx.view_as(diff))


@register("Convolution")
class ConvolutionLayer(FilterLayer):
    """Cross-correlation of each picture with ``num_output`` filters.

    Weights (num_output, channels / group, kh, kw), then the bias (num_output).
    """

    def out_size(self, size: int, axis: int) -> int:
        room = size + 2 * self.pad[axis] - self.extent[axis]
        steps = abs(room) // self.stride[axis]  # C++ divides toward zero
        return (steps if room >= 0 else -steps) + 1

    def window(self) -> Window | None:
        if len(self.kernel) != 2:
            return None
        return Window(_pair(self.extent), _pair(self.stride), _pair(self.pad))


@register("Deconvolution")
class DeconvolutionLayer(FilterLayer):
    """The transpose of a convolution: every input value paints a kernel into the output.

    Weights (channels, num_output / group, kh, kw), then the bias (num_output).
    """

    transposed = True

    def out_size(self, size: int, axis: int) -> int:
        whole = self.stride[axis] * (size - 1) + self.extent[axis]
        if whole > MAX_COUNT:
            raise ShapeError(f"a top {whole} long before its padding is cut off is too large")
        return whole - 2 * self.pad[axis]

    def window(self) -> Window | None:
        """Return None: outputs lie closer than inputs, which a stride in pixels cannot say."""
        return None


def _per_axis(
    p: Any, name: str, pair: tuple[str, str] | None, axes: int, default: int | None, low: int
) -> tuple[int, ...]:
    """Read a size given once, once per spatial axis, or as a height and a width."""
    values = list(getattr(p, name))
    if pair and any(p.HasField(field) for field in pair):
        if values:
            raise PrototxtError(f"{name} and {pair[0]}/{pair[1]} are both given: keep one of them")
        if axes != 2:
            raise PrototxtError(f"{pair[0]}/{pair[1]} need 2 spatial axes, there are {axes}")
        values = [getattr(p, field) for field in pair]
        return tuple(in_range(field, value, low) for field, value in zip(pair, values))
    if not values and default is not None:
        values = [default]
    if len(values) not in (1, axes):
        raise PrototxtError(f"{name} is given {len(values)} times: 1 or {axes} values are expected")
    values = values * axes if len(values) == 1 else values
    return tuple(in_range(name, value, low) for value in values)


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return values[0], values[1]


def _column(bias: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the bias with axes of length 1 for all but the channels of `like`."""
    return bias.view(-1, *(1,) * (like.dim() - 2))


@register("Pooling")
class PoolingLayer(Layer):
    """Maximum or average over windows that slide over each channel.

    With MAX a second top gets the place of each maximum in its channel, counted row by row. NaN
    never wins; a window without any number gives the lowest float32. An average divides by the
    part of the window that lies within the picture and its padding. STOCHASTIC has a shape, but
    cannot run (in Caffe neither, on a CPU).
    """

    tops = (1, 2)
    MAX, AVE, STOCHASTIC = 0, 1, 2

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.pooling_param
        self.method = p.pool
        if len(top) > 1 and self.method != self.MAX:
            raise PrototxtError("2 top blobs found: the second one exists for pool: MAX only")
        self.floor = p.round_mode == 1
        self.stride = _one_or_pair(p, "stride", ("stride_h", "stride_w"), 1)
        self.pad = _one_or_pair(p, "pad", ("pad_h", "pad_w"), 0)
        self.kernel: tuple[int, int] | None = None  # the whole picture
        sized = any(p.HasField(name) for name in ("kernel_size", "kernel_h", "kernel_w"))
        if p.global_pooling:
            if sized or self.stride != (1, 1) or self.pad != (0, 0):
                raise PrototxtError("global_pooling takes no kernel_size, stride 1 and pad 0 only")
            return
        if not sized:
            raise PrototxtError("kernel_size is missing: give it, or global_pooling: true")
        self.kernel = _one_or_pair(p, "kernel_size", ("kernel_h", "kernel_w"), 1)
        if self.method == self.STOCHASTIC and any(self.pad):
            raise PrototxtError("pad is for MAX and AVE pooling, not for STOCHASTIC")
        for pad, kernel in zip(self.pad, self.kernel):
            if pad >= kernel:
                raise PrototxtError(f"pad is {pad}: less than the kernel's {kernel} is expected")

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        if len(shape) != 4:
            raise ShapeError(f"bottom has {len(shape)} axes {tuple(shape)}, 4 expected")
        sizes = tuple(self._out_size(shape[2 + axis], axis) for axis in (0, 1))
        if any(size < 0 for size in sizes):
            raise ShapeError(
                f"the picture is too small: kernel {self.kernel}, pad {self.pad} on {shape[2:]} "
                f"would give {sizes}"
            )
        return [(*shape[:2], *sizes)] * 2

    def _out_size(self, size: int, axis: int) -> int:
        kernel = self.kernel[axis] if self.kernel else size
        stride, pad = self.stride[axis], self.pad[axis]
        room = size + 2 * pad - kernel
        out = (room // stride if self.floor else -(-room // stride)) + 1
        # Padding along either axis makes Caffe look at both.
        if any(self.pad) and (out - 1) * stride >= size + pad:
            out -= 1
        return out

    def window(self) -> Window | None:
        return Window(self.kernel, self.stride, self.pad) if self.kernel else None

    def _settings(self, x: torch.Tensor) -> tuple[Any, ...]:
        """Return kernel, stride, pad for PyTorch."""
        return self.kernel or tuple(x.shape[2:]), self.stride, self.pad

    def _as_in_torch(self, x: torch.Tensor) -> bool:
        """Tell whether PyTorch's pooling has the same windows."""
        kernel, stride, pad = self._settings(x)
        fits = all(s <= k and 2 * p <= k for k, s, p in zip(kernel, stride, pad))
        return fits and x.numel() > 0

    def _windows(self, x: torch.Tensor, out: torch.Tensor, axis: int) -> list[tuple[int, int]]:
        """Return where each window along height (0) or width (1) starts and ends, uncut."""
        kernel, stride, pad = (values[axis] for values in self._settings(x))
        starts = range(-pad, out.shape[2 + axis] * stride - pad, stride)
        return [(start, start + kernel) for start in starts]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.method == self.STOCHASTIC:
            raise PrototxtError("pool is STOCHASTIC: only MAX and AVE can run")
        x, y = bottom[0].get_data(), top[0].mutable_data()
        if self.method == self.AVE:
            if y.numel():
                self._average(x, y)
            return
        where, some_empty = self._maximum(x, y)
        if len(top) > 1:
            top[1].mutable_data().copy_(where)
        self.keep((where, some_empty))

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        g, diff = top[0].get_diff(), bottom[0].mutable_diff()
        if not g.numel() or not diff.numel():
            diff.zero_()
        elif self.method == self.AVE:
            self._spread(g, bottom[0].get_data(), diff)
        else:
            where, some_empty = self.kept()
            if some_empty:  # these give to nobody
                g, where = torch.where(where < 0, 0, g), where.clamp(min=0)
            diff.zero_().flatten(2).scatter_add_(2, where.flatten(2), g.flatten(2))

    # -- maximum --------------------------------------------------------------------------------

    def _maximum(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """Write the maxima into y; return their places, and whether some windows have none."""
        if y.numel() and self._as_in_torch(x):
            found, where = torch.ops.aten.max_pool2d_with_indices(
                x, *self._settings(x), (1, 1), not self.floor
            )
            if math.isfinite(found.sum()):  # no NaN among them, which win in PyTorch
                y.copy_(found)
                return where, False
        where = torch.full_like(y, -1, dtype=torch.int64)
        if not y.numel():
            return where, True
        # A window's first maximum lies in the first row that has it, at its first place there: so
        # look along the width first, then along the height.
        x = torch.where(torch.isnan(x), -math.inf, x)
        by_row, column = _first_maximum(x, self._windows(x, y, 1), 3)  # (n, c, h, out_w)
        best, row = _first_maximum(by_row, self._windows(x, y, 0), 2)  # (n, c, out_h, out_w)
        y.copy_(best.clamp(min=LOWEST))
        if x.numel():
            column = column.gather(2, row.clamp(min=0))
            where.copy_(torch.where(best > LOWEST, row * x.shape[3] + column, -1))
        return where, True

    # -- average --------------------------------------------------------------------------------

    def _areas(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return (out_h, out_w): how many pixels of picture and padding each window covers."""
        lengths = []
        for axis in (0, 1):
            end = x.shape[2 + axis] + self.pad[axis]
            windows = self._windows(x, y, axis)
            lengths.append(x.new_tensor([min(stop, end) - start for start, stop in windows]))
        return torch.outer(*lengths)

    def _average(self, x: torch.Tensor, y: torch.Tensor) -> None:
        if self._as_in_torch(x):
            kernel, stride, pad = self._settings(x)
            y.copy_(
                torch.nn.functional.avg_pool2d(x, kernel, stride, pad, ceil_mode=not self.floor)
            )
            return
        by_row = _sums(x, self._windows(x, y, 1), 3)
        y.copy_(_sums(by_row, self._windows(x, y, 0), 2)).div_(self._areas(x, y))

    def _spread(self, g: torch.Tensor, x: torch.Tensor, diff: torch.Tensor) -> None:
        if self._as_in_torch(x):
            settings = (*self._settings(x), not self.floor, True, None)
            diff.copy_(torch.ops.aten.avg_pool2d_backward(g, x, *settings))
            return
        by_row = x.new_zeros(*x.shape[:3], g.shape[3])
        _add_back(g / self._areas(x, g), self._windows(x, g, 0), 2, by_row)
        _add_back(by_row, self._windows(x, g, 1), 3, diff.zero_())


def _one_or_pair(p: Any, name: str, pair: tuple[str, str], low: int) -> tuple[int, int]:
    """Read a size given once or as a height and a width."""
    given = [p.HasField(field) for field in pair]
    if not any(given):
        value = in_range(name, getattr(p, name), low)
        return value, value
    if p.HasField(name):
        raise PrototxtError(f"{name} and {pair[0]}/{pair[1]} are both given: keep one of them")
    if not all(given):
        raise PrototxtError(f"of {pair[0]} and {pair[1]} only one is given: both are expected")
    height, width = (in_range(field, getattr(p, field), low) for field in pair)
    return height, width


def _part(x: torch.Tensor, axis: int, start: int, stop: int) -> torch.Tensor:
    """Return the part of x from `start` to `stop` along `axis` that exists."""
    start = min(max(start, 0), x.shape[axis])
    return x.narrow(axis, start, max(min(stop, x.shape[axis]), start) - start)


def _first_maximum(
    x: torch.Tensor, windows: list[tuple[int, int]], axis: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first maximum of each window along `axis`, and its place (-1 in empty ones)."""
    values, places = [], []
    for start, stop in windows:
        part = _part(x, axis, start, stop)
        if part.shape[axis]:
            value, place = part.max(axis)
            place = place + max(start, 0)
        else:
            value = x.new_full([n for i, n in enumerate(x.shape) if i != axis], -math.inf)
            place = torch.full_like(value, -1, dtype=torch.int64)
        values.append(value)
        places.append(place)
    return torch.stack(values, axis), torch.stack(places, axis)


def _sums(x: torch.Tensor, windows: list[tuple[int, int]], axis: int) -> torch.Tensor:
    """Return the sum of each window along `axis`."""
    return torch.stack([_part(x, axis, *window).sum(axis) for window in windows], axis)


def _add_back(
    g: torch.Tensor, windows: list[tuple[int, int]], axis: int, out: torch.Tensor
) -> None:
    """Add the gradient of each window to all of its pixels in `out`: the transpose of `_sums`."""
    for i, window in enumerate(windows):
        _part(out, axis, *window).add_(g.narrow(axis, i, 1))
