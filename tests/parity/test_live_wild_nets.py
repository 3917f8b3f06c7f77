"""Networks that this project's authors did not choose, at three sizes and two batch sizes."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import worker
from live import Twins
from wild_nets import NETS

pytestmark = [pytest.mark.pycaffe, pytest.mark.usefixtures("device")]


def pictures(batch, channels, size, seed):
    """Return a batch of pictures that look like photographs to a net, less their mean."""
    return np.stack([worker.natural_image((channels, *size), seed + k) - 120 for k in range(batch)])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("name", NETS)
def test_a_net_of_the_wild(name, number, batch, real_caffe, tmp_path):
    """Every blob, and the gradient at the input from every end, one after the other."""
    wild = NETS[name]
    steps = [{"do": "net", "prototxt": wild.text()}, {"do": "seed", "seed": number + 1}]
    arrays = {}
    for k, (blob, channels) in enumerate(wild.inputs):
        arrays[blob] = pictures(batch, channels, wild.sizes[number], 10 * number + k)
        steps += [
            {"do": "reshape", "blob": blob, "shape": list(arrays[blob].shape)},
            {"do": "write", "blob": blob, "array": blob},
        ]

    twins = Twins(real_caffe, tmp_path, steps, arrays)
    twins.assert_same_structure()
    for words in twins.assert_same_dreams(wild.ends):
        print("excused:", words)
    for blob, _ in wild.inputs:
        assert np.abs(twins.net.blobs[blob].diff).max() > 0
