"""Protobuf's wire format, as far as weights need it.

A caffemodel is a protobuf message, but the messages of `caffe_pb2` are a slow way to its
weights: every number would become a Python object. Here a message is a piece of a buffer, and
`fields` tells where in it each field lies, so that an array can be made of the bytes in one step,
without reading the rest.

A message is a sequence of fields. Each begins with a tag, ``number << 3 | kind``; the kind says how
long the value is. Integers are varints: seven bits a byte, lowest first, the eighth bit set on all
but the last.

Source: the encoding guide at protobuf.dev.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)

# A net has thousands of fields. A file with millions is no net, and would take minutes.
MAX_FIELDS = 1_000_000

_MAX_GROUPS = 100


class WireError(ValueError):
    """Bytes that are no message. `cut` tells that more bytes might have made one."""

    def __init__(self, message: str, cut: bool = False) -> None:
        super().__init__(message)
        self.cut = cut


class Field(NamedTuple):
    """One field of a message.

    Attributes
    ----------
    number, kind : int
        From the tag.
    value : int
        Of a VARINT, as a signed 64-bit number; else 0.
    start, end : int
        Where the value lies in the buffer, without its length. A run of fields of fixed size with
        the same number is one Field here, which starts after the first tag and has `run` values.
    run : int
        How many values; 1 but for such a run.
    """

    number: int
    kind: int
    value: int
    start: int
    end: int
    run: int = 1


def fields(data: memoryview, start: int, end: int) -> Iterator[Field]:
    """Walk over the fields of the message at ``data[start:end]``, in file order.

    Groups are passed over.

    Raises
    ------
    WireError
        The bytes are no message.
    """
    position = start
    for _ in range(MAX_FIELDS):
        if position >= end:
            return
        begin = position
        tag, position = _varint(data, position, end)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise WireError(f"no field can begin at byte {begin:,}")
        count = 1
        if kind == VARINT:
            value_at = position
            value, position = _varint(data, position, end)
            yield Field(number, kind, value, value_at, position)
            continue
        if kind == BYTES:
            length, position = _varint(data, position, end)
            stop = position + length if length >= 0 else end + 1
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
            stop = position + size
            if position - begin == 1 and stop <= end:
                count = _run(data, begin, end, 1 + size)
                stop += (count - 1) * (1 + size)
        elif kind == GROUP:
            position = _skip_group(data, position, end)
            continue
        else:
            raise WireError(f"no field can begin at byte {begin:,}")
        if stop > end:
            raise WireError(
                f"the field at byte {begin:,} needs {stop - position:,} bytes, and "
                f"{end - position:,} are left",
                cut=True,
            )
        yield Field(number, kind, 0, position, stop, count)
        position = stop
    raise WireError(f"there are more than {MAX_FIELDS:,} fields in it")


def numbers(data: memoryview, field: Field, dtype: str) -> np.ndarray:
    """Return the numbers of a field, packed or not, as a view of the buffer.

    Parameters
    ----------
    data : memoryview
        The buffer.
    field : Field
        Of kind BYTES (packed), FIXED32 or FIXED64.
    dtype : {"<f4", "<f8"}
        What the numbers are.

    Raises
    ------
    WireError
        The length of a packed field is no multiple of a number's.
    """
    size = np.dtype(dtype).itemsize
    if field.kind != BYTES:  # a tag between any two numbers
        return np.ndarray(field.run, dtype, data, field.start, (size + 1,))
    if (field.end - field.start) % size:
        raise WireError(f"{field.end - field.start:,} bytes are no sequence of {size}-byte numbers")
    return np.frombuffer(data, dtype, (field.end - field.start) // size, field.start)


def integers(data: memoryview, field: Field, limit: int) -> list[int]:
    """Return the varints of a field, packed or not; WireError where they are more than `limit`."""
    if field.kind == VARINT:
        return [field.value]
    found, position = [], field.start
    while position < field.end:
        value, position = _varint(data, position, field.end)
        found.append(value)
        if len(found) > limit:
            raise WireError(f"there are more than {limit} numbers in a list of {limit} at most")
    return found


def tag(number: int, kind: int) -> bytes:
    """Return the bytes that begin a field."""
    return varint(number << 3 | kind)


def varint(value: int) -> bytes:
    """Return a non-negative integer as a varint."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    """Return the varint at `position`, as a signed 64-bit number, and where it ends."""
    value = shift = 0
    while True:
        if position >= end:
            raise WireError("a number is cut short at its end", cut=True)
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift == 70:
            raise WireError(f"no number ends at byte {position:,}")
    value &= (1 << 64) - 1
    return (value - (1 << 64) if value >> 63 else value), position


def _run(data: memoryview, begin: int, end: int, size: int) -> int:
    """Return how many records of `size` bytes, from `begin` on, start with the same byte."""
    most, count = (end - begin) // size, 1
    step = 64
    while count < most:
        # Doubling keeps the look ahead in proportion to what has been found.
        ahead = min(most, count + step)
        tags = np.ndarray(ahead - count, np.uint8, data, begin + count * size, (size,))
        different = np.flatnonzero(tags != data[begin])
        if different.size:
            return count + int(different[0])
        count, step = ahead, step * 2
    return count


def _skip_group(data: memoryview, position: int, end: int) -> int:
    """Return where the group ends whose first field is at `position`."""
    depth = 1
    for _ in range(MAX_FIELDS):
        begin = position
        head, position = _varint(data, position, end)
        kind = head & 7
        if kind == VARINT:
            _, position = _varint(data, position, end)
        elif kind == BYTES:
            length, position = _varint(data, position, end)
            position += length if length >= 0 else end
        elif kind in (FIXED32, FIXED64):
            position += 4 if kind == FIXED32 else 8
        elif kind in (GROUP, END_GROUP):
            depth += 1 if kind == GROUP else -1
            if depth == 0:
                return position
        if kind > FIXED32 or depth > _MAX_GROUPS or position > end:
            raise WireError(f"no field can begin at byte {begin:,}")
    raise WireError(f"there are more than {MAX_FIELDS:,} fields in it")
