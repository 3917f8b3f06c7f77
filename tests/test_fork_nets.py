"""Nets of Caffe's variants, whole: gradients against differences, and plans against the net."""

from __future__ import annotations

import numpy as np
import pytest
from fork_nets import NETS
from plan_checks import by_net, by_plan, check, normal, seeded_net

import deepdream
from deepdream.running.plan import Planner

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
