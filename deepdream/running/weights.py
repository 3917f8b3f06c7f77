"""Weights for a net: matched by layer name, shape by shape.

Functions of a `graph.Graph` and a mapping of layer name to arrays, as `proto.read_caffemodel`
returns it.

Source: ``Net::CopyTrainedLayersFrom`` and ``Net::ShareTrainedLayersWith`` of BVLC/caffe.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import WeightsError
from ..reading.caffe_pb2 import NetParameter
from . import fillers
from .blob import Blob, shapes_of
from .graph import Graph
from .layers import Layer

Shape = tuple[int, ...]
Weights = Mapping[str, Sequence[np.ndarray]]


def load_weights(net: Graph, weights: Weights, source: str) -> None:
    """Copy weights into the first layer of each name; nothing is copied unless all of it fits.

    Layers that only one side has are passed over.

    Parameters
    ----------
    net : Graph
    weights : mapping of str to sequence of ndarray
        Layer name to blobs.
    source : str
        Where they come from, for messages.

    Raises
    ------
    WeightsError
        A layer has other shapes, or another number of blobs.
    """
    pairs: list[tuple[Blob, np.ndarray]] = []
    for name, layer in _first_layers(net).items():
        if name not in weights:
            continue
        arrays = weights[name]
        if len(arrays) != len(layer.blobs):
            if layer.type == "BatchNorm" and _of_nvidia(arrays):
                raise WeightsError(
                    f"{source}: layer '{name}' has 5 weight blobs, as NVIDIA's Caffe writes them: "
                    "mean, variance, 1, scale and bias.\nAdd batch_norm_param { scale_bias: true "
                    f"}} to the layer in {net.source}, or load both files at once."
                )
            raise WeightsError(
                f"{source}: layer '{name}' has {len(arrays)} weight blobs, {net.source} "
                f"expects {len(layer.blobs)}: the two files belong to different models"
            )
        for k, (blob, array) in enumerate(zip(layer.blobs, arrays)):
            if not _fits(array.shape, tuple(blob.shape)):
                raise WeightsError(
                    f"{source}: blob {k} of layer '{name}' is {array.shape}, {net.source} "
                    f"expects {tuple(blob.shape)}:\nthe two files belong to different models"
                )
            pairs.append((blob, array))
    for blob, array in pairs:
        blob.data[...] = array.reshape(tuple(blob.shape))


def add_scale_bias(wired: Any, weights: Weights, source: str) -> None:
    """Add ``scale_bias`` to the BatchNorm layers whose weights hold a scale and a bias.

    Files of NVIDIA's Caffe have five blobs then: mean, variance, a 1, scale and bias.

    Parameters
    ----------
    wired : NetParameter
        The description, before it is built; changed in place.
    weights : mapping of str to sequence of ndarray
        Layer name to blobs.
    source : str
        Where the weights come from, for the message.

    Warns
    -----
    UserWarning
        Once, with the first layer's name.

    Notes
    -----
    Source: ``batch_norm_layer.cpp`` of NVIDIA/caffe, where ``scale_bias`` decides about the number
    of blobs, and their order is this.
    """
    told: list[str] = []
    for layer in wired.layer:
        p = layer.batch_norm_param
        plain = not (p.scale_bias or p.HasField("scale_filler") or p.HasField("bias_filler"))
        if layer.type == "BatchNorm" and plain and _of_nvidia(weights.get(layer.name, ())):
            p.scale_bias = True
            told.append(layer.name)
    if told:
        more = f" and {len(told) - 1} more" if len(told) > 1 else ""
        warnings.warn(
            f"{source}: layer '{told[0]}'{more} (BatchNorm) has a scale and a bias, as NVIDIA's "
            "Caffe writes them: they are used, as if the prototxt said scale_bias: true.",
            stacklevel=4,
        )


def _of_nvidia(arrays: Sequence[np.ndarray]) -> bool:
    """Tell whether blobs are mean, variance, one number, scale and bias."""
    sizes = [array.size for array in arrays]
    return len(sizes) == 5 and sizes[2] == 1 and len({*sizes[:2], *sizes[3:]}) == 1


def check_all_loaded(net: Graph, weights: Weights, source: str, strict: bool) -> None:
    """Say which layers find no weights: an error where `strict`, else a warning.

    Raises
    ------
    WeightsError
        Some find none, and `strict`.
    """
    missing = layers_without(net, weights)
    if not missing:
        return
    shown = ", ".join(repr(name) for name in missing[:6])
    more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
    text = f"{source} has no weights for {len(missing)} layers of {net.source}: {shown}{more}."
    if strict:
        raise WeightsError(
            f"{text}\nThe two files seem to belong to different models; strict=False loads "
            "them all the same, with what the prototxt's fillers give."
        )
    warnings.warn(f"{text} They keep what their fillers give.", stacklevel=4)


def layers_without(net: Graph, weights: Weights) -> list[str]:
    """Return the names of the layers that have parameters, but none in `weights`."""
    return [n for n, layer in _first_layers(net).items() if layer.blobs and n not in weights]


def fill_layers(net: Graph, names: Iterable[str]) -> None:
    """Run the prototxt's fillers for the layers called `names`."""
    wanted = set(names)
    done: set[int] = set()
    for i, layer in enumerate(net._layers):
        for blob, filler in zip(layer.blobs, layer.fillers):
            if id(blob._data) in done:  # shared with an earlier layer
                continue
            done.add(id(blob._data))
            if filler is not None and net._layer_names[i] in wanted:
                with net.named(i):
                    fillers.fill(blob, filler, fillers.random_state())


def share_weights(net: Graph, other: Graph, *, reshaped: bool = False) -> None:
    """Let layers of `net` use the parameter memory of the layers of the same name in `other`.

    Nothing is shared unless all of it fits.

    Parameters
    ----------
    net, other : Graph
    reshaped : bool
        As many values are enough; else shapes have to be equal, as in Caffe.

    Raises
    ------
    WeightsError
        Shapes differ, or the numbers of values.
    """
    mine = _first_layers(net)
    pairs: list[tuple[Blob, Blob]] = []
    for name, layer in zip(other._layer_names, other._layers):
        if name not in mine:
            continue
        shapes = shapes_of(layer.blobs), shapes_of(mine[name].blobs)
        counts = [[*map(math.prod, of_all)] for of_all in shapes]
        if counts[0] != counts[1] if reshaped else shapes[0] != shapes[1]:
            raise WeightsError(
                f"layer '{name}' cannot share its weights: shapes {shapes[0]} and {shapes[1]}"
            )
        pairs += zip(mine[name].blobs, layer.blobs)
    for target, blob in pairs:
        target.share_data(blob)


def describe(net: Graph) -> Any:
    """Return a net's layers, splits included, as a NetParameter without weights."""
    message: Any = NetParameter(name=net.name)
    for layer in net._layers:
        entry = message.layer.add()
        entry.CopyFrom(layer.param)
        entry.phase = layer.phase
        del entry.blobs[:]
    return message


def arrays(net: Graph) -> dict[str, list[np.ndarray]]:
    """Return a net's parameters, layer name to live arrays."""
    return {
        name: [blob.data for blob in layer.blobs]
        for name, layer in zip(net._layer_names, net._layers)
        if layer.blobs
    }


def _first_layers(net: Graph) -> dict[str, Layer]:
    """Return layer name to layer; of layers with one name, the first."""
    first: dict[str, Layer] = {}
    for name, layer in zip(net._layer_names, net._layers):
        first.setdefault(name, layer)
    return first


def _fits(stored: Shape, wanted: Shape) -> bool:
    """Tell whether a stored shape is the wanted one, or another form of it.

    Files of before 2015 have 1s in front; NVIDIA's have (1, c, 1, 1) for one number a channel.
    """
    if stored == wanted:
        return True
    for one, other in ((stored, wanted), (wanted, stored)):
        if len(one) == 4 and one[:1] + one[2:] == (1, 1, 1) and other == one[1:2]:
            return True
    return len(stored) == 4 and len(wanted) < 4 and stored == (1,) * (4 - len(wanted)) + wanted
