"""Layers that change each value by itself: ReLU and its kin, Power, Exp, Log, Dropout.

Most of them may work in place, and then `backward` finds the top's values in the bottom, and writes
the bottom's gradient over the top's. The steps below are in Caffe's order, so that what becomes of
this is what becomes of it in Caffe: nothing for ReLU, a wrong gradient for Power, Log and BNLL.

Source: ``relu_layer.cpp``, ``power_layer.cpp`` ... of BVLC/caffe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import PrototxtError, ShapeError
from .. import fillers
from ..arrays import Array
from ..blob import Blob
from .base import TRAIN, Layer, Shape, refuse_in_place, register, scaled


class NeuronLayer(Layer):
    """A function of one value, given by `function` and `gradient`."""

    def function(self, x: Array, y: Array) -> None:
        """Write the values for x into y, which may be the same memory."""
        raise NotImplementedError

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        """Write the gradient at x into diff; g, at y, may be the same memory."""
        super().backward([], [], [])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for x, y in self.ops.parts(bottom[0].get_data(), top[0].mutable_data()):
            self.function(x, y)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0]:
            x, y = bottom[0].get_data(), top[0].get_data()
            g, diff = top[0].get_diff(), bottom[0].mutable_diff()
            for part in self.ops.parts(x, y, g, diff):
                self.gradient(*part)


@register("ReLU")
class ReLULayer(NeuronLayer):
    """y = x where x > 0, else negative_slope * x."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.slope = self.param.relu_param.negative_slope

    def function(self, x: Array, y: Array) -> None:
        # Multiplied by the slope even where that is 0: -inf becomes NaN, as in Caffe.
        self.ops.leaky(x, self.slope, out=y)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        if self.slope == 0:
            self.ops.multiply(g, x > 0, out=diff)
        else:
            self.ops.multiply(g, _step(self.ops, x, self.slope), out=diff)


def _step(ops: Any, x: Array, slope: Any) -> Array:
    """Return 1 where x > 0, the slope where x <= 0, and 0 where x is NaN."""
    step = ops.zeros_like(x)
    step += x <= 0
    step *= slope
    step += x > 0
    return step


@register("PReLU")
class PReLULayer(Layer):
    """y = x where x > 0, else slope * x, with one slope for each channel or one for all."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.prelu_param
        self.axes = len(bottom[0].shape)
        if self.axes < 2:
            raise ShapeError(f"bottom has {self.axes} axes: at least 2 are expected")
        self.channels = bottom[0].shape[1]
        filler = p.filler if p.HasField("filler") else type(p.filler)(type="constant", value=0.25)
        self.add_param(() if p.channel_shared else (self.channels,), filler)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        if len(shape) < 2 or shape[1] != self.channels:
            raise ShapeError(f"bottom is {shape}: {self.channels} channels on axis 1 are expected")
        return [shape]

    def _slope(self, x: Array) -> Array:
        slope = self.value(0)
        return slope.reshape(-1, *(1,) * (x.ndim - 2)) if slope.ndim else slope

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        self.keep(self.ops.copy(x) if bottom[0] is top[0] else None)
        below = self.ops.clip(x, high=0)
        below *= self._slope(x)
        self.ops.clip(x, low=0, out=y)
        y += below

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        x = self.kept() if bottom[0] is top[0] else bottom[0].get_data()
        g, slope = top[0].get_diff(), self._slope(x)
        if self.param_diffs[0]:
            each = g * x * (x <= 0)
            axes = tuple(i for i in range(x.ndim) if i != 1)
            diff = self.value_diff(0)
            diff += each.sum(axes) if slope.ndim else each.sum()
        if propagate_down[0]:
            self.ops.multiply(g, _step(self.ops, x, slope), out=bottom[0].mutable_diff())


@register("ELU")
class ELULayer(NeuronLayer):
    """y = x where x > 0, else alpha * (e^x - 1)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.alpha = self.param.elu_param.alpha

    def function(self, x: Array, y: Array) -> None:
        below = self.ops.expm1(self.ops.clip(x, high=0))
        below *= self.alpha
        self.ops.clip(x, low=0, out=y)
        y += below

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        slope = (y + self.alpha) * (x <= 0)
        slope += x > 0
        self.ops.multiply(g, slope, out=diff)


def sigmoid(ops: Any, x: Array) -> Array:
    """Return 1 / (1 + e^-x), written as in Caffe."""
    y = ops.tanh(0.5 * x)
    y *= 0.5
    y += 0.5
    return y


@register("Sigmoid")
class SigmoidLayer(NeuronLayer):
    """y = 1 / (1 + e^-x)."""

    def function(self, x: Array, y: Array) -> None:
        y[...] = sigmoid(self.ops, x)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        self.ops.multiply(g, y * (1 - y), out=diff)


@register("TanH")
class TanHLayer(NeuronLayer):
    """y = tanh x."""

    def function(self, x: Array, y: Array) -> None:
        self.ops.tanh(x, out=y)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        self.ops.multiply(g, 1 - y * y, out=diff)


@register("Swish")
class SwishLayer(Layer):
    """y = x * sigmoid(beta * x)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.beta = self.param.swish_param.beta

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].get_data()
        inner = self.ops.empty_like(x)
        self.ops.scale(x, self.beta, out=inner)
        gate = sigmoid(self.ops, inner)
        self.keep(gate)
        self.ops.multiply(x, gate, out=top[0].mutable_data())

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0]:
            by = self.beta * top[0].get_data()
            slope = by + self.kept() * (1 - by)
            self.ops.multiply(top[0].get_diff(), slope, out=bottom[0].mutable_diff())


@register("AbsVal")
class AbsValLayer(NeuronLayer):
    """y = abs(x)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)

    def function(self, x: Array, y: Array) -> None:
        self.ops.abs(x, out=y)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        self.ops.multiply(g, self.ops.sign(x), out=diff)


@register("Power")
class PowerLayer(NeuronLayer):
    """y = (shift + scale * x) ^ power."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.power_param
        self.power, self.scale, self.shift = p.power, p.scale, p.shift
        self.slope = self.power * self.scale

    def function(self, x: Array, y: Array) -> None:
        if self.slope == 0:
            y[...] = _power(self.shift, self.power)
        else:
            _affine(self.ops, x, self.scale, self.shift, out=y)
            if self.power != 1:
                self.ops.power(y, self.power, out=y)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        # The derivative is written into diff first and multiplied by g then. In place diff is g,
        # so that g is lost and the derivative is squared.
        if self.slope == 0 or self.power == 1:
            diff[...] = self.slope
        elif self.power == 2:
            _affine(self.ops, x, self.slope * self.scale, self.slope * self.shift, out=diff)
        elif self.shift == 0:
            self.ops.divide(y, x, out=diff)  # NaN at x = 0
            diff *= self.power
        else:
            _affine(self.ops, x, self.scale, self.shift, out=diff)
            self.ops.divide(y, diff, out=diff)
            diff *= self.slope
        if self.slope != 0:
            diff *= g


def _affine(ops: Any, x: Array, scale: float, shift: float, out: Array) -> None:
    # Nothing is added where shift is 0: -0 stays what it is.
    scaled(ops, x, scale, out=out)
    if shift:
        out += shift


def _power(base: float, exponent: float) -> float:
    """Return base ^ exponent as C does: infinite or NaN where Python raises."""
    with np.errstate(all="ignore"):
        return float(np.float64(base) ** np.float64(exponent))


@register("Exp")
class ExpLayer(NeuronLayer):
    """y = base ^ (shift + scale * x); base -1 stands for e."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.exp_param
        self.inner = _log_base(p.base) * p.scale
        self.outer = _power(math.e if p.base == -1 else p.base, p.shift)

    def function(self, x: Array, y: Array) -> None:
        scaled(self.ops, x, self.inner, out=y)
        self.ops.exp(y, out=y)
        scaled(self.ops, y, self.outer, out=y)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        self.ops.multiply(y, g, out=diff)
        scaled(self.ops, diff, self.inner, out=diff)


@register("Log")
class LogLayer(NeuronLayer):
    """y = logarithm of (shift + scale * x) to the base; base -1 stands for e."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.log_param
        log_base = _log_base(p.base)
        if log_base == 0:
            raise PrototxtError("base is 1: a logarithm needs another one")
        self.scale, self.shift, self.outer = p.scale, p.shift, 1 / log_base

    def function(self, x: Array, y: Array) -> None:
        _affine(self.ops, x, self.scale, self.shift, out=y)
        self.ops.log(y, out=y)
        scaled(self.ops, y, self.outer, out=y)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        # As in Power, g is lost in place.
        _affine(self.ops, x, self.scale, self.shift, out=diff)
        diff[...] = 1 / diff
        scaled(self.ops, diff, self.scale * self.outer, out=diff)
        diff *= g


def _log_base(base: float) -> float:
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        raise PrototxtError(f"base is {base:g}: a positive number, or -1 for e, is expected")
    return math.log(base)


@register("BNLL")
class BNLLLayer(NeuronLayer):
    """y = log(1 + e^x)."""

    def function(self, x: Array, y: Array) -> None:
        rest = self.ops.log1p(self.ops.exp(-self.ops.abs(x)))
        self.ops.clip(x, low=0, out=y)
        y += rest

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        self.ops.multiply(g, sigmoid(self.ops, x), out=diff)


@register("Threshold")
class ThresholdLayer(NeuronLayer):
    """y = 1 where x > threshold, else 0; it has no gradient."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.threshold = self.param.threshold_param.threshold

    def function(self, x: Array, y: Array) -> None:
        y[...] = x > self.threshold


@register("Clip")
class ClipLayer(NeuronLayer):
    """y = x, but min below and max above, and min for NaN, as C++ compares.

    In place the gradient passes everywhere, because clipped values lie within the bounds.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.clip_param
        for bound in ("min", "max"):
            if not p.HasField(bound):
                raise PrototxtError(f"{bound} is missing in clip_param: a number is expected")
        self.low, self.high = p.min, p.max

    def function(self, x: Array, y: Array) -> None:
        nothing = self.ops.isnan(x)
        self.ops.clip(x, self.low, self.high, out=y)
        if nothing.any():
            y[nothing] = self.low

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        self.ops.multiply(g, (x >= self.low) & (x <= self.high), out=diff)


@register("Dropout")
class DropoutLayer(Layer):
    """TRAIN: set values to 0 by chance and scale up the others; TEST: copy.

    With ``sample_weights_test``, of SegNet's Caffe, both phases are as TRAIN.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.ratio = self.param.dropout_param.dropout_ratio
        self.drops = self.phase == TRAIN or self.param.dropout_param.sample_weights_test
        if not 0 <= self.ratio < 1:
            raise PrototxtError(f"dropout_ratio is {self.ratio:g}: 0 up to, not 1, is expected")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        if self.drops:
            chances = np.random.default_rng(fillers.random_state().randint(2**31 - 1))
            stays = chances.random(tuple(x.shape), np.float32) >= self.ratio
            factor = self.ops.like(stays, x)
            factor /= 1 - self.ratio
            self.keep(factor)
            self.ops.multiply(x, factor, out=y)
        elif bottom[0] is not top[0]:
            y[...] = x

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        g, diff = top[0].get_diff(), bottom[0].mutable_diff()
        if self.drops:
            self.ops.multiply(g, self.kept(), out=diff)
        elif bottom[0] is not top[0]:
            diff[...] = g
