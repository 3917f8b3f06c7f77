"""Convolutions: all are products of windows with weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....compiling.packing import packed
from ....compiling.processor import ROWS
from .. import kernels, winograd
from ..arrays import Array, Shape, is_map
from ..merge import is_pointwise
from ..program import Node
from .shared import CACHED, NOTHING, PLAIN, NativeActivated, pixels_of

# Tiles of a Winograd convolution that one product takes, and channels of the top: fewer make the
# product slow, more leave the cache.
TILES = 98 if ROWS == 14 else 96  # multiples of ROWS
BLOCK = 128


class Convolution(NativeActivated):
    """A convolution of one picture."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        if node.weight is None or not is_map(shapes[0]):
            return False
        layer, (_, _, h, w) = node.layer, shapes[0]
        # A kernel larger than the padded picture is Caffe's own affair.
        reach = zip((h, w), layer.pad, layer.extent)
        return all(size + 2 * pad >= extent for size, pad, extent in reach)


class Pointwise(Convolution):
    """A 1x1 convolution: one product forward and one backward."""

    kernels = kernels.products, kernels.affine

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and is_pointwise(node)

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        assert node.weight is not None
        weight = node.weight[:, :, 0, 0]
        return packed(weight.T), packed(weight), node.bias

    @classmethod
    def scratch(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return kernels.BLOCK

    def forward(self) -> None:
        there, _, bias = self.prepared
        x, y = self.bottoms[0], self.out

        def part(first: int, last: int, worker: int) -> None:
            kernels.products(
                x.flat, pixels_of(x, first), (1, 0, 1, 0, x.c), there, 0, y.c, bias,
                *self.ending(first), y.flat, pixels_of(y, first), False, (1, last - first),
                self.scratch_of[worker],
            )  # fmt: skip

        self.over_pixels(y.pixels, x.c + y.c, part)

    def backward(self) -> None:
        _, back, _ = self.prepared
        dx, g = self.bottom_diffs[0], self.g
        assert dx is not None
        assert g is not None

        def part(first: int, last: int, worker: int) -> None:
            self.mask_diff(first, last)
            kernels.products(
                g.flat, pixels_of(g, first), (1, 0, 1, 0, g.c), back, 0, dx.c, NOTHING,
                *self.gating(0, first), dx.flat, pixels_of(dx, first), self.adds[0],
                (1, last - first), self.scratch_of[worker],
            )  # fmt: skip

        self.over_pixels(g.pixels, g.c + dx.c, part)


class Winograd(Convolution):
    """A 3x3 or 5x5 convolution of stride 1 by F(4x4, 3x3) or F(2x2, 5x5).

    It takes 36 products for a tile, instead of 144 or 100.

    Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015).
    """

    kernels = kernels.products, kernels.input_transform, kernels.output_transform, kernels.affine

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        layer = node.layer
        return (
            super().suits(node, shapes)
            and tuple(layer.kernel) in ((3, 3), (5, 5))
            and tuple(layer.stride) == (1, 1)
            and tuple(layer.dilation) == (1, 1)
            and max(layer.pad) < layer.kernel[0]
            and layer.group == 1
            and min(layer.channels, layer.num_output) >= 16
        )

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        weight = node.weight
        assert weight is not None
        there, back = (packed(winograd.weights_transform(weight, back)) for back in (False, True))
        return there, back, node.bias

    @classmethod
    def scratch(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        c, n = bottoms[0][1], tops[0][1]
        most = max(c + min(n, BLOCK), n + min(c, BLOCK))
        return max(kernels.BLOCK, kernels.TILE) + 36 * TILES * most

    def bind(self) -> None:
        super().bind()
        self.pad = tuple(self.node.layer.pad)
        self.last = self.node.layer.kernel[0] - 1
        self.m = winograd.outputs_of(self.node.layer.kernel[0])

    def forward(self) -> None:
        there, _, bias = self.prepared
        self._run(self.bottoms[0], self.out, self.pad, there, bias, self.ending(), False)

    def backward(self) -> None:
        _, back, _ = self.prepared
        diff, g = self.bottom_diffs[0], self.g
        assert diff is not None
        assert g is not None
        pad = (self.last - self.pad[0], self.last - self.pad[1])
        # Tiles overlap: masking each value once is faster than at each reading.
        self.mask_all()
        ending = self.gating(0, 0, diff.w, 1)
        self._run(g, diff, pad, back, NOTHING, ending, self.adds[0])

    def _run(
        self, x: Array, y: Array, pad: tuple[int, ...], weight: np.ndarray, bias: np.ndarray,
        ending: tuple[Any, ...], add: bool,
    ) -> None:  # fmt: skip
        m, size = self.m, weight.shape[-1]
        wide = -(-y.w // m)
        small = max(kernels.BLOCK, kernels.TILE)
        weight = weight.reshape(-1)
        *act, mask, mask_at = ending

        def part(first: int, last: int, worker: int) -> None:
            t = last - first
            scratch = self.scratch_of[worker]
            s, v, product = scratch[:small], scratch[small:], scratch[small + 36 * t * x.c :]
            kernels.input_transform(x.flat, x.at, (x.h, x.w), x.c, pad, v, m, wide, first, last, s)
            for channel in range(0, y.c, BLOCK):
                n = min(BLOCK, y.c - channel)
                kernels.products(
                    v, (0, t * x.c, x.c), (1, 0, 1, 0, x.c), weight[channel * x.c :], size, n,
                    NOTHING, *PLAIN, product, (0, t * n, n), False, (36, t), s,
                )  # fmt: skip
                kernels.output_transform(
                    product, n, y.flat, (y.start + channel, y.step), (y.h, y.w),
                    bias[channel : channel + n], *act, mask, (mask_at[0] + channel, *mask_at[1:]),
                    add, m, wide, first, last, s,
                )  # fmt: skip

        self.over(winograd.tiles(y.h, y.w, m), TILES, part, ROWS)


@dataclass(frozen=True)
class Taps:
    """One axis of the windows that a part of a gradient is made of: see `phases`.

    ``count`` numbers of the top's gradient, `step` apart, the first of them `behind` before the
    block's own; `taps` are the kernel's numbers that they are multiplied with.
    """

    behind: int
    step: int
    taps: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.taps)


def phases(kernel: int, stride: int, dilation: int) -> list[Taps]:
    """Return, for each remainder a, the taps that flow to the pixels with r + pad = s b + a.

    Top o reaches pixel r by tap k where ``o s - pad + k d = r``: by those taps with k d = a + s t,
    from o = b - t.
    """
    found = []
    for a in range(stride):
        taps = [k for k in range(kernel) if k * dilation % stride == a]
        behind = [(k * dilation - a) // stride for k in taps]
        step = behind[1] - behind[0] if len(taps) > 1 else 1
        found.append(Taps(behind[-1] if taps else 0, step, tuple(reversed(taps))))
    return found


class Bands(Convolution):
    """Any other convolution: products of windows, on bands of rows copied with their padding.

    The gradient is a convolution as well, of the top's gradient: pixels whose distance is a
    multiple of the stride see it through the same taps, and make one product, or, where channels
    are few (a picture's), all the pixels of a block of the stride's size make one.
    """

    kernels = kernels.products, kernels.padded, kernels.spread_out, kernels.affine

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        layer, weight = node.layer, node.weight
        assert weight is not None
        parts = weight.reshape(layer.group, -1, *weight.shape[1:])  # (group, n, c, kh, kw)
        there = packed(_windows(parts.transpose(0, 3, 4, 2, 1)))
        rows, columns = (phases(*axis) for axis in zip(layer.kernel, layer.stride, layer.dilation))
        if _together(node):
            size = [max(taps.behind for taps in axis) + 1 for axis in (rows, columns)]
            sh, sw = layer.stride
            n, c = weight.shape[:2]
            block = np.zeros((*size, n, sh, sw, c), np.float32)
            for a, down in enumerate(rows):
                for b, right in enumerate(columns):
                    for ki in down.taps:
                        for kj in right.taps:
                            # The window begins with the top that is farthest behind.
                            i, j = (size[0] - 1 - (ki - a) // sh, size[1] - 1 - (kj - b) // sw)
                            block[i, j, :, a, b] = weight[:, :, ki, kj]
            return there, packed(block.reshape(-1, sh * sw * c)), node.bias
        back = [
            packed(_windows(parts[:, :, :, down.taps][..., right.taps].transpose(0, 3, 4, 1, 2)))
            for down in rows
            for right in columns
        ]
        return there, back, node.bias

    @classmethod
    def scratch(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        layer, x, y = node.layer, bottoms[0], tops[0]
        there = _wanted(_band(x, y, layer.stride[0]), layer.stride, layer.extent, y[3]) * x[1]
        blocks = _blocks(x, layer)
        rows = _band(y, (1, x[1] * math.prod(layer.stride), blocks[0], blocks[1]), 1)
        reach = [extent // stride + 1 for extent, stride in zip(layer.extent, layer.stride)]
        back = _wanted(rows, (1, 1), reach, blocks[1]) * y[1]
        if _together(node):
            back += rows * blocks[1] * math.prod(layer.stride) * x[1]
        return kernels.BLOCK + max(there, back)

    def bind(self) -> None:
        super().bind()
        layer = self.node.layer
        self.group = layer.group
        self.kernel, self.stride = tuple(layer.kernel), tuple(layer.stride)
        self.pad, self.dilation = tuple(layer.pad), tuple(layer.dilation)
        self.extent = tuple(layer.extent)

    def forward(self) -> None:
        there, _, bias = self.prepared
        x, y = self.bottoms[0], self.out
        c, n = x.c // self.group, y.c // self.group
        (sh, sw), (dh, dw) = self.stride, self.dilation

        def part(r0: int, r1: int, worker: int) -> None:
            scratch = self.scratch_of[worker]
            s, band = scratch[: kernels.BLOCK], scratch[kernels.BLOCK :]
            rows, columns = (r1 - r0 - 1) * sh + self.extent[0], (y.w - 1) * sw + self.extent[1]
            corner = (r0 * sh - self.pad[0], -self.pad[1])
            kernels.padded(x.flat, x.at, (x.h, x.w), x.c, corner, band, (rows, columns))
            line = columns * x.c
            pieces = _pieces(self.kernel, (dh * line, dw * x.c), c, x.c)
            for k in range(self.group):
                kernels.products(
                    band, (k * c, sh * line, sw * x.c), pieces, there[k], 0, n,
                    bias[k * n : (k + 1) * n], *self.ending(r0 * y.w, k * n), y.flat,
                    (y.start + r0 * y.w * y.step + k * n, y.w * y.step, y.step), False,
                    (r1 - r0, y.w), s,
                )  # fmt: skip

        self.over(y.h, _band(x.shape, y.shape, sh), part)

    def backward(self) -> None:
        dx, g = self.bottom_diffs[0], self.g
        assert dx is not None
        assert g is not None
        self.mask_all()
        layer = self.node.layer
        down, right = (phases(*axis) for axis in zip(self.kernel, self.stride, self.dilation))
        behind = [max(taps.behind for taps in axis) for axis in (down, right)]
        blocks, first = _blocks(dx.shape, layer), _first_block(layer)
        shape = (1, dx.c * math.prod(self.stride), *blocks)
        run = self._together if _together(self.node) else self._phase_by_phase

        def part(b0: int, b1: int, worker: int) -> None:
            scratch = self.scratch_of[worker]
            s, band = scratch[: kernels.BLOCK], scratch[kernels.BLOCK :]
            rows, columns = b1 - b0 + behind[0], blocks[1] + behind[1]
            corner = (first[0] + b0 - behind[0], first[1] - behind[1])
            kernels.padded(g.flat, g.at, (g.h, g.w), g.c, corner, band, (rows, columns))
            run(dx, g, band, (rows, columns), (first[0] + b0, first[1]), (down, right), behind, s)

        self.over(blocks[0], _band(g.shape, shape, 1), part)

    def _together(
        self, dx: Array, g: Array, band: np.ndarray, size: tuple[int, int],
        block: tuple[int, int], axes: tuple[list[Taps], list[Taps]], behind: list[int],
        s: np.ndarray,
    ) -> None:  # fmt: skip
        """Write the gradient of a picture's few channels, block by block."""
        _, back, _ = self.prepared
        rows, columns = size[0] - behind[0], size[1] - behind[1]
        line, n = size[1] * g.c, math.prod(self.stride) * dx.c
        made = band[size[0] * line :]
        kernels.products(
            band, (0, line, g.c), (behind[0] + 1, line, 1, 0, (behind[1] + 1) * g.c), back, 0, n,
            NOTHING, *PLAIN, made, (0, columns * n, n), False, (rows, columns), s,
        )  # fmt: skip
        start = tuple(b * stride - pad for b, stride, pad in zip(block, self.stride, self.pad))
        mask, offset, width = self.gate()
        kernels.spread_out(
            made, (rows, columns), start, self.stride, dx.c, dx.flat, dx.at, (dx.h, dx.w),
            kernels.GATE if width else kernels.NONE, 0.0, mask, (offset, width), self.adds[0],
        )  # fmt: skip

    def _phase_by_phase(
        self, dx: Array, g: Array, band: np.ndarray, size: tuple[int, int],
        block: tuple[int, int], axes: tuple[list[Taps], list[Taps]], behind: list[int],
        s: np.ndarray,
    ) -> None:  # fmt: skip
        """Write the pixels that lie at each place of a block, in one product for each group."""
        _, back, _ = self.prepared
        (sh, sw), (ph, pw), line = self.stride, self.pad, size[1] * g.c
        n, c = g.c // self.group, dx.c // self.group
        for a, down in enumerate(axes[0]):
            rows = _inside(block[0], size[0] - behind[0], sh, a - ph, dx.h)
            for b, right in enumerate(axes[1]):
                columns = _inside(block[1], size[1] - behind[1], sw, b - pw, dx.w)
                if not rows or not columns:
                    continue
                # The window of the first block's pixel.
                top = rows.start - block[0] + behind[0] - down.behind
                left = columns.start - block[1] + behind[1] - right.behind
                pieces = _pieces(
                    (down.count, right.count), (down.step * line, right.step * g.c), n, g.c
                )
                pixel = (rows.start * sh + a - ph) * dx.w + columns.start * sw + b - pw
                weight = back[a * sw + b]
                for k in range(self.group):
                    act, low, high, mask, place = self.gating(0, pixel, sh * dx.w, sw)
                    kernels.products(
                        band, (top * line + left * g.c + k * n, line, g.c), pieces, weight[k], 0,
                        c, NOTHING, act, low, high, mask, (place[0] + k * c, *place[1:]), dx.flat,
                        (dx.start + pixel * dx.step + k * c, sh * dx.w * dx.step, sw * dx.step),
                        self.adds[0], (len(rows), len(columns)), s,
                    )  # fmt: skip


def _windows(weight: np.ndarray) -> np.ndarray:
    """Return (group, kh, kw, k, n) weights as (group, kh * kw * k, n)."""
    group, kh, kw, k, n = weight.shape
    return weight.reshape(group, kh * kw * k, n)


def _together(node: Node) -> bool:
    """Tell whether all the pixels of a block are computed by one product."""
    layer = node.layer
    stride = math.prod(layer.stride)
    return stride > 1 and layer.group == 1 and layer.channels <= 4 and max(layer.dilation) == 1


def _pieces(
    kernel: tuple[int, int], steps: tuple[int, int], channels: int, step: int
) -> tuple[int, int, int, int, int]:
    """Return the pieces of a window, each as long as possible."""
    (kh, kw), (down, right) = kernel, steps
    if right == step == channels:  # the pixels of a row follow each other
        return kh, down, 1, 0, kw * channels
    return kh, down, kw, right, channels


def _first_block(layer: Any) -> tuple[int, int]:
    """Return the number of the first block of pixels: r + pad = s b + a for r = 0."""
    h, w = (pad // stride for pad, stride in zip(layer.pad, layer.stride))
    return h, w


def _blocks(shape: Shape, layer: Any) -> tuple[int, int]:
    """Return how many blocks of the stride's size a picture reaches into, down and across."""
    first = _first_block(layer)
    h, w = (
        (size - 1 + pad) // stride - start + 1
        for size, pad, stride, start in zip(shape[2:], layer.pad, layer.stride, first)
    )
    return h, w


def _inside(first: int, count: int, stride: int, shift: int, size: int) -> range:
    """Return the blocks b, of `count` from `first` on, whose pixel ``b stride + shift`` exists."""
    low = max(first, -(shift // stride))
    high = min(first + count, (size - 1 - shift) // stride + 1)
    return range(low, max(low, high))


def _band(x: Shape, y: Shape, stride: int) -> int:
    """Return how many rows of y are computed at a time."""
    floats = x[3] * x[1] * stride + y[3] * y[1]
    return max(4, 2 * CACHED // max(1, floats))


def _wanted(rows: int, stride: Sequence[int], extent: Sequence[int], width: int) -> int:
    """Return how many pixels `rows` rows of windows see."""
    return ((rows - 1) * stride[0] + extent[0]) * ((width - 1) * stride[1] + extent[1])


class Depthwise(Convolution):
    """A convolution with one filter for each channel."""

    kernels = kernels.depthwise, kernels.depthwise_back, kernels.affine

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        layer = node.layer
        return (
            super().suits(node, shapes)
            and layer.group == layer.channels == layer.num_output
            and tuple(layer.dilation) == (1, 1)
        )

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        weight = node.weight
        assert weight is not None
        taps = np.ascontiguousarray(weight.reshape(len(weight), -1).T)  # (kh kw, c)
        return taps.reshape(-1), node.bias

    def bind(self) -> None:
        super().bind()
        layer = self.node.layer
        self.window = (tuple(layer.kernel), tuple(layer.stride), tuple(layer.pad))

    def forward(self) -> None:
        weight, bias = self.prepared
        x, y, ending = self.bottoms[0], self.out, self.ending()

        def part(r0: int, r1: int, worker: int) -> None:
            kernels.depthwise(
                x.flat, x.at, (x.h, x.w), x.c, weight, *self.window,
                y.flat, y.at, (y.h, y.w), bias, *ending, r0, r1,
            )  # fmt: skip

        self.over_rows(y.h, part)

    def backward(self) -> None:
        weight, _ = self.prepared
        dx, g = self.bottom_diffs[0], self.g
        assert dx is not None
        assert g is not None
        ending = self.gating(0, 0, dx.w, 1)
        self.mask_all()

        def part(r0: int, r1: int, worker: int) -> None:
            kernels.depthwise_back(
                g.flat, g.at, (g.h, g.w), g.c, weight, *self.window,
                dx.flat, dx.at, (dx.h, dx.w), *ending, self.adds[0], r0, r1,
            )  # fmt: skip

        self.over_rows(dx.h, part)
