"""Steps that never leave the device, recorded once and replayed.

The whole step (what the net sees, forward, objective, backward, direction, clip) is one function
without arguments: the offsets and the step size are numbers on the device, written before each run.
On a GPU it is captured as a CUDA graph, so that a step costs the host one call. Nobody waits for a
result: a gradient of zero is remembered on the device, the picture stays as it was from there on,
and `check` tells afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..pictures.borders import Canvas
from ..pictures.looks import Move
from ..pictures.tensors import Tensors
from .directions import direction, smoothed
from .plan_gradients import WholeGradient

if TYPE_CHECKING:
    from .ascent import Ascent, Push

_log = logging.getLogger(__name__)


class Wrong(NamedTuple):
    """A step whose gradient was no direction, and its mean absolute value."""

    move: Move
    mean: float


class _Unwaited(Tensors):
    """Operations whose sums stay on the device."""

    def total(self, x: Any, weights: Any = None) -> Any:
        return self.sum(x, weights)


class DeviceSteps:
    """The steps of one octave.

    Parameters
    ----------
    gradient : WholeGradient
        With an objective that works on tensors.
    canvas : Canvas
    ascent : Ascent
        Its picture is changed in place by each step.
    """

    def __init__(self, gradient: WholeGradient, canvas: Canvas, ascent: Ascent) -> None:
        self._gradient, self._canvas, self._ascent = gradient, canvas, ascent
        self._x = x = ascent.x
        self._ops = _Unwaited(x.device)
        self._axes = [torch.arange(n, device=x.device) for n in canvas.shape]
        self._own = [torch.arange(n, device=x.device) for n in canvas.size]
        self._ox = torch.zeros((), dtype=torch.int64, device=x.device)
        self._oy = torch.zeros_like(self._ox)
        self._step_size = torch.zeros((), dtype=torch.float64, device=x.device)
        self._good = torch.ones((), dtype=torch.bool, device=x.device)
        self._mean = torch.zeros((), dtype=torch.float64, device=x.device)
        self._smooth = 0.0
        self._run: Callable[[], None] | None = None
        self._means: list[torch.Tensor] = []
        self._moves: list[Move] = []

    def step(self, move: Move, push: Push) -> None:
        """Take a step."""
        self._ox.fill_(move.ox)
        self._oy.fill_(move.oy)
        self._step_size.fill_(push.step_size)
        if self._run is None or push.smooth != self._smooth:
            self._smooth = push.smooth
            self._run = capture(self._step, [self._x, self._good])
        self._run()
        self._means.append(self._mean.clone())
        self._moves.append(move)

    def mean(self) -> torch.Tensor:
        """Return the last step's mean absolute gradient, not waited for."""
        return self._means[-1]

    def check(self) -> Wrong | None:
        """Wait for all steps; return the first whose gradient was no direction."""
        if not self._means or bool(self._good):
            return None
        means = torch.stack(self._means)
        first = int(((means > 0) & means.isfinite()).long().argmin())
        return Wrong(self._moves[first], float(means[first]))

    def _step(self) -> None:
        canvas, ascent, ops, x = self._canvas, self._ascent, self._ops, self._x
        rows = canvas.index(0, self._oy, self._axes[0])
        columns = canvas.index(1, self._ox, self._axes[1])
        self._gradient.seen.copy_(x[rows][:, columns])
        g = self._gradient.run()
        down, along = (self._own[axis] + canvas.place(axis, offset)
                       for axis, offset in ((0, self._oy), (1, self._ox)))  # fmt: skip
        if canvas.border == "roll":
            down, along = down % canvas.size[0], along % canvas.size[1]
        g = g[down][:, along]
        if ascent.gains is not None:
            ops.fade(g, ascent.gains)
        g = smoothed(ops, g, self._smooth, canvas.border)
        settled = ascent.settled
        d, factor, mean = direction(
            ops, g, settled.normalize, settled.bands, canvas.border, ascent.mask
        )
        self._mean.copy_(mean)
        self._good.logical_and_((mean > 0) & mean.isfinite())
        moved = d * (self._step_size * factor).float()
        if ascent.mask is not None:
            moved = moved * ascent.mask
        moved = moved.add_(x)
        if ascent.low is not None:
            torch.clamp(moved, ascent.low, ascent.high, out=moved)
        x.copy_(torch.where(self._good, moved, x))


def capture(step: Callable[[], None], changed: list[torch.Tensor]) -> Callable[[], None]:
    """Return a function that does what `step` does, as a CUDA graph where tensors are on a GPU.

    Parameters
    ----------
    step : callable
        Launches the same work at each call, and never waits for the device.
    changed : list of Tensor
        What a step reads and changes: trial runs are undone there.

    Returns
    -------
    callable
        `step` itself on a CPU, and where it cannot be captured.
    """
    if changed[0].device.type != "cuda":
        return step
    before = [tensor.clone() for tensor in changed]
    graph = torch.cuda.CUDAGraph()
    try:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):  # libraries choose and allocate at their first calls
                step()
        torch.cuda.current_stream().wait_stream(aside)
        with torch.cuda.graph(graph):
            step()
        run: Callable[[], None] = graph.replay
    except RuntimeError as error:  # a layer that runs by its own class may wait for the device
        _log.info("steps are launched one operation at a time, without a CUDA graph: %s", error)
        run = step
    for tensor, value in zip(changed, before):
        tensor.copy_(value)
    return run
