"""Every name of pycaffe's modules and objects, and what is said where a call slips."""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pycaffe_names
import pytest
from caffe_client import caffe_environment, caffe_python
from helpers import ROOT

import deepdream
from deepdream import caffe
from deepdream.errors import AssignmentError, NetArgumentError, ShapeError, UnknownBlobError

RECORDED = ROOT / "tests" / "data" / "pycaffe_names.json"

SOLVERS = set(
    [
        "AdaDeltaSolver",
        "AdaGradSolver",
        "AdamSolver",
        "NCCL",
        "NesterovSolver",
        "RMSPropSolver",
        "SGDSolver",
        "Timer",
    ]
)
TRAINING = SOLVERS | set(
    [
        "get_solver",
        "has_nccl",
        "set_multiprocess",
        "set_solver_count",
        "set_solver_rank",
        "solver_count",
        "solver_rank",
        "init_log",
        "log",
    ]
)
# What stays absent, by module or object.
ABSENT = {
    "caffe": TRAINING | {"Detector", "detector"},
    "caffe._caffe": TRAINING | {"Solver", "NetVec"},
    "caffe.pycaffe": SOLVERS | {"six"},
    "caffe.classifier": {"caffe"},  # what a module has imported for itself
    "caffe.coord_map": {"division"},
    "caffe.net_spec": {"_param_names", "protobuf", "six"},
    # What pycaffe keeps between calls, and helpers with two underscores or one.
    "Net": {"_blobs_dict", "_params_dict"},
    "Classifier": {"_blobs_dict", "_input_list"},
    "Transformer": {"_Transformer__check_input"},
    "Top": {"_to_proto"},
    "Function": {"_get_name", "_get_top_name", "_to_proto"},
}

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3, 8, 7] } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 } }
"""
A = np.zeros((4, 3, 3, 3), np.float32)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Write a net and its weights; return the paths."""
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(NET)
    caffe.Net(str(prototxt), caffe.TEST).save(str(weights))
    return str(prototxt), str(weights)


@pytest.fixture
def net(files: tuple[str, str]) -> Any:
    return caffe.Net(files[0], caffe.TEST)


# -- names ----------------------------------------------------------------------------------------


def test_every_name_is_there_or_listed() -> None:
    """What `dir()` of pycaffe shows is here too, but for what the list above says."""
    ours = pycaffe_names.names(caffe)
    missing = {
        where: set(names) - set(ours[where])
        for where, names in json.loads(RECORDED.read_text()).items()
    }

    assert {where: names for where, names in missing.items() if names} == ABSENT


@pytest.mark.pycaffe
def test_the_recorded_names_are_the_real_ones() -> None:
    """The real Caffe has the names that the test above compares with."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed")
    done = subprocess.run(
        [str(python), str(ROOT / "tests" / "pycaffe_names.py"), "caffe"],
        env=caffe_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert json.loads(done.stdout) == json.loads(RECORDED.read_text())


def test_what_is_absent_says_so() -> None:
    """Under both names of the module, with a way out."""
    for module in (caffe, caffe._caffe, caffe.pycaffe):
        with pytest.raises(AttributeError, match=r"SGDSolver is not part .* does not train"):
            _ = module.SGDSolver


def test_functions_of_the_module_pycaffe_work(net: Any) -> None:
    """Programs take methods from there, to change or to call them."""
    functions = caffe.pycaffe

    assert functions._Net_forward(net)["c"].shape == (2, 4, 6, 5)
    assert functions._Net_blobs.fget(net) is net.blobs
    assert functions._Net_inputs.fget(net) == ["data"]
    tops = functions._Net_get_id_name(type(net)._top_ids, "_top_names").fget(net)
    assert tops == net.top_names
    batches = list(net._batch({"data": np.ones((5, 3, 8, 7))}))
    assert [batch["data"].sum() for batch in batches] == [336, 336, 168]


def test_io_has_what_it_takes_from_other_packages() -> None:
    """`zoom` is SciPy's; scikit-image is used where it is installed, and named where not."""
    assert caffe.io.zoom(np.ones((2, 3)), 2).shape == (4, 6)
    try:
        import skimage
    except ImportError:
        with pytest.raises(AttributeError, match="pip install scikit-image.*resize_image"):
            _ = caffe.io.resize
    else:
        assert caffe.io.skimage is skimage
        assert caffe.io.resize(np.ones((4, 4, 3)), (2, 2)).shape == (2, 2, 3)


# -- assignments that would be lost ---------------------------------------------------------------

LOST = {
    "net.params['c'][0] = A": r"data\[...\] = array",
    "net.params['c'][0:1] = [A]": r"data\[...\] = array",
    "net.params['c'][7] = A": r"data\[...\] = array",
    "net.params['c'].append(A)": "BlobVec takes Blob",
    "net.params['c'].extend([A])": "BlobVec takes Blob",
    "net.params['c'].insert(0, A)": "BlobVec takes Blob",
    "net.params['c'] += [A]": "BlobVec takes Blob",
    "net.params['c'] = A": r"net.params\['c'\]\[0\].data\[...\] = array",
    "net.params = {}": r"data\[...\] = array",
    "net.layers[1].blobs[0] = A": r"data\[...\] = array",
    "net.layers[1].blobs = [A]": r"data\[...\] = array",
    "net.layers[1].type = 'ReLU'": "type cannot be assigned",
    "net.layers[0] = A": "those of its prototxt",
    "net.layers = []": "those of the prototxt",
    "net.layer_dict = {}": "those of the prototxt",
    "net.inputs = ['c']": r"net.blobs\['data'\].data\[...\] = array",
    "net.outputs = ['c']": "no layer reads",
    "net.top_names = {}": "prototxt says",
    "net.bottom_names = {}": "prototxt says",
    "net.blob_loss_weights = {}": "loss_weight in the prototxt",
    "net.blobs = {}": r"data\[...\] = array",
    "net.blobs['data'] = A": r"net.blobs\['data'\].data\[...\] = array",
    "net.blobs['data'].data = A": r"blob.data\[...\] = array",
    "net.blobs['data'].diff = A": r"blob.diff\[...\] = array",
    "net.blobs['data'].shape = (1, 3, 8, 7)": "blob.reshape",
    "net.blobs['data'].shape[0] = 'x'": "IntVec takes int",
    "net._layer_names[0] = 3": "StringVec takes str",
    "net._blobs[0] = A": "BlobVec takes Blob",
    "net._blob_loss_weights[0] = 'x'": "DtypeVec takes float",
}  # fmt: skip


@pytest.mark.parametrize("line", LOST)
def test_an_assignment_that_changes_nothing_is_an_error(line: str, net: Any) -> None:
    """As in pycaffe, where it is a TypeError or an AttributeError, with how to write it."""
    with pytest.raises(AssignmentError, match=LOST[line]) as caught:
        exec(line, {"net": net, "A": A})

    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, AttributeError)
    assert list(net.blobs) == ["data", "c"]
    assert len(net.params["c"]) == 2


def test_a_blob_may_take_a_blobs_place(net: Any) -> None:
    """pycaffe's vectors hold blobs, and so the layer computes with the new one."""
    other = caffe._caffe.Blob(4, 3, 3, 3)
    other.data[...] = 1
    net.params["c"][0] = other
    net.blobs["data"].data[...] = 1

    assert (net.forward()["c"] == 27).all()
    assert net.layers[1].blobs[0] is other
    assert type(net.params["c"][:1]) is caffe._caffe.BlobVec


def test_vectors_and_dicts_can_be_copied(net: Any) -> None:
    """What a net hands out goes through copy and pickle, and refuses arrays afterwards."""
    for made in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(made.blobs) == list(net.blobs)
        assert made._blobs[0] is made.blobs["data"]
        for wrong in ("made.blobs['c'] = A", "made.params['c'][0] = A"):
            with pytest.raises(AssignmentError):
                exec(wrong, {"made": made, "A": A})


def test_a_name_that_is_not_there_is_a_key_error_with_the_nearest(net: Any) -> None:
    """Blobs and parameters go by name; numbers are told the names."""
    with pytest.raises(UnknownBlobError, match="no blob 'dat' here. Did you mean 'data'"):
        _ = net.blobs["dat"]
    for key in ("data", 0):
        with pytest.raises(KeyError, match="no layer with parameters"):
            _ = net.params[key]
    assert net.blobs.get("dat") is None
    with pytest.raises(TypeError, match=r"net.layer_dict\['c'\]"):
        _ = net.layers["c"]
    with pytest.raises(AttributeError, match=r"\[0\].data for weights"):
        _ = net.params["c"].data


# -- calls that slip ------------------------------------------------------------------------------

NET_CALL = r"Net\('deploy.prototxt', caffe.TEST, weights='x.caffemodel'\)"
SLIPS = {
    "caffe.Net(P, caffe.TEST, W)": rf"passed as level: {NET_CALL}",
    "caffe.Net(P, 'TEST')": f"the text 'TEST': pass the number caffe.TEST: {NET_CALL}",
    "caffe.Net(P, W, 'TEST')": NET_CALL,
    "caffe.Net(P, 'test', weights=W)": NET_CALL,
    "caffe.Net(P)": NET_CALL,
    "caffe.Net(P, W)": rf"phase is missing.*{NET_CALL}",
    "caffe.Net(caffe.TEST, P)": f"the prototxt comes first, not 1: {NET_CALL}",
    "caffe.Net(P, caffe.TEST, 1.5)": "level is 1.5",
    "caffe.Net(P, caffe.TEST, stages='deploy')": r"stages=\['deploy'\]",
    "caffe.Classifier(P, W, caffe.TEST)": r"image_dims is 1: .*image_dims=\(256, 256\)",
    "caffe.Classifier(P, caffe.TEST)": "weights are passed second",
    "caffe.Classifier(P, W, image_dims=32)": r"image_dims is 32: height and width",
    "caffe.Classifier(P, W, image_dims=(32,))": "height and width",
    "caffe.Classifier(P, W, gpu=True)": r"caffe.set_mode_gpu\(\)",
    "caffe.Classifier(P, W, mean_file='m.npy')": r"mean=numpy.load\('mean.npy'\)",
    "caffe.Classifier(P, W, mean='m.npy')": r"numpy.load\('mean.npy'\).mean\(1\).mean\(1\)",
    "caffe.Classifier(P, W, swap=(2, 1, 0))": "no argument 'swap'",
    "caffe.Classifier(P, W, channel_swap='2,1,0')": r"channel_swap=\(2, 1, 0\)",
    "caffe.Classifier(P, W, channel_swap=2)": r"channel_swap=\(2, 1, 0\)",
    "classifier.predict(np.zeros((8, 7, 3)))": r"predict\(\[image\]\)",
    "classifier.predict('cat.jpg')": r"predict\(\[caffe.io.load_image\('cat.jpg'\)\]\)",
    "classifier.predict(['cat.jpg'])": r"predict\(\[caffe.io.load_image\('cat.jpg'\)\]\)",
    "net.forward('c')": r"blobs is a list of names, as in \['c'\].*end='c'",
    "net.forward(A)": r"net.forward\(data=array\)",
    "net.backward('c')": "blobs is a list of names",
}


@pytest.mark.parametrize("call", SLIPS)
def test_a_slip_is_told_the_right_call(call: str, files: tuple[str, str], net: Any) -> None:
    """One sentence, and a TypeError as from Python itself."""
    known = {"caffe": caffe, "np": np, "P": files[0], "W": files[1], "net": net, "A": A}
    known["classifier"] = caffe.Classifier(*files)

    with pytest.raises(TypeError, match=SLIPS[call]) as caught:
        eval(call, known)

    assert len(str(caught.value).splitlines()) == 1
    if call.startswith("c"):
        assert isinstance(caught.value, NetArgumentError)


BEFORE = {
    "caffe.set_phase_test()": r"caffe.Net\('deploy.prototxt', caffe.TEST, weights",
    "caffe.set_phase_train()": r"caffe.Net\('deploy.prototxt', caffe.TRAIN, weights",
    "caffe.CaffeNet": "caffe.Net",
    "net.set_phase_test()": "caffe.TEST",
    "net.set_phase_train()": "caffe.TRAIN",
    "net.set_mode_cpu()": r"caffe.set_mode_cpu\(\)",
    "net.set_mode_gpu()": r"caffe.set_mode_gpu\(\)",
    "net.set_device(0)": r"caffe.set_device\(0\)",
    "net.set_mean('data', A)": r"transformer.set_mean\('data', ...\)",
    "net.set_raw_scale('data', 255)": r"transformer.set_raw_scale\('data', ...\)",
    "net.set_input_scale('data', 1)": r"transformer.set_input_scale\('data', ...\)",
    "net.set_channel_swap('data', (2, 1, 0))": r"transformer.set_channel_swap\('data', ...\)",
    "net.preprocess('data', A)": r"transformer.preprocess\('data', ...\)",
    "net.deprocess('data', A)": r"transformer.deprocess\('data', ...\)",
    "net.mean['data']": r"transformer.mean\['data'\]",
    "net.Forward([A], [A])": "called forward",
    "net.froward()": "Did you mean 'forward'",
}


@pytest.mark.parametrize("call", BEFORE)
def test_names_of_2014_are_told_what_they_are_called_now(call: str, net: Any) -> None:
    """An AttributeError, as from the pycaffe of 2015, but with the name to use."""
    with pytest.raises(AttributeError, match=BEFORE[call]):
        eval(call, {"caffe": caffe, "net": net, "A": A})


# -- net surgery ----------------------------------------------------------------------------------

DEEP = """
layer { name: "b" type: "BatchNorm" bottom: "c" top: "b" }
layer { name: "s" type: "Scale" bottom: "b" top: "s" scale_param { bias_term: true } }
layer { name: "p" type: "PReLU" bottom: "s" top: "p" }
layer { name: "i" type: "Bias" bottom: "p" top: "i" }
layer { name: "d" type: "Deconvolution" bottom: "i" top: "d"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "d" top: "ip"
  inner_product_param { num_output: 5 } }
"""


@pytest.fixture
def deep(tmp_path: Path) -> Any:
    """Return a net of every layer that has parameters, filled with numbers, run forward."""
    (tmp_path / "deep.prototxt").write_text("force_backward: true" + NET + DEEP)
    net = caffe.Net(str(tmp_path / "deep.prototxt"), caffe.TEST)
    for number, blob in enumerate(blob for blobs in net.params.values() for blob in blobs):
        blob.data[...] = np.random.RandomState(number).uniform(0.5, 1.5, blob.data.shape)
    net.blobs["data"].data[...] = np.random.RandomState(99).uniform(-1, 1, (2, 3, 8, 7))
    net.forward()
    return net


def run(net: Any) -> list[np.ndarray]:
    """Run both ways; return the outputs and every gradient."""
    net.forward()
    net.blobs["ip"].diff[...] = 1
    net.clear_param_diffs()
    net.backward()
    diffs = [blob.diff.ravel() for blobs in net.params.values() for blob in blobs]
    return [net.blobs["ip"].data.copy(), net.blobs["data"].diff.copy(), *map(np.copy, diffs)]


def test_another_shape_of_as_many_values_is_as_good(deep: Any) -> None:
    """Layers read their parameters by the number of values, as in Caffe."""
    before = run(deep)
    for layer, index, shape in (
        ("c", 0, (4, 27)), ("c", 1, (1, 1, 1, 4)), ("b", 0, (2, 2)), ("b", 2, ()), ("p", 0, (1, 4)),
        ("d", 0, (16, 9)), ("d", 1, (4, 1)), ("ip", 0, (224, 5)), ("ip", 1, (5, 1)),
    ):  # fmt: skip
        deep.params[layer][index].reshape(*shape)

    for ours, wanted in zip(run(deep), before):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("layer", ["c", "b", "s", "p", "i", "d", "ip"])
@pytest.mark.parametrize("count", [0, 3, 97])
def test_a_parameter_of_another_size_is_named(deep: Any, layer: str, count: int) -> None:
    """With its number and both shapes, forward and backward; mended, the net runs again."""
    for index, blob in enumerate(deep.params[layer]):
        shape = tuple(blob.shape)
        blob.reshape(count)
        message = rf"layer '{layer}'.*parameter {index} has the shape \({count},\) now, but.*"
        with pytest.raises(ShapeError, match=message + re.escape(str(shape))):
            deep.forward()
        with pytest.raises(ShapeError, match=message):
            deep.backward()
        blob.reshape(*shape)
        run(deep)


def test_a_plan_sees_what_became_of_parameters(deep: Any) -> None:
    """As many values in another shape give the same dream; another size is named."""
    deep.transformer = caffe.io.Transformer({"data": (1, 3, 8, 7)})
    image = np.random.RandomState(3).uniform(0, 255, (8, 7, 3)).astype(np.float32)
    how = {"end": "p", "iter_n": 2, "octave_n": 1, "seed": 1, "progress": False, "style": "2015"}
    before = deepdream.dream(deep, image, **how)
    deep.params["c"][0].reshape(4, 27)
    deep.params["c"][1].reshape(1, 1, 1, 4)

    np.testing.assert_array_equal(deepdream.dream(deep, image, **how), before)
    deep.params["c"][1].reshape(9)
    with pytest.raises(ShapeError, match=r"layer 'c'.*parameter 1 has the shape \(9,\) now"):
        deepdream.dream(deep, image, **how)


def test_a_parameter_that_is_gone_is_named(deep: Any) -> None:
    """Caffe would read freed memory."""
    del deep.params["c"][1]

    with pytest.raises(ShapeError, match="built with 2 parameters and has 1 now.*bias_term: false"):
        deep.forward()


def test_a_blob_of_another_size_in_a_parameters_place(deep: Any) -> None:
    """Putting blobs of another layer there counts as a change of size."""
    deep.params["ip"][1] = deep.params["c"][1]

    with pytest.raises(ShapeError, match=r"'ip'.*parameter 1 has the shape \(4,\) now"):
        deep.forward()


# -- gradients that nobody computes ---------------------------------------------------------------


def test_backward_without_force_backward_warns_once(net: Any) -> None:
    """A deploy net has no loss, so Caffe computes nothing; the line to add is told."""
    net.forward()
    with pytest.warns(UserWarning, match="at the head of the prototxt:\n    force_backward: true"):
        net.backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.backward()
    assert not net.blobs["data"].diff.any()


def test_backward_does_not_warn_where_it_computes(files: tuple[str, str], tmp_path: Path) -> None:
    """With the line, with a loss, and where only an Input layer is asked."""
    forced, loss = tmp_path / "forced.prototxt", tmp_path / "loss.prototxt"
    forced.write_text("force_backward: true" + NET)
    loss.write_text(
        NET + 'layer { name: "r" type: "Reduction" bottom: "c" top: "r" loss_weight: 1 }'
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in (forced, loss):
            net = caffe.Net(str(path), caffe.TEST)
            net.forward()
            net.backward()
        caffe.Net(files[0], caffe.TEST).backward(start="data")


# -- python -m deepdream.caffe --------------------------------------------------------------------

PARENT = (
    "import subprocess, sys, caffe; print(__name__, *sys.argv[1:]); sys.stdout.flush(); "
    "subprocess.run([sys.executable, 'child.py'], check=True)"
)


@pytest.mark.parametrize("how", ["-c", "-m", "script"])
def test_programs_and_their_children_find_caffe(how: str, tmp_path: Path) -> None:
    """Children are started as ``python child.py``, as programs do, in a folder of their own."""
    (tmp_path / "child.py").write_text("import caffe; print(caffe.__version__)")
    (tmp_path / "parent.py").write_text(PARENT)
    command = {"-c": ["-c", PARENT], "-m": ["-m", "parent"], "script": ["parent.py"]}[how]
    done = command_line(*command, "x", folder=tmp_path)

    assert done.stdout.split() == ["__main__", "x", "1.0.0"], done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.py"], "cannot run 'nope.py': there is no such file"),
        (["-m", "nope"], "cannot run module 'nope': Python finds none"),
        (["-c"], "-c is followed by nothing"),
        (["-x"], "unknown option -x"),
        (["."], "cannot run '.': is a folder without __main__.py"),
        ([], "usage: python -m deepdream.caffe SCRIPT"),
    ],
)
def test_what_cannot_be_run_is_named(arguments: list[str], message: str, tmp_path: Path) -> None:
    """In one sentence, with the usage, and no traceback."""
    done = command_line(*arguments, folder=tmp_path)

    assert done.stderr.startswith(message)
    assert "usage: python -m deepdream.caffe SCRIPT" in done.stderr
    assert done.returncode == 1


def command_line(*arguments: str, folder: Path) -> Any:
    """Run ``python -m deepdream.caffe`` in a folder."""
    code = f"import sys, runpy; sys.path.append({str(ROOT)!r}); sys.argv[0] = 'x'\n"
    code += "runpy.run_module('deepdream.caffe', run_name='__main__', alter_sys=True)"
    environment = {key: value for key, value in caffe_environment().items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment, cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
