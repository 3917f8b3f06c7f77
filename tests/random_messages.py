"""Nets of arbitrary fields, for what must work on any net. Every one comes from a seed."""

from __future__ import annotations

from random import Random
from typing import Any

from deepdream.reading.caffe_pb2 import NetParameter
from deepdream.reading.upgrade_v0 import V0_TYPES

# The last number that BVLC's Caffe has in these messages; what is beyond, variants added.
BVLC_LAST = {
    "NetParameter": 100, "LayerParameter": 148, "V1LayerParameter": 1002, "BlobProto": 9,
    "PoolingParameter": 13, "BatchNormParameter": 3, "DropoutParameter": 1,
    "TransformationParameter": 7, "LayerType": 39, "ConvolutionParameter": 18,
}  # fmt: skip


def random_net(random: Random) -> NetParameter:
    """Return a net of layers of one generation with arbitrary contents."""
    net = NetParameter(input=["data", "extra"][: random.randint(1, 2)])
    fill(net, random, 0, ("layers", "layer", "input", "input_dim", "input_shape"))
    if random.random() < 0.7:
        net.input_dim.extend(range(1, 4 * len(net.input) + 1 + random.choice([0, 0, 0, 0, 1, -1])))
    elif random.random() < 0.7:
        for _ in net.input:
            net.input_shape.add(dim=[2, 5])
    generation = random.choice(["V0", "V1", "V2"])
    tops = list(net.input)
    for index in range(random.randint(1, 5)):
        if generation == "V2":
            fill(net.layer.add(), random, 1, ("clip_param",))
            if random.random() < 0.5:
                net.layer[-1].type = "BatchNorm"
            continue
        layer = net.layers.add()
        if generation == "V1":
            fill(layer, random, 1, ("layer",))
            continue
        fill(layer.layer, random, 1, ())
        layer.layer.name = f"layer{index}"
        layer.layer.type = random.choice([*V0_TYPES, *["padding", "conv", "pool"] * 5])
        layer.bottom.append(random.choice(tops))
        layer.top.append(f"top{index}")
        tops.append(f"top{index}")
    return net


def fill(message: Any, random: Random, depth: int, skip: tuple[str, ...]) -> None:
    """Set about a third of a message's fields."""
    for field in message.DESCRIPTOR.fields:
        if field.number > BVLC_LAST.get(message.DESCRIPTOR.name, field.number):
            continue
        if field.name in skip or random.random() > 0.3:
            continue
        holder = getattr(message, field.name)
        many = hasattr(holder, "extend")
        for _ in range(random.randint(1, 3) if many else 1):
            if field.message_type:
                if depth < 4:
                    inner = holder.add() if many else holder
                    inner.SetInParent()
                    fill(inner, random, depth + 1, skip)
                continue
            value = _value(field, random)
            if many:
                holder.append(value)
            else:
                setattr(message, field.name, value)


def _value(field: Any, random: Random) -> Any:
    if field.enum_type:
        last = BVLC_LAST.get(field.enum_type.name, 1000)
        return random.choice([v.number for v in field.enum_type.values if v.number <= last])
    floats, bools, texts = [0.0, 0.5, 2.0], [True, False], ["a", "b/c", ""]
    # protobuf's CPPTYPE_DOUBLE, FLOAT, BOOL, STRING: 4.21 has these names nowhere.
    kinds: dict[int, list] = {5: floats, 6: floats, 7: bools, 9: texts}
    return random.choice(kinds.get(field.cpp_type, [0, 1, 2, 3]))
