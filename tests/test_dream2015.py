"""The notebook's functions, on a net whose every gradient is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as nd
from fakes import FakeNet
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deepdream.dreaming.dream2015 import (
    deepdream,
    deprocess,
    dream_steps,
    guide_features,
    make_step,
    preprocess,
    target_blob,
)
from deepdream.dreaming.objectives import objective_guide
from deepdream.errors import FlatGradientError, ParameterError, UnknownBlobError

MEAN = np.float32([104, 116, 122])


def picture(h=11, w=17, seed=5):
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


def test_preprocess_gives_bgr_without_mean():
    """Channel 0 inside is blue, free of its mean."""
    img = picture()

    x = preprocess(FakeNet(), img)

    assert x.shape == (3, 11, 17)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[0], img[:, :, 2] - MEAN[0])
    np.testing.assert_array_equal(x[2], img[:, :, 0] - MEAN[2])


@settings(deadline=None, derandomize=True, max_examples=50)
@given(arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 7), st.just(3))))
def test_deprocess_is_the_inverse_of_preprocess(img):
    """Whole grey levels come back exactly."""
    net = FakeNet()

    np.testing.assert_array_equal(deprocess(net, preprocess(net, img)), img)


def test_step_moves_by_step_size_on_average():
    """Without clipping, the mean absolute change is step_size, whatever the gradient's size."""
    for weights in ((1.0, -2.0, 3.0), (1e-6, -2e-6, 3e-6)):
        net = FakeNet(weights)
        src = net.blobs["data"]
        src.reshape(1, 3, 11, 17)
        src.data[0] = before = preprocess(net, picture())

        make_step(net, end="top", step_size=2.5, clip=False)

        np.testing.assert_allclose(np.abs(src.data[0] - before).mean(), 2.5, rtol=1e-5)


def test_step_goes_uphill_along_the_gradient():
    """The L2 gradient of w * x is w * w * x, scaled to step_size."""
    net = FakeNet()
    src = net.blobs["data"]
    src.data[0] = before = preprocess(net, picture(5, 7))

    make_step(net, end="top", jitter=0, clip=False)

    g = net.w * net.w * before
    np.testing.assert_allclose(src.data[0], before + 1.5 * g / np.abs(g).mean(), rtol=1e-5)


def test_step_rolls_by_one_draw_of_np_random_width_first_and_back():
    """The net sees the picture rolled by randint(-jitter, jitter + 1, 2): x, then y."""
    net = FakeNet()
    src = net.blobs["data"]
    src.data[0] = before = preprocess(net, picture(5, 7))

    np.random.seed(0)
    make_step(net, end="top", jitter=3, clip=False)

    np.random.seed(0)
    ox, oy = np.random.randint(-3, 4, 2)
    assert (ox, oy) != (0, 0)
    assert ox != oy
    seen = net.seen[0][0]
    np.testing.assert_array_equal(seen[:, oy % 5, ox % 7], before[:, 0, 0])
    g = net.w * net.w * before
    np.testing.assert_allclose(src.data[0], before + 1.5 * g / np.abs(g).mean(), rtol=1e-5)


def test_step_draws_even_without_jitter():
    """jitter=0 uses up the same random numbers, as in the notebook."""
    net = FakeNet()
    net.blobs["data"].data[0] = preprocess(net, picture(5, 7))
    np.random.seed(1)
    make_step(net, end="top", jitter=0)
    after = np.random.randint(1000)

    np.random.seed(1)
    np.random.randint(0, 1, 2)
    assert np.random.randint(1000) == after


def test_step_clips_each_channel_to_its_own_range():
    """With clip, no value leaves [-mean, 255 - mean] of its channel."""
    net = FakeNet()
    src = net.blobs["data"]
    src.data[0] = preprocess(net, picture(5, 7))

    make_step(net, end="top", step_size=500)

    low, high = src.data[0].min(axis=(1, 2)), src.data[0].max(axis=(1, 2))
    np.testing.assert_array_equal(low, -MEAN)
    np.testing.assert_array_equal(high, 255 - MEAN)


def test_scaling_the_objective_changes_nothing():
    """A factor before the gradient cancels out."""
    results = []
    for factor in (1, 1000):

        def objective(dst, factor=factor):
            dst.diff[:] = factor * dst.data

        np.random.seed(3)
        results.append(deepdream(FakeNet(), picture(), end="top", objective=objective))

    np.testing.assert_allclose(results[0], results[1], atol=1e-3)


def test_octaves_have_the_notebooks_sizes():
    """1024x575 is dreamed at 210x373, 294x522, 411x731 and 575x1024 rows and columns."""
    net = FakeNet()
    deepdream(net, picture(575, 1024), iter_n=1, end="top")

    assert [x.shape[2:] for x in net.seen] == [(210, 373), (294, 522), (411, 731), (575, 1024)]


def test_detail_is_carried_from_octave_to_octave():
    """The second octave starts from its base plus the first one's enlarged detail."""
    net = FakeNet()
    img = picture(14, 28)
    deepdream(net, img, iter_n=1, octave_n=2, end="top", jitter=0, step_size=4)

    base = preprocess(net, img)
    small = nd.zoom(base, (1, 1 / 1.4, 1 / 1.4), order=1)
    g = net.w * net.w * small
    moved = np.clip(small + 4 / np.abs(g).mean() * g, -MEAN[:, None, None],
                    255 - MEAN[:, None, None])  # fmt: skip
    detail = nd.zoom(moved - small, (1, 14 / 10, 28 / 20), order=1)
    np.testing.assert_allclose(net.seen[1][0], base + detail, atol=1e-3)


def test_no_iterations_return_the_picture():
    """iter_n=0 gives the picture back."""
    img = picture()

    np.testing.assert_allclose(deepdream(FakeNet(), img, iter_n=0, end="top"), img, atol=1e-4)


def test_one_octave_is_repeated_steps():
    """octave_n=1 equals make_step again and again."""
    img = picture()
    np.random.seed(7)
    dreamed = deepdream(FakeNet(), img, iter_n=3, octave_n=1, end="top")

    net = FakeNet()
    src = net.blobs["data"]
    src.reshape(1, 3, 11, 17)
    src.data[0] = preprocess(net, img)
    np.random.seed(7)
    for _ in range(3):
        make_step(net, end="top")
    np.testing.assert_array_equal(dreamed, deprocess(net, src.data[0]))


def test_steps_pause_where_the_notebook_shows_the_picture():
    """After each step, with the roll undone; run to their end, they are the dream."""
    img, net = picture(14, 28), FakeNet()
    np.random.seed(3)
    shown = [
        (where, deprocess(net, net.blobs["data"].data[0].copy()))
        for where in dream_steps(net, img, 2, 3, end="top", jitter=5)
    ]

    assert [where for where, _ in shown] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert [seen.shape[:2] for _, seen in shown[::2]] == [(7, 14), (10, 20), (14, 28)]
    np.random.seed(3)
    dreamed = deepdream(FakeNet(), img, iter_n=2, octave_n=3, end="top", jitter=5)
    np.testing.assert_array_equal(shown[-1][1], dreamed)


def test_guide_features_are_a_copy_at_the_guides_own_size():
    """The guide goes through the net as large as it is, and its features stay as they were."""
    net = FakeNet()
    guide = picture(9, 13)

    features = guide_features(net, guide, "top")
    net.blobs["top"].data[...] = 0

    np.testing.assert_allclose(features, net.w * preprocess(net, guide), rtol=1e-6)
    make_step(net, end="top", objective=objective_guide(features))


def test_unknown_end_offers_names():
    """An end that is no blob is a KeyError that says which names are near."""
    with pytest.raises(UnknownBlobError, match="no blob named 'tip' among the 2.*'top'"):
        make_step(FakeNet(), end="tip")
    with pytest.raises(KeyError):
        target_blob(FakeNet(), "inception_4c/output")


def test_negative_jitter_is_refused():
    """A negative jitter is an error that names it."""
    with pytest.raises(ParameterError, match="jitter is -1"):
        make_step(FakeNet(), end="top", jitter=-1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda net: net.blobs["data"].data.fill(0), "every value of the blob is zero"),
        (lambda net: net.blobs["data"].data.fill(np.nan), "not finite"),
        (lambda net: setattr(net, "backward", lambda start: None), "force_backward"),
    ],
    ids=["dead", "nan", "no-gradient"],
)
def test_a_flat_gradient_is_explained(spoil, message):
    """Where the notebook would fill the picture with NaN, the cause is named."""
    net = FakeNet()
    net.blobs["data"].data[0] = preprocess(net, picture(5, 7))
    spoil(net)

    with pytest.raises(FlatGradientError, match=message):
        make_step(net, end="top")


def test_an_objective_that_writes_nothing_is_explained():
    """An objective that leaves dst.diff at zero is named as the cause."""
    net = FakeNet()
    net.blobs["data"].data[0] = preprocess(net, picture(5, 7))

    with pytest.raises(FlatGradientError, match=r"objective wrote only zeros"):
        make_step(net, end="top", objective=lambda dst: None)
