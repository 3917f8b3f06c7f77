"""Classifiers at any size: inner products as convolutions of the same weights.

An InnerProduct that reads a (c, h, w) blob multiplies it by (num_output, c h w) weights. Seen as
(num_output, c, h, w) they are the filters of a convolution that fits the blob in one place only,
and on a larger picture in several: the same numbers in the same memory. `cast` makes the net whose
inner products are such convolutions, with the same names for layers and blobs; so `fc8` of a
picture that is 64 pixels wider than the net's own has two columns of answers, and what stands
between (ReLU, Dropout) takes them as they are.

Networks whose inner products see as much of a small picture as of a large one, behind a pooling
over all positions, take any size as they are, and are returned as they are.

Source: BVLC/caffe's example ``net_surgery.ipynb`` ("Casting a Classifier into a Fully Convolutional
Network").
"""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from .graph import Graph, graph_of
from .sizes import declared_size, picture_of
from .weights import describe

_WIDER = 64  # pixels more than a net's own size, to see which layers take them


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
        parameters of `net`, whose InnerProduct layers are Convolution layers. Our own nets share
        the memory of the parameters; those of the real Caffe, which shares between equal shapes
        only, get a copy of what they are now. It is made once for each net.

    Raises
    ------
    ShapeError
        An inner product cannot be such a convolution: it counts from another axis than the
        channels, its weights are transposed, or its layer reads a blob of another form.
    ParameterError
        The net's layers are not known.
    """
    graph = graph_of(net)
    if not inner_products(graph) or takes_larger(graph):
        return net
    if "_cast" not in net.__dict__:
        net.__dict__["_cast"] = net.rebuilt(cast_description(graph))
    made = net.__dict__["_cast"]
    if made.device != net.device:  # the net has moved
        made.move(net.device)
    return made


def inner_products(graph: Graph) -> list[int]:
    """Return the numbers of the InnerProduct layers."""
    return [i for i, layer in enumerate(graph._layers) if layer.type == "InnerProduct"]


def takes_larger(graph: Graph) -> bool:
    """Tell whether all inner products take what they get of a picture larger than the net's own."""
    own, larger = (own_shapes(graph, more) for more in (0, _WIDER))
    for i in inner_products(graph):
        name = graph._bottom_names[i][0]
        if name not in larger or larger[name] != own[name]:
            return False
    return True


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
    shapes = own_shapes(graph)
    for i in inner_products(graph):
        with graph.named(i):
            _to_convolution(message.layer[i], shapes[graph._bottom_names[i][0]])
    return message


def _to_convolution(param: Any, bottom: tuple[int, ...]) -> None:
    """Turn the description of an InnerProduct into that of a Convolution, in place.

    Parameters
    ----------
    param : LayerParameter
    bottom : tuple of int
        The shape of what it reads: (n, c, h, w), or (n, c) behind another inner product.
    """
    inner = param.inner_product_param
    if inner.transpose:
        raise ShapeError("its weights are transposed, and no convolution's are like them")
    if inner.axis not in (1, 1 - len(bottom)) or len(bottom) not in (2, 4):
        raise ShapeError(
            f"it multiplies from axis {inner.axis} of {bottom} on: only behind (n, c, h, w) or "
            "(n, c), from the channels on, it can be a convolution"
        )
    h, w = bottom[2:] or (1, 1)
    param.type = "Convolution"
    convolution = param.convolution_param
    convolution.num_output, convolution.bias_term = inner.num_output, inner.bias_term
    if h == w:
        convolution.kernel_size.append(h)
    else:
        convolution.kernel_h, convolution.kernel_w = h, w
    param.ClearField("inner_product_param")
