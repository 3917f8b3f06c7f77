"""Layers that change each value by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from one_layer import OneLayer, away_from, check_gradient, normal

from deepdream.errors import PrototxtError, ShapeError
from deepdream.running import fillers
from deepdream.running.layers import TRAIN

pytestmark = pytest.mark.usefixtures("device")

SHAPE = (2, 3, 5, 7)

FUNCTIONS = {
    # name: (layer, slow function of one number, kinks, shift of the inputs)
    "relu": ('type: "ReLU"', lambda x: max(x, 0), [0], 0),
    "leaky": (
        'type: "ReLU" relu_param { negative_slope: 0.25 }',
        lambda x: x if x > 0 else 0.25 * x, [0], 0),
    "negative_leak": (
        'type: "ReLU" relu_param { negative_slope: -0.5 }',
        lambda x: x if x > 0 else -0.5 * x, [0], 0),
    "elu": ('type: "ELU"', lambda x: x if x > 0 else math.exp(x) - 1, [0], 0),
    "elu_alpha": (
        'type: "ELU" elu_param { alpha: 0.5 }',
        lambda x: x if x > 0 else 0.5 * (math.exp(x) - 1), [0], 0),
    "sigmoid": ('type: "Sigmoid"', lambda x: 1 / (1 + math.exp(-x)), [], 0),
    "tanh": ('type: "TanH"', math.tanh, [], 0),
    "swish": ('type: "Swish"', lambda x: x / (1 + math.exp(-x)), [], 0),
    "swish_beta": (
        'type: "Swish" swish_param { beta: 2 }', lambda x: x / (1 + math.exp(-2 * x)), [], 0),
    "absval": ('type: "AbsVal"', abs, [0], 0),
    "bnll": ('type: "BNLL"', lambda x: math.log(1 + math.exp(x)), [], 0),
    "clip": (
        'type: "Clip" clip_param { min: -0.5 max: 1 }',
        lambda x: min(max(x, -0.5), 1), [-0.5, 1], 0),
    "power1": (
        'type: "Power" power_param { scale: -2 shift: 3 }', lambda x: 3 - 2 * x, [], 0),
    "power2": (
        'type: "Power" power_param { power: 2 scale: 0.5 shift: -1 }',
        lambda x: (0.5 * x - 1) ** 2, [], 0),
    "power3": ('type: "Power" power_param { power: 3 scale: 2 }', lambda x: (2 * x) ** 3, [0], 0),
    "root": (
        'type: "Power" power_param { power: 0.5 scale: 2 shift: 4 }',
        lambda x: math.sqrt(2 * x + 4), [], 5),
    "exp": ('type: "Exp"', math.exp, [], 0),
    "exp_base": (
        'type: "Exp" exp_param { base: 2 scale: 0.5 shift: 3 }',
        lambda x: 2 ** (3 + 0.5 * x), [], 0),
    "exp_shift": ('type: "Exp" exp_param { shift: -1.5 }', lambda x: math.exp(x - 1.5), [], 0),
    "log": ('type: "Log"', math.log, [], 6),
    "log_base": (
        'type: "Log" log_param { base: 10 scale: 2 shift: 4 }',
        lambda x: math.log10(2 * x + 4), [], 6),
    "dropout": ('type: "Dropout" dropout_param { dropout_ratio: 0.75 }', lambda x: x, [], 0),
}  # fmt: skip

# In place these lose what their gradient needs; Caffe's do too (see the tests below).
WRONG_IN_PLACE = {"bnll", "clip", "log", "log_base", "power1", "power2", "power3", "root"}
WRONG_IN_PLACE |= {"negative_leak"}


def values(name: str) -> np.ndarray:
    return away_from(FUNCTIONS[name][2], normal(7, *SHAPE) + FUNCTIONS[name][3])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_the_functions(name):
    """Each value of the top is the function of the value below it, and the shape is kept."""
    text, function = FUNCTIONS[name][:2]
    x = values(name)

    (y,) = OneLayer(text, SHAPE).forward(x)

    np.testing.assert_allclose(y, np.vectorize(function, otypes=[float])(x), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient(name):
    """The gradient is that of the forward pass."""
    check_gradient(OneLayer(FUNCTIONS[name][0], SHAPE), values(name))


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - WRONG_IN_PLACE - {"absval"}))
def test_in_place_is_the_same(name):
    """A layer whose top is its bottom gives the same values and the same gradient."""
    text = FUNCTIONS[name][0]
    apart, in_place = OneLayer(text, SHAPE), OneLayer(text, SHAPE, in_place=True)
    x, g = values(name), normal(8, *SHAPE)

    np.testing.assert_array_equal(in_place.forward(x)[0], apart.forward(x)[0])
    np.testing.assert_allclose(in_place.backward(g)[0], apart.backward(g)[0], rtol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_bottom_that_wants_no_gradient_keeps_its_diff(name):
    """Backward writes where propagate_down says so, and only there."""
    net = OneLayer(FUNCTIONS[name][0], SHAPE)
    net.forward(values(name))
    net.bottom[0].diff[...] = 7

    (diff,) = net.backward(normal(8, *SHAPE), propagate_down=[False])

    assert (diff == 7).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_stays_float32(name):
    """Nothing is computed in another precision than the blobs have."""
    net = OneLayer(FUNCTIONS[name][0], SHAPE, dtype=np.float32)

    (y,) = net.forward(values(name))
    (diff,) = net.backward(np.ones(SHAPE))

    assert (y.dtype, diff.dtype) == (np.float32, np.float32)


def test_relu_at_zero_infinity_and_nan():
    """No gradient at 0 or NaN; -inf becomes NaN, because Caffe multiplies it by the slope 0."""
    x = np.array([-np.inf, -1, -0.0, 0, 1, np.inf, np.nan])
    net = OneLayer('type: "ReLU"', x.shape)

    (y,) = net.forward(x)
    (diff,) = net.backward(np.full(x.shape, 3.0))

    np.testing.assert_array_equal(y, [np.nan, 0, 0, 0, 1, np.inf, np.nan])
    np.testing.assert_array_equal(diff, [0, 0, 0, 0, 3, 3, 0])
    assert not np.signbit(y[1:4]).any()


def test_leaky_relu_takes_the_slope_at_zero():
    """At 0 the gradient is the slope's; at NaN it is 0."""
    net = OneLayer('type: "ReLU" relu_param { negative_slope: 0.5 }', (3,))

    net.forward(np.array([0, -2, np.nan]))

    np.testing.assert_array_equal(net.backward(np.full(3, 4.0))[0], [2, 2, 0])


@pytest.mark.parametrize(
    ("text", "x", "gradient"),
    [
        ('type: "AbsVal"', 0.0, 0.0),
        ('type: "ELU" elu_param { alpha: 0.5 }', 0.0, 0.5),
        ('type: "Clip" clip_param { min: -1 max: 2 }', 2.0, 1.0),
        ('type: "Clip" clip_param { min: -1 max: 2 }', -1.0, 1.0),
        ('type: "Power" power_param { power: 3 }', 0.0, math.nan),
        ('type: "Power" power_param { power: 2 }', 0.0, 0.0),
        ('type: "BNLL"', 800.0, 1.0),
        ('type: "BNLL"', -800.0, 0.0),
    ],
)
def test_gradient_at_the_kink(text, x, gradient):
    """Caffe's choice holds where a function has no derivative, or its formula none."""
    net = OneLayer(text, (1,))

    net.forward(np.array([x]))

    np.testing.assert_array_equal(net.backward(np.ones(1))[0], [gradient])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("power: 2 scale: 0 shift: 3", 9),
        ("power: 0 shift: 3", 1),
        ("power: 0 scale: 0 shift: 0", 1),
        ("power: -1 scale: 0 shift: 0", math.inf),
        ("power: 0.5 scale: 0 shift: -1", math.nan),
    ],
)
def test_constant_power(text, expected):
    """A power that does not depend on x is filled in, and its gradient is 0."""
    net = OneLayer(f'type: "Power" power_param {{ {text} }}', (2, 3))

    (y,) = net.forward(normal(1, 2, 3))
    (diff,) = net.backward(np.ones((2, 3)))

    np.testing.assert_array_equal(y, np.full((2, 3), expected))
    np.testing.assert_array_equal(diff, np.zeros((2, 3)))


@pytest.mark.parametrize("name", ["power1", "power2", "power3", "root", "log", "log_base"])
def test_power_and_log_lose_the_gradient_in_place(name):
    """In place, Caffe writes the derivative, at y, over g, and multiplies it by itself."""
    text = FUNCTIONS[name][0]
    net, x = OneLayer(text, SHAPE, in_place=True), np.abs(values(name)) + 2

    (y,) = net.forward(x)
    (diff,) = net.backward(normal(8, *SHAPE))

    apart = OneLayer(text, SHAPE)
    derivative = {
        # the formulas of power use the top where they can
        "power3": lambda: np.full(SHAPE, 3.0),
        "root": lambda: y / (2 * y + 4),
    }
    apart.forward(y)
    at_y = derivative[name]() if name in derivative else apart.backward(np.ones(SHAPE))[0]
    np.testing.assert_allclose(diff, at_y**2, rtol=1e-12)


def test_bnll_and_clip_see_the_top_in_place():
    """In place the bottom holds y: BNLL takes its slope there, Clip lets everything through."""
    x, g = normal(7, *SHAPE), normal(8, *SHAPE)
    bnll = OneLayer('type: "BNLL"', SHAPE, in_place=True)
    clip = OneLayer('type: "Clip" clip_param { min: -0.5 max: 0.5 }', SHAPE, in_place=True)

    (y,) = bnll.forward(x)
    clip.forward(x)

    np.testing.assert_allclose(bnll.backward(g)[0], g / (1 + np.exp(-y)), rtol=1e-12)
    np.testing.assert_array_equal(clip.backward(g)[0], g)


# -- PReLU --------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_prelu(shared, in_place):
    """Each channel, or all, has a slope of its own below 0, and that slope a gradient."""
    text = f'type: "PReLU" prelu_param {{ channel_shared: {str(shared).lower()} }}'
    net = OneLayer(text, SHAPE, in_place=in_place)
    slope = np.float64(0.75) if shared else np.array([0.5, -0.25, 2])
    net.layer.blobs[0].data[...] = slope
    x, g = away_from([0], normal(7, *SHAPE)), normal(8, *SHAPE)

    (y,) = net.forward(x)
    (diff,) = net.backward(g)

    wide = np.broadcast_to(slope if shared else slope[:, None, None], SHAPE)
    np.testing.assert_allclose(y, np.where(x > 0, x, wide * x), rtol=1e-12)
    np.testing.assert_allclose(diff, np.where(x > 0, g, wide * g), rtol=1e-12)
    each = (g * np.minimum(x, 0)).sum((0, 2, 3))
    wanted = each.sum() if shared else each
    np.testing.assert_allclose(net.layer.blobs[0].diff, wanted, rtol=1e-12)


def test_prelu_gradient():
    """The gradients of bottom and slopes are those of the forward pass."""
    net = OneLayer('type: "PReLU"', SHAPE)
    net.layer.blobs[0].data[...] = [0.5, -0.25, 2]

    check_gradient(net, away_from([0], normal(7, *SHAPE)))


def test_prelu_starts_at_a_quarter():
    """Without a filler the slopes start at 0.25; a filler of the prototxt goes before."""
    plain = OneLayer('type: "PReLU"', SHAPE).layer
    other = OneLayer('type: "PReLU" prelu_param { filler { value: 0.5 } }', SHAPE).layer

    for layer, value in ((plain, 0.25), (other, 0.5)):
        fillers.fill(layer.blobs[0], layer.fillers[0], fillers.random_state())
        np.testing.assert_array_equal(layer.blobs[0].data, [value] * 3)


# -- Threshold and Dropout ----------------------------------------------------------------------


def test_threshold():
    """1 above the threshold, 0 up to it; there is no gradient to choose an end behind it."""
    net = OneLayer('type: "Threshold" threshold_param { threshold: 0.5 }', (4,))

    (y,) = net.forward(np.array([-1, 0.5, 0.5001, 3]))

    np.testing.assert_array_equal(y, [0, 0, 1, 1])
    with pytest.raises(PrototxtError, match="no gradient: choose an end before it"):
        net.backward(np.ones(4))


@pytest.mark.parametrize("in_place", [False, True])
def test_dropout_while_training(in_place):
    """About the ratio of values is dropped, the rest scaled up, and the gradient alike."""
    text = 'type: "Dropout" dropout_param { dropout_ratio: 0.75 }'
    net = OneLayer(text, (100, 101), phase=TRAIN, in_place=in_place)
    fillers.set_random_seed(3)

    (y,) = net.forward(np.ones((100, 101)))
    (diff,) = net.backward(np.full((100, 101), 0.5))

    assert set(np.unique(y)) == {0.0, 4.0}
    assert abs((y == 0).mean() - 0.75) < 0.015
    np.testing.assert_array_equal(diff, 0.5 * y)


def test_dropout_follows_the_seed():
    """The same seed drops the same values; the next forward pass drops others."""
    net = OneLayer('type: "Dropout"', (10, 11), phase=TRAIN)
    runs = []
    for _ in range(2):
        fillers.set_random_seed(3)
        runs.append([net.forward(np.ones((10, 11)))[0] for _ in range(2)])

    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert (runs[0][0] != runs[0][1]).any()


def test_the_layers_own_phase_goes_before():
    """A Dropout that says phase: TRAIN drops in a TEST net too."""
    net = OneLayer('type: "Dropout" phase: TRAIN', (10, 11))

    assert (net.forward(np.ones((10, 11)))[0] == 0).any()


@pytest.mark.parametrize("name", [*FUNCTIONS, "prelu", "threshold"])
def test_empty_blobs_pass(name):
    """Nothing goes in, nothing comes out."""
    text = FUNCTIONS[name][0] if name in FUNCTIONS else None
    net = OneLayer(text or f'type: "{"PReLU" if name == "prelu" else "Threshold"}"', (1, 3, 0, 2))

    (y,) = net.forward(np.ones((1, 3, 0, 2)))

    assert y.shape == (1, 3, 0, 2)
    if name != "threshold":
        assert net.backward(y)[0].shape == (1, 3, 0, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type: "Dropout" dropout_param { dropout_ratio: 1 }', "dropout_ratio is 1"),
        ('type: "Dropout" dropout_param { dropout_ratio: -0.1 }', "dropout_ratio is -0.1"),
        ('type: "Dropout" dropout_param { dropout_ratio: nan }', "dropout_ratio is nan"),
        ('type: "Exp" exp_param { base: 0 }', "base is 0: a positive number"),
        ('type: "Exp" exp_param { base: inf }', "base is inf"),
        ('type: "Log" log_param { base: -3 }', "base is -3"),
        ('type: "Log" log_param { base: 1 }', "base is 1: a logarithm needs another"),
        ('type: "Clip"', "min is missing in clip_param"),
        ('type: "Clip" clip_param { min: 2 }', "max is missing in clip_param"),
    ],
)
def test_refusals(text, message):
    """A parameter that makes no sense is named, with its value and what was expected."""
    with pytest.raises(PrototxtError, match=message):
        OneLayer(text, SHAPE)


def test_shapes_that_do_not_fit():
    """PReLU keeps its number of channels, and AbsVal its top apart from its bottom."""
    net = OneLayer('type: "PReLU"', SHAPE)

    with pytest.raises(ShapeError, match="3 channels on axis 1"):
        net.layer.top_shapes([(2, 4, 5, 7)])
    with pytest.raises(ShapeError, match="at least 2"):
        OneLayer('type: "PReLU"', (3,))
    with pytest.raises(PrototxtError, match="cannot work in place"):
        OneLayer('type: "AbsVal"', SHAPE, in_place=True)
    with pytest.raises(ShapeError, match="run forward before backward"):
        OneLayer('type: "Swish"', SHAPE).backward()
    with pytest.raises(PrototxtError, match="2 bottom blobs found, 1 expected"):
        OneLayer('type: "ReLU"', SHAPE, SHAPE)
