"""Steps that never leave the device, recorded once and replayed.

The whole step (roll, forward, objective, backward, scale, clip) is one function without arguments:
the offsets are numbers on the device, written before each run. On a GPU it is captured as a CUDA
graph, so that a step costs the host one call. Nobody waits for a result: a gradient of zero is
remembered on the device, the picture stays as it was from there on, and `check` tells afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from ..running.rolling import mean_abs
from .gradients import WholeGradient

_log = logging.getLogger(__name__)


class DeviceSteps:
    """The steps of one octave.

    Parameters
    ----------
    gradient : WholeGradient
        With an objective that works on tensors.
    x : (h, 3 w) float32 tensor
        Rows of the picture; changed in place by each step.
    step_size : float
        Mean absolute change of a value, in grey levels, before clipping.
    low, high : (3 w) float32 tensors
        Bounds of a row's values.
    """

    def __init__(
        self, gradient: WholeGradient, x: torch.Tensor, step_size: float, low: torch.Tensor,
        high: torch.Tensor,
    ) -> None:  # fmt: skip
        h, w = x.shape[0], x.shape[1] // 3
        self._gradient, self._x, self._step_size = gradient, x, step_size
        self._low, self._high = low.view(w, 3), high.view(w, 3)
        self._rows = torch.arange(h, device=x.device)
        self._columns = torch.arange(w, device=x.device)
        self._ox = torch.zeros((), dtype=torch.int64, device=x.device)
        self._oy = torch.zeros_like(self._ox)
        self._good = torch.ones((), dtype=torch.bool, device=x.device)
        self._mean = torch.zeros((), dtype=torch.float64, device=x.device)
        self.means: list[torch.Tensor] = []
        self.offsets: list[tuple[int, int]] = []
        self._run = capture(self._step, [x, self._good])

    def step(self, ox: int, oy: int) -> None:
        """Take a step on the picture rolled by ox columns and oy rows."""
        self._ox.fill_(ox)
        self._oy.fill_(oy)
        self._run()
        self.means.append(self._mean.clone())
        self.offsets.append((ox, oy))

    def check(self) -> int | None:
        """Wait for all steps; return the number of the first whose gradient was no direction."""
        if not self.means or bool(self._good):
            return None
        means = torch.stack(self.means)
        return int(((means > 0) & means.isfinite()).long().argmin())

    def _step(self) -> None:
        x = self._x.view(self._rows.shape[0], -1, 3)
        h, w = x.shape[:2]
        there = ((self._rows - self._oy) % h)[:, None], (self._columns - self._ox) % w
        back = ((self._rows + self._oy) % h)[:, None], (self._columns + self._ox) % w
        self._gradient.rows.view(h, w, 3).copy_(x[there])
        g = self._gradient.run()
        mean = mean_abs(g)
        self._mean.copy_(mean)
        self._good.logical_and_((mean > 0) & mean.isfinite())
        moved = g.view(h, w, 3)[back].mul_((self._step_size / mean).float()).add_(x)
        torch.clamp(moved, self._low, self._high, out=moved)
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
