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
from random_messages import random_net

from deepdream.errors import PrototxtError
from deepdream.reading.caffe_pb2 import NetParameter
from deepdream.reading.proto import parse_prototxt
from deepdream.reading.upgrade import upgrade

pytestmark = pytest.mark.pycaffe

ROOT = Path(__file__).resolve().parents[2]
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
