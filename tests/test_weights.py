"""Weights find their layers, whatever Caffe wrote the file."""

from __future__ import annotations

import numpy as np
import pytest

from deepdream.errors import WeightsError
from deepdream.reading.caffe_pb2 import NetParameter
from deepdream.reading.proto import parse_prototxt
from deepdream.running.net import Net

TEXT = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
  inner_product_param { num_output: 3 } }
"""
W, B = np.arange(15, dtype=np.float32), np.array([7, 8, 9], np.float32)


def net_and_file(tmp_path, shapes, diffs=False):
    """Return the net without weights, and a file with W and B in these shapes."""
    file = NetParameter()
    layer = file.layer.add(name="fc", type="InnerProduct")
    for values, shape in zip((W, B), shapes):
        blob = layer.blobs.add(data=values, diff=values if diffs else ())
        blob.shape.dim.extend(shape)
    path = tmp_path / "x.caffemodel"
    path.write_bytes(file.SerializeToString())
    return Net(parse_prototxt(TEXT), 1), path


@pytest.mark.parametrize(
    "shapes",
    [[(3, 5), (3,)], [(1, 1, 3, 5), (1, 1, 1, 3)], [(1, 1, 3, 5), (3,)]],
    ids=["as they are", "four axes", "one of each"],
)
def test_ones_in_front_do_not_count(tmp_path, shapes):
    """Four axes with 1 in front fit fewer, in files of the current format as in those of 2014."""
    net, path = net_and_file(tmp_path, shapes)

    net.copy_from(path)

    np.testing.assert_array_equal(net.params["fc"][0].data, W.reshape(3, 5))
    np.testing.assert_array_equal(net.params["fc"][1].data, B)


def test_one_number_a_channel_has_two_forms(tmp_path):
    """NVIDIA's (1, c, 1, 1) fits (c), as a bias or BatchNorm's mean, and the other way round."""
    net, path = net_and_file(tmp_path, [(3, 5), (1, 3, 1, 1)])

    net.copy_from(path)

    np.testing.assert_array_equal(net.params["fc"][1].data, B)
    net = Net(
        parse_prototxt(
            'layer { name: "x" type: "Input" top: "x" '
            "input_param { shape { dim: 1 dim: 3 dim: 2 dim: 4 } } }"
            'layer { name: "bn" type: "BN" bottom: "x" top: "bn" bn_param { bn_mode: INFERENCE } }'
        ),
        1,
    )
    file = NetParameter()
    layer = file.layer.add(name="bn", type="BN")
    for values in (B, 2 * B):
        layer.blobs.add(data=values).shape.dim.extend([3])
    path.write_bytes(file.SerializeToString())

    net.copy_from(path)

    np.testing.assert_array_equal(net.params["bn"][1].data.reshape(-1), 2 * B)


@pytest.mark.parametrize(
    "shapes",
    [[(3, 5, 1, 1), (3,)], [(5, 3), (3,)], [(1, 3, 5), (3,)], [(3, 5), (3, 1, 1, 1)]],
    ids=["ones behind", "turned", "three axes", "bias"],
)
def test_other_shapes_do_not_fit(tmp_path, shapes):
    """As many numbers in another order would be another net."""
    net, path = net_and_file(tmp_path, shapes)

    with pytest.raises(WeightsError, match=r"of layer 'fc' is .*expects \(3"):
        net.copy_from(path)


def test_stored_gradients_are_passed_over(tmp_path):
    """A file from the middle of a training holds diffs, which Caffe would load."""
    net, path = net_and_file(tmp_path, [(3, 5), (3,)], diffs=True)

    net.copy_from(path)

    for blob in net.params["fc"]:
        assert blob.data.any()
        assert not blob.diff.any()


BN = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "bn" }
"""
C3 = np.array([2, 3, 5], np.float32)
NVIDIA = [C3, 4 * C3, np.array([1], np.float32), C3 + 1, C3 - 7]


def batch_norm_file(tmp_path, blobs):
    """Return a file with a BatchNorm layer's blobs, each as (1, c, 1, 1)."""
    file = NetParameter()
    layer = file.layer.add(name="bn", type="BatchNorm")
    for values in blobs:
        layer.blobs.add(data=values).shape.dim.extend([1, len(values), 1, 1])
    path = tmp_path / "nvidia.caffemodel"
    path.write_bytes(file.SerializeToString())
    return path


def test_nvidias_scale_and_bias_are_used_though_the_prototxt_names_none(tmp_path):
    """Five blobs are mean, variance, 1, scale and bias, whichever of the two files says so."""
    path = batch_norm_file(tmp_path, NVIDIA)
    x = np.random.RandomState(1).standard_normal((2, 3, 4, 5)).astype(np.float32)

    with pytest.warns(UserWarning, match="'bn' .BatchNorm. has a scale and a bias, as NVIDIA's"):
        net = Net(parse_prototxt(BN), 1, weights=path)
    (y,) = net.forward(x=x).values()

    mean, var, _, scale, bias = (np.float64(blob).reshape(1, -1, 1, 1) for blob in NVIDIA)
    wanted = (x - mean) / np.sqrt(var + 1e-5) * scale + bias
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


def test_a_net_that_is_built_already_says_what_to_add(tmp_path):
    net = Net(parse_prototxt(BN), 1)
    with pytest.raises(WeightsError, match="mean, variance, 1, scale and bias.\nAdd batch_norm"):
        net.copy_from(batch_norm_file(tmp_path, NVIDIA))


@pytest.mark.parametrize("blobs", [NVIDIA[:4], [*NVIDIA[:2], *NVIDIA[3:], NVIDIA[2]]])
def test_other_blobs_of_batch_norm_are_refused(tmp_path, blobs):
    """What they mean is not certain."""
    path = batch_norm_file(tmp_path, blobs)
    with pytest.raises(WeightsError, match="belong to different models"):
        Net(parse_prototxt(BN), 1, weights=path)
