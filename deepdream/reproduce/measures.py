"""What can be compared in two dreams that were made with other random numbers.

Details differ, so pixels say nothing. Colours, how much detail there is at which size, and how
strongly the layer answers are properties of the recipe: they vary little from seed to seed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from ..dreaming.dream2015 import input_blob, preprocess, target_blob
from ..picture import to_uint8

BANDS = 6


def measure(
    img: np.ndarray, net: Any, end: str, guide_features: np.ndarray | None = None
) -> dict[str, float]:
    """Return all measures of a picture.

    Parameters
    ----------
    img : (h, w, 3) array
        RGB, 0..255.
    net : Net
    end : str
        The layer of `objective_value`.
    guide_features : (channels, h, w) array, optional
        Of a guided dream.

    Returns
    -------
    dict of str to float
        ``red, green, blue``: mean grey levels. ``1 px`` ... ``32 px``: see `detail`. ``objective``:
        see `objective_value`.
    """
    colours = np.asarray(img, np.float64).mean((0, 1))
    found = dict(zip(("red", "green", "blue"), map(float, colours)))
    found.update(detail(img))
    found["objective"] = objective_value(img, net, end, guide_features)
    return found


def detail(img: np.ndarray, bands: int = BANDS) -> dict[str, float]:
    """Return how much detail a picture has, octave by octave.

    Parameters
    ----------
    img : (h, w, 3) array
        RGB, 0..255.
    bands : int
        How many.

    Returns
    -------
    dict of str to float
        ``"1 px"``, ``"2 px"`` ...: the root mean square, in grey levels, of what a blur (Gaussian)
        with a standard deviation of so many pixels takes away from the luminance, beyond what the
        one before took.
    """
    from scipy.ndimage import gaussian_filter

    level = np.asarray(img, np.float64) @ (0.299, 0.587, 0.114)
    found = {}
    for k in range(bands):
        blurred = gaussian_filter(level, 2.0**k if k == 0 else 2.0**k * 0.75**0.5, mode="reflect")
        found[f"{2**k} px"] = float(np.sqrt(np.mean((level - blurred) ** 2)))
        level = blurred
    return found


def objective_value(
    img: np.ndarray, net: Any, end: str, guide_features: np.ndarray | None = None
) -> float:
    """Return how strongly a layer answers to a picture.

    Parameters
    ----------
    img, net, end, guide_features
        See `measure`.

    Returns
    -------
    float
        What the dream made grow, per number of the blob so that sizes can be compared: half the
        mean square of the layer's data; of a guided dream, the mean over positions of the largest
        dot product with the guide's features.
    """
    src, dst = input_blob(net), target_blob(net, end)
    h, w = np.shape(img)[:2]
    src.reshape(1, 3, h, w)
    src.data[0] = preprocess(net, np.asarray(img))
    net.forward(end=end)
    data = np.array(dst.data[0], np.float64)
    if guide_features is None:
        return float(0.5 * np.mean(data**2))
    columns = np.asarray(guide_features, np.float64).reshape(len(data), -1)
    matches = np.float32(data.reshape(len(data), -1).T) @ np.float32(columns)
    return float(matches.max(1).mean())


def as_published(img: np.ndarray) -> np.ndarray:
    """Return a picture as the notebook would have saved it: JPEG, quality 75, 4:2:0.

    Parameters
    ----------
    img : (h, w, 3) array
        RGB, 0..255.

    Returns
    -------
    (h, w, 3) uint8 ndarray
    """
    file = io.BytesIO()
    Image.fromarray(to_uint8(img)).save(file, "JPEG", quality=75, subsampling="4:2:0")
    return np.asarray(Image.open(file))


def spread(found: list[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest of each measure."""
    return {
        name: (min(one[name] for one in found), max(one[name] for one in found))
        for name in found[0]
    }
