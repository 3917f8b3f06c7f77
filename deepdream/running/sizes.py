"""Which sizes of pictures a net takes, from its layers' shapes alone.

A convolution rounds the size of its top down, a pooling up, and where branches meet, they have to
be equally long: many nets take one size in two, or in thirty-two. `Sizes` finds the next one. It
infers shapes up to the first layer that refuses its bottoms, sees along which axis they disagree,
and goes on by a pixel along that axis; what is wrong along one axis is wrong whatever the other is,
so no size between is passed over. Nothing is run, and no array is made.

Where a layer takes one shape only (an inner product), the size that the prototxt gives tells how
long its bottoms have to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import ShapeError
from .blob import check_shape

Shape = tuple[int, ...]
Size = tuple[int, int]

_AXES = ((2,), (3,), (2, 3))

# Pixels that are looked through along each axis. Where sizes that fit come back at all they come
# back after as many pixels as lie between two positions of the deepest layer.
_FAR = 1024

# Sizes around the prototxt's own that may give the same shapes.
_NEAR = 512

# Sizes that are tried one by one where nothing tells which axis is at fault.
_TRIES = 64

# Longer than any window, to ask whether a layer only lacks pixels.
_LONG = 1 << 16


class Refusal(NamedTuple):
    """The first layer that cannot take its bottoms.

    Attributes
    ----------
    layer : int
        Its number.
    bottoms : list of tuple of int
        Their shapes.
    reason : ShapeError
        What it says.
    axes : tuple of int
        Along which its top is not as large as what it is made to match; none where its bottoms are
        what is wrong.
    """

    layer: int
    bottoms: list[Shape]
    reason: ShapeError
    axes: tuple[int, ...] = ()


class Sizes:
    """Which sizes of pictures get through a net to a layer.

    Parameters
    ----------
    net : Net, Graph or caffe.Net
        Whose layers are known; see `sizes_of`. Nothing of it is changed.
    end : str or sequence of str
        The layer, or several.
    beside : bool
        Whether layers count that run before it and that it does not depend on, as in `Net.forward`.
    """

    def __init__(self, net: Any, end: str | Sequence[str], *, beside: bool = True) -> None:
        self._graph = graph = getattr(net, "graph", net)
        self._picture = picture_of(graph)
        ends = [end] if isinstance(end, str) else end
        if beside:
            self._order = [*range(max(map(graph.layer_index, ends)) + 1)]
        else:
            self._order = _needed(graph, ends)
        # Of a net of the real Caffe our graph knows the prototxt's shapes; its own blobs tell those
        # that inputs have now.
        self._given: dict[str, Shape] = {
            name: tuple(net.blobs[name].shape) for name in graph.inputs if name != self._picture
        }
        self.declared = declared_size(graph, self._picture)
        self._usual: Mapping[str, Shape] = {}
        if self.declared is not None:
            self._usual = self._walk(self.declared)[0]
        self._known: dict[Size, Refusal | None] = {}

    # -- questions --------------------------------------------------------------------------------

    def fits(self, size: Size) -> bool:
        """Tell whether a picture of this height and width gets through as it is."""
        return self.refusal(size) is None

    def refusal(self, size: Size) -> Refusal | None:
        """Return the layer that a picture of this size does not get through."""
        if size not in self._known:
            self._known[size] = self._walk(size)[1]
        return self._known[size]

    def larger(self, size: Size) -> Size | None:
        """Return the smallest size that fits and is nowhere smaller than this one, or None."""
        return self._next(size, 1)[0]

    def obstacle(self, size: Size) -> Refusal | None:
        """Return the layer for which no larger size fits, or None where one does."""
        return self._next(size, 1)[1]

    def smaller(self, size: Size) -> Size | None:
        """Return the largest size that fits and is nowhere larger than this one, or None."""
        return self._next(size, -1)[0]

    def too_small(self, size: Size) -> bool:
        """Tell whether some layer has nothing to look at, whatever branches would agree on.

        Lengths that differ where branches meet do not make a picture too small, nor does a layer
        that wants one shape.
        """
        if min(size) < 1:
            return True
        shapes: dict[str, Shape] = {}
        for i in self._order:
            read = [shapes[name] for name in self._graph._bottom_names[i]]
            try:
                made = self._tops(i, read, size)
            except ShapeError:
                try:
                    made = self._tops(i, _levelled(read, (2, 3)), size)
                except ShapeError:
                    longer = [_lengthened(shape) for shape in read]
                    return _takes(self._graph._layers[i], longer)
            if not all(map(_has_values, made)):
                return True
            shapes.update(zip(self._graph._top_names[i], made))
        return False

    def only(self) -> tuple[Size, Size] | None:
        """Return the smallest and the largest size that fit where no others do, or None.

        They are those around the prototxt's own, which give its layers the same shapes.
        """
        if self.declared is None or not self.fits(self.declared):
            return None
        ends = []
        for step in (-1, 1):
            found = list(self.declared)
            for axis in (0, 1):
                here = list(self.declared)
                for _ in range(_NEAR):
                    here[axis] += step
                    if not self.fits((here[0], here[1])):
                        break
                    found[axis] = here[axis]
                else:
                    return None
            ends.append((found[0], found[1]))
        smallest, largest = ends
        beyond = (
            self.larger((largest[0] + 1, largest[1])),
            self.larger((largest[0], largest[1] + 1)),
        )
        return (smallest, largest) if beyond == (None, None) else None

    def named(self, refusal: Refusal) -> str:
        """Return what a layer says, with its name and its bottoms."""
        try:
            with self._graph.named(refusal.layer, refusal.bottoms):
                raise refusal.reason
        except ShapeError as error:
            return str(error)

    # -- searching --------------------------------------------------------------------------------

    def _next(self, size: Size, step: int) -> tuple[Size | None, Refusal | None]:
        """Return the next size that fits, or None and what stands in the way."""
        at, refusal = list(size), None
        for _ in range(2 * _FAR):
            here = at[0], at[1]
            if min(here) < 1:
                return None, refusal
            refusal = self.refusal(here)
            if refusal is None:
                return here, None
            wanted = self._at_fault(refusal)
            if wanted is None:
                found = next((size for size in _around(here, step) if self.fits(size)), None)
                return found, None if found else refusal
            for axis, direction in wanted.items():
                if direction == -step:
                    return None, refusal
                at[axis - 2] += step
        return None, refusal

    def _at_fault(self, refusal: Refusal) -> dict[int, int] | None:
        """Tell along which axes the bottoms of a layer are wrong.

        Returns
        -------
        dict of int to int, or None
            Axis to 1 where they are too short, -1 where they are too long, and 0 where they are not
            alike. None where it cannot be told.
        """
        i, read, _, apart = refusal
        if apart:
            return dict.fromkeys(apart, 0)
        layer, bottoms = self._graph._layers[i], self._graph._bottom_names[i]
        for axes in _AXES:
            level = _levelled(read, axes)
            if level != read and self._passes(i, level):
                return dict.fromkeys(axes, 0)
        if layer.type == "Python" or any(name not in self._usual for name in bottoms):
            return None
        usual = [self._usual[name] for name in bottoms]
        for axes in _AXES:
            as_usual = [_with_lengths(here, there, axes) for here, there in zip(read, usual)]
            if as_usual != read and self._passes(i, as_usual):
                found = {}
                for axis in axes:
                    differ = [b[axis] - a[axis] for a, b in zip(read, usual) if len(a) == 4]
                    found[axis] = 1 if max(differ) > 0 else -1
                return found
        return None

    # -- layer by layer ---------------------------------------------------------------------------

    def _walk(self, size: Size) -> tuple[dict[str, Shape], Refusal | None]:
        """Return the blobs' shapes up to the end, or up to the layer that refuses its bottoms."""
        shapes: dict[str, Shape] = {}
        for i in self._order:
            read = [shapes[name] for name in self._graph._bottom_names[i]]
            try:
                made = self._through(i, read, size)
            except ShapeError as error:
                return shapes, Refusal(i, read, error)
            if not all(map(_has_values, made)):
                nothing = ShapeError(f"nothing is left of a picture of {size[1]}x{size[0]} here")
                return shapes, Refusal(i, read, nothing)
            try:
                self._graph.misplaced(i, made, shapes, strict=True)
            except ShapeError as error:
                axes = self._graph.misplaced(i, made, shapes)
                return shapes, Refusal(i, read, error, axes)
            shapes.update(zip(self._graph._top_names[i], made))
        return shapes, None

    def _through(self, i: int, read: list[Shape], size: Size) -> list[Shape]:
        return [check_shape(shape) for shape in self._tops(i, read, size)]

    def _tops(self, i: int, read: list[Shape], size: Size) -> list[Shape]:
        if read:
            return _tops(self._graph._layers[i], read)
        own = [tuple(blob.shape) for blob in self._graph._tops[i]]
        return [
            (1, 3, *size) if name == self._picture else self._given.get(name, shape)
            for name, shape in zip(self._graph._top_names[i], own)
        ]

    def _passes(self, i: int, read: list[Shape]) -> bool:
        try:
            return all(map(_has_values, self._through(i, read, (1, 1))))
        except ShapeError:
            return False


def sizes_of(net: Any, end: str | Sequence[str], *, beside: bool = True) -> Sizes | None:
    """Return which sizes a net takes up to some layers, or None where its layers are not known."""
    graph = getattr(net, "graph", net)
    if not hasattr(graph, "_layers") or not hasattr(graph, "infer_shapes"):
        return None
    return Sizes(net, end, beside=beside)


def picture_of(graph: Any) -> str:
    """Return the name of the blob that takes the picture."""
    return "data" if "data" in graph.blobs else str(graph.inputs[0])


def _needed(graph: Any, ends: Sequence[str]) -> list[int]:
    """Return the numbers of the layers that targets depend on, their own included."""
    made = {graph.layer_index(end): end for end in ends}
    wanted: set[str] = set()
    found: list[int] = []
    for i in range(max(made), -1, -1):
        if i in made:
            tops = graph._top_names[i]
            wanted.update({made[i]} if made[i] in tops else tops)
        if wanted.intersection(graph._top_names[i]):
            found.append(i)
            wanted.update(graph._bottom_names[i])
    return found[::-1]


def declared_size(graph: Any, picture: str) -> Size | None:
    """Return the height and width that the prototxt gives the picture, or None."""
    for layer, names, tops in zip(graph._layers, graph._top_names, graph._tops):
        if picture in names:
            made = getattr(layer, "shapes", None) or [tuple(blob.shape) for blob in tops]
            shape = made[names.index(picture)]
            return (shape[2], shape[3]) if len(shape) == 4 else None
    return None


def _tops(layer: Any, read: Sequence[Shape]) -> list[Shape]:
    if layer.type != "Python":
        return list(layer.top_shapes(read))
    try:
        return list(layer.top_shapes(read))
    except Exception as error:  # the user's own: whatever it raises, it does not take these
        raise ShapeError(str(error)) from error


def _takes(layer: Any, read: Sequence[Shape]) -> bool:
    try:
        return bool(_tops(layer, read))
    except ShapeError:
        return False


def _has_values(shape: Shape) -> bool:
    return all(length > 0 for length in shape)


def _lengthened(shape: Shape) -> Shape:
    return (*shape[:2], *(length + _LONG for length in shape[2:]))


def _levelled(shapes: Sequence[Shape], axes: Sequence[int]) -> list[Shape]:
    """Return shapes that agree along some axes: all as long as the longest."""
    maps = [shape for shape in shapes if len(shape) == 4]
    if not maps:
        return list(shapes)
    longest = tuple(max(shape[axis] for shape in maps) for axis in range(4))
    return [_with_lengths(shape, longest, axes) for shape in shapes]


def _with_lengths(shape: Shape, like: Shape, axes: Sequence[int]) -> Shape:
    if len(shape) != 4 or len(like) != 4:
        return shape
    return tuple(like[i] if i in axes else length for i, length in enumerate(shape))


def _around(size: Size, step: int) -> Iterator[Size]:
    """Yield sizes from one on, those that differ least first."""
    h, w = size
    for far in range(1, _TRIES):
        pairs = [(far, 0), (0, far), (far, far)]
        if far < _TRIES // 4:
            pairs += [pair for near in range(1, far) for pair in ((far, near), (near, far))]
        for down, along in sorted(pairs, key=sum):
            if min(h + step * down, w + step * along) >= 1:
                yield h + step * down, w + step * along


def shapes_by_size(
    net: Any, inputs: Mapping[str, Sequence[int]] | None
) -> tuple[dict[str, Shape], list[tuple[Size, dict[str, Shape]]]]:
    """Tell the blobs' shapes for a picture that is continued where it does not fit.

    Parameters
    ----------
    net : Graph
    inputs : mapping of str to sequence of int, optional
        As for `Graph.infer_shapes`.

    Returns
    -------
    dict of str to tuple of int
        The shapes of what the picture gets to as it is.
    list of ((int, int), dict of str to tuple of int)
        For each size that it has to be continued to for the layers behind, the smallest first: its
        height and width, and the blobs that come in there.
    """
    shapes: dict[str, Shape] = net.infer_shapes(inputs, strict=False)
    found: list[tuple[Size, dict[str, Shape]]] = []
    shape = shapes.get(picture_of(net), ()) if shapes else ()
    if len(shape) != 4:
        return shapes, found
    batch, channels, h, w = shape
    known = dict(shapes)
    while True:
        end = next(
            (
                name
                for name, tops in zip(net._layer_names, net._top_names)
                if any(blob not in known for blob in tops)
            ),
            None,
        )
        sizes = None if end is None else Sizes(net, end)
        if sizes is None or sizes.too_small((h, w)):
            return shapes, found
        size = sizes.larger((h, w))
        if size is None:
            return shapes, found
        given = {**(inputs or {}), picture_of(net): (batch, channels, *size)}
        made = net.infer_shapes(given, strict=False)
        more = {blob: shape for blob, shape in made.items() if blob not in known}
        if not more:
            return shapes, found
        known.update(more)
        found.append((size, more))
