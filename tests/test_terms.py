"""Terms as values: sums, repr, equality, JSON, and what one types on a command line."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deepdream
from deepdream.dreaming.objectives import objective_L2, typed
from deepdream.dreaming.objectives.goals import ends_with_weights
from deepdream.dreaming.objectives.terms import from_plain
from deepdream.errors import ImageError, MissingFileError, ParameterError
from deepdream.images import load_image, save_image
from deepdream.objectives import channel, direction, function, guide, label, layer, neuron


def nothing(plain, what):
    raise AssertionError("no picture is wanted")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A mask and a guide in the current folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.RandomState(3)
    save_image(rng.randint(0, 256, (20, 31, 3)).astype(np.uint8), "flowers.png")
    save_image(255 * (rng.uniform(size=(20, 31, 1)) > 0.5).repeat(3, 2).astype(np.uint8), "m.png")


ENDS = st.sampled_from(["conv1", "inception_4c/output", "it's"])
POWERS = st.sampled_from([1, 2])
NUMBERS = st.integers(0, 2000)
SHARES = st.floats(0, 1, allow_nan=False)
TERMS = st.one_of(
    st.builds(layer, ENDS, power=POWERS),
    st.lists(NUMBERS, min_size=1, max_size=4, unique=True).flatmap(
        lambda c: st.builds(channel, ENDS, *map(st.just, c), power=POWERS)
    ),
    st.builds(neuron, ENDS, NUMBERS, NUMBERS, NUMBERS),
    st.builds(neuron, ENDS, NUMBERS, SHARES, SHARES),
    st.builds(direction, ENDS, st.lists(st.floats(0.1, 9), min_size=1, max_size=3)),
    st.builds(label, st.one_of(NUMBERS, st.sampled_from(["hen", "great grey owl", "it's"]))),
)
WEIGHTS = st.floats(-9, 9, allow_nan=False)
SUMS = st.lists(st.tuples(WEIGHTS, TERMS), min_size=1, max_size=4).map(
    lambda pairs: sum(weight * term for weight, term in pairs)
)
NAMES = {f.__name__: f for f in (layer, channel, neuron, direction, label, guide, function)}


@settings(deadline=None)
@given(SUMS)
def test_repr_and_json_give_the_same_again(objective):
    """What is shown is what one types; what recipes keep comes back equal."""
    assert eval(repr(objective), dict(NAMES)) == objective  # noqa: S307
    plain = json.loads(json.dumps(objective.plain()))
    assert from_plain(plain, nothing) == objective
    assert hash(from_plain(plain, nothing)) == hash(objective)
    assert typed.in_words(plain) == repr(objective)
    assert not typed.why_not_again(plain)


def test_pictures_are_equal_where_their_pixels_are(files):
    """Files, arrays of the same pixels, and what recipes find."""
    objective = guide("b", "flowers.png").where("m.png") - 0.5 * layer("a").where("m.png")

    assert repr(objective) == (
        "guide('b', 'flowers.png').where('m.png') - 0.5 * layer('a').where('m.png')"
    )
    assert eval(repr(objective), dict(NAMES)) == objective  # noqa: S307
    asked = []

    def find(known, what):
        asked.append((what, known["file"], len(known["sha256"])))
        return load_image(known["file"])

    plain = json.loads(json.dumps(objective.plain()))
    assert from_plain(plain, find) == objective
    assert asked == [("guide", "flowers.png", 64), ("mask", "m.png", 64), ("mask", "m.png", 64)]
    assert typed.in_words(plain) == repr(objective)
    pixels = np.asarray(load_image("flowers.png"))
    assert guide("b", pixels) == guide("b", load_image("flowers.png"))
    assert guide("b", pixels) != guide("b", pixels + 1)
    assert guide("b", pixels, pixels + 1) != guide("b", pixels + 1, pixels)
    mask = np.asarray(load_image("m.png"))[..., 0]
    assert layer("a").where(mask > 0) == layer("a").where("m.png") == layer("a").where(mask)


def test_pictures_that_were_changed_are_not_their_files(files):
    """What is loaded and then turned round or painted on would come back as it was before."""
    mask, flowers = load_image("m.png"), load_image("flowers.png")
    painted = load_image("flowers.png")
    painted[:, :2] = 7

    assert repr(layer("a").where(mask.copy())) == "layer('a').where('m.png')"
    for changed in (255 - mask, mask[:, ::-1], mask * 0.5, mask[1:]):
        objective = layer("a").where(changed)
        assert "sha256" in repr(objective)
        assert objective != layer("a").where(mask)
        assert "a mask of its objective was an array" in typed.why_not_again(objective.plain())
    for changed in (painted, flowers + 1, flowers.astype(int)[::-1]):
        plain = guide("b", flowers, changed).plain()
        assert "a guide of its objective was an array" in typed.why_not_again(plain)


def test_arrays_and_functions_are_named_and_not_made_again():
    """A recipe says in words what they were, and why it cannot be repeated."""
    array = np.random.RandomState(1).uniform(0, 255, (5, 7, 3))
    for objective, word in (
        (guide("b", array), "a guide of its objective was an array"),
        (layer("b").where(array / 255), "a mask of its objective was an array"),
        (function("b", objective_L2), r"a function of the user's \('objective_L2'\)"),
    ):
        plain = json.loads(json.dumps(objective.plain()))
        assert len(typed.in_words(plain)) < 120
        with pytest.raises(ParameterError, match="array|function"):
            from_plain(plain, nothing)
        assert __import__("re").search(word, typed.why_not_again(plain))
    assert repr(function("b", objective_L2)) == "function('b', objective_L2)"


def test_a_function_may_be_an_object_without_a_hash():
    """As those of a dataclass are; the same one is the same term."""

    @dataclass
    class Bright:
        strength: float = 1.0

        def __call__(self, dst):
            dst.diff[...] = self.strength

    bright = Bright()
    assert function("conv1", bright) + function("conv1", bright) == 2 * function("conv1", bright)
    assert function("conv1", bright) != function("conv2", bright)


def test_sums():
    """Like terms are one, the order is shown and does not count, numbers multiply."""
    a, b = layer("a"), channel("b", 3)

    assert sum([a, b]) == a + b
    assert a + b == b + a
    assert hash(a + b) == hash(b + a)
    assert repr(b + a) == "channel('b', 3) + layer('a')"
    assert a + b != a - b
    assert 0 - a == -a == -+a
    assert np.float32(2) * a == np.array(2) * a == np.int64(2) * a == 2 * a
    assert a + a == 2 * a == a * 2
    assert (a + b) * 2 == 2 * a + 2 * b
    assert a - b == a + -b
    assert (a + b) / 4 == 0.25 * a + 0.25 * b
    assert repr(a - 2 * a) == "-layer('a')"
    assert repr(3 * a - a / 3) == "2.6666666666666665 * layer('a')"
    assert len({a, layer("a", 2), layer("a", power=1)}) == 2
    assert (a - a).shares[0].weight == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layer(7), "end is 7: the name of one layer"),
        (lambda: layer("a", 3), "power is 3: 2 .* or 1"),
        (lambda: channel("a", -1), "channel is -1: a whole number from 0"),
        (lambda: channel("a", 1, 2, 1), "one is named twice"),
        (lambda: channel("a", True), "channel is True"),
        (lambda: neuron("a", 1, 0.5, 2), "both shares of the picture"),
        (lambda: neuron("a", 1, 0.5, 1.5), "x is 1.5: y and x"),
        (lambda: neuron("a", 1, -1, 2), "y is -1: a whole number"),
        (lambda: direction("a", [0, 0]), "one finite number for each channel"),
        (lambda: direction("a", [1, float("nan")]), "one finite number"),
        (lambda: direction("a", "up"), "one finite number"),
        (lambda: direction("a", [[1, 2]]), r"shape \(1, 2\)"),
        (lambda: label(""), "label is ''"),
        (lambda: label(-3), "label is -3"),
        (lambda: guide("a"), "a guide needs a picture"),
        (lambda: function("a", 3), "f is 3: a function"),
        (lambda: function("a", layer("b")), "a function of a blob"),
        (lambda: layer("a") + 1, "1 is no term"),
        (lambda: layer("a") - "b", "'b' is no term"),
        (lambda: layer("a") + objective_L2, r"make a term of a function by function\(end, f\)"),
        (lambda: "x" * layer("a"), "the weight of layer.'a'. is 'x'"),
        (lambda: float("inf") * layer("a"), "is inf: a finite number"),
        (lambda: layer("a") / 0, "divided by 0"),
        (lambda: 1e308 * layer("a") + 1e308 * layer("a"), r"is 1e\+308: a finite number"),
        (lambda: 1e38 * layer("a") * 10, r"is 1e\+39: a finite number"),
        (lambda: 3e38 * layer("a") + 3e38 * layer("a"), r"is 6e\+38: a finite number"),
        (lambda: np.array([1, 2]) * layer("a"), r"is array\(\[1, 2\]\): a finite number"),
        (lambda: 1 - layer("a"), "1 is no term"),
        (lambda: direction("a", [1, 1e300]), r"vector has 1e\+300 at 1: one finite number"),
        (lambda: direction("a", [1e-300, 0]), "zero everywhere"),
        (lambda: layer("a").where(np.zeros((3, 4))), "the mask is black everywhere: the term"),
        (lambda: layer("a").where(np.ones((3, 4))).where(np.ones((3, 4))), "has a mask already"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(make, message):
    """One line, that names what it is."""
    with pytest.raises(ParameterError, match=message) as caught:
        make()
    assert str(caught.value).count("\n") <= 2


def test_pictures_that_are_none():
    """As everywhere."""
    with pytest.raises(MissingFileError):
        guide("a", "no.png")
    with pytest.raises(ImageError):
        layer("a").where(np.full((3, 4), np.nan))


def test_ends_with_weights():
    """A name, names, or names with weights."""
    assert ends_with_weights("a") == {"a": 1.0}
    assert ends_with_weights(["a", "b"]) == {"a": 1.0, "b": 1.0}
    assert ends_with_weights({"a": 1, "b": -0.5}) == {"a": 1.0, "b": -0.5}
    for wrong in (7, b"a", {"a"}, [7], {7: 1}):
        with pytest.raises(ParameterError, match="the name of a layer, a list of names, or a dict"):
            ends_with_weights(wrong)


# -- what one types -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([], {}),
        (["conv4"], {"end": "conv4"}),
        (["conv4", "conv5"], {"end": ["conv4", "conv5"]}),
        (["conv4*0.5", "conv5"], {"end": {"conv4": 0.5, "conv5": 1.0}}),
        (["conv4*-2e-1"], {"end": {"conv4": -0.2}}),
        (["conv4:13"], {"objective": channel("conv4", 13)}),
        (["a/b:0-2,9*.5"], {"objective": 0.5 * channel("a/b", 0, 1, 2, 9)}),
        (["class:hen"], {"objective": label("hen")}),
        (["class:7*-0.2", "conv4"], {"objective": -0.2 * label(7) + layer("conv4")}),
        (
            [" class:hen * -0.2", "conv4 *2 "],
            {"objective": -0.2 * label("hen") + 2 * layer("conv4")},
        ),
        (["class: great grey owl"], {"objective": label("great grey owl")}),
        (["odd:name"], {"end": "odd:name"}),
    ],
)
def test_ends_as_typed(ends, expected):
    """LAYER, LAYER:CHANNELS, class:NAME, each with a weight or without."""
    assert typed.steering(ends) == expected


def test_masks_and_guides_as_typed(files):
    """One mask is the dream's, several are the ends'; guides are for all of them."""
    both = ["a", "b:3*2"]
    assert typed.steering(both, ["m.png"]) == {
        "mask": "m.png", "objective": layer("a") + 2 * channel("b", 3),
    }  # fmt: skip
    assert typed.steering(both, ["m.png", "-"]) == {
        "objective": layer("a").where("m.png") + 2 * channel("b", 3)
    }
    assert typed.steering(["a"], [], ["flowers.png"]) == {"end": "a", "guide": "flowers.png"}
    assert typed.steering([], [], ["f.png", "g.png"]) == {"guide": ["f.png", "g.png"]}
    assert typed.steering(["a", "b*2"], ["-", "m.png"], ["flowers.png"]) == {
        "objective": guide("a", "flowers.png") + 2 * guide("b", "flowers.png").where("m.png")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a*"],), r"end is 'a\*': a number is expected behind the \*"),
        ((["a*nan"],), r"a number is expected behind"),
        ((["a:9-3"],), "9-3 goes down"),
        ((["class:"],), "without a name: class:hen"),
        ((["a*2", "a"],), "end names 'a' more than once"),
        ((["a", "b", "a"],), "end names 'a' more than once"),
        ((["a:0-99999999999"],), "no layer has so many channels as 0-9"),
        ((["a", "b"], ["1", "2", "3"]), "mask is given 3 times, end 2 times"),
        ((["a:3"], [], ["f.png"]), "guide goes with layers, not with channels or classes"),
    ],
)
def test_what_was_typed_makes_no_sense(arguments, message):
    """One line, that says what is expected."""
    with pytest.raises(ParameterError, match=message):
        typed.steering(*arguments)


def test_the_public_module_offers_them_all():
    """`from deepdream import objectives`, and as an attribute."""
    assert deepdream.objectives.layer is layer
    assert {*NAMES, "Objective"} == {*deepdream.objectives.__all__}
