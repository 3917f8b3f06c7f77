"""Keyframes: parameters that change in the course of a film.

A table has a row for each frame, or time, at which something is said, and a column for each
parameter. Between two rows that say something numbers go evenly from one to the other, or as the
column ``ease`` of the earlier row says: ``linear``, ``smooth`` (slowly off and slowly in) or
``hold``. What is no number holds until the next row. Before the first row that says something, and
after the last, that row's value is used.

As CSV::

    time,  step_size, end:block4/output, end:block10/output, ease
    0,     1,         1,                 0,                  smooth
    0:04,  2.5,       0,                 1,

As JSON, or in Python, a list of such rows: ``[{"frame": 0, "step_size": 1}, {"frame": 100, ...}]``.
"""

from __future__ import annotations

import csv
import io
import json
import math
import numbers
import os
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from ..dreaming.schedules import parse_scheduled
from ..errors import MissingFileError, ParameterError, nearest
from ..files import FileName
from .clock import parse_time

EASES = ("linear", "smooth", "hold")
GOAL = "end:"  # columns of weights: of a layer, or of what else may grow

_PLACES = ("frame", "time")
_WHOLE = ("iter_n", "octave_n", "octave_min", "jitter", "bands")


class _Key(NamedTuple):
    at: Fraction
    value: Any
    ease: str


class Keyframes:
    """What parameters are at each frame.

    Parameters
    ----------
    rows : sequence of mappings
        See the module.
    known : collection of str
        Names of parameters that may be given.
    name : str
        Where the rows come from, for messages.

    Attributes
    ----------
    names : tuple of str
        Parameters that change, without those in `goals`.
    goals : tuple of str
        What weights are given for, in columns ``end:LAYER``.

    Raises
    ------
    ParameterError
        An unknown parameter, a row without a place, rows out of order, a weight that is no number.
    """

    def __init__(self, rows: Any, known: Collection[str], name: str = "keyframes") -> None:
        self._name = name
        if isinstance(rows, Mapping) or not isinstance(rows, Sequence) or not rows:
            raise ParameterError(
                f"{name} is {type(rows).__name__} with nothing in it that can be read: a list of "
                "rows is expected, as [{'frame': 0, 'step_size': 1}, {'frame': 99, ...}]"
            )
        self._by: str | None = None
        self._keys: dict[str, list[_Key]] = {}
        before: Fraction | None = None
        for number, row in enumerate(rows, 1):
            where = f"{name}, row {number}"
            at = self._place(row, where)
            if before is not None and at <= before:
                raise ParameterError(
                    f"{where}: rows are expected in order, each later than the last"
                )
            before = at
            self._row(row, at, where, known)
        self.goals = tuple(n[len(GOAL) :] for n in self._keys if n.startswith(GOAL))
        self.names = tuple(n for n in self._keys if not n.startswith(GOAL))
        self.rows = [dict(row) for row in rows]

    def _place(self, row: Any, where: str) -> Fraction:
        if not isinstance(row, Mapping):
            raise ParameterError(f"{where} is {row!r}: names and values are expected")
        given = [place for place in _PLACES if _said(row.get(place))]
        if len(given) != 1 or self._by not in (None, given[0]):
            raise ParameterError(f"{where}: 'frame' or 'time' is expected, one of them in all rows")
        self._by = given[0]
        value = row[self._by]
        if self._by == "time":
            return parse_time(value, f"{where}: time")
        number: Any = value
        if isinstance(value, str) and value.strip().isdigit():
            number = int(value)
        whole = isinstance(number, numbers.Integral) and not isinstance(number, bool)
        if not whole or number < 0:
            raise ParameterError(f"{where}: frame is {value!r}: a whole number from 0 is expected")
        return Fraction(int(number))

    def _row(
        self, row: Mapping[str, Any], at: Fraction, where: str, known: Collection[str]
    ) -> None:
        ease = row.get("ease")
        ease = "linear" if not _said(ease) else ease
        if ease not in EASES:
            raise ParameterError(f"{where}: ease is {ease!r}: one of {', '.join(EASES)}")
        for name, value in row.items():
            if name in (*_PLACES, "ease") or not _said(value):
                continue
            name = str(name)
            if name not in known and not name.startswith(GOAL):
                hint = nearest(name, known)
                raise ParameterError(
                    f"{where}: there is no parameter '{name}'.{hint} Weights of layers are "
                    f"'{GOAL}LAYER'"
                )
            read = _read(value, name in _WHOLE)
            if name.startswith(GOAL) and not _number(read):
                raise ParameterError(f"{where}: the weight of '{name}' is {value!r}, no number")
            self._keys.setdefault(name, []).append(_Key(at, read, ease))

    def at(self, number: int, time: Fraction) -> dict[str, Any]:
        """Return the parameters of a frame.

        Parameters
        ----------
        number : int
            Of the frame, from 0.
        time : Fraction
            When it is shown, in seconds.

        Returns
        -------
        dict
            Those in `names`.
        """
        where = Fraction(number) if self._by == "frame" else Fraction(time)
        return {name: _between(self._keys[name], where, name in _WHOLE) for name in self.names}

    def weights(self, number: int, time: Fraction) -> dict[str, float]:
        """Return the weights of a frame, by what is in `goals`; as for `at`."""
        where = Fraction(number) if self._by == "frame" else Fraction(time)
        return {name: float(_between(self._keys[GOAL + name], where, False)) for name in self.goals}


def read_keyframes(given: Any, known: Collection[str]) -> Keyframes:
    """Read keyframes.

    Parameters
    ----------
    given : str, PathLike or list of mappings
        A file, ``.csv`` or ``.json``, or rows.
    known : collection of str
        Names of parameters that may be given.

    Raises
    ------
    MissingFileError
        There is no such file.
    ParameterError
        It cannot be read; the message names the row.
    """
    if not isinstance(given, (str, bytes, os.PathLike)):
        return Keyframes(given, known)
    path = Path(os.fsdecode(given))
    return Keyframes(_rows(path), known, f"'{path}'")


def _rows(path: FileName) -> Any:
    path = Path(os.fsdecode(path))
    if not path.is_file():
        raise MissingFileError(f"'{path}', the file of keyframes, is missing.")
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"'{path}' cannot be read as text: {error}") from error
    if path.suffix.lower() == ".json" or text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ParameterError(f"'{path}' is no JSON: {error}") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    head = lines[0] if lines else ""
    table = csv.reader(io.StringIO("\n".join(lines)), delimiter=";" if ";" in head else ",")
    named, *rows = [[cell.strip() for cell in row] for row in table] or [[]]
    for number, row in enumerate(rows, 1):
        if len(row) > len(named):
            raise ParameterError(
                f"'{path}', row {number}: more values than the first line has names"
            )
    return [dict(zip(named, row)) for row in rows]


def _said(value: Any) -> bool:
    return value is not None and value != ""


def _number(value: Any) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)


def _read(value: Any, whole: bool) -> Any:
    """Return a value as a parameter: what a file has as text may be a number, or two."""
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    try:
        return parse_scheduled(value, whole)
    except ValueError:
        return value


def _between(keys: list[_Key], where: Fraction, whole: bool) -> Any:
    if where <= keys[0].at:
        return keys[0].value
    for before, after in zip(keys, keys[1:]):
        if where < after.at:
            share = float((where - before.at) / (after.at - before.at))
            return _mixed(before.value, after.value, _EASING[before.ease](share), whole)
    return keys[-1].value


_EASING = {
    "linear": lambda share: share,
    "smooth": lambda share: 0.5 - 0.5 * math.cos(math.pi * share),
    "hold": lambda share: 0.0,
}


def _mixed(one: Any, other: Any, share: float, whole: bool) -> Any:
    pairs = [isinstance(value, (tuple, list)) and len(value) == 2 for value in (one, other)]
    if any(pairs):
        one, other = (v if pair else (v, v) for v, pair in zip((one, other), pairs))
        if all(map(_number, (*one, *other))):
            return tuple(_mixed(a, b, share, whole) for a, b in zip(one, other))
        return one
    if not (_number(one) and _number(other)):
        return one
    value = one + (other - one) * share
    return round(value) if whole else float(value)
