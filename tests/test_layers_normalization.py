"""LRN, BatchNorm, MVN."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import OneLayer, check_gradient, normal

from deepdream.errors import PrototxtError, ShapeError
from deepdream.running.layers import TRAIN

pytestmark = pytest.mark.usefixtures("device")

SHAPE = (2, 7, 5, 11)


def lrn(text: str) -> str:
    return f'type: "LRN" lrn_param {{ {text} }}'


def batch_norm(text: str = "") -> str:
    return f'type: "BatchNorm" batch_norm_param {{ {text} }}'


# -- LRN ----------------------------------------------------------------------------------------


def slow_lrn_across(x, size, alpha, beta, k):
    """Divide each value by the strength of the nearest channels."""
    y = np.empty_like(x)
    for n, c, i, j in np.ndindex(*x.shape):
        total = 0.0
        for channel in range(c - size // 2, c + size // 2 + 1):
            if 0 <= channel < x.shape[1]:
                total += x[n, channel, i, j] ** 2
        y[n, c, i, j] = x[n, c, i, j] / (k + alpha / size * total) ** beta
    return y


def slow_lrn_within(x, size, alpha, beta):
    """Divide each value by the strength of the nearest pixels; padding counts as zeros."""
    y, half = np.empty_like(x), size // 2
    for n, c, i, j in np.ndindex(*x.shape):
        total = 0.0
        for row in range(max(i - half, 0), min(i + half + 1, x.shape[2])):
            for column in range(max(j - half, 0), min(j + half + 1, x.shape[3])):
                total += x[n, c, row, column] ** 2
        y[n, c, i, j] = x[n, c, i, j] / (1 + alpha / size**2 * total) ** beta
    return y


@pytest.mark.parametrize(
    ("size", "alpha", "beta", "k"),
    [(5, 1.0, 0.75, 1.0), (3, 0.5, 0.25, 2.0), (1, 2.0, 0.5, 1.0), (99, 4.0, 0.75, 1.0)],
)
def test_lrn_across_channels(size, alpha, beta, k):
    """alpha is divided by the size; windows end at the first and the last channel."""
    net = OneLayer(lrn(f"local_size: {size} alpha: {alpha} beta: {beta} k: {k}"), SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    np.testing.assert_allclose(y, slow_lrn_across(x, size, alpha, beta, k), rtol=1e-12)
    check_gradient(net, x)


@pytest.mark.parametrize("size", [1, 3, 5, 33])
def test_lrn_within_channels(size):
    """alpha is divided by the window's area, padding counts, and k does nothing."""
    text = f"local_size: {size} alpha: 2 k: 5 norm_region: WITHIN_CHANNEL"
    net = OneLayer(lrn(text), SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    np.testing.assert_allclose(y, slow_lrn_within(x, size, 2, 0.75), rtol=1e-12)
    check_gradient(net, x)


def test_lrn_defaults():
    """Five channels, alpha 1, beta 0.75, k 1."""
    x = normal(1, *SHAPE)

    (y,) = OneLayer('type: "LRN"', SHAPE).forward(x)

    np.testing.assert_allclose(y, slow_lrn_across(x, 5, 1, 0.75, 1), rtol=1e-12)


def test_lrn_across_loses_its_bottom_in_place():
    """In place Caffe multiplies the divisor by itself, because it has overwritten x."""
    net = OneLayer(lrn("local_size: 3 alpha: 0.5"), SHAPE, in_place=True)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    factor = slow_lrn_across(x, 3, 0.5, 0.75, 1) / x
    np.testing.assert_allclose(y, factor**2, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("local_size: 4", "local_size is 4: an odd number"),
        ("local_size: 0", "local_size is 0: at least 1"),
        ("local_size: 4294967295", "local_size is 4294967295: 1 to 2147483647"),
    ],
)
def test_lrn_refuses(text, message):
    """A neighbourhood needs a middle."""
    with pytest.raises(PrototxtError, match=message):
        OneLayer(lrn(text), SHAPE)


def test_an_enormous_neighbourhood_takes_no_time():
    """The largest odd size covers all channels, and no more than these are looked at."""
    x = normal(1, *SHAPE)

    (y,) = OneLayer(lrn("local_size: 2147483647 alpha: 2147483647"), SHAPE).forward(x)

    np.testing.assert_allclose(y, x / (1 + (x**2).sum(1, keepdims=True)) ** 0.75, rtol=1e-9)


def test_lrn_windows():
    """Within a channel an output sees local_size pixels each way, across channels one."""
    within = OneLayer(lrn("local_size: 3 norm_region: WITHIN_CHANNEL"), SHAPE).layer
    across = OneLayer(lrn("local_size: 3"), SHAPE).layer

    assert within.window() == ((3, 3), (1, 1), (1, 1))
    assert across.window() == ((1, 1), (1, 1), (0, 0))


# -- BatchNorm ----------------------------------------------------------------------------------


def fill_statistics(net: OneLayer, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Store means and variances the way Caffe does, multiplied by `factor`; return them."""
    mean, var = normal(5, 7), np.abs(normal(6, 7)) + 0.5
    for blob, value in zip(net.layer.blobs, (factor * mean, factor * var, factor)):
        blob.data[...] = value
    return mean[:, None, None], var[:, None, None]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("factor", [1.0, 999.982])
def test_batch_norm_with_stored_statistics(factor, in_place):
    """Stored sums are divided by the factor; the gradient is a division by the deviation."""
    net = OneLayer(batch_norm("eps: 0.01"), SHAPE, in_place=in_place)
    mean, var = fill_statistics(net, factor)
    x, g = normal(1, *SHAPE), normal(2, *SHAPE)

    (y,) = net.forward(x)
    (diff,) = net.backward(g)

    eps = np.float32(0.01)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + eps), rtol=1e-9)
    np.testing.assert_allclose(diff, g / np.sqrt(var + eps), rtol=1e-9)


def test_batch_norm_without_weights():
    """With a factor of 0 mean and variance count as 0, so values grow by 1 / sqrt(eps)."""
    net = OneLayer(batch_norm(), SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    np.testing.assert_allclose(y, x * 316.2278, rtol=1e-6)


@pytest.mark.parametrize("in_place", [False, True])
def test_batch_norm_with_the_batchs_statistics(in_place):
    """Each channel gets mean 0 and (biased) variance 1, less eps."""
    net = OneLayer(batch_norm("eps: 0.5"), SHAPE, phase=TRAIN, in_place=in_place)
    x = 3 * normal(1, *SHAPE) + 1

    (y,) = net.forward(x)

    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 0.5), rtol=1e-9)


def test_batch_norm_gradient():
    """With the batch's statistics the gradient goes through mean and variance too."""
    check_gradient(OneLayer(batch_norm(), SHAPE, phase=TRAIN), normal(1, *SHAPE))


def test_batch_norm_gradient_survives_a_later_layer_in_place():
    """What a later layer makes of the top does not reach the gradient."""
    net = OneLayer(batch_norm(), SHAPE, phase=TRAIN)
    net.forward(normal(1, *SHAPE))
    g = normal(2, *SHAPE)
    (before,) = net.backward(g)

    net.top[0].data[...] = 0

    np.testing.assert_array_equal(net.backward(g)[0], before)


def test_batch_norm_follows_the_batch():
    """Stored sums shrink by the fraction and gain the batch's mean and unbiased variance."""
    text = batch_norm("use_global_stats: false moving_average_fraction: 0.75")
    net = OneLayer(text, SHAPE)  # in the TEST phase too
    x, count = normal(1, *SHAPE), 2 * 5 * 11
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3)) * count / (count - 1)

    net.forward(x)
    net.forward(x)

    stored = [blob.data for blob in net.layer.blobs]
    np.testing.assert_allclose(stored[0], 1.75 * mean, rtol=1e-9)
    np.testing.assert_allclose(stored[1], 1.75 * var, rtol=1e-9)
    np.testing.assert_allclose(stored[2], [1.75], rtol=1e-9)


def test_the_phase_decides_where_use_global_stats_does_not():
    """TEST uses stored statistics and TRAIN the batch's, unless the prototxt says otherwise."""
    x = normal(1, *SHAPE)

    def stays(text: str, phase: int) -> bool:
        net = OneLayer(text, SHAPE, phase=phase)
        net.forward(x)
        return not net.layer.blobs[2].data.any()

    assert stays(batch_norm(), 1)
    assert not stays(batch_norm(), TRAIN)
    assert stays(batch_norm("use_global_stats: true"), TRAIN)
    assert not stays(batch_norm("use_global_stats: false"), 1)


@pytest.mark.parametrize("shape", [(6, 7), (3, 7, 5), (2, 7, 3, 2, 4)])
def test_batch_norm_takes_any_number_of_axes(shape):
    """Axis 1 holds the channels, whatever else there is."""
    net = OneLayer(batch_norm("eps: 0"), shape, phase=TRAIN)

    (y,) = net.forward(normal(1, *shape))

    axes = tuple(axis for axis in range(len(shape)) if axis != 1)
    np.testing.assert_allclose(y.mean(axes), np.zeros(7), atol=1e-12)
    np.testing.assert_allclose(y.var(axes), np.ones(7), rtol=1e-9)


def test_batch_norm_of_one_axis_has_one_channel():
    """As in the layer's source; Caffe's own check then ends the process."""
    net = OneLayer(batch_norm("eps: 0"), (7,), phase=TRAIN)
    x = normal(1, 7)

    (y,) = net.forward(x)

    assert [blob.data.shape for blob in net.layer.blobs] == [(1,), (1,), (1,)]
    np.testing.assert_allclose(y, (x - x.mean()) / x.std(), rtol=1e-9)


def test_batch_norm_statistics_are_no_parameters_to_learn():
    """No gradient is gathered for them, and the prototxt cannot ask for it."""
    assert OneLayer(batch_norm(), SHAPE).layer.param_diffs == [False] * 3

    with pytest.raises(PrototxtError, match="lr_mult of param 0 is 1: 0 is expected"):
        OneLayer(batch_norm() + " param { lr_mult: 1 }", SHAPE)


def test_batch_norm_refuses_another_number_of_channels():
    """The statistics belong to channels."""
    net = OneLayer(batch_norm(), SHAPE)

    with pytest.raises(ShapeError, match=r"bottom is \(2, 8, 5, 11\): 7 channels"):
        net.layer.top_shapes([(2, 8, 5, 11)])


# -- MVN ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("divide", [True, False])
@pytest.mark.parametrize("across", [True, False])
def test_mvn(across, divide):
    """Each channel of a picture, or the picture, loses its mean and is divided by its std + eps."""
    text = (
        f"across_channels: {str(across).lower()} normalize_variance: {str(divide).lower()} eps: 0.5"
    )
    net = OneLayer(f'type: "MVN" mvn_param {{ {text} }}', SHAPE)
    x = 2 * normal(1, *SHAPE) + 1

    (y,) = net.forward(x)

    axes = (1, 2, 3) if across else (2, 3)
    std = x.std(axes, keepdims=True) + 0.5 if divide else 1.0
    np.testing.assert_allclose(y, (x - x.mean(axes, keepdims=True)) / std, rtol=1e-9)


@pytest.mark.parametrize("divide", [True, False])
def test_mvn_gradient(divide):
    """The gradient is that of the forward pass (as long as eps is small: Caffe leaves it out)."""
    text = f"normalize_variance: {str(divide).lower()}"

    check_gradient(OneLayer(f'type: "MVN" mvn_param {{ {text} }}', SHAPE), normal(1, *SHAPE))


def test_mvn_gives_four_axes():
    """Missing axes are appended with length 1; more than four are refused."""
    net = OneLayer('type: "MVN" mvn_param { across_channels: true }', (3, 5))

    (y,) = net.forward(normal(1, 3, 5))

    assert y.shape == (3, 5, 1, 1)
    np.testing.assert_allclose(y.mean((1, 2, 3)), np.zeros(3), atol=1e-12)
    with pytest.raises(ShapeError, match="5 axes .* at most 4"):
        OneLayer('type: "MVN"', (1, 2, 3, 4, 5))


# -- all ----------------------------------------------------------------------------------------

ALL = {
    "lrn": lrn(""),
    "lrn_within": lrn("norm_region: WITHIN_CHANNEL"),
    "batch_norm": batch_norm(),
    "mvn": 'type: "MVN"',
}


@pytest.mark.parametrize("name", ALL)
def test_empty_blobs_pass(name):
    """Nothing goes in, nothing comes out."""
    net = OneLayer(ALL[name], (1, 3, 0, 2))

    (y,) = net.forward(np.ones((1, 3, 0, 2)))

    assert y.shape == (1, 3, 0, 2)
    assert net.backward(y)[0].shape == (1, 3, 0, 2)


@pytest.mark.parametrize("name", ALL)
def test_float32_stays_float32(name):
    """Nothing is computed in another precision than the blobs have."""
    net = OneLayer(ALL[name], SHAPE, dtype=np.float32)

    (y,) = net.forward(normal(1, *SHAPE))
    (diff,) = net.backward(np.ones(SHAPE))

    assert (y.dtype, diff.dtype) == (np.float32, np.float32)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("name", [name for name in ALL if name != "batch_norm"])
def test_a_bottom_that_wants_no_gradient_keeps_its_diff(name):
    """Backward writes where propagate_down says so, and only there; BatchNorm, as in Caffe, always
    (golden case gradients/unwanted).
    """
    net = OneLayer(ALL[name], SHAPE)
    net.forward(normal(1, *SHAPE))
    net.bottom[0].diff[...] = 7

    (diff,) = net.backward(np.ones(SHAPE), propagate_down=[False])

    assert (diff == 7).all()


@pytest.mark.parametrize("name", ALL)
def test_backward_needs_forward(name):
    """What forward keeps for backward cannot be guessed."""
    net = OneLayer(ALL[name], SHAPE)

    with pytest.raises(ShapeError, match="run forward before backward"):
        net.backward()


@pytest.mark.parametrize("text", [lrn(""), lrn("norm_region: WITHIN_CHANNEL")])
def test_lrn_refuses_other_than_four_axes(text):
    """LRN knows pictures only."""
    with pytest.raises(ShapeError, match="3 axes .* 4 expected"):
        OneLayer(text, (2, 3, 5))


def test_nan_stays_in_its_neighbourhood():
    """Caffe's sum slides from channel to channel and never gets rid of it."""
    x = normal(1, *SHAPE)
    net = OneLayer(lrn("local_size: 3"), SHAPE)
    (clean,) = net.forward(x)
    for value in (np.nan, np.inf):
        spoilt = x.copy()
        spoilt[1, 3, 2, 4] = value
        (y,) = net.forward(spoilt)
        wrong = np.argwhere(~np.isclose(y, clean))
        assert {tuple(place) for place in wrong} <= {(1, c, 2, 4) for c in (2, 3, 4)}
        assert np.isnan(y[1, 3, 2, 4])
