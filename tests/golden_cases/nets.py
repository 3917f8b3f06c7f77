"""Whole nets: wiring, partial and segmented runs, stale diffs."""

from __future__ import annotations

from collections.abc import Iterator

from .base import Case, input_layer, layer, net
from .networks import dream, ready, small_inception, small_resnet


def structure() -> Iterator[Case]:
    for name, what, text in (
        ("inception", "names, wiring and shapes of a small GoogLeNet", small_inception()),
        ("resnet", "splits behind chains of in-place layers", small_resnet()),
    ):
        yield Case(f"structure/{name}", what, rtol=0).step("net", prototxt=text).step("describe")

    case = Case("structure/googlenet", "the 121 blobs of GoogLeNet, splits included", rtol=0)
    case.step("net", prototxt_file="prototxt/googlenet/deploy.prototxt")
    yield case.step("shapes", name="blobs")

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


def cases() -> Iterator[Case]:
    yield from structure()
    yield from running()
    yield from stale()
