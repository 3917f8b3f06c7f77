"""Several terms in one backward pass: the sum of what each gives by itself, on every way."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
from helpers import assert_close, relative_error
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st
from plan_checks import normal, seeded_net
from random_graphs import SIZE as GRAPH_SIZE
from random_graphs import random_graph
from sums import SIZE, SUMS, one_by_one, step_of, summed
from test_ascent import tight
from test_dreaming import net_with_mean, picture
from tiny import SMOOTH, TINY

import deepdream
from deepdream import objectives as o
from deepdream.dreaming.ascent.net_source import NetSource
from deepdream.dreaming.ascent.pulls import Pull, shares
from deepdream.dreaming.dream2015 import preprocess
from deepdream.dreaming.pictures.borders import Canvas
from deepdream.dreaming.pictures.looks import Look, Move
from deepdream.errors import (
    FlatGradientError,
    OutOfMemoryError,
    ParameterError,
    ShapeError,
    UnknownBlobError,
    UnknownLabelError,
)

STEP = {"iter_n": 1, "octave_n": 1, "jitter": 0, "clip": False, "seed": 1}


def planned(text=SMOOTH):
    return net_with_mean(text=text)


def layer_by_layer(text=SMOOTH):
    net = net_with_mean(text=text)
    net.before_forward(lambda layer: None)
    return net


def by_torch(text=SMOOTH):
    net = net_with_mean(text=text)
    net.move("torch")
    return net


WAYS = {"plan": planned, "net": layer_by_layer, "torch": by_torch}
ways = pytest.mark.parametrize("way", WAYS)


def change(net, img, **how):
    """Return what one step changes."""
    out = deepdream.dream(net, img, **{**STEP, **how})
    return np.asarray(out, np.float64) - img


@ways
@pytest.mark.parametrize("name", SUMS)
def test_one_pass_gives_the_sum(way, name):
    """Each target's gradient alone, balanced and added, is the step of the sum."""
    img, weights = picture(*SIZE), SUMS[name]
    net = net_with_mean(text=SMOOTH)
    gradients = one_by_one(net, preprocess(net, img), weights)

    found = change(WAYS[way](), img, end=weights)

    assert_close(found, step_of(summed(gradients, weights)), 1e-5)
    raw = change(WAYS[way](), img, end=weights, balance=False)
    assert_close(raw, step_of(summed(gradients, weights, balance=False)), 1e-5)


@pytest.mark.parametrize("make", [planned, by_torch])
@pytest.mark.parametrize(
    "name",
    [
        "before and after a split",
        "in two branches",
        "before the ReLU and behind the join",
        "the picture itself",
    ],
)
def test_tiles_give_the_sum_of_the_whole(make, name, caplog):
    """Each crop answers for its own positions of each target, whose strides differ."""
    img, weights = picture(403, 460), SUMS[name]

    tiled = change(make(), img, end=weights, max_memory=tight(text=SMOOTH) + 900_000)

    assert "tiles" in caplog.text
    assert_close(tiled, change(make(), img, end=weights), 1e-5)


def test_functions_and_guides_in_tiles(caplog):
    """Terms that see all positions at once, beside terms that do not, at the same target too."""

    def squares(dst):
        dst.diff[...] = dst.data * np.abs(dst.data).max()

    def terms():
        mine = 0.5 * o.function("a/output", squares) - 0.3 * o.function("norm1", squares)
        return o.layer("norm1") + mine + o.guide("a/output", picture(33, 47, 6))

    img = picture(403, 460)
    whole = change(planned(), img, objective=terms())

    tiled = change(planned(), img, objective=terms(), max_memory=tight(text=SMOOTH) + 5_000_000)

    assert "tiles" in caplog.text
    assert_close(tiled, whole, 1e-5)
    assert_close(change(layer_by_layer(), img, objective=terms()), whole, 1e-5)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 2**20))
def test_stretches_give_the_sum_in_random_nets(seed):
    """Layer by layer, with targets anywhere: in branches, before layers in place, side by side."""
    chance = random.Random(seed)
    graph = random_graph(chance)
    note(graph.text)
    # Where a layer writes over what an earlier one's gradient needs, Caffe's is another one.
    ends = [end for end in graph.targets if not graph.before(end)]
    assume(len(ends) > 1)
    ends = chance.sample(ends, min(len(ends), chance.randint(2, 4)))
    net, x = seeded_net(graph.text, seed), normal(1, (3, *GRAPH_SIZE))
    expected = sum(one_by_one(net, x, ends).values())
    pulls = [Pull(end, deepdream.objective_L2) for end in ends]
    canvas = Canvas(GRAPH_SIZE, GRAPH_SIZE)
    source = NetSource(net, [canvas], pulls, balance=False)

    g = source.open(0).at(
        np.ascontiguousarray(x.transpose(1, 2, 0)), Look(source.ops, canvas, Move(0, 0))
    )

    assume(np.isfinite(expected).all())
    assert_close(g.transpose(2, 0, 1), expected, 1e-5)


OVERWRITTEN = (
    TINY[: TINY.index('layer { name: "pool1"')]
    .replace('"ReLU"', '"TanH"')
    .replace(
        'name: "relu1" type: "TanH" bottom: "conv1" top: "conv1"',
        'name: "tanh" type: "TanH" bottom: "conv1" top: "tanh"',
    )
    + """
layer { name: "scale" type: "Scale" bottom: "tanh" top: "tanh" scale_param { axis: 1 } }
layer { name: "end" type: "Convolution" bottom: "tanh" top: "end"
  convolution_param { num_output: 5 kernel_size: 3 } }
"""
)


def test_what_a_layer_in_place_writes_over_is_gone_for_all_targets():
    """A sum is one pass, as Caffe's stretches give it: TanH's gradient is of what is there then."""
    img = picture(*SIZE)
    net = net_with_mean(text=OVERWRITTEN)
    x = preprocess(net, img)
    net.blobs["data"].reshape(1, *x.shape)
    net.blobs["data"].data[0] = x
    net.forward(end="tanh")
    own = net.blobs["tanh"].data.copy()
    net.forward(start="scale", end="end")
    net.blobs["end"].diff[...] = net.blobs["end"].data
    net.backward(start="end", end="scale")
    net.blobs["tanh"].diff[...] += own
    net.backward(start="tanh")
    expected = net.blobs["data"].diff[0].astype(np.float64)
    one = one_by_one(net_with_mean(text=OVERWRITTEN), x, ["tanh", "end"])

    found = change(net_with_mean(text=OVERWRITTEN), img, end=["tanh", "end"], balance=False)

    assert_close(found, step_of(expected), 1e-5)
    assert relative_error(step_of(sum(one.values())), step_of(expected)) > 0.01


@ways
def test_terms_at_one_target_add_up(way):
    """Written one after the other, each with its own weight."""
    img = picture(*SIZE)
    both = o.channel("a/output", 2) + 2 * o.channel("a/output", 5, 11, power=1)
    net = net_with_mean(text=SMOOTH)
    x, parts = preprocess(net, img), []
    for term, weight in ((o.channel("a/output", 2), 1), (o.channel("a/output", 5, 11, power=1), 2)):
        (share,) = term.shares
        net.blobs["data"].reshape(1, *x.shape)
        net.blobs["data"].data[0] = x
        net.forward(end="a/output")
        for blob in net.blobs.values():
            blob.diff[...] = 0
        share.term.function()(net.blobs["a/output"])
        net.backward(start="a/output")
        g = net.blobs["data"].diff[0].astype(np.float64)
        parts.append(weight * g / np.abs(g).mean())

    assert_close(change(WAYS[way](), img, objective=both), step_of(sum(parts)), 1e-5)


@ways
def test_one_term_changes_nothing(way):
    """It is the dream of today to the byte, whatever its weight; a negative one undoes."""
    img, how = picture(), {"iter_n": 2, "octave_n": 2, "seed": 4}
    plain = deepdream.dream(WAYS[way](), img, "a/output", **how)

    for said in ({"end": ["a/output"]}, {"end": {"a/output": 0.3}},
                  {"objective": 7 * o.layer("a/output")}):  # fmt: skip
        assert deepdream.dream(WAYS[way](), img, **said, **how).tobytes() == plain.tobytes()
    up = change(WAYS[way](), img, end="a/output")
    down = change(WAYS[way](), img, objective=-o.layer("a/output"))
    np.testing.assert_allclose(down, -up, atol=1e-4)


def test_equal_weights_are_equally_strong():
    """Each term's gradient is as strong in the sum as it is asked to be, at every octave."""
    img = picture(90, 124)
    net, seen = layer_by_layer(), []

    def notice(step):
        seen.append((step.octave, step.step, step.gradient))

    deepdream.dream(net, img, ["conv1", "a/output"], iter_n=2, octave_n=2, seed=3, on_step=notice)

    # Two random fields of strength one give between 1 and 2; the raw ones are far apart.
    assert all(1 < strength < 2 for _, step, strength in seen if step == 0)


# -- masks and places -----------------------------------------------------------------------------


def test_shares_are_means_of_stretches():
    """Whatever the ratio, each column counts once in all."""
    x = np.random.RandomState(1).uniform(size=(3, 11))
    for n in (1, 3, 4, 11, 16):
        found = shares(x, n)
        fine = np.repeat(x, n, axis=1).reshape(3, n, 11).mean(axis=2)
        np.testing.assert_allclose(found, fine, rtol=1e-12)


LEFT = np.zeros((45, 62), bool)
LEFT[:, :31] = True


@ways
@pytest.mark.parametrize("border", ["roll", "reflect"])
@pytest.mark.parametrize("how", [{}, {"rotate": 9.0, "rescale": 0.1, "flip": True}],
                         ids=["shifted", "turned"])  # fmt: skip
def test_a_terms_mask_goes_with_the_picture(way, border, how):
    """What grows on the left is the left term's, wherever the jitter puts the picture."""
    img = picture(*SIZE)
    left = o.layer("conv1").where(LEFT)
    steps = {"iter_n": 12, "jitter": 32, "border": border, "clip": False, "octave_n": 1, "seed": 5}

    out = deepdream.dream(WAYS[way](), img, objective=left, **{**steps, **how})

    moved = np.abs(np.asarray(out) - img).mean(axis=(0, 2))
    assert moved[6:25].mean() > 12 * moved[38:56].mean()


@pytest.mark.parametrize("way", ["plan", "net"])
def test_a_mask_of_all_is_none(way):
    """White everywhere changes nothing but rounding; black for one of two leaves the other."""
    img = picture(*SIZE)
    both = o.layer("norm1").where(np.ones(SIZE)) + o.layer("a/output")

    found = change(WAYS[way](), img, objective=both, jitter=9)

    assert_close(found, change(WAYS[way](), img, end=["norm1", "a/output"], jitter=9), 1e-5)


def test_masks_in_tiles(caplog):
    """A mask is cut as the target is."""
    img, mask = picture(403, 460), np.zeros((403, 460))
    mask[100:300, 50:200] = 1
    both = o.layer("norm1").where(mask) + o.layer("a/output").where(1 - mask)

    tiled = change(planned(), img, objective=both, max_memory=tight(text=SMOOTH) + 2_000_000)

    assert "tiles" in caplog.text
    assert_close(tiled, change(planned(), img, objective=both), 1e-5)


@ways
def test_a_neuron_lies_where_the_picture_has_it(way):
    """Shares of the picture go with it through jitter; what grows is around there."""
    img = picture(61, 83)
    out = deepdream.dream(WAYS[way](), img, objective=o.neuron("a/3x3", 3, 0.25, 0.75), iter_n=8,
                          octave_n=1, seed=2, jitter=32)  # fmt: skip
    moved = np.abs(np.asarray(out) - img).mean(axis=2)

    rows, columns = np.indices(moved.shape)
    centre = [(moved * at).sum() / moved.sum() for at in (rows, columns)]
    assert abs(centre[0] - 15) < 8
    assert abs(centre[1] - 62) < 8


@ways
def test_a_neuron_by_row_and_column_is_the_blobs(way):
    """Whole numbers do not go with the picture; those that the blob has not are told."""
    img, net = picture(61, 83), net_with_mean(text=SMOOTH)
    x = preprocess(net, img)
    net.blobs["data"].reshape(1, *x.shape)
    net.blobs["data"].data[0] = x
    net.forward(end="a/3x3")
    for blob in net.blobs.values():
        blob.diff[...] = 0
    net.blobs["a/3x3"].diff[0, 3, 5, 7] = 1
    net.backward(start="a/3x3")
    g = net.blobs["data"].diff[0].astype(np.float64)

    assert_close(change(WAYS[way](), img, objective=o.neuron("a/3x3", 3, 5, 7)), step_of(g), 1e-5)
    with pytest.raises(ShapeError, match=r"15 rows and 21 columns here: .* position \(5, 21\)"):
        change(WAYS[way](), img, objective=o.neuron("a/3x3", 3, 5, 21))


@ways
def test_a_direction_mixes_channels(way):
    """Its gradient is the vector at each position."""
    img, vector = picture(*SIZE), np.random.RandomState(3).randn(7)
    net = net_with_mean(text=SMOOTH)
    x = preprocess(net, img)
    net.blobs["data"].reshape(1, *x.shape)
    net.blobs["data"].data[0] = x
    net.forward(end="a/3x3")
    for blob in net.blobs.values():
        blob.diff[...] = 0
    net.blobs["a/3x3"].diff[...] = vector[:, None, None]
    net.backward(start="a/3x3")
    g = net.blobs["data"].diff[0].astype(np.float64)

    found = change(WAYS[way](), img, objective=o.direction("a/3x3", vector))

    assert_close(found, step_of(g), 1e-5)


@pytest.mark.parametrize("way", ["plan", "net"])
def test_several_guides_are_one_with_all_their_positions(way):
    """Each position takes the best match of all; the order of the guides does not matter."""
    one, other = picture(33, 47, 6), picture(29, 40, 7)
    found = change(WAYS[way](), picture(*SIZE), end="norm1", guide=[one, other])

    turned = change(WAYS[way](), picture(*SIZE), objective=o.guide("norm1", other, one))

    np.testing.assert_array_equal(found, turned)
    single = change(WAYS[way](), picture(*SIZE), end="norm1", guide=one)
    assert np.abs(found - single).max() > 0.01


@ways
def test_a_blob_without_rows_and_columns(way):
    """An inner product grows at the net's own size, also in a sum; it can have no mask."""
    img = picture(29, 37)
    weights = {"norm1": 1.0, "fc": 0.5}
    net = net_with_mean(text=SMOOTH)
    gradients = one_by_one(net, preprocess(net, img), weights)

    assert_close(change(WAYS[way](), img, end=weights), step_of(summed(gradients, weights)), 1e-5)
    masked = o.layer("fc").where(np.ones((29, 37))) + o.layer("norm1")
    with pytest.raises(ShapeError, match="'fc' has no rows and columns, so that layer.'fc'. can"):
        change(WAYS[way](), img, objective=masked)


@ways
def test_a_class_is_a_number_before_the_softmax(way):
    """At the net's own size its gradient is that of one output; larger pictures work as well."""
    img, net = picture(29, 37), net_with_mean(text=SMOOTH)
    net.blobs["data"].data[0] = preprocess(net, img)
    net.forward(end="fc")
    net.blobs["fc"].diff[...] = np.arange(11) == 4
    net.backward(start="fc")
    g = net.blobs["data"].diff[0].astype(np.float64)

    assert_close(change(WAYS[way](), img, objective=o.label(4)), step_of(g), 1e-5)
    large = change(WAYS[way](), picture(77, 61), objective=o.label(4) - 0.3 * o.layer("norm1"))
    assert np.abs(large).mean() > 1
    with pytest.raises(UnknownLabelError, match="no class 11: the network has 11"):
        change(WAYS[way](), img, objective=o.label(11))


def test_a_class_is_called_what_the_user_calls_it():
    """In messages it is its label, not the channels of the layer that tells it."""
    objective = o.label("7") + o.layer("conv1")
    net = planned(
        SMOOTH.replace("pool: AVE kernel_size: 3 stride: 2", "pool: AVE global_pooling: true")
    )
    mask = np.ones(SIZE)

    with pytest.raises(
        ShapeError, match=r"^'fc' has no rows and columns, so that label\('7'\) can"
    ):
        change(net, picture(*SIZE), objective=objective.where(mask))
    assert o.label("7") + o.label(7) != 2 * o.label(7)  # names are understood for a net only
    assert_close(
        change(net, picture(*SIZE), objective=o.label("7") + o.label(7)),
        change(net, picture(*SIZE), objective=o.label(7)),
    )


def test_a_class_in_a_recipe(tmp_path):
    """It is the label, as it was typed, and the net's own description."""
    out = deepdream.dream(planned(), picture(61, 77), objective=2 * o.label(4), seed=1, iter_n=1,
                          octave_n=1)  # fmt: skip
    plain = deepdream.dream(planned(), picture(61, 77), "norm1", seed=1, iter_n=1, octave_n=1)

    assert out.recipe["parameters"]["objective"] == (2 * o.label(4)).plain()
    assert out.recipe["model"] == plain.recipe["model"]


# -- what cannot be -------------------------------------------------------------------------------


def test_nothing_to_grow_is_told():
    """Weights that are all zero, and terms that cancel."""
    for nothing in (o.layer("norm1") - o.layer("norm1"), 0 * o.layer("norm1"),
                    0 * o.layer("norm1") + 0 * o.layer("conv1")):  # fmt: skip
        with pytest.raises(ParameterError, match=r"nothing is to grow: .* 0.*\nGive one"):
            change(planned(), picture(), objective=nothing)
    with pytest.raises(ParameterError, match="nothing is to grow"):
        change(planned(), picture(), end={"conv1": 0})


@ways
def test_terms_that_cancel_at_the_picture_are_told(way):
    """Of two functions nobody knows that they are the same."""

    def same(dst):
        dst.diff[...] = dst.data

    cancelling = o.layer("norm1") - o.function("norm1", same)
    with pytest.raises(FlatGradientError, match="62x45 is zero: the terms cancel each other"):
        change(WAYS[way](), picture(*SIZE), objective=cancelling)


@ways
def test_a_term_with_nan_is_named(way):
    """NaN of one term spoils the sum, so the message tells whose it is."""

    def broken(dst):
        dst.diff[...] = np.nan

    both = o.layer("norm1") + o.function("a/output", broken)
    name = r"gradient of function.'a/output', .*broken. for a picture of 62x45 is not finite"
    with pytest.raises(FlatGradientError, match=name):
        change(WAYS[way](), picture(*SIZE), objective=both)


@ways
def test_a_term_that_finds_nothing_is_left_out(way):
    """With a note; alone it is an error."""
    dead = o.function("a/output", lambda dst: None)

    with pytest.warns(UserWarning, match="function.* finds nothing to grow in a picture of 62x45"):
        found = change(WAYS[way](), picture(*SIZE), objective=o.layer("norm1") + dead)

    assert_close(found, change(WAYS[way](), picture(*SIZE), end="norm1"), 1e-5)
    with pytest.raises(FlatGradientError):
        change(WAYS[way](), picture(*SIZE), objective=dead)


def test_what_is_not_there_is_told():
    """Layers, channels, masks of another shape; a layer in place tells its blob."""
    img = picture(*SIZE)
    for end in (["norm1", "nrom1"], {"nrom1": 1}):
        with pytest.raises(UnknownBlobError, match="no blob named 'nrom1'.*norm1"):
            change(planned(), img, end=end)
    with pytest.raises(UnknownBlobError, match="Use end='conv1'"):
        change(planned(), img, objective=o.layer("relu1") + o.layer("norm1"))
    with pytest.raises(ShapeError, match=r"^channel\('a/output', 0, 1, 2.{,60}…\): .*no 17"):
        change(planned(), img, objective=o.channel("a/output", *range(500)))
    with pytest.raises(ShapeError, match=r"^channel\('a/output', 3, 17\): .*there is no 17"):
        change(planned(), img, objective=o.channel("a/output", 3, 17))
    with pytest.raises(ShapeError, match="^direction.*: .*3 numbers, the target has 17 ch"):
        change(planned(), img, objective=o.layer("conv1") + o.direction("a/output", [1, 2, 3]))
    with pytest.raises(ParameterError, match=r"the mask of layer.'conv1'. is 20x20, the picture 6"):
        change(planned(), img, objective=o.layer("conv1").where(np.ones((20, 20))))
    with pytest.raises(ParameterError, match="end and objective both given"):
        change(planned(), img, end="conv1", objective=o.layer("conv1"))
    with pytest.raises(ParameterError, match=r"end is \[\], without a layer"):
        change(planned(), img, end=[])
    with pytest.raises(ParameterError, match="end names 'conv1' twice"):
        change(planned(), img, end=["conv1", "conv1"])
    with pytest.raises(ParameterError, match="weight of 'conv1' is nan: a finite number"):
        change(planned(), img, end={"conv1": float("nan")})
    with pytest.raises(ParameterError, match="balance is 2: True or False"):
        change(planned(), img, end=["conv1", "norm1"], balance=2)
    with pytest.raises(OutOfMemoryError, match="at 'conv1' and 'fc' needs"):
        change(planned(), picture(29, 37), end=["conv1", "fc"], max_memory=30_000)


def test_a_net_that_tells_no_layers_grows_one_target():
    """A stand-in for a net, as the notebook needs it, is told so."""
    from fakes import FakeNet

    with pytest.raises(ParameterError, match="FakeNet does not tell its layers"):
        deepdream.dream(FakeNet(), picture(11, 17), ["top", "data"], seed=1, iter_n=1, octave_n=1)


def test_a_function_serves_several_layers():
    """objective=f with end= a list calls it for each."""
    img, seen = picture(*SIZE), set()

    def grows(dst):
        seen.add(dst.data.shape[1])
        dst.diff[...] = dst.data

    found = change(planned(), img, end=["norm1", "a/output"], objective=grows)

    assert seen == {6, 17}
    assert_close(found, change(planned(), img, end=["norm1", "a/output"]), 1e-5)


def test_no_warning_of_a_whole_dream():
    """Sums run through several octaves with jitter, borders and masks, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for way in WAYS.values():
            out = deepdream.dream(
                way(), picture(90, 124), seed=1, iter_n=2, octave_n=2, border="reflect",
                objective=o.layer("conv1").where(np.arange(124)[None] * np.ones((90, 1)) / 123)
                + o.neuron("a/output", 2, 0.5, 0.5) - 0.5 * o.channel("a/3x3", 1, power=1),
            )  # fmt: skip
            assert np.isfinite(out).all()
