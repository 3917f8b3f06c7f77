"""Arrays of a plan: parts of one block of memory, seen as pictures and as rows of pixels."""

from __future__ import annotations

import contextlib
import math
import mmap
from functools import cached_property
from typing import Any

import numpy as np
import torch

Shape = tuple[int, ...]

HUGE = 2**21


def is_map(shape: Shape) -> bool:
    """Tell whether values of this shape are one picture, (1, channels, height, width)."""
    return len(shape) == 4 and shape[0] == 1


class Array:
    """A value's data or diff: float32, pixel by pixel with its channels side by side.

    The value at channel c of pixel (i, j) is ``flat[start + (i * w + j) * step + c]``: `step` is
    the number of channels of the storage that the value shares with its neighbours. An array that
    is no picture is dense and in C order.

    Attributes
    ----------
    shape : tuple of int
        As the blob's: (1, c, h, w) for pictures.
    block : Tensor
        The whole memory, flat float32.
    start, step : int
    """

    def __init__(self, block: torch.Tensor, start: int, step: int, shape: Shape) -> None:
        self.block = block
        self.start = start
        self.step = step
        self.shape = shape
        if is_map(shape):
            _, self.c, self.h, self.w = shape
        else:
            self.c, self.h, self.w = math.prod(shape), 1, 1

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.h * self.w

    @cached_property
    def flat(self) -> np.ndarray:
        """The whole memory as a numpy array (on the CPU)."""
        return self.block.numpy()

    @cached_property
    def rows(self) -> torch.Tensor:
        """(pixels, channels), a view."""
        return self.block.as_strided((self.pixels, self.c), (self.step, 1), self.start)

    @cached_property
    def image(self) -> torch.Tensor:
        """The array in the blob's shape, a view."""
        if not is_map(self.shape):
            return self.rows.reshape(self.shape)
        strides = (self.pixels * self.step, 1, self.w * self.step, self.step)
        return self.block.as_strided(self.shape, strides, self.start)


def new_block(floats: int, device: torch.device) -> torch.Tensor:
    """Return memory for so many floats, zero on the CPU.

    On a CPU in pages of 2 MB where the system has them (Linux): a step goes through the whole of
    its memory many times, and looking up small pages would take a good part of it.
    """
    if device.type != "cpu" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(floats, dtype=torch.float32, device=device)
    size = 4 * max(1, floats)
    memory = mmap.mmap(-1, size + HUGE)  # anonymous, begins at a page of 4 KB
    with contextlib.suppress(OSError):  # a system built without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    skip = -torch.frombuffer(memory, dtype=torch.uint8).data_ptr() % HUGE
    return torch.frombuffer(memory, dtype=torch.float32, count=max(1, floats), offset=skip)[:floats]


def saved_array(block: torch.Tensor, start: int, shape: Shape, dtype: torch.dtype) -> Any:
    """Return a dense array of another type within the block, `start` counted in floats."""
    count = math.prod(shape)
    size = torch.empty((), dtype=dtype).element_size()
    floats = -(-count * size // 4)
    return block[start : start + floats].view(dtype)[:count].view(shape)
