"""From a gradient to a direction: smoothed, and brought to one strength.

A step adds ``step_size`` times a direction to the picture. The notebook's direction is the gradient
divided by its mean absolute value, so that `step_size` is the mean change in grey levels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..pictures.operations import Operations

NORMALIZE = ("mean", "std", "laplacian", "spectrum")


class Direction(NamedTuple):
    """A direction as ``factor * d``, and the mean absolute value of the gradient."""

    d: Any
    factor: Any
    mean: Any


def smoothed(ops: Operations, g: Any, smooth: float, border: str) -> Any:
    """Return the mean of a gradient blurred by three Gaussians.

    Parameters
    ----------
    ops : Operations
    g : (h, w, 3) array
    smooth : float
        The Gaussians have standard deviations of half, once and twice this many pixels; with 0 the
        gradient stays as it is.
    border : {"roll", "reflect", "edge"}
        How it goes on beyond the border, as the picture does.

    Notes
    -----
    ``(G(s / 2) * g + G(s) * g + G(2 s) * g) / 3``, a cascade as in gordicaleksa/pytorch-deepdream.
    Grain of two or three pixels goes, what is larger stays.
    """
    return ops.blur(g, (smooth / 2, smooth, 2 * smooth), border) if smooth else g


def direction(
    ops: Operations, g: Any, normalize: str, bands: int, border: str, weights: Any = None
) -> Direction:
    """Return the direction that a gradient stands for.

    Parameters
    ----------
    ops : Operations
    g : (h, w, 3) array
    normalize : {"mean", "std", "laplacian"}
        See Notes. What ``"spectrum"`` does remembers earlier steps: see `spectrum`.
    bands : int
        Of the pyramid, for ``"laplacian"``.
    border : {"roll", "reflect", "edge"}
    weights : (h, w, 3) array, optional
        How much each value counts, for the means: with a mask the strength is that inside it.

    Returns
    -------
    Direction
        `g` may be overwritten.

    Notes
    -----
    * ``mean``: ``g / mean(|g|)``, the notebook's.
    * ``std``: ``g / std(g)``, as in TensorFlow's tutorial. Few strong places count more, and the
      mean change is smaller.
    * ``laplacian``: ``g`` is taken apart into a Laplacian pyramid of `bands` bands and a rest, each
      is divided by the root of its mean square, and they are put together again, as in Alexander
      Mordvintsev's notebook of 2016 for TensorFlow. Coarse shapes grow as fast as fine ones; the
      mean change is about twice that of ``mean``.
    """
    count = ops.count(g, weights)
    mean = ops.sum_abs(g, weights) / count
    if normalize == "mean":
        return Direction(g, _inverse(mean), mean)
    if normalize == "std":
        variance = ops.sum_square(g, weights) / count - (ops.total(g, weights) / count) ** 2
        return Direction(g, _inverse(variance**0.5), mean)
    return Direction(laplacian(ops, g, bands, border, weights), 1.0, mean)


def laplacian(ops: Operations, g: Any, bands: int, border: str, weights: Any = None) -> Any:
    """Return a gradient whose bands of detail are all equally strong; see `direction`."""
    details, lowest, shares = [], g, [weights]
    for _ in range(bands):
        if min(lowest.shape[:2]) < 2:
            break
        lower = ops.reduce(lowest, border)
        details.append(ops.detail(lowest, lower, border))
        shares.append(None if weights is None else ops.reduce(shares[-1], border))
        lowest = lower
    joined = lowest * _to_unit(ops, lowest, shares.pop())
    for detail, share in zip(details[::-1], shares[::-1]):
        joined = ops.joined(detail, _to_unit(ops, detail, share), joined, border)
    return joined


def _to_unit(ops: Operations, g: Any, weights: Any) -> Any:
    """Return the factor that brings the root of the mean square to one."""
    return _inverse((ops.sum_square(g, weights) / ops.count(g, weights)) ** 0.5)


def _inverse(value: Any) -> Any:
    """Return 1 / value, and 1 for 0: what is zero everywhere stays zero."""
    return 1 / (value + (value == 0))
