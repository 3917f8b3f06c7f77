"""What every engine promises a dream: one suite for ours, for the real Caffe, and for a fake.

A check is a function of `make`, which returns a fresh net of `PROTOTXT`. It asserts what has to
hold exactly, and may return arrays, which `test_contract` compares between the engines. Only NumPy
and the standard library are used, and Python 3.9: this file runs in the real Caffe's environment,

    python contract.py FOLDER        a line of JSON: "caffe" and "adapter", the net of
                                     `load_net(engine="caffe")`, to check -> {"error": ...} or
                                     {"arrays": {...}}
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

import numpy as np

# Values that float32 holds exactly, so that the engines agree to the bit.
PROTOTXT = """
name: "contract"
force_backward: true
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
layer { name: "scale" type: "Power" bottom: "data" top: "scale"
  power_param { scale: 2 shift: 1 } }
layer { name: "relu" type: "ReLU" bottom: "scale" top: "scale" }
layer { name: "left" type: "Power" bottom: "scale" top: "left" power_param { scale: 4 } }
layer { name: "right" type: "Power" bottom: "scale" top: "right" power_param { scale: -0.5 } }
layer { name: "sum" type: "Eltwise" bottom: "left" bottom: "right" top: "sum" }
"""
SPLIT = "scale_relu_0_split"
CHECKS = {}


def check(function):
    """Enter a check into the suite."""
    CHECKS[function.__name__] = function
    return function


def drawn(shape, seed):
    """Return multiples of 1/8 between -4 and 4, none of them at the kink of the ReLU."""
    whole = np.random.RandomState(seed).randint(-32, 32, shape)
    return np.float32(np.where(whole == -4, 5, whole) / 8.0)


def fill(net, seed=1):
    """Write a picture into the data blob and return it."""
    x = drawn(net.blobs["data"].data.shape, seed)
    net.blobs["data"].data[...] = x
    return x


def raises(kind, call, words=""):
    """Fail unless `call` raises `kind` with `words` in its message."""
    try:
        call()
    except kind as error:
        assert words in str(error), str(error)  # noqa: PT017
    else:
        raise AssertionError("nothing was raised, %s expected" % kind.__name__)  # noqa: UP031


@check
def names_and_order(make):
    net = make()
    assert list(net._layer_names) == ["data", "scale", "relu", SPLIT, "left", "right", "sum"]
    assert list(net.blobs) == [
        "data", "scale", SPLIT + "_0", SPLIT + "_1", "left", "right", "sum",
    ]  # fmt: skip
    assert list(net.inputs) == ["data"]
    assert list(net.outputs) == ["sum"]
    assert list(net.bottom_names["right"]) == [SPLIT + "_1"]
    assert list(net.top_names["relu"]) == ["scale"]


@check
def blobs_are_the_same_objects(make):
    net = make()
    blob = net.blobs["scale"]
    fill(net)
    net.forward()
    assert net.blobs["scale"] is blob
    assert net.blobs is net.blobs


@check
def data_is_a_live_writable_view(make):
    blob = make().blobs["data"]
    for array in (blob.data, blob.diff):
        assert array.dtype == np.float32
        assert array.shape == (2, 3, 5, 7)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()
    first, second = blob.data, blob.data
    first[1, 2, 3, 4] = 8
    assert second[1, 2, 3, 4] == 8
    blob.data.flat[0] = 3
    assert first[0, 0, 0, 0] == 3
    # The guided objective of the notebook writes through a reshape of a slice.
    blob.diff[0].reshape(3, -1)[:] = 5
    assert (blob.diff[0] == 5).all()
    assert not blob.diff[1].any()


@check
def data_cannot_be_replaced(make):
    blob = make().blobs["data"]
    raises(AttributeError, lambda: setattr(blob, "data", np.zeros((2, 3, 5, 7), np.float32)))


@check
def shape_and_legacy_names(make):
    blob = make().blobs["data"]
    assert list(blob.shape) == [2, 3, 5, 7]
    assert (blob.num, blob.channels, blob.height, blob.width) == (2, 3, 5, 7)
    assert blob.count == 210


@check
def smaller_shapes_keep_the_memory(make):
    blob = make().blobs["data"]
    x = drawn((2, 3, 5, 7), 2)
    blob.data[...] = x
    blob.diff[...] = 7
    blob.reshape(1, 3, 4, 2)
    assert (blob.data.ravel() == x.ravel()[:24]).all()
    blob.reshape(2, 3, 5, 7)
    assert (blob.data == x).all()
    blob.reshape(2, 3, 6, 7)
    assert not blob.data.any()
    assert not blob.diff.any()


@check
def shapes_ripple_up_to_end(make):
    net = make()
    net.blobs["data"].reshape(1, 3, 6, 4)
    assert list(net.blobs["scale"].shape) == [2, 3, 5, 7]
    fill(net)
    net.forward(end="left")
    assert list(net.blobs["left"].shape) == [1, 3, 6, 4]
    assert list(net.blobs["right"].shape) == [2, 3, 5, 7]
    net.reshape()
    assert list(net.blobs["sum"].shape) == [1, 3, 6, 4]


@check
def end_is_before_what_works_in_place(make):
    net = make()
    x = fill(net)
    net.forward(end="scale")
    assert (net.blobs["scale"].data == 2 * x + 1).all()
    net.forward(start="relu", end="relu")
    assert (net.blobs["scale"].data == np.maximum(2 * x + 1, 0)).all()


@check
def forward_returns_live_views(make):
    net = make()
    fill(net)
    out = net.forward(end="relu", blobs=["data"])
    assert sorted(out) == ["data", "scale"]
    out["scale"][...] = 9
    assert (net.blobs["scale"].data == 9).all()
    assert sorted(net.forward()) == ["sum"]


@check
def segments_of_forward_are_one_forward(make):
    whole, parts = make(), make()
    fill(whole)
    fill(parts)
    whole.forward()
    parts.forward(end="relu")
    parts.forward(start=SPLIT)
    assert (parts.blobs["sum"].data == whole.blobs["sum"].data).all()
    parts.forward(end="relu")
    parts.blobs["scale"].data[...] += 1
    parts.forward(start=SPLIT)
    return {"sum": whole.blobs["sum"].data, "after a change": parts.blobs["sum"].data}


@check
def splits_share_the_data(make):
    net = make()
    fill(net)
    net.forward(end=SPLIT)
    net.blobs["scale"].data[...] = 3
    assert (net.blobs[SPLIT + "_1"].data == 3).all()
    net.blobs[SPLIT + "_0"].diff[...] = 1
    assert not net.blobs[SPLIT + "_1"].diff.any()


@check
def start_after_end_runs_nothing(make):
    net = make()
    fill(net)
    net.forward(start="sum", end="scale")
    assert not net.blobs["scale"].data.any()


def gradient(net, end, diff):
    """Run forward to `end` and backward from a diff; return the data's."""
    net.forward(end=end)
    net.blobs[end].diff[...] = diff
    net.backward(start=end)
    return net.blobs["data"].diff.copy()


@check
def the_gradient_by_hand(make):
    net = make()
    x = fill(net)
    above = drawn((2, 3, 5, 7), 3)
    found = gradient(net, "sum", above)
    passed = 2 * x + 1 > 0
    assert (found == np.where(passed, 2 * 3.5 * above, 0)).all()
    # In place: the diff is by now the gradient before the ReLU.
    assert (net.blobs["scale"].diff == np.where(passed, 3.5 * above, 0)).all()
    assert (net.blobs["sum"].diff == above).all()
    return {"gradient": found}


@check
def backward_from_a_layer_before_its_relu(make):
    net = make()
    fill(net)
    above = drawn((2, 3, 5, 7), 4)
    assert (gradient(net, "scale", above) == 2 * above).all()


@check
def segments_of_backward_are_one_backward(make):
    net = make()
    fill(net)
    net.forward()
    net.blobs["sum"].diff[...] = drawn((2, 3, 5, 7), 5)
    out = net.backward(end="relu")
    assert sorted(out) == ["scale"]
    net.backward(start="relu")
    in_two = net.blobs["data"].diff.copy()
    net.backward()
    assert (net.blobs["data"].diff == in_two).all()
    return {"gradient": in_two}


@check
def a_diff_added_between_segments_counts(make):
    net = make()
    fill(net)
    net.forward()
    net.blobs["sum"].diff[...] = 0
    net.backward(end=SPLIT)
    net.blobs["scale"].diff[...] += drawn((2, 3, 5, 7), 6)
    net.backward(start="relu")
    return {"gradient": net.blobs["data"].diff}


@check
def stale_diffs_stay(make):
    net, fresh = make(), make()
    x = fill(net)
    fill(fresh)
    deep, shallow = drawn((2, 3, 5, 7), 7), drawn((2, 3, 5, 7), 8)
    gradient(net, "sum", deep)
    polluted = gradient(net, "left", shallow)
    clean = gradient(fresh, "left", shallow)
    # The branch that did not run still holds what the deeper end left there: -0.5 * deep.
    passed = 2 * x + 1 > 0
    assert (clean == np.where(passed, 8 * shallow, 0)).all()
    assert (polluted == np.where(passed, 8 * shallow - deep, 0)).all()
    for blob in net.blobs.values():
        blob.diff[...] = 0
    assert (gradient(net, "left", shallow) == clean).all()


@check
def forward_clears_no_diff(make):
    net = make()
    fill(net)
    net.blobs["left"].diff[...] = 3
    net.forward()
    assert (net.blobs["left"].diff == 3).all()


@check
def backward_returns_the_bottoms_diffs(make):
    net = make()
    fill(net)
    net.forward()
    assert sorted(net.backward(end="left")) == [SPLIT + "_0"]
    assert sorted(net.backward(diffs=["right"])) == ["data", "right"]


@check
def keywords_are_the_inputs_and_outputs(make):
    net = make()
    x = drawn((2, 3, 5, 7), 9)
    out = net.forward(data=x.astype(np.float64))
    assert (net.blobs["data"].data == x).all()
    diffs = net.backward(sum=x)
    assert (net.blobs["sum"].diff == x).all()
    return {"sum": out["sum"], "diff": diffs["data"]}


@check
def mistakes_are_exceptions(make):
    net = make()
    fill(net)
    x = np.zeros((2, 3, 5, 7), np.float32)
    raises(ValueError, lambda: net.forward(end="sun"))
    raises(ValueError, lambda: net.backward(start="sun"))
    raises(ValueError, lambda: net.forward(end=SPLIT + "_0"))  # a blob and no layer
    assert not net.blobs["scale"].data.any()
    raises(KeyError, lambda: net.forward(blobs=["nope"]))
    raises(KeyError, lambda: net.blobs["nope"])
    raises(Exception, lambda: net.forward(date=x), "Input blob arguments do not match net inputs")
    raises(Exception, lambda: net.forward(data=x[:1]), "Input is not batch sized")
    raises(Exception, lambda: net.backward(data=x), "Top diff arguments do not match net outputs")
    raises(Exception, lambda: net.backward(sum=x[:1]), "Diff is not batch sized")


@check
def batch_items_are_independent(make):
    net, one = make(), make()
    x = fill(net)
    above = drawn((2, 3, 5, 7), 10)
    both = gradient(net, "sum", above)
    one.blobs["data"].reshape(1, 3, 5, 7)
    for item in (0, 1):
        one.blobs["data"].data[...] = x[item]
        assert (gradient(one, "sum", above[item]) == both[item]).all()


@check
def the_notebook_steps(make):
    """Google's loop needs nothing of a net but what is above."""
    import deepdream

    net = make()
    net.transformer = Means()
    net.blobs["data"].reshape(1, 3, 11, 13)
    net.blobs["data"].data[0] = np.random.RandomState(5).uniform(-110, 110, (3, 11, 13))
    np.random.seed(2)
    for _ in range(3):
        deepdream.make_step(net, end="sum", jitter=4)
    pictures = {"three steps": net.blobs["data"].data.copy()}
    img = np.random.RandomState(6).uniform(0, 255, (31, 23, 3)).astype(np.float32)
    np.random.seed(3)
    pictures["deepdream"] = deepdream.deepdream(net, img, end="left", iter_n=3, octave_n=2)
    pictures["dream"] = np.asarray(
        deepdream.dream(net, img, end="sum", iter_n=3, octave_n=2, jitter=5, seed=4)
    )
    return pictures


class Means:
    """The part of a transformer that a dream reads."""

    def __init__(self):
        self.mean = {"data": np.float32([104, 117, 123]).reshape(3, 1, 1)}


def run(make):
    """Run all checks; return check -> {"arrays": ...} or {"error": traceback}."""
    report = {}
    for name, function in CHECKS.items():
        try:
            arrays = function(make) or {}
        except Exception:
            report[name] = {"error": traceback.format_exc()}
        else:
            report[name] = {"arrays": {key: array.copy() for key, array in arrays.items()}}
    return report


def adapted(caffe, path):
    """Return a net as `load_net(engine="caffe")` makes it, without weights."""
    from deepdream.models.guarded import guarded_class
    from deepdream.running.graph import Graph, read_wired

    net = guarded_class(caffe)(str(path), caffe.TEST)
    net.graph = Graph(*read_wired(path), caffe.TEST)
    return net


if __name__ == "__main__":
    import caffe

    path = Path(sys.argv[1]) / "contract.prototxt"
    path.write_text(PROTOTXT)
    found = {
        "caffe": run(lambda: caffe.Net(str(path), caffe.TEST)),
        "adapter": run(lambda: adapted(caffe, path)),
    }
    print(json.dumps(found, default=lambda array: array.tolist()))
