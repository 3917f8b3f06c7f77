"""Steady dreams: what was dreamt goes along with what it was dreamt on.

Frames that are dreamt each by itself flicker: a dream amplifies the smallest difference. So only
the first frame of a scene is dreamt out of nothing. What was dreamt there, the detail, is the dream
minus the frame; it is carried along the motion to the next frame, and a few steps go on from it.
Where something has come into sight nothing is carried, and the steps begin anew.

A little less than all is carried. What is lost of each frame the steps add again, so that a film
keeps the strength of its first frame. And what is carried is held at the mean colour of the scene's
first dream: steps that favour a colour by a hair would tint a film within seconds.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import ParameterError
from .flow import Motion, moved

CARRY = 0.92  # found by measuring: docs/films.md


class Begun(NamedTuple):
    """What a frame's dream begins with.

    Attributes
    ----------
    pixels : (h, w, 3) float32 ndarray
        The frame with the detail that was carried to it, 0..255.
    first : bool
        Nothing was: it is the first of a scene.
    """

    pixels: np.ndarray
    first: bool


class Steady:
    """The detail of a film, from frame to frame.

    Parameters
    ----------
    mask : (h, w) float32 ndarray, optional
        Where frames may change, 0..1.
    hold : bool
        Hold the mean colour of the scene's first dream.

    Attributes
    ----------
    detail : (h, w, 3) float16 ndarray or None
        The last dream minus its frame; None before the first one. Sixteen bits hold a fraction of a
        grey level and make what is kept for going on half as large.
    held : (3) float32 ndarray or None
        Mean of the detail of the scene's first frame, in R, G, B.
    """

    def __init__(self, mask: np.ndarray | None = None, hold: bool = True) -> None:
        self._mask, self._hold = mask, hold
        self.detail: np.ndarray | None = None
        self.held: np.ndarray | None = None

    def begin(self, frame: np.ndarray, motion: Motion | None, carry: float = CARRY) -> Begun:
        """Return what the dream of a frame begins with.

        Parameters
        ----------
        frame : (h, w, 3) float32 ndarray
            RGB, 0..255; left as it is.
        motion : Motion or None
            From the frame before; None where there is none.
        carry : float
            Share of the detail that is carried, 0..1.
        """
        if self.detail is None or motion is None or motion.cut or carry == 0:
            self.held = None
            return Begun(frame, True)
        where = motion.kept if self._mask is None else motion.kept * self._mask
        pixels = moved(self.detail.astype(np.float32), motion.back)
        pixels *= np.float32(carry) * motion.kept[..., None]
        if self._hold and self.held is not None:
            pixels += (self.held - _mean(pixels, where)) * where[..., None]
        pixels += frame
        np.clip(pixels, 0, 255, out=pixels)
        return Begun(pixels, False)

    def keep(self, frame: np.ndarray, dreamt: np.ndarray) -> None:
        """Note what was dreamt on a frame.

        Parameters
        ----------
        frame, dreamt : (h, w, 3) float32 ndarrays
            `dreamt` before its colours, or its strength, are adapted to the frame.
        """
        detail = np.asarray(dreamt) - frame
        if self.held is None:
            self.held = _mean(detail, self._mask)
        self.detail = detail.astype(np.float16)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What goes on from here, as arrays; `state` may be set to what it was."""
        if self.detail is None or self.held is None:
            return {}
        return {"detail": self.detail, "held": self.held}

    @state.setter
    def state(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.detail, self.held = arrays.get("detail"), arrays.get("held")


def _mean(pixels: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the mean colour, (3) float32."""
    rows = pixels.reshape(-1, 3)
    if weights is None:
        return rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    total = max(float(weights.sum(dtype=np.float64)), 1e-6)
    return (weights.reshape(-1).astype(np.float64) @ rows / total).astype(np.float32)


def check_carry(carry: Any) -> float:
    """Return the share of the detail that is carried.

    Raises
    ------
    ParameterError
        It is no number from 0 to 1.
    """
    real = isinstance(carry, numbers.Real) and not isinstance(carry, bool)
    if not real or not math.isfinite(carry) or not 0 <= float(carry) <= 1:
        raise ParameterError(
            f"carry is {carry!r}: the share of what was dreamt that goes on to the next frame, "
            "from 0 to 1 (0.92)"
        )
    return float(carry)
