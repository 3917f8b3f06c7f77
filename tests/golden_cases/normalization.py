"""LRN, BatchNorm, Scale, Bias, MVN.

BatchNorm has global statistics only: with batch statistics the Caffe that can be installed gives
x / sqrt(eps), which BVLC's source does not say.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .base import Case, layer_case


def lrn() -> Iterator[Case]:
    for name, what, parameters, shape in (
        (
            "googlenet",
            "size 5, alpha 1e-4, beta 0.75",
            "local_size: 5 alpha: 0.0001 beta: 0.75",
            (2, 7, 3, 5),
        ),
        (
            "strong",
            "alpha large enough to matter",
            "local_size: 5 alpha: 0.5 beta: 0.75",
            (2, 7, 3, 5),
        ),
        ("defaults", "no parameter given", "", (2, 7, 3, 5)),
        (
            "vgg_cnn_s",
            "k is 2",
            "local_size: 5 alpha: 0.0005 beta: 0.75 k: 2",
            (2, 6, 3, 5),
        ),
        ("size1", "a window of one channel", "local_size: 1 alpha: 0.3 beta: 0.5", (2, 3, 4, 5)),
        (
            "wider_than_channels",
            "a window of more channels than there are",
            "local_size: 9 alpha: 0.7 beta: 1.25 k: 1.5",
            (2, 3, 4, 5),
        ),
        (
            "within3",
            "a window over pixels of one channel",
            "norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.7 beta: 0.75",
            (2, 3, 5, 7),
        ),
        (
            "within5_k_ignored",
            "WITHIN_CHANNEL takes 1 for k whatever it is told",
            "norm_region: WITHIN_CHANNEL local_size: 5 alpha: 0.2 beta: 0.5 k: 2",
            (2, 3, 4, 7),
        ),
    ):
        # alpha near 1 makes Caffe's running sum over channels drift by several roundings.
        yield layer_case(
            f"lrn/{name}", f"LRN: {what}", "LRN", f"lrn_param {{ {parameters} }}", shape
        )


def batch_norm() -> Iterator[Case]:
    for name, what, factor, parameters, shape, in_place in (
        ("factor1", "stored statistics as they are", 1.0, "", (2, 3, 5, 7), False),
        (
            "factor999",
            "stored sums over a factor, as training leaves them",
            999.982,
            "",
            (2, 3, 5, 7),
            False,
        ),
        ("factor0", "a factor of zero means mean 0 and variance 0", 0.0, "", (2, 3, 5, 7), False),
        ("in_place", "in place", 999.982, "", (2, 3, 5, 7), True),
        ("eps", "another eps", 1.0, "eps: 0.01", (2, 3, 5, 7), False),
        ("two_axes", "without spatial axes", 1.0, "", (5, 3), False),
        ("five_axes", "with three spatial axes", 1.0, "", (2, 3, 2, 5, 4), False),
    ):
        rng = np.random.RandomState(7)
        scale = factor or 1.0
        mean = np.float32(scale * rng.randint(-64, 65, 3) / 64)
        variance = np.float32(scale * rng.randint(32, 129, 3) / 64)
        yield layer_case(
            f"batch_norm/{name}",
            f"BatchNorm with global statistics: {what}",
            "BatchNorm",
            f"batch_norm_param {{ use_global_stats: true {parameters} }}",
            shape,
            in_place=in_place,
            weights=(mean, variance, np.float32([factor])),
        )


def scale_and_bias() -> Iterator[Case]:
    x = (2, 3, 5, 7)
    for name, what, parameters, bias in (
        ("default", "one factor per channel", "", False),
        ("with_bias", "a factor and a bias per channel", "bias_term: true", True),
        ("axis0", "axis 0: one factor per image", "axis: 0", False),
        ("axis2_two", "a factor per pixel", "axis: 2 num_axes: 2 bias_term: true", True),
        ("to_the_end", "num_axes -1: everything from axis 1 on", "num_axes: -1", False),
        ("whole", "axis 0, num_axes -1: one factor per value", "axis: 0 num_axes: -1", False),
        ("scalar", "num_axes 0: a single factor", "num_axes: 0 bias_term: true", True),
        ("negative_axis", "axis -1", "axis: -1 bias_term: true", True),
    ):
        for in_place in (False, True) if name in ("with_bias", "scalar") else (False,):
            yield layer_case(
                f"scale/{name}{'_in_place' if in_place else ''}",
                f"Scale: {what}{', in place' if in_place else ''}",
                "Scale",
                f"scale_param {{ {parameters} }}",
                x,
                params=1 + bias,
                in_place=in_place,
            )
    for name, what, parameters, other in (
        ("two_bottoms", "the second bottom is the factor", "", (3,)),
        ("two_bottoms_axis0", "a factor over the first two axes", "axis: 0", (2, 3)),
        ("two_bottoms_scalar", "a factor without axes", "axis: 0", ()),
    ):
        yield layer_case(
            f"scale/{name}", f"Scale: {what}", "Scale", f"scale_param {{ {parameters} }}", x, other
        )
    yield layer_case(
        "scale/two_bottoms_bias",
        "Scale: the second bottom is the factor, the bias is a parameter",
        "Scale",
        "scale_param { bias_term: true }",
        x,
        (3,),
        params=1,
    )
    for name, what, parameters in (
        ("default", "one number per channel", ""),
        ("axis0_three", "over the first three axes", "axis: 0 num_axes: 3"),
        ("to_the_end", "num_axes -1: everything from axis 2 on", "axis: 2 num_axes: -1"),
        ("scalar", "num_axes 0: a single number", "num_axes: 0"),
    ):
        yield layer_case(
            f"bias/{name}", f"Bias: {what}", "Bias", f"bias_param {{ {parameters} }}", x, params=1
        )
    yield layer_case("bias/in_place", "Bias: in place", "Bias", "", x, params=1, in_place=True)
    yield layer_case("bias/two_bottoms", "Bias: the second bottom is added", "Bias", "", x, (3,))


def mvn() -> Iterator[Case]:
    for name, what, parameters in (
        ("default", "mean and deviation of each channel", ""),
        ("across", "mean and deviation of each image", "across_channels: true"),
        ("mean_only", "the mean only", "normalize_variance: false"),
        (
            "across_mean_only",
            "the mean of each image only",
            "across_channels: true normalize_variance: false",
        ),
        ("eps", "eps is added to the deviation, not to the variance", "eps: 0.5"),
    ):
        yield layer_case(
            f"mvn/{name}", f"MVN: {what}", "MVN", f"mvn_param {{ {parameters} }}", (2, 3, 5, 7)
        )
    yield layer_case(
        "mvn/three_axes", "MVN: the result has four axes whatever comes in", "MVN", "", (2, 3, 5)
    )


def cases() -> Iterator[Case]:
    yield from lrn()
    yield from batch_norm()
    yield from scale_and_bias()
    yield from mvn()
