"""What is wrong with the text of a prototxt, in words that help.

Protobuf's parser says where it stopped and what it expected there. `explain` adds the line, and
for the mistakes that people make with nets what to write instead: the nearest field or value, the
spelling of a layer's type in its format, the net's file in place of the solver's.
"""

from __future__ import annotations

import re

from google.protobuf import text_format

from ..errors import nearest
from ..files import conflict
from .caffe_pb2 import DESCRIPTOR, V1LayerParameter
from .upgrade import V1_TYPES

# Fields that only a solver has: how to train, not what to train.
_SOLVER_FIELDS = re.compile(
    r"^\s*(net|train_net|test_net|base_lr|lr_policy|max_iter|test_iter|solver_mode|snapshot_prefix)"
    r"\s*:",
    re.MULTILINE,
)

# The longest piece of a line, and of a reason, that a message quotes.
_QUOTED = 90
_REASON = 160


def explain(error: text_format.ParseError, text: str, source: str) -> str:
    """Return what to tell about a text that protobuf refuses.

    Parameters
    ----------
    error : ParseError
        What ``text_format.Parse`` raised.
    text : str
        What it parsed.
    source : str
        Where the text comes from.

    Returns
    -------
    str
        Two lines: place, reason and next step; then the line of the text.
    """
    number = conflict(text.encode("utf-8", "replace"))
    if number:
        return _plain(
            f"'{source}', line {number}: git could not merge this file: choose one of its two "
            "versions, and delete the lines of <<<<<<<, ======= and >>>>>>>."
        )
    row, column = error.GetLine(), error.GetColumn()
    if row is None or column is None:
        return _plain(f"'{source}' cannot be parsed: {error}"[: 2 * _REASON])
    lines = text.split("\n")
    line = lines[row - 1].rstrip("\r") if row <= len(lines) else ""
    reason = str(error)
    for prefix in (f"{row}:{column} : ", f"'{line}': ", "'': "):
        reason = reason[len(prefix) :] if reason.startswith(prefix) else reason
    reason = reason.replace("caffe.", "").rstrip(".")

    if reason.startswith('Message type "NetParameter" has no') and _SOLVER_FIELDS.search(text):
        net = re.search(r'^\s*(?:train_)?net\s*:\s*["\']([^"\'\n]+)', text, re.MULTILINE)
        return _plain(
            f"'{source}' is the prototxt of a solver, which tells how a net is trained. Give that "
            "of the net" + (f": it names '{net.group(1)}'." if net else ".")
        )
    what = f"'{source}', line {row}, column {column}: {reason[:_REASON]}.{_advice(reason, line)}"
    return f"{_plain(what)}\n    {_plain(_piece(line, column))}".rstrip()


def _piece(line: str, column: int) -> str:
    """Return a line, or the part of a long one around `column`."""
    start = max(0, min(column - 1 - _QUOTED // 2, len(line) - _QUOTED))
    piece = line[start : start + _QUOTED].strip()
    return ("... " if start else "") + piece + (" ..." if start + _QUOTED < len(line) else "")


def _plain(text: str) -> str:
    """Return text that leaves a terminal as it is."""
    return "".join(char if char.isprintable() else " " for char in text)


def _advice(reason: str, line: str) -> str:
    """Return the next step for protobuf's reason, with a blank in front; "" where none is known."""
    for pattern, advise in (
        (r'Message type "([\w.]+)" has no field named "(.*?)"', _unknown_field),
        (r'Enum type "V1LayerParameter.LayerType" has no value named "(.*?)"$', _quoted_type),
        (r'Enum type "([\w.]+)" has no value named "?(.*?)"?$', _unknown_value),
    ):
        match = re.match(pattern, reason)
        if match:
            return advise(*match.groups())
    match = re.match(r"Expected string but found: '(\w+)'", reason)
    if match and re.search(rf"\btype\s*:\s*{match.group(1)}\b", line):
        return _unquoted_type(match.group(1))
    for sign, advice in (
        ("should not have multiple", " Keep one of them."),
        ("missing ending quote", " Close the quote in the same line."),
        ('Expected "}"', ' The text ends before a "{" is closed. Is the file cut short?'),
        ("Couldn't parse integer", " It must be a whole number."),
        ("Value out of range", " Sizes cannot be negative, nor beyond 32 bits."),
    ):
        if sign in reason:
            return advice
    return ""


def _unknown_field(message: str, name: str) -> str:
    if name in ("layer", "layers"):
        return ' Is a "}" missing before it?'
    descriptor = DESCRIPTOR.message_types_by_name.get(message)
    names = list(descriptor.fields_by_name) if descriptor else []
    hint = nearest(name, names)
    if name.endswith("_param"):
        return f" BVLC Caffe has no such layer, a variant of it may.{hint}"
    return hint or f" It has {', '.join(names[:10])}{' and others' if len(names) > 10 else ''}."


def _unknown_value(enum: str, value: str) -> str:
    owner, _, name = enum.rpartition(".")
    holder = DESCRIPTOR.message_types_by_name[owner] if owner else DESCRIPTOR
    values = [known.name for known in holder.enum_types_by_name[name].values]
    return nearest(value, values) or f" It has {', '.join(values[:10])}."


def _quoted_type(name: str) -> str:
    words = [
        word for word, number in V1LayerParameter.LayerType.items() if V1_TYPES[number] == name
    ]
    correct = f": {words[0]}" if words else ""
    return f" In layers {{ }} a type has no quotes{correct}. Or write layer {{ }}, as since 2015."


def _unquoted_type(word: str) -> str:
    names = [V1_TYPES[n] for known, n in V1LayerParameter.LayerType.items() if known == word]
    correct = f': "{names[0]}"' if names else ""
    return f" In layer {{ }} a type has quotes{correct}. Or write layers {{ }}, as before 2015."
