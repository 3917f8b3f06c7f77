"""Phase rules and automatic splits."""

from __future__ import annotations

import pytest

from deepdream.errors import PrototxtError
from deepdream.reading.proto import parse_prototxt
from deepdream.running.wiring import filter_net, insert_splits

FORK = """
layer { name: "in" type: "Input" top: "x" }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "a" type: "Pooling" bottom: "c" top: "a" }
layer { name: "b" type: "Pooling" bottom: "c" top: "b" }
layer { name: "e" type: "Eltwise" bottom: "a" bottom: "a" top: "e" }
"""


def test_a_split_follows_the_last_layer_in_place():
    """Two readers of an in-place blob read splits named after the in-place layer."""
    net = insert_splits(parse_prototxt(FORK))

    assert [layer.name for layer in net.layer] == [
        "in", "c", "r", "c_r_0_split", "a", "a_a_0_split", "b", "e",
    ]  # fmt: skip
    split = net.layer[3]
    assert split.type == "Split"
    assert list(split.bottom) == ["c"]
    assert list(split.top) == ["c_r_0_split_0", "c_r_0_split_1"]
    assert list(net.layer[4].bottom) == ["c_r_0_split_0"]
    assert list(net.layer[6].bottom) == ["c_r_0_split_1"]


def test_one_blob_read_twice_by_one_layer_is_split():
    """The same bottom twice counts as two readers."""
    net = insert_splits(parse_prototxt(FORK))

    assert list(net.layer[-1].bottom) == ["a_a_0_split_0", "a_a_0_split_1"]


def test_a_loss_weight_counts_as_a_reader():
    """A top with a loss weight and a reader is split, and the weight moves to the split."""
    net = insert_splits(
        parse_prototxt(
            'layer { name: "i" type: "Input" top: "x" }'
            'layer { name: "s" type: "Reduction" bottom: "x" top: "s" loss_weight: 2 }'
            'layer { name: "t" type: "TanH" bottom: "s" top: "t" }'
        )
    )

    assert [layer.name for layer in net.layer] == ["i", "s", "s_s_0_split", "t"]
    assert list(net.layer[2].loss_weight) == [2, 0]
    assert list(net.layer[1].loss_weight) == []
    assert list(net.layer[3].bottom) == ["s_s_0_split_1"]


def test_inserting_splits_twice_changes_nothing_more():
    """A wired net has one reader per blob, so a second pass returns it as it is."""
    once = insert_splits(parse_prototxt(FORK))

    assert insert_splits(once) == once


def test_a_bottom_that_nobody_makes_is_an_error_with_a_hint():
    """An unknown bottom is named, with the nearest blob."""
    text = FORK.replace('bottom: "c" top: "a"', 'bottom: "cc" top: "a"')

    with pytest.raises(PrototxtError, match=r"layer 'a' reads blob 'cc' .*Did you mean 'c'"):
        insert_splits(parse_prototxt(text))


RULES = """
layer { name: "always" type: "Silence" }
layer { name: "train" type: "Silence" include { phase: TRAIN } }
layer { name: "not_train" type: "Silence" exclude { phase: TRAIN } }
layer { name: "test_deep" type: "Silence" include { phase: TEST min_level: 2 max_level: 4 } }
layer { name: "staged" type: "Silence" include { stage: "deploy" not_stage: "debug" } }
"""


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ((0,), ["always", "train"]),
        ((1,), ["always", "not_train"]),
        ((1, 3), ["always", "not_train", "test_deep"]),
        ((1, 5), ["always", "not_train"]),
        ((1, 0, ["deploy"]), ["always", "not_train", "staged"]),
        ((1, 0, ["deploy", "debug"]), ["always", "not_train"]),
    ],
    ids=["train", "test", "level", "level-too-high", "stage", "not-stage"],
)
def test_only_layers_of_the_state_stay(state, names):
    """A rule matches when all of its conditions hold."""
    kept = filter_net(parse_prototxt(RULES), *state)

    assert [layer.name for layer in kept.layer] == names


def test_include_and_exclude_together_are_refused():
    """A layer may have one kind of rules only."""
    text = 'layer { name: "x" type: "Silence" include { phase: TEST } exclude { phase: TRAIN } }'

    with pytest.raises(PrototxtError, match="layer 'x' has include and exclude"):
        filter_net(parse_prototxt(text), 1)
