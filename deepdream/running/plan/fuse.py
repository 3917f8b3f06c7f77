"""Third pass: a ReLU or Clip becomes the end of the step before it."""

from __future__ import annotations

from .program import Activation, Node, Program

# What can end with an activation.
HOSTS = {"Affine", "Convolution", "Eltwise"}


def fuse(program: Program) -> None:
    """Let convolutions, sums and affine maps do the ReLU or Clip that alone follows them."""
    for node in list(program.nodes):
        activation = activation_of(node)
        host = node.bottoms[0].maker
        if activation is None or host is None or host.type not in HOSTS or host.activation:
            continue
        if host.type == "Convolution" and host.weight is None:
            continue
        if host.type == "Eltwise" and (
            host.layer.operation != host.layer.SUM or host.tops[0].axes != 4
        ):
            continue
        if program.only_reader(host.tops[0]) is node and node.flows[0]:
            host.activation = activation
            program.append_to(host, node)


def activation_of(node: Node) -> Activation | None:
    """Return what a ReLU or Clip node does, or None for other nodes and leaky ReLUs."""
    if node.type == "ReLU" and node.layer.slope == 0:
        return Activation("ReLU")
    if node.type == "Clip":
        return Activation("Clip", node.layer.low, node.layer.high, everywhere=node.in_place)
    return None
