"""What looks at a number's neighbours: pooling, and LRN across channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..arrays import Shape
from ..program import Node, Value
from .shared import Native


class Pooling(Native):
    """What maximum and average have in common."""

    def bind(self) -> None:
        layer, x = self.node.layer, self.bottoms[0]
        self.window = (tuple(layer.kernel or (x.h, x.w)), tuple(layer.stride), tuple(layer.pad))

    def _both(self) -> tuple[Any, ...]:
        x, y = self.bottoms[0], self.tops[0]
        return (x.flat, x.at, (x.h, x.w), x.c, *self.window, y.flat, y.at, (y.h, y.w))

    def _back(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        diff, g = self.bottom_diffs[0], self.top_diffs[0]
        assert diff is not None
        assert g is not None
        mask, offset, width = self.gate()
        head = (g.flat, g.at, (g.h, g.w), g.c, *self.window)
        tail = (diff.flat, diff.at, (diff.h, diff.w), mask, (offset, width), self.adds[0])
        return head, tail


class MaxPooling(Pooling):
    """The largest value of each window; one byte tells where it was."""

    kernels = kernels.max_pool, kernels.max_pool_back

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
    ) -> list[tuple[Shape, str]]:
        return [(tops[0], "uint8")]

    def bind(self) -> None:
        super().bind()
        # Without a backward nobody reads it, but the kernel writes it.
        saved = self.saved[0] if self.saved else np.empty(self.tops[0].shape, np.uint8)
        self.where = saved.reshape(-1)

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


class AveragePooling(Pooling):
    """The mean of each window."""

    kernels = kernels.average_pool, kernels.average_pool_back

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


class LRN(Native):
    """Local response normalisation across channels; backward computes the scale again."""

    kernels = kernels.lrn, kernels.lrn_back

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and not node.layer.within

    @classmethod
    def reads_back(cls, node: Node) -> list[Value]:
        return [node.bottoms[0]]

    @classmethod
    def scratch(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return kernels.lrn_scratch(bottoms[0][1], node.layer.size)

    def bind(self) -> None:
        layer = self.node.layer
        self.settings = (layer.size, layer.alpha, layer.beta, layer.k)

    def forward(self) -> None:
        x, y = self.bottoms[0], self.tops[0]

        def part(first: int, last: int, worker: int) -> None:
            kernels.lrn(
                x.flat, x.at, x.c, *self.settings, y.flat, y.at, first, last,
                self.scratch_of[worker],
            )  # fmt: skip

        self.over_pixels(x.pixels, 2 * x.c, part)

    def backward(self) -> None:
        x, g, diff = self.bottoms[0], self.top_diffs[0], self.bottom_diffs[0]
        assert g is not None
        assert diff is not None
        mask, offset, width = self.gate()

        def part(first: int, last: int, worker: int) -> None:
            kernels.lrn_back(
                x.flat, x.at, x.c, *self.settings, g.flat, g.at, diff.flat, diff.at,
                mask, (offset, width), self.adds[0], first, last, self.scratch_of[worker],
            )  # fmt: skip

        self.over_pixels(x.pixels, 3 * x.c, part)
