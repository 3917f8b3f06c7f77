"""Stride, receptive field and shape of blobs."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import tiny_net

from deepdream.running.geometry import views


def test_strides_and_fields_of_a_small_net():
    """The numbers of a chain with branches, by hand."""
    seen = views(tiny_net())

    assert (seen["conv1"].stride, seen["conv1"].field) == ((2, 2), (5, 5))
    assert (seen["pool1"].stride, seen["pool1"].field) == ((4, 4), (9, 9))
    assert seen["norm1"].field == (9, 9)
    assert seen["a/1x1"].field == (9, 9)
    assert seen["a/3x3"].field == (17, 17)
    assert seen["a/output"].field == (17, 17)
    assert (seen["pool2"].stride, seen["pool2"].field) == ((8, 8), (25, 25))
    assert seen["fc"].stride is None


def test_the_layer_that_makes_a_blob_is_told():
    """A blob belongs to the layer that first makes it, not to the ReLU in place."""
    view = views(tiny_net())["a/3x3"]

    assert (view.layer, view.type, view.shape) == ("a/3x3", "Convolution", (1, 7, 7, 9))


def test_views_end_where_a_size_does_not_pass():
    """For another picture size the list ends before the inner product."""
    seen = views(tiny_net(), {"data": (1, 3, 61, 77)})

    assert seen["pool2"].shape == (1, 17, 7, 9)
    assert "fc" not in seen


@pytest.mark.parametrize("blob", ["conv1", "pool1", "a/3x3", "a/output", "pool2"])
def test_field_is_what_the_gradient_reaches(blob):
    """The gradient of one position in the middle spans exactly the field that is told."""
    net = tiny_net()
    src = net.blobs["data"]
    src.reshape(1, 3, 101, 117)
    src.data[...] = np.random.RandomState(0).uniform(0, 100, src.data.shape)
    # every ReLU lets everything through, and every pooling spreads its gradient
    for layer, name in zip(net.layers, net._layer_names):
        if layer.type == "Convolution":
            net.params[name][0].data[...] = np.abs(net.params[name][0].data)
            net.params[name][1].data[...] = 1
    reached = np.zeros((101, 117), bool)
    for seed in range(60):
        src.data[...] = np.random.RandomState(seed).uniform(0, 100, src.data.shape)
        net.forward(end=blob)
        target = net.blobs[blob]
        target.diff[...] = 0
        _, _, h, w = target.shape
        target.diff[:, :, h // 2, w // 2] = 1
        for stale in net.blobs.values():
            if stale is not target:
                stale.diff[...] = 0
        net.backward(start=blob)
        reached |= (src.diff != 0).any(axis=(0, 1))
    rows, columns = np.flatnonzero(reached.any(1)), np.flatnonzero(reached.any(0))

    view = views(net)[blob]
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == view.field
