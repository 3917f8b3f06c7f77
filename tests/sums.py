"""Sums of terms, worked out by hand: each target's gradient by itself, then balanced and added."""

from __future__ import annotations

import numpy as np

SIZE = (45, 62)

# Targets before and after the split behind norm1, convolutions before their ReLU in place, branches
# that do not see each other, the picture itself, and more than two.
SUMS = {
    "before and after a split": {"norm1": 1.0, "a/output": 0.5},
    "in two branches": {"a/1x1": 1.0, "a/3x3": -0.4},
    "one behind the other in a branch": {"a/3x3_reduce": 1.0, "a/3x3": 1.0},
    "before the ReLU and behind the join": {"conv1": 0.7, "a/1x1": 1.0, "pool2": 2.0},
    "a branch that ends nowhere": {"a/pool": 1.0, "a/1x1": 0.5, "norm1": -0.2},
    "the picture itself": {"data": -0.3, "norm1": 1.0, "a/output": 1.0},
    "in any order": {"pool2": 1.0, "conv1": 1.0},
}


def one_by_one(net, x, ends):
    """Return the gradient of each target at a picture, by a pass of its own in a clean net.

    Parameters
    ----------
    net : Net
        Anything with pycaffe's interface.
    x : (3, h, w) ndarray
    ends : iterable of str
    """
    found = {}
    for end in ends:
        net.blobs["data"].reshape(1, *x.shape)
        net.blobs["data"].data[0] = x
        net.forward(end=end)
        for blob in net.blobs.values():
            blob.diff[...] = 0
        net.blobs[end].diff[...] = net.blobs[end].data
        net.backward(start=end)
        found[end] = net.blobs["data"].diff[0].astype(np.float64)
    return found


def summed(gradients, weights, balance=True):
    """Return the sum of gradients, each divided by its mean absolute value where that is asked."""
    return sum(
        weight * gradients[end] / (np.abs(gradients[end]).mean() if balance else 1.0)
        for end, weight in weights.items()
    )


def step_of(g, step_size=1.5):
    """Return what a step of this gradient changes in a picture, (h, w, 3) RGB."""
    return (step_size * g / np.abs(g).mean())[::-1].transpose(1, 2, 0)
