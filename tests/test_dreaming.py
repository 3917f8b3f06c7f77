"""The dream with its defects mended."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeNet
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import SMOOTH, TINY, tiny_net, write_tiny

from deepdream import caffe
from deepdream.dreaming.dream import dream, recommended_end
from deepdream.dreaming.dream2015 import deepdream, guide_features
from deepdream.dreaming.frames import zoom
from deepdream.dreaming.objectives import objective_channel, objective_guide
from deepdream.dreaming.pictures.octaves import Bases, larger_sizes, octave_sizes
from deepdream.dreaming.pictures.operations import Operations
from deepdream.errors import (
    EngineError,
    FlatGradientError,
    ImageError,
    ParameterError,
    ShapeError,
    UnknownBlobError,
    UnknownLayerError,
)
from deepdream.galleries.make import gallery
from deepdream.picture import Picture


def picture(h=53, w=71, seed=5):
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


def net_with_mean(seed=0, text=TINY):
    net = tiny_net(seed, text)
    net.transformer = FakeNet().transformer
    return net


SMALL = {"end": "a/output", "iter_n": 2, "octave_n": 2}


def test_dream_equals_the_notebook_on_a_fresh_net():
    """With the same seed, and no border quirk at these sizes, both faces agree to rounding."""
    img, long = picture(), {"end": "a/output", "iter_n": 5, "octave_n": 3}
    np.random.seed(11)
    old = deepdream(net_with_mean(text=SMOOTH), img, **long)

    new = dream(net_with_mean(text=SMOOTH), img, seed=11, **long)

    assert new.dtype == np.float32
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-3)
    assert np.abs(new - img).mean() > 1


def test_dream_leaves_its_input_as_it_is():
    """The picture given is not written to."""
    img = picture()
    before = img.copy()
    dream(net_with_mean(), img, seed=1, **SMALL)

    np.testing.assert_array_equal(img, before)


def test_dream_is_not_disturbed_by_an_earlier_target():
    """What a deeper target left in the net adds nothing, where the notebook's face is polluted."""
    img = picture()
    shallow = {**SMALL, "end": "a/1x1"}
    clean = dream(net_with_mean(), img, seed=1, **shallow)
    used = net_with_mean()
    dream(used, img, seed=2, **SMALL)
    used_2015 = net_with_mean()
    deepdream(used_2015, img, **SMALL)

    np.testing.assert_array_equal(dream(used, img, seed=1, **shallow), clean)
    np.random.seed(1)
    assert np.abs(deepdream(used_2015, img, **shallow) - clean).max() > 1


def test_seed_makes_a_dream_repeatable_and_leaves_np_random_alone():
    """A seeded dream has its own stream; without a seed np.random decides."""
    img = picture()
    np.random.seed(3)
    expected = np.random.randint(1000)

    np.random.seed(3)
    first = dream(net_with_mean(), img, seed=8, **SMALL)
    assert np.random.randint(1000) == expected
    np.testing.assert_array_equal(dream(net_with_mean(), img, seed=8, **SMALL), first)
    assert np.abs(dream(net_with_mean(), img, seed=9, **SMALL) - first).max() > 0

    np.random.seed(8)
    np.testing.assert_array_equal(dream(net_with_mean(), img, **SMALL), first)


def test_resize_leaves_no_zero_border():
    """Where scipy's zoom zeroes the last row, the border value stands."""
    x = np.random.RandomState(0).uniform(50, 200, (128, 60, 3)).astype(np.float32)

    small = Operations().resize(x, (91, 43))

    assert small.shape == (91, 43, 3)
    np.testing.assert_allclose(small[-1, -1], x[-1, -1], rtol=1e-5)
    assert small.min() > 49


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(7, 90), st.integers(7, 90), st.integers(1, 6), st.floats(1, 2.5))
def test_octaves_grow_to_the_picture(h, w, octave_n, octave_scale):
    """Sizes never shrink along the loop, are never empty, and end with the picture itself."""
    img, mean = picture(h, w), np.float32([104, 117, 123])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = octave_sizes(tiny_net(), "a/output", (h, w), octave_n, octave_scale)
    bases = Bases(Operations(), Picture(img), mean, sizes)
    made = [bases.of(octave) for octave in range(len(sizes))]

    assert 1 <= len(made) <= octave_n
    np.testing.assert_array_equal(made[-1], img[..., ::-1] - mean)
    for small, large in zip(made, made[1:]):
        assert small.shape[0] <= large.shape[0]
        assert small.shape[1] <= large.shape[1]


@pytest.mark.parametrize("size", [(211, 340), (91, 500), (89, 70), (7, 9)])
def test_all_octaves_go_down_to_a_small_side(size):
    """As many as there are above 90 pixels, each made as if their number had been given."""
    sizes = octave_sizes(tiny_net(), "a/output", size, "all", 1.4, 90)

    assert sizes[-1] == size
    assert min(sizes[0]) >= 90 or len(sizes) == 1
    assert min(sizes[0]) / 1.4 < 90.5
    assert sizes == octave_sizes(tiny_net(), "a/output", size, len(sizes), 1.4)


def test_octaves_between_a_composed_dream_and_a_larger_one():
    """They are evenly spaced, no further apart than asked for, and end at the size wanted."""
    sizes = larger_sizes((575, 1024), (2246, 4000), 1.4)

    assert sizes[-1] == (2246, 4000)
    assert len(sizes) == 5
    for (_, small), (_, large) in zip([(575, 1024), *sizes], sizes):
        assert 1.2 < large / small < 1.41
    assert larger_sizes((575, 1024), (575, 1024), 1.4) == []


def test_octaves_too_small_for_the_net_are_left_out_with_a_note():
    """Where Caffe aborts, the dream goes on with fewer octaves and says so."""
    with pytest.warns(UserWarning, match=r"\d of 14 octaves are left out: .* too small for 'a/out"):
        out = dream(net_with_mean(), picture(), seed=1, end="a/output", iter_n=1, octave_n=14)

    assert np.isfinite(out).all()


def test_octaves_that_do_not_shrink_any_more_are_left_out_with_a_note():
    """Where a net takes any size, the octaves end at 1x1; a ratio of 1 repeats it on purpose."""
    with pytest.warns(UserWarning, match=r"4 of 9 octaves .*: 1x1 does not get any smaller"):
        sizes = octave_sizes(FakeNet(), "top", (3, 5), 9, 1.4)
    assert sizes == [(1, 1), (1, 2), (1, 3), (2, 4), (3, 5)]

    assert octave_sizes(FakeNet(), "top", (3, 5), 3, 1.0) == [(3, 5)] * 3


def test_a_picture_too_small_for_the_net_says_how_large_it_must_be():
    """A 1x1 picture is refused with the smallest side, which is indeed large enough."""
    with pytest.raises(ShapeError, match=r"picture of 1x1 is too small for 'pool2': .* (\d+) pix") \
            as caught:  # fmt: skip
        dream(net_with_mean(), picture(1, 1), end="pool2")

    side = int(str(caught.value).split("each side needs ")[1].split()[0])
    dream(net_with_mean(), picture(side, side), end="pool2", octave_n=1, iter_n=1, seed=1)
    with pytest.raises(ShapeError, match=f"needs {side} pixels"):
        dream(net_with_mean(), picture(side - 1, side + 5), end="pool2")


def test_an_end_past_the_inner_product_takes_the_nets_own_size_only():
    """A larger picture is refused with the layer and its size; smaller octaves are continued."""
    with pytest.raises(ShapeError, match="layer 'fc'(.|\n)*Pictures of 31x23 to 38x30 fit"):
        dream(net_with_mean(), picture(), end="fc", octave_n=1)

    steps = []
    with pytest.warns(UserWarning, match="3 of 4 octaves .14x11 as 31x23, "):
        out = dream(net_with_mean(), picture(29, 37), end="fc", iter_n=1, seed=1,
                    on_step=steps.append)  # fmt: skip
    assert out.shape == (29, 37, 3)
    assert [step.size for step in steps] == [(11, 14), (15, 19), (21, 26), (29, 37)]


def test_own_objective_gets_a_clean_diff():
    """An objective that writes one channel only is not mixed with what lay there."""
    seen = []

    def one_channel(dst):
        assert not dst.diff.any()
        dst.diff[:, 2] = dst.data[:, 2]
        seen.append(dst.data.shape)

    out = dream(net_with_mean(), picture(), objective=one_channel, seed=1, **SMALL)

    assert len(seen) == 4
    assert seen[0][1] == 17
    assert np.abs(out - picture()).mean() > 0.5


def test_guide_steers():
    """A guide changes the dream, and another guide changes it otherwise."""
    img = picture()
    plain = dream(net_with_mean(), img, seed=1, **SMALL)
    one = dream(net_with_mean(), img, guide=picture(33, 41, 6), seed=1, **SMALL)
    two = dream(net_with_mean(), img, guide=picture(33, 41, 7), seed=1, **SMALL)

    assert np.abs(one - plain).mean() > 0.1
    assert np.abs(one - two).mean() > 0.1
    with pytest.raises(ParameterError, match="guide and objective both"):
        dream(net_with_mean(), img, guide=img, objective=lambda dst: None, **SMALL)
    with pytest.raises(ShapeError, match="guide of 2x1 is too small"):
        dream(net_with_mean(), img, guide=picture(1, 2), **SMALL)


def test_on_step_sees_every_step_and_the_picture_so_far():
    """Octaves count from the smallest, done grows to 1, the last picture is the result."""
    steps = []
    out = dream(net_with_mean(), picture(), seed=1, on_step=steps.append, **SMALL)

    assert [(s.octave, s.step) for s in steps] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert steps[0].size == (38, 51)
    assert steps[-1].size == (53, 71)
    done = [s.done for s in steps]
    assert done == sorted(done)
    assert done[-1] == 1
    assert steps[0].picture.shape == (38, 51, 3)
    np.testing.assert_array_equal(steps[-1].picture, out)


def test_on_step_can_stop_the_dream():
    """Returning False gives the picture so far at full size, and the recipe says so."""
    out = dream(net_with_mean(), picture(), seed=1, on_step=lambda s: s.step < 1, **SMALL)

    assert out.shape == (53, 71, 3)
    assert out.recipe["stopped"]
    difference = np.abs(out - picture()).mean()
    assert difference > 0.5


def test_ctrl_c_gives_the_picture_so_far():
    """A KeyboardInterrupt inside a step ends the dream with what the last full step made."""
    calls = []

    def objective(dst):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        dst.diff[:] = dst.data

    steps = []
    out = dream(
        net_with_mean(), picture(), seed=1, objective=objective, on_step=steps.append, **SMALL
    )

    assert len(steps) == 3
    np.testing.assert_array_equal(out, steps[-1].picture)
    assert out.recipe["stopped"]


def test_ctrl_c_at_once_gives_the_picture_itself():
    """Interrupted before the first step is done, the dream is the picture."""

    def objective(dst):
        raise KeyboardInterrupt

    out = dream(net_with_mean(), picture(), objective=objective, **SMALL)

    np.testing.assert_allclose(out, picture(), atol=1e-3)


def test_recipe_tells_every_parameter():
    """What made the picture is on the picture."""
    out = dream(net_with_mean(), picture(), seed=7, step_size=2, **SMALL)

    expected = {**SMALL, "step_size": 2, "octave_scale": 1.4, "jitter": 32, "clip": True}
    assert out.recipe["parameters"] == {**expected, "objective": "objective_L2"}
    assert out.recipe["seed"] == 7
    assert out.recipe["model"]["name"] == "tiny"
    assert "stopped" not in out.recipe


def test_alpha_stays_with_the_picture():
    """A picture with an alpha channel comes out with the same one."""
    rgba = np.concatenate([picture(), np.full((53, 71, 1), 77)], 2)
    out = dream(net_with_mean(), rgba, seed=1, **SMALL)

    assert out.shape == (53, 71, 3)
    assert (out.alpha == 77).all()


def test_clip_keeps_values_in_range():
    """With clip no value leaves 0..255, without it some do."""
    wild = {**SMALL, "step_size": 60, "seed": 1}
    assert dream(net_with_mean(), picture(), **wild).min() >= 0
    assert dream(net_with_mean(), picture(), **wild).max() <= 255
    assert dream(net_with_mean(), picture(), clip=False, **wild).max() > 255


def half_a_step(octave, step):
    return 1.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"iter_n": -1}, "iter_n is -1: a whole number from 0"),
        ({"iter_n": 2.5}, "iter_n is 2.5"),
        ({"octave_n": 0}, "octave_n is 0: a whole number from 1"),
        ({"octave_n": "some"}, "octave_n is 'some': a whole number from 1, or 'all'"),
        ({"octave_n": "all", "octave_scale": 1.01}, "with octave_n='all' 1.05 or more"),
        ({"octave_min": 0}, "octave_min is 0: a whole number from 1"),
        ({"iter_n": (3, 2, 1)}, r"iter_n is \(3, 2, 1\): one number, or two"),
        ({"iter_n": (3, -2)}, r"iter_n is \(3, -2\), with -2: a whole number"),
        ({"iter_n": half_a_step}, "iter_n is a function that returned 1.5"),
        ({"smooth": -1}, "smooth is -1: a number from 0"),
        ({"smooth": float("nan")}, "smooth is nan"),
        ({"normalize": "max"}, "normalize is 'max': one of mean, std, laplacian"),
        ({"bands": 0}, "bands is 0: a whole number from 1"),
        ({"border": "mirror"}, "border is 'mirror': one of roll, reflect, edge"),
        ({"keep_colors": 2}, "keep_colors is 2: True, False, or how much"),
        ({"strength": -0.5}, "strength is -0.5: 0 is the picture"),
        ({"clip": "no"}, "clip is 'no': True or False"),
        ({"width": 0}, "width is 0: a whole number of pixels"),
        ({"height": 3.5}, "height is 3.5: a whole number of pixels"),
        ({"compose": 40}, "compose is 40: width and height"),
        ({"compose": (90, 70)}, "compose is 90x70, larger than the dream, 71x53"),
        ({"style": "animal"}, "no style is called 'animal'. Did you mean 'animals'"),
        ({"mask": np.zeros((53, 71))}, "the mask is black everywhere"),
        ({"mask": np.ones((71, 53))}, "the mask is 53x71, the picture 71x53"),
        ({"octave_n": True}, "octave_n is True"),
        ({"octave_scale": 0.7}, "octave_scale is 0.7: the ratio .* 1 or more"),
        ({"octave_scale": float("nan")}, "octave_scale is nan: a finite"),
        ({"step_size": "big"}, "step_size is 'big'"),
        ({"step_size": float("inf")}, "step_size is inf"),
        ({"jitter": -2}, "jitter is -2"),
        ({"seed": -1}, "seed is -1: a whole number from 0 to"),
        ({"seed": 2**32}, "seed is 4294967296"),
    ],
    ids=lambda value: str([*value]) if isinstance(value, dict) else "",
)
def test_impossible_parameters_are_refused(wrong, message):
    """Each value that makes no sense is named, with what is expected."""
    with pytest.raises(ParameterError, match=message):
        dream(net_with_mean(), picture(), **{**SMALL, **wrong})


@pytest.mark.parametrize(
    ("img", "message"),
    [
        (np.zeros((0, 5, 3)), "0"),
        (np.full((9, 8, 3), np.nan), "NaN"),
        (np.zeros((9, 8, 5)), "5"),
        (np.zeros(7), "shape"),
    ],
    ids=["empty", "nan", "channels", "flat"],
)
def test_arrays_that_are_no_picture_are_refused(img, message):
    """Wrong arrays are refused with what was found."""
    with pytest.raises(ImageError, match=message):
        dream(net_with_mean(), img, **SMALL)


def test_a_picture_in_0_to_1_is_noticed():
    """caffe.io.load_image gives 0..1; dreaming on that is nearly black, so it is said."""
    with pytest.warns(UserWarning, match="0..1"):
        dream(net_with_mean(), picture() / 255, seed=1, **SMALL)


def test_a_relu_as_end_names_the_blob_it_rewrites():
    """A layer in place has no blob of its own; the message says which end to use."""
    with pytest.raises(UnknownBlobError, match=r"rewrites blob 'a/3x3' in place.\n.*end='a/3x3'"):
        dream(net_with_mean(), picture(), end="a/relu_3x3")
    with pytest.raises(UnknownBlobError, match=r"layer 'norm1_norm1_0_split' makes it"):
        dream(net_with_mean(), picture(), end="norm1_norm1_0_split_1")
    with pytest.raises(UnknownBlobError, match=r"Did you mean 'a/output'"):
        dream(net_with_mean(), picture(), end="a/outptu")


def test_end_is_needed_where_nothing_recommends_one():
    """A net of one's own needs an end; the message suggests some that work."""
    with pytest.raises(UnknownLayerError, match="which layer") as caught:
        dream(net_with_mean(), picture())

    suggested = str(caught.value).split("'")[1]
    dream(net_with_mean(), picture(), end=suggested, iter_n=1, octave_n=1, seed=1)


def test_googlenets_famous_layer_is_recommended_where_it_exists():
    """A net without an entry but with inception_4c/output dreams there."""
    net = FakeNet()
    net.blobs["inception_4c/output"] = net.blobs["top"]

    assert recommended_end(net) == "inception_4c/output"


def test_a_dead_blob_is_explained():
    """All ReLUs off: an error instead of a picture of NaN."""
    net = net_with_mean()
    for blob in net.params["conv1"]:
        blob.data[...] = 0

    with pytest.raises(FlatGradientError, match="'conv1' for a picture of 71x53 is zero, because"):
        dream(net, picture(), end="conv1", iter_n=1, octave_n=1)


def test_the_fake_net_dreams_too():
    """The algorithm needs no more of a net than the notebook does."""
    out = dream(FakeNet(), picture(11, 17), end="top", seed=1, iter_n=1, octave_n=2)

    assert out.shape == (11, 17, 3)


# -- calls that reach the inside ------------------------------------------------------------------


@pytest.mark.parametrize("call", ["dream", "zoom", "gallery"])
def test_what_is_no_net_is_told(call, tmp_path):
    """A name or a path, above all; and so is a picture's."""
    calls = {
        "dream": lambda net: dream(net, picture()),
        "zoom": lambda net: list(zoom(net, picture(), 1)),
        "gallery": lambda net: gallery(net, picture(), tmp_path),
    }
    for net in ("googlenet", Path("deploy.prototxt")):
        with pytest.raises(ParameterError, match=f"net is '{net}', a name: load it first"):
            calls[call](net)
    with pytest.raises(ParameterError, match="net is a ndarray: a net is expected"):
        calls[call](picture())
    with pytest.raises(ImageError, match="network comes first, dream\\(net, img\\)"):
        dream(picture(), net_with_mean())
    for sky in ("sky.jpg", Path("sky.jpg")):
        with pytest.raises(ImageError, match="'sky.jpg' is a name, not a picture: use load_image"):
            dream(net_with_mean(), sky)
        for call in (deepdream, guide_features):
            with pytest.raises(ImageError, match="'sky.jpg' is a name, not a picture"):
                call(net_with_mean(), sky, end="a/output")


def test_a_net_that_tells_no_mean():
    """A plain caffe.Net has no transformer: the error says which nets have one."""
    with pytest.raises(ParameterError, match="this Net does not tell the mean .*load_net"):
        dream(tiny_net(), picture(), "a/output")


def test_a_classifier_without_a_mean_or_with_a_mean_picture(tmp_path):
    """Nothing is subtracted; of a picture its averages, at every size."""
    prototxt, weights = write_tiny(tmp_path)
    averages = np.float32([104, 117, 123])
    of_mean = np.random.RandomState(1).uniform(-9, 9, (3, 29, 37)).astype(np.float32)
    of_mean += (averages - of_mean.mean((1, 2)))[:, None, None]
    how = {"end": "a/output", "seed": 3, "iter_n": 2, "octave_n": 2}
    for mean, plain in ((None, np.zeros(3, np.float32)), (of_mean, averages)):
        net = caffe.Classifier(prototxt, weights, mean=mean, channel_swap=(2, 1, 0))
        same = caffe.Classifier(prototxt, weights, mean=plain)
        out, expected = (dream(n, picture(), **how) for n in (net, same))
        np.testing.assert_allclose(out, expected, atol=0.5)
        np.testing.assert_allclose(
            deepdream(net, picture(), end="a/output", iter_n=1, octave_n=1, jitter=0),
            deepdream(same, picture(), end="a/output", iter_n=1, octave_n=1, jitter=0), atol=0.5,
        )  # fmt: skip
    np.testing.assert_allclose(out.recipe["model"]["mean"], averages, rtol=1e-5)


@pytest.mark.parametrize("layer_by_layer", [False, True])
def test_an_objective_that_writes_nothing_is_told(layer_by_layer):
    """On the plan and layer by layer alike."""
    net = net_with_mean()
    if layer_by_layer:
        net.before_forward(lambda layer: None)
    with pytest.raises(ParameterError, match="objective returned a ndarray and wrote nothing"):
        dream(net, picture(), objective=lambda dst: dst.data, **SMALL)
    for wrong in (objective_guide, objective_channel):
        with pytest.raises(ParameterError, match=f"{wrong.__name__}|one whole number"):
            dream(net, picture(), objective=wrong, **SMALL)
    with pytest.raises(
        ParameterError, match="objective is 'L2': terms of .* or a function of a blob"
    ):
        dream(net, picture(), objective="L2", **SMALL)
    with pytest.raises(ParameterError, match="end is 7: the name of a layer, a list of names"):
        dream(net, picture(), 7)


def test_blobs_that_a_plan_does_not_keep_are_not_zeros():
    """After the dream, and in an objective, they are an error that says how to have them."""
    net = net_with_mean()
    net.forward(end="conv1")
    seen = []

    def curious(dst):
        dst.diff[...] = dst.data
        with pytest.raises(EngineError, match=r"plan, which keeps no blobs. Fill .* net.forward"):
            seen.append(net.blobs["conv1"].data)

    dream(net, picture(), objective=curious, seed=1, **SMALL)
    assert seen == []
    for name in ("conv1", "a/output", "prob"):
        for read in ("data", "diff"):
            with pytest.raises(EngineError, match="net.before_forward"):
                getattr(net.blobs[name], read)
    net.blobs["data"].data[...] = 3  # the input is the user's
    net.forward(end="a/output")
    assert np.abs(net.blobs["conv1"].data).max() > 0
    assert np.abs(net.blobs["a/output"].data).max() > 0
    with pytest.raises(EngineError, match="plan"):
        net.blobs["prob"].data  # noqa: B018
    net.blobs["data"].reshape(1, 3, 29, 37)
    net.forward()
    assert net.blobs["prob"].data.sum() == pytest.approx(1)
    deepdream(net, picture(), iter_n=1, octave_n=1, end="a/output")


def test_a_hook_keeps_every_blob():
    """As the error says: then an objective reads those of its own pass."""
    net, seen = net_with_mean(), []
    net.before_forward(lambda layer: None)

    def curious(dst):
        dst.diff[...] = dst.data
        seen.append(np.abs(net.blobs["conv1"].data).max())

    dream(net, picture(), objective=curious, seed=1, **SMALL)
    assert min(seen) > 0
    assert np.abs(net.blobs["conv1"].data).max() > 0
