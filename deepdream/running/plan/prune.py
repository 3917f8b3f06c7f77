"""First pass: from a net, the part that its targets depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .program import Node, Program, Unplannable, Value

# Layers whose backward does not look at their top's values, so that a later layer may write over
# these and nothing changes. (Where one does look, Caffe's gradient is that of the overwritten
# values, and only `Net` gives it.)
BLIND = {
    "Axpy", "BN", "BatchNorm", "Bias", "Concat", "Convolution", "Crop", "Deconvolution", "Dropout",
    "Eltwise", "InnerProduct", "Input", "Interp", "Normalize", "Permute", "Pooling", "Reorg",
    "Scale", "ShuffleChannel", "Slice", "Tile", "Upsample",
}  # fmt: skip

# Layers that may run in place with a new value as their top, and give the same gradient.
RENAMED = {
    "BN", "BatchNorm", "Bias", "Dropout", "ELU", "ReLU", "ReLU6", "Scale", "Sigmoid", "TanH",
}  # fmt: skip


def prune(net: Any, ends: Sequence[str], picture: str) -> Program:
    """Return the program of those layers that the targets depend on, and no others.

    Splits and, in the TEST phase, Dropout layers are gone: they compute nothing. A layer in place
    reads one value and makes another.

    Parameters
    ----------
    net : Net
    ends : sequence of str
        Layers with a blob of their own name, whose values are the targets.
    picture : str
        The input blob that takes the picture.

    Raises
    ------
    Unplannable
        The net does something that only `Net` does; the text says what.
    ShapeError
        A layer's parameters have another size than it was built with.
    """
    current: dict[str, Value] = {}
    inputs: dict[str, Value] = {}
    targets: dict[str, Value] = {}
    nodes: list[Node] = []
    wanted = {net.layer_index(end): end for end in ends}
    for i, layer in enumerate(net._layers[: max(wanted) + 1]):
        name, bottoms, tops = net._layer_names[i], net._bottom_names[i], net._top_names[i]
        read = [current[blob] for blob in bottoms]
        if layer.type == "Input":
            for blob in tops:
                inputs[blob] = current[blob] = Value(blob, len(net.blobs[blob].shape))
        elif layer.type == "Split" or (
            # A target's diff is its own, so that it cannot be its bottom.
            layer.type == "Dropout" and not layer.drops and i not in wanted
        ):
            flows = bool(net._bottom_backward[i][0])
            if not flows:
                raise Unplannable(f"'{name}' lets no gradient through")
            for blob in tops:
                current[blob] = read[0]
        else:
            with net.named(i):
                layer.check_params()
            in_place = bool(set(bottoms) & set(tops))
            if in_place:
                _check_in_place(name, layer, read, bottoms, tops)
            made = [Value(blob, len(net.blobs[blob].shape)) for blob in tops]
            flows_back = [bool(flag) for flag in net._bottom_backward[i]]
            if not net._layer_backward[i]:
                flows_back = [False] * len(read)
            in_place = in_place and not _may_rename(layer)
            node = Node(
                layer.same_as or layer.type, layer, [name], read, made, flows_back, in_place
            )
            for value in made:
                value.maker = node
            current.update(zip(tops, made))
            nodes.append(node)
        if i in wanted:
            targets[name] = current[name]
    if picture not in inputs:
        raise Unplannable(f"'{picture}' is no Input blob")
    needed = _reaching(nodes, list(targets.values()))
    nodes = [node for node in nodes if any(value in needed for value in node.tops)]
    for node in nodes:
        if not node.bottoms:
            raise Unplannable(f"'{node.names[0]}' ({node.type}) makes values of its own")
        for value in dict.fromkeys(node.bottoms):
            value.readers.append(node)
    inputs = {picture: inputs[picture], **{k: v for k, v in inputs.items() if v in needed}}
    return Program(nodes, inputs, {end: targets[end] for end in ends})


def _check_in_place(
    name: str, layer: Any, read: list[Value], bottoms: list[str], tops: list[str]
) -> None:
    """Refuse a layer in place that writes over what an earlier layer's gradient needs."""
    if len(bottoms) != 1 or len(tops) != 1:
        raise Unplannable(f"'{name}' ({layer.type}) has several blobs and works in place")
    if read[0].blob != bottoms[0]:
        return  # a Dropout's copy, which nobody else reads
    maker = read[0].maker
    if maker is None:
        raise Unplannable(f"'{name}' ({layer.type}) writes over an input")
    blind = maker.type in BLIND or (maker.type == "ReLU" and maker.bottoms[0].blob != bottoms[0])
    # The quick gradient of a product divides the top by each bottom.
    divides = maker.type == "Eltwise" and maker.layer.operation == 0 and not maker.layer.stable
    # Caffe gives these one memory for top and bottom.
    shares = maker.type in ("Concat", "Slice") and len(maker.bottoms) == len(maker.tops) == 1
    if not blind or maker.in_place or divides or shares:
        raise Unplannable(
            f"'{name}' ({layer.type}) writes over what '{maker.names[0]}' ({maker.type}) needs for "
            "its gradient"
        )


def _may_rename(layer: Any) -> bool:
    """Tell whether a layer in place gives the gradient that it gives with a top of its own.

    It does not where a slope below 0 makes positive values of negative ones.
    """
    if layer.type not in RENAMED:
        return False
    return bool(getattr(layer, "slope", 0) >= 0 and getattr(layer, "alpha", 0) >= 0)


def _reaching(nodes: Sequence[Node], targets: Sequence[Value]) -> set[Value]:
    """Return the values that the targets depend on, themselves included."""
    needed = set(targets)
    for node in reversed(nodes):
        if any(value in needed for value in node.tops):
            needed.update(node.bottoms)
    return needed
