"""Galleries: what is shown, the folder, the page, the command."""

from __future__ import annotations

import html
import itertools
import json
import re
import shlex
import struct
import sys
import warnings
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tiny import TINY, tiny_net, write_tiny

from deepdream.cli import main
from deepdream.dreaming.dream import dream
from deepdream.dreaming.objectives import objective_channel
from deepdream.dreaming.parameters import Parameters
from deepdream.dreaming.pictures.noise import noise
from deepdream.dreaming.prepared import Prepared
from deepdream.errors import (
    MissingFileError,
    ParameterError,
    ShapeError,
    UnknownLayerError,
    WriteError,
)
from deepdream.galleries import make, pace
from deepdream.galleries.make import gallery, write_gallery
from deepdream.galleries.manifest import read_manifest
from deepdream.galleries.page import compare_galleries, write_page
from deepdream.galleries.recreate import model_flags
from deepdream.galleries.targets import (
    _fitting,
    file_stems,
    find_targets,
    left_out,
    parse_channels,
)
from deepdream.images import Picture, load_image, save_image
from deepdream.jobs.job import Made
from deepdream.models.load import load_graph, load_net
from deepdream.models.registry import MODELS
from deepdream.reading.proto import parse_prototxt
from deepdream.recipe import read_recipe
from deepdream.running.net import Net

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
        ("inception*", "no layer of tiny fits 'inception*'. It has 'conv1', 'a/1x1', 'a/pool' ..."),
        ("data", "'data' is the picture that goes into the net, not a layer to dream at"),
        ("dat?", "choose one behind it, as 'conv1'"),
    ],
)
def test_patterns_that_fit_nothing_are_refused(layers, message):
    """Each pattern has to fit something, and the message says what would."""
    with pytest.raises(UnknownLayerError, match=re.escape(message)):
        find_targets(tiny_net(), (43, 59), layers)


def test_a_wrong_pattern_on_a_known_network_names_it():
    """The bundled one has no inception layers; the message says what it is, and what it has."""
    with pytest.raises(UnknownLayerError) as raised:
        find_targets(load_net(), (90, 120), "inception*")

    text = str(raised.value)
    assert text.startswith("no layer of efficientnet_lite0 fits 'inception*'. It has 'block")
    assert text.endswith("... List them with: deepdream layers")


# -- what is worth a picture ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "some", "none", "count"),
    [
        ("efficientnet_lite0", ["block0/output", "block10/output", "block15/output"],
         ["block1/expand", "block2/project", "block4/depthwise_relu6"], 18),
        ("googlenet", ["conv1/7x7_s2", "pool2/3x3_s2", "inception_4c/output"],
         ["inception_4c/1x1", "inception_4c/pool", "conv2/norm2", "pool1/norm1"], 15),
        ("vgg16", ["conv1_2", "pool1", "conv4_3", "pool5"], ["conv1_1", "conv4_2"], 10),
        ("resnet50", ["conv1", "pool1", "res2a", "res4c", "res5c"], ["res2a_branch2b"], 18),
        ("squeezenet_v1.1", ["conv1", "pool3", "fire9/concat"], ["fire9/expand1x1", "conv10"], 12),
        ("caffenet", ["conv5", "pool5"], ["conv3", "norm1"], 6),
    ],
)  # fmt: skip
def test_blocks_and_pools_are_worth_it(name, some, none, count):
    """A gallery shows them where no layers are named; nothing that a block does inside."""
    found = [target.layer for target in find_targets(load_graph(name), (224, 224), None)]

    assert {*some} <= {*found}
    assert not {*none} & {*found}
    assert len(found) == count
    assert MODELS[name].end in found


def test_a_net_without_blocks_and_pools_is_worth_it_all():
    """Something has to be shown."""
    text = """
        layer { name: "data" type: "Input" top: "data"
                input_param { shape { dim: 1 dim: 3 dim: 19 dim: 23 } } }
        layer { name: "one" type: "Convolution" bottom: "data" top: "one"
                convolution_param { num_output: 4 kernel_size: 3 } }
        layer { name: "two" type: "Convolution" bottom: "one" top: "two"
                convolution_param { num_output: 5 kernel_size: 3 } }"""
    net = Net(parse_prototxt(text), 1)
    assert [target.layer for target in find_targets(net, (19, 23), None)] == ["one", "two"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("block1*", "block1/output"),
        ("block1/*,block11*", "block1/output block11/expand"),
        ("block*", "block1/output block10/output block11/expand"),
        ("block1[0-9]*", "block10/output block11/expand"),
        ("block1?/*", "block10/output block11/expand"),
        ("*1", "conv1 conv1_1"),
        ("conv1*", "conv1 conv1_1"),
        ("*", "block1/output block10/output block11/expand conv1 conv1_1 conv11"),
        ("[!b]*1_?", "conv1_1"),
        ("*0/*", ""),
    ],
)
def test_numbers_in_patterns_are_whole(pattern, found):
    """A star neither begins nor ends in the middle of one."""
    names = ["block1/output", "block10/output", "block11/expand", "conv1", "conv1_1", "conv11"]
    fits = [n for n in names if any(n in _fitting(part, names) for part in pattern.split(","))]
    assert fits == found.split()


# -- how long it takes -----------------------------------------------------------------------------


def test_the_time_is_told_before_it_starts(tmp_path, net, monkeypatch):
    """In proportion to a step that was timed; with what is chosen, of how many."""
    monkeypatch.setattr(pace, "_timed", lambda net, start, target, params: (2.0, 0.5))
    told = []
    few = {"iter_n": (3, 5), "octave_n": (1, 2), "octave_scale": 2.0}
    size = picture().shape[:2]
    costs = sorted(target.cost for target in find_targets(net, size, "conv1,pool1,a/3x3"))

    todo = write_gallery(net, picture(), tmp_path, layers="conv1,pool1,a/3x3", **few,
                         on_start=told.append)  # fmt: skip

    (start,) = told
    assert (start.picture_n, start.layer_n, start.layers_in_all) == (6, 3, 9)
    steps = 5 + (5 + 3 / 4)  # of one octave; of two, the smaller one a quarter of the work
    assert start.seconds == pytest.approx(2.0 * steps * sum(costs) / costs[1] + 6 * 0.5)
    assert not (tmp_path / "conv1.jpg").exists()
    assert len(list(todo)) == 6


def test_a_step_is_timed(net, monkeypatch):
    """The mean of some, and no more of them than are needed; Ctrl-C is one."""
    (target,) = find_targets(net, (43, 59), "a/3x3")
    clock = itertools.count(0, 0.5)  # half a second between any two looks
    monkeypatch.setattr(pace, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    counted = []
    real = pace.dream

    def counting(*args, on_step, **how):
        return real(*args, on_step=lambda step: counted.append(step) or on_step(step), **how)

    monkeypatch.setattr(pace, "dream", counting)

    step, rest = pace._timed(net, picture(), target, {"seed": 0, "jitter": 3})

    assert step == 0.5
    assert rest == pytest.approx(0.5)  # before the first step, and after the last
    assert len(counted) == 6  # two seconds and a half

    def pressed(*args, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(pace, "dream", pressed)
    with pytest.raises(KeyboardInterrupt):
        pace.expected_seconds(net, picture(), [(target, 1)], [1.0], {})


def test_nothing_is_told_of_what_cannot_be_timed(tmp_path, net):
    """A picture too small is no reason to stop before the page says so."""
    told = []
    made = list(write_gallery(net, picture(2, 3), tmp_path, layers="pool2,a/output",
                              on_start=told.append, **FEW))  # fmt: skip
    assert told[0].seconds is None
    assert len(made) == 2


def test_the_steps_of_a_dream_in_full_ones(net):
    """All octaves are as many as there are above the smallest."""
    chosen = Parameters(net, None, {"octave_n": "all", "octave_min": 10, "octave_scale": 2.0,
                                    "iter_n": 4})  # fmt: skip
    assert pace.full_steps(chosen, (43, 59)) == pytest.approx(4 * (1 + 1 / 4 + 1 / 16))


# -- captions --------------------------------------------------------------------------------------


def test_captions_promise_what_was_seen_at_that_size():
    """Neither of a smaller picture, nor of another style, a guide, or other steps."""
    net = load_graph("efficientnet_lite0")
    style = MODELS["efficientnet_lite0"].style
    large, small = (576, 1024), (180, 320)

    assert make.looks_apply(net, large, style, {"precision": "float32", "guide": None})
    assert not make.looks_apply(net, small, style, {})
    assert not make.looks_apply(net, large, "cities", {})
    assert not make.looks_apply(net, large, style, {"guide": picture()})
    assert not make.looks_apply(net, large, style, {"octave_n": 2})


def test_a_small_gallery_promises_nothing(tmp_path):
    """Its page tells what the layers are, not what is to be seen in them."""
    few = {"layers": "block10/output", "octave_n": 1, "iter_n": 1}
    page = gallery(load_net(), named("sky.png", picture()), tmp_path, **few)

    text = page.read_text("utf-8")
    assert MODELS["efficientnet_lite0"].layers["block10/output"] not in text
    assert "whole" not in text.split("<script")[0].partition("<body>")[2]


# -- the folder ------------------------------------------------------------------------------------


def test_a_gallery_has_a_picture_for_every_layer(tmp_path, net):
    """In the folder itself where there is one number of octaves, with the page and the input."""
    folder = tmp_path / "new" / "gallery"

    page = gallery(net, picture(), folder, layers="*", seed=3, **FEW)

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
        assert one["where"] == "Run it where sky.png, deploy.prototxt and tiny.caffemodel are."
        assert not {*words} & {path.name for path in out.iterdir()}
        words[1], words[3] = str(tmp_path / words[1]), str(again / one["file"])
        again.mkdir(exist_ok=True)
        words[words.index("--model") + 1] = model[1]
        words[words.index("--weights") + 1] = model[3]
        assert main(words) == 0
        assert (again / one["file"]).read_bytes() == (out / one["file"]).read_bytes()
    h, w = load_image(out / "input.png").shape[:2]
    assert (w, h) == ((59, 43) if width is None else (41, 30))


@pytest.mark.parametrize("calls", [[(1, "all")], [2, "all"], ["all", 2], [("all", 1), 2]], ids=str)
def test_all_octaves_are_one_number_of_octaves_among_others(tmp_path, net, calls):
    """At once, or one after the other in one folder; a second call makes nothing again."""
    how = {"layers": "a/output", "iter_n": 1, "octave_min": 20, "progress": False}
    wanted = {n for call in calls for n in (call if isinstance(call, tuple) else (call,))}
    for call in calls:
        gallery(net, picture(), tmp_path / "g", octave_n=call, **how)

    found = read_manifest(tmp_path / "g")
    assert {*found.octaves} == wanted
    assert found.octaves[-1] == "all"
    for entry in found.entries.values():
        recipe = read_recipe(tmp_path / "g" / entry.file)
        assert not entry.error
        assert recipe["parameters"]["octave_n"] == entry.octave_n
    assert [*write_gallery(net, picture(), tmp_path / "g", octave_n=calls[0], **how)] == []


def test_another_smallest_octave_is_another_gallery(tmp_path, net):
    """Of all octaves; a number of them has none."""
    how = {"layers": "a/output", "iter_n": 1, "progress": False}
    gallery(net, picture(), tmp_path, octave_n="all", octave_min=20, **how)
    with pytest.raises(ParameterError, match="made with octave_min 20, not octave_min 30"):
        gallery(net, picture(), tmp_path, octave_n="all", octave_min=30, **how)


def test_a_gallery_with_numbers_from_octave_to_octave_goes_on(tmp_path, net):
    """The styles' defaults are such pairs; a second run makes nothing, and refuses another pair."""
    how = {**FEW, "iter_n": (2, 1), "layers": "conv1"}
    assert len([*write_gallery(net, picture(), tmp_path / "g", **how)]) == 1
    assert [*write_gallery(net, picture(), tmp_path / "g", **how)] == []
    with pytest.raises(ParameterError, match="made with iter_n 2,1, not iter_n 3,1: choose"):
        [*write_gallery(net, picture(), tmp_path / "g", **{**how, "iter_n": (3, 1)})]


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
    real = Prepared.dream

    def pressed(self, *args, **params):
        made = real(self, *args, **params)
        if self.goal.ends == ("a/3x3",):
            made.recipe["stopped"] = True
        return made

    monkeypatch.setattr(Prepared, "dream", pressed)

    with pytest.raises(KeyboardInterrupt):
        gallery(net, picture(), tmp_path, layers="a/*", **FEW)

    assert pictures_in(tmp_path) == ["a_1x1.jpg", "a_3x3_reduce.jpg"]


def test_a_deleted_picture_is_made_again(tmp_path, net):
    """A picture is there when its file is."""
    gallery(net, picture(), tmp_path, layers="a/*", **FEW)
    (tmp_path / "a_pool.jpg").unlink()

    made = [entry.file for entry in write_gallery(net, picture(), tmp_path, layers="a/*", **FEW)]

    assert made == ["a_pool.jpg"]


def test_a_damaged_picture_is_told_and_made_again(tmp_path, net):
    """A file that is shorter than it was; where its size was not noted, it counts as made."""
    few = {**FEW, "layers": "a/3x3,a/pool"}
    page = gallery(net, picture(), tmp_path, **few)
    whole = (tmp_path / "a_pool.jpg").read_bytes()
    (tmp_path / "a_pool.jpg").write_bytes(whole[:-9])

    write_page([(tmp_path, read_manifest(tmp_path))], page)
    assert page.read_text("utf-8").count("the file is damaged: the next run makes it again") == 1
    assert [one.file for one in write_gallery(net, picture(), tmp_path, **few)] == ["a_pool.jpg"]
    assert (tmp_path / "a_pool.jpg").read_bytes() == whole
    assert "damaged" not in page.read_text("utf-8")

    manifest = json.loads((tmp_path / "gallery.json").read_text("utf-8"))
    for one in manifest["pictures"]:
        assert one.pop("size") == (tmp_path / one["file"]).stat().st_size
    (tmp_path / "gallery.json").write_text(json.dumps(manifest), "utf-8")
    (tmp_path / "a_pool.jpg").write_bytes(whole[:30])
    assert not list(write_gallery(net, picture(), tmp_path, **few))
    assert "the file is damaged<" in page.read_text("utf-8")


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
    real = Made.write
    written = itertools.count()

    def full(made, path):
        if next(written) == 1:
            raise WriteError("no space left")
        real(made, path)

    monkeypatch.setattr(Made, "write", full)

    with pytest.raises(WriteError, match="no space"):
        gallery(net, picture(), tmp_path, layers="a/*", **FEW)

    assert pictures_in(tmp_path) == ["a_1x1.jpg"]
    assert len(read_manifest(tmp_path).entries) == 1


def named(name, pixels):
    return Picture(pixels, source={"file": name, "sha256": "", "size": []})


def test_numbers_may_be_numpys(tmp_path, net):
    """Of the seed, the octaves and the channels; the gallery is that of Python's numbers."""
    how = {"layers": "conv1", "iter_n": 1, "jitter": 3}
    kind = np.int64
    gallery(net, picture(), tmp_path, seed=kind(6), octave_n=[kind(2)], channels=[kind(1)],
            width=kind(30), **how)  # fmt: skip
    manifest = (tmp_path / "gallery.json").read_bytes()

    gallery(net, picture(), tmp_path, seed=6, octave_n=[2], channels=[1], width=30, **how)

    assert (tmp_path / "gallery.json").read_bytes() == manifest


def test_another_gallery_in_the_folder_is_refused(tmp_path, net):
    """Other parameters, another seed, picture or format; the message says which, in words."""
    few = {"layers": "conv1", "seed": 6, **FEW}
    sky = named("my sky.png", picture())
    gallery(net, sky, tmp_path / "plain", **few)
    guided = {**few, "guide": named("fur.png", picture(31, 37))}
    gallery(net, sky, tmp_path / "guided", **guided)

    for folder, change, message in (
        ("plain", {"seed": 7}, "seed 6, not seed 7"),
        ("plain", {"iter_n": 3}, "iter_n 1, not iter_n 3"),
        ("plain", {"suffix": ".png"}, "format .jpg, not format .png"),
        ("plain", {"width": 30}, "the full width, not width 30"),
        ("plain", {"guide": guided["guide"]}, "no guide, not guide fur.png"),
        ("guided", {}, "guide fur.png, not none"),
        ("guided", {"guide": named("fur.png", picture(9, 8))},
         "another guide fur.png"),
        ("plain", {"img": named("sea.png", picture() / 2)},
         "another picture, my sky.png, not sea.png"),
        ("plain", {"img": named("my sky.png", picture() / 2)},
         "another picture of the same name, my sky.png"),
    ):  # fmt: skip
        with pytest.raises(ParameterError) as raised:
            gallery(net, change.pop("img", sky), tmp_path / folder, **{**few, **change})
        assert f"holds another gallery, made with {message}: choose" in str(raised.value)


def test_another_network_in_the_folder_is_refused(tmp_path, net):
    """Weights count by what is in them, not by their name."""
    folder = tmp_path / "gallery"
    gallery(net, picture(), folder, layers="conv1", **FEW)
    other = load_net(*write_tiny(tmp_path, seed=1), mean=MEAN)

    with pytest.raises(ParameterError, match="other weights of the network tiny: choose"):
        gallery(other, picture(), folder, layers="conv1", **FEW)

    net.transformer.mean["data"] = np.array([1, 2, 3], np.float32)
    with pytest.raises(ParameterError, match="mean 104,117,123, not network mean 1,2,3: choose"):
        gallery(net, picture(), folder, layers="conv1", **FEW)


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
    from deepdream.running.fillers import seed_weights

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
    page = gallery(net, picture(), tmp_path, layers="*", **{**FEW, "octave_n": (1, 2)})

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
    assert 'href="#card-0"' in page.read_text("utf-8")


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
    """By as much of their paths as it takes; the same folder twice is an error."""
    folders = [tmp_path / name for name in ("a/g", "b/g", "b/h")]
    for folder in folders:
        gallery(net, picture(), folder, layers="conv1", **FEW)

    page = compare_galleries(folders[1:], tmp_path / "two.html")
    assert [one["label"] for one in data_of(page)["series"]] == ["2 octaves, g", "2 octaves, h"]
    page = compare_galleries(folders, tmp_path / "three.html")
    labels = [one["label"] for one in data_of(page)["series"]]
    assert labels == ["2 octaves, a/g", "2 octaves, b/g", "2 octaves, b/h"]
    with pytest.raises(ParameterError, match="is given twice: name each gallery once"):
        compare_galleries([folders[0], tmp_path / "b" / ".." / "a" / "g"], tmp_path / "x.html")


# The same net with other strides, and a layer whose file has the name of another one's.
OTHER = (
    TINY.replace('name: "tiny"', 'name: "other"')
    .replace("kernel_size: 5 stride: 2", "kernel_size: 5 stride: 4")
    .replace('"a/1x1"', '"a_1x1"')
)


@pytest.fixture
def other_net(tmp_path):
    from deepdream.running.fillers import seed_weights

    (tmp_path / "other.prototxt").write_text(OTHER)
    made = Net(parse_prototxt(OTHER), 1, force_backward=True)
    seed_weights(made, 3)
    made.save(tmp_path / "other.caffemodel")
    return load_net(tmp_path / "other.prototxt", tmp_path / "other.caffemodel", mean=MEAN)


def test_each_network_has_its_own_facts(tmp_path, net, other_net):
    """Of a layer that both have, the page tells both; one of a similar name has its own card."""
    for name, made in (("first", net), ("second", other_net)):
        gallery(made, picture(), tmp_path / name, layers="conv1,a?1x1", **FEW)

    page = compare_galleries([tmp_path / "first", tmp_path / "second"], tmp_path / "both.html")

    text = page.read_text("utf-8")
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    known = data_of(page)["pictures"]
    cards = {(one["name"], one["series"]): one["card"] for one in known}
    assert cards["conv1", 0] == cards["conv1", 1]
    assert cards["a/1x1", 0] != cards["a_1x1", 1]
    assert [dict(one["facts"])["Stride"] for one in known if one["name"] == "conv1"] == ["2", "4"]
    card = re.search(r'<li class="card" id="card-0".*?</li>', text, re.DOTALL)[0]
    words = re.findall(r'data-words="([^"]*)"', card)
    assert ["stride 2" in word for word in words] == [True, False]
    each = re.findall(r'<div data-series="(\d)"><p class="facts">(.*?)</p>', card)
    assert [(series, "stride 2" in facts) for series, facts in each] == [("0", True), ("1", False)]


def head_of(page):
    """Return the title, the lead and the facts at the head of a page."""
    text = html.unescape(page.read_text("utf-8"))
    found = re.search(
        r'<h1>(.*?)</h1>\s*<p class="lead">(.*?)</p>\s*<p class="meta">(.*?)</p>', text
    )
    return found.groups()


def test_the_head_of_a_page_says_what_is_true_of_all(tmp_path, net, other_net):
    """What differs is in the labels of the series instead."""
    few = {"layers": "conv1", "iter_n": 1, "jitter": 3}
    sky, sea = named("sky.png", picture()), named("sea.png", picture(33, 47))
    page = gallery(net, sky, tmp_path / "one", octave_n=(1, 2), **few)
    title, lead, meta = head_of(page)
    assert title == "What tiny sees in sky.png"
    assert lead.startswith("All dreams began with the same picture. Each was changed")
    assert meta == "1 layer · 59 × 43 pixels · 1 and 2 octaves · 1 step of 1.5 · seed 0"

    gallery(other_net, sea, tmp_path / "two", octave_n=(1, 2, 3), **{**few, "jitter": 4})
    page = compare_galleries([tmp_path / "one", tmp_path / "two"], tmp_path / "both.html")
    title, lead, meta = head_of(page)
    assert title == "What tiny and other see in sky.png and sea.png"
    assert lead.startswith("Each dream began with one of these pictures. It was changed")
    assert meta == "1 layer · 1 step of 1.5 · seed 0"
    assert [one["label"] for one in data_of(page)["series"]] == [
        "tiny, 1 octave, sky.png, jitter 3", "tiny, 2 octaves, sky.png, jitter 3",
        "other, 1 octave, sea.png, jitter 4", "other, 2 octaves, sea.png, jitter 4",
        "other, 3 octaves, sea.png, jitter 4",
    ]  # fmt: skip
    assert page.read_text("utf-8").count("The input: ") == 2

    more = {**few, "iter_n": 2, "layers": "conv1,pool1", "guide": sea, "octave_n": 1, "width": 40}
    page = gallery(net, sky, tmp_path / "three", **more)
    assert "sees more in it of what it sees in a guide" in head_of(page)[1]
    assert head_of(page)[2].endswith(" · guide sea.png · seed 0")
    page = compare_galleries([tmp_path / "one", tmp_path / "three"], tmp_path / "both.html")
    title, lead, meta = head_of(page)
    assert title == "What tiny sees in sky.png"
    assert lead == (
        "All dreams began with the same picture. Each was changed step by step so that more grows "
        "in it of what one layer of the network sees."
    )
    assert meta == "seed 0"
    assert [one["label"] for one in data_of(page)["series"]] == [
        "1 octave, 1 step, no guide, 59 × 43", "2 octaves, 1 step, no guide, 59 × 43",
        "1 octave, 2 steps, guide sea.png, 40 × 29",
    ]  # fmt: skip


def test_the_title_is_the_folders_not_the_last_calls(tmp_path, net):
    """Channels that are added to a gallery of layers do not make it one of channels."""
    few = {"octave_n": 1, "iter_n": 1, "jitter": 3}
    sky = named("sky.png", picture())
    page = gallery(net, sky, tmp_path, layers="conv1", channels="1,2", **few)
    assert head_of(page)[0] == "The channels of conv1 in tiny"
    assert head_of(page)[2].startswith("2 channels · ")

    page = gallery(net, sky, tmp_path, layers="pool1", **few)
    page = gallery(net, sky, tmp_path, layers="conv1", channels="1", **few)

    assert head_of(page)[0] == "What tiny sees in sky.png"
    assert head_of(page)[2].startswith("1 layer and 2 channels · ")


def test_a_command_says_which_files_have_to_be_there(tmp_path, net):
    """The picture, the model's own files, the guide; on a page of several, in which folder."""
    few = {"layers": "conv1", "iter_n": 1, "jitter": 3}
    sky, fur = named("sky.png", picture()), named("fur.png", picture(31, 37))
    page = gallery(net, sky, tmp_path / "one", guide=fur, **few)
    assert data_of(page)["pictures"][0]["where"] == (
        "Run it where sky.png, deploy.prototxt, tiny.caffemodel and fur.png are."
    )

    gallery(net, sky, tmp_path / "my two", width=40, **few)
    page = compare_galleries([tmp_path / "one", tmp_path / "my two"], tmp_path / "both.html")
    assert data_of(page)["pictures"][1]["where"] == (
        "Run it where sky.png, deploy.prototxt and tiny.caffemodel are."
    )

    page = gallery(net, picture(), tmp_path / "array", **few)
    assert data_of(page)["pictures"][0]["command"].startswith("deepdream dream PICTURE -o ")
    assert data_of(page)["pictures"][0]["where"] == (
        "PICTURE stands for the picture that this gallery was made from. Run it where PICTURE, "
        "deploy.prototxt and tiny.caffemodel are."
    )


def test_no_command_where_a_picture_is_no_files(tmp_path, net):
    """Of a file's picture that was changed the command would name the file."""
    few = {"layers": "conv1", "iter_n": 1, "jitter": 3}
    save_image(picture(), tmp_path / "sky.png")
    sky = load_image(tmp_path / "sky.png")
    for number, how in enumerate(({"guide": 255 - sky}, {"mask": picture()[..., 0]})):
        page = gallery(net, sky, tmp_path / str(number), **how, **few)
        assert not data_of(page)["pictures"][0]["command"]

    page = gallery(net, 255 - sky, tmp_path / "changed", **few)

    assert data_of(page)["pictures"][0]["command"].startswith("deepdream dream PICTURE -o ")


def test_the_command_for_a_known_network_needs_no_files(tmp_path):
    """Its name is enough; a noise needs no file at all."""
    few = {"layers": "stem/conv", "octave_n": 1, "iter_n": 1}
    page = gallery(load_net(), named("sky.png", picture()), tmp_path / "file", **few)
    assert data_of(page)["pictures"][0]["where"] == "Run it where sky.png is."

    page = gallery(load_net(), noise(43, 59, 7), tmp_path / "noise", seed=7, **few)
    one = data_of(page)["pictures"][0]
    assert one["where"] == "Run it in any folder."
    assert one["command"].startswith("deepdream dream noise:59x43 -o noise_stem_conv.jpg ")
    assert one["command"].endswith("--seed 7")


def test_the_real_caffe_is_named_in_the_command(tmp_path, net):
    """A gallery that it made is made again by it, not by this package's engine."""
    from deepdream.recipe import describe_net

    assert "--engine" not in model_flags(net, describe_net(net))
    net.engine = "caffe"
    assert model_flags(net, describe_net(net))[-2:] == ["--engine", "caffe"]

    page = gallery(net, picture(), tmp_path, layers="conv1", **FEW)

    assert " --engine caffe " in data_of(page)["pictures"][0]["command"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, None), (0.02, "under 0.1 s"), (2.34, "2.3 s"), (34.5, "34 s"), (200.2, "3 min 20 s")],
)
def test_times_are_told_as_people_do(tmp_path, net, seconds, told):
    """Never as 0.0 s."""
    page = gallery(net, picture(), tmp_path, layers="conv1", **FEW)
    manifest = read_manifest(tmp_path)
    next(iter(manifest.entries.values())).seconds = seconds

    write_page([(tmp_path, manifest)], page)

    assert dict(data_of(page)["pictures"][0]["facts"]).get("Time") == told


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sky.jpg", "'.*sky.jpg' is no name for a page"),
        ("page", "is no name for a page, which ends in .html"),
        ("one/index.html", "is the page of the gallery in that folder"),
        ("mine.html", "deepdream has not made it: choose another name, or delete it"),
    ],
)
def test_a_comparison_is_not_written_over_something_else(tmp_path, net, name, message):
    """A picture, the page of a gallery or somebody's page stays; a page of ours is replaced."""
    for folder in ("one", "two"):
        gallery(net, picture(), tmp_path / folder, layers="conv1", **FEW)
    out = tmp_path / name
    if not out.exists():
        out.write_text("<!DOCTYPE html><p>somebody's")
    before = out.read_bytes()

    with pytest.raises(ParameterError, match=message):
        compare_galleries([tmp_path / "one", tmp_path / "two"], out)

    assert out.read_bytes() == before
    for _ in range(2):
        assert compare_galleries([tmp_path / "one", tmp_path / "two"], tmp_path / "new.htm")


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
    told, wrote = printed.out.splitlines()
    assert re.fullmatch(
        r"10 pictures to make, about \d+ s \(5 of 9 layers\)\. Ctrl-C keeps what is made\.", told
    )
    assert wrote.startswith(f"wrote {out / 'index.html'} (10 new pictures, ")
    assert printed.err == ""
    assert len(pictures_in(out)) == 10

    assert main(["gallery", str(sky), "-o", str(out), *model, *QUICK]) == 0
    assert "(0 new pictures, " in capsys.readouterr().out

    page, other = tmp_path / "compared.html", str(tmp_path / "other")
    assert main(["gallery", str(sky), "-o", other, *model, *QUICK[:-1], "2"]) == 0
    capsys.readouterr()
    assert main(["gallery", "--compare", str(out), other, "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"wrote {page} (2 galleries)\n"
    assert page.is_file()


def test_a_finished_gallery_with_a_failure_is_finished(tmp_path, model, capsys):
    """The layer that can never be made is tried again, and what is there is counted."""
    small = tmp_path / "small.png"
    save_image(picture(5, 3), small)
    command = ["gallery", str(small), "-o", str(tmp_path / "out"), "--layers", "conv1,pool2",
               "--iter-n", "1", *model]  # fmt: skip
    assert main(command) == 0
    assert "(1 new picture, 1 could not be made: the page says why, " in capsys.readouterr().out

    assert main(command) == 0

    assert (
        "(0 new pictures, 1 from before, 1 could not be made: the page says why, "
        in capsys.readouterr().out
    )


def test_the_command_keeps_what_is_made_after_ctrl_c(tmp_path, model, sky, capsys, monkeypatch):
    """Status 130, and a line that says how to go on."""
    real, out = Prepared.dream, tmp_path / "gallery"

    def pressed(self, *args, **params):
        if out.is_dir() and len(pictures_in(out)) == 3:
            raise KeyboardInterrupt
        return real(self, *args, **params)

    monkeypatch.setattr(Prepared, "dream", pressed)

    assert main(["gallery", str(sky), "-o", str(out), *model, *QUICK]) == 130

    assert "3 pictures written" in capsys.readouterr().out
    assert len(pictures_in(out)) == 3
    assert (out / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SKY", "--layers", "inception*"], "no layer of tiny fits 'inception*'"),
        (["SKY", "--octave-n", "2;6"], "--octave-n is '2;6'"),
        (["SKY", "--layers", "conv1", "--channels", "9"], "0 to 5; there is no 9"),
        (["SKY", "--channels", "1"], "--channels are those of one layer, and --layers names none"),
        (["SKY", "--layers", "*", "--channels", "1"], "but '*' fits 9"),
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
    objective_channel(2).on_arrays(torch.from_numpy(data), diff)

    expected = np.zeros_like(data)
    expected[:, 2] = data[:, 2]
    np.testing.assert_array_equal(dst.diff, expected)
    np.testing.assert_array_equal(diff, expected)
    with pytest.raises(ShapeError, match="4 channels, 0 to 3: there is no 4"):
        objective_channel(4)(dst)


def with_a_long_text(png: bytes) -> bytes:
    """Return a PNG with a text that Pillow takes for an attack, which is a ValueError."""
    packed = zlib.compress(b"a" * 5_000_000)
    text = b"zTXtk\0\0" + packed
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize("damage", [lambda png: b"", lambda png: png[:60], with_a_long_text])
def test_a_damaged_input_does_not_keep_the_page_from_being_written(tmp_path, net, damage):
    """Pillow meets damage with errors of many kinds."""
    gallery(net, picture(), tmp_path, layers="a/output", progress=False, **FEW)
    file = tmp_path / "input.png"
    file.write_bytes(damage(file.read_bytes()))
    (tmp_path / "index.html").unlink()

    write_page([(tmp_path, read_manifest(tmp_path))], tmp_path / "index.html")

    text = (tmp_path / "index.html").read_text("utf-8")
    assert "a/<wbr>output" in text
    assert "The input:" not in text
