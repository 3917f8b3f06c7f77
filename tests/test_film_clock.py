"""Times of frames: how they are written, whether they are even, which ones are wanted."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdream.errors import ParameterError
from deepdream.films.clock import even_rate, parse_rate, parse_time, pick

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("62.5", Fraction(125, 2)),
        ("1:02.5", Fraction(125, 2)),
        ("1:00:02", 3602),
        (" 0:01 ", 1),
        (".5", Fraction(1, 2)),
        (0.1, Fraction(1, 10)),
        (3, 3),
        (Fraction(1, 3), Fraction(1, 3)),
    ],
)
def test_times_as_people_write_them(given: Any, seconds: Fraction) -> None:
    """Seconds, minutes and hours, exactly as written."""
    assert parse_time(given) == seconds


@pytest.mark.parametrize("given", ["", "1:2:3:4", "-1", -1, "1m", float("nan"), True, None, [1]])
def test_no_times(given: Any) -> None:
    """What is no time is named, with one that is."""
    with pytest.raises(ParameterError, match="start is .*'1:02.5'"):
        parse_time(given, "start")


def test_rates() -> None:
    """29.97 means what television means by it."""
    assert parse_rate(25) == 25
    assert parse_rate("29.97") == NTSC
    assert parse_rate(23.976) == Fraction(24000, 1001)
    assert parse_rate("30000/1001") == NTSC
    assert parse_rate(12.5) == Fraction(25, 2)
    with pytest.raises(ParameterError, match="fps is 0: frames per second"):
        parse_rate(0)


@pytest.mark.parametrize("rate", [Fraction(25), NTSC, Fraction(15), Fraction(25, 2), Fraction(17)])
def test_times_in_milliseconds_are_even(rate: Fraction) -> None:
    """Matroska rounds times to milliseconds: the rate is found behind that."""
    times = [Fraction(round(1000 * i / rate), 1000) for i in range(400)]

    assert even_rate(times, [rate]) == rate


def test_uneven_times() -> None:
    """One frame that stays twice as long is enough; so is a pause at the end."""
    times = [Fraction(i + (i > 7), 25) for i in range(30)]

    assert even_rate(times, [Fraction(25)]) is None
    assert even_rate([Fraction(0), Fraction(1, 25), Fraction(3, 25)], [Fraction(25)]) is None


def test_what_is_wanted() -> None:
    """`start` is in, `end` is out, times count from the first frame that is wanted."""
    times = [Fraction(i, 10) for i in range(3, 23)]

    picks = list(pick(times, start=Fraction(1, 2), end=Fraction(1)))

    assert [(item.place, item.time) for item in picks] == [
        (5 + i, Fraction(i, 10)) for i in range(5)
    ]
    assert [item.place for item in pick(times, every=7)] == [0, 7, 14]
    assert [item.time for item in pick(times, every=7)] == [0, Fraction(7, 10), Fraction(14, 10)]


def test_resampling_holds_what_is_shown() -> None:
    """At each new time comes the frame that was on the screen."""
    times = [Fraction(0), Fraction(1, 10), Fraction(4, 10), Fraction(5, 10)]

    assert [item.place for item in pick(times, fps=Fraction(10))] == [0, 1, 1, 1, 2, 3]
    assert [item.place for item in pick(times, fps=Fraction(5))] == [0, 1, 2]
    assert [item.place for item in pick([Fraction(7)], fps=Fraction(5))] == [0]


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 900), min_size=1, max_size=30),
    st.sampled_from([Fraction(25), NTSC, Fraction(7)]),
)
def test_resampling_by_definition(steps: list[int], fps: Fraction) -> None:
    """A slow search for the last frame that began by then gives the same."""
    times = [Fraction(0)]
    for step in steps:
        times.append(times[-1] + Fraction(step, 1000))
    half = Fraction(1, 2000)  # what times are rounded by

    picks = list(pick(times, fps=fps))

    end = times[-1] + times[-1] - times[-2]
    assert [item.time for item in picks] == [i / fps for i in range(len(picks))]
    assert len(picks) == next(i for i in range(1, 10**6) if i / fps >= end - half)
    for item in picks:
        shown = max(i for i, time in enumerate(times) if time - half <= item.time)
        assert item.place == shown
