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
from ...on_demand import torch
from .. import fillers
from ..blob import Blob
from .base import TRAIN, Layer, Shape, refuse_in_place, register


class NeuronLayer(Layer):
    """A function of one value, given by `function` and `gradient`."""

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Write the values for x into y, which may be the same memory."""
        raise NotImplementedError

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        """Write the gradient at x into diff; g, at y, may be the same memory."""
        super().backward([], [], [])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.function(bottom[0].get_data(), top[0].mutable_data())

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0]:
            x, y = bottom[0].get_data(), top[0].get_data()
            self.gradient(x, y, top[0].get_diff(), bottom[0].mutable_diff())


@register("ReLU")
class ReLULayer(NeuronLayer):
    """y = x where x > 0, else negative_slope * x."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.slope = self.param.relu_param.negative_slope

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        # Multiplied by the slope even where that is 0: -inf becomes NaN, as in Caffe. Adding 0
        # makes 0 of -0.
        torch.ops.aten.leaky_relu.out(x, self.slope, out=y)
        y.add_(0)

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        if self.slope == 0:
            torch.ops.aten.leaky_relu_backward.grad_input(g, x, 0.0, False, grad_input=diff)
        else:
            torch.mul(g, _step(x, self.slope), out=diff)


def _step(x: torch.Tensor, slope: Any) -> torch.Tensor:
    """Return 1 where x > 0, the slope where x <= 0, and 0 where x is NaN."""
    return (x > 0) + slope * (x <= 0)


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

    def _slope(self, x: torch.Tensor) -> torch.Tensor:
        slope = self.blobs[0].get_data()
        return slope.view(-1, *(1,) * (x.dim() - 2)) if slope.dim() else slope

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        self.keep(x.clone() if bottom[0] is top[0] else None)
        y.copy_(x.clamp(min=0) + self._slope(x) * x.clamp(max=0))

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        x = self.kept() if bottom[0] is top[0] else bottom[0].get_data()
        g, slope = top[0].get_diff(), self._slope(x)
        if self.param_diffs[0]:
            each = g * x * (x <= 0)
            axes = [i for i in range(x.dim()) if i != 1]
            total = each.sum(axes) if slope.dim() else each.sum()
            self.blobs[0].mutable_diff().add_(total)
        if propagate_down[0]:
            torch.mul(g, _step(x, slope), out=bottom[0].mutable_diff())


@register("ELU")
class ELULayer(NeuronLayer):
    """y = x where x > 0, else alpha * (e^x - 1)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.alpha = self.param.elu_param.alpha

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        y.copy_(x.clamp(min=0) + self.alpha * torch.expm1(x.clamp(max=0)))

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        torch.mul(g, (x > 0) + (x <= 0) * (y + self.alpha), out=diff)


@register("Sigmoid")
class SigmoidLayer(NeuronLayer):
    """y = 1 / (1 + e^-x)."""

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        torch.sigmoid(x, out=y)

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        torch.mul(g, y * (1 - y), out=diff)


@register("TanH")
class TanHLayer(NeuronLayer):
    """y = tanh x."""

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        torch.tanh(x, out=y)

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        torch.mul(g, 1 - y * y, out=diff)


@register("Swish")
class SwishLayer(NeuronLayer):
    """y = x * sigmoid(beta * x)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.beta = self.param.swish_param.beta

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        gate = torch.sigmoid(self.beta * x)
        self.keep(gate)
        torch.mul(x, gate, out=y)

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        by = self.beta * y
        torch.mul(g, by + self.kept() * (1 - by), out=diff)


@register("AbsVal")
class AbsValLayer(NeuronLayer):
    """y = abs(x)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        torch.abs(x, out=y)

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        torch.mul(g, torch.sign(x), out=diff)


@register("Power")
class PowerLayer(NeuronLayer):
    """y = (shift + scale * x) ^ power."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.power_param
        self.power, self.scale, self.shift = p.power, p.scale, p.shift
        self.slope = self.power * self.scale

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        if self.slope == 0:
            y.copy_(torch.tensor(_power(self.shift, self.power), dtype=torch.float64))
        else:
            y.copy_(x).mul_(self.scale).add_(self.shift)
            if self.power != 1:
                y.pow_(self.power)

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        # The derivative is written into diff first and multiplied by g then. In place diff is g,
        # so that g is lost and the derivative is squared.
        if self.slope == 0 or self.power == 1:
            diff.fill_(self.slope)
        elif self.power == 2:
            diff.copy_(x).mul_(self.slope * self.scale).add_(self.slope * self.shift)
        elif self.shift == 0:
            torch.div(y, x, out=diff).mul_(self.power)  # NaN at x = 0
        else:
            diff.copy_(x).mul_(self.scale).add_(self.shift)
            torch.div(y, diff, out=diff).mul_(self.slope)
        if self.slope != 0:
            diff.mul_(g)


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

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        torch.exp(self.inner * x, out=y)
        y.mul_(self.outer)

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        torch.mul(y, g, out=diff).mul_(self.inner)


@register("Log")
class LogLayer(NeuronLayer):
    """y = logarithm of (shift + scale * x) to the base; base -1 stands for e."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.log_param
        log_base = _log_base(p.base)
        if log_base == 0:
            raise PrototxtError("base is 1: a logarithm needs another one")
        self.scale, self.shift, self.outer = p.scale, p.shift, 1 / log_base

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        y.copy_(x).mul_(self.scale).add_(self.shift).log_().mul_(self.outer)

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        # As in Power, g is lost in place.
        diff.copy_(x).mul_(self.scale).add_(self.shift).reciprocal_()
        diff.mul_(self.scale * self.outer).mul_(g)


def _log_base(base: float) -> float:
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        raise PrototxtError(f"base is {base:g}: a positive number, or -1 for e, is expected")
    return math.log(base)


@register("BNLL")
class BNLLLayer(NeuronLayer):
    """y = log(1 + e^x)."""

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        y.copy_(x.clamp(min=0) + torch.log1p(torch.exp(-x.abs())))

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        torch.mul(g, torch.sigmoid(x), out=diff)


@register("Threshold")
class ThresholdLayer(NeuronLayer):
    """y = 1 where x > threshold, else 0; it has no gradient."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.threshold = self.param.threshold_param.threshold

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        y.copy_(x > self.threshold)


@register("Clip")
class ClipLayer(NeuronLayer):
    """y = x, but min below and max above.

    In place the gradient passes everywhere, because clipped values lie within the bounds.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.clip_param
        for bound in ("min", "max"):
            if not p.HasField(bound):
                raise PrototxtError(f"{bound} is missing in clip_param: a number is expected")
        self.low, self.high = p.min, p.max

    def function(self, x: torch.Tensor, y: torch.Tensor) -> None:
        y.copy_(x.clamp(max=self.high).clamp_(min=self.low))

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, g: torch.Tensor, diff: torch.Tensor
    ) -> None:
        torch.mul(g, (x >= self.low) & (x <= self.high), out=diff)


@register("Dropout")
class DropoutLayer(Layer):
    """TRAIN: set values to 0 by chance and scale up the others; TEST: copy."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.ratio = self.param.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            raise PrototxtError(f"dropout_ratio is {self.ratio:g}: 0 up to, not 1, is expected")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        if self.phase == TRAIN:
            generator = torch.Generator(x.device)
            generator.manual_seed(int(fillers.random_state().randint(2**31 - 1)))
            factor = torch.empty_like(x).bernoulli_(1 - self.ratio, generator=generator)
            self.keep(factor.div_(1 - self.ratio))
            torch.mul(x, factor, out=y)
        elif bottom[0] is not top[0]:
            y.copy_(x)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        g, diff = top[0].get_diff(), bottom[0].mutable_diff()
        if self.phase == TRAIN:
            torch.mul(g, self.kept(), out=diff)
        elif bottom[0] is not top[0]:
            diff.copy_(g)
