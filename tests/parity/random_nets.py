"""Small nets put together at random, for both engines to agree on."""

from __future__ import annotations

import numpy as np
from golden_cases.base import input_layer, layer, net


def random_net(seed: int) -> tuple[str, str]:
    """Return the prototxt of a net, and one of its layers to start backward from.

    The net has about ten layers of those that dreaming nets are made of: chains and branches,
    layers in place, blobs that several layers read. Sizes are small, odd and unequal.
    """
    builder = _Builder(np.random.RandomState(seed))
    for _ in range(builder.rng.randint(6, 14)):
        builder.add()
    return net(*builder.text), builder.layers[builder.rng.randint(len(builder.layers) // 2, None)]


class _Builder:
    def __init__(self, rng: np.random.RandomState) -> None:
        self.rng = rng
        shape = tuple(
            int(rng.randint(low, high)) for low, high in ((1, 3), (2, 5), (7, 14), (7, 14))
        )
        self.shapes = {"data": shape}
        self.read: set[str] = set()  # blobs with a reader; Caffe forbids in place after that
        self.text = [input_layer("data", shape)]
        self.layers: list[str] = []  # those with a top of their own name
        self.number = 0

    def pick(self, *options: object) -> object:
        return options[self.rng.randint(len(options))]

    def bottom(self) -> str:
        names = list(self.shapes)
        return names[-1] if self.rng.rand() < 0.6 else names[self.rng.randint(len(names))]

    def new(
        self, kind: str, bottoms: list[str], shape: tuple[int, ...], parameters: str = ""
    ) -> None:
        self.number += 1
        name = f"{kind.lower()}/{self.number}"
        self.text.append(layer(name, kind, bottoms, [name], parameters))
        self.read.update(bottoms)
        self.shapes[name] = shape
        self.layers.append(name)

    def add(self) -> None:
        kinds = (
            [self.convolution] * 4
            + [self.pooling] * 3
            + [self.in_place] * 4
            + [self.pointwise, self.joined, self.joined, self.summed, self.lrn, self.affine]
        )
        self.pick(*kinds)()

    def convolution(self) -> None:
        bottom = self.bottom()
        n, c, *size = self.shapes[bottom]
        group = self.pick(*[g for g in (1, 1, 2, 3) if c % g == 0])
        outputs = group * int(self.rng.randint(1, 4))
        kernel = [int(self.rng.randint(1, min(5, s) + 1)) for s in size]
        stride = [int(self.rng.randint(1, 3)) for _ in size]
        pad = [int(self.rng.randint(0, k)) for k in kernel]
        out = [(s + 2 * p - k) // t + 1 for s, p, k, t in zip(size, pad, kernel, stride)]
        fields = zip(("kernel", "stride", "pad"), (kernel, stride, pad))
        words = " ".join(f"{name}_h: {h} {name}_w: {w}" for name, (h, w) in fields)
        bias = "bias_term: false" if self.rng.rand() < 0.2 else ""
        self.new(
            "Convolution",
            [bottom],
            (n, outputs, *out),
            f"convolution_param {{ num_output: {outputs} group: {group} {words} {bias} }}",
        )

    def pooling(self) -> None:
        bottom = self.bottom()
        n, c, *size = self.shapes[bottom]
        kernel = int(self.rng.randint(1, min(4, *size) + 1))
        stride = int(self.rng.randint(1, kernel + 1))
        pad = int(self.rng.randint(0, kernel))
        out = []
        for s in size:
            windows = -(-(s + 2 * pad - kernel) // stride) + 1
            out.append(windows - 1 if pad and (windows - 1) * stride >= s + pad else windows)
        words = f"kernel_size: {kernel} stride: {stride} pad: {pad}"
        method = self.pick("MAX", "AVE")
        self.new("Pooling", [bottom], (n, c, *out), f"pooling_param {{ pool: {method} {words} }}")

    def in_place(self) -> None:
        free = [name for name in self.layers if name not in self.read]
        if not free:
            return
        blob = free[-1]
        self.number += 1
        kind, parameters = self.pick(
            ("ReLU", ""),
            ("ReLU", ""),
            ("ReLU", "relu_param { negative_slope: 0.1 }"),
            ("PReLU", ""),
            ("ELU", ""),
            ("Sigmoid", ""),
            ("Dropout", ""),
            ("Scale", "scale_param { bias_term: true }"),
            ("BatchNorm", "batch_norm_param { use_global_stats: true }"),
        )
        self.text.append(layer(f"in_place/{self.number}", kind, [blob], [blob], parameters))

    def pointwise(self) -> None:
        bottom = self.bottom()
        kind, parameters = self.pick(
            ("TanH", ""),
            ("AbsVal", ""),
            ("Power", "power_param { power: 2 scale: 0.5 shift: 0.25 }"),
            ("Softmax", ""),
            ("Swish", ""),
            ("BNLL", ""),
        )
        self.new(kind, [bottom], self.shapes[bottom], parameters)

    def joined(self) -> None:
        first = self.bottom()
        n, _, *size = self.shapes[first]
        fits = [name for name, (m, _, *other) in self.shapes.items() if m == n and other == size]
        bottoms = [first] + [self.pick(*fits) for _ in range(self.rng.randint(1, 3))]
        channels = sum(self.shapes[name][1] for name in bottoms)
        self.new("Concat", bottoms, (n, channels, *size))

    def summed(self) -> None:
        first = self.bottom()
        fits = [name for name, shape in self.shapes.items() if shape == self.shapes[first]]
        operation = self.pick("operation: SUM", "coeff: 0.5 coeff: -1.5", "operation: PROD")
        bottoms = [first, self.pick(*fits)]
        self.new("Eltwise", bottoms, self.shapes[first], f"eltwise_param {{ {operation} }}")

    def lrn(self) -> None:
        bottom = self.bottom()
        region = self.pick("ACROSS_CHANNELS", "WITHIN_CHANNEL")
        words = f"local_size: {self.pick(3, 5)} alpha: 0.01 beta: 0.75 norm_region: {region}"
        self.new("LRN", [bottom], self.shapes[bottom], f"lrn_param {{ {words} }}")

    def affine(self) -> None:
        bottom = self.bottom()
        n, _, h, w = self.shapes[bottom]
        outputs = int(self.rng.randint(1, 4))
        words = f"num_output: {outputs} kernel_size: 2 stride: 2"
        shape = (n, outputs, 2 * h, 2 * w)
        self.new("Deconvolution", [bottom], shape, f"convolution_param {{ {words} }}")
