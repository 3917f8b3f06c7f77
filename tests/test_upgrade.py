"""Old nets become current ones. `parity/test_live_reading.py` asks the real Caffe, too."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdream.errors import PrototxtError
from deepdream.reading.caffe_pb2 import NetParameter, V1LayerParameter
from deepdream.reading.proto import parse_prototxt, print_prototxt, read_prototxt
from deepdream.reading.upgrade import (
    V1_TYPES,
    needs_batch_norm_upgrade,
    needs_data_upgrade,
    needs_input_upgrade,
    needs_v0_upgrade,
    needs_v1_upgrade,
    upgrade,
    upgrade_batch_norm,
    upgrade_data,
    upgrade_input,
    upgrade_v0,
    upgrade_v1,
)

LEGACY = Path(__file__).parent / "data" / "legacy"

# Caffe's table, written out, because the code derives most of it.
TYPES = {
    0: "",
    1: "Accuracy",
    2: "BNLL",
    3: "Concat",
    4: "Convolution",
    5: "Data",
    6: "Dropout",
    7: "EuclideanLoss",
    8: "Flatten",
    9: "HDF5Data",
    10: "HDF5Output",
    11: "Im2col",
    12: "ImageData",
    13: "InfogainLoss",
    14: "InnerProduct",
    15: "LRN",
    16: "MultinomialLogisticLoss",
    17: "Pooling",
    18: "ReLU",
    19: "Sigmoid",
    20: "Softmax",
    21: "SoftmaxWithLoss",
    22: "Split",
    23: "TanH",
    24: "WindowData",
    25: "Eltwise",
    26: "Power",
    27: "SigmoidCrossEntropyLoss",
    28: "HingeLoss",
    29: "MemoryData",
    30: "ArgMax",
    31: "Threshold",
    32: "DummyData",
    33: "Slice",
    34: "MVN",
    35: "AbsVal",
    36: "Silence",
    37: "ContrastiveLoss",
    38: "Exp",
    39: "Deconvolution",
    140: "Reshape",
    143: "BN",
    144: "Upsample",
    145: "DenseImageData",
    146: "Crop",
    147: "PReLU",
    148: "Interp",
    149: "Unpooling",
}


def upgraded(text: str) -> NetParameter:
    return upgrade(parse_prototxt(text))


@pytest.mark.parametrize("net", ["deploy", "train"])
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_one_net_in_three_formats(net, version):
    """The same net written in V0, V1 and V2 upgrades to equal messages."""
    old = read_prototxt(LEGACY / f"{net}_{version}.prototxt")
    new = read_prototxt(LEGACY / f"{net}_v2.prototxt")

    assert upgrade(old) == new


@pytest.mark.parametrize("path", sorted(LEGACY.glob("*.prototxt")), ids=lambda path: path.stem)
def test_upgrade_is_pure_and_idempotent(path):
    """The message passed in stays as it is, and upgrading twice changes nothing more."""
    net = read_prototxt(path)
    before = net.SerializeToString()

    once = upgrade(net)

    assert net.SerializeToString() == before
    assert upgrade(once) == once
    assert not once.layers
    assert not once.input


@pytest.mark.parametrize(
    ("needs", "step", "text"),
    [
        (needs_v0_upgrade, upgrade_v0, 'layers { layer { name: "x" type: "relu" } }'),
        (needs_data_upgrade, upgrade_data, "layers { type: DATA data_param { scale: 2 } }"),
        (needs_v1_upgrade, upgrade_v1, "layers { type: RELU }"),
        (needs_input_upgrade, upgrade_input, 'input: "x" input_dim: [1, 3, 5, 7]'),
        (needs_batch_norm_upgrade, upgrade_batch_norm, 'layer{type:"BatchNorm" param:[{},{},{}]}'),
    ],
    ids=["v0", "data", "v1", "input", "batch_norm"],
)
def test_a_step_is_needed_once(needs, step, text):
    """After a step the net no longer needs it, and the step leaves its argument alone."""
    net = parse_prototxt(text)
    before = net.SerializeToString()

    assert needs(net)
    assert not needs(step(net))
    assert net.SerializeToString() == before


def test_types_of_v1():
    """Every type of V1 gets its string of V2."""
    assert dict(V1_TYPES) == TYPES


def test_v1_lists_become_params():
    """Names, share modes, rates and decays are gathered by position; short lists leave defaults."""
    net = upgraded(
        "layers { type: CONVOLUTION param: 'w' blobs_lr: [1, 2, 3] weight_decay: [1, 0] "
        "blob_share_mode: [STRICT, PERMISSIVE] }"
    )

    assert net == parse_prototxt(
        'layer { type: "Convolution"'
        ' param { name: "w" share_mode: STRICT lr_mult: 1 decay_mult: 1 }'
        " param { share_mode: PERMISSIVE lr_mult: 2 decay_mult: 0 }"
        " param { lr_mult: 3 } }"
    )


def test_v1_keeps_what_has_the_same_name():
    """Rules, loss weights, blobs and every kind of parameters travel unchanged."""
    net = parse_prototxt(
        'name: "x" force_backward: true state { level: 3 } debug_info: true '
        'layers { name: "y" bottom: "a" top: "b" loss_weight: 2 include { phase: TEST } '
        'exclude { stage: "s" } blobs { num: 1 data: 5 } pooling_param { pad: 1 } }'
    )

    assert upgrade(net) == parse_prototxt(
        'name: "x" force_backward: true state { level: 3 } debug_info: true '
        'layer { name: "y" bottom: "a" top: "b" loss_weight: 2 include { phase: TEST } '
        'exclude { stage: "s" } blobs { num: 1 data: 5 } pooling_param { pad: 1 } }'
    )


def test_every_parameter_message_of_v1_travels():
    """No *_param of V1 is forgotten."""
    names = [f.name for f in V1LayerParameter.DESCRIPTOR.fields if f.name.endswith("_param")]
    net = NetParameter()
    layer = net.layers.add()
    for name in names:
        getattr(layer, name).SetInParent()

    assert len(names) == 39
    assert {field.name for field, _ in upgrade(net).layer[0].ListFields()} == set(names)


def test_v0_weights_travel():
    """Blobs inside a V0 layer arrive in the current one."""
    net = upgraded('layers { layer { name: "x" type: "conv" blobs { num: 2 data: [3, 5] } } }')

    assert net == parse_prototxt(
        'layer { name: "x" type: "Convolution" blobs { num: 2 data: [3, 5] } }'
    )


def test_v0_padding_goes_to_the_next_conv_and_pool():
    """Every reader of a padding layer pads itself; a later layer of the same top takes over."""
    net = upgraded(
        'input: "data" '
        'layers { layer { name: "p" type: "padding" pad: 2 } bottom: "data" top: "padded" } '
        'layers { layer { name: "c" type: "conv" } bottom: "padded" top: "c" } '
        'layers { layer { name: "d" type: "pool" pad: 7 } bottom: "padded" top: "padded" } '
        'layers { layer { name: "e" type: "conv" } bottom: "padded" top: "e" }'
    )

    assert net == parse_prototxt(
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c"'
        "  convolution_param { pad: 2 } } "
        'layer { name: "d" type: "Pooling" bottom: "data" top: "padded" pooling_param { pad: 2 } } '
        'layer { name: "e" type: "Convolution" bottom: "padded" top: "e" }'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layers { layer { name: "x" type: "convolution" } }', "'x' has the type 'convolution'"),
        ('layers { layer { name: "x" type: "cnv" } }', r"Did you mean 'conv'\?"),
        (
            'layers { layer { type: "relu" } } layers { name: "x" type: RELU }',
            "layer 'x' is written in the format V1",
        ),
        (
            'layers { layer { name: "p" type: "padding" } bottom: "a" top: "b" } '
            'layers { layer { name: "x" type: "relu" } bottom: "b" }',
            "'x' of type 'relu' reads the padding layer 'p', but only conv and pool",
        ),
        (
            'layers { layer { name: "p" type: "padding" } bottom: "a" top: "b" } '
            'layers { layer { name: "x" type: "conv" } bottom: "b" bottom: "c" }',
            "exactly one bottom",
        ),
        ('layer { name: "x" } layers { name: "y" }', "both 'layers' .* and 'layer'"),
        ('input: ["x", "y"] input_shape { dim: 1 }', r"2 input\(s\) but 1 input_shape"),
    ],
)
def test_refuses(text, message):
    """What Caffe would end the process for is a PrototxtError that names the culprit."""
    with pytest.raises(PrototxtError, match=message):
        upgraded(text)


def test_refuses_v0_layers_beside_current_ones():
    """Caffe drops every `layer` here and runs what is left."""
    with pytest.raises(PrototxtError, match="both 'layers' .* and 'layer'"):
        upgraded('layer { name: "x" } layers { layer { name: "y" } }')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('input: "x" input_dim: [1, 3, 5]', r"1 input\(s\) but 3 input_dim: it needs 4"),
        ('input: ["x", "y"] input_dim: [1, 3, 5, 7]', r"2 input\(s\) but 4 input_dim: .* 8"),
    ],
)
def test_refuses_too_few_input_dims(text, message):
    """Caffe reads beyond the list, and builds a net of whatever lies there."""
    with pytest.raises(PrototxtError, match=message):
        upgraded(text)


def test_v0_parameter_of_another_type_is_dropped_with_a_warning():
    """Caffe logs an error and goes on without the parameter; so do we, with a warning."""
    with pytest.warns(
        UserWarning, match="layer 'x': 'kernelsize' means nothing to the type 'relu'"
    ):
        net = upgraded('layers { layer { name: "x" type: "relu" kernelsize: 3 } }')

    assert net == parse_prototxt('layer { name: "x" type: "ReLU" }')


def test_input_shapes_come_before_dims():
    """With both, input_shape counts; the layer is called input and stands first."""
    net = upgraded(
        'layer { name: "x" } input: "a" input_shape { dim: [2, 5] } input_dim: [1,1,1,1]'
    )

    assert net == parse_prototxt(
        'layer { name: "input" type: "Input" top: "a" input_param { shape { dim: [2, 5] } } } '
        'layer { name: "x" }'
    )


def test_two_inputs_take_four_dims_each():
    """input_dim is cut into fours, one for each input in order."""
    net = upgraded('input: ["a", "b"] input_dim: [1, 3, 5, 7, 2, 4, 6, 8]')

    assert net == parse_prototxt(
        'layer { name: "input" type: "Input" top: "a" top: "b" input_param {'
        " shape { dim: [1, 3, 5, 7] } shape { dim: [2, 4, 6, 8] } } }"
    )


def test_inputs_without_sizes_are_dropped():
    """Caffemodels name inputs without sizes; no layer is made of them."""
    assert upgraded('input: "a" layer { name: "x" }') == parse_prototxt('layer { name: "x" }')


def test_more_dims_than_inputs_are_ignored_with_a_warning():
    """Caffe reads the first four and ignores the rest."""
    with pytest.warns(UserWarning, match="5 input_dim where its inputs take 4"):
        net = upgraded('input: "a" input_dim: [1, 3, 5, 7, 9]')

    assert list(net.layer[0].input_param.shape[0].dim) == [1, 3, 5, 7]


def test_batch_norm_with_three_params_is_not_trained():
    """Three params get rates of zero and keep their names; any other number is left alone."""
    net = upgraded(
        'layer { type: "BatchNorm"'
        ' param { name: "m" lr_mult: 1 } param { } param { decay_mult: 2 } }'
        'layer { type: "BatchNorm" param { lr_mult: 1 } }'
    )

    assert net == parse_prototxt(
        'layer { type: "BatchNorm" param { name: "m" lr_mult: 0 decay_mult: 0 }'
        " param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 } }"
        'layer { type: "BatchNorm" param { lr_mult: 1 } }'
    )


NAMES = st.text("abc/_1", min_size=1, max_size=5)
V1_LAYERS = st.builds(
    lambda **fields: V1LayerParameter(**fields),
    name=NAMES,
    type=st.sampled_from(sorted(TYPES)),
    bottom=st.lists(NAMES, max_size=2),
    top=st.lists(NAMES, max_size=2),
    blobs_lr=st.lists(st.integers(0, 3), max_size=3),
    weight_decay=st.lists(st.integers(0, 3), max_size=3),
    param=st.lists(NAMES, max_size=3),
    data_param=st.sampled_from([None, {"scale": 2, "source": "x"}, {"mirror": True}]),
    convolution_param=st.sampled_from([None, {"kernel_size": [3]}, {}]),
)
NETS = st.builds(
    lambda **fields: NetParameter(**fields),
    name=NAMES,
    layers=st.lists(V1_LAYERS, max_size=4),
    input=st.lists(NAMES, max_size=2),
    input_dim=st.sampled_from([[], list(range(1, 9))]),
)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(net=NETS)
def test_any_v1_net_upgrades_once(net):
    """Upgrading is idempotent, keeps the order of layers, and survives a trip through text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of eight sizes for one input
        once = upgrade(net)

    assert upgrade(once) == once
    assert parse_prototxt(print_prototxt(once)) == once
    names = [layer.name for layer in once.layer]
    assert names[len(names) - len(net.layers) :] == [layer.name for layer in net.layers]


# -- holes ----------------------------------------------------------------------------------------

CONV = """
layers { name: "c" type: CONVOLUTION bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 4 %s } }
"""


@pytest.mark.parametrize(
    ("holes", "dilation"),
    [("hole: 4", [4]), ("hole_h: 2 hole_w: 3", [2, 3]), ("hole_h: 2", [2, 1]), ("", [])],
)
def test_holes_of_deeplab_are_dilation(holes, dilation):
    """Its first Caffe has the word, in files of 2014 and later."""
    old = upgraded(CONV % holes)
    new = upgraded(CONV.replace("layers", "layer").replace("CONVOLUTION", '"Convolution"') % holes)

    assert old == new
    assert list(new.layer[0].convolution_param.dilation) == dilation
    assert "hole" not in str(new)


def test_a_hole_and_a_dilation_are_refused():
    with pytest.raises(PrototxtError, match="layer 'c' has hole and dilation"):
        upgraded(CONV % "hole: 2 dilation: 2")
