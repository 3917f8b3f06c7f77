"""Operations on pictures in the machine's memory, by compiled kernels on several threads.

What is computed does not depend on the number of threads: each row is one thread's work, and sums
over rows are added up in their order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import kernels
from .borders import Size, Span
from .filters import half_gaussian
from .operations import Operations

Run = Callable[[Callable[[int, int], None], int], None]

_CODES = {"roll": kernels.ROLL, "reflect": kernels.REFLECT, "edge": kernels.EDGE}
_NOTHING = kernels.NOTHING
_LANES = kernels.LANES


class Compiled(Operations):
    """Operations by kernels.

    Parameters
    ----------
    run : callable
        ``run(task, parts)`` calls ``task(part, worker)`` for each part, on threads or not.
    threads : int
        How many numbers `worker` may have.
    """

    kernels = kernels.climb, kernels.row_sums, kernels.gaussians

    def __init__(self, run: Run, threads: int) -> None:
        self._run, self._threads = run, threads
        self._scratch: list[np.ndarray] = [_NOTHING] * threads

    def _over_rows(self, rows: int, task: Callable[[int, int, int], None]) -> None:
        """Call ``task(r0, r1, worker)`` on ranges of rows."""
        parts = min(rows, 4 * self._threads if self._threads > 1 else 1)
        length = -(-rows // parts)

        def part(number: int, worker: int) -> None:
            r0 = number * length
            if r0 < rows:
                task(r0, min(rows, r0 + length), worker)

        self._run(part, parts)

    def _floats(self, worker: int, count: int) -> np.ndarray:
        if len(self._scratch[worker]) < count:
            self._scratch[worker] = np.empty(count, np.float32)
        return self._scratch[worker]

    # -- what a step does -----------------------------------------------------------------------

    def climb(self, x: Any, g: Any, there: Span, here: Span, factor: float, low: Any, high: Any,
              weights: Any = None) -> None:  # fmt: skip
        (top, left), (g_top, g_left) = (
            tuple(axis.start for axis in span) for span in (there, here)
        )
        h, w = (axis.stop - axis.start for axis in there)
        x_stride, g_stride = 3 * x.shape[1], g.strides[0] // 4  # g may be part of a canvas
        at, g_at = top * x_stride + 3 * left, g_top * g_stride + 3 * g_left
        low = _NOTHING if low is None else np.tile(low, w)
        high = _NOTHING if high is None else np.tile(high, w)
        weights = _NOTHING if weights is None else weights.reshape(-1)
        x, g = x.reshape(-1), _flat(g)
        self._over_rows(
            h,
            lambda r0, r1, _: kernels.climb(
                x, at, x_stride, g, g_at, g_stride, 3 * w, weights, factor, low, high, r0, r1
            ),
        )

    def sum_abs(self, g: Any, weights: Any = None) -> float:
        return self._sum(g, weights, kernels.ABS)

    def sum_square(self, g: Any, weights: Any = None) -> float:
        return self._sum(g, weights, kernels.SQUARE)

    def total(self, x: Any, weights: Any = None) -> float:
        return self._sum(x, weights, kernels.PLAIN)

    def _sum(self, g: Any, weights: Any, what: int) -> float:
        h, w, channels = g.shape
        sums = np.empty(h)
        flat, stride = _flat(g), g.strides[0] // 4
        if weights is None:
            weights, weights_stride = _NOTHING, 0
        else:
            weights, weights_stride = _flat(weights), weights.strides[0] // 4
        self._over_rows(
            h,
            lambda r0, r1, worker: kernels.row_sums(
                flat, stride, channels * w, weights, weights_stride, what, sums,
                self._floats(worker, _LANES), r0, r1,
            ),
        )  # fmt: skip
        return float(sums.sum())

    # -- detail of each size --------------------------------------------------------------------

    def blur(self, x: Any, sigmas: Sequence[float], border: str) -> Any:
        if len(sigmas) not in (1, 3):
            return super().blur(x, sigmas, border)
        h, w = x.shape[:2]
        taps, radii = three_filters(tuple(sigmas))
        x = np.ascontiguousarray(x)
        out = np.empty_like(x)
        large = int(radii[2])
        floats = 3 * (3 * w + 6 * large) + _LANES
        self._over_rows(
            h,
            lambda r0, r1, worker: kernels.gaussians(
                x.reshape(-1), h, w, _CODES[border], taps, radii, 1 / len(sigmas), out.reshape(-1),
                self._floats(worker, floats), np.empty(2 * large + 1, np.int64), r0, r1,
            ),
        )  # fmt: skip
        return out

    def reduce(self, x: Any, border: str) -> Any:
        h, w, channels = x.shape
        x = np.ascontiguousarray(x)
        out = np.empty(((h + 1) // 2, (w + 1) // 2, channels), np.float32)
        self._over_rows(
            out.shape[0],
            lambda r0, r1, worker: kernels.reduce(
                x.reshape(-1), h, w, channels, _CODES[border], out.reshape(-1),
                self._floats(worker, w * channels), r0, r1,
            ),
        )  # fmt: skip
        return out

    def expand(self, x: Any, size: Size, border: str) -> Any:
        out = np.zeros((*size, x.shape[2]), np.float32)
        return self._join(out, 0.0, x, 1.0, border, out)

    def detail(self, x: Any, lower: Any, border: str) -> Any:
        x = np.ascontiguousarray(x)
        return self._join(x, 1.0, lower, -1.0, border, np.empty_like(x))

    def joined(self, detail: Any, factor: float, lower: Any, border: str) -> Any:
        return self._join(detail, factor, lower, 1.0, border, detail)

    def _join(
        self, detail: Any, factor: float, lower: Any, share: float, border: str, out: Any
    ) -> Any:
        h, w, channels = detail.shape
        self._over_rows(
            h,
            lambda r0, r1, worker: kernels.join(
                detail.reshape(-1), factor, lower.reshape(-1), share, h, w, channels,
                _CODES[border], out.reshape(-1),
                self._floats(worker, (lower.shape[1] + 2) * channels), r0, r1,
            ),
        )  # fmt: skip
        return out

    # -- random transforms ----------------------------------------------------------------------

    def warp(self, out: Any, x: Any, rows: Any, columns: Any, border: str) -> None:
        h, w = x.shape[:2]
        self._over_rows(
            out.shape[0],
            lambda r0, r1, _: kernels.warp(
                x.reshape(-1), h, w, _CODES[border], rows.reshape(-1), columns.reshape(-1),
                out.shape[1], out.reshape(-1), r0, r1,
            ),
        )  # fmt: skip

    def warp_back(self, out: Any, g: Any, rows: Any, columns: Any, border: str) -> None:
        h, w = out.shape[:2]
        out[...] = 0
        kernels.warp_back(
            np.ascontiguousarray(g).reshape(-1), rows.reshape(-1), columns.reshape(-1), rows.size,
            h, w, _CODES[border], out.reshape(-1),
        )  # fmt: skip


def _flat(g: np.ndarray) -> np.ndarray:
    """Return the memory from the first value on of an array with dense rows, flat."""
    if g.flags.c_contiguous:
        return g.reshape(-1)
    count = (g.shape[0] - 1) * (g.strides[0] // 4) + g.shape[1] * g.shape[2]
    return np.lib.stride_tricks.as_strided(g, (count,), (4,))


def three_filters(sigmas: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the halves of three Gaussian filters side by side, and their radii, ascending.

    For a single standard deviation two of them are empty.
    """
    halves = [half_gaussian(sigma) for sigma in sorted(sigmas)]
    if len(halves) == 1:
        halves = [np.zeros(1), np.zeros(1), *halves]
    radii = np.array([len(half) - 1 for half in halves])
    taps = np.zeros((3, int(radii[2]) + 1), np.float32)
    for row, half in zip(taps, halves):
        row[: len(half)] = half
    return taps.reshape(-1), radii


def keep_colors(dreamt: np.ndarray, start: np.ndarray, kept: float = 1.0) -> np.ndarray:
    """Return `colors.keep_colors`, by a compiled kernel on several threads."""
    from concurrent.futures import ThreadPoolExecutor

    from .color_tables import TABLES

    shape = dreamt.shape
    dreamt, start = (np.ascontiguousarray(x, np.float32).reshape(-1) for x in (dreamt, start))
    out = np.empty_like(dreamt)
    pixels = dreamt.size // 3
    threads = min(8, os.cpu_count() or 1)
    length = -(-pixels // threads)

    def part(first: int) -> None:
        last = min(pixels, first + length)
        kernels.keep_colors(dreamt, start, kept, TABLES, out, first, last)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, range(0, pixels, length)))
    return out.reshape(shape)
