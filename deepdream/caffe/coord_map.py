"""``caffe.coord_map``: Crop layers for nets written in Python whose tops lie over each other.

FCN and its kin shrink a picture, enlarge the scores again, and cut them to the size of an earlier
top: `crop` finds where. A map tells where along each spatial axis the bottom's positions lie in the
top: position ``i`` at ``scale * i + shift``.

A convolution's output ``o`` looks at inputs around ``o * stride - pad + (extent - 1) / 2``; solved
for ``o`` that is its map, and a deconvolution's is the way back.

Source: what ``python/caffe/coord_map.py`` of BVLC/caffe 1.0 makes of the same calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..errors import CoordMapError
from .net_spec import Function, Top
from .net_spec import layers as L

# Types that leave every position where it is.
PASS_THROUGH_LAYERS = [
    "AbsVal", "BNLL", "BatchNorm", "Bias", "Dropout", "ELU", "Eltwise", "Exp", "LRN", "Log", "MVN",
    "PReLU", "Power", "ReLU", "Scale", "Sigmoid", "Split", "TanH", "Threshold",
]  # fmt: skip


class UndefinedMapException(CoordMapError):
    """A layer type of which nobody can say where its positions lie."""


class AxisMismatchException(CoordMapError):
    """Two maps are about different axes."""


class Map(NamedTuple):
    """``axis`` is the last one that the map leaves alone (None: any); scale and shift are numbers,
    or arrays with one for each axis behind it.
    """

    axis: int | None
    scale: Any
    shift: Any


def conv_params(fn: Function) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Return axis, stride, extent (kernel with its dilation) and padding of a layer with a window.

    Raises
    ------
    CoordMapError
        Sizes are given as height and width by name.
    """
    given = fn.params.get("convolution_param", fn.params)
    named = sorted(name for name in fn.params if name.endswith(("_h", "_w")))
    if named:
        raise CoordMapError(
            f"{fn.type_name} has {', '.join(named)}: for crops give kernel_size, stride and pad "
            "as numbers, or as one for each axis"
        )

    def per_axis(name: str, default: int) -> np.ndarray:
        return np.atleast_1d(given.get(name, default))

    extent = (per_axis("kernel_size", 1) - 1) * per_axis("dilation", 1) + 1
    return given.get("axis", 1), per_axis("stride", 1), extent, per_axis("pad", 0)


def crop_params(fn: Function) -> tuple[int, np.ndarray]:
    """Return the first axis that a Crop layer cuts, and the offsets."""
    given = fn.params.get("crop_param", fn.params)
    return given.get("axis", 2), np.atleast_1d(given.get("offset", 0))


def coord_map(fn: Function) -> Map:
    """Return a layer's map, from its bottom to its top.

    Raises
    ------
    UndefinedMapException
        Its type has none.
    """
    if fn.type_name in PASS_THROUGH_LAYERS:
        return Map(None, 1, 0)
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return Map(axis - 1, 1, -offset)
    if fn.type_name in ("Convolution", "Pooling", "Im2col", "Deconvolution"):
        axis, stride, extent, pad = conv_params(fn)
        down = Map(axis, 1 / stride, (pad - (extent - 1) / 2) / stride)
        return inverse(down) if fn.type_name == "Deconvolution" else down
    raise UndefinedMapException(f"where the positions of a layer {fn.type_name} lie is not known")


def compose(after: Map, first: Map) -> Map:
    """Return the map that is `first` and then `after`.

    Raises
    ------
    AxisMismatchException
    """
    after, first = Map(*after), Map(*first)
    if None not in (after.axis, first.axis) and after.axis != first.axis:
        raise AxisMismatchException(f"maps behind axis {first.axis} and behind axis {after.axis}")
    axis = first.axis if after.axis is None else after.axis
    return Map(axis, after.scale * first.scale, after.scale * first.shift + after.shift)


def inverse(coord_map: Map) -> Map:
    """Return the way back."""
    axis, scale, shift = coord_map
    return Map(axis, 1 / scale, -shift / scale)


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """Return the map from one top to another, through a top that both come from.

    Raises
    ------
    CoordMapError
        There is none.
    """
    above = dict(_origins(top_from))
    for top, to_here in _origins(top_to):
        if top in above:
            return compose(to_here, inverse(above[top]))
    raise CoordMapError(
        f"the tops of {top_from.fn.type_name} and {top_to.fn.type_name} have no common origin from "
        "which layers with known positions lead to both"
    )


def _origins(top: Top) -> Iterator[tuple[Top, Map]]:
    """Yield a top and all that it comes from, each with its map to the top."""
    found = {top: Map(None, 1, 0)}
    waiting = [top]
    while waiting:
        here = waiting.pop()
        yield here, found[here]
        try:
            step = coord_map(here.fn)
        except UndefinedMapException:
            continue
        bottoms = here.fn.inputs[:1] if here.fn.type_name == "Crop" else here.fn.inputs
        for bottom in bottoms:  # the second one of a Crop only lends its size
            if bottom not in found:
                found[bottom] = compose(found[here], step)
                waiting.append(bottom)


def crop(top_from: Top, top_to: Top) -> Top:
    """Note the Crop layer that cuts `top_from` to what lies over `top_to`.

    Raises
    ------
    CoordMapError
        They are of different scales, `top_from` does not reach over all of `top_to`, or the offset
        is no whole number; an AssertionError, as in Caffe.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    if axis is None:
        axis, shift = 1, np.atleast_1d(shift)
    if not np.all(np.isclose(scale, 1)):
        raise CoordMapError(f"a crop needs tops of one scale; these differ by {scale}")
    offset = -np.atleast_1d(shift)
    if np.any(offset < 0):
        raise CoordMapError(
            f"the crop would begin before the top, at {offset}: pad its layers more"
        )
    if not np.allclose(offset, np.round(offset)):
        raise CoordMapError(f"the crop would begin between two positions, at {offset}")
    whole = [int(value) for value in np.round(offset)]
    return L.Crop(top_from, top_to, crop_param=dict(axis=axis + 1, offset=whole))
