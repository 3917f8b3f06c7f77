"""Descriptions of Caffe's variants: what is not understood has a name, and the rest is a net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

import deepdream
from deepdream import cli
from deepdream.errors import (
    DeepDreamError,
    PrototxtError,
    ShapeError,
    UnknownBlobError,
    UnknownLayerError,
    UnknownLayerTypeError,
)
from deepdream.models.load import load_graph
from deepdream.reading.proto import parse_prototxt, print_prototxt
from deepdream.reading.unknown import set_aside
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

BODY = """
name: "detector"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 37 dim: 45 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { kernel_size: 3 stride: 2 ceil_mode: false } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "xavier" } } }
"""
HEADS = {
    "ssd": """
layer { name: "prior" type: "PriorBox" bottom: "conv2" bottom: "data" top: "prior"
  prior_box_param { min_size: 30 max_size: 60 aspect_ratio: 2 flip: true variance: 0.1 } }
layer { name: "loc" type: "Permute" bottom: "conv2" top: "loc"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "out" type: "DetectionOutput" bottom: "loc" bottom: "prior" top: "out"
  include { phase: TEST } detection_output_param { num_classes: 21 nms_param { top_k: 400 }
  save_output_param { output_format: "VOC" } code_type: CENTER_SIZE keep_top_k: 200 } }
""",
    "r-cnn": """
layer { name: "rois" type: "Python" bottom: "conv2" top: "rois"
  python_param { module: "rpn.proposal_layer_of_nobody" layer: "ProposalLayer" } }
layer { name: "roi_pool" type: "ROIPooling" bottom: "conv2" bottom: "rois" top: "roi_pool"
  roi_pooling_param { pooled_w: 7 pooled_h: 7 spatial_scale: 0.0625 } }
layer { name: "out" type: "InnerProduct" bottom: "roi_pool" top: "out"
  inner_product_param { num_output: 4 } }
""",
    "of its own": """
layer { name: "scan" type: "Lanes" bottom: "conv2" top: "conv2"
  lanes_param { width: 3 mode: SLOW inner { a: "}" b: [1, -2] } } }
layer { name: "out" type: "ReLU" bottom: "conv2" top: "out" }
""",
    "a field": """
layer { name: "out" type: "Convolution" bottom: "conv2" top: "out"
  convolution_param { num_output: 4 kernel_size: 1 lanes: 3 } }
""",
}


@pytest.fixture(params=HEADS)
def files(request, tmp_path):
    """Return the names of a description and of weights for what can be built of it."""
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "x.caffemodel"
    prototxt.write_text(BODY + HEADS[request.param])
    net = Net(parse_prototxt(BODY), 1)
    seed_weights(net)
    net.save(weights)
    return str(prototxt), str(weights)


@pytest.mark.filterwarnings("ignore:.*cannot be built")
def test_a_net_is_dreamt_before_its_head(files):
    """Dream, plan and Net agree with the net that ends there; the head says why it is missing."""
    prototxt, weights = files
    net = deepdream.load_net(prototxt, weights, mean=(104, 117, 123))
    body = Path(prototxt).with_name("body.prototxt")
    body.write_text(BODY)
    alone = deepdream.load_net(body, weights, mean=(104, 117, 123))
    picture = np.random.RandomState(1).randint(0, 256, (40, 48, 3)).astype(np.uint8)
    options = {"end": "pool1", "iter_n": 2, "octave_n": 1, "seed": 3}

    made, expected = (deepdream.dream(one, picture, **options) for one in (net, alone))

    np.testing.assert_array_equal(np.asarray(made), np.asarray(expected))
    net.forward(end="conv2")
    net.blobs["conv2"].diff[...] = 1
    net.backward(start="conv2")
    assert np.abs(net.blobs["data"].diff).max() > 0
    assert "out" in net.unbuilt
    with pytest.raises(UnknownBlobError, match=r"layer 'out' cannot be built: .* before it"):
        deepdream.dream(net, picture, end="out")
    with pytest.raises(UnknownLayerError, match=r"layer 'out' of .* cannot be built: "):
        net.forward(end="out")
    with pytest.raises(UnknownBlobError, match="blob 'out' .* which cannot be built"):
        net.forward(blobs=["out"])


@pytest.mark.filterwarnings("ignore:.*cannot be built")
def test_the_command_lists_what_is_left_out(files, capsys):
    """`deepdream layers` tells the reasons behind the table."""
    assert cli.main(["layers", "--model", files[0]]) == 0

    told = capsys.readouterr()
    assert "conv2" in told.out
    assert "note: layer 'out' cannot be built: " in told.err


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("ssd", "prior' cannot be built: its type, 'PriorBox', is not known here, and 1 more"),
        ("r-cnn", "rois' cannot be built: module 'rpn.proposal_layer_of_nobody' cannot be imp"),
        ("of its own", "scan' cannot be built: line 14: field 'lanes_param' of LayerParameter is "
         r"not understood \(and its type, 'Lanes', is not known here\)"),
        ("a field", "line 14: field 'lanes' of ConvolutionParameter is not understood"),
    ],
)  # fmt: skip
def test_one_warning_names_them(head, reason):
    """The first layer, its reason, and how many more."""
    with pytest.warns(UserWarning, match=reason) as caught:
        Net(parse_prototxt(BODY + HEADS[head]), 1)
    assert len(caught) == 1


@pytest.mark.filterwarnings("ignore:.*cannot be built")
def test_what_works_in_place_hides_its_blob():
    """A reader of the blob behind an unknown layer in place must not get what was before it."""
    net = Net(parse_prototxt(BODY + HEADS["of its own"]), 1)

    assert list(net.unbuilt) == ["scan", "out"]
    assert net.unbuilt["out"] == "it reads 'conv2' of 'scan'"
    assert "conv2" in net.blobs


def test_a_blob_that_is_made_anew_is_there_again():
    """Only the version of the missing layer is missing."""
    text = (
        BODY
        + """
layer { name: "scan" type: "Lanes" bottom: "conv2" top: "x" }
layer { name: "again" type: "ReLU" bottom: "conv2" top: "x" }
layer { name: "end" type: "ReLU" bottom: "x" top: "end" }
"""
    )
    with pytest.warns(UserWarning, match="scan"):
        net = Net(parse_prototxt(text), 1)

    assert list(net.unbuilt) == ["scan"]
    assert "end" in net.blobs


@pytest.mark.parametrize("type", ["RELU", "Convolutio", "Poooling", "INNER_PRODUCT", "Softmx"])
def test_a_slip_in_a_type_is_an_error(type):  # noqa: A002
    """Known types written wrong are told, and not left out."""
    with pytest.raises(UnknownLayerTypeError, match="is not known"):
        Net(parse_prototxt(BODY + f'layer {{ name: "x" type: "{type}" bottom: "conv2" }}'), 1)


def test_a_missing_module_alone_is_an_error_for_net_only(tmp_path):
    """Whoever calls Net has written the layer; load_net takes it for somebody's head."""
    head = """
layer { name: "own" type: "Python" bottom: "conv2" top: "own"
  python_param { module: "a_module_of_nobody" layer: "X" } }
"""
    with pytest.raises(PrototxtError, match="a_module_of_nobody"):
        Net(parse_prototxt(BODY + head), 1)
    path = tmp_path / "net.prototxt"
    path.write_text(BODY + head)
    assert list(load_graph(str(path)).unbuilt) == ["own"]


def test_nothing_but_inputs_is_an_error():
    """A net of which nothing is left says what is missing."""
    with pytest.raises(UnknownLayerTypeError, match="layer 'x': layer type 'Lanes' is not known"):
        Net(parse_prototxt('input: "a" input_dim: [1, 3, 5, 7] layer { name: "x" type: "Lanes" '
                           'bottom: "a" }'), 1)  # fmt: skip


# -- the text -----------------------------------------------------------------------------------


def test_what_means_nothing_is_passed_over_with_a_warning():
    """Fields of training, and of how to compute, in a net that is whole without them."""
    text = BODY.replace('name: "detector"', 'name: "detector" default_forward_type: FLOAT16')
    text = text.replace("kernel_size: 3 stride: 2 weight", "kernel_size: 3 stride: 2 "
                        "engine: MKL2017 weight")  # fmt: skip
    text += 'layer { name: "x" type: "ReLU" bottom: "conv2" top: "x" forward_type: FLOAT '
    text += "param { lanes: 3 } transform_param { emit { a: 1 } } }"

    with pytest.warns(UserWarning, match="line 2: field 'default_forward_type'.* and 2 more"):
        net = parse_prototxt(text)

    plain = BODY + 'layer { name: "x" type: "ReLU" bottom: "conv2" top: "x" param {} '
    plain += "transform_param {} }"
    assert net == parse_prototxt(plain)


def test_what_is_not_understood_survives_printing():
    """A notebook writes the message as text and loads that: the layer still says what it lacks."""
    net = parse_prototxt(BODY + HEADS["a field"])

    again = parse_prototxt(print_prototxt(net))

    assert again == net
    assert again.layer[-1].not_understood == [
        "line 14: field 'lanes' of ConvolutionParameter"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "field",
    [
        "convolution_param { kernel_d: 3 }",
        "convolution_param { pad_l: 3 }",
        "convolution3d_param { kernel_depth: 3 }",
        "yolov3_detection_output_param { biases: 10 }",
        "normalize_param { normalize_type: 'L2' }",
        "roi_align_param { pooled_w: 7 }",
    ],
)
def test_what_variants_called_alike_is_no_slip(field):
    """A known name with something added, or another letter for another axis."""
    net = parse_prototxt(f"layer {{ type: 'x' {field} }}")

    assert len(net.layer[0].not_understood) == 1


@pytest.mark.parametrize(
    "text",
    [
        "layer { a: 1 } layer { b { c: 2 } }",
        "layer { a: 1, b < c: 3; d: 'x' \"y\" > # e: {\n f: -inf g: [1, 2.5e-3, nan] }",
        'layers { a { b: "\\"}" } c: D type: GEARBOX }',
    ],
)
def test_every_kind_of_value_can_be_set_aside(text):
    """Lines and columns of what stays are what they were."""
    rest, asides = set_aside(text)

    assert len(rest) == len(text)
    assert [i for i, c in enumerate(rest) if c == "\n"] == [
        i for i, c in enumerate(text) if c == "\n"
    ]
    assert asides
    from deepdream.reading.caffe_pb2 import NetParameter

    text_format.Parse(rest, NetParameter())


@pytest.mark.parametrize(
    "text",
    [
        "layer { a: } }",
        "layer { a { b: 1 ] }",
        "layer { a",
        "layer { 3: 1 }",
        "layer { a: ! }",
        "layer { kernel_size: 3 a: 1 }",
        "bottom: 'x' layer { a: 1 }",
        "base_lr: 0.1 layer { a: 1 }",
        "layer { nmae: 'x' }",
        "layer { name: 'x' layer { } }",
        "state { a: 1 }",
        "layer { pooling_param { pool: MEDIAN } }",
        "layer { a " + "{ b " * 5000,
    ],
)
def test_what_protobuf_tells_better_stays(text):
    """Slips, fields in wrong places, and what is no prototxt."""
    assert set_aside(text) == (text, [])


def test_types_of_variants_in_nets_of_2014():
    """SegNet's layers have types of their own; an unknown one is named."""
    text = """
input: "data" input_dim: [1, 3, 8, 12]
layers { bottom: "data" top: "c" name: "c" type: CONVOLUTION
  convolution_param { num_output: 5 kernel_size: 3 pad: 1 } }
layers { bottom: "c" top: "c" name: "bn" type: BN bn_param { bn_mode: INFERENCE
  scale_filler { type: "constant" value: 1 } shift_filler { type: "constant" value: 0.001 } } }
layers { bottom: "c" top: "p" top: "mask" name: "p" type: POOLING
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layers { bottom: "p" bottom: "mask" top: "u" name: "u" type: UPSAMPLE
  upsample_param { scale: 2 upsample_w: 12 upsample_h: 8 } }
layers { bottom: "u" top: "lost" name: "lost" type: GEARBOX }
"""
    with pytest.warns(UserWarning, match="type 'GEARBOX' of V1LayerParameter"):
        net = Net(parse_prototxt(text), 1, force_backward=True)

    assert [layer.type for layer in net.layers] == [
        "Input", "Convolution", "BN", "Pooling", "Upsample",
    ]  # fmt: skip
    assert tuple(net.blobs["u"].shape) == (1, 5, 8, 12)
    seed_weights(net)
    net.blobs["data"].data[...] = np.random.RandomState(1).standard_normal((1, 3, 8, 12))
    net.forward()
    net.blobs["u"].diff[...] = net.blobs["u"].data
    net.backward()
    assert np.abs(net.blobs["data"].diff).max() > 0


# -- training -----------------------------------------------------------------------------------

LOSS = """
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy"
  include { phase: TEST } }
"""
DATA = {
    "Data": ("transform_param { crop_size: 227 mirror: true } "
             'data_param { source: "x" backend: LMDB batch_size: 50 }', (3, 227, 227)),
    "ImageData": ('image_data_param { source: "x" new_height: 90 new_width: 120 is_color: false }',
                  (1, 90, 120)),
    "HDF5Data": ('hdf5_data_param { source: "x" batch_size: 5 }', (3, 224, 224)),
    "WindowData": ('window_data_param { source: "x" crop_size: 99 }', (3, 99, 99)),
}  # fmt: skip


@pytest.mark.parametrize("only_train", [False, True])
@pytest.mark.parametrize("kind", DATA)
def test_a_description_of_training_says_what_to_write(kind, only_train, tmp_path):
    """The lines in the message make a net of it."""
    param, shape = DATA[kind]
    rule = "include { phase: TRAIN }" if only_train else ""
    data = f'layer {{ name: "d" type: "{kind}" top: "data" top: "label" {rule} {param} }}'

    with pytest.raises(PrototxtError, match="this describes training. Give the") as caught:
        Net(parse_prototxt(data + LOSS), 1)

    message = str(caught.value)
    assert "TanH" not in message
    assert "without what reads 'label' ('loss', 'accuracy')" in message
    assert ("example" in message) == (kind == "HDF5Data")
    lines = message.split(":\n", 1)[1]
    net = Net(parse_prototxt(lines + LOSS.split('layer { name: "loss"')[0]), 1)
    assert tuple(net.blobs["data"].shape) == (1, *shape)
    path = tmp_path / "train.prototxt"
    path.write_text(data + LOSS)
    with pytest.raises(PrototxtError, match="this describes training"):
        load_graph(str(path))


def test_memory_data_cannot_be_dreamt_on(tmp_path):
    """It can be run, with set_input_arrays; load_net says what to write in its place."""
    text = """
layer { name: "m" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 3 height: 20 width: 30 } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "s" type: "Silence" bottom: "label" }
"""
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "x.caffemodel"
    prototxt.write_text(text)
    Net(parse_prototxt(text), 1).save(weights)

    with pytest.raises(ShapeError, match=r"(?s)no input blob .*training.*dim: 3 dim: 20 dim: 30"):
        deepdream.load_net(prototxt, weights, mean=(1, 2, 3))


def test_errors_are_of_this_package():
    """A data layer stays an unknown type for those who catch that."""
    assert issubclass(UnknownLayerTypeError, DeepDreamError)
    with pytest.raises(UnknownLayerTypeError, match="layer type 'Data' is not known"):
        Net(parse_prototxt('layer { name: "d" type: "Data" top: "data" }' + LOSS), 1)


def test_each_list_of_pictures_gets_its_input():
    """Labels get none: they are what only losses read."""
    text = """
layer { name: "a" type: "ImageData" top: "colour" top: "one"
  image_data_param { source: "x" new_height: 40 new_width: 56 } }
layer { name: "b" type: "ImageData" top: "grey" top: "two"
  image_data_param { source: "x" new_height: 20 new_width: 28 is_color: false } }
layer { name: "l" type: "Data" top: "label" data_param { source: "y" } }
layer { name: "half" type: "Pooling" bottom: "colour" top: "half"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "cat" type: "Concat" bottom: "half" bottom: "grey" top: "cat" }
"""
    loss = 'layer { name: "loss" type: "EuclideanLoss" bottom: "cat" bottom: "label" top: "loss" }'

    with pytest.raises(PrototxtError, match="Input layers in place of") as caught:
        Net(parse_prototxt(text + loss), 1)

    assert "without what reads 'label' ('loss')" in str(caught.value)
    lines = str(caught.value).split(":\n", 1)[1]
    net = Net(parse_prototxt(lines + text.split('data_param { source: "y" } }')[1]), 1)
    assert net.inputs == ["colour", "grey"]
    assert tuple(net.blobs["cat"].shape) == (1, 4, 20, 28)


SEGNET = """
layer { name: "data" type: "DenseImageData" top: "data" top: "label"
  dense_image_data_param { source: "/SegNet/CamVid/test.txt" batch_size: 4 } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" top: "mask"
  pooling_param { kernel_size: 8 stride: 8 } }
layer { name: "pool2" type: "Pooling" bottom: "pool1" top: "pool2" top: "mask2"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Upsample" bottom: "pool2" bottom: "mask2" top: "up"
  upsample_param { scale: 2 pad_out_h: true } }
"""


def test_segnets_files_for_inference_are_dreamt_on(tmp_path):
    """They begin with a list of pictures, whose labels nobody reads."""
    prototxt, weights = tmp_path / "inference.prototxt", tmp_path / "x.caffemodel"
    prototxt.write_text(SEGNET)
    with pytest.warns(UserWarning, match="reads a list of pictures"):
        net = Net(parse_prototxt(SEGNET), 1, lenient=True)
    seed_weights(net)
    net.save(weights)

    with pytest.warns(UserWarning, match=r"'data' \(DenseImageData\) reads a list of pictures"):
        net = deepdream.load_net(prototxt, weights, mean=(1, 2, 3))

    assert tuple(net.blobs["data"].shape) == (1, 3, 360, 480)
    assert tuple(net.blobs["up"].shape) == (1, 4, 45, 60)
    picture = np.random.RandomState(1).randint(0, 256, (96, 128, 3)).astype(np.uint8)
    made = deepdream.dream(net, picture, end="pool1", iter_n=2, octave_n=2, seed=1)
    assert (np.asarray(made) != picture).any()


@pytest.mark.parametrize("read", [load_graph, lambda path: Net(str(path), 1, lenient=True)])
def test_what_is_said_of_a_list_of_pictures_is_said_once(read, tmp_path, recwarn):
    """Also where the description is read again, without a head that cannot be built."""
    prototxt = tmp_path / "inference.prototxt"
    prototxt.write_text(SEGNET + WRONG_HEADS["does not fit"][0].replace("conv2", "up"))

    assert list(read(prototxt).unbuilt) == ["fc"]

    told = [str(each.message) for each in recwarn if "list of pictures" in str(each.message)]
    assert len(told) == 1


def test_segnets_files_for_training_are_refused():
    """There the labels are read, and Net itself replaces nothing."""
    loss = 'layer { name: "l" type: "EuclideanLoss" bottom: "up" bottom: "label" top: "l" }'
    for text, lenient in ((SEGNET + loss, True), (SEGNET, False)):
        with pytest.raises(PrototxtError, match="(?s)describes training.*dim: 360 dim: 480"):
            Net(parse_prototxt(text), 1, lenient=lenient)


# -- heads that are wrong ------------------------------------------------------------------------

WRONG_HEADS = {
    "reads what nobody makes": (
        'layer { name: "fc" type: "InnerProduct" bottom: "fc" top: "fc"\n'
        "  inner_product_param { num_output: 5 } }",
        "it reads blob 'fc', which no layer before it makes",
    ),
    "does not fit": (
        'layer { name: "fc" type: "Reshape" bottom: "conv2" top: "fc"\n'
        "  reshape_param { shape { dim: 0 dim: 7 } } }",
        "cannot become",
    ),
    "lacks a parameter": (
        'layer { name: "fc" type: "Convolution" bottom: "conv2" top: "fc"\n'
        "  convolution_param { kernel_size: 3 } }",
        "num_output is 0",
    ),
}


@pytest.mark.parametrize("head", WRONG_HEADS)
def test_a_head_that_cannot_be_built_costs_no_dream(head):
    """The layers before it are there, and what reads it is not; Net itself raises."""
    text, reason = WRONG_HEADS[head]
    text = BODY + text + '\nlayer { name: "p" type: "Softmax" bottom: "fc" top: "p" }'

    with pytest.warns(UserWarning, match=f"layer 'fc' cannot be built: .*{reason}"):
        net = Net(parse_prototxt(text), 1, force_backward=True, lenient=True)

    assert list(net.unbuilt) == ["fc", "p"]
    assert reason in net.unbuilt["fc"]
    assert net.outputs == ["conv2"]
    assert "conv2_conv2_0_split" not in net.blobs
    with pytest.raises((PrototxtError, ShapeError), match="fc"):
        Net(parse_prototxt(text), 1)


def test_what_is_wrong_in_the_first_half_is_an_error():
    """There it is a slip of whoever writes the net."""
    text = BODY.replace('bottom: "data"', 'bottom: "daat"')
    with pytest.raises(PrototxtError, match="(?s)reads blob 'daat'.*Did you mean 'data'"):
        Net(parse_prototxt(text), 1, lenient=True)
    text = BODY.replace("kernel_size: 3 stride: 2 weight_filler", "stride: 2 weight_filler")
    with pytest.raises(PrototxtError, match="conv1"):
        Net(parse_prototxt(text), 1, lenient=True)


def test_graphs_without_weights_leave_the_same_out(tmp_path):
    """What the command lists before there are weights."""
    path = tmp_path / "net.prototxt"
    path.write_text(BODY + WRONG_HEADS["does not fit"][0])
    assert list(load_graph(str(path)).unbuilt) == ["fc"]


# -- pooling over volumes ------------------------------------------------------------------------

WINDOW = """
layer { name: "p" type: "Pooling" bottom: "conv2" top: "p"
  pooling_param { pool: MAX kernel_size: 2 kernel_size: 2 stride: 2 stride: %d } }
"""


def test_a_window_with_equal_lengths_for_each_axis_is_read():
    """Variants repeat kernel_size and stride."""
    with pytest.warns(UserWarning, match="passed over.*another 'kernel_size'"):
        net = Net(parse_prototxt(BODY + WINDOW % 2), 1)
    one = BODY + (WINDOW % 2).replace("kernel_size: 2 kernel_size: 2 stride: 2 stride: 2",
                                      "kernel_size: 2 stride: 2")  # fmt: skip
    assert tuple(net.blobs["p"].shape) == tuple(Net(parse_prototxt(one), 1).blobs["p"].shape)


def test_a_window_with_other_lengths_is_left_out():
    """What it means for rows and columns is not certain."""
    with pytest.warns(UserWarning, match="passed over.*another 'kernel_size'"):
        message = parse_prototxt(BODY + WINDOW % 3)
    with pytest.warns(UserWarning, match="'p' cannot be built: .*another 'stride'"):
        net = Net(message, 1)
    assert list(net.unbuilt) == ["p"]
