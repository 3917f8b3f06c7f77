"""Looks: what the page offers to choose from, by pictures of what each makes of yours.

First the styles that name a layer of the network, then its other layers that are worth a picture.
A look's picture is a small dream with fewer steps, which takes a second or two.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..dreaming.styles import NOTEBOOK, STYLES, style_of
from ..galleries.targets import find_targets

LONGEST = 320  # of a look's picture, in pixels
_OCTAVE_MIN = 70
_STEPS = 0.4  # share of a style's steps

_SIZE = (360, 480)  # costs only need to be compared


@dataclass(frozen=True)
class Look:
    """One thing to choose.

    Attributes
    ----------
    name : str
        A style's or a layer's, fit for a file's name.
    layer : str
        Where it dreams.
    style : str
        What it does there.
    text : str
        What one sees, if that is known.
    cost : float
        Work of a step, compared with the other looks.
    depth : float
        How deep in the network the layer lies, 0..1.
    named : bool
        It is a style of that name.
    """

    name: str
    layer: str
    style: str
    text: str
    cost: float
    depth: float
    named: bool

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def find_looks(net: Any) -> list[Look]:
    """Return the looks of a network, the styles first.

    Parameters
    ----------
    net : Net or Graph
        As `deepdream.load_net` or `load_graph` returns it.
    """
    model = getattr(net.model, "name", None)
    usual = style_of(net).name
    targets = {target.layer: target for target in find_targets(net, _SIZE)}
    worth = list(find_targets(net, _SIZE, None))
    every = {target.layer: target for target in find_targets(net, _SIZE, "*")}
    last = max(target.order for target in every.values())
    found = []
    for style in STYLES.values():
        end = style.ends.get(str(model))
        if end in targets:
            target = targets[end]
            found.append(Look(style.name, end, style.name, style.look, target.cost,
                              target.order / last, True))  # fmt: skip
    taken = {look.layer for look in found}
    for target in worth:
        if target.layer not in taken:
            found.append(Look(target.stem, target.layer, usual, target.look, target.cost,
                              target.order / last, False))  # fmt: skip
    return found


def preview_settings(look: Look) -> dict[str, Any]:
    """Return the settings of a look's picture."""
    values = {**NOTEBOOK, **STYLES[look.style].parameters}
    steps = values["iter_n"]
    pair = steps if isinstance(steps, tuple) else (steps, steps)
    return {
        "style": look.style,
        "end": {look.layer: 1.0},
        "iter_n": [max(2, round(_STEPS * n)) for n in pair],
        "octave_n": "all",
        "octave_min": _OCTAVE_MIN,
        "longest": LONGEST,
        "seed": 0,
    }
