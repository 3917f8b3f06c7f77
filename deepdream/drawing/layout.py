"""Where the boxes of a net go.

Nets of this kind are taken apart from the outside in. A box that every way through the net passes
is a knot; knots stand one below the other. What lies between two knots falls into branches that
have nothing to do with each other; they stand side by side, and each is taken apart in the same
way. So an Inception block is four columns that meet in a Concat, and a residual block is a column
with a line beside it. What cannot be taken apart stands in rows, one for each step from above.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Union

GAP = 22.0  # between boxes in a column
FAN = 34.0  # where lines part or meet
APART = 48.0  # between groups, which have frames with names
SIDE = 16.0  # between columns
LANE = 22.0  # what a line beside a column takes


@dataclass(frozen=True)
class Column:
    """Parts one below the other."""

    parts: list[Part]


@dataclass(frozen=True)
class Branches:
    """Columns side by side; `through` tells whether a line passes them by."""

    columns: list[Column]
    through: bool


@dataclass(frozen=True)
class Rows:
    """Boxes that cannot be taken apart, by the longest way to each of them."""

    rows: list[list[int]]


Part = Union[int, Branches, Rows]


@dataclass
class Graph:
    """Boxes by number, an edge always from a smaller to a larger one."""

    above: list[list[int]]
    below: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.below = [[] for _ in self.above]
        for number, sources in enumerate(self.above):
            for source in sources:
                self.below[source].append(number)


def take_apart(graph: Graph) -> Column:
    """Return how a net is made of columns and branches."""
    everything = list(range(len(graph.above)))
    return Column(_between(graph, everything, through=False))


def _between(graph: Graph, inside: list[int], through: bool) -> list[Part]:
    """Return the parts between two knots: none, one column's, or branches."""
    groups = _connected(graph, inside)
    if len(groups) == 1 and not through:
        return _in_line(graph, groups[0])
    if not groups:
        return []
    return [Branches([Column(_in_line(graph, group)) for group in groups], through)]


def _in_line(graph: Graph, inside: list[int]) -> list[Part]:
    """Return the parts of what hangs together."""
    knots = _knots(graph, inside)
    if not knots:
        return [Rows(_rows(graph, inside))]
    members = set(inside)
    after: dict[int, int] = {}  # each box's last knot above it; -1 for none
    for number in inside:
        if number in knots:
            after[number] = number
        else:
            above = [after[source] for source in graph.above[number] if source in members]
            after[number] = max(above, default=-1)
    parts: list[Part] = []
    for knot in [-1, *sorted(knots)]:
        if knot >= 0:
            parts.append(knot)
        rest = [number for number in inside if after[number] == knot and number not in knots]
        following = min((number for number in knots if number > knot), default=-1)
        through = knot >= 0 and following in graph.below[knot]
        parts += _between(graph, rest, through)
    return parts


def _connected(graph: Graph, inside: list[int]) -> list[list[int]]:
    """Return the groups of boxes that hang together, each ascending, by their first box."""
    members, groups = set(inside), []
    while members:
        todo, group = [min(members)], set()
        while todo:
            number = todo.pop()
            if number in members:
                members.remove(number)
                group.add(number)
                todo += graph.above[number] + graph.below[number]
        groups.append(sorted(group))
    return groups


def _knots(graph: Graph, inside: list[int]) -> set[int]:
    """Return the boxes that every way through `inside` passes: those with all ways on them."""
    members = set(inside)
    down: dict[int, int] = {}
    for number in inside:
        sources = [source for source in graph.above[number] if source in members]
        enters = len(sources) < len(graph.above[number]) or not sources
        down[number] = enters + sum(down[source] for source in sources)
    up: dict[int, int] = {}
    total = 0
    for number in reversed(inside):
        targets = [target for target in graph.below[number] if target in members]
        leaves = len(targets) < len(graph.below[number]) or not targets
        up[number] = leaves + sum(up[target] for target in targets)
        total += leaves * down[number]
    return {number for number in inside if down[number] * up[number] == total}


def _rows(graph: Graph, inside: list[int]) -> list[list[int]]:
    rank: dict[int, int] = {}
    rows: list[list[int]] = []
    for number in inside:
        rank[number] = 1 + max((rank.get(s, -1) for s in graph.above[number]), default=-1)
        while len(rows) <= rank[number]:
            rows.append([])
        rows[rank[number]].append(number)
    return [row for row in rows if row]


def name_groups(column: Column, names: Sequence[str]) -> list[str]:
    """Return for each box the name of the block it belongs to, or an empty string.

    Parameters
    ----------
    column : Column
        From `take_apart`.
    names : sequence of str
        Of the boxes.

    Notes
    -----
    A name with a slash says it itself: ``inception_3a/1x1``. Otherwise it is what the names of
    branches, and of the box they meet in, begin with: ``res2a_branch1``, ``res2a``.
    """
    groups = [name.rpartition("/")[0] for name in names]
    _name_branches(column, names, groups)
    return [group if groups.count(group) > 1 else "" for group in groups]


def _name_branches(column: Column, names: Sequence[str], groups: list[str]) -> None:
    for i, part in enumerate(column.parts):
        if isinstance(part, int):
            continue
        inner = numbers_of(part)
        following = column.parts[i + 1] if i + 1 < len(column.parts) else None
        for members in ([*inner, following], inner):
            numbers = [number for number in members if isinstance(number, int)]
            prefix = os.path.commonprefix([names[number] for number in numbers]).rstrip("_-./")
            if len(prefix) > 1 and len(numbers) > 1 and not any(groups[n] for n in numbers):
                for number in numbers:
                    groups[number] = prefix
                break
        for inside in part.columns if isinstance(part, Branches) else []:
            _name_branches(inside, names, groups)


def numbers_of(part: Part | Column) -> list[int]:
    """Return the boxes of a part, ascending."""
    if isinstance(part, int):
        return [part]
    if isinstance(part, Rows):
        return sorted(number for row in part.rows for number in row)
    inner: Sequence[Part | Column] = part.parts if isinstance(part, Column) else part.columns
    return sorted(number for each in inner for number in numbers_of(each))


@dataclass
class Placed:
    """Boxes in the plane.

    Attributes
    ----------
    width, height : float
    at : dict of int to (float, float)
        Middle and upper edge of each box; the middle of all is 0.
    lanes : dict of int to float
        Where the line that passes branches by goes down, by the box below them.
    loose : set of int
        Boxes in rows: lines to and from them may cross others.
    passing : float
        Where a line that passes all of this by goes down.
    """

    width: float = 0.0
    height: float = 0.0
    at: dict[int, tuple[float, float]] = field(default_factory=dict)
    lanes: dict[int, float] = field(default_factory=dict)
    loose: set[int] = field(default_factory=set)
    passing: float = 0.0

    def add(self, other: Placed, x: float, y: float) -> None:
        """Put another one inside, its middle at `x`, its upper edge at `y`."""
        self.at.update((n, (x + x1, y + y1)) for n, (x1, y1) in other.at.items())
        self.lanes.update((n, x + x1) for n, x1 in other.lanes.items())
        self.loose |= other.loose


def place(column: Column, heights: Sequence[float], width: float, groups: Sequence[str]) -> Placed:
    """Find places for all boxes.

    Parameters
    ----------
    column : Column
        From `take_apart`.
    heights : sequence of float
        Of the boxes.
    width : float
        Of every box.
    groups : sequence of str
        From `name_groups`.
    """
    placed = Placed(width)
    y = 0.0
    before: Part | None = None
    passing = 0.0
    for part in column.parts:
        if before is not None:
            y += _gap(before, part, groups)
        inner = _place_part(part, heights, width, groups)
        placed.add(inner, 0.0, y)
        if isinstance(part, int) and passing:
            placed.lanes[part] = passing
        placed.width = max(placed.width, inner.width)
        y += inner.height
        before, passing = part, inner.passing
    placed.height = y
    return placed


def _gap(before: Part, after: Part, groups: Sequence[str]) -> float:
    last, first = groups[numbers_of(before)[-1]], groups[numbers_of(after)[0]]
    if last != first:
        return APART
    return GAP if isinstance(before, int) and isinstance(after, int) else FAN


def _place_part(
    part: Part, heights: Sequence[float], width: float, groups: Sequence[str]
) -> Placed:
    if isinstance(part, int):
        return Placed(width, heights[part], {part: (0.0, 0.0)})
    if isinstance(part, Rows):
        return _place_rows(part, heights, width)
    columns = [place(inner, heights, width, groups) for inner in part.columns]
    own = sum(column.width for column in columns) + SIDE * (len(columns) - 1)
    placed = Placed(own, max(column.height for column in columns))
    if part.through:
        placed.width, placed.passing = own + 2 * LANE, own / 2 + LANE * 0.75
    x = -own / 2
    for column in columns:
        placed.add(column, x + column.width / 2, placed.height - column.height)
        x += column.width + SIDE
    return placed


def _place_rows(part: Rows, heights: Sequence[float], width: float) -> Placed:
    placed = Placed(max(len(row) for row in part.rows) * (width + SIDE) - SIDE)
    y = 0.0
    for row in part.rows:
        x = -(len(row) * (width + SIDE) - SIDE) / 2 + width / 2
        for number in row:
            placed.at[number] = x, y
            x += width + SIDE
        y += max(heights[number] for number in row) + FAN
    placed.height = y - FAN
    placed.loose = {number for row in part.rows for number in row}
    return placed
