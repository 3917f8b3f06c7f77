#!/usr/bin/env python3
"""Write prototxt/efficientnet_lite0/deploy.prototxt, the bundled network.

    scripts/make_efficientnet_prototxt.py            write the file
    scripts/make_efficientnet_prototxt.py --check    change nothing; status 1 if it is stale

EfficientNet-Lite0 (Tan and Le 2019; the Lite variant is Google's of 2020) is a stem, sixteen
blocks and a head. A block widens its input (``expand``), filters each channel by itself
(``depthwise``), narrows the result (``project``), and adds it to its input where the shapes allow.
Batch normalisation is folded into the convolutions, so it is not to be seen here.

Every block ends in a layer and a blob of the same name, ``blockN/output``: the sum, or the
narrowing convolution where nothing is added. The folded weights are made by
``deepdream/models/bundled.py``, which finds its way by these names.

No Clip works in place, unlike the ReLUs of other nets. Going back, Caffe's Clip lets the gradient
through wherever its input lies in 0..6, bounds included (clip_layer.cpp). Once rewritten by itself,
every value does, and the gradient would pass as if there were no Clip at all.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "prototxt" / "efficientnet_lite0" / "deploy.prototxt"

HEADER = """\
# EfficientNet-Lite0: ImageNet, 1000 classes. Takes B, G, R minus 127.
# Written by scripts/make_efficientnet_prototxt.py; change it there. Origin: README.md.
name: "EfficientNet-Lite0"
layer {
  name: "data"
  type: "Input"
  top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } }
}
"""

STEM = 32  # channels
HEAD = 1280
CLASSES = 1000

# Blocks in a stage, kernel size, stride of the stage's first block, widening, channels out.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def layer(name: str, kind: str, bottoms: list[str], top: str, body: str = "") -> str:
    """Return any layer as text; `body` is its parameter message."""
    rows = [f'  name: "{name}"', f'  type: "{kind}"']
    rows += [f'  bottom: "{bottom}"' for bottom in bottoms]
    rows.append(f'  top: "{top}"')
    if body:
        rows.append(f"  {body}")
    return "layer {\n" + "\n".join(rows) + "\n}\n"


def conv(name: str, bottom: str, channels: int, size: int, stride: int = 1, group: int = 1) -> str:
    """Return a Convolution with as much padding on every side as keeps positions centred."""
    fields = {"num_output": channels, "kernel_size": size}
    fields.update({"pad": size // 2} if size > 1 else {})
    fields.update({"stride": stride} if stride > 1 else {})
    fields.update({"group": group} if group > 1 else {})
    body = " ".join(f"{key}: {value}" for key, value in fields.items())
    return layer(name, "Convolution", [bottom], name, f"convolution_param {{ {body} }}")


def relu6(name: str, bottom: str) -> str:
    """Return a Clip to 0..6."""
    return layer(name, "Clip", [bottom], name, "clip_param { min: 0 max: 6 }")


def block(
    index: int, bottom: str, inputs: int, widening: int, size: int, stride: int, outputs: int
) -> str:
    """Return one block, from the blob `bottom` with `inputs` channels to ``blockN/output``."""
    name = f"block{index}"
    wide = widening * inputs
    text, x = "", bottom
    if widening > 1:
        text += conv(f"{name}/expand", x, wide, 1)
        text += relu6(f"{name}/expand_relu6", f"{name}/expand")
        x = f"{name}/expand_relu6"
    text += conv(f"{name}/depthwise", x, wide, size, stride, group=wide)
    text += relu6(f"{name}/depthwise_relu6", f"{name}/depthwise")
    x = f"{name}/depthwise_relu6"
    if stride > 1 or inputs != outputs:
        return text + conv(f"{name}/output", x, outputs, 1)
    text += conv(f"{name}/project", x, outputs, 1)
    added = [bottom, f"{name}/project"]
    return text + layer(f"{name}/output", "Eltwise", added, f"{name}/output")


def prototxt() -> str:
    """Return the text of the whole net."""
    text = HEADER + conv("stem/conv", "data", STEM, 3, stride=2) + relu6("stem/relu6", "stem/conv")
    x, channels, index = "stem/relu6", STEM, 0
    for repeats, size, first_stride, widening, outputs in STAGES:
        for i in range(repeats):
            stride = first_stride if i == 0 else 1
            text += block(index, x, channels, widening, size, stride, outputs)
            x, channels, index = f"block{index}/output", outputs, index + 1
    text += conv("head/conv", x, HEAD, 1) + relu6("head/relu6", "head/conv")
    text += layer(
        "pool",
        "Pooling",
        ["head/relu6"],
        "pool",
        "pooling_param { pool: AVE global_pooling: true }",
    )
    body = f"inner_product_param {{ num_output: {CLASSES} }}"
    text += layer("classifier", "InnerProduct", ["pool"], "classifier", body)
    return text + layer("prob", "Softmax", ["classifier"], "prob")


def main(arguments: list[str] | None = None) -> int:
    """Write or check the file; return the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, report a stale file")
    options = parser.parse_args(arguments)
    text = prototxt()
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    if options.check:
        print(f"{TARGET} is stale: run scripts/make_efficientnet_prototxt.py", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
