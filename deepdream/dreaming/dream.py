"""Dreaming: a net and a picture in, a picture out.

`dream` is Google's algorithm of 2015 with its known defects mended. The picture is taken apart
into octaves, sizes that shrink by `octave_scale`. From the smallest to the largest, the detail
dreamed so far is enlarged and added to the octave, and some steps of gradient ascent follow, each
on a picture rolled by a random offset so that no pattern settles on the grid of the net's strides.

What is mended, against `deepdream.deepdream`:

* the gradient is clean: nothing that an earlier target left in the net adds to it;
* no octave gets a last row or column of zeros from scipy's zoom;
* octaves too small for the net are left out, with a note, where Caffe would abort;
* with `seed` the random offsets are the dream's own, and the picture can be made again.

Source: google/deepdream, dream.ipynb. Differences: docs/known-differences.md.
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Optional, Union

import numpy as np

from ..errors import ParameterError, ShapeError, UnknownLayerError
from ..images import Picture, as_picture
from ..recipe import build_recipe
from .dream2015 import (
    deprocess,
    guide_features,
    input_blob,
    input_mean,
    input_name,
    mean_gradient,
    preprocess,
    target_blob,
)
from .objectives import Objective, objective_guide, objective_L2

Seed = Union[int, np.random.RandomState, None]


@dataclass(frozen=True)
class Step:
    """Where a dream stands, for `on_step`.

    Attributes
    ----------
    octave, octave_n : int
        Octave just worked on, 0 for the smallest, and how many there are.
    step, iter_n : int
        Step of this octave just done, from 0, and how many there are.
    size : (int, int)
        Height and width of this octave in pixels.
    done : float
        Share of the dream's work that is done, 0..1, counted in pixels.
    gradient : float
        Mean absolute value of the gradient before scaling.
    """

    octave: int
    octave_n: int
    step: int
    iter_n: int
    size: tuple[int, int]
    done: float
    gradient: float
    _picture: Callable[[], np.ndarray] = field(repr=False)

    @property
    def picture(self) -> np.ndarray:
        """The picture so far: (h, w, 3) float32 RGB 0..255, at this octave's size."""
        return self._picture()


OnStep = Callable[[Step], Optional[bool]]


class _Stop(Exception):  # noqa: N818 (no error: `on_step` has had enough)
    pass


def dream(
    net: Any,
    img: Any,
    end: str | None = None,
    *,
    iter_n: int = 10,
    octave_n: int = 4,
    octave_scale: float = 1.4,
    step_size: float = 1.5,
    jitter: int = 32,
    clip: bool = True,
    objective: Objective | None = None,
    guide: Any = None,
    seed: Seed = None,
    on_step: OnStep | None = None,
) -> Picture:
    """Dream on a picture.

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`; any net with pycaffe's interface and a ``transformer`` works.
    img : (h, w, 3) array or PIL.Image
        RGB, 0..255. Left as it is.
    end : str, optional
        The layer whose blob is to grow. Without it the layer recommended for the model; for a net
        of your own ``inception_4c/output`` where there is one.
    iter_n : int
        Steps per octave.
    octave_n : int
        Number of octaves, 1 or more. Those too small for the net are left out with a warning.
    octave_scale : float
        Ratio of neighbouring octaves' sides, above 1.
    step_size : float
        Mean absolute change of a value per step, in grey levels, before clipping.
    jitter : int
        Largest random roll in pixels, 0 or more.
    clip : bool
        Keep all values in 0..255.
    objective : callable, optional
        ``objective(dst)`` reads ``dst.data`` and writes ``dst.diff``, the gradient of what is to
        be maximised, (1, channels, h, w) numpy arrays. Default: `objective_L2`.
    guide : (h, w, 3) array or PIL.Image, optional
        A picture to steer by, instead of an objective; used at its own size.
    seed : int or numpy.random.RandomState, optional
        Makes the dream repeatable, whatever else draws random numbers. Without it the offsets
        come from ``np.random``.
    on_step : callable, optional
        Called after each step with a `Step`. Where it returns False, the dream ends there.

    Returns
    -------
    (h, w, 3) float32 Picture
        RGB, 0..255 (beyond it where `clip` is false). It has the alpha channel of `img`, and the
        ``recipe`` that made it. After Ctrl-C, or where `on_step` said so, it is the picture so
        far, with ``recipe["stopped"]``.

    Raises
    ------
    UnknownBlobError, UnknownLayerError
        `end` is no layer with a blob of its own; the message says which to use.
    ImageError
        `img` or `guide` is no picture, or holds NaN.
    ParameterError
        A value that makes no sense; the message says which.
    ShapeError
        The picture is too small for the net, even at full size.
    FlatGradientError
        The gradient is zero or not finite.

    Notes
    -----
    Equal to the notebook's ``deepdream`` to rounding, on a net that has not been used, for sizes
    that scipy's zoom leaves no zero border on, and ``np.random.seed(seed)``.
    """
    check_parameters(iter_n=iter_n, octave_n=octave_n, octave_scale=octave_scale,
                     step_size=step_size, jitter=jitter, seed=seed)  # fmt: skip
    if guide is not None and objective is not None:
        raise ParameterError("guide and objective both given: a guide is an objective; leave one")
    picture = as_picture(img)
    end = recommended_end(net) if end is None else end
    dst = target_blob(net, end)
    frontier = _frontier(net, end)
    if guide is not None:
        guide = as_picture(guide)
        _check_size(net, end, *guide.shape[:2], what="guide")
        objective = objective_guide(guide_features(net, guide, end))
    objective = objective or objective_L2
    rng: Any = np.random
    if seed is not None:
        rng = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)

    bases = octave_bases(net, end, preprocess(net, picture), octave_n, octave_scale)
    src, mean = input_blob(net), input_mean(net)
    total, done = iter_n * sum(base[0].size for base in bases), 0
    x = bases[0]
    detail = np.zeros_like(x)
    stopped = None
    try:
        for octave, octave_base in enumerate(bases):
            h, w = octave_base.shape[-2:]
            x = octave_base + resize(detail, h, w)
            src.reshape(1, *x.shape)
            for i in range(iter_n):
                ox, oy = rng.randint(-jitter, jitter + 1, 2)
                src.data[0] = np.roll(np.roll(x, ox, -1), oy, -2)
                net.forward(end=end)
                for blob in [*frontier, dst]:
                    blob.diff[...] = 0
                objective(dst)
                net.backward(start=end)
                g = src.diff[0]
                gradient = mean_gradient(g, dst, end)
                moved = src.data[0] + step_size / gradient * g
                moved = np.roll(np.roll(moved, -ox, -1), -oy, -2)
                x = np.clip(moved, -mean, 255 - mean) if clip else moved
                done += h * w
                if on_step is not None:
                    step = Step(octave, len(bases), i, iter_n, (h, w), done / total,
                                float(gradient), partial(deprocess, net, x))  # fmt: skip
                    if on_step(step) is False:
                        raise _Stop
            detail = x - octave_base
    except (KeyboardInterrupt, _Stop):
        stopped = True
        if x.shape != bases[-1].shape:
            octave_base = next(base for base in bases if base.shape == x.shape)
            x = bases[-1] + resize(x - octave_base, *bases[-1].shape[-2:])

    recipe = build_recipe(
        net,
        {"end": end, "iter_n": iter_n, "octave_n": octave_n, "octave_scale": octave_scale,
         "step_size": step_size, "jitter": jitter, "clip": clip, "objective": objective},
        seed=None if isinstance(seed, np.random.RandomState) else seed,
        source=picture.source,
        guide=None if guide is None else guide.source or "an array",
        stopped=stopped,
    )  # fmt: skip
    pixels_out = np.ascontiguousarray(deprocess(net, x), np.float32)
    return Picture(pixels_out, picture.alpha, recipe, picture.source)


def octave_bases(
    net: Any, end: str, base: np.ndarray, octave_n: int, octave_scale: float
) -> list[np.ndarray]:
    """Return the octaves of a picture, the smallest first, without those too small for the net.

    Parameters
    ----------
    net : Net
    end : str
        The target decides which size is too small.
    base : (3, h, w) float32 ndarray
        The picture, as `preprocess` returns it.
    octave_n : int
        How many octaves are wanted.
    octave_scale : float
        Ratio of neighbours.

    Returns
    -------
    list of (3, h, w) float32 ndarray
        At least one, the last is `base`.

    Raises
    ------
    ShapeError
        Not even `base` is large enough.
    """
    _check_size(net, end, *base.shape[-2:], what="picture")
    bases = [base]
    while len(bases) < octave_n:
        h, w = (round(side * (1.0 / octave_scale)) for side in bases[-1].shape[-2:])
        reason = ""
        if not _fits(net, end, h, w):
            reason = f"{w}x{h} is too small for '{end}'"
        elif octave_scale > 1 and (h, w) == bases[-1].shape[-2:]:
            reason = f"{w}x{h} does not get any smaller"
        if reason:
            warnings.warn(
                f"{octave_n - len(bases)} of {octave_n} octaves are left out: {reason}",
                stacklevel=4,
            )
            break
        bases.append(resize(bases[-1], h, w))
    return bases[::-1]


def resize(x: np.ndarray, h: int, w: int) -> np.ndarray:
    """Resize a (channels, rows, columns) array to h rows and w columns, bilinear.

    Grid corners are aligned, as in the notebook's ``nd.zoom(order=1)``. That one takes a last
    sample which rounding puts a hair outside for zero; "nearest" takes it for the border.
    """
    h1, w1 = x.shape[-2:]
    if (h, w) == (h1, w1):
        return x
    import scipy.ndimage as nd

    return nd.zoom(x, (1, 1.0 * h / h1, 1.0 * w / w1), order=1, mode="nearest")


def recommended_end(net: Any) -> str:
    """Return the layer to dream at where the user names none.

    Parameters
    ----------
    net : Net

    Returns
    -------
    str
        What the registry recommends for the model, or ``inception_4c/output``.

    Raises
    ------
    UnknownLayerError
        The net is not in the registry and has no such layer; the message suggests some.
    """
    model = getattr(net, "model", None)
    if model is not None:
        return str(model.end)
    if "inception_4c/output" in net.blobs:
        return "inception_4c/output"
    tops = getattr(net, "top_names", None) or dict.fromkeys(net.blobs)
    spatial = [
        name
        for name, blob in net.blobs.items()
        if name in tops
        and name not in net.inputs
        and len(blob.shape) == 4
        and min(blob.shape[2:]) > 1
    ]
    third = max(1, len(spatial) // 4)
    some = ", ".join(repr(name) for name in spatial[third::third])
    raise UnknownLayerError(
        f"which layer? This net has no recommended one: pass end=, for example {some}.\n"
        "List them: deepdream layers --model PROTOTXT, or list(net.blobs)"
    )


def check_parameters(
    *,
    iter_n: Any = 10,
    octave_n: Any = 4,
    octave_scale: Any = 1.4,
    step_size: Any = 1.5,
    jitter: Any = 32,
    seed: Any = None,
) -> None:
    """Refuse values that make no sense, before any work is done.

    Raises
    ------
    ParameterError
        The message names the parameter, the value, and what is expected.
    """
    for name, value, low in (
        ("iter_n", iter_n, 0),
        ("octave_n", octave_n, 1),
        ("jitter", jitter, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < low:
            raise ParameterError(f"{name} is {value!r}: a whole number from {low} is expected")
    for name, value in (("octave_scale", octave_scale), ("step_size", step_size)):
        if (
            isinstance(value, bool)
            or not isinstance(value, numbers.Real)
            or not math.isfinite(value)
        ):
            raise ParameterError(f"{name} is {value!r}: a finite number is expected")
    if octave_scale < 1:
        raise ParameterError(
            f"octave_scale is {octave_scale!r}: the ratio of an octave to the next smaller one is "
            "1 or more (1.4 in the notebook)"
        )
    if isinstance(seed, np.random.RandomState) or seed is None:
        return
    if (
        isinstance(seed, bool)
        or not isinstance(seed, numbers.Integral)
        or not 0 <= int(seed) < 2**32
    ):
        raise ParameterError(f"seed is {seed!r}: a whole number from 0 to 4294967295 is expected")


def _frontier(net: Any, end: str) -> list[Any]:
    """Return the blobs that layers up to `end` make and only layers after it read.

    Their diffs are read on the way back, though nothing writes them: what an earlier, deeper
    target left there would add to the gradient.
    """
    if not hasattr(net, "top_names"):
        return []
    loose: set[str] = set()
    for layer, tops in net.top_names.items():
        loose.difference_update(net.bottom_names[layer])
        loose.update(tops)
        if layer == end:
            break
    loose.discard(end)
    return [net.blobs[name] for name in net.blobs if name in loose]


def _fits(net: Any, end: str, h: int, w: int) -> bool:
    """Tell whether a picture of this size gets through to `end` with something left of it."""
    if min(h, w) < 1:
        return False
    if not hasattr(net, "infer_shapes"):
        return True
    try:
        shapes = net.infer_shapes({input_name(net): (1, 3, h, w)}, end)
    except ShapeError:
        return False
    return all(math.prod(shape) for shape in shapes.values())


def _check_size(net: Any, end: str, h: int, w: int, *, what: str) -> None:
    """Raise a ShapeError, with the smallest size that is large enough, for too small a picture."""
    if _fits(net, end, h, w):
        return
    large = next((2**k for k in range(13) if _fits(net, end, 2**k, 2**k)), None)
    if large is None or large <= min(h, w):
        net.infer_shapes({input_name(net): (1, 3, h, w)}, end)  # the layer says what it needs
        raise ShapeError(f"a {what} of {w}x{h} does not get through the net to '{end}'")
    small = large // 2
    while large - small > 1:
        middle = (small + large) // 2
        small, large = (small, middle) if _fits(net, end, middle, middle) else (middle, large)
    raise ShapeError(
        f"a {what} of {w}x{h} is too small for '{end}': each side needs {large} pixels or more. "
        "Enlarge it, or choose an earlier layer"
    )
