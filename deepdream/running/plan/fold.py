"""Second pass: BatchNorm, Scale and Bias become one factor and shift, or part of a convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from .program import Node, Program, is_plain_convolution


def fold(program: Program) -> None:
    """Give convolutions their weights, and fold what only multiplies and adds per channel.

    A BatchNorm with stored statistics, a Scale and a Bias with parameters are affine maps of each
    channel, y = a x + b. Chains of them become one `Affine` node, and one that follows a
    convolution goes into its weights: (a w) * x + (a c + b). The products are rounded once, from
    float64.
    """
    for node in program.nodes:
        if node.type == "Convolution":
            _take_weights(node)
        else:
            _take_affine(node)
    for node in list(program.nodes):
        if node not in program.nodes:
            continue
        follower = program.only_reader(node.tops[0])
        while follower is not None and follower.type == "Affine" and follower.flows[0]:
            if is_plain_convolution(node) or node.type == "Affine":
                _into(node, follower)
                program.append_to(node, follower)
                follower = program.only_reader(node.tops[0])
            else:
                break
    for node in program.nodes:
        if node.weight is not None and node.bias is not None:
            node.weight = node.weight.astype(np.float32)
            node.bias = node.bias.astype(np.float32)


def _take_weights(node: Node) -> None:
    layer = node.layer
    if len(node.bottoms) != 1 or layer.axes != 4 or layer.axis != 1:
        return
    node.weight = layer.blobs[0].data.reshape(layer.param_shapes[0]).astype(np.float64)
    node.bias = (
        layer.blobs[1].data.ravel().astype(np.float64)
        if len(layer.param_shapes) > 1
        else np.zeros(layer.num_output)
    )


def _take_affine(node: Node) -> None:
    """Turn a layer that is an affine map of each channel into an Affine node."""
    if len(node.bottoms) != 1 or node.bottoms[0].axes != 4:
        return
    found = _affine_of(node.type, node.layer)
    if found is not None:
        node.type, node.layer = "Affine", None
        node.weight, node.bias = found


def _affine_of(type: str, layer: Any) -> tuple[np.ndarray, np.ndarray] | None:  # noqa: A002
    if type == "BN":
        affine: tuple[np.ndarray, np.ndarray] | None = layer.affine()
        return affine
    pairs = zip(getattr(layer, "blobs", ()), getattr(layer, "param_shapes", ()))
    blobs = [blob.data.reshape(shape).astype(np.float64) for blob, shape in pairs]
    if type == "BatchNorm" and layer.stored:
        mean, var, factor, *own = blobs
        share = 1 / factor if factor != 0 else np.zeros_like(factor)
        scale = 1 / np.sqrt(var * share + layer.eps)
        shift = -mean * share * scale
        return (scale * own[0], shift * own[0] + own[1]) if own else (scale, shift)
    if type in ("Scale", "Bias") and layer.axis == 1 and blobs[0].ndim == 1:
        if type == "Bias":
            return np.ones_like(blobs[0]), blobs[0]
        return blobs[0], blobs[1] if len(blobs) > 1 else np.zeros_like(blobs[0])
    return None


def _into(node: Node, follower: Node) -> None:
    """Put an Affine node's map behind a convolution's or another's."""
    scale, shift = follower.weight, follower.bias
    assert node.weight is not None
    assert node.bias is not None
    assert scale is not None
    assert shift is not None
    node.weight = node.weight * scale.reshape(-1, *(1,) * (node.weight.ndim - 1))
    node.bias = node.bias * scale + shift
