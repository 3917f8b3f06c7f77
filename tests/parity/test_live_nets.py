"""Published networks on both engines, at the sizes of real pictures."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import ROOT
from live import Twins
from PIL import Image
from scipy import ndimage

pytestmark = [pytest.mark.pycaffe, pytest.mark.usefixtures("device")]

PROTOTXTS = sorted(path.parent.name for path in ROOT.glob("prototxt/*/deploy.prototxt"))
WITH_CLIP = {"efficientnet_lite0"}  # a layer type that this Caffe does not have
ENDS = {
    "alexnet": ((131, 163), ("norm1", "conv4", "pool5")),
    "caffenet": ((131, 163), ("norm1", "conv4", "pool5")),
    "vgg16": ((95, 127), ("conv3_3", "pool5")),
    "vgg19": ((95, 127), ("conv4_2", "pool5")),
    "squeezenet_v1.0": ((179, 227), ("fire3/expand3x3", "fire5/concat", "fire9/concat")),
    "squeezenet_v1.1": ((179, 227), ("fire3/expand3x3", "fire5/concat", "fire9/concat")),
    "resnet50": ((127, 161), ("pool1", "res2a", "res3c_branch2b", "res4b")),
    "googlenet_places205": ((127, 161), ("inception_4a/output",)),
    "googlenet_places365": ((127, 161), ("inception_4a/output",)),
}


def sky(shared, height, width):
    """Return one octave of the notebook's sky as a net sees it: BGR less mean, channels first."""
    picture = np.float32(Image.open(shared / "data" / "notebook" / "sky1024px.jpg"))
    bgr = picture.transpose(2, 0, 1)[::-1] - np.float32([104, 117, 123]).reshape(3, 1, 1)
    zoom = (1, height / bgr.shape[1], width / bgr.shape[2])
    return ndimage.zoom(bgr, zoom, order=1)[None]


def seeded(name, end, data):
    """Return the steps that make a net with seeded weights and put an array into it."""
    return [
        {"do": "net", "prototxt_file": f"prototxt/{name}/deploy.prototxt"},
        {"do": "seed", "seed": 0, "end": end},
        {"do": "reshape", "blob": "data", "shape": list(data.shape)},
        {"do": "write", "blob": "data", "array": "data"},
    ]


@pytest.mark.parametrize("name", [name for name in PROTOTXTS if name not in WITH_CLIP])
def test_a_published_net_is_wired_as_in_caffe(name, real_caffe, tmp_path):
    """Layers, splits, blobs, shapes and parameters of every prototxt that comes with us."""
    steps = [{"do": "net", "prototxt_file": f"prototxt/{name}/deploy.prototxt"}]

    Twins(real_caffe, tmp_path, steps, {}).assert_same_structure()


@pytest.mark.parametrize("name", ENDS)
def test_a_published_net_with_seeded_weights(name, real_caffe, tmp_path, shared):
    """Every blob, and the gradient at the data from several ends, shallow to deep."""
    size, ends = ENDS[name]
    data = sky(shared, *size)
    steps = seeded(name, ends[-1], data)

    twins = Twins(real_caffe, tmp_path, steps, {"data": data})
    twins.dream_on(ends[-1])

    report(twins.assert_same_dreams(ends))


@pytest.mark.parametrize(
    ("size", "ends"),
    [
        ((210, 373), ("conv2/3x3", "inception_3b/5x5_reduce", "inception_4c/output")),
        ((210, 373), ("inception_4c/output", "inception_3b/5x5_reduce", "inception_3b/3x3")),
        ((150, 266), ("inception_4e/pool_proj", "inception_5b/output")),
        ((31, 47), ("inception_3a/output", "inception_5a/output")),
    ],
    ids=["smallest octave", "notebook's order, stale diffs", "deep", "smallest size"],
)
def test_googlenet_dreams_the_sky(size, ends, real_caffe, tmp_path, shared):
    """The notebook's network and picture: one step at each end, from a picture of Caffe's."""
    data = sky(shared, *size)
    steps = seeded("googlenet", "inception_5b/output", data)

    twins = Twins(real_caffe, tmp_path, steps, {"data": data})
    twins.dream_on(ends[-1])

    report(twins.assert_same_dreams(ends))


def test_a_class_of_googlenet(real_caffe, tmp_path, shared):
    """A one-hot diff at the top of the whole net, before its softmax, as class visualisations."""
    end = "loss3/classifier"
    data = sky(shared, 224, 224)
    steps = seeded("googlenet", end, data)
    tabby = np.float32(np.arange(1000) == 281)[None]
    one_hot = [{"do": "write", "blob": end, "part": "diff", "array": "tabby"}]

    twins = Twins(real_caffe, tmp_path, steps, {"data": data, "tabby": tabby})
    twins.dream_on(end)

    report(twins.assert_same_dreams([end], objective=one_hot))


@pytest.mark.parametrize(
    ("size", "ends"),
    [
        ((210, 373), ("fire4/conv1x1_2", "fire6/concat", "fire9/concat")),
        ((294, 522), ("fire9/concat", "fire9/conv3x3_2")),
    ],
    ids=["smallest octave", "second octave, stale diffs"],
)
def test_squeezenet_with_trained_weights_dreams_the_sky(size, ends, real_caffe, tmp_path, shared):
    """Weights of ImageNet, as the real Caffe reads them from their caffemodel."""
    folder = shared / "data" / "squeezenet_dc"
    weights = np.frombuffer((folder / "squeezenet_dc.caffemodel").read_bytes(), np.uint8)
    text = "force_backward: true\n" + (folder / "deploy.prototxt").read_text()
    data = sky(shared, *size)
    steps = [
        {"do": "net", "prototxt": text, "weights": "weights"},
        {"do": "reshape", "blob": "data", "shape": list(data.shape)},
        {"do": "write", "blob": "data", "array": "data"},
    ]

    twins = Twins(real_caffe, tmp_path, steps, {"data": data, "weights": weights})
    twins.dream_on(ends[-1])

    report(twins.assert_same_dreams(ends))


def report(excused):
    """Show what had to be excused; pytest prints it with -rP."""
    for words in excused:
        print("excused:", words)
