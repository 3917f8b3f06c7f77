"""`engine="caffe"`: the real pycaffe behind `load_net`, in its own environment, without PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from caffe_client import caffe_environment, caffe_python
from helpers import assert_close
from tiny import SMOOTH, write_tiny
from uneven import SMOOTH as UNEVEN

import deepdream
from deepdream import objectives as o
from deepdream.reading import caffe_pb2

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
    prototxt, weights = write_tiny(tmp_path, text=SMOOTH)
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
    ours = deepdream.dream(
        deepdream.load_net(prototxt, weights, mean=MEAN, device="cpu"), img, **how
    )

    theirs = np.load(tmp_path / "out.npy")
    assert facts["is_caffes"]
    assert not facts["torch"]
    assert facts["recipe"] == {**ours.recipe, "engine": "caffe"}
    moved = np.linalg.norm(np.asarray(ours) - img)
    assert np.linalg.norm(theirs - np.asarray(ours)) < 1e-5 * moved


def test_sums_on_both_engines(tmp_path: Path) -> None:
    """Targets before the ReLU, before a split and behind it, with a mask, in stretches of Caffe's.

    What it gives in one pass is what its own net gives, target by target.
    """
    prototxt, weights = write_tiny(tmp_path, text=SMOOTH)
    img = np.random.RandomState(1).uniform(0, 255, (53, 71, 3)).astype(np.float32)
    np.save(tmp_path / "in.npy", img)
    ends = {"conv1": 0.5, "norm1": 1.0, "a/1x1": -0.3, "pool2": 1.0}
    how = {"iter_n": 2, "octave_n": 2, "seed": 3}

    asked(
        """
from deepdream import objectives as o
net, img = load(), np.load(sys.argv[3] + "/in.npy")
ends, how = json.loads(sys.argv[4])
np.save(sys.argv[3] + "/sum.npy", np.asarray(deepdream.dream(net, img, ends, **how)))
mask = np.arange(71)[None] * np.ones((53, 1)) / 70
terms = o.channel("a/output", 2, 5).where(mask) + o.neuron("a/3x3", 1, 0.2, 0.7) + o.layer("norm1")
np.save(sys.argv[3] + "/terms.npy", np.asarray(deepdream.dream(net, img, objective=terms, **how)))

step = {"iter_n": 1, "octave_n": 1, "jitter": 0, "clip": False, "seed": 1}
np.save(sys.argv[3] + "/step.npy", np.asarray(deepdream.dream(net, img, ends, **step)))
total = 0
for end, weight in ends.items():
    net.blobs["data"].reshape(1, 3, 53, 71)
    net.blobs["data"].data[0] = deepdream.preprocess(net, img)
    net.forward(end=end)
    for blob in net.blobs.values():
        blob.diff[...] = 0
    net.blobs[end].diff[...] = net.blobs[end].data
    net.backward(start=end)
    g = net.blobs["data"].diff[0].astype(np.float64)
    total = total + weight * g / np.abs(g).mean()
moved = 1.5 * total / np.abs(total).mean()
np.save(sys.argv[3] + "/expected.npy", moved[::-1].transpose(1, 2, 0))
print("{}")
""",
        prototxt, weights, tmp_path, json.dumps([ends, how]),
    )  # fmt: skip
    net = deepdream.load_net(prototxt, weights, mean=MEAN, device="cpu")
    mask = np.arange(71)[None] * np.ones((53, 1)) / 70
    terms = o.channel("a/output", 2, 5).where(mask) + o.neuron("a/3x3", 1, 0.2, 0.7)
    terms = terms + o.layer("norm1")

    assert_close(np.load(tmp_path / "step.npy") - img, np.load(tmp_path / "expected.npy"), 1e-5)
    for name, ours in (("sum", deepdream.dream(net, img, ends, **how)),
                       ("terms", deepdream.dream(net, img, objective=terms, **how))):  # fmt: skip
        theirs = np.load(tmp_path / f"{name}.npy")
        assert_close(theirs - img, np.asarray(ours) - img, 1e-5, name)


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


# Each would end the process: a line of the prototxt and what stands for it, and the error.
DEADLY = {
    "filler": ('num_output: 6', 'num_output: 6 weight_filler { type: "xaver" }',
               "PrototxtError", "Unknown filler name: xaver"),
    "database": ('layer { name: "conv1"', 'layer { name: "d" type: "Data" top: "d" top: "l" '
                 'data_param { source: "no_such_lmdb" backend: LMDB batch_size: 1 } } '
                 'layer { name: "conv1"', "PrototxtError", "No such file"),
    "kernel": ("kernel_size: 5", "", "PrototxtError", "kernel_size"),
    "params": ('type: "Convolution" bottom: "data"', 'type: "Convolution" bottom: "data" '
               "param {} param {} param {}", "PrototxtError", "3 param entries for 2"),
    "python": ('layer { name: "conv1"', 'layer { name: "p" type: "Python" bottom: "data" top: "p" '
               'python_param { module: "no_such_module" layer: "P" } } layer { name: "conv1"',
               "PrototxtError", "No module named 'no_such_module'"),
    "type": ('type: "ReLU" bottom: "conv1"', 'type: "RELU" bottom: "conv1"',
             "UnknownLayerTypeError", "Did you mean 'ReLU'"),
    "input": ("shape { dim: 1 dim: 3 dim: 29 dim: 37 }", "", "ShapeError", "a blob of 0 axes"),
}  # fmt: skip


def test_what_only_caffe_refuses_is_an_error(tmp_path: Path) -> None:
    """Caffe is asked in a process of its own first; its words are in the error."""
    prototxt, weights = write_tiny(tmp_path)
    text = prototxt.read_text()
    for name, (old, new, _, _) in DEADLY.items():
        assert old in text, name
        (tmp_path / f"{name}.prototxt").write_text(text.replace(old, new, 1))

    facts = asked(
        """
files = sys.argv[1:]
print(json.dumps({name: error_of(f"{files[0]}/{name}.prototxt", files[1]) for name in files[2:]}))
""",
        tmp_path, weights, *DEADLY,
    )  # fmt: skip

    for name, (_, _, kind, words) in DEADLY.items():
        error: Any = facts[name]
        assert error is not None, name
        assert error[0] == kind, (name, error)
        assert words in error[1], (name, error)


def test_weights_that_only_caffe_refuses(tmp_path: Path) -> None:
    """Too many axes, parameters for a layer that has none: an error; layers of one name: the first
    gets them, as in Caffe.
    """
    prototxt, weights = write_tiny(tmp_path)
    text = prototxt.read_text()
    message = caffe_pb2.NetParameter.FromString(weights.read_bytes())

    def change(name: str, what: Any) -> None:
        changed = type(message).FromString(message.SerializeToString())
        layers = {layer.name: layer for layer in changed.layer}
        what(layers)
        (tmp_path / f"{name}.caffemodel").write_bytes(changed.SerializeToString())

    change("axes", lambda layers: layers["conv1"].blobs[1].shape.dim.insert(0, 1))
    change("surplus", lambda layers: layers["relu1"].blobs.add().shape.dim.append(0))
    twice = tmp_path / "twice.prototxt"
    twice.write_text(text.replace('name: "a/1x1"', 'name: "conv1"'))

    facts = asked(
        """
folder, prototxt, weights = sys.argv[1:]
net = deepdream.load_net(folder + "/twice.prototxt", weights, mean=(1, 2, 3), engine="caffe",
                         strict=False)
print(json.dumps({
    "axes": error_of(prototxt, folder + "/axes.caffemodel"),
    "surplus": error_of(prototxt, folder + "/surplus.caffemodel"),
    "twice": float(np.abs(net.layers[1].blobs[0].data).sum()),
}))
""",
        tmp_path, prototxt, weights,
    )  # fmt: skip

    for name in ("axes", "surplus"):
        error: Any = facts[name]
        assert error is not None, name
        assert error[0] == "WeightsError", error
        assert "Caffe cannot load these weights" in error[1]
    assert facts["twice"] > 0  # type: ignore[operator]


def test_passes_that_would_end_the_process_are_errors(tmp_path: Path) -> None:
    """The notebook's functions and the user's own passes, at sizes and ends that Caffe dies of; and
    after all these errors the net still dreams.
    """
    prototxt, weights = write_tiny(tmp_path)
    text = prototxt.read_text()
    beside = tmp_path / "beside.prototxt"
    beside.write_text(
        text.replace('layer { name: "norm1"', 'layer { name: "label" type: "Input" top: "label" } '
                     'layer { name: "most" type: "ArgMax" bottom: "pool1" top: "most" } '
                     'layer { name: "norm1"', 1)
    )  # fmt: skip

    facts = asked(
        """
files = sys.argv[1:]
net, beside = load(), deepdream.load_net(files[2], files[1], mean=(1, 2, 3), engine="caffe")
large = np.random.RandomState(0).uniform(0, 255, (41, 43, 3)).astype(np.float32)
small = large[:2, :3]

def tried(call, *arguments, **more):
    try:
        call(*arguments, **more)
    except deepdream.DeepDreamError as error:
        return [type(error).__name__, str(error)]

def at(net, *shape):
    net.blobs["data"].reshape(*shape)
    return net

found = {
    "deepdream": tried(deepdream.deepdream, net, small, end="a/output", octave_n=2),
    "guide": tried(deepdream.guide_features, net, small, "a/output"),
    "make_step": tried(deepdream.make_step, at(net, 1, 4, 20, 20), end="a/output"),
    "classifier": tried(deepdream.deepdream, net, large, end="fc", octave_n=1),
    "forward": tried(at(net, 1, 3, 41, 43).forward),
    "reshape": tried(net.reshape),
    "no gradient": tried(deepdream.dream, beside, large, end="a/output", iter_n=1),
    "no label": tried(at(beside, 1, 3, 29, 37).backward, start="conv1"),
    "memory": tried(deepdream.dream, net, large, end="a/output", max_memory="9K"),
}
out = deepdream.dream(net, large, end="a/output", iter_n=1, octave_n=2)
step = np.array(net.blobs["data"].data)
found["dreamt"] = bool(np.abs(out - large).max() > 1 and np.isfinite(step).all())
print(json.dumps(found))
""",
        prototxt, weights, beside,
    )  # fmt: skip

    expected = {
        "deepdream": ("ShapeError", "too small"),
        "guide": ("ShapeError", "too small"),
        "make_step": ("ShapeError", "4 channels"),
        "classifier": ("ShapeError", "fc"),
        "forward": ("ShapeError", "fc"),
        "reshape": ("ShapeError", "fc"),
        "no gradient": ("PrototxtError", "no gradient"),
        "no label": ("ShapeError", "input 'label'"),
        "memory": ("OutOfMemoryError", "max_memory"),
    }
    for name, (kind, words) in expected.items():
        error: Any = facts[name]
        assert error is not None, name
        assert error[0] == kind, (name, error)
        assert words in error[1], (name, error)
    assert facts["dreamt"]


def test_what_works_beside_caffe(tmp_path: Path) -> None:
    """Nets with losses and powers, engine "auto", cuDNN's name in a prototxt, a fork's parameters,
    names of files that are no UTF-8; and engine "torch" says what is missing.
    """
    prototxt, weights = write_tiny(tmp_path)
    text = prototxt.read_text()
    changed = {
        "loss": text + 'layer { name: "loss" type: "Reduction" bottom: "fc" top: "loss" '
                       'loss_weight: 2 } layer { name: "e" type: "Exp" bottom: "fc" top: "e" '
                       "exp_param { base: 2 } }",
        "cudnn": text.replace("num_output: 6", "num_output: 6 engine: CUDNN"),
        "fork": text.replace('layer { name: "pool2"', PERMUTE.replace(
            "}\n", "permute_param { order: 0 order: 1 order: 3 order: 2 } }\n"
        ) + 'layer { name: "pool2"'),
    }  # fmt: skip
    for name, words in changed.items():
        (tmp_path / f"{name}.prototxt").write_text(words)
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.caffemodel"))
    odd.write_bytes(weights.read_bytes())

    facts = asked(
        """
import os
folder, prototxt, weights = sys.argv[1:]
img = np.random.RandomState(0).uniform(0, 255, (41, 43, 3)).astype(np.float32)
how = {"iter_n": 1, "octave_n": 1}
found = {}
for name, end in (("loss", "a/output"), ("cudnn", "a/output"), ("fork", "turned")):
    net = deepdream.load_net(f"{folder}/{name}.prototxt", weights, mean=(1, 2, 3), engine="caffe")
    found[name] = float(np.abs(deepdream.dream(net, img, end, **how) - img).max())
net = deepdream.load_net(prototxt, os.fsdecode(os.fsencode(folder) + b"/caf\\xe9.caffemodel"),
                         mean=(1, 2, 3))
found["auto"] = net.engine
for key, arguments in (("torch", [prototxt, weights]), ("bundled", [])):
    try:
        deepdream.load_net(*arguments, mean=(1, 2, 3), engine="torch" if arguments else "caffe")
    except deepdream.DeepDreamError as error:
        found[key] = [type(error).__name__, str(error)]
print(json.dumps(found))
""",
        tmp_path, prototxt, weights,
    )  # fmt: skip

    for name in changed:
        assert facts[name] > 1, name  # type: ignore[operator]
    assert facts["auto"] == "caffe"
    for name, words in (("torch", "needs Numba"), ("bundled", "Clip")):
        error: Any = facts[name]
        assert error[0] == "EngineError"
        assert words in error[1]


def test_layers_beyond_ours_and_layers_shown(tmp_path: Path) -> None:
    """A type that this Caffe has and BVLC's had not can be dreamt through and drawn."""
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
turned = str(deepdream.draw(beyond).svg)
print(json.dumps({"drawn": "a/3x3_reduce" in drawn, "shape": out.shape, "too": "turned" in turned}))
""",
        prototxt, weights, beyond,
    )  # fmt: skip

    assert facts["drawn"]
    assert facts["shape"] == [31, 41, 3]
    assert facts["too"]


PERMUTE = """
layer { name: "turned" type: "Permute" bottom: "a/output" top: "turned" }
"""


def test_sizes_that_the_net_does_not_take(tmp_path: Path) -> None:
    """They are found before Caffe is asked, which ends its process; the dream is ours, to rounding.

    The notebook's functions name the nearest sizes.
    """
    prototxt, weights = write_tiny(tmp_path, text=UNEVEN)
    img = np.random.RandomState(1).uniform(0, 255, (53, 71, 3)).astype(np.float32)
    np.save(tmp_path / "in.npy", img)
    how = {"end": "cat2", "iter_n": 2, "octave_n": 3, "seed": 3}

    facts = asked(
        """
import warnings
net = load()
img, octaves = np.load(sys.argv[3] + "/in.npy"), []
with warnings.catch_warnings(record=True) as notes:
    warnings.simplefilter("always")
    how = json.loads(sys.argv[4])
    out = deepdream.dream(net, img, on_step=lambda s: octaves.append(s.size), **how)
    guided = deepdream.dream(net, img, guide=img[:31, :45], **how)
np.save(sys.argv[3] + "/out.npy", np.asarray(out))
np.save(sys.argv[3] + "/guided.npy", np.asarray(guided))
try:
    deepdream.deepdream(net, img, end="cat2", octave_n=1)
except deepdream.DeepDreamError as error:
    said = str(error)
print(json.dumps({"octaves": octaves[::2], "notes": [str(note.message) for note in notes],
                  "said": said}))
""",
        prototxt, weights, tmp_path, json.dumps(how),
    )  # fmt: skip

    assert facts["octaves"] == [[27, 36], [38, 51], [53, 71]]
    notes: Any = facts["notes"]
    assert len(notes) == 2
    assert "3 of 3 octaves (36x27 as 36x28, 51x38 as 52x40, 71x53 as 72x56)" in notes[0]
    assert "and the guide (45x31 as 48x32)" in notes[1]
    assert "the nearest sizes that fit are 68x52 and 72x56" in str(facts["said"])
    net = deepdream.load_net(prototxt, weights, mean=MEAN)
    with pytest.warns(UserWarning, match="takes some sizes only"):
        out = deepdream.dream(net, img, **how)
    with pytest.warns(UserWarning, match="takes some sizes only"):
        guided = deepdream.dream(net, img, guide=img[:31, :45], **how)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), out, atol=2e-2)
    assert np.abs(np.load(tmp_path / "guided.npy") - guided).mean() < 0.5
