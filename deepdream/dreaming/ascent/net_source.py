"""Gradients of any pycaffe-like net, layer by layer, in NumPy.

A single target takes what the notebook takes: forward to it, and back from it. With several the net
runs in stretches, as pycaffe's ``start`` and ``end`` allow: forward from target to target, so that
each is seen as its own layer leaves it (a convolution before the ReLU that rewrites its blob), and
backward from target to target, where the diff that has arrived and the target's own add up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import ParameterError
from ...running.arrays.blas import one_blas_thread
from ..dream2015 import input_blob, target_blob
from ..pictures.borders import Canvas
from ..pictures.looks import Look
from ..pictures.operations import Operations
from .pulls import Pull, Pulls, on_blob


class NetSource:
    """A net itself; see `ascent.Source`.

    Parameters
    ----------
    net : Net
        Anything with pycaffe's interface.
    canvases : list of Canvas
        What the net sees at each octave.
    pulls : sequence of Pull
        One or more.
    balance : bool
        Whether weights mean strength.

    Raises
    ------
    ParameterError
        There are several targets, and the net cannot run in stretches.
    """

    def __init__(
        self, net: Any, canvases: list[Canvas], pulls: Sequence[Pull], balance: bool = True
    ) -> None:
        self.ops = operations()
        self._net, self._canvases, self._pulls, self._balance = net, canvases, pulls, balance
        self._blobs = {pull.end: target_blob(net, pull.end) for pull in pulls}
        if len(self._blobs) > 1 and not hasattr(net, "_layer_names"):
            raise ParameterError(
                f"this {type(net).__name__} does not tell its layers, so that it can grow one "
                "target only: load it with deepdream.load_net"
            )
        self._writers = [on_blob(pull.function, self._blobs[pull.end]) for pull in pulls]

    def work(self, octave: int) -> int:
        h, w = self._canvases[octave].shape
        return h * w

    def open(self, octave: int) -> NetGradient:
        canvas = self._canvases[octave]
        input_blob(self._net).reshape(1, 3, *canvas.shape)
        pulls = Pulls(self._pulls, self._writers, canvas, self._balance)
        return NetGradient(self._net, pulls, self._blobs, canvas.shape)

    def close(self) -> None:
        pass

    def recorded(self, octave: int, ascent: Any) -> None:
        return None


class NetGradient:
    """The gradient at pictures of one size.

    Parameters
    ----------
    net : Net
    pulls : Pulls
    blobs : mapping of str to Blob
        The targets.
    size : (int, int)
        Height and width of what the net sees.
    """

    def __init__(
        self, net: Any, pulls: Pulls, blobs: Mapping[str, Any], size: tuple[int, int]
    ) -> None:
        self._net, self.pulls = net, pulls
        self._src = input_blob(net)
        self._ends = list(blobs)
        self._after: list[str] = []  # the layers after the targets
        if len(blobs) > 1:
            names = list(net._layer_names)
            self._ends.sort(key=names.index)
            self._after = [names[names.index(end) + 1] for end in self._ends[:-1]]
        self._blobs = [blobs[end] for end in self._ends]
        self._frontier = _frontier(net, self._ends[-1])
        self._own: list[np.ndarray] = []  # what is written at all targets but the last
        self._seen, self._g = np.empty((2, *size, 3), np.float32)

    def at(self, x: np.ndarray, look: Look) -> np.ndarray:
        look.write(self._seen, x)
        self._src.data[0] = np.moveaxis(self._seen, 2, 0)
        self.pulls.aim(look)
        with same_bits(self._net):
            self._forward()
            self._backward()
        self._g[...] = np.moveaxis(self._src.diff[0], 0, 2)
        return self._g

    def _forward(self) -> None:
        """Run to the last target, and write what pulls at each when its own layer has run."""
        start: dict[str, str] = {}
        own = []
        for end, blob, after in zip(self._ends, self._blobs, self._after):
            self._net.forward(end=end, **start)
            start = {"start": after}
            own.append(self._written(end, blob, np.empty_like(blob.data)))
        self._own = own
        self._net.forward(end=self._ends[-1], **start)
        for blob in [*self._frontier, self._blobs[-1]]:
            blob.diff[...] = 0
        self._written(self._ends[-1], self._blobs[-1], self._blobs[-1].diff)

    def _written(self, end: str, blob: Any, diff: np.ndarray) -> np.ndarray:
        data = blob.data
        h, w = (*data.shape[2:4], 1, 1)[:2]
        self.pulls.write(end, data, diff, (h, w))
        return diff

    def _backward(self) -> None:
        """Run back from target to target, and add at each what pulls there to what arrives."""
        start = self._ends[-1]
        for number in range(len(self._ends) - 2, -1, -1):
            self._net.backward(start=start, end=self._after[number])
            self._blobs[number].diff[...] += self._own[number]
            start = self._ends[number]
        self._net.backward(start=start)

    def explain(self, x: np.ndarray, look: Look, mean: float) -> Exception:
        diffs = [*self._own, self._blobs[-1].diff]
        found = {end: (b.data, d) for end, b, d in zip(self._ends, self._blobs, diffs)}
        return self.pulls.explain(mean, found)


def operations() -> Operations:
    """Return the operations on pictures in the machine's memory for one thread."""
    try:
        from ..pictures.compiled import Compiled
    except ImportError:  # no Numba, as beside the real Caffe
        return Operations()
    return Compiled(_in_turn, 1)


def same_bits(net: Any) -> contextlib.AbstractContextManager[None]:
    """Let a net of ours compute the same bits with any number of threads meanwhile."""
    ours = getattr(net, "engine", "") == "deepdream" and str(net.device) == "cpu"
    return one_blas_thread() if ours else contextlib.nullcontext()


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
