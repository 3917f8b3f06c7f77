"""Objectives as people type and read them, on a command line and in lists of parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ...errors import ParameterError
from .objective import KINDS, FunctionTerm, Objective, Share
from .terms import channel, guide, label, layer

CLASS = "class:"
EVERYWHERE = "-"

_WEIGHT = re.compile(r"(.+)\*\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_CHANNELS_AT_MOST = 2**20
_CHANNELS = re.compile(r"(.+):(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)")


def split_weight(text: str) -> tuple[str, float]:
    """Return what stands before a weight, and the weight: ``"conv4*0.5"`` is conv4 and 0.5.

    Raises
    ------
    ParameterError
        What stands behind the ``*`` is no number.
    """
    text = text.strip()
    found = _WEIGHT.fullmatch(text)
    if found:
        return found[1].strip(), float(found[2])
    if "*" in text:
        raise ParameterError(f"end is '{text}': a number is expected behind the *, as conv4*0.5")
    return text, 1.0


def split_channels(text: str) -> tuple[str, list[int]]:
    """Return a layer, and the channels behind it: ``"conv4:0-2,9"`` is conv4 and 0, 1, 2, 9.

    Raises
    ------
    ParameterError
        A range goes down, or names more channels than any layer has.
    """
    found = _CHANNELS.fullmatch(text)
    if not found:
        return text, []
    numbers: list[int] = []
    for part in found[2].split(","):
        first, _, last = part.partition("-")
        if int(last or first) < int(first):
            raise ParameterError(f"end is '{text}': {part} goes down; a range is written as 3-7")
        if int(last or first) >= _CHANNELS_AT_MOST:
            raise ParameterError(f"end is '{text}': no layer has so many channels as {part}")
        numbers += range(int(first), int(last or first) + 1)
    return found[1], list(dict.fromkeys(numbers))


def steering(
    ends: Sequence[str], masks: Sequence[Any] = (), guides: Sequence[Any] = ()
) -> dict[str, Any]:
    """Return the keywords of `deepdream.dream` that a command line says what is to grow by.

    Parameters
    ----------
    ends : sequence of str
        ``LAYER``, ``LAYER:CHANNELS`` or ``class:NAME``, each with ``*WEIGHT`` behind or not.
    masks : sequence of str or picture
        A single one is the whole dream's. As many as there are ends are theirs, in the same order,
        ``-`` where one counts everywhere.
    guides : sequence of str or picture
        For all ends, which are layers then.

    Returns
    -------
    dict
        Some of ``end``, ``objective``, ``guide`` and ``mask``. Pictures are as they were given.

    Raises
    ------
    ParameterError
        It makes no sense together.
    """
    found: dict[str, Any] = {}
    each = len(masks) > 1
    if each and len(masks) != len(ends):
        raise ParameterError(
            f"mask is given {len(masks)} times, end {len(ends)} times: one mask is for the whole "
            "dream, several are for the ends, in the same order (- counts everywhere)"
        )
    if masks and not each:
        found["mask"] = masks[0]
    parsed = [split_weight(text) for text in ends]
    plain = not any(name.startswith(CLASS) or _CHANNELS.fullmatch(name) for name, _ in parsed)
    if guides and not plain:
        raise ParameterError(
            "guide goes with layers, not with channels or classes: leave the guide out, or give "
            "layers alone as end"
        )
    if plain and not each:
        if guides:
            found["guide"] = guides[0] if len(guides) == 1 else list(guides)
        if parsed:
            found["end"] = _ends(parsed)
        return found
    whole = Objective([])
    for number, (name, weight) in enumerate(parsed):
        term = guide(name, *guides) if guides else term_typed(name)
        if each and masks[number] != EVERYWHERE:
            term = term.where(masks[number])
        whole = whole + weight * term
    return {**found, "objective": whole}


def _ends(parsed: Sequence[tuple[str, float]]) -> Any:
    """Return layers as `deepdream.dream` takes them, in the simplest of its forms."""
    names = [name for name, _ in parsed]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(
                f"end names '{name}' more than once: once, with one weight, is expected ({name}*2)"
            )
    if all(weight == 1 for _, weight in parsed):
        return names[0] if len(names) == 1 else names
    return dict(parsed)


def term_typed(text: str) -> Objective:
    """Return the term that ``LAYER``, ``LAYER:CHANNELS`` or ``class:NAME`` stands for."""
    if text.startswith(CLASS):
        name = text[len(CLASS) :].strip()
        if not name:
            raise ParameterError("end is 'class:' without a name: class:hen is expected, say")
        return label(int(name) if name.isdigit() else name)
    name, channels = split_channels(text)
    return channel(name, *channels) if channels else layer(name)


def in_words(plain: Any) -> str:
    """Return what a recipe says of an objective, or of ends, as one types it.

    Parameters
    ----------
    plain : object
        The recipe's ``end`` or ``objective``: a name, a list or mapping of names, or what
        `Objective.plain` gave.
    """
    if isinstance(plain, Mapping) and "terms" in plain:
        shares = []
        for entry in plain["terms"]:
            kind = KINDS.get(entry.get("term"))
            if kind is None:  # of a later version
                return str(plain)
            given = {field.name: entry.get(field.name) for field in fields(kind)}
            term = kind(**{name: _shown(name, value) for name, value in given.items()})
            mask: Any = _Named(entry["mask"]) if entry.get("mask") is not None else None
            shares.append(Share(term, float(entry.get("weight", 1.0)), mask))
        return repr(Objective(shares))
    if isinstance(plain, Mapping):
        return ", ".join(name if w == 1 else f"{name}*{w:g}" for name, w in plain.items())
    if isinstance(plain, (list, tuple)):
        return ", ".join(map(str, plain))
    return str(plain)


def _shown(name: str, value: Any) -> Any:
    if name == "pictures":
        return tuple(_Named(each) for each in value)
    if name == "f":
        return _Named(value, quoted=False)
    return tuple(value) if isinstance(value, list) else value


class _Named:
    """What stands for a picture or a function of which only the name is known."""

    def __init__(self, plain: Any, quoted: bool = True) -> None:
        file = plain.get("file") if isinstance(plain, Mapping) else None
        self._text = repr(file) if file else f"<{plain}>" if quoted else str(plain)
        self.__qualname__ = self._text

    def __repr__(self) -> str:
        return self._text

    def __call__(self, dst: Any) -> None:
        raise TypeError(f"{self._text} is only a name")


def why_not_again(plain: Mapping[str, Any]) -> str:
    """Return why an objective cannot be had again from a recipe, or an empty text."""
    for entry in plain["terms"]:
        if entry.get("term") == FunctionTerm.name:
            return f"a term of its objective was a function of the user's ('{entry.get('f')}')"
        if entry.get("term") not in KINDS:
            return f"its objective has a term '{entry.get('term')}', unknown to this version"
        masks = [] if entry.get("mask") is None else [entry["mask"]]
        for what, pictures in (("guide", entry.get("pictures") or []), ("mask", masks)):
            if not all(isinstance(picture, Mapping) for picture in pictures):
                return f"a {what} of its objective was an array, not a file"
    return ""
