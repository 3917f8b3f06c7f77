"""`colors.keep_colors` as a compiled loop, with tables instead of powers."""

from __future__ import annotations

import numpy as np

from ...compiling.decorators import exact_kernel, inlined
from .colors import (
    CONES,
    FROM_CONES,
    FROM_OPPONENTS,
    HALVINGS,
    INSIDE,
    OPPONENTS,
    decode,
    encode,
)

# Linear interpolation between these entries is right to 1e-4 grey levels.
_FINE = 16  # per grey level
_DECODED = decode(np.arange(255 * _FINE + 2) / _FINE).astype(np.float32)
_ROOTS = 4096  # by the square root of light, or of a cone's response
_ENCODED = encode((np.arange(_ROOTS + 2) / _ROOTS) ** 2).astype(np.float32)
_CUBE_ROOTS = np.cbrt((np.arange(1.1 * _ROOTS) / _ROOTS) ** 2).astype(np.float32)

_TO_CONES = np.float32(CONES).reshape(-1)
_TO_LIGHT = np.float32(FROM_CONES).reshape(-1)
_TO_OPPONENTS = np.float32(OPPONENTS).reshape(-1)
_TO_ROOTS = np.float32(FROM_OPPONENTS).reshape(-1)
TABLES = np.concatenate(
    [_DECODED, _ENCODED, _CUBE_ROOTS, _TO_CONES, _TO_LIGHT, _TO_OPPONENTS, _TO_ROOTS]
)
_E = len(_DECODED)
_T = _E + len(_ENCODED)
_C = _T + len(_CUBE_ROOTS)
_L, _O, _R = _C + 9, _C + 18, _C + 27


@inlined
def _decoded(tables: np.ndarray, level: float) -> float:
    at = min(max(level, np.float32(0)), np.float32(255)) * np.float32(_FINE)
    i = int(at)
    return tables[i] + (at - np.float32(i)) * (tables[i + 1] - tables[i])


@inlined
def _encoded(tables: np.ndarray, light: float) -> float:
    light = min(max(light, np.float32(0)), np.float32(1))
    if light <= np.float32(0.0031308):
        return np.float32(255 * 12.92) * light
    at = np.sqrt(light) * np.float32(_ROOTS)
    i = int(at)
    return tables[_E + i] + (at - np.float32(i)) * (tables[_E + i + 1] - tables[_E + i])


@inlined
def _cube_root(tables: np.ndarray, value: float) -> float:
    """Return the cube root of a float32 up to 1.1; of less than 0, 0."""
    factor = np.float32(1)
    if value < np.float32(0.015625):  # the table is fine enough above
        value, factor = np.float32(64) * value, np.float32(0.25)
        if value < np.float32(0.015625):
            value, factor = np.float32(64) * max(value, np.float32(0)), np.float32(0.0625)
    at = np.sqrt(value) * np.float32(_ROOTS)
    i = int(at)
    root = tables[_T + i] + (at - np.float32(i)) * (tables[_T + i + 1] - tables[_T + i])
    return factor * root


@exact_kernel
def keep_colors(
    dreamt: np.ndarray, start: np.ndarray, kept: float, tables: np.ndarray, out: np.ndarray,
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
            at = _C + 3 * k
            root = _cube_root(t, t[at] * r + t[at + 1] * g + t[at + 2] * b)
            lightness += t[_O + k] * root
            across += dreams * t[_O + 3 + k] * root
            along += dreams * t[_O + 6 + k] * root
        r, g, b = _decoded(t, start[p]), _decoded(t, start[p + 1]), _decoded(t, start[p + 2])
        for k in range(3):
            at = _C + 3 * k
            root = _cube_root(t, t[at] * r + t[at + 1] * g + t[at + 2] * b)
            across += starts * t[_O + 3 + k] * root
            along += starts * t[_O + 6 + k] * root
        share, step = np.float32(1), np.float32(1)
        found = np.float32(0)
        tries = HALVINGS + 2
        for number in range(tries):
            if number == tries - 1:
                share = found
            x, y = share * across, share * along
            l0 = t[_R] * lightness + t[_R + 1] * x + t[_R + 2] * y
            l1 = t[_R + 3] * lightness + t[_R + 4] * x + t[_R + 5] * y
            l2 = t[_R + 6] * lightness + t[_R + 7] * x + t[_R + 8] * y
            l0, l1, l2 = l0 * l0 * l0, l1 * l1 * l1, l2 * l2 * l2
            r = t[_L] * l0 + t[_L + 1] * l1 + t[_L + 2] * l2
            g = t[_L + 3] * l0 + t[_L + 4] * l1 + t[_L + 5] * l2
            b = t[_L + 6] * l0 + t[_L + 7] * l1 + t[_L + 8] * l2
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
