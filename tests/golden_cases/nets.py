"""Whole nets: wiring, partial and segmented runs, stale diffs, reshapes, what calls return."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

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


def structure() -> Iterator[Case]:
    for name, what, text in (
        ("inception", "names, wiring and shapes of a small GoogLeNet", small_inception()),
        ("resnet", "splits behind chains of in-place layers", small_resnet()),
    ):
        yield Case(f"structure/{name}", what, rtol=0).step("net", prototxt=text).step("describe")

    case = Case("structure/splits", "who counts as a consumer when splits are named", rtol=0)
    x = input_layer("x", (2, 3))
    relu = layer("r", "ReLU", ["x"], ["x"])
    for label, layers in {
        "same bottom twice": [x, layer("e", "Eltwise", ["x", "x"], ["y"])],
        "after in-place": [
            x,
            relu,
            layer("a", "TanH", ["x"], ["a"]),
            layer("b", "TanH", ["x"], ["b"]),
        ],
        "in-place between": [
            x,
            layer("a", "TanH", ["x"], ["a"]),
            layer("r", "ReLU", ["a"], ["a"]),
            layer("b", "TanH", ["a"], ["b"]),
            layer("c", "TanH", ["a"], ["c"]),
            layer("d", "TanH", ["a"], ["d"]),
        ],
        "second top": [
            x,
            layer("s", "Slice", ["x"], ["s0", "s1", "s2"]),
            layer("a", "TanH", ["s1"], ["a"]),
            layer("b", "TanH", ["s1"], ["b"]),
        ],
        "a loss that is used": [
            x,
            layer("l", "Reduction", ["x"], ["l"], "loss_weight: 2"),
            layer("a", "Power", ["l"], ["a"]),
        ],
    }.items():
        case.step("net", net=label, prototxt=net(*layers)).step("describe", net=label, name=label)
    legacy = net(
        layer("a", "TanH", ["x"], ["a"]),
        layer("b", "TanH", ["x"], ["b"]),
        head='input: "x"\ninput_dim: 1\ninput_dim: 2\ninput_dim: 3\ninput_dim: 5\n',
    )
    yield case.step("net", net="legacy", prototxt=legacy).step(
        "describe", net="legacy", name="legacy"
    )

    case = Case(
        "structure/outputs", "outputs in the order of their bytes; unused inputs count", rtol=0
    )
    tops = ["zz", "Yy", "aa", "a_", "a/b", "aB", "Z1", "10", "9"]
    layers = [input_layer("x", (1, 2)), input_layer("unused", (3,))]
    layers += [layer(f"l{i}", "Power", ["x"], [top]) for i, top in enumerate(tops)]
    case.step("net", prototxt=net(*layers)).step("describe").step("forward", name="returned")
    yield case

    case = Case("structure/phases", "include and exclude rules: phase, level, stage", rtol=0)
    rules = {
        "always": "",
        "train": "include { phase: TRAIN }",
        "test": "include { phase: TEST }",
        "not_test": "exclude { phase: TEST }",
        "level2": "include { min_level: 2 }",
        "level_to_1": "include { max_level: 1 }",
        "level_1_to_2": "include { min_level: 1 max_level: 2 }",
        "stage_a": 'include { stage: "a" }',
        "stage_ab": 'include { stage: "a" stage: "b" }',
        "not_stage_b": 'include { not_stage: "b" }',
        "either": 'include { stage: "b" } include { phase: TRAIN }',
        "both": 'include { stage: "a" phase: TRAIN }',
        "exclude_either": 'exclude { stage: "a" } exclude { stage: "b" }',
    }
    layers = [layer(name, "Power", ["x"], [name], rule) for name, rule in rules.items()]
    text = net(input_layer("x", (1,)), *layers)
    for phase, level, stages in (
        ("TEST", 0, []),
        ("TRAIN", 0, []),
        ("TEST", 1, ["a"]),
        ("TRAIN", 2, ["a", "b"]),
        ("TEST", 3, ["b", "c"]),
    ):
        label = f"{phase} level {level} stages {'+'.join(stages) or 'none'}"
        case.step("net", net=label, prototxt=text, phase=phase, level=level, stages=stages)
        case.step("shapes", net=label, name=label)
    # Of a state written in the prototxt only the stages count: phase and level come from the call.
    text = net(input_layer("x", (1,)), *layers, head='state { phase: TRAIN level: 2 stage: "a" }\n')
    yield case.step("net", net="own state", prototxt=text).step(
        "shapes", net="own state", name="own state"
    )


def running() -> Iterator[Case]:
    case = ready("running/forward", "every blob after a whole forward run")
    yield case.step("forward", name="returned").step("read_all", name="data")

    case = ready("running/backward", "every diff after a whole backward run")
    case.step("forward").step("draw", blob="prob", part="diff", seed=3)
    case.step("backward", name="returned").step("read_all", name="diff", part="diff")
    case.step("read_param", layer="conv1", index=0, part="diff")
    case.step("read_param", layer="b/3x3", index=1, part="diff")
    yield case.step("read_param", layer="fc", index=0, part="diff")

    case = ready("running/pre_relu", "an end before its in-place ReLU has values below zero")
    for end in ("a/5x5_reduce", "a/relu_5x5_reduce", "b/output"):
        case.step("forward", end=end, name=end)
        case.step("read", blob="a/5x5_reduce", name=f"after {end}")
    dream(case, "a/5x5_reduce")
    case.step("read", blob="a/5x5_reduce", part="diff")
    yield case.step("backward", start="a/relu_5x5_reduce").step(
        "read", blob="a/5x5_reduce", part="diff", name="diff below the ReLU"
    )

    case = ready(
        "running/segmented_forward", "run to a layer, change its data, run on from the next"
    )
    case.step("forward", end="a/output").step("draw", blob="a/output", seed=4)
    case.step("forward", start="pool2", end="b/output", name="returned")
    yield (
        case.step("draw", blob="b/3x3", seed=5)
        .step("forward", start="b/output")
        .step("read", blob="b/output")
        .step("read", blob="prob")
    )

    case = ready(
        "running/segmented_backward", "run back to a layer, add to its diff, run on from it"
    )
    case.step("forward", end="b/output").step("objective", blob="b/output")
    case.step("backward", start="b/output", end="a/output", name="first")
    case.step("draw", blob="a/output", part="diff", seed=6)
    case.step("backward", start="a/output", end="pool1", name="second")
    case.step("read", blob="norm1", part="diff")
    yield case.step("backward", start="pool1").step("read", blob="data", part="diff")

    case = ready(
        "running/twice", "backward twice without forward repeats itself; diffs of parameters add up"
    )
    for turn in ("first", "second"):
        case.step("forward", end="b/output") if turn == "first" else None
        case.step("objective", blob="b/output").step("backward", start="b/output")
        case.step("read", blob="data", part="diff", name=f"{turn} data")
        case.step("read_param", layer="a/3x3", index=0, part="diff", name=f"{turn} weights")
        case.step("read_param", layer="conv1", index=1, part="diff", name=f"{turn} bias")
    case.step("clear_param_diffs").step("backward", start="b/output")
    yield case.step("read_param", layer="a/3x3", index=0, part="diff", name="after clearing")

    case = ready(
        "running/in_place_chain",
        "BatchNorm, Scale and ReLU in place, a shortcut, a blob summed with itself",
        small_resnet(),
    )
    for end in ("conv1", "bn_conv1", "scale_conv1", "conv1_relu", "branch2b", "res", "res_relu"):
        case.step("forward", end=end, name=end)
    case.step("forward").step("read_all", name="data")
    for end in ("res", "branch2b", "sum"):
        dream(case, end)
    yield case.step("read_all", name="diff", part="diff")

    case = ready(
        "running/end_at_data", "an end at the input: nothing runs, the diff is what was written"
    )
    case.step("forward", end="data", name="forward")
    case.step("draw", blob="data", part="diff", seed=2)
    yield case.step("backward", start="data", name="backward")

    case = ready("running/hooks", "which layers the four hooks see", small_resnet(), rtol=0)
    case.step("hooks", name="seen").step("forward", start="bn_conv1", end="branch1")
    yield case.step("backward", start="conv1_relu", end="conv1").step(
        "forward", start="res", end="conv1"
    )

    text = net(
        input_layer("data", (3, 2, 5)),
        layer("ip", "InnerProduct", ["data"], ["ip"], "inner_product_param { num_output: 4 }"),
        layer("t", "TanH", ["ip"], ["t"]),
    )
    case = Case("running/batches", "the images of a batch do not see each other")
    case.step("net", prototxt=text).step("seed", seed=1).step("draw", blob="data", seed=2)
    case.step("forward").step("draw", blob="t", part="diff", seed=3).step("backward")
    yield case.step("read", blob="t").step("read", blob="data", part="diff")


def stale() -> Iterator[Case]:
    case = ready(
        "stale/deep_then_shallow",
        "an end inside a block after a deeper end: diffs of the other branches are still there",
    )
    dream(case, "a/5x5_reduce", "fresh")
    dream(case, "b/output", "deep")
    for turn in range(3):
        dream(case, "a/5x5_reduce", f"shallow {turn}")
        case.step("write_image", blob="data", seed=20 + turn)
    case.step("read_all", name="diff", part="diff")
    case.step("clear_diffs")
    yield dream(case, "a/5x5_reduce", "clean")

    for name, what, first, second in (
        (
            "smaller",
            "the picture shrinks, old diffs land on other pixels",
            (1, 3, 17, 23),
            (1, 3, 13, 19),
        ),
        ("larger", "the picture grows within the capacity", (1, 3, 13, 17), (1, 3, 17, 22)),
        (
            "beyond",
            "the picture grows beyond the capacity, which makes zeros",
            (1, 3, 17, 23),
            (1, 3, 21, 29),
        ),
    ):
        case = ready(f"stale/{name}", f"stale diffs: {what}")
        case.step("reshape", blob="data", shape=first).step("write_image", blob="data", seed=30)
        dream(case, "b/output", "deep")
        case.step("reshape", blob="data", shape=second).step("write_image", blob="data", seed=31)
        for end in ("a/5x5_reduce", "a/pool_proj", "b/1x1"):
            dream(case, end)
        yield case.step("read", blob="a/1x1", part="diff")

    case = ready("stale/residual", "an end on a branch of a residual block", small_resnet())
    dream(case, "sum", "deep")
    for end in ("branch2a", "branch1", "res"):
        dream(case, end)
    yield case


def reshaping() -> Iterator[Case]:
    relu = net(input_layer("x", (4, 4)), layer("r", "ReLU", ["x"], ["y"]))
    case = Case(
        "reshaping/capacity", "a reshape keeps the flat buffer until it has to grow", rtol=0
    )
    case.step("net", prototxt=relu)
    for part in ("data", "diff"):
        case.step("read", blob="x", part=part, name=f"{part} at first")
        case.step("draw", blob="x", part=part, seed=1 + (part == "diff"))
    case.step("hold", blob="x", name="old")
    for number, shape in enumerate(([2, 3], [3, 1, 5], [4, 4], [16], [2, 0, 3], [2, 8])):
        case.step("reshape", blob="x", shape=shape)
        case.step("read", blob="x", name=f"data {number}").step(
            "read", blob="x", part="diff", name=f"diff {number}"
        )
        case.step("shapes", name=f"shapes {number}")
    case.step("write_held", held="old", value=9).step(
        "read", blob="x", name="written through the old view"
    )
    case.step("reshape", blob="x", shape=[17])
    case.step("read", blob="x", name="grown data").step(
        "read", blob="x", part="diff", name="grown diff"
    )
    case.step("draw", blob="x", seed=8).step("reshape", blob="x", shape=[3, 3])
    yield case.step("read", blob="x", name="after growing").step("forward").step("read", blob="y")

    case = ready("reshaping/lazy", "a new input shape reaches each layer when it runs", rtol=None)
    case.step("reshape", blob="data", shape=[2, 3, 11, 15]).step("shapes", name="at once")
    case.step("write_image", blob="data", seed=3)
    case.step("forward", end="a/output").step("shapes", name="after a run to a/output")
    case.step("read", blob="a/output")
    case.step("reshape").step("shapes", name="after net.reshape()")
    case.step("forward").step("read", blob="prob")
    case.step("reshape", blob="data", shape=[1, 3, 17, 23]).step("write_image", blob="data", seed=4)
    yield dream(case, "b/output")

    case = ready("reshaping/diffs_stay", "forward never clears a diff", small_resnet(), rtol=0)
    case.step("write", blob="conv1", part="diff", value=3).step("forward")
    yield case.step("read", blob="conv1", part="diff")

    case = Case(
        "reshaping/legacy_shape", "num, channels, height, width of blobs with other axes", rtol=0
    )
    layers = [input_layer(f"x{n}", (2, 3, 5, 7)[:n]) for n in range(1, 5)]
    case.step("net", prototxt=net(*layers, layer("l", "Reduction", ["x4"], ["s"])))
    for blob in ("x1", "x2", "x3", "x4", "s"):
        case.step("legacy_shape", blob=blob, name=blob)
    yield case

    case = Case("reshaping/sharing", "tops that share memory with their bottom", rtol=0)
    text = net(
        input_layer("x", (2, 3, 5)),
        layer("split", "Split", ["x"], ["s0", "s1"]),
        layer("reshape", "Reshape", ["s0"], ["r"], "reshape_param { shape { dim: 6 dim: 5 } }"),
        layer("flatten", "Flatten", ["s1"], ["f"]),
        layer("concat", "Concat", ["f"], ["c"]),
        layer("slice", "Slice", ["c"], ["l"]),
    )
    case.step("net", prototxt=text).step("draw", blob="x", seed=1).step("forward")
    case.step("hold", blob="x", name="x").step("hold", blob="r", name="r").step(
        "hold", blob="l", name="l"
    )
    for number, blob in enumerate(("x", "r", "s1", "l")):
        case.step("write", blob=blob, value=10 + number)
        case.step("read_all", name=f"after writing {blob}")
    for blob in ("s0", "s1", "r", "f", "c", "l"):
        case.step("draw", blob=blob, part="diff", seed=ord(blob[0]))
    case.step("backward", start="slice", end="flatten")
    case.step("read_all", name="first run back", part="diff")
    case.step("draw", blob="f", part="diff", seed=77).step("backward")
    yield case.step("read_all", name="second run back", part="diff")

    case = ready("reshaping/lifetime", "a view outlives its net", small_resnet(), rtol=0)
    case.step("hold", blob="data", name="view").step("delete")
    yield case.step("read_held", held="view", name="data")


def gradients() -> Iterator[Case]:
    body = (
        layer("ip", "InnerProduct", ["x"], ["ip"], "inner_product_param { num_output: 4 }"),
        layer("t", "TanH", ["ip"], ["t"]),
    )
    frozen = body[0].replace(
        "inner_product_param", "param { lr_mult: 0 } param { lr_mult: 0 } inner_product_param"
    )
    down = body[0].replace("inner_product_param", "propagate_down: true inner_product_param")
    no_down = body[0].replace("inner_product_param", "propagate_down: false inner_product_param")
    loss = layer("l", "Reduction", ["t"], ["l"], "loss_weight: 2")
    case = Case(
        "gradients/needed", "who runs backward: force_backward, a loss, lr_mult, propagate_down"
    )
    x = input_layer("x", (2, 3))
    for label, layers, force in (
        ("forced", body, True),
        ("no loss", body, False),
        ("loss", (*body, loss), False),
        ("loss, frozen", (frozen, body[1], loss), False),
        ("loss, propagate_down", (down, body[1], loss), False),
        ("forced, no propagate_down", (no_down, body[1]), True),
        ("propagate_down without loss", (down, body[1]), False),
        ("forced and loss", (*body, loss), True),
    ):
        case.step("net", net=label, prototxt=net(x, *layers, force_backward=force))
        case.step("seed", net=label, seed=1).step("draw", net=label, blob="x", seed=2)
        case.step("forward", net=label).step("draw", net=label, blob="t", part="diff", seed=3)
        case.step("backward", net=label)
        case.step("read", net=label, blob="x", part="diff", name=f"{label}: data")
        case.step(
            "read_param", net=label, layer="ip", index=0, part="diff", name=f"{label}: weights"
        )
    yield case

    case = Case("gradients/loss", "losses of a net: weights, their sum, the seeds of backward")
    text = net(
        input_layer("x", (4, 5)),
        input_layer("t", (4, 5)),
        layer("e", "EuclideanLoss", ["x", "t"], ["e"]),
        layer(
            "r", "Reduction", ["x"], ["r"], "loss_weight: -0.5 reduction_param { operation: SUMSQ }"
        ),
        layer("free", "Reduction", ["t"], ["free"], "reduction_param { operation: MEAN }"),
    )
    case.step("net", prototxt=text).step("describe").step("draw", blob="x", seed=1).step(
        "draw", blob="t", seed=2
    )
    last = 6  # data, data, two splits, three losses
    case.step("run_layers", first=0, last=last, name="whole loss")
    case.step("run_layers", first=4, last=4, name="of one layer")
    case.step("run_layers", first=last, last=0, backward=True, name="backward")
    for blob in ("e", "r", "free", "x", "t"):
        case.step("read", blob=blob, part="diff")
    yield case.step("read", blob="e").step("read", blob="r")

    case = Case("gradients/shared_params", "layers that share parameters by name")
    one = 'param { name: "w" } param { name: "b" }'
    shared = [
        layer(
            "first", "InnerProduct", ["x"], ["a"], f"{one} inner_product_param {{ num_output: 5 }}"
        ),
        layer(
            "second", "InnerProduct", ["a"], ["b"], f"{one} inner_product_param {{ num_output: 5 }}"
        ),
        layer(
            "third",
            "InnerProduct",
            ["b"],
            ["c"],
            'param { name: "w" share_mode: PERMISSIVE } inner_product_param'
            " { num_output: 1 axis: 0 bias_term: false }",
        ),
    ]
    text = net(input_layer("x", (5, 5)), *shared)
    case.step("net", prototxt=text).step("describe").step("draw", blob="x", seed=1)
    case.step("draw_params", seed=2, layer="first").step("forward").step("read_all", name="data")
    case.step("draw", blob="c", part="diff", seed=3).step("backward").step(
        "read_all", name="diff", part="diff"
    )
    for name in ("first", "second", "third"):
        case.step("read_param", layer=name, index=0, name=f"{name} weights")
        case.step("read_param", layer=name, index=0, part="diff", name=f"{name} diff")
    case.step("write_param", layer="second", index=1, value=0.5)
    case.step("clear_param_diffs")
    case.step("read_param", layer="first", index=0, part="diff", name="cleared")
    yield case.step("read_param", layer="first", index=1, name="bias of first")

    case = Case("gradients/duplicate_names", "two layers of one name: start and end mean the first")
    text = net(
        input_layer("x", (2, 3)),
        layer("same", "InnerProduct", ["x"], ["a"], "inner_product_param { num_output: 4 }"),
        layer("same", "InnerProduct", ["a"], ["b"], "inner_product_param { num_output: 5 }"),
        layer("last", "TanH", ["b"], ["c"]),
    )
    case.step("net", prototxt=text).step("describe").step("draw", blob="x", seed=1)
    case.step("seed", seed=2).step("forward", end="same", name="to same").step("read", blob="b")
    case.step("forward", start="same", name="whole").step("draw", blob="c", part="diff", seed=3)
    yield case.step("backward", end="same", name="back").step("read", blob="x", part="diff")


def calls() -> Iterator[Case]:
    text = net(
        input_layer("x", (2, 3)),
        layer("ip", "InnerProduct", ["x"], ["ip"], "inner_product_param { num_output: 4 }"),
        layer("t", "TanH", ["ip"], ["t"]),
        layer("a", "AbsVal", ["ip"], ["a"]),
    )

    def fresh(name: str, what: str) -> Case:
        case = Case(f"calls/{name}", what).step("net", prototxt=text)
        return case.step("seed", seed=1).step("draw", blob="x", seed=2)

    rng = np.random.RandomState(4)
    x = (rng.randint(-99, 100, (2, 3)) / 64).astype(np.float32)
    case = fresh("returned", "what forward and backward return")
    case.step("forward", name="all").step("forward", end="ip", name="to ip")
    case.step("forward", start="t", end="t", blobs=["ip", "x"], name="with blobs")
    case.step("forward", inputs={"x": x}, name="with input")
    case.step("forward", inputs={"x": x.astype(np.float64) * 2}, end="t", name="float64 input")
    tops = {blob: (rng.randint(-99, 100, (2, 4)) / 64).astype(np.float32) for blob in ("t", "a")}
    case.step("backward", tops=tops, name="with diffs")
    case.step("backward", diffs=["ip", "t"], name="diffs of blobs")
    case.step("backward", end="ip", name="to the ip layer")
    yield case.step("backward", start="ip", end="t", name="nothing runs")

    case = fresh("refused", "Python exceptions of forward and backward, and what they leave behind")
    wide = np.zeros((2, 5), np.float32)
    for label, step in {
        "unknown end": {"do": "forward", "end": "nope"},
        "unknown start": {"do": "forward", "start": "nope"},
        "split blob as end": {"do": "forward", "end": "ip_ip_0_split_0"},
        "blob that is no layer": {"do": "backward", "start": "ip_ip_0_split_0"},
        "unknown blob": {"do": "forward", "blobs": ["nope"]},
        "unknown diff": {"do": "backward", "diffs": ["nope"]},
    }.items():
        case.step("attempt", step=step, name=label)
    for label, do, key, arrays in (
        ("wrong input name", "forward", "inputs", {"y": x}),
        ("one input too many", "forward", "inputs", {"x": x, "y": x}),
        ("wrong batch", "forward", "inputs", {"x": x[:1]}),
        ("wrong width", "forward", "inputs", {"x": wide}),
        ("diffs of one top only", "backward", "tops", {"t": tops["t"]}),
        ("wrong batch of diffs", "backward", "tops", {"t": tops["t"][:1], "a": tops["a"][:1]}),
    ):
        stored = case._stored(arrays)
        case.step("attempt", step={"do": do, key: stored}, name=label)
    case.step("attempt", step={"do": "reshape", "blob": "x", "shape": [1.5, 3]}, name="float size")
    case.step(
        "attempt",
        step={"do": "set_input_arrays", "data": "a0", "labels": "a0"},
        name="no MemoryData",
    )
    yield case.step("read_all", name="data")

    case = fresh("forward_all", "any number of items in batches of the net's size, padding dropped")
    many = (rng.randint(-99, 100, (5, 3)) / 64).astype(np.float32)
    case.step("forward_all", name="five", inputs={"x": many})
    case.step("forward_all", name="one", inputs={"x": many[:1]}, blobs=["ip"])
    # Whole batches only: pycaffe forgets to drop the padding of all tops but one.
    diffs = {blob: (rng.randint(-99, 100, (4, 4)) / 64).astype(np.float32) for blob in ("t", "a")}
    yield case.step("forward_backward_all", name="both", inputs={"x": many[:4]}, tops=diffs)

    case = fresh("share_with", "two nets with the same weights")
    case.step("net", net="other", prototxt=text).step("share_with", net="other", other="net")
    case.step("draw", net="other", blob="x", seed=3).step("forward", net="other").step(
        "read", net="other", blob="t"
    )
    case.step("write_param", layer="ip", index=0, value=0.25).step("forward", net="other")
    case.step("read", net="other", blob="t", name="after a change")
    case.step("delete").step("forward", net="other")
    yield case.step("read", net="other", blob="t", name="after the first net is gone")


def cases() -> Iterator[Case]:
    yield from structure()
    yield from running()
    yield from stale()
    yield from reshaping()
    yield from gradients()
    yield from calls()
