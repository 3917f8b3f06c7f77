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


# Layers that keep things between reshape, forward and backward, as people write them.
KEEPERS = """
import numpy as np
import caffe

class Plain(caffe.Layer):
    def setup(self, bottom, top):
        self.calls = []
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)
    def forward(self, bottom, top):
        top[0].data[...] = 3 * bottom[0].data
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 3 * top[0].diff

class Cleared(Plain):
    "Empties in reshape what backward needs."
    def reshape(self, bottom, top):
        del self.calls[:]
        Plain.reshape(self, bottom, top)
    def forward(self, bottom, top):
        self.calls.append(bottom[0].data > 0)
        top[0].data[...] = bottom[0].data * self.calls[-1]
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff * self.calls.pop()

class Proposes(Plain):
    "Knows its top's shape in forward only."
    def setup(self, bottom, top):
        top[0].reshape(1, 5)
    def reshape(self, bottom, top):
        pass
    def forward(self, bottom, top):
        n = int(bottom[0].data.flat[0]) + 2
        top[0].reshape(n, 5)
        top[0].data[...] = np.arange(5 * n).reshape(n, 5)
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = bottom[0].data * top[0].diff.sum()

class Looks(Plain):
    "Takes its top's shape from the bottom's data."
    def reshape(self, bottom, top):
        top[0].reshape(int(abs(bottom[0].data.flat[0])) + 1, 3)
    def forward(self, bottom, top):
        top[0].data[...] = 7
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = bottom[0].data * top[0].data.sum()

class Single(Plain):
    "Has one number as its parameter, a blob without axes."
    def setup(self, bottom, top):
        self.blobs.add_blob()
        self.blobs[0].data[...] = 4
    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.blobs[0].data
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff * self.blobs[0].data

class Told(Plain):
    "Is set up by the script, through the net."
    def tell(self, number):
        self.number = number
        return number + 1
    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.number

class Logs(Plain):
    "Which method runs when."
    def setup(self, bottom, top):
        self.calls = ["setup"]
    def reshape(self, bottom, top):
        self.calls.append("reshape")
        Plain.reshape(self, bottom, top)
    def forward(self, bottom, top):
        self.calls.append("forward")
        Plain.forward(self, bottom, top)
    def backward(self, top, propagate_down, bottom):
        self.calls.append("backward")
        Plain.backward(self, top, propagate_down, bottom)
"""

KEEPING = """
import json, sys
import numpy as np
{install}
import caffe
sys.path.insert(0, sys.argv[1])
found = {{}}
for name in ("Cleared", "Proposes", "Looks", "Single", "Told", "Logs"):
    path = sys.argv[1] + "/" + name + ".prototxt"
    with open(path, "w") as file:
        file.write('force_backward: true '
                   'layer {{ name: "data" type: "Input" top: "data" '
                   'input_param {{ shape {{ dim: 2 dim: 3 dim: 5 }} }} }} '
                   'layer {{ name: "x" type: "Python" bottom: "data" top: "x" '
                   'python_param {{ module: "keepers" layer: "' + name + '" }} }}')
    net = caffe.Net(path, caffe.TEST)
    data = np.random.RandomState(1).randint(-8, 9, (2, 3, 5)) + 0.5
    data.flat[0] = 3.5
    net.blobs["data"].data[...] = data
    code = net.layers[1]
    told = code.tell(5) if name == "Told" else None
    net.forward()
    net.blobs["x"].diff[...] = 2
    net.backward()
    net.clear_param_diffs()
    found[name] = [told, type(code).__name__, net.layer_dict["x"] is not None,
                   [list(blob.shape) for blob in net._blobs], list(code.blobs[0].data.shape)
                   if len(code.blobs) else None, net.blobs["x"].data.tolist(),
                   net.blobs["data"].diff.tolist(), code.calls if name == "Logs" else None]
print(json.dumps(found))
"""


@pytest.mark.pycaffe
@pytest.mark.slow
def test_layers_that_keep_things(tmp_path: Path) -> None:
    """Backward runs nothing but backward, shapes may come from forward, and `net.layers` has the
    user's object: all as on the real Caffe.
    """
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    (tmp_path / "keepers.py").write_text(KEEPERS)
    environment = caffe_environment()
    install = "import deepdream.caffe; deepdream.caffe.install()"

    def asked(program: object, setup: str, **more: str) -> dict[str, list[object]]:
        command = [str(program), "-c", KEEPING.format(install=setup), str(tmp_path)]
        done = subprocess.run(
            command, env={**environment, **more}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, list[object]] = json.loads(done.stdout.splitlines()[-1])
        return found

    theirs, ours = asked(python, ""), asked(sys.executable, install, PYTHONPATH=str(ROOT))

    for name, expected in theirs.items():
        assert ours[name] == expected, name
    calls = theirs["Logs"][-1]
    assert calls == ["setup", "reshape", "reshape", "forward", "backward"]


def test_shapes_that_only_forward_knows_have_no_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dream says so; layer by layer such a net runs."""
    import deepdream

    (tmp_path / "keepers.py").write_text(KEEPERS)
    for name in ("keepers", "caffe"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "caffe", deepdream.caffe)
    monkeypatch.syspath_prepend(tmp_path)
    text = (
        'force_backward: true layer { name: "data" type: "Input" top: "data" input_param { '
        'shape { dim: 1 dim: 3 dim: 7 dim: 9 } } } layer { name: "x" type: "Python" '
        'bottom: "data" top: "x" python_param { module: "keepers" layer: "Proposes" } }'
    )
    (tmp_path / "x.prototxt").write_text(text)
    Net(parse_prototxt(text), 1).save(tmp_path / "x.caffemodel")
    net = deepdream.load_net(tmp_path / "x.prototxt", tmp_path / "x.caffemodel", mean=(9, 8, 7))
    img = np.random.RandomState(1).uniform(20, 255, (7, 9, 3)).astype(np.float32)

    with pytest.raises(ShapeError, match=r"\(1, 5\) in reshape .* in forward(.|\n)*deepdream"):
        deepdream.dream(net, img, "x", iter_n=1, octave_n=1, jitter=0)
    assert deepdream.deepdream(net, img, end="x", iter_n=1, octave_n=1).shape == (7, 9, 3)


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
    # At this size the notebook's border is ours (docs/known-differences.md), and nothing in the net
    # tips: all of a dream agrees.
    img = np.random.RandomState(2).uniform(0, 255, (53, 71, 3)).astype(np.float32)

    how = {"end": "contrast", "iter_n": 3, "octave_n": 2, "jitter": 4}
    fast = deepdream.dream(net, img, seed=5, **how)
    np.random.seed(5)
    slow = deepdream.deepdream(net, img, **how)

    assert np.linalg.norm(np.asarray(fast) - img) > 100
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-3)


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
        ('module: "course_layers"', "", "names no module and layer"),
    ],
    ids=["module", "class", "no layer", "no module"],
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


def test_backward_knows_whether_the_tops_fit(installed: Path) -> None:
    """Without a forward at the new size, or after a reshape that failed, it does not run."""
    net = Net(str(installed / "net.prototxt"), 1)
    net.forward(end="halves")
    net.blobs["data"].reshape(2, 3, 12, 15)
    net.forward(end="conv")
    with pytest.raises(ShapeError, match="run forward before backward"):
        net.backward(start="contrast")

    def fail(bottom: object, top: object) -> None:
        raise ZeroDivisionError("of the user's")

    net.layers[2].reshape = fail
    with pytest.raises(ZeroDivisionError):
        net.forward(end="contrast")
    del net.layers[2].reshape
    with pytest.raises(ShapeError, match="run forward before backward"):
        net.backward(start="contrast")
    net.forward(end="contrast")
    net.backward(start="contrast")


def test_errors_inside_a_layer_come_through(installed: Path) -> None:
    """An exception of the user's code arrives as it is."""
    text = NET.replace("MODULE", "course_layers").replace(
        'top: "left" top: "right"', 'top: "right"'
    )

    with pytest.raises(Exception, match="two tops are needed") as caught:
        Net(parse_prototxt(text), 1)
    assert not isinstance(caught.value, ShapeError)
