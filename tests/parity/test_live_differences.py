"""The column "Caffe" of docs/known-differences.md, where the real one can be asked."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_client import Job
from golden_cases.base import Case, input_layer, layer, net
from golden_cases.files import blob, message, v2_layer
from helpers import run_ours

from deepdream.errors import DeepDreamError

pytestmark = [pytest.mark.pycaffe, pytest.mark.usefixtures("device")]

X = (1, 2, 3, 5)
W, B = np.arange(15, dtype=np.float32).reshape(3, 5), np.array([7, 8, 9], np.float32)


def one(kind: str, parameters: str = "", shape: tuple[int, ...] = X, top: str = "y") -> str:
    """Return a net of one layer."""
    return net(input_layer("x", shape), layer("L", kind, ["x"], [top], parameters))


FC = one("InnerProduct", "inner_product_param { num_output: 3 }", (2, 5))
CONV = "convolution_param { num_output: 2 kernel_size: 1 %s }"
INPUTS = 'force_backward: true input: "x" %s layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
V0 = 'layers { layer { name: "a" type: "relu" } bottom: "x" top: "y" }\n'
TANH = layer("b", "TanH", ["y"], ["z"])
FOUR_AXES = v2_layer("L", *(blob(a.reshape((1,) * (4 - a.ndim) + a.shape)) for a in (W, B)))

CALM = net(input_layer("x", X), layer("L", "TanH", ["x"], ["y"]), force_backward=False)

# What Caffe takes, and we refuse: prototxt and weights.
ONLY_CAFFE = {
    "too few input_dim": (INPUTS % "input_dim: 1 input_dim: 3 input_dim: 5", None),
    "layer beside V0": (INPUTS.split(" layer {")[0] % "input_dim: [1,3,5,7]" + V0 + TANH, None),
    "no net": ("# nothing", None),
    "dilation 0": (one("Convolution", CONV % "dilation: 0"), None),
    "convolution in place": (one("Convolution", CONV % "", top="x"), None),
    "inner product in place": (
        one("InnerProduct", "inner_product_param { num_output: 5 }", (2, 5), "x"),
        None,
    ),
    "empty weights": (FC, b""),
    "web page as weights": (FC, b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n"),
}

# Where Caffe ends the process, and we answer: prototxt, weights, and a shape of 0 values.
ONLY_WE = {
    "four axes in V2": (FC, FOUR_AXES, None),
    "BatchNorm of one axis": (one("BatchNorm", shape=(7,)), None, None),
    "LRN of nothing": (one("LRN"), None, (1, 2, 0, 5)),
    "Softmax of nothing": (one("Softmax"), None, (1, 2, 0, 5)),
}


@pytest.mark.parametrize("name", ONLY_CAFFE)
def test_caffe_takes_what_we_refuse(name, real_caffe):
    """Caffe builds the net, without a word of what is wrong."""
    prototxt, weights = ONLY_CAFFE[name]
    case = Case(name, "").step("net", prototxt=prototxt, weights=weights)
    (outcome,) = real_caffe.ask([Job(case.steps, case.arrays)])

    assert (outcome.aborted, outcome.error) == (None, None)
    with pytest.raises(DeepDreamError):
        run_ours(case.steps, case.arrays)


@pytest.mark.parametrize("name", ONLY_WE)
def test_caffe_ends_where_we_answer(name, real_caffe):
    """Caffe's process ends."""
    prototxt, weights, shape = ONLY_WE[name]
    case = Case(name, "").step("net", prototxt=prototxt, weights=weights)
    if shape:
        case.step("reshape", blob="x", shape=shape)
    case.step("forward").step("read", blob="y")
    (outcome,) = real_caffe.ask([Job(case.steps, case.arrays)])

    assert outcome.aborted
    assert "y.data" in run_ours(case.steps, case.arrays)[0]


def test_caffe_loads_stored_gradients(real_caffe):
    """A diff in a caffemodel arrives in the parameter's diff; ours stays zero."""
    stored = [blob(a) + message(6, a.astype("<f4").tobytes()) for a in (W, B)]
    case = Case("diffs", "").step("net", prototxt=FC, weights=v2_layer("L", *stored))
    case.step("read_param", layer="L", index=0).step("read_param", layer="L", index=0, part="diff")
    (outcome,) = real_caffe.ask([Job(case.steps, case.arrays)])
    ours, _ = run_ours(case.steps, case.arrays)

    np.testing.assert_array_equal(outcome.results["L[0].data"], W)
    np.testing.assert_array_equal(outcome.results["L[0].diff"], W)
    np.testing.assert_array_equal(ours["L[0].data"], W)
    assert not ours["L[0].diff"].any()


def test_caffe_keeps_nan_in_the_sliding_sum_of_lrn(real_caffe):
    """All channels behind it are NaN."""
    x = np.ones((1, 7, 2, 2), np.float32)
    x[0, 2, 1, 0] = np.nan
    case = Case("lrn", "").step("net", prototxt=one("LRN", "lrn_param { local_size: 3 }", x.shape))
    case.step("write", blob="x", array=x).step("forward").step("read", blob="y")
    (outcome,) = real_caffe.ask([Job(case.steps, case.arrays)])

    assert np.isnan(outcome.results["y.data"][0, :, 1, 0]).tolist() == [False] + [True] * 6


def test_caffe_computes_no_gradient_without_a_loss(real_caffe):
    """Nor says so."""
    case = Case("deploy", "").step("net", prototxt=CALM).step("write", blob="x", value=1)
    case.step("forward").step("write", blob="y", part="diff", value=1).step("backward")
    case.step("read", blob="x", part="diff")
    (outcome,) = real_caffe.ask([Job(case.steps, case.arrays)])

    assert not outcome.results["x.diff"].any()
