"""What a dream is to grow, as a value: terms with their weights.

An `Objective` is a sum of shares; a share is a term, how strongly it counts, and where in the
picture. They know no net: `goals` finds out what they mean to one. The ``repr`` of an objective is
what one types to make it, and objectives are equal where they would grow the same.
"""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Optional, Union

import numpy as np

from ...errors import ParameterError
from .functions import Channels, Direction, Function, Mean, Neuron, objective_L2
from .given import Given, given_mask

_LARGEST = float(np.finfo(np.float32).max)


class Term:
    """One thing to grow. Subclasses are frozen dataclasses whose fields are what one types.

    Attributes
    ----------
    name : str
        What one types.
    end : str
        The layer; empty of a label, which means one of the net's classes.
    """

    name: ClassVar[str] = ""
    end: Any

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(self._typed())})"

    def _typed(self) -> Iterable[str]:
        """Yield the arguments as one types them; what is as by default is left out."""
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name == "power":
                yield from [f"power={value}"] if value != 2 else []
            elif isinstance(value, tuple) and field.name != "vector":
                yield from map(repr, value)
            else:
                yield repr(list(value) if isinstance(value, tuple) else value)

    def plain(self) -> dict[str, Any]:
        """Return the term in the types that JSON has."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"term": self.name, **{name: _plain(value) for name, value in given.items()}}

    def function(self) -> Function:
        """Return what writes the gradient at a blob; a guide and a label need a net for that."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class LayerTerm(Term):
    """See `layer`."""

    end: str
    power: int = 2
    name: ClassVar[str] = "layer"

    def function(self) -> Function:
        return objective_L2 if self.power == 2 else Mean()


@dataclass(frozen=True, repr=False)
class ChannelTerm(Term):
    """See `channel`."""

    end: str
    channels: tuple[int, ...]
    power: int = 2
    name: ClassVar[str] = "channel"

    def function(self) -> Function:
        return Channels(self.channels, self.power)


@dataclass(frozen=True, repr=False)
class NeuronTerm(Term):
    """See `neuron`."""

    end: str
    channel: int
    y: float
    x: float
    name: ClassVar[str] = "neuron"

    def function(self) -> Function:
        return Neuron(self.channel, self.y, self.x)


@dataclass(frozen=True, repr=False)
class DirectionTerm(Term):
    """See `direction`."""

    end: str
    vector: tuple[float, ...]
    name: ClassVar[str] = "direction"

    def function(self) -> Function:
        return Direction(self.vector)


@dataclass(frozen=True, repr=False)
class LabelTerm(Term):
    """See `label`."""

    label: Union[str, int]  # noqa: UP007 (a dataclass annotation is evaluated by Sphinx)
    name: ClassVar[str] = "label"

    @property
    def end(self) -> str:
        return ""


@dataclass(frozen=True, repr=False)
class GuideTerm(Term):
    """See `guide`."""

    end: str
    pictures: tuple[Given, ...]
    name: ClassVar[str] = "guide"


@dataclass(frozen=True, repr=False)
class FunctionTerm(Term):
    """See `function`."""

    end: str
    f: Function
    name: ClassVar[str] = "function"

    def __hash__(self) -> int:
        # Instances of a dataclass are equal by their values, and have no hash.
        return hash((self.end, self.f if isinstance(self.f, Hashable) else id(self.f)))

    def function(self) -> Function:
        return self.f

    def _typed(self) -> Iterable[str]:
        return [repr(self.end), _name_of(self.f)]


@dataclass(frozen=True)
class Share:
    """A term with its weight, and where it counts.

    Attributes
    ----------
    term : Term
    weight : float
        Finite; negative where the term is to shrink.
    mask : Given or None
        (h, w) float32, 0..1.
    """

    term: Term
    weight: float = 1.0
    mask: Optional[Given] = None  # noqa: UP045 (a dataclass annotation is evaluated by Sphinx)

    def __repr__(self) -> str:
        return repr(self.term) if self.mask is None else f"{self.term!r}.where({self.mask!r})"


KINDS: Mapping[str, Any] = {
    kind.name: kind
    for kind in (LayerTerm, ChannelTerm, NeuronTerm, DirectionTerm, LabelTerm, GuideTerm,
                 FunctionTerm)
}  # fmt: skip
"""The kinds of terms, by what one types."""


class Objective:
    """What a dream is to grow: terms with their weights.

    `layer` and its kin make one of a single term; sums, differences and multiples of objectives
    are objectives.

    Parameters
    ----------
    shares : iterable of Share
        Those of the same term at the same place count as one, with the sum of their weights.

    Raises
    ------
    ParameterError
        A sum of weights is no finite number.
    """

    # NumPy's arrays and numbers leave `*` to `__rmul__`, and make no arrays of objectives.
    __array_ufunc__ = None

    def __init__(self, shares: Iterable[Share]) -> None:
        weights: dict[Share, float] = {}
        for share in shares:
            alike = replace(share, weight=1.0)
            weights[alike] = weights.get(alike, 0.0) + share.weight
        self.shares = tuple(
            replace(share, weight=check_weight(w, repr(share))) for share, w in weights.items()
        )

    def __add__(self, other: Any) -> Objective:
        if isinstance(other, numbers.Real) and other == 0:  # sum() begins with it
            return self
        if not isinstance(other, Objective):
            raise _no_term(other)
        return Objective((*self.shares, *other.shares))

    __radd__ = __add__

    def __pos__(self) -> Objective:
        return self

    def __neg__(self) -> Objective:
        return -1 * self

    def __sub__(self, other: Any) -> Objective:
        if not isinstance(other, Objective):
            raise _no_term(other)
        return self + -other

    def __rsub__(self, other: Any) -> Objective:
        return -self + other

    def __mul__(self, weight: Any) -> Objective:
        weight = check_weight(weight, repr(self))
        return Objective(replace(share, weight=share.weight * weight) for share in self.shares)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Objective:
        if not isinstance(divisor, numbers.Real) or divisor == 0:
            raise ParameterError(f"{self!r} divided by {divisor!r}: a number other than 0")
        return self * (1 / float(divisor))

    def where(self, mask: Any) -> Objective:
        """Return the same, counting in a part of the picture only.

        Parameters
        ----------
        mask : (h, w) or (h, w, 3) array, PIL.Image, or the name of a file
            White or 1 where the terms count, black or 0 where not, and between them less. Of the
            picture's shape, at any size. It goes with the picture: with its jitter, through all
            octaves.

        Raises
        ------
        ParameterError
            It is black everywhere, or these terms have a mask already.
        ImageError, MissingFileError
            It is no picture.
        """
        masked = next((share for share in self.shares if share.mask is not None), None)
        if masked is not None:
            raise ParameterError(f"{masked!r} has a mask already: multiply the two into one")
        given = given_mask(mask)
        return Objective(replace(share, mask=given) for share in self.shares)

    def __repr__(self) -> str:
        text = ""
        for share in self.shares:
            size = abs(share.weight)
            shown = repr(share) if size == 1 else f"{size:g} * {share!r}"
            if float(f"{size:g}") != size:
                shown = f"{size!r} * {share!r}"
            if text:
                text += f" {'-' if share.weight < 0 else '+'} {shown}"
            else:
                text = f"-{shown}" if share.weight < 0 else shown
        return text or "Objective([])"

    def __eq__(self, other: object) -> bool:
        # The order in which terms are added does not matter to what grows.
        return isinstance(other, Objective) and frozenset(self.shares) == frozenset(other.shares)

    def __hash__(self) -> int:
        return hash(frozenset(self.shares))

    def plain(self) -> dict[str, Any]:
        """Return the objective in the types that JSON has, for recipes."""
        terms = []
        for share in self.shares:
            plain = {**share.term.plain(), "weight": share.weight}
            if share.mask is not None:
                plain["mask"] = share.mask.plain()
            terms.append(plain)
        return {"terms": terms}


def check_weight(weight: Any, what: str) -> float:
    """Return a weight as a number.

    Raises
    ------
    ParameterError
        It is no finite number, or none that is finite in the net's arithmetic, float32.
    """
    if isinstance(weight, np.ndarray) and weight.ndim == 0:
        weight = weight.item()
    real = isinstance(weight, (numbers.Real, np.number)) and not isinstance(weight, bool)
    if not real or not abs(float(weight)) <= _LARGEST:
        raise ParameterError(
            f"the weight of {what} is {weight!r}: a finite number is expected, of float32"
        )
    return float(weight)


def _no_term(other: Any) -> ParameterError:
    advice = ""
    if callable(other):
        advice = ": make a term of a function by function(end, f)"
    return ParameterError(f"{other!r} is no term, and cannot be added to one{advice}")


def _name_of(f: Any) -> str:
    return str(getattr(f, "__qualname__", type(f).__qualname__))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Given):
        return value.plain()
    return _name_of(value) if callable(value) else value
