"""A planner that runs the net itself: what `running.plan` promises, without any of its cleverness.

`NetPlanner` has the interface of `deepdream.running.plan.Planner`. A dream on it is a dream on the
definition, driven as a plan is driven.
"""

from __future__ import annotations

import contextlib
import copy
import math

import numpy as np


class NetPlanner:
    """Plans of one net, which share it: only the last one may be used."""

    notes = ("plan: the net itself",)
    native = True

    def __init__(self, net, ends, *, precision="float32"):
        self.net, self.ends = net, (ends,) if isinstance(ends, str) else tuple(ends)
        self.device = "cpu"
        self.sizes = []

    def memory(self, h, w):
        """Four bytes for each value and gradient of each blob."""
        shapes = self.net.infer_shapes({"data": (1, 3, h, w)}, self.ends[0])
        return 8 * sum(math.prod(shape) for shape in shapes.values())

    def kernels(self, h, w):
        """None: the net itself runs."""
        return []

    def plan(self, h, w):
        self.sizes.append((h, w))
        return NetPlan(self, h, w)


class NetPlan:
    """One size; the arrays are spoilt where a plan may use their memory for something else."""

    def __init__(self, planner, h, w):
        self.net, self.ends, self.size = planner.net, planner.ends, (h, w)
        shapes = self.net.infer_shapes({"data": (1, 3, h, w)}, self.ends[0])
        self.data, self.diff = (
            np.full((1, h, w, 3), math.nan, np.float32).transpose(0, 3, 1, 2) for _ in range(2)
        )
        self.target_data = {end: np.full(shapes[end], math.nan, np.float32) for end in self.ends}
        self.target_diff = copy.deepcopy(self.target_data)

    def forward(self):
        net, (end,) = self.net, self.ends
        net.blobs["data"].reshape(*self.data.shape)
        net.blobs["data"].data[...] = self.data
        net.forward(end=end)
        self.data[...] = math.nan
        self.target_data[end][...] = net.blobs[end].data

    def backward(self):
        net, (end,) = self.net, self.ends
        for blob in net.blobs.values():
            blob.diff[...] = 0
        net.blobs[end].diff[...] = self.target_diff[end]
        net.backward(start=end)
        self.diff[...] = net.blobs["data"].diff
        self.target_data[end][...] = math.nan
        self.target_diff[end][...] = math.nan

    def threads(self):
        return contextlib.nullcontext()
