"""Every layer type against the real Caffe, forward and backward, from golden data."""

from __future__ import annotations

import pytest
from golden_cases import LAYERS, all_cases
from helpers import load_golden, run_ours

pytestmark = pytest.mark.usefixtures("device")

CASES = all_cases(*LAYERS)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_computes_what_caffe_computes(name):
    """Tops, gradients of bottoms and of parameters equal Caffe's."""
    golden = load_golden(name)

    results, facts = run_ours(golden.steps, golden.arrays)

    golden.check(results, facts)
