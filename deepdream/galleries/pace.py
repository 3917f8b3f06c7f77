"""How long a gallery takes, told before it starts: some steps at one layer, the rest in proportion.

What a step costs at each layer is known from the shapes (`targets.Target.cost`), but not what it
costs in seconds on this machine.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..dreaming.dream import dream
from ..dreaming.objectives.functions import objective_channel
from ..dreaming.parameters import Parameters
from ..dreaming.pictures.octaves import ALL
from ..quiet import quiet
from .targets import Target

_STEPS = 8  # that are timed at most: a machine has other things to do, now and then
_ENOUGH = 2.0  # seconds of steps after which no more are made
_QUICK = 4.0  # seconds within which it is tried a second time, with everything loaded


def full_steps(chosen: Parameters, size: tuple[int, int]) -> float:
    """Return how many steps at full size take as long as all steps of a dream.

    Parameters
    ----------
    chosen : Parameters
    size : (int, int)
        Height and width of the picture.
    """
    scale, n = float(chosen.octave_scale), chosen.octave_n
    if n == ALL:
        n, side = 1, min(size) / scale
        while side >= chosen.octave_min:
            n, side = n + 1, side / scale
    return float(sum(chosen.iter_n_at(o, n) * scale ** (-2 * (n - 1 - o)) for o in range(n)))


def expected_seconds(
    net: Any, start: Any, todo: Sequence[tuple[Target, Any]], work: Sequence[float],
    params: Mapping[str, Any],
) -> float | None:  # fmt: skip
    """Return about how long a gallery will take, or None where that cannot be tried.

    Parameters
    ----------
    net, start, params
        What `dream` gets for each picture.
    todo : sequence of (Target, number of octaves)
        What is to be made.
    work : sequence of float
        For each of them, its target's cost times `full_steps`.
    """
    middle = sorted((target for target, _ in todo), key=lambda target: target.cost)[len(todo) // 2]
    try:
        step, rest = _timed(net, start, middle, params)
        if _STEPS * step + rest < _QUICK:
            step, rest = _timed(net, start, middle, params)
    except Exception:  # whatever it is, the picture's own dream tells it
        return None
    return step * sum(work) / middle.cost + rest * len(todo)


def _timed(net: Any, start: Any, target: Target, params: Mapping[str, Any]) -> tuple[float, float]:
    """Return the seconds of a step at full size, and of all that is not a step."""
    how = {**params, "iter_n": _STEPS, "octave_n": 1, "progress": False}
    if target.channel is not None:
        how["objective"] = objective_channel(target.channel)
    times: list[float] = []
    enough = False

    def on_step(_: Any) -> bool:
        nonlocal enough
        times.append(time.perf_counter())
        enough = len(times) > 1 and times[-1] - times[0] > _ENOUGH
        return not enough

    began = time.perf_counter()
    with quiet():
        made = dream(net, start, target.layer, on_step=on_step, **how)
    if made.recipe and made.recipe.get("stopped") and not enough:
        raise KeyboardInterrupt
    step = (times[-1] - times[0]) / (len(times) - 1)
    return step, max(0.0, time.perf_counter() - began - step * len(times))
