"""What pycaffe's Net promises, on a small net with branches."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TEST, TINY, tiny_net, write_tiny

from deepdream.errors import (
    CaffemodelError,
    EngineError,
    MissingFileError,
    NetArgumentError,
    OutOfMemoryError,
    ParameterError,
    PrototxtError,
    ShapeError,
    UnknownBlobError,
    UnknownLayerError,
    UnknownLayerTypeError,
    WeightsError,
)
from deepdream.reading.proto import parse_prototxt, read_caffemodel
from deepdream.running.net import Net

LAYERS = [
    "data", "conv1", "relu1", "pool1", "norm1", "norm1_norm1_0_split", "a/1x1", "a/relu_1x1",
    "a/3x3_reduce", "a/relu_3x3_reduce", "a/3x3", "a/relu_3x3", "a/pool", "a/output", "pool2",
    "fc", "prob",
]  # fmt: skip


def net_of(text, **options):
    return Net(parse_prototxt(text), TEST, **options)


def put(net, seed=1, shape=None):
    """Fill the data blob with a seeded picture."""
    src = net.blobs["data"]
    if shape is not None:
        src.reshape(*shape)
    src.data[...] = np.random.RandomState(seed).uniform(-120, 120, src.data.shape)
    return src


def test_names_and_order_are_pycaffes():
    """Layers with splits, blobs in order of making, tops and bottoms as wired."""
    net = tiny_net()

    assert list(net._layer_names) == LAYERS
    assert list(net.blobs) == [
        "data", "conv1", "pool1", "norm1", "norm1_norm1_0_split_0", "norm1_norm1_0_split_1",
        "norm1_norm1_0_split_2", "a/1x1", "a/3x3_reduce", "a/3x3", "a/pool", "a/output", "pool2",
        "fc", "prob",
    ]  # fmt: skip
    assert net.inputs == ["data"]
    assert net.outputs == ["prob"]
    assert net.bottom_names["a/pool"] == ["norm1_norm1_0_split_2"]
    assert list(net.params) == ["conv1", "a/1x1", "a/3x3_reduce", "a/3x3", "fc"]
    assert [tuple(b.shape) for b in net.params["conv1"]] == [(6, 3, 5, 5), (6,)]
    assert net.layer_dict["a/3x3"].type == "Convolution"
    assert net._top_ids(5) == [4, 5, 6]
    assert net._bottom_ids(5) == [3]


def test_outputs_are_sorted_by_bytes():
    """Never-read tops come in byte order, unused inputs among them."""
    net = net_of(
        'layer { name: "i" type: "Input" top: "zz" top: "aa" top: "Yy"'
        " input_param { shape { dim: 1 dim: 2 } } }"
    )

    assert net.outputs == ["Yy", "aa", "zz"]


def test_forward_returns_live_views_of_the_tops_of_end():
    """forward(end=...) gives the blobs that the layer makes, also those it rewrites."""
    net = tiny_net()
    put(net)

    out = net.forward(end="a/relu_3x3", blobs=["pool1"])

    assert sorted(out) == ["a/3x3", "pool1"]
    out["a/3x3"][...] = 5
    assert (net.blobs["a/3x3"].data == 5).all()


def test_end_at_a_convolution_is_before_its_relu():
    """The blob of a convolution has negative values until the ReLU behind it runs."""
    net = tiny_net()
    put(net)

    net.forward(end="a/3x3")
    before = net.blobs["a/3x3"].data.copy()
    net.forward(start="a/relu_3x3", end="a/relu_3x3")

    assert (before < 0).any()
    np.testing.assert_array_equal(net.blobs["a/3x3"].data, np.maximum(before, 0))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, len(LAYERS) - 2), st.integers(0, len(LAYERS) - 2))
def test_forward_in_two_segments_equals_forward_in_one(a, b):
    """forward(end=a), forward(start=next(a), end=b) gives what forward(end=b) gives."""
    a, b = min(a, b), max(a, b)
    whole, parts = tiny_net(), tiny_net()
    put(whole)
    put(parts)

    whole.forward(end=LAYERS[b])
    parts.forward(end=LAYERS[a])
    parts.forward(start=LAYERS[a + 1], end=LAYERS[b])

    for name in whole.blobs:
        np.testing.assert_array_equal(parts.blobs[name].data, whole.blobs[name].data)


def test_backward_in_two_segments_equals_backward_in_one():
    """The layer at the seam runs in both segments and changes nothing."""
    grads = []
    for seam in (None, "a/output", "norm1", "conv1"):
        net = tiny_net()
        put(net)
        net.forward(end="pool2")
        net.blobs["pool2"].diff[...] = net.blobs["pool2"].data
        if seam:
            net.backward(start="pool2", end=seam)
            net.backward(start=seam)
        else:
            net.backward(start="pool2")
        grads.append(net.blobs["data"].diff.copy())

    for grad in grads[1:]:
        np.testing.assert_array_equal(grad, grads[0])


def test_a_diff_added_between_segments_adds_its_gradient():
    """Writing into an intermediate diff superposes two objectives, as style transfer does."""

    def gradient(deep, shallow):
        net = tiny_net()
        put(net)
        net.forward(end="pool2")
        net.blobs["pool2"].diff[...] = deep * net.blobs["pool2"].data
        net.backward(start="pool2", end="a/output")
        net.blobs["a/output"].diff[...] += shallow * net.blobs["a/output"].data
        net.backward(start="a/output")
        return net.blobs["data"].diff.copy()

    both = gradient(1, 1)
    assert np.abs(both).max() > 0
    np.testing.assert_allclose(both, gradient(1, 0) + gradient(0, 1), rtol=1e-4, atol=1e-5)


def test_backward_returns_the_diffs_of_the_bottoms_of_end():
    """Without end it is the inputs' diffs."""
    net = tiny_net()
    put(net)
    net.forward()

    assert list(net.backward(end="a/pool")) == ["norm1_norm1_0_split_2"]
    assert sorted(net.backward(diffs=["conv1"])) == ["conv1", "data"]


def test_stale_diffs_of_a_deeper_target_pollute_a_shallower_one():
    """As in Caffe, a branch that is read but not run adds what an earlier target left there."""

    def shallow(net):
        net.forward(end="a/1x1")
        net.blobs["a/1x1"].diff[...] = net.blobs["a/1x1"].data
        net.backward(start="a/1x1")
        return net.blobs["data"].diff.copy()

    fresh = tiny_net()
    put(fresh)
    clean = shallow(fresh)

    used = tiny_net()
    put(used)
    used.forward(end="a/output")
    used.blobs["a/output"].diff[...] = used.blobs["a/output"].data
    used.backward(start="a/output")
    stale = [used.blobs[f"norm1_norm1_0_split_{k}"].diff.copy() for k in (1, 2)]
    polluted = shallow(used)

    assert np.linalg.norm(polluted - clean) > 0.1 * np.linalg.norm(clean)

    # The pollution is exactly the gradient of what lay in the other branches.
    rest = tiny_net()
    put(rest)
    rest.forward(end="norm1_norm1_0_split")
    for k, diff in zip((1, 2), stale):
        rest.blobs[f"norm1_norm1_0_split_{k}"].diff[...] = diff
    rest.backward(start="norm1_norm1_0_split")
    np.testing.assert_allclose(
        polluted, clean + rest.blobs["data"].diff, rtol=1e-4, atol=1e-5 * np.abs(polluted).max()
    )

    for blob in used.blobs.values():
        blob.diff[...] = 0
    np.testing.assert_array_equal(shallow(used), clean)


def test_forward_never_clears_a_diff():
    """A diff that was written stays through forward."""
    net = tiny_net()
    net.blobs["a/3x3"].diff[...] = 3
    put(net)
    net.forward()

    assert (net.blobs["a/3x3"].diff == 3).all()


def test_blobs_keep_their_identity_and_reshape_ripples_up_to_end():
    """After a reshape of the input, blobs past end keep their old shape."""
    net = tiny_net()
    before = dict(net.blobs)
    put(net, shape=(1, 3, 45, 61))
    net.forward(end="a/1x1")

    assert all(net.blobs[name] is blob for name, blob in before.items())
    assert tuple(net.blobs["conv1"].shape) == (1, 6, 23, 31)
    assert tuple(net.blobs["a/1x1"].shape) == (1, 4, 11, 15)
    assert tuple(net.blobs["a/output"].shape) == (1, 17, 7, 9)


def test_infer_shapes_tells_what_forward_makes():
    """Shapes known without running equal those of a run, and nothing is touched."""
    net = tiny_net()
    inferred = net.infer_shapes({"data": (2, 3, 45, 61)}, "a/output")
    assert tuple(net.blobs["data"].shape) == (1, 3, 29, 37)

    put(net, shape=(2, 3, 45, 61))
    net.forward(end="a/output")
    assert inferred == {name: tuple(net.blobs[name].shape) for name in inferred}
    assert list(inferred)[-1] == "a/output"


def test_batch_items_are_independent():
    """The gradient of a batch of two is the two gradients of batches of one."""
    grads = {}
    for batch in ([0, 1], [0], [1]):
        net = tiny_net()
        pictures = np.random.RandomState(4).uniform(-120, 120, (2, 3, 29, 37))
        net.blobs["data"].reshape(len(batch), 3, 29, 37)
        net.blobs["data"].data[...] = pictures[batch]
        net.forward(end="a/output")
        net.blobs["a/output"].diff[...] = net.blobs["a/output"].data
        net.backward(start="a/output")
        grads[tuple(batch)] = net.blobs["data"].diff.copy()

    both = np.concatenate([grads[0,], grads[1,]])
    np.testing.assert_allclose(grads[0, 1], both, rtol=1e-4, atol=1e-6 * np.abs(both).max())


@pytest.mark.filterwarnings("ignore:backward computes nothing")
def test_without_force_backward_and_loss_nothing_runs_backward():
    """A deploy net has no loss, so its gradients stay zero, as in Caffe."""
    net = net_of(TINY.replace("force_backward: true", ""))
    put(net)
    net.forward(end="a/output")
    net.blobs["a/output"].diff[...] = 1
    net.backward(start="a/output")

    assert not net.blobs["data"].diff.any()
    assert not net.blobs["conv1"].diff.any()


def test_a_loss_starts_backward_with_its_weight():
    """A loss weight is put into the top's diff once, and propagate_down asks for the gradient.

    It asks in vain where neither a bottom nor a parameter needs one.
    """
    text = """
    layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "a" type: "Scale" bottom: "x" top: "a" DOWN }
    layer { name: "s" type: "Reduction" bottom: "a" top: "s" loss_weight: 2
      reduction_param { operation: SUM } }
    """
    with_loss = net_of(text.replace("DOWN", "propagate_down: true"))
    with_loss.blobs["x"].data[...] = np.arange(6).reshape(2, 3)

    assert with_loss._forward(0, 2) == 30.0
    with_loss.backward()
    np.testing.assert_array_equal(with_loss.blobs["x"].diff, np.full((2, 3), 2))

    frozen = "propagate_down: true param { lr_mult: 0 }"
    without = net_of(text.replace("DOWN", frozen))
    without.forward()
    with pytest.warns(UserWarning, match="backward computes nothing"):
        without.backward()
    assert not without.blobs["x"].diff.any()


def test_parameter_diffs_add_up_until_cleared():
    """Three equal passes leave three times the gradient; clear_param_diffs ends it."""
    net = tiny_net()
    put(net)
    sums = []
    for _ in range(3):
        net.forward(end="a/output")
        net.blobs["a/output"].diff[...] = 1
        net.backward(start="a/output")
        sums.append(net.params["conv1"][0].diff.copy())

    assert np.abs(sums[0]).max() > 0
    np.testing.assert_allclose(sums[2], 3 * sums[0], rtol=1e-4)
    net.clear_param_diffs()
    assert not net.params["conv1"][0].diff.any()
    assert net.blobs["conv1"].diff.any()


def test_parameter_diffs_can_be_left_out():
    """param_diffs=False leaves the parameters' diffs alone and the picture's gradient as it is."""
    grads = []
    for wanted in (True, False):
        net = tiny_net(param_diffs=wanted)
        put(net)
        net.forward(end="a/output")
        net.blobs["a/output"].diff[...] = 1
        net.backward(start="a/output")
        grads.append(net.blobs["data"].diff.copy())
        assert net.params["conv1"][0].diff.any() == wanted

    np.testing.assert_array_equal(grads[0], grads[1])


def test_gradient_is_the_directional_derivative():
    """In float64 the whole net's gradient agrees with differences."""
    net = tiny_net(dtype=np.float64)
    src = put(net)
    rng = np.random.RandomState(9)
    weight = rng.standard_normal((1, 17, 7, 9))
    direction = rng.standard_normal(src.data.shape)
    start = src.data.copy()

    def value(t):
        src.data[...] = start + t * direction
        net.forward(end="a/output")
        return float((net.blobs["a/output"].data * weight).sum())

    numeric = (value(1e-5) - value(-1e-5)) / 2e-5
    value(0)
    net.blobs["a/output"].diff[...] = weight
    net.backward(start="a/output")
    np.testing.assert_allclose((src.diff * direction).sum(), numeric, rtol=1e-5)


def test_forward_takes_the_inputs_as_keywords():
    """All inputs or none, of the net's batch size."""
    net = tiny_net()
    x = np.random.RandomState(2).uniform(-1, 1, (1, 3, 29, 37))

    assert list(net.forward(data=x)) == ["prob"]
    np.testing.assert_array_equal(net.blobs["data"].data, x.astype(np.float32))
    with pytest.raises(ParameterError, match="Input blob arguments do not match net inputs"):
        net.forward(dat=x)
    with pytest.raises(ParameterError, match="Input is not batch sized"):
        net.forward(data=np.zeros((2, 3, 29, 37)))
    with pytest.raises(ParameterError, match="Top diff arguments do not match net outputs"):
        net.backward(data=x)
    with pytest.raises(ParameterError, match="Diff is not batch sized"):
        net.backward(prob=np.zeros((2, 11)))


def test_forward_all_runs_batch_by_batch_and_drops_the_padding():
    """Three items at batch two come back as three, each as if it had run alone."""
    net = tiny_net()
    net.blobs["data"].reshape(2, 3, 29, 37)
    x = np.random.RandomState(2).uniform(-100, 100, (3, 3, 29, 37)).astype(np.float32)

    out = net.forward_all(data=x, blobs=["fc"])

    assert out["prob"].shape == (3, 11)
    single = tiny_net()
    single.forward(data=x[2:])
    np.testing.assert_allclose(out["fc"][2], single.blobs["fc"].data[0], rtol=1e-4, atol=1e-5)


def test_forward_backward_all_gives_data_and_gradients():
    """Outputs and the inputs' gradients come for every item."""
    net = tiny_net()
    x = np.random.RandomState(2).uniform(-100, 100, (3, 3, 29, 37)).astype(np.float32)

    data, diffs = net.forward_backward_all(data=x, prob=np.eye(3, 11, dtype=np.float32))

    assert data["prob"].shape == (3, 11)
    assert diffs["data"].shape == (3, 3, 29, 37)
    assert np.abs(diffs["data"][2]).max() > 0


def test_unknown_names_offer_the_nearest():
    """An unknown layer is a ValueError, an unknown blob a KeyError, both with hints."""
    net = tiny_net()
    with pytest.raises(UnknownLayerError, match=r"no layer named 'a/3x4'.*Did you mean 'a/3x3'"):
        net.forward(end="a/3x4")
    with pytest.raises(
        UnknownLayerError, match="It is a blob, made by layer 'norm1_norm1_0_split'"
    ):
        net.forward(end="norm1_norm1_0_split_1")
    with pytest.raises(UnknownBlobError, match=r"no blob named 'pool3'.*Did you mean 'pool"):
        net.forward(blobs=["pool3"])
    with pytest.raises(TypeError, match="list of names"):
        net.forward(blobs="data")


def test_start_after_end_runs_nothing():
    """As in pycaffe, an empty range is no error."""
    net = tiny_net()
    put(net)
    net.forward(start="pool1", end="conv1")

    assert not net.blobs["conv1"].data.any()


def test_hooks_see_every_layer_visited():
    """The four hooks are called with layer numbers, in order."""
    net = tiny_net()
    seen = []
    net.before_forward(lambda i: seen.append(("bf", i)))
    net.after_forward(lambda i: seen.append(("af", i)))
    net.before_backward(lambda i: seen.append(("bb", i)))
    net.after_backward(lambda i: seen.append(("ab", i)))
    net.forward(end="conv1")
    net.backward(start="conv1")

    assert seen == [
        ("bf", 0), ("af", 0), ("bf", 1), ("af", 1), ("bb", 1), ("ab", 1), ("bb", 0), ("ab", 0),
    ]  # fmt: skip


def test_a_picture_of_another_size_cannot_pass_an_inner_product():
    """Past the convolutions a size is fixed; the error names the layer and says what to do."""
    net = tiny_net()
    put(net, shape=(1, 3, 45, 61))

    with pytest.raises(ShapeError, match=r"layer 'fc' \(InnerProduct\)"):
        net.forward()
    with pytest.raises(ShapeError, match="'fc'"):
        net.reshape()


def test_save_and_load_give_the_same_net(tmp_path):
    """Weights survive a round trip through a file, bit for bit."""
    prototxt, caffemodel = write_tiny(tmp_path, seed=3)
    loaded = Net(str(prototxt), TEST, weights=str(caffemodel))

    for name, blobs in tiny_net(3).params.items():
        for mine, theirs in zip(loaded.params[name], blobs):
            np.testing.assert_array_equal(mine.data, theirs.data)
    assert list(read_caffemodel(caffemodel)) == ["conv1", "a/1x1", "a/3x3_reduce", "a/3x3", "fc"]


def test_constructors_of_every_year(tmp_path):
    """Positional as in 2015, keyword as later; anything else is a TypeError."""
    prototxt, caffemodel = map(str, write_tiny(tmp_path))
    for net in (
        Net(prototxt, caffemodel, TEST),
        Net(prototxt, TEST, weights=caffemodel),
        Net(network_file=prototxt, phase=TEST, weights=caffemodel),
        Net(prototxt, TEST, 0, None, caffemodel),
    ):
        assert net.params["conv1"][0].data.any()

    for wrong in ((prototxt,), (prototxt, caffemodel), (prototxt, "TEST"), (prototxt, 2)):
        with pytest.raises(NetArgumentError, match="phase is"):
            Net(*wrong)
    with pytest.raises(MissingFileError):
        Net(str(tmp_path / "no.prototxt"), TEST)
    with pytest.raises(RuntimeError):
        Net(prototxt, TEST, weights=str(tmp_path / "no.caffemodel"))
    with pytest.raises(CaffemodelError):
        Net(prototxt, TEST, weights=prototxt)


def test_layers_without_weights_are_an_error_or_a_warning(tmp_path):
    """strict=True lists them; otherwise they keep their fillers' values with a warning."""
    _, caffemodel = write_tiny(tmp_path)
    renamed = tmp_path / "renamed.prototxt"
    renamed.write_text(TINY.replace('name: "a/3x3"', 'name: "other"'))

    with pytest.raises(WeightsError, match=r"no weights for 1 layers of .*: 'other'"):
        Net(str(renamed), TEST, weights=str(caffemodel), strict=True)
    with pytest.warns(UserWarning, match="'other'"):
        net = Net(str(renamed), TEST, weights=str(caffemodel))
    assert not net.params["other"][0].data.any()
    assert net.params["conv1"][0].data.any()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("num_output: 11", "num_output: 12", r"blob 0 of layer 'fc' is \(11, .*expects \(12, "),
        ("kernel_size: 3 pad: 1 }", "kernel_size: 3 pad: 1 bias_term: false }",
         "layer 'a/3x3' has 2 weight blobs, .* expects 1"),
    ],
    ids=["shape", "count"],
)  # fmt: skip
def test_weights_of_another_net_are_refused(tmp_path, old, new, message):
    """A wrong shape or count names the layer and both values, and copies nothing."""
    _, caffemodel = write_tiny(tmp_path)
    assert old in TINY
    net = net_of(TINY.replace(old, new, 1))

    with pytest.raises(WeightsError, match=message):
        net.copy_from(caffemodel)
    assert not net.params["conv1"][0].data.any()


def test_share_with_shares_memory():
    """After share_with, a weight written through one net is the other's."""
    a, b = tiny_net(1), tiny_net(2)
    b.share_with(a)
    a.params["conv1"][0].data[0, 0, 0, 0] = 42

    assert b.params["conv1"][0].data[0, 0, 0, 0] == 42


def test_share_with_shares_nothing_where_a_layer_does_not_fit():
    """An error leaves the net as it was, and not half in another's memory."""
    net = tiny_net(1)
    other = tiny_net(2, TINY.replace("num_output: 11", "num_output: 12"))

    with pytest.raises(WeightsError, match="layer 'fc' cannot share its weights"):
        net.share_with(other)

    other.params["conv1"][0].data[...] = 42
    assert 42 not in net.params["conv1"][0].data


def test_parameters_of_one_name_are_one_memory():
    """param { name: "w" } in two layers makes them share weight and gradient."""
    layer = (
        'layer { name: "NAME" type: "InnerProduct" bottom: "x" top: "NAME" param { name: "w" }'
        " inner_product_param { num_output: 3 bias_term: false } }"
    )
    text = 'force_backward: true layer { name: "i" type: "Input" top: "x"' \
           " input_param { shape { dim: 2 dim: 5 } } }"  # fmt: skip
    net = net_of(text + layer.replace("NAME", "p") + layer.replace("NAME", "q"))
    net.params["p"][0].data[...] = np.arange(15).reshape(3, 5)

    np.testing.assert_array_equal(net.params["q"][0].data, np.arange(15).reshape(3, 5))


def test_duplicate_layer_names_run_first_and_look_up_last():
    """layer_dict has the last layer of a name, start and end find the first."""
    relu = 'layer { name: "r" type: "TYPE" bottom: "x" top: "TYPE" }'
    net = net_of(
        'layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        + relu.replace("TYPE", "ReLU")
        + relu.replace("TYPE", "TanH")
    )

    assert net.layer_dict["r"].type == "TanH"
    assert net.layer_index("r") == 2  # after the split


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('layer { name: "x" type: "RELU" top: "a" }', UnknownLayerTypeError,
         r"layer 'x': layer type 'RELU' is not known\. Did you mean 'ReLU'"),
        ('layer { name: "i" type: "Input" top: "a" } layer { name: "j" type: "Input" top: "a" }',
         PrototxtError, "layer 'j' .*top blob 'a' is made by another layer too"),
        ('layer { name: "i" type: "Input" top: "a" input_param { shape { dim: -3 } } }',
         ShapeError, "negative"),
        ('layer { name: "i" type: "Input" top: "a"'
         " input_param { shape { dim: 99999 dim: 99999 } } }", ShapeError,
         "more than 2147483647 values"),
        ('layer { name: "r" type: "ReLU" top: "a" }', PrototxtError, "0 bottom blobs found, 1 exp"),
    ],
    ids=["type", "twice", "negative", "enormous", "count"],
)  # fmt: skip
def test_a_net_that_cannot_be_built_says_why(text, error, message):
    """Where Caffe aborts the process, the layer and the cause are named."""
    with pytest.raises(error, match=message):
        net_of(text)


def test_parameters_beyond_the_machines_memory_are_refused():
    """A hostile num_output is refused before memory is taken."""
    layer = (
        'layer { name: "fcK" type: "InnerProduct" bottom: "x" top: "yK"'
        " inner_product_param { num_output: 2000000000 } }"
    )
    text = 'layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 } } }'
    text += "".join(layer.replace("K", str(k)) for k in range(400))

    with pytest.raises(OutOfMemoryError, match="the parameters need .* GiB"):
        net_of(text)


def test_set_input_arrays_needs_a_memory_data_layer():
    """Other nets say what to do instead, as a RuntimeError."""
    with pytest.raises(EngineError, match="first layer is a MemoryDataLayer"):
        tiny_net().set_input_arrays(np.zeros((1, 3, 2, 2), np.float32), np.zeros(1, np.float32))


def test_running_twice_gives_the_same_bits():
    """Same input, same net: data and gradient do not change."""
    net = tiny_net()
    put(net)
    results = []
    for _ in range(2):
        net.forward(end="a/output")
        net.blobs["a/output"].diff[...] = net.blobs["a/output"].data
        net.backward(start="a/output")
        results.append((net.blobs["a/output"].data.copy(), net.blobs["data"].diff.copy()))

    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_swapping_channels_in_picture_and_weights_changes_nothing():
    """BGR or RGB is a matter of the first layer's weights alone."""
    a, b = tiny_net(), tiny_net()
    put(a)
    b.blobs["data"].data[...] = a.blobs["data"].data[:, ::-1]
    b.params["conv1"][0].data[...] = a.params["conv1"][0].data[:, ::-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a.forward()
        b.forward()

    np.testing.assert_allclose(
        a.blobs["a/output"].data, b.blobs["a/output"].data, rtol=1e-4, atol=1e-5
    )


def test_backward_needs_a_forward_at_the_new_size():
    """After a reshape of the input, backward says what is missing instead of reading old blobs."""
    net = tiny_net()
    put(net)
    net.forward(end="a/output")
    net.blobs["data"].reshape(1, 3, 21, 25)

    with pytest.raises(ShapeError, match=r"'conv1'.*run forward before backward"):
        net.backward(start="a/output")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes\nmore"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        MemoryError(),
    ],
    ids=["torch", "torch on Windows", "numpy"],
)
def test_running_out_of_memory_names_the_layer(monkeypatch, error):
    """Memory that runs out in the middle is an error of ours, with the layer and the way out."""
    net = tiny_net()

    def fail(bottom, top):
        raise error

    monkeypatch.setattr(net.layer_dict["a/3x3"], "forward", fail)

    with pytest.raises(OutOfMemoryError, match=r"'a/3x3' .*out of memory .*smaller picture"):
        net.forward()


def test_infer_shapes_leaves_out_what_a_size_does_not_get_to():
    """Not what comes after it in the file, and also a blob that is worked on in place."""
    net = tiny_net()
    shapes = net.infer_shapes({"data": (1, 3, 53, 71)}, strict=False)

    assert [name for name in net.blobs if name not in shapes] == ["fc", "prob"]
    beside = TINY.replace('bottom: "fc" top: "prob"', 'bottom: "fc" top: "fc"') + (
        'layer { name: "last" type: "ReLU" bottom: "conv1" top: "last" }'
    )
    net = tiny_net(text=beside)
    shapes = net.infer_shapes({"data": (1, 3, 53, 71)}, strict=False)
    assert [name for name in net.blobs if name not in shapes] == ["fc"]
    assert shapes["last"] == shapes["conv1"]


def test_shapes_are_asked_for_once(monkeypatch):
    """Layers tell their tops' shapes at the first forward, and again when a blob has changed."""
    net = tiny_net()
    put(net)
    net.forward(end="a/output")
    asked = []
    for name, layer in net.layer_dict.items():
        told = layer.top_shapes

        def top_shapes(shapes, name=name, told=told):
            asked.append(name)
            return told(shapes)

        monkeypatch.setattr(layer, "top_shapes", top_shapes)
    net.forward(end="a/output")
    asked.clear()

    net.forward(end="a/output")
    assert not asked
    net.backward(start="a/output")
    assert not asked
    net.blobs["a/3x3"].reshape(1, 2, 3, 4)  # by mistake: the layer sets it right
    net.forward(end="a/output")
    assert "a/3x3" in asked
    assert net.blobs["a/3x3"].shape[2:] == net.blobs["a/output"].shape[2:]
    before = net.blobs["a/output"].shape
    net.blobs["data"].reshape(1, 3, 45, 51)
    net.forward(end="a/output")
    assert net.blobs["a/output"].shape[2] > before[2]


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_hooks_and_layers_of_the_users_keep_their_warnings(device):
    """NumPy's warnings are off for our layers alone, not for code that a hook runs."""
    net = tiny_net()
    put(net)
    net.move(device)
    seen = []
    for hook in ("before_forward", "after_forward", "before_backward", "after_backward"):
        getattr(net, hook)(lambda i: seen.append(np.geterr()))
    net.forward(end="a/output")
    net.backward(start="a/output")
    assert len(seen) > 10
    assert all(state == np.geterr() for state in seen)


def test_two_losses_without_tops():
    """Each gets a top of its own, whose name leads nowhere and is no output."""
    text = """
    layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "a" type: "EuclideanLoss" bottom: "x" bottom: "y" }
    layer { name: "b" type: "EuclideanLoss" bottom: "y" bottom: "x" loss_weight: 3 }
    force_backward: true
    """
    net = net_of(text)
    net.blobs["x"].data[...] = 1

    assert net.forward() == {}
    assert net._forward(0, len(net.layers) - 1) == pytest.approx(1.5 + 3 * 1.5)
    net.backward()
    np.testing.assert_allclose(net.blobs["x"].diff, 2.0)
    assert net.outputs == []
    assert net.top_names["a"] == net.top_names["b"] == ["(automatic)"]
    assert net._blob_names.count("(automatic)") == 2
    assert net._top_ids(4) != net._top_ids(5)
    assert [w for w in net._blob_loss_weights if w] == [1, 3]
