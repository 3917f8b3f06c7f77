"""`deepdream.running.rolling`: numpy's roll, piece by piece."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import assert_close

from deepdream.running.rolling import climb, image_of, mean_abs, roll_into, rows_of

H, W = 11, 17
OFFSETS = [(0, 0), (3, -5), (-16, 10), (-40, 37), (17, -11), (1, 0), (0, 1)]


def rows(seed=0):
    return torch.from_numpy(np.random.RandomState(seed).randn(H, W * 3).astype(np.float32))


def rolled(x, ox, oy):
    """Return what numpy's roll makes of rows."""
    image = np.roll(np.roll(image_of(x).numpy(), ox, -1), oy, -2)
    return rows_of(torch.from_numpy(image).contiguous(memory_format=torch.channels_last))


def test_rows_and_image_are_views_of_one_memory():
    """Row i, column j, channel c of the rows is channel c of the pixel."""
    x = rows()
    image = image_of(x)

    assert image.shape == (1, 3, H, W)
    assert image.data_ptr() == x.data_ptr() == rows_of(image).data_ptr()
    assert image[0, 2, 4, 5] == x[4, 5 * 3 + 2]
    assert rows_of(image).shape == x.shape


@pytest.mark.parametrize(("ox", "oy"), OFFSETS)
def test_roll_into_is_numpys_roll(ox, oy):
    """Offsets of either sign, beyond the size too, roll columns by ox and rows by oy."""
    x = rows()
    out = torch.full_like(x, np.nan)
    roll_into(out, x, ox, oy)

    assert torch.equal(out, rolled(x, ox, oy))


@pytest.mark.parametrize(("ox", "oy"), OFFSETS)
def test_roll_into_can_cut(ox, oy):
    """A crop is the crop of the whole rolled picture, wherever the border falls."""
    x = rows()
    for r, c in (
        (slice(0, 4), slice(5, 17)),
        (slice(7, 11), slice(0, 1)),
        (slice(2, 9), slice(3, 9)),
    ):
        out = torch.full((r.stop - r.start, 3 * (c.stop - c.start)), np.nan)
        roll_into(out, x, ox, oy, (r, c))

        assert torch.equal(out, rolled(x, ox, oy)[r, 3 * c.start : 3 * c.stop])


@pytest.mark.parametrize(("ox", "oy"), OFFSETS)
def test_climb_adds_the_gradient_where_it_belongs_and_clips(ox, oy):
    """The picture is moved along the gradient of its rolled self, within its bounds."""
    x, g = rows(1), rows(2)
    low = torch.tensor([-0.5, -0.6, -0.7]).repeat(W)
    high = torch.tensor([0.9, 0.8, 0.7]).repeat(W)
    expected = torch.clamp(x + 0.3 * rolled(g, -ox, -oy), low, high)

    climb(x, g, ox, oy, 0.3, low, high)

    assert_close(x.numpy(), expected.numpy(), 1e-7)


def test_mean_abs_of_a_large_picture():
    """Many values are added without losing digits."""
    g = torch.from_numpy(np.random.RandomState(3).randn(1001, 9003).astype(np.float32))

    assert_close(mean_abs(g).numpy(), np.abs(g.numpy().astype(np.float64)).mean(), 1e-6)
