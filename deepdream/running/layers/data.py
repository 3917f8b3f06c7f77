"""Layers where a net begins: Input, DummyData, MemoryData.

Their tops keep the shapes they were given. Layers that read files while a net is built (Data,
ImageData, HDF5Data, WindowData) serve training only, and are not here.

Source: ``input_layer.cpp``, ``dummy_data_layer.cpp``, ``memory_data_layer.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ParameterError, PrototxtError
from .. import fillers
from ..blob import Blob
from .base import Layer, Shape, in_range, register


class SourceLayer(Layer):
    """A layer without bottoms: its tops keep their shapes, and nothing flows back."""

    bottoms = (0, 0)
    tops: tuple[int, int | None] = (1, None)

    def top_shapes(self, bottom_shapes: Sequence[Shape]) -> list[Shape]:
        return self.shapes

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.shapes = self.read_shapes(len(top))
        for blob, shape in zip(top, self.shapes):
            blob.reshape(*shape)

    def read_shapes(self, count: int) -> list[Shape]:
        """Return the shapes that the prototxt gives for `count` tops, or none."""
        raise NotImplementedError

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        pass


def _shape_for_each(shapes: Sequence[Any], count: int) -> list[Shape]:
    """Return one shape for each of `count` tops, from as many or a single BlobShape."""
    found = [tuple(shape.dim) for shape in shapes]
    return found * count if len(found) == 1 else found


@register("Input")
class InputLayer(SourceLayer):
    """Blobs that the user fills. They keep whatever shape ``blob.reshape`` gives them."""

    def read_shapes(self, count: int) -> list[Shape]:
        shapes = self.param.input_param.shape
        if len(shapes) not in (0, 1, count):
            raise PrototxtError(
                f"{len(shapes)} shapes for {count} tops: none, one, or one for each are expected"
            )
        return _shape_for_each(shapes, count)


@register("DummyData")
class DummyDataLayer(SourceLayer):
    """Blobs from fillers: constant ones are filled once, others before every forward."""

    def read_shapes(self, count: int) -> list[Shape]:
        p = self.param.dummy_data_param
        legacy = {name: list(getattr(p, name)) for name in ("num", "channels", "height", "width")}
        if not any(legacy.values()):
            if len(p.shape) not in (1, count):
                raise PrototxtError(
                    f"{len(p.shape)} shapes for {count} tops: one, or one for each are expected"
                )
            return _shape_for_each(p.shape, count)
        if len(p.shape):
            raise PrototxtError("shape and num/channels/height/width are both given: keep one")
        for name, values in legacy.items():
            if len(values) not in (1, count):
                raise PrototxtError(f"{name} is given {len(values)} times: 1 or {count} expected")
        columns = (v * count if len(v) == 1 else v for v in legacy.values())
        return list(zip(*columns))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        found = list(self.param.dummy_data_param.data_filler)
        if len(found) not in (0, 1, len(top)):
            raise PrototxtError(
                f"{len(found)} data_fillers for {len(top)} tops: none, one, or one for each are "
                "expected"
            )
        self.each = found * len(top) if len(found) == 1 else found
        for blob, filler in zip(top, self.each):
            if filler.type == "constant" and filler.value:
                fillers.fill(blob, filler, fillers.random_state())

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, filler in zip(top, self.each):
            if filler.type != "constant":
                fillers.fill(blob, filler, fillers.random_state())


@register("MemoryData")
class MemoryDataLayer(SourceLayer):
    """Batches of the arrays that `reset` was given: pictures, and one label for each."""

    tops = (2, 2)
    data: np.ndarray | None = None

    def read_shapes(self, count: int) -> list[Shape]:
        p = self.param.memory_data_param
        shape = tuple(
            in_range(name, getattr(p, name), 1)
            for name in ("batch_size", "channels", "height", "width")
        )
        return [shape, shape[:1]]

    def reset(self, data: Any, labels: Any) -> None:
        """Use these arrays from now on, from their first item.

        Parameters
        ----------
        data : array_like
            (n, channels, height, width) as in the prototxt; n a multiple of the batch size.
        labels : array_like
            n labels.

        Raises
        ------
        ParameterError
            The arrays do not fit.
        """
        data, labels = np.asarray(data), np.asarray(labels)
        batch, *item = self.shapes[0]
        if data.ndim != 4 or list(data.shape[1:]) != item or len(data) % batch or not len(data):
            raise ParameterError(
                f"data of shape {data.shape} found, (n, {', '.join(map(str, item))}) expected, "
                f"where n is a multiple of {batch}"
            )
        if labels.size != len(data):
            raise ParameterError(f"{labels.size} labels found, {len(data)} expected")
        self.data, self.labels, self.position = data, labels.reshape(-1), 0

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.data is None:
            raise ParameterError("no data yet: call net.set_input_arrays(data, labels) first")
        batch = self.shapes[0][0]
        part = slice(self.position, self.position + batch)
        top[0].reshape(*self.shapes[0])
        top[1].reshape(batch, 1, 1, 1)  # as in Caffe, from the first forward on
        top[0].data[...] = self.data[part]
        top[1].data[...] = self.labels[part].reshape(batch, 1, 1, 1)
        self.position = (self.position + batch) % len(self.data)
