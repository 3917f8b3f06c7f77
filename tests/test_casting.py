"""Inner products as convolutions: the same answers, at more places, in the same memory."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from caffe_client import caffe_environment, caffe_python
from helpers import ROOT, assert_close
from tiny import tiny_net

import deepdream
from deepdream.errors import ParameterError, ShapeError
from deepdream.models.load import find_model, prototxt_path
from deepdream.reading.proto import parse_prototxt, print_prototxt
from deepdream.running.casting import cast
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net
from deepdream.running.plan import Planner

TEST = 1

# A classifier in VGG's manner: 29x37 pixels become 5x7x9 numbers, and those one answer.
CLASSIFIER = """
name: "classifier"
force_backward: true
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 29 dim: 37 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 stride: 2 } }
layer { name: "relu1" type: "BNLL" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 5 kernel_size: 1 } }
layer { name: "fc6" type: "InnerProduct" bottom: "conv2" top: "fc6"
  inner_product_param { num_output: 8 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7"
  inner_product_param { num_output: 6 bias_term: false } }
layer { name: "prob" type: "Softmax" bottom: "fc7" top: "prob" }
"""
STRIDE = 4  # of conv1 and pool1 together: 4 pixels to the right is another window of 29x37


def classifier(text: str = CLASSIFIER) -> Net:
    return tiny_net(text=text, param_diffs=False)


def run(net: Any, end: str, data: np.ndarray, diff: np.ndarray | None = None) -> np.ndarray:
    """Return what a net gives at a layer, or the gradient at the data for a diff there."""
    net.blobs["data"].reshape(*data.shape)
    net.blobs["data"].data[...] = data
    net.forward(end=end)
    if diff is None:
        return net.blobs[end].data.copy()
    net.blobs[end].diff[...] = diff.reshape(net.blobs[end].diff.shape)
    net.backward(start=end)
    return net.blobs["data"].diff.copy()


def noise(*shape: int) -> np.ndarray:
    return np.random.RandomState(sum(shape)).uniform(-90, 90, shape).astype(np.float32)


def test_names_stay_and_weights_are_shared() -> None:
    net = classifier()
    made = cast(net)

    assert made is not net
    assert list(made._layer_names) == list(net._layer_names)
    assert list(made.blobs) == list(net.blobs)
    assert [made.layer_dict[name].type for name in ("fc6", "fc7")] == ["Convolution"] * 2
    assert tuple(made.params["fc6"][0].shape) == (8, 5, 7, 9)
    assert tuple(made.params["fc7"][0].shape) == (6, 8, 1, 1)
    for name in net.params:
        for one, other in zip(net.params[name], made.params[name]):
            assert np.shares_memory(one.data, other.data), name
    net.params["fc6"][0].data[3, 17] = 1234
    assert 1234 in made.params["fc6"][0].data[3]


def test_the_net_itself_stays_as_it_is() -> None:
    net = classifier()
    before = run(net, "prob", noise(2, 3, 29, 37))
    run(cast(net), "prob", noise(1, 3, 61, 53))

    assert np.array_equal(net.blobs["prob"].data, before)


def test_it_is_made_once() -> None:
    net = classifier()

    assert cast(net) is cast(net)
    assert cast(cast(net)) is cast(net)


def test_it_follows_a_net_that_shares_anothers_parameters() -> None:
    """Such a net has other memory than before; the cast of it reads that."""
    net, other = classifier(), classifier()
    before = cast(net)
    net.share_with(other)

    made = cast(net)

    assert made is not before
    assert cast(net) is made
    for name, blobs in net.params.items():
        for blob, same in zip(blobs, made.params[name]):
            assert np.shares_memory(blob.data, same.data)


@pytest.mark.parametrize("end", ["fc6", "fc7", "prob"])
def test_at_its_own_size_it_is_the_same_net(end: str) -> None:
    net, data = classifier(), noise(1, 3, 29, 37)
    made = cast(net)
    shape = run(net, end, data).shape
    diff = noise(*shape) / 90

    assert run(made, end, data).shape == (*shape, 1, 1)
    assert_close(run(made, end, data).reshape(shape), run(net, end, data), name="data")
    assert_close(run(made, end, data, diff), run(net, end, data, diff), name="diff")


def test_on_a_larger_picture_each_place_is_a_window() -> None:
    """Data of every window by the net itself; the gradient is the sum of the windows'."""
    net = classifier()
    made = cast(net)
    data = noise(1, 3, 29 + 2 * STRIDE, 37 + 3 * STRIDE)

    found = run(made, "fc7", data)
    assert found.shape == (1, 6, 3, 4)
    diff = noise(1, 6, 3, 4)
    expected, gradient = np.zeros_like(found), np.zeros_like(data)
    for i in range(3):
        for j in range(4):
            window = np.s_[:, :, STRIDE * i : STRIDE * i + 29, STRIDE * j : STRIDE * j + 37]
            expected[:, :, i, j] = run(net, "fc7", data[window])
            gradient[window] += run(net, "fc7", data[window], diff[:, :, i, j])

    assert_close(found, expected, name="data")
    assert_close(run(made, "fc7", data, diff), gradient, name="diff")


def test_the_plan_takes_it() -> None:
    made = cast(classifier())
    data = noise(1, 3, 45, 57)
    diff = noise(*run(made, "fc7", data).shape)
    plan = Planner(made, "fc7").plan(45, 57)

    plan.data[...] = data
    plan.forward()
    plan.target_diff["fc7"][...] = diff
    found = plan.target_data["fc7"].copy()
    plan.backward()

    assert_close(found, run(made, "fc7", data), name="data")
    assert_close(plan.diff, run(made, "fc7", data, diff), name="diff")


FLAT = 'layer { name: "flat" type: "Flatten" bottom: "conv2" top: "flat" }'
WAYS_ROUND = {
    "flatten": [('bottom: "conv2" top: "fc6"', 'bottom: "flat" top: "fc6"', FLAT)],
    "reshape": [
        (
            'bottom: "conv2" top: "fc6"',
            'bottom: "flat" top: "fc6"',
            FLAT.replace("Flatten", "Reshape").replace(
                " }", " reshape_param { shape { dim: 0 dim: -1 } } }"
            ),
        )
    ],
    "flatten, dropout, and two readers": [
        (
            'bottom: "conv2" top: "fc6"',
            'bottom: "drop" top: "fc6"',
            f"""{FLAT}
layer {{ name: "drop" type: "Dropout" bottom: "flat" top: "drop" }}
layer {{ name: "twice" type: "Power" bottom: "flat" top: "twice" }}""",
        )
    ],
    "two columns joined": [
        (
            'bottom: "conv2" top: "fc6"',
            'bottom: "both" top: "fc6"',
            f"""{FLAT}
layer {{ name: "flat1" type: "Flatten" bottom: "pool1" top: "flat1" }}
layer {{ name: "both" type: "Concat" bottom: "flat" bottom: "flat1" top: "both"
  concat_param {{ axis: -1 }} }}""",
        )
    ],
    "two inner products joined": [
        (
            'bottom: "fc6" top: "fc7"',
            'bottom: "both" top: "fc7"',
            """layer { name: "fc5" type: "InnerProduct" bottom: "conv2" top: "fc5"
  inner_product_param { num_output: 4 axis: -3 } }
layer { name: "both" type: "Concat" bottom: "fc6" bottom: "fc5" top: "both"
  concat_param { axis: -1 } }""",
        )
    ],
    "a reshape of answers": [
        (
            'bottom: "fc6" top: "fc7"',
            'bottom: "flat" top: "fc7"',
            """layer { name: "flat" type: "Reshape" bottom: "fc6" top: "flat"
  reshape_param { shape { dim: 0 dim: 8 } } }""",
        )
    ],
}


def told(changes: list[tuple[str, str, str]]) -> str:
    """Return the classifier with layers before the one that reads something else."""
    text = CLASSIFIER
    for old, new, before in changes:
        at = text.rindex("layer {", 0, text.index(old))
        text = text[:at] + before + "\n" + text[at:].replace(old, new)
    return text


def assert_windows(net: Net, end: str) -> None:
    """Each place of a cast net's answers is what the net itself says of the window there."""
    made = cast(net)
    assert made is not net
    # They would keep a plan from tiles, because they see the whole picture at once.
    assert not any(layer.type in ("Flatten", "Reshape") for layer in made._layers)
    data = noise(1, 3, 29 + STRIDE, 37 + 2 * STRIDE)
    found = run(made, end, data)
    assert found.shape == (1, 6, 2, 3)
    for i in range(2):
        for j in range(3):
            window = np.s_[:, :, STRIDE * i : STRIDE * i + 29, STRIDE * j : STRIDE * j + 37]
            assert_close(found[:, :, i, j], run(net, end, data[window]), name=f"window {i} {j}")


@pytest.mark.parametrize("way", WAYS_ROUND)
def test_what_makes_a_column_of_positions_is_no_obstacle(way: str) -> None:
    net = classifier(told(WAYS_ROUND[way]))

    assert_windows(net, "fc7")


def test_a_convolution_flattened_before_the_softmax() -> None:
    """Without inner products: the channels of a larger picture would be no classes."""
    text = CLASSIFIER[: CLASSIFIER.index('layer { name: "fc6"')]
    net = classifier(
        text
        + """
layer { name: "score" type: "Convolution" bottom: "conv2" top: "score"
  convolution_param { num_output: 6 kernel_h: 7 kernel_w: 9 } }
layer { name: "flat" type: "Flatten" bottom: "score" top: "flat" }
layer { name: "prob" type: "Softmax" bottom: "flat" top: "prob" }"""
    )

    assert_windows(net, "flat")


def test_columns_whose_places_matter_stay_columns() -> None:
    """A Scale with a factor for each number of the column: only the net's own size will do."""
    text = told(
        [
            (
                'bottom: "conv2" top: "fc6"',
                'bottom: "scaled" top: "fc6"',
                f"""{FLAT}
layer {{ name: "scaled" type: "Scale" bottom: "flat" top: "scaled" }}""",
            )
        ]
    )
    net, data = classifier(text), noise(1, 3, 29, 37)
    made = cast(net)

    assert_close(run(made, "fc7", data).reshape(1, 6), run(net, "fc7", data))
    with pytest.raises(ShapeError, match="bottom"):
        run(made, "fc7", noise(1, 3, 29, 41))


def test_behind_a_global_pooling_nothing_is_cast() -> None:
    text = CLASSIFIER.replace(
        'bottom: "conv2" top: "fc6"',
        'bottom: "all" top: "fc6"',
    ).replace(
        'layer { name: "fc6"',
        'layer { name: "all" type: "Pooling" bottom: "conv2" top: "all"\n'
        '  pooling_param { pool: AVE global_pooling: true } }\nlayer { name: "fc6"',
    )
    net = classifier(text)

    assert cast(net) is net


def test_a_net_without_inner_products_is_left_alone() -> None:
    net = classifier(CLASSIFIER[: CLASSIFIER.index('layer { name: "fc6"')])

    assert cast(net) is net


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("num_output: 8", "num_output: 8 transpose: true", "transposed"),
        ("num_output: 8", "num_output: 8 axis: 2", "from axis 2"),
    ],
)
def test_what_cannot_be_a_convolution_is_refused(old: str, new: str, message: str) -> None:
    text = CLASSIFIER.replace(old, new)
    if "axis" in new:
        text = text[: text.index('layer { name: "fc7"')]

    with pytest.raises(ShapeError, match=f"'fc6' .*{message}"):
        cast(classifier(text))


def test_a_net_of_unknown_layers_is_refused() -> None:
    with pytest.raises(ParameterError, match="layers of this object are not known"):
        cast(object())


@pytest.mark.parametrize(
    ("name", "places"),
    [("googlenet", (2, 3)), ("resnet50", (3, 4)), ("caffenet", (3, 4)), ("vgg16", (3, 4))],
)
def test_published_classifiers_take_larger_pictures(name: str, places: tuple[int, int]) -> None:
    net = Net(str(prototxt_path(find_model(name))), TEST, force_backward=True, param_diffs=False)
    made = cast(net)

    shapes = made.infer_shapes({"data": (1, 3, 280, 310)})
    assert shapes["prob"] == (1, 1000, *places)


def test_the_bundled_network_takes_them_as_it_is() -> None:
    net = deepdream.load_net()

    assert cast(net) is net
    assert net.infer_shapes({"data": (1, 3, 95, 333)})["classifier"] == (1, 1000)


# -- the real Caffe ------------------------------------------------------------------------------

# The example net_surgery.ipynb, with other layers: a second prototxt whose fully connected layers
# have other names, and their parameters copied flat.
SURGERY = """
import json, sys
import numpy as np
import caffe
import deepdream
from deepdream.running.casting import cast

folder, prototxt, weights, end = sys.argv[1:5]
names = json.loads(sys.argv[5])
data, diff = np.load(folder + "/data.npy"), np.load(folder + "/diff.npy")

def results(net, name):
    net.blobs["data"].reshape(*data.shape)
    net.blobs["data"].data[...] = data
    net.forward(end=name)
    out = net.blobs[name].data.copy()
    net.blobs[name].diff[...] = diff
    net.backward(start=name)
    return out, net.blobs["data"].diff.copy()

net = caffe.Net(prototxt, weights, caffe.TEST)
conv = caffe.Net(folder + "/conv.prototxt", weights, caffe.TEST)
for name in names:
    for target, blob in zip(conv.params[name + "-conv"], net.params[name]):
        target.data.flat = blob.data.flat
by_hand = results(conv, end + "-conv")
loaded = deepdream.load_net(prototxt, weights, mean=(104, 117, 123), engine="caffe")
made = cast(loaded)
by_us = results(made, end)
np.savez(folder + "/caffe.npz", data=by_hand[0], diff=by_hand[1])
print(json.dumps({"again": made is cast(loaded), "is_caffes": isinstance(made, caffe.Net),
                  "types": [made.layers[list(made._layer_names).index(n)].type for n in names],
                  "mean": made.transformer is loaded.transformer,
                  "differs": [float(np.abs(a - b).max()) for a, b in zip(by_hand, by_us)]}))
"""


def by_hand(text: str, kernels: dict[str, tuple[str, str]]) -> str:
    """Return a prototxt with convolutions for inner products, as the example writes it."""
    message = parse_prototxt(text)
    for layer in message.layer:
        if layer.name in kernels:
            layer.type = "Convolution"
            bottom, kernel = kernels[layer.name]
            convolution = layer.convolution_param
            convolution.num_output = layer.inner_product_param.num_output
            convolution.bias_term = layer.inner_product_param.bias_term
            h, w = map(int, kernel.split("x"))
            convolution.kernel_h, convolution.kernel_w = h, w
            layer.ClearField("inner_product_param")
            layer.bottom[0], layer.top[0] = bottom, layer.name + "-conv"
            layer.name += "-conv"
        else:
            for field in (layer.bottom, layer.top):
                for i, blob in enumerate(field):
                    if blob in kernels:
                        field[i] = f"{blob}-conv"
    message.force_backward = True
    return print_prototxt(message)


def asked_for_surgery(
    folder: Path, net: Net, text: str, end: str, kernels: dict[str, tuple[str, str]],
    data: np.ndarray,
) -> None:  # fmt: skip
    """Compare a cast net with Caffe's own surgery, ours and that of ``engine="caffe"``."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    made = cast(net)
    diff = noise(*run(made, end, data).shape)
    np.save(folder / "data.npy", data)
    np.save(folder / "diff.npy", diff)
    (folder / "deploy.prototxt").write_text(text)
    (folder / "conv.prototxt").write_text(by_hand(text, kernels))
    net.save(folder / "x.caffemodel")
    done = subprocess.run(
        [str(python), "-c", SURGERY, str(folder), str(folder / "deploy.prototxt"),
         str(folder / "x.caffemodel"), end, json.dumps(list(kernels))],
        env={**caffe_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    facts = json.loads(done.stdout.splitlines()[-1])
    found = np.load(folder / "caffe.npz")

    assert facts["types"] == ["Convolution"] * len(kernels)
    assert facts["again"]
    assert facts["is_caffes"]
    assert facts["mean"]
    assert facts["differs"] == [0, 0]
    assert_close(run(made, end, data), found["data"], name="data")
    assert_close(run(made, end, data, diff), found["diff"], name="diff")


@pytest.mark.pycaffe
@pytest.mark.slow
def test_as_in_caffes_net_surgery(tmp_path: Path) -> None:
    kernels = {"fc6": ("conv2", "7x9"), "fc7": ("fc6-conv", "1x1")}
    data = noise(1, 3, 41, 61)

    asked_for_surgery(tmp_path, classifier(), CLASSIFIER, "fc7", kernels, data)


@pytest.mark.pycaffe
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "end", "kernels", "size"),
    [
        ("googlenet", "loss3/classifier", {"loss3/classifier": ("pool5/7x7_s1", "1x1")},
         (256, 288)),
        ("caffenet", "fc8",
         {"fc6": ("pool5", "6x6"), "fc7": ("fc6-conv", "1x1"), "fc8": ("fc7-conv", "1x1")},
         (259, 291)),
    ],
    ids=["googlenet", "caffenet"],
)  # fmt: skip
def test_published_nets_as_in_caffes_net_surgery(
    name: str, end: str, kernels: dict[str, tuple[str, str]], size: tuple[int, int], tmp_path: Path
) -> None:
    text = "force_backward: true\n" + prototxt_path(find_model(name)).read_text()
    text = text.replace('"ReLU"', '"BNLL"').replace("pool: MAX", "pool: AVE")  # nothing that tips
    net = Net(parse_prototxt(text), TEST, param_diffs=False)
    seed_weights(net, 0)

    asked_for_surgery(tmp_path, net, text, end, kernels, noise(1, 3, *size))
