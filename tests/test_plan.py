"""The plan against its definition, the net: on random graphs, and where they might part."""

from __future__ import annotations

import random

import numpy as np
import pytest
from helpers import assert_close, relative_error
from hypothesis import given, note, settings
from hypothesis import strategies as st
from plan_checks import (
    by_net,
    by_plan,
    check,
    first_near_kink,
    normal,
    run_forward,
    seeded_net,
    write,
)
from random_graphs import SIZE, Graph, random_graph
from tiny import tiny_net

from deepdream.errors import OutOfMemoryError, ShapeError, UnknownLayerError
from deepdream.running.plan import Plan, Planner, Unplannable
from deepdream.running.plan import arrays as arrays_module
from deepdream.running.plan.arrays import Array, saved_array
from deepdream.running.plan.workers import thread_count

# Compiled kernels, and what runs on a GPU on tensors of the CPU.
DEVICES = ("cpu", "torch")
X = normal(1, (1, 3, *SIZE))

DATA = (
    'layer { name: "data" type: "Input" top: "data" '
    "input_param { shape { dim: 1 dim: 3 dim: 13 dim: 17 } } }\n"
)


def layer(name: str, type: str, bottoms: str, settings: str = "", tops: str = "") -> str:  # noqa: A002
    """Return a layer's text; blobs are given as words, the top is the layer's own by default."""
    ends = [f'bottom: "{b}"' for b in bottoms.split()]
    ends += [f'top: "{t}"' for t in (tops or name).split()]
    return f'layer {{ name: "{name}" type: "{type}" {" ".join(ends)} {settings} }}\n'


def conv(name: str, bottom: str, out: int, kernel: int = 1, settings: str = "") -> str:
    settings = f"convolution_param {{ num_output: {out} kernel_size: {kernel} {settings} }}"
    return layer(name, "Convolution", bottom, settings)


def net_text(*layers: str) -> str:
    return "force_backward: true\n" + DATA + "".join(layers)


def planned(text: str, ends, device: str, seed: int = 0, size=SIZE) -> Plan:
    return Planner(seeded_net(text, seed, device=device), ends).plan(*size)


def moved(net, device: str):
    """Return a net that computes on a device from now on."""
    net.move(device)
    return net


def gradients(text: str, ends: list[str]) -> dict[str, np.ndarray]:
    """Return a random gradient for each target."""
    shapes = seeded_net(text).infer_shapes()
    return {end: normal(2 + i, shapes[end]) for i, end in enumerate(ends)}


def check_targets(graph: Graph, seed: int, groups: list[list[str]]) -> int:
    """Compare plan and net for groups of targets; return for how many that was possible."""
    near, checked = first_near_kink(graph.text, seed, X), 0
    for ends in groups:
        if near and any(graph.place(near) <= graph.place(end) for end in ends):
            continue
        refused = [name for end in ends for name in graph.before(end)]
        net, exact = seeded_net(graph.text, seed), seeded_net(graph.text, seed, dtype=np.float64)
        gs = gradients(graph.text, ends)
        for device in DEVICES:
            try:
                plan = Planner(seeded_net(graph.text, seed, device=device), ends).plan(*SIZE)
            except Unplannable as error:
                if refused and "writes over" in str(error):
                    continue
                raise
            assert not refused, f"{refused} should have been refused for {ends}"
            check(by_plan(plan, X, gs), net, exact, X, gs)
            checked += 1
    return checked


@settings(deadline=None, derandomize=True, max_examples=12)
@given(st.integers(0, 2**20))
def test_every_target_of_a_random_graph(seed: int) -> None:
    """For every target with a blob of its own, data and gradient are the net's, or it refuses."""
    graph = random_graph(random.Random(seed))
    note(graph.text)

    check_targets(graph, seed, [[end] for end in graph.targets])


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 300, 25))
def test_every_target_of_many_random_graphs(first: int) -> None:
    """The same for graphs whose seeds are in order; most targets are compared, not left out."""
    checked = total = 0
    for seed in range(first, first + 25):
        graph = random_graph(random.Random(seed))
        total += 2 * len(graph.targets)
        checked += check_targets(graph, seed, [[end] for end in graph.targets])

    assert checked > 0.6 * total


@settings(deadline=None, derandomize=True, max_examples=15)
@given(st.integers(0, 2**20))
def test_several_targets_at_once(seed: int) -> None:
    """The gradient of several targets is the sum of their gradients."""
    chance = random.Random(seed)
    graph = random_graph(chance)
    note(graph.text)
    count = min(len(graph.targets), chance.randint(2, 4))

    check_targets(graph, seed, [chance.sample(graph.targets, count)])


RELU = layer("relu", "ReLU", "conv", tops="conv")
CONV = conv("conv", "data", 18, 3, "pad: 1")

# What has a plan, and was or might be got wrong.
CASES = {
    "slope below 0 in place": net_text(
        CONV,
        layer("r", "ReLU", "conv", "relu_param { negative_slope: -0.5 }", "conv"),
        conv("end", "conv", 5),
    ),
    "alpha below 0 in place": net_text(
        CONV, layer("r", "ELU", "conv", "elu_param { alpha: -0.6 }", "conv"), conv("end", "conv", 5)
    ),
    "clip in place": net_text(
        CONV,
        layer("r", "Clip", "conv", "clip_param { min: -0.4 max: 0.9 }", "conv"),
        conv("end", "conv", 5),
    ),
    "clip not in place": net_text(
        CONV, layer("end", "Clip", "conv", "clip_param { min: -0.4 max: 0.9 }")
    ),
    "ReLU after a maximum": net_text(
        CONV,
        conv("b", "data", 18),
        layer("max", "Eltwise", "conv b", "eltwise_param { operation: MAX }"),
        layer("r", "ReLU", "max", tops="max"),
        conv("end", "max", 5),
    ),
    "ReLU after a product": net_text(
        CONV,
        conv("b", "data", 18),
        layer("product", "Eltwise", "conv b", "eltwise_param { operation: PROD }"),
        layer("r", "ReLU", "product", tops="product"),
        conv("end", "product", 5),
    ),
    "Scale of a vector": net_text(
        CONV,
        layer("fc", "InnerProduct", "conv", "inner_product_param { num_output: 7 }"),
        layer("s", "Scale", "fc", "scale_param { bias_term: true }", "fc"),
        layer("end", "InnerProduct", "fc", "inner_product_param { num_output: 5 }"),
    ),
    "ReLU of a sum of vectors": net_text(
        CONV,
        layer("fc", "InnerProduct", "conv", "inner_product_param { num_output: 7 }"),
        layer("fd", "InnerProduct", "data", "inner_product_param { num_output: 7 }"),
        layer("sum", "Eltwise", "fc fd"),
        layer("r", "ReLU", "sum", tops="sum"),
        layer("end", "InnerProduct", "sum", "inner_product_param { num_output: 5 }"),
    ),
    "in place on a Dropout's copy": net_text(
        CONV,
        layer("lrn", "LRN", "conv"),
        layer("drop", "Dropout", "lrn"),
        layer("r", "Scale", "drop", tops="drop"),
        conv("end", "drop", 5),
    ),
    "Dropout as the target": net_text(CONV, RELU, layer("end", "Dropout", "conv")),
    "the target is the input of all": net_text(conv("end", "data", 4)),
    "values nobody needs": net_text(
        CONV, RELU, conv("other", "conv", 7), layer("l", "LRN", "other"), conv("end", "conv", 5)
    ),
    "pad larger than the kernel": net_text(
        conv("end", "data", 18, 3, "pad: 3"), RELU.replace("conv", "end")
    ),
    "kernel as large as the picture": net_text(
        CONV,
        RELU,
        layer(
            "end",
            "Convolution",
            "conv",
            "convolution_param { num_output: 5 kernel_h: 13 kernel_w: 17 }",
        ),
    ),
    "bottom of a Concat twice": net_text(
        CONV, RELU, layer("cat", "Concat", "conv data conv"), conv("end", "cat", 5, 3)
    ),
    "dense": net_text(
        CONV,
        RELU,
        conv("b", "conv", 17, 3, "pad: 1"),
        layer("c1", "Concat", "conv b"),
        conv("d", "c1", 19, 3, "pad: 1"),
        layer("c2", "Concat", "c1 d"),
        conv("e", "c2", 6),
        layer("end", "Concat", "c2 e b"),
    ),
    "other axes joined": net_text(
        CONV, conv("b", "data", 18), layer("end", "Concat", "conv b", "concat_param { axis: 2 }")
    ),
    "one bottom, one top": net_text(
        CONV,
        RELU,
        layer("cat", "Concat", "conv"),
        layer("cut", "Slice", "cat"),
        conv("end", "cut", 5),
    ),
    "Crop": net_text(
        CONV,
        RELU,
        conv("small", "conv", 7, 5),
        layer("end", "Crop", "conv small", "crop_param { axis: 2 offset: 1 offset: 3 }"),
    ),
    "second bottom as the factor": net_text(
        CONV,
        layer("mean", "Pooling", "conv", "pooling_param { pool: AVE global_pooling: true }"),
        layer("flat", "Reshape", "mean", "reshape_param { shape { dim: 1 dim: 18 } }"),
        layer("gate", "Sigmoid", "flat"),
        layer("end", "Scale", "conv gate", "scale_param { axis: 0 }"),
    ),
    "Tile and Reduction": net_text(
        CONV,
        layer("t", "Tile", "conv", "tile_param { tiles: 2 }"),
        layer("end", "Reduction", "t", "reduction_param { operation: SUMSQ axis: 2 }"),
    ),
    "two bottoms, two tops": net_text(
        conv("b", "data", 3),
        layer(
            "end",
            "Convolution",
            "data b",
            "convolution_param { num_output: 5 kernel_size: 3 }",
            "end other",
        ),
    ),
    "stored and fresh statistics": net_text(
        CONV,
        layer("bn", "BatchNorm", "conv", "batch_norm_param { use_global_stats: false }"),
        layer("r", "ReLU", "bn", tops="bn"),
        conv("end", "bn", 5),
    ),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", CASES)
def test_a_plan_is_the_net(case: str, device: str) -> None:
    """Data and gradient of the layer ``end`` are the net's."""
    gs = gradients(CASES[case], ["end"])
    results = by_plan(planned(CASES[case], "end", device), X, gs)

    data, diff = by_net(seeded_net(CASES[case]), X, "end", gs["end"])
    assert np.abs(diff).max() > 0
    assert_close(results[0]["end"], data)
    assert_close(results[1], diff)


@pytest.mark.parametrize("device", DEVICES)
def test_a_dropout_and_its_bottom_are_two_targets(device: str) -> None:
    """In the TEST phase both have the same values, but each has a gradient of its own."""
    text = net_text(CONV, RELU, layer("lrn", "LRN", "conv"), layer("drop", "Dropout", "lrn"))
    gs = gradients(text, ["lrn", "drop"])

    results = by_plan(planned(text, ["lrn", "drop"], device), X, gs)

    check(results, seeded_net(text), seeded_net(text, dtype=np.float64), X, gs)


@pytest.mark.parametrize("device", DEVICES)
def test_of_layers_with_one_name_the_first_is_the_target(device: str) -> None:
    """As in ``net.forward(end=name)``, the layer in place that comes later does not count."""
    text = net_text(CONV, layer("conv", "ReLU", "conv", tops="conv"), conv("end", "conv", 5))
    gs = gradients(text, ["conv", "end"])

    results = by_plan(planned(text, ["conv", "end"], device), X, gs)

    assert results[0]["conv"].min() < 0
    check(results, seeded_net(text), seeded_net(text, dtype=np.float64), X, gs)


LOSS = layer("label", "Input", "", "input_param { shape { dim: 1 dim: 5 dim: 13 dim: 17 } }")
BLOCKED = {
    "in a branch": (
        CONV
        + RELU
        + conv("a", "conv", 7).replace(" }\n", " propagate_down: false }\n")
        + conv("b", "conv", 6)
        + layer("cat", "Concat", "a b")
    ),
    "at a Concat": (
        CONV
        + RELU
        + conv("a", "conv", 7)
        + conv("b", "conv", 6)
        + layer("cat", "Concat", "a b", "propagate_down: false propagate_down: true")
    ),
    "at a sum": (
        CONV
        + RELU
        + conv("a", "conv", 6)
        + conv("b", "conv", 6)
        + layer("cat", "Eltwise", "a b", "propagate_down: true propagate_down: false")
    ),
    "at a Scale behind a convolution": (
        CONV
        + RELU
        + conv("a", "conv", 6)
        + layer("s", "Scale", "a", "propagate_down: false")
        + conv("b", "conv", 6)
        + layer("cat", "Eltwise", "s b")
    ),
    "at a ReLU behind a convolution": (
        CONV
        + RELU
        + conv("a", "conv", 6)
        + layer("s", "ReLU", "a", "propagate_down: false")
        + conv("b", "conv", 6)
        + layer("cat", "Eltwise", "s b")
    ),
    "everywhere": CONV
    + RELU
    + conv("cat", "conv", 6, 1, "").replace(" }\n", " propagate_down: false }\n"),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", BLOCKED)
def test_no_gradient_passes_where_the_prototxt_forbids_it(case: str, device: str) -> None:
    """Without force_backward, ``propagate_down: false`` stops a gradient in the plan as well."""
    first = BLOCKED[case].replace('top: "conv"', 'top: "conv" propagate_down: true', 1)
    text = DATA + LOSS + first + conv("end", "cat", 5)
    text += layer("loss", "EuclideanLoss", "end label")
    gs = gradients(text, ["end"])

    data, diff = by_plan(planned(text, "end", device), X, gs)

    wanted = by_net(seeded_net(text), X, "end", gs["end"])
    assert_close(data["end"], wanted[0])
    assert_close(diff, wanted[1])
    assert (np.abs(wanted[1]).max() > 0) == (case != "everywhere")


REFUSED = {
    "LRN": (CONV + layer("n", "LRN", "conv") + layer("r", "ReLU", "n", tops="n"), "'r' .* 'n' "),
    "Sigmoid": (CONV + layer("n", "Sigmoid", "conv") + layer("r", "Scale", "n", tops="n"), "'r'"),
    "ReLU in place": (CONV + RELU + layer("r", "Scale", "conv", tops="conv"), "'r' .* 'relu'"),
    "input": (layer("r", "ReLU", "data", tops="data") + conv("n", "data", 5), "over an input"),
    "Flatten": (CONV + layer("n", "Flatten", "conv") + layer("r", "ReLU", "n", tops="n"), "'r'"),
    "Concat of one": (
        CONV + layer("n", "Concat", "conv") + layer("r", "ReLU", "n", tops="n"),
        "'r'",
    ),
    "Slice into one": (
        CONV + layer("n", "Slice", "conv") + layer("r", "ReLU", "n", tops="n"),
        "'r'",
    ),
    "quick product": (
        CONV
        + conv("b", "data", 18)
        + layer(
            "n", "Eltwise", "conv b", "eltwise_param { operation: PROD stable_prod_grad: false }"
        )
        + layer("r", "Scale", "n", tops="n"),
        "'r' .* 'n'",
    ),
    "several bottoms": (
        CONV + conv("b", "data", 18) + layer("r", "Eltwise", "conv b", tops="conv"),
        "several blobs",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_plan_cannot_do_is_refused(case: str) -> None:
    """A layer that writes over what an earlier one needs is named, with that one."""
    layers, message = REFUSED[case]
    last = "n" if 'top: "n"' in layers else "conv"
    fc = layer("end", "InnerProduct", last, "inner_product_param { num_output: 5 }")

    with pytest.raises(Unplannable, match=message):
        Planner(seeded_net(net_text(layers, fc)), "end")


def test_unknown_targets_and_sizes_are_the_nets_errors() -> None:
    """A name that is no layer, and a picture too small for one, are told as the net tells them."""
    with pytest.raises(UnknownLayerError, match="no layer named 'b/output'"):
        Planner(tiny_net(), "b/output")
    planner = Planner(seeded_net(net_text(conv("end", "data", 4, 7))), "end")
    with pytest.raises(ShapeError, match="too small"):
        planner.plan(5, 9)


TINY_SIZE = (29, 37)


@pytest.mark.parametrize("device", DEVICES)
def test_a_plan_gives_the_same_bits_again(device: str) -> None:
    """What ran in between, on this plan or on one of another size, leaves nothing behind."""
    planner = Planner(moved(tiny_net(), device), "a/output")
    plan, other = planner.plan(*TINY_SIZE), planner.plan(23, 31)
    x, y = normal(3, (1, 3, *TINY_SIZE)), normal(4, (1, 3, 23, 31))
    g, e = (
        normal(5, tuple(plan.target_data["a/output"].shape)),
        normal(6, tuple(other.target_data["a/output"].shape)),
    )
    first, first_other = by_plan(plan, x, {"a/output": g}), by_plan(other, y, {"a/output": e})
    by_plan(plan, 100 * x[:, ::-1], {"a/output": -7 * g})

    for results, again in (
        (first, by_plan(plan, x, {"a/output": g})),
        (first_other, by_plan(other, y, {"a/output": e})),
    ):
        assert np.array_equal(results[0]["a/output"], again[0]["a/output"])
        assert np.array_equal(results[1], again[1])
        assert np.abs(results[1]).max() > 0


@pytest.mark.parametrize("device", DEVICES)
def test_two_plans_may_take_turns(device: str) -> None:
    """Forward on one and forward on another size do not disturb each other's backward."""
    planner = Planner(moved(tiny_net(), device), "a/output")
    sizes = [TINY_SIZE, (23, 31)]
    xs = [normal(3 + i, (1, 3, *size)) for i, size in enumerate(sizes)]
    plans = [planner.plan(*size) for size in sizes]
    gs = [normal(5, tuple(plan.target_data["a/output"].shape)) for plan in plans]
    alone = [by_plan(planner.plan(*s), x, {"a/output": g})[1] for s, x, g in zip(sizes, xs, gs)]

    for plan, x in zip(plans, xs):
        write(plan.data, x)
        plan.forward()
    for plan, g in zip(plans, gs):
        write(plan.target_diff["a/output"], g)
        plan.backward()

    for plan, diff in zip(plans, alone):
        assert np.array_equal(plan.diff, diff)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("end", ["a/output", "prob"])
def test_a_plan_leaves_the_net_alone(device: str, end: str) -> None:
    """No blob, diff or parameter of the net changes, nor the shape of any."""
    net = tiny_net()
    run_forward(net, normal(7, (1, 3, *TINY_SIZE)), "prob")
    for i, blob in enumerate(net.blobs.values()):
        blob.diff[...] = i
    parts = [*net.blobs.values(), *(blob for layer in net.layers for blob in layer.blobs)]
    before = [(blob.data.copy(), blob.diff.copy()) for blob in parts]
    plan = Planner(moved(net, device), end).plan(*TINY_SIZE)

    by_plan(
        plan, normal(3, (1, 3, *TINY_SIZE)), {end: normal(4, tuple(plan.target_data[end].shape))}
    )

    for blob, (data, diff) in zip(parts, before):
        assert np.array_equal(blob.data, data)
        assert np.array_equal(blob.diff, diff)


@pytest.mark.parametrize("device", DEVICES)
def test_other_inputs_keep_what_the_net_holds(device: str) -> None:
    """A second input's blob is read at every forward."""
    text = net_text(
        layer("mask", "Input", "", "input_param { shape { dim: 1 dim: 18 dim: 13 dim: 17 } }"),
        CONV, layer("product", "Eltwise", "conv mask", "eltwise_param { operation: PROD }"),
        layer("cat", "Concat", "mask product"), conv("end", "cat", 5),
    )  # fmt: skip
    net, gs = seeded_net(text), gradients(text, ["end"])
    plan = Planner(moved(net, device), "end").plan(*SIZE)

    for seed in (8, 9):
        net.blobs["mask"].data[...] = normal(seed, (1, 18, *SIZE))
        data, diff = by_plan(plan, X, gs)
        wanted = by_net(net, X, "end", gs["end"])
        assert_close(data["end"], wanted[0])
        assert_close(diff, wanted[1])


def test_layouts_of_the_arrays_outside() -> None:
    """Picture and gradient are (1, 3, h, w) with the channels together, whatever the target."""
    plan = Planner(tiny_net(), ("pool1", "a/output")).plan(29, 37)

    assert plan.size == (29, 37)
    assert plan.ends == ("pool1", "a/output") == tuple(plan.target_data)
    for image in (plan.data, plan.diff):
        assert image.shape == (1, 3, 29, 37)
        assert image.strides[1] == 4
    shapes = tiny_net().infer_shapes()
    for end in plan.ends:
        assert plan.target_data[end].shape == plan.target_diff[end].shape == shapes[end]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [(29, 37), (53, 41)])
def test_memory_is_what_is_allocated(device: str, size: tuple[int, int]) -> None:
    """`memory` tells the bytes of the block and of what each thread needs besides."""
    planner = Planner(moved(tiny_net(), device), "a/output")
    plan = planner.plan(*size)

    operation = plan._forward[0]
    arrays = [operation.tops[0].flat, *operation.scratch_of]
    assert planner.memory(*size) == sum(t.nbytes for t in arrays)


def test_memory_counts_the_blobs_of_layers_that_run_themselves() -> None:
    """Two float32 arrays for each bottom and top."""
    text = net_text(CONV, layer("end", "MVN", "conv"))
    planner = Planner(seeded_net(text, device="torch"), "end")

    blobs = 4 * 2 * 2 * 18 * 13 * 17
    block = planner.plan(*SIZE)._forward[0].tops[0].flat
    assert planner.memory(*SIZE) == blobs + block.nbytes


def test_notes_name_the_kernels_and_the_slow_layers() -> None:
    """The notes tell steps, kernels, and which layers run by their own class."""
    text = net_text(CONV, RELU, layer("mvn", "MVN", "conv"), conv("end", "mvn", 5))

    assert Planner(seeded_net(text), "end").notes == [
        f"plan: 3 steps, {thread_count()} threads", "layer by layer: mvn (MVN)",
    ]  # fmt: skip
    assert Planner(seeded_net(text, device="torch"), "conv").notes == [
        "plan: 1 steps, PyTorch on torch"
    ]


def poisoned(planner: Planner, x: np.ndarray, gs: dict[str, np.ndarray]):
    """Run a plan step by step with NaN in all memory that is not in use; as `by_plan`."""
    layout = planner._layout(*SIZE)
    plan, order = Plan(planner, layout), layout.schedule
    block = plan._forward[0].tops[0].flat
    count = len(order.forward)

    def poison(tick: int) -> None:
        alive = block * 0 > 1
        for places, lives in ((layout.data, order.data), (layout.diff, order.diff)):
            for value, (first, last) in lives.items():
                # What is made at this tick has to be written before it is read.
                if (first < tick or first == tick == count) and tick <= last:
                    Array(alive, *places[value], layout.shapes[value]).image[...] = True
        for node, (first, last) in order.saved.items():
            if first < tick <= last:
                for start, shape, dtype in layout.saved[node]:
                    size = saved_array(block, start, shape, dtype).nbytes
                    alive[start : start + -(-size // 4)] = True
                if node in layout.masked:
                    start, pixels, step, _ = layout.masks[node.tops[0]]
                    alive[start : start + -(-pixels * step // 4)] = True
        if tick == 0:
            for value in planner.program.inputs.values():
                Array(alive, *layout.data[value], layout.shapes[value]).image[...] = True
        block[~alive] = float("nan")

    block[...] = float("nan")
    write(plan.data, x)
    with plan.threads():
        for tick, operation in enumerate(plan._forward):
            poison(tick)
            operation.forward()
        poison(count)
        data = {end: np.asarray(plan.target_data[end]).copy() for end in gs}
        for end, g in gs.items():
            write(plan.target_diff[end], g)
        for image in plan._zeroed:
            image[...] = 0
        for node, operation in zip(order.backward, plan._backward):
            poison(2 * count - order.forward.index(node))
            operation.backward()
        poison(order.end)
    return data, np.asarray(plan.diff).copy()


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(0, 2**20), st.sampled_from(DEVICES))
def test_memory_that_is_not_in_use_is_not_read(seed: int, device: str) -> None:
    """NaN in every array before its life and after it changes nothing."""
    chance = random.Random(seed)
    graph = random_graph(chance, steps=9)
    note(graph.text)
    ends = [end for end in graph.targets if not graph.before(end)][-3:]
    if not ends:
        return
    ends = ends if chance.random() < 0.3 else [chance.choice(ends)]
    gs = gradients(graph.text, ends)
    planner = Planner(seeded_net(graph.text, seed, device=device), ends)

    data, diff = poisoned(planner, X, gs)

    plain = by_plan(planner.plan(*SIZE), X, gs)
    for end in ends:
        assert np.array_equal(data[end], plain[0][end], equal_nan=True)
    assert relative_error(diff, plain[1]) == 0


def test_no_memory_for_a_plan_says_so_on_every_system(monkeypatch):
    """Linux's huge pages come by mmap, which raises an OSError of its own."""

    def refused(*_):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(arrays_module.mmap, "MADV_HUGEPAGE", 14, raising=False)
    monkeypatch.setattr(arrays_module.mmap, "mmap", refused)
    with pytest.raises(OutOfMemoryError, match="no memory for a plan of .* pass max_memory="):
        Planner(tiny_net(), "a/output").plan(64, 64)
