"""The steps of a plan: what an operation is, whatever computes it.

An `Operation` is bound to its arrays once, and then runs forward and backward as often as needed.
Diffs of bottoms are overwritten, or added to where another reader has been there before. Nothing
uses autograd: like the layers' own, gradients are written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .arrays import Array, Flags, Shape, is_map
from .program import Node, Value


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
    scratch: list[Any] = field(default_factory=list)
    mask: Flags | None = None  # of the tops, where the node ends with an activation
    # Of each bottom: to be applied to the bottom's diff, by whoever writes it last.
    masks: list[Flags | None] = field(default_factory=list)
    # Whether the last reader of each top applies this node's mask.
    masked: list[bool] = field(default_factory=list)


class Operation:
    """A step of a plan.

    Parameters
    ----------
    site : Site
    """

    masks = False  # whether it can apply the mask of the node that makes its bottom
    kernels: tuple[Any, ...] = ()  # what it calls, to be compiled beforehand

    def __init__(self, site: Site) -> None:
        self.node = site.node
        self.bottoms, self.tops = site.bottoms, site.tops
        self.bottom_diffs, self.top_diffs = site.bottom_diffs, site.top_diffs
        self.adds = site.adds
        self.prepared = site.prepared
        self.saved = site.saved
        self.workers, self.scratch_of = site.workers, site.scratch
        self.mask, self.bottom_masks, self.masked = site.mask, site.masks, site.masked
        self.bind()

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        """Tell whether this class can do what `node` says, for bottoms of these shapes."""
        return all(is_map(shape) for shape in shapes)

    @classmethod
    def prepare(cls, node: Node, device: str, precision: str) -> Any:
        """Return what does not depend on the size: weights as they are needed."""
        return None

    @classmethod
    def saves(
        cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]
    ) -> list[tuple[Shape, str]]:
        """Return shapes and types (of numpy, by name) of what forward keeps for backward."""
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

    def give(self, g: Any, i: int = 0) -> None:
        """Write a gradient, (1, c, h, w), into the diff of bottom number `i`, or add it."""
        diff = self.bottom_diffs[i]
        assert diff is not None
        if self.adds[i]:
            diff.image[...] += g
        else:
            diff.image[...] = g


class Activated(Operation):
    """What may end with an activation: keeps a mask of where the gradient passes."""

    @classmethod
    def keeps_mask(cls, node: Node) -> bool:
        """Tell whether there is anything that the activation stops."""
        return node.activation is not None and not node.activation.everywhere


def spanning(arrays: Sequence[Array]) -> Array:
    """Return neighbours in one storage as one array."""
    first = arrays[0]
    c = sum(array.c for array in arrays)
    return Array(first.flat, first.start, first.step, (1, c, first.h, first.w))
