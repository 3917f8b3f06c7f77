"""Blobs in bytes: arrays to and from ``BlobProto``, the message that holds every weight.

A blob is a shape and a list of numbers. The shape is ``shape.dim``, or in files from before 2015
the four fields num, channels, height and width; the numbers are ``data``, or ``double_data`` from a
net of double precision, or, in NVIDIA's files, the bytes ``raw_data``, of half precision, too. The
bytes of the numbers are copied as they are, never number by number: see `wire`.

Source: ``Blob::FromProto`` in BVLC Caffe 1.0, ``caffe/io.py``; for ``raw_data`` NVIDIA/caffe, as
OpenCV's ``opencv-caffe.proto`` has it. Where Caffe ends the process, these
functions raise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import CaffemodelError
from .caffe_pb2 import BlobProto
from .wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    WireError,
    fields,
    integers,
    numbers,
    tag,
    varint,
)

# Protobuf, and so Caffe, reads and writes no message of 2 GiB or more.
LIMIT = (1 << 31) - 1

MAX_AXES = 32

# NVIDIA's names of what raw_data holds: DOUBLE, FLOAT, FLOAT16.
_RAW = {0: "<f8", 1: "<f4", 2: "<f2"}


def blobproto_to_array(blob: BlobProto, return_diff: bool = False) -> np.ndarray:
    """Return the numbers of a BlobProto.

    Parameters
    ----------
    blob : BlobProto
        Ours, or that of the real Caffe.
    return_diff : bool
        Return ``diff`` instead of ``data``.

    Returns
    -------
    ndarray, float64
        In the stored shape, with the four old axes if any of them is set. ``double_data`` counts
        where there is some.

    Raises
    ------
    CaffemodelError
        The numbers do not fill the shape. It is a ValueError, as numpy's would be.
    """
    data = memoryview(blob.SerializeToString())
    where = "the blob's diff" if return_diff else "the blob"
    try:
        return decode_blob(data, whole(data), where, return_diff, np.float64)
    except WireError as error:
        raise CaffemodelError(f"The BlobProto is damaged: {error}.") from error


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> BlobProto:
    """Return a BlobProto that holds an array.

    Parameters
    ----------
    arr : ndarray
        Any shape; stored as float32.
    diff : ndarray, optional
        As many numbers, stored as ``diff``.

    Returns
    -------
    BlobProto
    """
    return BlobProto.FromString(b"".join(encode_blob(arr, diff)))


def whole(data: memoryview) -> Field:
    """Return the place of a message that fills its buffer."""
    return Field(0, BYTES, 0, 0, len(data))


def decode_blob(
    data: memoryview,
    blob: Field,
    where: str,
    return_diff: bool = False,
    dtype: type[np.floating] = np.float32,
    copy: bool = True,
) -> np.ndarray:
    """Return the numbers of a BlobProto that lies in a buffer.

    Parameters
    ----------
    data : memoryview
        The buffer.
    blob : Field
        Where in it the message is.
    where : str
        What the blob is called in messages.
    return_diff : bool
        Return ``diff`` instead of ``data``.
    dtype : type
        Of the result.
    copy : bool
        With False the result may be a view of the buffer: read-only, and aligned to nothing.

    Returns
    -------
    ndarray
        C-contiguous and writable, in the stored shape: the four old axes if any of them is set.

    Raises
    ------
    WireError
        It is damaged, or its numbers do not fill its shape; nothing is allocated then. Never
        `cut`: the message around it is complete.
    """
    single, double = (6, 9) if return_diff else (5, 8)
    legacy: dict[int, int] = {}
    dims: list[int] = []
    singles: list[np.ndarray] = []
    doubles: list[np.ndarray] = []
    raw: Field | None = None
    raw_type = 0
    try:
        for field in fields(data, blob.start, blob.end):
            if field.number in (1, 2, 3, 4) and field.kind == VARINT:
                legacy[field.number] = field.value
            elif field.number == 7 and field.kind == BYTES:
                dims += _dims(data, field)
            elif field.number == single and field.kind in (BYTES, FIXED32):
                singles.append(numbers(data, field, "<f4"))
            elif field.number == double and field.kind in (BYTES, FIXED64):
                doubles.append(numbers(data, field, "<f8"))
            elif field.number == (11 if return_diff else 10) and field.kind == VARINT:
                raw_type = field.value
            elif field.number == (13 if return_diff else 12) and field.kind == BYTES:
                raw = field
        if raw is not None and raw.end > raw.start:
            if raw_type not in _RAW:
                raise WireError(f"raw_data is of type {raw_type}, and only 0 to 2 are real numbers")
            # As in NVIDIA's Caffe, these count where there are any.
            singles, doubles = [numbers(data, raw, _RAW[raw_type])], []
    except WireError as error:
        raise WireError(f"in {where}, {error}") from error
    shape = [legacy.get(axis, 0) for axis in (1, 2, 3, 4)] if legacy else dims
    if len(shape) > MAX_AXES or any(not 0 <= dim <= LIMIT for dim in shape):
        raise WireError(f"{where} has the impossible shape {_shown(shape)}")
    # Caffe takes the doubles where there is at least one.
    parts = doubles if any(part.size for part in doubles) else singles
    found, needed = sum(part.size for part in parts), math.prod(shape)
    if found != needed:
        raise WireError(
            f"{where} has {found:,} numbers, but its shape {_shown(shape)} takes {needed:,}"
        )
    if not copy and len(parts) == 1 and parts[0].dtype == dtype and parts[0].flags.c_contiguous:
        array = parts[0]
    else:
        array, at = np.empty(found, dtype), 0
        # A double beyond float32 is infinite there, as in Caffe.
        with np.errstate(over="ignore", invalid="ignore"):
            for part in parts:
                array[at : at + part.size] = part
                at += part.size
    try:
        return array.reshape(shape)
    except ValueError:  # no numbers, and the other axes together beyond numpy's reach
        raise WireError(f"{where} has the impossible shape {_shown(shape)}") from None


def _dims(data: memoryview, shape: Field) -> Iterator[int]:
    for field in fields(data, shape.start, shape.end):
        if field.number == 1 and field.kind in (VARINT, BYTES):
            yield from integers(data, field, MAX_AXES)


def _shown(shape: Sequence[int]) -> str:
    return str(tuple(shape)) if len(shape) <= 8 else f"of {len(shape)} axes"


def encode_blob(arr: np.ndarray, diff: np.ndarray | None = None) -> list[bytes | memoryview]:
    """Return the bytes of a BlobProto, in pieces that follow one another.

    Large arrays are not copied if they are float32 and C-contiguous.
    """
    pieces: list[bytes | memoryview] = []
    for number, array in ((5, arr), (6, diff)):
        if array is not None and np.size(array):
            values = np.ascontiguousarray(array, dtype="<f4").reshape(-1).view(np.uint8).data
            pieces += [tag(number, BYTES) + varint(len(values)), values]
    dims = b"".join(map(varint, np.shape(arr)))
    packed = tag(1, BYTES) + varint(len(dims)) + dims if dims else b""
    return [*pieces, tag(7, BYTES) + varint(len(packed)) + packed]
