"""Nets of Caffe's variants, whole: gradients against differences, and plans against the net."""

from __future__ import annotations

import numpy as np
import pytest
from fork_nets import NETS
from plan_checks import by_net, by_plan, check, normal, seeded_net

import deepdream
from deepdream.errors import ShapeError
from deepdream.running.plan import Planner
from deepdream.running.sizes import Sizes
from deepdream.running.transformer import Transformer

SIZE = (64, 80)

pytestmark = pytest.mark.filterwarnings("ignore:.*(cannot be built|a variant of Caffe)")
CASES = [(name, end) for name, net in NETS.items() for end in net.ends]


@pytest.mark.parametrize("name", NETS)
def test_what_is_left_out_is_the_head(name):
    """Everything else is there."""
    net = seeded_net(NETS[name].text())

    assert tuple(net.unbuilt) == NETS[name].unbuilt


@pytest.mark.parametrize(("name", "end"), CASES)
def test_the_gradient_is_that_of_differences(name, end):
    """In float64, along the gradient itself, around a picture of noise."""
    net = seeded_net(NETS[name].text(), dtype=np.float64)
    x = np.random.RandomState(3).standard_normal((1, 3, *SIZE))
    shape = net.infer_shapes({"data": x.shape}, end=end)[end]
    g = np.random.RandomState(4).standard_normal(shape)

    data, diff = by_net(net, x, end, g)

    assert np.isfinite(data).all()
    # A step so small that next to no kink lies on the way.
    step = 1e-7 * diff / np.sqrt((diff * diff).mean())
    above, below = (by_net(net, x + sign * step, end, g)[0] for sign in (1, -1))
    measured = float(((above - below) * g).sum()) / 2
    assert measured == pytest.approx(float((diff * step).sum()), rel=1e-4)


@pytest.mark.parametrize("device", ["cpu", "torch"])
@pytest.mark.parametrize(("name", "end"), CASES)
def test_a_plan_is_the_net(name, end, device):
    """Folded, fused and pruned, on both devices."""
    text = NETS[name].text()
    net, exact = seeded_net(text), seeded_net(text, dtype=np.float64)
    x = normal(3, (1, 3, *SIZE))
    gs = {end: normal(4, net.infer_shapes({"data": x.shape}, end=end)[end])}

    plan = Planner(seeded_net(text, device=device), [end]).plan(*SIZE)

    check(by_plan(plan, x, gs), net, exact, x, gs)


@pytest.mark.filterwarnings("ignore:.*takes some sizes only")
@pytest.mark.parametrize("name", ["mobilenet_ssd", "segnet", "faster_rcnn"])
def test_a_dream_in_octaves(name, tmp_path):
    """By files, at sizes of which none is the prototxt's."""
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "x.caffemodel"
    prototxt.write_text(NETS[name].text())
    seeded_net(NETS[name].text()).save(weights)
    net = deepdream.load_net(prototxt, weights, mean=(104, 117, 123))
    picture = np.random.RandomState(1).randint(0, 256, (96, 128, 3)).astype(np.uint8)

    made = deepdream.dream(net, picture, end=NETS[name].ends[0], iter_n=2, octave_n=2, seed=1)

    assert np.asarray(made).shape == picture.shape
    assert (np.asarray(made) != picture).any()


DECODER = """
force_backward: true
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 72 dim: 96 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" top: "mask1"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "pool2" type: "Pooling" bottom: "pool1" top: "pool2" top: "mask2"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Upsample" bottom: "pool2" bottom: "mask2" top: "up"
  upsample_param { scale: 2 %s } }
"""


@pytest.mark.parametrize(("pads", "odd"), [("pad_out_h: true", (1, 0)), ("", (0, 0))])
def test_a_decoder_takes_the_sizes_whose_places_fit(pads, odd):
    """A pooling rounds up, so rows can be odd where twice the rows is even, and the reverse."""
    net = seeded_net(DECODER % pads)
    sizes = Sizes(net, "up")
    for size in ((72, 96), (57, 83), (64, 64), (100, 131)):
        fitting = sizes.larger(size)
        assert fitting is not None
        assert all(0 <= now - before < 8 for now, before in zip(fitting, size))
        shapes = net.infer_shapes({"data": (1, 3, *fitting)}, end="up")
        assert shapes["up"] == shapes["pool1"]
        assert tuple(length % 2 for length in shapes["up"][2:]) == odd
        if fitting != size:
            with pytest.raises(ShapeError, match="the pooling that found the places had"):
                net.infer_shapes({"data": (1, 3, *size)}, end="up")
    picture = np.random.RandomState(1).randint(0, 256, (64, 80, 3)).astype(np.uint8)
    net.transformer = Transformer({"data": (1, 3, 72, 96)})
    net.transformer.set_transpose("data", (2, 0, 1))
    net.transformer.set_channel_swap("data", (2, 1, 0))
    net.transformer.set_mean("data", np.float32([104, 117, 123]))
    with pytest.warns(UserWarning, match="'up' takes some sizes only"):
        made = deepdream.dream(net, picture, end="up", iter_n=1, octave_n=2, seed=1)
    assert (np.asarray(made) != picture).any()


def test_a_place_of_one_size_takes_that_size_only():
    """DeconvNet's unpool_size is a number of the prototxt."""
    text = (DECODER % "").replace('"Upsample"', '"Unpooling"').replace(
        "upsample_param { scale: 2  }", "unpooling_param { unpool_h: 18 unpool_w: 24 }"
    )  # fmt: skip
    net = seeded_net(text)
    sizes = Sizes(net, "up")
    assert sizes.fits((72, 96))
    assert sizes.larger((40, 50)) == (69, 93)
    assert sizes.larger((80, 96)) is None
    assert sizes.only() == ((69, 93), (72, 96))
