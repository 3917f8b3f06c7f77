"""Arrays of a plan: parts of one block of memory, seen as pictures and as rows of pixels."""

from __future__ import annotations

import contextlib
import math
import mmap
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
    rows : Tensor
        (pixels, channels), a view.
    image : Tensor
        The array in the blob's shape, a view.
    """

    # All views are made here, not when they are first asked for: threads ask at the same time.
    def __init__(self, block: torch.Tensor, start: int, step: int, shape: Shape) -> None:
        self.block = block
        self.start = start
        self.step = step
        self.shape = shape
        self.c, self.h, self.w = shape[1:] if is_map(shape) else (math.prod(shape), 1, 1)
        self.rows = block.as_strided((self.pixels, self.c), (step, 1), start)
        if is_map(shape):
            strides = (self.pixels * step, 1, self.w * step, step)
            self.image = block.as_strided(shape, strides, start)
        else:
            self.image = self.rows.reshape(shape)
        self._flat = block.numpy() if block.device.type == "cpu" else None

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.h * self.w

    @property
    def flat(self) -> np.ndarray:
        """The whole memory as a numpy array, on the CPU."""
        assert self._flat is not None
        return self._flat


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
