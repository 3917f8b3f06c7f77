"""Nets that take some sizes only: their branches have to be equally long where they meet.

A convolution rounds down, a pooling rounds up. `UNEVEN` takes even sides, `RARE` multiples of 32,
`ASKEW` even
heights and widths that are multiples of three, `FIXED` what is about as large as the prototxt says.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

TEST = 1


def head(h: int, w: int) -> str:
    """Return the input layer."""
    return (
        'layer { name: "data" type: "Input" top: "data" '
        f"input_param {{ shape {{ dim: 1 dim: 3 dim: {h} dim: {w} }} }} }}\n"
    )


def branches(
    number: int, bottom: str, conv: str = "kernel_size: 3 stride: 2 pad: 1",
    pool: str = "kernel_size: 3 stride: 2", how: str = "MAX",
) -> str:  # fmt: skip
    """Return a convolution and a pooling side by side, and the Concat where they meet."""
    a, p, cat = f"a{number}", f"p{number}", f"cat{number}"
    return (
        f'layer {{ name: "{a}" type: "Convolution" bottom: "{bottom}" top: "{a}" '
        f"convolution_param {{ num_output: 4 {conv} }} }}\n"
        f'layer {{ name: "{p}" type: "Pooling" bottom: "{bottom}" top: "{p}" '
        f"pooling_param {{ pool: {how} {pool} }} }}\n"
        f'layer {{ name: "{cat}" type: "Concat" bottom: "{a}" bottom: "{p}" top: "{cat}" }}\n'
    )


def inner_product(bottom: str) -> str:
    """Return a layer that takes one shape only."""
    return (
        f'layer {{ name: "fc" type: "InnerProduct" bottom: "{bottom}" top: "fc" '
        "inner_product_param { num_output: 5 } }\n"
    )


def smooth(number: int, bottom: str) -> str:
    """Return branches without anything that tips by rounding, see `tiny.SMOOTH`."""
    return branches(number, bottom, how="AVE")


UNEVEN = head(64, 64) + branches(1, "data")
SMOOTH = head(64, 64) + smooth(1, "data") + smooth(2, "cat1")
RARE = head(64, 96) + "".join(branches(n, f"cat{n - 1}" if n > 1 else "data") for n in range(1, 6))
ASKEW = head(60, 57) + branches(
    1, "data",
    "kernel_h: 3 kernel_w: 3 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 0",
    "kernel_h: 3 kernel_w: 3 stride_h: 2 stride_w: 3",
)  # fmt: skip
FIXED = head(64, 48) + branches(1, "data") + inner_product("cat1")


def uneven_net(text: str = UNEVEN, seed: int = 0, **options: Any) -> Any:
    """Return a net with seeded weights, ready to dream."""
    net: Any = Net(parse_prototxt(text), TEST, force_backward=True, **options)
    seed_weights(net, seed)
    net.transformer = SimpleNamespace(mean={"data": np.float32([104, 117, 123])[:, None, None]})
    return net
