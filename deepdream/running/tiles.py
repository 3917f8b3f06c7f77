"""Pictures in parts: which crops give together the gradient of the whole.

A position of the target sees a part of the picture, its receptive field. The gradient of a sum
over positions is the sum of their gradients, so the positions can be shared out among tiles: each
tile has the crop that its positions see, and gives the gradient of the objective restricted to
them. Crops overlap; no position is counted twice.

Inside a crop the positions of a tile are computed from the same numbers as in the whole picture.
Crops start at multiples of the strides, so that windows lie where they lay. At the border of the
picture a crop has the picture's own padding and rounding. At other borders padding spoils what is
near, but a tile's positions are so far inside that nothing they read is spoiled, in any layer: a
value in a receptive field depends on values in that field alone. So the sum is the whole's gradient
but for rounding, and there are no seams.

All crops of a picture have one size, because what runs a net is prepared for a size. That works
for sizes that differ from the picture's by a multiple of the strides: then every layer rounds its
crop as it rounds the whole.

Only geometry is here: nothing runs, and no array is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import OutOfMemoryError, ShapeError
from ..memory import format_size
from .blob import shapes_of
from .geometry import Pair

Shape = tuple[int, ...]

# Crops start at multiples of this many strides of the target. One would do; four keep together
# what is computed together, so that fast convolutions round as they do on the whole picture and a
# maximum between nearly equal values falls the same way.
ALIGN = 4


class Reach(NamedTuple):
    """What the positions of a blob depend on: along each axis, position t depends on nothing
    outside the pixels ``t * stride - before`` to ``t * stride + after``, both included.

    Attributes
    ----------
    stride, before, after : (int, int)
        Pixels of the picture, along height and width; none is negative.
    """

    stride: Pair = (1, 1)
    before: Pair = (0, 0)
    after: Pair = (0, 0)


@dataclass(frozen=True)
class Tile:
    """One crop of a picture, and the positions of the target that it answers for.

    The methods take arrays or tensors whose last two axes are height and width.

    Attributes
    ----------
    crop : (slice, slice)
        Rows and columns of the picture.
    own : (slice, slice)
        Rows and columns of the whole picture's target.
    inner : (slice, slice)
        The same positions in the target of the crop.
    """

    crop: tuple[slice, slice]
    own: tuple[slice, slice]
    inner: tuple[slice, slice]

    @property
    def size(self) -> Pair:
        """Height and width of the crop."""
        rows, columns = self.crop
        return rows.stop - rows.start, columns.stop - columns.start

    def cut(self, picture: Any) -> Any:
        """Return a view of the crop: what the net gets to see, and where its gradient belongs."""
        rows, columns = self.crop
        return picture[..., rows, columns]

    def restrict(self, diff: Any) -> None:
        """Set `diff`, of the crop's target, to zero outside the tile's own positions."""
        rows, columns = self.inner
        diff[..., : rows.start, :] = 0
        diff[..., rows.stop :, :] = 0
        diff[..., rows, : columns.start] = 0
        diff[..., rows, columns.stop :] = 0

    def gather(self, part: Any, whole: Any) -> None:
        """Write the tile's own positions of `part`, of the crop's target, into the whole target."""
        (rows, columns), (from_rows, from_columns) = self.own, self.inner
        whole[..., rows, columns] = part[..., from_rows, from_columns]

    def scatter(self, whole: Any, part: Any) -> None:
        """Write all of `part`, of the crop's target: the whole's at own positions, else zero."""
        (rows, columns), (to_rows, to_columns) = self.own, self.inner
        part[...] = 0
        part[..., to_rows, to_columns] = whole[..., rows, columns]


def reach(net: Any, end: str, size: Pair) -> Reach:
    """Tell what a position of a target depends on.

    Parameters
    ----------
    net : Graph
        Nothing of it is changed.
    end : str
        Layer that makes the target: its top of that name, else its first top.
    size : (int, int)
        Height and width of the picture.

    Returns
    -------
    Reach

    Raises
    ------
    ShapeError
        A position depends on the whole picture, or on where in it it lies, or a blob does not
        grow with the picture: such a net cannot run in parts. The message names the layer.
        Or the net cannot take a picture of this size.
    UnknownLayerError
        `end` is no layer.
    """
    target, layers = _subgraph(net, end)
    read = {target, *(name for i in layers for name in net._bottom_names[i])}
    for i in layers:
        if net._layers[i].type == "Pooling" and read.intersection(net._top_names[i][1:]):
            raise _whole_seen(net, i, "tells places counted from the picture's corner")
    source = _input(net)
    found: dict[str, Reach] = {source: Reach()}
    for i in layers:
        bottoms = [found[name] for name in net._bottom_names[i] if name in found]
        if bottoms:
            made = _through(net, i, bottoms)
            found.update((name, made) for name in net._top_names[i])
    if target not in found:
        raise ShapeError(f"{net.source}: '{target}' does not depend on '{source}', the picture")
    _check_growth(net, size, layers, found, target)
    return found[target]


def needed(net: Any, end: str, size: Pair, rows: Pair, columns: Pair) -> tuple[slice, slice]:
    """Tell which part of a picture a part of the target depends on.

    Parameters
    ----------
    net, end, size
        As for `reach`.
    rows, columns : (int, int)
        First position of the target, and the one after the last.

    Returns
    -------
    (slice, slice)
        Rows and columns of the picture; nothing outside them matters.

    Raises
    ------
    ShapeError, UnknownLayerError
        As for `reach`.
    """
    stride, before, after = reach(net, end, size)
    spans = []
    for axis, (first, stop) in enumerate((rows, columns)):
        start = first * stride[axis] - before[axis]
        last = (stop - 1) * stride[axis] + after[axis]
        spans.append(slice(max(0, start), max(0, min(last + 1, size[axis]))))
    return spans[0], spans[1]


def choose_tiles(
    net: Any, end: str, size: Pair, memory_of: Callable[[int, int], int], limit: int
) -> list[Tile]:
    """Cut a picture so that each part fits into memory, at the least cost.

    Parameters
    ----------
    net, end, size
        As for `reach`.
    memory_of : callable
        ``memory_of(height, width)`` tells the bytes that a crop of this size needs. It is called
        few times, and should not give less per pixel for a smaller crop.
    limit : int
        Bytes that a crop may need.

    Returns
    -------
    list of Tile
        Row by row, with crops of one size and the smallest sum of areas. A single one, with the
        whole picture, where that fits.

    Raises
    ------
    OutOfMemoryError
        Even the smallest crops do not fit, or the net cannot run in parts. The message tells what
        is needed.
    ShapeError, UnknownLayerError
        The net cannot take the picture; `end` is no layer.
    """
    return [tiles[end] for tiles in tiles_of(net, [end], size, memory_of, limit)]


def tiles_of(
    net: Any, ends: Sequence[str], size: Pair, memory_of: Callable[[int, int], int], limit: int
) -> list[dict[str, Tile]]:
    """Cut a picture as `choose_tiles` does, for several targets at once.

    Parameters
    ----------
    net, size, memory_of, limit
        See `choose_tiles`.
    ends : sequence of str
        The targets, one or more.

    Returns
    -------
    list of dict of str to Tile
        For each crop, by target: which of its positions the crop answers for.

    Raises
    ------
    OutOfMemoryError, ShapeError, UnknownLayerError
        As `choose_tiles`.
    """
    height, width = size
    shapes = {}
    for end in ends:
        target, layers = _subgraph(net, end)
        shapes[end] = _shapes(net, layers, size)[target]
    whole = memory_of(height, width)
    if whole <= limit:
        return [{end: _whole(size, shape) for end, shape in shapes.items()}]
    start = (
        f"a {width} x {height} picture at {' and '.join(map(repr, ends))} needs "
        f"{format_size(whole)} of memory, {format_size(limit)} may be used"
    )
    try:
        seen = {end: reach(net, end, size) for end in ends}
    except ShapeError as error:
        raise OutOfMemoryError(
            f"{start}.\nIt cannot be dreamt in parts: {error}\n"
            "Or use a smaller picture, or a larger max_memory."
        ) from None
    axes = [
        _Axis(
            size[axis],
            tuple(
                _Seen(shapes[end][2 + axis], *(values[axis] for values in seen[end]))
                for end in ends
            ),
        )
        for axis in (0, 1)
    ]
    crops, least = _cheapest(axes, memory_of, limit, whole)
    if crops is None:
        raise OutOfMemoryError(
            f"{start}, and the smallest part of it needs {format_size(least)}:\n"
            "use an end nearer to the picture, which sees less of it, or a larger max_memory"
        )
    rows, columns = (list(axis.spans(crop)) for axis, crop in zip(axes, crops))
    return [
        {
            end: Tile((row.crop, column.crop), (row.own, column.own), (row.inner, column.inner))
            for end, row, column in zip(ends, down, along)
        }
        for down in rows
        for along in columns
    ]


# -- what positions see ---------------------------------------------------------------------------


def _input(net: Any) -> str:
    """Return the name of the blob that holds the picture."""
    return "data" if "data" in net.blobs else str(net.inputs[0])


def _subgraph(net: Any, end: str) -> tuple[str, list[int]]:
    """Return the target blob, and the numbers of the layers that it depends on."""
    last = net.layer_index(end)
    tops = net._top_names[last]
    if not tops:
        raise ShapeError(f"{net.source}: layer '{end}' makes no blob: it cannot be a target")
    target = end if end in tops else tops[0]
    wanted, layers = {target}, []
    for i in range(last, -1, -1):
        if wanted.intersection(net._top_names[i]):
            layers.append(i)
            wanted.update(net._bottom_names[i])
    return target, layers[::-1]


def _through(net: Any, i: int, bottoms: Sequence[Reach]) -> Reach:
    """Return the reach of the tops of layer number `i`."""
    layer = net._layers[i]
    window = layer.window()
    if window is None:
        raise _whole_seen(net, i, "sees the whole picture at once")
    strides = {bottom.stride for bottom in bottoms}
    if len(strides) > 1:
        raise _whole_seen(net, i, f"joins blobs of different strides {sorted(strides)}")
    stride = bottoms[0].stride
    kernel, step, pad = window
    back, ahead = [0, 0], [0, 0]
    for axis in (0, 1):
        # A window that begins after its position, or ends before it, still counts as if it
        # contained it: then a position exists in a crop wherever the crop has all that it reads.
        back[axis] = max(0, pad[axis])
        ahead[axis] = max(0, kernel[axis] - 1 - pad[axis])
    if layer.type == "Crop":
        offsets = layer._offsets(tuple(net.blobs[net._bottom_names[i][0]].shape))
        ahead = [*offsets[2:4], 0, 0][:2]
    before = [max(b.before[axis] for b in bottoms) + back[axis] * stride[axis] for axis in (0, 1)]
    after = [max(b.after[axis] for b in bottoms) + ahead[axis] * stride[axis] for axis in (0, 1)]
    return Reach(
        (stride[0] * step[0], stride[1] * step[1]), (before[0], before[1]), (after[0], after[1])
    )


def _shapes(net: Any, layers: Sequence[int], size: Pair) -> dict[str, Shape]:
    """Return the shapes of the blobs that the target depends on, for a picture of this size."""
    source = _input(net)
    shapes: dict[str, Shape] = {}
    for i in layers:
        bottoms = [shapes[name] for name in net._bottom_names[i]]
        if bottoms:
            with net.named(i, bottoms):
                tops = [tuple(shape) for shape in net._layers[i].top_shapes(bottoms)]
        else:
            tops = shapes_of(net._tops[i])
        for name, shape in zip(net._top_names[i], tops):
            shapes[name] = (*shape[:-2], *size) if name == source else shape
    return shapes


def _check_growth(
    net: Any, size: Pair, layers: Sequence[int], found: dict[str, Reach], target: str
) -> None:
    """Refuse layers whose tops do not grow by one position for each stride of the picture."""
    grain = found[target].stride  # a multiple of all strides on the way
    before = _shapes(net, layers, size)
    try:
        after = _shapes(net, layers, (size[0] + grain[0], size[1] + grain[1]))
    except ShapeError as error:
        raise ShapeError(
            f"{error}\nThis layer takes one size only, and cannot run on parts of a picture: "
            "choose an end before it."
        ) from None
    for i in layers:
        for name in net._top_names[i]:
            if name not in found:
                continue
            grown = tuple(a - b for a, b in zip(after[name][2:], before[name][2:]))
            expected = tuple(g // s for g, s in zip(grain, found[name].stride))
            if len(before[name]) != 4 or grown != expected:
                raise _whole_seen(net, i, "makes a blob that does not grow with the picture")


def _whole_seen(net: Any, i: int, why: str) -> ShapeError:
    return ShapeError(
        f"{net.source}: layer '{net._layer_names[i]}' ({net._layers[i].type}) {why}, which a part "
        "of the picture cannot show: choose an end before this layer."
    )


# -- how to cut -----------------------------------------------------------------------------------


class _Span(NamedTuple):
    """`Tile` along one axis."""

    crop: slice
    own: slice
    inner: slice


class _Seen(NamedTuple):
    """A target along one axis: its positions, and what each of them sees; see `Reach`."""

    positions: int
    stride: int
    before: int
    after: int

    def first(self) -> int:
        """Return the first position that is right in a crop which does not start at a border."""
        return -(-self.before // self.stride)

    def stop(self, crop: int) -> int:
        """Return the first position that is not, in a crop which does not end at a border."""
        return (crop - 1 - self.after) // self.stride + 1


@dataclass(frozen=True)
class _Axis:
    """A picture along one axis: its pixels, and the targets."""

    pixels: int
    targets: tuple[_Seen, ...]

    def grain(self) -> int:
        """Return the pixels between two places where a crop may start."""
        common = 1
        for target in self.targets:
            common = common * target.stride // math.gcd(common, target.stride)
        return ALIGN * common

    def count(self, crop: int) -> int:
        """Return how many crops of this size are needed, or 0 where it is too small."""
        grain = self.grain()
        room = (self.pixels - crop) // grain
        if not room:
            return 1
        # How far the next crop may start, so that no target has positions between the two.
        step = min((t.stop(crop) - t.first()) * t.stride // grain for t in self.targets)
        return 1 - -room // step if step > 0 else 0

    def options(self) -> list[tuple[int, int]]:
        """Return (how many crops, their size): the smallest size for each number."""
        grain = self.grain()
        found: dict[int, int] = {}
        for crop in range(self.pixels % grain or grain, self.pixels + 1, grain):
            count = self.count(crop)
            if count:
                found.setdefault(count, crop)
        return sorted(found.items())

    def spans(self, crop: int) -> Iterator[list[_Span]]:
        """Yield the crops of this size, and for each target the positions that each answers for."""
        grain, count = self.grain(), self.count(crop)
        room = (self.pixels - crop) // grain
        starts = [i * room // max(1, count - 1) * grain for i in range(count)]  # in pixels
        begin = [0] * len(self.targets)
        for start, following in zip(starts, [*starts[1:], None]):
            spans = []
            for number, target in enumerate(self.targets):
                here, end = start // target.stride, target.positions
                if following is not None:  # both crops have these right: meet in the middle
                    there = following // target.stride
                    end = min(end, (here + target.stop(crop) + there + target.first()) // 2)
                end = max(end, begin[number])
                own = slice(begin[number], end)
                inner = slice(own.start - here, own.stop - here)
                spans.append(_Span(slice(start, start + crop), own, inner))
                begin[number] = end
            if any(span.own.start < span.own.stop for span in spans):
                yield spans


def _whole(size: Pair, shape: Sequence[int]) -> Tile:
    """Return the tile that is the whole picture."""
    crop = (slice(0, size[0]), slice(0, size[1]))
    # A blob without height and width has one position.
    rows, columns = (*shape[2:4], 1, 1)[:2]
    own = (slice(0, rows), slice(0, columns))
    return Tile(crop, own, own)


def _cheapest(
    axes: Sequence[_Axis], memory_of: Callable[[int, int], int], limit: int, whole: int
) -> tuple[Pair | None, int]:
    """Return the crop size with the smallest sum of areas that fits, and what the least needs."""
    rows, columns = (axis.options() for axis in axes)
    candidates = sorted(
        (m * height * n * width, m * n, height, width) for m, height in rows for n, width in columns
    )
    smallest = min((height * width, height, width) for _, _, height, width in candidates)
    # What was too large: area and bytes per pixel. A smaller crop needs no less per pixel.
    failed = [(axes[0].pixels * axes[1].pixels, whole)]
    for _, _, height, width in candidates:
        area = height * width
        if any(area * need > limit * tried for tried, need in failed if area <= tried):
            continue
        if any(area >= tried for tried, _ in failed):
            continue
        need = memory_of(height, width)
        if need <= limit:
            return (height, width), need
        failed.append((area, need))
    least = memory_of(*smallest[1:])
    return ((smallest[1], smallest[2]) if least <= limit else None), least
