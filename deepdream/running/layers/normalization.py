"""Layers that bring responses to one scale: LRN, BatchNorm, MVN.

Source: ``lrn_layer.cpp``, ``batch_norm_layer.cpp``, ``mvn_layer.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...errors import PrototxtError, ShapeError
from ..arrays import Array
from ..arrays.windows import Pool
from ..blob import Blob
from .base import TEST, Layer, Shape, Window, in_range, register, scaled


@register("LRN")
class LRNLayer(Layer):
    """Local response normalisation: divide by the strength of the neighbourhood.

    ACROSS_CHANNELS: with s = k + alpha / n * (sum of x^2 over the n nearest channels),
    y = x * s^-beta. WITHIN_CHANNEL: s = 1 + alpha * (mean of x^2 over n x n pixels), where the
    mean counts padding and k is not used.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.lrn_param
        self.size = in_range("local_size", p.local_size, 1)
        if self.size % 2 == 0:
            raise PrototxtError(f"local_size is {self.size}: an odd number is expected")
        self.alpha, self.beta, self.k = p.alpha, p.beta, p.k
        self.within = p.norm_region == 1

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        if len(shape) != 4:
            raise ShapeError(f"bottom has {len(shape)} axes {tuple(shape)}, 4 expected")
        return [tuple(shape)]

    def window(self) -> Window:
        if not self.within:
            return Window()
        half = self.size // 2
        return Window((self.size, self.size), (1, 1), (half, half))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        scale = self.room(x)
        if self.within:
            self.ops.average_pool(x * x, self._square(), scale)
            scaled(self.ops, scale, self.alpha, out=scale)
            scale += 1
            self.ops.multiply(x, self.ops.power(scale, -self.beta), out=y)
            return
        for part_x, part_y, s in self.ops.by_position(x, y, scale):
            if self.alpha:
                near = self._neighbours(part_x * part_x)
                self.ops.multiply(near, self.alpha / self.size, out=s)
                s += self.k
            else:
                s[...] = self.k
            self.ops.power(s, -self.beta, out=part_y)
            part_y *= part_x  # in place x is lost, as in Caffe

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        x, g, diff = bottom[0].get_data(), top[0].get_diff(), bottom[0].mutable_diff()
        scale = self.kept()
        # dL/dx = g s^-beta - 2 beta x * alpha * (mean of g y / s in the neighbourhood)
        if self.within:
            power = self.ops.power(scale, -self.beta)
            through = self.ops.zeros_like(x)
            if self.alpha and self.beta:
                self.ops.average_pool(g * x * power / scale, self._square(), through)
            through *= x
            through *= 2 * self.beta * self.alpha
            diff[...] = g * power - through
            return
        y = top[0].get_data()
        for part in self.ops.by_position(x, y, scale, g, diff):
            self._gradient(*part)

    def _gradient(self, x: Array, y: Array, scale: Array, g: Array, diff: Array) -> None:
        self.ops.power(scale, -self.beta, out=diff)
        diff *= g
        if not self.alpha or not self.beta:
            return
        through = self._neighbours(g * y / scale)
        through *= x
        through *= 2 * self.beta * self.alpha / self.size
        diff -= through

    def _square(self) -> Pool:
        return Pool((self.size, self.size), (1, 1), (self.size // 2, self.size // 2))

    def _neighbours(self, x: Array) -> Array:
        """Return (items, channels, positions) summed over the nearest channels that exist.

        The neighbourhood is symmetric, so this map is its own transpose.
        """
        total = self.ops.copy(x)
        for shift in range(1, min(self.size // 2, x.shape[1] - 1) + 1):
            total[:, shift:] += x[:, :-shift]
            total[:, :-shift] += x[:, shift:]
        return total


@register("BatchNorm")
class BatchNormLayer(Layer):
    """Normalise each channel to mean 0 and variance 1, with stored or with the batch's statistics.

    Blobs: sums of means (C), sums of variances (C), and the factor (1) that both are divided by.
    Stored statistics are used in the TEST phase, unless ``use_global_stats`` says otherwise.
    With ``scale_bias``, of NVIDIA's Caffe, two more blobs (C) follow: a scale, and a bias.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.batch_norm_param
        self.stored = p.use_global_stats if p.HasField("use_global_stats") else self.phase == TEST
        self.fraction, self.eps = p.moving_average_fraction, p.eps
        self.axes = len(bottom[0].shape)
        if self.axes < 1:
            raise ShapeError("bottom has no axes: at least 1 is expected")
        self.channels = bottom[0].shape[1] if self.axes > 1 else 1
        for i, spec in enumerate(self.param.param[:3]):
            if spec.lr_mult != 0:
                raise PrototxtError(
                    f"lr_mult of param {i} is {spec.lr_mult:g}: 0 is expected, "
                    "because statistics are not learned"
                )
        for shape in ((self.channels,), (self.channels,), (1,)):
            self.add_param(shape)
        self.param_diffs = [False] * 3
        self.scale_bias = p.scale_bias or p.HasField("scale_filler") or p.HasField("bias_filler")
        if self.scale_bias:
            one = type(p.scale_filler)(type="constant", value=1)
            self.add_param((self.channels,), p.scale_filler if p.HasField("scale_filler") else one)
            self.add_param((self.channels,), p.bias_filler)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        if not shape or (shape[1] if len(shape) > 1 else 1) != self.channels:
            raise ShapeError(
                f"bottom is {tuple(shape)}: {self.channels} channels on axis 1 are expected"
            )
        return [tuple(shape)]

    def window(self) -> Window | None:
        return Window() if self.stored else None

    def _by_channel(self, x: Array) -> Array:
        """Return x as (items, channels, positions)."""
        items = x.shape[0] if x.ndim > 1 else 1
        return x.reshape(items, self.channels, math.prod(x.shape[2:]) if x.ndim > 1 else len(x))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self._by_channel(bottom[0].get_data()), self._by_channel(top[0].mutable_data())
        if self.stored:
            total, total_var, factor = (self.value(i) for i in range(3))
            count = float(factor[0])
            weight = 1 / count if count else 0.0
            mean, var = self.ops.copy(total), self.ops.copy(total_var)
            self.ops.scale(mean, weight, out=mean)
            self.ops.scale(var, weight, out=var)
        else:
            mean = _mean(x)
            var = _mean(self.ops.square(x - mean[:, None]))
            self._update(mean, var, x.shape[0] * x.shape[2])
        std = var + self.eps
        self.ops.sqrt(std, out=std)
        self.ops.subtract(x, mean[:, None], out=y)
        y /= std[:, None]
        # Later layers may work in place on the top, so the batch's gradient needs its own copy.
        learns = self.scale_bias and self.param_diffs[3]
        self.keep((std, None if self.stored and not learns else self.ops.copy(y)))
        if self.scale_bias:
            y *= self.blobs[3].get_data()[:, None]
            y += self.blobs[4].get_data()[:, None]

    def _update(self, mean: Array, var: Array, count: int) -> None:
        """Let the stored statistics follow the batch's; the variance without its bias."""
        unbias = count / (count - 1) if count > 1 else 1.0
        for blob, value in zip(self.blobs, (mean, var * unbias, 1.0)):
            data = blob.mutable_data()
            data *= self.fraction
            data += value

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        # As in Caffe, also where propagate_down says no.
        g, diff = self._by_channel(top[0].get_diff()), self._by_channel(bottom[0].mutable_diff())
        std, y = self.kept()
        if self.scale_bias:
            if self.param_diffs[3]:
                scale = self.blobs[3].mutable_diff()
                scale += (g * y).sum((0, 2))
            if self.param_diffs[4]:
                bias = self.blobs[4].mutable_diff()
                bias += g.sum((0, 2))
            g = g * self.blobs[3].get_data()[:, None]
        if not self.stored:
            g = g - _mean(g)[:, None] - y * _mean(g * y)[:, None]
        self.ops.divide(g, std[:, None], out=diff)


def _mean(x: Array) -> Array:
    """Return the mean of each channel of (items, channels, positions)."""
    return x.sum((0, 2)) / (x.shape[0] * x.shape[2])


@register("MVN")
class MVNLayer(Layer):
    """Subtract the mean of each picture's channel (or of each picture) and divide by its std.

    ``eps`` is added to the standard deviation, not to the variance. The top has 4 axes.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.mvn_param
        self.across, self.divide, self.eps = p.across_channels, p.normalize_variance, p.eps

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        if len(shape) > 4:
            raise ShapeError(f"bottom has {len(shape)} axes {shape}, at most 4 expected")
        return [shape + (1,) * (4 - len(shape))]

    def window(self) -> Window | None:
        return None

    def _rows(self, x: Array) -> Array:
        """Return x with one row for each group of values that is normalised together."""
        shape = (*x.shape, 1, 1, 1, 1)[:4]
        rows = shape[0] if self.across else shape[0] * shape[1]
        return x.reshape(rows, math.prod(shape[1:] if self.across else shape[2:]))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self._rows(bottom[0].get_data()), self._rows(top[0].mutable_data())
        self.ops.subtract(x, x.sum(1, keepdims=True) / x.shape[1], out=y)
        if self.divide:
            std = self.ops.sqrt(self.ops.square(y).sum(1, keepdims=True) / x.shape[1])
            std += self.eps
            y /= std
            self.keep(std)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        y, g = self._rows(top[0].get_data()), self._rows(top[0].get_diff())
        diff = self._rows(bottom[0].mutable_diff())
        if not self.divide:
            self.ops.subtract(g, g.sum(1, keepdims=True) / g.shape[1], out=diff)
            return
        # dL/dx = (g - (sum of g + y * sum of g y) / n) / std; Caffe's steps, since in place
        # diff is g.
        self.ops.multiply(y, g, out=diff)
        self.ops.multiply(y, diff.sum(1, keepdims=True), out=diff)
        diff += g.sum(1, keepdims=True)
        diff *= -1 / max(1, g.shape[1])
        diff += g
        diff /= self.kept()
