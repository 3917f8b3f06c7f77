"""Nets written in Python: `deepdream.caffe.NetSpec`, beside the real Caffe's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from caffe_client import caffe_environment, caffe_python
from google.protobuf import text_format

from deepdream import caffe
from deepdream.caffe import params as P
from deepdream.errors import NetSpecError

# Programs that leave a NetParameter in `net`; both modules run them.
PROGRAMS = {
    "chain": """
n = caffe.NetSpec()
n.data = L.Input(shape=dict(dim=[1, 3, 29, 37]))
n.conv1 = L.Convolution(n.data, num_output=6, kernel_size=5, stride=[2, 1], pad=2,
                        weight_filler=dict(type="xavier"), param=[dict(lr_mult=1), dict(lr_mult=2)])
n.relu1 = L.ReLU(n.conv1, in_place=True, negative_slope=0.25)
n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.AVE, kernel_size=3, stride=2)
n["a/1x1"] = L.Convolution(n.pool1, convolution_param=dict(num_output=4, kernel_size=1))
n.norm = L.LRN(n["a/1x1"], local_size=3, alpha=1e-3, norm_region=P.LRN.WITHIN_CHANNEL)
n.score = L.InnerProduct(n.norm, num_output=7)
net = n.to_proto()
""",
    "several tops": """
n = caffe.NetSpec()
n.data, n.label = L.DummyData(shape=[dict(dim=[2, 6, 5, 7]), dict(dim=[2])], ntop=2)
n.left, n.right = L.Slice(n.data, ntop=2, slice_point=2, axis=1)
n.both = L.Concat(n.right, n.left)
n.fc = L.InnerProduct(n.both, num_output=3)
n.loss = L.SoftmaxWithLoss(n.fc, n.label, loss_weight=2.5, loss_param=dict(ignore_label=1))
n.unused = L.Silence(n.left, ntop=0)
net = n.to_proto()
""",
    "names made up": """
def block(bottom, count):
    conv = L.Convolution(bottom, num_output=count, kernel_size=3, pad=1)
    return L.Eltwise(conv, L.ReLU(conv), operation=P.Eltwise.MAX, coeff=[1.0, -0.5])
x = L.Input(input_param=dict(shape=dict(dim=[1, 2, 5, 7])))
net = caffe.to_proto(block(block(x, 4), 4), L.Power(x, power=2))
""",
    "half named": """
n = caffe.NetSpec()
a = L.Input(shape=dict(dim=[1, 2, 5, 7]))
n.out = L.Sigmoid(L.TanH(a), name="called", include=dict(phase=1))
n.second = L.Python(n.out, module="some", layer="Thing", param_str="{}")
net = n.to_proto()
""",
}

BEFORE = "import caffe\nfrom caffe import layers as L, params as P\n"


@pytest.mark.pycaffe
def test_the_same_net_as_from_caffe(tmp_path: Path) -> None:
    """Every program gives the message that the real Caffe's module makes of it."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    code = (
        "import json, sys\n" + BEFORE + "texts = {}\n"
        "for name, program in json.load(sys.stdin).items():\n"
        "    exec(program)\n"
        "    texts[name] = str(net)\n"
        "print(json.dumps(texts))"
    )
    done = subprocess.run(
        [str(python), "-c", code],
        input=json.dumps(PROGRAMS),
        env=caffe_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = json.loads(done.stdout.splitlines()[-1])

    for name, program in PROGRAMS.items():
        names = {"caffe": caffe, "L": caffe.layers, "P": caffe.params}
        exec(program, names)
        expected = text_format.Parse(theirs[name], caffe.io.caffe_pb2.NetParameter())
        assert names["net"] == expected, name


def test_a_net_of_it_runs(tmp_path: Path) -> None:
    """What NetSpec writes is a prototxt that can be loaded."""
    L = caffe.layers
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 11, 13]))
    n.conv = L.Convolution(n.data, num_output=4, kernel_size=3)
    n.prob = L.Softmax(n.conv)
    path = tmp_path / "net.prototxt"
    path.write_text(str(n.to_proto()))

    net = caffe.Net(str(path), caffe.TEST)

    assert list(net.blobs) == ["data", "conv", "prob"]
    assert net.forward()["prob"].shape == (1, 4, 9, 11)


def test_deep_nets_need_no_deep_stack() -> None:
    """A chain of thousands of layers that is named at its end only."""
    top = caffe.layers.Input(shape=dict(dim=[1]))
    for _ in range(3000):
        top = caffe.layers.Power(top, power=1.0)

    assert len(top.to_proto().layer) == 3001


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda n, L: L.ReLU("data"), "bottom 0 of ReLU is 'data': a top of another layer"),
        (lambda n, L: L.ReLU(L.Slice(n.data, ntop=2)), "with several tops apart"),
        (lambda n, L: L.Convolution(n.data, kernel_sise=3), "Did you mean 'kernel_size'"),
        (lambda n, L: L.Convolution(n.data, num_output="six"), "num_output = 'six'"),
        (lambda n, L: n.dada, "no top 'dada' yet. Did you mean 'data'"),
        (lambda n, L: setattr(n, "x", 5) or L.ReLU(n.data), "x is 5: the top of a layer"),
        (lambda n, L: P.Polling.MAX, "Did you mean 'Pooling'"),
    ],
    ids=["name", "tops", "field", "value", "unknown", "number", "enum"],
)  # fmt: skip
def test_mistakes_are_named(make, message) -> None:  # type: ignore[no-untyped-def]
    """They are TypeErrors and AttributeErrors, as in Caffe, with the place and a way out."""
    n = caffe.NetSpec()
    n.data = caffe.layers.Input(shape=dict(dim=[1, 2, 5, 7]))

    def program():
        n.top = make(n, caffe.layers)
        n.to_proto()

    with pytest.raises(NetSpecError, match=message):
        program()
    assert issubclass(NetSpecError, TypeError)
    assert issubclass(NetSpecError, AttributeError)


def test_draw_net_to_file(tmp_path: Path) -> None:
    """`caffe.draw` writes SVG, from the message that scripts read with text_format."""
    L = caffe.layers
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 11, 13]))
    n.first_conv = L.Convolution(n.data, num_output=4, kernel_size=3)

    caffe.draw.draw_net_to_file(n.to_proto(), tmp_path / "net.svg")

    text = (tmp_path / "net.svg").read_text()
    assert text.startswith("<?xml")
    assert "first_conv" in text
    assert b"first_conv" in caffe.draw.draw_net(n.to_proto())
    with pytest.raises(ValueError, match="svg"):
        caffe.draw.draw_net_to_file(n.to_proto(), tmp_path / "net.png")
