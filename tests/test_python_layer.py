"""Layers written in Python (``type: "Python"``), on our engine and on the real Caffe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from caffe_client import caffe_environment, caffe_python
from helpers import ROOT, assert_close

from deepdream.errors import PrototxtError, ShapeError
from deepdream.reading.proto import parse_prototxt
from deepdream.running.net import Net

# As a course would write it: parameters of its own, a parameter string, two tops, a loss.
LAYERS = '''
import json
import numpy as np
import caffe

class Contrast(caffe.Layer):
    """Raises each value to a power, times a learnt weight for each channel."""

    def setup(self, bottom, top):
        self.power = json.loads(self.param_str)["power"]
        self.blobs.add_blob(bottom[0].channels)
        self.blobs[0].data[...] = 1 + np.arange(bottom[0].channels) / 4.0

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)
        self.inner = np.zeros(bottom[0].data.shape, np.float32)

    def forward(self, bottom, top):
        weight = self.blobs[0].data[None, :, None, None]
        self.inner[...] = np.abs(bottom[0].data) ** self.power
        top[0].data[...] = weight * np.sign(bottom[0].data) * self.inner

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0]:
            return
        weight = self.blobs[0].data[None, :, None, None]
        slope = self.power * np.abs(bottom[0].data) ** (self.power - 1)
        bottom[0].diff[...] = weight * slope * top[0].diff
        self.blobs[0].diff[...] += (np.sign(bottom[0].data) * self.inner * top[0].diff).sum((0, 2, 3))

class Halves(caffe.Layer):
    def setup(self, bottom, top):
        if len(top) != 2:
            raise Exception("two tops are needed")
    def reshape(self, bottom, top):
        n, c, h, w = bottom[0].data.shape
        top[0].reshape(n, c, h, w // 2)
        top[1].reshape(n, c, h, w - w // 2)
    def forward(self, bottom, top):
        half = top[0].data.shape[3]
        top[0].data[...] = bottom[0].data[..., :half]
        top[1].data[...] = bottom[0].data[..., half:]
    def backward(self, top, propagate_down, bottom):
        half = top[0].data.shape[3]
        bottom[0].diff[..., :half] = top[0].diff
        bottom[0].diff[..., half:] = top[1].diff
'''  # noqa: E501

NET = """
name: "of python"
force_backward: true
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 11 dim: 13 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "constant" value: 0.02 } } }
layer { name: "contrast" type: "Python" bottom: "conv" top: "contrast"
  python_param { module: "MODULE" layer: "Contrast" param_str: '{"power": 1.5}' } }
layer { name: "halves" type: "Python" bottom: "contrast" top: "left" top: "right"
  python_param { module: "MODULE" layer: "Halves" } }
layer { name: "sum" type: "Reduction" bottom: "right" top: "sum" }
"""  # noqa: E501

# Runs on either engine: reshapes, writes the diffs of both tops, reads everything back.
PROGRAM = """
import sys
import numpy as np
{install}
import caffe
folder = sys.argv[1]
sys.path.insert(0, folder)
net = caffe.Net(folder + "/net.prototxt", caffe.TEST)
rng = np.random.RandomState(3)
net.params["conv"][0].data[...] = rng.standard_normal((4, 3, 3, 3)) / 50
net.blobs["data"].reshape(1, 3, 15, 18)
net.blobs["data"].data[...] = rng.uniform(-120, 120, (1, 3, 15, 18))
net.forward(end="halves")
for name in ("left", "right"):
    net.blobs[name].diff[...] = rng.standard_normal(net.blobs[name].data.shape)
net.backward(start="halves")
kept = {{name: blob.data.copy() for name, blob in net.blobs.items()
        if name in ("conv", "contrast", "left", "right")}}
kept["gradient"] = net.blobs["data"].diff.copy()
kept["weight"] = net.params["contrast"][0].data.copy()
kept["weight diff"] = net.params["contrast"][0].diff.copy()
np.savez(sys.argv[2], **kept)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write the layers' module and the net that uses it."""
    (tmp_path / "course_layers.py").write_text(LAYERS)
    (tmp_path / "net.prototxt").write_text(NET.replace("MODULE", "course_layers"))
    return tmp_path


def run(python: object, folder: Path, install: str, environment: dict[str, str]) -> Path:
    out = folder / f"{'ours' if install else 'caffe'}.npz"
    done = subprocess.run(
        [str(python), "-c", PROGRAM.format(install=install), str(folder), str(out)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.mark.pycaffe
@pytest.mark.slow
def test_the_same_program_on_both_engines(folder: Path) -> None:
    """One module of layers and one program: data, gradient and parameters agree."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    environment = caffe_environment()
    theirs = np.load(run(python, folder, "", environment))
    install = "import deepdream.caffe; deepdream.caffe.install()"
    ours = np.load(run(sys.executable, folder, install, {**environment, "PYTHONPATH": str(ROOT)}))

    assert sorted(ours) == sorted(theirs)
    for name in theirs:
        assert np.abs(theirs[name]).max() > 0
        assert_close(ours[name], theirs[name], name=name)


@pytest.fixture
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the module of layers be found, and ``import caffe`` in it give ours."""
    import deepdream.caffe

    for name in ("course_layers", "caffe"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "caffe", deepdream.caffe)
    monkeypatch.syspath_prepend(folder)
    return folder


def test_a_dream_goes_through_a_python_layer(installed: Path) -> None:
    """`dream` runs such nets through its plan, and its gradient is the net's."""
    import deepdream

    text = NET.replace("MODULE", "course_layers").replace("dim: 2", "dim: 1", 1)
    (installed / "one.prototxt").write_text(text)
    Net(parse_prototxt(text), 1).save(installed / "one.caffemodel")
    net = deepdream.load_net(
        installed / "one.prototxt", installed / "one.caffemodel", mean=(104, 117, 123)
    )
    net.params["conv"][0].data[...] = np.random.RandomState(1).standard_normal((4, 3, 3, 3)) / 50
    img = np.random.RandomState(2).uniform(0, 255, (31, 37, 3)).astype(np.float32)

    how = {"end": "contrast", "iter_n": 3, "octave_n": 2, "jitter": 4}
    fast = deepdream.dream(net, img, seed=5, **how)
    np.random.seed(5)
    slow = deepdream.deepdream(net, img, **how)

    moved = np.linalg.norm(np.asarray(fast) - img)
    assert moved > 100
    # The notebook's border differs (docs/known-differences.md); inside, both are one algorithm.
    assert np.linalg.norm((np.asarray(fast) - slow)[8:-8, 8:-8]) < 0.02 * moved


def test_infer_shapes_asks_the_layer_and_changes_nothing(installed: Path) -> None:
    """Shapes are known without running."""
    net = Net(str(installed / "net.prototxt"), 1)

    shapes = net.infer_shapes({"data": (1, 3, 15, 18)}, "halves")

    assert shapes["left"] == (1, 4, 13, 8)
    assert tuple(net.blobs["left"].shape) == (2, 4, 9, 5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('module: "course_layers"', 'module: "corse_layers"', "has to be on PYTHONPATH"),
        ('layer: "Contrast"', 'layer: "Kontrast"', "has no class 'Kontrast'"),
        ('layer: "Contrast"', 'layer: "json"', "has no method setup"),
    ],
    ids=["module", "class", "no layer"],
)
def test_what_cannot_be_found_is_named(installed: Path, old: str, new: str, message: str) -> None:
    """The net is not built, and the error says what to do."""
    text = (installed / "net.prototxt").read_text()
    assert old in text

    with pytest.raises(PrototxtError, match=message):
        Net(parse_prototxt(text.replace(old, new, 1)), 1)


def test_a_module_that_imports_caffe_needs_install(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without install() there is no ``caffe``; the error names the line that is missing."""
    monkeypatch.delitem(sys.modules, "caffe")

    if caffe_importable():
        pytest.skip("the real Caffe is importable here")
    with pytest.raises(PrototxtError, match=r"deepdream\.caffe\.install\(\)"):
        Net(str(installed / "net.prototxt"), 1)


def caffe_importable() -> bool:
    code = "import importlib.util, json; print(json.dumps(bool(importlib.util.find_spec('caffe'))))"
    return bool(json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)))


def test_a_base_method_that_is_not_written(installed: Path) -> None:
    """A layer without backward says so where the gradient is asked for."""
    path = installed / "half_layers.py"
    path.write_text(
        "import caffe\n"
        "class Half(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].data.shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = bottom[0].data / 2\n"
    )
    text = NET.replace("MODULE", "half_layers").replace("Contrast", "Half")
    text = text[: text.index('layer { name: "halves"')]
    net = Net(parse_prototxt(text), 1)
    net.forward()

    with pytest.raises(NotImplementedError, match="Half has no backward"):
        net.backward()


def test_errors_inside_a_layer_come_through(installed: Path) -> None:
    """An exception of the user's code arrives as it is."""
    text = NET.replace("MODULE", "course_layers").replace(
        'top: "left" top: "right"', 'top: "right"'
    )

    with pytest.raises(Exception, match="two tops are needed") as caught:
        Net(parse_prototxt(text), 1)
    assert not isinstance(caught.value, ShapeError)
