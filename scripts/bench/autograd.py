"""A net as every PyTorch port of DeepDream runs it: stock operators, NCHW, autograd.

This is what `scripts/bench.py` compares with, not part of the package. `AutogradNet` is built from
any `Net` whose layers are in `FORWARDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from bench.arithmetic import needed_layers

Tensors = Sequence[torch.Tensor]


class AutogradNet(torch.nn.Module):
    """The layers of a net that lead to a target, as a module.

    Parameters
    ----------
    net : Net
        Of this package. Its parameters are shared, not copied, and frozen.
    end : str
        The target: a layer with a blob of the same name.
    channels_last : bool
        Keep weights, and so blobs, in NHWC memory.

    Raises
    ------
    NotImplementedError
        A layer's type, or a setting of it, is not in `FORWARDS`.
    """

    def __init__(self, net: Any, end: str, channels_last: bool = False) -> None:
        super().__init__()
        self.input, self.end = net.inputs[0], end
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.steps = []
        weights = []
        for i in needed_layers(net, end):
            layer = net.layers[i]
            if layer.type == "Input":
                continue
            if layer.type not in FORWARDS:
                raise NotImplementedError(f"no stock operator is entered for '{layer.type}'")
            name = net._layer_names[i]
            first = len(weights)
            weights += [self._frozen(blob) for blob in layer.blobs]
            used = slice(first, len(weights))
            self.steps.append((layer, net.bottom_names[name], net.top_names[name], used))
        self.weights = torch.nn.ParameterList(weights)

    def _frozen(self, blob: Any) -> torch.nn.Parameter:
        value = torch.from_numpy(np.ascontiguousarray(blob.data))
        if value.dim() == 4:
            value = value.contiguous(memory_format=self.format)
        return torch.nn.Parameter(value, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the target's values, (1, c, h', w'), for a picture, (1, 3, h, w)."""
        blobs = {self.input: x.contiguous(memory_format=self.format)}
        for layer, bottoms, tops, used in self.steps:
            xs = [blobs[name] for name in bottoms]
            y = FORWARDS[layer.type](layer, self.weights[used], xs, bottoms == tops)
            blobs.update(dict.fromkeys(tops, y))
        return blobs[self.end]


def _convolution(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    bias = weights[1] if len(weights) > 1 else None
    return F.conv2d(
        xs[0], weights[0], bias, layer.stride, layer.pad, layer.dilation, layer.group
    )  # fmt: skip


def _relu(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    if layer.slope:
        return F.leaky_relu(xs[0], layer.slope, inplace=in_place)
    return F.relu(xs[0], inplace=in_place)


def _clip(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    return xs[0].clamp(layer.low, layer.high)


def _pooling(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    pool = (F.max_pool2d, F.avg_pool2d)[layer.method]
    kernel = layer.kernel or tuple(xs[0].shape[2:])
    return pool(xs[0], kernel, layer.stride, layer.pad, ceil_mode=not layer.floor)


def _lrn(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    if layer.within:
        raise NotImplementedError("no stock operator does LRN within a channel")
    return F.local_response_norm(xs[0], layer.size, layer.alpha, layer.beta, layer.k)


def _batch_norm(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    mean, var, factor = weights
    return F.batch_norm(xs[0], mean / factor, var / factor, eps=layer.eps)


def _scale(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    y = xs[0] * weights[0].view(-1, 1, 1)
    return y + weights[1].view(-1, 1, 1) if layer.bias_term else y


def _eltwise(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    if layer.operation != layer.SUM or set(layer.coeffs) != {1.0}:
        raise NotImplementedError("only plain sums are entered for Eltwise")
    total = xs[0] + xs[1]
    for x in xs[2:]:
        total = total + x
    return total


def _concat(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    return torch.cat(tuple(xs), layer.axis)


def _same(layer: Any, weights: Tensors, xs: Tensors, in_place: bool) -> torch.Tensor:
    return xs[0]


FORWARDS: dict[str, Callable[[Any, Tensors, Tensors, bool], torch.Tensor]] = {
    "Convolution": _convolution,
    "ReLU": _relu,
    "Clip": _clip,
    "Pooling": _pooling,
    "LRN": _lrn,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Eltwise": _eltwise,
    "Concat": _concat,
    "Split": _same,
    "Dropout": _same,
}
