"""Convolution, Deconvolution, Pooling, Crop."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from .base import Case, input_layer, layer, layer_case, net


def _convolution(
    name: str, what: str, parameters: str, *bottoms: object, params: int = 2, tops: int = 1
) -> Case:
    return layer_case(
        f"convolution/{name}",
        what,
        "Convolution",
        f"convolution_param {{ {parameters} }}",
        *bottoms,
        params=params,
        tops=tops,
    )


def convolution() -> Iterator[Case]:
    x = (2, 3, 5, 7)
    one = _convolution
    yield one("pad1", "3x3 with a border of one", "num_output: 4 kernel_size: 3 pad: 1", x)
    yield one(
        "stride2",
        "7x7 stride 2, pad 3: GoogLeNet's first layer",
        "num_output: 5 kernel_size: 7 stride: 2 pad: 3",
        (2, 3, 9, 11),
    )
    yield one("1x1", "1x1, the reduce layers", "num_output: 4 kernel_size: 1", x)
    yield one(
        "1x1_stride2",
        "1x1 with stride 2, ResNet's shortcut",
        "num_output: 4 kernel_size: 1 stride: 2",
        x,
    )
    yield one("1x1_pad1", "1x1 with a border", "num_output: 4 kernel_size: 1 pad: 1", x)
    yield one(
        "1x7",
        "a flat kernel given as kernel_h and kernel_w",
        "num_output: 4 kernel_h: 1 kernel_w: 7 pad_h: 0 pad_w: 3",
        x,
    )
    yield one(
        "7x1",
        "a tall kernel with strides of its own",
        "num_output: 4 kernel_h: 7 kernel_w: 1 pad_h: 3 pad_w: 0 stride_h: 1 stride_w: 2",
        x,
    )
    yield one(
        "per_axis",
        "kernel, stride, pad and dilation repeated, one value per axis",
        "num_output: 4 kernel_size: 2 kernel_size: 3 stride: 2 stride: 1 pad: 1 pad: 2"
        " dilation: 1 dilation: 3",
        (2, 3, 6, 11),
    )
    yield one(
        "dilation2",
        "dilation 2",
        "num_output: 4 kernel_size: 3 pad: 2 dilation: 2",
        (2, 3, 7, 9),
    )
    yield one(
        "dilation3_stride2",
        "dilation 3 and stride 2",
        "num_output: 2 kernel_size: 3 stride: 2 pad: 1 dilation: 3",
        (2, 3, 8, 11),
    )
    yield one(
        "group2",
        "two groups, AlexNet's conv2",
        "num_output: 6 kernel_size: 3 pad: 1 group: 2",
        (2, 4, 5, 7),
    )
    yield one(
        "group3_uneven",
        "three groups of two channels make three groups of three",
        "num_output: 9 kernel_size: 2 group: 3",
        (2, 6, 5, 7),
    )
    yield one(
        "depthwise",
        "one group per channel",
        "num_output: 5 kernel_size: 3 pad: 1 stride: 2 group: 5",
        (2, 5, 7, 9),
    )
    yield one(
        "depthwise_multiplier",
        "two filters per channel",
        "num_output: 6 kernel_size: 3 group: 3",
        x,
    )
    yield one(
        "no_bias",
        "bias_term: false leaves one parameter blob",
        "num_output: 4 kernel_size: 3 bias_term: false",
        x,
        params=1,
    )
    yield one(
        "kernel_exceeds_input",
        "a kernel one row larger than its input: the size is truncated towards zero, so it still"
        " gives one row, which reads zeros beyond the edge",
        "num_output: 4 kernel_size: 11 stride: 4",
        (2, 3, 10, 15),
    )
    yield one(
        "kernel_exceeds_padded",
        "a kernel three larger than the padded input with stride 4",
        "num_output: 2 kernel_size: 9 stride: 4 pad: 1",
        (2, 3, 4, 7),
    )
    yield one(
        "one_spatial_axis",
        "one spatial axis only",
        "num_output: 4 kernel_size: 3 pad: 1 stride: 2",
        (2, 3, 7),
    )
    yield one(
        "three_spatial_axes",
        "three spatial axes",
        "num_output: 3 kernel_size: 2 kernel_size: 3 kernel_size: 2 pad: 0 pad: 1 pad: 1"
        " stride: 1 stride: 2 stride: 1",
        (2, 3, 3, 5, 4),
    )
    yield one(
        "three_spatial_axes_group2",
        "three spatial axes, groups and dilation",
        "num_output: 2 kernel_size: 2 group: 2 dilation: 2 dilation: 1 dilation: 1",
        (1, 4, 3, 5, 4),
    )
    yield one(
        "no_spatial_axes",
        "no spatial axes: a matrix product, with a group too",
        "num_output: 6 group: 3",
        (5, 3),
    )
    yield one(
        "kernel_exceeds_dilated",
        "a dilated kernel larger than the padded input, on one axis only",
        "num_output: 2 kernel_size: 3 stride: 3 dilation: 4 pad: 1",
        (2, 3, 5, 11),
    )
    yield one(
        "axis2",
        "channels on axis 2: both axes before it are counted as batch",
        "num_output: 4 kernel_size: 3 axis: 2",
        (2, 2, 3, 5, 7),
    )
    yield one(
        "axis_negative",
        "axis -3 counts from the end",
        "num_output: 4 kernel_size: 2 axis: -3",
        x,
    )
    yield one(
        "force_nd",
        "force_nd_im2col and engine choose code, not results",
        "num_output: 4 kernel_size: 3 pad: 1 force_nd_im2col: true engine: CAFFE",
        x,
    )
    yield one(
        "two_bottoms",
        "one filter applied to two bottoms; parameter gradients add up",
        "num_output: 4 kernel_size: 3 pad: 1",
        x,
        x,
        tops=2,
    )


def deconvolution() -> Iterator[Case]:
    def one(name: str, what: str, parameters: str, shape: tuple, params: int = 2) -> Case:
        return layer_case(
            f"deconvolution/{name}",
            what,
            "Deconvolution",
            f"convolution_param {{ {parameters} }}",
            shape,
            params=params,
        )

    x = (2, 3, 4, 5)
    yield one("k4s2p1", "doubles the size", "num_output: 4 kernel_size: 4 stride: 2 pad: 1", x)
    yield one("k3", "stride 1, no border", "num_output: 2 kernel_size: 3", x)
    yield one("k1s3", "1x1 with stride 3 leaves holes", "num_output: 2 kernel_size: 1 stride: 3", x)
    yield one(
        "group2_dilation2",
        "two groups, dilation 2: weights are (channels, num_output / group, h, w)",
        "num_output: 6 kernel_size: 3 stride: 2 group: 2 dilation: 2",
        (2, 4, 3, 5),
    )
    yield one(
        "rectangular",
        "different kernel, stride and pad per axis",
        "num_output: 4 kernel_h: 2 kernel_w: 5 stride_h: 1 stride_w: 3 pad_h: 0 pad_w: 2",
        x,
    )
    yield one(
        "no_bias",
        "bias_term: false leaves one parameter blob",
        "num_output: 4 kernel_size: 2 stride: 2 bias_term: false",
        x,
        params=1,
    )
    yield one(
        "three_spatial_axes",
        "three spatial axes",
        "num_output: 2 kernel_size: 2 stride: 2 stride: 1 stride: 2",
        (1, 3, 2, 4, 3),
    )
    bilinear = (
        "convolution_param { num_output: 3 group: 3 kernel_size: 5 stride: 3 pad: 1"
        ' bias_term: false weight_filler { type: "bilinear" } }'
    )
    case = layer_case(
        "deconvolution/bilinear",
        "upsampling by the bilinear filler",
        "Deconvolution",
        bilinear,
        x,
    )
    yield case.step("read_param", layer="L", index=0)


_WINDOWS = {
    # name: (what, parameters, shape)
    "k3s2_odd": (
        "3x3 stride 2 where the windows fit exactly",
        "kernel_size: 3 stride: 2",
        (2, 3, 7, 11),
    ),
    "k3s2_even": (
        "3x3 stride 2 on even sizes: the last window is cut short",
        "kernel_size: 3 stride: 2",
        (2, 3, 6, 10),
    ),
    "k2s2_odd": ("2x2 stride 2 on odd sizes", "kernel_size: 2 stride: 2", (2, 3, 5, 7)),
    "k3s1p1": (
        "the pool branch of an inception block",
        "kernel_size: 3 stride: 1 pad: 1",
        (2, 3, 5, 7),
    ),
    "k3s2p1": (
        "3x3 stride 2 pad 1, ResNet's first",
        "kernel_size: 3 stride: 2 pad: 1",
        (2, 3, 6, 9),
    ),
    "k2s2p1": (
        "with padding, a last window that would start in the padding is dropped",
        "kernel_size: 2 stride: 2 pad: 1",
        (2, 3, 5, 6),
    ),
    "k3s3": ("3x3 stride 3, VGG_CNN_S", "kernel_size: 3 stride: 3", (2, 3, 7, 8)),
    "k3s2p2": (
        "padding of more than half the kernel",
        "kernel_size: 3 stride: 2 pad: 2",
        (2, 3, 5, 8),
    ),
    "k5s1p4": ("padding of the kernel less one", "kernel_size: 5 stride: 1 pad: 4", (1, 2, 3, 4)),
    "k2s3": ("windows with gaps between them", "kernel_size: 2 stride: 3", (2, 3, 5, 8)),
    "k5_small": (
        "an input smaller than the kernel by less than the stride",
        "kernel_size: 5 stride: 3",
        (2, 3, 3, 4),
    ),
    "rectangular": (
        "another kernel, stride and pad on each axis",
        "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 1",
        (2, 3, 5, 8),
    ),
    "pad_w_only": (
        "padding of one axis makes the drop rule apply to both",
        "kernel_h: 1 kernel_w: 3 stride_h: 2 stride_w: 2 pad_h: 0 pad_w: 1",
        (2, 3, 4, 7),
    ),
    "floor_k3s2": (
        "round_mode FLOOR leaves the short window out",
        "kernel_size: 3 stride: 2 round_mode: FLOOR",
        (2, 3, 6, 10),
    ),
    "floor_k3s2p1": (
        "round_mode FLOOR with padding",
        "kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR",
        (2, 3, 6, 9),
    ),
    "global": ("one window over the whole input", "global_pooling: true", (2, 3, 5, 7)),
}


def pooling() -> Iterator[Case]:
    for name, (what, parameters, shape) in _WINDOWS.items():
        for method, rtol in (("MAX", 0.0), ("AVE", 1e-6)):
            yield layer_case(
                f"pooling/{method.lower()}_{name}",
                f"{method}: {what}",
                "Pooling",
                f"pooling_param {{ pool: {method} {parameters} }}",
                shape,
                rtol=rtol,
            )
    for name, parameters in (
        ("k3s2", "kernel_size: 3 stride: 2"),
        ("k3s1p1", "kernel_size: 3 pad: 1"),
    ):
        yield layer_case(
            f"pooling/max_ties_{name}",
            "of equal values in a window the first takes the whole gradient",
            "Pooling",
            f"pooling_param {{ {parameters} }}",
            (2, 3, 6, 9),
            low=-1,
            high=1,
            steps=1,
            rtol=0,
        )
    yield layer_case(
        "pooling/max_mask",
        "a second top gives the place of each maximum in its plane",
        "Pooling",
        "pooling_param { kernel_size: 3 stride: 2 pad: 1 }",
        (2, 3, 6, 9),
        tops=2,
        rtol=0,
    )
    yield layer_case(
        "pooling/max_nan",
        "NaN never wins; a window of NaN only gives the lowest float",
        "Pooling",
        "pooling_param { kernel_size: 2 stride: 2 }",
        np.float32([[[[np.nan, 1, np.nan, np.nan], [-2, np.nan, np.nan, np.nan]]]]),
        rtol=0,
        backward=False,
    )
    for method in ("MAX", "AVE"):
        yield layer_case(
            f"pooling/{method.lower()}_empty_window",
            f"{method}: with a stride beyond the kernel the last window may hold nothing"
            " (no backward: Caffe would write outside the blob)",
            "Pooling",
            f"pooling_param {{ pool: {method} kernel_size: 1 stride: 2 }}",
            (2, 3, 4, 6),
            rtol=0 if method == "MAX" else 1e-6,
            backward=False,
        )
    yield _pooling_sizes()


def _pooling_sizes() -> Case:
    """Many small sizes under every small window, structure only."""
    sizes = [(1, 8), (2, 7), (3, 6), (4, 5), (9, 10)]
    case = Case("pooling/sizes", "output sizes of small windows on sizes from 1 to 10", rtol=0)
    kinds = [
        (kernel, stride, pad, mode)
        for kernel, stride, pad, mode in product((1, 2, 3), (1, 2, 3), (0, 1), ("CEIL", "FLOOR"))
        if pad < kernel
    ]
    for number, (height, width) in enumerate(sizes):
        pools = []
        for kernel, stride, pad, mode in kinds:
            # Where nothing is left of an axis Caffe ends its process; that is a case of its own.
            if min(height, width) + 2 * pad - kernel <= -2 * stride:
                continue
            name = f"k{kernel}s{stride}p{pad}{mode.lower()}"
            parameters = f"kernel_size: {kernel} stride: {stride} pad: {pad} round_mode: {mode}"
            pools.append(layer(name, "Pooling", ["x"], [name], f"pooling_param {{ {parameters} }}"))
        text = net(input_layer("x", (1, 1, height, width)), *pools)
        case.step("net", net=f"n{number}", prototxt=text)
        case.step("shapes", net=f"n{number}", name=f"{height}x{width}")
    return case


def crop() -> Iterator[Case]:
    for name, what, parameters, big, small in (
        ("default", "axes 2 and 3, no offset", "", (2, 3, 5, 7), (1, 4, 3, 4)),
        (
            "one_offset",
            "one offset for all axes from axis 1",
            "crop_param { axis: 1 offset: 1 }",
            (2, 4, 5, 7),
            (3, 2, 3, 4),
        ),
        (
            "offset_per_axis",
            "an offset for each axis",
            "crop_param { axis: 1 offset: 1 offset: 0 offset: 3 }",
            (2, 4, 5, 7),
            (3, 2, 5, 4),
        ),
        (
            "negative_axis",
            "axis -1 crops the width only",
            "crop_param { axis: -1 offset: 2 }",
            (2, 3, 5, 7),
            (1, 1, 1, 4),
        ),
    ):
        yield layer_case(f"crop/{name}", f"Crop: {what}", "Crop", parameters, big, small, rtol=0)


def cases() -> Iterator[Case]:
    yield from convolution()
    yield from deconvolution()
    yield from pooling()
    yield from crop()
