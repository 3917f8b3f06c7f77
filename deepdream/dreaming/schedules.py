"""Parameters that change on the way: from octave to octave, or from step to step.

Wherever a number is expected that a step uses, there may be a pair ``(first, last)``, for the
smallest and the largest octave, with even steps between; or a function ``f(octave, step)``, both
counted from 0. What a function returned is written out for recipes, ``{"octaves": [...]}`` with a
number, or a list of one number per step, for each octave; that may be given, too.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

from ..errors import ParameterError

Number = Union[int, float]
Scheduled = Union[Number, tuple[Number, Number], Callable[[int, int], Number], Mapping[str, Any]]

OCTAVES = "octaves"


class Schedule:
    """One parameter's value at each octave and step.

    Parameters
    ----------
    name : str
        For messages.
    value : number, pair, function or mapping
        See the module.
    whole : bool
        Whole numbers are expected; those between a pair are rounded.
    low, high : float
        Bounds, inclusive.
    expected : str
        What is expected, for messages.

    Raises
    ------
    ParameterError
        The value, or one of the pair, is something else.
    """

    def __init__(
        self, name: str, value: Any, *, whole: bool = False, low: float = -math.inf,
        high: float = math.inf, expected: str = "a finite number is expected",
    ) -> None:  # fmt: skip
        self.name, self.value = name, value
        self._whole, self._low, self._high, self._expected = whole, low, high, expected
        if callable(value):
            return
        for number in self._numbers():
            self._checked(number)

    def _numbers(self) -> Sequence[Any]:
        value = self.value
        if isinstance(value, Mapping):
            octaves = value.get(OCTAVES)
            if not isinstance(octaves, (list, tuple)) or not octaves:
                raise self._error(value)
            return [
                number
                for each in octaves
                for number in (each if isinstance(each, (list, tuple)) else [each])
            ]
        if isinstance(value, (list, tuple)):
            if len(value) != 2:
                raise ParameterError(
                    f"{self.name} is {value!r}: one number, or two for the first and the last "
                    "octave"
                )
            return value
        return [value]

    def _checked(self, number: Any) -> Number:
        kind = numbers.Integral if self._whole else numbers.Real
        if isinstance(number, bool) or not isinstance(number, kind):
            raise self._error(number)
        value = float(number)
        if not (math.isfinite(value) and self._low <= value <= self._high):
            raise self._error(number)
        return int(value) if self._whole else value

    def _error(self, number: Any) -> ParameterError:
        shown = repr(self.value)
        if callable(self.value):
            shown = f"a function that returned {number!r}"
        elif number is not self.value:
            shown += f", with {number!r}"
        return ParameterError(f"{self.name} is {shown}: {self._expected}")

    def at(self, octave: int, step: int, octave_n: int) -> Number:
        """Return the value of one step, of `octave_n` octaves in all.

        Octaves beyond the last have its value, but for a function.
        """
        value = self.value
        if callable(value):
            return self._checked(value(octave, step))
        if isinstance(value, Mapping):
            octaves = value[OCTAVES]
            each = octaves[min(octave, len(octaves) - 1)]
            if isinstance(each, (list, tuple)):
                each = each[min(step, len(each) - 1)] if each else 0
            return self._checked(each)
        if isinstance(value, (list, tuple)):
            first, last = value
            share = 1.0 if octave_n < 2 else min(1.0, octave / (octave_n - 1))
            between = first + (last - first) * share
            return round(between) if self._whole else float(between)
        return self._checked(value)

    def largest(self, octave_n: int, steps: Callable[[int], int]) -> Number:
        """Return the largest value of all octaves and steps."""
        return max(
            (
                self.at(octave, step, octave_n)
                for octave in range(octave_n)
                for step in range(steps(octave))
            ),
            default=0,
        )

    def plain(self, octave_n: int, steps: Callable[[int], int]) -> Any:
        """Return the value for a recipe: as it was given, but for functions, which are tables."""
        if not callable(self.value):
            return self.value
        table: list[Any] = []
        for octave in range(octave_n):
            row = [self.at(octave, step, octave_n) for step in range(max(1, steps(octave)))]
            table.append(row[0] if len(set(row)) == 1 else row)
        return {OCTAVES: table}


def parse_scheduled(text: str, whole: bool = False) -> Any:
    """Read a number, or a pair as ``40:8``, from a command line.

    Raises
    ------
    ValueError
        It is neither.
    """
    kind: Any = int if whole else float
    first, colon, last = text.partition(":")
    return (kind(first), kind(last)) if colon else kind(first)


def in_words(value: Any) -> str:
    """Return a scheduled value as people read it: ``10``, ``40 to 8``, ``3, 4, 4``."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"({in_words({OCTAVES: each})})" if isinstance(each, list) else in_words(each)
            for each in value[OCTAVES]
        )
    if isinstance(value, (list, tuple)):
        return " to ".join(map(in_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_flag(value: Any) -> str | None:
    """Return a value as the command line takes it, or None where it cannot."""
    if isinstance(value, Mapping) or callable(value):
        return None
    if isinstance(value, (list, tuple)):
        return ":".join(str(as_flag(each)) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
