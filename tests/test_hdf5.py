"""Weights in HDF5, in Caffe's layout and with names that Caffe cannot save."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from deepdream.errors import CaffemodelError, EngineError, WeightsError, WriteError
from deepdream.reading.caffemodel import read_caffemodel
from deepdream.reading.hdf5 import write_hdf5

h5py = pytest.importorskip("h5py", reason="needs h5py")

RNG = np.random.RandomState(5)
W = RNG.standard_normal((4, 3, 5, 2)).astype(np.float32)
B = RNG.standard_normal(4).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.caffemodel.h5"


def assert_equal(weights, expected):
    assert set(weights) == set(expected)
    for name, blobs in expected.items():
        assert len(weights[name]) == len(blobs)
        for array, blob in zip(weights[name], blobs):
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            np.testing.assert_array_equal(array, blob)
            assert array.shape == blob.shape


def test_reads_the_layout_of_caffe(path):
    """A group for each layer, a dataset for each blob; other groups and empty ones are left out."""
    with h5py.File(path, "w") as file:
        file["data/conv1/0"], file["data/conv1/1"] = W, B
        file.create_group("data/relu1")
        file["diff/conv1/0"] = W
        file["data/fc/0"] = W.astype(np.float64)
        file["data/fc/notes"] = B

    assert_equal(read_caffemodel(path), {"conv1": [W, B], "fc": [W]})


def test_round_trip(path):
    """Blobs come back in order, more than ten of them too, and slashes in names are kept."""
    weights = {
        "conv1": [W, B],
        "inception_3a/1x1": [W[1:], B[1:]],
        "inception_3a/3x3": [np.float32(7).reshape(())],
        "many": [np.full((k + 1,), k, np.float32) for k in range(12)],
        "7": [B],
    }

    write_hdf5(path, weights)

    assert_equal(read_caffemodel(path), weights)
    with h5py.File(path) as file:
        assert file["data/inception_3a/1x1/0"].shape == (3, 3, 5, 2)


@pytest.mark.parametrize(
    "weights",
    [{"a": [W], "a/0": [B]}, {"a/0": [B], "a": [W]}, {"": [W]}, {"a//b": [W]}, {"/a": [W]}],
    ids=["blob then group", "group then blob", "empty", "double slash", "absolute"],
)
def test_names_that_are_no_paths(path, weights):
    """Where one layer's group would be another's blob, nothing is written."""
    with pytest.raises(WeightsError, match="save as caffemodel"):
        write_hdf5(path, weights)

    assert not list(path.parent.iterdir())


def test_missing_h5py(path, monkeypatch):
    """Without h5py the error says how to install it."""
    write_hdf5(path, {"a": [B]})
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(EngineError, match="pip install h5py"):
        read_caffemodel(path)
    with pytest.raises(EngineError, match="pip install h5py"):
        write_hdf5(path, {"a": [B]})


def test_missing_folder(tmp_path):
    """A folder that does not exist is named."""
    with pytest.raises(WriteError, match="there is no folder"):
        write_hdf5(tmp_path / "nowhere" / "x.h5", {"a": [B]})


def foreign(path):
    with h5py.File(path, "w") as file:
        file["model_weights/conv1/kernel"] = W


def no_group(path):
    with h5py.File(path, "w") as file:
        file["data"] = W


def gap(path):
    with h5py.File(path, "w") as file:
        file["data/a/0"], file["data/a/2"] = W, B


def strings(path):
    with h5py.File(path, "w") as file:
        file["data/a/0"] = "text"


def huge(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("data/a/0", (100_000, 100_000, 1000), np.float32)  # never written


def cut(path):
    write_hdf5(path, {"a": [W, B]})
    path.write_bytes(path.read_bytes()[:-100])


def only_signature(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (foreign, r"no group 'data', so another program"),
        (no_group, "no group 'data'"),
        (gap, r"layer 'a' has the blobs \[0, 2\], one is missing"),
        (strings, "'data/a/0' is of type object"),
        (huge, r"'data/a/0' has the impossible shape \(100000, 100000, 1000\)"),
        (cut, "damaged HDF5 file"),
        (only_signature, "damaged HDF5 file"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_refuses(path, make, message):
    """Files of other programs, with gaps, or damaged are named; huge ones take no memory."""
    make(path)

    with pytest.raises(CaffemodelError, match=message):
        read_caffemodel(path)


def test_links_are_not_followed(path):
    """Loops and links to other files end nowhere."""
    with h5py.File(path, "w") as file:
        file["data/a/0"] = B
        file["data/a/loop"] = file["data"]
        file["data/b"] = h5py.SoftLink("/data/a")
        file["data/c"] = h5py.ExternalLink("other.h5", "/data/a")

    assert_equal(read_caffemodel(path), {"a": [B]})
