"""Nets that nobody designed, on both engines."""

from __future__ import annotations

import pytest
from live import Twins
from random_nets import random_net

pytestmark = [pytest.mark.pycaffe, pytest.mark.usefixtures("device")]


@pytest.mark.parametrize("seed", range(40))
def test_a_random_net(seed, real_caffe, tmp_path):
    """Structure, every blob up to a random end, and the gradient of random diffs there."""
    text, end = random_net(seed)
    steps = [
        {"do": "net", "prototxt": text},
        {"do": "seed", "seed": seed},
        {"do": "draw", "blob": "data", "seed": seed + 1},
    ]
    twins = Twins(real_caffe, tmp_path, steps, {})

    twins.assert_same_structure()
    twins.assert_same_dreams([end], [{"do": "draw", "blob": end, "part": "diff", "seed": seed + 2}])
