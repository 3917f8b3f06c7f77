"""The recipe travels with the picture: `show` prints it, `rerun` makes the picture again."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
from tiny import write_tiny

import deepdream
from deepdream import repeat
from deepdream.cli import main
from deepdream.commands.show import lines
from deepdream.errors import ImageError, MissingFileError, ParameterError, WeightsError
from deepdream.images import load_image, save_image
from deepdream.models.load import load_net
from deepdream.models.registry import MODELS
from deepdream.recipe import read_recipe
from deepdream.repeat import repeatable, rerun

HOW = ["--end", "a/output", "--iter-n", "2", "--octave-n", "2", "--seed", "3"]
MEAN = ["--mean", "104,117,123"]


@pytest.fixture
def model(tmp_path):
    """The small net's flags."""
    prototxt, caffemodel = write_tiny(tmp_path)
    return ["--model", str(prototxt), "--weights", str(caffemodel), *MEAN]


@pytest.fixture
def sky(tmp_path):
    path = tmp_path / "sky.png"
    save_image(np.random.RandomState(1).uniform(0, 255, (53, 71, 3)), path)
    return path


def dreamt(sky, model, name, *more):
    out = sky.parent / name
    how = [*model, *HOW, "--device", "cpu", *more]
    assert main(["dream", str(sky), "-o", str(out), *how]) == 0
    return out


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_rerun_gives_the_same_file(tmp_path, model, sky, capsys, suffix):
    """Byte for byte, in every format, and the last line says so."""
    first = dreamt(sky, model, f"dream{suffix}", "--jitter", "5", "--no-clip")
    again = tmp_path / f"again{suffix}"

    assert main(["rerun", str(first), "-o", str(again), *model]) == 0

    assert again.read_bytes() == first.read_bytes()
    assert "byte for byte" in capsys.readouterr().out
    assert not np.array_equal(load_image(first), load_image(sky))


def test_another_seed_is_another_picture(tmp_path, model, sky):
    """The comparison can tell pictures apart."""
    first = dreamt(sky, model, "one.png", "--jitter", "5")
    other = dreamt(sky, model, "two.png", "--jitter", "5", "--seed", "4")

    assert first.read_bytes() != other.read_bytes()


def test_rerun_of_a_guided_dream(tmp_path, model, sky):
    """The guide is found beside the picture, by its name and hash."""
    guide = tmp_path / "guide.png"
    save_image(np.random.RandomState(2).uniform(0, 255, (41, 47, 3)), guide)
    first = dreamt(sky, model, "dream.png", "--guide", str(guide))
    again = tmp_path / "again.png"

    assert main(["rerun", str(first), "-o", str(again), *model]) == 0
    assert again.read_bytes() == first.read_bytes()


def test_rerun_reads_a_guide_once(tmp_path, model, sky, monkeypatch):
    guide = tmp_path / "guide.png"
    save_image(np.random.RandomState(2).uniform(0, 255, (41, 47, 3)), guide)
    first, read = dreamt(sky, model, "dream.png", "--guide", str(guide)), []
    real = deepdream.images.load_image

    def counted(path, *more):
        read.append(str(path))
        return real(path, *more)

    for module in ("images", "repeat"):
        monkeypatch.setattr(f"deepdream.{module}.load_image", counted)
    command = ["rerun", str(first), "-o", str(tmp_path / "again.png"), "--guide", str(guide)]
    assert main([*command, *model]) == 0

    assert read.count(str(guide)) == 1


def test_rerun_of_a_frame(tmp_path, model, sky):
    """The frames before it are made again, and the frame is the same."""
    folder = tmp_path / "frames"
    assert main(["zoom", str(sky), "-o", str(folder), "--frames", "3", *model, *HOW]) == 0
    shutil.copy(sky, folder / "sky.png")
    again = tmp_path / "again.png"

    assert main(["rerun", str(folder / "0002.png"), "-o", str(again), *model]) == 0
    assert again.read_bytes() == (folder / "0002.png").read_bytes()


def test_rerun_of_one_channel(tmp_path, model, sky):
    """A channel's objective is known by its name in the recipe."""
    net = load_net(model[1], model[3], mean=(104, 117, 123))
    first = tmp_path / "dream.png"
    how = {"end": "a/output", "iter_n": 2, "octave_n": 1, "seed": 3}
    objective = deepdream.objective_channel(2)
    save_image(deepdream.dream(net, load_image(sky), objective=objective, **how), first)

    again = rerun(first, net=net)

    assert np.array_equal(np.rint(np.clip(again, 0, 255)), load_image(first))
    recipe = read_recipe(first)
    assert again.recipe == recipe
    # What computes now goes before what computed then; a recipe that tells neither stays so.
    made = load_image(first)
    save_image(made, first, recipe={**recipe, "engine": "caffe", "device": "cuda:0"})
    assert rerun(first, net=net).recipe == recipe
    known = {key: recipe[key] for key in recipe if key not in ("engine", "device")}
    save_image(made, first, recipe=known)
    assert rerun(first, net=net).recipe == known


def test_the_input_is_looked_for(tmp_path, model, sky, capsys, monkeypatch):
    """Beside the picture, above it, and here; else the message tells where it was not."""
    first = dreamt(sky, model, "dream.png")
    elsewhere = tmp_path / "far" / "away"
    elsewhere.mkdir(parents=True)
    moved = elsewhere / "moved.png"
    first.rename(moved)
    monkeypatch.chdir(elsewhere)

    assert main(["rerun", str(moved), *model]) == 2
    error = capsys.readouterr().err
    assert "'sky.png', is missing" in error
    assert "--input" in error

    shutil.copy(sky, elsewhere.parent / "sky.png")
    assert main(["rerun", str(moved), "-o", "found.png", *model]) == 0
    assert (elsewhere / "found.png").read_bytes() == moved.read_bytes()
    (elsewhere.parent / "sky.png").unlink()

    assert main(["rerun", str(moved), "--input", str(sky), *model]) == 0
    assert (elsewhere / "moved_rerun.png").read_bytes() == moved.read_bytes()


def test_another_picture_of_that_name_is_refused(tmp_path, model, sky):
    """Its hash tells."""
    first = dreamt(sky, model, "dream.png")
    net = load_net(model[1], model[3], mean=(104, 117, 123))
    save_image(np.random.RandomState(9).uniform(0, 255, (53, 71, 3)), sky)
    with pytest.raises(ParameterError, match="sha256"):
        rerun(first, net=net)
    sky.unlink()
    with pytest.raises(MissingFileError, match="is missing"):
        rerun(first, net=net)


def test_another_net_is_refused(tmp_path, model, sky):
    """Other weights, another mean, or none given where the network has no name of its own."""
    first = dreamt(sky, model, "dream.png")
    (tmp_path / "other").mkdir()
    prototxt, weights = write_tiny(tmp_path / "other", seed=1)
    with pytest.raises(WeightsError, match="weights"):
        rerun(first, net=load_net(prototxt, weights, mean=(104, 117, 123)))
    with pytest.raises(ParameterError, match="mean"):
        rerun(first, net=load_net(model[1], model[3], mean=(104, 116, 122)))
    with pytest.raises(ParameterError, match="--model PROTOTXT"):
        rerun(first)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": None}, "without a seed"),
        ({"stopped": True}, "stopped early"),
        ({"input": None}, "from an array"),
        ({"guide": "an array"}, "guide was an array"),
        ({"parameters": {"objective": "my_objective"}}, "my_objective"),
        ({"command": "paint"}, "paint"),
    ],
)
def test_what_cannot_be_repeated_says_why(change, words):
    """Nobody is told that a picture is the same when it cannot be."""
    recipe = {"command": "dream", "seed": 1, "input": {"file": "a.png"}, "parameters": {}}
    repeatable(recipe, "a.png")
    with pytest.raises(ImageError, match=words):
        repeatable({**recipe, **change}, "a.png")


def test_rerun_takes_from_the_recipe_what_is_not_given(tmp_path, model, sky, monkeypatch, capsys):
    """A registered network by its name, the mean, the engine and the device; flags go before."""
    monkeypatch.setitem(MODELS, "tiny", dataclasses.replace(MODELS["googlenet"], name="tiny"))
    monkeypatch.setattr(repeat, "load_net", loads := Loads(model))
    first = dreamt(sky, model, "dream.png")
    assert read_recipe(first)["engine"] == "deepdream"
    assert read_recipe(first)["device"] == "cpu"

    again = tmp_path / "again.png"
    assert main(["rerun", str(first), "-o", str(again), "--engine", "torch"]) == 0
    assert main(["rerun", str(first), "-o", str(again), "--device", "auto"]) == 0
    assert main(["rerun", str(first), "-o", str(again), "--mean", "104,116,122"]) == 2
    assert "the recipe's is [104.0, 117.0, 123.0]" in capsys.readouterr().err

    assert loads.calls == [
        ("tiny", None, [104.0, 117.0, 123.0], "torch", "cpu"),
        ("tiny", None, [104.0, 117.0, 123.0], "deepdream", "auto"),
        ("tiny", None, "104,116,122", "deepdream", "cpu"),
    ]
    assert again.read_bytes() == first.read_bytes()


class Loads:
    """Stands for `load_net`: a registered name is the small net."""

    def __init__(self, model):
        self._files = model[1], model[3]
        self.calls = []

    def __call__(self, model, weights, *, mean, engine, device):
        self.calls.append((model, weights, mean, engine, device))
        return load_net(*self._files, mean=mean, engine=engine, device=device)


def test_rerun_says_how_far_it_is(tmp_path, model, sky, capsys):
    """Another format keeps the pixels, or cannot."""
    first = dreamt(sky, model, "dream.png")
    for name, words in (("a.tif", "the pixels of"), ("a.jpg", ".jpg keeps no exact pixels")):
        assert main(["rerun", str(first), "-o", str(tmp_path / name), *model]) == 0
        assert words in capsys.readouterr().out


def test_show_prints_the_recipe(model, sky, capsys):
    """Every parameter in words, and all of it as JSON."""
    out = dreamt(sky, model, "dream.png")
    capsys.readouterr()

    assert main(["show", str(out)]) == 0
    text = capsys.readouterr().out
    for words in (
        "tiny",
        "a/output",
        "sky.png (71x53)",
        "104, 117, 123",
        "deepdream on cpu",
        "seed",
    ):
        assert words in text

    assert main(["show", "--json", str(out)]) == 0
    assert json.loads(capsys.readouterr().out) == read_recipe(out)


def test_rerun_of_a_recipe_alone(tmp_path, model, sky, capsys, monkeypatch):
    """As 'show --json' prints it: there is no picture to compare with."""
    first = dreamt(sky, model, "dream.png")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["show", "--json", str(first)]) == 0
    (tmp_path / "known.json").write_text(capsys.readouterr().out)

    assert main(["rerun", "known.json", *model]) == 0

    assert capsys.readouterr().out.startswith("wrote known_rerun.png (")
    assert (tmp_path / "known_rerun.png").read_bytes() == first.read_bytes()


def test_rerun_in_a_pictures_own_place(tmp_path, model, sky, capsys):
    """The new one is not compared with itself."""
    first = dreamt(sky, model, "dream.png")
    capsys.readouterr()

    assert main(["rerun", str(first), "-o", str(first), *model]) == 0

    assert "byte for byte" not in capsys.readouterr().out


def test_show_without_a_recipe(sky, capsys):
    """A picture of another program, and what is no picture, are errors that say so."""
    assert main(["show", str(sky)]) == 2
    assert "carries no recipe" in capsys.readouterr().err
    assert main(["show", __file__]) == 2
    assert "cannot be read as a picture: it is none" in capsys.readouterr().err


def test_show_of_an_empty_recipe():
    """What a recipe lacks is left out, or named as missing."""
    rows = dict(lines({"deepdream": "0.0.1", "command": "dream"}))
    assert rows["input"] == "an array"
    assert rows["seed"] == "none"


# -- with other parameters ------------------------------------------------------------------------

EVERYTHING = ["--iter-n", "3:1", "--octave-n", "all", "--octave-min", "20", "--smooth", "1",
              "--normalize", "laplacian", "--bands", "2", "--border", "reflect", "--keep-colors",
              "0.5", "--strength", "0.9", "--blur", "0.2", "--tv", "0.1", "--l2", "0.01",
              "--rotate", "5", "--rescale", "0.1", "--flip", "--step-size", "2:1",
              "--width", "80"]  # fmt: skip


def test_everything_that_a_dream_can_do_is_repeated(tmp_path, model, sky, capsys):
    """From the command line into the recipe, shown, and back, byte for byte."""
    mask = tmp_path / "mask.png"
    save_image(np.linspace(0, 255, 71) * np.ones((53, 1)), mask)
    how = ["--end", "a/output", "--seed", "3", *EVERYTHING, "--mask", str(mask)]
    first, again = tmp_path / "dream.png", tmp_path / "again.png"
    assert main(["dream", str(sky), "-o", str(first), *model, *how]) == 0

    assert main(["rerun", str(first), "-o", str(again), *model]) == 0
    assert again.read_bytes() == first.read_bytes()
    recipe = read_recipe(first)
    told = recipe["parameters"]
    for flag, value in zip(EVERYTHING, EVERYTHING[1:]):
        if flag.startswith("--") and not value.startswith("--"):
            name = flag[2:].replace("-", "_")
            shown = "all" if told[name] == "all" else str(told[name]).strip("[]").replace(", ", ":")
            assert shown.replace(".0", "") == value.replace(".0", ""), name
    assert told["flip"] is True
    assert recipe["mask"]["file"] == "mask.png"
    capsys.readouterr()
    assert main(["show", str(first)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for words in ("style 2015", "iter_n 3 to 1", "mask mask.png (71x53)", "normalize laplacian"):
        assert words in printed
    mask.unlink()
    with pytest.raises(MissingFileError, match="its mask, 'mask.png', is missing"):
        rerun(first, net=load_net(model[1], model[3], mean=(104, 117, 123)))


def test_parameters_may_be_changed(tmp_path, model, sky, capsys):
    """What is said is another, the rest stays; the recipe is that of the new picture."""
    first = dreamt(sky, model, "dream.png", "--smooth", "1")
    changed, expected = (
        tmp_path / "changed.png",
        dreamt(sky, model, "expected.png", "--jitter", "3"),
    )
    assert main(["rerun", str(first), "-o", str(changed), *model, "--jitter", "3",
                 "--smooth", "0"]) == 0  # fmt: skip

    assert "changed: smooth, jitter" in capsys.readouterr().out.replace(
        "jitter, smooth", "smooth, jitter"
    )
    np.testing.assert_array_equal(load_image(changed), load_image(expected))
    assert read_recipe(changed)["parameters"]["jitter"] == 3
    styled = tmp_path / "styled.png"
    assert main(["rerun", str(first), "-o", str(styled), *model, "--style", "subtle",
                 "--iter-n", "1"]) == 0  # fmt: skip
    recipe = read_recipe(styled)
    assert recipe["style"] == "subtle"
    assert recipe["parameters"]["keep_colors"] == 1.0
    assert recipe["parameters"]["end"] == "a/output"


def test_the_same_dream_larger(tmp_path, model, sky):
    """A larger width composes at the recipe's size; a second rerun keeps that size."""
    first, large, larger = (tmp_path / f"{n}.png" for n in (1, 2, 3))
    small = ["--width", "60", "--iter-n", "3", "--octave-n", "2", "--seed", "3", "--smooth", "1"]
    assert main(["dream", str(sky), "-o", str(first), *model, "--end", "a/output", *small]) == 0
    assert main(["rerun", str(first), "-o", str(large), *model, "--width", "200"]) == 0
    assert main(["rerun", str(large), "-o", str(larger), *model, "--height", "200"]) == 0

    assert load_image(large).shape == (149, 200, 3)
    assert read_recipe(large)["parameters"]["compose"] == [60, 45]
    assert load_image(larger).shape == (200, 268, 3)
    found = read_recipe(larger)["parameters"]
    assert found["compose"] == [60, 45]
    assert "width" not in found
    again = tmp_path / "again.png"
    assert main(["rerun", str(large), "-o", str(again), *model]) == 0
    assert again.read_bytes() == large.read_bytes()
    smaller = tmp_path / "smaller.png"
    assert main(["rerun", str(first), "-o", str(smaller), *model, "--width", "40"]) == 0
    assert "compose" not in read_recipe(smaller)["parameters"]


def test_a_frame_takes_no_changes(tmp_path, model, sky):
    """All frames before it would be others, too."""
    folder = tmp_path / "frames"
    assert main(["zoom", str(sky), "-o", str(folder), "--frames", "1", *model, *HOW]) == 0
    shutil.copy(sky, folder / "sky.png")
    with pytest.raises(ParameterError, match="frame of a zoom: .* not with another jitter"):
        rerun(folder / "0000.png", jitter=3)


def test_a_dream_of_noise_needs_no_file(tmp_path, model, capsys):
    """The noise is made again from its seed, which is the dream's."""
    first, again = tmp_path / "dream.png", tmp_path / "again.png"
    assert main(["dream", "noise:71x53", "-o", str(first), *model, *HOW]) == 0
    assert main(["rerun", str(first), "-o", str(again), *model]) == 0

    assert again.read_bytes() == first.read_bytes()
    assert load_image(first).shape == (53, 71, 3)
    capsys.readouterr()
    assert main(["show", str(first)]) == 0
    assert "noise of seed 3 (71x53)" in capsys.readouterr().out
    assert main(["dream", "noise:many", "-o", str(first), *model, *HOW]) == 2
    assert "as noise:1024x576" in capsys.readouterr().err


def test_old_recipes_have_the_notebooks_numbers(tmp_path, model, sky):
    """What a recipe of an earlier version does not name was not there yet, whatever the style."""
    first = dreamt(sky, model, "dream.png")
    recipe = read_recipe(first)
    del recipe["style"]
    picture = load_image(first)
    save_image(picture, first, recipe=recipe)
    net = load_net(model[1], model[3], mean=(104, 117, 123))
    net.model = dataclasses.replace(MODELS["efficientnet_lite0"], end="a/output")

    np.testing.assert_array_equal(np.rint(rerun(first, net=net)), picture)
