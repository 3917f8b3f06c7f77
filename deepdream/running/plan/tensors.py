"""The steps of a plan in PyTorch's own operators: what runs on a GPU.

The only module of the plan that imports PyTorch. On its CPU tensors (``device="torch"``) the same
operators are a stand-in for a GPU, which tests use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..arrays.torch_ops import device_of
from .arrays import Shape
from .concat import Concat
from .merge import is_pointwise
from .operation import Activated, Operation, spanning
from .program import Node, Value

LOW = {"bfloat16": torch.bfloat16}


def on_device(values: np.ndarray, device: str) -> torch.Tensor:
    """Return numbers as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device_of(device))


def tensor_block(floats: int, device: str) -> torch.Tensor:
    """Return memory for so many floats."""
    return torch.empty(floats, dtype=torch.float32, device=device_of(device))


def typed(part: torch.Tensor, dtype: str) -> torch.Tensor:
    """Return memory as numbers of another type, a view; `dtype` is numpy's name of it."""
    kind: torch.dtype = getattr(torch, dtype)
    return part.view(kind)


class TensorActivated(Activated):
    """What may end with an activation, on tensors."""

    def finish(self, y: torch.Tensor) -> torch.Tensor:
        """Activate (1, c, h, w) values in place, and remember where the gradient passes."""
        activation = self.node.activation
        if activation is None:
            return y
        if self.mask is not None:
            passes = y > 0
            if activation.kind == "Clip":
                passes = (y >= activation.low) & (y <= activation.high)
            self.mask.rows.copy_(passes[0].flatten(1).t())
        if activation.kind == "ReLU":
            # As in the layer: -inf becomes NaN.
            return torch.ops.aten.leaky_relu_(y, 0.0)
        return y.clamp_(max=activation.high).clamp_(min=activation.low)

    def passed(self, i: int = 0) -> torch.Tensor:
        """Return the top's diff, (1, c, h, w), where the activation lets it pass."""
        g, offset = self.top_diffs[i], sum(top.c for top in self.tops[:i])
        assert g is not None
        if self.mask is not None:
            g.rows.mul_(self.mask.rows[:, offset : offset + g.c])
        return g.image


class Convolution(TensorActivated):
    """Cross-correlation, by PyTorch's convolution."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        if not super().suits(node, shapes) or node.weight is None:
            return False
        layer, (_, _, h, w) = node.layer, shapes[0]
        # A kernel larger than the padded picture is Caffe's own affair.
        reach = zip((h, w), layer.pad, layer.extent)
        return all(size + 2 * pad >= extent for size, pad, extent in reach)

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        dtype = LOW.get(precision, torch.float32)
        weight = on_device(node.weight, device).to(dtype)
        return weight.contiguous(memory_format=torch.channels_last), on_device(node.bias, device)

    def bind(self) -> None:
        super().bind()
        self.weight, self.bias = self.prepared
        layer = self.node.layer
        self.settings = (
            layer.stride, layer.pad, layer.dilation, False, (0,) * len(layer.stride), layer.group,
        )  # fmt: skip

    def forward(self) -> None:
        x = self.bottoms[0].image.to(self.weight.dtype)
        y = torch.convolution(x, self.weight, None, *self.settings).float()
        y = self.finish(y.add_(self.bias.view(-1, 1, 1)))
        for top, part in zip(self.tops, y.split([top.c for top in self.tops], 1)):
            top.image.copy_(part)

    def backward(self) -> None:
        parts = [self.passed(i) for i in range(len(self.tops))]
        g = (torch.cat(parts, 1) if len(parts) > 1 else parts[0]).to(self.weight.dtype)
        x = self.bottoms[0].image.to(self.weight.dtype)  # of which only the shape counts
        gx, _, _ = torch.ops.aten.convolution_backward(
            g, x, self.weight, None, *self.settings, [True, False, False]
        )
        self.give(gx.float())


class Pointwise(TensorActivated):
    """A 1x1 convolution: a matrix product of pixels with weights."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and is_pointwise(node)

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        weight = on_device(node.weight[:, :, 0, 0], device).to(LOW.get(precision, torch.float32))
        return weight.contiguous(), weight.t().contiguous(), on_device(node.bias, device)

    def bind(self) -> None:
        super().bind()
        self.back, self.weight, self.bias = self.prepared
        self.out = spanning(self.tops)
        gs = [g for g in self.top_diffs if g is not None]
        self.g = spanning(gs) if len(gs) == len(self.tops) else None

    def forward(self) -> None:
        x = self.bottoms[0].rows.to(self.weight.dtype)
        y = torch.mm(x, self.weight).float().add_(self.bias)
        h, w = self.out.h, self.out.w
        self.finish(y.t().view(1, -1, h, w))
        self.out.rows.copy_(y)

    def backward(self) -> None:
        assert self.g is not None
        g = self.g.rows
        if self.mask is not None:
            g.mul_(self.mask.rows)
        diff = self.bottom_diffs[0]
        assert diff is not None
        product = torch.mm(g.to(self.back.dtype), self.back).float()
        self.give(product.t().view(1, -1, diff.h, diff.w))


class Affine(TensorActivated):
    """A factor and a shift for each channel."""

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        values = on_device(node.weight, device), on_device(node.bias, device)
        return values[0].view(-1, 1, 1), values[1].view(-1, 1, 1)

    def forward(self) -> None:
        scale, shift = self.prepared
        self.tops[0].image.copy_(self.finish(torch.addcmul(shift, self.bottoms[0].image, scale)))

    def backward(self) -> None:
        self.give(self.passed() * self.prepared[0])


class Eltwise(TensorActivated):
    """Weighted sum of values of one shape."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and node.layer.operation == node.layer.SUM

    def forward(self) -> None:
        coeffs = self.node.layer.coeffs
        total = self.bottoms[0].image * coeffs[0]
        for coeff, bottom in zip(coeffs[1:], self.bottoms[1:]):
            total.add_(bottom.image, alpha=coeff)
        self.tops[0].image.copy_(self.finish(total))

    def backward(self) -> None:
        g = self.passed()
        for i, diff in enumerate(self.bottom_diffs):
            if diff is not None:
                coeff = self.node.layer.coeffs[i]
                self.give(g if coeff == 1 else g * coeff, i)


class ReLU(Operation):
    """A ReLU by itself: after another layer than a convolution, or leaky."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and not node.in_place

    @classmethod
    def saves(
        cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
    ) -> list[tuple[Shape, str]]:
        return [(tops[0], "uint8")]

    def forward(self) -> None:
        x = self.bottoms[0].image
        if self.saved:
            torch.gt(x, 0, out=self.saved[0])
        self.tops[0].image.copy_(torch.ops.aten.leaky_relu(x, self.node.layer.slope))

    def backward(self) -> None:
        g, slope = self.top_diffs[0], self.node.layer.slope
        assert g is not None
        passed = g.image * self.saved[0]
        if slope:
            passed += slope * (g.image * (1 - self.saved[0]))
        self.give(passed)


class MaxPooling(Operation):
    """The largest value of each window, by PyTorch's pooling where the windows are the same."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and _pools(node, shapes[0], node.layer.MAX)

    @classmethod
    def saves(
        cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
    ) -> list[tuple[Shape, str]]:
        return [(tops[0], "int64")]

    def bind(self) -> None:
        x = self.bottoms[0]
        layer = self.node.layer
        kernel = layer.kernel or (x.h, x.w)
        self.settings = (kernel, layer.stride, layer.pad, (1, 1), not layer.floor)

    def forward(self) -> None:
        y, where = torch.ops.aten.max_pool2d_with_indices(self.bottoms[0].image, *self.settings)
        self.tops[0].image.copy_(y)
        if self.saved:
            self.saved[0].copy_(where)

    def backward(self) -> None:
        g = self.top_diffs[0]
        assert g is not None
        self.give(
            torch.ops.aten.max_pool2d_with_indices_backward(
                g.image, self.bottoms[0].image, *self.settings, self.saved[0]
            )
        )


class AveragePooling(Operation):
    """The mean of each window, by PyTorch's pooling where the windows are the same."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and _pools(node, shapes[0], node.layer.AVE)

    def bind(self) -> None:
        x = self.bottoms[0]
        layer = self.node.layer
        kernel = layer.kernel or (x.h, x.w)
        self.settings = (kernel, layer.stride, layer.pad, not layer.floor, True, None)

    def forward(self) -> None:
        self.tops[0].image.copy_(torch.ops.aten.avg_pool2d(self.bottoms[0].image, *self.settings))

    def backward(self) -> None:
        g = self.top_diffs[0]
        assert g is not None
        x = self.bottoms[0].image
        self.give(torch.ops.aten.avg_pool2d_backward(g.image, x, *self.settings))


def _pools(node: Node, shape: Shape, method: int) -> bool:
    """Tell whether PyTorch pools as this node does."""
    layer, (_, _, h, w) = node.layer, shape
    if layer.method != method or len(node.tops) > 1:
        return False
    axes = zip(layer.kernel or (h, w), layer.stride, layer.pad)
    return all(stride <= kernel and 2 * pad <= kernel for kernel, stride, pad in axes)


class LRN(Operation):
    """Local response normalisation across channels; the sums as a product with a band matrix."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and not node.layer.within

    @classmethod
    def reads_back(cls, node: Node) -> list[Value]:
        return [node.bottoms[0]]

    def bind(self) -> None:
        layer, x = self.node.layer, self.bottoms[0]
        place = torch.arange(x.c, device=x.flat.device)
        near = (place[:, None] - place[None]).abs() <= layer.size // 2
        self.band = near.float()

    def _sums(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.mm(rows, self.band)

    def _scale(self) -> torch.Tensor:
        layer, x = self.node.layer, self.bottoms[0].rows
        return self._sums(x * x).mul_(layer.alpha / layer.size).add_(layer.k)

    def forward(self) -> None:
        power = self._scale().pow_(-self.node.layer.beta)
        torch.mul(self.bottoms[0].rows, power, out=self.tops[0].rows)

    def backward(self) -> None:
        layer, x, g = self.node.layer, self.bottoms[0].rows, self.top_diffs[0]
        assert g is not None
        # dL/dx = g s^-b - 2 a b / n * x * sum(g x s^(-b - 1))
        scale = self._scale()
        power = scale.pow(-layer.beta)
        through = self._sums(power.mul(g.rows).mul_(x).div_(scale))
        dx = power.mul_(g.rows).sub_(
            through.mul_(x), alpha=2 * layer.alpha * layer.beta / layer.size
        )
        self.give(dx.t().view(1, -1, g.h, g.w))


TORCH: dict[str, tuple[type[Operation], ...]] = {
    "Affine": (Affine,),
    "Concat": (Concat,),
    "Convolution": (Pointwise, Convolution),
    "Eltwise": (Eltwise,),
    "LRN": (LRN,),
    "Pooling": (MaxPooling, AveragePooling),
    "ReLU": (ReLU,),
}
