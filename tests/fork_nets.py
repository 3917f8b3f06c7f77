"""Architectures of Caffe's variants, drawn small: every construction of the original is there.

Each function returns the text of a prototxt; `NETS` tells a layer in its middle, and which layers
cannot be built. The real Caffe knows none of these, so they are in no comparison with it.

Sources, for the constructions: the deploy files of the networks that are named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wild_nets import _batch_norm, _conv, _head, _layer, _pool, _relu


class Fork(NamedTuple):
    """A net, layers to dream at, and the layers that are left out."""

    text: Callable[[], str]
    ends: tuple[str, ...]
    unbuilt: tuple[str, ...] = ()


def mobilenet_ssd() -> str:
    """MobileNet-SSD: depthwise layers of both names, Permute, and a head of boxes."""
    text = _head("mobilenet_ssd")
    text += _conv("conv0", "data", 8, "kernel_size: 3 stride: 2 pad: 1", "bias_term: false")
    text += _batch_norm("conv0/bn", "conv0") + _relu("conv0")
    text += _conv("conv1/dw", "conv0", 8, "kernel_size: 3 pad: 1", "group: 8 engine: CAFFE",
                  "DepthwiseConvolution")  # fmt: skip
    text += _batch_norm("conv1/dw/bn", "conv1/dw") + _layer("r1", "ReLU6", "conv1/dw", "conv1/dw")
    text += _conv("conv1", "conv1/dw", 12, "kernel_size: 1") + _relu("conv1")
    text += _conv("conv2/dw", "conv1", 12, "kernel_size: 3 stride: 2 pad: 1", "",
                  "ConvolutionDepthwise")  # fmt: skip
    text += _conv("conv2", "conv2/dw", 10, "kernel_size: 1") + _relu("conv2")
    text += _conv("loc", "conv2", 8, "kernel_size: 1")
    text += _layer("perm", "Permute", "loc",
                   more="permute_param { order: 0 order: 2 order: 3 order: 1 }")  # fmt: skip
    text += _layer("flat", "Flatten", "perm", more="flatten_param { axis: 1 }")
    text += _layer("prior", "PriorBox", ["conv2", "data"], more=(
        "prior_box_param { min_size: 60.0 aspect_ratio: 2.0 flip: true clip: false variance: 0.1 }"
    ))  # fmt: skip
    return text + _layer("detection", "DetectionOutput", ["flat", "prior"], more=(
        "detection_output_param { num_classes: 21 share_location: true background_label_id: 0 "
        "nms_param { nms_threshold: 0.45 top_k: 100 } code_type: CENTER_SIZE keep_top_k: 100 }"
    ))  # fmt: skip


def vgg_ssd() -> str:
    """VGG-SSD: a dilated fc6, and conv4_3 brought to one length with a scale for each channel."""
    text = _head("vgg_ssd") + _conv("conv4_3", "data", 9, "kernel_size: 3 pad: 1")
    text += _relu("conv4_3") + _pool("pool4", "conv4_3", 2, 2)
    text += _conv("fc6", "pool4", 7, "kernel_size: 3 pad: 6 dilation: 6") + _relu("fc6")
    text += _layer("norm", "Normalize", "conv4_3", more=(
        'norm_param { across_spatial: false scale_filler { type: "constant" value: 20 } '
        "channel_shared: false }"
    ))  # fmt: skip
    return text + _conv("loc", "norm", 8, "kernel_size: 3 pad: 1")


def senet() -> str:
    """SENet: Axpy, and pooling with ceil_mode: false."""
    text = _head("senet") + _conv("conv1", "data", 8, "kernel_size: 7 stride: 2 pad: 3")
    text += _relu("conv1")
    text += _layer("pool1", "Pooling", "conv1", more=(
        "pooling_param { pool: MAX kernel_size: 3 stride: 2 ceil_mode: false }"
    ))  # fmt: skip
    text += _conv("proj", "pool1", 12, "kernel_size: 1") + _conv(
        "up", "pool1", 12, "kernel_size: 1"
    )
    text += _layer("squeeze", "Pooling", "up", more=(
        "pooling_param { pool: AVE engine: CAFFE global_pooling: true }"
    ))  # fmt: skip
    text += _conv("down", "squeeze", 3, "kernel_size: 1") + _relu("down")
    text += _conv("prob", "down", 12, "kernel_size: 1") + _layer("gate", "Sigmoid", "prob", "prob")
    text += _layer("block", "Axpy", ["prob", "up", "proj"]) + _relu("block")
    return text + _conv("conv2", "block", 9, "kernel_size: 3 pad: 1")


def shufflenet() -> str:
    """ShuffleNet: grouped 1x1 convolutions, and channels dealt out between them."""
    text = _head("shufflenet") + _conv("conv1", "data", 6, "kernel_size: 3 stride: 2 pad: 1")
    text += _pool("pool1", "conv1", 3, 2)
    text += _conv("a", "pool1", 12, "kernel_size: 1", "group: 3") + _relu("a")
    text += _layer("shuffle", "ShuffleChannel", "a", more="shuffle_channel_param { group: 3 }")
    text += _conv("dw", "shuffle", 12, "kernel_size: 3 pad: 1", "group: 12", "ConvolutionDepthwise")
    text += _conv("b", "dw", 6, "kernel_size: 1", "group: 3")
    return text + _layer("sum", "Eltwise", ["pool1", "b"]) + _relu("sum")


def segnet() -> str:
    """SegNet: pooling with its places, Upsample by them, and BN that only scales and shifts."""
    text = _head("segnet") + _conv("conv1", "data", 8, "kernel_size: 3 pad: 1")
    bn = 'bn_param { bn_mode: INFERENCE scale_filler { type: "constant" value: 1 } }'
    text += _layer("bn1", "BN", "conv1", "conv1", bn) + _relu("conv1")
    text += (
        'layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" top: "mask1" '
        "pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\n"
    )
    text += _conv("conv2", "pool1", 8, "kernel_size: 3 pad: 1")
    text += _layer("bn2", "BN", "conv2", "conv2", bn) + _relu("conv2")
    text += _layer("up", "Upsample", ["conv2", "mask1"], more="upsample_param { scale: 2 }")
    return text + _conv("decode", "up", 5, "kernel_size: 3 pad: 1")


def pspnet() -> str:
    """PSPNet: frozen BN with stored statistics, a pyramid of means, Interp back."""
    text = _head("pspnet") + _conv("conv1", "data", 8, "kernel_size: 3 stride: 2 pad: 1")
    bn = (
        'bn_param { slope_filler { type: "constant" value: 1 } frozen: true momentum: 0.95 '
        'bias_filler { type: "constant" value: 0 } }'
    )
    text += _layer("bn1", "BN", "conv1", "conv1/bn", bn) + _relu("conv1/bn")
    text += _conv("conv2", "conv1/bn", 10, "kernel_size: 3 pad: 2 dilation: 2")
    text += _layer("bn2", "BN", "conv2", "conv2", bn) + _relu("conv2")
    text += _layer("mean", "Pooling", "conv2", more=(
        "pooling_param { pool: AVE kernel_size: 16 stride: 8 }"
    ))  # fmt: skip
    text += _layer("back", "Interp", "mean", more="interp_param { height: 32 width: 40 }")
    text += _layer("cat", "Concat", ["conv2", "back"])
    text += _conv("conv6", "cat", 5, "kernel_size: 1")
    return text + _layer("full", "Interp", "conv6", more="interp_param { zoom_factor: 2 }")


def yolo() -> str:
    """YOLO v2 and v3: Reorg, Upsample by repeating, a head of regions."""
    text = _head("yolo") + _conv("conv1", "data", 8, "kernel_size: 3 stride: 2 pad: 1")
    text += _layer("leaky", "ReLU", "conv1", "conv1", "relu_param { negative_slope: 0.1 }")
    text += _conv("conv2", "conv1", 6, "kernel_size: 3 stride: 2 pad: 1")
    text += _layer("reorg", "Reorg", "conv1", more="reorg_param { stride: 2 }")
    text += _layer("cat", "Concat", ["reorg", "conv2"])
    text += _conv("conv3", "cat", 7, "kernel_size: 1")
    text += _layer("up", "Upsample", "conv3", more="upsample_param { scale: 2 }")
    text += _layer("route", "Concat", ["up", "conv1"])
    text += _conv("conv4", "route", 5, "kernel_size: 1")
    return text + _layer("region", "Yolov3DetectionOutput", "conv4", more=(
        "yolov3_detection_output_param { confidence_threshold: 0.3 num_classes: 20 biases: 10 }"
    ))  # fmt: skip


def faster_rcnn() -> str:
    """Faster R-CNN: two inputs, and proposals in Python after the convolutions."""
    text = _head("faster_rcnn")
    text += (
        'layer { name: "info" type: "Input" top: "im_info" '
        "input_param { shape { dim: 1 dim: 3 } } }\n"
    )
    text += _conv("conv1", "data", 8, "kernel_size: 3 stride: 2") + _relu("conv1")
    text += _conv("conv5", "conv1", 9, "kernel_size: 3 pad: 1") + _relu("conv5")
    text += _conv("rpn", "conv5", 6, "kernel_size: 3 pad: 1")
    text += _layer("rpn_prob", "Softmax", "rpn")
    text += _layer("proposal", "Python", ["rpn_prob", "rpn", "im_info"], "rois", (
        "python_param { module: 'rpn.nobodys_proposal_layer' layer: 'ProposalLayer' "
        "param_str: \"'feat_stride': 16\" }"
    ))  # fmt: skip
    text += _layer("pool5", "ROIPooling", ["conv5", "rois"], more=(
        "roi_pooling_param { pooled_w: 7 pooled_h: 7 spatial_scale: 0.0625 }"
    ))  # fmt: skip
    text += _layer("fc6", "InnerProduct", "pool5", more="inner_product_param { num_output: 9 }")
    return text + _layer("cls_prob", "Softmax", "fc6")


def nvidia() -> str:
    """DetectNet of NVIDIA's Caffe: BatchNorm with its scale and bias, half precision asked for."""
    text = _head("nvidia").replace("force_backward", "default_forward_type: FLOAT16 force_backward")
    text += _conv("conv1", "data", 8, "kernel_size: 5 stride: 2", "bias_term: false")
    text += _layer("conv1/bn", "BatchNorm", "conv1", "conv1", (
        "batch_norm_param { moving_average_fraction: 0.99 eps: 0.0001 scale_bias: true }"
    ))  # fmt: skip
    text += _relu("conv1") + _conv("conv2", "conv1", 6, "kernel_size: 3")
    text += _layer("conv2/bn", "BatchNorm", "conv2", more="batch_norm_param { scale_bias: true }")
    return text + _conv("coverage", "conv2/bn", 4, "kernel_size: 1")


NETS = {
    "mobilenet_ssd": Fork(mobilenet_ssd, ("conv1", "conv2", "perm"), ("prior", "detection")),
    "vgg_ssd": Fork(vgg_ssd, ("fc6", "loc")),
    "senet": Fork(senet, ("block", "conv2")),
    "shufflenet": Fork(shufflenet, ("shuffle", "sum")),
    "segnet": Fork(segnet, ("up", "decode")),
    "pspnet": Fork(pspnet, ("conv2", "cat", "full")),
    "yolo": Fork(yolo, ("cat", "conv4"), ("region",)),
    "faster_rcnn": Fork(faster_rcnn, ("conv5", "rpn"), ("proposal", "pool5", "fc6", "cls_prob")),
    "nvidia": Fork(nvidia, ("conv2", "coverage")),
}
