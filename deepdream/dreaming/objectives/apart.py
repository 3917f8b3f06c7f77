"""Away from other pictures: what is seen in one is not to be what is seen in them.

What a layer sees in a picture, whatever the places, is told by the products of its channels with
each other, averaged over the positions: the Gram matrix. Two pictures are alike as their matrices
are, by the cosine of the angle between them.

Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017), its section on
diversity. There all pictures grow together and push each other; here one after the other, away from
those that are there, so that each can be looked at while the next is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ParameterError, ShapeError


def gram(features: np.ndarray) -> np.ndarray:
    """Return the products of channels with each other, averaged over positions.

    Parameters
    ----------
    features : (channels, h, w) float32 ndarray

    Returns
    -------
    (channels, channels) float32 ndarray
    """
    columns = features.reshape(features.shape[0], -1)
    product: np.ndarray = columns @ columns.T
    return product / max(1, columns.shape[1])


class Apart:
    """A function of a blob that grows as it becomes unlike other pictures.

    Parameters
    ----------
    grams : sequence of (channels, channels) ndarray
        What `gram` gives for them, at the same layer. One or more.

    Raises
    ------
    ParameterError
        There are none.

    Notes
    -----
    With F (channels, positions), G = F F^T / positions and ``cos = <G, A> / (|G| |A|)``, what grows
    is minus the sum of the cosines; its gradient at F is ``-2 / positions * D F`` with D the sum of
    ``A / (|G| |A|) - cos G / |G|^2``.
    """

    def __init__(self, grams: Sequence[np.ndarray]) -> None:
        self.__qualname__ = f"apart from {len(grams)}"  # its name in recipes
        if not len(grams):
            raise ParameterError("apart from what? There is no other picture")
        self._others = [each / max(float(np.linalg.norm(each)), 1e-20) for each in grams]

    def __call__(self, dst: Any) -> None:
        """Write the gradient into ``dst.diff``."""
        channels = dst.data.shape[1]
        if channels != len(self._others[0]):
            raise ShapeError(
                f"the other pictures' features have {len(self._others[0])} channels, the target "
                f"has {channels}: take both at the same layer"
            )
        columns = dst.data[0].reshape(channels, -1)
        own = gram(dst.data[0])
        length = max(float(np.linalg.norm(own)), 1e-20)
        own /= length
        change = np.zeros_like(own)
        for other in self._others:
            change += other - float((own * other).sum()) * own
        change *= -2 / (length * columns.shape[1])
        dst.diff[0] = (change @ columns).reshape(dst.diff[0].shape)
