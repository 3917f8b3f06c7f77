"""Published pictures made again: what is known of them, the files, the measures, whole runs."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import inspect
import json

import numpy as np
import pytest
from PIL import Image
from web_site import Page, serve

from deepdream.cli import main
from deepdream.dreaming import dream2015
from deepdream.dreaming.dream2015 import deepdream as notebooks_deepdream
from deepdream.dreaming.dream2015 import deprocess, dream_steps, guide_features
from deepdream.dreaming.objectives import objective_guide, objective_L2
from deepdream.errors import DownloadError, UnknownModelError
from deepdream.images import load_image, save_image
from deepdream.models.load import load_graph, load_net
from deepdream.models.prototxts import prototxt_path
from deepdream.models.registry import MODELS
from deepdream.progress import Bar
from deepdream.recipe import read_recipe
from deepdream.reproduce import make as makers
from deepdream.reproduce import pictures, works
from deepdream.reproduce.measures import (
    Spread,
    as_published,
    detail,
    digits,
    explain,
    spread,
    truncated,
    verdict,
)
from deepdream.reproduce.works import WORKS, find_work
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

FLAT = {"red", "green", "blue"}


def test_the_list_is_long(capsys):
    """At least ten works, each on a line with its name."""
    assert main(["reproduce", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 10
    assert any(line.startswith("google-4c ") for line in lines)


@pytest.mark.parametrize("name", WORKS)
def test_every_work_can_be_expressed(name):
    """Its network is registered and has the layer; its parameters are the notebook's keywords."""
    work = WORKS[name]
    known = set(inspect.signature(notebooks_deepdream).parameters) | {"step_size", "jitter"}

    assert set(work.parameters) <= known
    assert work.end in load_graph(work.model).blobs
    assert work.differs
    assert bool(work.published) == (name.startswith("google"))
    # What is ours instead of the source's is said.
    told = " ".join(work.differs)
    if not name.startswith("google"):
        assert "the notebook's sky" in told or "the notebook's sky and flowers" in told
        assert work.guide is None or "guide" in told
    assert (work.frames > 1) == ("deepdream zoom" in told)


@pytest.mark.parametrize("name", WORKS)
def test_every_work_subtracts_the_mean_of_its_source(name):
    """Notebook and forks subtracted 104, 116, 122 from all pictures; of Places that is told."""
    work = WORKS[name]

    assert work.mean == "2015"
    assert ("mean" in " ".join(work.notes)) == ("places" in work.model)


def test_unknown_names_get_a_hint():
    """The nearest name, and where the list is."""
    with pytest.raises(UnknownModelError, match="google-4c(.|\n)*--list"):
        find_work("google-4d")


# -- measures ---------------------------------------------------------------------------------


def stripes(period, h=96, w=128):
    """A picture of vertical stripes so many pixels wide, with some noise."""
    noise = np.random.RandomState(0).randn(h, w) * 3
    level = 128 + 60 * np.sin(2 * np.pi * np.arange(w) / period) + noise
    return np.repeat(level[..., None], 3, 2).astype(np.float32)


def test_detail_is_found_at_its_size():
    """Broad stripes are in broader bands than narrow ones, and the bands hold all there is."""
    bands = [list(detail(stripes(period)).values()) for period in (3, 12, 60)]
    peaks = [int(np.argmax(values)) for values in bands]

    assert peaks == sorted(set(peaks))
    level = stripes(12) @ (0.299, 0.587, 0.114)
    assert np.hypot.reduce(bands[1]) <= 1.1 * level.std()


def test_published_pictures_can_be_told_apart(shared):
    """The measures of Google's pictures differ far more than a JPEG of quality 75 changes them."""
    folder = shared / "data" / "notebook"
    names = ("cell12_inception_4c_output", "cell14_inception_3b_5x5_reduce", "cell10_input_sky")
    found = [detail(load_image(folder / f"{name}.jpg")) for name in names]
    again = [detail(as_published(load_image(folder / f"{name}.jpg"))) for name in names]

    for one, same in zip(found, again):
        for band in ("2 px", "4 px", "8 px"):
            assert abs(same[band] / one[band] - 1) < 0.05
    for k, one in enumerate(found):
        for other in found[:k]:
            assert max(abs(one[band] / other[band] - 1) for band in one) > 0.15


def test_pictures_are_those_of_the_notebook(shared):
    """The hashes in the list are those of the files that the notebook embeds and loads."""
    folder = shared / "data" / "notebook"
    here = {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jpg")}

    assert {work.published for work in WORKS.values() if work.published} <= here
    assert {works.SKY.sha256, works.FLOWERS.sha256} <= here
    assert works.SKY.size == (folder / works.SKY.name).stat().st_size


def test_spread():
    """Mean and standard deviation of each; of one seed, no deviation."""
    found = spread([{"a": 2, "b": 5}, {"a": 1, "b": 7}])

    assert found == {"a": Spread(2, 1.5, 0.5**0.5), "b": Spread(2, 6, 2**0.5)}
    assert spread([{"a": 3.0}]) == {"a": Spread(1, 3.0, 0.0)}


@pytest.mark.parametrize("count", [5, 11])
def test_the_interval_holds_99_of_100(count):
    """Of normal numbers, one more lies within the interval of some 99 times in 100."""
    rng = np.random.RandomState(count)
    inside = 0
    for _ in range(2000):
        *some, one = rng.normal(50, 3, count + 1)
        low, high = Spread(count, np.mean(some), np.std(some, ddof=1)).interval()
        inside += low <= one <= high

    assert 0.98 < inside / 2000 < 0.997


def test_a_verdict_takes_five_seeds():
    """Of one seed the ratio, of a few the distance, of five and more inside or outside."""
    assert verdict(99, Spread(1, 100, 0)) == "0.990 of ours"
    assert verdict(3, Spread(1, 0, 0)) == ""
    assert verdict(97, Spread(4, 100, 2)) == "1.5 sd below"
    assert verdict(103, Spread(2, 100, 2)) == "1.5 sd above"
    assert verdict(103, Spread(2, 100, 0)) == "ours are all the same"
    assert verdict(109, Spread(5, 100, 2)) == "inside 89.9 to 110.1"
    assert verdict(111, Spread(5, 100, 2)) == "outside 89.9 to 110.1"
    assert "inside" not in explain(4)
    assert "t(0.995, 4)" in explain(5)
    assert "published" not in explain(5, compared=False)


def test_digits_show_the_spread():
    """Two digits of the deviation, whatever the size of the numbers."""
    assert digits(114.61234, 0.0213) == "114.612"
    assert digits(0.0213, 0.0213) == "0.021"
    assert digits(1234567.8, 345.6) == "1234568"
    assert digits(1.23456789e-9, 2.5e-12) == "1.2346e-09"
    assert digits(2.5e-12, 2.5e-12) == "2.5e-12"
    assert digits(114.61234, 0) == "114.6"


def test_fractions_are_cut_off_as_in_the_notebook():
    """np.uint8 of the clipped picture; and its JPEG does not round up again."""
    img = np.full((16, 24, 3), 100.99, np.float32)
    img[0, 0] = -3, 255.7, 300

    assert truncated(img)[0, 0].tolist() == [0, 255, 255]
    assert np.all(truncated(img)[1:] == 100)
    np.testing.assert_array_equal(as_published(img[1:]), 100)


# -- files ------------------------------------------------------------------------------------


def picture_bytes(tmp_path, seed, h, w):
    path = tmp_path / f"{seed}.jpg"
    save_image(np.random.RandomState(seed).uniform(0, 255, (h, w, 3)), path)
    data = path.read_bytes()
    path.unlink()
    return data


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("DEEPDREAM_HOME", str(folder))
    return folder


@pytest.fixture
def small(tmp_path, monkeypatch, home, site):
    """A small sky and small flowers on a web site, and a notebook with a dream."""
    for name, seed, size in (("SKY", 1, (97, 131)), ("FLOWERS", 2, (61, 83))):
        data = picture_bytes(tmp_path, seed, *size)
        file = getattr(works, name)
        url = site.add(f"/{file.name}", Page(data))
        digits = hashlib.sha256(data).hexdigest()
        monkeypatch.setattr(
            works, name, dataclasses.replace(file, url=url, sha256=digits, size=len(data))
        )
    published = picture_bytes(tmp_path, 3, 97, 131)
    cell = {
        "outputs": [{"output_type": "display_data", "jpeg": base64.b64encode(published).decode()}]
    }
    notebook = json.dumps({"worksheets": [{"cells": [{}, cell]}], "nbformat": 3}).encode()
    site.add("/dream.ipynb", Page(notebook))
    monkeypatch.setattr(pictures, "NOTEBOOK", site.address + "/")
    return published


def work_with(published, **changes):
    digits = hashlib.sha256(published).hexdigest()
    return dataclasses.replace(WORKS["google-4c"], published=digits, **changes)


def test_the_published_picture_comes_out_of_the_notebook(small, home):
    """Found by its hash, kept in the cache, and not fetched twice."""
    path = pictures.find_published(work_with(small))

    assert path is not None
    assert path.read_bytes() == small
    (home / "pictures" / "dream.ipynb").unlink()
    assert pictures.find_published(work_with(small)) == path


def test_a_notebook_without_the_picture(small):
    """Somebody has cleared its outputs: the message says what is wrong."""
    with pytest.raises(DownloadError, match="does not hold the published picture"):
        pictures.find_published(work_with(b"another"))


def test_pictures_in_notebooks_of_version_4():
    """Data bundles, and lines in lists."""
    text = base64.b64encode(b"picture").decode()
    notebook = {"cells": [{"outputs": [{"data": {"image/jpeg": [text[:4], text[4:]]}}]}]}
    assert list(pictures.embedded(notebook)) == [b"picture"]


@pytest.mark.parametrize(
    "damage",
    [b"<!DOCTYPE html><html>GitHub</html>", "dream: \xe9".encode("latin-1"), b"[1, 2",
     b'{"jpeg": ["\xc3\xa9", 3]}', b"[" * 100_000],
    ids=["page", "no utf-8", "cut short", "no base64", "deep"],
)  # fmt: skip
def test_a_damaged_notebook(small, home, damage):
    """Whatever is in its place is named, and the place for the picture alone."""
    place = home / "pictures" / "dream.ipynb"
    place.parent.mkdir(parents=True)
    place.write_bytes(damage)

    with pytest.raises(DownloadError, match="is not Google's dream.ipynb with its outputs") as told:
        pictures.find_published(work_with(small))
    assert f"{hashlib.sha256(small).hexdigest()[:12]}_published.jpg" in str(told.value)


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise DownloadError("no network")

    monkeypatch.setattr(pictures, "fetch", refuse)
    monkeypatch.setattr("deepdream.models.cache.fetch", refuse)


def test_offline_every_missing_file_is_named(home, offline, capsys):
    """Where to put each, where it comes from, size and hash; exit status 2."""
    assert main(["reproduce", "google-guided", "-o", str(home / "out")]) == 2
    error = capsys.readouterr().err
    for path in ("bvlc_googlenet.caffemodel", "pictures/sky1024px.jpg", "pictures/flowers.jpg"):
        assert str(home / path) in error
    assert works.SKY.sha256 in error
    assert works.SKY.url in error
    assert "65,049 bytes" in error
    for url in MODELS["googlenet"].urls[:2]:
        assert url in error
    # What is needed to compare is there, too, and marked as optional.
    work = WORKS["google-guided"]
    optional = error[error.index("optional") :]
    for text in ("pictures/dream.ipynb", f"pictures/{work.published[:12]}_published.jpg"):
        assert str(home / text) in optional
    assert work.published in optional


def test_offline_weights_in_an_archive(home, offline, capsys):
    """Places205: the file lies in an archive that 'models add' takes; no hash is published."""
    assert main(["reproduce", "kaiser-guided", "-o", str(home / "out")]) == 2
    error = capsys.readouterr().err
    assert "deepdream models add googlenet_places205.tar.gz" in error
    assert "24,734,708 bytes or more, no hash is published" in error
    assert "optional" not in error


def test_offline_a_wrong_file_is_called_wrong(home, offline, capsys):
    """Found hash and expected hash of weights and of a picture that are others."""
    (home / "pictures").mkdir(parents=True)
    (home / "bvlc_googlenet.caffemodel").write_bytes(b"others")
    (home / "pictures" / "sky1024px.jpg").write_bytes(b"others")

    assert main(["reproduce", "google-4c", "-o", str(home / "out")]) == 2
    error = capsys.readouterr().err
    found = hashlib.sha256(b"others").hexdigest()
    assert error.count(f"is there, but wrong: 6 bytes, sha256 {found}") == 2
    assert MODELS["googlenet"].hashes["sha256"] in error


def test_offline_the_published_picture_has_its_own_message(home, offline):
    """Not the advice for weights: the notebook's place, and that of the picture alone."""
    work = WORKS["google-4c"]
    with pytest.raises(DownloadError) as told:
        pictures.find_published(work)

    text = str(told.value)
    assert str(home / "pictures" / "dream.ipynb") in text
    assert str(home / "pictures" / f"{work.published[:12]}_published.jpg") in text
    assert work.published in text
    assert "models add" not in text


# -- whole runs -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Seeded weights of both GoogLeNets, in Caffe's format: model to path."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {}
    for model in ("googlenet", "googlenet_places205"):
        net = Net(str(prototxt_path(MODELS[model])), 1)
        seed_weights(net, 0)
        paths[model] = folder / MODELS[model].weights_file
        net.save(str(paths[model]))
    return paths


@pytest.fixture
def ready(small, home, weights, monkeypatch):
    """Everything in its place for an offline run on small pictures."""
    home.mkdir(exist_ok=True)
    for model, path in weights.items():
        (home / path.name).symlink_to(path)
        changes = {}
        if MODELS[model].hashes:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            changes = {"hashes": {"sha256": digest}, "size": path.stat().st_size}
        monkeypatch.setitem(MODELS, model, dataclasses.replace(MODELS[model], **changes))
    monkeypatch.setitem(WORKS, "google-4c", work_with(small))
    return home


@pytest.fixture
def short(ready, monkeypatch):
    """Return a function that shortens a work: 2 octaves of 2 steps, 2 frames."""

    def shorten(name, **changes):
        work = WORKS[name]
        fewer = {**work.parameters, "iter_n": 2, "octave_n": 2}
        defaults = {"published": "", "parameters": fewer, "frames": min(2, work.frames),
                    "guide": work.guide and works.FLOWERS}  # fmt: skip
        work = dataclasses.replace(work, **{**defaults, **changes})
        monkeypatch.setitem(WORKS, name, work)
        return work

    return shorten


def net_of(work):
    return load_net(work.model, mean="2015", device="cpu")


def as_the_notebook(work, home, seed, steps=None):
    """The picture of a work after so many steps, by the notebook's function on a fresh net."""
    net = net_of(work)
    base = np.asarray(load_image(home / "pictures" / works.SKY.name))
    objective = objective_L2
    if work.guide:
        guide = load_image(home / "pictures" / works.FLOWERS.name)
        objective = objective_guide(guide_features(net, np.asarray(guide), work.end))
    np.random.seed(seed)
    if work.stale:
        notebooks_deepdream(net, base)
    todo = dream_steps(net, base, objective=objective, **work.parameters)
    for _, _ in zip(range(steps or 1000), todo):
        pass
    return np.uint8(np.clip(deprocess(net, net.blobs["data"].data[0]), 0, 255))


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKS)
def test_every_work_runs_to_its_end(short, ready, tmp_path, capsys, name):
    """The picture is the notebook's, fractions cut off; its recipe and the report are complete."""
    work = short(name)
    out = tmp_path / "out"

    np.random.seed(77)
    assert main(["reproduce", name, "-o", str(out), "--device", "cpu"]) == 0
    drawn = np.random.rand()
    np.random.seed(77)
    assert drawn == np.random.rand()  # the user's stream is left alone

    picture = load_image(out / f"{name}_seed0.png")
    if work.frames == 1:
        np.testing.assert_array_equal(picture, as_the_notebook(work, ready, 0))
    else:
        with np.load(out / f"{name}_seed0" / "zoom.npz") as state:
            np.testing.assert_array_equal(picture, np.floor(state["frame"]))
            assert (state["frame"] % 1).any()
    recipe = read_recipe(out / f"{name}_seed0.png")
    assert recipe["reproduces"] == name
    assert recipe["model"]["name"] == work.model
    assert recipe["model"]["mean"] == [104, 116, 122]
    assert recipe["stale"] == work.stale
    assert recipe["input"]["sha256"] == works.SKY.sha256
    assert recipe.get("guide", {}).get("sha256") == (works.FLOWERS.sha256 if work.guide else None)
    everything = {"end", "iter_n", "octave_n", "octave_scale", "step_size", "jitter", "clip"}
    assert set(recipe["parameters"]) == everything | {"objective"}
    for key, value in work.parameters.items():
        assert recipe["parameters"][key] == value

    console, report = capsys.readouterr().out, (out / f"{name}.md").read_text()
    weights = hashlib.sha256((ready / MODELS[work.model].weights_file).read_bytes()).hexdigest()
    for text in (console, report):
        assert "mean 104, 116, 122 (B, G, R; the notebook's)" in text
        assert f"sha256 {weights}" in text
        assert f"sha256 {works.SKY.sha256}" in text
        assert (works.FLOWERS.sha256 in text) == bool(work.guide)
        assert f"licence: {MODELS[work.model].licence}" in text
        assert ("nobody has published a hash" in text) == ("places" in work.model)
        for reason in (*work.differs, *work.notes):
            assert reason in text
    assert "and 1 picture (" in console


@pytest.mark.slow
def test_google_4c_runs_to_its_end(ready, tmp_path, capsys):
    """Two seeds beside the published picture, measures and reasons; the second run is free."""
    out = tmp_path / "out"
    assert main(["reproduce", "google-4c", "-o", str(out), "--seeds", "2"]) == 0

    text = capsys.readouterr().out
    assert "Wikimedia" in text
    assert "Nobody seeded" in text
    assert "and 2 pictures (" in text
    made = sorted(path.name for path in out.iterdir())
    assert made == [
        "google-4c.md", "google-4c_published.jpg", "google-4c_seed0.png", "google-4c_seed1.png",
        "google-4c_side_by_side.jpg",
    ]  # fmt: skip
    first, second = (load_image(out / f"google-4c_seed{k}.png") for k in (0, 1))
    assert first.shape == (97, 131, 3)
    assert not np.array_equal(first, second)
    assert read_recipe(out / "google-4c_seed1.png")["seed"] == 1
    with Image.open(out / "google-4c_side_by_side.jpg") as both:
        assert both.size == (2 * 131 + 12, 97)
    report = (out / "google-4c.md").read_text()
    row = next(line for line in report.splitlines() if line.startswith("| objective |"))
    assert " ± " in row
    assert " sd " in row
    assert explain(2) in report
    assert explain(2) in text

    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert main(["reproduce", "google-4c", "-o", str(out), "--seeds", "2"]) == 0
    assert times == {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}


@pytest.mark.slow
def test_five_seeds_give_a_verdict(short, small, tmp_path):
    """Inside or outside, with the interval."""
    digest = hashlib.sha256(small).hexdigest()
    short("google-4c", published=digest, parameters={"iter_n": 1, "octave_n": 1})

    assert main(["reproduce", "google-4c", "-o", str(tmp_path), "--seeds", "5"]) == 0

    rows = (tmp_path / "google-4c.md").read_text().splitlines()
    verdicts = [row for row in rows if "inside" in row or "outside" in row]
    assert len(verdicts) == 10 + 1  # ten measures, and what it means


@pytest.mark.slow
def test_other_parameters_are_another_picture(short, tmp_path):
    """A picture that an earlier call made with other parameters is made anew."""
    short("google-4c")
    assert main(["reproduce", "google-4c", "-o", str(tmp_path)]) == 0
    first = (tmp_path / "google-4c_seed0.png").read_bytes()
    short("google-4c", parameters={"iter_n": 1, "octave_n": 2})
    assert main(["reproduce", "google-4c", "-o", str(tmp_path)]) == 0

    assert (tmp_path / "google-4c_seed0.png").read_bytes() != first


@pytest.mark.slow
def test_what_the_first_dream_leaves_behind(ready, tmp_path, monkeypatch):
    """google-3b and google-3b-clean differ: the diffs of the first dream are in one of them."""
    for name in ("google-3b", "google-3b-clean"):
        monkeypatch.setitem(WORKS, name, dataclasses.replace(WORKS[name], published=""))
        assert main(["reproduce", name, "-o", str(tmp_path)]) == 0

    stale, clean = (
        load_image(tmp_path / f"{name}_seed0.png") for name in ("google-3b", "google-3b-clean")
    )
    assert np.abs(stale - clean).mean() > 1


@pytest.mark.slow
def test_a_used_net_is_cleared(short, ready, tmp_path):
    """Whatever the net has dreamt before, the picture is that of a fresh one."""
    work = short("google-3b-clean")
    net, files = net_of(work), pictures.gather(work)
    notebooks_deepdream(net, load_image(files["picture"]), iter_n=1)

    made = makers.make(work, net, files, tmp_path, seeds=[3])

    np.testing.assert_array_equal(load_image(made.pictures[3]), as_the_notebook(work, ready, 3))


@pytest.mark.slow
def test_weights_put_there_by_hand_are_pinned(short, ready, tmp_path, capsys):
    """Nobody has published a hash of Places205: the first file counts, and another is refused."""
    short("kaiser-guided")
    assert main(["reproduce", "kaiser-guided", "-o", str(tmp_path)]) == 0
    file = MODELS["googlenet_places205"].weights_file
    pins = json.loads((ready / "pins.json").read_text())
    assert pins == {file: hashlib.sha256((ready / file).read_bytes()).hexdigest()}

    data = bytearray((ready / file).read_bytes())
    data[-1] ^= 1
    (ready / file).unlink()
    (ready / file).write_bytes(data)
    capsys.readouterr()
    assert main(["reproduce", "kaiser-guided", "-o", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "is there, but wrong" in error
    assert pins[file] in error
    assert "pins.json" in error


@pytest.mark.slow
def test_progress_counts_every_dream(short, ready, tmp_path):
    """Two dreams a seed for google-3b, one scale from start to end; a finished seed counts, too."""
    work = short("google-3b")
    net, files = net_of(work), pictures.gather(work)

    def run(folder, seeds):
        stands, dreams = [], []

        def on_step(step):
            stands.append((dreams[-1] if dreams else 0) + step.done)
            assert step.what == "dream"

        makers.make(work, net, files, folder, seeds=seeds, on_step=on_step,
                    on_picture=dreams.append)  # fmt: skip
        return stands, dreams

    stands, dreams = run(tmp_path, [0])
    assert dreams == [1, 2]
    assert stands == sorted(set(stands))
    assert stands[-1] == 2
    stands, dreams = run(tmp_path, [0, 1])
    assert dreams == [2, 3, 4]
    assert min(stands) > 2


# -- Ctrl-C -----------------------------------------------------------------------------------


def interrupted(function, calls):
    """Return a function that gets Ctrl-C in its call of that number, counted from 1."""
    count = 0

    def wrapped(*args, **keywords):
        nonlocal count
        count += 1
        if count == calls:
            raise KeyboardInterrupt
        return function(*args, **keywords)

    return wrapped


@pytest.mark.slow
@pytest.mark.parametrize(("step", "seed", "kept"), [(4, 7, 3), (6, 8, 1)])
def test_ctrl_c_keeps_the_last_finished_step(
    short, ready, tmp_path, monkeypatch, capsys, step, seed, kept
):
    """In the middle of a step, with the picture rolled: the one before is saved, of its seed."""
    work = short("batcountry-guided")  # a guide, whose features are no steps
    command = ["reproduce", work.name, "-o", str(tmp_path), "--seed", "7", "--seeds", "2"]
    with monkeypatch.context() as patch:
        patch.setattr(dream2015, "mean_gradient", interrupted(dream2015.mean_gradient, step))
        assert main([*command, "--device", "cpu"]) == 130

    path = tmp_path / f"{work.name}_seed{seed}_stopped.png"
    text = capsys.readouterr().out
    assert f"wrote {path}, the picture after octave {(kept + 1) // 2}/2, step " in text
    assert f"makes the picture of seed {seed} anew" in text
    assert ("skips those that are finished (1 of 2)" in text) == (seed == 8)
    np.testing.assert_array_equal(load_image(path), as_the_notebook(work, ready, seed, kept))
    recipe = read_recipe(path)
    assert recipe["stopped"] is True
    assert (recipe["octave"], recipe["step"]) == divmod(kept - 1, 2)
    assert recipe["input"]["sha256"] == works.SKY.sha256
    assert recipe["guide"]["sha256"] == works.FLOWERS.sha256
    assert recipe["seed"] == seed
    assert len(list(tmp_path.glob("*.png"))) == (2 if seed == 8 else 1)

    # The same command makes it, and the stopped one goes.
    assert main([*command, "--device", "cpu"]) == 0
    assert sorted(file.name for file in tmp_path.glob("*.png")) == [
        f"{work.name}_seed7.png", f"{work.name}_seed8.png",
    ]  # fmt: skip
    for one in (7, 8):
        made = load_image(tmp_path / f"{work.name}_seed{one}.png")
        np.testing.assert_array_equal(made, as_the_notebook(work, ready, one))
        assert "stopped" not in read_recipe(tmp_path / f"{work.name}_seed{one}.png")


@pytest.mark.slow
def test_ctrl_c_between_steps(short, ready, tmp_path, monkeypatch, capsys):
    """While the bar is drawn, say: the step before it is kept."""
    work = short("google-4c")
    monkeypatch.setattr(Bar, "step", interrupted(Bar.step, 3))

    assert main(["reproduce", work.name, "-o", str(tmp_path), "--device", "cpu"]) == 130

    kept = load_image(tmp_path / "google-4c_seed0_stopped.png")
    np.testing.assert_array_equal(kept, as_the_notebook(work, ready, 0, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "place", "calls", "words", "finished"),
    [
        ("google-4c", (dream2015, "mean_gradient"), 1, "before the first step of this picture", 0),
        ("google-4c", (dream2015, "mean_gradient"), 5, "before the first step of this picture", 1),
        ("google-3b", (dream2015, "mean_gradient"), 9, "before the first step of this picture", 0),
        ("google-guided", (makers, "guide_features"), 1, "nothing to keep", 0),
        ("google-4c", (makers, "measure"), 1, "(1 of 2) stay", 1),
        ("google-4c", (makers, "as_published"), 2, "(2 of 2) stay", 2),
    ],
    ids=["first step", "second seed", "first dream", "guide", "measuring", "measuring the last"],
)
def test_ctrl_c_saves_no_other_picture(
    short, tmp_path, monkeypatch, capsys, name, place, calls, words, finished
):
    """Neither that of another seed, nor the notebook's first dream, the guide, what is finished."""
    short(name)
    module, function = place
    with monkeypatch.context() as patch:
        patch.setattr(module, function, interrupted(getattr(module, function), calls))
        assert main(["reproduce", name, "-o", str(tmp_path), "--seeds", "2"]) == 130

    assert words in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        f"{name}_seed{seed}.png" for seed in range(finished)
    ]


@pytest.mark.slow
def test_a_zoom_goes_on_where_it_was_interrupted(short, tmp_path, monkeypatch, capsys):
    """Ctrl-C in the second frame keeps the first; the same command makes the rest."""
    work = short("google-zoom", frames=3, parameters={"iter_n": 1, "octave_n": 1})
    with monkeypatch.context() as patch:
        patch.setattr(Bar, "step", interrupted(Bar.step, 2))
        assert main(["reproduce", work.name, "-o", str(tmp_path / "out")]) == 130
    text = capsys.readouterr().out
    assert "1 of 3 frames" in text
    assert "goes on" in text
    frames = tmp_path / "out" / "google-zoom_seed0"
    first = (frames / "0000.png").read_bytes()

    assert main(["reproduce", work.name, "-o", str(tmp_path / "out")]) == 0
    assert (frames / "0000.png").read_bytes() == first
    assert not list((tmp_path / "out").glob("*stopped*"))

    # Only the picture lost: it comes from what the folder holds, to the bit.
    picture = tmp_path / "out" / "google-zoom_seed0.png"
    pixels = picture.read_bytes()
    picture.unlink()
    assert main(["reproduce", work.name, "-o", str(tmp_path / "out")]) == 0
    assert picture.read_bytes() == pixels


@pytest.mark.slow
def test_a_zoom_of_another_network_does_not_go_on(short, tmp_path, capsys):
    """Frames made with another mean, or more of them, are refused, not continued."""
    one_step = {"parameters": {"iter_n": 1, "octave_n": 1}}
    command = ["reproduce", "google-zoom", "-o", str(tmp_path)]
    short("google-zoom", **one_step, mean=None, frames=3)
    assert main(command) == 0

    short("google-zoom", **one_step, mean="2015", frames=3)
    assert main(command) == 2
    assert "[104.0, 117.0, 123.0], not [104.0, 116.0, 122.0]" in capsys.readouterr().err
    short("google-zoom", **one_step, mean=None, frames=2)
    assert main(command) == 2
    assert "another zoom than one of 2 frames" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [("--seed", "-1"), ("--seed", "4294967295", "--seeds", "2")])
def test_seeds_out_of_range_are_refused(flags, capsys):
    """Before anything is fetched."""
    assert main(["reproduce", "google-4c", *flags]) == 2
    assert "--seed is" in capsys.readouterr().err


@pytest.mark.weights
@pytest.mark.slow
def test_google_4c_with_its_weights(shared, tmp_path):
    """With the weights of 2015 the layer answers as strongly as to the published picture."""
    out = tmp_path / "out"
    assert main(["reproduce", "google-4c", "-o", str(out), "--seeds", "6"]) == 0
    report = (out / "google-4c.md").read_text()
    assert "inside" in next(line for line in report.splitlines() if "| objective |" in line)
