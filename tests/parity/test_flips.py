"""The excuse for a flipped switch is given to flipped switches only."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from flips import assert_gradient, own_trace, switches
from golden_cases.base import input_layer, layer, net
from helpers import our_caffe, relative_error, worker

DATA = input_layer("data", (1, 3, 29, 31))
FIRST = layer(
    "c", "Convolution", ["data"], ["c"], "convolution_param { num_output: 64 kernel_size: 3 }"
)
RELU = layer("r", "ReLU", ["c"], ["c"])
POOL = "pooling_param { kernel_size: 3 stride: 2 pad: 1 }"
LAST = "convolution_param { num_output: 50 kernel_size: 1 }"
CHAIN = net(DATA, FIRST, RELU, layer("d", "Convolution", ["c"], ["d"], LAST))
POOLED = net(
    DATA,
    layer("p", "Pooling", ["data"], ["p"], POOL),
    layer("d", "Convolution", ["p"], ["d"], LAST),
)
BOTH = net(
    DATA,
    FIRST,
    RELU,
    layer("p", "Pooling", ["c"], ["p"], POOL),
    layer("d", "Convolution", ["p"], ["d"], LAST),
)
SWITCH = (0, 5, 2, 3)


@pytest.fixture
def make(tmp_path):
    """Return a maker of equal nets with a picture in them."""

    def made(text=CHAIN):
        job = worker.Job(our_caffe(), {}, tmp_path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            job.take({"do": "net", "prototxt": text})
        job.take({"do": "seed", "seed": 3})
        job.take({"do": "write_image", "blob": "data", "seed": 1})
        return job.nets["net"]

    return made


def run(net, end="d"):
    """Run one gradient and return it."""
    net.forward(end=end)
    net.blobs[end].diff[...] = net.blobs[end].data
    net.backward(start=end)
    return net.blobs["data"].diff.copy()


def balance(net, offset, place=SWITCH):
    """Shift a bias so that one input of the ReLU becomes `offset`."""
    net.forward(end="c")
    net.params["c"][1].data[place[1]] -= net.blobs["c"].data[place]
    net.forward(end="c")
    net.params["c"][1].data[place[1]] += offset - net.blobs["c"].data[place]


def compare(net, reference, name="gradient"):
    """Compare the gradients of two nets of ours."""
    desired = run(reference)
    run(net)
    return assert_gradient(net, "d", desired, lambda: own_trace(reference, "d"), name)


def test_equal_gradients_need_no_excuse(make):
    """Nothing is looked at where nothing differs."""
    assert compare(make(), make()) == []


def test_a_relu_on_the_edge_is_excused(make):
    """One ReLU within rounding of zero: the switch is found and named."""
    ours, reference = make(), make()
    balance(ours, 1e-6)
    balance(reference, -1e-6)

    excused = compare(ours, reference)

    assert any("r at (0, 5, 2, 3)" in words for words in excused)


def test_a_max_on_the_edge_is_excused(make):
    """Two values of a window within rounding of each other."""
    ours, reference = make(POOLED), make(POOLED)
    for one, first in ((ours, 150.00001), (reference, 149.99999)):
        one.blobs["data"].data[0, 1, 4, 6] = first
        one.blobs["data"].data[0, 1, 5, 7] = 150
        one.params["d"][0].data[:, 2] *= 100  # so that one switch is a small part of the whole

    excused = compare(ours, reference)

    assert len(excused) == 1
    assert "p at (0, 1, 2, 3)" in excused[0]


def test_a_wrong_derivative_is_not_excused(make):
    """A flip does not cover up a gradient that is wrong besides."""
    ours, reference = make(), make()
    balance(ours, 1e-6)
    balance(reference, -1e-6)
    desired = run(reference)
    desired[0, 1] *= np.float32(1.001)
    run(ours)

    with pytest.raises(AssertionError, match="gradient, on the reference's data"):
        assert_gradient(ours, "d", desired, lambda: own_trace(reference, "d"), "gradient")


def test_a_difference_without_a_switch_is_not_excused(make):
    """All switches equal, another gradient: that is a mistake."""
    ours, reference = make(), make()
    desired = run(reference) * np.float32(1.001)
    run(ours)

    with pytest.raises(AssertionError, match="no switch differs"):
        assert_gradient(ours, "d", desired, lambda: own_trace(reference, "d"), "gradient")


def test_a_switch_far_from_its_edge_is_not_excused(make):
    """Data that differ by more than rounding flip switches too; that is no excuse."""
    ours, reference = make(), make()
    balance(ours, 0.01)
    balance(reference, -0.01)

    with pytest.raises(AssertionError, match=r"not by rounding: r at \(0, 5, 2, 3\)"):
        compare(ours, reference)


def test_a_large_difference_is_not_excused(make):
    """Beyond 1e-2 nothing is excused."""
    ours, reference = make(), make()
    desired = run(reference) * np.float32(1.1)
    run(ours)

    with pytest.raises(AssertionError, match=r"gradient: relative L2 error 0\.09"):
        assert_gradient(ours, "d", desired, dict, "gradient")


def test_switches_are_found_in_every_window(make):
    """The windows that are compared are the layer's: the largest of each is its output."""
    one = make(BOTH)
    run(one)
    trace = own_trace(one, "d")
    other = {name: dict(tops) for name, tops in trace.items()}
    changed = trace["r"]["c"].copy()
    place = tuple(int(i) for i in np.unravel_index(changed.argmax(), changed.shape))
    changed[place] = 0
    other["r"] = {"c": changed}

    found = [words for words, _ in switches(one, trace, other, "d")]

    assert sum(words.startswith("r at") for words in found) == 1
    assert any(words.startswith("p at (0, ") for words in found)
    assert relative_error(trace["r"]["c"], changed) > 0
