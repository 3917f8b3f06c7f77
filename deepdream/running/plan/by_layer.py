"""Any layer as a step of a plan: run by its own class."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...errors import ShapeError
from ..arrays.blas import one_blas_thread
from ..blob import Blob
from .arrays import Shape
from .operation import Operation
from .program import Node


class ByLayer(Operation):
    """Any layer, run by its own class on blobs of its own."""

    @classmethod
    def suits(cls, node: Node, shapes: Sequence[Shape]) -> bool:
        return node.layer is not None

    @classmethod
    def memory(cls, node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """Return the number of bytes of the blobs."""
        shapes = list(tops) if node.in_place else [*bottoms, *tops]
        return sum(2 * 4 * math.prod(shape) for shape in shapes)

    def bind(self) -> None:
        node = self.node
        device = self.device = _device_of(self.tops[0].flat)
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
            self._write(blob, "data", array.image)
        with self._alone():
            self.layer.reshape(self.inputs, self.outputs)
            self.layer.forward(self.inputs, self.outputs)
        for blob, array in zip(self.outputs, self.tops):
            if tuple(blob.shape) != tuple(array.shape):
                raise ShapeError(
                    f"layer '{self.layer.param.name}' gives its top the shape {tuple(array.shape)} "
                    f"in reshape and {tuple(blob.shape)} in forward: a plan is made for the first. "
                    "deepdream.deepdream, which runs layer by layer, can dream through it"
                )
            array.image[...] = self._read(blob, "data")

    def backward(self) -> None:
        for blob, diff in zip(self.outputs, self.top_diffs):
            if diff is not None:
                self._write(blob, "diff", diff.image)
        wanted = [diff is not None for diff in self.bottom_diffs]
        with self._alone():
            self.layer.backward(self.outputs, wanted, self.inputs)
        for i, flag in enumerate(wanted):
            if flag:
                self.give(self._read(self.inputs[i], "diff"), i)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Compute as a net does, but with one of BLAS's threads: more give other bytes."""
        with one_blas_thread(), self.layer.ops.computing():
            yield

    def _read(self, blob: Blob, what: str) -> Any:
        if self.device == "cpu":
            return getattr(blob, what)
        return getattr(blob, f"get_{what}")()

    def _write(self, blob: Blob, what: str, value: Any) -> None:
        into = getattr(blob, what if self.device == "cpu" else f"mutable_{what}")
        if self.device != "cpu":
            into = into()
        into[...] = value


def _device_of(block: Any) -> str:
    """Return where blobs have to be that are filled from a block."""
    if isinstance(block, np.ndarray):
        return "cpu"
    return "torch" if block.device.type == "cpu" else str(block.device)
