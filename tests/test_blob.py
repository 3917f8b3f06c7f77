"""Blobs: live views, the capacity rule, sharing, and memory that lives twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepdream.errors import ShapeError
from deepdream.running import blob as blob_module
from deepdream.running.blob import Blob


def test_data_and_diff_start_as_zeros_of_float32():
    """A new blob reads as zeros, float32 and C-contiguous."""
    blob = Blob(2, 3, 5, 7)

    for array in (blob.data, blob.diff):
        assert array.shape == (2, 3, 5, 7)
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()


def test_data_is_live_through_views_of_views():
    """What the notebook's guided objective writes through a reshaped slice arrives."""
    blob = Blob(1, 3, 5, 7)

    blob.diff[0].reshape(3, -1)[:] = np.arange(105).reshape(3, 35)

    np.testing.assert_array_equal(blob.diff.ravel(), np.arange(105))
    assert blob.get_diff()[0, 1, 0, 1] == 36


def test_data_cannot_be_replaced():
    """Assigning an array instead of writing into it is refused, as in pycaffe."""
    with pytest.raises(AttributeError):
        Blob(2, 3).data = np.zeros((2, 3))


def test_shape_is_a_list_and_counts():
    """shape is no tuple, count is the product, and a blob without axes holds one value."""
    blob = Blob(2, 3, 5)

    assert list(blob.shape) == [2, 3, 5]
    assert not isinstance(blob.shape, tuple)
    assert blob.count == 30
    blob.reshape()
    assert blob.count == 1


def test_legacy_axes_are_one_where_missing():
    """num, channels, height and width read 1 beyond the last axis."""
    blob = Blob(10, 1000)

    assert (blob.num, blob.channels, blob.height, blob.width) == (10, 1000, 1, 1)
    with pytest.raises(ShapeError, match="at most 4"):
        _ = Blob(1, 2, 3, 4, 5).num


def test_reshape_within_capacity_keeps_the_flat_buffer():
    """A smaller shape shows the old beginning; going back shows the old end."""
    blob = Blob(4, 5)
    blob.data.flat = np.arange(20)
    pointer = blob.data.ctypes.data

    blob.reshape(2, 3)
    np.testing.assert_array_equal(blob.data, [[0, 1, 2], [3, 4, 5]])

    blob.reshape(5, 4)
    np.testing.assert_array_equal(blob.data.ravel(), np.arange(20))
    assert blob.data.ctypes.data == pointer


def test_reshape_beyond_capacity_gives_zeros_in_data_and_diff():
    """A larger count than ever before starts both arrays afresh."""
    blob = Blob(4, 5)
    blob.data[...] = 1
    blob.diff[...] = 2

    blob.reshape(3, 7)

    assert not blob.data.any()
    assert not blob.diff.any()


def test_an_array_outlives_its_blob():
    """An array taken from a blob stays valid when the blob is gone."""
    blob = Blob(3, 4)
    array = blob.data
    array[...] = 7
    del blob

    assert (array == 7).all()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, -1), "negative length"),
        ((1,) * 33, "at most 32"),
        ((2**16, 2**16), "more than 2147483647 values"),
    ],
)
def test_impossible_shapes_are_refused_before_memory_is_taken(shape, message):
    """Negative, too many and too large axes are errors that say so."""
    with pytest.raises(ShapeError, match=message):
        Blob().reshape(*shape)


def test_reshape_refuses_fractions_and_takes_numpy_integers():
    """A float is a TypeError as in pycaffe; numpy's integers and a tuple are accepted."""
    blob = Blob(2, 3)
    with pytest.raises(TypeError, match="whole numbers"):
        blob.reshape(1.5, 2)

    blob.reshape(*np.array([3, 2]))
    assert list(blob.shape) == [3, 2]
    blob.reshape((6, 1))
    assert list(blob.shape) == [6, 1]


def test_a_blob_without_shape_says_what_to_do():
    """Reading a blob that was never given a shape explains itself, where Caffe aborts."""
    with pytest.raises(ShapeError, match=r"call reshape"):
        _ = Blob().data


def test_sharing_makes_one_memory_of_two():
    """After share_data a write through one blob shows in the other; diffs stay apart."""
    a, b = Blob(2, 6), Blob(3, 4)
    b.share_data(a)

    a.data[0, 1] = 5
    a.diff[...] = 1

    assert b.data[0, 1] == 5
    assert not b.diff.any()
    with pytest.raises(ShapeError, match="10 and 12 values"):
        Blob(2, 5).share_data(a)


def test_device_memory_follows_the_host_and_back():
    """With memory of its own, a device sees what numpy wrote, and numpy what the device wrote."""
    blob = Blob(2, 3, device="torch")

    blob.data[...] = 4
    assert (blob.get_data() == 4).all()

    blob.mutable_data().mul_(2)
    assert (blob.data == 8).all()

    stale = blob.data
    blob.mutable_data().fill_(torch.pi)
    assert (stale == 8).all()  # as in Caffe's GPU mode: ask for data again
    np.testing.assert_allclose(blob.data, np.pi, rtol=1e-6)


@pytest.mark.parametrize("nth", [0, 1])
def test_a_reshape_that_was_interrupted_is_done_by_the_next(monkeypatch, nth):
    """A Ctrl-C lands anywhere: the next dream on the net is not to stumble over it."""
    made = []
    original = blob_module.Memory

    def interrupted(*arguments):
        made.append(arguments)
        if len(made) == nth + 1:
            raise KeyboardInterrupt
        return original(*arguments)

    blob = Blob(2, 3)
    monkeypatch.setattr(blob_module, "Memory", interrupted)
    with pytest.raises(KeyboardInterrupt):
        blob.reshape(4, 5)
    blob.reshape(4, 5)

    assert blob.data.shape == blob.diff.shape == (4, 5)
    assert not blob.data.any()
