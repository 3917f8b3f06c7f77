"""What the user says is to grow, understood for one net.

`deepdream.dream` takes it in several ways: the name of a layer, a list or a dictionary of them,
with or without a function of the user's or guides; or an `objectives.Objective`. Here all become
terms at layers of the net.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import ParameterError, UnknownLayerError
from ...images import as_picture
from ...picture import Picture, file_of
from ..dream2015 import target_blob
from ..styles import Style, end_of
from .functions import Function, objective_L2
from .given import Given
from .objective import (
    ChannelTerm,
    FunctionTerm,
    GuideTerm,
    LabelTerm,
    LayerTerm,
    Objective,
    Share,
    Term,
    check_weight,
)

End = Any  # a name, names, or a mapping of names to weights


class Goal:
    """What a net is to grow.

    Parameters
    ----------
    net : Net
    end, objective, guide
        See `deepdream.dream`.
    style : Style
        Names the layer where the user names none.

    Attributes
    ----------
    net : Net
        What is to run: `net`, or where a class is wanted, the same with its fully connected layers
        as convolutions.
    shares : tuple of Share
        Terms at layers of the net; no weight is zero. Of a single one the weight is 1 or -1.
    ends : tuple of str
        Their layers, in the order of running.
    recorded : dict
        What a recipe keeps of it: ``end``, ``objective``.
    guides : list of Picture
        Of ``guide=``.

    Raises
    ------
    UnknownBlobError, UnknownLayerError, UnknownLabelError
        A layer or a class that the net does not have.
    ParameterError
        Something that makes no sense, or nothing that is to grow.
    """

    def __init__(self, net: Any, end: End, objective: Any, guide: Any, style: Style) -> None:
        self.net = net
        if (
            objective is not None
            and not callable(objective)
            and not isinstance(objective, Objective)
        ):
            raise ParameterError(
                f"objective is {objective!r}: terms of deepdream.objectives, or a function of a "
                "blob is expected, see objective_L2"
            )
        weights = None if end is None else ends_with_weights(end)
        if guide is not None and objective is not None:
            raise ParameterError(
                "guide and objective both given: a guide is an objective; leave one"
            )
        self.guides = [] if guide is None else as_guides(guide)
        if isinstance(objective, Objective):
            if weights is not None:
                raise ParameterError(
                    "end and objective both given: the objective's terms name their layers; leave "
                    "end out"
                )
            whole = objective
            self.recorded: dict[str, Any] = {"objective": objective.plain()}
        else:
            if weights is None:
                end = end_of(net, style) or recommended_end(net)
                weights = {end: 1.0}
            whole = Objective(
                Share(self._term(name, objective), weight) for name, weight in weights.items()
            )
            self.recorded = {"end": end, "objective": _recorded(objective, self.guides)}
        self._whole = whole
        self.shares = self._settled(whole)
        for share in self.shares:
            target_blob(self.net, share.term.end)
        self.ends = _in_order(self.net, {share.term.end: None for share in self.shares})

    def weighed(self, weights: Sequence[float]) -> Goal:
        """Return the same goal with other weights of its terms, in their order.

        Raises
        ------
        ParameterError
            There are not as many weights as terms, one is no number, or all are zero.
        """
        shares = self._whole.shares
        if len(weights) != len(shares):
            raise ParameterError(
                f"{len(weights)} weights for {len(shares)} terms: one for each is expected"
            )
        other = copy(self)
        other._whole = Objective(
            replace(share, weight=check_weight(weight, repr(share)))
            for share, weight in zip(shares, weights)
        )
        other.shares = other._settled(other._whole)
        if isinstance(self.recorded.get("end"), (str, type(None))):
            other.recorded = {"objective": other._whole.plain()}
        else:
            named = {s.term.end: s.weight for s in other._whole.shares}
            other.recorded = {**self.recorded, "end": named}
        return other

    def _term(self, end: str, objective: Function | None) -> Term:
        if self.guides:
            return GuideTerm(end, tuple(Given(guide, file_of(guide)) for guide in self.guides))
        return LayerTerm(end) if objective is None else FunctionTerm(end, objective)

    def _settled(self, whole: Objective) -> tuple[Share, ...]:
        """Return the terms that pull at all, classes as channels of the layer that tells them."""
        found = []
        for share in whole.shares:
            if isinstance(share.term, LabelTerm):
                share = replace(share, term=self._classes(share.term))
            found.append(share)
        pulling = tuple(share for share in Objective(found).shares if share.weight)
        if not pulling:
            many = "the weight is 0" if len(found) == 1 else "the weights are all 0, or cancel"
            raise ParameterError(
                f"nothing is to grow: {many} in {whole!r}.\nGive one of them another weight"
            )
        if len(pulling) == 1:  # only its sign matters
            (share,) = pulling
            return (replace(share, weight=1.0 if share.weight > 0 else -1.0),)
        return pulling

    def _classes(self, term: LabelTerm) -> ChannelTerm:
        """Return the channels of the layer before the softmax that a class's name stands for."""
        from ...models.labels import find_labels, logits_of
        from ...running.casting import cast

        numbers = find_labels(self.net, term.label)
        end = logits_of(self.net)
        self.net = cast(self.net)
        return _Classes(end, tuple(numbers), power=1, said=repr(term))


@dataclass(frozen=True, repr=False)
class _Classes(ChannelTerm):
    """The channels that a label stands for, which is what messages call them."""

    said: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return self.said


def ends_with_weights(end: End) -> dict[str, float]:
    """Return layers with their weights.

    Parameters
    ----------
    end : str, sequence of str, or mapping of str to float
        Those of a sequence are equally strong.

    Raises
    ------
    ParameterError
        It is something else, or empty, or a layer is named twice.
    """
    if isinstance(end, str):
        return {end: 1.0}
    expected = "the name of a layer, a list of names, or a dictionary of names and weights"
    if isinstance(end, Mapping):
        pairs = list(end.items())
    elif isinstance(end, Sequence) and not isinstance(end, bytes):
        pairs = [(name, 1.0) for name in end]
    else:
        raise ParameterError(f"end is {end!r}: {expected} is expected")
    if not pairs:
        raise ParameterError(f"end is {end!r}, without a layer: {expected} is expected")
    weights: dict[str, float] = {}
    for name, weight in pairs:
        if not isinstance(name, str):
            raise ParameterError(f"end has {name!r}: {expected} is expected")
        if name in weights:
            raise ParameterError(f"end names '{name}' twice: give it a weight, {{'{name}': 2}}")
        weights[name] = check_weight(weight, f"'{name}'")
    return weights


def as_guides(guide: Any) -> list[Picture]:
    """Return guides as pictures: one, or several of a list."""
    several = isinstance(guide, (list, tuple)) and guide and not _is_number_rows(guide)
    return [as_picture(picture) for picture in (guide if several else [guide])]


def _is_number_rows(guide: Sequence[Any]) -> bool:
    """Tell whether a list is one picture, row by row, and not a list of pictures."""
    first = guide[0]
    return isinstance(first, (list, tuple, int, float))


def _recorded(objective: Function | None, guides: list[Picture]) -> Any:
    """Return what a recipe keeps of an objective: a function, which is named."""
    if guides:
        return "objective_guide"
    return objective_L2 if objective is None else objective


def _in_order(net: Any, ends: Mapping[str, Any]) -> tuple[str, ...]:
    names = list(getattr(net, "_layer_names", ends))
    return tuple(sorted(ends, key=names.index))


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
