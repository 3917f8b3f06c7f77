"""Architectures that people dream with, drawn small: every construction of the original is there.

Each function returns the text of a prototxt. Channel counts and depth are cut down, because what is
compared is arithmetic and wiring. `NETS` tells at which sizes and ends they are compared.

Sources, for the constructions: the deploy files of the networks that are named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Size = tuple[int, int]


@dataclass(frozen=True)
class Wild:
    """A net, and how it is compared.

    Attributes
    ----------
    text : callable
        Returns the prototxt.
    ends : tuple of str
        Layers with a top of their own name, shallow to deep.
    sizes : tuple of (int, int)
        Heights and widths.
    inputs : tuple of (str, int)
        Name and channels of each input that has height and width.
    """

    text: Callable[[], str]
    ends: tuple[str, ...]
    sizes: tuple[Size, ...] = ((61, 83), (96, 75), (127, 110))
    inputs: tuple[tuple[str, int], ...] = (("data", 3),)


def _layer(
    name: str, kind: str, bottoms: str | Sequence[str], top: str | None = None, more: str = ""
) -> str:  # noqa: E501
    bottoms = [bottoms] if isinstance(bottoms, str) else bottoms
    wires = "".join(f'bottom: "{bottom}" ' for bottom in bottoms)
    return f'layer {{ name: "{name}" type: "{kind}" {wires}top: "{top or name}" {more} }}\n'


def _head(name: str, channels: int = 3) -> str:
    return (
        f'name: "{name}"\nforce_backward: true\n'
        'layer { name: "data" type: "Input" top: "data"\n'
        f"  input_param {{ shape {{ dim: 1 dim: {channels} dim: 64 dim: 80 }} }} }}\n"
    )


def _conv(
    name: str, bottom: str, count: int, kernel: str, more: str = "", kind: str = "Convolution"
) -> str:  # noqa: E501
    return _layer(
        name, kind, bottom, more=f"convolution_param {{ num_output: {count} {kernel} {more} }}"
    )


def _relu(blob: str) -> str:
    return _layer(f"{blob}_relu", "ReLU", blob, blob)


def _pool(name: str, bottom: str, kernel: int, stride: int, pad: int = 0, how: str = "MAX") -> str:
    parameters = f"pool: {how} kernel_size: {kernel} stride: {stride} pad: {pad}"
    return _layer(name, "Pooling", bottom, more=f"pooling_param {{ {parameters} }}")


def _batch_norm(name: str, bottom: str, in_place: bool = True, eps: str = "") -> str:
    """Return BatchNorm and the Scale with bias that always follows it in Caffe."""
    top = bottom if in_place else f"{name}"
    norm = _layer(f"{name}_norm", "BatchNorm", bottom, top,
                  f"batch_norm_param {{ use_global_stats: true {eps} }}")  # fmt: skip
    return norm + _layer(f"{name}_scale", "Scale", top, top, "scale_param { bias_term: true }")


def inception_bn() -> str:
    """Inception-BN: BatchNorm and Scale after every convolution, stride-2 blocks that pool."""
    text = _head("inception_bn")

    def unit(name: str, bottom: str, count: int, kernel: str) -> str:
        return (
            _conv(name, bottom, count, kernel, "bias_term: false")
            + _batch_norm(f"{name}/bn", name, eps="eps: 0.0001")
            + _relu(name)
        )

    text += unit("conv1", "data", 8, "kernel_size: 7 stride: 2 pad: 3")
    text += _pool("pool1", "conv1", 3, 2)
    text += unit("conv2_reduce", "pool1", 6, "kernel_size: 1")
    text += unit("conv2", "conv2_reduce", 12, "kernel_size: 3 pad: 1")
    text += _pool("pool2", "conv2", 3, 2)
    text += unit("3a/1x1", "pool2", 5, "kernel_size: 1")
    text += unit("3a/3x3_reduce", "pool2", 4, "kernel_size: 1")
    text += unit("3a/3x3", "3a/3x3_reduce", 6, "kernel_size: 3 pad: 1")
    text += unit("3a/double_reduce", "pool2", 4, "kernel_size: 1")
    text += unit("3a/double_0", "3a/double_reduce", 5, "kernel_size: 3 pad: 1")
    text += unit("3a/double_1", "3a/double_0", 5, "kernel_size: 3 pad: 1")
    text += _pool("3a/pool", "pool2", 3, 1, 1, "AVE")
    text += unit("3a/pool_proj", "3a/pool", 3, "kernel_size: 1")
    text += _layer("3a/output", "Concat", ["3a/1x1", "3a/3x3", "3a/double_1", "3a/pool_proj"])
    text += unit("3b/3x3_reduce", "3a/output", 5, "kernel_size: 1")
    text += unit("3b/3x3", "3b/3x3_reduce", 7, "kernel_size: 3 stride: 2 pad: 1")
    text += unit("3b/double_reduce", "3a/output", 4, "kernel_size: 1")
    text += unit("3b/double", "3b/double_reduce", 6, "kernel_size: 3 stride: 2 pad: 1")
    text += _pool("3b/pool", "3a/output", 3, 2, 1)
    # Convolutions round sizes down and pooling up, so that at some sizes the pool is one larger.
    text += _layer("3b/pool_cut", "Crop", ["3b/pool", "3b/3x3"], more="crop_param { axis: 2 }")
    return text + _layer("3b/output", "Concat", ["3b/3x3", "3b/double", "3b/pool_cut"])


def nin() -> str:
    """Network in Network: 1x1 stacks, dropout, and an average over the picture at the end."""
    text = _head("nin")
    bottom = "data"
    for block, kernel in enumerate(
        ("kernel_size: 11 stride: 4", "kernel_size: 5 pad: 2", "kernel_size: 3 pad: 1"), 1
    ):
        count = 6 + 2 * block
        name = f"conv{block}"
        text += _conv(name, bottom, count, kernel) + _relu(name)
        for part in (1, 2):
            inner = f"cccp{2 * block + part - 2}"
            text += _conv(inner, name, count - part, "kernel_size: 1") + _relu(inner)
            name = inner
        if block < 3:
            bottom = f"pool{block}"
            text += _pool(bottom, name, 3, 2)
    text += _layer("drop", "Dropout", name, name, "dropout_param { dropout_ratio: 0.5 }")
    text += _layer(
        "pool3", "Pooling", name, more="pooling_param { pool: AVE global_pooling: true }"
    )
    return text + _layer("prob", "Softmax", "pool3")


def vgg_cnn_s() -> str:
    """VGG_CNN_S: LRN with k = 2, and pooling 3 with stride 3 that rounds up."""
    text = _head("vgg_cnn_s")
    text += _conv("conv1", "data", 9, "kernel_size: 7 stride: 2") + _relu("conv1")
    text += _layer("norm1", "LRN", "conv1",
                   more="lrn_param { local_size: 5 alpha: 0.0005 beta: 0.75 k: 2 }")  # fmt: skip
    text += _pool("pool1", "norm1", 3, 3)
    text += _conv("conv2", "pool1", 11, "kernel_size: 5") + _relu("conv2")
    text += _pool("pool2", "conv2", 2, 2)
    text += _conv("conv3", "pool2", 8, "kernel_size: 3 pad: 1") + _relu("conv3")
    text += _conv("conv4", "conv3", 10, "kernel_size: 3 pad: 1") + _relu("conv4")
    return text + _pool("pool5", "conv4", 3, 3)


def resnet() -> str:
    """ResNet: BatchNorm and Scale in place, identity and projection shortcuts, Eltwise sums."""
    text = _head("resnet")

    def unit(name: str, bottom: str, count: int, kernel: str, relu: bool = True) -> str:
        return (
            _conv(name, bottom, count, kernel, "bias_term: false")
            + _batch_norm(f"bn_{name}", name)
            + (_relu(name) if relu else "")
        )

    text += unit("conv1", "data", 8, "kernel_size: 7 stride: 2 pad: 3")
    text += _pool("pool1", "conv1", 3, 2)
    bottom = "pool1"
    for name, stride in (("res2a", 1), ("res3a", 2), ("res3b", 1)):
        projected = bottom
        if name != "res3b":
            projected = f"{name}_branch1"
            text += unit(projected, bottom, 12, f"kernel_size: 1 stride: {stride}", relu=False)
        text += unit(f"{name}_branch2a", bottom, 5, f"kernel_size: 1 stride: {stride}")
        text += unit(f"{name}_branch2b", f"{name}_branch2a", 5, "kernel_size: 3 pad: 1")
        text += unit(f"{name}_branch2c", f"{name}_branch2b", 12, "kernel_size: 1", relu=False)
        text += _layer(name, "Eltwise", [projected, f"{name}_branch2c"]) + _relu(name)
        bottom = name
    return text


def alexnet() -> str:
    """AlexNet: convolutions in groups, LRN over channels, overlapping pooling."""
    text = _head("alexnet")
    text += _conv("conv1", "data", 8, "kernel_size: 11 stride: 4") + _relu("conv1")
    text += _layer(
        "norm1", "LRN", "conv1", more="lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
    )
    text += _pool("pool1", "norm1", 3, 2)
    text += _conv("conv2", "pool1", 12, "kernel_size: 5 pad: 2 group: 2") + _relu("conv2")
    text += _layer("norm2", "LRN", "conv2",
                   more="lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }")  # fmt: skip
    text += _conv("conv3", "norm2", 15, "kernel_size: 3 pad: 1") + _relu("conv3")
    text += _conv("conv4", "conv3", 9, "kernel_size: 3 pad: 1 group: 3") + _relu("conv4")
    return text + _pool("pool5", "conv4", 3, 2)


def fcn() -> str:
    """FCN-8s: padding of 100, Deconvolution up, Crop to the picture, sums of two depths."""
    text = _head("fcn")
    text += _conv("conv1", "data", 5, "kernel_size: 3 pad: 20") + _relu("conv1")
    text += _pool("pool1", "conv1", 2, 2)
    text += _conv("conv2", "pool1", 7, "kernel_size: 3 pad: 1") + _relu("conv2")
    text += _pool("pool2", "conv2", 2, 2)
    text += _conv("fc6", "pool2", 9, "kernel_size: 5") + _relu("fc6")
    text += _layer("drop6", "Dropout", "fc6", "fc6", "dropout_param { dropout_ratio: 0.5 }")
    text += _conv("score", "fc6", 4, "kernel_size: 1")
    text += _conv(
        "upscore2", "score", 4, "kernel_size: 4 stride: 2", "bias_term: false", "Deconvolution"
    )
    text += _conv("score_pool1", "pool1", 4, "kernel_size: 1")
    text += _layer("score_pool1c", "Crop", ["score_pool1", "upscore2"],
                   more="crop_param { axis: 2 offset: 3 }")  # fmt: skip
    text += _layer("fuse", "Eltwise", ["upscore2", "score_pool1c"],
                   more="eltwise_param { operation: SUM coeff: 1 coeff: 0.5 }")  # fmt: skip
    text += _conv("upscore", "fuse", 4, "kernel_size: 4 stride: 2", "bias_term: false group: 2",
                  "Deconvolution")  # fmt: skip
    return text + _layer("score_crop", "Crop", ["upscore", "data"],
                         more="crop_param { axis: 2 offset: 5 offset: 7 }")  # fmt: skip


def densenet() -> str:
    """DenseNet: each unit reads all before it; BatchNorm into blobs of its own, chained Concat."""
    text = _head("densenet")
    text += _conv("conv1", "data", 6, "kernel_size: 7 stride: 2 pad: 3", "bias_term: false")
    text += _pool("pool1", "conv1", 3, 2, 1)
    bottom = "pool1"
    for k in range(1, 4):
        text += _batch_norm(f"unit{k}/bn", bottom, in_place=False) + _relu(f"unit{k}/bn")
        text += _conv(f"unit{k}", f"unit{k}/bn", 4, "kernel_size: 3 pad: 1", "bias_term: false")
        text += _layer(f"concat{k}", "Concat", [bottom, f"unit{k}"])
        bottom = f"concat{k}"
    text += _conv("transition", bottom, 7, "kernel_size: 1")
    return text + _pool("pool2", "transition", 2, 2, 0, "AVE")


def rectified() -> str:
    """PReLU by channel and shared, ELU, leaky ReLU, in place and not, and other curves."""
    text = _head("rectified")
    text += _conv("conv1", "data", 7, "kernel_size: 5 stride: 2")
    text += _layer("prelu1", "PReLU", "conv1", "conv1")
    text += _conv("conv2", "conv1", 6, "kernel_size: 3")
    text += _layer("prelu2", "PReLU", "conv2", more="prelu_param { channel_shared: true }")
    text += _conv("conv3", "prelu2", 5, "kernel_size: 3")
    text += _layer("elu3", "ELU", "conv3", more="elu_param { alpha: 0.7 }")
    text += _conv("conv4", "elu3", 8, "kernel_size: 1")
    text += _layer("leaky4", "ReLU", "conv4", "conv4", "relu_param { negative_slope: 0.1 }")
    text += _layer("tanh", "TanH", "conv4") + _layer("sigmoid", "Sigmoid", "conv4")
    text += _layer(
        "gated", "Eltwise", ["tanh", "sigmoid"], more="eltwise_param { operation: PROD }"
    )
    text += _layer("power", "Power", "gated", more="power_param { power: 2 scale: 0.5 shift: 1 }")
    return text + _layer("mixed", "Eltwise", ["power", "conv4"],
                         more="eltwise_param { operation: MAX }")  # fmt: skip


def odd_kernels() -> str:
    """Kernels of 1x7 and 7x1, dilation, strides and pads of two lengths, average with padding."""
    text = _head("odd_kernels")
    text += _conv(
        "conv1", "data", 6, "kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 2"
    )
    text += _relu("conv1")
    text += _conv("row", "conv1", 5, "kernel_h: 1 kernel_w: 7 pad_h: 0 pad_w: 3") + _relu("row")
    text += _conv("column", "row", 7, "kernel_h: 7 kernel_w: 1 pad_h: 3 pad_w: 0") + _relu("column")
    text += _layer("pool", "Pooling", "column", more=(
        "pooling_param { pool: AVE kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 "
        "pad_h: 1 pad_w: 0 }"
    ))  # fmt: skip
    text += _conv("dilated", "pool", 6, "kernel_size: 3 dilation: 2 pad: 2") + _relu("dilated")
    text += _conv("both", "dilated", 8, "kernel_size: 3 kernel_size: 2 dilation: 1 dilation: 3")
    return text


def several() -> str:
    """Two pictures and a vector in, three blobs out; one weight serves both pictures."""
    text = 'name: "several"\nforce_backward: true\n'
    for name, shape in (("left", (1, 3, 64, 80)), ("right", (1, 2, 64, 80)), ("bias", (5,))):
        dims = " ".join(f"dim: {size}" for size in shape)
        text += (
            f'layer {{ name: "{name}" type: "Input" top: "{name}" '
            f"input_param {{ shape {{ {dims} }} }} }}\n"
        )
    text += _conv("conv_left", "left", 5, "kernel_size: 5 stride: 2") + _relu("conv_left")
    text += _conv("conv_right", "right", 5, "kernel_size: 5 stride: 2") + _relu("conv_right")
    shared = 'param { name: "w" } param { name: "b" }'
    for side in ("left", "right"):
        text += _layer(
            f"twin_{side}",
            "Convolution",
            f"conv_{side}",
            more=f"{shared} convolution_param {{ num_output: 5 kernel_size: 3 }}",
        )
    text += _layer("difference", "Eltwise", ["twin_left", "twin_right"],
                   more="eltwise_param { operation: SUM coeff: 1 coeff: -1 }")  # fmt: skip
    text += _layer("biased", "Bias", ["difference", "bias"], more="bias_param { axis: 1 }")
    text += 'layer { name: "slice" type: "Slice" bottom: "biased" top: "first" top: "second" ' \
            "slice_param { axis: 1 slice_point: 2 } }\n"  # fmt: skip
    text += _layer("absolute", "AbsVal", "first")
    text += _layer("normal", "MVN", "second")
    # The length of a normalised blob has no gradient; that of its cube has.
    text += _layer("cube", "Power", "normal", more="power_param { power: 3 }")
    return text + _layer("flat", "Flatten", "twin_right")


def old_v1() -> str:
    """A net of 2014: ``layers``, types in capitals, input_dim, a rate for each blob."""
    return """
name: "old_v1"
force_backward: true
input: "data" input_dim: 1 input_dim: 3 input_dim: 64 input_dim: 80
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1"
  blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 6 kernel_size: 7 stride: 2 weight_filler { type: "xavier" } } }
layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" }
layers { name: "pool1" type: POOLING bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layers { name: "norm1" type: LRN bottom: "pool1" top: "norm1"
  lrn_param { local_size: 3 alpha: 0.001 beta: 0.75 } }
layers { name: "branch_a" type: CONVOLUTION bottom: "norm1" top: "branch_a"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 2 } }
layers { name: "branch_b" type: POOLING bottom: "norm1" top: "branch_b"
  pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }
layers { name: "joined" type: CONCAT bottom: "branch_a" bottom: "branch_b" top: "joined" }
layers { name: "drop" type: DROPOUT bottom: "joined" top: "joined" }
layers { name: "power" type: POWER bottom: "joined" top: "power" power_param { scale: 0.5 } }
"""


def old_v0() -> str:
    """A net of 2013: ``layer`` inside ``layers``, padding as a layer of its own."""
    return """
name: "old_v0"
force_backward: true
input: "data" input_dim: 1 input_dim: 3 input_dim: 64 input_dim: 80
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
layers { layer { name: "conv1" type: "conv" num_output: 6 kernelsize: 5 stride: 2
  weight_filler { type: "gaussian" std: 0.01 } blobs_lr: 1.0 blobs_lr: 2.0 }
  bottom: "pad1" top: "conv1" }
layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: MAX kernelsize: 3 stride: 2 }
  bottom: "conv1" top: "pool1" }
layers { layer { name: "norm1" type: "lrn" local_size: 5 alpha: 0.0001 beta: 0.75 }
  bottom: "pool1" top: "norm1" }
layers { layer { name: "conv2" type: "conv" num_output: 8 group: 2 kernelsize: 3 pad: 1 }
  bottom: "norm1" top: "conv2" }
layers { layer { name: "relu2" type: "relu" } bottom: "conv2" top: "conv2" }
layers { layer { name: "pool2" type: "pool" pool: AVE kernelsize: 2 stride: 2 }
  bottom: "conv2" top: "pool2" }
"""


NETS = {
    "inception_bn": Wild(inception_bn, ("conv2", "3a/output", "3a/double_1", "3b/output")),
    "nin": Wild(nin, ("cccp1", "conv2", "cccp6", "pool3")),
    "vgg_cnn_s": Wild(vgg_cnn_s, ("norm1", "pool1", "conv3", "pool5")),
    "resnet": Wild(resnet, ("pool1", "res2a", "res3a_branch2b", "res3b")),
    "alexnet": Wild(alexnet, ("conv1", "norm2", "conv4", "pool5")),
    "fcn": Wild(fcn, ("conv2", "upscore2", "fuse", "score_crop")),
    "densenet": Wild(densenet, ("conv1", "concat1", "unit3", "pool2")),
    "rectified": Wild(rectified, ("prelu2", "elu3", "gated", "mixed")),
    "odd_kernels": Wild(odd_kernels, ("row", "pool", "dilated", "both")),
    "several": Wild(
        several, ("twin_left", "difference", "cube"), inputs=(("left", 3), ("right", 2))
    ),
    "old_v1": Wild(old_v1, ("pool1", "branch_a", "power")),
    "old_v0": Wild(old_v0, ("pool1", "conv2", "pool2")),
}
