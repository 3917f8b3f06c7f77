"""Fourth pass: 1x1 convolutions that read one blob become one convolution."""

from __future__ import annotations

import numpy as np

from .program import Node, Program, Value


def merge(program: Program) -> None:
    """Merge the 1x1 convolutions with one bottom and one activation into one with many tops.

    Forward the bottom is read once; backward one product sums what would be several gradients.
    """
    for value in program.values():
        alike: dict[object, list[Node]] = {}
        for reader in value.readers:
            if is_pointwise(reader):
                alike.setdefault((reader.activation, reader.flows[0]), []).append(reader)
        for nodes in alike.values():
            if len(nodes) > 1:
                _merge(program, value, nodes)


def is_pointwise(node: Node) -> bool:
    """Tell whether a node is a convolution that mixes the channels of each position by itself."""
    return (
        node.type == "Convolution"
        and node.weight is not None
        and tuple(node.layer.kernel) == (1, 1)
        and tuple(node.layer.stride) == (1, 1)
        and tuple(node.layer.pad) == (0, 0)
        and node.layer.group == 1
    )


def _merge(program: Program, value: Value, nodes: list[Node]) -> None:
    # The first one runs for all: its bottom is there by then, and nobody reads a top before.
    # The last top is the one that a Concat begins with, so that the merged tops and the Concat's
    # top can lie in one storage (allocate.py).
    nodes = sorted(nodes, key=lambda node: _begins_concat(node.tops[0]))
    first = min(nodes, key=program.nodes.index)
    weights = [node.weight for node in nodes if node.weight is not None]
    biases = [node.bias for node in nodes if node.bias is not None]
    merged = Node(
        "Convolution",
        first.layer,
        [name for node in nodes for name in node.names],
        [value],
        [top for node in nodes for top in node.tops],
        first.flows,
        weight=np.concatenate(weights),
        bias=np.concatenate(biases),
        activation=first.activation,
    )
    program.nodes[program.nodes.index(first)] = merged
    for node in nodes:
        if node is not first:
            program.nodes.remove(node)
        value.readers.remove(node)
    value.readers.append(merged)
    for top in merged.tops:
        top.maker = merged


def _begins_concat(value: Value) -> bool:
    return any(reader.type == "Concat" and reader.bottoms[0] is value for reader in value.readers)
