"""The dream's lightness with the photograph's colours.

Colours are kept in Oklab, a space made so that lightness, and hue, are what people see: of two
colours that differ in L alone, only one looks lighter. In CIELAB a blue sky that gets lighter
turns violet; in YCbCr, what cameras store, greens and blues get lighter or darker with their
colour. Of each pixel L comes from the dream, a and b from the photograph. Where sRGB has no such
colour (it is too light or too dark to be so saturated), a and b are both made smaller until there
is one: the hue stays.

Source: Björn Ottosson, "A perceptual color space for image processing", 2020, with its matrices.
"""

from __future__ import annotations

import numpy as np

# Linear sRGB to the cones' responses, and their cube roots to L, a, b.
CONES = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
OPPONENTS = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip
FROM_CONES = np.linalg.inv(CONES)
FROM_OPPONENTS = np.linalg.inv(OPPONENTS)

# Halvings of the range in which the largest share of a colour that sRGB has is looked for.
HALVINGS = 10
# Beyond 0..1 by less than this is no colour that cannot be had, but rounding.
INSIDE = 1e-4

_BAND = 1 << 18  # pixels worked on at a time


def decode(levels: np.ndarray) -> np.ndarray:
    """Return linear light, 0..1, of sRGB values in 0..255."""
    c = np.clip(levels, 0, 255) / 255
    return np.asarray(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4))


def encode(light: np.ndarray) -> np.ndarray:
    """Return sRGB values in 0..255 of linear light; what lies outside 0..1 is clipped."""
    c = np.clip(light, 0, 1)
    return np.asarray(255 * np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055))


def oklab(levels: np.ndarray) -> np.ndarray:
    """Return (..., 3) L, a, b of (..., 3) sRGB values in 0..255; L is 0..1."""
    return np.asarray(np.cbrt(decode(levels) @ CONES.T) @ OPPONENTS.T)


def keep_colors(dreamt: np.ndarray, start: np.ndarray, kept: float = 1.0) -> np.ndarray:
    """Return a dream in the colours of the picture that it began with.

    Parameters
    ----------
    dreamt, start : (h, w, 3) arrays
        RGB, 0..255; what lies beyond is clipped.
    kept : float
        How much of the colours is the picture's, 0..1; the rest is the dream's.

    Returns
    -------
    (h, w, 3) float32 ndarray
        RGB, 0..255.
    """
    out = np.empty(dreamt.shape, np.float32)
    rows = max(1, _BAND // max(1, dreamt.shape[1]))
    for first in range(0, len(out), rows):
        band = slice(first, first + rows)
        new = oklab(dreamt[band])
        ab = kept * oklab(start[band])[..., 1:] + (1 - kept) * new[..., 1:]
        out[band] = _colored(new[..., :1], ab)
    return out


def _colored(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Return sRGB values of (..., 1) lightness and (..., 2) colour, as much of it as there is."""
    light = _light(lightness, ab)
    beyond = ((light < -INSIDE) | (light > 1 + INSIDE)).any(-1)
    if beyond.any():
        lightness, ab = lightness[beyond], ab[beyond]
        share, step = np.zeros(lightness.shape), 1.0
        for _ in range(HALVINGS):
            step /= 2
            tried = _light(lightness, (share + step) * ab)
            inside = ((tried >= -INSIDE) & (tried <= 1 + INSIDE)).all(-1, keepdims=True)
            share = share + step * inside
        light[beyond] = _light(lightness, share * ab)
    return encode(light)


def _light(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    return np.asarray((np.concatenate([lightness, ab], -1) @ FROM_OPPONENTS.T) ** 3 @ FROM_CONES.T)
