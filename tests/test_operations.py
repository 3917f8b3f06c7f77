"""Operations on pictures: NumPy's, the compiled ones and those on tensors against slow loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as nd
import torch
from helpers import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdream.dreaming.pictures import operations as operations_module
from deepdream.dreaming.pictures.borders import BORDERS, edge_gain
from deepdream.dreaming.pictures.compiled import Compiled
from deepdream.dreaming.pictures.operations import Operations
from deepdream.dreaming.pictures.tensors import Tensors
from deepdream.running.plan.workers import workers

MODES = {"roll": "wrap", "reflect": "mirror", "edge": "nearest"}


def in_turn(task, parts):
    for part in range(parts):
        task(part, 0)


ALL = {
    "numpy": Operations(),
    "compiled": Compiled(in_turn, 1),
    "threads": Compiled(workers(3).run, 3),
    "tensors": Tensors(torch.device("cpu")),
}
every = pytest.mark.parametrize("ops", ALL.values(), ids=ALL)
borders = pytest.mark.parametrize("border", BORDERS)


def picture(h, w, c=3, seed=0):
    return np.random.RandomState(seed).uniform(-120, 140, (h, w, c)).astype(np.float32)


def close(found, expected, tolerance=2e-6):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=tolerance * max(1, np.abs(expected).max()))


# -- sizes ----------------------------------------------------------------------------------------


def zoomed(x, h, w):
    h1, w1 = x.shape[:2]
    return nd.zoom(x, (1.0 * h / h1, 1.0 * w / w1, 1), order=1, mode="nearest")


@every
@settings(deadline=None, derandomize=True, max_examples=60)
@given(*[st.integers(1, 90)] * 4)
def test_resize_is_scipys_zoom(ops, h1, w1, h, w):
    """Every value is scipy's to rounding, for growing and shrinking sizes down to 1."""
    x = picture(h1, w1)

    ours = ops.numpy(ops.resize(ops.array(x), (h, w)))

    assert ours.flags.c_contiguous
    np.testing.assert_allclose(ours, zoomed(x, h, w), atol=5e-5)


@every
@pytest.mark.parametrize(("size", "new"), [((5, 8192), (7, 5851)), ((4179, 3), (5851, 2))])
def test_resize_of_a_long_picture_is_scipys(ops, size, new):
    """Positions are exact far from the origin, where float32 has lost thousandths of a pixel."""
    x = picture(*size)

    assert_close(ops.numpy(ops.resize(ops.array(x), new)), zoomed(x, *new), 2e-7)


@every
def test_bands_do_not_matter(monkeypatch, ops):
    """Made row by row, the picture is the same."""
    x = ops.array(picture(37, 23))
    whole = ops.numpy(ops.resize(x, (51, 33)))
    monkeypatch.setattr(operations_module, "_BAND", 1)

    np.testing.assert_array_equal(ops.numpy(ops.resize(x, (51, 33))), whole)


@every
@pytest.mark.parametrize("size", [(51, 33), (37, 23)], ids=["other", "same"])
def test_add_resized_adds(ops, size):
    """What was there stays below."""
    x, base = picture(37, 23), picture(*size, seed=1)
    out = ops.array(base.copy())
    ops.add_resized(out, ops.array(x))

    assert_close(ops.numpy(out), base + zoomed(x, *size), 1e-6)


# -- what the net sees ----------------------------------------------------------------------------


@every
def test_fill_takes_any_rows_and_columns(ops):
    """Pieces that go up, down or stand still are what an index gives."""
    x = picture(7, 11)
    rows = np.array([3, 2, 1, 0, 1, 2, 3, 4, 4, 4, 6, 0])
    columns = np.array([10, 0, 1, 2, 2, 1, 0, 10, 9, 5])
    out = ops.empty((12, 10, 3))
    ops.fill(out, ops.array(x), rows, columns)

    np.testing.assert_array_equal(ops.numpy(out), x[rows][:, columns])


@every
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("clipped", [False, True])
def test_climb_adds_and_clips_a_part(ops, weighted, clipped):
    """Only the part changes, by factor times weights times gradient; NaN is not hidden."""
    x, g, weights = picture(13, 17), picture(9, 21, seed=1), picture(13, 17, seed=2)
    g[4, 5, 1] = np.nan
    there, here = (slice(2, 9), slice(3, 14)), (slice(1, 8), slice(2, 13))
    low, high = np.float32([-60, -50, -40]), np.float32([40, 50, 60])
    moved = np.float32(0.3) * g[here]
    moved = x[there] + (weights[there] * moved if weighted else moved)
    expected = x.copy()
    expected[there] = np.clip(moved, low, high) if clipped else moved

    out = ops.array(x.copy())
    ops.climb(out, ops.array(g), there, here, 0.3, *map(ops.array, (low, high)) if clipped
              else (None, None), ops.array(weights) if weighted else None)  # fmt: skip

    np.testing.assert_allclose(ops.numpy(out), expected, rtol=1e-6, atol=1e-4)
    assert np.isnan(ops.numpy(out)).sum() == 1


# -- measures -------------------------------------------------------------------------------------


@every
def test_climb_follows_a_gradient_that_is_a_part_of_a_canvas(ops):
    """Its rows are as far apart as the canvas is wide: at borders that continue the picture."""
    x, canvas = picture(13, 17), picture(21, 29, seed=1)
    whole = slice(0, 13), slice(0, 17)
    g = ops.array(canvas)[3:16, 7:24]

    out = ops.array(x.copy())
    ops.climb(out, g, whole, whole, 0.3, None, None)

    expected = x + np.float32(0.3) * canvas[3:16, 7:24]
    np.testing.assert_allclose(ops.numpy(out), expected, rtol=1e-6, atol=1e-4)


@every
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (31, 40)])
def test_the_rim_of_any_size_is_faded(ops, size):
    """Also of a single row, whose gains are one number."""
    g = picture(*size)
    down, along = (edge_gain(n) for n in size)
    expected = g.astype(float)
    for gain, axis in ((down, 0), (along, 1)):
        for rim in (expected, expected[::-1, ::-1]):
            part = rim[: len(gain)] if axis == 0 else rim[:, : len(gain)]
            part *= gain[:, None, None] if axis == 0 else gain[None, :, None]

    out = ops.array(g.copy())
    ops.fade(out, ops.gains(size))

    np.testing.assert_allclose(ops.numpy(out), expected, rtol=1e-5, atol=1e-5)


@every
@pytest.mark.parametrize("weighted", [False, True])
def test_means_are_those_of_float64(ops, weighted):
    """Many values are added without losing digits; weights count; a view is measured as it is."""
    whole = picture(301, 403)
    g = whole[5:300, 7:390]
    weights = np.abs(picture(299, 401, seed=1))
    exact = g.astype(float)
    share = weights[3:298, 9:392].astype(float) if weighted else np.ones_like(exact)
    given = ops.array(whole)[5:300, 7:390]
    held = ops.array(weights)[3:298, 9:392] if weighted else None

    def mean(values):
        return (values * share).sum() / share.sum()

    count = ops.count(given, held)
    assert count == pytest.approx(share.sum(), rel=1e-6)
    assert ops.sum_abs(given, held) / count == pytest.approx(mean(abs(exact)), rel=1e-6)
    assert ops.sum_square(given, held) / count == pytest.approx(mean(exact**2), rel=1e-6)
    assert ops.total(given, held) / count == pytest.approx(mean(exact), rel=1e-4)


# -- detail of each size --------------------------------------------------------------------------


@every
@borders
@pytest.mark.parametrize("sigmas", [(0.5, 1, 2), (1, 2, 4), (3.3,), (0.0,), (1, 6)])
@pytest.mark.parametrize("size", [(37, 53), (5, 64), (3, 2)])
def test_blur_is_the_mean_of_scipys_gaussians(ops, border, sigmas, size):
    """Filters longer than the picture too go on beyond its border as it does."""
    x = picture(*size)
    expected = np.mean(
        [nd.gaussian_filter(x.astype(float), (s, s, 0), mode=MODES[border]) for s in sigmas], 0
    )

    close(ops.numpy(ops.blur(ops.array(x), sigmas, border)), expected)


def continued(x, border, before, after):
    """Return an array with more rows and columns, by NumPy's own pad."""
    mode = {"roll": "wrap", "reflect": "reflect", "edge": "edge"}[border]
    return np.pad(x, ((before, after), (before, after), (0, 0)), mode)


def reduced(x, border):
    """Return every second value of the picture blurred by a binomial filter, by loops."""
    k = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    p, (h, w) = continued(x.astype(float), border, 2, 2), x.shape[:2]
    return np.array([
        [(p[i : i + 5, j : j + 5] * k[..., None]).sum((0, 1)) for j in range(0, w, 2)]
        for i in range(0, h, 2)
    ])  # fmt: skip


def expanded(x, size, border):
    """Return zeros between values, blurred by four times the filter, by loops."""
    h, w = size
    p = continued(x.astype(float), border, 2, 2)
    wide = np.zeros((2 * p.shape[0], 2 * p.shape[1], x.shape[2]))
    wide[::2, ::2] = p
    k = 4 * np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    return np.array([
        [(wide[i + 2 : i + 7, j + 2 : j + 7] * k[..., None]).sum((0, 1)) for j in range(w)]
        for i in range(h)
    ])  # fmt: skip


@every
@borders
@pytest.mark.parametrize("size", [(12, 18), (13, 7), (6, 5), (1, 3)])
@pytest.mark.parametrize("channels", [3, 1])
def test_pyramids_are_slow_loops(ops, border, size, channels):
    """Reduce, expand, what lies between, and both put together again."""
    x = picture(*size, channels)
    if min(size) == 1 and border == "reflect":  # NumPy's pad has nothing to mirror
        x = np.repeat(x, 2, 0)
    lower = reduced(x, border)
    made = ops.reduce(ops.array(x), border)
    close(ops.numpy(made), lower)
    if min(lower.shape[:2]) < 3:
        return
    up = expanded(lower, x.shape[:2], border)
    close(ops.numpy(ops.expand(made, x.shape[:2], border)), up)
    detail = ops.detail(ops.array(x), made, border)
    close(ops.numpy(detail), x - up)
    close(ops.numpy(ops.joined(detail, 0.25, made, border)), 0.25 * (x - up) + up)


@every
@borders
def test_a_picture_is_its_detail_and_its_reduced_self(ops, border):
    """Nothing is lost on the way through a pyramid."""
    x = picture(37, 54)
    lower = ops.reduce(ops.array(x), border)
    whole = ops.joined(ops.detail(ops.array(x), lower, border), 1.0, lower, border)

    close(ops.numpy(whole), x)


# -- priors ---------------------------------------------------------------------------------------


@every
def test_tv_gradient_is_the_slope_of_the_total_variation(ops):
    """Numerically, in float64, at each of some values."""
    x = picture(5, 7)

    def variation(y):
        right, down = np.zeros_like(y), np.zeros_like(y)
        right[:, :-1], down[:-1] = np.diff(y, axis=1), np.diff(y, axis=0)
        return np.sqrt(right**2 + down**2 + 1).sum()

    g = ops.numpy(ops.tv_gradient(ops.array(x)))
    for place in ((0, 0, 0), (4, 6, 2), (2, 3, 1), (0, 6, 1), (4, 0, 0)):
        up, down = x.astype(float), x.astype(float)
        up[place] += 1e-4
        down[place] -= 1e-4
        assert g[place] == pytest.approx((variation(up) - variation(down)) / 2e-4, abs=1e-4)


# -- random transforms ----------------------------------------------------------------------------


def places(seed=0, size=(9, 8), spread=30):
    rng = np.random.RandomState(seed)
    return rng.uniform(-spread, spread, size), rng.uniform(-spread, spread, size)


@every
@borders
def test_warp_is_bilinear_between_pixels(ops, border):
    """By hand from the four neighbours, beyond the border those of the continued picture."""
    x = picture(11, 13)
    rows, columns = places()
    wide = continued(continued(x, border, 9, 9), border, 0, 0)
    for _ in range(3):
        wide = continued(wide, border, 8, 8) if border == "edge" else wide
    out = ops.empty((9, 8, 3))
    ops.warp(out, ops.array(x), rows, columns, border)

    def at(i, j):
        def one(k, n):
            if border == "roll":
                return k % n
            if border == "edge":
                return min(max(k, 0), n - 1)
            k = k % (2 * n - 2)
            return k if k < n else 2 * n - 2 - k

        return x[one(i, 11), one(j, 13)].astype(float)

    expected = np.empty((9, 8, 3))
    for p, (r, c) in enumerate(zip(rows.flat, columns.flat)):
        i, j = int(np.floor(r)), int(np.floor(c))
        a, b = r - i, c - j
        expected[p // 8, p % 8] = (1 - a) * ((1 - b) * at(i, j) + b * at(i, j + 1)) + a * (
            (1 - b) * at(i + 1, j) + b * at(i + 1, j + 1)
        )
    close(ops.numpy(out), expected)


@every
@borders
def test_warp_back_is_the_adjoint(ops, border):
    """<warp(x), y> = <x, warp_back(y)>, where y is zero beyond the picture but on a circle."""
    x, y = picture(11, 13), picture(9, 8, seed=1)
    rows, columns = places(spread=14)
    if border != "roll":
        inside = (rows >= 0) & (rows <= 10) & (columns >= 0) & (columns <= 12)
        assert 0 < inside.sum() < inside.size
        y[~inside] = 0
    there, back = ops.empty((9, 8, 3)), ops.empty((11, 13, 3))
    ops.warp(there, ops.array(x), rows, columns, border)
    ops.warp_back(back, ops.array(y + (y == 0)), rows, columns, border)

    left = (ops.numpy(there).astype(float) * y).sum()
    right = (x.astype(float) * ops.numpy(back)).sum()
    assert left == pytest.approx(right, rel=1e-5)


# -- threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 8])
def test_threads_change_no_bit(count):
    """Everything is the same with any number of threads."""
    x, g = picture(61, 47), picture(61, 47, seed=1)
    whole = (slice(0, 61), slice(0, 47))

    def everything(ops):
        climbed = x.copy()
        ops.climb(climbed, g, whole, whole, 0.3, np.float32([-9, -8, -7]), np.float32([7, 8, 9]))
        lower = ops.reduce(x, "reflect")
        warped = np.empty((40, 30, 3), np.float32)
        ops.warp(warped, x, *places(size=(40, 30)), "edge")
        return [climbed, lower, ops.detail(x, lower, "reflect"), warped,
                ops.blur(x, (1, 2, 4), "roll"),
                np.array([ops.sum_abs(g), ops.sum_square(g, abs(x)), ops.total(g)])]  # fmt: skip

    for one, other in zip(
        everything(ALL["compiled"]), everything(Compiled(workers(count).run, count))
    ):
        np.testing.assert_array_equal(one, other)
