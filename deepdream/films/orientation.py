"""How the camera was held: the matrix that phones write beside a film.

It maps a stored pixel (x, y) to (a x + c y, b x + d y) on the screen; of its nine numbers, in units
of 1/65536, those are the first, second, fourth and fifth. Angles between right ones are rounded.

Source: ISO/IEC 14496-12, 8.3.2 (track header).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np


class Turn(NamedTuple):
    """What makes a stored frame upright: swap its axes, then flip it.

    Attributes
    ----------
    swap, across, down : bool
        Swap height and width; then flip left and right; then top and bottom.
    """

    swap: bool = False
    across: bool = False
    down: bool = False

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Return (h, w, ...) pixels upright; a view."""
        if self.swap:
            pixels = pixels.swapaxes(0, 1)
        if self.across:
            pixels = pixels[:, ::-1]
        return pixels[::-1] if self.down else pixels

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of a frame of that height and width, upright."""
        return (size[1], size[0]) if self.swap else size


def parse_matrix(data: bytes) -> Turn:
    """Return what a display matrix says.

    Parameters
    ----------
    data : bytes
        Nine int32 in the machine's order, as FFmpeg gives them; of another length they say nothing.
    """
    if len(data) < 36:
        return Turn()
    a, b, _, c, d, *_ = struct.unpack("=9i", data[:36])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0)
    return Turn(True, c < 0, b < 0)
