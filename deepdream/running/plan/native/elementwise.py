"""What treats each number by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import kernels
from ..arrays import Array, Shape
from ..program import Node
from .shared import NOTHING, PLAIN, Ending, Native, NativeActivated, pixels_of


def _write(
    x: Array, y: Array, scale: Any, factor: float, bias: Any, ending: Ending, add: bool,
    first: int, last: int,
) -> None:  # fmt: skip
    """Write a range of y's pixels: x, times a factor and a scale, plus a bias."""
    kernels.affine(
        x.flat, pixels_of(x, first), scale, factor, bias, y.c, *ending, y.flat,
        pixels_of(y, first), add, (1, last - first),
    )  # fmt: skip


class Affine(NativeActivated):
    """A factor and a shift for each channel."""

    kernels = (kernels.affine,)

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        return node.weight, node.bias

    def forward(self) -> None:
        scale, bias = self.prepared
        x, y = self.bottoms[0], self.out

        def part(first: int, last: int, worker: int) -> None:
            _write(x, y, scale, 1.0, bias, self.ending(first), False, first, last)

        self.over_pixels(y.pixels, 2 * y.c, part)

    def backward(self) -> None:
        scale, _ = self.prepared
        dx, g = self.bottom_diffs[0], self.g
        assert dx is not None
        assert g is not None

        def part(first: int, last: int, worker: int) -> None:
            self.mask_diff(first, last)
            _write(g, dx, scale, 1.0, NOTHING, self.gating(0, first), self.adds[0], first, last)

        self.over_pixels(g.pixels, 2 * g.c, part)


class Eltwise(NativeActivated):
    """Weighted sum of values of one shape."""

    kernels = (kernels.affine,)

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and node.layer.operation == node.layer.SUM

    def forward(self) -> None:
        y, last_one = self.out, len(self.bottoms) - 1

        def part(first: int, last: int, worker: int) -> None:
            for i, (coeff, x) in enumerate(zip(self.node.layer.coeffs, self.bottoms)):
                ending = self.ending(first) if i == last_one else PLAIN
                _write(x, y, NOTHING, coeff, NOTHING, ending, i > 0, first, last)

        self.over_pixels(y.pixels, 3 * y.c, part)

    def backward(self) -> None:
        g = self.g
        assert g is not None

        def part(first: int, last: int, worker: int) -> None:
            self.mask_diff(first, last)
            for i, (coeff, dx) in enumerate(zip(self.node.layer.coeffs, self.bottom_diffs)):
                if dx is not None:
                    ending = self.gating(i, first)
                    _write(g, dx, NOTHING, coeff, NOTHING, ending, self.adds[i], first, last)

        self.over_pixels(g.pixels, 3 * g.c, part)


class ReLU(Native):
    """A ReLU by itself: after another layer than a convolution, or leaky."""

    kernels = (kernels.affine,)

    masks = False

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return super().suits(node, shapes) and not node.in_place

    @classmethod
    def saves(
        cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
    ) -> list[tuple[Shape, str]]:
        return [((tops[0][2] * tops[0][3], tops[0][1]), "uint8")]

    def bind(self) -> None:
        self.slope = float(self.node.layer.slope)
        self.flags = self.saved[0].reshape(-1) if self.saved else kernels.NO_MASK

    def _gate(self, first: int) -> tuple[int, int, int]:
        c = self.tops[0].c
        return first * c, 0, c

    def forward(self) -> None:
        x, y = self.bottoms[0], self.tops[0]

        def part(first: int, last: int, worker: int) -> None:
            ending = kernels.RELU, self.slope, 0.0, self.flags, self._gate(first)
            _write(x, y, NOTHING, 1.0, NOTHING, ending, False, first, last)

        self.over_pixels(y.pixels, 2 * y.c, part)

    def backward(self) -> None:
        dx, g = self.bottom_diffs[0], self.top_diffs[0]
        assert dx is not None
        assert g is not None

        def part(first: int, last: int, worker: int) -> None:
            # What was added to dx before must not pass this gate: close it on g itself.
            ending = kernels.GATE, self.slope, 0.0, self.flags, self._gate(first)
            if not self.adds[0]:
                _write(g, dx, NOTHING, 1.0, NOTHING, ending, False, first, last)
                return
            _write(g, g, NOTHING, 1.0, NOTHING, ending, False, first, last)
            _write(g, dx, NOTHING, 1.0, NOTHING, PLAIN, True, first, last)

        self.over_pixels(g.pixels, 2 * g.c, part)
