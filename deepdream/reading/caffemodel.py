"""Weights in Caffe's own format, the caffemodel.

Three generations of caffemodel differ in where a layer keeps its name and its blobs, and in nothing
else that matters here, so weights are read without upgrading the net around them:

====== ================================ ======= ========
format a layer is                       name    blobs
====== ================================ ======= ========
V2     field 100 of the net             field 1 field 7
V1     field 2 of the net               field 4 field 6
V0     field 1 of field 2 of the net    field 1 field 50
====== ================================ ======= ========

Files are mapped, not read, and each blob is copied once, from the file to its array (or not at all,
where the array may be a view of the file), so that loading the 575 MB of VGG19 takes 575 MB. See
`wire` and `blobproto`.

Whether the weights fit a net is asked elsewhere (`deepdream.running.weights`).

Source: ``Net::CopyTrainedLayersFrom`` and ``Net::ToProto`` in BVLC Caffe 1.0. Where Caffe ends the
process, these functions raise `CaffemodelError`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..errors import CaffemodelError, ParameterError, WeightsError, WriteError, nearest
from ..files import HEAD, FileName, is_text, open_view, recognise, replacing
from . import hdf5
from .blobproto import LIMIT, decode_blob, encode_blob, whole
from .caffe_pb2 import NetParameter
from .wire import BYTES, Field, WireError, fields, tag, varint

Weights = dict[str, list[np.ndarray]]
"""Layer name -> its blobs, float32 and C-contiguous: weights first, then bias."""


def read_caffemodel(path: FileName, *, copy: bool = True) -> Weights:
    """Read the weights of a net.

    Parameters
    ----------
    path : str, bytes or PathLike
        A binary caffemodel of any age, or Caffe's HDF5 (then h5py must be installed). The content
        decides, not the extension.
    copy : bool
        With False the arrays may be views of the mapped file: read-only, and aligned to nothing.
        That is enough for whoever copies them on.

    Returns
    -------
    dict of str to list of ndarray
        Layer name -> its blobs in file order, float32, C-contiguous, writable. Layers without
        blobs are left out; of two layers with the same name the later one counts, as in Caffe.
        Shapes are as stored: files from before 2015 have four axes for everything, so that a bias
        is (1, 1, 1, n) and the weights of an inner product are (1, 1, n, k).

    Raises
    ------
    MissingFileError
        Nothing at `path`.
    CaffemodelError
        The file is empty, cut short, damaged or something else: a web page, a Git LFS pointer, an
        archive, weights of another framework, a prototxt, a mean. The message says which.
    EngineError
        An HDF5 file, and h5py is not installed.

    Notes
    -----
    A file that was cut exactly between two layers is a shorter file, not a damaged one: then the
    net misses layers, or the file its sha256.

    Examples
    --------
    >>> weights = read_caffemodel("squeezenet_v1.1.caffemodel")  # doctest: +SKIP
    >>> [blob.shape for blob in weights["conv1"]]  # doctest: +SKIP
    [(64, 3, 3, 3), (64,)]
    """
    name = os.fsdecode(path)
    data = open_view(path, CaffemodelError)
    head = bytes(data[:HEAD])
    if head.startswith(hdf5.SIGNATURE):
        return hdf5.read_hdf5(name, len(data))
    refuse_foreign(name, head, "a caffemodel")
    if len(data) > LIMIT:
        raise CaffemodelError(
            f"'{name}' has {len(data):,} bytes, but a caffemodel ends at 2 GiB: larger weights are "
            "kept as HDF5."
        )

    weights: Weights = {}
    layers = 0
    try:
        for field in _layers(data):
            weights.update(_layer_weights(data, field, copy))
            layers += 1
    except WireError as error:
        if not layers:
            wrong = "is no caffemodel, or is cut short or damaged at its beginning"
        elif error.cut:
            wrong = f"is cut short (or damaged) after {layers} layers"
        else:
            wrong = f"is damaged after {layers} layers"
        raise CaffemodelError(f"'{name}' {wrong}: {error}. Get the file again.") from error
    if not layers:
        raise CaffemodelError(_no_net(name, data))
    return weights


def write_caffemodel(
    path: FileName, net: NetParameter, weights: Mapping[str, Sequence[np.ndarray]]
) -> None:
    """Write a net and its weights as a caffemodel.

    The bytes are those that protobuf would write. The file appears whole or not at all.

    Parameters
    ----------
    path : str, bytes or PathLike
        Where to write. A file of this name is replaced.
    net : NetParameter
        In the current format (see `upgrade`). Blobs in it are not written.
    weights : mapping of str to sequence of array-like
        Layer name -> blobs, written as float32 in the shapes they have. Layers that are not in it
        are written without blobs; layers that share a name get the same blobs.

    Raises
    ------
    ParameterError
        `net` has ``layers`` of an old format.
    WeightsError
        `weights` names a layer that `net` has not.
    WriteError
        The disk is full, the folder is missing, or the file would have 2 GiB or more.
    """
    if net.layers:
        raise ParameterError(
            "The net is in an old format: write deepdream.reading.upgrade.upgrade(net)."
        )
    known = [layer.name for layer in net.layer]
    for name in weights:
        if name not in known:
            raise WeightsError(f"There is no layer '{name}' to store.{nearest(name, known)}")

    rest = NetParameter()
    rest.CopyFrom(net)
    del rest.layer[:]
    pieces: list[list[bytes | memoryview]] = [[rest.SerializeToString()]]
    for layer in net.layer:
        bare = type(layer)()
        bare.CopyFrom(layer)
        del bare.blobs[:]
        inside = _with_blobs(bare.SerializeToString(), weights.get(layer.name, ()))
        pieces.append([tag(100, BYTES) + varint(_size(inside)), *inside])
    total = sum(map(_size, pieces))
    if total > LIMIT:
        raise WriteError(
            f"'{os.fsdecode(path)}' would have {total:,} bytes, but a caffemodel ends at 2 GiB: "
            "save as HDF5."
        )
    with replacing(path) as part, part.open("wb") as file:
        for piece in pieces:
            file.writelines(piece)


def refuse_foreign(name: str, head: bytes, wanted: str) -> None:
    """Raise CaffemodelError for a file whose first bytes tell that it is something else."""
    if not head:
        raise CaffemodelError(f"'{name}' is empty: its download or copy failed. Get it again.")
    kind = recognise(head)
    if kind is not None:
        raise CaffemodelError(f"'{name}' is {kind.what}, not {wanted}. {kind.advice}")
    if is_text(head):
        raise CaffemodelError(
            f"'{name}' is text, perhaps a prototxt: the weights are in a second file, usually "
            "called NAME.caffemodel."
        )


def _no_net(name: str, data: memoryview) -> str:
    """Say what a message without layers may be."""
    try:
        shape = decode_blob(data, whole(data), "it").shape
    except WireError:
        return f"'{name}' is no caffemodel: there is no layer in it."
    return f"'{name}' holds one array of shape {shape}, not a net: pass it as mean."


def holds_weights(data: memoryview) -> bool:
    """Tell whether one of the layers in a message has a blob."""
    try:
        return any(_layer(data, field)[1] for field in _layers(data))
    except WireError:
        return False


def _layers(data: memoryview) -> Iterator[Field]:
    """Return where the layers of a net are, of any format."""
    return (f for f in fields(data, 0, len(data)) if f.kind == BYTES and f.number in (2, 100))


def _layer_weights(data: memoryview, field: Field, copy: bool) -> Weights:
    """Return the layer's name with its blobs, or nothing if it has none."""
    try:
        layer, blobs = _layer(data, field)
    except WireError as error:
        raise WireError(f"in the next one, {error}") from error
    arrays = [
        decode_blob(data, blob, f"layer {layer[:100]!r}, blob {index}", copy=copy)
        for index, blob in enumerate(blobs)
    ]
    return {layer: arrays} if arrays else {}


def _layer(data: memoryview, layer: Field) -> tuple[str, list[Field]]:
    """Return the name of a layer of any format, and where its blobs are."""
    name_at, blobs_at = (1, 7) if layer.number == 100 else (4, 6)
    inside = [f for f in fields(data, layer.start, layer.end) if f.kind == BYTES]
    if layer.number == 2 and any(f.number == 1 for f in inside):
        name_at, blobs_at = 1, 50
        inside = [
            g
            for f in inside
            if f.number == 1
            for g in fields(data, f.start, f.end)
            if g.kind == BYTES
        ]
    name = b""
    for field in inside:
        if field.number == name_at:
            name = bytes(data[field.start : field.end])
    return name.decode("utf-8", "replace"), [f for f in inside if f.number == blobs_at]


def _with_blobs(layer: bytes, blobs: Sequence[np.ndarray]) -> list[bytes | memoryview]:
    """Return a serialized layer in pieces, with blobs where protobuf would put field 7."""
    view = memoryview(layer)
    start = 0
    for field in fields(view, 0, len(view)):
        if field.number > 7:
            break
        start = field.end
    pieces: list[bytes | memoryview] = [layer[:start]]
    for blob in blobs:
        inside = encode_blob(blob)
        pieces += [tag(7, BYTES) + varint(_size(inside)), *inside]
    return [*pieces, layer[start:]]


def _size(pieces: Sequence[bytes | memoryview]) -> int:
    return sum(map(len, pieces))
