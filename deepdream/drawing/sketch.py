"""A net as its description tells it, for drawings of nets that are not built.

A training net opens databases, and a course may draw a net whose layer types exist nowhere. Their
wiring, kernels and strides stand in the prototxt all the same; only shapes do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ..errors import UnknownLayerError


class Sketch:
    """What `boxes` asks of a net, without blobs and shapes.

    Parameters
    ----------
    message : NetParameter
        Upgraded. All its layers count, whatever their phase.
    """

    model = None

    def __init__(self, message: Any) -> None:
        self.name: str = message.name
        known: set[str] = set()
        self._layer_names: list[str] = []
        self._layers: list[Any] = []
        self._bottom_names: list[list[str]] = []
        self._top_names: list[list[str]] = []
        for layer in message.layer:
            self._layer_names.append(layer.name)
            self._layers.append(_told(layer))
            self._bottom_names.append([blob for blob in layer.bottom if blob in known])
            self._top_names.append(list(layer.top))
            known.update(layer.top)

    @property
    def bottom_names(self) -> dict[str, list[str]]:
        return dict(zip(self._layer_names, self._bottom_names))

    @property
    def top_names(self) -> dict[str, list[str]]:
        return dict(zip(self._layer_names, self._top_names))

    def infer_shapes(
        self, inputs: Mapping[str, Sequence[int]] | None = None, *_: Any, **__: Any
    ) -> dict[str, tuple[int, ...]]:
        """Return no shapes: nobody knows any."""
        return {}

    def layer_index(self, name: str) -> int:
        """Return the number of the first layer called `name`."""
        if name not in self._layer_names:
            raise UnknownLayerError(f"no layer named '{name}' in {self.name}")
        return self._layer_names.index(name)


def _told(layer: Any) -> Any:
    """Return what `boxes` reads of a layer, from its entry in the prototxt."""
    told = SimpleNamespace(type=layer.type)
    if layer.type in ("Convolution", "Deconvolution"):
        p = layer.convolution_param
        told.kernel, told.stride = _sides(p, "kernel_size", "kernel", 1), _sides(p, "stride")
        told.pad, told.dilation = _sides(p, "pad", default=0), tuple(p.dilation) or (1,)
        told.group, told.num_output = p.group, p.num_output
    elif layer.type == "Pooling":
        p = layer.pooling_param
        told.MAX, told.AVE, told.method = p.MAX, p.AVE, p.pool
        told.kernel = None if p.global_pooling else _sides(p, "kernel_size", "kernel", 1)
        told.stride, told.pad = _sides(p, "stride"), _sides(p, "pad", default=0)
    elif layer.type == "Eltwise":
        p = layer.eltwise_param
        told.SUM, told.PROD, told.operation = p.SUM, p.PROD, p.operation
    return told


def _sides(p: Any, name: str, short: str = "", default: int = 1) -> tuple[int, ...]:
    """Return what a parameter message has once (two sides then), for each axis, or as _h and _w."""
    sides = [f"{short or name}_{axis}" for axis in "hw"]
    if any(p.HasField(side) for side in sides):
        return getattr(p, sides[0]), getattr(p, sides[1])
    value: Any = getattr(p, name)
    values = tuple(value) if hasattr(value, "append") else (value,)
    values = values or (default,)
    return values if len(values) > 1 else values * 2
