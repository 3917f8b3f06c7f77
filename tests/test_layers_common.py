"""InnerProduct, Scale, Bias, Eltwise, Softmax, Reduction, ArgMax."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import OneLayer, check_gradient, distinct, fill_params, normal

from deepdream.errors import PrototxtError, ShapeError
from deepdream.running import fillers

pytestmark = pytest.mark.usefixtures("device")

SHAPE = (2, 3, 5, 7)


def text(kind: str, param: str = "") -> str:
    """Return the entry of a layer whose parameters are called like its type."""
    names = {"InnerProduct": "inner_product", "ArgMax": "argmax"}
    return f'type: "{kind}" {names.get(kind, kind.lower())}_param {{ {param} }}'


@pytest.mark.parametrize("kind", ["InnerProduct", "Reduction", "ArgMax"])
def test_no_work_in_place(kind):
    """The top has another shape than the bottom, whose values Caffe overwrites unread."""
    with pytest.raises(PrototxtError, match="cannot work in place"):
        OneLayer(text(kind, "num_output: 3" if kind == "InnerProduct" else ""), (2, 3),
                 in_place=True)  # fmt: skip


# -- InnerProduct -------------------------------------------------------------------------------


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize(("axis", "rows"), [(0, 1), (1, 2), (2, 6), (-1, 30)])
def test_inner_product(axis, rows, transpose):
    """Everything from the axis on is one vector, which the weights multiply."""
    param = f"num_output: 4 axis: {axis} transpose: {str(transpose).lower()}"
    net = OneLayer(text("InnerProduct", param), SHAPE)
    fill_params(net, 1)
    x = normal(3, *SHAPE)

    (y,) = net.forward(x)

    weight, bias = (blob.data for blob in net.layer.blobs)
    inputs = 210 // rows
    assert weight.shape == ((inputs, 4) if transpose else (4, inputs))
    wanted = np.empty((rows, 4))
    for row, output in np.ndindex(rows, 4):
        column = weight[:, output] if transpose else weight[output]
        wanted[row, output] = sum(a * b for a, b in zip(x.reshape(rows, -1)[row], column))
    leading = SHAPE[:axis] if axis >= 0 else SHAPE[:3]
    np.testing.assert_allclose(y, (wanted + bias).reshape(*leading, 4), rtol=1e-10)
    check_gradient(net, x)


def test_inner_product_without_bias():
    """bias_term: false leaves one parameter blob, and zero stays zero."""
    net = OneLayer(text("InnerProduct", "num_output: 4 bias_term: false"), SHAPE)
    fill_params(net, 1)

    assert len(net.layer.blobs) == 1
    assert not net.forward(np.zeros(SHAPE))[0].any()


def test_inner_product_gathers_weight_gradients():
    """Weights gather gradients over passes where param_diffs says so."""
    net = OneLayer(text("InnerProduct", "num_output: 4"), SHAPE)
    net.forward(normal(3, *SHAPE))
    g = normal(4, 2, 4)
    net.backward(g)
    once = [blob.diff.copy() for blob in net.layer.blobs]
    net.layer.param_diffs = [False, True]

    net.backward(g)

    np.testing.assert_array_equal(net.layer.blobs[0].diff, once[0])
    np.testing.assert_allclose(net.layer.blobs[1].diff, 2 * g.sum(0), rtol=1e-12)


def test_inner_product_refuses_pictures_of_another_size():
    """The number of inputs is fixed with the weights; the message says what to do."""
    net = OneLayer(text("InnerProduct", "num_output: 4"), SHAPE)

    with pytest.raises(ShapeError, match="K is 126 here.* expect 105: .* choose an end before it"):
        net.layer.top_shapes([(2, 3, 6, 7)])
    assert net.layer.top_shapes([(9, 105)]) == [(9, 4)]


# -- Scale and Bias -----------------------------------------------------------------------------

COVERED = {
    # name: (parameters, shape of the factor)
    "channels": ("", (3,)),
    "two_axes": ("axis: 1 num_axes: 2", (3, 5)),
    "to_the_end": ("axis: 0 num_axes: -1", SHAPE),
    "last": ("axis: -1", (7,)),
    "number": ("num_axes: 0", ()),
}


def widened(factor: np.ndarray, name: str) -> np.ndarray:
    """Return the factor with axes of length 1, so that numpy spreads it over SHAPE."""
    before = {"channels": 1, "two_axes": 1, "to_the_end": 0, "last": 3, "number": 0}[name]
    return factor.reshape((1,) * before + factor.shape + (1,) * (4 - before - factor.ndim))


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("name", COVERED)
def test_scale(name, in_place):
    """The factor covers the axes that are named, and is the same along the others."""
    param, shape = COVERED[name]
    net = OneLayer(text("Scale", param + " bias_term: true"), SHAPE, in_place=in_place)
    fill_params(net, 1)
    factor, bias = (blob.data.copy() for blob in net.layer.blobs)
    x, g = normal(3, *SHAPE), normal(4, *SHAPE)

    (y,) = net.forward(x)
    (diff,) = net.backward(g)

    assert factor.shape == bias.shape == shape
    np.testing.assert_allclose(y, x * widened(factor, name) + widened(bias, name), rtol=1e-9)
    np.testing.assert_allclose(diff, g * widened(factor, name), rtol=1e-12)
    wide = widened(factor, name)
    axes = tuple(i for i in range(4) if wide.shape[i] == 1)
    for blob, each in zip(net.layer.blobs, (g * x, g)):
        np.testing.assert_allclose(blob.diff.ravel(), each.sum(axes).ravel(), rtol=1e-9)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("name", COVERED)
def test_bias(name, in_place):
    """The bias covers the axes that are named, and is the same along the others."""
    param, shape = COVERED[name]
    net = OneLayer(text("Bias", param), SHAPE, in_place=in_place)
    fill_params(net, 1)
    x, g = normal(3, *SHAPE), normal(4, *SHAPE)

    (y,) = net.forward(x)
    (diff,) = net.backward(g)

    bias = net.layer.blobs[0].data
    assert bias.shape == shape
    np.testing.assert_allclose(y, x + widened(bias, name), rtol=1e-12)
    np.testing.assert_array_equal(diff, g)


@pytest.mark.parametrize("name", COVERED)
@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_scale_and_bias_gradients(kind, name):
    """The gradients of bottoms and parameters are those of the forward pass."""
    param, shape = COVERED[name]
    for shapes in ([SHAPE], [SHAPE, shape]):
        if len(shapes) == 2 and name == "last":
            param = "axis: 3"
        net = OneLayer(text(kind, param), *shapes)
        fill_params(net, 1)

        check_gradient(net, *(normal(5 + i, *s) for i, s in enumerate(shapes)))


def test_a_second_bottom_is_the_factor():
    """With two bottoms there is no factor among the parameters, but there may be a bias."""
    net = OneLayer(text("Scale", "axis: 0 bias_term: true"), SHAPE, (2, 3))
    fill_params(net, 1)
    x, factor = normal(3, *SHAPE), normal(4, 2, 3)

    (y,) = net.forward(x, factor)

    assert [tuple(blob.shape) for blob in net.layer.blobs] == [(2, 3)]
    wide = factor[:, :, None, None]
    np.testing.assert_allclose(y, x * wide + net.layer.blobs[0].data[:, :, None, None], rtol=1e-12)
    check_gradient(net, x, factor)


def test_scale_starts_at_one():
    """Without a filler factors start at 1 and biases at 0."""
    layer = OneLayer(text("Scale", "bias_term: true"), SHAPE).layer

    for blob, filler in zip(layer.blobs, layer.fillers):
        fillers.fill(blob, filler, fillers.random_state())

    np.testing.assert_array_equal(layer.blobs[0].data, [1, 1, 1])
    np.testing.assert_array_equal(layer.blobs[1].data, [0, 0, 0])


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_scale_and_bias_refuse(kind):
    """Axes beyond the bottom, and factors of another length, are named."""
    with pytest.raises(PrototxtError, match="num_axes is -2: at least -1"):
        OneLayer(text(kind, "num_axes: -2"), SHAPE)
    with pytest.raises(ShapeError, match="axis 2 and num_axes 3 reach beyond"):
        OneLayer(text(kind, "axis: 2 num_axes: 3"), SHAPE)
    with pytest.raises(ShapeError, match="axis 5 does not exist"):
        OneLayer(text(kind, "axis: 5"), SHAPE)
    with pytest.raises(ShapeError, match=r"\(4,\) does not fit bottom \(2, 3, 5, 7\) at axis 1"):
        OneLayer(text(kind), SHAPE, (4,))
    with pytest.raises(ShapeError, match=r"\(3,\) does not fit bottom \(2, 4, 5, 7\) at axis 1"):
        OneLayer(text(kind), SHAPE).layer.top_shapes([(2, 4, 5, 7)])


# -- Eltwise ------------------------------------------------------------------------------------

ELTWISE = {
    "sum": ("", lambda a, b, c: a + b + c),
    "coeff": ("coeff: 2 coeff: -1 coeff: 0.5", lambda a, b, c: 2 * a - b + 0.5 * c),
    "prod": ("operation: PROD", lambda a, b, c: a * b * c),
    "prod_unstable": ("operation: PROD stable_prod_grad: false", lambda a, b, c: a * b * c),
    "max": ("operation: MAX", max),
}


@pytest.mark.parametrize("name", ELTWISE)
def test_eltwise(name):
    """Each value of the top comes from the values at the same place in all bottoms."""
    param, function = ELTWISE[name]
    net = OneLayer(text("Eltwise", param), SHAPE, SHAPE, SHAPE)
    xs = np.split(distinct(3, 6, *SHAPE[1:]) + 0.03, 3)  # none is 0

    (y,) = net.forward(*xs)

    np.testing.assert_allclose(y, np.vectorize(function, otypes=[float])(*xs), rtol=1e-12)
    check_gradient(net, *xs, rtol=1e-5)


def test_equal_values_in_a_maximum():
    """Of the first two the second wins, a later one must be greater; the winner gets it all."""
    net = OneLayer(text("Eltwise", "operation: MAX"), (4,), (4,), (4,))

    net.forward(np.array([1, 2, 3, 5.0]), np.array([1, 1, 3, 5.0]), np.array([1, 2, 4, 0.0]))
    diffs = net.backward(np.array([10, 20, 30, 40.0]))

    np.testing.assert_array_equal(diffs, [[0, 20, 0, 0], [10, 0, 0, 40], [0, 0, 30, 0]])


def test_a_sum_in_place_loses_its_bottom():
    """As in Caffe: the top is set to zero before the first bottom is read."""
    net = OneLayer(text("Eltwise", "coeff: 2 coeff: 3"), (4,), (4,), in_place=True)

    (y,) = net.forward(np.ones(4), np.arange(4.0))

    np.testing.assert_array_equal(y, [0, 3, 6, 9])


def test_a_maximum_in_place_loses_its_bottom():
    """As in Caffe: the top is -FLT_MAX before it is read, so the second bottom wins everywhere.

    Going back, the first bottom's zeros are written into the diff that both read.
    """
    net = OneLayer(text("Eltwise", "operation: MAX"), (4,), (4,), in_place=True)

    (y,) = net.forward(np.array([1.0, 5, 2, -1]), np.array([3.0, 3, -4, 0]))
    np.testing.assert_array_equal(y, [3, 3, -4, 0])

    for diff in net.backward(np.array([1.0, 2, 3, 4])):
        np.testing.assert_array_equal(diff, np.zeros(4))


def test_unstable_products_have_no_gradient_at_zero():
    """stable_prod_grad: false divides the top by the bottom: NaN at 0."""
    net = OneLayer(text("Eltwise", "operation: PROD stable_prod_grad: false"), (2,), (2,))

    net.forward(np.array([0, 2.0]), np.array([3, 4.0]))

    np.testing.assert_array_equal(net.backward(np.ones(2))[0], [np.nan, 4])


def test_eltwise_refuses():
    """Shapes must be equal, and coefficients be for sums, one for each bottom."""
    with pytest.raises(ShapeError, match=r"\(2, 3\), \(2, 4\): equal ones"):
        OneLayer(text("Eltwise"), (2, 3), (2, 4))
    with pytest.raises(PrototxtError, match="1 coeff found, 2 expected"):
        OneLayer(text("Eltwise", "coeff: 2"), (2, 3), (2, 3))
    with pytest.raises(PrototxtError, match="for operation SUM, not for PROD"):
        OneLayer(text("Eltwise", "operation: PROD coeff: 1 coeff: 1"), (2, 3), (2, 3))
    with pytest.raises(PrototxtError, match="1 bottom blobs found, 2 or more"):
        OneLayer(text("Eltwise"), (2, 3))


# -- Softmax ------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_softmax(axis, in_place):
    """Exponentials sum to 1 along the axis; large inputs do not overflow."""
    net = OneLayer(text("Softmax", f"axis: {axis}"), SHAPE, in_place=in_place)
    x = 3 * normal(1, *SHAPE)

    (y,) = net.forward(x + 5000)

    powers = np.exp(x)
    np.testing.assert_allclose(y, powers / powers.sum(axis, keepdims=True), rtol=1e-9)
    if not in_place:
        check_gradient(net, x, rtol=1e-5)


def test_softmax_writes_its_gradient_always():
    """propagate_down is not asked, as in Caffe."""
    net = OneLayer(text("Softmax"), SHAPE)
    net.forward(normal(1, *SHAPE))

    (diff,) = net.backward(normal(2, *SHAPE), propagate_down=[False])

    assert diff.all()


def test_softmax_windows():
    """Over channels an output sees one pixel, over space all of them."""
    assert OneLayer(text("Softmax"), SHAPE).layer.window() is not None
    assert OneLayer(text("Softmax", "axis: 2"), SHAPE).layer.window() is None
    with pytest.raises(ShapeError, match="axis 4 does not exist"):
        OneLayer(text("Softmax", "axis: 4"), SHAPE)


# -- Reduction ----------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize(
    ("operation", "function"),
    [
        ("SUM", np.sum),
        ("ASUM", lambda x: np.abs(x).sum()),
        ("SUMSQ", lambda x: (x * x).sum()),
        ("MEAN", np.mean),
    ],
)
def test_reduction(operation, function, axis):
    """All axes from the given one on become one number, times coeff."""
    net = OneLayer(text("Reduction", f"operation: {operation} axis: {axis} coeff: -2"), SHAPE)
    x = distinct(1, *SHAPE)

    (y,) = net.forward(x)

    kept = SHAPE[: axis % 4]
    rows = x.reshape(int(np.prod(kept)), -1)
    wanted = np.array([-2 * function(row) for row in rows]).reshape(kept)
    assert y.shape == kept
    np.testing.assert_allclose(y, wanted, rtol=1e-9)
    check_gradient(net, x)


def test_magnitudes_have_no_gradient_at_zero():
    """The sign of 0 is 0."""
    net = OneLayer(text("Reduction", "operation: ASUM"), (3,))
    net.forward(np.array([-2, 0, 5.0]))

    np.testing.assert_array_equal(net.backward(np.float64(3))[0], [-3, 0, 3])


# -- ArgMax -------------------------------------------------------------------------------------


def slow_argmax(row: np.ndarray, k: int) -> list[int]:
    """Return the places of the k largest values; of equal ones the later first."""
    return sorted(range(len(row)), key=lambda i: (row[i], i), reverse=True)[:k]


@pytest.mark.parametrize(("axis", "values"), [(1, False), (1, True), (-1, False), (0, True)])
def test_argmax_along_an_axis(axis, values):
    """The axis gets length top_k, with places, or values where out_max_val says so."""
    param = f"axis: {axis} top_k: 2 out_max_val: {str(values).lower()}"
    net = OneLayer(text("ArgMax", param), SHAPE)
    x = np.random.RandomState(1).randint(0, 3, SHAPE).astype(float)

    (y,) = net.forward(x)

    rows, made = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    for at in np.ndindex(*rows.shape[:3]):
        places = slow_argmax(rows[at], 2)
        np.testing.assert_array_equal(made[at], rows[at][places] if values else places)


@pytest.mark.parametrize(
    ("shape", "made"),
    [((2, 9), (2, 1, 3)), (SHAPE, (2, 1, 3, 1)), ((2, 3, 1, 2, 2), (2, 1, 3, 1, 1))],
)
def test_argmax_of_whole_items(shape, made):
    """Without an axis every item counts as flat; with values there is a second row."""
    x = np.random.RandomState(1).randint(0, 5, shape).astype(float)

    (places,) = OneLayer(text("ArgMax", "top_k: 3"), shape).forward(x)
    (both,) = OneLayer(text("ArgMax", "top_k: 3 out_max_val: true"), shape).forward(x)

    flat = x.reshape(2, -1)
    wanted = np.array([slow_argmax(row, 3) for row in flat])
    assert places.shape == made
    np.testing.assert_array_equal(places.reshape(2, 3), wanted)
    assert both.shape == (2, 2, *made[2:])
    np.testing.assert_array_equal(both[:, 0].reshape(2, 3), wanted)
    np.testing.assert_array_equal(both[:, 1].reshape(2, 3), np.take_along_axis(flat, wanted, 1))


def test_argmax_refuses():
    """There must be top_k values, and there is no gradient."""
    with pytest.raises(PrototxtError, match="top_k is 0: at least 1"):
        OneLayer(text("ArgMax", "top_k: 0"), SHAPE)
    with pytest.raises(ShapeError, match="top_k is 4, but there are only 3 values"):
        OneLayer(text("ArgMax", "top_k: 4 axis: 1"), SHAPE)
    with pytest.raises(ShapeError, match="top_k is 106, but there are only 105"):
        OneLayer(text("ArgMax", "top_k: 106"), SHAPE)
    with pytest.raises(PrototxtError, match="no gradient: choose an end before it"):
        OneLayer(text("ArgMax"), SHAPE).backward()


# -- all ----------------------------------------------------------------------------------------

ALL = {
    "inner_product": (text("InnerProduct", "num_output: 4 axis: 3"), 1),
    "scale": (text("Scale"), 1),
    "scale_by_bottom": (text("Scale", "axis: 0"), 2),
    "bias": (text("Bias"), 1),
    "eltwise": (text("Eltwise"), 2),
    "eltwise_max": (text("Eltwise", "operation: MAX"), 2),
    "eltwise_prod": (text("Eltwise", "operation: PROD"), 2),
    "reduction": (text("Reduction", "axis: 1 operation: SUMSQ"), 1),
}


@pytest.mark.parametrize("name", ALL)
def test_bottoms_that_want_no_gradient_keep_their_diff(name):
    """Backward writes where propagate_down says so, and only there."""
    entry, count = ALL[name]
    net = OneLayer(entry, *[SHAPE] * count)
    net.forward(*(normal(i, *SHAPE) for i in range(count)))
    for blob in net.bottom:
        blob.diff[...] = 7

    diffs = net.backward(np.ones(net.shapes[0]), propagate_down=[False] * count)

    # As in Caffe a Scale, for its factor's gradient, works in the diff of bottom 0.
    assert all((diff == 7).all() for diff in diffs[name == "scale" :])


@pytest.mark.parametrize("name", ALL)
def test_empty_blobs_pass(name):
    """Nothing goes in, nothing (or zero) comes out."""
    entry, count = ALL[name]
    shape = (2, 0, 5, 7)
    net = OneLayer(entry, *[shape] * count)

    (y,) = net.forward(*[np.ones(shape)] * count)

    assert not y.any()
    assert net.backward(y)[0].shape == shape


@pytest.mark.parametrize("name", ALL)
def test_float32_stays_float32(name):
    """Nothing is computed in another precision than the blobs have."""
    entry, count = ALL[name]
    net = OneLayer(entry, *[SHAPE] * count, dtype=np.float32)

    (y,) = net.forward(*(normal(i, *SHAPE) for i in range(count)))
    diffs = net.backward(np.ones(net.shapes[0]))

    assert {y.dtype, *(diff.dtype for diff in diffs)} == {np.dtype(np.float32)}


def test_argmax_counts_nan_as_largest():
    """In Caffe the order among NaN is that of an algorithm."""
    net = OneLayer('type: "ArgMax" argmax_param { top_k: 2 }', (2, 5))
    (y,) = net.forward(np.array([[1, np.nan, 3, 2, 0], [1, 2, np.inf, 4, 5]]))

    np.testing.assert_array_equal(y, [[[1, 2]], [[2, 4]]])
