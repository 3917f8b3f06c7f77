"""What each frame of a film is to do: from the style, the user's keywords and keyframes.

A scene's first frame makes a dream of a picture, and takes the style's own steps. The frames after
it go on from what was carried to them, and take fewer: those that the style names for going on, or
a fifth.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ..dreaming.dream import dream
from ..dreaming.objectives.typed import steering
from ..dreaming.parameters import Parameters
from ..dreaming.pictures.finish import Finish, finish_for
from ..dreaming.schedules import Schedule
from ..dreaming.styles import NOTEBOOK, style_of
from ..errors import ParameterError, nearest
from .camera import Move, check_move
from .keyframes import Keyframes, read_keyframes
from .steady import CARRY, check_carry

MOVES = ("zoom", "turn", "shift")

_FEWER = 0.2  # of a style's steps, where it names none for going on
_WRITTEN = 16  # octaves for which functions of the octave are written out in recipes
_OF_THE_FILM = {"width": "size", "height": "size", "compose": "size"}
_OF_DREAM = tuple(
    name
    for name, parameter in inspect.signature(dream).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY or name == "end"
)
_GOAL = tuple(name for name in _OF_DREAM if name not in (*NOTEBOOK, *_OF_THE_FILM, "mask", "seed",
                                                         "on_step", "progress"))  # fmt: skip


class Script:
    """What each frame is to do.

    Parameters
    ----------
    net : Net
    given : mapping
        Keywords of `deepdream.dream`; those that are None are the style's.
    first : int, pair or mapping, optional
        Steps of a scene's first frame, or keywords for it alone.
    carry : float
        See `steady.Steady.begin`.
    zoom, turn, shift
        See `camera.Move`.
    keyframes : str, PathLike, or list of mappings, optional
        See `keyframes`.

    Attributes
    ----------
    style : Style
    keys : Keyframes or None

    Raises
    ------
    ParameterError
        An unknown parameter, or one that makes no sense; the message names it.
    """

    def __init__(
        self, net: Any, given: Mapping[str, Any], *, first: Any = None, carry: Any = CARRY,
        zoom: Any = 0.0, turn: Any = 0.0, shift: Any = (0.0, 0.0), keyframes: Any = None,
    ) -> None:  # fmt: skip
        said = {name: value for name, value in given.items() if value is not None}
        check_names(said)
        self._net, self.style = net, style_of(net, said.get("style"))
        self._goal = {name: said[name] for name in _GOAL if name in said}
        own = {name: said[name] for name in NOTEBOOK if name in said}
        self._others = {**going_on(self.style), **own}
        self._begin = _begin(own, first)
        self._moves = {"zoom": zoom, "turn": turn, "shift": shift}
        self._carry = carry
        check_carry(carry)
        check_move(**self._moves)
        known = (*NOTEBOOK, "carry", *MOVES)
        self.keys: Keyframes | None = (
            None if keyframes is None else read_keyframes(keyframes, known)
        )
        for begins in (True, False):  # what makes no sense is told before any work
            self.chosen(0, Fraction(0), begins)
        for row in [] if self.keys is None else self.keys.rows:
            self._check_row(row)

    def _check_row(self, row: Mapping[str, Any]) -> None:
        assert self.keys is not None
        number = int(row.get("frame") or 0)
        from .clock import parse_time

        time = parse_time(row["time"]) if row.get("time") not in (None, "") else Fraction(0)
        self.chosen(number, time, False)
        self.carry(number, time)
        self.move(number, time)

    def _keyed(self, number: int, time: Fraction) -> dict[str, Any]:
        return {} if self.keys is None else self.keys.at(number, time)

    def own(self, number: int, time: Fraction, begins: bool) -> dict[str, Any]:
        """Return the parameters of a frame that styles decide, as `Prepared.dream` takes them.

        Parameters
        ----------
        number : int
            Of the frame.
        time : Fraction
            When it is shown, in seconds.
        begins : bool
            It is the first of a scene.
        """
        keyed = {name: v for name, v in self._keyed(number, time).items() if name in NOTEBOOK}
        if begins:  # keyframes tell the steps of frames that go on
            return {**self._begin, **{n: v for n, v in keyed.items() if n != "iter_n"},
                    **{n: self._begin[n] for n in ("iter_n",) if n in self._begin}}  # fmt: skip
        return {**self._others, **keyed}

    def chosen(self, number: int, time: Fraction, begins: bool) -> Parameters:
        """Return the same, with all that the style decides."""
        return Parameters(self._net, self.style, self.own(number, time, begins))

    def finish(self, number: int, time: Fraction, begins: bool) -> Finish | None:
        """Return what is done to a frame's dream when it is done, see `pictures.finish`."""
        return finish_for(self.chosen(number, time, begins))

    def carry(self, number: int, time: Fraction) -> float:
        """Return the share of the detail that is carried to a frame."""
        return check_carry(self._keyed(number, time).get("carry", self._carry))

    def move(self, number: int, time: Fraction) -> Move:
        """Return how the camera moves before a frame."""
        keyed = self._keyed(number, time)
        return check_move(**{name: keyed.get(name, self._moves[name]) for name in MOVES})

    @property
    def moves(self) -> bool:
        """Tell whether the camera moves at all."""
        if self.keys is not None and set(MOVES) & set(self.keys.names):
            return True
        return self.move(0, Fraction(0)) != Move()

    def goal(self, number: int, time: Fraction) -> dict[str, Any]:
        """Return what a `Prepared` of a frame is made with."""
        goal = {"style": self.style, **{n: v for n, v in self._goal.items() if n != "style"}}
        if self.keys is not None and self.keys.goals:
            weights = self.keys.weights(number, time)
            goal.pop("objective", None)
            goal.update(
                steering([f"{end}*{weight!r}" for end, weight in weights.items() if weight])
            )
        return goal

    def plain(self) -> dict[str, Any]:
        """Return the parameters of the frames that go on, for a recipe."""
        return self.chosen(0, Fraction(0), False).plain(_WRITTEN)

    def first(self) -> dict[str, Any]:
        """Return the parameters of scenes' first frames that are others, for a recipe."""
        others = self.plain()
        begin = self.chosen(0, Fraction(0), True).plain(_WRITTEN)
        return {
            name: begin.get(name, NOTEBOOK.get(name))
            for name in {**begin, **others}
            if begin.get(name) != others.get(name)
        }


def check_names(given: Mapping[str, Any]) -> None:
    """Refuse a keyword that is none of a film's dreams.

    Raises
    ------
    ParameterError
    """
    for name in given:
        if name in _OF_THE_FILM:
            raise ParameterError(f"{name} is a picture's: a film has {_OF_THE_FILM[name]}=")
        if name not in _OF_DREAM:
            raise ParameterError(
                f"there is no parameter '{name}'.{nearest(name, _OF_DREAM)} A film takes those of "
                "deepdream.dream, and its own"
            )


def going_on(style: Any) -> dict[str, Any]:
    """Return the parameters with which a style goes on from frame to frame."""
    again = dict(style.again)
    if "iter_n" not in again:
        steps = {**NOTEBOOK, **style.parameters}["iter_n"]
        pair = isinstance(steps, (tuple, list))
        fewer = [max(1, round(_FEWER * n)) for n in (steps if pair else [steps])]
        again["iter_n"] = tuple(fewer) if pair else fewer[0]
    return again


def _begin(own: Mapping[str, Any], first: Any) -> dict[str, Any]:
    """Return the parameters of a scene's first frame."""
    begin = {name: value for name, value in own.items() if name != "iter_n"}
    if first is None:
        return begin
    if isinstance(first, Mapping):
        unknown = next((name for name in first if name not in NOTEBOOK), None)
        if unknown is not None:
            raise ParameterError(
                f"first has {unknown!r}, which is no parameter of a picture's steps."
                f"{nearest(str(unknown), NOTEBOOK)}"
            )
        return {**begin, **first}
    Schedule("first", first, whole=True, low=0, expected="a whole number from 0 is expected")
    return {**begin, "iter_n": first}


def random_of(seed: int, number: int) -> np.random.RandomState:
    """Return the random numbers of a frame, which follow from the film's seed and its number."""
    return np.random.RandomState(np.array([seed, number], np.uint32))
