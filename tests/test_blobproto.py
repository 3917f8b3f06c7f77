"""Blobs in bytes: shapes old and new, numbers single and double, packed or not."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdream.errors import CaffemodelError
from deepdream.reading.blobproto import (
    array_to_blobproto,
    blobproto_to_array,
    decode_blob,
    encode_blob,
    whole,
)
from deepdream.reading.caffe_pb2 import BlobProto


def blob(text: str) -> BlobProto:
    return text_format.Parse(text, BlobProto())


def test_array_round_trip():
    """An array comes back as float64 in its own shape, with the values that float32 keeps."""
    array = np.random.RandomState(7).standard_normal((2, 7, 5, 11))

    back = blobproto_to_array(array_to_blobproto(array))

    assert back.dtype == np.float64
    np.testing.assert_array_equal(back, array.astype(np.float32))


def test_message_is_a_plain_one():
    """The message has shape and data as protobuf's own setters would have put them there."""
    expected = BlobProto()
    expected.shape.dim.extend([2, 3])
    expected.data.extend([0, 1, 2, 3, 4, 5])
    expected.diff.extend([6, 7])

    array = np.arange(6).reshape(2, 3)

    assert array_to_blobproto(array, [6, 7]) == expected
    assert b"".join(encode_blob(array, np.array([6, 7]))) == expected.SerializeToString()


def test_any_memory_layout_is_stored_in_c_order():
    """Transposed and strided arrays are written as they are indexed."""
    array = np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)[::2]

    np.testing.assert_array_equal(blobproto_to_array(array_to_blobproto(array)), array)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("shape { dim: [2, 3] } data: [1, 2, 3, 4, 5, 6]", (2, 3)),
        ("shape { dim: 6 } data: [1, 2, 3, 4, 5, 6]", (6,)),
        ("num: 1 channels: 2 height: 1 width: 3 data: [1, 2, 3, 4, 5, 6]", (1, 2, 1, 3)),
        (
            "num: 6 channels: 1 height: 1 width: 1 data: [1,2,3,4,5,6] shape { dim: 6 }",
            (6, 1, 1, 1),
        ),
        ("shape { } data: 3", ()),
        ("data: 3", ()),
        ("shape { dim: [0, 3] }", (0, 3)),
        ("num: 3", (3, 0, 0, 0)),
    ],
)
def test_shapes(text, shape):
    """Any of the four old axes makes the shape an old one; without axes it is a single number."""
    array = blobproto_to_array(blob(text))

    assert array.shape == shape
    np.testing.assert_array_equal(array.ravel(), blob(text).data)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("shape { dim: 2 } data: [1, 2] double_data: [3, 4]", [3, 4]),
        ("shape { dim: 2 } data: [1, 2]", [1, 2]),
        ("shape { dim: 2 } double_data: [0.1, 1e300]", [0.1, 1e300]),
    ],
)
def test_doubles_come_first(text, values):
    """double_data counts where there is some, and keeps its precision in float64."""
    np.testing.assert_array_equal(blobproto_to_array(blob(text)), values)


def test_diffs():
    """return_diff gives diff, or double_diff, in the blob's shape."""
    message = blob("shape { dim: [1, 2] } data: [1, 2] diff: [3, 4]")

    np.testing.assert_array_equal(blobproto_to_array(message, return_diff=True), [[3, 4]])
    message.double_diff.extend([5, 6])
    np.testing.assert_array_equal(blobproto_to_array(message, return_diff=True), [[5, 6]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shape { dim: [2, 3] } data: [1, 2]", r"has 2 numbers, but its shape \(2, 3\) takes 6"),
        ("shape { dim: 2 } data: [1, 2, 3]", r"has 3 numbers, but its shape \(2,\) takes 2"),
        ("data: [1, 2]", r"has 2 numbers, but its shape \(\) takes 1"),
        ("num: 2 height: 3 data: [1, 2]", r"shape \(2, 0, 3, 0\) takes 0"),
        ("shape { dim: -2 } data: [1, 2]", r"impossible shape \(-2,\)"),
        ("num: -1 channels: -2 height: 1 width: 1 data: [1, 2]", "impossible shape"),
        ("shape { dim: [2147483648, 0] }", "impossible shape"),
        ("shape { dim: [2147483647, 2147483647] }", "takes 4,611,686,014,132,420,609"),
        ("shape { dim: [0, 2147483647, 2147483647, 2147483647] }", "impossible shape"),
        ("shape { dim: [" + ", ".join("1" * 33) + "] } data: 1", "more than 32 numbers"),
    ],
)
def test_refuses(text, message):
    """Numbers that do not fill the shape, and shapes that nothing can fill, are refused."""
    with pytest.raises(CaffemodelError, match=message):
        blobproto_to_array(blob(text))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=200),
    st.lists(st.integers(1, 60), max_size=4),
    st.booleans(),
)
def test_any_mixture_of_packed_and_unpacked_numbers(values, cuts, run_first):
    """Numbers in pieces, packed or each with its tag, come back in order."""
    parts = np.split(np.array(values, "<f4"), sorted({min(cut, len(values)) for cut in cuts}))
    data = b""
    for index, part in enumerate(parts):
        if index % 2 == run_first:
            packed = part.tobytes()
            size = len(packed)
            data += b"\x2a" + (
                bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
            )
            data += packed
        else:
            data += b"".join(b"\x2d" + value.tobytes() for value in part)
    data += b"\x3a" + bytes([2 + (len(values) > 127)]) + b"\x08"
    data += bytes([len(values)]) if len(values) < 128 else bytes([len(values) & 127 | 128, 1])

    message = BlobProto.FromString(data)

    view = memoryview(data)
    np.testing.assert_array_equal(decode_blob(view, whole(view), "x"), list(message.data))
    np.testing.assert_array_equal(list(message.data), values)


@pytest.mark.parametrize(
    ("kind", "dtype"), [("DOUBLE", "<f8"), ("FLOAT", "<f4"), ("FLOAT16", "<f2")]
)
def test_raw_data_of_nvidias_files(kind, dtype):
    """Bytes of any precision, for data and diff; they go before other numbers."""
    values = np.array([[0.5, -2, 1 / 3], [65504, 0, 7]], dtype)
    message = BlobProto(raw_data_type=kind, raw_data=values.tobytes(), data=[9])
    message.raw_diff_type, message.raw_diff = 1, (2 * np.arange(6, dtype="<f4")).tobytes()
    message.shape.dim.extend([2, 3])

    np.testing.assert_array_equal(blobproto_to_array(message), values.astype(np.float64))
    np.testing.assert_array_equal(blobproto_to_array(message, True), 2 * np.arange(6).reshape(2, 3))
    data = memoryview(message.SerializeToString())
    single = decode_blob(data, whole(data), "it")
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, values.astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("INT", bytes(24), "type 3, and only 0 to 2"),
        ("FLOAT16", bytes(11), "no sequence of 2-byte numbers"),
        ("FLOAT16", bytes(10), "has 5 numbers, but its shape"),
    ],
)
def test_damaged_raw_data(kind, content, message):
    """What is no number, or too few of them, is refused."""
    blob = BlobProto(raw_data_type=kind, raw_data=content)
    blob.shape.dim.extend([2, 3])

    with pytest.raises(CaffemodelError, match=message):
        blobproto_to_array(blob)
