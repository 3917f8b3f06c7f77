"""The steps of a plan on a CPU: matrix products, and Numba's kernels around them.

Every convolution becomes matrix products of pixels with weights, each thread on pixels of its own
and small enough that what one kernel writes is still in the cache when the next one reads it. No
operation allocates memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from . import kernels
from .arrays import Array, Shape
from .kernels import NO_MASK
from .ops import (
    LRN,
    TORCH,
    Activated,
    Concat,
    Convolution,
    Eltwise,
    Operation,
    Pointwise,
    spanning,
)
from .program import Node

KINDS = {"ReLU": kernels.RELU, "Clip": kernels.CLIP}

# What one thread works on at a time should stay in its second cache: 1 MB of floats.
CACHED = 256 * 1024

# Tiles of a Winograd convolution that one product takes: fewer make the product slow, more leave
# the cache.
TILES = 96

NO_BIAS = np.empty(0, np.float32)


class Native(Operation):
    """What the native operations share: how work is cut up for threads."""

    def gate(self) -> tuple[Any, ...]:
        """Return the mask for the bottom's diff, as kernels take it."""
        if self.bottom_mask is None:
            return NO_MASK, (0, 0)
        return self.bottom_mask.numpy().reshape(-1), (0, self.bottoms[0].c)

    def over(self, count: int, size: int, task: Callable[[int, int, int], None]) -> None:
        """Call ``task(first, last, worker)`` on ranges of 0..count, `size` long at most.

        The ranges are equal, and as many for each thread.
        """
        threads = self.workers.count
        parts = max(1, -(-count // max(1, size)))
        parts = min(count, -(-parts // threads) * threads)
        length = -(-count // parts) if parts else 0

        def part(number: int, worker: int) -> None:
            first = number * length
            if first < count:
                task(first, min(count, first + length), worker)

        self.workers.run(part, parts)

    def over_pixels(self, pixels: int, floats: int, task: Callable[[int, int, int], None]) -> None:
        """Call `task` on ranges of pixels with `floats` numbers each."""
        self.over(pixels, max(64, CACHED // floats), task)

    def over_rows(self, rows: int, task: Callable[[int, int, int], None]) -> None:
        """Call `task` on ranges of rows, a few for each thread."""
        self.over(rows, max(4, -(-rows // (4 * self.workers.count))), task)


class NativeActivated(Native, Activated):
    """What may end with an activation."""

    def bind(self) -> None:
        super().bind()
        activation = self.node.activation
        self.act = KINDS[activation.kind] if activation else kernels.NONE
        self.low, self.high = (activation.low, activation.high) if activation else (0.0, 0.0)
        self.flags = NO_MASK if self.mask is None else self.mask.numpy().reshape(-1)
        self.flags_at = (0, sum(top.c for top in self.tops))
        self.out = spanning(self.tops)
        gs = [g for g in self.top_diffs if g is not None]
        self.g = spanning(gs) if len(gs) == len(self.tops) else None

    def ending(self) -> tuple[Any, ...]:
        """Return activation, bounds and mask, as the kernels take them."""
        return self.act, self.low, self.high, self.flags, self.flags_at

    def end(self, x: torch.Tensor, bias: np.ndarray, first: int, last: int) -> None:
        """Write a range of the top's pixels: x, (pixels, channels), with bias and activation."""
        kernels.bias_act(
            x.view(-1).numpy(), self.out.flat, at(self.out), self.out.c, bias, *self.ending(),
            first, last,
        )  # fmt: skip

    def product(self, worker: int, first: int, last: int) -> torch.Tensor:
        """Return scratch for a range of the top's pixels, (pixels, channels)."""
        count = (last - first) * self.out.c
        return self.scratch_of[worker][:count].view(-1, self.out.c)

    def mask_diff(self, first: int, last: int) -> None:
        """Take away the gradient that the activation stops, from a range of the top's pixels."""
        assert self.g is not None
        if self.mask is not None and not self.is_masked:
            kernels.apply_mask(
                self.g.flat, at(self.g), self.g.c, self.flags, self.flags_at, first, last
            )

    def mask_all(self) -> None:
        """Take away the gradient that the activation stops, from the whole top."""
        assert self.g is not None
        if self.mask is not None and not self.is_masked:
            self.over_pixels(
                self.g.pixels, self.g.c, lambda first, last, _: self.mask_diff(first, last)
            )


@classmethod  # type: ignore[misc]
def one_product(
    cls: type[Operation], node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
) -> int:
    """Return the scratch for the part of a top that a thread works on."""
    return max(64, CACHED // sum(shape[1] for shape in tops)) * sum(shape[1] for shape in tops)


def at(array: Array) -> tuple[int, int]:
    """Return an array's place as the kernels take it."""
    return array.start, array.step


def multiply(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor, add: bool) -> None:
    """Write the product of two matrices, or add it."""
    if add:
        torch.addmm(out, a, b, out=out)
    else:
        torch.mm(a, b, out=out)


class NativePointwise(NativeActivated):
    """A 1x1 convolution: one product forward and one backward."""

    suits, prepare = Pointwise.suits, Pointwise.prepare
    scratch = one_product

    def bind(self) -> None:
        super().bind()
        self.back, self.weight, bias = self.prepared
        self.bias = bias.numpy()

    def forward(self) -> None:
        x = self.bottoms[0].rows

        def part(first: int, last: int, worker: int) -> None:
            y = self.product(worker, first, last)
            torch.mm(x[first:last], self.weight, out=y)
            self.end(y, self.bias, first, last)

        self.over_pixels(self.out.pixels, self.bottoms[0].c + self.out.c, part)

    def backward(self) -> None:
        diff = self.bottom_diffs[0]
        assert diff is not None
        assert self.g is not None
        g, dx = self.g.rows, diff.rows

        def part(first: int, last: int, worker: int) -> None:
            self.mask_diff(first, last)
            multiply(g[first:last], self.back, dx[first:last], self.adds[0])

        self.over_pixels(self.out.pixels, self.bottoms[0].c + self.out.c, part)


class Winograd(NativeActivated):
    """A 3x3 or 5x5 convolution of stride 1 by F(4x4, 3x3) or F(2x2, 5x5).

    It takes 36 products for a tile, instead of 144 or 100.

    Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015).
    """

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        layer = node.layer
        return (
            Convolution.suits(node, shapes)
            and tuple(layer.kernel) in ((3, 3), (5, 5))
            and tuple(layer.stride) == (1, 1)
            and tuple(layer.dilation) == (1, 1)
            and max(layer.pad) < layer.kernel[0]
            and layer.group == 1
            and min(layer.channels, layer.num_output) >= 16
        )

    @classmethod
    def prepare(cls, node: Node, device: torch.device, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        weight = node.weight.numpy()
        there, back = (
            torch.from_numpy(kernels.weights_transform(weight, gradient))
            for gradient in (False, True)
        )
        return there, back, node.bias.numpy()

    @classmethod
    def scratch(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return 36 * TILES * (bottoms[0][1] + sum(shape[1] for shape in tops))

    def bind(self) -> None:
        super().bind()
        self.there, self.back, self.bias = self.prepared
        self.pad = tuple(self.node.layer.pad)
        self.last = self.node.layer.kernel[0] - 1
        self.m = kernels.outputs_of(self.node.layer.kernel[0])

    def forward(self) -> None:
        x, y = self.bottoms[0], self.out
        self._run(x, y, self.pad, self.there, self.bias, self.ending(), False)

    def backward(self) -> None:
        diff, g = self.bottom_diffs[0], self.g
        assert diff is not None
        assert g is not None
        pad = (self.last - self.pad[0], self.last - self.pad[1])
        plain = (kernels.NONE, 0.0, 0.0, NO_MASK, (0, 0))
        # Tiles overlap: masking each value once is faster than at each reading.
        self.mask_all()
        self._run(g, diff, pad, self.back, NO_BIAS, plain, self.adds[0])

    def _run(
        self,
        x: Array,
        y: Array,
        pad: tuple[int, ...],
        weight: torch.Tensor,
        bias: np.ndarray,
        ending: tuple[Any, ...],
        add: bool,
    ) -> None:
        m = self.m
        wide = -(-y.w // m)

        def part(first: int, last: int, worker: int) -> None:
            n = last - first
            scratch = self.scratch_of[worker]
            v = scratch[: 36 * n * x.c]
            product = scratch[36 * n * x.c : 36 * n * (x.c + y.c)]
            kernels.input_transform(
                x.flat, at(x), (x.h, x.w), x.c, pad, v.numpy(), m, wide, first, last
            )
            torch.bmm(v.view(36, n, x.c), weight, out=product.view(36, n, y.c))
            kernels.output_transform(
                product.numpy(),
                y.c,
                y.flat,
                at(y),
                (y.h, y.w),
                bias,
                *ending,
                add,
                m,
                wide,
                first,
                last,
            )

        self.over(kernels.tiles(y.h, y.w, m), TILES, part)


class Bands(NativeActivated):
    """Any other convolution: PyTorch's, on bands of rows that are copied out with their padding.

    Backward, a convolution of stride 1 is a convolution of the gradient with the kernel turned by
    180 degrees. With a larger stride, each pixel's gradient times the weights gives that of the
    pixels under its window, added up by a kernel.
    """

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        layer = node.layer
        return Convolution.suits(node, shapes) and all(
            pad <= extent - 1 for pad, extent in zip(layer.pad, layer.extent)
        )

    @classmethod
    def prepare(cls, node: Node, device: torch.device, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        weight, group = node.weight, node.layer.group
        parts = weight.unflatten(0, (group, -1))  # (group, n, c, kh, kw)
        if _strided(node):
            back = parts.permute(0, 1, 3, 4, 2).flatten(2).contiguous()  # (group, n, kh kw c)
        else:
            back = parts.flip(3, 4).transpose(1, 2).flatten(0, 1)  # (group c, n, kh, kw)
            back = back.contiguous(memory_format=torch.channels_last)
        there = weight.contiguous(memory_format=torch.channels_last)
        return there, back, node.bias.numpy()

    @classmethod
    def scratch(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        layer, x, y = node.layer, bottoms[0], tops[0]
        there = _padded(x, _band(x, y, layer.stride[0]), layer.stride, layer)
        if _strided(node):
            depth = layer.kernel[0] * layer.kernel[1] * x[1] // layer.group
            return max(there, _spread(y, depth) * y[3] * depth)
        return max(there, _padded(y, _band(y, x, 1), (1, 1), layer))

    def bind(self) -> None:
        super().bind()
        self.there, self.back, self.bias = self.prepared
        layer = self.node.layer
        self.group = layer.group
        self.kernel, self.stride = tuple(layer.kernel), tuple(layer.stride)
        self.pad, self.dilation = tuple(layer.pad), tuple(layer.dilation)

    def forward(self) -> None:
        y = self.out

        def end(image: torch.Tensor, result: torch.Tensor, r0: int, r1: int) -> None:
            self.end(result.permute(0, 2, 3, 1), self.bias, r0 * y.w, r1 * y.w)

        self._correlate(self.bottoms[0], y, self.there, self.stride, self.pad, end)

    def backward(self) -> None:
        diff, g = self.bottom_diffs[0], self.g
        assert diff is not None
        assert g is not None
        self.mask_all()
        if _strided(self.node):
            self._scatter(g, diff)
            return

        def end(image: torch.Tensor, result: torch.Tensor, r0: int, r1: int) -> None:
            if self.adds[0]:
                image.add_(result)
            else:
                image.copy_(result)

        pad = tuple(extent - 1 - pad for pad, extent in zip(self.pad, self.node.layer.extent))
        self._correlate(g, diff, self.back, (1, 1), pad, end)

    def _correlate(
        self,
        x: Array,
        y: Array,
        weight: torch.Tensor,
        stride: tuple[int, ...],
        pad: tuple[int, ...],
        end: Callable[[torch.Tensor, torch.Tensor, int, int], None],
    ) -> None:
        """Convolve x band by band; `end` writes each band of y."""
        (ph, pw), extent = pad, self.node.layer.extent
        zeros, settings = (0, 0), (self.dilation, False, (0, 0), self.group)

        def part(r0: int, r1: int, worker: int) -> None:
            # The rows that these outputs look at, and those of them that exist.
            low, high = r0 * stride[0] - ph, (r1 - 1) * stride[0] - ph + extent[0]
            first, last = max(0, low), min(x.h, high)
            shape = (1, high - low, x.w + 2 * pw, x.c)
            band = self.scratch_of[worker][: math.prod(shape)].view(shape).permute(0, 3, 1, 2)
            band[:, :, : first - low].zero_()
            band[:, :, last - low :].zero_()
            band[:, :, :, :pw].zero_()
            band[:, :, :, x.w + pw :].zero_()
            band[:, :, first - low : last - low, pw : x.w + pw].copy_(x.image[:, :, first:last])
            result = torch.convolution(band, weight, None, stride, zeros, *settings)
            end(y.image[:, :, r0:r1], result, r0, r1)

        self.over(y.h, _band(x.shape, y.shape, stride[0]), part)

    def _scatter(self, g: Array, dx: Array) -> None:
        """Write the gradient with respect to the bottom; each thread owns rows of it."""
        group, n, depth = self.back.shape
        c = dx.c // group
        few = c <= 4
        spread = kernels.scatter_planes if few else kernels.scatter_columns
        settings = (self.kernel, self.stride, self.pad, self.dilation)
        (kh, _), (sh, _), (ph, _), (dh, _) = settings
        band = _spread(self.tops[0].shape, depth)

        def part(r0: int, r1: int, worker: int) -> None:
            if not self.adds[0]:
                dx.rows[r0 * dx.w : r1 * dx.w].zero_()
            first = max(0, -(-(r0 + ph - (kh - 1) * dh) // sh))
            last = min(g.h, (r1 - 1 + ph) // sh + 1)
            for o0 in range(first, last, band):
                o1 = min(o0 + band, last)
                # The rows that these outputs looked at.
                low, high = max(r0, o0 * sh - ph), min(r1, (o1 - 1) * sh - ph + (kh - 1) * dh + 1)
                if low >= high:
                    continue
                count = (o1 - o0) * g.w
                col = self.scratch_of[worker][: count * depth]
                for k in range(group):
                    rows = g.rows[o0 * g.w : o1 * g.w, k * n : (k + 1) * n]
                    if few:
                        torch.mm(self.back[k].t(), rows.t(), out=col.view(depth, count))
                    else:
                        torch.mm(rows, self.back[k], out=col.view(count, depth))
                    spread(
                        col.numpy(), o0, o1, g.w, c, *settings, dx.flat,
                        (dx.start + k * c, dx.step), (dx.h, dx.w), True, low, high,
                    )  # fmt: skip

        # Neighbouring ranges need the same outputs at their ends: make few and large ones.
        self.over(dx.h, -(-dx.h // self.workers.count), part)


def _strided(node: Node) -> bool:
    return max(node.layer.stride) > 1


def _band(x: Shape, y: Shape, stride: int) -> int:
    """Return how many rows of y are convolved at a time."""
    floats = x[3] * x[1] * stride + y[3] * y[1]
    return max(4, 4 * CACHED // max(1, floats))


def _padded(x: Shape, rows: int, stride: Sequence[int], layer: Any) -> int:
    """Return how many floats a band of x with its padding takes, for `rows` rows of output."""
    extent = layer.extent
    return (rows * stride[0] + extent[0]) * (x[3] + 2 * extent[1]) * x[1]


def _spread(top: Shape, depth: int) -> int:
    """Return how many rows of the top's gradient are spread at a time."""
    return max(1, min(top[2], 3 * CACHED // max(1, top[3] * depth)))


class Depthwise(NativeActivated):
    """A convolution with one filter for each channel."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        layer = node.layer
        return (
            Convolution.suits(node, shapes)
            and layer.group == layer.channels == layer.num_output
            and tuple(layer.dilation) == (1, 1)
        )

    @classmethod
    def prepare(cls, node: Node, device: torch.device, precision: str) -> Any:
        assert node.weight is not None
        assert node.bias is not None
        taps = node.weight.flatten(1).t().contiguous()  # (kh kw, c)
        return taps.numpy().reshape(-1), node.bias.numpy()

    def bind(self) -> None:
        super().bind()
        layer = self.node.layer
        self.window = (tuple(layer.kernel), tuple(layer.stride), tuple(layer.pad))

    def forward(self) -> None:
        weight, bias = self.prepared
        x, y, ending = self.bottoms[0], self.out, self.ending()

        def part(r0: int, r1: int, worker: int) -> None:
            kernels.depthwise(
                x.flat, at(x), (x.h, x.w), x.c, weight, *self.window,
                y.flat, at(y), (y.h, y.w), bias, *ending, r0, r1,
            )  # fmt: skip

        self.over_rows(y.h, part)

    def backward(self) -> None:
        weight, _ = self.prepared
        dx, g = self.bottom_diffs[0], self.g
        assert dx is not None
        assert g is not None
        self.mask_all()

        def part(r0: int, r1: int, worker: int) -> None:
            kernels.depthwise_back(
                g.flat, at(g), (g.h, g.w), g.c, weight, *self.window,
                dx.flat, at(dx), (dx.h, dx.w), self.adds[0], r0, r1,
            )  # fmt: skip

        self.over_rows(dx.h, part)


class NativePooling(Native):
    """What maximum and average have in common."""

    masks = True

    def bind(self) -> None:
        layer, x = self.node.layer, self.bottoms[0]
        self.window = (tuple(layer.kernel or (x.h, x.w)), tuple(layer.stride), tuple(layer.pad))

    def _both(self) -> tuple[Any, ...]:
        x, y = self.bottoms[0], self.tops[0]
        return (x.flat, at(x), (x.h, x.w), x.c, *self.window, y.flat, at(y), (y.h, y.w))

    def _back(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        diff, g = self.bottom_diffs[0], self.top_diffs[0]
        assert diff is not None
        assert g is not None
        head = (g.flat, at(g), (g.h, g.w), g.c, *self.window)
        tail = (diff.flat, at(diff), (diff.h, diff.w), *self.gate(), self.adds[0])
        return head, tail


class MaxPooling(NativePooling):
    """The largest value of each window; one byte tells where it was."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        layer = node.layer
        if not super().suits(node, shapes) or layer.method != layer.MAX or len(node.tops) > 1:
            return False
        kernel = layer.kernel or shapes[0][2:]
        return kernel[0] * kernel[1] <= 255

    @classmethod
    def saves(
        cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
    ) -> list[tuple[Shape, torch.dtype]]:
        return [(tops[0], torch.uint8)]

    def bind(self) -> None:
        super().bind()
        # Without a backward nobody reads it, but the kernel writes it.
        saved = self.saved[0] if self.saved else torch.empty(self.tops[0].shape, dtype=torch.uint8)
        self.where = saved.numpy().reshape(-1)

    def forward(self) -> None:
        both = self._both()
        self.over_rows(
            self.tops[0].h, lambda r0, r1, _: kernels.max_pool(*both, self.where, r0, r1)
        )

    def backward(self) -> None:
        head, tail = self._back()

        def part(r0: int, r1: int, worker: int) -> None:
            kernels.max_pool_back(*head, self.where, *tail, r0, r1)

        self.over_rows(self.bottoms[0].h, part)


class AveragePooling(NativePooling):
    """The mean of each window."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and node.layer.method == node.layer.AVE

    def forward(self) -> None:
        both = self._both()
        self.over_rows(self.tops[0].h, lambda r0, r1, _: kernels.average_pool(*both, r0, r1))

    def backward(self) -> None:
        head, tail = self._back()

        def part(r0: int, r1: int, worker: int) -> None:
            kernels.average_pool_back(*head, *tail, r0, r1)

        self.over_rows(self.bottoms[0].h, part)


class NativeLRN(Native):
    """Local response normalisation across channels; backward computes the scale again."""

    suits, reads_back = LRN.suits, LRN.reads_back
    masks = True

    def bind(self) -> None:
        layer = self.node.layer
        self.settings = (layer.size, layer.alpha, layer.beta, layer.k)

    def forward(self) -> None:
        x, y = self.bottoms[0], self.tops[0]

        def part(first: int, last: int, worker: int) -> None:
            kernels.lrn(x.flat, at(x), x.c, *self.settings, y.flat, at(y), first, last)

        self.over_pixels(x.pixels, 2 * x.c, part)

    def backward(self) -> None:
        x, g, diff, gate = self.bottoms[0], self.top_diffs[0], self.bottom_diffs[0], self.gate()
        assert g is not None
        assert diff is not None

        def part(first: int, last: int, worker: int) -> None:
            kernels.lrn_back(
                x.flat, at(x), x.c, *self.settings, g.flat, at(g), diff.flat, at(diff),
                *gate, self.adds[0], first, last,
            )  # fmt: skip

        self.over_pixels(x.pixels, 3 * x.c, part)


class NativeAffine(NativeActivated):
    """A factor and a shift for each channel."""

    scratch = one_product

    @classmethod
    def prepare(cls, node: Node, device: torch.device, precision: str) -> Any:
        assert node.bias is not None
        return node.weight, node.bias.numpy()

    def forward(self) -> None:
        scale, bias = self.prepared
        x = self.bottoms[0].rows

        def part(first: int, last: int, worker: int) -> None:
            y = self.product(worker, first, last)
            torch.mul(x[first:last], scale, out=y)
            self.end(y, bias, first, last)

        self.over_pixels(self.out.pixels, 2 * self.out.c, part)

    def backward(self) -> None:
        scale, _ = self.prepared
        diff, g = self.bottom_diffs[0], self.g
        assert diff is not None
        assert g is not None
        gs, dx = g.rows, diff.rows

        def part(first: int, last: int, worker: int) -> None:
            self.mask_diff(first, last)
            if self.adds[0]:
                dx[first:last].addcmul_(gs[first:last], scale)
            else:
                torch.mul(gs[first:last], scale, out=dx[first:last])

        self.over_pixels(self.out.pixels, 2 * self.out.c, part)


class NativeEltwise(NativeActivated):
    """Weighted sum of values of one shape."""

    suits = Eltwise.suits
    scratch = one_product

    def bind(self) -> None:
        super().bind()
        self.no_bias = np.zeros(self.out.c, np.float32)

    def forward(self) -> None:
        coeffs = self.node.layer.coeffs
        xs = [bottom.rows for bottom in self.bottoms]

        def part(first: int, last: int, worker: int) -> None:
            out = self.product(worker, first, last)
            if coeffs[0] == 1:
                torch.add(xs[0][first:last], xs[1][first:last], alpha=coeffs[1], out=out)
                rest = 2
            else:
                torch.mul(xs[0][first:last], coeffs[0], out=out)
                rest = 1
            for coeff, x in zip(coeffs[rest:], xs[rest:]):
                out.add_(x[first:last], alpha=coeff)
            self.end(out, self.no_bias, first, last)

        self.over_pixels(self.out.pixels, 3 * self.out.c, part)

    def backward(self) -> None:
        g = self.g
        assert g is not None
        coeffs, gs = self.node.layer.coeffs, g.rows

        def part(first: int, last: int, worker: int) -> None:
            self.mask_diff(first, last)
            for i, diff in enumerate(self.bottom_diffs):
                if diff is None:
                    continue
                if self.adds[i]:
                    diff.rows[first:last].add_(gs[first:last], alpha=coeffs[i])
                else:
                    torch.mul(gs[first:last], coeffs[i], out=diff.rows[first:last])

        self.over_pixels(g.pixels, 3 * g.c, part)


NATIVE: dict[str, tuple[type[Operation], ...]] = {
    **TORCH,
    "Affine": (NativeAffine,),
    "Concat": (Concat,),
    "Convolution": (NativePointwise, Depthwise, Winograd, Bands),
    "Eltwise": (NativeEltwise,),
    "LRN": (NativeLRN,),
    "Pooling": (MaxPooling, AveragePooling),
}
