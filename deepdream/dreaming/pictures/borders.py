"""What a net sees of a picture, and how the picture goes on beyond its border.

The notebook rolls the picture by a random offset: what leaves it on one side comes in on the other.
So the net sees the left border beside the right one, an edge that no camera saw, and pads the
rolled picture with zeros; both leave a frame of another texture along the borders. A `Canvas` may
be larger than the picture instead: the picture lies in it at a random place, and goes on around
itself as `border` says. The gradient there is not used.

A net that takes some sizes only gets a canvas of the next one that fits. It grows on the right and
below: there the picture goes on as `border` says, and the rolled one by its border's values.

`continued` is the one rule for everything that looks beyond a border: the canvas, Gaussians,
pyramids, random transforms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Size = tuple[int, int]
Span = tuple[slice, slice]

BORDERS = ("roll", "reflect", "edge")

# How far, in pixels, a picture and its continuation ask for the same along the edge, and where that
# has ended for good.
_ALIKE = 0.8
_FADED = 8

# Pixels around the picture that the net sees of its continuation, besides those that the picture
# moves in. With fewer, the zeros that convolutions see around the canvas show in the picture.
MARGIN = 8


def continued(i: Any, n: int, border: str) -> Any:
    """Tell which of n positions stands at position i of an axis that goes on for ever.

    Parameters
    ----------
    i : int array or tensor
        Any positions, also negative ones.
    n : int
        Positions 0 to n - 1 exist.
    border : {"roll", "reflect", "edge"}
        ``roll``: the axis is a circle (NumPy's ``pad`` calls it "wrap"); ``reflect``: mirrored at
        the last position, which is not repeated; ``edge``: the last position for ever.

    Returns
    -------
    int array or tensor
        Positions within 0 to n - 1.
    """
    if border == "roll":
        return i % n
    if border == "edge":
        return i.clip(0, n - 1)
    return (n - 1) - abs(i % max(1, 2 * n - 2) - (n - 1))


def edge_gain(n: int) -> np.ndarray:
    """Return what the gradient is to be multiplied by, from the edge inwards, in n rows at most.

    A pixel's gradient comes from what the net sees on both sides of it. Inside a picture the two
    sides differ, and their strengths add up as of two random numbers. At a mirror they are alike:
    there the sum is up to sqrt(2) times as strong, and a rim would grow. With the likeness
    exp(-d / a) at a distance of d pixels, ``1 / sqrt(1 + exp(-d / a))`` makes it even. Coarse
    shapes are alike further in than fine ones; with a = 0.8 both the mean change and the energy of
    each octave band in the outer 16 pixels are within 10 % of those further in
    (``scripts/measure_styles.py``).

    Parameters
    ----------
    n : int
        Rows, or columns, of the picture.

    Returns
    -------
    (min(n, 8)) float32 ndarray
        For the pixels at distances 0, 1, 2 ... from the edge.
    """
    d = np.arange(min(n, _FADED))
    return (1 / np.sqrt(1 + np.exp(-d / _ALIKE))).astype(np.float32)


@dataclass(frozen=True)
class Canvas:
    """Where a picture lies in what the net sees.

    Attributes
    ----------
    size : (int, int)
        Height and width of the picture.
    shape : (int, int)
        Height and width of the canvas.
    border : {"roll", "reflect", "edge"}
        How the picture goes on; ``roll``: it is rolled by the offset, and goes on below and to the
        right by its border's values, where the canvas is larger.
    first : (int, int)
        Row and column of the canvas where the picture begins with the smallest offset.
    moves : (int, int) or None
        The picture moves down and to the right by the offset modulo these; None without a modulus.
    """

    size: Size
    shape: Size
    border: str = "roll"
    first: Size = (0, 0)
    moves: tuple[int, int] | None = None

    def place(self, axis: int, offset: Any) -> Any:
        """Return where the picture begins along an axis, for a number or a tensor of one."""
        if self.border == "roll":
            return offset
        moved = offset if self.moves is None else offset % self.moves[axis]
        return self.first[axis] + moved

    def index(self, axis: int, offset: Any, positions: Any) -> Any:
        """Tell which row (axis 0) or column (axis 1) of the picture stands at a canvas's.

        Parameters
        ----------
        axis : int
        offset : int
            The random offset along this axis, of any sign.
        positions : int array or tensor
            Rows or columns of the canvas.
        """
        n = self.size[axis]
        if self.border == "roll":
            return (positions.clip(0, n - 1) - offset) % n
        return continued(positions - self.place(axis, offset), n, self.border)

    def window(self, ox: int, oy: int) -> Span:
        """Return the rows and columns of the canvas where the picture lies, unless it is rolled."""
        top, left = self.place(0, oy), self.place(1, ox)
        return slice(top, top + self.size[0]), slice(left, left + self.size[1])


def canvas_for(
    size: Size, border: str, jitter: int, stride: Size | None, margin: int = MARGIN
) -> Canvas:
    """Return the canvas of a picture.

    Parameters
    ----------
    size : (int, int)
        Height and width of the picture.
    border : {"roll", "reflect", "edge"}
    jitter : int
        Offsets go from -jitter to jitter.
    stride : (int, int) or None
        Pixels between two positions of the target. A picture that is moved by so many pixels gives
        the same numbers one position further, so that offsets count modulo the stride, and the
        canvas need not be larger. None where it is not known.
    margin : int
        Pixels of continuation around all places of the picture.

    Returns
    -------
    Canvas
        Of the picture's own size where it is rolled.
    """
    h, w = size
    if border == "roll":
        return Canvas(size, size)
    room = 2 * jitter + 1
    moves = (room, room) if stride is None else (min(room, stride[0]), min(room, stride[1]))
    shape = (h + moves[0] - 1 + 2 * margin, w + moves[1] - 1 + 2 * margin)
    return Canvas(size, shape, border, (margin, margin), moves)


def runs(index: np.ndarray, turns: bool = True) -> Iterator[tuple[slice, slice]]:
    """Yield the pieces of an index that go up, or down, by one, or stand still.

    Parameters
    ----------
    index : (n) int ndarray
    turns : bool
        Whether a piece may go down or stand still.

    Yields
    ------
    (slice, slice)
        Where the piece lies in the index, and which positions it names: a descending piece has a
        negative step, one that stands still a single position.
    """
    n, start = len(index), 0
    steps = np.diff(index)
    while start < n:
        step = int(steps[start]) if start + 1 < n else 1
        stop = start + 1
        if step == 1 or (turns and step in (-1, 0)):
            others = np.flatnonzero(steps[start:] != step)
            stop = start + 1 + int(others[0]) if len(others) else n
        first, last = int(index[start]), int(index[stop - 1])
        if stop == start + 1 or step == 1:
            source = slice(first, last + 1)
        elif step == 0:
            source = slice(first, first + 1)
        else:
            source = slice(first, last - 1 if last else None, -1)
        yield slice(start, stop), source
        start = stop
