"""Layers of Caffe's variants: slow loops, gradients, sizes, what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from one_layer import OneLayer, away_from, check_gradient, distinct, fill_params, normal

from deepdream.errors import PrototxtError, ShapeError
from deepdream.running.layers import TRAIN

pytestmark = pytest.mark.usefixtures("device")

SHAPE = (2, 6, 5, 7)


# -- convolutions of one filter a channel -------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "param"),
    [
        ("DepthwiseConvolution", "num_output: 6 group: 6 kernel_size: 3 pad: 1 stride: 2"),
        ("ConvolutionDepthwise", "num_output: 6 kernel_size: 3 pad: 1 stride: 2"),
        ("ConvolutionDepthwise", "kernel_size: 3 pad: 1 stride: 2"),
    ],
)
def test_depthwise(kind, param):
    """Each channel meets its own filter and nothing else."""
    net = OneLayer(f'type: "{kind}" convolution_param {{ {param} }}', SHAPE)
    fill_params(net, 1)
    weight, bias = (blob.data.copy() for blob in net.layer.blobs)
    x = normal(2, *SHAPE)

    (y,) = net.forward(x)

    assert weight.shape == (6, 1, 3, 3)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for n in range(2):
        for c in range(6):
            for i in range(3):
                for j in range(4):
                    part = padded[n, c, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
                    expected = (part * weight[c, 0]).sum() + bias[c]
                    assert y[n, c, i, j] == pytest.approx(expected, rel=1e-12)
    check_gradient(net, x)


def test_several_filters_a_channel():
    """DepthwiseConvolution reads num_output and group as they stand."""
    net = OneLayer(
        'type: "DepthwiseConvolution" convolution_param { num_output: 12 group: 6 kernel_size: 1 }',
        SHAPE,
    )

    assert net.layer.blobs[0].data.shape == (12, 1, 1, 1)


def test_depthwise_refuses_another_count():
    """A number that contradicts the bottom's channels has no certain meaning."""
    with pytest.raises(PrototxtError, match="num_output is 5: 6, the bottom's channels"):
        OneLayer(
            'type: "ConvolutionDepthwise" convolution_param { num_output: 5 kernel_size: 1 }', SHAPE
        )


# -- ReLU6, Axpy --------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [0, 0.25])
@pytest.mark.parametrize("in_place", [False, True])
def test_relu6(slope, in_place):
    """Between 0 and 6 values stay; the gradient passes strictly between them."""
    text = f'type: "ReLU6" relu6_param {{ negative_slope: {slope} }}'
    x = np.array([-8.0, -1, 0, 0.5, 3, 5.5, 6, 9])
    net = OneLayer(text, x.shape, in_place=in_place)

    (y,) = net.forward(x)
    (diff,) = net.backward(np.full(x.shape, 2.0))

    np.testing.assert_array_equal(y, [-8 * slope, -slope, 0, 0.5, 3, 5.5, 6, 6])
    below = 2 * slope
    np.testing.assert_array_equal(diff, [below, below, below, 2, 2, 2, 0, 0])
    if not in_place:
        check_gradient(OneLayer(text, SHAPE), away_from([0, 6], 4 * normal(3, *SHAPE)))


@pytest.mark.parametrize("in_place", [False, True])
def test_hard_sigmoid(in_place):
    x = np.array([-9.0, -2.6, -1, 0, 2, 2.6, 30])
    net = OneLayer('type: "HardSigmoid"', x.shape, in_place=in_place)

    (y,) = net.forward(x)
    (diff,) = net.backward(np.full(x.shape, 3.0))

    np.testing.assert_allclose(y, [0, 0, 0.3, 0.5, 0.9, 1, 1], rtol=1e-12)
    np.testing.assert_allclose(diff, [0, 0, 0.6, 0.6, 0.6, 0, 0], rtol=1e-12)
    if not in_place:
        net = OneLayer('type: "HardSigmoid"', SHAPE)
        check_gradient(net, away_from([-2.5, 2.5], 2 * normal(3, *SHAPE)))


@pytest.mark.parametrize("in_place", [False, True])
def test_mish(in_place):
    """By the formula, value for value; large values neither overflow nor lose their gradient."""
    x = np.array([-700.0, -20, -3, -0.5, 0, 1, 8, 700])
    net = OneLayer('type: "Mish"', x.shape, in_place=in_place)

    (y,) = net.forward(x)
    (diff,) = net.backward(np.ones(x.shape))

    wanted = [v * math.tanh(math.log1p(math.exp(v))) if v < 30 else v for v in x]
    np.testing.assert_allclose(y, wanted, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(diff[[0, 4, 7]], [0, 0.6, 1], atol=1e-12)
    if not in_place:
        check_gradient(OneLayer('type: "Mish"', SHAPE), 3 * normal(3, *SHAPE))


@pytest.mark.parametrize("factors", [(2, 6), (2, 6, 1, 1)])
def test_axpy(factors):
    """y = a x + b, a for each channel of each item."""
    net = OneLayer('type: "Axpy"', factors, SHAPE, SHAPE)
    a, x, b = normal(1, *factors), normal(2, *SHAPE), normal(3, *SHAPE)

    (y,) = net.forward(a, x, b)

    for n in range(2):
        for c in range(6):
            np.testing.assert_allclose(y[n, c], a[n, c] * x[n, c] + b[n, c], rtol=1e-12)
    check_gradient(net, a, x, b)


def test_axpy_refuses():
    with pytest.raises(ShapeError, match=r"\(n, c\), \(n, c, h, w\) and \(n, c, h, w\)"):
        OneLayer('type: "Axpy"', (2, 5), SHAPE, SHAPE)


# -- values in other places ---------------------------------------------------------------------


def test_shuffle_channel():
    """The first channel of each group, then the second of each."""
    net = OneLayer('type: "ShuffleChannel" shuffle_channel_param { group: 3 }', SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)
    (diff,) = net.backward(y)

    np.testing.assert_array_equal(y, x[:, [0, 2, 4, 1, 3, 5]])
    np.testing.assert_array_equal(diff, x)
    check_gradient(net, x)
    with pytest.raises(ShapeError, match="form 4 groups"):
        OneLayer('type: "ShuffleChannel" shuffle_channel_param { group: 4 }', SHAPE)


@pytest.mark.parametrize(
    ("order", "axes"), [((0, 2, 3, 1), (0, 2, 3, 1)), ((3, 1), (3, 1, 0, 2)), ((), (0, 1, 2, 3))]
)
def test_permute(order, axes):
    """Axes that are not named follow in their order."""
    numbers = " ".join(f"order: {axis}" for axis in order)
    net = OneLayer(f'type: "Permute" permute_param {{ {numbers} }}', SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    for place in np.ndindex(*y.shape):
        source = [0] * 4
        for axis, index in zip(axes, place):
            source[axis] = index
        assert y[place] == x[tuple(source)]
    check_gradient(net, x)


def test_permute_refuses():
    with pytest.raises(PrototxtError, match="names an axis twice"):
        OneLayer('type: "Permute" permute_param { order: 1 order: 1 }', SHAPE)
    with pytest.raises(PrototxtError, match="order is 4: 0 to 3 is expected"):
        OneLayer('type: "Permute" permute_param { order: 4 }', SHAPE)


def test_transpose():
    net = OneLayer(
        'type: "Transpose" transpose_param { dim: 3 dim: 2 dim: 0 dim: 1 }', SHAPE
    )  # fmt: skip
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    for n, c, i, j in np.ndindex(*SHAPE):
        assert y[j, i, n, c] == x[n, c, i, j]
    check_gradient(net, x)
    with pytest.raises(PrototxtError, match="2 dim for 4 axes: one for each is expected"):
        OneLayer('type: "Transpose" transpose_param { dim: 1 dim: 0 }', SHAPE)


def darknet(x, s, reverse, shape):
    """Darknet's loops, on flat memory: ``reorg_cpu`` with the bottom's sizes."""
    n, c, h, w = x.shape
    out, few = np.zeros(x.size), c // s**2
    flat = x.reshape(-1)
    for b in range(n):
        for k in range(c):
            for j in range(h):
                for i in range(w):
                    here = i + w * (j + h * (k + c * b))
                    w2, h2 = i * s + k // few % s, j * s + k // few // s
                    there = w2 + w * s * (h2 + h * s * (k % few + few * b))
                    if reverse:
                        out[there] = flat[here]
                    else:
                        out[here] = flat[there]
    return out.reshape(shape)


@pytest.mark.parametrize("reverse", ["false", "true"])
def test_reorg(reverse):
    """As Darknet does it, which is not what its name says."""
    bottom = (2, 18, 6, 9)
    top = (2, 2, 18, 27) if reverse == "true" else (2, 162, 2, 3)
    net = OneLayer(f'type: "Reorg" reorg_param {{ stride: 3 reverse: {reverse} }}', bottom)
    x = normal(1, *bottom)

    (y,) = net.forward(x)

    np.testing.assert_array_equal(y, darknet(x, 3, reverse == "true", top))
    check_gradient(net, x)


def test_reorg_refuses():
    with pytest.raises(ShapeError, match="no multiple of stride"):
        OneLayer('type: "Reorg" reorg_param { stride: 2 }', (1, 6, 4, 4))
    with pytest.raises(ShapeError, match="height 5 and width 4"):
        OneLayer('type: "Reorg" reorg_param { stride: 2 }', (1, 8, 5, 4))


# -- Normalize ----------------------------------------------------------------------------------


@pytest.mark.parametrize("across", ["true", "false"])
@pytest.mark.parametrize("shared", ["true", "false"])
def test_normalize(across, shared):
    """Length 1 for each picture or each of its pixels, times the scale."""
    net = OneLayer(
        f'type: "Normalize" norm_param {{ across_spatial: {across} channel_shared: {shared} '
        "eps: 0.25 }",
        SHAPE,
    )
    fill_params(net, 4)
    scale = np.broadcast_to(net.layer.blobs[0].data, 6)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    for n in range(2):
        for i in range(5):
            for j in range(7):
                part = x[n] if across == "true" else x[n, :, i, j]
                expected = scale * x[n, :, i, j] / np.sqrt(0.25 + (part * part).sum())
                np.testing.assert_allclose(y[n, :, i, j], expected, rtol=1e-12)
    check_gradient(net, x)


# -- other sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("param", "spatial"),
    [
        ("height: 9 width: 4", (9, 4)),
        ("height: 1 width: 1", (1, 1)),
        ("height: 5 width: 7", (5, 7)),
        ("zoom_factor: 3", (13, 19)),
        ("shrink_factor: 2", (3, 4)),
        ("shrink_factor: 2 zoom_factor: 2", (5, 7)),
        ("height: 6 width: 6 pad_beg: -1 pad_end: -2", (6, 6)),
        ("zoom_factor: 2 pad_beg: -1", (7, 11)),
    ],
)
def test_interp(param, spatial):
    """Corners on corners, linear between; what is cut off does not count."""
    net = OneLayer(f'type: "Interp" interp_param {{ {param} }}', SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    assert y.shape == (2, 6, *spatial)
    begin = 1 if "pad_beg" in param else 0
    end = 2 if "pad_end" in param else 0
    inner = x[:, :, begin : 5 - end, begin : 7 - end]
    h, w = inner.shape[2:]
    for r in range(spatial[0]):
        for c in range(spatial[1]):
            at_y = r * (h - 1) / (spatial[0] - 1) if spatial[0] > 1 else 0
            at_x = c * (w - 1) / (spatial[1] - 1) if spatial[1] > 1 else 0
            y0, x0 = int(at_y), int(at_x)
            y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
            fy, fx = at_y - y0, at_x - x0
            expected = (1 - fy) * ((1 - fx) * inner[:, :, y0, x0] + fx * inner[:, :, y0, x1])
            expected = expected + fy * ((1 - fx) * inner[:, :, y1, x0] + fx * inner[:, :, y1, x1])
            np.testing.assert_allclose(y[:, :, r, c], expected, atol=1e-12)
    check_gradient(net, x)


@pytest.mark.parametrize(
    ("param", "error", "message"),
    [
        ("", PrototxtError, "height and width, zoom_factor or shrink_factor"),
        ("height: 3", PrototxtError, "height and width"),
        ("zoom_factor: 2 pad_beg: 1", PrototxtError, "0 or less is expected"),
        ("zoom_factor: 2 pad_beg: -5", ShapeError, "too small"),
    ],
)
def test_interp_refuses(param, error, message):
    with pytest.raises(error, match=message):
        OneLayer(f'type: "Interp" interp_param {{ {param} }}', SHAPE)


@pytest.mark.parametrize(
    ("param", "size", "kernel"),
    [
        ("scale: 2", (6, 8), 2),
        ("", (6, 8), 2),
        ("scale: 2 pad_out_h: true", (5, 8), 2),
        ("scale_h: 2 scale_w: 2 pad_out_w: true", (6, 7), 2),
        ("upsample_h: 5 upsample_w: 8", (5, 8), 2),
    ],
)
def test_upsample_by_the_places_of_a_maximum(param, size, kernel):
    """Each value goes where the maximum was found; its gradient comes from there."""
    picture = distinct(1, 2, 3, *size)
    pool = OneLayer(
        f'type: "Pooling" pooling_param {{ kernel_size: {kernel} stride: 2 }}',
        picture.shape,
        tops=2,
    )
    values, places = pool.forward(picture)
    net = OneLayer(f'type: "Upsample" upsample_param {{ {param} }}', values.shape, places.shape)

    (y,) = net.forward(values, places)

    assert y.shape == picture.shape
    expected = np.zeros_like(picture)
    for n, c, i, j in np.ndindex(*values.shape):
        where = int(places[n, c, i, j])
        expected[n, c, where // size[1], where % size[1]] = values[n, c, i, j]
    np.testing.assert_array_equal(y, expected)
    check_gradient(net, values, places, bottoms=[0])
    assert [net.layer.allow_force_backward(i) for i in (0, 1)] == [True, False]


@pytest.mark.parametrize(
    ("param", "size"), [("unpool_size: 8", (8, 8)), ("unpool_h: 7 unpool_w: 10", (7, 10))]
)
def test_unpooling(param, size):
    """Values at the places where the pooling found them."""
    picture = normal(1, 2, 3, *size)
    pool = OneLayer(
        'type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }', picture.shape, tops=2
    )
    values, places = pool.forward(picture)
    text = f'type: "Unpooling" unpooling_param {{ unpool: MAX kernel_size: 2 stride: 2 {param} }}'
    net = OneLayer(text, values.shape, places.shape)

    (y,) = net.forward(values, places)

    expected = np.zeros_like(picture)
    for n, c, i, j in np.ndindex(*values.shape):
        where = int(places[n, c, i, j])
        expected[n, c, where // size[1], where % size[1]] = values[n, c, i, j]
    np.testing.assert_array_equal(y, expected)
    check_gradient(net, values, places, bottoms=[0])


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("kernel_size: 2 stride: 2", "unpool_size, or both"),
        ("unpool_h: 8", "unpool_size, or both"),
        ("unpool: TILE unpool_size: 8", "unpool is TILE: only MAX"),
    ],
)
def test_unpooling_refuses(param, message):
    with pytest.raises(PrototxtError, match=message):
        OneLayer(f'type: "Unpooling" unpooling_param {{ {param} }}', SHAPE, SHAPE)


def test_upsample_repeats():
    """With one bottom every value becomes a square."""
    net = OneLayer('type: "Upsample" upsample_param { scale: 3 }', SHAPE)
    x = normal(1, *SHAPE)

    (y,) = net.forward(x)

    for i, j in np.ndindex(15, 21):
        np.testing.assert_array_equal(y[:, :, i, j], x[:, :, i // 3, j // 3])
    check_gradient(net, x)


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("scale: 2 scale_h: 2 scale_w: 2", "scale, or both of"),
        ("scale_h: 2", "scale, or both of"),
        ("upsample_h: 9", "only one is given"),
        ("scale: 3 pad_out_h: true", "need scale 2"),
    ],
)
def test_upsample_refuses(param, message):
    with pytest.raises(PrototxtError, match=message):
        OneLayer(f'type: "Upsample" upsample_param {{ {param} }}', SHAPE, SHAPE)


def test_upsample_refuses_places_of_a_larger_picture():
    net = OneLayer('type: "Upsample"', (1, 1, 2, 2), (1, 1, 2, 2))

    with pytest.raises(ShapeError, match="place 16 lies outside a top of 16 pixels"):
        net.forward(np.ones((1, 1, 2, 2)), np.full((1, 1, 2, 2), 16.0))


# -- BN of both kinds ---------------------------------------------------------------------------


def batch(x, eps):
    """Return x of mean 0 and variance 1 in each channel, and both statistics."""
    mean, var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for c in range(x.shape[1]):
        mean[c] = x[:, c].sum() / x[:, c].size
        var[c] = ((x[:, c] - mean[c]) ** 2).sum() / x[:, c].size
    wide = (1, -1, 1, 1)
    return (x - mean.reshape(wide)) / np.sqrt(var + eps).reshape(wide), mean, var


@pytest.mark.parametrize("in_place", [False, True])
def test_segnets_bn_only_scales_and_shifts(in_place):
    """bn_mode: INFERENCE has no statistics at all."""
    net = OneLayer('type: "BN" bn_param { bn_mode: INFERENCE }', SHAPE, in_place=in_place)
    fill_params(net, 1)
    scale, shift = (blob.data.copy() for blob in net.layer.blobs)
    x, g = normal(2, *SHAPE), normal(3, *SHAPE)

    (y,) = net.forward(x)
    (diff,) = net.backward(g)

    assert scale.shape == shift.shape == (1, 6, 1, 1)
    np.testing.assert_allclose(y, x * scale + shift, rtol=1e-12)
    np.testing.assert_allclose(diff, g * scale, rtol=1e-12)
    if not in_place:
        check_gradient(net, x)


@pytest.mark.parametrize(
    "param",
    ["bn_mode: LEARN", 'scale_filler { type: "constant" value: 1 } shift_filler { value: 0.001 }'],
)
def test_segnets_bn_learns_in_test_too(param):
    """By the batch, whatever the phase; two more tops tell its statistics."""
    net = OneLayer(f'type: "BN" bn_param {{ {param} }}', SHAPE, tops=3)
    fill_params(net, 1)
    scale, shift = (blob.data.copy() for blob in net.layer.blobs)
    x = normal(2, *SHAPE)

    y, told_mean, told_var = net.forward(x)

    normalised, mean, var = batch(x, 1e-9)
    np.testing.assert_allclose(y, normalised * scale + shift, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(told_mean.reshape(-1), mean, rtol=1e-12)
    np.testing.assert_allclose(told_var.reshape(-1), var, rtol=1e-9)
    alone = OneLayer(f'type: "BN" bn_param {{ {param} }}', SHAPE)
    fill_params(alone, 1)
    check_gradient(alone, x)


@pytest.mark.parametrize(
    ("param", "eps"),
    [
        ("", 1e-5),
        ("frozen: true momentum: 0.95", 1e-5),
        ('slope_filler { type: "constant" value: 1 } bias_filler { value: 0 } eps: 0.01', 0.01),
        ("scale_filler { value: 1 } shift_filler { value: 0 } var_eps: 0.001 decay: 0.9", 0.001),
    ],
)
@pytest.mark.parametrize("in_place", [False, True])
def test_bn_with_stored_statistics(param, eps, in_place):
    """Four blobs: slope, bias, mean, variance."""
    net = OneLayer(f'type: "BN" bn_param {{ {param} }}', SHAPE, in_place=in_place)
    eps = float(np.float32(eps))  # as a prototxt's field holds it
    for k, blob in enumerate(net.layer.blobs):
        blob.data[...] = normal(k, *blob.shape)
    net.layer.blobs[3].data[...] = net.layer.blobs[3].data ** 2 + 0.5
    slope, bias, mean, var = (blob.data.copy() for blob in net.layer.blobs)
    x, g = normal(9, *SHAPE), normal(10, *SHAPE)

    (y,) = net.forward(x)
    (diff,) = net.backward(g)

    np.testing.assert_allclose(y, slope * (x - mean) / np.sqrt(var + eps) + bias, rtol=1e-9)
    np.testing.assert_allclose(diff, g * slope / np.sqrt(var + eps), rtol=1e-12)
    factor, shift = net.layer.affine()
    np.testing.assert_allclose(
        y, x * factor.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1), rtol=1e-9, atol=1e-12
    )
    if not in_place:
        check_gradient(net, x)


@pytest.mark.parametrize(
    ("param", "phase"), [("momentum: 0.9", TRAIN), ("var_eps: 1e-5 moving_average: false", 1)]
)
def test_bn_by_the_batch(param, phase):
    """In TRAIN, or where the description wants it so."""
    net = OneLayer(f'type: "BN" bn_param {{ {param} }}', SHAPE, phase=phase)
    for k, blob in enumerate(net.layer.blobs):
        blob.data[...] = 1 + normal(k, *blob.shape) ** 2
    slope, bias = (blob.data.copy() for blob in net.layer.blobs[:2])
    x = normal(9, *SHAPE)

    (y,) = net.forward(x)

    np.testing.assert_allclose(y, slope * batch(x, 1e-5)[0] + bias, rtol=1e-7, atol=1e-12)
    check_gradient(net, x)


@pytest.mark.parametrize(
    ("param", "tops", "message"),
    [
        ("bn_mode: LEARN frozen: true", 1, "keep one kind"),
        ("axis: 2", 1, "axis is 2"),
        ("frozen: true", 2, "only SegNet's LEARN"),
        ("bn_mode: INFERENCE", 3, "only SegNet's LEARN"),
    ],
)
def test_bn_refuses(param, tops, message):
    with pytest.raises(PrototxtError, match=message):
        OneLayer(f'type: "BN" bn_param {{ {param} }}', SHAPE, tops=tops)


# -- fields that variants added to BVLC's layers ------------------------------------------------


@pytest.mark.parametrize(("param", "top"), [("false", (3, 4)), ("true", (4, 4))])
def test_ceil_mode_of_pooling(param, top):
    """false is BVLC's round_mode: FLOOR, true what Caffe always did."""
    text = "kernel_size: 3 stride: 2"
    net = OneLayer(f'type: "Pooling" pooling_param {{ {text} ceil_mode: {param} }}', (1, 2, 8, 9))
    mode = {"false": "FLOOR", "true": "CEIL"}[param]
    same = OneLayer(f'type: "Pooling" pooling_param {{ {text} round_mode: {mode} }}', (1, 2, 8, 9))
    x = distinct(1, 1, 2, 8, 9)

    np.testing.assert_array_equal(net.forward(x)[0], same.forward(x)[0])
    assert net.shapes == [(1, 2, *top)]


def test_ceil_mode_and_round_mode_must_agree():
    with pytest.raises(PrototxtError, match="say different things"):
        OneLayer(
            'type: "Pooling" pooling_param { kernel_size: 2 ceil_mode: true round_mode: FLOOR }',
            SHAPE,
        )


@pytest.mark.parametrize("phase", [TRAIN, 1])
def test_nvidias_batch_norm_has_a_scale_and_a_bias(phase):
    """Five blobs; the last two come after the normalisation, in every mode."""
    net = OneLayer('type: "BatchNorm" batch_norm_param { scale_bias: true }', SHAPE, phase=phase)
    plain = OneLayer('type: "BatchNorm"', SHAPE, phase=phase)
    for one in (net, plain):
        for k, blob in enumerate(one.layer.blobs):
            blob.data[...] = 1 + normal(k, *blob.shape) ** 2
    scale, bias = (blob.data.reshape(1, -1, 1, 1) for blob in net.layer.blobs[3:])
    x = normal(9, *SHAPE)

    (y,), (normalised,) = net.forward(x), plain.forward(x)

    np.testing.assert_allclose(y, normalised * scale + bias, rtol=1e-12)
    check_gradient(net, x)


def test_spatial_dropout_copies_in_test():
    net = OneLayer('type: "SpatialDropout"', SHAPE)
    x = normal(1, *SHAPE)

    np.testing.assert_array_equal(net.forward(x)[0], x)
    check_gradient(net, x)
    with pytest.raises(PrototxtError, match="TEST phase only"):
        OneLayer('type: "SpatialDropout"', SHAPE, phase=TRAIN)


def test_segnets_dropout_drops_in_test_too():
    """sample_weights_test: a sample of the net, as Bayesian SegNet wants it."""
    net = OneLayer('type: "Dropout" dropout_param { sample_weights_test: true }', SHAPE)
    x = away_from([0], normal(1, *SHAPE))

    (y,) = net.forward(x)
    (diff,) = net.backward(np.ones(SHAPE))

    assert set(np.unique(np.round(y / x, 9))) == {0, 2}
    np.testing.assert_allclose(diff, y / x, rtol=1e-9)
