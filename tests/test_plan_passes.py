"""The passes that make a plan, each by itself."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st
from plan_checks import run_forward, seeded_net
from random_graphs import random_graph
from test_plan import CONV, RELU, X, conv, layer, net_text

from deepdream.running.plan import Unplannable
from deepdream.running.plan.allocate import ALIGN, joint_life, pack, place
from deepdream.running.plan.fold import fold
from deepdream.running.plan.fuse import fuse
from deepdream.running.plan.merge import merge
from deepdream.running.plan.program import Activation, Program, Value
from deepdream.running.plan.prune import prune
from deepdream.running.plan.schedule import backward_bottoms, schedule, with_gradient

CLIP = layer("clip", "Clip", "conv", "clip_param { min: -0.4 max: 0.9 }", "conv")


def pruned(text: str, *ends: str) -> Program:
    return prune(seeded_net(text), ends or ("end",), "data")


def up_to(last: str, text: str, *ends: str) -> Program:
    """Return a program after the passes up to the one called `last`."""
    program = pruned(text, *ends)
    for name, step in (("fold", fold), ("fuse", fuse), ("merge", merge)):
        step(program)
        if name == last:
            break
    return program


def names(program: Program) -> list[str]:
    return ["+".join(node.names) for node in program.nodes]


# -- prune -----------------------------------------------------------------------------------------


def test_prune_keeps_what_the_target_needs() -> None:
    """Layers beside and after the way to the target are gone, and nobody counts as their reader."""
    program = pruned(
        net_text(
            CONV, RELU, conv("beside", "conv", 5), conv("end", "conv", 7), conv("after", "end", 4)
        )
    )

    assert names(program) == ["conv", "relu", "end"]
    assert [repr(node) for node in program.nodes[1].tops[0].readers] == ["<Convolution end>"]
    assert program.targets["end"].readers == []
    assert program.picture is program.inputs["data"]


def test_prune_dissolves_splits_and_dropout() -> None:
    """Readers of a split, or of a Dropout in the TEST phase, read the value itself."""
    program = pruned(
        net_text(
            CONV,
            conv("a", "conv", 7),
            layer("drop", "Dropout", "conv"),
            conv("b", "drop", 7),
            layer("end", "Eltwise", "a b"),
        )  # fmt: skip
    )

    assert {node.type for node in program.nodes} == {"Convolution", "Eltwise"}
    (value,) = program.nodes[0].tops
    assert [node.names for node in value.readers] == [["a"], ["b"]]


def test_prune_renames_in_place() -> None:
    """A layer in place makes a new value of the same blob; the target is that of its time."""
    program = pruned(net_text(CONV, RELU, conv("x", "conv", 5)), "conv", "x")

    convolution, relu, _ = program.nodes
    assert convolution.tops[0] is program.targets["conv"] is relu.bottoms[0]
    assert relu.tops[0] is not relu.bottoms[0]
    assert relu.tops[0].blob == relu.bottoms[0].blob == "conv"
    assert relu.tops[0].maker is relu
    assert not relu.in_place


@pytest.mark.parametrize(
    ("text", "in_place"),
    [
        ("", False),
        ("relu_param { negative_slope: 0.1 }", False),
        ("relu_param { negative_slope: -0.1 }", True),
    ],
)
def test_prune_remembers_in_place_where_it_matters(text: str, in_place: bool) -> None:
    """A slope below 0 makes what is positive of what was negative, so there it matters."""
    relu = layer("relu", "ReLU", "conv", text, "conv")

    assert pruned(net_text(CONV, relu, conv("end", "conv", 5))).nodes[1].in_place is in_place


def test_prune_drops_inputs_that_are_not_needed() -> None:
    """Only the picture stays, and the inputs that a target depends on."""
    inputs = [
        layer(name, "Input", "", "input_param { shape { dim: 1 dim: 18 dim: 13 dim: 17 } }")
        for name in ("mask", "other")
    ]
    program = pruned(net_text(*inputs, CONV, layer("end", "Eltwise", "conv mask")))

    assert list(program.inputs) == ["data", "mask"]


def test_prune_needs_an_input_for_the_picture() -> None:
    """A blob that a layer computes cannot take the picture."""
    with pytest.raises(Unplannable, match="'conv' is no Input blob"):
        prune(seeded_net(net_text(CONV, RELU)), ["conv"], "conv")


def test_prune_refuses_layers_that_make_values_of_their_own() -> None:
    """Where a target depends on them; others are dropped like all that is not needed."""
    own = layer("own", "DummyData", "", "dummy_data_param { shape { dim: 1 dim: 18 dim: 13 dim: 17"
                " } data_filler { value: 2 } }")  # fmt: skip
    with pytest.raises(Unplannable, match="'own' .DummyData. makes values of its own"):
        pruned(net_text(own, CONV, layer("end", "Eltwise", "conv own")))
    assert len(pruned(net_text(own, CONV, conv("end", "conv", 5))).nodes) == 2


def test_values_know_their_axes() -> None:
    """A value has as many axes as its blob."""
    fc = layer("end", "InnerProduct", "conv", "inner_product_param { num_output: 5 }")
    program = pruned(net_text(CONV, fc))

    assert [value.axes for value in program.values()] == [4, 4, 2]


# -- fold ------------------------------------------------------------------------------------------

NORM = layer("bn", "BatchNorm", "conv", tops="conv")
SCALE = layer("scale", "Scale", "conv", "scale_param { bias_term: true }", "conv")
BIAS = layer("bias", "Bias", "conv", tops="conv")


@pytest.mark.parametrize("bias", ["", "bias_term: false"])
def test_fold_multiplies_into_a_convolution(bias: str) -> None:
    """Weights and bias give what convolution, BatchNorm, Scale and Bias give one by one."""
    text = net_text(conv("conv", "data", 6, 3, bias), NORM, SCALE, BIAS, conv("end", "conv", 5))
    program = up_to("fold", text)

    assert names(program) == ["conv+bn+scale+bias", "end"]
    node = program.nodes[0]
    assert node.weight.dtype == node.bias.dtype == np.float32
    net = seeded_net(text, dtype=np.float64)
    run_forward(net, X, "end")
    y = torch.conv2d(*map(torch.from_numpy, (X, node.weight, node.bias))).numpy()
    assert np.abs(y - net.blobs["conv"].data).max() < 1e-6 * np.abs(y).max()
    assert program.nodes[1].bottoms[0].maker is node


def test_fold_makes_one_affine_of_several() -> None:
    """Behind other layers than convolutions they become one factor and one shift."""
    pool = layer("conv", "Pooling", "data", "pooling_param { kernel_size: 3 stride: 2 }")
    text = net_text(pool, NORM, SCALE, BIAS, conv("end", "conv", 5))
    program = up_to("fold", text)

    assert names(program) == ["conv", "bn+scale+bias", "end"]
    node = program.nodes[1]
    assert node.type == "Affine"
    net = seeded_net(text, dtype=np.float64)
    pooled = run_forward(net, X, "conv")
    net.forward(end="end")
    y = pooled * node.weight[:, None, None] + node.bias[:, None, None]
    assert np.abs(y - net.blobs["conv"].data).max() < 1e-6 * np.abs(y).max()


@pytest.mark.parametrize(
    ("layers", "ends", "expected"),
    [
        ([CONV, SCALE, conv("end", "conv", 5)], ["conv", "end"], ["conv", "scale", "end"]),
        (
            [
                CONV,
                layer("s", "Scale", "conv"),
                conv("t", "conv", 18),
                layer("end", "Eltwise", "s t"),
            ],
            ["end"],
            ["conv", "s", "t", "end"],
        ),
        (
            [CONV, RELU, layer("end", "Scale", "conv", "scale_param { axis: 2 }")],
            ["end"],
            ["conv", "relu", "end"],
        ),
        (
            [
                CONV,
                layer("end", "BatchNorm", "conv", "batch_norm_param { use_global_stats: false }"),
            ],
            ["end"],
            ["conv", "end"],
        ),
        (
            [
                CONV,
                layer("g", "Pooling", "conv", "pooling_param { pool: AVE global_pooling: true }"),
                layer("f", "Flatten", "g"),
                layer("end", "Scale", "f"),
            ],
            ["end"],
            ["conv", "g", "f", "end"],
        ),
    ],
    ids=["target", "two readers", "other axis", "fresh statistics", "vector"],
)
def test_fold_leaves_alone(layers: list[str], ends: list[str], expected: list[str]) -> None:
    """What others look at, or what is no map of channels, stays a step of its own."""
    program = up_to("fold", net_text(*layers), *ends)

    assert names(program) == expected


def test_fold_keeps_the_nets_weights() -> None:
    """The parameters of the net are copied, not changed."""
    net = seeded_net(net_text(CONV, SCALE, conv("end", "conv", 5)))
    before = [blob.data.copy() for layer in net.layers for blob in layer.blobs]
    fold(prune(net, ["end"], "data"))

    after = [blob.data for layer in net.layers for blob in layer.blobs]
    assert all(np.array_equal(a, b) for a, b in zip(before, after))


# -- fuse ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RELU, Activation("ReLU")),
        (CLIP, Activation("Clip", np.float32(-0.4), np.float32(0.9), everywhere=True)),
        (
            layer("c", "Clip", "conv", "clip_param { min: -1 max: 2 }"),
            Activation("Clip", -1.0, 2.0),
        ),
        (layer("r", "ReLU", "conv", "relu_param { negative_slope: 0.1 }", "conv"), None),
        (layer("s", "Sigmoid", "conv", tops="conv"), None),
    ],
    ids=["ReLU", "Clip in place", "Clip", "leaky", "Sigmoid"],
)
def test_fuse_takes_an_activation(text: str, expected: Activation | None) -> None:
    """ReLU and Clip end a convolution; leaky ReLUs and the rest are steps."""
    top = "c" if 'top: "c"' in text else "conv"
    program = up_to("fuse", net_text(CONV, text, conv("end", top, 5)))

    assert program.nodes[0].activation == expected
    assert len(program.nodes) == (3 if expected is None else 2)


SUM, MAX = ("eltwise_param { operation: %s }" % name for name in ("SUM", "MAX"))  # noqa: UP031
FUSED = {
    "sum": ([CONV, conv("b", "data", 18), layer("e", "Eltwise", "conv b", SUM)], True),
    "maximum": ([CONV, conv("b", "data", 18), layer("e", "Eltwise", "conv b", MAX)], False),
    "affine": ([CONV, layer("l", "LRN", "conv"), layer("e", "Scale", "l")], True),
    "pooling": ([CONV, layer("e", "Pooling", "conv", "pooling_param { kernel_size: 2 }")], False),
    "two readers": ([CONV, conv("e", "conv", 18), layer("f", "Eltwise", "conv e")], False),
    "vectors": (
        [
            layer("f", "InnerProduct", "data", "inner_product_param { num_output: 5 }"),
            layer("g", "InnerProduct", "data", "inner_product_param { num_output: 5 }"),
            layer("e", "Eltwise", "f g", SUM),
        ],
        False,
    ),
}


@pytest.mark.parametrize("case", FUSED)
def test_fuse_knows_its_hosts(case: str) -> None:
    """Sums and affine maps of pictures may end with a ReLU, if it alone reads them."""
    layers, fused = FUSED[case]
    ends = ["end", "f"] if case == "two readers" else ["end"]
    program = up_to("fuse", net_text(*layers, layer("end", "ReLU", "e")), *ends)

    assert [name for node in program.nodes for name in node.names][-1] == "end"
    assert any(node.activation for node in program.nodes) == fused


def test_fuse_takes_one_activation_only() -> None:
    """The second of two stays a step."""
    clip = layer("end", "Clip", "relu", "clip_param { min: -0.4 max: 0.9 }")
    program = up_to("fuse", net_text(CONV, layer("relu", "ReLU", "conv"), clip))

    assert names(program) == ["conv+relu", "end"]


# -- merge -----------------------------------------------------------------------------------------


def branches(*kinds: str, order: str = "a b c") -> str:
    """Return a net with 1x1 convolutions a, b, c of one value, and a Concat."""
    text = [CONV, RELU]
    for name, out, kind in zip("abc", (4, 5, 6), kinds):
        text.append(conv(name, "conv", out, 1, "stride: 1" if kind != "groups" else "group: 2"))
        if kind == "relu":
            text.append(layer(f"{name}/relu", "ReLU", name, tops=name))
    text.append(layer("end", "Concat", order))
    return net_text(*text)


@pytest.mark.parametrize("first", "abc")
def test_merge_ends_with_what_a_concat_begins_with(first: str) -> None:
    """All three become one, with the weights in the order of the tops, the Concat's first last."""
    order = " ".join([first, *(name for name in "cab" if name != first)])
    text = branches("relu", "relu", "relu", order=order)
    net = seeded_net(text)
    program = up_to("merge", text)

    _, node, concat = program.nodes
    tops = [value.blob for value in node.tops]
    assert sorted(tops) == ["a", "b", "c"]
    assert tops[-1] == first == concat.bottoms[0].blob
    weights = [net.params[name][0].data for name in tops]
    assert np.array_equal(node.weight, np.concatenate(weights))
    assert np.array_equal(node.bias, np.concatenate([net.params[n][1].data for n in tops]))
    assert node.activation == Activation("ReLU")
    assert all(value.maker is node for value in node.tops)
    assert node.bottoms[0].readers == [node]


@pytest.mark.parametrize(
    ("kinds", "left"),
    [(("relu", "", "relu"), 2), (("", "relu", ""), 2), (("", "", ""), 1), (("relu", "", "x"), 2)],
)
def test_merge_asks_for_one_activation(kinds: tuple[str, ...], left: int) -> None:
    """Convolutions with and without a ReLU stay apart."""
    program = up_to("merge", branches(*kinds))

    steps = [node for node in program.nodes[1:] if node.type == "Convolution"]
    assert len(steps) == left
    assert {node.activation for node in steps} == {
        Activation("ReLU") if kind == "relu" else None for kind in kinds
    }


def test_merge_asks_for_one_flow() -> None:
    """Where the gradient may not pass, a convolution is not merged with one where it may."""
    text = branches("", "", "").replace("force_backward: true\n", "")
    text = text.replace('top: "conv"', 'top: "conv" propagate_down: true', 1)
    text = text.replace('top: "b"', 'top: "b" propagate_down: false', 1)
    label = layer("label", "Input", "", "input_param { shape { dim: 1 dim: 15 dim: 13 dim: 17 } }")
    program = up_to("merge", text + label + layer("loss", "EuclideanLoss", "end label"))

    assert sorted(names(program)) == ["b", "c+a", "conv+relu", "end"]


@pytest.mark.parametrize("settings", ["stride: 2", "pad: 1", "group: 2"])
def test_merge_takes_plain_pointwise_only(settings: str) -> None:
    """A stride, padding or groups make another convolution of it."""
    text = net_text(
        CONV, conv("a", "conv", 4, 1, settings), conv("b", "conv", 6, 1, settings),
        layer("end", "Concat", "a b"),
    )  # fmt: skip

    assert names(up_to("merge", text)) == ["conv", "a", "b", "end"]


# -- schedule --------------------------------------------------------------------------------------

SEEDS = given(st.integers(0, 2**20))
STEADY = settings(deadline=None, derandomize=True, max_examples=30)


def drawn(seed: int) -> Program | None:
    """Return the program of a random graph for one or two targets, None where it is refused."""
    chance = random.Random(seed)
    graph = random_graph(chance, steps=9)
    note(graph.text)
    ends = [end for end in graph.targets if not graph.before(end)]
    if not ends:
        return None
    ends = chance.sample(ends, min(len(ends), chance.choice([1, 1, 2])))
    return up_to("merge", graph.text, *ends)


@STEADY
@SEEDS
def test_schedule_keeps_what_is_needed(seed: int) -> None:
    """Each array lives from its making to its last use; a diff is written before it is read."""
    program = drawn(seed)
    if program is None:
        return
    plan = schedule(program, lambda node: node.bottoms)
    moving = with_gradient(program)
    count = len(program.nodes)
    ticks = {node: 2 * count - i for i, node in enumerate(program.nodes)}

    for tick, node in enumerate(plan.forward):
        assert all(plan.data[value][0] < tick or not value.maker for value in node.bottoms)
        assert all(plan.data[value][1] >= tick for value in node.bottoms)
        assert all(plan.data[value][0] == tick for value in node.tops)
    written = {v for v in program.targets.values() if v in moving} | set(plan.zeroed)
    assert all(plan.diff[value][0] == count for value in written)
    for node in plan.backward:
        tick = ticks[node]
        assert plan.saved[node] == (plan.forward.index(node), tick)
        assert all(plan.data[value][1] >= tick for value in node.bottoms)
        for value in node.tops:
            assert value in written
            assert plan.diff[value][0] < tick <= plan.diff[value][1]
        for i in backward_bottoms(node, moving):
            value = node.bottoms[i]
            assert ((node, i) in plan.adds) == (value in written)
            written.add(value)
            assert plan.diff[value][0] <= tick <= plan.diff[value][1]
    for value in program.targets.values():
        assert plan.data[value][1] == plan.end
    if program.picture in plan.diff:
        assert plan.diff[program.picture][1] == plan.end
    assert [ticks[node] for node in plan.backward] == sorted(ticks[n] for n in plan.backward)


def test_schedule_adds_for_the_second_reader() -> None:
    """Of two readers, the later in the file overwrites the diff and the other adds."""
    text = net_text(
        CONV,
        conv("a", "conv", 5),
        conv("b", "conv", 5, 3, "pad: 1"),
        layer("end", "Eltwise", "a b"),
    )
    program = up_to("merge", text)
    plan = schedule(program, lambda node: [])

    assert {(node.names[0], i) for node, i in plan.adds} == {("a", 0)}
    assert plan.zeroed == []


def test_schedule_zeroes_what_nobody_writes() -> None:
    """A part of a Slice that no target depends on has no gradient, but Slice reads it."""
    text = net_text(
        CONV, layer("cut", "Slice", "conv", "slice_param { slice_point: 7 }", "cut rest"),
        conv("end", "rest", 5),
    )  # fmt: skip
    plan = schedule(up_to("merge", text), lambda node: [])

    assert [value.blob for value in plan.zeroed] == ["cut"]


def test_a_target_also_read_is_added_to() -> None:
    """The objective writes a target's diff first, so that its readers add."""
    text = net_text(CONV, RELU, conv("end", "conv", 5))
    program = up_to("merge", text, "conv", "end")
    plan = schedule(program, lambda node: [])

    assert {node.names[0] for node, _ in plan.adds} == {"relu"}


# -- allocate --------------------------------------------------------------------------------------

LIVES = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda p: (min(p), max(p)))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 200), LIVES), max_size=14))
def test_pack_keeps_apart_what_lives_together(arrays: list) -> None:
    """At no time two arrays in use overlap, and all lie within the block, at cache lines."""
    sizes, lives = [size for size, _ in arrays], [life for _, life in arrays]
    places, total = pack(sizes, lives)

    assert all(start % ALIGN == 0 for start in places)
    for tick in range(13):
        block = np.zeros(total, int)
        for start, size, (first, last) in zip(places, sizes, lives):
            if first <= tick <= last:
                assert start + size <= total
                block[start : start + size] += 1
        assert block.max(initial=0) <= 1


def test_pack_uses_memory_again() -> None:
    """Arrays that follow each other share a place; those that meet for one tick do not."""
    assert pack([100, 100], [(0, 3), (4, 5)]) == ([0, 0], 112)
    assert pack([100, 100], [(0, 4), (4, 5)]) == ([0, 112], 224)
    assert pack([16, 64, 16], [(0, 1), (1, 2), (2, 3)]) == ([64, 0, 64], 80)
    assert pack([], []) == ([], 0)


def channels_of(program: Program, text: str) -> dict:
    shapes = seeded_net(text).infer_shapes()
    return {value: shapes[value.blob][1] for value in program.values()}


def placed(text: str, *ends: str) -> dict[str, tuple[int, int, int]]:
    """Return a number for the storage, first channel and width, by blob."""
    program = up_to("merge", text, *ends)
    found = place(
        program, channels_of(program, text), list(program.values()),
        lambda node, value: value.maker is not None,
    )  # fmt: skip
    numbers = {id(storage): i for i, storage in enumerate(dict.fromkeys(found.values()))}
    return {
        value.blob: (numbers[id(storage)], storage.members[value], storage.width)
        for value, storage in found.items()
    }


def test_place_joins_a_concat() -> None:
    """The bottoms lie in the top, at their channels."""
    text = net_text(conv("a", "data", 4, 3), conv("b", "data", 5, 3), layer("end", "Concat", "b a"))
    found = placed(text)

    assert found["end"][1:] == (0, 9)
    assert found["b"] == found["end"]
    assert found["a"] == (found["end"][0], 5, 9)
    assert found["data"][2] == 3


def test_place_lets_merged_tops_and_their_concat_share() -> None:
    """The last top of merged convolutions is the first of the Concat, and lies in both."""
    text = net_text(
        CONV, conv("a", "conv", 4), conv("r", "conv", 5), conv("s", "r", 6, 3, "pad: 1"),
        layer("end", "Concat", "a s"),
    )  # fmt: skip
    found = placed(text)

    number = found["end"][0]
    assert found["r"] == (number, 0, 15)
    assert found["a"] == (number, 5, 15)
    assert found["s"] == (number, 9, 15)
    assert found["end"] == (number, 5, 15)


def test_place_nests() -> None:
    """A Concat of Concats lies in one storage."""
    text = net_text(
        conv("a", "data", 4, 3), conv("b", "data", 5, 3), conv("c", "data", 6, 3),
        layer("inner", "Concat", "a b"), layer("end", "Concat", "c inner"),
    )  # fmt: skip
    found = placed(text)

    assert {name: found[name][1] for name in ("c", "inner", "a", "b", "end")} == {
        "c": 0,
        "inner": 6,
        "a": 6,
        "b": 10,
        "end": 0,
    }
    assert len({found[name][0] for name in ("a", "b", "c", "inner", "end")}) == 1


def test_place_gives_a_value_to_one_concat() -> None:
    """The second Concat that joins a value gets a copy, and so does one that joins it twice."""
    text = net_text(
        conv("a", "data", 4, 3), conv("b", "data", 5, 3), layer("one", "Concat", "a b"),
        layer("two", "Concat", "b a"), layer("end", "Concat", "one two one"),
    )  # fmt: skip
    found = placed(text)

    assert found["a"][0] == found["b"][0] == found["one"][0] == found["end"][0]
    assert found["two"] == (found["end"][0], 9, 27)
    assert (found["one"][1], found["a"][1], found["b"][1]) == (0, 0, 4)


def parts(value: Value, channels: dict) -> dict[Value, list[int]]:
    """Return what a Concat's top is made of, parts of parts too, with their first channels."""
    found: dict[Value, list[int]] = {}
    offset = 0
    for bottom in value.maker.bottoms if value.maker and value.maker.type == "Concat" else []:
        found.setdefault(bottom, []).append(offset)
        for inner, places in parts(bottom, channels).items():
            found.setdefault(inner, []).extend(offset + place for place in places)
        offset += channels[bottom]
    return found


@STEADY
@SEEDS
def test_values_overlap_only_where_a_concat_joins_them(seed: int) -> None:
    """In one storage, channels are shared by a Concat's top and its parts alone."""
    graph = random_graph(random.Random(seed), 9)
    note(graph.text)
    if graph.before(graph.targets[-1]):
        return
    program = up_to("merge", graph.text, graph.targets[-1])
    channels = {value: graph.shapes[value.blob][1] for value in program.values()}
    found = place(program, channels, list(program.values()), lambda n, v: v.maker is not None)

    for storage in dict.fromkeys(found.values()):
        ends = {value: at + channels[value] for value, at in storage.members.items()}
        assert max(ends.values()) <= storage.width
        for a, b in itertools.combinations(storage.members, 2):
            (low, first), (high, second) = (storage.members[a], a), (storage.members[b], b)
            if low < ends[b] and high < ends[a]:
                offsets = [*parts(second, channels).get(first, [])]
                backwards = [-offset for offset in parts(first, channels).get(second, [])]
                assert low - high in offsets + backwards, (a, b)


def test_joint_life_spans_all_members() -> None:
    """A storage is in use from the first use of a member to the last of any."""
    text = net_text(conv("a", "data", 4, 3), conv("b", "data", 5, 3), layer("end", "Concat", "b a"))
    program = up_to("merge", text)
    found = place(
        program,
        channels_of(program, text),
        list(program.values()),
        lambda n, v: v.maker is not None,
    )
    a, end = (next(v for v in program.values() if v.blob == name) for name in ("a", "end"))

    assert joint_life(found[a], {a: (1, 3), end: (2, 7)}) == (1, 7)
