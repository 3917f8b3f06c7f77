"""Pictures of what a network has learnt: a term grows out of noise, until one sees what it wants.

There is nothing here that `dream` has not: a picture of noise, the style ``"seen"``, whose steps
(``normalize="spectrum"``) and whose moves make what grows legible, and an objective. What is added
are pictures that differ from others of the same term, because one picture shows one facet of it.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ParameterError, ShapeError, UnknownLayerError
from ..images import as_picture
from ..picture import Picture
from .ascent.net_source import same_bits
from .dream import dream
from .dream2015 import guide_features, target_blob
from .objectives.apart import Apart, gram
from .objectives.functions import check_channels
from .objectives.goals import Goal, recommended_end
from .objectives.objective import ChannelTerm
from .objectives.terms import Objective, function
from .objectives.typed import CLASS, split_channels, split_weight, term_typed
from .parameters import Parameters
from .pictures.noise import noise
from .styles import NOTEBOOK

STYLE = "seen"
SIZE = 256

# Of the noise that it begins with, in grey levels: much of it would be seen in the picture.
FAINT = 4.0

# How strongly a picture is pushed away from others, beside its term's 1.
APART = 0.5


def visualize(
    net: Any,
    objective: Objective | str,
    *,
    size: int | tuple[int, int] = SIZE,
    seed: int = 0,
    style: Any = STYLE,
    apart_from: Sequence[Any] = (),
    **options: Any,
) -> Picture:
    """Make a picture of what a term wants to see.

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`.
    objective : Objective or str
        Terms of `deepdream.objectives`; or as on the command line ``"class:hen"``,
        ``"inception_4d/3x3:13"`` or the name of a layer; ``"class:hen*-1"`` shows what a hen is
        not.
    size : int or (int, int)
        Width and height in pixels; one number for a square. About what the network was trained on
        shows one or two things, more than that many of them.
    seed : int
        Of the noise it begins with, and of all that is random. Another one gives another picture.
    style : str
        What decides the rest; see `deepdream.styles`.
    apart_from : sequence of (h, w, 3) arrays
        Pictures, of the same term as a rule, that the new one is to differ from: in what the
        network's recommended layer sees in them, or one at three quarters of its depth.
    **options
        Of `deepdream.dream`: what styles decide (``iter_n, step_size, l2, rescale`` ...), and
        ``balance, on_step, progress, max_memory, precision``.

    Returns
    -------
    (h, w, 3) float32 Picture
        RGB, 0..255, with the recipe of a dream, which `deepdream.rerun` repeats; not where it is
        apart from others, which a recipe cannot hold.

    Raises
    ------
    UnknownLabelError, UnknownBlobError, UnknownLayerError, ShapeError
        No such class, layer or channel.
    ParameterError
        A value makes no sense.

    Notes
    -----
    What makes it legible is in the style: steps in waves of all lengths and in decorrelated colours
    (`ascent.spectrum`), a start at 96 pixels, so that whole things come before their detail, and
    turns, shifts and scales that only what is robust survives. With several neighbouring things of
    a class, as flamingos, there are several in the picture.

    Examples
    --------
    >>> hen = visualize(net, "class:hen")                            # doctest: +SKIP
    >>> other = visualize(net, "class:hen", seed=1, apart_from=[hen])  # doctest: +SKIP
    """
    objective = wanted(objective)
    start = start_for(size, seed)
    if isinstance(apart_from, np.ndarray) and apart_from.ndim < 4:
        raise ParameterError("apart_from is one array: a list of pictures is expected, [picture]")
    if len(apart_from):
        end = _appearance(net)
        with same_bits(net):
            grams = [gram(guide_features(net, as_picture(p), end)) for p in apart_from]
        objective = objective + APART * function(end, Apart(grams))
    return dream(net, start, objective=objective, style=style, seed=seed, **options)


def wanted(objective: Objective | str) -> Objective:
    """Return what is to be seen, as terms.

    Parameters
    ----------
    objective
        See `visualize`.

    Raises
    ------
    ParameterError
        It is neither terms nor a text that stands for one.
    """
    if isinstance(objective, str):
        text, weight = split_weight(objective)
        return weight * term_typed(text)
    if not isinstance(objective, Objective):
        raise ParameterError(
            f"objective is {objective!r}: terms of deepdream.objectives are expected, or a text as "
            "'class:hen' or 'LAYER:13'"
        )
    return objective


def check_terms(
    net: Any, terms: Sequence[Objective | str], style: Any = STYLE, **options: Any
) -> list[Objective]:
    """Refuse what makes no sense in several pictures, before the first of them is made.

    Parameters
    ----------
    net, style, **options
        See `visualize`.
    terms : sequence
        What each is to show, see there.

    Returns
    -------
    list of Objective
        The terms.

    Raises
    ------
    UnknownLabelError, UnknownBlobError, UnknownLayerError, ShapeError
        No such class, layer or channel.
    ParameterError
        A value makes no sense.
    """
    chosen = Parameters(net, style, {name: options.get(name) for name in NOTEBOOK})
    objectives = [wanted(term) for term in terms]
    for objective in objectives:
        goal = Goal(net, None, objective, None, chosen.style)
        for term in (share.term for share in goal.shares):
            if isinstance(term, ChannelTerm):
                try:
                    check_channels(term.channels, target_blob(goal.net, term.end).shape[1])
                except ShapeError as error:
                    raise ShapeError(f"{term!r}: {error}") from error
    return objectives


def start_for(size: int | tuple[int, int], seed: int) -> Picture:
    """Return the noise that a picture of what a term wants to see begins with.

    Parameters
    ----------
    size, seed
        See `visualize`.

    Raises
    ------
    ParameterError
        `size` is none.
    """
    w, h = _sides(size)
    return noise(h, w, seed, FAINT)


def diverse(net: Any, objective: Objective | str, count: int, **options: Any) -> Iterator[Picture]:
    """Make several pictures of one term, each unlike those before it.

    Parameters
    ----------
    net, objective, **options
        See `visualize`; each picture has a seed of its own, from `seed` on.
    count : int
        How many.

    Yields
    ------
    Picture
        As soon as it is made.

    Raises
    ------
    ParameterError
        `count` is no whole number from 1; else as `visualize`.
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ParameterError(f"diversity is {count!r}: a whole number of pictures is expected")
    seed = options.pop("seed", 0)
    made: list[Picture] = []
    for number in range(count):
        picture = visualize(net, objective, seed=seed + number, apart_from=made, **options)
        yield picture
        if picture.recipe and picture.recipe.get("stopped"):
            return
        made.append(picture)


def each_of(text: str) -> list[str]:
    """Return the single terms of a text: ``"class:hen,goose"`` is class:hen and class:goose.

    Parameters
    ----------
    text : str
        ``class:NAME,NAME``, ``LAYER:13,40-42``, or the name of a layer.

    Returns
    -------
    list of str
        As `objectives.typed.term_typed` reads them; of a layer with channels one for each.
    """
    if text.startswith(CLASS):
        names = [name.strip() for name in text[len(CLASS) :].split(",")]
        return [f"{CLASS}{name}" for name in names if name] or [text]
    layer, channels = split_channels(split_weight(text)[0])
    if len(channels) < 2:
        return [text]
    behind = text[text.rindex("*") :] if "*" in text else ""
    return [f"{layer}:{channel}{behind}" for channel in channels]


def caption(net: Any, text: str) -> str:
    """Return what to write below the picture of a term: a class's usual name, or the text."""
    from ..models.labels import find_labels, label_name

    name, weight = split_weight(text)
    if name.startswith(CLASS):
        name = name[len(CLASS) :].strip()
        found = find_labels(net, name)
        name = label_name(net, found[0]) if len(found) == 1 else name
    return name if weight > 0 else f"not {name}"


def _appearance(net: Any) -> str:
    """Return the layer in which pictures are to differ: the recommended one, or a deep one."""
    try:
        return recommended_end(net)
    except UnknownLayerError:
        spatial = [
            name
            for name, tops in net.top_names.items()
            if name in tops and len(net.blobs[name].shape) == 4
            and min(net.blobs[name].shape[2:]) > 1 and name not in net.inputs
        ]  # fmt: skip
        if not spatial:
            raise
        return spatial[3 * (len(spatial) - 1) // 4]


def _sides(size: Any) -> tuple[int, int]:
    """Return width and height."""
    sides = (size, size) if isinstance(size, numbers.Integral) else size
    whole = isinstance(sides, (tuple, list, np.ndarray)) and len(sides) == 2 and all(
        isinstance(side, numbers.Integral) and not isinstance(side, bool) and int(side) >= 1
        for side in sides
    )  # fmt: skip
    if not whole or isinstance(size, bool):
        raise ParameterError(f"size is {size!r}: pixels, or width and height, are expected")
    return int(sides[0]), int(sides[1])
