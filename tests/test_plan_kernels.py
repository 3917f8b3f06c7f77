"""The compiled kernels of the plan, against float64 references from PyTorch and NumPy.

Each kernel runs in two or three ranges, on values that lie among neighbours in one storage, and the
neighbours must stay as they are.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from deepdream.compiling.packing import packed
from deepdream.running.plan import kernels as K
from deepdream.running.plan import winograd as winograd_math

NAN = float("nan")
NOTHING = np.empty(0, np.float32)


class Value:
    """A picture (h, w, c) inside a storage of more channels, with something before and behind it.

    `check` tells whether the numbers are as expected and nothing else in the storage has changed.
    """

    def __init__(self, inner, before=3, behind=2, offset=5):
        inner = np.asarray(inner)
        self.shape = h, w, c = inner.shape
        self.pix = before + c + behind
        fill = np.random.RandomState(7)
        self.flat = (fill.rand(offset + h * w * self.pix + 4) * 100).astype(inner.dtype)
        self.at = (offset + before, self.pix)
        self._where = np.zeros(len(self.flat), bool)
        pixels = self.at[0] + np.arange(h * w) * self.pix
        self._index = (pixels[:, None] + np.arange(c)).ravel()
        self._where[self._index] = True
        self.flat[self._index] = inner.ravel()
        self._outside = self.flat[~self._where].copy()

    @property
    def inner(self):
        return self.flat[self._index].reshape(self.shape)

    def check(self, expected, **tolerance):
        np.testing.assert_array_equal(self.flat[~self._where], self._outside)
        if tolerance:
            np.testing.assert_allclose(self.inner, expected, **tolerance)
        else:
            np.testing.assert_array_equal(self.inner, expected)

    def check_sums(self, expected, terms, sums=None):
        """Like `check`, for sums whose terms' absolute values add up to `terms`.

        Rounding goes by the terms: a sum that all but cancels has the error of a large one. It
        goes by the `sums` too where an activation has made small values of large ones.
        """
        np.testing.assert_array_equal(self.flat[~self._where], self._outside)
        length = np.linalg.norm(expected if sums is None else sums)
        assert np.linalg.norm(self.inner - expected) <= 5e-6 * length
        np.testing.assert_array_less(abs(self.inner - expected), 5e-6 * terms)


def dense(inner):
    return Value(inner, before=0, behind=0, offset=0)


def normal(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def some(*shape, seed=1):
    return (np.random.RandomState(seed).rand(*shape) < 0.6).astype(np.uint8)


def ranges(n, parts=3):
    cuts = [n * i // parts for i in range(parts + 1)]
    return list(zip(cuts, cuts[1:]))


def chw(x):
    """(h, w, c) as a float64 tensor (1, c, h, w)."""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1), np.float64))[None]


def hwc(x):
    return x[0].permute(1, 2, 0).numpy()


def close():
    return {"rtol": 1e-5, "atol": 1e-5}


def activate(x, act, lo, hi):
    """Return the activation's values and mask."""
    if act == K.RELU:
        return np.where(x > 0, x, lo * x), x > 0
    if act == K.CLIP:
        return np.clip(x, lo, hi), (x >= lo) & (x <= hi)
    return x, np.full(x.shape, True)


ACTS = pytest.mark.parametrize("act", [K.NONE, K.RELU, K.CLIP], ids=["none", "relu", "clip"])


# -- pixel by pixel ---------------------------------------------------------------------------


def lines(value, first=0, w=None):
    """Return where a range of pixels lies: all as one line, or in lines of w."""
    offset, pix = value.at
    return offset + first * pix, (w or 0) * pix, pix


@pytest.mark.parametrize("channels", [1, 37, 64])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("accumulate", [True, False])
@ACTS
def test_affine(act, channels, masked, accumulate):
    """y becomes act(factor * scale * x + bias), and the mask tells where the gradient passes."""
    x, bias, scale = normal(3, 7, channels), normal(channels, seed=2), normal(channels, seed=3)
    before = normal(*x.shape, seed=4)
    x[1, 2, 0] = NAN
    value, y = Value(x, 2, 1), Value(before)
    mask = Value(np.full(x.shape, 9, np.uint8), 1, 4, 2)
    for p0, p1 in ranges(21):
        m, m_at = (mask.flat, lines(mask, p0)) if masked else (K.NO_MASK, (0, 0, 0))
        K.affine(value.flat, lines(value, p0), scale, 0.5, bias, channels, act, -0.25, 0.5, m,
                 m_at, y.flat, lines(y, p0), accumulate, (1, p1 - p0))  # fmt: skip

    exact = 0.5 * x.astype(float) * scale + bias + (before if accumulate else 0)
    values, passes = activate(exact, act, -0.25, 0.5)
    y.check(values, **close())
    mask.check(passes if masked and act != K.NONE else 9)


@pytest.mark.parametrize("slope", [0.0, 0.125])
def test_a_gate_stops_gradients(slope):
    """Where the mask is 0 the number becomes the slope times itself, or 0, whatever was there."""
    g, m = normal(5, 3, 19), some(5, 3, 19)
    if not slope:
        g[m == 0] = NAN
    value, mask = Value(g), Value(m, 2, 1)
    nothing = np.empty(0, np.float32)
    for p0, p1 in ranges(15, 2):
        here = value.flat, lines(value, p0)
        K.affine(*here, nothing, 1.0, nothing, 19, K.GATE, slope, 0.0, mask.flat, lines(mask, p0),
                 *here, False, (1, p1 - p0))  # fmt: skip

    value.check(np.where(m, g, slope * g if slope else 0))


# -- products -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 16, 17, 40, 64, 83])
@pytest.mark.parametrize("columns", [1, 3, 5, 14, 31])
@pytest.mark.parametrize("accumulate", [True, False])
@ACTS
def test_products(n, columns, accumulate, act):
    """Each pixel becomes the products of its window's pieces with weights, with bias and end."""
    rows, kh, kw, length, up, across = 2, 2, 3, 5, 2, 2
    image = normal(rows * up + kh, columns * across + kw, 7)
    weight = normal(kh * kw * length, n, seed=1)
    bias, before = normal(n, seed=2), normal(rows, columns, n, seed=3)
    x, y = Value(image), Value(before)
    mask = Value(np.full(before.shape, 9, np.uint8))
    line, step = image.shape[1] * x.pix, x.pix
    K.products(
        x.flat, (x.at[0] + 1, up * line, across * step), (kh, line, kw, step, length),
        packed(weight), 0, n, bias, act, -0.25, 0.5, mask.flat, lines(mask, 0, columns), y.flat,
        lines(y, 0, columns), accumulate, (rows, columns), np.full(K.BLOCK, NAN, np.float32),
    )  # fmt: skip

    exact = np.zeros(before.shape)
    for i, j in np.ndindex(rows, columns):
        window = image[i * up : i * up + kh, j * across : j * across + kw, 1 : 1 + length]
        exact[i, j] = window.astype(float).ravel() @ weight + bias
    exact += before if accumulate else 0
    values, passes = activate(exact, act, -0.25, 0.5)
    y.check(values, **close())
    mask.check(passes if act != K.NONE else 9)


def test_products_have_the_same_bytes_in_every_range():
    """What a pixel becomes does not depend on the pixels beside it."""
    columns, depth, n = 61, 37, 50
    x, weight = normal(1, columns, depth), packed(normal(depth, n, seed=1))
    s, nothing = np.empty(K.BLOCK, np.float32), np.empty(0, np.float32)

    def run(cuts):
        y = np.zeros((columns, n), np.float32)
        for p0, p1 in zip(cuts, cuts[1:]):
            K.products(
                x.ravel(), (p0 * depth, 0, depth), (1, 0, 1, 0, depth), weight, 0, n, nothing,
                K.NONE, 0.0, 0.0, K.NO_MASK, (0, 0, 0), y.reshape(-1), (p0 * n, 0, n), False,
                (1, p1 - p0), s,
            )  # fmt: skip
        return y

    whole = run([0, columns])
    assert np.abs(whole).min() > 0
    for cuts in ([0, 1, 2, 3, columns], [0, 14, 20, 40, columns], [0, 5, 33, 60, columns]):
        np.testing.assert_array_equal(run(cuts), whole)


@pytest.mark.parametrize("channels", [1, 3, 18])
@pytest.mark.parametrize("corner", [(0, 0), (-2, -3), (3, 4), (9, -1), (-7, 2), (2, 30)])
@pytest.mark.parametrize("inside", [True, False])
def test_padded(channels, corner, inside):
    """A part of a picture is copied, with zeros where there is none."""
    x, size = normal(6, 11, channels), (5, 9)
    value, out = Value(x) if inside else dense(x), np.full((*size, channels), NAN, np.float32)
    K.padded(value.flat, value.at, x.shape[:2], channels, corner, out.reshape(-1), size)

    wide = np.pad(x, ((40, 40), (40, 40), (0, 0)))
    (top, left), (h, w) = corner, size
    np.testing.assert_array_equal(out, wide[40 + top : 40 + top + h, 40 + left : 40 + left + w])


@pytest.mark.parametrize("channels", [3, 18])
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("accumulate", [True, False])
def test_spread_out(channels, gated, accumulate):
    """Pixels side by side in one pixel come to their places; those outside are left out."""
    size, stride, start, outer = (3, 4), (2, 3), (-1, -2), (4, 9)
    x, before, m = normal(*size, *stride, channels), normal(*outer, channels, seed=1), None
    m = some(*outer, channels)
    y, mask = Value(before), Value(m)
    gate = (K.GATE, 0.0, mask.flat, mask.at) if gated else (K.NONE, 0.0, K.NO_MASK, (0, 0))
    K.spread_out(x.ravel(), size, start, stride, channels, y.flat, y.at, outer, *gate, accumulate)

    expected = before.copy()
    for i, j, a, b in np.ndindex(*size, *stride):
        row, column = start[0] + i * stride[0] + a, start[1] + j * stride[1] + b
        if 0 <= row < outer[0] and 0 <= column < outer[1]:
            total = x[i, j, a, b] + (before[row, column] if accumulate else 0)
            expected[row, column] = np.where(m[row, column], total, 0) if gated else total
    y.check(expected, **close())


# -- convolutions -------------------------------------------------------------------------------


def out_size(size, kernel, stride, pad, dilation):
    axes = zip(size, kernel, stride, pad, dilation)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)


# -- Winograd ---------------------------------------------------------------------------------


def winograd(x, u, size, channels, pad, y, outputs, sizes, bias, act, mask, accumulate, kernel):
    """Run the three steps of a convolution in ranges of tiles."""
    m = winograd_math.outputs_of(kernel)
    tiles_w = -(-sizes[1] // m)
    for t0, t1 in ranges(winograd_math.tiles(*sizes, m), 2):
        t = t1 - t0
        v = np.full(36 * t * channels, NAN, np.float32)
        s = np.full(K.TILE, NAN, np.float32)
        K.input_transform(x.flat, x.at, size, channels, pad, v, m, tiles_w, t0, t1, s)
        product = v.reshape(36, t, channels) @ u
        K.output_transform(product.ravel(), outputs, y.flat, y.at, sizes, bias, act, -0.25, 0.5,
                           *mask, accumulate, m, tiles_w, t0, t1, s)  # fmt: skip


@ACTS
@pytest.mark.parametrize(
    ("size", "channels", "outputs", "pad", "kernel"),
    [
        ((9, 14), 5, 19, (1, 1), 3),
        ((8, 12), 16, 32, (1, 1), 3),
        ((7, 6), 33, 3, (0, 2), 3),
        ((3, 11), 17, 16, (0, 0), 3),
        ((9, 15), 5, 35, (2, 2), 5),
        ((8, 13), 16, 48, (4, 1), 5),
        ((5, 11), 18, 3, (0, 3), 5),
    ],
)
def test_winograd_forward(size, channels, outputs, pad, kernel, act):
    """The transforms and 36 products are the convolution, for any pad and odd sizes."""
    x, w = normal(*size, channels), normal(outputs, channels, kernel, kernel, seed=1) / 5
    bias = normal(outputs, seed=2)
    operands = chw(x), torch.from_numpy(w).double(), torch.from_numpy(bias).double()
    exact = hwc(F.conv2d(*operands, 1, pad))
    terms = hwc(F.conv2d(*map(torch.abs, operands), 1, pad))
    sizes = exact.shape[:2]
    y, mask = Value(np.zeros_like(exact, np.float32)), Value(np.full(exact.shape, 9, np.uint8))
    there = winograd_math.weights_transform(w)
    winograd(Value(x), there, size, channels, pad, y, outputs, sizes, bias, act,
             (mask.flat, lines(mask, 0, sizes[1])), False, kernel)  # fmt: skip

    values, passes = activate(exact, act, -0.25, 0.5)
    y.check_sums(values, terms, exact)
    near = np.zeros(exact.shape, bool)
    for kink in {K.NONE: [], K.RELU: [0], K.CLIP: [-0.25, 0.5]}[act]:
        near |= abs(exact - kink) < 1e-4
    assert near.mean() < 0.1
    found = mask.inner
    mask.check(np.where(near, found, passes) if act != K.NONE else 9)


@pytest.mark.parametrize("accumulate", [True, False])
@pytest.mark.parametrize(("pad", "kernel"), [((1, 1), 3), ((0, 2), 3), ((2, 2), 5), ((1, 3), 5)])
def test_winograd_backward(accumulate, pad, kernel):
    """With turned weights and pad 2 - p they are the gradient."""
    size, channels, outputs = (9, 14), 18, 5
    w, before = normal(outputs, channels, kernel, kernel) / 5, normal(*size, channels, seed=3)
    sizes = out_size(size, (kernel, kernel), (1, 1), pad, (1, 1))
    g, dx = normal(*sizes, outputs, seed=1), Value(before)
    turned = winograd_math.weights_transform(w, gradient=True)
    rest = (kernel - 1 - pad[0], kernel - 1 - pad[1])
    winograd(Value(g), turned, sizes, outputs, rest, dx, channels, size,
             NOTHING, K.NONE, (K.NO_MASK, (0, 0, 0)), accumulate, kernel)  # fmt: skip

    operands = chw(g), torch.from_numpy(w).double()
    gradient = hwc(F.conv_transpose2d(*operands, None, 1, pad))
    terms = hwc(F.conv_transpose2d(*map(torch.abs, operands), None, 1, pad))
    start = before if accumulate else 0
    dx.check_sums(gradient + start, terms + abs(start))


# -- pooling ----------------------------------------------------------------------------------

POOLINGS = [
    # size, channels, kernel, stride, pad, out: rounded up, and what Caffe's rule makes of it
    ((9, 13), 7, (3, 3), (2, 2), (0, 0), (4, 6)),
    ((10, 14), 33, (3, 3), (2, 2), (0, 0), (5, 7)),
    ((6, 11), 64, (3, 3), (1, 1), (1, 1), (6, 11)),
    ((7, 10), 5, (2, 4), (3, 1), (1, 2), (3, 11)),
    ((8, 9), 3, (2, 2), (3, 4), (0, 0), (3, 3)),
    ((19, 16), 2, (15, 15), (1, 2), (7, 0), (19, 2)),
]
EACH_POOLING = pytest.mark.parametrize(
    ("size", "channels", "kernel", "stride", "pad", "out"), POOLINGS
)


def windows(size, kernel, stride, pad, out):
    """Yield (output place, [(place in the whole window, pixel)], area within the padding)."""
    for i, j in np.ndindex(*out):
        top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
        pixels = [
            (a * kernel[1] + b, (top + a, left + b))
            for a, b in np.ndindex(*kernel)
            if 0 <= top + a < size[0] and 0 <= left + b < size[1]
        ]
        area = min(kernel[0], size[0] + pad[0] - top) * min(kernel[1], size[1] + pad[1] - left)
        yield (i, j), pixels, area


def slow_maximum(x, kernel, stride, pad, out):
    lowest = np.finfo(np.float32).min
    y = np.full((*out, x.shape[2]), lowest, np.float32)
    where = np.full(y.shape, 255, np.uint8)
    for at, pixels, _ in windows(x.shape[:2], kernel, stride, pad, out):
        for place, pixel in pixels:
            better = x[pixel] > y[at]
            y[at] = np.where(better, x[pixel], y[at])
            where[at] = np.where(better, place, where[at])
    return y, where


@EACH_POOLING
def test_max_pool(size, channels, kernel, stride, pad, out):
    """The first maximum wins; NaN never does, and a window of NaN only has no place."""
    x = np.random.RandomState(0).randint(-4, 4, (*size, channels)).astype(np.float32)
    x[np.random.RandomState(1).rand(*x.shape) < 0.2] = NAN
    x[: kernel[0], : kernel[1], 0] = NAN
    x[0, 0, 1] = -np.inf
    y, where = Value(np.zeros((*out, channels), np.float32)), np.zeros((*out, channels), np.uint8)
    value = Value(x)
    for r0, r1 in ranges(out[0]):
        K.max_pool(value.flat, value.at, size, channels, kernel, stride, pad, y.flat, y.at, out,
                   where.ravel(), r0, r1)  # fmt: skip

    values, places = slow_maximum(x, kernel, stride, pad, out)
    y.check(values)
    np.testing.assert_array_equal(where, places)
    assert (where == 255).any()


@EACH_POOLING
@pytest.mark.parametrize("accumulate", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_max_pool_back(size, channels, kernel, stride, pad, out, accumulate, masked):
    """Each gradient goes to the first maximum of its window, and nowhere if there is none."""
    x, before = normal(*size, channels), normal(*size, channels, seed=3)
    g, m = normal(*out, channels, seed=2), some(*size, channels)
    x[: kernel[0], : kernel[1], 0] = NAN
    _, where = slow_maximum(x, kernel, stride, pad, out)
    above, dx, mask = Value(g), Value(before), Value(m)
    source = (mask.flat, mask.at) if masked else (K.NO_MASK, (0, 0))
    for r0, r1 in ranges(size[0]):
        K.max_pool_back(above.flat, above.at, out, channels, kernel, stride, pad, where.ravel(),
                        dx.flat, dx.at, size, *source, accumulate, r0, r1)  # fmt: skip

    expected = before.astype(float) if accumulate else np.zeros(x.shape)
    for at, pixels, _ in windows(size, kernel, stride, pad, out):
        for place, pixel in pixels:
            expected[pixel] += np.where(where[at] == place, g[at], 0)
    dx.check(np.where(m, expected, 0) if masked else expected, **close())


@EACH_POOLING
@pytest.mark.parametrize("accumulate", [True, False])
def test_average_pool_both_ways(size, channels, kernel, stride, pad, out, accumulate):
    """Averages divide by the window's part within picture and padding; so do their gradients."""
    x, before = normal(*size, channels), normal(*size, channels, seed=3)
    g, m = normal(*out, channels, seed=2), some(*size, channels)
    value, above, dx, mask = Value(x), Value(g), Value(before), Value(m)
    y = Value(np.zeros(g.shape, np.float32))
    for r0, r1 in ranges(out[0]):
        K.average_pool(value.flat, value.at, size, channels, kernel, stride, pad, y.flat, y.at,
                       out, r0, r1)  # fmt: skip
    for r0, r1 in ranges(size[0]):
        K.average_pool_back(above.flat, above.at, out, channels, kernel, stride, pad, dx.flat,
                            dx.at, size, mask.flat, mask.at, accumulate, r0, r1)  # fmt: skip

    average = np.zeros(g.shape)
    spread = before.astype(float) if accumulate else np.zeros(x.shape)
    for at, pixels, area in windows(size, kernel, stride, pad, out):
        for _, pixel in pixels:
            average[at] += x[pixel] / area
            spread[pixel] += g[at] / area
    y.check(average, **close())
    dx.check(np.where(m, spread, 0), **close())


# -- LRN --------------------------------------------------------------------------------------


def exact_lrn(x, n, alpha, beta, k):
    total = sum(F.pad(x * x, (n // 2, n // 2)).unfold(2, n, 1).unbind(-1))
    return x * (k + alpha / n * total) ** -beta


@pytest.mark.parametrize("channels", [2, 19, 64])
@pytest.mark.parametrize(("n", "beta"), [(5, 0.75), (3, 0.75), (5, 0.6), (1, 1.5)])
@pytest.mark.parametrize("accumulate", [True, False])
def test_lrn_both_ways(channels, n, beta, accumulate):
    """Values and gradients are those of the formula, by autograd in float64."""
    alpha, k = 0.7, 1.3
    x, g = normal(3, 5, channels), normal(3, 5, channels, seed=1)
    before, m = normal(3, 5, channels, seed=2), some(3, 5, channels)
    value, above, dx, mask = Value(x), Value(g), Value(before), Value(m)
    y = Value(np.zeros_like(x))
    for p0, p1 in ranges(15, 2):
        s = np.full(K.lrn_scratch(channels, n), NAN, np.float32)
        K.lrn(value.flat, value.at, channels, n, alpha, beta, k, y.flat, y.at, p0, p1, s)
        source = (mask.flat, mask.at) if accumulate else (K.NO_MASK, (0, 0))
        K.lrn_back(value.flat, value.at, channels, n, alpha, beta, k, above.flat, above.at,
                   dx.flat, dx.at, *source, accumulate, p0, p1, s)  # fmt: skip

    exact = torch.from_numpy(x).double().requires_grad_()
    out = exact_lrn(exact, n, alpha, beta, k)
    out.backward(torch.from_numpy(g).double())
    gradient = exact.grad.numpy()
    y.check(out.detach().numpy(), **close())
    dx.check(np.where(m, gradient + before, 0) if accumulate else gradient, **close())


# -- depthwise --------------------------------------------------------------------------------

DEPTHWISE = pytest.mark.parametrize(
    ("size", "channels", "kernel", "stride", "pad"),
    [
        ((9, 14), 32, (3, 3), (1, 1), (1, 1)),
        ((8, 13), 19, (3, 3), (2, 2), (1, 1)),
        ((11, 12), 24, (5, 5), (1, 1), (2, 2)),
        ((12, 9), 7, (5, 5), (2, 2), (2, 2)),
        ((7, 10), 5, (2, 4), (3, 1), (0, 3)),
    ],
)


@ACTS
@DEPTHWISE
def test_depthwise(size, channels, kernel, stride, pad, act):
    """Rows of the top are PyTorch's, with bias, activation and mask."""
    x, w = normal(*size, channels), normal(channels, *kernel, seed=1)
    bias = normal(channels, seed=2)
    exact = hwc(
        F.conv2d(
            chw(x),
            torch.from_numpy(w).double()[:, None],
            torch.from_numpy(bias).double(),
            stride,
            pad,
            1,
            channels,
        )
    )
    out = exact.shape[:2]
    value, y = Value(x), Value(np.zeros_like(exact, np.float32))
    mask = Value(np.full(exact.shape, 9, np.uint8))
    weight = np.ascontiguousarray(w.reshape(channels, -1).T).ravel()
    for r0, r1 in ranges(out[0]):
        K.depthwise(value.flat, value.at, size, channels, weight, kernel, stride, pad, y.flat, y.at,
                    out, bias, act, -0.25, 0.5, mask.flat, lines(mask, 0, out[1]), r0,
                    r1)  # fmt: skip

    values, passes = activate(exact, act, -0.25, 0.5)
    y.check(values, **close())
    near = (abs(exact) < 1e-4) | (abs(exact + 0.25) < 1e-4) | (abs(exact - 0.5) < 1e-4)
    assert near.mean() < 0.1
    found = mask.inner
    mask.check(np.where(near, found, passes) if act != K.NONE else 9)


@DEPTHWISE
@pytest.mark.parametrize("accumulate", [True, False])
def test_depthwise_back(size, channels, kernel, stride, pad, accumulate):
    """The gradient is autograd's."""
    x = torch.zeros(1, channels, *size, dtype=torch.float64, requires_grad=True)
    w, before = normal(channels, *kernel, seed=1), normal(*size, channels, seed=3)
    top = F.conv2d(x, torch.from_numpy(w).double()[:, None], None, stride, pad, 1, channels)
    out = tuple(top.shape[2:])
    g = normal(*out, channels, seed=2)
    top.backward(chw(g))
    above, dx = Value(g), Value(before)
    weight = np.ascontiguousarray(w.reshape(channels, -1).T).ravel()
    for r0, r1 in ranges(size[0]):
        K.depthwise_back(above.flat, above.at, out, channels, weight, kernel, stride, pad,
                         dx.flat, dx.at, size, K.NONE, 0.0, 0.0, K.NO_MASK, (0, 0, 0), accumulate,
                         r0, r1)  # fmt: skip

    dx.check(hwc(x.grad) + (before if accumulate else 0), **close())
