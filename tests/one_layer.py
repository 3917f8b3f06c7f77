"""A single layer with its blobs, for the tests of layer types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from google.protobuf import text_format

from deepdream.reading import caffe_pb2
from deepdream.running.blob import Blob
from deepdream.running.layers import TEST, create

DEVICE = "cpu"  # where layers compute that are not told


class OneLayer:
    """A layer between blobs of its own, in float64 unless said otherwise.

    Parameters
    ----------
    text : str
        The layer's entry without name, bottoms and tops: ``'type: "ReLU"'``.
    *shapes : tuple of int
        Of the bottoms.
    tops : int
        How many there are.
    in_place : bool
        The first bottom is the first top.
    device : str
        Where it computes; by default the one that a test has chosen, see `conftest.device`.
    """

    def __init__(
        self,
        text: str,
        *shapes: Sequence[int],
        tops: int = 1,
        phase: int = TEST,
        dtype: type = np.float64,
        in_place: bool = False,
        device: str = "",
    ) -> None:
        param = text_format.Parse(text, caffe_pb2.LayerParameter())
        param.top.extend(f"top{i}" for i in range(tops))
        device = device or DEVICE
        self.layer = create(param, phase, dtype=dtype, device=device)
        self.bottom = []
        for shape in shapes:
            blob = Blob(dtype=dtype, device=device)
            blob.reshape(*shape)
            self.bottom.append(blob)
        self.top = [Blob(dtype=dtype, device=device) for _ in range(tops)]
        if in_place:
            self.top[0] = self.bottom[0]
        self.layer.check_counts(len(self.bottom), len(self.top))
        self.layer.setup(self.bottom, self.top)
        self.layer.reshape(self.bottom, self.top)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The tops' shapes."""
        return [tuple(blob.shape) for blob in self.top]

    def forward(self, *values: np.ndarray) -> list[np.ndarray]:
        """Fill the bottoms, run, and return copies of the tops' data."""
        for blob, value in zip(self.bottom, values):
            blob.reshape(*np.shape(value))
            blob.data[...] = value
        with self.layer.ops.computing():
            self.layer.reshape(self.bottom, self.top)
            self.layer.forward(self.bottom, self.top)
        return [blob.data.copy() for blob in self.top]

    def backward(
        self, *diffs: np.ndarray, propagate_down: Sequence[bool] | None = None
    ) -> list[np.ndarray]:
        """Fill the tops' diffs, run backward, and return copies of the bottoms' diffs."""
        for blob, diff in zip(self.top, diffs):
            blob.diff[...] = diff
        wanted = [True] * len(self.bottom) if propagate_down is None else propagate_down
        with self.layer.ops.computing():
            self.layer.backward(self.top, wanted, self.bottom)
        return [blob.diff.copy() for blob in self.bottom]


def normal(seed: int, *shape: int) -> np.ndarray:
    """Return standard normal numbers."""
    return np.random.RandomState(seed).standard_normal(shape)


def away_from(kinks: Sequence[float], x: np.ndarray, distance: float = 0.02) -> np.ndarray:
    """Return x with values that lie closer than `distance` to a kink moved away from it."""
    for kink in kinks:
        near = np.abs(x - kink) < distance
        x = np.where(near, kink + np.where(x < kink, -1, 1) * (distance + np.abs(x - kink)), x)
    return x


def distinct(seed: int, *shape: int) -> np.ndarray:
    """Return numbers of which no two are closer than 0.1."""
    count = int(np.prod(shape))
    return 0.1 * np.random.RandomState(seed).permutation(count).reshape(shape) - 0.05 * count


def fill_params(net: OneLayer, seed: int) -> None:
    """Give the parameters normal numbers."""
    for i, blob in enumerate(net.layer.blobs):
        blob.data[...] = normal(seed + i, *blob.shape)


def check_gradient(
    net: OneLayer,
    *values: np.ndarray,
    seed: int = 0,
    bottoms: Sequence[int] | None = None,
    step: float = 1e-5,
    rtol: float = 1e-6,
) -> None:
    """Compare the gradients with differences of the sum of g * top, along random directions.

    All bottoms (or those in `bottoms`) and all parameters that ask for a gradient are moved.
    """
    tops = net.forward(*values)
    weights = [normal(seed + 10 + i, *top.shape) for i, top in enumerate(tops)]
    wanted = range(len(values)) if bottoms is None else bottoms
    for blob in net.layer.blobs:
        blob.diff[...] = 0
    diffs = net.backward(*weights, propagate_down=[i in wanted for i in range(len(values))])
    blobs = [(net.bottom[i], diffs[i]) for i in wanted]
    blobs += [
        (blob, blob.diff.copy())
        for blob, on in zip(net.layer.blobs, net.layer.param_diffs)
        if on
    ]  # fmt: skip
    assert blobs

    def total() -> float:
        for i, value in enumerate(values):
            if i not in wanted:
                net.bottom[i].data[...] = value
        return sum(
            float((w * y).sum())
            for w, y in zip(weights, net.forward(*(b.data.copy() for b in net.bottom)))
        )

    for number, (blob, diff) in enumerate(blobs):
        start, direction = blob.data.copy(), normal(seed + 20 + number, *blob.shape)
        blob.data[...] = start + step * direction
        above = total()
        blob.data[...] = start - step * direction
        below = total()
        blob.data[...] = start
        measured = (above - below) / (2 * step)
        scale = np.abs(diff * direction).sum()
        assert scale > 0
        assert abs(measured - float((diff * direction).sum())) <= rtol * scale, number
