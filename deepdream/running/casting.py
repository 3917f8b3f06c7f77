"""Classifiers at any size: inner products as convolutions of the same weights.

An InnerProduct that reads a (c, h, w) blob multiplies it by (num_output, c h w) weights. Seen as
(num_output, c, h, w) they are the filters of a convolution that fits the blob in one place only,
and on a larger picture in several: the same numbers in the same memory. `cast` makes the net whose
inner products are such convolutions, with the same names for layers and blobs; so `fc8` of a
picture that is 64 pixels wider than the net's own has two columns of answers, and what stands
between (ReLU, Dropout) takes them as they are. A Flatten or Reshape on the way, which would make
one long column of all positions, leaves them where they are: its numbers are in the order in which
an inner product reads them anyhow.

Networks whose inner products see as much of a small picture as of a large one, behind a pooling
over all positions, take any size as they are, and are returned as they are.

Source: BVLC/caffe's example ``net_surgery.ipynb`` ("Casting a Classifier into a Fully Convolutional
Network").
"""

from __future__ import annotations

import math
from typing import Any

from ..errors import ShapeError
from .graph import Graph, graph_of
from .layers.activation import DropoutLayer, NeuronLayer, SwishLayer
from .layers.base import TEST
from .sizes import declared_size, picture_of
from .weights import describe

_WIDER = 64  # pixels more than a net's own size, to see which layers take them

# Layers that treat rows and columns as they treat one long column. What comes out is like what goes
# in; a softmax over channels ends the way.
_ALIKE = (NeuronLayer, DropoutLayer, SwishLayer)
_FLAT = ("Flatten", "Reshape")
_ALIKE_BY_NAME = ("Split", "Eltwise", "Concat")
_LAST = ("Softmax", "SoftmaxWithLoss", "InnerProduct")


def cast(net: Any) -> Any:
    """Return a net with the same layers and weights that takes pictures larger than its own size.

    Parameters
    ----------
    net : Net
        One of `deepdream.load_net`, of either engine. It stays as it is.

    Returns
    -------
    Net
        The same net where it takes larger pictures anyhow; else one with blobs of its own and the
        parameters of `net`, whose InnerProduct layers are Convolution layers, and whose Flatten and
        Reshape layers before them and before the softmax change nothing. Our own nets share
        the memory of the parameters; those of the real Caffe, which shares between equal shapes
        only, get a copy of what they are now. It is made once for each net, and once more where
        the net has got other memory for a parameter, as by `Net.share_with`.

    Raises
    ------
    ShapeError
        An inner product cannot be such a convolution: it counts from another axis than the
        channels, its weights are transposed, or its layer reads a blob of another form.
    ParameterError
        The net's layers are not known.
    """
    graph = graph_of(net)
    if takes_larger(graph) or not (inner_products(graph) or flattening(graph)):
        return net
    made = net.__dict__.get("_cast")
    if made is None or not _shares(net, made):
        made = net.__dict__["_cast"] = net.rebuilt(cast_description(graph))
    if made.device != net.device:  # the net has moved
        made.move(net.device)
    return made


def _shares(net: Any, made: Any) -> bool:
    """Tell whether a cast of one of our nets is still in the net's memory; Caffe's never was."""
    if not isinstance(net, Graph):
        return True
    pairs = (zip(blobs, made.params[name]) for name, blobs in net.params.items())
    return all(blob._data is cast._data for pair in pairs for blob, cast in pair)


def inner_products(graph: Graph) -> list[int]:
    """Return the numbers of the InnerProduct layers."""
    return [i for i, layer in enumerate(graph._layers) if layer.type == "InnerProduct"]


def takes_larger(graph: Graph) -> bool:
    """Tell whether a picture larger than the net's own is the same to what counts positions.

    That is all inner products, and what makes one column of all positions before them.
    """
    own, larger = (own_shapes(graph, more) for more in (0, _WIDER))
    for i in [*inner_products(graph), *flattening(graph)]:
        name = graph._bottom_names[i][0]
        if name not in larger or larger[name] != own[name]:
            return False
    return True


def flattening(graph: Graph) -> dict[int, tuple[int, int]]:
    """Return the layers that may as well leave rows and columns where they are.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict of int to (int, int)
        Numbers of Flatten and Reshape layers that make (n, c h w) of (n, c, h, w), with h and w: of
        those whose numbers only go where their place does not matter.
    """
    kept: set[int] = set()
    while True:
        found, _, blamed = _spread(graph, own_shapes(graph), kept)
        if not blamed:
            return found
        kept |= blamed


def _spread(
    graph: Graph, shapes: dict[str, tuple[int, ...]], kept: set[int]
) -> tuple[dict[int, tuple[int, int]], dict[str, tuple[int, int]], set[int]]:
    """Follow what flattening layers would leave in rows and columns.

    Parameters
    ----------
    graph : Graph
    shapes : dict
        The blobs' as they are.
    kept : set of int
        Layers that flatten as before.

    Returns
    -------
    dict, dict, set
        By the number of a flattening layer, and by the name of a (n, c h w) blob of several
        positions, its rows and columns; and layers that have to flatten, because of what reads
        them.
    """
    found: dict[int, tuple[int, int]] = {}
    spread: dict[str, tuple[int, int]] = {}
    makers: dict[str, set[int]] = {}
    blamed: set[int] = set()
    for i, layer in enumerate(graph._layers):
        bottoms, tops = graph._bottom_names[i], graph._top_names[i]
        seen = {spread.get(name, (1, 1)) for name in bottoms}
        whose = set().union(*(makers.get(name, set()) for name in bottoms))
        for name in tops:
            spread.pop(name, None)
            makers.pop(name, None)
        size = seen.pop() if len(seen) == 1 else None
        if size is not None and i not in kept and _flattens(layer, bottoms, tops, shapes):
            h, w = (*shapes[bottoms[0]][2:], *size)[:2]
            found[i] = size = (h, w)
            whose = whose | {i}
        elif size == (1, 1) or layer.type in _LAST and len(bottoms) == 1:
            continue
        elif size is None or not (isinstance(layer, _ALIKE) or layer.type in _ALIKE_BY_NAME):
            blamed |= whose
            continue
        if size != (1, 1):
            spread.update(dict.fromkeys(tops, size))
            makers.update(dict.fromkeys(tops, whose))
    return found, spread, blamed


def _flattens(
    layer: Any, bottoms: list[str], tops: list[str], shapes: dict[str, tuple[int, ...]]
) -> bool:
    """Tell whether a layer makes (n, c h w) of (n, c, h, w), or leaves (n, c) as it is."""
    if layer.type not in _FLAT or not {bottoms[0], tops[0]} <= shapes.keys():
        return False
    n, *rest = shapes[bottoms[0]]
    return len(rest) in (1, 3) and shapes[tops[0]] == (n, math.prod(rest))


def own_shapes(graph: Graph, more: int = 0) -> dict[str, tuple[int, ...]]:
    """Return the blobs' shapes for one picture of the size that the prototxt declares.

    Parameters
    ----------
    graph : Graph
    more : int
        So many pixels wider and higher. Blobs that such a picture does not reach are left out.
    """
    picture = picture_of(graph)
    size = declared_size(graph, picture)
    given = {} if size is None else {picture: (1, 3, size[0] + more, size[1] + more)}
    return graph.infer_shapes(given, strict=not more)


def cast_description(graph: Graph) -> Any:
    """Return the description of a net with convolutions for inner products.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    NetParameter
        Upgraded, with its splits, without weights and without the fillers of these layers.

    Raises
    ------
    ShapeError
        See `cast`.
    """
    message = describe(graph)
    shapes, flat = own_shapes(graph), flattening(graph)
    kept = {i for i, layer in enumerate(graph._layers) if layer.type in _FLAT and i not in flat}
    spread = _spread(graph, shapes, kept)[1]
    for i in inner_products(graph):
        name = graph._bottom_names[i][0]
        with graph.named(i):
            _to_convolution(message.layer[i], shapes[name], spread.get(name))
    for i in flat:
        _to_nothing(message.layer[i])
    for i, param in enumerate(message.layer):
        if any(len(shapes[name]) == 2 for name in graph._bottom_names[i] if name in shapes):
            _count_from_the_front(param)
    return message


def _to_nothing(param: Any) -> None:
    """Turn the description of a Flatten or Reshape into that of a layer that changes nothing.

    A Dropout in the TEST phase is one that each engine knows, and that plans leave out.
    """
    param.type, param.phase = "Dropout", TEST
    param.ClearField("flatten_param")
    param.ClearField("reshape_param")


def _count_from_the_front(param: Any) -> None:
    """Let a layer's axis that is counted from the back of (n, c) be the same of (n, c, h, w)."""
    for name in ("concat_param", "slice_param", "softmax_param", "scale_param", "bias_param"):
        if param.HasField(name) and getattr(param, name).axis < 0:
            getattr(param, name).axis += 2


def _to_convolution(
    param: Any, bottom: tuple[int, ...], spread: tuple[int, int] | None = None
) -> None:
    """Turn the description of an InnerProduct into that of a Convolution, in place.

    Parameters
    ----------
    param : LayerParameter
    bottom : tuple of int
        The shape of what it reads: (n, c, h, w), or (n, c) behind another inner product.
    spread : (int, int), optional
        Of (n, c h w), which is flat no longer: h and w.
    """
    inner = param.inner_product_param
    if inner.transpose:
        raise ShapeError("its weights are transposed, and no convolution's are like them")
    if inner.axis not in (1, 1 - len(bottom)) or len(bottom) not in (2, 4):
        raise ShapeError(
            f"it multiplies from axis {inner.axis} of {bottom} on: only behind (n, c, h, w) or "
            "(n, c), from the channels on, it can be a convolution"
        )
    h, w = bottom[2:] or spread or (1, 1)
    param.type = "Convolution"
    convolution = param.convolution_param
    convolution.num_output, convolution.bias_term = inner.num_output, inner.bias_term
    if h == w:
        convolution.kernel_size.append(h)
    else:
        convolution.kernel_h, convolution.kernel_w = h, w
    param.ClearField("inner_product_param")
