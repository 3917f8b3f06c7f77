"""`colors.keep_colors` as a compiled loop, with tables instead of powers."""

from __future__ import annotations

import numpy as np

from ....compiling.decorators import exact_kernel, inlined
from ....compiling.kinds import Floats
from ..color_tables import (
    BACK_AT,
    CONES_AT,
    ENCODED_AT,
    FINE,
    LIGHT_AT,
    OPPONENTS_AT,
    ROOTS,
    ROOTS_AT,
)
from ..colors import HALVINGS, INSIDE


@inlined
def _between(tables: np.ndarray, i: int, share: float) -> float:
    """Return what lies between an entry and the next."""
    return tables[i] + share * (tables[i + 1] - tables[i])


@inlined
def _decoded(tables: np.ndarray, level: float) -> float:
    at = min(max(level, np.float32(0)), np.float32(255)) * np.float32(FINE)
    i = int(at)
    return _between(tables, i, at - np.float32(i))


@inlined
def _encoded(tables: np.ndarray, light: float) -> float:
    light = min(max(light, np.float32(0)), np.float32(1))
    if light <= np.float32(0.0031308):
        return np.float32(255 * 12.92) * light
    at = np.sqrt(light) * np.float32(ROOTS)
    i = int(at)
    return tables[ENCODED_AT + i] + (at - np.float32(i)) * (
        tables[ENCODED_AT + i + 1] - tables[ENCODED_AT + i]
    )


@inlined
def _cube_root(tables: np.ndarray, value: float) -> float:
    """Return the cube root of a float32 up to 1.1; of less than 0, 0."""
    factor = np.float32(1)
    if value < np.float32(0.015625):  # the table is fine enough above
        value, factor = np.float32(64) * value, np.float32(0.25)
        if value < np.float32(0.015625):
            value, factor = np.float32(64) * max(value, np.float32(0)), np.float32(0.0625)
    at = np.sqrt(value) * np.float32(ROOTS)
    i = int(at)
    root = tables[ROOTS_AT + i] + (at - np.float32(i)) * (
        tables[ROOTS_AT + i + 1] - tables[ROOTS_AT + i]
    )
    return factor * root


@exact_kernel
def keep_colors(
    dreamt: Floats, start: Floats, kept: float, tables: Floats, out: Floats,
    p0: int, p1: int,
) -> None:  # fmt: skip
    """Write pixels p0 to p1 of a dream in the colours of the picture that it began with.

    Parameters
    ----------
    dreamt, start : ndarray
        (pixels * 3) float32, RGB, 0..255.
    kept : float
        How much of the colours is the start's, 0..1.
    tables : ndarray
        `TABLES`.
    out : ndarray
        (pixels * 3) float32.
    """
    t = tables
    starts, dreams = np.float32(kept), np.float32(1 - kept)
    for p in range(3 * p0, 3 * p1, 3):
        r, g, b = _decoded(t, dreamt[p]), _decoded(t, dreamt[p + 1]), _decoded(t, dreamt[p + 2])
        lightness, across, along = np.float32(0), np.float32(0), np.float32(0)
        for k in range(3):
            at = CONES_AT + 3 * k
            root = _cube_root(t, t[at] * r + t[at + 1] * g + t[at + 2] * b)
            lightness += t[OPPONENTS_AT + k] * root
            across += dreams * t[OPPONENTS_AT + 3 + k] * root
            along += dreams * t[OPPONENTS_AT + 6 + k] * root
        r, g, b = _decoded(t, start[p]), _decoded(t, start[p + 1]), _decoded(t, start[p + 2])
        for k in range(3):
            at = CONES_AT + 3 * k
            root = _cube_root(t, t[at] * r + t[at + 1] * g + t[at + 2] * b)
            across += starts * t[OPPONENTS_AT + 3 + k] * root
            along += starts * t[OPPONENTS_AT + 6 + k] * root
        share, step = np.float32(1), np.float32(1)
        found = np.float32(0)
        tries = HALVINGS + 2
        for number in range(tries):
            if number == tries - 1:
                share = found
            x, y = share * across, share * along
            l0 = t[BACK_AT] * lightness + t[BACK_AT + 1] * x + t[BACK_AT + 2] * y
            l1 = t[BACK_AT + 3] * lightness + t[BACK_AT + 4] * x + t[BACK_AT + 5] * y
            l2 = t[BACK_AT + 6] * lightness + t[BACK_AT + 7] * x + t[BACK_AT + 8] * y
            l0, l1, l2 = l0 * l0 * l0, l1 * l1 * l1, l2 * l2 * l2
            r = t[LIGHT_AT] * l0 + t[LIGHT_AT + 1] * l1 + t[LIGHT_AT + 2] * l2
            g = t[LIGHT_AT + 3] * l0 + t[LIGHT_AT + 4] * l1 + t[LIGHT_AT + 5] * l2
            b = t[LIGHT_AT + 6] * l0 + t[LIGHT_AT + 7] * l1 + t[LIGHT_AT + 8] * l2
            low, high = min(r, g, b), max(r, g, b)
            inside = low >= np.float32(-INSIDE) and high <= np.float32(1 + INSIDE)
            if number == 0:
                if inside:
                    break
            elif inside:
                found = share
            step *= np.float32(0.5)
            share = found + step
        out[p], out[p + 1], out[p + 2] = _encoded(t, r), _encoded(t, g), _encoded(t, b)
