"""A net with pycaffe's interface in a few lines of NumPy: the contract's, every number by hand."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np


class FakeBlob:
    """Flat memory for data and diff, which grows and never shrinks."""

    def __init__(self, *shape):
        self._data = self._diff = np.zeros(0, np.float32)
        self.reshape(*shape)

    def reshape(self, *shape):
        self.shape, self.count = list(shape), int(np.prod(shape))
        if self.count > self._data.size:
            self._data, self._diff = np.zeros((2, self.count), np.float32)

    @property
    def data(self):
        return self._data[: self.count].reshape(self.shape)

    @property
    def diff(self):
        return self._diff[: self.count].reshape(self.shape)

    num, channels, height, width = (property(lambda self, k=k: self.shape[k]) for k in range(4))


# Name, bottoms, tops, forward(bottoms, tops), backward(tops, bottoms).
def _power(scale, shift=0):
    def forward(b, t):
        t[0].data[...] = scale * b[0].data + shift

    def backward(t, b):
        b[0].diff[...] = scale * t[0].diff

    return forward, backward


def _relu():
    def forward(b, t):
        t[0].data[...] = np.maximum(b[0].data, 0)

    def backward(t, b):
        b[0].diff[...] = t[0].diff * (b[0].data > 0)

    return forward, backward


def _split():
    def forward(b, t):
        for top in t:
            top._data = b[0]._data

    def backward(t, b):
        b[0].diff[...] = t[0].diff + t[1].diff

    return forward, backward


def _sum():
    def forward(b, t):
        t[0].data[...] = b[0].data + b[1].data

    def backward(t, b):
        for bottom in b:
            bottom.diff[...] = t[0].diff

    return forward, backward


_S = "scale_relu_0_split"
LAYERS = (
    ("data", [], ["data"], None),
    ("scale", ["data"], ["scale"], _power(2, 1)),
    ("relu", ["scale"], ["scale"], _relu()),
    (_S, ["scale"], [f"{_S}_0", f"{_S}_1"], _split()),
    ("left", [f"{_S}_0"], ["left"], _power(4)),
    ("right", [f"{_S}_1"], ["right"], _power(-0.5)),
    ("sum", ["left", "right"], ["sum"], _sum()),
)


class FakeCaffeNet:
    """The net of `contract.PROTOTXT`."""

    inputs, outputs = ["data"], ["sum"]
    _layer_names = [name for name, *_ in LAYERS]
    top_names = OrderedDict((name, tops) for name, _, tops, _ in LAYERS)
    bottom_names = OrderedDict((name, bottoms) for name, bottoms, _, _ in LAYERS)

    def __init__(self):
        self.blobs = OrderedDict()
        for _, _, tops, _ in LAYERS:
            for top in tops:
                self.blobs.setdefault(top, FakeBlob(2, 3, 5, 7))

    def _run(self, numbers, backward):
        for number in numbers:
            _, bottoms, tops, functions = LAYERS[number]
            b, t = ([self.blobs[name] for name in names] for names in (bottoms, tops))
            if functions is None:
                continue
            if backward:
                functions[1](t, b)
                continue
            for top in t:
                top.reshape(*b[0].shape)
            functions[0](b, t)

    def reshape(self):
        for _, bottoms, tops, _ in LAYERS[1:]:
            for top in tops:
                self.blobs[top].reshape(*self.blobs[bottoms[0]].shape)

    def _write(self, values, names, part, words):
        if not values:
            return
        if set(values) != set(names):
            raise ValueError(f"{words[0]} blob arguments do not match net {words[1]}.")
        for name, value in values.items():
            if len(value) != self.blobs[name].num:
                raise ValueError(f"{words[2]} is not batch sized")
            getattr(self.blobs[name], part)[...] = value

    def forward(self, blobs=None, start=None, end=None, **inputs):
        first = self._layer_names.index(start) if start else 0
        last = self._layer_names.index(end) if end else len(LAYERS) - 1
        self._write(inputs, self.inputs, "data", ("Input", "inputs", "Input"))
        self._run(range(first, last + 1), backward=False)
        wanted = [*(self.top_names[end] if end else self.outputs), *(blobs or [])]
        return {name: self.blobs[name].data for name in wanted}

    def backward(self, diffs=None, start=None, end=None, **tops):
        first = self._layer_names.index(start) if start else len(LAYERS) - 1
        last = self._layer_names.index(end) if end else 0
        if tops and set(tops) != set(self.outputs):
            raise ValueError("Top diff arguments do not match net outputs.")
        self._write(tops, self.outputs, "diff", ("", "", "Diff"))
        self._run(range(first, last - 1, -1), backward=True)
        wanted = [*(self.bottom_names[end] if end else self.inputs), *(diffs or [])]
        return {name: self.blobs[name].diff for name in wanted}
