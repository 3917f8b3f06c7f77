"""Convolution, Deconvolution, Pooling."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from one_layer import OneLayer, check_gradient, distinct, fill_params, normal

from deepdream.errors import PrototxtError, ShapeError

pytestmark = pytest.mark.usefixtures("device")

LOWEST = np.finfo(np.float32).min


def conv(text: str, kind: str = "Convolution") -> str:
    return f'type: "{kind}" convolution_param {{ {text} }}'


def pool(text: str) -> str:
    return f'type: "Pooling" pooling_param {{ {text} }}'


# -- slow loops -------------------------------------------------------------------------------


def taps(outs, kernel, stride, pad, dilation, sizes):
    """Yield (output position, kernel position, input position) for every pair that meets."""
    for out in np.ndindex(*outs):
        for tap in np.ndindex(*kernel):
            place = tuple(
                o * s - p + t * d for o, s, p, t, d in zip(out, stride, pad, tap, dilation)
            )
            if all(0 <= at < size for at, size in zip(place, sizes)):
                yield out, tap, place


def slow_convolution(x, weight, bias, outs, stride, pad, dilation, group):
    """Correlate x (n, c, *spatial) with weight (o, c / group, *kernel)."""
    n, channels = x.shape[:2]
    outputs = len(weight)
    y = np.zeros((n, outputs, *outs)) + bias.reshape(-1, *(1,) * len(outs))
    for item, output in np.ndindex(n, outputs):
        first = output // (outputs // group) * (channels // group)
        for channel in range(channels // group):
            for out, tap, at in taps(outs, weight.shape[2:], stride, pad, dilation, x.shape[2:]):
                y[(item, output, *out)] += (
                    weight[(output, channel, *tap)] * x[(item, first + channel, *at)]
                )
    return y


def slow_deconvolution(x, weight, bias, outs, stride, pad, dilation, group):
    """Paint weight (c, o / group, *kernel) into the output, once for every value of x."""
    n, channels = x.shape[:2]
    per_group = weight.shape[1]
    y = np.zeros((n, per_group * group, *outs)) + bias.reshape(-1, *(1,) * len(outs))
    for item, channel, output in np.ndindex(n, channels, per_group):
        first = channel // (channels // group) * per_group
        for at, tap, out in taps(x.shape[2:], weight.shape[2:], stride, pad, dilation, outs):
            y[(item, first + output, *out)] += (
                weight[(channel, output, *tap)] * x[(item, channel, *at)]
            )
    return y


def windows(size, out, kernel, stride, pad):
    """Return first and last pixel (not included) of each window, not cut at the picture's ends."""
    return [(o * stride - pad, o * stride - pad + kernel) for o in range(out)]


def slow_pooling(x, outs, kernel, stride, pad, average):
    """Return maximum or average of each window, and where each maximum is."""
    n, channels, height, width = x.shape
    y, where = np.zeros((n, channels, *outs)), -np.ones((n, channels, *outs))
    rows = windows(height, outs[0], kernel[0], stride[0], pad[0])
    columns = windows(width, outs[1], kernel[1], stride[1], pad[1])
    for item, c, i, j in np.ndindex(n, channels, *outs):
        (top, bottom), (left, right) = rows[i], columns[j]
        bottom, right = min(bottom, height + pad[0]), min(right, width + pad[1])
        area = (bottom - top) * (right - left)
        best, at, total = LOWEST, -1, 0.0
        for row, column in itertools.product(
            range(max(top, 0), min(bottom, height)), range(max(left, 0), min(right, width))
        ):
            total += x[item, c, row, column]
            if x[item, c, row, column] > best:
                best, at = x[item, c, row, column], row * width + column
        y[item, c, i, j] = np.divide(total, np.float64(area)) if average else best
        where[item, c, i, j] = at
    return y, where


# -- Convolution and Deconvolution ------------------------------------------------------------

CONVOLUTIONS = {
    # name: (parameters, bottom, spatial top, stride, pad, dilation, group)
    "plain": ("kernel_size: 3", (2, 3, 5, 7), (3, 5), (1, 1), (0, 0), (1, 1), 1),
    "stride_pad": (
        "kernel_size: 3 stride: 2 pad: 1", (2, 3, 5, 8), (3, 4), (2, 2), (1, 1), (1, 1), 1),
    "1x1": ("kernel_size: 1", (2, 3, 4, 5), (4, 5), (1, 1), (0, 0), (1, 1), 1),
    "1x7": (
        "kernel_h: 1 kernel_w: 7 pad_h: 0 pad_w: 3",
        (1, 3, 4, 9), (4, 9), (1, 1), (0, 3), (1, 1), 1),
    "pairs": (
        "kernel_h: 2 kernel_w: 3 stride_h: 3 stride_w: 1 pad_h: 1 pad_w: 2",
        (1, 3, 5, 7), (2, 9), (3, 1), (1, 2), (1, 1), 1),
    "repeated": (
        "kernel_size: 2 kernel_size: 3 stride: 1 stride: 2 pad: 1 pad: 0",
        (1, 3, 5, 7), (6, 3), (1, 2), (1, 0), (1, 1), 1),
    "group": ("kernel_size: 2 group: 3", (2, 6, 4, 5), (3, 4), (1, 1), (0, 0), (1, 1), 3),
    "depthwise": ("kernel_size: 3 group: 9", (1, 9, 4, 5), (2, 3), (1, 1), (0, 0), (1, 1), 9),
    "dilation": (
        "kernel_size: 3 dilation: 2 pad: 1", (1, 3, 6, 7), (4, 5), (1, 1), (1, 1), (2, 2), 1),
    "kernel_larger": (
        "kernel_size: 7 stride: 4 pad: 1", (1, 3, 3, 4), (1, 1), (4, 4), (1, 1), (1, 1), 1),
    "kernel_larger_dilation": (
        "kernel_h: 3 kernel_w: 2 stride: 3 pad_h: 1 dilation: 5 dilation: 10",
        (1, 3, 7, 9), (1, 1), (3, 3), (1, 0), (5, 10), 1),
    "one_axis": ("kernel_size: 3 stride: 2", (2, 3, 8), (3,), (2,), (0,), (1,), 1),
    "three_axes": (
        "kernel_size: 2 stride: 1 stride: 2 stride: 1 pad: 0 pad: 1 pad: 0",
        (1, 3, 3, 4, 5), (2, 3, 4), (1, 2, 1), (0, 1, 0), (1, 1, 1), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_equals_the_textbook_loops(name):
    """Every kind of kernel, stride, pad, dilation and group gives the plain sum of products."""
    text, shape, outs, stride, pad, dilation, group = CONVOLUTIONS[name]
    net = OneLayer(conv(f"num_output: 9 {text}"), shape)
    fill_params(net, 1)
    x = normal(3, *shape)

    (y,) = net.forward(x)

    weight, bias = (blob.data for blob in net.layer.blobs)
    wanted = slow_convolution(x, weight, bias, outs, stride, pad, dilation, group)
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_gradient(name):
    """The gradients of picture, weights and bias are those of the forward pass."""
    text, shape = CONVOLUTIONS[name][:2]
    net = OneLayer(conv(f"num_output: 9 {text}"), shape)
    fill_params(net, 1)

    check_gradient(net, normal(3, *shape))


DECONVOLUTIONS = {
    "enlarge": (
        "kernel_size: 4 stride: 2 pad: 1", (2, 3, 4, 5), (8, 10), (2, 2), (1, 1), (1, 1), 1),
    "group": (
        "kernel_size: 3 stride: 2 group: 3 dilation: 2",
        (1, 6, 3, 4), (9, 11), (2, 2), (0, 0), (2, 2), 3),
    "pairs": (
        "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 3",
        (1, 2, 3, 4), (4, 12), (1, 3), (0, 0), (1, 1), 1),
    "one_axis": ("kernel_size: 3 stride: 2", (2, 3, 4), (9,), (2,), (0,), (1,), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", DECONVOLUTIONS)
def test_deconvolution_equals_the_textbook_loops(name):
    """Every value of the bottom paints its kernel into the top."""
    text, shape, outs, stride, pad, dilation, group = DECONVOLUTIONS[name]
    net = OneLayer(conv(f"num_output: 6 {text}", "Deconvolution"), shape)
    fill_params(net, 1)
    x = normal(3, *shape)

    (y,) = net.forward(x)

    weight, bias = (blob.data for blob in net.layer.blobs)
    wanted = slow_deconvolution(x, weight, bias, outs, stride, pad, dilation, group)
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", DECONVOLUTIONS)
def test_deconvolution_gradient(name):
    """The gradients of picture, weights and bias are those of the forward pass."""
    text, shape = DECONVOLUTIONS[name][:2]
    net = OneLayer(conv(f"num_output: 6 {text}", "Deconvolution"), shape)
    fill_params(net, 1)

    check_gradient(net, normal(3, *shape))


@pytest.mark.parametrize(
    ("kind", "weight"), [("Convolution", (6, 2, 3, 5)), ("Deconvolution", (4, 3, 3, 5))]
)
def test_weights_have_caffes_shape(kind, weight):
    """Outputs come first in a convolution's weights, inputs in a deconvolution's."""
    net = OneLayer(conv("num_output: 6 group: 2 kernel_h: 3 kernel_w: 5", kind), (1, 4, 7, 8))

    assert [tuple(blob.shape) for blob in net.layer.blobs] == [weight, (6,)]


def test_convolution_over_other_axes():
    """The axes before ``axis`` count as items; without spatial axes a matrix product is left."""
    net = OneLayer(conv("num_output: 4 kernel_size: 2 axis: -2"), (2, 3, 5, 7))
    flat = OneLayer(conv("num_output: 4 kernel_size: 1"), (3, 5))
    fill_params(net, 1)
    fill_params(flat, 1)
    x = normal(3, 2, 3, 5, 7)

    (y,) = net.forward(x)
    (z,) = flat.forward(x[0, :, :, 0])

    weight, bias = (blob.data for blob in net.layer.blobs)
    wanted = slow_convolution(x.reshape(6, 5, 7), weight, bias, (6,), (1,), (0,), (1,), 1)
    np.testing.assert_allclose(y, wanted.reshape(2, 3, 4, 6), rtol=1e-12)
    weight, bias = (blob.data for blob in flat.layer.blobs)
    np.testing.assert_allclose(z, x[0, :, :, 0] @ weight.reshape(4, 5).T + bias, rtol=1e-12)
    check_gradient(net, x)
    check_gradient(flat, x[0, :, :, 0])


def test_several_bottoms_share_the_filters():
    """Each bottom has its top, and the weights gather the gradients of all."""
    net = OneLayer(conv("num_output: 4 kernel_size: 2"), (2, 3, 4, 5), (2, 3, 4, 5), tops=2)
    fill_params(net, 1)
    a, b = normal(3, 2, 3, 4, 5), normal(4, 2, 3, 4, 5)

    both = net.forward(a, b)

    single = OneLayer(conv("num_output: 4 kernel_size: 2"), (2, 3, 4, 5))
    fill_params(single, 1)
    np.testing.assert_array_equal(both[0], single.forward(a)[0])
    np.testing.assert_array_equal(both[1], single.forward(b)[0])
    check_gradient(net, a, b)


def test_parameter_gradients_add_up_and_can_be_switched_off():
    """Weights gather gradients over passes where ``param_diffs`` says so, and only there."""
    net = OneLayer(conv("num_output: 4 kernel_size: 2"), (1, 3, 4, 5))
    fill_params(net, 1)
    net.forward(normal(3, 1, 3, 4, 5))
    g = normal(4, *net.shapes[0])
    net.backward(g)
    once = [blob.diff.copy() for blob in net.layer.blobs]
    net.layer.param_diffs = [False, True]

    net.backward(g)

    assert np.abs(once[0]).min() > 0
    np.testing.assert_array_equal(net.layer.blobs[0].diff, once[0])
    np.testing.assert_allclose(net.layer.blobs[1].diff, 2 * once[1], rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        conv("num_output: 4 kernel_size: 2"),
        conv("num_output: 4 kernel_size: 2", "Deconvolution"),
        pool("kernel_size: 2"),
        pool("kernel_size: 2 pool: AVE"),
    ],
    ids=["convolution", "deconvolution", "max", "average"],
)
def test_a_bottom_that_wants_no_gradient_keeps_its_diff(text):
    """Backward writes where propagate_down says so, and only there."""
    net = OneLayer(text, (1, 3, 4, 5))
    net.forward(normal(3, 1, 3, 4, 5))
    net.bottom[0].diff[...] = 7

    (diff,) = net.backward(normal(4, *net.shapes[0]), propagate_down=[False])

    assert (diff == 7).all()


@pytest.mark.parametrize(
    ("text", "bottom", "top"),
    [
        ("kernel_size: 11 stride: 4", (1, 3, 10, 18), (1, 2, 1, 2)),  # -1 / 4 is 0 in C++
        ("kernel_size: 7", (1, 3, 6, 9), (1, 2, 0, 3)),
        ("kernel_size: 7 stride: 2 pad: 3", (10, 3, 224, 237), (10, 2, 112, 119)),
        ("kernel_size: 3 stride: 2", (1, 3, 227, 230), (1, 2, 113, 114)),
        ("kernel_size: 3 dilation: 5", (1, 3, 11, 13), (1, 2, 1, 3)),
    ],
)
def test_convolution_sizes(text, bottom, top):
    """The size division truncates toward zero, as in C++."""
    net = OneLayer(conv("num_output: 2 " + text), bottom)

    assert net.shapes == [top]


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_empty_pictures_pass_filters(kind):
    """A size of 0 gives an empty top, or one of padding only, and zero gradients."""
    net = OneLayer(conv("num_output: 2 kernel_size: 2", kind), (1, 3, 1, 5))
    wide = OneLayer(conv("num_output: 2 kernel_size: 2 pad: 2"), (1, 3, 0, 5))
    fill_params(wide, 1)

    (y,) = net.forward(np.zeros((1, 3, 1 if kind == "Convolution" else 0, 5)))
    (z,) = wide.forward(np.zeros((1, 3, 0, 5)))

    assert y.shape[2] == (0 if kind == "Convolution" else 1)
    assert z.shape == (1, 2, 3, 8)
    np.testing.assert_array_equal(z, z[:, :, :1, :1] + np.zeros_like(z))
    np.testing.assert_array_equal(z[0, :, 0, 0], wide.layer.blobs[1].data)
    assert not net.backward(y)[0].any()
    assert wide.backward(z)[0].shape == (1, 3, 0, 5)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("kernel_size: 3", (1, 3, 5, 5), "num_output is 0: at least 1"),
        ("num_output: 4294967295 kernel_size: 3", (1, 3, 5, 5), "num_output is 4294967295"),
        ("num_output: 2", (1, 3, 5, 5), "kernel_size is given 0 times: 1 or 2"),
        ("num_output: 2 kernel_size: 0", (1, 3, 5, 5), "kernel_size is 0: at least 1"),
        ("num_output: 2 kernel_h: 3", (1, 3, 5, 5), "kernel_w is 0: at least 1"),
        ("num_output: 2 kernel_size: 3 kernel_h: 3 kernel_w: 3", (1, 3, 5, 5), "both given"),
        ("num_output: 2 kernel_size: 3 stride: 0", (1, 3, 5, 5), "stride is 0"),
        ("num_output: 2 kernel_size: 3 stride: 1 stride_h: 2", (1, 3, 5, 5), "stride.*both"),
        ("num_output: 2 kernel_size: 3 pad: 1 pad_w: 2", (1, 3, 5, 5), "pad and pad_h.*both"),
        ("num_output: 2 kernel_size: 3 pad: 2147483648", (1, 3, 5, 5), "pad is 2147483648"),
        ("num_output: 2 kernel_size: 3 dilation: 0", (1, 3, 5, 5), "dilation is 0"),
        ("num_output: 2 kernel_size: 3 kernel_size: 3 kernel_size: 3", (1, 3, 5, 5), "3 times"),
        ("num_output: 2 kernel_h: 3 kernel_w: 3", (1, 3, 5), "need 2 spatial axes"),
        ("num_output: 2 kernel_size: 1 axis: 0", (1, 3, 5, 5, 5), "4 spatial axes"),
        ("num_output: 2 kernel_size: 3 group: 0", (1, 3, 5, 5), "group is 0"),
        ("num_output: 3 kernel_size: 3 group: 3", (1, 4, 5, 5), "4 input channels.*3 groups"),
        ("num_output: 4 kernel_size: 3 group: 3", (1, 3, 5, 5), "num_output 4.*3 groups"),
        ("num_output: 2 kernel_size: 3 axis: 4", (1, 3, 5, 5), "axis 4 does not exist"),
        ("num_output: 2 kernel_size: 1000000", (1, 3, 5, 5), "more than 2147483647 values"),
    ],
)
def test_convolution_refuses(text, shape, message):
    """A parameter that makes no sense is named, with its value and what was expected."""
    with pytest.raises((PrototxtError, ShapeError), match=message):
        OneLayer(conv(text), shape)


@pytest.mark.parametrize(
    "text",
    [
        "kernel_size: 2 dilation: 2147483647 stride: 2147483647",
        "kernel_size: 3 pad: 2147483647 stride: 2147483647",
    ],
)
def test_enormous_steps_take_no_memory(text):
    """What lies far beyond the picture is not laid out: it is zero."""
    net = OneLayer(conv(f"num_output: 2 {text}"), (1, 3, 5, 7))
    fill_params(net, 1)

    check_gradient(net, normal(3, 1, 3, 5, 7))


def test_deconvolution_refuses_what_it_would_cut_off():
    """Before the padding is cut off a top has a size too."""
    text = "num_output: 2 kernel_size: 1 stride: 2147483647 pad: 2147483640"
    with pytest.raises(ShapeError, match="a top 4294967295 long"):
        OneLayer(conv(text, "Deconvolution"), (1, 2, 3, 3))


def test_convolution_refuses_pictures_that_do_not_fit():
    """Channels and axes stay as they were; a kernel cannot be far larger than the picture."""
    layer = OneLayer(conv("num_output: 2 kernel_size: 7"), (1, 3, 9, 9)).layer

    with pytest.raises(ShapeError, match="4 channels, the weights expect 3"):
        layer.top_shapes([(1, 4, 9, 9)])
    with pytest.raises(ShapeError, match="3 axes .* 4 expected"):
        layer.top_shapes([(1, 3, 9)])
    with pytest.raises(ShapeError, match=r"too small: kernel \(7, 7\).* would give \(-2, 3\)"):
        layer.top_shapes([(1, 3, 4, 9)])
    with pytest.raises(ShapeError, match="equal ones are needed"):
        layer.top_shapes([(1, 3, 9, 9), (1, 3, 9, 8)])


@pytest.mark.parametrize(
    "text",
    [
        'type: "Convolution" convolution_param { num_output: 3 kernel_size: 1 }',
        'type: "Deconvolution" convolution_param { num_output: 3 kernel_size: 1 }',
        'type: "Pooling" pooling_param { kernel_size: 2 }',
    ],
)
def test_no_work_in_place(text):
    """Caffe overwrites the bottom before it is read."""
    with pytest.raises(PrototxtError, match="cannot work in place"):
        OneLayer(text, (1, 3, 9, 7), in_place=True)


# -- Pooling ----------------------------------------------------------------------------------

POOLINGS = {
    # name: (parameters, bottom, spatial top, kernel, stride, pad)
    "stem": ("kernel_size: 3 stride: 2", (2, 3, 8, 13), (4, 6), (3, 3), (2, 2), (0, 0)),
    "block": ("kernel_size: 3 pad: 1", (1, 2, 5, 7), (5, 7), (3, 3), (1, 1), (1, 1)),
    "floor": (
        "kernel_size: 3 stride: 2 round_mode: FLOOR",
        (1, 2, 8, 13), (3, 6), (3, 3), (2, 2), (0, 0)),
    "padded_end": (
        "kernel_size: 2 stride: 2 pad: 1", (1, 2, 5, 6), (3, 4), (2, 2), (2, 2), (1, 1)),
    "pad_beyond_half": (
        "kernel_size: 3 stride: 2 pad: 2", (1, 2, 6, 7), (4, 5), (3, 3), (2, 2), (2, 2)),
    "pairs": (
        "kernel_h: 2 kernel_w: 5 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 3",
        (1, 2, 5, 7), (3, 9), (2, 5), (2, 1), (0, 3)),
    "small_picture": ("kernel_size: 3 stride: 2", (1, 2, 2, 3), (1, 1), (3, 3), (2, 2), (0, 0)),
    "gaps": ("kernel_size: 2 stride: 3", (1, 2, 5, 8), (2, 3), (2, 2), (3, 3), (0, 0)),
    "global": ("global_pooling: true", (2, 3, 5, 7), (1, 1), (5, 7), (1, 1), (0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_equals_the_textbook_loops(name, method):
    """Values and, for MAX, places of the first maximum are those of plain loops, ties included."""
    text, shape, outs, kernel, stride, pad = POOLINGS[name]
    tops = 2 if method == "MAX" else 1
    net = OneLayer(pool(f"{text} pool: {method}"), shape, tops=tops)
    x = np.random.RandomState(1).randint(0, 4, shape).astype(float)

    made = net.forward(x)

    wanted, where = slow_pooling(x, outs, kernel, stride, pad, method == "AVE")
    assert made[0].shape == (*shape[:2], *outs)
    np.testing.assert_allclose(made[0], wanted, rtol=1e-13)
    if method == "MAX":
        np.testing.assert_array_equal(made[1], where)


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_gradient(name, method):
    """The gradient is that of the forward pass."""
    text, shape = POOLINGS[name][:2]

    check_gradient(OneLayer(pool(f"{text} pool: {method}"), shape), distinct(1, *shape))


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_both_ways_to_pool_agree(method):
    """NumPy and PyTorch's kernels give the same tops and gradients, ties included."""
    for k, s, p in itertools.product(range(1, 6), range(1, 6), range(0, 3)):
        if s > k or 2 * p > k:
            continue
        text = pool(f"pool: {method} kernel_size: {k} stride: {s} pad: {p}")
        x = np.random.RandomState(k).randint(0, 3, (1, 2, 9, 7)).astype(float)
        made = []
        for device in ("cpu", "torch"):
            net = OneLayer(text, x.shape, device=device)
            made.append([*net.forward(x), *net.backward(normal(s, *net.shapes[0]))])

        for ours, theirs in zip(*made):
            np.testing.assert_allclose(ours, theirs, atol=1e-13, err_msg=f"{k} {s} {p}")


def test_pooling_sizes_equal_counted_windows():
    """Windows start every stride pixels until one reaches the padded end; padded ones not in it."""
    for k, s, p, size in itertools.product(range(1, 6), range(1, 6), range(5), range(5, 21)):
        if p >= k:
            continue
        count, start = 1, -p
        while start + k < size + p:
            count, start = count + 1, start + s
        if p and start >= size:
            count -= 1
        layer = OneLayer(pool(f"kernel_size: {k} stride: {s} pad: {p}"), (1, 1, 5, 5)).layer

        assert layer.top_shapes([(2, 3, size, size)])[0] == (2, 3, count, count), (k, s, p, size)


@pytest.mark.parametrize(
    ("text", "bottom", "spatial"),
    [
        ("kernel_size: 3 stride: 2", (1, 2), (0, 1)),
        ("kernel_size: 7", (6, 9), (0, 3)),
        ("kernel_size: 3 stride: 2", (224, 225), (112, 112)),
        # Padding along the width alone makes Caffe look at the height too: its last window is lost.
        ("kernel_h: 1 kernel_w: 3 stride_h: 3 stride_w: 1 pad_h: 0 pad_w: 1", (5, 6), (2, 6)),
        ("kernel_h: 1 kernel_w: 3 stride_h: 3 stride_w: 1", (5, 6), (3, 4)),
    ],
)
def test_pooling_sizes_at_the_edge(text, bottom, spatial):
    """Sizes round up; a picture one step too small gives size 0."""
    assert OneLayer(pool(text), (1, 2, *bottom)).shapes == [(1, 2, *spatial)]


def test_global_pooling_follows_the_picture():
    """With global_pooling the kernel is the picture, also after its size has changed."""
    net = OneLayer(pool("pool: AVE global_pooling: true"), (1, 2, 4, 5))
    x = normal(1, 1, 2, 7, 3)

    (y,) = net.forward(x)

    np.testing.assert_allclose(y, x.mean((2, 3), keepdims=True), rtol=1e-12)


def test_nan_never_wins_a_maximum():
    """NaN is passed over; a window of nothing else gives the lowest float32 and no gradient."""
    net = OneLayer(pool("kernel_size: 2 stride: 2"), (1, 1, 2, 4))
    x = np.array([np.nan, 3, np.nan, np.nan, 5, np.nan, np.nan, np.nan]).reshape(1, 1, 2, 4)

    (y,) = net.forward(x)
    (diff,) = net.backward(np.array([2.0, 7.0]).reshape(y.shape))

    np.testing.assert_array_equal(y.ravel(), [5, LOWEST])
    np.testing.assert_array_equal(diff.ravel(), [0, 0, 0, 0, 2, 0, 0, 0])


def test_windows_behind_the_picture():
    """A stride beyond the kernel can leave a window empty: the lowest number, or 0 / 0."""
    x = np.arange(1.0, 5).reshape(1, 1, 1, 4)
    maximum = OneLayer(pool("kernel_size: 1 stride: 2"), (1, 1, 1, 4))
    average = OneLayer(pool("pool: AVE kernel_size: 1 stride: 2"), (1, 1, 1, 4))

    (y,), (z,) = maximum.forward(x), average.forward(x)

    np.testing.assert_array_equal(y[0, 0, 0], [1, 3, LOWEST])
    np.testing.assert_array_equal(z[0, 0, 0], [1, 3, np.nan])
    np.testing.assert_array_equal(maximum.backward(np.ones_like(y))[0].ravel(), [1, 0, 1, 0])


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_empty_pictures_pass_pooling(method):
    """Without rows in or out nothing is computed, and the gradient is zero."""
    net = OneLayer(pool(f"pool: {method} kernel_size: 3 stride: 2"), (1, 2, 1, 5))
    bare = OneLayer(pool(f"pool: {method} global_pooling: true"), (1, 2, 3, 5))

    (y,) = net.forward(np.ones((1, 2, 1, 5)))
    (z,) = bare.forward(np.ones((1, 2, 0, 5)))

    assert y.shape == (1, 2, 0, 2)
    assert not net.backward(y)[0].any()
    assert z.shape == (1, 2, 1, 1)
    assert bare.backward(z)[0].shape == (1, 2, 0, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "kernel_size is missing"),
        ("kernel_size: 0", "kernel_size is 0: at least 1"),
        ("kernel_size: 4294967295", "kernel_size is 4294967295: 1 to 2147483647"),
        ("kernel_h: 3", "only one is given"),
        ("kernel_size: 3 kernel_h: 3 kernel_w: 3", "kernel_size and kernel_h/kernel_w are both"),
        ("kernel_size: 3 stride: 0", "stride is 0"),
        ("kernel_size: 3 stride: 2 stride_h: 2 stride_w: 2", "stride.*both given"),
        ("kernel_size: 3 pad: 3", "pad is 3: less than the kernel's 3"),
        ("kernel_size: 3 pad_h: 1", "pad_h and pad_w only one"),
        ("kernel_size: 3 pad: 1 pool: STOCHASTIC", "pad is for MAX and AVE"),
        ("global_pooling: true kernel_size: 3", "global_pooling takes no kernel_size"),
        ("global_pooling: true stride: 2", "global_pooling takes no"),
        ("kernel_size: 2147483647", "too small"),
    ],
)
def test_pooling_refuses(text, message):
    """A parameter that makes no sense is named, with its value and what was expected."""
    with pytest.raises((PrototxtError, ShapeError), match=message):
        OneLayer(pool(text), (1, 2, 5, 7))


def test_pooling_refuses_other_uses():
    """Four axes are needed, a second top with MAX only, and STOCHASTIC cannot run."""
    with pytest.raises(ShapeError, match="3 axes .* 4 expected"):
        OneLayer(pool("kernel_size: 2"), (2, 5, 7))
    with pytest.raises(PrototxtError, match="pool: MAX only"):
        OneLayer(pool("kernel_size: 2 pool: AVE"), (1, 2, 5, 7), tops=2)
    with pytest.raises(PrototxtError, match="only MAX and AVE can run"):
        OneLayer(pool("kernel_size: 2 pool: STOCHASTIC"), (1, 2, 5, 7)).forward()
    with pytest.raises(ShapeError, match="run forward before backward"):
        OneLayer(pool("kernel_size: 2"), (1, 2, 5, 7)).backward()


def test_windows_tell_what_an_output_sees():
    """Kernel with dilation, stride and pad are told; what sees everything tells nothing."""
    padded = "num_output: 2 kernel_size: 3 dilation: 2 stride: 2 pad: 1"

    assert OneLayer(conv(padded), (1, 3, 9, 9)).layer.window() == ((5, 5), (2, 2), (1, 1))
    assert OneLayer(conv(padded), (1, 3, 9)).layer.window() is None
    assert OneLayer(pool("kernel_size: 2 stride: 3"), (1, 3, 9, 9)).layer.window() == (
        (2, 2), (3, 3), (0, 0))  # fmt: skip
    assert OneLayer(pool("global_pooling: true"), (1, 3, 9, 9)).layer.window() is None
    assert OneLayer(conv(padded, "Deconvolution"), (1, 3, 9, 9)).layer.window() is None
