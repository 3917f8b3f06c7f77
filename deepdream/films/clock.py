"""Times of frames: how people write them, whether they are even, and which frames are wanted.

Times are fractions of seconds, so that the ten-thousandth frame of a film of 30000/1001 frames per
second is where it belongs.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from ..errors import ParameterError

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")

_FRACTION = re.compile(r"\d+/0*[1-9]\d*")

# What Matroska and WebM store is rounded to it.
MILLISECOND = Fraction(1, 1000)

# Rates that films have; others are taken as they are measured.
_RATES = (
    *(Fraction(rate) for rate in (12, 15, 24, 25, 30, 48, 50, 60, 100, 120, 240)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120, 240)),  # NTSC's
)


class Pick(NamedTuple):
    """A frame that is wanted.

    Attributes
    ----------
    place : int
        Among the source's frames, from 0.
    time : Fraction
        Seconds from the first frame that is wanted.
    """

    place: int
    time: Fraction


def parse_time(value: Any, name: str = "time") -> Fraction:
    """Read a time as people write it.

    Parameters
    ----------
    value : str or number
        Seconds, or ``"1:02.5"``, or ``"1:00:02"``; or a fraction of seconds, ``"1/30"``.
    name : str
        What it is, for the message.

    Raises
    ------
    ParameterError
        It is no time, or below 0.
    """
    if isinstance(value, str):
        found = _TIME.fullmatch(value.strip())
        if found:
            hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
            return 3600 * hours + 60 * minutes + seconds
        if _FRACTION.fullmatch(value.strip()):
            return Fraction(value.strip())
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        if isinstance(value, Fraction) and value >= 0:
            return value
        number = float(value)
        if math.isfinite(number) and number >= 0:
            return Fraction(str(number))  # as it is written: 0.1 is a tenth
    raise ParameterError(f"{name} is {value!r}: seconds, or a time like '1:02.5', are expected")


def parse_rate(value: Any, name: str = "fps") -> Fraction:
    """Read a number of frames per second: ``25``, ``29.97``, ``"30000/1001"``.

    Returns
    -------
    Fraction
        Of 23.976, 29.97 and 59.94 what is meant by them.

    Raises
    ------
    ParameterError
        It is none, or not in 0.01..1000.
    """
    try:
        rate = Fraction(str(value).strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not Fraction(1, 100) <= rate <= 1000:
        raise ParameterError(
            f"{name} is {value!r}: frames per second, from 0.01 to 1000, are expected"
        )
    if rate.denominator in (1, 1001):
        return rate
    return next((known for known in _RATES if abs(rate - known) < Fraction(1, 200)), rate)


def even_rate(times: Sequence[Fraction], hints: Iterable[Fraction | None]) -> Fraction | None:
    """Return the rate of frames that come at even times.

    Parameters
    ----------
    times : sequence of Fraction
        Ascending.
    hints : iterable of Fraction or None
        Rates that the file claims.

    Returns
    -------
    Fraction or None
        None where a frame is more than a millisecond (or a thousandth of the film's length, where
        that is less) away from its even place.
    """
    count = len(times) - 1
    if count < 1 or times[-1] <= times[0]:
        return next((hint for hint in hints if hint), None)
    mean = count / (times[-1] - times[0])
    near = sorted(_RATES, key=lambda rate: abs(rate - mean))[:2]
    slack = min(MILLISECOND, 1 / (10 * mean))
    for rate in (*near, *(hint for hint in hints if hint), mean.limit_denominator(10**6)):
        if all(abs(time - times[0] - i / rate) <= slack for i, time in enumerate(times)):
            return rate
    return None


def pick(
    times: Iterable[Fraction],
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    every: int = 1,
    fps: Fraction | None = None,
) -> Iterator[Pick]:
    """Choose frames by their times.

    Parameters
    ----------
    times : iterable of Fraction
        Of the source's frames, ascending. Nothing but the next one is looked at ahead.
    start, end : Fraction, optional
        Seconds from the source's first frame; what is before `start`, and from `end` on, is left
        out.
    every : int
        Of what is left, each n-th frame.
    fps : Fraction, optional
        Frames per second: at each of their times the frame that is shown then. Frames come twice,
        or not at all.

    Yields
    ------
    Pick
        With `fps`, times are even; without, they are the frames' own.
    """
    chosen = _every(_within(times, start, end), every)
    if fps is None:
        begin = None
        for index, time in chosen:
            begin = time if begin is None else begin
            yield Pick(index, time - begin)
        return
    yield from _resampled(chosen, fps, end)


def _within(
    times: Iterable[Fraction], start: Fraction | None, end: Fraction | None
) -> Iterator[tuple[int, Fraction]]:
    origin: Fraction | None = None
    slack = MILLISECOND / 2  # a time that was rounded is meant
    for index, time in enumerate(times):
        origin = time if origin is None else origin
        if end is not None and time - origin >= end - slack:
            return
        if start is None or time - origin >= start - slack:
            yield index, time - origin


def _every(chosen: Iterator[tuple[int, Fraction]], every: int) -> Iterator[tuple[int, Fraction]]:
    for place, item in enumerate(chosen):
        if place % every == 0:
            yield item


def _resampled(
    chosen: Iterator[tuple[int, Fraction]], fps: Fraction, end: Fraction | None
) -> Iterator[Pick]:
    begin: Fraction | None = None
    shown, given, length = -1, 0, Fraction(0)
    before = Fraction(0)
    for index, time in chosen:
        if begin is None:
            begin = before = time
        else:
            # The last frame is shown until this one comes.
            while begin + given / fps < time - MILLISECOND / 2:
                yield Pick(shown, given / fps)
                given += 1
            length, before = time - before, time
        shown = index
    if begin is None:
        return
    # The last frame is shown as long as the one before it, but not beyond the end.
    until = before + (length or 1 / fps)
    until = until if end is None else min(until, end)
    while begin + given / fps < until - MILLISECOND / 2 or given == 0:
        yield Pick(shown, given / fps)
        given += 1
