"""Terms, as one types them.

A term says where a net is looked at and what is to become larger there. Terms are multiplied by
numbers, which say how strongly, added, and restricted to a part of the picture::

    layer("inception_4c/output") + 0.5 * channel("inception_4d/3x3", 13, 42) - 0.2 * label("dog")
    layer("a").where("left.png") + guide("b", "flowers.jpg").where("right.png")
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ParameterError
from .functions import Function
from .given import Find, found, given_guide
from .objective import (
    ChannelTerm,
    DirectionTerm,
    FunctionTerm,
    GuideTerm,
    LabelTerm,
    LayerTerm,
    NeuronTerm,
    Objective,
    Share,
    Term,
)


def layer(end: str, power: int = 2) -> Objective:
    """Grow all of a blob.

    Parameters
    ----------
    end : str
        A layer with a blob of its own.
    power : {2, 1}
        2: half the squared length, the notebook's; what is strong grows most. 1: the mean.

    Returns
    -------
    Objective

    Raises
    ------
    ParameterError
        An argument makes no sense.
    """
    return _objective(LayerTerm(_end(end), _power(power)))


def channel(end: str, c: int, *more: int, power: int = 2) -> Objective:
    """Grow some channels of a blob: what each position of a layer has learnt to look for.

    Parameters
    ----------
    end : str
        A layer with a blob of its own.
    c, *more : int
        Their numbers, from 0.
    power : {2, 1}
        As for `layer`.

    Returns
    -------
    Objective

    Raises
    ------
    ParameterError
        An argument makes no sense.
    """
    channels = tuple(_whole("channel", number) for number in (c, *more))
    if len(set(channels)) < len(channels):
        raise ParameterError(f"channels are {channels}: one is named twice")
    return _objective(ChannelTerm(_end(end), channels, _power(power)))


def neuron(end: str, c: int, y: float, x: float) -> Objective:
    """Grow one value of a blob.

    Parameters
    ----------
    end : str
        A layer with a blob of its own.
    c : int
        Channel, from 0.
    y, x : float or int
        Where: shares of the picture's height and width, 0.0 to 1.0, which go with the picture; or
        whole numbers, the row and column of the blob, whatever of the picture lies there.

    Returns
    -------
    Objective

    Raises
    ------
    ParameterError
        An argument makes no sense.
    """
    whole = [isinstance(value, numbers.Integral) for value in (y, x)]
    if all(whole):
        place: list[Any] = [_whole(name, value) for name, value in (("y", y), ("x", x))]
    else:
        for name, value in (("y", y), ("x", x)):
            inside = isinstance(value, numbers.Real) and 0 <= float(value) <= 1
            if any(whole) or not inside or isinstance(value, bool):
                raise ParameterError(
                    f"{name} is {value!r}: y and x are both shares of the picture, 0.0 to 1.0, or "
                    "both whole numbers, a row and a column of the blob"
                )
        place = [float(y), float(x)]
    return _objective(NeuronTerm(_end(end), _whole("channel", c), *place))


_VECTOR = "one finite number for each channel of the blob is expected, not all of them zero"


def direction(end: str, vector: Any) -> Objective:
    """Grow the projection of a blob's columns on a vector: a mixture of channels.

    Parameters
    ----------
    end : str
        A layer with a blob of its own.
    vector : (channels) array_like
        A number for each channel, finite and not all zero.

    Returns
    -------
    Objective

    Raises
    ------
    ParameterError
        An argument makes no sense.
    """
    try:
        values = np.asarray(vector, np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"vector is {vector!r}: {_VECTOR}") from None
    if values.ndim != 1 or not values.size:
        raise ParameterError(f"vector has the shape {values.shape}: {_VECTOR}")
    with np.errstate(over="ignore"):
        used = values.astype(np.float32)  # the net's arithmetic
    if not np.isfinite(used).all():
        at = int(np.flatnonzero(~np.isfinite(used))[0])
        raise ParameterError(f"vector has {values[at]} at {at}: {_VECTOR}")
    if not used.any():
        raise ParameterError(f"vector is zero everywhere: {_VECTOR}")
    return _objective(DirectionTerm(_end(end), tuple(map(float, values))))


def label(name: str | int) -> Objective:
    """Grow a class, as it comes out of the net before the softmax.

    At pictures of any size: fully connected layers become convolutions of the same weights, and
    the mean over their positions grows.

    Parameters
    ----------
    name : str or int
        One of the model's labels (``deepdream labels``), or its number from 0.

    Returns
    -------
    Objective

    Raises
    ------
    ParameterError
        It is neither.
    """
    if isinstance(name, str) and name.strip():
        return _objective(LabelTerm(name.strip()))
    return _objective(LabelTerm(_whole("label", name)))


def guide(end: str, *pictures: Any) -> Objective:
    """Pull each position towards what fits it best in other pictures: the notebook's guided dream.

    Parameters
    ----------
    end : str
        A layer with a blob of its own.
    *pictures : (h, w, 3) array, PIL.Image, or the name of a file
        One or more; each is used at its own size.

    Returns
    -------
    Objective

    Raises
    ------
    ParameterError
        There is no picture.
    ImageError, MissingFileError
        One of them is none.
    """
    if not pictures:
        raise ParameterError("a guide needs a picture: guide(end, picture)")
    return _objective(GuideTerm(_end(end), tuple(map(given_guide, pictures))))


def function(end: str, f: Function) -> Objective:
    """Grow what a function of your own says.

    Parameters
    ----------
    end : str
        A layer with a blob of its own.
    f : callable
        ``f(dst)`` reads ``dst.data`` and writes ``dst.diff``, (1, channels, h, w) numpy arrays, as
        in the notebook.

    Returns
    -------
    Objective

    Raises
    ------
    ParameterError
        It is no function.
    """
    if not callable(f) or isinstance(f, Objective):
        raise ParameterError(f"f is {f!r}: a function of a blob is expected, see objective_L2")
    return _objective(FunctionTerm(_end(end), f))


def _objective(term: Term) -> Objective:
    return Objective([Share(term)])


def _end(end: Any) -> str:
    if not isinstance(end, str) or not end:
        raise ParameterError(f"end is {end!r}: the name of one layer is expected")
    return end


def _power(power: Any) -> int:
    if isinstance(power, bool) or power not in (1, 2):
        raise ParameterError(f"power is {power!r}: 2 (half the squared length) or 1 (the mean)")
    return int(power)


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or int(value) < 0:
        raise ParameterError(f"{name} is {value!r}: a whole number from 0 is expected")
    return int(value)


def from_plain(plain: Mapping[str, Any], find: Find) -> Objective:
    """Return the objective of a recipe.

    Parameters
    ----------
    plain : mapping
        What `Objective.plain` returned, also after JSON.
    find : callable
        ``find(source, what)`` returns the picture that a recipe names, for ``what`` a ``"guide"``
        or a ``"mask"``.

    Raises
    ------
    ParameterError
        It cannot be had again: a function, a picture that was an array; or it is of a later
        version.
    """
    whole = Objective([])
    for entry in plain["terms"]:
        given = dict(entry)
        kind, weight, mask = given.pop("term"), given.pop("weight", 1.0), given.pop("mask", None)
        if kind == "function":
            raise ParameterError(f"a term is a function of the user's ('{given.get('f')}')")
        if kind not in _TYPED:
            raise ParameterError(f"a term is called '{kind}', which this version does not know")
        if kind == "guide":
            given["pictures"] = [found(each, find, "guide") for each in given["pictures"]]
        made = _TYPED[kind](given)
        if mask is not None:
            made = made.where(found(mask, find, "mask"))
        whole = whole + weight * made
    return whole


_TYPED: Mapping[str, Any] = {
    "layer": lambda v: layer(**v),
    "channel": lambda v: channel(v["end"], *v["channels"], power=v["power"]),
    "neuron": lambda v: neuron(v["end"], v["channel"], v["y"], v["x"]),
    "direction": lambda v: direction(**v),
    "label": lambda v: label(v["label"]),
    "guide": lambda v: guide(v["end"], *v["pictures"]),
}
