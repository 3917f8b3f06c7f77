"""Stand-ins for a net, small enough that every number is known by hand."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace

import numpy as np


class FakeBlob:
    """The part of pycaffe's Blob that a dream needs."""

    def __init__(self, *shape):
        self.reshape(*shape)

    def reshape(self, *shape):
        self.data = np.zeros(shape, np.float32)
        self.diff = np.zeros(shape, np.float32)

    @property
    def shape(self):
        return list(self.data.shape)


class FakeNet:
    """top = w * data, one weight per channel."""

    inputs = ("data",)

    def __init__(self, w=(1.0, -2.0, 3.0), mean=(104.0, 116.0, 122.0)):
        self.w = np.float32(w)[:, None, None]
        self.blobs = OrderedDict(data=FakeBlob(1, 3, 5, 7), top=FakeBlob(1, 3, 5, 7))
        self.transformer = SimpleNamespace(mean={"data": np.float32(mean)[:, None, None]})
        self.seen = []

    def forward(self, end=None):
        x = self.blobs["data"].data
        self.seen.append(x.copy())
        top = self.blobs["top"]
        if top.data.shape != x.shape:
            top.reshape(*x.shape)
        top.data[...] = self.w * x

    def backward(self, start=None):
        self.blobs["data"].diff[...] = self.w * self.blobs["top"].diff
