"""Octaves: the sizes that a picture is dreamt at, and the picture at these sizes.

Each octave is smaller than the next by one ratio; the last one is the picture itself. Octaves too
small for the net are left out.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Union

import numpy as np

from ...picture import Picture, resized
from .borders import Size
from .fitting import Fitting, SizeWarning
from .operations import Operations

OctaveN = Union[int, str]

ALL = "all"


def octave_sizes(
    net: Any, end: str | Sequence[str], size: Size, octave_n: OctaveN, octave_scale: float,
    octave_min: int = 1, fitting: Fitting | None = None,
) -> list[Size]:  # fmt: skip
    """Return the sizes of a picture's octaves, the smallest first.

    Parameters
    ----------
    net : Net
    end : str or sequence of str
        The target, or several, decides which size is too small.
    size : (int, int)
        Height and width of the picture.
    octave_n : int or "all"
        How many octaves are wanted; all are as many as there are with a smaller side of
        `octave_min` pixels or more.
    octave_scale : float
        Ratio of neighbours.
    octave_min : int
        For ``"all"``.
    fitting : Fitting, optional
        Tells what goes through the net; by default the pictures themselves.

    Returns
    -------
    list of (int, int)
        Heights and widths; at least one, the last is `size`.

    Raises
    ------
    ShapeError
        Not even `size` is large enough, or nothing from there on fits; see `fitting.Fitting.shape`.

    Warns
    -----
    UserWarning
        Octaves are left out: too small for the net, or not smaller than the one before.
    """
    fitting = fitting or Fitting(net, end)
    fitting.shape(size)
    every = octave_n == ALL
    sizes = [size]
    while every or len(sizes) < int(octave_n):
        h, w = (round(side * (1.0 / octave_scale)) for side in sizes[-1])
        if every and (min(h, w) < octave_min or (h, w) == sizes[-1]):
            break
        reason = fitting.why_not((h, w))
        if reason:
            reason = f"{w}x{h} {reason}"
        elif octave_scale > 1 and (h, w) == sizes[-1]:
            reason = f"{w}x{h} does not get any smaller"
        if reason:
            if not every:
                warnings.warn(
                    f"{int(octave_n) - len(sizes)} of {octave_n} octaves are left out: {reason}",
                    SizeWarning,
                    stacklevel=4,
                )
            break
        sizes.append((h, w))
    return sizes[::-1]


def larger_sizes(composed: Size, size: Size, octave_scale: float) -> list[Size]:
    """Return the sizes of the octaves that lead from a composed dream to a larger one.

    Parameters
    ----------
    composed, size : (int, int)
        Height and width of the dream that is there, and of the one that is wanted.
    octave_scale : float
        Largest ratio of neighbours; they are evenly spaced, and the last is `size`.
    """
    ratio = max(a / b for a, b in zip(size, composed))
    if ratio <= 1:
        return []
    count = max(1, math.ceil(math.log(ratio) / math.log(max(octave_scale, 1.05)) - 1e-9))
    shares = [(i + 1) / count for i in range(count)]
    sizes = [tuple(round(a * (b / a) ** share) for a, b in zip(composed, size)) for share in shares]
    return [*((h, w) for h, w in sizes[:-1]), size]


class Bases:
    """A picture at the sizes of its octaves, as the net reads it: B, G, R without the mean.

    Each octave is made from the next larger one, bilinear, as in the notebook. Those that follow a
    composed dream are made from the picture itself.

    Parameters
    ----------
    ops : Operations
    picture : (h, w, 3) Picture
        RGB, 0..255.
    mean : (3) ndarray
        B, G, R.
    sizes : list of (int, int)
        The smallest first; the last is the picture's.
    composed : int, optional
        How many octaves are those of a dream at a smaller size.
    original : (h, w, 3) Picture, optional
        What `picture` was made from, at its own size: octaves of other sizes than `picture`'s that
        are not made from a larger one are made from this.
    """

    def __init__(
        self, ops: Operations, picture: Picture, mean: np.ndarray, sizes: list[Size],
        composed: int | None = None, original: Picture | None = None,
    ) -> None:  # fmt: skip
        self.picture = picture
        self._original = picture if original is None else original
        self._ops, self._mean = ops, np.ravel(mean).astype(np.float32)
        self._sizes = sizes
        self._chained = len(sizes) if composed is None else composed
        self._kept: dict[int, Any] = {}

    def new(self, octave: int) -> Any:
        """Return the picture at an octave's size, an (h, w, 3) array to write to."""
        if octave == len(self._sizes) - 1 or octave >= self._chained:
            return self._read(self._sizes[octave])
        return self._ops.copy(self.of(octave))

    def of(self, octave: int) -> Any:
        """Return the picture at an octave's size, to be left as it is."""
        if octave >= self._chained:
            return self._read(self._sizes[octave])
        if octave not in self._kept:
            last = self._chained - 1
            base = self._read(self._sizes[last])
            if octave == last:
                return base  # as large as the rest together: not kept
            for smaller in range(last - 1, -1, -1):
                base = self._ops.resize(base, self._sizes[smaller])
                self._kept[smaller] = base
        return self._kept[octave]

    def forget(self, octave: int) -> None:
        """Give back the memory of an octave that is done."""
        if octave in self._kept:
            self._kept[octave] = self._ops.empty((0, 0, 3))

    def _read(self, size: Size) -> Any:
        whole = size == tuple(self.picture.shape[:2])
        pixels = np.asarray(self.picture if whole else resized(self._original, size))
        rows = np.empty((*size, 3), np.float32)
        np.subtract(pixels[..., ::-1], self._mean, out=rows)
        return self._ops.array(rows)
