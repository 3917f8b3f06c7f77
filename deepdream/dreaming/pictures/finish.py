"""The last touch: colours kept, and more or less of the dream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import numpy as np

Finish = Callable[[np.ndarray, np.ndarray], np.ndarray]


def finish_for(chosen: Any) -> Optional[Finish]:  # noqa: UP045
    """Return what is done to a dream before it is shown, or None where nothing is.

    Parameters
    ----------
    chosen : Parameters
        Its ``keep_colors``, ``strength`` and ``clip``.

    Returns
    -------
    callable
        ``finish(dreamt, start)`` of two (h, w, 3) float32 arrays, RGB, returns a third; `dreamt`
        may be overwritten. ``start`` is the picture without any dream.
    """
    kept, strength, clip = float(chosen.keep_colors), float(chosen.strength), bool(chosen.clip)
    if not kept and strength == 1:
        return None

    def finish(dreamt: np.ndarray, start: np.ndarray) -> np.ndarray:
        if kept:
            dreamt = colored(dreamt, start, kept)
        return blended(dreamt, start, strength, clip)

    return finish


def colored(dreamt: np.ndarray, start: np.ndarray, kept: float) -> np.ndarray:
    """Return `colors.keep_colors`, by compiled kernels where there are any."""
    try:
        from .compiled import keep_colors
    except ImportError:  # no Numba
        from .colors import keep_colors
    return keep_colors(dreamt, start, kept)


def blended(dreamt: np.ndarray, start: np.ndarray, strength: float, clip: bool) -> np.ndarray:
    """Return ``start + strength * (dreamt - start)``, clipped to 0..255 where that is asked for."""
    if strength == 1:
        return dreamt
    dreamt -= start
    dreamt *= np.float32(strength)
    dreamt += start
    return np.clip(dreamt, 0, 255, out=dreamt) if clip and strength > 1 else dreamt
