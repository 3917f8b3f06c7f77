"""`engine="caffe"`: the real pycaffe behind `load_net`, in its own environment, without PyTorch."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from caffe_client import caffe_environment, caffe_python
from tiny import write_tiny

import deepdream

pytestmark = [pytest.mark.pycaffe, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
MEAN = (104, 117, 123)


def asked(script: str, *arguments: object) -> dict[str, object]:
    """Run a script in Caffe's environment and return the JSON of its last line."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    done = subprocess.run(
        [str(python), "-c", HEAD + script, *map(str, arguments)],
        env={**caffe_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


HEAD = """
import json, sys
import numpy as np
import deepdream

def load(**more):
    return deepdream.load_net(*sys.argv[1:3], mean=(104, 117, 123), engine="caffe", **more)

def error_of(*arguments, **more):
    try:
        deepdream.load_net(*arguments, mean=(104, 117, 123), engine="caffe", **more)
    except deepdream.DeepDreamError as error:
        return [type(error).__name__, str(error)]
"""


def test_a_dream_on_both_engines(tmp_path: Path) -> None:
    """The same seed gives the same picture on Caffe's own net as on ours, to rounding."""
    prototxt, weights = write_tiny(tmp_path)
    img = np.random.RandomState(1).uniform(0, 255, (53, 71, 3)).astype(np.float32)
    np.save(tmp_path / "in.npy", img)
    how = {"end": "a/output", "iter_n": 3, "octave_n": 2, "seed": 3}

    facts = asked(
        """
import caffe
net = load()
out = deepdream.dream(net, np.load(sys.argv[3] + "/in.npy"), **json.loads(sys.argv[4]))
np.save(sys.argv[3] + "/out.npy", np.asarray(out))
print(json.dumps({"is_caffes": isinstance(net, caffe.Net), "torch": "torch" in sys.modules,
                  "recipe": out.recipe}))
""",
        prototxt, weights, tmp_path, json.dumps(how),
    )  # fmt: skip
    ours = deepdream.dream(deepdream.load_net(prototxt, weights, mean=MEAN), img, **how)

    theirs = np.load(tmp_path / "out.npy")
    assert facts["is_caffes"]
    assert not facts["torch"]
    assert facts["recipe"] == {**ours.recipe, "engine": "caffe"}
    moved = np.linalg.norm(np.asarray(ours) - img)
    assert np.linalg.norm(theirs - np.asarray(ours)) < 1e-5 * moved


def test_users_files_stay_as_they_are(tmp_path: Path) -> None:
    """force_backward is asked for in a copy: gradients arrive, and the file has no such line."""
    prototxt, weights = write_tiny(tmp_path)
    prototxt.write_text(prototxt.read_text().replace("force_backward: true", ""))
    before = prototxt.read_bytes()

    facts = asked(
        """
net = load()
net.blobs["data"].data[...] = np.random.RandomState(0).uniform(-99, 99, net.blobs["data"].shape)
net.forward(end="a/output")
net.blobs["a/output"].diff[...] = net.blobs["a/output"].data
net.backward(start="a/output")
print(json.dumps({"diff": float(np.abs(net.blobs["data"].diff).sum())}))
""",
        prototxt, weights,
    )  # fmt: skip

    assert facts["diff"] > 0  # type: ignore[operator]
    assert prototxt.read_bytes() == before


def test_what_would_end_the_process_is_an_error(tmp_path: Path) -> None:
    """Foreign layers, damaged files, and weights of another net, all in one process that lives."""
    prototxt, weights = write_tiny(tmp_path)
    foreign = tmp_path / "foreign.prototxt"
    foreign.write_text(prototxt.read_text() + 'layer { name: "x" type: "Wavelet" bottom: "data" }')
    cut = tmp_path / "cut.caffemodel"
    cut.write_bytes(weights.read_bytes()[:-100])
    other = tmp_path / "other.prototxt"
    other.write_text(prototxt.read_text().replace("num_output: 6", "num_output: 5", 1))
    renamed = tmp_path / "renamed.prototxt"
    text = prototxt.read_text()
    renamed.write_text(text.replace('name: "conv1"', 'name: "first"', 1))

    facts = asked(
        """
files = sys.argv[1:]
print(json.dumps({
    "foreign": error_of(files[2], files[1]),
    "cut": error_of(files[0], files[3]),
    "other": error_of(files[4], files[1]),
    "renamed": error_of(files[5], files[1]),
    "gpu": error_of(*files[:2], device="cuda"),
    "fine": error_of(*files[:2]),
}))
""",
        prototxt, weights, foreign, cut, other, renamed,
    )  # fmt: skip

    kinds = {key: value and value[0] for key, value in facts.items()}  # type: ignore[index]
    assert kinds == {
        "foreign": "UnknownLayerTypeError",
        "cut": "CaffemodelError",
        "other": "WeightsError",
        "renamed": "WeightsError",
        "gpu": "EngineError",
        "fine": None,
    }


def test_a_picture_too_small_is_an_error(tmp_path: Path) -> None:
    """Our own graph knows; Caffe would end the process."""
    prototxt, weights = write_tiny(tmp_path)
    prototxt.write_text(prototxt.read_text().replace("kernel_size: 5", "kernel_size: 15"))
    assert "kernel_size: 15" in prototxt.read_text()
    net = deepdream.caffe.Net(str(prototxt), deepdream.caffe.TEST)
    net.save(str(weights))

    facts = asked(
        """
net = load()
try:
    deepdream.dream(net, np.zeros((9, 8, 3), np.float32), end="a/output")
    error = None
except deepdream.DeepDreamError as caught:
    error = [type(caught).__name__, str(caught)]
print(json.dumps({"error": error}))
""",
        prototxt, weights,
    )  # fmt: skip

    assert facts["error"][0] == "ShapeError"  # type: ignore[index]


def test_layers_beyond_ours_and_layers_shown(tmp_path: Path) -> None:
    """A type that only this Caffe has can be dreamt through, not drawn; other nets can be drawn."""
    prototxt, weights = write_tiny(tmp_path)
    beyond = tmp_path / "beyond.prototxt"
    beyond.write_text(
        prototxt.read_text().replace('layer { name: "pool2"', PERMUTE + 'layer { name: "pool2"')
    )

    facts = asked(
        """
net = load()
drawn = str(deepdream.draw(net).svg)
beyond = deepdream.load_net(sys.argv[3], sys.argv[2], mean=(104, 117, 123), engine="caffe")
out = deepdream.dream(beyond, np.random.RandomState(0).uniform(0, 255, (31, 41, 3)),
                      end="turned", iter_n=1, octave_n=1)
try:
    deepdream.draw(beyond)
except deepdream.DeepDreamError as error:
    refused = str(error)
print(json.dumps({"drawn": "a/3x3_reduce" in drawn, "shape": out.shape, "refused": refused}))
""",
        prototxt, weights, beyond,
    )  # fmt: skip

    assert facts["drawn"]
    assert facts["shape"] == [31, 41, 3]
    assert "not drawn" in str(facts["refused"])


PERMUTE = """
layer { name: "turned" type: "Permute" bottom: "a/output" top: "turned" }
"""
