"""Small nets that have what published ones have, and what most cases begin with."""

from __future__ import annotations

from .base import Case, input_layer, layer, net

SIZE = (1, 3, 17, 23)


def convolution(name: str, bottom: str, outputs: int, parameters: str) -> str:
    """Return a convolution and its ReLU in place, named as GoogLeNet names them."""
    block, _, short = name.rpartition("/")
    relu = f"{block}/relu_{short}" if block else f"relu_{short}"
    text = layer(
        name,
        "Convolution",
        [bottom],
        [name],
        f"convolution_param {{ num_output: {outputs} {parameters} }}",
    )
    return text + layer(relu, "ReLU", [name], [name])


def inception(block: str, bottom: str, widths: tuple[int, int, int, int, int, int]) -> str:
    """Return an inception block: four branches of one blob, joined."""
    one, reduce3, three, reduce5, five, pool = widths
    branches = [f"{block}/{branch}" for branch in ("1x1", "3x3", "5x5", "pool_proj")]
    return (
        convolution(branches[0], bottom, one, "kernel_size: 1")
        + convolution(f"{block}/3x3_reduce", bottom, reduce3, "kernel_size: 1")
        + convolution(branches[1], f"{block}/3x3_reduce", three, "kernel_size: 3 pad: 1")
        + convolution(f"{block}/5x5_reduce", bottom, reduce5, "kernel_size: 1")
        + convolution(branches[2], f"{block}/5x5_reduce", five, "kernel_size: 5 pad: 2")
        + layer(
            f"{block}/pool",
            "Pooling",
            [bottom],
            [f"{block}/pool"],
            "pooling_param { kernel_size: 3 pad: 1 }",
        )
        + convolution(branches[3], f"{block}/pool", pool, "kernel_size: 1")
        + layer(f"{block}/output", "Concat", branches, [f"{block}/output"])
    )


def small_inception(shape: tuple[int, ...] = SIZE) -> str:
    """Return GoogLeNet's plan in small: stem, two inception blocks, classifier."""
    pool = "pooling_param { kernel_size: 3 stride: 2 }"
    return net(
        input_layer("data", shape),
        convolution("conv1", "data", 6, "kernel_size: 5 stride: 2 pad: 2"),
        layer("pool1", "Pooling", ["conv1"], ["pool1"], pool),
        layer("norm1", "LRN", ["pool1"], ["norm1"], "lrn_param { alpha: 0.3 }"),
        inception("a", "norm1", (3, 2, 4, 2, 3, 2)),
        layer("pool2", "Pooling", ["a/output"], ["pool2"], pool),
        inception("b", "pool2", (2, 3, 4, 2, 3, 1)),
        layer(
            "pool3",
            "Pooling",
            ["b/output"],
            ["pool3"],
            "pooling_param { pool: AVE global_pooling: true }",
        ),
        layer("drop3", "Dropout", ["pool3"], ["pool3"]),
        layer("fc", "InnerProduct", ["pool3"], ["fc"], "inner_product_param { num_output: 5 }"),
        layer("prob", "Softmax", ["fc"], ["prob"]),
    )


def small_resnet() -> str:
    """Return one residual block: BatchNorm, Scale and ReLU in place, a shortcut, a sum."""

    def normalised(name: str, bottom: str, outputs: int, parameters: str, relu: bool) -> str:
        shape = f"num_output: {outputs} bias_term: false {parameters}"
        text = layer(name, "Convolution", [bottom], [name], f"convolution_param {{ {shape} }}")
        text += layer(
            f"bn_{name}", "BatchNorm", [name], [name], "batch_norm_param { use_global_stats: true }"
        )
        text += layer(f"scale_{name}", "Scale", [name], [name], "scale_param { bias_term: true }")
        return text + (layer(f"{name}_relu", "ReLU", [name], [name]) if relu else "")

    return net(
        input_layer("data", (1, 3, 9, 11)),
        normalised("conv1", "data", 4, "kernel_size: 3 stride: 2 pad: 1", True),
        normalised("branch1", "conv1", 5, "kernel_size: 1", False),
        normalised("branch2a", "conv1", 3, "kernel_size: 1", True),
        normalised("branch2b", "branch2a", 5, "kernel_size: 3 pad: 1", False),
        layer("res", "Eltwise", ["branch1", "branch2b"], ["res"]),
        layer("res_relu", "ReLU", ["res"], ["res"]),
        normalised("next", "res", 2, "kernel_size: 1", True),
        layer("sum", "Eltwise", ["res", "res"], ["sum"]),
    )


def ready(name: str, what: str, text: str | None = None, rtol: float | None = None) -> Case:
    """Return a case that has built a net, seeded its weights and drawn its input."""
    case = Case(name, what) if rtol is None else Case(name, what, rtol)
    case.step("net", prototxt=text or small_inception())
    return case.step("seed", seed=6).step("write_image", blob="data", seed=4)


def dream(case: Case, end: str, name: str | None = None) -> Case:
    """Add one gradient of the notebook's objective, and read it at the data."""
    case.step("forward", end=end).step("objective", blob=end).step("backward", start=end)
    return case.step("read", blob="data", part="diff", name=name or f"gradient of {end}")
