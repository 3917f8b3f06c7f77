"""Recipes: what goes into a picture comes out of it again."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from deepdream import __version__
from deepdream.errors import ImageError, MissingFileError
from deepdream.images import Picture, load_image, save_image
from deepdream.recipe import (
    build_recipe,
    describe_net,
    parse_recipe,
    read_recipe,
    recipe_text,
)

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, example B.1


@pytest.fixture
def net(tmp_path):
    """What load_net returns, as far as a recipe looks."""
    (tmp_path / "deploy.prototxt").write_bytes(b"abc")
    (tmp_path / "x.caffemodel").write_bytes(b"")
    return SimpleNamespace(
        name="GoogleNet",
        model=SimpleNamespace(name="googlenet"),
        prototxt_path=tmp_path / "deploy.prototxt",
        weights_path=str(tmp_path / "x.caffemodel"),
        transformer=SimpleNamespace(mean={"data": np.float32([[[104]], [[117]], [[123]]])}),
    )


@pytest.fixture
def recipe(net):
    """The recipe of a dream."""
    parameters = {"end": "inception_4c/output", "iter_n": 10, "octave_scale": 1.4, "clip": True}
    source = {"file": "sky – Wolken.jpg", "sha256": ABC, "size": [1024, 575]}
    return build_recipe(net, parameters, seed=7, source=source)


def picture(h=5, w=7):
    return np.random.RandomState(0).randint(0, 256, (h, w, 3)).astype(np.float32)


def test_a_recipe_tells_how_to_make_the_picture(recipe):
    """Version, network with hashes and mean, parameters, seed and input are in it."""
    assert list(recipe) == ["deepdream", "command", "model", "parameters", "seed", "input"]
    assert recipe["deepdream"] == __version__
    assert recipe["command"] == "dream"
    assert recipe["model"]["name"] == "googlenet"
    assert recipe["model"]["prototxt_sha256"] == ABC
    assert recipe["model"]["caffemodel_sha256"].startswith("e3b0c44298fc1c14")
    assert recipe["model"]["mean"] == [104, 117, 123]
    assert recipe["parameters"]["octave_scale"] == 1.4
    assert recipe["seed"] == 7
    assert recipe["input"]["size"] == [1024, 575]


def test_what_is_not_known_is_left_out():
    """A bare pycaffe-like net gives its name and nothing false; further entries may be None."""
    found = build_recipe(SimpleNamespace(name="mine"), {}, guide=None, stopped=True)

    assert found["model"] == {"name": "mine"}
    assert found["stopped"] is True
    assert "guide" not in found


def test_a_net_without_any_of_it_has_an_empty_name():
    """Even an object that is hardly a net can be described."""
    assert describe_net(object()) == {"name": ""}


def objective_mine(dst):
    """An objective of a user's own."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.arange(3), [0, 1, 2]),
        ((1, 2.5), [1, 2.5]),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (objective_mine, "objective_mine"),
        (functools.partial(objective_mine), "partial"),
        (Path("home") / "me" / "sky.jpg", "sky.jpg"),
        ({3: None}, {"3": None}),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_every_value_becomes_json(value, expected):
    """numpy numbers, functions, paths and the rest become what JSON can hold; folders go."""
    recipe = build_recipe(SimpleNamespace(name="mine"), {"value": value})

    assert recipe["parameters"]["value"] == expected
    assert json.loads(recipe_text(recipe)) == recipe


def test_a_large_array_becomes_its_hash():
    """An array of a picture's size is told by shape, dtype and hash, not written out."""
    text = build_recipe(None, {"guide": np.zeros((300, 200, 3), np.float32)})["parameters"]["guide"]

    assert text.startswith("array float32 (300, 200, 3) sha256 ")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("grey", [False, True])
def test_round_trip_through_a_file(tmp_path, recipe, suffix, grey):
    """Every format gives the recipe back as it was, names in other alphabets included."""
    img = picture()[..., 0] if grey else picture()
    save_image(img, tmp_path / f"a{suffix}", recipe=recipe)

    assert read_recipe(tmp_path / f"a{suffix}") == recipe


def test_a_picture_brings_its_own_recipe(tmp_path, recipe):
    """save_image takes the recipe of a Picture; one that is passed goes before it."""
    img = Picture(picture(), recipe=recipe)
    save_image(img, tmp_path / "a.png")
    save_image(img, tmp_path / "b.png", recipe={**recipe, "seed": 8})

    assert read_recipe(tmp_path / "a.png")["seed"] == 7
    assert read_recipe(tmp_path / "b.png")["seed"] == 8


def test_the_recipe_changes_no_pixel(tmp_path, recipe):
    """A PNG with a recipe has the pixels of one without."""
    save_image(picture(), tmp_path / "a.png", recipe=recipe)

    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), picture())


def test_alpha_and_recipe_together(tmp_path, recipe):
    """A transparent WebP keeps both."""
    alpha = np.arange(35, dtype=np.uint8).reshape(5, 7)
    save_image(Picture(picture(), alpha, recipe), tmp_path / "a.webp")

    assert read_recipe(tmp_path / "a.webp") == recipe
    np.testing.assert_array_equal(load_image(tmp_path / "a.webp").alpha, alpha)


def test_other_programs_see_who_made_it(tmp_path, recipe):
    """The PNG's Software text names the program and its version."""
    save_image(picture(), tmp_path / "a.png", recipe=recipe)

    with Image.open(tmp_path / "a.png") as image:
        assert image.info["Software"] == f"deepdream {__version__}"


def test_a_recipe_too_long_for_jpeg_is_left_out_with_a_warning(tmp_path, recipe):
    """A JPEG comment has 65533 bytes; the picture is more important."""
    recipe["note"] = "x" * 70000
    with pytest.warns(UserWarning, match="PNG has room"):
        save_image(picture(), tmp_path / "a.jpg", recipe=recipe)
    save_image(picture(), tmp_path / "a.png", recipe=recipe)

    with pytest.raises(ImageError, match="carries no recipe"):
        read_recipe(tmp_path / "a.jpg")
    assert len(read_recipe(tmp_path / "a.png")["note"]) == 70000


def test_a_picture_without_recipe_says_so(tmp_path):
    """The message names the file and what may have happened."""
    Image.fromarray(np.uint8(picture())).save(tmp_path / "a.jpg", comment=b'{"some": "json"}')

    with pytest.raises(ImageError, match=r"a\.jpg' carries no recipe"):
        read_recipe(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (None, MissingFileError, "There is no file"),
        (b"words", ImageError, "cannot be read as a picture"),
        (b"", ImageError, "cannot be read as a picture"),
    ],
    ids=["missing", "text", "empty"],
)
def test_what_is_no_picture_has_no_recipe(tmp_path, content, error, words):
    """Wrong files end in the same errors as load_image."""
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)

    with pytest.raises(error, match=words):
        read_recipe(tmp_path / "a.png")


@pytest.mark.parametrize(
    "text",
    ["", "null", "[1]", "{}", '{"seed": 1}', "{", "[" * 100000, b"\xff\xfe", '"deepdream"'],
    ids=lambda text: str(text[:12]),
)
def test_what_is_no_recipe(text):
    """Text of other programs, damaged or hostile, is not taken for a recipe."""
    assert parse_recipe(text) is None


def test_a_recipe_is_one_line_of_ascii(recipe):
    """Every metadata field of every format can hold it, and the version comes first."""
    text = recipe_text(recipe)

    assert text.isascii()
    assert "\n" not in text
    assert text.startswith('{"deepdream": ')
