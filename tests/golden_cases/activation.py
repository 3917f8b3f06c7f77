"""Element-wise layers, with what Caffe makes of their kinks and of running them in place.

Clip is missing: it is younger than the Caffe that can be installed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .base import Case, layer_case

X = (2, 3, 5, 7)
KINKS = np.float32([[-1.5, -0.0, 0.0, 2.0, 1e-30, -1e-30, 0.75]])


def _both(
    area: str, kind: str, name: str, what: str, parameters: str = "", **more
) -> Iterator[Case]:
    """Yield the layer between two blobs, and in place."""
    for in_place in (False, True):
        yield layer_case(
            f"{area}/{name}{'_in_place' if in_place else ''}",
            f"{kind}: {what}{', in place' if in_place else ''}",
            kind,
            parameters,
            X,
            in_place=in_place,
            **more,
        )


def rectifiers() -> Iterator[Case]:
    yield from _both("relu", "ReLU", "default", "negative values become 0", rtol=0)
    yield from _both(
        "relu",
        "ReLU",
        "leaky",
        "negative_slope 0.1",
        "relu_param { negative_slope: 0.1 }",
        rtol=1e-6,
    )
    yield layer_case(
        "relu/kinks", "ReLU: the gradient at 0 and at -0 is 0", "ReLU", "", KINKS, rtol=0
    )
    yield layer_case(
        "relu/kinks_leaky",
        "ReLU: the gradient at 0 is the negative slope",
        "ReLU",
        "relu_param { negative_slope: 0.25 }",
        KINKS,
        rtol=0,
    )
    yield layer_case(
        "relu/nan",
        "ReLU: NaN stays NaN and passes no gradient",
        "ReLU",
        "",
        np.float32([[np.nan, np.inf, -1, 2]]),
        rtol=0,
    )
    yield from _both("prelu", "PReLU", "default", "a slope per channel", params=1)
    yield from _both(
        "prelu",
        "PReLU",
        "shared",
        "one slope for all channels",
        "prelu_param { channel_shared: true }",
        params=1,
    )
    yield layer_case("prelu/two_axes", "PReLU: without spatial axes", "PReLU", "", (5, 3), params=1)
    yield layer_case(
        "prelu/kinks",
        "PReLU: the gradient at 0 is the slope",
        "PReLU",
        "",
        KINKS,
        weights=[np.float32([0.5, 0.25, 0.125, 2, 3, 0.75, 1])],
        rtol=0,
    )
    yield layer_case(
        "prelu/filler",
        "PReLU: slopes that nobody set are 0.25",
        "PReLU",
        "",
        X,
        rtol=0,
    )
    yield from _both("elu", "ELU", "default", "alpha 1")
    yield from _both("elu", "ELU", "alpha", "alpha 0.3", "elu_param { alpha: 0.3 }")
    yield layer_case("elu/kinks", "ELU: around 0", "ELU", "elu_param { alpha: 0.5 }", KINKS)


def smooth() -> Iterator[Case]:
    yield from _both("sigmoid", "Sigmoid", "default", "logistic function", low=-8, high=8)
    yield from _both("tanh", "TanH", "default", "hyperbolic tangent", low=-4, high=4)
    yield from _both("swish", "Swish", "default", "x times its sigmoid", low=-6, high=6)
    yield from _both(
        "swish", "Swish", "beta", "beta 1.5", "swish_param { beta: 1.5 }", low=-6, high=6
    )
    yield from _both(
        "bnll",
        "BNLL",
        "default",
        "log(1 + exp(x)) without overflow; in place Caffe takes the result for the input",
        low=-60,
        high=60,
        steps=16,
    )
    yield from _both("exp", "Exp", "default", "base e")
    yield from _both(
        "exp",
        "Exp",
        "base2",
        "base 2, scale and shift",
        "exp_param { base: 2 scale: 0.5 shift: -1 }",
    )
    for name, parameters in (
        ("default", ""),
        ("base10", "log_param { base: 10 scale: 2 shift: 0.5 }"),
    ):
        yield from _both("log", "Log", name, "of positive values", parameters, low=0.125, high=3)
    yield layer_case(
        "log/edge",
        "Log: of 0 and of a negative value",
        "Log",
        "",
        np.float32([[0, -1, 1, 2]]),
    )
    yield layer_case("absval/default", "AbsVal: the sign is the gradient", "AbsVal", "", X, rtol=0)
    yield layer_case("absval/kinks", "AbsVal: the gradient at 0 is 0", "AbsVal", "", KINKS, rtol=0)
    yield layer_case(
        "threshold/default",
        "Threshold: 1 above the threshold, 0 at it and below; no backward pass",
        "Threshold",
        "threshold_param { threshold: 0.5 }",
        np.float32([[0.5, 0.25, 0.75, -1, 3]]),
        rtol=0,
        backward=False,
    )


def power() -> Iterator[Case]:
    for name, what, parameters, low in (
        ("default", "power 1, scale 1, shift 0 changes nothing", "", -2),
        ("affine", "power 1 is a scale and a shift", "scale: 2.5 shift: -0.75", -2),
        ("square", "power 2", "power: 2", -2),
        ("square_affine", "power 2 with scale and shift", "power: 2 scale: 0.5 shift: 1.5", -2),
        ("cube", "power 3 of positive values", "power: 3", 0.125),
        ("cube_scaled", "power 3 with scale", "power: 3 scale: 0.5", 0.125),
        ("cube_affine", "power 3 with scale and shift", "power: 3 scale: 0.5 shift: 2", -2),
        ("root", "power 0.5", "power: 0.5 shift: 1", 0.125),
        ("inverse", "power -1", "power: -1 shift: 3", -2),
        ("constant", "power 0 is 1 everywhere, and has no gradient", "power: 0 shift: 2", -2),
        ("scale0", "scale 0 gives shift ** power", "power: 3 scale: 0 shift: 2", -2),
    ):
        yield layer_case(
            f"power/{name}",
            f"Power: {what}",
            "Power",
            f"power_param {{ {parameters} }}",
            X,
            low=low,
        )
    yield layer_case(
        "power/cube_at_zero",
        "Power: with power 3 and shift 0 the gradient at 0 is NaN, for Caffe divides by x",
        "Power",
        "power_param { power: 3 }",
        np.float32([[0, -0.0, 1, -2, 0.5]]),
    )
    for name, parameters in (
        ("affine", "scale: 2 shift: 1"),
        ("square", "power: 2"),
        ("default", ""),
    ):
        yield layer_case(
            f"power/{name}_in_place",
            "Power in place: Caffe writes the power's scale over the gradient before it multiplies",
            "Power",
            f"power_param {{ {parameters} }}",
            X,
            in_place=True,
        )


def dropout() -> Iterator[Case]:
    for name, in_place in (("test", False), ("test_in_place", True)):
        yield layer_case(
            f"dropout/{name}",
            "Dropout: a copy in the TEST phase",
            "Dropout",
            "dropout_param { dropout_ratio: 0.4 }",
            X,
            in_place=in_place,
            rtol=0,
        )


def cases() -> Iterator[Case]:
    yield from rectifiers()
    yield from smooth()
    yield from power()
    yield from dropout()
