"""Means, as a BlobProto or as NumPy's file."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

from deepdream.errors import CaffemodelError, MissingFileError
from deepdream.reading.blobproto import array_to_blobproto
from deepdream.reading.caffe_pb2 import NetParameter
from deepdream.reading.means import read_mean

MEAN = np.arange(1 * 3 * 5 * 7, dtype=np.float32).reshape(1, 3, 5, 7)


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def legacy() -> bytes:
    message = array_to_blobproto(MEAN)
    message.ClearField("shape")
    message.num, message.channels, message.height, message.width = MEAN.shape
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (array_to_blobproto(MEAN).SerializeToString(), MEAN),
        (legacy(), MEAN),
        (saved(MEAN), MEAN),
        (saved(np.asfortranarray(MEAN[0].astype(np.float64))), MEAN[0]),
        (saved(np.array([104, 117, 123])), np.float32([104, 117, 123])),
        (saved(MEAN.astype(">f4")), MEAN),
    ],
    ids=["binaryproto", "legacy", "npy", "fortran", "integers", "big-endian"],
)
def test_reads(tmp_path, content, expected):
    """A mean comes back as stored, in float32, whatever the file is called."""
    path = tmp_path / "mean"
    path.write_bytes(content)

    mean = read_mean(path)

    assert mean.dtype == np.float32
    assert mean.flags.writeable
    assert type(mean) is np.ndarray
    np.testing.assert_array_equal(mean, expected)


def test_header_of_python_2(tmp_path):
    """The mean of ILSVRC 2012 has a header with Python 2's long integers; no warning comes out."""
    content = saved(MEAN).replace(b"(1, 3, 5, 7), }", b"(1L, 3, 5, 7),}")
    path = tmp_path / "mean.npy"
    path.write_bytes(content)

    np.testing.assert_array_equal(read_mean(path), MEAN)


def huge_npy() -> bytes:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999, 99999, 99), }"
    header += b" " * (117 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + bytes([len(header), 0]) + header + bytes(64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html><title>Not Found</title>", "a web page titled 'Not Found', not a mean"),
        (b"104\n117\n123\n", "is text"),
        (saved(MEAN)[:-1], "damaged .npy"),
        (saved(MEAN)[:30], "damaged .npy"),
        (huge_npy(), "damaged .npy"),
        (saved(np.array([{"a": 1}], dtype=object)), "damaged .npy"),
        (saved(np.array(["a"])), "its numbers are of type <U1"),
        (saved(np.array([1 + 2j])), "its numbers are of type complex128"),
        (saved(np.zeros((0, 3))), r"is no mean: its shape is \(0, 3\)"),
        (saved(np.array([1, np.nan, 3])), "not all of it is finite"),
        (array_to_blobproto(MEAN).SerializeToString()[:-9], "cut short|needs|is no mean"),
        (pickle.dumps(MEAN), "a Python pickle"),
    ],
)
def test_refuses(tmp_path, content, message):
    """A damaged, foreign or senseless file is refused in words."""
    path = tmp_path / "mean"
    path.write_bytes(content)

    with pytest.raises(CaffemodelError, match=message):
        read_mean(path)


def test_refuses_weights(tmp_path):
    """A caffemodel in place of the mean is named as such."""
    net = NetParameter()
    net.layer.add(name="x").blobs.add(num=1, channels=1, height=1, width=1, data=[2])
    path = tmp_path / "x.caffemodel"
    path.write_bytes(net.SerializeToString())

    with pytest.raises(CaffemodelError, match="holds the weights of a net, not a mean"):
        read_mean(path)


def test_missing_file(tmp_path):
    """A path without a file has its own error."""
    with pytest.raises(MissingFileError, match="There is no file"):
        read_mean(tmp_path / "mean.npy")


def mat(**variables: np.ndarray) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, variables)
    return file.getvalue()


@pytest.mark.parametrize(
    "variables",
    [
        {"mean_data": MEAN[0].transpose(2, 1, 0)},
        {"image_mean": MEAN[0].transpose(2, 1, 0).astype(np.float64), "extra": np.ones(4)},
        {"whatever": MEAN[0].transpose(2, 1, 0)},
    ],
    ids=["Caffe's", "double", "the only one"],
)
def test_matlab(tmp_path, variables):
    """Caffe's interface to MATLAB keeps a mean as (w, h, c)."""
    path = tmp_path / "mean.mat"
    path.write_bytes(mat(**variables))

    np.testing.assert_array_equal(read_mean(path), MEAN[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (mat(a=np.ones((2, 3)), b=np.ones(4)), r"it has a \(2, 3\), b \(1, 4\)"),
        (mat(a="text"), "it has no array"),
        (mat(mean=np.ones((2, 3)))[:150], "is a damaged MATLAB file"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(500), "is a MATLAB 7.3 file: save it"),
    ],
    ids=["two", "none", "cut", "7.3"],
)
def test_matlab_refused(tmp_path, content, message):
    """What cannot be told is named, with what is in the file."""
    path = tmp_path / "mean.mat"
    path.write_bytes(content)

    with pytest.raises(CaffemodelError, match=message):
        read_mean(path)
