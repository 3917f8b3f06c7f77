"""Sixth pass: where every array lies in one block of memory.

Two arrays may take the same place if they are never in use at once. Values that a Concat joins
are, from their making on, neighbouring channels of its top, so that joining them costs nothing;
the tops of merged convolutions are neighbours too, so that one product makes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .program import Node, Program, Value
from .schedule import Life

ALIGN = 16  # floats: a cache line


@dataclass(eq=False)
class Storage:
    """Memory in which every pixel has `width` channels, shared by values side by side.

    ``members`` tells each value's first channel.
    """

    width: int
    members: dict[Value, int] = field(default_factory=dict)


def place(
    program: Program,
    channels: Mapping[Value, int],
    values: Sequence[Value],
    joins: Callable[[Node, Value], bool],
) -> dict[Value, Storage]:
    """Decide which values share a storage.

    Parameters
    ----------
    program : Program
    channels : mapping of Value to int
    values : sequence of Value
        Those that have an array (of data, or of diff).
    joins : callable
        Tells whether a Concat's bottom may be a part of its top.

    Returns
    -------
    dict of Value to Storage
    """
    placed: dict[Value, Storage] = {}
    known = set(values)
    for node in program.nodes:
        if len(node.tops) > 1 and node.type == "Convolution":
            storage = Storage(0)
            for value in node.tops:
                storage.members[value] = storage.width
                storage.width += channels[value]
                placed[value] = storage
    joined: set[Value] = set()
    for node in program.nodes:
        if node.type == "Concat" and node.tops[0] in known and joined.isdisjoint(node.tops):
            _join(node, channels, placed, joined, known, joins)
    for value in values:
        if value not in placed:
            placed[value] = Storage(channels[value], {value: 0})
    return {value: storage for value, storage in placed.items() if value in known}


def _join(
    node: Node,
    channels: Mapping[Value, int],
    placed: dict[Value, Storage],
    joined: set[Value],
    known: set[Value],
    joins: Callable[[Node, Value], bool],
) -> None:
    """Let a Concat's top and as many of its bottoms as possible share a storage."""

    def free(value: Value) -> bool:
        return value in known and value not in joined and joins(node, value)

    top, first = node.tops[0], node.bottoms[0]
    storage, start = Storage(0), 0
    if free(first) and first in placed and _ends(placed[first], first, channels):
        storage = placed[first]
        start = storage.members[first]
    storage.members[top] = start
    placed[top] = storage
    offset = start
    for value in node.bottoms:
        if free(value):
            own = placed.get(value)
            if own is None:
                storage.members[value] = offset
                placed[value] = storage
                joined.add(value)
            elif own is storage and storage.members[value] == offset:
                joined.add(value)
            elif own.width == channels[value] and own is not storage:  # a Concat's top, say
                for member, at in own.members.items():
                    storage.members[member] = offset + at
                    placed[member] = storage
                joined.add(value)
        offset += channels[value]
    storage.width = max(storage.width, offset)


def _ends(storage: Storage, value: Value, channels: Mapping[Value, int]) -> bool:
    """Tell whether a value takes the last channels of its storage."""
    return storage.members[value] + channels[value] == storage.width


def pack(sizes: Sequence[int], lives: Sequence[Life]) -> tuple[list[int], int]:
    """Find places for arrays in one block of memory.

    The largest come first, each at the lowest place that is free during its whole life.

    Parameters
    ----------
    sizes : sequence of int
    lives : sequence of (int, int)
        First and last tick of use.

    Returns
    -------
    (list of int, int)
        The places, multiples of 16, and the size of the block.
    """
    places = [0] * len(sizes)
    taken: list[tuple[int, int, Life]] = []  # start, stop, life; by start
    total = 0
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], lives[i])):
        first, last = lives[i]
        size = -(-sizes[i] // ALIGN) * ALIGN
        at = 0
        for start, stop, (begin, end) in taken:
            if begin <= last and first <= end:
                if start - at >= size:
                    break
                at = max(at, stop)
        places[i] = at
        taken.append((at, at + size, lives[i]))
        taken.sort(key=lambda entry: entry[0])
        total = max(total, at + size)
    return places, total


def joint_life(storage: Storage, lives: Mapping[Value, Life]) -> Life:
    """Return the time from the first use of any member to the last."""
    each = [lives[value] for value in storage.members if value in lives]
    return min(life[0] for life in each), max(life[1] for life in each)
