"""Nets written in Python: `deepdream.caffe.NetSpec`, beside the real Caffe's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
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
    "crops": """
from importlib import import_module
coord_map = import_module(caffe.__name__ + ".coord_map")
n = caffe.NetSpec()
n.data = L.Input(shape=dict(dim=[1, 3, 61, 77]))
n.conv1 = L.Convolution(n.data, num_output=4, kernel_size=3, pad=30)
n.relu1 = L.ReLU(n.conv1, in_place=True)
n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.MAX, kernel_size=2, stride=2)
n.conv2 = L.Convolution(n.pool1, num_output=5, kernel_size=[3, 3], dilation=2)
n.pool2 = L.Pooling(n.conv2, pool=P.Pooling.MAX, kernel_size=2, stride=2)
n.score2 = L.Convolution(n.pool2, num_output=6, kernel_size=1)
n.up2 = L.Deconvolution(n.score2, convolution_param=dict(num_output=6, kernel_size=4, stride=2))
n.score1 = L.Convolution(n.pool1, num_output=6, kernel_size=1)
n.score1c = coord_map.crop(n.score1, n.up2)
n.fuse = L.Eltwise(n.up2, n.score1c, operation=P.Eltwise.SUM)
n.up = L.Deconvolution(n.fuse, convolution_param=dict(num_output=6, kernel_size=4, stride=2))
n.score = coord_map.crop(n.up, n.data)
net = n.to_proto()
maps = [coord_map.coord_map_from_to(n.up, n.data), coord_map.coord_map_from_to(n.data, n.conv2),
        coord_map.compose((1, 2, 3), (None, 5, 7)), coord_map.inverse((1, 2.0, 3.0))]
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
        "import json, sys\nimport numpy as np\n" + BEFORE + "texts = {}\n"
        "for name, program in json.load(sys.stdin).items():\n"
        "    exec(program)\n"
        "    texts[name] = str(net)\n"
        "    if name == 'crops':\n"
        "        maps = [[m[0], *(float(np.max(v)) for v in m[1:])] for m in maps]\n"
        "print(json.dumps([texts, maps]))"
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
    theirs, maps = json.loads(done.stdout.splitlines()[-1])

    for name, program in PROGRAMS.items():
        names = {"caffe": caffe, "L": caffe.layers, "P": caffe.params}
        exec(program, names)
        expected = text_format.Parse(theirs[name], caffe.io.caffe_pb2.NetParameter())
        assert names["net"] == expected, name
        if name == "crops":
            ours = [[m[0], *(float(np.max(v)) for v in m[1:])] for m in names["maps"]]
            assert ours == maps


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
    """They are the builtins that Caffe raises, one or another, with the place and a way out."""
    n = caffe.NetSpec()
    n.data = caffe.layers.Input(shape=dict(dim=[1, 2, 5, 7]))

    def program():
        n.top = make(n, caffe.layers)
        n.to_proto()

    with pytest.raises(NetSpecError, match=message):
        program()
    for builtin in (TypeError, AttributeError, KeyError, ValueError):
        assert issubclass(NetSpecError, builtin)


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
    # As pycaffe's own program calls it.
    caffe.draw.draw_net_to_file(n.to_proto(), tmp_path / "net.svg", "LR", None, False)
    assert (tmp_path / "net.svg").read_text() == text
    caffe.draw.draw_net_to_file(n.to_proto(), tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes() == caffe.draw.draw_net(n.to_proto(), ext="png")
    with pytest.raises(ValueError, match="svg"):
        caffe.draw.draw_net_to_file(n.to_proto(), tmp_path / "net.pdf")


TRAIN_VAL = """
name: "lenet"
layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "no_such_lmdb" backend: LMDB batch_size: 64 } }
layer { name: "given" type: "Input" top: "data" include { phase: TEST }
  input_param { shape { dim: 1 dim: 1 dim: 28 dim: 20 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 20 kernel_h: 5 kernel_w: 3 stride: 2 pad: 1 } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "wave" type: "Wavelet" bottom: "pool1" top: "wave" }
layer { name: "both" type: "Eltwise" bottom: "pool1" bottom: "wave" top: "both" }
layer { name: "relu" type: "ReLU" bottom: "both" top: "both" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "both" bottom: "label" top: "loss"
  include { phase: TRAIN } }
"""


@pytest.mark.parametrize(
    ("phase", "there", "missing"),
    [
        (None, ["mnist", "given", "loss"], []),
        (caffe.TRAIN, ["mnist", "loss"], ["given"]),
        (caffe.TEST, ["given"], ["mnist", "loss"]),
    ],
)
def test_nets_that_cannot_be_built_are_drawn(
    phase: int | None, there: list[str], missing: list[str]
) -> None:
    """Databases, unknown layer types, layers of both phases: as pycaffe, which builds nothing."""
    message = text_format.Parse(TRAIN_VAL, caffe.proto.caffe_pb2.NetParameter())

    svg = caffe.draw.draw_net(message, phase=phase).decode()

    for name in (*there, "conv1", "Wavelet", "Convolution 5×3, stride 2", "Max pooling 2×2",
                 "Eltwise sum", "ReLU"):  # fmt: skip
        assert name in svg, name
    for name in missing:
        assert f">{name}<" not in svg
    own = message.layer.add(name="own", type="Python", bottom=["both"], top=["own"])
    own.python_param.module, own.python_param.layer = "no_such_module", "Own"
    assert ">own<" in caffe.draw.draw_net(message).decode()  # and its code does not run
    # The one that can be built knows its shapes.
    del message.layer[4:]
    assert "20×13×10" in caffe.draw.draw_net(message, phase=caffe.TEST).decode()
    with pytest.raises(AttributeError, match="Graphviz"):
        caffe.draw.get_pydot_graph(message, "LR")


def test_names_of_scripts_that_look_inside() -> None:
    """`param_name_dict` and `assign_proto`."""
    names = caffe.net_spec.param_name_dict()
    assert names["InnerProduct"] == "inner_product"
    layer = caffe.proto.caffe_pb2.LayerParameter()
    caffe.net_spec.assign_proto(layer, "convolution_param", {"kernel_size": 3, "pad": [1, 2]})
    assert list(layer.convolution_param.pad) == [1, 2]
    with pytest.raises(ValueError, match="no parameter 'colour'"):
        caffe.net_spec.assign_proto(layer, "colour", 1)


def test_solver_messages_can_be_written() -> None:
    """Scripts write them beside their nets; solvers themselves are not here."""
    solver = caffe.proto.caffe_pb2.SolverParameter(base_lr=0.01, lr_policy="step")
    solver.solver_mode = caffe.params.Solver.CPU
    assert text_format.Parse(str(solver), type(solver)()) == solver


def test_crops_that_cannot_be_had() -> None:
    """Each says what is in the way; pycaffe raises AssertionError or RuntimeError."""
    L, crop = caffe.layers, caffe.coord_map.crop
    n = caffe.NetSpec()
    n.data, n.other = L.Input(ntop=2)
    n.pool = L.Pooling(n.data, kernel_size=2, stride=2)
    n.small = L.Convolution(n.data, kernel_size=4)
    n.padded = L.Convolution(n.data, kernel_size=3, pad=5)
    n.sideways = L.Convolution(n.data, kernel_h=3, kernel_w=1)
    n.turned = L.Permute(n.data)
    for bottoms, kind, words in (
        ((n.pool, n.data), AssertionError, "tops of one scale"),
        ((n.data, n.padded), AssertionError, "before the top"),
        ((n.data, n.small), AssertionError, "between two positions"),
        ((n.data, n.turned), RuntimeError, "no common origin"),
        ((n.sideways, n.data), AssertionError, "kernel_h, kernel_w"),
    ):
        with pytest.raises(kind, match=words):
            crop(*bottoms)
    with pytest.raises(caffe.coord_map.UndefinedMapException, match="Permute"):
        caffe.coord_map.coord_map(n.turned.fn)
    with pytest.raises(caffe.coord_map.AxisMismatchException):
        caffe.coord_map.compose((1, 1, 0), (2, 1, 0))
