"""Layers of everyday arithmetic: InnerProduct, Scale, Bias, Eltwise, Softmax, Reduction, ArgMax.

Source: ``inner_product_layer.cpp``, ``scale_layer.cpp``, ``eltwise_layer.cpp`` ... of BVLC/caffe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...errors import PrototxtError, ShapeError
from ..arrays import Array
from ..blob import Blob, shapes_of
from .base import (
    LOWEST,
    Layer,
    Shape,
    Window,
    canonical_axis,
    in_range,
    pairwise_equal_shapes,
    refuse_in_place,
    register,
    scaled,
)


@register("InnerProduct")
class InnerProductLayer(Layer):
    """y = x W^T + b, where x is flat from ``axis`` on.

    Weights (num_output, K), or (K, num_output) with ``transpose``; then the bias (num_output).
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.inner_product_param
        shape = tuple(bottom[0].shape)
        self.num_output = in_range("num_output", p.num_output, 1)
        self.axis = canonical_axis(p.axis, len(shape))
        self.inputs = math.prod(shape[self.axis :])
        self.transpose = p.transpose
        weight = (self.num_output, self.inputs)
        self.add_param(weight[::-1] if self.transpose else weight, p.weight_filler)
        if p.bias_term:
            self.add_param((self.num_output,), p.bias_filler)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        inputs = math.prod(shape[self.axis :])
        if len(shape) <= self.axis or inputs != self.inputs:
            raise ShapeError(
                f"K is {inputs} here, but the weights expect {self.inputs}: pictures of another "
                "size cannot pass this layer; choose an end before it"
            )
        return [(*shape[: self.axis], self.num_output)]

    def window(self) -> Window | None:
        return None

    def _rows(self, x: Array, columns: int) -> Array:
        """Return x with one row for each vector."""
        return x.reshape(math.prod(x.shape[: self.axis]), columns)

    def _weight(self) -> Array:
        """Return the weights as (num_output, K)."""
        weight = self.value(0)
        return weight.T if self.transpose else weight

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = self._rows(bottom[0].get_data(), self.inputs)
        y = self._rows(top[0].mutable_data(), self.num_output)
        self.ops.matmul(x, self._weight().T, out=y)
        if len(self.param_shapes) > 1:
            y += self.value(1)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        g = self._rows(top[0].get_diff(), self.num_output)
        if self.param_diffs[0]:
            x = self._rows(bottom[0].get_data(), self.inputs)
            weight = self.value_diff(0)
            weight += x.T @ g if self.transpose else g.T @ x
        if len(self.param_shapes) > 1 and self.param_diffs[1]:
            bias = self.value_diff(1)
            bias += g.sum(0)
        if propagate_down[0]:
            diff = self._rows(bottom[0].mutable_diff(), self.inputs)
            self.ops.matmul(g, self._weight(), out=diff)


class BroadcastLayer(Layer):
    """What Scale and Bias share: a parameter, or second bottom, that covers some of the axes."""

    bottoms = (1, 2)

    def covered_shape(self, bottom: Sequence[Blob], p: Any) -> Shape:
        """Return the shape of the parameter: the axes from ``axis`` on, ``num_axes`` of them."""
        self.axis = p.axis
        if len(bottom) > 1:
            return tuple(bottom[1].shape)
        shape = tuple(bottom[0].shape)
        num_axes = in_range("num_axes", p.num_axes, -1)
        start = 0 if num_axes == 0 else canonical_axis(self.axis, len(shape))
        end = len(shape) if num_axes == -1 else start + num_axes
        if end > len(shape):
            raise ShapeError(f"axis {start} and num_axes {num_axes} reach beyond bottom {shape}")
        return shape[start:end]

    def _start(self, shape: Shape, covered: Shape) -> int:
        return canonical_axis(self.axis, len(shape)) if covered else 0

    def _covered(self, bottom_shapes: Sequence[Shape]) -> Shape:
        """Return the shape of the second bottom, or else of the parameter."""
        return tuple(bottom_shapes[1] if len(bottom_shapes) > 1 else self.blobs[0].shape)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape, covered = tuple(bottom_shapes[0]), self._covered(bottom_shapes)
        start = self._start(shape, covered)
        if shape[start : start + len(covered)] != covered:
            raise ShapeError(
                f"a factor or bias of shape {covered} does not fit bottom {shape} at axis {start}"
            )
        return [shape]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shapes = shapes_of(bottom)
        covered, axes = self._covered(shapes), len(shapes[0])
        start = self._start(shapes[0], covered)
        rest = axes - start - len(covered)
        # The parameter's shape with axes of length 1 where the bottom has some that it does not
        # cover, and these axes.
        self.wide = (1,) * start + covered + (1,) * rest
        self.others = (*range(start), *range(axes - rest, axes))
        self.items = math.prod(shapes[0][:start])  # before the axes that the parameter covers

    def _narrow(self, x: Array) -> Array:
        """Return x summed over the axes that the parameter does not cover."""
        return x.sum(self.others) if self.others else x


@register("Scale")
class ScaleLayer(BroadcastLayer):
    """y = x * scale, or x * scale + bias; the scale is a parameter or the second bottom."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.scale_param
        shape = self.covered_shape(bottom, p)
        if len(bottom) == 1:
            one = type(p.filler)(type="constant", value=1)
            self.add_param(shape, p.filler if p.HasField("filler") else one)
        if p.bias_term:
            self.add_param(shape, p.bias_filler)
        self.bias_term = p.bias_term

    def _scale(self, bottom: Sequence[Blob]) -> Array:
        """Return the factor, with as many axes as the bottom."""
        blob = bottom[1] if len(bottom) > 1 else self.blobs[0]
        return blob.get_data().reshape(self.wide)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        self.keep(None)
        if bottom[0] is top[0] and (len(bottom) > 1 or self.param_diffs[0]):
            self.keep(self.ops.copy(x))
        self.ops.scale(x, self._scale(bottom), out=y)
        if self.bias_term:
            y += self.blobs[-1].get_data().reshape(self.wide)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        g = top[0].get_diff()
        if self.bias_term and self.param_diffs[-1]:
            bias = self.value_diff(-1)
            bias += self._narrow(g)
        if propagate_down[1] if len(bottom) > 1 else self.param_diffs[0]:
            self._scale_diff(g, bottom, top)
        if propagate_down[0]:
            self.ops.scale(g, self._scale(bottom), out=bottom[0].mutable_diff())

    def _scale_diff(self, g: Array, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Write the gradient of the factor, by Caffe's steps.

        The product of values and gradients lies in memory that is there: in the factor's diff
        where that is as large, else in bottom 0's diff, or in place in the copy of bottom 0's
        values, so that a second backward finds products instead of values.
        """
        scale = bottom[1] if len(bottom) > 1 else self.blobs[0]
        diff = scale.mutable_diff()
        in_place = bottom[0] is top[0]
        x = self.kept() if in_place else bottom[0].get_data()
        if scale.count == bottom[0].count:
            self.ops.multiply(g.reshape(diff.shape), x.reshape(diff.shape), out=diff)
            return
        product = x if in_place else bottom[0].mutable_diff()
        self.ops.multiply(g, x, out=product)
        total = self._narrow(product)
        # A parameter's diff adds up, but for one item: there the sum is written in its place.
        if len(bottom) == 1 and (self.items != 1 or scale.count == 1):
            diff += total
        else:
            diff[...] = total


@register("Bias")
class BiasLayer(BroadcastLayer):
    """y = x + bias; the bias is a parameter or the second bottom."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.bias_param
        shape = self.covered_shape(bottom, p)
        if len(bottom) == 1:
            self.add_param(shape, p.filler)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].get_data()
        bias = (bottom[1] if len(bottom) > 1 else self.blobs[0]).get_data()
        self.ops.add(x, bias.reshape(self.wide), out=top[0].mutable_data())

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        g = top[0].get_diff()
        if propagate_down[0] and bottom[0] is not top[0]:
            bottom[0].mutable_diff()[...] = g
        if len(bottom) > 1 and propagate_down[1]:
            diff = bottom[1].mutable_diff()
            diff[...] = self._narrow(g)
        elif len(bottom) == 1 and self.param_diffs[0]:
            diff = self.blobs[0].mutable_diff()
            diff += self._narrow(g)


@register("Eltwise")
class EltwiseLayer(Layer):
    """Weighted sum, product or maximum of blobs of one shape.

    Where the first two are equal the maximum is the second's; a later one must be greater.
    """

    bottoms = (2, None)
    PROD, SUM, MAX = 0, 1, 2

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.eltwise_param
        self.operation, self.stable = p.operation, p.stable_prod_grad
        if len(p.coeff) and self.operation == self.PROD:
            raise PrototxtError("coeff is given: it is for operation SUM, not for PROD")
        if len(p.coeff) not in (0, len(bottom)):
            raise PrototxtError(
                f"{len(p.coeff)} coeff found, {len(bottom)} expected: one for each bottom"
            )
        self.coeffs = list(p.coeff) or [1.0] * len(bottom)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        pairwise_equal_shapes(bottom_shapes)
        return [tuple(bottom_shapes[0])]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xs, y = [blob.get_data() for blob in bottom], top[0].mutable_data()
        if self.operation == self.SUM:
            y[...] = 0  # in place this loses that bottom, as in Caffe
            for coeff, x in zip(self.coeffs, xs):
                if coeff:  # BLAS does not look at what has none
                    y += x if coeff == 1 else coeff * x
        elif self.operation == self.PROD:
            self.ops.multiply(xs[0], xs[1], out=y)
            for x in xs[2:]:
                y *= x
        else:
            if bottom[0] is top[0]:  # Caffe sets the top to -FLT_MAX before it reads
                y[...] = LOWEST
            where = self.ops.where
            first = xs[0] > xs[1]
            best, winner = where(first, xs[0], xs[1]), where(first, 0, 1)
            for i, x in enumerate(xs[2:], 2):
                greater = x > best
                best, winner = where(greater, x, best), where(greater, i, winner)
            self.keep(winner)
            y[...] = best

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        g = top[0].get_diff()
        for i, blob in enumerate(bottom):
            if not propagate_down[i]:
                continue
            diff = blob.mutable_diff()
            if self.operation == self.SUM:
                scaled(self.ops, g, self.coeffs[i], out=diff)
            elif self.operation == self.MAX:
                diff[...] = self.ops.where(self.kept() == i, g, 0)
            else:
                self._others(i, top, bottom, diff)
                diff *= g

    def _others(self, i: int, top: Sequence[Blob], bottom: Sequence[Blob], out: Any) -> None:
        """Write the product of all bottoms but number i."""
        if not self.stable:
            y, x = top[0].get_data(), bottom[i].get_data()
            self.ops.divide(y, x, out=out)  # NaN where x is 0
            return
        others = [blob.get_data() for j, blob in enumerate(bottom) if j != i]
        out[...] = others[0]
        for x in others[1:]:
            out *= x


@register("Softmax")
class SoftmaxLayer(Layer):
    """Exponentials along one axis that sum to 1. Its gradient is written always, as in Caffe."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.axis = canonical_axis(self.param.softmax_param.axis, len(bottom[0].shape))

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        canonical_axis(self.axis, len(bottom_shapes[0]))
        return [tuple(bottom_shapes[0])]

    def window(self) -> Window | None:
        return Window() if self.axis <= 1 else None

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].mutable_data()[...] = softmax(self.ops, bottom[0].get_data(), self.axis)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        y, g = top[0].get_data(), top[0].get_diff()
        inner = (g * y).sum(self.axis, keepdims=True)
        bottom[0].mutable_diff()[...] = (g - inner) * y


def softmax(ops: Any, x: Array, axis: int) -> Array:
    """Return e^x divided by its sum along an axis."""
    if not math.prod(x.shape):
        return x
    y = ops.exp(x - ops.amax(x, axis, keepdims=True))
    y /= y.sum(axis, keepdims=True)
    return y


@register("Reduction")
class ReductionLayer(Layer):
    """Sum, sum of magnitudes, sum of squares or mean over all axes from ``axis`` on."""

    SUM, ASUM, SUMSQ, MEAN = 1, 2, 3, 4

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.reduction_param
        self.operation, self.coeff = p.operation, p.coeff
        self.axis = canonical_axis(p.axis, len(bottom[0].shape))

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        canonical_axis(self.axis, len(bottom_shapes[0]))
        return [tuple(bottom_shapes[0][: self.axis])]

    def window(self) -> Window | None:
        return None

    def _factor(self, x: Array) -> float:
        count = math.prod(x.shape[self.axis :]) if self.operation == self.MEAN else 1
        return self.coeff / count if count else math.nan

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        each = {self.ASUM: self.ops.abs, self.SUMSQ: self.ops.square}.get(self.operation)
        x = x if each is None else each(x)
        shape = x.shape[: self.axis]
        y[...] = x.reshape(*shape, math.prod(x.shape[self.axis :])).sum(self.axis)
        scaled(self.ops, y, self._factor(x), out=y)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        x = bottom[0].get_data()
        g = top[0].get_diff() * self._factor(x)
        g = g.reshape(*g.shape, *(1,) * (x.ndim - self.axis))
        diff = bottom[0].mutable_diff()
        if self.operation == self.ASUM:
            self.ops.scale(self.ops.sign(x), g, out=diff)
        elif self.operation == self.SUMSQ:
            self.ops.scale(x, 2 * g, out=diff)
        else:
            diff[...] = g


@register("ArgMax")
class ArgMaxLayer(Layer):
    """Places of the ``top_k`` largest values, of equal ones the later first; no gradient.

    Without ``axis`` each item counts as flat: (N, 1, k), or (N, 2, k) with places and values.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.argmax_param
        self.with_values, self.top_k = p.out_max_val, in_range("top_k", p.top_k, 1)
        shape = tuple(bottom[0].shape)
        self.axis = canonical_axis(p.axis, len(shape)) if p.HasField("axis") else None

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        if self.axis is None:
            canonical_axis(0, len(shape))
            length = math.prod(shape[1:])
            rows = 2 if self.with_values else 1
            made = (shape[0], rows, self.top_k, *(1,) * (len(shape) - 3))
        else:
            length = shape[canonical_axis(self.axis, len(shape))]
            made = (*shape[: self.axis], self.top_k, *shape[self.axis + 1 :])
        if self.top_k > length:
            raise ShapeError(f"top_k is {self.top_k}, but there are only {length} values")
        return [made]

    def window(self) -> Window | None:
        return Window() if self.axis == 1 else None

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        axis = 1 if self.axis is None else self.axis
        if self.axis is None:
            x = x.reshape(len(x), math.prod(x.shape[1:]))
        places = self.ops.flip(self.ops.argsort(x, axis), (axis,))
        first = (*(slice(None),) * axis, slice(self.top_k))
        places = places[first]
        values = self.ops.pick(x, places, axis)
        if self.axis is not None:
            y[...] = values if self.with_values else places
            return
        y = y.reshape(*y.shape[:3])
        y[:, 0] = places
        if self.with_values:
            y[:, 1] = values
