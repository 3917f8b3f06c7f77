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
from deepdream.dreaming.dream2015 import deepdream as notebooks_deepdream
from deepdream.errors import DownloadError, UnknownModelError
from deepdream.images import load_image, save_image
from deepdream.models.cache import prototxt_path
from deepdream.models.load import load_graph
from deepdream.models.registry import MODELS
from deepdream.recipe import read_recipe
from deepdream.reproduce import pictures, works
from deepdream.reproduce.measures import as_published, detail, spread
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
    """The smallest and the largest of each."""
    assert spread([{"a": 2, "b": 5}, {"a": 1, "b": 7}]) == {"a": (1, 2), "b": (5, 7)}


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


def test_offline_every_missing_file_is_named(home, monkeypatch, capsys):
    """Where to put each, where it comes from, what it hashes to; exit status 2."""

    def refuse(*_, **__):
        raise DownloadError("no network")

    monkeypatch.setattr(pictures, "fetch", refuse)
    monkeypatch.setattr(pictures, "fetch_model", refuse)

    assert main(["reproduce", "google-guided", "-o", str(home / "out")]) == 2
    error = capsys.readouterr().err
    for path in ("bvlc_googlenet.caffemodel", "pictures/sky1024px.jpg", "pictures/flowers.jpg"):
        assert str(home / path) in error
    assert works.SKY.sha256 in error
    assert works.SKY.url in error


# -- whole runs -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Seeded weights of GoogLeNet, in Caffe's format."""
    net = Net(str(prototxt_path(MODELS["googlenet"])), 1)
    seed_weights(net, 0)
    path = tmp_path_factory.mktemp("weights") / "bvlc_googlenet.caffemodel"
    net.save(str(path))
    return path


@pytest.fixture
def ready(small, home, weights, monkeypatch):
    """Everything in its place for an offline run on small pictures."""
    home.mkdir(exist_ok=True)
    (home / weights.name).symlink_to(weights)
    digits = hashlib.sha256(weights.read_bytes()).hexdigest()
    entry = dataclasses.replace(
        MODELS["googlenet"], hashes={"sha256": digits}, size=weights.stat().st_size
    )
    monkeypatch.setitem(MODELS, "googlenet", entry)
    monkeypatch.setitem(WORKS, "google-4c", work_with(small))
    return home


@pytest.mark.slow
def test_google_4c_runs_to_its_end(ready, tmp_path, capsys):
    """Two seeds beside the published picture, measures and reasons; the second run is free."""
    out = tmp_path / "out"
    assert main(["reproduce", "google-4c", "-o", str(out), "--seeds", "2"]) == 0

    text = capsys.readouterr().out
    assert "Wikimedia" in text
    assert "Nobody seeded" in text
    assert "objective" in text
    made = sorted(path.name for path in out.iterdir())
    assert made == [
        "google-4c.md", "google-4c_published.jpg", "google-4c_seed0.png", "google-4c_seed1.png",
        "google-4c_side_by_side.jpg",
    ]  # fmt: skip
    first, second = (load_image(out / f"google-4c_seed{k}.png") for k in (0, 1))
    assert first.shape == (97, 131, 3)
    assert not np.array_equal(first, second)
    recipe = read_recipe(out / "google-4c_seed0.png")
    assert recipe["reproduces"] == "google-4c"
    assert recipe["seed"] == 0
    with Image.open(out / "google-4c_side_by_side.jpg") as both:
        assert both.size == (2 * 131 + 12, 97)
    report = (out / "google-4c.md").read_text()
    assert "| objective |" in report
    assert "inside" in report or "outside" in report

    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert main(["reproduce", "google-4c", "-o", str(out), "--seeds", "2"]) == 0
    assert times == {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}


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
def test_a_zoom_goes_on_where_it_was_interrupted(ready, tmp_path, monkeypatch, capsys):
    """Ctrl-C in the second frame keeps the first; the same command makes the rest."""
    work = dataclasses.replace(
        WORKS["google-zoom"], published="", frames=3, parameters={"iter_n": 1, "octave_n": 1}
    )
    monkeypatch.setitem(WORKS, work.name, work)
    from deepdream.progress import Bar

    steps = []

    def interrupt(self, step):
        steps.append(step)
        if len(steps) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bar, "step", interrupt)
        assert main(["reproduce", work.name, "-o", str(tmp_path / "out")]) == 130
    assert "goes on" in capsys.readouterr().out
    frames = tmp_path / "out" / "google-zoom_seed0"
    first = (frames / "0000.png").read_bytes()

    assert main(["reproduce", work.name, "-o", str(tmp_path / "out")]) == 0
    assert (frames / "0000.png").read_bytes() == first
    last = load_image(tmp_path / "out" / "google-zoom_seed0.png")
    assert np.array_equal(last, load_image(frames / "0002.png"))


@pytest.mark.weights
@pytest.mark.slow
def test_google_4c_with_its_weights(shared, tmp_path):
    """With the weights of 2015 the layer answers as strongly as to the published picture."""
    out = tmp_path / "out"
    assert main(["reproduce", "google-4c", "-o", str(out), "--seeds", "3"]) == 0
    report = (out / "google-4c.md").read_text()
    assert "outside" not in next(line for line in report.splitlines() if "objective" in line)
