"""Styles: what a dream uses where nothing is said.

A style is a named set of `dream`'s parameters. ``"2015"`` is the notebook's, to the letter of its
numbers; the networks of 2015 use it by default. The others were found by looking at photographs
(docs/styles.md tells how). Some name a layer for the networks where their look is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..errors import ParameterError, nearest

NOTEBOOK: Mapping[str, Any] = MappingProxyType({
    "iter_n": 10,
    "octave_n": 4,
    "octave_scale": 1.4,
    "octave_min": 90,
    "step_size": 1.5,
    "jitter": 32,
    "clip": True,
    "smooth": 0.0,
    "normalize": "mean",
    "bands": 4,
    "border": "roll",
    "keep_colors": False,
    "strength": 1.0,
    "blur": 0.0,
    "tv": 0.0,
    "l2": 0.0,
    "rotate": 0.0,
    "rescale": 0.0,
    "flip": False,
})  # fmt: skip
"""The notebook's parameters, and those that do nothing of what it could not do."""


@dataclass(frozen=True)
class Style:
    """A named set of parameters.

    Attributes
    ----------
    name : str
    look : str
        What one sees, in a few words.
    parameters : mapping
        Keywords of `deepdream.dream` that differ from the notebook's.
    ends : mapping
        Network to the layer that gives this look there. A style without any is for every layer.
    again : mapping
        Keywords that differ once more for a dream on a dream, as all frames of a zoom but the first
        are: what has grown needs fewer steps to go on.
    """

    name: str
    look: str
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    ends: Mapping[str, str] = field(default_factory=dict, hash=False)
    again: Mapping[str, Any] = field(default_factory=dict, hash=False)


# All octaves, and no frame along the edges: what photographs of today's sizes need.
_ALL: Mapping[str, Any] = {"octave_n": "all", "border": "reflect"}


def _of_a_layer(name: str, look: str, end: str, **parameters: Any) -> Style:
    """Return a style whose look is that of a layer of the bundled network."""
    again = parameters.pop("again")
    return Style(name, look, {**_ALL, **parameters}, {"efficientnet_lite0": end}, again)


_STYLES = (
    Style("2015", "the notebook's: four octaves, strokes and grain over the photograph"),
    _of_a_layer(
        "animals",
        "whole furry animals that grow out of everything",
        "block10/output",
        iter_n=(32, 8), step_size=(2.5, 1.5), smooth=1.5, normalize="std", keep_colors=0.6,
        again={"iter_n": (8, 3), "step_size": (1.5, 1.0)},
    ),
    _of_a_layer(
        "eyes",
        "eyes, scales and paisley, soft as fur",
        "block9/output",
        iter_n=(30, 8), step_size=(2.0, 1.2), smooth=1.2, keep_colors=0.4,
        again={"iter_n": (6, 3), "step_size": (1.2, 0.8)},
    ),
    _of_a_layer(
        "creatures",
        "beads, tentacles and faces, like a coral reef",
        "block11/output",
        iter_n=(40, 10), step_size=(2.5, 1.2), smooth=1.2, keep_colors=0.5,
        again={"iter_n": (8, 3), "step_size": (1.5, 0.8)},
    ),
    _of_a_layer(
        "cities",
        "castles, ships and lights; birds and fruit of many colours",
        "block14/output",
        iter_n=(50, 12), step_size=(2.5, 1.5), smooth=1.0, keep_colors=0.5,
        again={"iter_n": (10, 4), "step_size": (1.5, 1.0)},
    ),
    _of_a_layer(
        "ornament",
        "spirals and ribs, like carved stone",
        "block7/output",
        iter_n=(20, 8), step_size=(2.0, 1.2), smooth=1.0, keep_colors=0.5,
        again={"iter_n": (5, 3), "step_size": (1.2, 0.8)},
    ),
    _of_a_layer(
        "strokes",
        "strokes and facets, like a woodcut",
        "block4/output",
        iter_n=(12, 6), step_size=(2.0, 1.5), smooth=1.0, keep_colors=0.6,
        again={"iter_n": (4, 2), "step_size": (1.2, 1.0)},
    ),
    _of_a_layer(
        "weave",
        "a weave of small tiles",
        "block2/output",
        iter_n=(8, 6), smooth=1.0, keep_colors=0.5,
        again={"iter_n": (3, 2)},
    ),
    Style(
        "bold",
        "large shapes in strong colours, for any layer",
        {**_ALL, "iter_n": (30, 10), "step_size": (1.0, 0.6), "smooth": 1.0,
         "normalize": "laplacian", "keep_colors": 0.35},
        again={"iter_n": (8, 3), "step_size": (0.7, 0.4)},
    ),
    Style(
        "subtle",
        "a hint of a dream in the photograph's colours, for any layer",
        {**_ALL, "iter_n": (20, 5), "smooth": 2.0, "normalize": "std", "keep_colors": 1.0,
         "strength": 0.7},
        again={"iter_n": (8, 3), "step_size": 1.0},
    ),
    Style(
        "seen",
        "what a layer, a channel or a class wants to see: out of noise, for any network",
        {"octave_n": "all", "octave_scale": 1.6, "octave_min": 96, "border": "reflect",
         "iter_n": (160, 40), "step_size": (2.0, 0.6), "normalize": "spectrum", "jitter": 16,
         "rotate": 10, "rescale": 0.2},
        again={"iter_n": (16, 8), "step_size": (1.0, 0.8)},
    ),
)  # fmt: skip

STYLES: Mapping[str, Style] = {style.name: style for style in _STYLES}
"""Name to style, the notebook's first."""


def styles() -> dict[str, Style]:
    """Return all styles by their names, the notebook's first.

    Returns
    -------
    dict of str to Style
        Each tells its ``look``, its ``parameters`` and the ``ends`` that it uses.
    """
    return dict(STYLES)


def style_named(name: Any) -> Style:
    """Return a style.

    Raises
    ------
    ParameterError
        There is none of this name; the nearest is offered.
    """
    if isinstance(name, Style):
        return name
    found = STYLES.get(str(name))
    if found is None:
        hint = nearest(str(name), STYLES) or f" There are {', '.join(STYLES)}."
        raise ParameterError(f"no style is called {name!r}.{hint} 'deepdream styles' shows them")
    return found


def style_of(net: Any, name: Any = None) -> Style:
    """Return the style of this name, or the one that the registry recommends for a network."""
    if name is not None:
        return style_named(name)
    return style_named(getattr(getattr(net, "model", None), "style", "2015"))


def end_of(net: Any, style: Style) -> str | None:
    """Return the layer that a style names for a network, or None.

    Raises
    ------
    ParameterError
        The style's look is that of a layer, and it knows none of this network's.
    """
    model = getattr(net, "model", None)
    known = getattr(model, "name", None)
    name = known or getattr(net, "name", "") or "this net"
    if not style.ends or known in style.ends:
        return style.ends.get(str(known))
    raise ParameterError(
        f"the style {style.name!r} is known on {', '.join(style.ends)}, not on {name}: choose a "
        "layer with end= (--end) to use the rest of it"
    )
