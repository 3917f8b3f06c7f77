"""What Caffe does to a net's description before it builds the net.

`filter_net` leaves out the layers that do not belong to a phase, level or stage; `insert_splits`
puts a Split layer after every blob that more than one layer reads, so that each blob has one
reader and its gradient one writer. Messages in, messages out; nothing is built here.

Source: ``Net::FilterNet``, ``Net::StateMeetsRule`` and ``insert_splits.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ..errors import PrototxtError, nearest


def filter_net(net: Any, phase: int, level: int = 0, stages: Sequence[str] = ()) -> Any:
    """Return a copy of `net` with only the layers that belong to this state.

    Parameters
    ----------
    net : NetParameter
        An upgraded net.
    phase : int
        0 for TRAIN, 1 for TEST.
    level : int
        Compared with ``min_level`` and ``max_level``.
    stages : sequence of str
        Compared with ``stage`` and ``not_stage``.

    Returns
    -------
    NetParameter

    Raises
    ------
    PrototxtError
        A layer has include and exclude rules.
    """
    kept = type(net)()
    kept.CopyFrom(net)
    del kept.layer[:]
    active = {*stages, *net.state.stage}
    for layer in net.layer:
        if len(layer.include) and len(layer.exclude):
            raise PrototxtError(
                f"layer '{layer.name}' has include and exclude rules: Caffe allows only one kind"
            )
        if len(layer.include):
            wanted = any(_meets(rule, phase, level, active) for rule in layer.include)
        else:
            wanted = not any(_meets(rule, phase, level, active) for rule in layer.exclude)
        if wanted:
            kept.layer.add().CopyFrom(layer)
    return kept


def _meets(rule: Any, phase: int, level: int, stages: set[str]) -> bool:
    """Tell whether a state meets every condition of a NetStateRule."""
    if rule.HasField("phase") and rule.phase != phase:
        return False
    if rule.HasField("min_level") and level < rule.min_level:
        return False
    if rule.HasField("max_level") and level > rule.max_level:
        return False
    if any(stage not in stages for stage in rule.stage):
        return False
    return not any(stage in stages for stage in rule.not_stage)


def insert_splits(net: Any) -> Any:
    """Return a copy of `net` in which every top has at most one reader.

    A top with several readers is followed by a layer ``<blob>_<layer>_<top index>_split`` whose
    tops add ``_0``, ``_1`` ... in the order of the readers; the readers' bottoms are renamed. A
    loss weight on the top counts as a reader: the split's first top has it then, and the layer
    none (a loss layer the one that it has without a word). Where layers work in place, the last
    one is the producer.

    Parameters
    ----------
    net : NetParameter
        An upgraded and filtered net.

    Returns
    -------
    NetParameter

    Raises
    ------
    PrototxtError
        A bottom that no layer before it makes.
    """
    producer: dict[str, tuple[int, int]] = {}  # blob -> (layer, top) that wrote it last
    source: dict[tuple[int, int], tuple[int, int]] = {}  # (layer, bottom) -> (layer, top)
    readers: dict[tuple[int, int], int] = defaultdict(int)
    for i, layer in enumerate(net.layer):
        for j, blob in enumerate(layer.bottom):
            if blob not in producer:
                raise PrototxtError(
                    f"layer '{layer.name}' reads blob '{blob}' (bottom {j}), which no layer before "
                    f"it makes.{nearest(blob, producer)}"
                )
            source[i, j] = producer[blob]
            readers[producer[blob]] += 1
        for j, blob in enumerate(layer.top):
            producer[blob] = (i, j)
        for j in range(min(len(layer.loss_weight), len(layer.top))):
            if layer.loss_weight[j]:
                readers[i, j] += 1

    split = type(net)()
    split.CopyFrom(net)
    del split.layer[:]
    used: dict[tuple[int, int], int] = defaultdict(int)
    for i, layer in enumerate(net.layer):
        kept = split.layer.add()
        kept.CopyFrom(layer)
        for j in range(len(layer.bottom)):
            top = source[i, j]
            if readers[top] > 1:
                from_layer = net.layer[top[0]]
                kept.bottom[j] = _split_blob(from_layer.top[top[1]], from_layer.name, top[1],
                                             used[top])  # fmt: skip
                used[top] += 1
        for j, blob in enumerate(layer.top):
            count = readers[i, j]
            if count <= 1:
                continue
            extra = split.layer.add()
            extra.name = _split_layer(blob, layer.name, j)
            extra.type = "Split"
            extra.bottom.append(blob)
            extra.top.extend(_split_blob(blob, layer.name, j, k) for k in range(count))
            if j < len(layer.loss_weight) and layer.loss_weight[j]:
                # The loss is taken from the first split top instead.
                extra.loss_weight.extend([layer.loss_weight[j]] + [0.0] * (count - 1))
                del kept.loss_weight[:]
                used[i, j] += 1
    return split


def _split_layer(blob: str, layer: str, top: int) -> str:
    return f"{blob}_{layer}_{top}_split"


def _split_blob(blob: str, layer: str, top: int, k: int) -> str:
    return f"{_split_layer(blob, layer, top)}_{k}"
