"""Random nets, as prototxt text: what a plan has to express, or has to refuse.

`random_graph` draws layers one by one and keeps account of the blobs' shapes, so that every net it
writes can be built. What it draws is a function of the `random.Random` that it is given.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

Shape = tuple[int, ...]

SIZE = (13, 17)

# What follows another layer, as type and settings; whether it may write over its bottom.
AFTER = {
    "relu": ("ReLU", "", True),
    "leaky": ("ReLU", "relu_param { negative_slope: 0.2 }", True),
    "mirror": ("ReLU", "relu_param { negative_slope: -0.5 }", True),
    "clip": ("Clip", "clip_param { min: -0.4 max: 0.9 }", True),
    "elu": ("ELU", "elu_param { alpha: 0.7 }", True),
    "ule": ("ELU", "elu_param { alpha: -0.6 }", True),
    "sigmoid": ("Sigmoid", "", True),
    "tanh": ("TanH", "", True),
    "norm": ("BatchNorm", "", True),
    "scale": ("Scale", "scale_param { bias_term: true }", True),
    "factor": ("Scale", "", True),
    "bias": ("Bias", "", True),
    "dropout": ("Dropout", "", True),
    "prelu": ("PReLU", "", False),
    "swish": ("Swish", "", False),
    "power": ("Power", "power_param { power: 2 scale: 0.7 shift: 0.3 }", False),
    "abs": ("AbsVal", "", False),
    "bnll": ("BNLL", "", False),
}
USUAL = ["relu", "relu", "relu", "norm", "scale", "leaky", "clip", "bias", "dropout"]

# Types whose gradient does not look at the values of their top: a later layer may write over them.
BLIND = {
    "BatchNorm", "Bias", "Concat", "Convolution", "Deconvolution", "Dropout", "Eltwise",
    "InnerProduct", "Pooling", "ReLU of another blob", "Scale", "Slice",
}  # fmt: skip


@dataclass
class Graph:
    """A net that is being written.

    Attributes
    ----------
    lines : list of str
        One layer each.
    shapes : dict of str to tuple of int
        By blob, for a picture of `SIZE`.
    maker : dict of str to str
        The type that wrote a blob last.
    targets : list of str
        Layers with a blob of their own name.
    refused : list of str
        Layers that write over what an earlier one needs: no plan reaches beyond them.
    """

    chance: random.Random
    lines: list[str] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    maker: dict[str, str] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The prototxt."""
        h, w = SIZE
        data = f"input_param {{ shape {{ dim: 1 dim: 3 dim: {h} dim: {w} }} }}"
        head = f'force_backward: true\nlayer {{ name: "data" type: "Input" top: "data" {data} }}\n'
        return head + "\n".join(self.lines)

    def place(self, name: str) -> int:
        """Return the number of a layer."""
        return [line.split('"')[1] for line in self.lines].index(name)

    def before(self, target: str) -> list[str]:
        """Return the refused layers up to a target."""
        return [name for name in self.refused if self.place(name) <= self.place(target)]

    def layer(self, type: str, bottoms: list[str], shapes: list[Shape], settings: str = "") -> str:  # noqa: A002
        """Add a layer with tops of its own; return the first."""
        name = f"n{len(self.lines)}"
        tops = [name, *(f"{name}_{i}" for i in range(1, len(shapes)))]
        ends = [f'bottom: "{b}"' for b in bottoms] + [f'top: "{t}"' for t in tops]
        self.lines.append(f'layer {{ name: "{name}" type: "{type}" {" ".join(ends)} {settings} }}')
        for top, shape in zip(tops, shapes):
            self.shapes[top] = shape
            self.maker[top] = type
        self.targets.append(name)
        return name

    def after(self, blob: str, kind: str, in_place: bool) -> str:
        """Add a layer that keeps the shape; return its top."""
        type, settings, may = AFTER[kind]  # noqa: A001
        if not (in_place and may):
            top = self.layer(type, [blob], [self.shapes[blob]], settings)
            if type == "ReLU":
                self.maker[top] = "ReLU of another blob"
            return top
        name = f"n{len(self.lines)}"
        self.lines.append(
            f'layer {{ name: "{name}" type: "{type}" bottom: "{blob}" top: "{blob}" {settings} }}'
        )
        maker = self.maker[blob]
        if type == "Dropout":
            return blob
        if maker not in BLIND:
            self.refused.append(name)
        # What is in place and not merely renamed needs its own values later on.
        renamed = type not in {"Clip"} and kind not in {"mirror", "ule"}
        self.maker[blob] = type if renamed else "in place"
        return blob

    def followed(self, blob: str, often: float = 0.6) -> str:
        """Add up to three such layers, most of them in place."""
        while self.chance.random() < often:
            kind = self.chance.choice(USUAL if self.chance.random() < 0.8 else list(AFTER))
            blind = self.maker[blob] in BLIND and blob != "data"
            in_place = self.chance.random() < (0.8 if blind else 0.03) and blob != "data"
            blob = self.after(blob, kind, in_place)
            often -= 0.2
        return blob

    # -- layers ---------------------------------------------------------------------------------

    def convolution(self, blob: str, kind: str | None = None) -> str:
        _, c, h, w = self.shapes[blob]
        kind = kind or self.chance.choice(list(CONVOLUTIONS))
        kernel, stride, pad, dilation, groups = CONVOLUTIONS[kind]
        sizes = tuple(
            (n + 2 * p - dilation * (k - 1) - 1) // stride + 1
            for n, k, p in zip((h, w), kernel, pad)
        )
        if min(n + 2 * p - dilation * (k - 1) - 1 for n, k, p in zip((h, w), kernel, pad)) < 0:
            return blob
        out = self.chance.choice([4, 7, 16, 18, 24])
        group = 1
        if groups == "depth":
            group, out = c, c * self.chance.choice([1, 1, 2])
        elif groups == "two" and c % 2 == 0:
            group, out = 2, out + out % 2
        settings = (
            f"convolution_param {{ num_output: {out} kernel_h: {kernel[0]} kernel_w: {kernel[1]} "
            f"stride: {stride} pad_h: {pad[0]} pad_w: {pad[1]} dilation: {dilation} "
            f"group: {group} bias_term: {'true' if self.chance.random() < 0.8 else 'false'} }}"
        )
        return self.layer("Convolution", [blob], [(1, out, *sizes)], settings)

    def pooling(self, blob: str) -> str:
        _, c, h, w = self.shapes[blob]
        method = self.chance.choice(["MAX", "AVE"])
        if self.chance.random() < 0.1:
            settings = f"pooling_param {{ pool: {method} global_pooling: true }}"
            return self.layer("Pooling", [blob], [(1, c, 1, 1)], settings)
        kernel, stride, pad = self.chance.choice(POOLINGS)
        floor = self.chance.random() < 0.2
        sizes = []
        for n in (h, w):
            room = n + 2 * pad - kernel
            out = (room // stride if floor else -(-room // stride)) + 1
            if pad and (out - 1) * stride >= n + pad:
                out -= 1
            sizes.append(out)
            if (out - 1) * stride - pad >= n:  # the mean of nothing is NaN
                method = "MAX"
        if h + 2 * pad < kernel or w + 2 * pad < kernel:
            return blob
        settings = (
            f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad} "
            f"round_mode: {'FLOOR' if floor else 'CEIL'} }}"
        )
        return self.layer("Pooling", [blob], [(1, c, *sizes)], settings)

    def lrn(self, blob: str) -> str:
        region = self.chance.choice(["ACROSS_CHANNELS"] * 3 + ["WITHIN_CHANNEL"])
        size = self.chance.choice([1, 3, 5])
        beta, k = self.chance.choice([0.75, 0.6, 0.5, 1.0]), self.chance.choice([1, 2])
        settings = (
            f"lrn_param {{ local_size: {size} alpha: 0.3 beta: {beta} k: {k} "
            f"norm_region: {region} }}"
        )
        return self.layer("LRN", [blob], [self.shapes[blob]], settings)

    def deconvolution(self, blob: str) -> str:
        _, c, h, w = self.shapes[blob]
        if h * w > 150:
            return blob
        settings = "convolution_param { num_output: 5 kernel_size: 4 stride: 2 pad: 1 }"
        return self.layer("Deconvolution", [blob], [(1, 5, 2 * h, 2 * w)], settings)

    def slice(self, blob: str) -> str:
        _, c, h, w = self.shapes[blob]
        if c < 2:
            return blob
        at = self.chance.randint(1, c - 1)
        shapes = [(1, at, h, w), (1, c - at, h, w)]
        return self.layer("Slice", [blob], shapes, f"slice_param {{ slice_point: {at} }}")

    def alike(self, blob: str, from_axis: int) -> list[str]:
        """Return the blobs with the shape of this one, but for the channels if from_axis is 2."""
        shape = self.shapes[blob]
        if from_axis == 2:
            return [b for b, s in self.shapes.items() if len(s) == 4 and s[2:] == shape[2:]]
        return [b for b, s in self.shapes.items() if s == shape]

    def concat(self, blob: str) -> str:
        others = self.alike(blob, 2)
        some = [
            blob,
            *(self.chance.choice(others) for _ in range(self.chance.choice([0, 1, 1, 2, 3]))),
        ]
        self.chance.shuffle(some)
        channels = sum(self.shapes[b][1] for b in some)
        if channels > 90 or len(some) == 1:
            return blob
        return self.layer("Concat", some, [(1, channels, *self.shapes[blob][2:])])

    def eltwise(self, blob: str) -> str:
        others = self.alike(blob, 1)
        some = [blob, *(self.chance.choice(others) for _ in range(self.chance.choice([1, 1, 2])))]
        self.chance.shuffle(some)
        operation = self.chance.choice(["SUM", "SUM", "SUM", "PROD", "MAX"])
        settings = f"operation: {operation}"
        if operation == "SUM" and self.chance.random() < 0.4:
            settings += "".join(f" coeff: {self.chance.choice([1, -0.5, 0.75])}" for _ in some)
        return self.layer("Eltwise", some, [self.shapes[blob]], f"eltwise_param {{ {settings} }}")

    def block(self, blob: str) -> str:
        """Add branches of 1x1 convolutions, some with more after them, and join them."""
        _, _, h, w = self.shapes[blob]
        ends = []
        same = self.chance.random() < 0.5
        for _ in range(self.chance.randint(2, 4)):
            top = self.convolution(blob, "1x1")
            top = self.after(top, "relu", True) if same else self.followed(top)
            if self.chance.random() < 0.4:
                top = self.followed(self.convolution(top, "3x3 pad 1"))
            ends.append(top)
        if self.chance.random() < 0.3:
            ends.append(blob)
        self.chance.shuffle(ends)
        channels = sum(self.shapes[b][1] for b in ends)
        return self.layer("Concat", ends, [(1, channels, h, w)])

    def flat(self, blob: str) -> str:
        """Add layers on vectors: the end of a classifier."""
        count = math.prod(self.shapes[blob])
        start = self.chance.choice(["Flatten", "Reshape", "InnerProduct"])
        if start == "Flatten":
            blob = self.layer("Flatten", [blob], [(1, count)])
        elif start == "Reshape":
            blob = self.layer(
                "Reshape", [blob], [(1, count)], "reshape_param { shape { dim: 0 dim: -1 } }"
            )
        for _ in range(2):
            blob = self.layer(
                "InnerProduct", [blob], [(1, 9)], "inner_product_param { num_output: 9 }"
            )
            blob = self.followed(blob)
            if self.chance.random() < 0.3:
                blob = self.followed(self.eltwise(blob))
        # Of large values a Softmax is 0 or 1, and float32 leaves nothing of its gradient.
        small = "mvn_param { across_channels: true }"
        blob = self.layer("MVN", [blob], [(*self.shapes[blob], 1, 1)], small)
        return self.layer("Softmax", [blob], [self.shapes[blob]])


# Kernel, stride, pad, dilation, groups.
CONVOLUTIONS = {
    "1x1": ((1, 1), 1, (0, 0), 1, ""),
    "1x1 groups": ((1, 1), 1, (0, 0), 1, "two"),
    "1x1 stride 2": ((1, 1), 2, (0, 0), 1, ""),
    "3x3": ((3, 3), 1, (0, 0), 1, ""),
    "3x3 pad 1": ((3, 3), 1, (1, 1), 1, ""),
    "3x3 pad 2": ((3, 3), 1, (2, 2), 1, ""),
    "3x3 pads 0 2": ((3, 3), 1, (0, 2), 1, ""),
    "3x3 pad 3": ((3, 3), 1, (3, 3), 1, ""),
    "3x3 stride 2": ((3, 3), 2, (1, 1), 1, ""),
    "3x3 dilated": ((3, 3), 1, (2, 2), 2, ""),
    "3x3 dilated stride 2": ((3, 3), 2, (1, 1), 2, ""),
    "3x3 groups": ((3, 3), 1, (1, 1), 1, "two"),
    "3x3 groups stride 2": ((3, 3), 2, (1, 1), 1, "two"),
    "3x3 depthwise": ((3, 3), 1, (1, 1), 1, "depth"),
    "3x3 depthwise stride 2": ((3, 3), 2, (0, 1), 1, "depth"),
    "5x5": ((5, 5), 1, (2, 2), 1, ""),
    "7x7 stride 2": ((7, 7), 2, (3, 3), 1, ""),
    "1x3": ((1, 3), 1, (0, 1), 1, ""),
}  # fmt: skip

# Kernel, stride, pad.
POOLINGS = [
    (2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1), (2, 1, 0), (3, 3, 1), (4, 3, 1), (2, 3, 0),
    (3, 1, 2), (5, 1, 2),
]  # fmt: skip


def random_graph(chance: random.Random, steps: int = 7) -> Graph:
    """Return a random net that reads the blob ``data``."""
    graph = Graph(chance, shapes={"data": (1, 3, *SIZE)}, maker={"data": "Input"})
    last = "data"
    if chance.random() < 0.8:  # gradients of a net without any weights tell little
        last = graph.followed(graph.convolution(last))
    kinds = [
        graph.convolution, graph.convolution, graph.convolution, graph.pooling, graph.lrn,
        graph.concat, graph.concat, graph.eltwise, graph.block, graph.slice, graph.deconvolution,
    ]  # fmt: skip
    for _ in range(chance.randint(2, steps)):
        pictures = [b for b, s in graph.shapes.items() if len(s) == 4 and min(s[2:]) > 0]
        blob = last if chance.random() < 0.7 else chance.choice(pictures)
        before = len(graph.lines)
        last = chance.choice(kinds)(blob)
        if len(graph.lines) > before:  # others may read what was there before
            last = graph.followed(last)
    if chance.random() < 0.3:
        graph.flat(last)
    return graph
