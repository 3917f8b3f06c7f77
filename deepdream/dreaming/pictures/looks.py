"""One look of the net at a picture: where it lies on its canvas, and the way back.

At each step the net sees the picture moved by a random offset, and where that is asked for turned,
scaled and mirrored too. The gradient with respect to what it saw comes back by the adjoint: each
value goes to the pixels that it was made from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from .borders import Canvas, Span, runs
from .operations import Operations


@dataclass(frozen=True)
class Move:
    """How a picture is moved before the net sees it.

    Attributes
    ----------
    ox, oy : int
        Pixels to the right, and down.
    angle : float
        Degrees around the middle, counter-clockwise.
    scale : float
        Above 1 enlarges around the middle.
    flip : bool
        Mirrored, left and right exchanged.
    """

    ox: int
    oy: int
    angle: float = 0.0
    scale: float = 1.0
    flip: bool = False

    @property
    def is_shift(self) -> bool:
        """True where whole pixels stay whole pixels, side by side as they were."""
        return self.angle == 0 and self.scale == 1 and not self.flip


class Look:
    """A picture on its canvas.

    Parameters
    ----------
    ops : Operations
    canvas : Canvas
    move : Move
    """

    def __init__(self, ops: Operations, canvas: Canvas, move: Move) -> None:
        self._ops, self.canvas, self.move = ops, canvas, move

    def write(self, out: Any, x: Any, crop: Optional[Span] = None) -> None:  # noqa: UP045
        """Write what the net sees, or a crop of it.

        Parameters
        ----------
        out : array
            Of the size of the canvas, or of the crop.
        x : (h, w, 3) array
            The picture.
        crop : (slice, slice), optional
            Rows and columns of the canvas.
        """
        spans = crop or tuple(slice(0, n) for n in self.canvas.shape)
        positions = [np.arange(span.start, span.stop) for span in spans]
        if self.move.is_shift:
            rows, columns = (
                self.canvas.index(axis, offset, positions[axis])
                for axis, offset in ((0, self.move.oy), (1, self.move.ox))
            )
            self._ops.fill(out, x, rows, columns)
        else:
            if self.canvas.border == "roll":  # it is turned as a circle, then continued
                positions = [p.clip(0, n - 1) for p, n in zip(positions, self.canvas.size)]
            self._ops.warp(out, x, *self._turned(*positions), self.canvas.border)

    def pieces(self) -> Iterator[tuple[Span, Span]]:
        """Yield where the parts of the picture lie, in itself and on the canvas; shifts only."""
        canvas, (h, w) = self.canvas, self.canvas.size
        if canvas.border != "roll":
            whole = slice(0, h), slice(0, w)
            yield whole, canvas.window(self.move.ox, self.move.oy)
            return
        rows = canvas.index(0, self.move.oy, np.arange(h))
        columns = canvas.index(1, self.move.ox, np.arange(w))
        for down_on, down in runs(rows, turns=False):
            for along_on, along in runs(columns, turns=False):
                yield (down, along), (down_on, along_on)

    def find(self, y: float, x: float) -> tuple[int, int]:
        """Tell at which row and column of the canvas a place of the picture lies.

        Parameters
        ----------
        y, x : float
            Shares of its height and width, 0..1.
        """
        canvas, move = self.canvas, self.move
        h, w = canvas.size
        row, column = y * (h - 1), x * (w - 1)
        if move.is_shift:
            down, along = canvas.place(0, move.oy), canvas.place(1, move.ox)
            row, column = round(row) + int(down), round(column) + int(along)
            return (row % h, column % w) if canvas.border == "roll" else (row, column)
        rows, columns = self._turned(*(np.arange(n) for n in canvas.shape))
        if canvas.border == "roll":  # it is turned as a circle
            away = np.hypot(
                (rows - row + h / 2) % h - h / 2, (columns - column + w / 2) % w - w / 2
            )
        else:
            away = np.hypot(rows - row, columns - column)
        nearest = np.unravel_index(int(away.argmin()), away.shape)
        return int(nearest[0]), int(nearest[1])

    def back(self, g: Any) -> Any:
        """Return the gradient with respect to the picture.

        Parameters
        ----------
        g : (H, W, 3) array
            The gradient with respect to the canvas.

        Returns
        -------
        (h, w, 3) array
            A view of `g` where that is possible.
        """
        h, w = self.canvas.size
        if self.move.is_shift:
            pieces = list(self.pieces())
            if len(pieces) == 1:
                return g[pieces[0][1]]
            out = self._ops.empty((h, w, 3))
            for there, here in pieces:
                out[there] = g[here]
            return out
        out = self._ops.empty((h, w, 3))
        shape = self.canvas.shape
        if self.canvas.border == "roll":  # what is beyond was made from the continuation
            g, shape = g[:h, :w], (h, w)
        positions = self._turned(*(np.arange(n) for n in shape))
        self._ops.warp_back(out, g, *positions, self.canvas.border)
        return out

    def _turned(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where in the picture each position of a part of the canvas lies."""
        canvas, move = self.canvas, self.move
        h, w = canvas.size
        cos, sin = (f(math.radians(move.angle)) / move.scale for f in (math.cos, math.sin))
        r = (rows - canvas.place(0, move.oy) - (h - 1) / 2)[:, None]
        c = (columns - canvas.place(1, move.ox) - (w - 1) / 2)[None, :]
        # Rows grow downwards: counter-clockwise on the screen.
        down, along = cos * r + sin * c, cos * c - sin * r
        if move.flip:
            along = -along
        return down + (h - 1) / 2, along + (w - 1) / 2
