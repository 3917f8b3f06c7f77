"""Weights in HDF5, as Caffe 1.0 saves them besides its own format.

Blob 0 of a layer is the dataset ``/data/LAYER/0``, blob 1 is ``/data/LAYER/1``. A slash in the name
of a layer, as in ``inception_3a/1x1``, opens another group, so a layer is a group that has datasets
called by numbers, at any depth. (The real Caffe cannot save such names.)

h5py does the work. It is an optional dependency, imported when the first such file is met.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import CaffemodelError, EngineError, WeightsError, how_to_install
from ..files import FileName, replacing

SIGNATURE = b"\x89HDF\r\n\x1a\n"

# gzip makes nothing smaller than a thousandth; a dataset that claims more was never written.
_MOST_COMPRESSED = 1100


def read_hdf5(path: FileName, size: int) -> dict[str, list[np.ndarray]]:
    """Read the weights of a net from an HDF5 file.

    Parameters
    ----------
    path : str, bytes or PathLike
        The file.
    size : int
        Its length in bytes: much larger arrays are refused before memory is taken.

    Returns
    -------
    dict of str to list of ndarray
        As from `caffemodel.read_caffemodel`.

    Raises
    ------
    EngineError
        h5py is not installed.
    CaffemodelError
        The file is damaged, or was not saved by Caffe.
    """
    h5py = _h5py()
    name = os.fsdecode(path)
    found: dict[str, dict[int, np.ndarray]] = {}
    budget = [_MOST_COMPRESSED * size]

    def visit(place: str, item: Any) -> None:
        # Visited once each, and through hard links only: no loops, no other files.
        layer, _, index = place.rpartition("/")
        if isinstance(item, h5py.Dataset) and layer and index.isdecimal() and len(index) < 4:
            found.setdefault(layer, {})[int(index)] = _array(item, place, budget)

    try:
        with h5py.File(name, "r") as file:
            group = file.get("data")
            if not isinstance(group, h5py.Group):
                raise CaffemodelError(
                    "it has no group 'data', so another program than Caffe saved it (Keras?)"
                )
            group.visititems(visit)
        for layer, blobs in found.items():
            if sorted(blobs) != list(range(len(blobs))):
                raise CaffemodelError(
                    f"layer {layer[:100]!r} has the blobs {sorted(blobs)}, one is missing"
                )
    except CaffemodelError as error:
        raise CaffemodelError(f"'{name}' cannot be used: {error}.") from None
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        # What h5py raises depends on which part of the file is damaged.
        raise CaffemodelError(
            f"'{name}' is a damaged HDF5 file ({error}). Get the file again."
        ) from error
    return {layer: [blobs[i] for i in range(len(blobs))] for layer, blobs in found.items()}


def write_hdf5(path: FileName, weights: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write weights as HDF5, in Caffe's layout. The file appears whole or not at all.

    Parameters
    ----------
    path : str, bytes or PathLike
        Where to write. A file of this name is replaced.
    weights : mapping of str to sequence of array-like
        Layer name -> blobs, written as float32.

    Raises
    ------
    EngineError
        h5py is not installed.
    WeightsError
        A layer's name cannot be a group, or one layer's group is another's blob.
    WriteError
        The disk is full, or the folder is missing.
    """
    h5py = _h5py()
    with replacing(path) as part, h5py.File(part, "w") as file:
        group = file.create_group("data")
        for layer, blobs in weights.items():
            for index, blob in enumerate(blobs):
                place = f"{layer}/{index}"
                if {"", "."} & set(layer.split("/")) or place in group:
                    raise WeightsError(
                        f"The name of layer '{layer}' does not work as a path in HDF5: save as "
                        "caffemodel."
                    )
                try:
                    group.create_dataset(place, data=np.asarray(blob, dtype=np.float32))
                except (ValueError, TypeError) as error:
                    raise WeightsError(
                        f"Layer '{layer}' cannot be saved as HDF5 ({error}): save as caffemodel."
                    ) from error


def _array(item: Any, place: str, budget: list[int]) -> np.ndarray:
    if item.dtype.kind not in "fiu" or item.shape is None:
        raise CaffemodelError(f"'data/{place}' is of type {item.dtype}, no numbers")
    budget[0] -= item.size * item.dtype.itemsize
    if budget[0] < 0:
        raise CaffemodelError(f"'data/{place}' has the impossible shape {item.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(item[()], dtype=np.float32).reshape(item.shape)


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError:
        raise EngineError(
            "Weights in HDF5 need the package h5py, which is not installed here.\n"
            f"Install it: {how_to_install('hdf5')}"
        ) from None
    return h5py
