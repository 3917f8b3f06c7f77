"""Layers that cut, join and rename, and compute nothing: Split, Concat, Slice, Reshape ...

Where Caffe lets bottom and top share memory, so do these.

Source: ``concat_layer.cpp``, ``split_layer.cpp``, ``reshape_layer.cpp`` ... of BVLC/caffe.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import PrototxtError, ShapeError
from ..arrays import Array
from ..blob import Blob
from .base import Layer, Shape, Window, canonical_axis, in_range, refuse_in_place, register


@register("Split")
class SplitLayer(Layer):
    """One blob for several readers: the tops share its data; its gradient is the sum of theirs."""

    tops = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        return [tuple(bottom_shapes[0])] * len(self.param.top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.share_data(bottom[0])

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if not propagate_down[0]:
            return
        if not bottom[0].count:
            raise ShapeError(
                f"blobs of shape {tuple(bottom[0].shape)} are empty here, so there is no gradient: "
                "the picture is too small for this end"
            )
        diff = bottom[0].mutable_diff()
        if len(top) == 1:
            diff[...] = top[0].get_diff()
            return
        self.ops.add(top[0].get_diff(), top[1].get_diff(), out=diff)
        for blob in top[2:]:
            diff += blob.get_diff()


def _cut_axis(p: Any, old_name: str, axes: int) -> int:
    """Return the axis to join or cut along: ``axis``, or its old unsigned name."""
    if not p.HasField(old_name):
        return canonical_axis(p.axis, axes)
    if p.HasField("axis"):
        raise PrototxtError(f"axis and {old_name} are both given: keep one of them")
    return canonical_axis(in_range(old_name, getattr(p, old_name), 0), axes)


@register("Concat")
class ConcatLayer(Layer):
    """Blobs one behind the other along an axis. A single bottom shares its memory with the top."""

    bottoms = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) > 1:
            refuse_in_place(bottom, top)
        self.axis = _cut_axis(self.param.concat_param, "concat_dim", len(bottom[0].shape))

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        first = tuple(bottom_shapes[0])
        axis = canonical_axis(self.axis, len(first))
        around = (*first[:axis], *first[axis + 1 :])
        for shape in bottom_shapes:
            if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != around:
                raise ShapeError(
                    f"bottoms of shapes {', '.join(str(tuple(s)) for s in bottom_shapes)}: "
                    f"equal lengths are needed except on axis {axis}"
                )
        return [(*first[:axis], sum(s[axis] for s in bottom_shapes), *first[axis + 1 :])]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(bottom) == 1:
            top[0].share_data(bottom[0])
            top[0].share_diff(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) > 1:
            parts = [blob.get_data() for blob in bottom]
            self.ops.concatenate(parts, self.axis, out=top[0].mutable_data())

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if len(bottom) == 1:
            return
        parts = _parts(top[0].get_diff(), bottom, self.axis)
        for blob, part, wanted in zip(bottom, parts, propagate_down):
            if wanted:
                blob.mutable_diff()[...] = part


def _parts(x: Array, blobs: Sequence[Blob], axis: int) -> Iterator[Array]:
    """Yield the parts of x along an axis that blobs, one behind the other, hold."""
    before, start = (slice(None),) * axis, 0
    for blob in blobs:
        stop = start + blob._shape[axis]
        part = (*before, slice(start, stop))
        yield x[part]
        start = stop


@register("Slice")
class SliceLayer(Layer):
    """Parts of a blob along an axis, cut at ``slice_point`` or into equal lengths."""

    tops = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) > 1:
            refuse_in_place(bottom, top)
        p = self.param.slice_param
        self.axis = _cut_axis(p, "slice_dim", len(bottom[0].shape))
        self.points = list(p.slice_point)
        self.parts = len(top)
        if self.points and len(self.points) != self.parts - 1:
            raise PrototxtError(
                f"{len(self.points)} slice_point for {self.parts} tops: {self.parts - 1} expected"
            )
        if any(b <= a for a, b in zip([0, *self.points], self.points)):
            raise PrototxtError(f"slice_point {self.points}: increasing numbers above 0 expected")

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        length = shape[canonical_axis(self.axis, len(shape))]
        if self.points:
            ends = [*self.points, length]
            lengths = [b - a for a, b in zip([0, *self.points], ends)]
            if lengths[-1] < 1:
                raise ShapeError(
                    f"slice_point {self.points[-1]} is not inside axis {self.axis} of {shape}"
                )
        elif length % self.parts:
            raise ShapeError(f"axis {self.axis} of {shape} cannot be cut in {self.parts} parts")
        else:
            lengths = [length // self.parts] * self.parts
        return [(*shape[: self.axis], n, *shape[self.axis + 1 :]) for n in lengths]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(top) == 1:
            top[0].share_data(bottom[0])
            top[0].share_diff(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) > 1:
            for blob, part in zip(top, _parts(bottom[0].get_data(), top, self.axis)):
                blob.mutable_data()[...] = part

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0] and len(top) > 1:
            parts = [blob.get_diff() for blob in top]
            self.ops.concatenate(parts, self.axis, out=bottom[0].mutable_diff())


@register("Flatten")
class FlattenLayer(Layer):
    """The axes from ``axis`` to ``end_axis`` made one.

    Data is shared with the bottom, and from the first backward on diff as well.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape, p = tuple(bottom_shapes[0]), self.param.flatten_param
        start, end = canonical_axis(p.axis, len(shape)), canonical_axis(p.end_axis, len(shape))
        if end + 1 < start:
            raise ShapeError(f"end_axis {p.end_axis} lies before axis {p.axis} in {shape}")
        return [(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])]

    def window(self) -> Window | None:
        return None

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].share_data(bottom[0])

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        bottom[0].share_diff(top[0])


@register("Reshape")
class ReshapeLayer(Layer):
    """Another shape for the same memory; 0 keeps the bottom's length there, -1 takes the rest."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.reshape_param
        self.dims, self.axis = list(p.shape.dim), p.axis
        self.num_axes = in_range("num_axes", p.num_axes, -1)
        if self.dims.count(-1) > 1:
            raise PrototxtError(f"shape {self.dims} has more than one -1")
        if any(dim < -1 for dim in self.dims):
            raise PrototxtError(f"shape {self.dims} has a negative length other than -1")

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = tuple(bottom_shapes[0])
        start = self.axis if self.axis >= 0 else len(shape) + self.axis + 1
        end = len(shape) if self.num_axes == -1 else start + self.num_axes
        if not 0 <= start <= end <= len(shape):
            raise ShapeError(
                f"axis {self.axis} and num_axes {self.num_axes} reach beyond bottom {shape}"
            )
        dims = list(self.dims)
        for i, dim in enumerate(dims):
            if dim == 0:
                if start + i >= len(shape):
                    raise ShapeError(f"shape {self.dims}: bottom {shape} has no axis for 0 to keep")
                dims[i] = shape[start + i]
        made = [*shape[:start], *dims, *shape[end:]]
        if -1 in dims:
            known = -math.prod(made)
            if not known or math.prod(shape) % known:
                raise ShapeError(f"shape {self.dims}: bottom {shape} leaves no whole length for -1")
            made[start + dims.index(-1)] = math.prod(shape) // known
        if math.prod(made) != math.prod(shape):
            raise ShapeError(f"bottom {shape} cannot become {tuple(made)}: other numbers of values")
        return [tuple(made)]

    def window(self) -> Window | None:
        return None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        top[0].share_data(bottom[0])
        top[0].share_diff(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        pass


@register("Crop")
class CropLayer(Layer):
    """The first bottom cut to the size of the second, from ``axis`` on.

    The second bottom gets no gradient.
    """

    bottoms = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)

    def _offsets(self, shape: Shape) -> list[int]:
        """Return where the cut starts on each axis of the first bottom."""
        p = self.param.crop_param
        start = canonical_axis(p.axis, len(shape))
        cut = len(shape) - start
        offsets = list(p.offset) or [0]
        if len(offsets) not in (1, cut):
            raise PrototxtError(f"{len(offsets)} offsets found, 1 or {cut} expected")
        return [0] * start + (offsets * cut if len(offsets) == 1 else offsets)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape, like = (tuple(s) for s in bottom_shapes)
        start = canonical_axis(self.param.crop_param.axis, len(shape))
        if len(like) < len(shape):
            raise ShapeError(f"bottoms of shapes {shape} and {like}: as many axes are expected")
        made = (*shape[:start], *like[start : len(shape)])
        for axis, offset in enumerate(self._offsets(shape)):
            if offset + made[axis] > shape[axis]:
                raise ShapeError(
                    f"offset {offset} and length {made[axis]} reach beyond axis {axis} of {shape}"
                )
        return [made]

    def _cut(self, x: Array, top: Blob) -> Array:
        offsets = self._offsets(tuple(x.shape))
        return x[tuple(slice(at, at + n) for at, n in zip(offsets, top._shape))]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].mutable_data()[...] = self._cut(bottom[0].get_data(), top[0])

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0]:
            diff = bottom[0].mutable_diff()
            diff[...] = 0
            self._cut(diff, top[0])[...] = top[0].get_diff()


@register("Tile")
class TileLayer(Layer):
    """Copies of the bottom one behind the other along an axis."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(bottom, top)
        p = self.param.tile_param
        if not p.HasField("tiles"):
            raise PrototxtError("tiles is missing: the number of copies is expected")
        self.tiles = in_range("tiles", p.tiles, 1)
        self.axis = canonical_axis(p.axis, len(bottom[0].shape))

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        shape = list(bottom_shapes[0])
        shape[canonical_axis(self.axis, len(shape))] *= self.tiles
        return [tuple(shape)]

    def window(self) -> Window | None:
        return Window() if self.axis <= 1 else None

    def _copies(self, x: Array, tiles: int) -> Array:
        """Return x as (outer, tiles, one copy)."""
        outer = math.prod(x.shape[: self.axis])
        return x.reshape(outer, tiles, math.prod(x.shape[self.axis :]) // tiles)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = self._copies(top[0].mutable_data(), self.tiles)
        y[...] = self._copies(bottom[0].get_data(), 1)

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        if propagate_down[0]:
            g = self._copies(top[0].get_diff(), self.tiles).sum(1, keepdims=True)
            self._copies(bottom[0].mutable_diff(), 1)[...] = g


@register("Silence")
class SilenceLayer(Layer):
    """An end for blobs that nobody reads; their gradient is zero."""

    bottoms = (1, None)
    tops = (0, 0)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        return []

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        for blob, wanted in zip(bottom, propagate_down):
            if wanted:
                blob.mutable_diff()[...] = 0
