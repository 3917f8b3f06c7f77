"""The array operations of layers: the same set for NumPy and PyTorch, and what NumPy's compute."""

from __future__ import annotations

import itertools
import types

import numpy as np
import pytest
from one_layer import distinct, normal

from deepdream.running.arrays import columns, numpy_ops, on_host, operations, pooling
from deepdream.running.arrays.windows import Filter, Pool

FILTERS = {
    "1 axis": (Filter((3,), (2,), (1,), (1,)), (6, 11), (4, 6, 3)),
    "1x1": (Filter((1, 1), (1, 1), (0, 0), (1, 1)), (6, 5, 7), (4, 6, 1, 1)),
    "1x1, steps": (Filter((1, 1), (2, 3), (0, 0), (1, 1)), (6, 5, 7), (4, 6, 1, 1)),
    "3x3": (Filter((3, 3), (1, 1), (1, 1), (1, 1)), (6, 9, 7), (4, 6, 3, 3)),
    "groups": (Filter((3, 2), (1, 2), (2, 0), (1, 1), 2), (6, 9, 7), (4, 3, 3, 2)),
    "1x1, groups": (Filter((1, 1), (1, 1), (0, 0), (1, 1), 3), (6, 5, 7), (9, 2, 1, 1)),
    "large": (Filter((5, 4), (2, 3), (3, 1), (1, 1)), (3, 13, 17), (4, 3, 5, 4)),
    "dilated": (Filter((3, 5), (1, 1), (4, 2), (3, 2)), (3, 13, 12), (4, 3, 3, 5)),
    "far apart": (Filter((2, 2), (1, 1), (0, 0), (90, 95)), (3, 91, 96), (4, 3, 2, 2)),
    "3 axes": (Filter((2, 3, 3), (1, 2, 1), (1, 0, 2), (1, 1, 2)), (3, 5, 7, 9), (4, 3, 2, 3, 3)),
    "beyond the end": (Filter((4, 4), (3, 3), (0, 0), (1, 1)), (3, 2, 8), (4, 3, 4, 4)),
}


def outs(f: Filter, spatial: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sizes of a convolution, rounded toward zero as in C."""
    rooms = (n + 2 * p - e for n, p, e in zip(spatial, f.pad, f.extent))
    return tuple(int(room / s) + 1 for room, s in zip(rooms, f.stride))


def slow_correlate(x: np.ndarray, weight: np.ndarray, f: Filter) -> np.ndarray:
    """Return the convolution as its definition says, one position at a time."""
    items, channels, *spatial = x.shape
    sizes = outs(f, tuple(spatial))
    width = [(0, 0), (0, 0), *((p, p + 200) for p in f.pad)]
    wide = np.pad(x, width)
    y = np.zeros((items, len(weight), *sizes))
    own, made = channels // f.group, len(weight) // f.group
    for group, place in itertools.product(range(f.group), np.ndindex(*sizes)):
        cut = tuple(
            slice(i * s, i * s + e, d) for i, s, e, d in zip(place, f.stride, f.extent, f.dilation)
        )
        window = wide[(slice(None), slice(group * own, (group + 1) * own), *cut)]  # fmt: skip
        rows = slice(group * made, (group + 1) * made)
        flat = weight[rows].reshape(made, -1)
        y[(slice(None), rows, *place)] = window.reshape(items, -1) @ flat.T
    return y


def test_both_sets_have_the_same_functions():
    """Whatever a layer calls on a CPU is there on a GPU."""
    torch_ops = pytest.importorskip("deepdream.running.arrays.torch_ops")

    def public(module: types.ModuleType) -> set[str]:
        return {
            name
            for name, value in vars(module).items()
            if callable(value) and not name.startswith("_") and name not in ("Any", "Filter")
        }

    ours, theirs = public(numpy_ops), public(torch_ops)
    assert len(ours) > 35
    assert not ours - theirs - {"Iterable", "Iterator", "AbstractContextManager"}
    assert theirs - ours <= {"flat_zeros", "Pool", "device_of"}


def test_a_device_has_its_operations():
    """NumPy's on a CPU; PyTorch's, on the CPU too, for tests."""
    assert operations("cpu") is operations("cpu:0") is numpy_ops
    assert [on_host(device) for device in ("cpu", "torch", "cuda:1")] == [True, False, False]
    assert operations("torch").__name__.endswith("torch_ops")


@pytest.mark.parametrize("band", [1, 300, 2**20])
@pytest.mark.parametrize("few", [1, 9])
@pytest.mark.parametrize("name", FILTERS)
def test_a_convolution_and_its_gradients(name, few, band, monkeypatch):
    """In one band or in many: the definition, and the two gradients that belong to it."""
    f, shape, filters = FILTERS[name]
    monkeypatch.setattr(columns, "BAND", band)
    monkeypatch.setattr(columns, "FEW", few)
    columns._shaped.cache_clear()
    x, weight = normal(1, 2, *shape), normal(2, *filters)

    wanted = slow_correlate(x, weight, f)
    y = np.full(wanted.shape, np.nan)
    columns.correlate(x, weight, f, y)
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)

    # <g, A x> = <A^T g, x>, and the same for the weights.
    g = normal(3, *y.shape)
    back, total = np.full(x.shape, np.nan), np.ones(weight.shape)
    columns.spread(g, weight, f, back)
    columns.weight_diff(x, g, f, total)
    columns._shaped.cache_clear()
    np.testing.assert_allclose((back * x).sum(), (g * y).sum(), rtol=1e-11)
    np.testing.assert_allclose(((total - 1) * weight).sum(), (g * y).sum(), rtol=1e-11)
    other = normal(4, *x.shape)
    np.testing.assert_allclose((back * other).sum(), (g * slow_correlate(other, weight, f)).sum())


def test_columns_of_a_large_picture_take_little_memory(monkeypatch):
    """They are laid out in bands: 9 times this picture would be 36 MiB."""
    f = Filter((3, 3), (1, 1), (1, 1), (1, 1))
    x, weight = np.ones((1, 1, 1024, 1024), np.float32), np.ones((1, 1, 3, 3), np.float32)
    taken = []
    scratch = columns._scratch
    monkeypatch.setattr(columns, "_scratch", lambda *a: taken.append(a[1]) or scratch(*a))

    columns.correlate(x, weight, f, np.empty_like(x))

    assert len(taken) > 9
    assert max(taken) <= columns.BAND


@pytest.mark.parametrize("block", [1, 2**16])
@pytest.mark.parametrize("average", [False, True])
def test_pooling_some_planes_at_a_time(average, block, monkeypatch):
    """Whatever a block holds: the tops, places and gradients of the planes by themselves."""
    p, x = Pool((3, 2), (2, 2), (1, 0)), distinct(1, 2, 3, 7, 5)
    x[1, 1, 2:6, 1:4] = np.nan
    g = normal(2, 2, 3, 4, 3)
    made, back = np.empty(g.shape), np.full(x.shape, np.nan)
    monkeypatch.setattr(pooling, "BLOCK", block)

    def run(x: np.ndarray, g: np.ndarray, made: np.ndarray, back: np.ndarray) -> np.ndarray:
        with numpy_ops.computing():
            if average:
                pooling.average_pool(x, p, made)
                pooling.spread_average(p, g, back)
                return np.empty(0)
            found = pooling.max_pool(x, p, made)
            pooling.spread_maximum(found, g, back)
            return pooling.places(found)

    where = run(x, g, made, back)
    for item, plane in np.ndindex(2, 3):
        cut = (slice(item, item + 1), slice(plane, plane + 1))
        alone, alone_back = np.empty((1, 1, 4, 3)), np.full((1, 1, 7, 5), np.nan)
        places = run(x[cut], g[cut], alone, alone_back)
        np.testing.assert_array_equal(made[cut], alone)
        np.testing.assert_array_equal(back[cut], alone_back)
        if not average:
            np.testing.assert_array_equal(where[cut], places)


def test_a_window_of_many_pixels():
    """Its places do not fit in a byte."""
    x = distinct(3, 1, 2, 23, 19)
    made = np.empty((1, 2, 2, 1))

    found = pooling.max_pool(x, Pool((20, 19), (3, 1), (0, 0)), made)

    for plane, row in np.ndindex(2, 2):
        window = x[0, plane, 3 * row : 3 * row + 20]
        assert made[0, plane, row, 0] == window.max()
        assert pooling.places(found)[0, plane, row, 0] == 3 * row * 19 + window.argmax()


@pytest.mark.parametrize("count", [1, 5, 7, 64, 1000])
def test_parts_are_the_whole(count, monkeypatch):
    """Every value is in one part, every position with all its channels."""
    monkeypatch.setattr(numpy_ops, "PART", count)
    x = np.zeros((2, 3, 5, 7))

    for (part,) in numpy_ops.parts(x):
        part += 1
    assert (x == 1).all()
    for (part,) in numpy_ops.by_position(x):
        assert part.shape[:2] == (2, 3)
        part += 1
    assert (x == 2).all()


@pytest.mark.parametrize("slope", [0, 0.5, -1])
def test_leaky_at_the_ends(slope):
    """Zero times -infinity is NaN, as in Caffe, and NaN stays."""
    x = np.array([-np.inf, np.nan, -2, 0, 3, np.inf], np.float32)
    y = np.empty_like(x)
    with numpy_ops.computing():
        numpy_ops.leaky(x, slope, y)
        wanted = np.maximum(x, 0) + np.float32(slope) * np.minimum(x, 0)
    np.testing.assert_array_equal(y, wanted)
