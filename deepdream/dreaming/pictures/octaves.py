"""Octaves: the sizes that a picture is dreamt at, and the picture at these sizes.

Each octave is smaller than the next by one ratio; the last one is the picture itself. Octaves that
the net cannot take are left out.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..errors import ShapeError
from .dream2015 import input_name

Size = tuple[int, int]


def octave_sizes(net: Any, end: str, size: Size, octave_n: int, octave_scale: float) -> list[Size]:
    """Return the sizes of a picture's octaves, the smallest first.

    Parameters
    ----------
    net : Net
    end : str
        The target decides which size is too small.
    size : (int, int)
        Height and width of the picture.
    octave_n : int
        How many octaves are wanted.
    octave_scale : float
        Ratio of neighbours.

    Returns
    -------
    list of (int, int)
        Heights and widths; at least one, the last is `size`.

    Raises
    ------
    ShapeError
        Not even `size` is large enough.

    Warns
    -----
    UserWarning
        Octaves are left out: too small for the net, or not smaller than the one before.
    """
    check_size(net, end, *size, what="picture")
    sizes = [size]
    while len(sizes) < octave_n:
        h, w = (round(side * (1.0 / octave_scale)) for side in sizes[-1])
        reason = ""
        if not _fits(net, end, h, w):
            reason = f"{w}x{h} is too small for '{end}'"
        elif octave_scale > 1 and (h, w) == sizes[-1]:
            reason = f"{w}x{h} does not get any smaller"
        if reason:
            warnings.warn(
                f"{octave_n - len(sizes)} of {octave_n} octaves are left out: {reason}",
                stacklevel=3,
            )
            break
        sizes.append((h, w))
    return sizes[::-1]


def octave_bases(base: np.ndarray, sizes: list[Size]) -> list[np.ndarray]:
    """Return a picture at the sizes of its octaves.

    Parameters
    ----------
    base : (3, h, w) float32 ndarray
        The picture, as `preprocess` returns it.
    sizes : list of (int, int)
        From `octave_sizes`. Each octave is made from the next larger one.

    Returns
    -------
    list of (3, h, w) float32 ndarray
        The smallest first; the last is `base` itself.
    """
    bases = [base]
    for h, w in sizes[-2::-1]:
        bases.append(resize(bases[-1], h, w))
    return bases[::-1]


def resize(x: np.ndarray, h: int, w: int) -> np.ndarray:
    """Resize a (channels, rows, columns) array to h rows and w columns, bilinear.

    Grid corners are aligned, as in the notebook's ``nd.zoom(order=1)``. That one takes a last
    sample which rounding puts a hair outside for zero; "nearest" takes it for the border.
    """
    h1, w1 = x.shape[-2:]
    if (h, w) == (h1, w1):
        return x
    import scipy.ndimage as nd

    return nd.zoom(x, (1, 1.0 * h / h1, 1.0 * w / w1), order=1, mode="nearest")


def check_size(net: Any, end: str, h: int, w: int, *, what: str) -> None:
    """Refuse a picture that is too small for a net.

    Parameters
    ----------
    net : Net
    end : str
        The target.
    h, w : int
        Height and width of the picture.
    what : str
        What to call it.

    Raises
    ------
    ShapeError
        The message tells the smallest size that is large enough.
    """
    if _fits(net, end, h, w):
        return
    large = next((2**k for k in range(13) if _fits(net, end, 2**k, 2**k)), None)
    if large is None or large <= min(h, w):
        net.infer_shapes({input_name(net): (1, 3, h, w)}, end)  # the layer says what it needs
        raise ShapeError(f"a {what} of {w}x{h} does not get through the net to '{end}'")
    small = large // 2
    while large - small > 1:
        middle = (small + large) // 2
        small, large = (small, middle) if _fits(net, end, middle, middle) else (middle, large)
    raise ShapeError(
        f"a {what} of {w}x{h} is too small for '{end}': each side needs {large} pixels or more. "
        "Enlarge it, or choose an earlier layer"
    )


def _fits(net: Any, end: str, h: int, w: int) -> bool:
    """Tell whether a picture of this size gets through to `end` with something left of it."""
    if min(h, w) < 1:
        return False
    if not hasattr(net, "infer_shapes"):
        return True
    try:
        shapes = net.infer_shapes({input_name(net): (1, 3, h, w)}, end)
    except ShapeError:
        return False
    return all(math.prod(shape) for shape in shapes.values())
