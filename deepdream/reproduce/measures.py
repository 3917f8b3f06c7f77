"""What can be compared in two dreams that were made with other random numbers.

Details differ, so pixels say nothing. Colours, how much detail there is at which size, and how
strongly the layer answers are properties of the recipe: they vary little from seed to seed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..dreaming.dream2015 import input_blob, preprocess, target_blob

BANDS = 6

ENOUGH = 5  # seeds from which on there is a verdict
SURE = 0.99  # share of right pictures that a verdict calls right, measure by measure


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


def truncated(img: np.ndarray) -> np.ndarray:
    """Return a picture in the whole grey levels that the notebook saved.

    Its ``np.uint8(np.clip(a, 0, 255))`` cuts fractions off, where `save_image` rounds: rounded,
    every channel would read half a level brighter than published.

    Parameters
    ----------
    img : (h, w, 3) array
        RGB; values beyond 0..255 are clipped.

    Returns
    -------
    (h, w, 3) uint8 ndarray
    """
    return np.uint8(np.clip(np.asarray(img), 0, 255))


def as_published(img: np.ndarray) -> np.ndarray:
    """Return a picture as the notebook would have saved it: JPEG, quality 75, 4:2:0.

    Parameters
    ----------
    img : (h, w, 3) array
        RGB, 0..255; see `truncated`.

    Returns
    -------
    (h, w, 3) uint8 ndarray
    """
    file = io.BytesIO()
    Image.fromarray(truncated(img)).save(file, "JPEG", quality=75, subsampling="4:2:0")
    return np.asarray(Image.open(file))


@dataclass(frozen=True)
class Spread:
    """What the pictures of some seeds gave for one measure.

    Attributes
    ----------
    count : int
        How many seeds.
    mean : float
    sd : float
        Standard deviation (of a sample: the sum of squares over ``count - 1``); 0 for one seed.
    """

    count: int
    mean: float
    sd: float

    def interval(self) -> tuple[float, float]:
        """Return where the value of one more seed lies with probability `SURE`, two seeds or more.

        Student's t, as mean and standard deviation are themselves known from few seeds only.
        """
        from scipy.stats import t

        half = t.ppf((1 + SURE) / 2, self.count - 1) * self.sd * math.sqrt(1 + 1 / self.count)
        return self.mean - half, self.mean + half


def spread(found: list[Mapping[str, float]]) -> dict[str, Spread]:
    """Return mean and standard deviation of each measure.

    Parameters
    ----------
    found : list of mapping
        From `measure`, one for each seed.
    """
    count = len(found)
    result = {}
    for name in found[0]:
        values = [one[name] for one in found]
        sd = float(np.std(values, ddof=1)) if count > 1 else 0.0
        result[name] = Spread(count, float(np.mean(values)), sd)
    return result


def verdict(theirs: float, ours: Spread) -> str:
    """Say how a published value lies to ours, as far as so many seeds can tell.

    Of one seed, the ratio; of a few, the distance in standard deviations; from `ENOUGH` on,
    whether it is inside or outside of `Spread.interval`. The smallest and the largest of a few
    would not do: of two seeds, a third one's value is outside two times in three.
    """
    if ours.count == 1:
        return f"{theirs / ours.mean:.3f} of ours" if ours.mean else ""
    if ours.count < ENOUGH:
        if not ours.sd:
            return "the same" if theirs == ours.mean else "ours are all the same"
        side = "above" if theirs > ours.mean else "below"
        return f"{abs(theirs - ours.mean) / ours.sd:.1f} sd {side}"
    low, high = ours.interval()
    place = "inside" if low <= theirs <= high else "outside"
    return f"{place} {digits(low, ours.sd)} to {digits(high, ours.sd)}"


def explain(count: int, compared: bool = True) -> str:
    """Return the sentence that tells what the columns of so many seeds mean.

    `compared` tells whether there is a published picture beside them.
    """
    if count == 1:
        return (
            "One seed does not show how far seeds lie apart: the last column is the published "
            f"value over ours, and no verdict; --seeds {ENOUGH} gives one."
        )
    columns = f"Ours is mean ± standard deviation (sd) of {count} seeds"
    if not compared:
        return f"{columns}."
    if count < ENOUGH:
        return (
            f"{columns}, the last column how many sd the published value lies off: no verdict, "
            f"which takes --seeds {ENOUGH}."
        )
    return (
        f"{columns}; inside or outside is meant of the {100 * SURE:.0f} % prediction interval, "
        f"t({(1 + SURE) / 2}, {count - 1}) sd sqrt(1 + 1/{count}) to both sides: of a right "
        "recipe's pictures, 1 in 100 lies outside in a measure."
    )


def digits(value: float, sd: float) -> str:
    """Return a number with so many digits that two of its standard deviation show."""
    if not (sd > 0 and math.isfinite(sd) and math.isfinite(value)):
        return f"{value:.4g}"
    last = math.floor(math.log10(sd)) - 1  # the power of ten of the last digit
    if last >= -6:
        return f"{value:.{max(0, -last)}f}"
    first = math.floor(math.log10(abs(value))) if value else last
    return f"{value:.{max(0, first - last)}e}"
