"""How much there is to compute: the arithmetic that no direct convolution can do without."""

from __future__ import annotations

import math
from typing import Any


def needed_layers(net: Any, end: str) -> list[int]:
    """Return the numbers of the layers that a target depends on, in the order of running."""
    wanted, needed = {end}, []
    for i in range(net.layer_index(end), -1, -1):
        name = net._layer_names[i]
        if wanted.intersection(net.top_names[name]):
            needed.append(i)
            wanted.update(net.bottom_names[name])
    return needed[::-1]


def convolution_flop(net: Any, end: str, h: int, w: int) -> int:
    """Return the floating-point operations of all convolutions up to a target, forward only.

    A multiplication and an addition count as two; directly computed, on the whole kernel also where
    it meets padding. The gradient with respect to the data takes as many again.

    Parameters
    ----------
    net : Net or Graph
    end : str
        The target; layers that it does not depend on do not count.
    h, w : int
        Size of the picture.
    """
    shapes = net.infer_shapes({net.inputs[0]: (1, 3, h, w)}, end)
    flop = 0
    for i in needed_layers(net, end):
        layer, name = net.layers[i], net._layer_names[i]
        if layer.type not in ("Convolution", "Deconvolution"):
            continue
        # Each position of the top (of a Deconvolution: of the bottom) meets every weight once.
        names = net.top_names if layer.type == "Convolution" else net.bottom_names
        for blob in names[name]:
            shape = shapes[blob]
            flop += 2 * shape[0] * math.prod(shape[2:]) * layer.blobs[0].count
    return flop
