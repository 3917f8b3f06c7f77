"""What a dream does with pictures besides running the net, in NumPy.

Pictures are (h, w, 3) arrays of 32-bit floats, dense, B, G, R without the mean; so are gradients
with respect to them. `Operations` writes each operation out as a formula on arrays that are indexed
and added as NumPy's are, with a few primitives that NumPy and PyTorch spell differently. This class
computes with NumPy and SciPy; ``compiled.Compiled`` replaces what a dream needs at every step by
kernels, ``tensors.Tensors`` computes on PyTorch's devices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .borders import Size, Span, continued, edge_gain, runs
from .filters import TRUNCATE

# Values per band where large pictures are worked on band by band.
_BAND = 1 << 21

# SciPy's names of the rules in `borders.continued`.
_MODES = {"roll": "wrap", "reflect": "mirror", "edge": "nearest"}

# In grey levels: differences much smaller than this count as none for the total variation.
TV_EPSILON = 1.0


class Operations:
    """Operations on pictures in the machine's memory."""

    # -- primitives -----------------------------------------------------------------------------

    kernels: tuple[Any, ...] = ()  # that every step calls, to be compiled beforehand

    def array(self, pixels: np.ndarray) -> Any:
        """Return a NumPy array as one of this kind, sharing memory where that is possible."""
        return np.ascontiguousarray(pixels, np.float32)

    def numpy(self, x: Any) -> np.ndarray:
        """Return an array of this kind as NumPy's, sharing memory where that is possible."""
        return np.asarray(x)

    def empty(self, shape: Sequence[int]) -> Any:
        """Return a new array with any values."""
        return np.empty(tuple(shape), np.float32)

    def indices(self, values: np.ndarray) -> Any:
        """Return whole numbers that index an array of this kind."""
        return values

    def around(self, n: int, before: int, after: int, border: str) -> Any:
        """Return the indices of an axis of n positions, with so many more on both sides."""
        return self.indices(continued(np.arange(-before, n + after), n, border))

    def copy(self, x: Any) -> Any:
        """Return a new array with the same values."""
        return x.copy()

    def total(self, x: Any, weights: Any = None) -> Any:
        """Return the sum of an array, times weights of its shape where they are given.

        Row by row in 32 bits at least, over rows in 64.
        """
        x = x if weights is None else x * weights
        return float(x.reshape(x.shape[0], -1).sum(1).sum(dtype=np.float64))

    def scatter_add(self, x: Any, rows: Any, columns: Any, values: Any) -> None:
        """Add (..., 3) values to the pixels of x at (...) rows and columns, which may repeat."""
        np.add.at(x, (rows, columns), values)

    # -- what the net sees ----------------------------------------------------------------------

    def fill(self, out: Any, x: Any, rows: np.ndarray, columns: np.ndarray) -> None:
        """Write ``x[rows][:, columns]`` to `out`."""
        for down_to, down_from in runs(rows):
            for along_to, along_from in runs(columns):
                out[down_to, along_to] = x[down_from, along_from]

    def gains(self, size: Size) -> tuple[Any, Any, Any, Any]:
        """Return what `fade` needs: factors of a picture's first and last rows and columns."""
        rows, columns = (np.s_[:, None, None], np.s_[None, :, None])
        (first, last), (left, right) = (
            (self.array(gain), self.array(gain[::-1].copy())) for gain in map(edge_gain, size)
        )
        return first[rows], last[rows], left[columns], right[columns]

    def fade(self, g: Any, gains: tuple[Any, Any, Any, Any]) -> None:
        """Take the rim away from a picture's gradient, in place; see `borders.edge_gain`."""
        first, last, left, right = gains
        h, w = g.shape[:2]
        g[: first.shape[0]] *= first
        g[h - last.shape[0] :] *= last
        g[:, : left.shape[1]] *= left
        g[:, w - right.shape[1] :] *= right

    def climb(self, x: Any, g: Any, there: Span, here: Span, factor: float, low: Any, high: Any,
              weights: Any = None) -> None:  # fmt: skip
        """Add factor times a part of a gradient to a part of a picture, and clip it there.

        Parameters
        ----------
        x, g : (h, w, 3) arrays
            The picture, changed in place, and the gradient.
        there, here : (slice, slice)
            Rows and columns of the part, in x and in g.
        factor : float
        low, high : (3) arrays or None
            Bounds of the three channels.
        weights : (h, w, 3) array, optional
            Further factors, where x is.
        """
        part, moved = x[there], np.float32(factor) * g[here]
        part += moved if weights is None else weights[there] * moved
        if low is not None:
            np.clip(part, low, high, out=part)

    # -- measures -------------------------------------------------------------------------------

    def sum_abs(self, g: Any, weights: Any = None) -> Any:
        """Return the sum of the absolute values, each times its weight."""
        return self.total(abs(g), weights)

    def sum_square(self, g: Any, weights: Any = None) -> Any:
        """Return the sum of the squares, each times its weight."""
        return self.total(g * g, weights)

    def count(self, g: Any, weights: Any = None) -> Any:
        """Return how many values there are, or the sum of their weights."""
        return math.prod(g.shape) if weights is None else self.total(weights)

    # -- waves ----------------------------------------------------------------------------------

    def cosines(self, x: Any) -> Any:
        """Return the strengths of the cosines that a picture is the sum of: a DCT, orthonormal."""
        from scipy.fft import dctn

        return dctn(x, axes=(0, 1), norm="ortho")

    def pixels(self, waves: Any) -> Any:
        """Return the picture that is the sum of these cosines."""
        from scipy.fft import idctn

        return idctn(waves, axes=(0, 1), norm="ortho")

    # -- sizes ----------------------------------------------------------------------------------

    def resize(self, x: Any, size: Size) -> Any:
        """Return a picture at another size, bilinear; see `add_resized`."""
        out = self.empty((*size, x.shape[2]))
        self._resized(out, x, add=False)
        return out

    def add_resized(self, out: Any, x: Any) -> None:
        """Add to `out` what `x` is at its size.

        Grid corners are aligned, as in the notebook's ``nd.zoom(order=1)``: of n positions and m
        new ones, the new position i lies at i (n - 1) / (m - 1). SciPy takes a last sample that
        rounding puts a hair outside for zero; here it is the border's. Positions and weights are
        computed in 64 bits, as SciPy's are.
        """
        self._resized(out, x, add=True)

    def _resized(self, out: Any, x: Any, *, add: bool) -> None:
        h, w = out.shape[:2]
        if tuple(x.shape[:2]) == (h, w):
            out[...] = out + x if add else x
            return
        above, below, down = self._positions(x.shape[0], h)
        left, right, along = self._positions(x.shape[1], w)
        down, along = down[:, None, None], along[None, :, None]
        rows = max(1, _BAND // max(1, x.shape[2] * max(w, x.shape[1])))
        for first in range(0, h, rows):
            band = slice(first, first + rows)
            top, bottom = x[above[band]], x[below[band]]
            mixed = top + (bottom - top) * down[band]
            start, stop = mixed[:, left], mixed[:, right]
            mixed = start + (stop - start) * along
            out[band] = out[band] + mixed if add else mixed

    def _positions(self, n: int, m: int) -> tuple[Any, Any, Any]:
        """Return for m positions among n: the neighbour before, the one after, and its weight."""
        step = (n - 1) / (m - 1) if m > 1 else 1.0
        at = np.minimum(np.arange(m) * step, n - 1)
        before = np.floor(at).astype(np.int64)
        after = np.minimum(before + 1, n - 1)
        weight = (at - before).astype(np.float32)
        return self.indices(before), self.indices(after), self.array(weight)

    # -- detail of each size --------------------------------------------------------------------

    def blur(self, x: Any, sigmas: Sequence[float], border: str) -> Any:
        """Return the mean of a picture blurred by Gaussians of these standard deviations.

        Parameters
        ----------
        x : (h, w, 3) array
        sigmas : sequence of float
            In pixels.
        border : {"roll", "reflect", "edge"}
            How the picture goes on, see `continued`.
        """
        import scipy.ndimage as nd

        mode = _MODES[border]
        blurred = [
            nd.gaussian_filter(x, (sigma, sigma, 0), mode=mode, truncate=TRUNCATE)
            for sigma in sigmas
        ]
        return np.mean(blurred, axis=0, dtype=np.float32)

    def reduce(self, x: Any, border: str) -> Any:
        """Return every second row and column of a picture blurred by (1, 4, 6, 4, 1) / 16.

        Parameters
        ----------
        x : (h, w, c) array
        border : {"roll", "reflect", "edge"}

        Returns
        -------
        ((h + 1) // 2, (w + 1) // 2, c) array
        """
        for _ in (0, 1):
            n = x.shape[0]
            p = x[self.around(n, 2, 2, border)]
            y = p[0:n:2] + p[4::2] + 4 * (p[1 : n + 1 : 2] + p[3 : n + 3 : 2])
            x = ((y + 6 * p[2 : n + 2 : 2]) / 16).swapaxes(0, 1)
        return x

    def expand(self, x: Any, size: Size, border: str) -> Any:
        """Return a picture twice as large: zeros between its values, blurred as in `reduce`.

        Four times as strong, so that a constant stays what it is.

        Parameters
        ----------
        x : ((h + 1) // 2, (w + 1) // 2, c) array
        size : (int, int)
            h and w.
        border : {"roll", "reflect", "edge"}

        Returns
        -------
        (h, w, c) array
        """
        for n in size:
            m = x.shape[0]
            p = x[self.around(m, 1, 1, border)]
            out = self.empty((n, *x.shape[1:]))
            out[0::2] = (p[:-2] + 6 * p[1:-1] + p[2:]) / 8
            out[1::2] = ((p[1:-1] + p[2:]) / 2)[: n // 2]
            x = out.swapaxes(0, 1)
        return x

    def detail(self, x: Any, lower: Any, border: str) -> Any:
        """Return what a picture has beyond its reduced self: ``x - expand(lower)``."""
        return x - self.expand(lower, x.shape[:2], border)

    def joined(self, detail: Any, factor: float, lower: Any, border: str) -> Any:
        """Return ``factor * detail + expand(lower)``; `detail` may be overwritten."""
        return detail * factor + self.expand(lower, detail.shape[:2], border)

    # -- priors ---------------------------------------------------------------------------------

    def tv_gradient(self, x: Any) -> Any:
        """Return the gradient of a picture's total variation with respect to it.

        The total variation is the sum over pixels and channels of ``sqrt(a^2 + b^2 + e^2)``, with
        a and b the differences to the pixel on the right and to the one below, none at the last
        column and row, and e = 1 grey level, so that what is flat stays in peace.
        """
        right, down = self.empty(x.shape), self.empty(x.shape)
        right[:, :-1], right[:, -1:] = x[:, 1:] - x[:, :-1], 0
        down[:-1], down[-1:] = x[1:] - x[:-1], 0
        length = (right * right + down * down + TV_EPSILON**2) ** 0.5
        right, down = right / length, down / length
        g = -right - down
        g[:, 1:] += right[:, :-1]
        g[1:] += down[:-1]
        return g

    # -- random transforms ----------------------------------------------------------------------

    def warp(self, out: Any, x: Any, rows: Any, columns: Any, border: str) -> None:
        """Write what stands between the pixels of a picture, bilinear.

        Parameters
        ----------
        out : (H, W, 3) array
            Overwritten.
        x : (h, w, 3) array
        rows, columns : (H, W) float64 ndarrays
            Where each value of `out` lies in x.
        border : {"roll", "reflect", "edge"}
        """
        out[...] = 0
        for at, weight in self._corners(x.shape, rows, columns, border):
            out += x[at] * weight[..., None]

    def warp_back(self, out: Any, g: Any, rows: Any, columns: Any, border: str) -> None:
        """Write the adjoint of `warp`: each value of g goes to the pixels that it was made from.

        What lies beyond the picture was made from its continuation, and is dropped, unless the
        picture is a circle (``"roll"``).

        Parameters
        ----------
        out : (h, w, 3) array
            Overwritten.
        g : (H, W, 3) array
        rows, columns, border
            As for `warp`.
        """
        out[...] = 0
        h, w = out.shape[:2]
        inside = None
        if border != "roll":
            inside = (rows >= 0) & (rows <= h - 1) & (columns >= 0) & (columns <= w - 1)
        for at, weight in self._corners(out.shape, rows, columns, border, inside):
            self.scatter_add(out, at[0], at[1], g * weight[..., None])

    def _corners(
        self, shape: Sequence[int], rows: np.ndarray, columns: np.ndarray, border: str,
        inside: np.ndarray | None = None,
    ) -> Any:  # fmt: skip
        """Yield the four pixels around each position: (rows, columns), and their weights."""
        h, w = shape[:2]
        top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
        down, along = rows - top, columns - left
        for a, by_row in ((0, 1 - down), (1, down)):
            for b, by_column in ((0, 1 - along), (1, along)):
                weight = by_row * by_column
                if inside is not None:
                    weight = weight * inside
                yield (
                    (
                        self.indices(continued(top + a, h, border)),
                        self.indices(continued(left + b, w, border)),
                    ),
                    self.array(weight),
                )
