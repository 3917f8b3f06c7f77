"""Concat as a step of a plan, on NumPy's arrays and on tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .arrays import Shape, is_map
from .operation import Operation
from .program import Node


class Concat(Operation):
    """Values one behind the other; those that lie in the top already need no copy."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return all(map(is_map, shapes)) and node.layer.axis in (1, -3)

    def bind(self) -> None:
        top, g = self.tops[0], self.top_diffs[0]
        offset = 0
        self.copies: list[tuple[Any, Any]] = []
        self.returns: list[tuple[int, Any]] = []
        for i, (bottom, diff) in enumerate(zip(self.bottoms, self.bottom_diffs)):
            if (bottom.start, bottom.step) != (top.start + offset, top.step):
                self.copies.append((top.image[:, offset : offset + bottom.c], bottom.image))
            apart = diff and g and (diff.start, diff.step) != (g.start + offset, g.step)
            if apart and g is not None:
                self.returns.append((i, g.image[:, offset : offset + bottom.c]))
            offset += bottom.c

    def forward(self) -> None:
        for part, bottom in self.copies:
            part[...] = bottom

    def backward(self) -> None:
        for i, part in self.returns:
            self.give(part, i)
