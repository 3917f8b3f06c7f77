"""What a dream tells after each of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

import numpy as np


@dataclass(frozen=True)
class Step:
    """Where a dream stands, for `on_step`.

    Attributes
    ----------
    octave, octave_n : int
        Octave just worked on, 0 for the smallest, and how many there are.
    step, iter_n : int
        Step of this octave just done, from 0, and how many there are.
    size : (int, int)
        Height and width of this octave in pixels.
    done : float
        Share of the dream's work that is done, 0..1, counted in pixels.
    """

    octave: int
    octave_n: int
    step: int
    iter_n: int
    size: tuple[int, int]
    done: float
    _gradient: Callable[[], float] = field(repr=False)
    _picture: Callable[[], np.ndarray] = field(repr=False)
    _sample: Callable[[int], np.ndarray] = field(repr=False)

    @property
    def gradient(self) -> float:
        """Mean absolute value of the gradient before scaling. Reading it waits for a GPU."""
        return self._gradient()

    @property
    def picture(self) -> np.ndarray:
        """The picture so far: (h, w, 3) float32 RGB 0..255, at this octave's size."""
        return self._picture()

    def sample(self, every: int) -> np.ndarray:
        """Return every so many-th row and column of `picture`; only while `on_step` runs."""
        return self._sample(every)


OnStep = Callable[[Step], Optional[bool]]
