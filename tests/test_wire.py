"""Protobuf's wire format: every message is walked, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdream.reading import wire
from deepdream.reading.caffe_pb2 import BlobProto
from deepdream.reading.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    WireError,
    fields,
    numbers,
)


def walk(data: bytes) -> list[Field]:
    return list(fields(memoryview(data), 0, len(data)))


def test_kinds():
    """Each kind of field is found where its value lies."""
    data = b"\x08\x96\x01" + b"\x12\x02hi" + b"\x1d1234" + b"\x2112345678"

    assert walk(data) == [
        Field(1, VARINT, 150, 1, 3),
        Field(2, BYTES, 0, 5, 7),
        Field(3, FIXED32, 0, 8, 12),
        Field(4, FIXED64, 0, 13, 21),
    ]


def test_groups_are_passed_over():
    """A group, with one inside, yields nothing; the field behind it does."""
    data = b"\x0b\x10\x05\x13\x1a\x01x\x25abcd\x29abcdefgh\x14\x0c\x08\x07"

    assert walk(data) == [Field(1, VARINT, 7, len(data) - 1, len(data))]


def test_negative_integers_have_ten_bytes():
    """-1 comes back from its ten bytes."""
    data = BlobProto(num=-1).SerializeToString()

    assert len(data) == 11
    assert walk(data)[0].value == -1


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 500])
def test_a_run_of_unpacked_numbers_is_one_field(kind, count):
    """Numbers with a tag each come as one field, and end where another field begins."""
    values = np.arange(count).astype(kind)
    tag = b"\x2d" if kind == "<f4" else b"\x29"
    data = b"\x08\x03" + b"".join(tag + value.tobytes() for value in values) + b"\x10\x04"

    first, run, last = walk(data)

    assert (first.value, run.run, last.value) == (3, count, 4)
    np.testing.assert_array_equal(numbers(memoryview(data), run, kind), values)


def test_a_run_ends_with_the_message():
    """A run is not looked for beyond the end of its message."""
    data = b"\x2d0000" * 7

    (run,) = fields(memoryview(data), 0, 15)

    assert run.run == 3


@pytest.mark.parametrize(
    ("data", "message", "cut"),
    [
        (b"\x08", "cut short", True),
        (b"\x08\xff", "cut short", True),
        (b"\x0a\x05abc", "at byte 0 needs 5 bytes, and 3 are left", True),
        (b"\x08\x01\x0a\xff\xff\xff\xff\x7fabc", "at byte 2 needs 34,359,738,367 bytes", True),
        (b"\x0a" + b"\xff" * 9 + b"\x01abc", "needs", True),
        (b"\x0d123", "needs 4 bytes, and 3 are left", True),
        (b"\x09123", "needs 8 bytes, and 3 are left", True),
        (b"\x0b\x08\x01", "cut short", True),
        (b"\x00\x01", "no field can begin at byte 0", False),
        (b"\x08\x01\x0e", "no field can begin at byte 2", False),
        (b"\x0c", "no field can begin at byte 0", False),
        (b"\x08" + b"\xff" * 11, "no number ends", False),
        (b"\xf8\xff\xff\xff\xff\x01\x01", "no field can begin", False),
        (b"\x0b" * 200, "no field can begin", False),
        (b"\x0b\x0e\x0c", "no field can begin at byte 1", False),
        (b"\x0b\x0a\x7f\x0c", "no field can begin at byte 1", False),
    ],
)
def test_refuses(data, message, cut):
    """What is no message is refused, and what may be the beginning of one is marked."""
    with pytest.raises(WireError, match=message) as caught:
        walk(data)

    assert caught.value.cut is cut


def test_refuses_millions_of_fields(monkeypatch):
    """A message of more fields than any net has ends the walk."""
    monkeypatch.setattr(wire, "MAX_FIELDS", 1000)

    assert len(walk(b"\x08\x01" * 999)) == 999
    with pytest.raises(WireError, match="more than 1,000 fields"):
        walk(b"\x08\x01" * 1001)


def test_packed_numbers_must_be_whole():
    """Seven bytes are no list of floats."""
    data = b"\x2a\x07abcdefg"

    with pytest.raises(WireError, match="7 bytes are no sequence of 4-byte numbers"):
        numbers(memoryview(data), walk(data)[0], "<f4")


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.integers(0, (1 << 63) - 1))
def test_varints_come_back(value):
    """What `varint` writes, `fields` reads."""
    (field,) = walk(wire.tag(1, VARINT) + wire.varint(value))

    assert field.value == value


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.binary(max_size=60))
def test_any_bytes_are_walked_or_refused(data):
    """No bytes make the walk raise anything but WireError, or leave the buffer."""
    try:
        found = walk(data)
    except WireError:
        return

    assert all(0 <= field.start <= field.end <= len(data) for field in found)
