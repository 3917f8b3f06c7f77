"""Directions in which every size of shape and every kind of colour grows at its own pace.

Neighbouring pixels of pictures are alike, and so are their three colours. A step that adds the
gradient pixel by pixel asks for the opposite: fine grain in all colours grows first, and what a
class looks like as a whole hardly at all. Here the gradient is taken apart into waves of all
lengths (a discrete cosine transform) and into lightness and two contrasts of colours, whose
strengths in photographs are known: a wave's falls with its frequency. Each of these numbers moves
by Adam's rule (Kingma and Ba, 2015), however small its gradient is, and what comes out is put
together with those strengths. That is gradient ascent on other coordinates of the same picture.

Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017), its section on
preconditioning; there with Fourier's waves, which go on around the picture. Cosines are mirrored at
its borders, as what lies beyond them is with ``border="reflect"``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..pictures.borders import Size
from ..pictures.operations import Operations

# Lightness, red against blue, green against both: rows for B, G, R. How strong the three are in
# pictures, of the first one.
_OPPONENT = np.array([[1, 1, 1], [-1, 0, 1], [-1, 2, -1]]) / np.sqrt([[3], [2], [6]])
_COLORS = (1.0, 0.6, 0.3)  # as pictures came out well, stronger than photographs' 1, 0.35, 0.23

# A wave's strength in photographs is about 1 / frequency; steeper makes smoother pictures.
_FALL = 1.2

_LOW = 4.0

# Standard deviation, in grey levels, that a picture may grow to: about a photograph's. Networks
# differ in how well their gradients agree from step to step, and so in how far steps lead.
_CONTRAST = 48.0

# Adam's, as its authors recommend them.
_MEAN, _SQUARE = 0.9, 0.999
_LEAST = 1e-8  # of the mean square


class Spectrum:
    """What Adam remembers of the gradients at pictures of one size.

    Parameters
    ----------
    ops : Operations
    size : (int, int)
        Height and width.
    """

    def __init__(self, ops: Operations, size: Size) -> None:
        self._ops, self._steps = ops, 0
        h, w = size
        down, along = np.arange(h)[:, None] / h, np.arange(w)[None, :] / w  # half waves a pixel
        least = _LOW / max(size)
        waves = np.maximum(np.hypot(down, along), least) ** -_FALL  # (h, w)
        strengths = waves[..., None] * np.array(_COLORS)  # (h, w, 3)
        # Of numbers that are all 1 or -1, a picture has these squares on average: it is to be 1.
        strengths /= math.sqrt(float((strengths**2).sum()) / strengths.size)
        self._strengths = ops.array(strengths)
        self._colors = ops.array(_OPPONENT)
        self._mean: Any = 0.0
        self._square: Any = 0.0
        self._contrast = 0.0

    def direction(self, g: Any) -> Any:
        """Return the direction for a gradient.

        Parameters
        ----------
        g : (h, w, 3) array
            B, G, R.

        Returns
        -------
        (h, w, 3) array
            Where all numbers move as fast as they can, the root of its mean square is 1; where
            gradients disagree from step to step, less.
        """
        self._steps += 1
        waves = self._ops.cosines(g @ self._colors.T) * self._strengths
        self._mean = _MEAN * self._mean + (1 - _MEAN) * waves
        self._square = _SQUARE * self._square + (1 - _SQUARE) * waves * waves
        mean = self._mean / (1 - _MEAN**self._steps)
        square = self._square / (1 - _SQUARE**self._steps)
        least = _LEAST * self._ops.sum_abs(square) / self._ops.count(square)
        moves = mean / (square + least) ** 0.5 * self._strengths
        return self._ops.pixels(moves) @ self._colors

    def limit(self, x: Any) -> Any:
        """Return a picture with no more contrast than photographs have, or than it began with.

        Parameters
        ----------
        x : (h, w, 3) array
            After a step.
        """
        ops = self._ops
        count = ops.count(x)
        mean = ops.total(x) / count
        contrast = max(ops.sum_square(x) / count - mean * mean, 0.0) ** 0.5
        if not self._contrast:
            self._contrast = max(contrast, _CONTRAST)
        if contrast <= self._contrast:
            return x
        return mean + (x - mean) * (self._contrast / contrast)
