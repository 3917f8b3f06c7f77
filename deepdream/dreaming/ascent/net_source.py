"""Gradients of any pycaffe-like net, layer by layer, in NumPy."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...running.arrays.blas import one_blas_thread
from ..dream2015 import flat_gradient, input_blob, target_blob
from ..objectives import Objective, ask
from ..pictures.borders import Canvas
from ..pictures.looks import Look
from ..pictures.operations import Operations


class NetSource:
    """A net itself; see `ascent.Source`.

    Parameters
    ----------
    net : Net
        Anything with pycaffe's interface.
    end : str
        The target.
    canvases : list of Canvas
        What the net sees at each octave.
    objective : callable
    """

    def __init__(self, net: Any, end: str, canvases: list[Canvas], objective: Objective) -> None:
        self.ops = operations()
        self._net, self._end, self._objective = net, end, objective
        self._canvases = canvases

    def work(self, octave: int) -> int:
        h, w = self._canvases[octave].shape
        return h * w

    def open(self, octave: int) -> NetGradient:
        h, w = self._canvases[octave].shape
        input_blob(self._net).reshape(1, 3, h, w)
        return NetGradient(self._net, self._end, self._objective, (h, w))

    def close(self) -> None:
        pass

    def recorded(self, octave: int, ascent: Any) -> None:
        return None


class NetGradient:
    """The gradient at pictures of one size."""

    def __init__(self, net: Any, end: str, objective: Objective, size: tuple[int, int]) -> None:
        self._net, self._end, self._objective = net, end, objective
        self._src, self._dst = input_blob(net), target_blob(net, end)
        self._frontier = _frontier(net, end)
        self._threads = one_blas_thread if _is_ours(net) else contextlib.nullcontext
        self._seen, self._g = np.empty((2, *size, 3), np.float32)

    def at(self, x: np.ndarray, look: Look) -> np.ndarray:
        look.write(self._seen, x)
        self._src.data[0] = np.moveaxis(self._seen, 2, 0)
        with self._threads():  # the same seed gives the same bytes with any number of them
            self._net.forward(end=self._end)
            for blob in [*self._frontier, self._dst]:
                blob.diff[...] = 0
            ask(self._objective, self._dst)
            self._net.backward(start=self._end)
        self._g[...] = np.moveaxis(self._src.diff[0], 0, 2)
        return self._g

    def explain(self, x: np.ndarray, look: Look, mean: float) -> Exception:
        dst = SimpleNamespace(data=self._dst.data, diff=self._dst.diff)
        return flat_gradient(mean, look.canvas.size, dst, self._end)


def operations() -> Operations:
    """Return the operations on pictures in the machine's memory for one thread."""
    try:
        from ..pictures.compiled import Compiled
    except ImportError:  # no Numba, as beside the real Caffe
        return Operations()
    return Compiled(_in_turn, 1)


def _is_ours(net: Any) -> bool:
    return getattr(net, "engine", "") == "deepdream" and str(net.device) == "cpu"


def _in_turn(task: Any, parts: int) -> None:
    for part in range(parts):
        task(part, 0)


def _frontier(net: Any, end: str) -> list[Any]:
    """Return the blobs that layers up to `end` make and only layers after it read.

    Their diffs are read on the way back, though nothing writes them: what an earlier, deeper
    target left there would add to the gradient.
    """
    if not hasattr(net, "top_names"):
        return []
    loose: set[str] = set()
    for layer, tops in net.top_names.items():
        loose.difference_update(net.bottom_names[layer])
        loose.update(tops)
        if layer == end:
            break
    loose.discard(end)
    # An input that never got a shape, of a label say, has no diff; the real Caffe ends the process.
    return [net.blobs[name] for name in net.blobs if name in loose and net.blobs[name].count]
