"""The parameters of one dream: from the style and the user's keywords, checked."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ParameterError
from .ascent.ascent import Push, Settled
from .ascent.directions import NORMALIZE
from .pictures.borders import BORDERS, Size
from .pictures.looks import Move
from .pictures.octaves import ALL
from .schedules import Schedule
from .styles import NOTEBOOK, Style, style_of

PRECISIONS = ("float32", "tf32", "bfloat16")

_WHOLE = "a whole number from {} is expected"

_SCHEDULED: Mapping[str, Mapping[str, Any]] = {
    "iter_n": {"whole": True, "low": 0, "expected": _WHOLE.format(0)},
    "jitter": {"whole": True, "low": 0, "expected": _WHOLE.format(0)},
    "step_size": {},
    **{
        name: {"low": 0, "expected": "a number from 0 is expected"}
        for name in ("smooth", "blur", "tv", "l2", "rotate", "rescale")
    },
}

_BOOLEANS = ("clip", "flip")

# Step by step, so far as they matter: what `ascent.Push` holds.
_PUSHES = Push._fields


class Parameters:
    """What a dream is to do.

    Parameters
    ----------
    net : Net
        Its registry's entry may recommend a style.
    style : str or Style, optional
    given : mapping
        The user's keywords; those that are None are the style's.

    Attributes
    ----------
    style : Style
    values : dict
        Every parameter of `styles.NOTEBOOK`, as it was given or as the style says.

    Raises
    ------
    ParameterError
        `net` is no net, or a value makes no sense; the message names it and tells what is expected.
    """

    def __init__(self, net: Any, style: Any, given: Mapping[str, Any]) -> None:
        check_net(net)
        self.style: Style = style_of(net, style)
        self.values = {**NOTEBOOK, **self.style.parameters}
        self.values.update((name, value) for name, value in given.items() if value is not None)
        self._schedules = {
            name: Schedule(name, self.values[name], **how) for name, how in _SCHEDULED.items()
        }
        self._check()

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def _check(self) -> None:
        v = self.values
        if v["octave_n"] != ALL:
            _whole("octave_n", v["octave_n"], 1, f"a whole number from 1, or {ALL!r}, is expected")
        _whole("octave_min", v["octave_min"], 1)
        _whole("bands", v["bands"], 1)
        for name in ("octave_scale", "strength"):
            _finite(name, v[name])
        if v["octave_scale"] < 1 or (v["octave_n"] == ALL and v["octave_scale"] < 1.05):
            raise ParameterError(
                f"octave_scale is {v['octave_scale']!r}: the ratio of an octave to the next "
                "smaller one is 1 or more (1.4 in the notebook), with octave_n='all' 1.05 or more"
            )
        kept = v["keep_colors"]
        if not isinstance(kept, (float, numbers.Real, np.bool_)) or not 0 <= float(kept) <= 1:
            raise ParameterError(
                f"keep_colors is {kept!r}: True, False, or how much of them, from 0 to 1"
            )
        if v["strength"] < 0:
            raise ParameterError(
                f"strength is {v['strength']!r}: 0 is the picture, 1 the dream, more exaggerates"
            )
        for name, known in (("normalize", NORMALIZE), ("border", BORDERS)):
            if v[name] not in known:
                raise ParameterError(f"{name} is {v[name]!r}: one of {', '.join(known)}")
        for name in _BOOLEANS:
            if not isinstance(v[name], (bool, np.bool_)):
                raise ParameterError(f"{name} is {v[name]!r}: True or False is expected")

    # -- by octave and step ---------------------------------------------------------------------

    def iter_n_at(self, octave: int, octave_n: int) -> int:
        """Return the number of steps at an octave, of `octave_n`."""
        return int(self._schedules["iter_n"].at(octave, 0, octave_n))

    def largest(self, name: str, octave_n: int) -> float:
        """Return the largest value of a parameter in `octave_n` octaves."""
        return self._schedules[name].largest(octave_n, lambda o: self.iter_n_at(o, octave_n))

    def push(self, octave: int, step: int, octave_n: int) -> Push:
        """Return what a step does with its gradient."""
        return Push(*(self._schedules[name].at(octave, step, octave_n) for name in _PUSHES))

    def move(self, rng: Any, octave: int, step: int, octave_n: int) -> Move:
        """Draw how a step moves the picture: first the offsets, along the width and the height."""
        jitter, rotate, rescale = (
            self._schedules[name].at(octave, step, octave_n)
            for name in ("jitter", "rotate", "rescale")
        )
        ox, oy = (int(offset) for offset in rng.randint(-jitter, jitter + 1, 2))
        angle = float(rng.uniform(-rotate, rotate)) if rotate else 0.0
        bound = math.log1p(rescale)
        scale = math.exp(rng.uniform(-bound, bound)) if rescale else 1.0
        flip = bool(rng.randint(2)) if self.values["flip"] else False
        return Move(ox, oy, angle, scale, flip)

    @property
    def settled(self) -> Settled:
        """Return what stays the same through all steps."""
        v = self.values
        return Settled(bool(v["clip"]), v["normalize"], int(v["bands"]))

    @property
    def transforms(self) -> bool:
        """Tell whether pictures are turned, scaled or mirrored."""
        v = self.values
        return bool(v["flip"]) or any(v[name] != 0 for name in ("rotate", "rescale"))

    @property
    def waits(self) -> bool:
        """Tell whether steps do what a device cannot record."""
        v = self.values
        moved = any(v[name] != 0 for name in ("blur", "tv", "l2"))
        return self.transforms or moved or v["normalize"] == "spectrum"

    def arrays(self, masked: bool) -> float:
        """Return how many arrays of the picture's size a step takes, besides it and a gradient."""
        v = self.values
        count = float(masked)
        if v["smooth"] != 0 or v["normalize"] != "mean" or self.waits:
            count += 2
        count += 3.5 * (v["normalize"] == "laplacian") + 3 * (v["tv"] != 0) + 2 * (v["l2"] != 0)
        count += 8 * (v["normalize"] == "spectrum")
        return count + 2 * self.transforms

    def plain(self, octave_n: int) -> dict[str, Any]:
        """Return the values for a recipe: the notebook's own parameters, and what differs from it.

        Parameters
        ----------
        octave_n : int
            How many octaves there were.
        """
        always = ("iter_n", "octave_n", "octave_scale", "step_size", "jitter", "clip")
        found = {}
        for name, value in self.values.items():
            if name in self._schedules:
                value = self._schedules[name].plain(
                    octave_n, lambda octave: self.iter_n_at(octave, octave_n)
                )
            if name in always or value != NOTEBOOK[name]:
                found[name] = value
        if self.values["octave_n"] == ALL:
            found["octave_min"] = self.values["octave_min"]
        if self.values["normalize"] == "laplacian":
            found["bands"] = self.values["bands"]
        return found


def check_net(net: Any) -> None:
    """Refuse what is no net, a name or a path of one above all.

    Raises
    ------
    ParameterError
    """
    if hasattr(net, "blobs"):
        return
    if isinstance(net, (str, os.PathLike)):
        what = repr(os.fspath(net))
        raise ParameterError(f"net is {what}, a name: load it first, net = load_net({what})")
    raise ParameterError(
        f"net is a {type(net).__name__}: a net is expected, as deepdream.load_net returns it"
    )


def check_seed(seed: Any) -> None:
    """Refuse what is no seed.

    Raises
    ------
    ParameterError
    """
    if isinstance(seed, np.random.RandomState) or seed is None:
        return
    integral = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not integral or not 0 <= int(seed) < 2**32:
        raise ParameterError(f"seed is {seed!r}: a whole number from 0 to 4294967295 is expected")


def check_precision(precision: Any) -> None:
    """Refuse an unknown precision.

    Raises
    ------
    ParameterError
    """
    if precision not in PRECISIONS:
        raise ParameterError(f"precision is {precision!r}: one of {', '.join(PRECISIONS)}")


def wanted_size(size: Size, width: Any, height: Any) -> Size:
    """Return the height and width that a picture is to be brought to.

    Parameters
    ----------
    size : (int, int)
        Height and width that it has.
    width, height : int or None
        In pixels; one alone keeps the shape.

    Raises
    ------
    ParameterError
        One of them is no whole number above zero.
    """
    for name, value in (("width", width), ("height", height)):
        if value is not None:
            _whole(name, value, 1, "a whole number of pixels is expected")
    h, w = size
    if width is not None and height is not None:
        return int(height), int(width)
    if width is not None:
        return max(1, round(h * int(width) / w)), int(width)
    if height is not None:
        return int(height), max(1, round(w * int(height) / h))
    return h, w


def composed_size(compose: Any, size: Size) -> Size:
    """Return the height and width at which a dream is composed.

    Parameters
    ----------
    compose : (int, int)
        Width and height.
    size : (int, int)
        Height and width of the dream.

    Raises
    ------
    ParameterError
        It is no pair of whole numbers, or larger than the dream.
    """
    expected = "width and height in pixels, of the smaller dream that is to be gone on with"
    if not isinstance(compose, (tuple, list)) or len(compose) != 2:
        raise ParameterError(f"compose is {compose!r}: {expected}")
    for value in compose:
        _whole("compose", value, 1, expected)
    w, h = (int(value) for value in compose)
    if h > size[0] or w > size[1]:
        raise ParameterError(
            f"compose is {w}x{h}, larger than the dream, {size[1]}x{size[0]}: {expected}"
        )
    return h, w


def _whole(name: str, value: Any, low: int, expected: str | None = None) -> None:
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not integral or int(value) < low:
        raise ParameterError(f"{name} is {value!r}: {expected or _WHOLE.format(low)}")


def _finite(name: str, value: Any) -> None:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value):
        raise ParameterError(f"{name} is {value!r}: a finite number is expected")
