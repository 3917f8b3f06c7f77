"""Films of more light than a page can show: PQ and HLG to sRGB.

A phone's HDR film read as if it were an ordinary one is grey and flat. Here its light is computed,
its primaries (BT.2020's) become sRGB's, and what is brighter than the white of a page is rolled off
above a knee, all channels by the same factor, so that hues stay.

Sources: ITU-R BT.2100-2 for both curves and HLG's system gamma, BT.2408 for the 203 cd/m2 at which
graphics white lies, BT.2087 for the primaries, IEC 61966-2-1 for sRGB.
"""

from __future__ import annotations

import functools

import numpy as np

PQ, HLG = 16, 18  # TransferCharacteristics of H.273

_WHITE = 203.0  # cd/m2
_PEAK = 1000.0  # cd/m2 of the screen that HLG is computed for, and of what PQ is rolled off to
_KNEE = 0.75  # of white, up to where light is left as it is
_STEPS = 4096  # of the tables

_FROM_2020 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    np.float32,
)
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)


def is_hdr(transfer: int) -> bool:
    """Tell whether a number of H.273 is PQ's or HLG's."""
    return transfer in (PQ, HLG)


def name_of(transfer: int) -> str:
    """Return the name of an HDR curve."""
    return {PQ: "PQ", HLG: "HLG"}[transfer]


def to_srgb(pixels: np.ndarray, transfer: int) -> np.ndarray:
    """Return colours for an ordinary screen.

    Parameters
    ----------
    pixels : (h, w, 3) float32 ndarray
        RGB of BT.2020, 0..255, as coded by `transfer`.
    transfer : int
        Of H.273.

    Returns
    -------
    (h, w, 3) float32 ndarray
        RGB of sRGB, 0..255. `pixels` itself where `transfer` is neither PQ nor HLG.
    """
    if not is_hdr(transfer):
        return pixels
    light = _look_up(_light(transfer), pixels / np.float32(255))  # in parts of white
    if transfer == HLG:  # its scene's light, made brighter where the scene is
        luminance = light @ _LUMINANCE
        light *= _scene_to_screen(luminance)[..., np.newaxis]
    light = light @ _FROM_2020.T
    brightest = light.max(axis=2)
    light *= (_rolled_off(brightest) / np.maximum(brightest, np.float32(1e-6)))[..., np.newaxis]
    return _look_up(_srgb(), np.clip(light, 0, 1, out=light))


def _look_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return a table over 0..1, read between its steps."""
    place = np.clip(values, 0, 1) * np.float32(len(table) - 1)
    below = np.minimum(place.astype(np.int32), len(table) - 2)
    part = place - below
    found: np.ndarray = table[below] * (1 - part) + table[below + 1] * part
    return found.astype(np.float32)


@functools.lru_cache(maxsize=2)
def _light(transfer: int) -> np.ndarray:
    code = np.linspace(0, 1, _STEPS)
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        light = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) / _WHITE
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return light.astype(np.float32)


def _scene_to_screen(luminance: np.ndarray) -> np.ndarray:
    factor: np.ndarray = np.maximum(luminance, np.float32(1e-6)) ** np.float32(0.2)
    return factor * np.float32(_PEAK / _WHITE)


def _rolled_off(light: np.ndarray) -> np.ndarray:
    """Return light in parts of white, with the peak at 1: a Reinhard curve above the knee."""
    most = np.float32(_PEAK / _WHITE - _KNEE)
    over = np.maximum(light - np.float32(_KNEE), 0)
    room = np.float32(1 - _KNEE)
    # x / (1 + x / m) with the slope 1 at the knee, that comes to `room` at the peak.
    bent = over / (1 + over * (1 / room - 1 / most))
    return np.minimum(light, np.float32(_KNEE)) + np.minimum(bent, room)


@functools.lru_cache(maxsize=1)
def _srgb() -> np.ndarray:
    # The steps near black are too coarse for a table over light itself below the straight part.
    light = np.linspace(0, 1, 1 << 16)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * code).astype(np.float32)
