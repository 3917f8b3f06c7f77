"""From a gradient to a direction, by a few lines each."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as nd
from helpers import assert_close

from deepdream.dreaming.ascent.directions import direction, smoothed
from deepdream.dreaming.pictures.operations import Operations

OPS = Operations()


def gradient(h=37, w=53):
    return (np.random.RandomState(3).standard_normal((h, w, 3)) * 1e-3).astype(np.float32)


def made(g, normalize, weights=None, bands=4):
    d, factor, _ = direction(OPS, g.copy(), normalize, bands, "reflect", weights)
    return d * np.float32(factor)


def test_smooth_is_a_cascade_of_three_gaussians():
    """Half, once and twice the pixels asked for, and their mean."""
    g = gradient()
    expected = sum(nd.gaussian_filter(g, (s, s, 0), mode="mirror") for s in (0.75, 1.5, 3)) / 3

    assert_close(smoothed(OPS, g, 1.5, "reflect"), expected, 1e-5)
    assert smoothed(OPS, g, 0, "reflect") is g


def test_mean_and_std():
    """The notebook's mean change is one; TensorFlow's standard deviation is one."""
    g = gradient()

    assert_close(made(g, "mean"), g / np.abs(g).mean(), 1e-6)
    assert_close(made(g, "std"), g / g.std(), 1e-5)


def test_laplacian_bands_are_equally_strong():
    """As in Mordvintsev's notebook: split, each band to a root mean square of one, merged."""
    g = gradient(40, 56)
    k = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[..., None] / 256

    def lower(x):
        return nd.correlate(x, k, mode="mirror")[::2, ::2]

    def upper(x, shape):
        wide = np.zeros((2 * x.shape[0] + 8, 2 * x.shape[1] + 8, 3))
        wide[::2, ::2] = np.pad(x, ((2, 2), (2, 2), (0, 0)), "reflect")
        return nd.correlate(wide, 4 * k)[4:, 4:][: shape[0], : shape[1]]

    levels, x = [], g.astype(float)
    for _ in range(3):
        levels.append(x - upper(lower(x), x.shape))
        x = lower(x)
    levels = [level / np.sqrt((level**2).mean()) for level in [*levels, x]]
    x = levels.pop()
    for level in levels[::-1]:
        x = upper(x, level.shape) + level

    assert_close(made(g, "laplacian", bands=3), x, 1e-5)


@pytest.mark.parametrize("normalize", ["mean", "std", "laplacian"])
def test_scale_does_not_matter(normalize):
    """A gradient a thousand times as long is the same direction."""
    g = gradient()

    assert_close(made(1000 * g, normalize), made(g, normalize), 1e-5)


@pytest.mark.parametrize("normalize", ["mean", "std", "laplacian"])
def test_a_mask_decides_what_strength_means(normalize):
    """Whatever lies outside of it, inside the steps are as strong."""
    inside = np.zeros((64, 96, 3), np.float32)
    inside[:, :48] = 1
    g = gradient(64, 96)
    other = np.where(inside > 0, g, 9 * g)
    core = (slice(None), slice(0, 32))  # bands reach a little over the edge

    one, two = (made(x, normalize, inside, bands=2)[core] for x in (g, other))
    apart = np.linalg.norm(one - two) / np.linalg.norm(one)
    assert apart < (0.3 if normalize == "laplacian" else 1e-5)
    unweighted = made(other, normalize, bands=2)[core]
    assert np.linalg.norm(unweighted) < 0.4 * np.linalg.norm(one)


def test_what_is_zero_stays_zero():
    """A band without anything in it does not become noise or NaN."""
    flat = np.zeros((32, 48, 3), np.float32)
    flat[...] = np.float32([1, 2, 3])

    assert np.isfinite(made(flat, "laplacian")).all()
    assert direction(OPS, 0 * flat, "mean", 4, "roll").mean == 0
