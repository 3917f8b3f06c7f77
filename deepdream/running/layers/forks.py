"""Layers of Caffe's variants, as far as their meaning is certain: BN, Interp, Permute, ReLU6 ...

BVLC's Caffe has none of these; the nets that use them were trained with a variant that has. Each
class names where its formula comes from. The real Caffe cannot judge them, so the tests compare
them with slow loops of a few lines, and their gradients with differences in float64.

In BVLC's own layers variants added fields, which are read there: ``ceil_mode`` in Pooling,
``scale_bias`` in BatchNorm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import PrototxtError, ShapeError
from ..arrays import Array
from ..blob import Blob
from .activation import NeuronLayer, sigmoid
from .base import TEST, Layer, Shape, Window, in_range, refuse_in_place, register
from .vision import ConvolutionLayer


def _four_axes(shape: Shape) -> Shape:
    """Return a shape that has items, channels, height and width.

    Raises
    ------
    ShapeError
        It has not.
    """
    if len(shape) != 4:
        raise ShapeError(f"bottom has {len(shape)} axes {tuple(shape)}, 4 expected")
    return tuple(shape)


@register("DepthwiseConvolution")
class DepthwiseConvolutionLayer(ConvolutionLayer):
    """A Convolution in groups under another name, made for one filter a channel.

    Weights (num_output, channels / group, kh, kw), then the bias. ``group`` is read as it stands.

    Source: ``depthwise_conv_layer.hpp`` of farmingyard/caffe-DepthwiseConvolution.
    """

    same_as = "Convolution"


@register("ConvolutionDepthwise")
class ConvolutionDepthwiseLayer(ConvolutionLayer):
    """A Convolution with one filter for each channel; ``group`` and ``num_output`` are not needed.

    Weights (channels, 1, kh, kw), then the bias (channels).

    Source: ``conv_dw_layer.cpp`` of pull request 5665 of BVLC/caffe.
    """

    same_as = "Convolution"

    def counts(self, p: Any, channels: int) -> tuple[int, int]:
        for name in ("num_output", "group"):
            if p.HasField(name) and getattr(p, name) not in (1, channels):
                raise PrototxtError(
                    f"{name} is {getattr(p, name)}: {channels}, the bottom's channels, is expected"
                )
        return channels, channels


@register("ReLU6")
class ReLU6Layer(NeuronLayer):
    """y = x between 0 and 6, 6 above, negative_slope * x below.

    At 0 and at 6 itself there is no gradient (at 0 that of the slope).

    Source: ``relu6_layer.cpp`` of eric612/MobileNet-YOLO.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.slope = self.param.relu6_param.negative_slope

    def function(self, x: Array, y: Array) -> None:
        self.ops.leaky(x, self.slope, out=y)
        self.ops.clip(y, high=6.0, out=y)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        step = self.ops.zeros_like(x)
        step += x <= 0
        step *= self.slope
        step += x > 0
        step *= x < 6
        self.ops.multiply(g, step, out=diff)


@register("HardSigmoid")
class HardSigmoidLayer(NeuronLayer):
    """y = 0.2 * x + 0.5, but at least 0 and at most 1.

    Source: ``hard_sigmoid_layer.cpp`` of eric612/MobileNet-YOLO. Its gradient looks at the top
    where the bottom is meant, and passes everywhere; here it is that of the formula.
    """

    def function(self, x: Array, y: Array) -> None:
        self.ops.multiply(x, 0.2, out=y)
        y += 0.5
        self.ops.clip(y, 0.0, 1.0, out=y)

    def gradient(self, x: Array, y: Array, g: Array, diff: Array) -> None:
        inside = self.ops.zeros_like(y)
        inside += y > 0
        inside *= y < 1
        inside *= 0.2
        self.ops.multiply(g, inside, out=diff)


@register("Mish")
class MishLayer(Layer):
    """y = x * tanh(log(1 + e^x)).

    Source: ``mish_layer.cpp`` of troyliu0105/caffe, after D. Misra, Mish (2019).
    """

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].get_data()
        q = sigmoid(self.ops, -x)  # 1 / (1 + e^x)
        square = q * q
        factor = (1 - square) / (1 + square)  # tanh(log(1 + e^x)), with nothing that overflows
        self.keep(factor + x * (4 * square * (1 - q) / (1 + square) ** 2))
        self.ops.multiply(x, factor, out=top[0].mutable_data())

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0]:
            self.ops.multiply(top[0].get_diff(), self.kept(), out=bottom[0].mutable_diff())


@register("Axpy")
class AxpyLayer(Layer):
    """y = a * x + b for bottoms a, x and b, where a has one number for each channel.

    a is (n, c) or (n, c, 1, 1); x, b and the top are (n, c, h, w).

    Source: ``axpy_layer.cpp`` of hujie-frank/SENet.
    """

    bottoms = (3, 3)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom[:2], top)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        a, x, b = (tuple(shape) for shape in bottom_shapes)
        if len(x) < 2 or x != b or a[:2] != x[:2] or math.prod(a[2:]) != 1 or len(a) not in (2, 4):
            raise ShapeError(
                f"bottoms of shapes {a}, {x}, {b}: (n, c), (n, c, h, w) and (n, c, h, w) are needed"
            )
        return [x]

    def _factor(self, bottom: Sequence[Blob], x: Array) -> Array:
        return bottom[0].get_data().reshape(*x.shape[:2], *(1,) * (x.ndim - 2))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, b, y = bottom[1].get_data(), bottom[2].get_data(), top[0].mutable_data()
        self.ops.add(b, x * self._factor(bottom, x), out=y)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        g, x = top[0].get_diff(), bottom[1].get_data()
        if propagate_down[0]:
            diff = bottom[0].mutable_diff()
            rows = (g * x).reshape(*x.shape[:2], math.prod(x.shape[2:]))
            diff[...] = rows.sum(2).reshape(*diff.shape)
        if propagate_down[1]:
            self.ops.multiply(g, self._factor(bottom, x), out=bottom[1].mutable_diff())
        if propagate_down[2] and bottom[2] is not top[0]:
            bottom[2].mutable_diff()[...] = g


class MovingLayer(Layer):
    """Puts values in other places: the top is the bottom seen by `view`, with other axes."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)

    def window(self) -> Window | None:
        return None

    def view(self, x: Array) -> Array:
        """Return a view of a bottom that has the top's values, in their order."""
        raise NotImplementedError

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        moved = self.view(bottom[0].get_data())
        top[0].mutable_data().reshape(moved.shape)[...] = moved

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0]:
            place = self.view(bottom[0].mutable_diff())
            place[...] = top[0].get_diff().reshape(place.shape)


@register("ShuffleChannel")
class ShuffleChannelLayer(MovingLayer):
    """Channels in ``group`` groups, dealt out in turn: the first of each group, the second ...

    With k channels in a group, channel j of group i becomes channel j * group + i.

    Source: ``shuffle_channel_layer.cpp`` of farmingyard/ShuffleNet.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.group = in_range("group", self.param.shuffle_channel_param.group, 1)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        if len(shape) < 2 or shape[1] % self.group:
            raise ShapeError(f"bottom {shape} has no channels that form {self.group} groups")
        return [shape]

    def window(self) -> Window:
        return Window()

    def view(self, x: Array) -> Array:
        apart = (x.shape[0], self.group, x.shape[1] // self.group, *x.shape[2:])
        return self.ops.moveaxis(x.reshape(apart), 1, 2)


@register("Permute")
class PermuteLayer(MovingLayer):
    """Axes in another order: axis i of the top is axis ``order[i]`` of the bottom.

    Axes that ``order`` does not name follow in their own order.

    Source: ``permute_layer.cpp`` of weiliu89/caffe (SSD).
    """

    field = "order"

    def named_axes(self) -> Sequence[int]:
        """Return the axes as the prototxt names them."""
        order: Sequence[int] = self.param.permute_param.order
        return order

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        axes = len(bottom[0].shape)
        named = [in_range(self.field, axis, 0, axes - 1) for axis in self.named_axes()]
        if len(set(named)) < len(named):
            raise PrototxtError(f"{self.field} {named} names an axis twice")
        self.order = (*named, *(axis for axis in range(axes) if axis not in named))

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        if len(shape) != len(self.order):
            raise ShapeError(f"bottom has {len(shape)} axes {shape}, {len(self.order)} expected")
        return [tuple(shape[axis] for axis in self.order)]

    def view(self, x: Array) -> Array:
        return self.ops.moveaxis(x, self.order, tuple(range(len(self.order))))


@register("Transpose")
class TransposeLayer(PermuteLayer):
    """Axes in another order: axis i of the top is axis ``dim[i]`` of the bottom.

    Source: ``transpose_layer.cpp`` of tianzhi0549/caffe (CTPN).
    """

    field = "dim"

    def named_axes(self) -> Sequence[int]:
        dim: Sequence[int] = self.param.transpose_param.dim
        return dim

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if len(self.named_axes()) != len(self.order):
            raise PrototxtError(
                f"{len(self.named_axes())} dim for {len(self.order)} axes: one for each is expected"
            )


@register("Reorg")
class ReorgLayer(MovingLayer):
    """Squares of ``stride`` x ``stride`` pixels become channels, or with ``reverse`` the other way.

    Only reverse does what one expects: with s = stride, channel (i * s + j) * c + k of pixel
    (y, x) becomes channel k of pixel (s y + i, s x + j), where c = channels / s^2. Forward reads
    the bottom's numbers as if they lay in a blob of c channels, s h high and s w wide, and takes
    that apart, as Darknet does it; the channels must be a multiple of s^2 here, too.

    Source: ``reorg_layer.cpp`` of choasup/caffe-yolo9000, ``reorg_cpu`` of pjreddie/darknet. Its
    gradient there is wrong (zero, from a blob that nobody fills); here it is that of the formula.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        p = self.param.reorg_param
        self.stride, self.reverse = in_range("stride", p.stride, 1), p.reverse

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        n, c, h, w = _four_axes(bottom_shapes[0])
        s = self.stride
        if c % s**2:
            raise ShapeError(f"{c} channels are no multiple of stride^2, {s**2}")
        if self.reverse:
            return [(n, c // s**2, h * s, w * s)]
        if h % s or w % s:
            raise ShapeError(f"height {h} and width {w} are no multiples of stride, {s}")
        return [(n, c * s**2, h // s, w // s)]

    def view(self, x: Array) -> Array:
        (n, c, h, w), s = x.shape, self.stride
        if self.reverse:
            apart = x.reshape(n, s, s, c // s**2, h, w)
            return self.ops.moveaxis(apart, (0, 3, 4, 1, 5, 2), tuple(range(6)))
        apart = x.reshape(n, c // s**2, h, s, w, s)
        return self.ops.moveaxis(apart, (0, 3, 5, 1, 2, 4), tuple(range(6)))


@register("Normalize")
class NormalizeLayer(Layer):
    """y = scale * x / n, where n^2 = eps + (sum of x^2 over channels, and over pixels).

    Over channels only with ``across_spatial: false``, then each pixel has its own n. The scale is a
    parameter: one number with ``channel_shared``, else one for each channel; 1 without a filler.

    Source: ``normalize_layer.cpp`` of weiliu89/caffe (SSD), after W. Liu and others, ParseNet.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.norm_param
        self.across, self.eps = p.across_spatial, p.eps
        shape = tuple(bottom[0].shape)
        if len(shape) < 2:
            raise ShapeError(f"bottom has {len(shape)} axes {shape}, 2 or more expected")
        self.channels = shape[1]
        one = type(p.scale_filler)(type="constant", value=1)
        self.add_param(
            () if p.channel_shared else (self.channels,),
            p.scale_filler if p.HasField("scale_filler") else one,
        )

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        if len(shape) < 2 or shape[1] != self.channels:
            raise ShapeError(f"bottom is {shape}: {self.channels} channels on axis 1 are expected")
        return [shape]

    def window(self) -> Window | None:
        return None if self.across else Window()

    def _rows(self, x: Array) -> Array:
        """Return x as (items, channels, positions)."""
        return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))

    def _sum(self, x: Array) -> Array:
        """Return sums over what is normalised together, with axes of length 1."""
        total = x.sum(1, keepdims=True)
        return total.sum(2, keepdims=True) if self.across else total

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self._rows(bottom[0].get_data()), self._rows(top[0].mutable_data())
        norm = self.ops.sqrt(self._sum(x * x) + self.eps)
        self.ops.divide(x, norm, out=y)
        y *= self.blobs[0].get_data().reshape(-1, 1)
        self.keep(norm)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        x, g, norm = self._rows(bottom[0].get_data()), self._rows(top[0].get_diff()), self.kept()
        if self.param_diffs[0]:
            scale = self.blobs[0].mutable_diff()
            sums = (g * x / norm).sum(2).sum(0)
            scale += sums.sum() if not scale.ndim else sums
        if propagate_down[0]:
            # dL/dx = (s g - x * (sum of s g x) / n^2) / n
            g = g * self.blobs[0].get_data().reshape(-1, 1)
            diff = self._rows(bottom[0].mutable_diff())
            self.ops.subtract(g, x * (self._sum(g * x) / (norm * norm)), out=diff)
            diff /= norm


@register("Interp")
class InterpLayer(Layer):
    """Another size by linear interpolation along height and width, corners on corners.

    From H rows (after ``pad_beg`` and ``pad_end``, which are not above 0, have cut some off) come
    ``height`` ones, or (H - 1) * zoom_factor + 1, or (H - 1) / shrink_factor + 1 (rounded down);
    with both factors it is shrunk first. Row r of R reads the place r * (H - 1) / (R - 1).

    Source: ``interp_layer.cpp`` of DeepLab's Caffe (deeplab-public-ver2).
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom[:1], top)
        p = self.param.interp_param
        self.begin, self.end = p.pad_beg, p.pad_end
        if self.begin > 0 or self.end > 0:
            raise PrototxtError(
                f"pad_beg is {self.begin}, pad_end {self.end}: 0 or less is expected, what is cut"
            )
        self.zoom = in_range("zoom_factor", p.zoom_factor, 1) if p.HasField("zoom_factor") else 0
        self.shrink = (
            in_range("shrink_factor", p.shrink_factor, 1) if p.HasField("shrink_factor") else 0
        )
        self.size: tuple[int, int] | None = None
        if not self.zoom and not self.shrink:
            if not (p.HasField("height") and p.HasField("width")):
                raise PrototxtError(
                    "height and width, zoom_factor or shrink_factor is needed for the top's size"
                )
            self.size = in_range("height", p.height, 1), in_range("width", p.width, 1)

    def _length(self, length: int, axis: int) -> int:
        if self.size is not None:
            return self.size[axis]
        if self.shrink:
            length = (length - 1) // self.shrink + 1
        return length + (length - 1) * (self.zoom - 1) if self.zoom else length

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        n, c, h, w = _four_axes(bottom_shapes[0])
        if min(h, w) + self.begin + self.end < 1:
            raise ShapeError(
                f"the picture is too small: pad_beg {self.begin} and pad_end {self.end} leave "
                f"nothing of {(h, w)}"
            )
        cut = self.begin + self.end
        return [(n, c, self._length(h + cut, 0), self._length(w + cut, 1))]

    def window(self) -> Window | None:
        return None

    def _matrix(self, length: int, made: int, like: Array) -> Array:
        """Return the (made, length) weights of the bottom's rows in each of the top's."""
        inner = length + self.begin + self.end
        place = np.arange(made) * ((inner - 1) / (made - 1) if made > 1 else 0.0)
        low = np.minimum(place.astype(int), inner - 1)
        high = np.minimum(low + 1, inner - 1)
        matrix = np.zeros((made, length))
        rows = np.arange(made)
        np.add.at(matrix, (rows, low - self.begin), 1 - (place - low))
        np.add.at(matrix, (rows, high - self.begin), place - low)
        return self.ops.like(matrix, like)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        down = self._matrix(x.shape[2], y.shape[2], x)
        along = self._matrix(x.shape[3], y.shape[3], x)
        y[...] = self.ops.matmul(self.ops.matmul(down, x), along.T)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0]:
            g, diff = top[0].get_diff(), bottom[0].mutable_diff()
            down = self._matrix(diff.shape[2], g.shape[2], g)
            along = self._matrix(diff.shape[3], g.shape[3], g)
            diff[...] = self.ops.matmul(self.ops.matmul(down.T, g), along)


@register("Upsample")
class UpsampleLayer(Layer):
    """A larger picture: values at the places of a maximum, or repeated.

    With two bottoms (SegNet) the second is the second top of a max Pooling; each value goes to its
    place there, and all others are 0. The size is ``upsample_h`` x ``upsample_w``, or ``scale``
    times the bottom's, one row (column) less with ``pad_out_h`` (``pad_out_w``). Where two values
    have one place, the later one stays, and both get its gradient, as there.

    With one bottom (YOLO) each value becomes a square of ``scale`` x ``scale``.

    Source: ``upsample_layer.cpp`` of alexgkendall/caffe-segnet and of eric612/MobileNet-YOLO.
    """

    bottoms = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.upsample_param
        self.size: tuple[int, int] | None = None
        self.less = int(p.pad_out_h), int(p.pad_out_w)
        self.scale = p.scale, p.scale
        if p.HasField("scale_h") or p.HasField("scale_w"):
            if p.HasField("scale") or not (p.HasField("scale_h") and p.HasField("scale_w")):
                raise PrototxtError("scale, or both of scale_h and scale_w, are expected")
            self.scale = p.scale_h, p.scale_w
        if len(bottom) == 1:
            if self.scale[0] != self.scale[1] or any(self.less) or p.HasField("upsample_h"):
                raise PrototxtError(
                    "with one bottom scale alone is expected; the other fields need the places of "
                    "a maximum as second bottom"
                )
        elif p.HasField("upsample_h") != p.HasField("upsample_w"):
            raise PrototxtError("of upsample_h and upsample_w only one is given: both are expected")
        elif p.HasField("upsample_h"):
            self.size = (
                in_range("upsample_h", p.upsample_h, 2),
                in_range("upsample_w", p.upsample_w, 2),
            )
        for less, scale in zip(self.less, self.scale):
            in_range("scale", scale, 1)
            if less and scale != 2 and self.size is None:
                raise PrototxtError(f"pad_out_h and pad_out_w need scale 2, not {scale}")

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        n, c, h, w = _four_axes(bottom_shapes[0])
        for shape in bottom_shapes[1:]:
            if tuple(shape) != (n, c, h, w):
                raise ShapeError(f"values of shape {(n, c, h, w)} and places of {tuple(shape)}")
        if self.size is not None:
            return [(n, c, *self.size)]
        sizes = (s * k - less for s, k, less in zip((h, w), self.scale, self.less))
        return [(n, c, *sizes)]

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def window(self) -> Window | None:
        return None

    def _planes(self, x: Array) -> Array:
        return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))

    def _places(self, bottom: Sequence[Blob], count: int) -> Array:
        """Return whole numbers below `count`.

        Raises
        ------
        ShapeError
            The places are those of a larger picture.
        """
        places = self.ops.integers(self._planes(bottom[1].get_data()))
        if math.prod(places.shape) and not 0 <= int(places.min()) <= int(places.max()) < count:
            raise ShapeError(
                f"place {int(places.max())} lies outside a top of {count} pixels: the pooling that "
                "found it had another size"
            )
        return places

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].get_data(), top[0].mutable_data()
        if len(bottom) == 1:
            s = self.scale[0]
            n, c, h, w = x.shape
            y.reshape(n, c, h, s, w, s)[...] = x.reshape(n, c, h, 1, w, 1)
            return
        y[...] = 0
        planes = self._planes(y)
        self.ops.put(planes, self._places(bottom, planes.shape[2]), self._planes(x), 2)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        g, diff = top[0].get_diff(), bottom[0].mutable_diff()
        if len(bottom) == 1:
            (n, c, h, w), s = diff.shape, self.scale[0]
            diff[...] = g.reshape(n, c, h, s, w, s).sum(5).sum(3)
            return
        planes = self._planes(g)
        picked = self.ops.pick(planes, self._places(bottom, planes.shape[2]), 2)
        diff[...] = picked.reshape(diff.shape)


@register("Unpooling")
class UnpoolingLayer(UpsampleLayer):
    """A larger picture: each value goes to the place where a maximum was, all others are 0.

    The second bottom is the second top of a max Pooling. The size is ``unpool_size``, or
    ``unpool_h`` x ``unpool_w``, and has to be given: what variants compute without it differs.

    Source: ``unpooling_layer.cpp`` of HyeonwooNoh/caffe (DeconvNet).
    """

    bottoms = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.unpooling_param
        if p.unpool != 0:
            raise PrototxtError(
                f"unpool is {p.UnpoolMethod.Name(p.unpool)}: only MAX means the same everywhere"
            )
        if p.HasField("unpool_size"):
            sides = p.unpool_size, p.unpool_size
        elif p.HasField("unpool_h") and p.HasField("unpool_w"):
            sides = p.unpool_h, p.unpool_w
        else:
            raise PrototxtError("unpool_size, or both of unpool_h and unpool_w, are expected")
        self.size = in_range("unpool_size", sides[0], 1), in_range("unpool_size", sides[1], 1)
        self.less, self.scale = (0, 0), (1, 1)


# Fields that only one kind of BN has.
_SEGNET = ("bn_mode",)
_STORED = ("slope_filler", "bias_filler", "momentum", "eps", "frozen",
           "var_eps", "decay", "moving_average", "axis")  # fmt: skip


@register("BN")
class BNLayer(Layer):
    """Batch normalisation with a scale and a shift of its own; of two kinds, told by their fields.

    SegNet's (``bn_mode``, or fillers for scale and shift alone) has two blobs, scale and shift:
    y = scale * x + shift with ``bn_mode: INFERENCE``; with LEARN, x is first brought to mean 0 and
    variance 1 by the batch, in TEST, too, and two more tops get mean and variance. The other one
    (``slope_filler``, ``momentum``, ``frozen`` ...; older: ``var_eps``, ``decay``,
    ``moving_average``) has four, slope, bias, mean and variance:
    y = slope * (x - mean) / sqrt(variance + eps) + bias, by the batch in TRAIN unless ``frozen``.
    Blobs are (1, c, 1, 1). In TRAIN the stored mean and variance are not changed here.

    Source: ``bn_layer.cpp`` of alexgkendall/caffe-segnet; of yjxiong/caffe and hszhao/PSPNet.
    """

    tops = (1, 3)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.bn_param
        segnet = any(p.HasField(name) for name in _SEGNET)
        stored = any(p.HasField(name) for name in _STORED)
        if segnet and stored:
            raise PrototxtError(
                "bn_param has fields of SegNet's BN and of the other: keep one kind"
            )
        if not stored and (p.HasField("scale_filler") or p.HasField("shift_filler")):
            segnet = True
        if p.axis != 1:
            raise PrototxtError(f"axis is {p.axis}: 1 is expected")
        if len(top) > 1 and (not segnet or p.bn_mode == 1):
            raise PrototxtError(f"{len(top)} top blobs found: only SegNet's LEARN has more than 1")
        shape = tuple(bottom[0].shape)
        if len(shape) < 2:
            raise ShapeError(f"bottom has {len(shape)} axes {shape}, 2 or more expected")
        self.channels = shape[1]
        filler: Any = type(p.scale_filler)
        one = filler(type="constant", value=1)
        scale = "slope_filler" if p.HasField("slope_filler") else "scale_filler"
        shift = "bias_filler" if p.HasField("bias_filler") else "shift_filler"
        fillers = [getattr(p, scale) if p.HasField(scale) else one, getattr(p, shift)]
        if segnet:
            self.normal, self.stored, self.eps = p.bn_mode == 0, False, 1e-9
        else:
            fillers += [filler(type="constant"), one]
            frozen = p.frozen or (self.phase == TEST and p.moving_average)
            self.normal, self.stored = True, frozen
            self.eps = p.var_eps if p.HasField("var_eps") else p.eps
        for kind in fillers:
            self.add_param((1, self.channels, 1, 1), kind)
        self.param_diffs[2:] = [False] * (len(fillers) - 2)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        if len(shape) < 2 or shape[1] != self.channels:
            raise ShapeError(f"bottom is {shape}: {self.channels} channels on axis 1 are expected")
        return [shape, (1, self.channels, 1, 1), (1, self.channels, 1, 1)]

    def window(self) -> Window | None:
        return Window() if self.stored or not self.normal else None

    def affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return factor and shift of each channel, float64; None where they depend on the batch."""
        values = [np.asarray(blob.data, np.float64).reshape(-1) for blob in self.blobs]
        if not self.normal:
            return values[0], values[1]
        if not self.stored:
            return None
        factor = values[0] / np.sqrt(values[3] + self.eps)
        return factor, values[1] - values[2] * factor

    def _rows(self, x: Array) -> Array:
        """Return x as (items, channels, positions)."""
        return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))

    def _of(self, blob: Blob) -> Array:
        return blob.get_data().reshape(-1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self._rows(bottom[0].get_data()), self._rows(top[0].mutable_data())
        std = None
        if self.normal:
            if self.stored:
                mean, var = self._of(self.blobs[2]), self._of(self.blobs[3])
            else:
                mean = _mean(x)
                var = _mean(self.ops.square(x - mean))
                for blob, value in zip(top[1:], (mean, var)):
                    blob.mutable_data()[...] = value.reshape(1, -1, 1, 1)
            std = self.ops.sqrt(var + self.eps)
            self.ops.subtract(x, mean, out=y)
            y /= std
        elif bottom[0] is not top[0]:
            y[...] = x
        # What the batch's gradient, and that of the scale, need.
        needed = self.param_diffs[0] or (self.normal and not self.stored)
        self.keep((std, self.ops.copy(y) if needed else None))
        y *= self._of(self.blobs[0])
        y += self._of(self.blobs[1])

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        g, (std, normal) = self._rows(top[0].get_diff()), self.kept()
        for k, value in ((0, g * normal if self.param_diffs[0] else g), (1, g)):
            if self.param_diffs[k]:
                diff = self.blobs[k].mutable_diff()
                diff += value.sum(2).sum(0).reshape(1, -1, 1, 1)
        if not propagate_down[0]:
            return
        g = g * self._of(self.blobs[0])
        if self.normal and not self.stored:
            g = g - _mean(g) - normal * _mean(g * normal)
        self._rows(bottom[0].mutable_diff())[...] = g if std is None else g / std


def _mean(x: Array) -> Array:
    """Return the mean of each channel of (items, channels, positions) as (channels, 1)."""
    return (x.sum(2).sum(0) / max(1, x.shape[0] * x.shape[2])).reshape(-1, 1)


@register("SpatialDropout")
class SpatialDropoutLayer(Layer):
    """Whole channels set to 0 by chance in TRAIN, which cannot run here; TEST: copy.

    Source: ``spatial_dropout_layer.cpp`` of TimoSaemann/ENet's Caffe.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.phase != TEST:
            raise PrototxtError("SpatialDropout can run in the TEST phase only")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0] is not top[0]:
            top[0].mutable_data()[...] = bottom[0].get_data()

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0] and bottom[0] is not top[0]:
            bottom[0].mutable_diff()[...] = top[0].get_diff()
