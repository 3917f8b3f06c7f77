"""A few frames of a film that came from another machine, as a source to dream on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from .frame import Frame
from .stretch import packed, unpacked


class Sent(NamedTuple):
    """A frame on its way.

    Attributes
    ----------
    number : int
    time : Fraction
    png : bool
        Its levels are whole, and `data` is a PNG; else they are float32.
    data : bytes
    """

    number: int
    time: Fraction
    png: bool
    data: bytes


def sent(frame: Frame) -> Sent:
    """Return a frame for its way, in as few bytes as hold all of it."""
    small = np.clip(frame.pixels, 0, 255).astype(np.uint8)
    whole = np.array_equal(small, frame.pixels)
    data = packed(small) if whole else np.ascontiguousarray(frame.pixels, np.float32).tobytes()
    return Sent(frame.number, frame.time, whole, data)


class Given:
    """Frames that are handed over a few at a time; in the place of a `source.Source`.

    Parameters
    ----------
    size : (int, int)
        Height and width of the frames.

    Attributes
    ----------
    held : sequence of Sent
        Those that are there now, in order.
    """

    rate, count, variable, sound, digest = Fraction(25), None, False, None, ""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.warnings: list[str] = []
        self.held: Sequence[Sent] = ()

    def describe(self) -> str:
        """Return what they are."""
        return "frames from another machine"

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """Yield those from a number on."""
        for number, time, png, data in self.held:
            if number >= first:
                yield Frame(self._pixels(png, data), time, number)

    def _pixels(self, png: bool, data: bytes) -> np.ndarray:
        pixels: Any = unpacked(data) if png else np.frombuffer(data, np.float32)
        return np.ascontiguousarray(pixels.reshape(*self.size, 3), np.float32)
