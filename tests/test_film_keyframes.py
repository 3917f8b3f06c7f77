"""Parameters that change in the course of a film."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from deepdream.errors import MissingFileError, ParameterError
from deepdream.films.keyframes import Keyframes, read_keyframes

KNOWN = {"step_size", "iter_n", "border", "keep_colors", "style", "octave_n", "shift"}


def at(rows: Any, number: int, time: float = 0) -> dict[str, Any]:
    """Return the parameters of a frame."""
    return Keyframes(rows, KNOWN).at(number, Fraction(time))


def test_numbers_go_evenly_from_row_to_row() -> None:
    """Before the first and after the last they hold."""
    rows = [{"frame": 10, "step_size": 1}, {"frame": 30, "step_size": 3.0}]

    assert [at(rows, n)["step_size"] for n in (0, 10, 15, 30, 99)] == [1, 1, 1.5, 3, 3]


def test_a_row_says_only_what_it_names() -> None:
    """Between two rows that name a parameter, those that do not are passed over."""
    rows = [
        {"frame": 0, "step_size": 0.0, "iter_n": 2},
        {"frame": 5, "iter_n": 12},
        {"frame": 10, "step_size": 10.0, "iter_n": ""},
    ]

    assert at(rows, 5) == {"step_size": 5.0, "iter_n": 12}
    assert at(rows, 2)["iter_n"] == 6


def test_the_ease_is_that_of_the_earlier_row() -> None:
    """Smooth is slow at both ends, hold jumps."""
    rows = [
        {"frame": 0, "step_size": 0.0, "ease": "smooth"},
        {"frame": 10, "step_size": 10.0, "ease": "hold"},
        {"frame": 20, "step_size": 0.0},
    ]

    values = [at(rows, n)["step_size"] for n in (1, 5, 9, 19, 20)]
    assert values[0] == pytest.approx(0.2447, abs=1e-3)
    assert values[1:] == [pytest.approx(5), pytest.approx(9.7553, abs=1e-3), 10, 0]


def test_whole_numbers_stay_whole_and_pairs_pairs() -> None:
    """Pairs, for the smallest and the largest octave, change each by itself."""
    rows = [{"frame": 0, "iter_n": [30, 4], "shift": (0, 0)},
            {"frame": 9, "iter_n": 10, "shift": (3.0, -9.0)}]  # fmt: skip

    assert at(rows, 1) == {"iter_n": (28, 5), "shift": pytest.approx((1 / 3, -1))}


def test_words_hold_until_the_next() -> None:
    """What is no number cannot be between two."""
    rows = [{"frame": 0, "border": "edge", "keep_colors": False, "octave_n": "all"},
            {"frame": 8, "border": "roll", "keep_colors": True, "octave_n": 3}]  # fmt: skip

    assert at(rows, 7) == {"border": "edge", "keep_colors": False, "octave_n": "all"}
    assert at(rows, 8) == {"border": "roll", "keep_colors": True, "octave_n": 3}


def test_times_are_seconds_or_as_people_write_them() -> None:
    """Rows may be at times instead of frames."""
    rows = [{"time": 1, "step_size": 0.0}, {"time": "1:01", "step_size": 60.0}]

    assert at(rows, 0, 31)["step_size"] == pytest.approx(30)


def test_weights_have_columns_of_their_own() -> None:
    """`end:LAYER` is no parameter but a weight."""
    rows = [{"frame": 0, "end:a/b": 1, "end:class:dog": 0, "step_size": 1},
            {"frame": 4, "end:a/b": 0, "end:class:dog": 1}]  # fmt: skip
    keys = Keyframes(rows, KNOWN)

    assert keys.names == ("step_size",)
    assert keys.goals == ("a/b", "class:dog")
    assert keys.weights(1, Fraction(0)) == {"a/b": 0.75, "class:dog": 0.25}


@pytest.mark.parametrize("mark", [",", ";"])
def test_a_table_is_read(tmp_path: Path, mark: str) -> None:
    """CSV as spreadsheets write it: blanks, a byte order mark, empty cells, comments."""
    path = tmp_path / "keys.csv"
    lines = ["# a comment", "time, step_size, iter_n, border, keep_colors, ease", "",
             "0, 1.5, 30:4, edge, true, smooth", "0:02, 2.5, , , ,"]  # fmt: skip
    path.write_text("\n".join(lines).replace(",", mark), "utf-8-sig")

    keys = read_keyframes(path, KNOWN)

    assert keys.at(0, Fraction(0)) == {
        "step_size": 1.5, "iter_n": (30, 4), "border": "edge", "keep_colors": True,
    }  # fmt: skip
    assert keys.at(9, Fraction(1))["step_size"] == pytest.approx(2)


def test_json_is_read(tmp_path: Path) -> None:
    """A list of rows."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([{"frame": 0, "step_size": 1}, {"frame": 2, "step_size": 2}]))

    assert read_keyframes(path, KNOWN).at(1, Fraction(0)) == {"step_size": 1.5}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "a list of rows"),
        ({"step_size": 1}, "a list of rows"),
        ([3], "row 1 is 3"),
        ([{"step_size": 1}], "row 1: 'frame' or 'time'"),
        ([{"frame": 0, "time": 0, "step_size": 1}], "row 1: 'frame' or 'time'"),
        ([{"frame": 0}, {"time": 1}], "row 2: 'frame' or 'time'"),
        ([{"frame": 3}, {"frame": 3}], "row 2: rows are expected in order"),
        ([{"frame": 1.5}], "row 1: frame is 1.5"),
        ([{"frame": "x"}], "row 1: frame is 'x'"),
        ([{"time": "soon"}], "row 1: time is 'soon'"),
        ([{"frame": 0, "stepsize": 1}], "no parameter 'stepsize'. Did you mean 'step_size'"),
        ([{"frame": 0, "end:a": "much"}], "the weight of 'end:a' is 'much'"),
        ([{"frame": 0, "ease": "bouncy"}], "ease is 'bouncy': one of linear, smooth, hold"),
    ],
)
def test_what_cannot_be_read_is_named(rows: Any, said: str) -> None:
    """The message tells the row."""
    with pytest.raises(ParameterError, match=said.replace(".", r"\.")):
        Keyframes(rows, KNOWN)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Missing, no JSON, too many values."""
    with pytest.raises(MissingFileError, match="keys.csv"):
        read_keyframes(tmp_path / "keys.csv", KNOWN)
    (tmp_path / "a.json").write_text("[{")
    with pytest.raises(ParameterError, match="is no JSON"):
        read_keyframes(tmp_path / "a.json", KNOWN)
    (tmp_path / "a.csv").write_text("frame,step_size\n0,1,2\n")
    with pytest.raises(ParameterError, match="row 1: more values"):
        read_keyframes(tmp_path / "a.csv", KNOWN)
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(ParameterError, match="a list of rows"):
        read_keyframes(tmp_path / "b.csv", KNOWN)
