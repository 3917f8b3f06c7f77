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

from ...errors import PrototxtError, ShapeError
from ..arrays import Array
from ..arrays.windows import Filter, Pool
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
        self.channels = shape[self.axis]
        self.num_output, self.group = self.counts(p, self.channels)
        if self.channels % self.group:
            raise ShapeError(f"{self.channels} input channels cannot form {self.group} groups")
        if self.num_output % self.group:
            raise PrototxtError(f"num_output {self.num_output} cannot form {self.group} groups")
        if n:
            self.filter = Filter(self.kernel, self.stride, self.pad, self.dilation, self.group)
        else:  # a matrix product is a convolution along an axis of length 1
            self.filter = Filter((1,), (1,), (0,), (1,), self.group)
        self.extent = self.filter.extent if n else ()
        rows, columns = self.num_output, self.channels
        if self.transposed:
            rows, columns = columns, rows
        self.add_param((rows, columns // self.group, *self.kernel), p.weight_filler)
        if p.bias_term:
            self.add_param((self.num_output,), p.bias_filler)

    def counts(self, p: Any, channels: int) -> tuple[int, int]:
        """Return the number of filters and of groups."""
        return in_range("num_output", p.num_output, 1), in_range("group", p.group, 1)

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

    def _batch(self, x: Array) -> Array:
        """Return x as (items, channels, *spatial), with one spatial axis at least."""
        if self.axis == 1 and self.kernel:
            return x
        spatial = x.shape[self.axis + 1 :] or (1,)
        return x.reshape(math.prod(x.shape[: self.axis]), x.shape[self.axis], *spatial)

    def _weight(self, array: Array) -> Array:
        """Return filters, or their gradient, with one spatial axis at least."""
        return array if self.kernel else array[..., None]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        weight, *bias = (self.value(i) for i in range(len(self.param_shapes)))
        for below, above in zip(bottom, top):
            x, y = self._batch(below.get_data()), self._batch(above.mutable_data())
            self.product(x, self._weight(weight), y)
            if bias:
                y += bias[0].reshape(-1, *(1,) * (y.ndim - 2))

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        weight = self._weight(self.value(0))
        for below, above, wanted in zip(bottom, top, propagate_down):
            g = self._batch(above.get_diff())
            if self.param_diffs[0]:
                diff = self._weight(self.value_diff(0))
                self.weight_diff(self._batch(below.get_data()), g, diff)
            if len(self.param_shapes) > 1 and self.param_diffs[1]:
                bias = self.value_diff(1)
                bias += g.reshape(*g.shape[:2], math.prod(g.shape[2:])).sum((0, 2))
            if wanted:
                self.product_back(g, weight, self._batch(below.mutable_diff()))

    def product(self, x: Array, weight: Array, out: Array) -> None:
        """Write the top, without the bias."""
        raise NotImplementedError

    def product_back(self, g: Array, weight: Array, out: Array) -> None:
        """Write the gradient at the bottom."""
        raise NotImplementedError

    def weight_diff(self, x: Array, g: Array, out: Array) -> None:
        """Add the gradient at the weights."""
        raise NotImplementedError


@register("Convolution")
class ConvolutionLayer(FilterLayer):
    """Cross-correlation of each picture with ``num_output`` filters.

    Weights (num_output, channels / group, kh, kw), then the bias (num_output).
    """

    def out_size(self, size: int, axis: int) -> int:
        room = size + 2 * self.pad[axis] - self.extent[axis]
        steps = abs(room) // self.stride[axis]  # C++ divides toward zero
        return (steps if room >= 0 else -steps) + 1

    def product(self, x: Array, weight: Array, out: Array) -> None:
        self.ops.correlate(x, weight, self.filter, out)

    def product_back(self, g: Array, weight: Array, out: Array) -> None:
        self.ops.spread(g, weight, self.filter, out)

    def weight_diff(self, x: Array, g: Array, out: Array) -> None:
        self.ops.weight_diff(x, g, self.filter, out)

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

    def product(self, x: Array, weight: Array, out: Array) -> None:
        self.ops.spread(x, weight, self.filter, out)

    def product_back(self, g: Array, weight: Array, out: Array) -> None:
        self.ops.correlate(g, weight, self.filter, out)

    def weight_diff(self, x: Array, g: Array, out: Array) -> None:
        self.ops.weight_diff(g, x, self.filter, out)

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


@register("Pooling")
class PoolingLayer(Layer):
    """Maximum or average over windows that slide over each channel.

    With MAX a second top gets the place of each maximum in its channel, counted row by row. NaN
    never wins; a window without any number gives the lowest float32. An average divides by the
    part of the window that lies within the picture and its padding. STOCHASTIC has a shape, but
    cannot run (in Caffe neither, on a CPU). ``ceil_mode: false``, of variants (pull request 3057),
    is BVLC's ``round_mode: FLOOR``.
    """

    tops = (1, 2)
    MAX, AVE, STOCHASTIC = 0, 1, 2

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.pooling_param
        self.method = p.pool
        if len(top) > 1 and self.method != self.MAX:
            raise PrototxtError("2 top blobs found: the second one exists for pool: MAX only")
        self.floor = p.round_mode == 1 or not p.ceil_mode
        if p.HasField("round_mode") and p.HasField("ceil_mode") and p.ceil_mode == p.round_mode:
            raise PrototxtError("round_mode and ceil_mode say different things: keep one of them")
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

    def _pool(self, x: Array) -> Pool:
        return Pool(self.kernel or (x.shape[2], x.shape[3]), self.stride, self.pad, self.floor)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.method == self.STOCHASTIC:
            raise PrototxtError("pool is STOCHASTIC: only MAX and AVE can run")
        x, y = bottom[0].get_data(), top[0].mutable_data()
        if self.method == self.AVE:
            self.ops.average_pool(x, self._pool(x), y)
            return
        winners = self.ops.max_pool(x, self._pool(x), y)
        if len(top) > 1:
            top[1].mutable_data()[...] = self.ops.places(winners)
        self.keep(winners)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        g, diff = top[0].get_diff(), bottom[0].mutable_diff()
        if not math.prod(g.shape):
            diff[...] = 0
        elif not math.prod(diff.shape):
            return
        elif self.method == self.AVE:
            self.ops.spread_average(self._pool(diff), g, diff)
        else:
            self.ops.spread_maximum(self.kept(), g, diff)


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
