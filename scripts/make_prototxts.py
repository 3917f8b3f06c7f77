#!/usr/bin/env python3
"""Write the deploy.prototxt of every registered network that is regular enough to be spelled out.

    scripts/make_prototxts.py            write prototxt/NAME/deploy.prototxt
    scripts/make_prototxts.py --check    change nothing; status 1 if a file is stale

The names, the order and the numbers are those of the networks as published (each folder's
README.md says where), because weights are found by layer name and ends are written by hand.
Fields that concern training only (learning rates, fillers) are left out.

Each network is a function that adds layers to a `Prototxt`. Its methods return the name of the
top blob, so a network reads from the input to the classes. EfficientNet-Lite0 is not made here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

Value = object  # int, float, bool, or a str that is an enum word such as MAX


def scalar(value: Value) -> str:
    """Return `value` as prototxt writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Prototxt:
    """The text of one net, grown layer by layer."""

    def __init__(self, name: str, about: str, shape: tuple[int, int, int, int]) -> None:
        lines = [f"# {line}" for line in about.splitlines()]
        lines.append("# Written by scripts/make_prototxts.py; change it there. Origin: README.md.")
        self.parts = ["\n".join(lines) + f'\nname: "{name}"\n']
        dims = " ".join(f"dim: {n}" for n in shape)
        self.layer("data", "Input", [], "data", f"input_param {{ shape {{ {dims} }} }}")

    def layer(self, name: str, kind: str, bottoms: list[str], top: str, body: str = "") -> str:
        """Add any layer; `body` is its parameter message as text."""
        rows = [f'  name: "{name}"', f'  type: "{kind}"']
        rows += [f'  bottom: "{bottom}"' for bottom in bottoms]
        rows.append(f'  top: "{top}"')
        if body:
            rows.append(f"  {body}")
        self.parts.append("layer {\n" + "\n".join(rows) + "\n}\n")
        return top

    def conv(
        self, name: str, bottom: str, num_output: int, kernel_size: int, **fields: Value
    ) -> str:
        """Add a Convolution; fields that have Caffe's default value are not written."""
        defaults = {"pad": 0, "stride": 1, "group": 1, "bias_term": True}
        given = {"num_output": num_output, "kernel_size": kernel_size, **fields}
        text = " ".join(f"{k}: {scalar(v)}" for k, v in given.items() if defaults.get(k) != v)
        return self.layer(name, "Convolution", [bottom], name, f"convolution_param {{ {text} }}")

    def relu(self, name: str, blob: str) -> str:
        """Add a ReLU that rewrites its own input."""
        return self.layer(name, "ReLU", [blob], blob)

    def pool(self, name: str, bottom: str, pool: str = "MAX", **fields: Value) -> str:
        """Add a Pooling layer."""
        text = " ".join(f"{k}: {scalar(v)}" for k, v in {"pool": pool, **fields}.items())
        return self.layer(name, "Pooling", [bottom], name, f"pooling_param {{ {text} }}")

    def norm(self, name: str, bottom: str) -> str:
        """Add the LRN that AlexNet and GoogLeNet share."""
        body = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
        return self.layer(name, "LRN", [bottom], name, body)

    def dropout(self, name: str, blob: str, ratio: float) -> str:
        """Add a Dropout that rewrites its own input."""
        return self.layer(
            name, "Dropout", [blob], blob, f"dropout_param {{ dropout_ratio: {ratio} }}"
        )

    def fully_connected(self, name: str, bottom: str, num_output: int) -> str:
        """Add an InnerProduct."""
        body = f"inner_product_param {{ num_output: {num_output} }}"
        return self.layer(name, "InnerProduct", [bottom], name, body)

    def concat(self, name: str, bottoms: list[str]) -> str:
        """Join channels."""
        return self.layer(name, "Concat", bottoms, name)

    def softmax(self, name: str, bottom: str) -> str:
        """Turn scores into probabilities."""
        return self.layer(name, "Softmax", [bottom], name)

    def __str__(self) -> str:
        return "".join(self.parts)


# GoogLeNet: the output channels of the six convolutions of each inception block, in the order of
# the layers: 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj.
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def inception(net: Prototxt, block: str, bottom: str) -> str:
    """Add one inception block: four branches that read `bottom`, joined by channel."""
    prefix = f"inception_{block}"
    n1, n3_reduce, n3, n5_reduce, n5, n_pool = INCEPTION[block]

    def conv_relu(kind: str, source: str, num_output: int, kernel_size: int, pad: int = 0) -> str:
        top = net.conv(f"{prefix}/{kind}", source, num_output, kernel_size, pad=pad)
        return net.relu(f"{prefix}/relu_{kind}", top)

    branch1 = conv_relu("1x1", bottom, n1, 1)
    branch3 = conv_relu("3x3", conv_relu("3x3_reduce", bottom, n3_reduce, 1), n3, 3, pad=1)
    branch5 = conv_relu("5x5", conv_relu("5x5_reduce", bottom, n5_reduce, 1), n5, 5, pad=2)
    pooled = net.pool(f"{prefix}/pool", bottom, kernel_size=3, stride=1, pad=1)
    branch_pool = conv_relu("pool_proj", pooled, n_pool, 1)
    return net.concat(f"{prefix}/output", [branch1, branch3, branch5, branch_pool])


def googlenet(name: str, about: str, classes: int) -> Prototxt:
    """GoogLeNet (Szegedy et al. 2014) without its two auxiliary heads."""
    net = Prototxt(name, about, (10, 3, 224, 224))
    x = net.conv("conv1/7x7_s2", "data", 64, 7, pad=3, stride=2)
    net.relu("conv1/relu_7x7", x)
    x = net.pool("pool1/3x3_s2", x, kernel_size=3, stride=2)
    x = net.norm("pool1/norm1", x)
    x = net.conv("conv2/3x3_reduce", x, 64, 1)
    net.relu("conv2/relu_3x3_reduce", x)
    x = net.conv("conv2/3x3", x, 192, 3, pad=1)
    net.relu("conv2/relu_3x3", x)
    x = net.norm("conv2/norm2", x)
    x = net.pool("pool2/3x3_s2", x, kernel_size=3, stride=2)
    for block in INCEPTION:
        x = inception(net, block, x)
        if block == "3b":
            x = net.pool("pool3/3x3_s2", x, kernel_size=3, stride=2)
        elif block == "4e":
            x = net.pool("pool4/3x3_s2", x, kernel_size=3, stride=2)
    x = net.pool("pool5/7x7_s1", x, "AVE", kernel_size=7, stride=1)
    net.dropout("pool5/drop_7x7_s1", x, 0.4)
    x = net.fully_connected("loss3/classifier", x, classes)
    net.softmax("prob", x)
    return net


def classifier_4096(net: Prototxt, bottom: str) -> None:
    """Add the two wide layers and the 1000 classes that AlexNet and VGG end with."""
    x = bottom
    for i in (6, 7):
        x = net.fully_connected(f"fc{i}", x, 4096)
        net.relu(f"relu{i}", x)
        net.dropout(f"drop{i}", x, 0.5)
    net.softmax("prob", net.fully_connected("fc8", x, 1000))


def alexnet(name: str, about: str, norm_first: bool) -> Prototxt:
    """AlexNet (Krizhevsky et al. 2012): normalised, then pooled. CaffeNet: the other way round."""
    net = Prototxt(name, about, (10, 3, 227, 227))

    def norm_and_pool(i: int, bottom: str) -> str:
        if norm_first:
            return net.pool(f"pool{i}", net.norm(f"norm{i}", bottom), kernel_size=3, stride=2)
        return net.norm(f"norm{i}", net.pool(f"pool{i}", bottom, kernel_size=3, stride=2))

    x = net.conv("conv1", "data", 96, 11, stride=4)
    net.relu("relu1", x)
    x = norm_and_pool(1, x)
    x = net.conv("conv2", x, 256, 5, pad=2, group=2)
    net.relu("relu2", x)
    x = norm_and_pool(2, x)
    for i, num_output, group in ((3, 384, 1), (4, 384, 2), (5, 256, 2)):
        x = net.conv(f"conv{i}", x, num_output, 3, pad=1, group=group)
        net.relu(f"relu{i}", x)
    x = net.pool("pool5", x, kernel_size=3, stride=2)
    classifier_4096(net, x)
    return net


def vgg(name: str, about: str, depths: tuple[int, ...]) -> Prototxt:
    """VGG (Simonyan and Zisserman 2014): `depths` 3x3 convolutions in each of five stages."""
    net = Prototxt(name, about, (10, 3, 224, 224))
    x = "data"
    for stage, (depth, num_output) in enumerate(zip(depths, (64, 128, 256, 512, 512)), start=1):
        for i in range(1, depth + 1):
            x = net.conv(f"conv{stage}_{i}", x, num_output, 3, pad=1)
            net.relu(f"relu{stage}_{i}", x)
        x = net.pool(f"pool{stage}", x, kernel_size=2, stride=2)
    classifier_4096(net, x)
    return net


# SqueezeNet: channels of the squeeze and of each expand convolution.
FIRE = {
    2: (16, 64),
    3: (16, 64),
    4: (32, 128),
    5: (32, 128),
    6: (48, 192),
    7: (48, 192),
    8: (64, 256),
    9: (64, 256),
}


def fire(net: Prototxt, i: int, bottom: str) -> str:
    """Add one fire module: squeeze to few channels, expand 1x1 and 3x3 side by side."""
    squeeze, expand = FIRE[i]
    x = net.conv(f"fire{i}/squeeze1x1", bottom, squeeze, 1)
    net.relu(f"fire{i}/relu_squeeze1x1", x)
    tops = []
    for size, pad in ((1, 0), (3, 1)):
        kind = f"expand{size}x{size}"
        tops.append(net.conv(f"fire{i}/{kind}", x, expand, size, pad=pad))
        net.relu(f"fire{i}/relu_{kind}", tops[-1])
    return net.concat(f"fire{i}/concat", tops)


def squeezenet(
    name: str, about: str, num_output: int, kernel_size: int, pool_after: set[int], last_pad: int
) -> Prototxt:
    """SqueezeNet (Iandola et al. 2016); a pool follows conv1 and the fire modules `pool_after`."""
    net = Prototxt(name, about, (10, 3, 227, 227))
    x = net.conv("conv1", "data", num_output, kernel_size, stride=2)
    net.relu("relu_conv1", x)
    x = net.pool("pool1", x, kernel_size=3, stride=2)
    for i in FIRE:
        x = fire(net, i, x)
        if i in pool_after:
            x = net.pool(f"pool{i}", x, kernel_size=3, stride=2)
    net.dropout("drop9", x, 0.5)
    x = net.conv("conv10", x, 1000, 1, pad=last_pad)
    net.relu("relu_conv10", x)
    x = net.pool("pool10", x, "AVE", global_pooling=True)
    net.softmax("prob", x)
    return net


def conv_bn(
    net: Prototxt, name: str, suffix: str, bottom: str, num_output: int, size: int, **fields: Value
) -> str:
    """Add a convolution whose blob BatchNorm and Scale then rewrite."""
    x = net.conv(name, bottom, num_output, size, **fields)
    net.layer(
        f"bn{suffix}", "BatchNorm", [x], x, "batch_norm_param { use_global_stats: true eps: 1e-05 }"
    )
    net.layer(f"scale{suffix}", "Scale", [x], x, "scale_param { bias_term: true }")
    return x


def bottleneck(net: Prototxt, block: str, bottom: str, width: int, stride: int, first: bool) -> str:
    """Add one residual block; the first of a stage has a convolution on its shortcut.

    As in the original, the stride sits in the 1x1 convolutions (branch1 and branch2a).
    """

    def branch(kind: str, source: str, num_output: int, size: int, **fields: Value) -> str:
        name, suffix = f"res{block}_{kind}", f"{block}_{kind}"
        return conv_bn(net, name, suffix, source, num_output, size, bias_term=False, **fields)

    shortcut = branch("branch1", bottom, 4 * width, 1, stride=stride) if first else bottom
    x = branch("branch2a", bottom, width, 1, stride=stride)
    net.relu(f"res{block}_branch2a_relu", x)
    x = branch("branch2b", x, width, 3, pad=1)
    net.relu(f"res{block}_branch2b_relu", x)
    x = branch("branch2c", x, 4 * width, 1)
    x = net.layer(f"res{block}", "Eltwise", [shortcut, x], f"res{block}")
    return net.relu(f"res{block}_relu", x)


def resnet50(name: str, about: str) -> Prototxt:
    """ResNet-50 (He et al. 2015). Only conv1 has a bias of its own."""
    net = Prototxt(name, about, (1, 3, 224, 224))
    x = conv_bn(net, "conv1", "_conv1", "data", 64, 7, pad=3, stride=2)
    net.relu("conv1_relu", x)
    x = net.pool("pool1", x, kernel_size=3, stride=2)
    for stage, letters, width in (
        (2, "abc", 64),
        (3, "abcd", 128),
        (4, "abcdef", 256),
        (5, "abc", 512),
    ):
        for letter in letters:
            first = letter == "a"
            stride = 2 if first and stage > 2 else 1
            x = bottleneck(net, f"{stage}{letter}", x, width, stride, first)
    x = net.pool("pool5", x, "AVE", kernel_size=7, stride=1)
    x = net.fully_connected("fc1000", x, 1000)
    net.softmax("prob", x)
    return net


def networks() -> dict[str, Prototxt]:
    """Return folder name -> net, for every network made here."""
    return {
        "googlenet": googlenet("GoogleNet", "BVLC GoogLeNet: ImageNet, 1000 classes.", 1000),
        "googlenet_places205": googlenet(
            "GoogleNet", "GoogLeNet for scenes: Places205, 205 classes.", 205
        ),
        "googlenet_places365": googlenet(
            "GoogleNet", "GoogLeNet for scenes: Places365, 365 classes.", 365
        ),
        "alexnet": alexnet("AlexNet", "BVLC AlexNet: ImageNet, 1000 classes.", norm_first=True),
        "caffenet": alexnet("CaffeNet", "BVLC CaffeNet: ImageNet, 1000 classes.", norm_first=False),
        "vgg16": vgg(
            "VGG_ILSVRC_16_layers", "VGG, 16 layers: ImageNet, 1000 classes.", (2, 2, 3, 3, 3)
        ),
        "vgg19": vgg(
            "VGG_ILSVRC_19_layers", "VGG, 19 layers: ImageNet, 1000 classes.", (2, 2, 4, 4, 4)
        ),
        "squeezenet_v1.0": squeezenet(
            "SqueezeNet_v1.0",
            "SqueezeNet v1.0: ImageNet, 1000 classes.",
            num_output=96,
            kernel_size=7,
            pool_after={4, 8},
            last_pad=1,
        ),
        "squeezenet_v1.1": squeezenet(
            "SqueezeNet_v1.1",
            "SqueezeNet v1.1: ImageNet, 1000 classes.",
            num_output=64,
            kernel_size=3,
            pool_after={3, 5},
            last_pad=0,
        ),
        "resnet50": resnet50("ResNet-50", "ResNet-50: ImageNet, 1000 classes."),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write or check every file; return the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, report stale files")
    parser.add_argument("--folder", type=Path, default=ROOT / "prototxt", help="where to write")
    options = parser.parse_args(arguments)
    status = 0
    for name, net in networks().items():
        path = options.folder / name / "deploy.prototxt"
        text = str(net)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if options.check:
            print(f"{path} is stale: run scripts/make_prototxts.py", file=sys.stderr)
            status = 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".tmp")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
        print(f"wrote {path}")
    return status


if __name__ == "__main__":
    sys.exit(main())
