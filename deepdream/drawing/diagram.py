"""A net as a picture: `draw` makes SVG (and PNG of that), top down, as papers show networks."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..files import replacing
from .boxes import Box, boxes, find_target
from .layout import Graph, Placed, name_groups, place, take_apart

Point = tuple[float, float]

# Fill of a box, and of one that does not lead to the target; what the kind is called.
_KINDS = {
    "input": ("#e3e6ea", "input"),
    "convolution": ("#cfe3fb", "convolution"),
    "pooling": ("#fbd9cf", "pooling"),
    "normalization": ("#d3efd6", "normalization"),
    "join": ("#e4d9f7", "join"),
    "dense": ("#fbeebf", "dense"),
    "other": ("#ececec", "other"),
}
_INK, _PALE_INK, _LINE, _PALE_LINE = "#1d2733", "#6a7178", "#7c8894", "#c3c9cf"
_PALE, _TARGET, _FRAME = "#f4f5f6", "#c2185b", "#f7f8fa"
_MONO, _SANS = "Menlo,Consolas,'DejaVu Sans Mono',monospace", "Helvetica,Arial,sans-serif"

_LINE_HEIGHT, _PADDING, _CORNER = 15.0, 7.0, 6.0
_MARGIN, _AROUND, _NAME = 20.0, 10.0, 14.0  # around all; of a frame, and above for its name
_HEAD = 62.0
_XML = '<?xml version="1.0" encoding="UTF-8"?>'


class Drawing:
    """A picture of a net; notebooks show it.

    Attributes
    ----------
    svg : str
        The picture: one SVG element, without scripts and without anything to load.
    width, height : int
        Its size in pixels.
    """

    def __init__(self, svg: str, width: int, height: int) -> None:
        self.svg, self.width, self.height = svg, width, height

    def _repr_html_(self) -> str:
        """Return it as a picture: of SVG itself an untrusted notebook shows nothing."""
        data = base64.b64encode(self.svg.encode()).decode("ascii")
        return (
            f'<img alt="{escape(repr(self))}" width="{self.width}" height="{self.height}" '
            f'style="max-width:100%;height:auto" src="data:image/svg+xml;base64,{data}">'
        )

    def __repr__(self) -> str:
        return f"<Drawing, {self.width}x{self.height}: its method save writes .svg and .png files>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture into a file, beside and then renamed.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.svg``, or in ``.png``: that has two pixels for each of the drawing's, and
            fonts that Pillow finds.

        Raises
        ------
        ParameterError
            The name ends otherwise.
        WriteError
            The file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in (".svg", ".png"):
            raise ParameterError(
                f"'{os.fsdecode(path)}': drawings are SVG or PNG; name the file .svg or .png"
            )
        content = self.png() if suffix == ".png" else f"{_XML}\n{self.svg}\n".encode()
        with replacing(path) as part:
            part.write_bytes(content)

    def png(self) -> bytes:
        """Return the picture as a PNG file, twice as wide and high."""
        from .raster import rasterize

        buffer = io.BytesIO()
        rasterize(self.svg).save(buffer, "PNG")
        return buffer.getvalue()


def draw(
    net: Any, end: str | None = None, inputs: Mapping[str, Sequence[int]] | None = None
) -> Drawing:
    """Draw a network, from the picture at the top down to its last layers.

    Each box is a layer: its name, what it does, and the shape of its blob. What follows in place,
    or value by value, stands at the foot of the box. Branches, as in an Inception block, stand side
    by side. The target is marked; pale layers do not lead to it.

    Parameters
    ----------
    net : Net
        From `deepdream.load_net`.
    end : str, optional
        The layer to mark. Default: the one recommended for the model; for a net of your own
        ``inception_4c/output`` where there is one, else none.
    inputs : mapping of str to sequence of int, optional
        Shapes of the inputs, ``{"data": (1, 3, 575, 1024)}``; by default those that the net has.

    Returns
    -------
    Drawing
        A notebook shows it; ``draw(net).save("net.svg")`` writes it into a file, and so does
        ``save("net.png")``.

    Raises
    ------
    UnknownLayerError
        `end` is no layer with a blob of its own.
    ParameterError
        Not a net of this package.
    """
    made = boxes(net, inputs, fold_pointwise=True)
    target = find_target(net, made, end)
    return _Sheet(net, made, target).drawing()


class _Sheet:
    """The drawing while it is made."""

    def __init__(self, net: Any, made: list[Box], target: str) -> None:
        self.net, self.boxes, self.target = net, made, target
        self.lines = [_text_of(box) for box in made]
        self.heights = [
            2 * _PADDING + _LINE_HEIGHT * (2 + bool(box.shape)) + _LINE_HEIGHT * len(feet)
            for box, feet in zip(made, self.lines)
        ]
        longest = [_mono(box.name) for box in made]
        longest += [max(_sans(text) for text in (box.words, *feet))
                    for box, feet in zip(made, self.lines)]  # fmt: skip
        self.width = min(300.0, max(120.0, *longest) + 2 * _PADDING)
        graph = Graph([box.reads for box in made])
        column = take_apart(graph)
        self.graph = graph
        self.groups = name_groups(column, [box.name for box in made])
        self.placed: Placed = place(column, self.heights, self.width, self.groups)
        self.leads = self._leading()

    def _leading(self) -> set[int]:
        """Return the boxes that lead to the target, itself included; all where there is none."""
        todo = [n for n, box in enumerate(self.boxes) if self.target in box.targets]
        if not todo:
            return set(range(len(self.boxes)))
        found: set[int] = set()
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                todo += self.graph.above[number]
        return found

    def top(self, number: int) -> Point:
        return self.placed.at[number]

    def bottom(self, number: int) -> Point:
        x, y = self.placed.at[number]
        return x, y + self.heights[number]

    # -- the parts of the picture -----------------------------------------------------------------

    def drawing(self) -> Drawing:
        title = self.net.name or "Network"
        legend = list(self._legend())
        left = min(x for x, _ in self.placed.at.values()) - self.width / 2
        right = max(x for x, _ in self.placed.at.values()) + self.width / 2
        right = max(right, -left, *self.placed.lanes.values()) + _AROUND
        half = max(right, 230.0) + _MARGIN
        width, height = round(2 * half), round(self.placed.height + _HEAD + 2 * _MARGIN + _AROUND)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" style="max-width:100%;height:auto">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
            f'<g font-family="{_SANS}" font-size="12" fill="{_INK}">',
            _words(_MARGIN, 32, title, 'font-size="17" font-weight="bold"'),
            _words(_MARGIN, 51, self._about(), f'fill="{_PALE_INK}"'),
            *legend,
            f'<g transform="translate({_number(half)} {_number(_HEAD + _MARGIN)})">',
            *self._frames(),
            *self._links(),
            *(self._box(number) for number in range(len(self.boxes))),
            "</g></g></svg>",
        ]
        return Drawing("\n".join(parts), width, height)

    def _about(self) -> str:
        if not self.target:
            return f"{len(self.boxes)} boxes, from the picture down"
        pale = len(self.leads) < len(self.boxes)
        return f"target: {self.target}" + ("; pale layers do not lead to it" if pale else "")

    def _legend(self) -> Iterator[str]:
        used = {box.kind for box in self.boxes}
        x = _MARGIN
        for kind, (fill, name) in _KINDS.items():
            if kind in used:
                yield (
                    f'<rect x="{_number(x)}" y="61" width="11" height="11" rx="2" fill="{fill}" '
                    f'stroke="{_LINE}" stroke-width=".7"/>'
                )
                yield _words(x + 15, 71, name, f'font-size="11" fill="{_PALE_INK}"')
                x += 27 + _sans(name)

    def _frames(self) -> Iterator[str]:
        """Yield a frame with its name around each group, where nothing else is inside."""
        members: dict[str, list[int]] = {}
        for number, group in enumerate(self.groups):
            if group:
                members.setdefault(group, []).append(number)
        for group, numbers in members.items():
            x1 = min(self.top(n)[0] for n in numbers) - self.width / 2 - _AROUND
            x2 = max(self.top(n)[0] for n in numbers) + self.width / 2 + _AROUND
            lanes = [self.placed.lanes[n] for n in numbers if n in self.placed.lanes]
            if lanes:
                x2 = max(x2, *(lane + _AROUND for lane in lanes))
                x1 = min(x1, -x2) if len({self.top(n)[0] for n in numbers}) == 1 else x1
            y1 = min(self.top(n)[1] for n in numbers) - _AROUND - _NAME
            y2 = max(self.bottom(n)[1] for n in numbers) + _AROUND
            others = set(range(len(self.boxes))) - set(numbers)
            if any(
                x1 < x + self.width / 2 and x - self.width / 2 < x2 and y1 < bottom and y < y2
                for (x, y), bottom in ((self.top(n), self.bottom(n)[1]) for n in others)
            ):
                continue
            yield (
                f'<rect x="{_number(x1)}" y="{_number(y1)}" width="{_number(x2 - x1)}" '
                f'height="{_number(y2 - y1)}" rx="9" fill="{_FRAME}" stroke="#d8dde2"/>'
            )
            # In the corner beside the box where branches meet, or else above.
            lowest = max(numbers, key=lambda n: self.bottom(n)[1])
            beside = self.top(lowest)[0] - self.width / 2 - x1 > _sans(group) + 24
            y = y2 - 12 if beside else y1 + 15
            yield _words(x1 + 10, y, group, f'font-weight="bold" fill="{_PALE_INK}"')

    def _links(self) -> Iterator[str]:
        """Yield a line from each box to each one that reads it, pale ones first."""
        edges = [(u, v) for v, above in enumerate(self.graph.above) for u in above]
        for pale in (True, False):
            stroke = _PALE_LINE if pale else _LINE
            for u, v in edges:
                if (v not in self.leads) == pale:
                    yield f'<path d="{self._route(u, v)}" fill="none" stroke="{stroke}"/>'
            for v in sorted({v for _, v in edges if (v not in self.leads) == pale}):
                x, y = self.top(v)
                yield f'<path d="M{_xy(x - 4, y - 7)}L{_xy(x + 4, y - 7)}L{_xy(x, y)}z" ' \
                      f'fill="{stroke}"/>'  # fmt: skip

    def _route(self, u: int, v: int) -> str:
        (x1, y1), (x2, y2) = self.bottom(u), self.top(v)
        parts, meets = len(self.graph.below[u]) > 1, len(self.graph.above[v]) > 1
        if {u, v} & self.placed.loose:
            middle = (y1 + y2) / 2
            return f"M{_xy(x1, y1)}C{_xy(x1, middle)} {_xy(x2, middle)} {_xy(x2, y2)}"
        fan = min(self.top(n)[1] for n in self.graph.below[u]) - y1
        out, into = y1 + min(17.0, fan / 2), y2 - 15
        if parts and meets:
            lane = self.placed.lanes.get(v, x2)
            return _bent([(x1, y1), (x1, out), (lane, out), (lane, into), (x2, into), (x2, y2)])
        turn = out if parts else into
        return _bent([(x1, y1), (x1, turn), (x2, turn), (x2, y2)])

    def _box(self, number: int) -> str:
        box, feet = self.boxes[number], self.lines[number]
        x, y = self.top(number)
        left, height = x - self.width / 2, self.heights[number]
        pale = number not in self.leads
        marked = bool(self.target) and self.target in box.targets
        fill = _PALE if pale else _KINDS[box.kind][0]
        stroke, ink = (_PALE_LINE, _PALE_INK) if pale else (_LINE, _INK)
        line = f'stroke="{_TARGET}" stroke-width="3"' if marked else f'stroke="{stroke}"'
        parts = [
            f"<g><title>{escape(_tooltip(box))}</title>",
            f'<rect x="{_number(left)}" y="{_number(y)}" width="{_number(self.width)}" '
            f'height="{_number(height)}" rx="5" fill="{fill}" {line}/>',
        ]
        middle = f'text-anchor="middle" fill="{ink}"'
        room = self.width - 2 * _PADDING
        row = y + _PADDING + 11
        bold = 'font-weight="bold" ' if self.target == box.name else ""
        parts.append(
            _words(x, row, box.name, f'font-family="{_MONO}" font-size="11" {bold}{middle}',
                   room if _mono(box.name) > room else 0)
        )  # fmt: skip
        for text in (box.words, box.shape):
            if text:
                row += _LINE_HEIGHT
                squeezed = room if _sans(text) > room else 0
                parts.append(_words(x, row, text, f'font-size="11" {middle}', squeezed))
        if feet:
            edge = y + height - _PADDING / 2 - _LINE_HEIGHT * len(feet)
            parts.append(
                f'<path d="M{_xy(left, edge)}H{_number(left + self.width)}" stroke="{stroke}" '
                'stroke-dasharray="2 2" fill="none"/>'
            )
            row = edge + 11.5
            for text in feet:
                squeezed = room if _sans(text) > room else 0
                parts.append(_words(x, row, text, f'font-size="11" {middle}', squeezed))
                row += _LINE_HEIGHT
        if marked:
            parts.append(
                f'<rect x="{_number(left + self.width - 54)}" y="{_number(y - 9)}" width="46" '
                f'height="17" rx="8.5" fill="{_TARGET}"/>'
            )
            parts.append(
                _words(left + self.width - 31, y + 3, "target",
                       'font-size="11" text-anchor="middle" fill="#ffffff"')
            )  # fmt: skip
        return "\n".join([*parts, "</g>"])


def _text_of(box: Box) -> list[str]:
    """Return the lines at the foot of a box: what is in place in one, each other blob in its own.

    A layer with a blob of its own is told by name: it can be dreamed at.
    """
    feet: list[str] = []
    for layer in box.folded:
        if layer.blob:
            feet.append(f"{layer.type} → {layer.blob}")
        elif feet and "→" not in feet[-1]:
            feet[-1] += f", {layer.type}"
        else:
            feet.append(layer.type)
    return feet


def _tooltip(box: Box) -> str:
    lines = [f"{box.name}: {', '.join(filter(None, (box.words, box.pad)))}"]
    if box.view is not None:
        lines.append(f"blob {box.shape}, stride {box.stride}, receptive field {box.field_of_view}")
    lines += [f"then {layer.name} ({layer.type})" for layer in box.folded]
    return "\n".join(lines)


def _bent(points: list[Point]) -> str:
    """Return a path with upright and level parts and rounded corners."""
    line = [points[0]]
    for point in points[1:]:
        if point != line[-1]:
            line.append(point)
    line = [
        here
        for i, here in enumerate(line)
        if i in (0, len(line) - 1)
        or not (line[i - 1][0] == here[0] == line[i + 1][0]
                or line[i - 1][1] == here[1] == line[i + 1][1])
    ]  # fmt: skip
    path = f"M{_xy(*line[0])}"
    for before, here, after in zip(line, line[1:], line[2:]):
        start, stop = _towards(here, before), _towards(here, after)
        path += f"L{_xy(*start)}Q{_xy(*here)} {_xy(*stop)}"
    return f"{path}L{_xy(*line[-1])}"


def _towards(corner: Point, other: Point) -> Point:
    """Return the point where a rounded corner ends, at most half way to the next."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER, length / 2) / length
    return corner[0] + dx * share, corner[1] + dy * share


def _words(x: float, y: float, text: str, how: str, length: float = 0) -> str:
    """Return text; where `length` is given, squeezed to that many pixels."""
    if length:
        how += f' textLength="{_number(length)}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{_number(x)}" y="{_number(y)}" {how}>{escape(text)}</text>'


def _mono(text: str) -> float:
    """Return how wide a name is, in an 11 pixel monospaced font."""
    return 6.65 * len(text)


def _sans(text: str) -> float:
    """Return how wide a text is, in an 11 pixel font, rather too wide than too narrow."""
    narrow = sum(character in " .,:;ijlt'|!/" for character in text)
    return 6.9 * (len(text) - narrow) + 3.7 * narrow  # DejaVu Sans, what Linux has for Helvetica


def _xy(x: float, y: float) -> str:
    return f"{_number(x)} {_number(y)}"


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
