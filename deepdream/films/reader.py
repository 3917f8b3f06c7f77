"""What every kind of source gives to `source.Source`: frames in order, with their times."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..errors import FilmError

LARGEST = 16384  # pixels of a side; WebP, H.264 and most programs end there


class Raw(NamedTuple):
    """A frame of a source, before any is chosen.

    Attributes
    ----------
    place : int
        Among all frames of the source, from 0.
    time : Fraction or None
        Seconds from the source's first frame; None where it has no times of its own.
    pixels : (h, w, 3) float32 ndarray
        RGB, 0..255, upright.
    """

    place: int
    time: Fraction | None
    pixels: np.ndarray


class Reader:
    """A source's frames.

    Attributes
    ----------
    name : str
        For messages.
    size : (int, int)
        Height and width of its frames, as they are shown: with square pixels, upright.
    times : list of Fraction or None
        Of all its frames from its first, ascending, where they are known before reading.
    hints : list of Fraction or None
        Rates that it claims.
    count : int or None
        How many frames it has, where that is known.
    tracks : Sound or None
    warnings : list of str
        What is to be said about it. It grows while frames are read.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.size: tuple[int, int] = (0, 0)
        self.times: list[Fraction] | None = None
        self.hints: list[Any] = []
        self.count: int | None = None
        self.tracks: Any = None
        self.warnings: list[str] = []

    @property
    def digest(self) -> str:
        """A hash that tells whether it is the same source."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return what kind of source it is, in a few words."""
        raise NotImplementedError

    def read(self, first: int = 0) -> Iterator[Raw]:
        """Yield the frames from the place `first` on, in order; places may be missing."""
        raise NotImplementedError

    def check_size(self) -> None:
        """Refuse frames that are larger than films are; a damaged file may claim anything.

        Raises
        ------
        FilmError
        """
        h, w = self.size
        if max(h, w) > LARGEST:
            raise FilmError(
                f"'{self.name}' claims frames of {w}x{h} pixels: up to {LARGEST} a side can be "
                "read. It may be damaged."
            )

    def cut_after(self, place: int, of: int | None = None) -> None:
        """Note that nothing can be read behind a frame."""
        known = "" if of is None else f" of {of - 1}"
        self.warnings.append(
            f"'{self.name}' is cut off after frame {place}{known}: what was read is kept"
        )
