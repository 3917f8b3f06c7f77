"""The steps of a plan, in PyTorch's own operators: what runs on a GPU, and without Numba.

An `Operation` is bound to its arrays once, and then runs forward and backward as often as needed.
Diffs of bottoms are overwritten, or added to where another reader has been there before. Nothing
uses autograd: like the layers' own, gradients are written out.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ...errors import ShapeError
from ..blob import Blob
from .arrays import Array, Shape, is_map
from .merge import is_pointwise
from .program import Node, Value

LOW = {"bfloat16": torch.bfloat16}


@dataclass
class Site:
    """Where an operation works: its arrays, and what was prepared for it."""

    node: Node
    bottoms: list[Array]
    tops: list[Array]
    bottom_diffs: list[Array | None]
    top_diffs: list[Array | None]
    adds: list[bool]
    prepared: Any = None
    saved: list[Any] = field(default_factory=list)
    workers: Any = None
    scratch: list[torch.Tensor] = field(default_factory=list)
    # Of the node that makes the bottom: to be applied to the bottom's diff, as its only reader.
    mask: torch.Tensor | None = None
    # The only reader of the top applies this node's mask.
    masked: bool = False


class Operation:
    """A step of a plan.

    Parameters
    ----------
    site : Site
    """

    masks = False  # whether it can apply the mask of the node that makes its bottom

    def __init__(self, site: Site) -> None:
        self.node = site.node
        self.bottoms, self.tops = site.bottoms, site.tops
        self.bottom_diffs, self.top_diffs = site.bottom_diffs, site.top_diffs
        self.adds = site.adds
        self.prepared = site.prepared
        self.saved = site.saved
        self.workers, self.scratch_of = site.workers, site.scratch
        self.bottom_mask, self.is_masked = site.mask, site.masked
        self.bind()

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        """Tell whether this class can do what `node` says, for bottoms of these shapes."""
        return all(is_map(shape) for shape in shapes)

    @classmethod
    def prepare(cls, node: Node, device: torch.device, precision: str) -> Any:
        """Return what does not depend on the size: weights as they are needed."""
        return None

    @classmethod
    def saves(
        cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
    ) -> list[tuple[Shape, torch.dtype]]:
        """Return shapes and types of what forward keeps for backward."""
        return []

    @classmethod
    def reads_back(cls, node: Node) -> list[Value]:
        """Return the values whose data backward reads."""
        return []

    @classmethod
    def scratch(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """Return how many floats each thread needs while the operation runs."""
        return 0

    def bind(self) -> None:
        """Make the views that forward and backward need."""

    def forward(self) -> None:
        """Compute the tops' data."""
        raise NotImplementedError

    def backward(self) -> None:
        """Compute the bottoms' diffs."""
        raise NotImplementedError

    def give(self, g: torch.Tensor, i: int = 0) -> None:
        """Write a gradient, (1, c, h, w), into the diff of bottom number `i`, or add it."""
        diff = self.bottom_diffs[i]
        assert diff is not None
        if self.adds[i]:
            diff.image.add_(g)
        else:
            diff.image.copy_(g)


class Activated(Operation):
    """What may end with an activation: keeps a mask of where the gradient passes."""

    @classmethod
    def saves(
        cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
    ) -> list[tuple[Shape, torch.dtype]]:
        if node.activation is None or node.activation.everywhere:
            return []
        _, _, h, w = tops[0]
        return [((h * w, sum(shape[1] for shape in tops)), torch.uint8)]

    def bind(self) -> None:
        self.mask = self.saved[0] if self.saved else None

    def finish(self, y: torch.Tensor) -> torch.Tensor:
        """Activate (1, c, h, w) values in place, and remember where the gradient passes."""
        activation = self.node.activation
        if activation is None:
            return y
        if self.mask is not None:
            passes = y > 0
            if activation.kind == "Clip":
                passes = (y >= activation.low) & (y <= activation.high)
            self.mask.copy_(passes[0].flatten(1).t())
        if activation.kind == "ReLU":
            # As in the layer: -inf becomes NaN.
            return torch.ops.aten.leaky_relu_(y, 0.0)
        return y.clamp_(max=activation.high).clamp_(min=activation.low)

    def masked(self, i: int = 0) -> torch.Tensor:
        """Return the top's diff, (1, c, h, w), where the activation lets it pass."""
        g, offset = self.top_diffs[i], sum(top.c for top in self.tops[:i])
        assert g is not None
        if self.mask is not None:
            g.rows.mul_(self.mask[:, offset : offset + g.c])
        return g.image


class Convolution(Activated):
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
    def prepare(cls, node: Node, device: torch.device, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        dtype = LOW.get(precision, torch.float32)
        weight = node.weight.to(device=device, dtype=dtype)
        return weight.contiguous(memory_format=torch.channels_last), node.bias.to(device)

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
        parts = [self.masked(i) for i in range(len(self.tops))]
        g = (torch.cat(parts, 1) if len(parts) > 1 else parts[0]).to(self.weight.dtype)
        x = self.bottoms[0].image.to(self.weight.dtype)  # of which only the shape counts
        gx, _, _ = torch.ops.aten.convolution_backward(
            g, x, self.weight, None, *self.settings, [True, False, False]
        )
        self.give(gx.float())


class Pointwise(Activated):
    """A 1x1 convolution: a matrix product of pixels with weights."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and is_pointwise(node)

    @classmethod
    def prepare(cls, node: Node, device: torch.device, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        weight = node.weight[:, :, 0, 0].to(device=device, dtype=LOW.get(precision, torch.float32))
        return weight.contiguous(), weight.t().contiguous(), node.bias.to(device)

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
            g.mul_(self.mask)
        diff = self.bottom_diffs[0]
        assert diff is not None
        product = torch.mm(g.to(self.back.dtype), self.back).float()
        self.give(product.t().view(1, -1, diff.h, diff.w))


def spanning(arrays: Sequence[Array]) -> Array:
    """Return neighbours in one storage as one array."""
    first = arrays[0]
    c = sum(array.c for array in arrays)
    return Array(first.block, first.start, first.step, (1, c, first.h, first.w))


class Affine(Activated):
    """A factor and a shift for each channel."""

    @classmethod
    def prepare(cls, node: Node, device: torch.device, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        return node.weight.to(device).view(-1, 1, 1), node.bias.to(device).view(-1, 1, 1)

    def forward(self) -> None:
        scale, shift = self.prepared
        self.tops[0].image.copy_(self.finish(torch.addcmul(shift, self.bottoms[0].image, scale)))

    def backward(self) -> None:
        self.give(self.masked() * self.prepared[0])


class Eltwise(Activated):
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
        g = self.masked()
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
    ) -> list[tuple[Shape, torch.dtype]]:
        return [(tops[0], torch.uint8)]

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


class Concat(Operation):
    """Values one behind the other; those that lie in the top already need no copy."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and node.layer.axis in (1, -3)

    def bind(self) -> None:
        top, g = self.tops[0], self.top_diffs[0]
        offset = 0
        self.copies: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.returns: list[tuple[int, torch.Tensor]] = []
        for i, (bottom, diff) in enumerate(zip(self.bottoms, self.bottom_diffs)):
            if (bottom.start, bottom.step) != (top.start + offset, top.step):
                self.copies.append((top.image[:, offset : offset + bottom.c], bottom.image))
            apart = diff and g and (diff.start, diff.step) != (g.start + offset, g.step)
            if apart and g is not None:
                self.returns.append((i, g.image[:, offset : offset + bottom.c]))
            offset += bottom.c

    def forward(self) -> None:
        for part, bottom in self.copies:
            part.copy_(bottom)

    def backward(self) -> None:
        for i, part in self.returns:
            self.give(part, i)


class MaxPooling(Operation):
    """The largest value of each window, by PyTorch's pooling where the windows are the same."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and _pools(node, shapes[0], node.layer.MAX)

    @classmethod
    def saves(
        cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
    ) -> list[tuple[Shape, torch.dtype]]:
        return [(tops[0], torch.int64)]

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
        place = torch.arange(x.c, device=x.block.device)
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


class ByLayer(Operation):
    """Any layer, run by its own class on blobs of its own."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return node.layer is not None

    @classmethod
    def memory(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """Return the number of bytes of the blobs."""
        shapes = list(tops) if node.in_place else [*bottoms, *tops]
        return sum(2 * 4 * torch.Size(shape).numel() for shape in shapes)

    def bind(self) -> None:
        node = self.node
        device = str(self.tops[0].block.device)
        # A copy keeps what this forward leaves for this backward; the parameters are shared.
        self.layer = copy.copy(node.layer)
        self.layer.param_diffs = [False] * len(self.layer.blobs)
        self.inputs = [Blob(*array.shape, device=device) for array in self.bottoms]
        self.outputs = (
            self.inputs
            if node.in_place
            else [Blob(*array.shape, device=device) for array in self.tops]
        )

    def forward(self) -> None:
        for blob, array in zip(self.inputs, self.bottoms):
            torch.as_tensor(blob.mutable_data()).copy_(array.image)
        with self.layer.ops.computing():
            self.layer.reshape(self.inputs, self.outputs)
            self.layer.forward(self.inputs, self.outputs)
        for blob, array in zip(self.outputs, self.tops):
            if tuple(blob.shape) != tuple(array.shape):
                raise ShapeError(
                    f"layer '{self.layer.param.name}' gives its top the shape {tuple(array.shape)} "
                    f"in reshape and {tuple(blob.shape)} in forward: a plan is made for the first. "
                    "deepdream.deepdream, which runs layer by layer, can dream through it"
                )
            array.image.copy_(torch.as_tensor(blob.get_data()))

    def backward(self) -> None:
        for blob, diff in zip(self.outputs, self.top_diffs):
            if diff is not None:
                torch.as_tensor(blob.mutable_diff()).copy_(diff.image)
        wanted = [diff is not None for diff in self.bottom_diffs]
        with self.layer.ops.computing():
            self.layer.backward(self.outputs, wanted, self.inputs)
        for i, flag in enumerate(wanted):
            if flag:
                self.give(torch.as_tensor(self.inputs[i].get_diff()), i)


TORCH: dict[str, tuple[type[Operation], ...]] = {
    "Affine": (Affine,),
    "Concat": (Concat,),
    "Convolution": (Pointwise, Convolution),
    "Eltwise": (Eltwise,),
    "LRN": (LRN,),
    "Pooling": (MaxPooling, AveragePooling),
    "ReLU": (ReLU,),
}
