"""What a plan is made of: values, and nodes that make values from values.

A `Program` says what has to be computed, not how: it knows no sizes, no memory and no kernels. A
`Value` is one version of a blob, so that a layer in place makes a new one; a `Node` is a layer, or
several that the passes have made into one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class Unplannable(Exception):  # noqa: N818 (no error: the net runs layer by layer then)
    """This net has no plan; the text says why, and `Net` has to run it layer by layer."""


@dataclass(eq=False)
class Value:
    """One version of a blob.

    Attributes
    ----------
    blob : str
        The blob's name; its shape is the value's.
    axes : int
        How many axes it has, at any size.
    maker : Node or None
        What makes it; None for an input.
    readers : list of Node
        What reads it, in the order of running.
    """

    blob: str
    axes: int = 4
    maker: Node | None = None
    readers: list[Node] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{self.blob}>"


@dataclass(frozen=True)
class Activation:
    """What is done to each value right after it has been computed.

    ``kind`` is "ReLU" (max(x, 0)) or "Clip" (to low..high). The gradient passes where the value
    before it was above 0, or within the bounds; `everywhere` for Caffe's Clip in place.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0
    everywhere: bool = False


@dataclass(eq=False)
class Node:
    """A step of the program.

    Attributes
    ----------
    type : str
        Caffe's type string of its layer; "Affine" for what is left of BatchNorm, Scale and Bias.
    layer : Layer or None
        Holds the settings; None for an Affine node.
    names : list of str
        Names of the layers that it stands for.
    bottoms, tops : list of Value
    flows : list of bool
        For each bottom, whether a gradient goes back to it.
    in_place : bool
        The layer writes over its bottom; what it does then is part of its meaning.
    weight, bias : ndarray or None
        Of a convolution (out, in / group, kh, kw) or of an Affine node (channels): float32.
    activation : Activation or None
    """

    type: str
    layer: Any
    names: list[str]
    bottoms: list[Value]
    tops: list[Value]
    flows: list[bool]
    in_place: bool = False
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    activation: Activation | None = None

    def __repr__(self) -> str:
        return f"<{self.type} {'+'.join(self.names)}>"


@dataclass
class Program:
    """Nodes in the order of running, from the inputs to the targets.

    Attributes
    ----------
    nodes : list of Node
    inputs : dict of str to Value
        By blob; the first one is the picture.
    targets : dict of str to Value
        By layer.
    """

    nodes: list[Node]
    inputs: dict[str, Value]
    targets: dict[str, Value]

    @property
    def picture(self) -> Value:
        """The input that takes the picture."""
        return next(iter(self.inputs.values()))

    def values(self) -> Iterable[Value]:
        """Yield every value once, inputs first, in the order of their making."""
        yield from self.inputs.values()
        for node in self.nodes:
            yield from node.tops

    def only_reader(self, value: Value) -> Node | None:
        """Return the node that reads `value`, if there is just one and nobody else looks."""
        if len(value.readers) != 1 or value in self.targets.values():
            return None
        return value.readers[0]

    def append_to(self, node: Node, follower: Node) -> None:
        """Let `node` make what `follower`, the only reader of its top, has made."""
        node.names += follower.names
        node.tops = follower.tops
        for value in follower.tops:
            value.maker = node
        self.nodes.remove(follower)

    def __str__(self) -> str:
        return "\n".join(
            f"{node.type:14} {'+'.join(node.names)}: {node.bottoms} -> {node.tops}"
            for node in self.nodes
        )


def is_plain_convolution(node: Node) -> bool:
    """Tell whether a node is a convolution of one blob over height and width."""
    return node.type == "Convolution" and node.weight is not None
