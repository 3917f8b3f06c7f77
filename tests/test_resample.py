"""`deepdream.running.resample`: scipy's zoom on tensors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as nd
import torch
from helpers import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdream.running import resample
from deepdream.running.resample import resize, resize_into


def picture(c, h, w, seed=0):
    return np.random.RandomState(seed).uniform(-120, 140, (c, h, w)).astype(np.float32)


def zoomed(x, h, w):
    h1, w1 = x.shape[-2:]
    return nd.zoom(x, (1, 1.0 * h / h1, 1.0 * w / w1), order=1, mode="nearest")


@settings(deadline=None, derandomize=True, max_examples=200)
@given(*[st.integers(1, 90)] * 4)
def test_resize_is_scipys_zoom(h1, w1, h, w):
    """Every value is scipy's to rounding, for growing and shrinking sizes down to 1."""
    x = picture(3, h1, w1)

    ours = resize(torch.from_numpy(x)[None], h, w)

    assert ours.shape == (1, 3, h, w)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(ours[0].numpy(), zoomed(x, h, w), atol=5e-5)


@pytest.mark.parametrize(("size", "new"), [((5, 8192), (7, 5851)), ((4179, 3), (5851, 2))])
def test_resize_of_a_long_picture_is_scipys(size, new):
    """Positions are exact far from the origin, where float32 has lost thousandths of a pixel."""
    x = picture(3, *size)

    assert_close(resize(torch.from_numpy(x)[None], *new)[0].numpy(), zoomed(x, *new), 2e-7)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bands_and_layouts_do_not_matter(monkeypatch, layout):
    """Made row by row, from either layout, the picture is the same."""
    x = torch.from_numpy(picture(3, 37, 23))[None]
    whole = resize(x, 51, 33)
    monkeypatch.setattr(resample, "_BAND", 1)

    assert torch.equal(resize(x.contiguous(memory_format=layout), 51, 33), whole)


@pytest.mark.parametrize("size", [(51, 33), (37, 23)], ids=["other", "same"])
def test_resize_into_adds_where_asked(size):
    """With `add` the result lands on top of what was there."""
    x = torch.from_numpy(picture(3, 37, 23))[None]
    base = torch.from_numpy(picture(3, *size, seed=1))[None]

    out = resize_into(base.clone(), x, add=True)

    assert_close(out.numpy(), (base + resize(x, *size)).numpy(), 1e-7)
    assert torch.equal(resize_into(base.clone(), x), resize(x, *size))
