"""What Caffe does to a net's description before it builds the net.

`filter_net` leaves out the layers that do not belong to a phase, level or stage; `leave_out` those
that cannot be built, with all that depends on them, so that a net whose head is a mystery can be
dreamt on before it; `inputs_for_lists` puts an Input where SegNet's files name a list of pictures,
and `refuse_training` says what to write where a net begins with a database; `insert_splits`
puts a Split layer after every blob that more than one layer reads, so that each blob has one
reader and its gradient one writer. Messages in, messages out; nothing is built here.

Source: ``Net::FilterNet``, ``Net::StateMeetsRule`` and ``insert_splits.cpp`` of BVLC/caffe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import PrototxtError, UnknownLayerTypeError, nearest


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


def leave_out(net: Any, why_not: Callable[[Any], str], unmade: bool = False) -> Any:
    """Return a copy of `net` without the layers that cannot be built, and what depends on them.

    Parameters
    ----------
    net : NetParameter
        An upgraded and filtered net.
    why_not : callable
        Tells of a LayerParameter why it cannot be built; an empty string where it can.
    unmade : bool
        Leave out, too, what reads a blob that no layer makes, where that is in the net's head.

    Returns
    -------
    NetParameter
        Its ``left_out`` has the other layers, each with the reason in ``not_understood``.
    """
    built = type(net)()
    built.CopyFrom(net)
    del built.layer[:]
    lost: dict[str, str] = {}  # blob -> the layer whose version of it there is not
    made: set[str] = set()
    for i, layer in enumerate(net.layer):
        reason = why_not(layer)
        if not reason and unmade and in_head(i, len(net.layer)):
            reason = next(
                (
                    f"it reads blob '{blob}', which no layer before it makes.{nearest(blob, made)}"
                    for blob in layer.bottom
                    if blob not in made and blob not in lost
                ),
                "",
            )
        if not reason:
            reason = next(
                (f"it reads '{blob}' of '{lost[blob]}'" for blob in layer.bottom if blob in lost),
                "",
            )
        if not reason:
            for blob in layer.top:
                lost.pop(blob, None)
                made.add(blob)
            built.layer.add().CopyFrom(layer)
            continue
        lost.update((blob, layer.name) for blob in layer.top)
        left = built.left_out.add()
        left.CopyFrom(layer)
        del left.blobs[:]
        left.not_understood[:] = [reason]
    return built


def in_head(index: int, layers: int) -> bool:
    """Tell whether a layer belongs to a net's second half, which is where its head is.

    What is wrong there costs a dream nothing; in the first half it is more likely a slip of
    whoever writes the net, and an error.
    """
    return 2 * index >= layers


def inputs_for_lists(net: Any) -> tuple[Any, list[str]]:
    """Put an Input in place of each DenseImageData layer whose labels nobody reads.

    SegNet's files for inference begin so: they name a list of pictures, and no size, which comes
    from the pictures themselves.

    Parameters
    ----------
    net : NetParameter
        An upgraded and filtered net.

    Returns
    -------
    (NetParameter, list of str)
        A copy, or the net itself where there is nothing to do; and the replaced layers' names.
    """
    read = {blob for layer in net.layer for blob in layer.bottom}
    listed = [
        i
        for i, layer in enumerate(net.layer)
        if layer.type == "DenseImageData"
        and layer.top
        and layer.top[0] in read
        and not read.intersection(layer.top[1:])
    ]
    if not listed:
        return net, []
    changed = type(net)()
    changed.CopyFrom(net)
    for i in listed:
        layer = changed.layer[i]
        channels, height, width, _ = _record_size([layer])
        top = layer.top[0]
        name = layer.name
        layer.Clear()
        layer.name, layer.type = name, "Input"
        layer.top.append(top)
        layer.input_param.shape.add().dim.extend((1, channels, height, width))
    return changed, [net.layer[i].name for i in listed]


# Layers that read records of a database or a list, and the field that says how.
_DATA = {
    "AnnotatedData": "data_param", "Data": "data_param",
    "DenseImageData": "dense_image_data_param", "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param", "ImageSegData": "image_data_param",
    "MemoryData": "memory_data_param", "VideoData": "video_data_param",
    "WindowData": "window_data_param",
}  # fmt: skip

_EXAMPLE = 224, 224  # height and width, where a description does not tell
_OF_SEGNET = 360, 480  # what SegNet's files are made for, which tell none


def refuse_training(described: Any, kept: Any) -> None:
    """Refuse a description that begins with records of a database instead of an input.

    Parameters
    ----------
    described : NetParameter
        All that the description says.
    kept : NetParameter
        What of it belongs to the state that is built.

    Raises
    ------
    UnknownLayerTypeError
        A data layer would have to be built.
    PrototxtError
        A layer reads what a data layer makes in another phase only.
    """
    for layer in kept.layer:
        if layer.type in _DATA and layer.type != "MemoryData":
            raise UnknownLayerTypeError(
                f"layer type '{layer.type}' is not known here ('{layer.name}'): "
                f"{training_advice(described)}"
            )
    made: set[str] = set()
    for layer in kept.layer:
        for blob in layer.bottom:
            source = next(
                (one for one in described.layer if one.type in _DATA and blob in one.top), None
            )
            if blob not in made and source is not None:
                raise PrototxtError(
                    f"layer '{layer.name}' reads '{blob}', which '{source.name}' ({source.type}) "
                    f"makes in another phase: {training_advice(described)}"
                )
        made.update(layer.top)


def training_advice(net: Any) -> str:
    """Return what to do with a description of training: the lines to write in place of its data."""
    data = [layer for layer in net.layer if layer.type in _DATA]
    if not data:
        return ""
    pictures = _pictures(net, data)
    read = {blob for layer in net.layer for blob in layer.bottom}
    labels = {blob for layer in data for blob in layer.top}.intersection(read).difference(pictures)
    readers = [layer.name for layer in net.layer if labels.intersection(layer.bottom)]
    without = ""
    if readers:
        shown = ", ".join(repr(name) for name in dict.fromkeys(readers))
        without = f", without what reads {', '.join(map(repr, sorted(labels)))} ({shown})"
    lines, told = [], True
    for top, layers in pictures.items():
        channels, height, width, tells = _record_size(layers)
        told = told and tells
        lines.append(
            f'layer {{ name: "{top}" type: "Input" top: "{top}"\n'
            f"  input_param {{ shape {{ dim: 1 dim: {channels} dim: {height} dim: {width} }} }} }}"
        )
    size = "" if told else " (the size is an example: the file tells none)"
    what = "an Input layer" if len(lines) == 1 else "Input layers"
    return (
        f"this describes training. Give the net's deploy.prototxt, or put {what} in place "
        f"of the data layers{without}{size}:\n" + "\n".join(lines)
    )


def _pictures(net: Any, data: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the blobs that data layers make of pictures, each with the layers that make it.

    That are the first tops, but for those that only losses read: they are labels.
    """
    readers: dict[str, list[str]] = defaultdict(list)
    for layer in net.layer:
        for blob in layer.bottom:
            readers[blob].append(layer.type)
    made: dict[str, list[Any]] = defaultdict(list)
    for layer in data:
        if layer.top:
            made[layer.top[0]].append(layer)
    found = {
        blob: layers
        for blob, layers in made.items()
        if any(not kind.endswith(("Loss", "Accuracy", "Silence")) for kind in readers[blob])
    }
    return found or dict(list(made.items())[:1]) or {"data": list(data)}


def _record_size(data: Sequence[Any]) -> tuple[int, int, int, bool]:
    """Return channels, height and width of what data layers give, and whether they tell a size."""
    channels, height, width = 3, 0, 0
    for layer in data:
        if layer.transform_param.force_gray:
            channels = 1
        for param in _size_fields(layer):
            if getattr(param, "is_color", True) is False:
                channels = 1
            channels = getattr(param, "channels", 0) or channels
            for names in (("crop_size", "crop_size"), ("height", "width"),
                          ("new_height", "new_width")):  # fmt: skip
                found = [int(getattr(param, name, 0)) for name in names]
                if all(found) and not height:
                    height, width = found
        means = len(layer.transform_param.mean_value)
        channels = 1 if means == 1 and channels == 3 and layer.type == "Data" else channels
    if not height:
        lists = any(layer.type == "DenseImageData" for layer in data)
        return (channels, *(_OF_SEGNET if lists else _EXAMPLE), False)
    return channels, height, width, True


def _size_fields(layer: Any) -> Iterator[Any]:
    """Yield the messages of a data layer that may tell a size, the one that counts first."""
    yield layer.transform_param
    yield getattr(layer, _DATA[layer.type])
    yield layer.transform_param.resize_param


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
