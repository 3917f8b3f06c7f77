"""Terms on the command line, in recipes, in zooms and galleries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_dreaming import picture
from test_repeat import HOW, model, sky  # noqa: F401 (fixtures)
from test_steering import STEP, WAYS, change, planned

import deepdream
from deepdream import objectives as o
from deepdream.cli import main
from deepdream.commands.show import lines
from deepdream.dreaming.ascent import plan_source
from deepdream.dreaming.frames import write_zoom, zoom
from deepdream.dreaming.prepared import Prepared
from deepdream.errors import ImageError, ParameterError
from deepdream.galleries.make import gallery
from deepdream.images import load_image, save_image
from deepdream.recipe import read_recipe

FEW = HOW[2:]  # without the layer
SUM = ["--end", "norm1", "--end", "a/output:2-4*0.5", "--end", "a/1x1*-0.2"]


@pytest.fixture
def made(tmp_path, model, sky, monkeypatch):  # noqa: F811
    """Dream by the command line; return the path of what was written."""
    monkeypatch.chdir(tmp_path)
    save_image(np.tile(np.arange(71) > 35, (53, 1))[..., None].repeat(3, 2) * 255.0, "right.png")
    save_image(picture(29, 37, 8), "flowers.png")
    save_image(picture(33, 31, 9), "leaves.png")

    def dreamt(name, *flags):
        how = [*model, *FEW, "--device", "cpu"]
        assert main(["dream", str(sky), "-o", name, *how, *flags]) == 0
        return tmp_path / name

    return dreamt


STEERED = {
    "channels and weights": SUM,
    "a list": ["--end", "norm1", "--end", "a/output"],
    "weights": ["--end", "norm1*2", "--end", "a/output", "--no-balance"],
    "masks": ["--end", "norm1", "--end", "a/output:3*2", "--mask", "right.png", "--mask", "-"],
    "one mask": ["--end", "norm1", "--end", "a/output", "--mask", "right.png"],
    "two guides": ["--end", "norm1", "--guide", "flowers.png", "--guide", "leaves.png"],
    "guides in parts": ["--end", "norm1", "--end", "a/3x3", "--guide", "flowers.png",
                        "--mask", "-", "--mask", "right.png"],
}  # fmt: skip


@pytest.mark.parametrize("how", STEERED)
def test_what_was_typed_is_rerun(how, made, model, tmp_path, capsys):  # noqa: F811
    """The recipe has it all: the same picture, byte for byte."""
    first = made("first.png", *STEERED[how])

    assert main(["rerun", str(first), "-o", "again.png", *model]) == 0

    assert (tmp_path / "again.png").read_bytes() == first.read_bytes()
    assert "byte for byte" in capsys.readouterr().out
    assert first.read_bytes() != made("plain.png", "--end", "norm1").read_bytes()


def test_the_command_line_is_the_function(made, sky, model):  # noqa: F811
    """Flags are the terms."""
    first = made("first.png", *SUM)
    net = deepdream.load_net(model[1], model[3], mean=(104, 117, 123), device="cpu")
    terms = o.layer("norm1") + 0.5 * o.channel("a/output", 2, 3, 4) - 0.2 * o.layer("a/1x1")

    out = deepdream.dream(net, load_image(sky), objective=terms, iter_n=2, octave_n=2, seed=3)

    assert read_recipe(first)["parameters"] == out.recipe["parameters"]
    save_image(out, "second.png")
    np.testing.assert_array_equal(load_image(first), load_image("second.png"))


def test_show_tells_terms_as_one_types_them(made, capsys):
    """Ends, objectives and several guides."""
    first = made("first.png", *STEERED["masks"])
    other = made("other.png", *STEERED["two guides"])
    capsys.readouterr()

    main(["show", str(first)])
    shown = capsys.readouterr().out

    assert "layer('norm1').where('right.png') + 2 * channel('a/output', 3)" in shown
    rows = list(lines(read_recipe(other)))
    assert ("guide", "flowers.png (37x29)") in rows
    assert ("guide", "leaves.png (31x33)") in rows
    assert ("end", "norm1*2, a/output") in lines(read_recipe(made("w.png", *STEERED["weights"])))
    assert ("balance", "False") in lines(read_recipe(made("w.png", *STEERED["weights"])))


def test_rerun_with_other_terms(made, model, capsys):  # noqa: F811
    """Another end takes the place of terms, and the other way round."""
    first = made("first.png", *SUM)

    assert main(["rerun", str(first), "-o", "one.png", "--end", "pool2", *model]) == 0
    assert read_recipe("one.png")["parameters"]["end"] == "pool2"
    assert main(["rerun", "one.png", "-o", "two.png", *SUM, *model]) == 0

    assert "end" not in read_recipe("two.png")["parameters"]
    np.testing.assert_array_equal(load_image("two.png"), load_image(first))
    guided = made("guided.png", "--end", "norm1", "--guide", "flowers.png")
    assert main(["rerun", str(guided), "-o", "three.png", "--end", "a/3x3:2", *model]) == 0
    assert "guide" not in read_recipe("three.png")
    capsys.readouterr()
    assert main(["rerun", str(first), "-o", "four.png", "--guide", "flowers.png", *model]) == 2
    assert "give the guide's layer, too (--end)" in capsys.readouterr().err
    guide = ["--end", "norm1", "--guide", "flowers.png"]
    assert main(["rerun", str(first), "-o", "four.png", *guide, *model]) == 0
    np.testing.assert_array_equal(load_image("four.png"), load_image(guided))


def test_rerun_misses_the_picture_of_a_term(made, model, tmp_path, capsys):  # noqa: F811
    """It says which, and where to put it."""
    first = made("first.png", *STEERED["masks"])
    (tmp_path / "right.png").unlink()

    assert main(["rerun", str(first), "-o", "again.png", *model]) == 2

    told = capsys.readouterr().err
    assert "the mask of a term, 'right.png', is missing" in told
    assert "Put it beside the picture." in told


def test_what_cannot_be_rerun_says_why(tmp_path, model, sky):  # noqa: F811
    """Functions and arrays of terms are not in a file."""
    net = deepdream.load_net(model[1], model[3], mean=(104, 117, 123), device="cpu")
    own = o.function("norm1", deepdream.objective_L2) + o.layer("conv1")
    masked = o.layer("norm1").where(np.ones((53, 71))) + o.layer("conv1")
    for objective, why in ((own, "a function of the user's"), (masked, "a mask of its objective")):
        out = deepdream.dream(net, load_image(sky), objective=objective, iter_n=1, octave_n=1,
                              seed=1)  # fmt: skip
        save_image(out, tmp_path / "own.png")
        with pytest.raises(ImageError, match=why):
            deepdream.rerun(tmp_path / "own.png", net=net)


@pytest.mark.parametrize("which", ["img", "mask", "guide"])
def test_a_changed_picture_is_not_made_again_from_its_file(tmp_path, model, sky, which):  # noqa: F811
    """Turned round after loading, it is an array like others; as loaded, it is found."""
    net = deepdream.load_net(model[1], model[3], mean=(104, 117, 123), device="cpu")
    given = {"img": load_image(sky), "mask": load_image(sky), "guide": load_image(sky)}

    def dreamt():
        out = deepdream.dream(net, end="norm1", iter_n=1, octave_n=1, seed=1, **given)
        save_image(out, Path(sky).with_name("changed.png"))
        return deepdream.rerun(Path(sky).with_name("changed.png"), net=net)

    assert dreamt() is not None
    given[which] = 255 - given[which][::-1]
    with pytest.raises(ImageError, match="array"):
        dreamt()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--end", "norm1", "--end", "nrom1"], "no blob named 'nrom1'"),
        (["--end", "a/output:99"], "17 channels, 0 to 16: there is no 99"),
        (["--end", "class:hen"], "class"),
        (["--end", "norm1*0"], "nothing is to grow: the weight is 0"),
        (["--end", "norm1*x"], r"--end is 'norm1*x': a number is expected behind the *"),
        (["--end", "norm1", "--mask", "a.png", "--mask", "b.png"], "--mask is given 2 times"),
        (["--end", "norm1:2", "--guide", "flowers.png"], "guide goes with layers"),
        (["--end", "norm1", "--end", "norm1:2", "--mask", "flowers.png", "--mask", "-"],
         "the mask of layer('norm1') is 37x29, the picture 71x53"),
    ],
)  # fmt: skip
def test_errors_of_terms_are_short(made, model, sky, capsys, flags, message):  # noqa: F811
    """One to three lines, status 2, in flags."""
    assert main(["dream", str(sky), "-o", "out.png", *model, *FEW, *flags]) == 2

    told = capsys.readouterr().err
    assert message in told
    assert len(told.strip().splitlines()) <= 3


# -- many pictures --------------------------------------------------------------------------------


def test_a_zoom_of_terms(tmp_path):
    """Frame by frame the dreams of the same terms, and it goes on where it was."""
    how = {"objective": o.layer("norm1") + o.channel("a/output", 3), "iter_n": 1, "octave_n": 1}
    frames = list(zoom(planned(), picture(), 3, seed=5, **how))

    again, more = (
        [made for _, made in write_zoom(planned(), picture(), tmp_path, frames=n, seed=5, **how)]
        for n in (2, 3)
    )

    assert (len(frames), len(again), len(more)) == (3, 2, 1)
    for a, b in zip(frames, [*again, *more]):
        assert a.tobytes() == b.tobytes()
    other = {**how, "objective": o.layer("norm1") + 2 * o.channel("a/output", 3)}
    with pytest.raises(ParameterError, match="made with objective"):
        list(write_zoom(planned(), picture(), tmp_path, frames=4, seed=5, **other))


def test_a_gallery_of_channels_plans_once(tmp_path, monkeypatch):
    """They differ in the objective only; the pictures are those of single dreams."""
    count = []
    original = plan_source.Planner
    monkeypatch.setattr(
        plan_source, "Planner", lambda *a, **k: count.append(1) or original(*a, **k)
    )
    gallery(planned(), picture(), tmp_path, layers="a/output", channels="0-3", octave_n=1,
            iter_n=1, suffix=".png")  # fmt: skip

    assert len(count) - 1 < 4  # one is for the guess of how long it takes
    single = deepdream.dream(
        planned(), load_image(tmp_path / "input.png"), "a/output", iter_n=1, octave_n=1, seed=0,
        objective=deepdream.objective_channel(2),
    )  # fmt: skip
    save_image(single, tmp_path / "single.png")
    (file,) = tmp_path.glob("a_output_channel*2.png")
    np.testing.assert_array_equal(load_image(file), load_image(tmp_path / "single.png"))


def test_a_gallery_takes_no_terms(tmp_path):
    """They name their layers; a gallery goes through layers."""
    with pytest.raises(ParameterError, match="a gallery goes through layers"):
        gallery(planned(), picture(), tmp_path, objective=o.layer("norm1"))


def test_other_weights_for_one_picture():
    """What a net is ready for is dreamt with other weights, as keyframes of a film want it."""
    terms = o.layer("norm1") + o.layer("a/output")
    ready, how = Prepared(planned(), objective=terms), {**STEP}
    seed = how.pop("seed")
    for weights in ([1, 1], [0.3, 2], [0, 1], [-1, 0]):
        made = ready.dream(picture(), seed=seed, weights=weights, **how)
        expected = weights[0] * o.layer("norm1") + weights[1] * o.layer("a/output")
        fresh = change(planned(), picture(), objective=expected)
        np.testing.assert_allclose(np.asarray(made) - picture(), fresh, atol=2e-3)
        assert made.recipe["parameters"]["objective"] == expected.plain()
    with pytest.raises(ParameterError, match="3 weights for 2 terms"):
        ready.dream(picture(), weights=[1, 2, 3])
    by_name = Prepared(planned(), {"norm1": 1, "a/output": 1})
    made = by_name.dream(picture(), seed=seed, weights=[0.5, 2], **how)
    assert made.recipe["parameters"]["end"] == {"norm1": 0.5, "a/output": 2.0}


# -- recorded steps -------------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
def test_steps_on_the_device_take_sums(monkeypatch, masked):
    """Recorded where nothing depends on where the picture lies; the same steps in either case."""
    terms = o.layer("norm1") + 0.5 * o.channel("a/output", 2, 5) - 0.2 * o.layer("conv1")
    if masked:
        terms = terms + o.layer("a/3x3").where(np.tri(53, 71))
    how = {"objective": terms, "iter_n": 4, "octave_n": 2, "seed": 3}
    waiting, native = (deepdream.dream(WAYS[way](), picture(), **how) for way in ("torch", "plan"))
    recorded = []
    original = plan_source.PlanSource.recorded

    def watched(self, octave, ascent):
        steps = original(self, octave, ascent)
        recorded.append(steps is not None)
        return steps

    monkeypatch.setattr(plan_source, "stays_on", lambda device: True)
    monkeypatch.setattr(plan_source.PlanSource, "recorded", watched)

    found = deepdream.dream(WAYS["torch"](), picture(), **how)

    assert recorded == [not masked] * 2
    np.testing.assert_allclose(found, waiting, atol=2e-2)
    np.testing.assert_allclose(found, native, atol=2e-2)


def test_a_frame_of_a_zoom_of_terms_is_rerun(made, sky, model, tmp_path):  # noqa: F811
    """By the command line, and byte for byte."""
    more = ["--frames", "2", "--end", "norm1", "--end", "a/output:3*0.5", *FEW, "--device", "cpu"]
    assert main(["zoom", str(sky), "-o", "frames", *model, *more]) == 0

    assert main(["rerun", "frames/0001.png", "-o", "again.png", "--input", str(sky), *model]) == 0

    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "frames/0001.png").read_bytes()
