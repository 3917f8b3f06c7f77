"""Blobs: the named arrays that flow through a net.

A `Blob` has two arrays of one shape, `data` and `diff` (the gradient with respect to the data).
pycaffe promises that both are live: ``blob.data[0] = x`` changes what the net computes next.
So a blob owns flat memory and hands out views of its first ``count`` values. It grows only
when a larger shape than ever before is asked for; then both arrays start again as zeros.

`Memory` is that flat buffer. It exists on the host, where NumPy sees it and layers on a CPU compute
in it, and, for a net on a GPU, once more on the device; it copies when the side that is asked for
is behind the other. As in Caffe's GPU mode, asking for ``blob.data`` counts as writing to it, and
an array kept from before the last forward pass may be out of date: ask again.

Nothing here knows about layers.

Source: ``blob.cpp`` and ``syncedmem.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import AssignmentError, EngineError, OutOfMemoryError, ShapeError
from .arrays import Array, on_host, operations
from .vectors import IntVec as IntVec

MAX_AXES = 32  # kMaxBlobAxes
MAX_COUNT = 2**31 - 1  # Caffe counts in int


class Changes:
    """Whether any blob has got another shape or other memory.

    Each time `last` becomes another object. While it is the same, what was made for the blobs of a
    net fits: no layer needs to be asked for its tops' shapes again. Not a number, which two
    threads could count to the same value.
    """

    last = object()


class Memory:
    """A flat buffer of `count` values, zero at first, taken when it is first touched.

    Parameters
    ----------
    count : int
        Number of values.
    dtype : numpy dtype
        float32, or float64 in tests.
    device : str
        Where layers compute: ``"cpu"``, ``"cuda:1"``.
    """

    __slots__ = ("_device_ahead", "_host", "_host_ahead", "_tensor", "count", "device", "dtype")

    def __init__(self, count: int, dtype: Any, device: str) -> None:
        self.count = count
        self.dtype = np.dtype(dtype)
        self.device = device
        self._host: np.ndarray | None = None
        self._tensor: Array = None
        self._host_ahead = False
        self._device_ahead = False

    def host(self) -> np.ndarray:
        """Return the buffer as a flat writable array; the device's copy is then out of date."""
        if self._host is None:
            try:
                self._host = np.zeros(self.count, self.dtype)
            except MemoryError:
                raise OutOfMemoryError(
                    f"no memory for a blob of {self.count} values "
                    f"({self.count * self.dtype.itemsize / 2**20:.0f} MiB): use a smaller picture"
                ) from None
        if self._device_ahead:
            self._host[...] = self._tensor.cpu().numpy()
            self._device_ahead = False
        self._host_ahead = True
        return self._host

    def move(self, device: str) -> None:
        """Let layers compute on another device from now on; the values come along."""
        if self._host is not None or self._tensor is not None:
            self.host()  # fetches what only the old device has
        self.device, self._tensor, self._device_ahead = device, None, False

    def array(self, write: bool) -> Array:
        """Return the buffer where layers compute; with `write` the host may then be behind."""
        if on_host(self.device):
            return self.host()
        ops = operations(self.device)
        if self._tensor is None:
            self._tensor = ops.flat_zeros(self.count, self.dtype, self.device)
        if self._host_ahead:
            assert self._host is not None
            self._tensor[...] = ops.like(self._host, self._tensor)
            self._host_ahead = False
        self._device_ahead = self._device_ahead or write
        return self._tensor


class Blob:
    """An array with its gradient, both float32, C-contiguous and live.

    Parameters
    ----------
    *shape : int
        Length of each axis; for pictures (num, channels, height, width). Without any, the blob
        is empty until `reshape` is called.

    Attributes
    ----------
    data, diff : ndarray
        New views of the same memory at each access; write through them with ``[...] =``.
    unkept : str
        Why there are no values to read: whoever asks for `data` or `diff` gets an `EngineError`
        with these words. Empty where there are some.
    """

    unkept = ""

    def __init__(self, *shape: int, dtype: Any = np.float32, device: str = "cpu") -> None:
        self.dtype = np.dtype(dtype)
        self.device = device
        self._shape: tuple[int, ...] = ()
        self._count = 0
        self._capacity = 0
        self._data = Memory(0, self.dtype, self.device)
        self._diff = Memory(0, self.dtype, self.device)
        self._forget()
        if shape:
            self.reshape(*shape)

    # -- shape ----------------------------------------------------------------------------------

    @property
    def shape(self) -> IntVec:
        """Axis lengths, as a list."""
        return IntVec(self._shape)

    @shape.setter
    def shape(self, value: Any) -> None:
        raise AssignmentError("a shape cannot be assigned: write blob.reshape(1, 3, 224, 224)")

    @property
    def count(self) -> int:
        """Number of values."""
        return self._count

    def reshape(self, *shape: int | Sequence[int]) -> None:
        """Change the shape; old values stay in place where they fit.

        Parameters
        ----------
        *shape : int
            New axis lengths (one sequence is accepted too).

        Raises
        ------
        ShapeError
            A negative length, more than 32 axes or more than 2**31 - 1 values.

        Notes
        -----
        Memory is kept while the new count does not exceed the largest count so far, so the flat
        beginning of the old content shows through. Beyond that, data and diff are new zeros.
        """
        lengths: Any = shape[0] if len(shape) == 1 and is_sequence(shape[0]) else shape
        dims = check_shape(lengths)
        if dims == self._shape and self._capacity:
            return
        self._forget()
        count = math.prod(dims)
        # A Ctrl-C between two of these lines is mended by the next call: the shape comes last.
        if count > self._capacity:
            self._data = Memory(count, self.dtype, self.device)
            self._diff = Memory(count, self.dtype, self.device)
            self._capacity = count
        self._count = count
        self._shape = dims

    def move(self, device: str) -> None:
        """Let layers compute on another device from now on; the values come along."""
        self.device = device
        self._data.move(device)
        self._diff.move(device)
        self._forget()

    def _forget(self) -> None:
        """Make the arrays that layers get anew when they are next asked for."""
        Changes.last = object()
        self._data_array: np.ndarray | None = None
        self._diff_array: np.ndarray | None = None

    def _legacy_axis(self, axis: int) -> int:
        if len(self._shape) > 4:
            raise ShapeError(
                f"a blob of shape {self._shape} has no num, channels, height and width: "
                "these name the axes of at most 4; use shape"
            )
        return self._shape[axis] if axis < len(self._shape) else 1

    @property
    def num(self) -> int:
        """Length of axis 0 (1 where missing)."""
        return self._legacy_axis(0)

    @property
    def channels(self) -> int:
        """Length of axis 1 (1 where missing)."""
        return self._legacy_axis(1)

    @property
    def height(self) -> int:
        """Length of axis 2 (1 where missing)."""
        return self._legacy_axis(2)

    @property
    def width(self) -> int:
        """Length of axis 3 (1 where missing)."""
        return self._legacy_axis(3)

    # -- numpy ----------------------------------------------------------------------------------

    def _check_shaped(self) -> None:
        if self._count == 0 and not self._shape:
            raise ShapeError("this blob has no shape yet: call reshape(num, channels, h, w) first")

    def _check_kept(self) -> None:
        if self.unkept:
            raise EngineError(self.unkept)

    def _array(self, flat: Array) -> Array:
        self._check_shaped()
        return flat[: self._count].reshape(self._shape)

    @property
    def data(self) -> np.ndarray:
        """Values: a live, writable, C-contiguous float32 view of shape ``shape``."""
        self._check_kept()
        array: np.ndarray = self._array(self._data.host())
        return array

    @data.setter
    def data(self, value: Any) -> None:
        raise AssignmentError("values are written, not assigned: blob.data[...] = array")

    @property
    def diff(self) -> np.ndarray:
        """Gradient with respect to the values: a live view like `data`."""
        self._check_kept()
        array: np.ndarray = self._array(self._diff.host())
        return array

    @diff.setter
    def diff(self, value: Any) -> None:
        raise AssignmentError("values are written, not assigned: blob.diff[...] = array")

    # -- arrays, for layers ---------------------------------------------------------------------

    # On a CPU they are views of the host's memory, and kept: layers ask often.

    def get_data(self) -> Array:
        """Return the values for reading, where layers compute: a NumPy array, or a tensor."""
        return self._data_array if self._data_array is not None else self._data_of(write=False)

    def get_diff(self) -> Array:
        """Return the gradient for reading, where layers compute."""
        return self._diff_array if self._diff_array is not None else self._diff_of(write=False)

    def mutable_data(self) -> Array:
        """Return the values for writing, where layers compute."""
        return self._data_array if self._data_array is not None else self._data_of(write=True)

    def mutable_diff(self) -> Array:
        """Return the gradient for writing, where layers compute."""
        return self._diff_array if self._diff_array is not None else self._diff_of(write=True)

    def _data_of(self, write: bool) -> Array:
        array = self._array(self._data.array(write))
        if on_host(self._data.device):
            self._data_array = array
        return array

    def _diff_of(self, write: bool) -> Array:
        array = self._array(self._diff.array(write))
        if on_host(self._diff.device):
            self._diff_array = array
        return array

    # -- sharing --------------------------------------------------------------------------------

    def share_data(self, other: Blob) -> None:
        """Use the other blob's memory for the values; counts must be equal."""
        self._check_share(other)
        if self._data is not other._data:
            self._data, self._data_array = other._data, None
            Changes.last = object()

    def share_diff(self, other: Blob) -> None:
        """Use the other blob's memory for the gradient; counts must be equal."""
        self._check_share(other)
        if self._diff is not other._diff:
            self._diff, self._diff_array = other._diff, None
            Changes.last = object()

    def _check_share(self, other: Blob) -> None:
        if self._count != other._count:
            raise ShapeError(
                f"blobs of shapes {self._shape} and {other._shape} cannot share memory: "
                f"{self._count} and {other._count} values"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the kept views: in a copy they would be arrays of their own."""
        return {**self.__dict__, "_data_array": None, "_diff_array": None}

    def __repr__(self) -> str:
        return f"Blob{self._shape}"


def is_sequence(value: Any) -> bool:
    """Tell whether `value` is a list, tuple, array or other sequence of axis lengths."""
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str)


def shapes_of(blobs: Iterable[Blob]) -> list[tuple[int, ...]]:
    """Return the present shapes of blobs, as tuples."""
    return [blob._shape for blob in blobs]


def check_shape(shape: Iterable[Any]) -> tuple[int, ...]:
    """Return `shape` as a tuple of int.

    Raises
    ------
    ShapeError
        A length that is negative or no whole number, more than 32 axes, or more than 2**31 - 1
        values in all.
    """
    try:
        dims = tuple(value.__index__() for value in shape)
    except AttributeError:
        raise TypeError(f"a shape is made of whole numbers, not {tuple(shape)}") from None
    if any(value < 0 for value in dims):
        raise ShapeError(f"shape {dims} has a negative length: the input is too small, or a "
                         "parameter is wrong")  # fmt: skip
    if len(dims) > MAX_AXES:
        raise ShapeError(f"a blob of {len(dims)} axes: at most {MAX_AXES} are allowed")
    if math.prod(dims) > MAX_COUNT:
        raise ShapeError(f"a blob of shape {dims} has more than {MAX_COUNT} values: use a smaller "
                         "picture, or check the prototxt")  # fmt: skip
    return dims
