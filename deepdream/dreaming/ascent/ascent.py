"""Gradient ascent on one picture, octave by octave.

`dream` decides how many steps there are, where they roll the picture, and when to stop. An `Ascent`
holds the picture and takes the steps. `NetAscent` takes them with any pycaffe-like net and numpy;
``plan_ascent.PlanAscent`` with a plan of our own nets, on tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np

from .dream2015 import (
    deprocess,
    input_blob,
    input_mean,
    mean_gradient,
    preprocess,
    target_blob,
)
from .objectives import Objective
from .octaves import Size, octave_bases, resize


class Ascent(Protocol):
    """What `dream` needs: begin an octave, take its steps, end it, and so on; then the result.

    Attributes
    ----------
    sizes : list of (int, int)
        Height and width of each octave, the smallest first.
    work : list of int
        What a step costs at each octave, in pixels that go through the net.
    """

    sizes: list[Size]
    work: list[int]

    def begin(self, octave: int) -> None:
        """Enlarge what has been dreamt, and add it to the picture at this octave's size."""

    def step(self, ox: int, oy: int) -> None:
        """Take one step, on the picture rolled by ox columns and oy rows.

        Raises
        ------
        FlatGradientError
            The gradient is zero or not finite; the picture is as it was before the step. Where
            the device is not waited for, `end_octave` may be the one to raise it.
        """

    def end_octave(self) -> None:
        """Wait for the last step."""

    def gradient(self) -> Callable[[], float]:
        """Return what tells the last step's mean absolute gradient before scaling."""

    def picture(self) -> Callable[[], np.ndarray]:
        """Return what tells the picture as it is now: (h, w, 3) float32 RGB, at this size.

        It may be asked at any later time.
        """

    def sample(self, every: int) -> np.ndarray:
        """Return every so many-th row and column of the picture as it is now, for a preview."""

    def result(self) -> np.ndarray:
        """Return the picture so far at full size, (h, w, 3) float32 RGB; nothing follows."""


class NetAscent:
    """Steps with the net itself, whatever net it is, in numpy.

    Parameters
    ----------
    net : Net
        Anything with pycaffe's interface.
    end : str
        The target.
    picture : (h, w, 3) float32 ndarray
        RGB, 0..255.
    sizes : list of (int, int)
        See `octave_sizes`.
    objective : callable
    step_size : float
    clip : bool
    """

    def __init__(
        self, net: Any, end: str, picture: np.ndarray, sizes: list[Size], objective: Objective,
        *, step_size: float, clip: bool,
    ) -> None:  # fmt: skip
        self.sizes = sizes
        self.work = [h * w for h, w in sizes]
        self._net, self._end, self._objective = net, end, objective
        self._step_size, self._clip = step_size, clip
        self._src, self._dst = input_blob(net), target_blob(net, end)
        self._frontier = _frontier(net, end)
        self._mean = input_mean(net)
        self._bases = octave_bases(preprocess(net, picture), sizes)
        self._octave = 0
        self._x = self._bases[0]
        self._gradient = 0.0

    def begin(self, octave: int) -> None:
        base = self._bases[octave]
        if octave > 0:
            detail = self._x - self._bases[octave - 1]
            self._x, self._octave = base + resize(detail, *base.shape[-2:]), octave
        self._src.reshape(1, *base.shape)

    def step(self, ox: int, oy: int) -> None:
        src, dst, end = self._src, self._dst, self._end
        src.data[0] = np.roll(np.roll(self._x, ox, -1), oy, -2)
        self._net.forward(end=end)
        for blob in [*self._frontier, dst]:
            blob.diff[...] = 0
        self._objective(dst)
        self._net.backward(start=end)
        g = src.diff[0]
        mean = mean_gradient(g, dst, end)
        moved = src.data[0] + self._step_size / mean * g
        moved = np.roll(np.roll(moved, -ox, -1), -oy, -2)
        self._x = np.clip(moved, -self._mean, 255 - self._mean) if self._clip else moved
        self._gradient = float(mean)

    def end_octave(self) -> None:
        pass

    def gradient(self) -> Callable[[], float]:
        mean = self._gradient
        return lambda: mean

    def picture(self) -> Callable[[], np.ndarray]:
        return partial(deprocess, self._net, self._x)

    def sample(self, every: int) -> np.ndarray:
        return np.asarray(deprocess(self._net, self._x[:, ::every, ::every]))

    def result(self) -> np.ndarray:
        x, full = self._x, self._bases[-1]
        if self._octave < len(self.sizes) - 1:
            x = full + resize(x - self._bases[self._octave], *full.shape[-2:])
        return np.ascontiguousarray(deprocess(self._net, x), np.float32)


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
