"""One frame of a film, as it goes from what reads to what dreams, and on to what writes."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np


class Frame(NamedTuple):
    """A frame.

    Attributes
    ----------
    pixels : (h, w, 3) float32 ndarray
        RGB, 0..255, upright.
    time : Fraction
        When it is shown: seconds from the first frame that is given, whose time is 0.
    number : int
        0, 1, 2 ... of the frames that are given.
    """

    pixels: np.ndarray
    time: Fraction
    number: int
