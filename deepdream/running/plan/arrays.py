"""Arrays of a plan: parts of one block of memory, seen as pictures and as rows of pixels."""

from __future__ import annotations

import contextlib
import math
import mmap
from typing import Any, NamedTuple

import numpy as np

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
    flat : ndarray or Tensor
        The whole memory, flat float32.
    start, step : int
    rows : ndarray or Tensor
        (pixels, channels), a view.
    image : ndarray or Tensor
        The array in the blob's shape, a view.
    """

    # All views are made here, not when they are first asked for: threads ask at the same time.
    def __init__(self, block: Any, start: int, step: int, shape: Shape) -> None:
        self.flat = block
        self.start = start
        self.step = step
        self.shape = shape
        self.c, self.h, self.w = shape[1:] if is_map(shape) else (math.prod(shape), 1, 1)
        self.rows = _view(block, (self.pixels, self.c), (step, 1), start)
        if is_map(shape):
            strides = (self.pixels * step, 1, self.w * step, step)
            self.image = _view(block, shape, strides, start)
        else:
            self.image = self.rows.reshape(shape)

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.h * self.w

    @property
    def at(self) -> tuple[int, int]:
        """The array's place, as kernels take it."""
        return self.start, self.step


def _view(block: Any, shape: Shape, strides: tuple[int, ...], start: int) -> Any:
    """Return a part of a flat block; strides are counted in numbers."""
    if not isinstance(block, np.ndarray):
        return block.as_strided(shape, strides, start)
    if math.prod(shape) == 0:
        return np.empty(shape, block.dtype)
    each = block.itemsize
    return np.ndarray(shape, block.dtype, block, start * each, [each * s for s in strides])


def new_block(floats: int, device: str = "cpu") -> Any:
    """Return memory for so many floats: an ndarray of zeros on the CPU, else a tensor.

    On a CPU in pages of 2 MB where the system has them (Linux): a step goes through the whole of
    its memory many times, and looking up small pages would take a good part of it.

    Raises
    ------
    MemoryError
        There is none; PyTorch says so by a RuntimeError.
    """
    if device != "cpu":
        from .tensors import tensor_block

        return tensor_block(floats, device)
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(floats, np.float32)
    size = 4 * max(1, floats)
    try:
        memory = mmap.mmap(-1, size + HUGE)  # anonymous, begins at a page of 4 KB
    except OSError as error:
        raise MemoryError(f"no memory for {size} bytes: {error}") from error
    with contextlib.suppress(OSError):  # a system built without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    skip = -np.frombuffer(memory, np.uint8, 1).ctypes.data % HUGE
    return np.frombuffer(memory, np.float32, max(1, floats), skip)[:floats]


def saved_array(block: Any, start: int, shape: Shape, dtype: str) -> Any:
    """Return a dense array of another type within the block, `start` counted in floats."""
    count = math.prod(shape)
    floats = -(-count * np.dtype(dtype).itemsize // 4)
    part = block[start : start + floats]
    if isinstance(block, np.ndarray):
        return part.view(dtype)[:count].reshape(shape)
    from .tensors import typed

    return typed(part, dtype)[:count].view(shape)


class Flags(NamedTuple):
    """Bytes that tell, for each number of a value, whether an activation lets its gradient pass.

    They lie as the value's data: those of channel c of pixel p are at ``start + p * step + c`` of
    `flat`, and in `rows`, a view of (pixels, channels).
    """

    flat: Any
    start: int
    step: int
    rows: Any


def flags(block: Any, place: int, pixels: int, step: int, start: int, channels: int) -> Flags:
    """Return a part of the flags at `place`, counted in floats, of a storage of `step` channels."""
    whole = saved_array(block, place, (pixels, step), "uint8")
    return Flags(whole.reshape(-1), start, step, whole[:, start : start + channels])
