"""Fillers, and reproducible weights for comparisons."""

from __future__ import annotations

import subprocess
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from google.protobuf import text_format

from deepdream.errors import PrototxtError
from deepdream.reading import caffe_pb2
from deepdream.running import fillers
from deepdream.running.blob import Blob
from deepdream.running.fillers import fill, random_state, seed_weights, set_random_seed


def filled(text: str, *shape: int, seed: int = 3) -> np.ndarray:
    array = np.full(shape, np.nan)
    filler = text_format.Parse(text, caffe_pb2.FillerParameter())
    fill(array, filler, np.random.RandomState(seed))
    return array


def test_constant():
    """The default filler is constant, and its value 0."""
    np.testing.assert_array_equal(filled("", 2, 3), np.zeros((2, 3)))
    np.testing.assert_array_equal(filled("value: 2.5", 2), [2.5, 2.5])


def test_uniform():
    """Numbers lie evenly between min and max."""
    x = filled('type: "uniform" min: -2 max: 6', 100, 101)

    assert -2 <= x.min() < -1.99
    assert 5.99 < x.max() < 6
    assert abs(x.mean() - 2) < 0.1


def test_gaussian():
    """Numbers have the mean and deviation asked for."""
    x = filled('type: "gaussian" mean: 3 std: 0.5', 100, 101)

    assert abs(x.mean() - 3) < 0.02
    assert abs(x.std() - 0.5) < 0.02


def test_sparse_gaussian():
    """On average `sparse` numbers per input are not 0."""
    x = filled('type: "gaussian" sparse: 5', 50, 301)

    assert abs((x != 0).sum(0).mean() - 5) < 0.3
    assert not filled('type: "gaussian" sparse: 0', 5, 7).any()


def test_positive_unitball():
    """Each output's numbers are positive and sum to 1."""
    x = filled('type: "positive_unitball"', 5, 3, 7)

    assert x.min() > 0
    np.testing.assert_allclose(x.sum((1, 2)), np.ones(5))


@pytest.mark.parametrize(
    ("norm", "fan"), [("", 150), ("FAN_IN", 150), ("FAN_OUT", 2000), ("AVERAGE", 1075)]
)
def test_xavier_and_msra(norm, fan):
    """The variance is 1 / n or 2 / n, n being the inputs, the outputs or both on average."""
    norm = norm and f"variance_norm: {norm}"
    shape = (80, 6, 5, 5)

    xavier = filled(f'type: "xavier" {norm}', *shape)
    msra = filled(f'type: "msra" {norm}', *shape)

    np.testing.assert_allclose(np.abs(xavier).max(), np.sqrt(3 / fan), rtol=0.01)
    np.testing.assert_allclose(xavier.var(), 1 / fan, rtol=0.05)
    np.testing.assert_allclose(msra.var(), 2 / fan, rtol=0.05)


def test_xavier_of_a_bias():
    """A blob of one axis has its own length as outputs."""
    x = filled('type: "xavier" variance_norm: FAN_OUT', 1000)

    np.testing.assert_allclose(np.abs(x).max(), np.sqrt(3 / 1000), rtol=0.01)


@pytest.mark.parametrize(
    ("size", "row"), [(4, [0.25, 0.75, 0.75, 0.25]), (3, [0.5, 1, 0.5]), (2, [0.5, 0.5]), (1, [1])]
)
def test_bilinear(size, row):
    """The kernel falls off linearly from its middle along both axes."""
    x = filled('type: "bilinear"', 2, 3, size, size)

    np.testing.assert_allclose(x, np.outer(row, row) * np.ones((2, 3, 1, 1)))


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ('type: "normal"', (2,), "filler type 'normal' is not known: constant, uniform"),
        ('type: "xavier" sparse: 3', (2, 3), "sparse is for gaussian fillers"),
        ('type: "gaussian" sparse: -2', (2, 3), "sparse is -2: -1 to 2"),
        ('type: "gaussian" sparse: 3', (2, 3), "sparse is 3: -1 to 2"),
        ('type: "gaussian" std: -1', (2, 3), "filler std is -1"),
        ('type: "uniform" min: 1 max: 0', (2, 3), "filler min 1 is above max 0"),
        ('type: "bilinear"', (2, 3, 4, 5), "needs square kernels"),
        ('type: "msra"', (), "needs a blob with axes"),
    ],
)
def test_refusals(text, shape, message):
    """A filler that makes no sense is named, with its value and what was expected."""
    with pytest.raises(PrototxtError, match=message):
        filled(text, *shape)


def test_blobs_are_filled_too():
    """A Blob's data is filled, and nothing needs to be there to be filled."""
    blob = Blob(2, 3)

    fill(blob, caffe_pb2.FillerParameter(value=5), random_state())

    np.testing.assert_array_equal(blob.data, np.full((2, 3), 5))
    assert filled('type: "xavier"', 0, 3).size == 0


@pytest.mark.parametrize("kind", ["uniform", "gaussian", "xavier", "msra"])
def test_large_blobs_are_filled_in_parts(kind, monkeypatch):
    """Part by part the numbers differ, and are the same on any number of cores, in any order."""
    text = f'type: "{kind}" min: -2 max: 3 mean: 1 std: 2'
    monkeypatch.setattr(fillers, "PART", 7)
    whole = filled(text, 11, 3, 5)
    monkeypatch.setattr("os.cpu_count", lambda: 1)

    turned = np.zeros((5, 3, 11)).T
    fill(turned, text_format.Parse(text, caffe_pb2.FillerParameter()), np.random.RandomState(3))

    assert len(np.unique(whole)) == whole.size
    np.testing.assert_array_equal(filled(text, 11, 3, 5), whole)
    np.testing.assert_array_equal(turned.astype(whole.dtype), whole)


def test_the_seed_makes_it_repeatable():
    """The same seed gives the same numbers; seeds may be negative or large."""
    drawn = []
    for seed in (7, 7, 8, -1, 2**40 + 7):
        set_random_seed(seed)
        drawn.append(random_state().standard_normal())

    assert drawn[0] == drawn[1] == drawn[4]
    assert len({drawn[0], drawn[2], drawn[3]}) == 3


# -- seed_weights -------------------------------------------------------------------------------


def net_of(**layers: tuple[str, str, list[tuple[int, ...]]]) -> SimpleNamespace:
    """Return what seed_weights needs of a net: name -> (type, bottom, shapes of the blobs)."""
    return SimpleNamespace(
        _layer_names=list(layers),
        layers=[
            SimpleNamespace(
                type=kind, blobs=[SimpleNamespace(shape=s, data=np.zeros(s, "f4")) for s in shapes]
            )
            for kind, _, shapes in layers.values()
        ],
        bottom_names={name: [bottom] for name, (_, bottom, _) in layers.items()},
        inputs=["data"],
    )


def weights(net: SimpleNamespace) -> list[list[np.ndarray]]:
    return [[blob.data for blob in layer.blobs] for layer in net.layers]


def test_seeded_weights_follow_name_and_seed():
    """Each layer's numbers come from its own stream, drawn in order, and rounded once."""
    shapes = [(4, 3, 5, 5), (4,)]
    net = net_of(conv1=("Convolution", "data", shapes), conv2=("Convolution", "x", shapes))

    seed_weights(net, 9)

    for name, (weight, bias), divisor in zip(net._layer_names, weights(net), (60, 1)):
        rng = np.random.RandomState(zlib.crc32(name.encode()) ^ 9)
        wanted = rng.standard_normal(shapes[0]) * np.sqrt(2 / 75) / divisor
        np.testing.assert_allclose(weight, wanted, rtol=1e-6)
        np.testing.assert_allclose(bias, 0.1 * rng.standard_normal(4), rtol=1e-6)


def test_seeded_weights_of_every_type():
    """Each type's numbers have the spread that keeps responses of about one size."""
    many = 4000
    net = net_of(
        ip=("InnerProduct", "data", [(many, 8), (many,)]),
        up=("Deconvolution", "a", [(8, many, 1, 1)]),
        bn=("BatchNorm", "b", [(many,), (many,), (1,)]),
        scale=("Scale", "c", [(many,), (many,)]),
        bias=("Bias", "d", [(many,)]),
        prelu=("PReLU", "e", [(many,)]),
        relu=("ReLU", "f", []),
    )

    seed_weights(net)

    ip, up, bn, scale, bias, prelu, relu = weights(net)
    spread = [w.std() for w in (*ip, *up, bn[0], scale[1], *bias)]
    np.testing.assert_allclose(spread, [0.5, 0.1, 0.5, 0.2, 0.1, 0.1], rtol=0.05)
    for w, low, high in ((bn[1], 0.5, 1.5), (scale[0], 0.6, 1.4), (prelu[0], 0.1, 0.4)):
        assert low <= w.min() < low + 0.01
        assert high - 0.01 < w.max() <= high
    assert (bn[2].tolist(), relu) == ([1], [])


def test_fillers_do_not_need_torch():
    """The real pycaffe's environment has none, and seed_weights must run there."""
    code = "import sys, deepdream.running.fillers; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
