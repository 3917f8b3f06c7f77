"""Galleries: what is shown, the folder, the page, the command."""

from __future__ import annotations

import html
import itertools
import json
import re
import shlex
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tiny import TINY, tiny_net, write_tiny

from deepdream.cli import main
from deepdream.dreaming.dream import dream
from deepdream.dreaming.objectives import objective_channel
from deepdream.errors import (
    MissingFileError,
    ParameterError,
    ShapeError,
    UnknownLayerError,
    WriteError,
)
from deepdream.galleries import make
from deepdream.galleries.make import gallery, write_gallery
from deepdream.galleries.manifest import read_manifest
from deepdream.galleries.page import compare_galleries
from deepdream.galleries.targets import file_stems, find_targets, left_out, parse_channels
from deepdream.images import Picture, load_image, save_image
from deepdream.models.load import load_net
from deepdream.recipe import read_recipe

MEAN = (104, 117, 123)
FEW = {"iter_n": 1, "octave_n": 2, "jitter": 3}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def net(files):
    return load_net(*files, mean=MEAN)


@pytest.fixture
def model(files):
    """Arguments that name the small net's files."""
    return ["--model", str(files[0]), "--weights", str(files[1]), "--mean", "104,117,123"]


def picture(h=43, w=59):
    return np.random.RandomState(5).uniform(0, 255, (h, w, 3)).astype(np.float32)


@pytest.fixture
def sky(tmp_path):
    path = tmp_path / "sky.png"
    save_image(picture(), path)
    return path


def pictures_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))


def data_of(page):
    """Return what the page's script knows."""
    text = page.read_text("utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)<', text)[1])


# -- what is shown ---------------------------------------------------------------------------------


def test_files_are_named_as_the_community_names_them():
    """Slashes are underscores; nothing else of a usual name changes."""
    names = ["inception_4d/3x3_reduce", "conv2/norm2", "conv1/7x7_s2", "res2a_branch1"]

    stems = file_stems(names)

    assert stems == ["inception_4d_3x3_reduce", "conv2_norm2", "conv1_7x7_s2", "res2a_branch1"]


def test_no_two_layers_share_a_file():
    """Names that differ in case, in a slash or only far behind get files of their own."""
    names = ["a/b", "a_b", "A_B", "CON", "input", "..", "", 'x"<>|?*', "ü" * 200, "ü" * 201]

    stems = file_stems(names)

    assert len({stem.casefold() for stem in stems}) == len(names)
    assert stems[:5] == ["a_b", "a_b_2", "A_B_3", "CON_2", "input_2"]
    for stem in stems:
        assert re.fullmatch(r"[\w.-]+", stem)
        assert 0 < len(stem.encode()) <= 130


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0-2,5", [0, 1, 2, 5]),
        ("6, 1-2,2", [1, 2, 6]),
        ("all", [0, 1, 2, 3, 4, 5, 6]),
        ([4, 3], [3, 4]),
    ],
)
def test_channels_are_numbers_and_ranges(text, numbers):
    """Each channel once, in ascending order."""
    assert parse_channels(text, 7, "conv") == numbers


@pytest.mark.parametrize(
    ("text", "message"),
    [("7", "0 to 6; there is no 7"), ("2-1", "'2-1' is neither"), ("x", "'x'"), ("", "''"),
     ("-1", "'-1'"), ([], "empty")],
)  # fmt: skip
def test_channels_that_make_no_sense_are_refused(text, message):
    """The message quotes what is wrong, and says what is there."""
    with pytest.raises(ParameterError, match=message):
        parse_channels(text, 7, "conv")


def test_every_layer_with_rows_and_columns_is_a_target():
    """Layers in place, inputs and what comes behind an inner product are left out."""
    net = tiny_net()

    targets = find_targets(net, (43, 59))

    assert [target.layer for target in targets] == [
        "conv1", "pool1", "norm1", "a/1x1", "a/3x3_reduce", "a/3x3", "a/pool", "a/output", "pool2",
    ]  # fmt: skip
    assert left_out(net) == ["fc", "prob"]
    by_name = {target.layer: target for target in targets}
    assert by_name["a/3x3"].shape == (7, 11, 15)
    assert by_name["a/3x3"].stride == (4, 4)
    assert by_name["a/3x3"].field == (17, 17)
    assert by_name["a/3x3"].type == "Convolution"
    assert by_name["a/3x3"].cost > by_name["a/3x3_reduce"].cost > by_name["norm1"].cost


def test_sections_follow_the_receptive_field():
    """Up to 32 pixels a layer is low, up to 160 middle, beyond it high."""
    net = load_net()

    sections = {t.layer: t.section for t in find_targets(net, (90, 120), "block*/output")}

    assert sections["block2/output"] == "low"
    assert sections["block3/output"] == sections["block7/output"] == "mid"
    assert sections["block8/output"] == sections["block10/output"] == "high"


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("a/*", ["a/1x1", "a/3x3_reduce", "a/3x3", "a/pool", "a/output"]),
        ("pool?, conv1", ["conv1", "pool1", "pool2"]),
        ("a/[13]x*", ["a/1x1", "a/3x3_reduce", "a/3x3"]),
        ("a/3x3", ["a/3x3"]),
    ],
)
def test_layers_are_chosen_by_patterns(layers, found):
    """As in a shell; in the network's order, none twice."""
    assert [target.layer for target in find_targets(tiny_net(), (43, 59), layers)] == found


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("a/outptu", "Did you mean 'a/output'"),
        ("a/relu_3x3", "works in place on 'a/3x3': choose that"),
        ("conv1,fc", "'fc' fits only layers without rows"),
        ("inception*", "no layer fits 'inception"),
    ],
)
def test_patterns_that_fit_nothing_are_refused(layers, message):
    """Each pattern has to fit something, and the message says what would."""
    with pytest.raises(UnknownLayerError, match=re.escape(message)):
        find_targets(tiny_net(), (43, 59), layers)


# -- the folder ------------------------------------------------------------------------------------


def test_a_gallery_has_a_picture_for_every_layer(tmp_path, net):
    """In the folder itself where there is one number of octaves, with the page and the input."""
    folder = tmp_path / "new" / "gallery"

    page = gallery(net, picture(), folder, seed=3, **FEW)

    assert page == folder / "index.html"
    assert sorted(path.name for path in folder.iterdir()) == [
        "a_1x1.jpg", "a_3x3.jpg", "a_3x3_reduce.jpg", "a_output.jpg", "a_pool.jpg", "conv1.jpg",
        "gallery.json", "index.html", "input.png", "norm1.jpg", "pool1.jpg", "pool2.jpg",
    ]  # fmt: skip
    start = load_image(folder / "input.png")
    expected = dream(net, start, "a/3x3", seed=3, **FEW)
    with Image.open(folder / "a_3x3.jpg") as made:
        np.testing.assert_allclose(np.asarray(made, np.float32), expected, atol=60)
        assert np.abs(np.asarray(made, np.float32) - expected).mean() < 4
    recipe = read_recipe(folder / "a_3x3.jpg")
    assert recipe["seed"] == 3
    assert recipe["parameters"]["end"] == "a/3x3"
    assert recipe["input"]["file"] == "input.png"


def test_several_numbers_of_octaves_have_folders_of_their_own(tmp_path, net):
    """So have those that are added to a gallery later; the first one's pictures stay."""
    gallery(net, picture(), tmp_path / "both", layers="conv1", **{**FEW, "octave_n": (3, 1)})
    assert pictures_in(tmp_path / "both") == ["octaves-1/conv1.jpg", "octaves-3/conv1.jpg"]

    for octave_n in (1, 3):
        more = {**FEW, "octave_n": octave_n}
        made = list(write_gallery(net, picture(), tmp_path / "later", layers="conv1", **more))
        assert len(made) == 1
    assert pictures_in(tmp_path / "later") == ["conv1.jpg", "octaves-3/conv1.jpg"]
    for name, other in (("octaves-1/conv1.jpg", "conv1.jpg"), ("octaves-3/conv1.jpg",) * 2):
        expected = (tmp_path / "both" / name).read_bytes()
        assert (tmp_path / "later" / other).read_bytes() == expected
    series = data_of(tmp_path / "later" / "index.html")["series"]
    assert [one["label"] for one in series] == ["1 octave", "3 octaves"]


@pytest.mark.parametrize("width", [None, 41], ids=["as it is", "shrunk"])
def test_the_command_on_the_page_makes_the_picture_again(tmp_path, model, sky, monkeypatch, width):
    """Byte for byte, run where the page says."""
    monkeypatch.chdir(tmp_path)
    out, again = tmp_path / "gallery", tmp_path / "again"
    arguments = [] if width is None else ["--width", str(width)]
    quick = ["--layers", "a/3x3,conv1", "--octave-n", "2", "--iter-n", "2", "--jitter", "5",
             "--step-size", "2.5", "--no-clip", "--seed", "8"]  # fmt: skip
    assert main(["gallery", str(sky), "-o", str(out), *model, *quick, *arguments]) == 0
    known = data_of(out / "index.html")["pictures"]
    assert [one["name"] for one in known] == ["conv1", "a/3x3"]

    for one in known:
        program, *words = shlex.split(one["command"])
        assert program == "deepdream"
        where = out if width is not None else tmp_path
        assert f"where {words[1]} is" in one["where"]
        words[1], words[3] = str(where / words[1]), str(again / words[3])
        again.mkdir(exist_ok=True)
        words[words.index("--model") + 1] = model[1]
        words[words.index("--weights") + 1] = model[3]
        assert main(words) == 0
        assert (again / one["file"]).read_bytes() == (out / one["file"]).read_bytes()
    h, w = load_image(out / "input.png").shape[:2]
    assert (w, h) == ((59, 43) if width is None else (41, 30))


def test_an_interrupted_gallery_goes_on(tmp_path, net):
    """What is made stays as it is, what was begun is made anew, and all is as in one run."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    gallery(net, picture(), whole, layers="a/*", **FEW)
    steps = itertools.count()

    def press(step):
        if next(steps) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gallery(net, picture(), parts, layers="a/*", on_step=press, **FEW)

    assert pictures_in(parts) == ["a_1x1.jpg", "a_3x3_reduce.jpg"]
    text = (parts / "index.html").read_text("utf-8")
    assert text.count('<a class="open"') == 2
    assert text.count("not made yet") == 3
    before = {name: (parts / name).stat().st_mtime_ns for name in pictures_in(parts)}

    made = [entry.file for entry in write_gallery(net, picture(), parts, layers="a/*", **FEW)]

    assert made == ["a_3x3.jpg", "a_pool.jpg", "a_output.jpg"]
    assert before == {name: (parts / name).stat().st_mtime_ns for name in before}
    for name in pictures_in(whole):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    assert "not made yet" not in (parts / "index.html").read_text("utf-8")
    assert not list(write_gallery(net, picture(), parts, layers="a/*", **FEW))


def test_ctrl_c_inside_a_step_drops_the_picture(tmp_path, net, monkeypatch):
    """`dream` returns the picture so far then; a gallery does not keep it."""
    real = make.dream

    def pressed(*args, **params):
        made = real(*args, **params)
        if args[2] == "a/3x3":
            made.recipe["stopped"] = True
        return made

    monkeypatch.setattr(make, "dream", pressed)

    with pytest.raises(KeyboardInterrupt):
        gallery(net, picture(), tmp_path, layers="a/*", **FEW)

    assert pictures_in(tmp_path) == ["a_1x1.jpg", "a_3x3_reduce.jpg"]


def test_a_deleted_picture_is_made_again(tmp_path, net):
    """A picture is there when its file is."""
    gallery(net, picture(), tmp_path, layers="a/*", **FEW)
    (tmp_path / "a_pool.jpg").unlink()

    made = [entry.file for entry in write_gallery(net, picture(), tmp_path, layers="a/*", **FEW)]

    assert made == ["a_pool.jpg"]


def test_one_layers_failure_does_not_stop_the_rest(tmp_path, net):
    """It is shown in its place with the reason, and tried again by the next run."""
    net.params["a/1x1"][0].data[...] = 0

    made = list(write_gallery(net, picture(), tmp_path, layers="a/[13]x*", **FEW))

    assert [bool(entry.error) for entry in made] == [True, False, False]
    assert pictures_in(tmp_path) == ["a_3x3.jpg", "a_3x3_reduce.jpg"]
    text = (tmp_path / "index.html").read_text("utf-8")
    assert "No picture" in text
    assert html.escape(made[0].error) in text
    assert "gradient" in made[0].error

    net.params["a/1x1"][0].data[...] = 0.1
    again = list(write_gallery(net, picture(), tmp_path, layers="a/[13]x*", **FEW))

    assert [(entry.layer, entry.error) for entry in again] == [("a/1x1", "")]
    assert "No picture" not in (tmp_path / "index.html").read_text("utf-8")


def test_a_picture_too_small_for_the_deep_layers_is_told(tmp_path, net):
    """The shallow layers are made, the deep ones say how many pixels they need."""
    made = {e.layer: e for e in write_gallery(net, picture(5, 3), tmp_path, **FEW)}

    assert not made["conv1"].error
    assert "too small for 'pool2'" in made["pool2"].error
    assert any("octaves are left out" in note for e in made.values() for note in e.notes)
    assert "<span>Pooling</span> <span>stride 8</span>" in (tmp_path / "index.html").read_text(
        "utf-8"
    )


def test_a_full_disk_stops_the_gallery(tmp_path, net, monkeypatch):
    """It is no fault of one layer; what was written before stays."""
    real = make.save_image
    written = itertools.count()

    def full(img, path, **more):
        if path.suffix == ".jpg" and next(written) == 1:
            raise WriteError("no space left")
        real(img, path, **more)

    monkeypatch.setattr(make, "save_image", full)

    with pytest.raises(WriteError, match="no space"):
        gallery(net, picture(), tmp_path, layers="a/*", **FEW)

    assert pictures_in(tmp_path) == ["a_1x1.jpg"]
    assert len(read_manifest(tmp_path).entries) == 1


def test_another_gallery_in_the_folder_is_refused(tmp_path, net):
    """Other parameters, another seed, picture or format; the message says which."""
    gallery(net, picture(), tmp_path, layers="conv1", seed=6, **FEW)

    for change, message in (
        ({"seed": 7}, "seed 6, not 7"),
        ({"iter_n": 3}, "iter_n 1, not 3"),
        ({"suffix": ".png"}, "format .jpg, not .png"),
        ({"width": 30}, "width None, not 30"),
        ({"guide": picture(31, 37)}, "guide None, not "),
    ):
        with pytest.raises(ParameterError, match=f"made with {message}"):
            gallery(net, picture(), tmp_path, layers="conv1", **{"seed": 6, **FEW, **change})
    with pytest.raises(ParameterError, match="made with picture"):
        gallery(net, picture() / 2, tmp_path, layers="conv1", seed=6, **FEW)


def test_another_network_in_the_folder_is_refused(tmp_path, net):
    """Weights count by their hash, not by their name."""
    folder = tmp_path / "gallery"
    gallery(net, picture(), folder, layers="conv1", **FEW)
    other = load_net(*write_tiny(tmp_path, seed=1), mean=MEAN)

    with pytest.raises(ParameterError, match="network caffemodel_sha256"):
        gallery(other, picture(), folder, layers="conv1", **FEW)


def test_somebody_elses_files_are_not_written_over(tmp_path, net):
    """A folder with a page or a picture but no manifest is refused before anything is done."""
    (tmp_path / "conv1.jpg").write_bytes(b"somebody's")

    with pytest.raises(ParameterError, match="'conv1.jpg', but no gallery.json"):
        gallery(net, picture(), tmp_path, **FEW)

    assert [path.name for path in tmp_path.iterdir()] == ["conv1.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "cannot be read"), ("[]", "cannot be read"), ('{"format": 1}', "cannot be read"),
     ('{"format": 99, "deepdream": "9.0"}', "written by deepdream 9.0")],
)  # fmt: skip
def test_a_damaged_manifest_is_told(tmp_path, net, text, message):
    """With what to do next."""
    (tmp_path / "gallery.json").write_text(text)

    with pytest.raises(ParameterError, match=message):
        gallery(net, picture(), tmp_path, **FEW)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"end": "conv1"}, "'layers' says where"),
        ({"iterations": 3}, "no parameter 'iterations'"),
        ({"octave_n": []}, "octave_n is empty"),
        ({"octave_n": [2, 0]}, "octave_n is 0"),
        ({"iter_n": -1}, "iter_n is -1"),
        ({"seed": None}, "seed is None"),
        ({"width": 0}, "width is 0"),
        ({"suffix": ".gif"}, "suffix is '.gif'"),
        ({"channels": "1", "layers": "a/*"}, "'a/\\*' fits 5"),
        ({"channels": "1", "layers": "conv1", "guide": picture(31, 37)}, "channels and guide"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(tmp_path, net, wrong, message):
    """Before a folder is made."""
    folder = tmp_path / "gallery"

    with pytest.raises(ParameterError, match=message):
        gallery(net, picture(), folder, **{**FEW, **wrong})

    assert not folder.exists()


def test_each_channel_has_a_picture_of_its_own(tmp_path, net):
    """Only that channel grows, and the recipe names it."""
    gallery(net, picture(), tmp_path, layers="a/3x3", channels="0,5-6", suffix=".png", **FEW)

    names = sorted(path.name for path in tmp_path.glob("a_*.png"))
    assert names == ["a_3x3_channel0.png", "a_3x3_channel5.png", "a_3x3_channel6.png"]

    def channel_5(dst):
        dst.diff[...] = 0
        dst.diff[:, 5] = dst.data[:, 5]

    start = load_image(tmp_path / "input.png")
    expected = dream(net, start, "a/3x3", objective=channel_5, seed=0, **FEW)
    np.testing.assert_allclose(load_image(tmp_path / names[1]), expected, atol=0.6)
    others = [load_image(tmp_path / name) for name in names]
    assert np.abs(others[0] - others[1]).mean() > 0.1
    assert read_recipe(tmp_path / names[1])["parameters"]["objective"] == "objective_channel(5)"
    known = data_of(tmp_path / "index.html")["pictures"]
    assert [one["name"] for one in known] == [f"a/3x3, channel {n}" for n in (0, 5, 6)]
    assert "--layers a/3x3 --channels 5 " in known[1]["command"]


def test_steps_tell_how_far_the_gallery_is(tmp_path, net):
    """The share of all work grows to 1; returning False ends quietly, without a part."""
    steps = []
    gallery(net, picture(), tmp_path / "all", layers="a/*", on_step=steps.append, **FEW)

    shares = [step.all_done for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert [step.what for step in steps[::2]] == ["a/1x1", "a/3x3_reduce", "a/3x3", "a/pool",
                                                  "a/output"]  # fmt: skip

    made = list(write_gallery(net, picture(), tmp_path / "some", layers="a/*",
                              on_step=lambda step: step.what != "a/3x3", **FEW))  # fmt: skip
    assert [entry.layer for entry in made] == ["a/1x1", "a/3x3_reduce"]
    assert pictures_in(tmp_path / "some") == ["a_1x1.jpg", "a_3x3_reduce.jpg"]


def test_an_error_in_on_step_is_the_users(tmp_path, net):
    """It is not taken for a layer's failure."""

    def wrong(step):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        gallery(net, picture(), tmp_path, on_step=wrong, **FEW)


def test_transparency_and_guides_go_through(tmp_path, net):
    """A shrunk picture keeps its alpha in PNG; a guide steers every layer."""
    alpha = np.random.RandomState(1).randint(0, 256, (43, 59)).astype(np.uint8)

    gallery(net, Picture(picture(), alpha), tmp_path, layers="a/3x3", width=31, suffix=".png",
            guide=picture(31, 37), **FEW)  # fmt: skip

    made = load_image(tmp_path / "a_3x3.png")
    assert made.shape == (23, 31, 3)
    np.testing.assert_array_equal(made.alpha, load_image(tmp_path / "input.png").alpha)
    assert read_recipe(tmp_path / "a_3x3.png")["parameters"]["objective"] == "objective_guide"


def test_the_public_function_is_the_gallery():
    """Also after the command has loaded the package behind it."""
    import deepdream

    assert "deepdream.galleries.page" in sys.modules
    assert deepdream.gallery is gallery


# -- the page --------------------------------------------------------------------------------------

HOSTILE = TINY.replace('"a/3x3"', '"</script><script>bad()</script>"').replace(
    '"a/1x1"', "'\"><img src=x onerror=bad()>'"
)


@pytest.fixture
def hostile(tmp_path):
    """A net whose layers' names are attacks on the page, and its picture's name, too."""
    from deepdream.reading.proto import parse_prototxt
    from deepdream.running.fillers import seed_weights
    from deepdream.running.net import Net

    (tmp_path / "deploy.prototxt").write_text(HOSTILE)
    net = Net(parse_prototxt(HOSTILE), 1, force_backward=True)
    seed_weights(net, 0)
    net.save(tmp_path / "x.caffemodel")
    return load_net(tmp_path / "deploy.prototxt", tmp_path / "x.caffemodel", mean=MEAN)


def test_names_cannot_break_the_page(tmp_path, hostile):
    """Layer and file names are text on it, whatever they contain."""
    img = Picture(picture(), source={"file": "<b>$title &amp; 'sky'.png", "sha256": "", "size": []})

    page = gallery(hostile, img, tmp_path / "g", layers="*", **FEW)

    text = page.read_text("utf-8")
    assert text.count("<script") == 2
    assert text.count("</script") == 2
    assert "<img src=x" not in text
    assert "<b>" not in text
    assert "What tiny sees in &lt;b&gt;$title &amp;amp; &#x27;sky&#x27;.png" in text
    names = [one["name"] for one in data_of(page)["pictures"]]
    assert "</script><script>bad()</script>" in names
    commands = [shlex.split(one["command"]) for one in data_of(page)["pictures"]]
    assert {words[words.index("--end") + 1] for words in commands} == set(names)


def test_the_page_needs_nothing_from_outside(tmp_path, net):
    """No address in it, small pictures inside, full ones linked by relative names that exist."""
    page = gallery(net, picture(), tmp_path, **{**FEW, "octave_n": (1, 2)})

    text = page.read_text("utf-8")
    outside = re.sub(r"data:image/[^\"]*|^ *//.*$", "", text, flags=re.MULTILINE)
    assert not re.search(r"https?:|//\w|@import|url\(", outside)
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(sources) == 2 * 2 * 9 + 2
    for source in sources:
        assert source.startswith(("data:image/", "#")) or (tmp_path / source).is_file()
    for one in data_of(page)["pictures"]:
        assert (tmp_path / one["src"]).is_file()
    assert "Not here, because they have no rows and columns to dream on: fc, prob." in text


def test_the_page_tells_what_each_layer_is(tmp_path, net):
    """Type, blob shape, stride, receptive field; on the card and in the viewer."""
    page = gallery(net, picture(), tmp_path, layers="a/3x3", **FEW)

    text = page.read_text("utf-8")
    assert "<span>Convolution</span> <span>7×11×15</span>" in text
    facts = dict(data_of(page)["pictures"][0]["facts"])
    assert facts["Type"] == "Convolution"
    assert facts["Blob"] == "7×11×15"
    assert facts["Stride"] == "4"
    assert facts["Sees"] == "17 pixels"
    assert 'alt="dream at a/3x3, 2 octaves"' in text


def test_an_embedded_page_holds_the_pictures(tmp_path, net):
    """Nothing but the page is needed."""
    import base64

    page = gallery(net, picture(), tmp_path, layers="conv1", embed=True, **FEW)

    known = data_of(page)
    kind, content = known["pictures"][0]["src"].split(",")
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(content) == (tmp_path / "conv1.jpg").read_bytes()
    assert known["series"][0]["input"].startswith("data:image/png")
    assert 'href="#conv1"' in page.read_text("utf-8")


def test_two_galleries_share_a_page(tmp_path, net):
    """Pictures of the same layer are on one card; links lead from the page to both folders."""
    first, second = tmp_path / "first", tmp_path / "my second"
    gallery(net, picture(), first, layers="a/*", seed=1, **FEW)
    gallery(net, picture(), second, layers="a/3x3,conv1", seed=2, **FEW)
    (tmp_path / "pages").mkdir()

    page = compare_galleries([first, second], tmp_path / "pages" / "both.html")

    known = data_of(page)
    assert [one["label"] for one in known["series"]] == ["seed 1", "seed 2"]
    assert [one["input"] for one in known["series"]] == [
        "../first/input.png", "../my%20second/input.png",
    ]  # fmt: skip
    shared = [one for one in known["pictures"] if one["name"] == "a/3x3"]
    assert [one["series"] for one in shared] == [0, 1]
    assert len({one["card"] for one in shared}) == 1
    assert len(known["pictures"]) == 7
    assert page.read_text("utf-8").count('<li class="card"') == 6


def test_two_equal_galleries_are_told_apart_by_their_folders(tmp_path, net):
    """Labels are never the same."""
    for name in ("one", "two"):
        gallery(net, picture(), tmp_path / name, layers="conv1", **FEW)

    page = compare_galleries([tmp_path / "one", tmp_path / "two"], tmp_path / "both.html")

    labels = [one["label"] for one in data_of(page)["series"]]
    assert labels == ["2 octaves, one", "2 octaves, two"]


def test_a_folder_without_gallery_cannot_be_compared(tmp_path):
    """And the message says how to make one."""
    with pytest.raises(MissingFileError, match="deepdream gallery IMAGE -o FOLDER"):
        compare_galleries([tmp_path, tmp_path], tmp_path / "both.html")


# -- the command -----------------------------------------------------------------------------------

QUICK = ["--layers", "a/*", "--octave-n", "1,2", "--iter-n", "1", "--jitter", "3"]


def test_the_command_makes_resumes_and_compares(tmp_path, model, sky, capsys):
    """One line says what was written; the second time there is nothing left to do."""
    out = tmp_path / "gallery"
    assert main(["gallery", str(sky), "-o", str(out), *model, *QUICK]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"wrote {out / 'index.html'} (10 new pictures, ")
    assert printed.err == ""
    assert len(pictures_in(out)) == 10

    assert main(["gallery", str(sky), "-o", str(out), *model, *QUICK]) == 0
    assert "(0 new pictures, " in capsys.readouterr().out

    page = tmp_path / "compared.html"
    assert main(["gallery", "--compare", str(out), str(out), "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"wrote {page} (2 galleries)\n"
    assert page.is_file()


def test_the_command_keeps_what_is_made_after_ctrl_c(tmp_path, model, sky, capsys, monkeypatch):
    """Status 130, and a line that says how to go on."""
    real, calls = make.dream, itertools.count()

    def pressed(*args, **params):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **params)

    monkeypatch.setattr(make, "dream", pressed)
    out = tmp_path / "gallery"

    assert main(["gallery", str(sky), "-o", str(out), *model, *QUICK]) == 130

    assert "3 pictures written" in capsys.readouterr().out
    assert len(pictures_in(out)) == 3
    assert (out / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SKY", "--layers", "inception*"], "no layer fits 'inception*'"),
        (["SKY", "--octave-n", "2;6"], "--octave-n is '2;6'"),
        (["SKY", "--layers", "conv1", "--channels", "9"], "0 to 5; there is no 9"),
        (["SKY", "--channels", "1"], "fits 9"),
        ([], "which picture?"),
        (["--compare", "x"], "two galleries or more"),
        (["--compare", "x", "y"], "'x' holds no gallery"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_errors_are_short(tmp_path, model, sky, capsys, arguments, message):
    """One to three lines on stderr, status 2, no folder."""
    words = [str(sky) if word == "SKY" else word for word in arguments]

    assert main(["gallery", *words, "-o", str(tmp_path / "out"), *model]) == 2

    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.strip().splitlines()) <= 3
    assert not (tmp_path / "out").exists()


def test_where_no_layer_works_the_command_fails(tmp_path, model, capsys):
    """A picture too small for all that was asked for is an error, and the page is there."""
    tiny = tmp_path / "dot.png"
    save_image(picture(2, 3), tiny)
    out = tmp_path / "out"

    assert main(["gallery", str(tiny), "-o", str(out), "--layers", "pool2", *model]) == 2

    assert "no picture could be made, of 1" in capsys.readouterr().err
    assert "No picture" in (out / "index.html").read_text("utf-8")


def test_warnings_go_to_the_page_not_to_the_terminal(tmp_path, net):
    """A hundred layers would say the same hundred times."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = gallery(net, picture(21, 17), tmp_path, layers="pool2", **{**FEW, "octave_n": 9})

    assert "octaves are left out" in data_of(page)["pictures"][0]["notes"]


def test_one_channel_grows_on_blobs_and_on_tensors():
    """Everything else of the gradient is zero; a channel that is not there is refused."""
    torch = pytest.importorskip("torch")
    data = np.random.RandomState(2).randn(1, 4, 3, 5).astype(np.float32)
    dst = SimpleNamespace(data=data, diff=np.full_like(data, 9))
    diff = torch.full((1, 4, 3, 5), 9.0)

    objective_channel(2)(dst)
    objective_channel(2).on_tensors(torch.from_numpy(data), diff)

    expected = np.zeros_like(data)
    expected[:, 2] = data[:, 2]
    np.testing.assert_array_equal(dst.diff, expected)
    np.testing.assert_array_equal(diff, expected)
    with pytest.raises(ShapeError, match="4 channels, 0 to 3: there is no 4"):
        objective_channel(4)(dst)
