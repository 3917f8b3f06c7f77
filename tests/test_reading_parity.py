"""Text and upgrades, judged by the real Caffe's own functions (`scripts/caffe_formats.py`)."""

from __future__ import annotations

import json
import subprocess
import tempfile
import warnings
from pathlib import Path
from random import Random

import pytest
from caffe_client import caffe_environment, caffe_python
from prototxt_syntax import ACCEPTED, ONLY_CAFFE_ACCEPTS, ONLY_WE_ACCEPT, REFUSED

from deepdream.caffe_pb2 import NetParameter
from deepdream.errors import PrototxtError
from deepdream.proto import parse_prototxt
from deepdream.upgrade import upgrade
from deepdream.upgrade_v0 import V0_TYPES

pytestmark = pytest.mark.pycaffe

ROOT = Path(__file__).resolve().parents[1]
LEGACY = ROOT / "tests" / "data" / "legacy"


def judge(nets: dict[str, bytes], extension: str) -> dict[str, tuple[str, list[NetParameter]]]:
    """Return Caffe's verdict on each net, and the net as parsed and as upgraded."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed (scripts/install_caffe.sh)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = {f"{index:05d}": key for index, key in enumerate(nets)}
        for stem, key in keys.items():
            (folder / stem).with_suffix(extension).write_bytes(nets[key])
        subprocess.run(
            [python, ROOT / "scripts" / "caffe_formats.py", folder],
            check=True,
            env=caffe_environment(),
            timeout=300,
        )
        verdicts = json.loads((folder / "results.json").read_text())
        return {
            keys[stem]: (
                verdict,
                [
                    NetParameter.FromString(path.read_bytes())
                    for path in (folder / f"{stem}.parsed", folder / f"{stem}.upgraded")
                    if path.exists()
                ],
            )
            for stem, verdict in verdicts.items()
        }


def test_syntax():
    """Caffe's parser agrees with every line of `prototxt_syntax.py`."""
    accepted = {key: text for key, (text, _) in ACCEPTED.items()} | ONLY_CAFFE_ACCEPTS
    refused = REFUSED | ONLY_WE_ACCEPT
    results = judge({k: t.encode() for k, t in (accepted | refused).items()}, ".prototxt")

    verdicts = {key: verdict == "refused" for key, (verdict, _) in results.items()}
    assert verdicts == dict.fromkeys(accepted, False) | dict.fromkeys(refused, True)
    for key in ACCEPTED:
        assert results[key][1][0] == parse_prototxt(ACCEPTED[key][0]), key


def test_legacy_files():
    """Caffe upgrades the nets of ``tests/data/legacy`` to what we upgrade them to."""
    texts = {path.name: path.read_bytes() for path in LEGACY.glob("*.prototxt")}
    results = judge(texts, ".prototxt")

    assert {verdict for verdict, _ in results.values()} == {"upgraded"}
    for name, text in texts.items():
        assert results[name][1][1] == upgrade(parse_prototxt(text.decode())), name


def test_random_nets():
    """Nets of random fields upgrade alike; where Caffe ends the process, we raise."""
    random = Random(2014)
    nets = {str(i): random_net(random) for i in range(400)}
    results = judge({k: n.SerializePartialToString() for k, n in nets.items()}, ".caffemodel")

    equal = 0
    for key, net in nets.items():
        verdict, messages = results[key]
        ours = upgraded_or_error(net)
        if isinstance(ours, PrototxtError):
            # With too few input_dim Caffe reads beyond the list, and may or may not survive it.
            assert verdict == "aborted" or "input_dim" in str(ours), key
            continue
        assert verdict != "aborted", key
        assert without_empty_data(messages[1]) == without_empty_data(ours), key
        equal += 1
    assert equal > 250


def upgraded_or_error(net: NetParameter) -> NetParameter | PrototxtError:
    """Return what `upgrade` returns or raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return upgrade(net)
    except PrototxtError as error:
        return error


def without_empty_data(net: NetParameter) -> NetParameter:
    """Remove the messages without content that Caffe adds to data layers when it upgrades one."""
    for layer in net.layer:
        for name in ("data_param", "image_data_param", "window_data_param"):
            if not getattr(layer, name).ListFields():
                layer.ClearField(name)
    return net


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


def fill(message, random: Random, depth: int, skip: tuple[str, ...]) -> None:
    """Set about a third of a message's fields."""
    for field in message.DESCRIPTOR.fields:
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


def _value(field, random: Random):
    if field.enum_type:
        return random.choice(field.enum_type.values).number
    kinds = {
        field.CPPTYPE_STRING: ["a", "b/c", ""],
        field.CPPTYPE_BOOL: [True, False],
        field.CPPTYPE_FLOAT: [0.0, 0.5, 2.0],
        field.CPPTYPE_DOUBLE: [0.0, 0.5, 2.0],
    }
    return random.choice(kinds.get(field.cpp_type, [0, 1, 2, 3]))
