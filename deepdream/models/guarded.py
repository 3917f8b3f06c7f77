"""A net of the real Caffe that raises an error where Caffe would end the process.

`guarded_class` derives from the installed `caffe.Net`. Before a pass it looks at what our own graph
of the same net says of the shapes; shapes that it has seen cost a few microseconds. What a pass
computes is Caffe's alone.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import PrototxtError, ShapeError

Shape = tuple[int, ...]

# Types whose backward is "Not Implemented Yet" in Caffe.
_NO_GRADIENT = ("ArgMax", "Threshold", "Accuracy")
_MOST = 2**31 - 1  # values in a blob of Caffe's, its buffer for convolutions included


def guarded_class(caffe: ModuleType) -> Any:
    """Return a class of nets of the installed Caffe.

    Its objects have ``engine``, ``device`` and ``graph`` (a `running.graph.Graph`, or None where
    this package knows no such layers: then nothing is looked at), and, with a graph,
    ``infer_shapes``.
    """
    base: Any = caffe.Net

    class Net(base):
        engine = "caffe"
        device = "cpu"
        graph: Any = None
        filled = False  # a MemoryData layer, by set_input_arrays

        def set_input_arrays(self, data: Any, labels: Any) -> None:
            super().set_input_arrays(data, labels)
            self.filled = True

        def forward(
            self, blobs: Any = None, start: Any = None, end: Any = None, **kwargs: Any
        ) -> Any:
            # From a later layer on, shapes are those that the user has given its bottoms.
            if self.graph is not None and start is None:
                _check_forward(self, end)
            return super().forward(blobs, start, end, **kwargs)

        def backward(
            self, diffs: Any = None, start: Any = None, end: Any = None, **kwargs: Any
        ) -> Any:
            if self.graph is not None:
                _check_backward(self, start, end)
            return super().backward(diffs, start, end, **kwargs)

        def reshape(self) -> None:
            if self.graph is not None:
                _check_forward(self, None)
            super().reshape()

        def rebuilt(self, description: Any) -> Any:
            return _rebuilt(self, description)

        def __getattr__(self, name: str) -> Any:
            # Only where there is a graph: who asks for the attribute asks whether shapes are known.
            if name == "infer_shapes" and self.graph is not None:
                return partial(_infer_shapes, self)
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    return Net


def _rebuilt(net: Any, description: Any) -> Any:
    """Return a net of the same Caffe with another description and a copy of the parameters.

    As in the example ``net_surgery.ipynb``: parameters of other shapes are copied value by value,
    since Caffe itself copies and shares between equal shapes only. See `running.net.Net.rebuilt`.
    """
    from ..reading.proto import print_prototxt
    from ..running.graph import Graph, read_wired

    described = type(description)()
    described.CopyFrom(description)
    described.force_backward = True
    source, wired = read_wired(description)
    graph = Graph(net.graph.source, wired, net.graph.phase)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cast.prototxt"
        path.write_text(print_prototxt(described), encoding="utf-8")
        made = type(net)(str(path), net.graph.phase)
    for name, blobs in net.params.items():
        for blob, target in zip(blobs, made.params[name]):
            target.data.flat = blob.data.flat
    made.device, made.name, made.graph = net.device, net.name, graph
    for name in ("transformer", "model", "prototxt_path", "weights_path"):
        if hasattr(net, name):
            setattr(made, name, getattr(net, name))
    return made


def _infer_shapes(
    net: Any,
    inputs: Mapping[str, Sequence[int]] | None = None,
    end: str | None = None,
    *,
    strict: bool = True,
) -> dict[str, Shape]:
    """Return `Graph.infer_shapes`; inputs that are not given have their blobs' present shapes."""
    given: dict[str, Sequence[int]] = {
        name: tuple(net.blobs[name].shape) for name in net.graph.inputs
    }
    given.update(inputs or {})
    shapes: dict[str, Shape] = net.graph.infer_shapes(given, end, strict=strict)
    return shapes


def _check_forward(net: Any, end: str | None) -> None:
    """Raise what a forward up to `end` would end the process for.

    Raises
    ------
    ShapeError
        A layer cannot take its bottoms, nothing is left of the picture, or a blob is too large.
    PrototxtError
        A layer that runs on a GPU only.
    """
    graph = net.graph
    seen = (end, *(tuple(net.blobs[name].shape) for name in graph.inputs))
    checked = net.__dict__.setdefault("_checked", set())
    if seen in checked:
        return
    shapes = _infer_shapes(net, end=end)
    last = len(graph._layers) - 1 if end is None else graph.layer_index(end)
    for i, layer in enumerate(graph._layers[: last + 1]):
        with graph.named(i):
            for name in graph._top_names[i]:
                if not math.prod(shapes[name]):
                    raise ShapeError("nothing is left of the picture here: it is too small")
            if layer.type == "MemoryData" and not net.filled:
                raise ShapeError("nothing to read yet: call net.set_input_arrays first")
            if layer.type == "Pooling" and layer.method == layer.STOCHASTIC and net.device == "cpu":
                raise PrototxtError("Caffe has stochastic pooling on a GPU only")
            if layer.type in ("Convolution", "Deconvolution"):
                _check_buffer(layer, shapes, graph._bottom_names[i][0], graph._top_names[i][0])
    checked.add(seen)


def _check_buffer(layer: Any, shapes: Mapping[str, Shape], bottom: str, top: str) -> None:
    """Refuse a convolution whose unfolded picture is larger than a blob can be."""
    positions = shapes[bottom if layer.transposed else top][layer.axis + 1 :]
    rows = layer.group * math.prod(layer.blobs[0].shape[1:])
    if rows * math.prod(positions) > _MOST:
        raise ShapeError(
            f"Caffe's buffer for this convolution would have {rows * math.prod(positions)} values, "
            f"{_MOST} at most are possible: use a smaller picture, or engine='deepdream'"
        )


def _check_backward(net: Any, start: str | None, end: str | None) -> None:
    """Raise what a backward from `start` down to `end` would end the process for.

    Raises
    ------
    PrototxtError
        A layer without a gradient is among those that run, on the way or beside it.
    ShapeError
        An input has no shape yet: pycaffe reads the diffs of all of them.
    """
    graph = net.graph
    first = len(graph._layers) - 1 if start is None else graph.layer_index(start)
    last = 0 if end is None else graph.layer_index(end)
    for i in range(first, last - 1, -1):
        if graph._layers[i].type in _NO_GRADIENT:
            with graph.named(i):
                raise PrototxtError(
                    "Caffe has no gradient for this layer, and runs it whether or not it is on the "
                    "way: choose an end before it, or leave it out of the prototxt"
                )
    for name in graph.inputs:
        if not math.prod(tuple(net.blobs[name].shape) or (0,)):
            raise ShapeError(f"input '{name}' of this net has no values: reshape it first")
