"""Batches: which pictures are meant, what is made, what is left alone, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny import write_tiny

import deepdream
from deepdream.batches.make import FAILURES, batch, write_batch
from deepdream.batches.sources import find_pictures, name_dreams
from deepdream.cli import main
from deepdream.commands.batch import tell
from deepdream.dreaming.dream import dream
from deepdream.errors import (
    ImageError,
    MissingFileError,
    ParameterError,
    UnknownBlobError,
    UnknownLayerError,
    WeightsError,
    WriteError,
)
from deepdream.images import load_image, save_image
from deepdream.jobs import notes
from deepdream.jobs.job import File, Job, Maker
from deepdream.models.load import load_net
from deepdream.recipe import read_recipe

FEW = {"end": "a/output", "iter_n": 1, "octave_n": 2, "jitter": 3}
FLAGS = ["--end", "a/output", "--iter-n", "1", "--octave-n", "2", "--jitter", "3"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def net(files):
    return load_net(*files, mean=(104, 117, 123))


@pytest.fixture
def model(files):
    return ["--model", str(files[0]), "--weights", str(files[1]), "--mean", "104,117,123"]


@pytest.fixture
def photos(tmp_path):
    """Three pictures of different shapes, and a note."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (name, h, w) in enumerate(
        [("b.png", 43, 59), ("a.jpg", 47, 41), ("c.PNG", 53, 61)]
    ):
        pixels = np.random.RandomState(number).uniform(0, 255, (h, w, 3))
        save_image(pixels, folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# -- which pictures --------------------------------------------------------------------------------


def test_folders_files_and_patterns(photos, tmp_path):
    """A folder gives its pictures by name, a pattern those that fit; none comes twice."""
    deeper = photos / "deeper"
    deeper.mkdir()
    save_image(np.full((8, 9, 3), 99.0), deeper / "d.jpg")

    def found(*given):
        return [path.name for path in find_pictures([str(each) for each in given])]

    assert found(photos) == ["a.jpg", "b.png", "c.PNG"]
    assert found(photos / "c.PNG", photos) == ["c.PNG", "a.jpg", "b.png"]
    assert found(photos / "**" / "*.jpg") == ["a.jpg", "d.jpg"]
    assert find_pictures(photos / "b.png") == [photos / "b.png"]
    assert found(photos / "missing.jpg") == ["missing.jpg"]  # fails by itself, later


def test_nothing_found_is_said(photos, tmp_path):
    """An empty folder, or a pattern that fits nothing, is most likely a slip."""
    with pytest.raises(MissingFileError, match="holds no pictures"):
        find_pictures(tmp_path)
    with pytest.raises(MissingFileError, match=r"No picture fits .*\*\.tif"):
        find_pictures([str(photos / "*.tif")])
    with pytest.raises(MissingFileError, match="which pictures"):
        find_pictures([])


def test_a_name_may_begin_with_a_tilde(photos, monkeypatch):
    """As those of files that an office program has open."""
    (photos / "a.jpg").rename(photos / "~$a.jpg")
    monkeypatch.chdir(photos)

    assert find_pictures("~$a.jpg") == [Path("~$a.jpg")]
    assert find_pictures(["~no-such-user/x.jpg"]) == [
        Path("~no-such-user/x.jpg")
    ]  # fails by itself


def named(pictures, pattern, folder):
    known = {"seed": 7, "style": "eyes"}
    return [path.name for path in name_dreams(pictures, pattern, folder, known).values()]


def test_names_of_dreams(photos, tmp_path):
    """What stands in braces is filled in."""
    pictures = find_pictures(photos)

    assert named(pictures, "{name}_dream.png", tmp_path)[0] == "a_dream.png"
    assert named(pictures, "{number:03}.jpg", tmp_path) == ["001.jpg", "002.jpg", "003.jpg"]
    assert named(pictures, "{folder}-{name}.{ext}.{style}{seed}.webp", tmp_path)[1] == (
        "photos-b.png.eyes7.webp"
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{who}.png", r"\{name\}, \{ext\}"),
        ("{0}.png", r"\{name\}, \{ext\}"),
        ("dream.png", "the same for all"),
        ("{name:d}.png", "name is"),
        ("{name.png", "name is"),
    ],
)
def test_patterns_that_make_no_sense(photos, tmp_path, pattern, message):
    """A pattern that cannot name files is told before anything is made."""
    with pytest.raises(ParameterError, match=message):
        named(find_pictures(photos), pattern, tmp_path)


def test_no_two_dreams_have_one_file(photos, tmp_path):
    """Two pictures of one name, also where only case differs, have to be told apart."""
    save_image(np.full((8, 9, 3), 99.0), photos / "A.png")

    with pytest.raises(ParameterError, match=r"would both become .*\{ext\}"):
        named(find_pictures(photos), "{name}.webp", tmp_path)
    assert len(named(find_pictures(photos), "{name}_{ext}.webp", tmp_path)) == 4


def test_no_picture_is_written_over(photos):
    """Not its own picture, and not another one."""
    with pytest.raises(ParameterError, match="would be written over"):
        named(find_pictures(photos), "{name}.png", photos)
    with pytest.raises(ImageError, match="no ending"):
        named(find_pictures(photos), "{name}", photos)
    with pytest.raises(ParameterError, match="numbers would shift"):
        named(find_pictures(photos), "{number}.png", photos)


# -- what is made ----------------------------------------------------------------------------------


def test_a_batch_is_the_dreams_of_its_pictures(net, photos, tmp_path):
    """The files are those of single dreams, byte for byte, and carry their recipes."""
    made = batch(net, photos, tmp_path / "out", name="{name}.png", seed=5, **FEW)

    assert [entry.dream.name for entry in made] == ["a.png", "b.png", "c.png"]
    assert not any(entry.there or entry.error for entry in made)
    alone = dream(net, load_image(photos / "c.PNG"), seed=5, **FEW)
    save_image(alone, tmp_path / "alone.png")
    assert made[2].dream.read_bytes() == (tmp_path / "alone.png").read_bytes()
    assert read_recipe(made[0].dream)["input"]["file"] == "a.jpg"
    assert files_in(tmp_path / "out") == ["a.png", "b.png", "c.png"]


def test_pictures_come_from_an_iterator_too(net, photos, tmp_path):
    """Which gives each once; what is made is told in its order."""
    names = ["c.PNG", "a.jpg", "b.png"]

    made = batch(net, (photos / name for name in names), tmp_path / "out", **FEW)

    assert [entry.picture.name for entry in made] == names


def test_pictures_may_be_moved_away_once_they_are_dreamt_on(net, photos, tmp_path):
    def on_step(step):
        for picture in photos.iterdir():
            picture.unlink()

    made = batch(net, f"{photos}/a*.jpg", tmp_path / "out", on_step=on_step, **FEW)

    assert [entry.picture.name for entry in made] == ["a.jpg"]


def test_what_is_there_is_not_made_again(net, photos, tmp_path):
    """A second call makes what is missing, damaged, of another picture or another dream."""
    out = tmp_path / "out"
    batch(net, photos, out, **FEW)
    first = {path.name: path.read_bytes() for path in out.iterdir()}

    def again(**changes):
        return [e.dream.name for e in batch(net, photos, out, **{**FEW, **changes}) if not e.there]

    assert again() == []
    (out / "a_dream.png").unlink()
    (out / "b_dream.png").write_bytes(first["b_dream.png"][:-900])  # cut off by a copy
    assert again() == ["a_dream.png", "b_dream.png"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    save_image(np.random.RandomState(9).uniform(0, 255, (44, 45, 3)), photos / "b.png")
    assert again() == ["b_dream.png"]
    assert len(again(seed=1)) == len(again(iter_n=2)) == len(again(depth=16)) == 3
    assert again(depth=16) == []


def test_other_arrays_are_another_dream(net, photos, tmp_path):
    """A mask and a guide that no file holds are told apart by their pixels."""
    mask = np.zeros((43, 59), np.float32)
    mask[:20] = 1
    guide = np.random.RandomState(5).uniform(0, 255, (40, 41, 3)).astype(np.float32)

    def made(**how):
        entries = batch(net, photos / "b.png", tmp_path, **FEW, **how)
        assert not any(each.error for each in entries)
        return [not each.there for each in entries]

    assert made(mask=mask, guide=guide) == [True]
    assert made(mask=mask.copy(), guide=guide.copy()) == [False]
    assert made(mask=1 - mask, guide=guide) == [True]
    assert made(mask=1 - mask, guide=guide[::-1]) == [True]


def test_a_batch_in_the_folder_of_its_pictures(net, photos):
    """Dreams of the first call are no pictures for the second."""
    batch(net, photos, photos, **FEW)

    again = batch(net, photos, photos, **FEW)

    assert [entry.picture.name for entry in again if entry.there] == ["a.jpg", "b.png", "c.PNG"]
    assert len(again) == 3


def test_a_picture_that_fails_does_not_stop_the_others(net, photos, tmp_path):
    """It is told at the end and in a file, which goes when nothing fails any more."""
    (photos / "b.png").write_bytes(b"nothing")
    out = tmp_path / "out"

    made = batch(net, [photos, photos / "gone.jpg"], out, **FEW)

    errors = {entry.picture.name: entry.error for entry in made if entry.error}
    assert sorted(errors) == ["b.png", "gone.jpg"]
    assert "no picture that can be read" in errors["b.png"]
    assert "There is no file" in errors["gone.jpg"]
    told = (out / FAILURES).read_text().splitlines()
    assert len(told) == 2
    assert told[0].startswith(str(photos / "gone.jpg"))
    save_image(np.random.RandomState(9).uniform(0, 255, (44, 45, 3)), photos / "b.png")
    batch(net, photos, out, **FEW)
    assert not (out / FAILURES).exists()


def test_what_is_wrong_for_all_stops_at_once(net, photos, tmp_path):
    """Nothing is written for a layer that is not there, or a value that makes no sense."""
    out = tmp_path / "out"
    for wrong, error in (
        ({"end": "nowhere"}, UnknownBlobError),
        ({"iter_n": -1}, ParameterError),
        ({"seed": "one"}, ParameterError),
        ({"compose": (3, 4)}, ParameterError),
        ({"iterations": 5}, ParameterError),
        ({"name": "x.png"}, ParameterError),
        ({"depth": 16, "name": "{name}.jpg"}, ImageError),
    ):
        with pytest.raises(error):
            batch(net, photos, out, **{**FEW, **wrong})
    with pytest.raises(WriteError, match="name of a file"):
        batch(net, photos, tmp_path / "out.zip", **FEW)
    assert not out.exists()


def test_it_stops_where_it_is_told(net, photos, tmp_path):
    """`on_step` ends a batch without its unfinished picture; the next call goes on."""
    seen = []

    def on_step(step):
        seen.append((step.what, step.picture_number, step.picture_n, round(step.all_done, 3)))
        return step.picture_number == 0

    made = [*write_batch(net, photos, tmp_path / "out", on_step=on_step, **FEW)]

    assert [entry.picture.name for entry in made] == ["a.jpg"]
    assert seen[-1][:3] == ("b.png", 1, 3)
    assert 0 < seen[0][3] < seen[-1][3] < 1
    assert files_in(tmp_path / "out") == ["a_dream.png"]


def test_ctrl_c_keeps_what_is_made(net, photos, tmp_path):
    """The picture that was being made is dropped, and nothing half-written is left."""

    def on_step(step):
        if step.picture_number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch(net, photos, tmp_path / "out", on_step=on_step, **FEW)

    assert files_in(tmp_path / "out") == ["a_dream.png"]


def test_errors_of_on_step_are_the_users(net, photos, tmp_path):
    """They are no failure of a picture."""

    def on_step(step):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        batch(net, photos, tmp_path / "out", on_step=on_step, **FEW)


# -- by a recipe -----------------------------------------------------------------------------------


def test_by_the_recipe_of_a_dream(net, photos, tmp_path):
    """All others are made as it was, with its guide; given values win."""
    guide = tmp_path / "guide.png"
    save_image(np.random.RandomState(3).uniform(0, 255, (40, 38, 3)), guide)
    best = dream(
        net, load_image(photos / "a.jpg"), guide=load_image(guide), seed=11, width=52, **FEW
    )
    save_image(best, tmp_path / "best.png")
    (tmp_path / "best.json").write_text(json.dumps(read_recipe(tmp_path / "best.png")))

    made = batch(net, photos, tmp_path / "out", recipe=tmp_path / "best.png")
    by_json = batch(net, photos, tmp_path / "json", recipe=tmp_path / "best.json")
    other = batch(net, photos, tmp_path / "other", recipe=tmp_path / "best.png", width=57, seed=1)

    assert made[0].dream.read_bytes() == (tmp_path / "best.png").read_bytes()
    assert [e.dream.read_bytes() for e in by_json] == [e.dream.read_bytes() for e in made]
    recipe = read_recipe(other[2].dream)
    assert (recipe["seed"], recipe["parameters"]["width"]) == (1, 57)
    assert recipe["guide"]["file"] == "guide.png"
    assert load_image(other[2].dream).shape == (round(53 * 57 / 61), 57, 3)


def test_recipes_that_are_for_one_picture_only(net, photos, tmp_path, files):
    """One that was enlarged, one of other weights, and what is none."""
    made = dream(net, load_image(photos / "b.png"), seed=1, width=80, compose=(59, 43), **FEW)
    save_image(made, tmp_path / "large.png")
    with pytest.raises(ImageError, match="enlarged by a rerun"):
        batch(net, photos, tmp_path / "out", recipe=tmp_path / "large.png")
    (tmp_path / "none.json").write_text("[]")
    with pytest.raises(ImageError, match="holds no recipe"):
        batch(net, photos, tmp_path / "out", recipe=tmp_path / "none.json")
    (tmp_path / "other").mkdir()
    other = load_net(*write_tiny(tmp_path / "other", seed=3), mean=(104, 117, 123))
    save_image(dream(other, load_image(photos / "b.png"), seed=1, **FEW), tmp_path / "best.png")
    with pytest.raises(WeightsError, match="are not the recipe's"):
        batch(net, photos, tmp_path / "out", recipe=tmp_path / "best.png")


# -- jobs ------------------------------------------------------------------------------------------


def test_a_file_that_has_changed_is_no_input(photos):
    """A job is about the bytes that it was written for."""
    file = File.at(photos / "b.png")
    packed = file.packed()
    save_image(np.full((8, 9, 3), 99.0), photos / "b.png")

    with pytest.raises(ImageError, match="another file than it was"):
        file.load()
    picture = packed.load()
    assert picture.shape == (43, 59, 3)
    assert picture.source == {"file": "b.png", "sha256": file.sha256, "size": [59, 43]}


def test_notes_go_to_the_thread_that_they_are_about():
    """Two dreams side by side do not get each other's warnings, and the hook goes."""
    import threading
    import warnings

    before, got = warnings.showwarning, {}
    both = threading.Barrier(2, timeout=60)

    def one(name):
        with notes.collected() as found:
            both.wait()
            for _ in range(2):
                warnings.warn(f"of {name}", UserWarning, stacklevel=1)
            warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
            both.wait()
        got[name] = found

    threads = [threading.Thread(target=one, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)

    assert got == {"a": ["of a"], "b": ["of b"]}
    assert warnings.showwarning is before


def test_a_maker_prepares_once_for_equal_goals(net, photos):
    """Jobs of one goal share what is ready; another layer does not."""
    maker = Maker(net, {"img": File.at(photos / "b.png"), "seed": 1, **FEW})
    first = maker.make(Job("one", {}, "x.png"))
    goal = {"end": "a/output"}
    ready = maker.ready(goal)
    again = maker.make(Job("two", {"iter_n": 2}, "x.png"))
    assert maker.ready(goal) is ready
    other = maker.make(Job("three", {"end": "conv1"}, "x.png"))
    assert maker.ready({"end": "conv1"}) is not ready
    assert len({first.data, again.data, other.data}) == 3
    failed = maker.make(Job("four", {"end": "nowhere"}, "x.png"))
    assert "no blob named 'nowhere'" in failed.error
    assert maker.make(Job("one", {}, "x.png")).data == first.data


# -- the command -----------------------------------------------------------------------------------


def test_the_command(model, photos, tmp_path, capsys):
    """It says what it has made and what failed; the status is 1 then."""
    out = tmp_path / "out"
    command = ["batch", str(photos), "-o", str(out), *model, *FLAGS, "--name", "{name}.jpg"]

    assert main(command) == 0
    said = capsys.readouterr()
    assert "3 pictures to make" in said.out
    assert f"wrote {out} (3 new pictures" in said.out
    assert main(command) == 0
    assert "(0 new pictures, 3 from before" in capsys.readouterr().out
    (photos / "b.png").write_bytes(b"")
    assert main(command) == 1
    said = capsys.readouterr()
    assert f"1 failed: {out / FAILURES} says why" in said.out
    assert "is empty" in said.err


def test_the_command_tells_what_was_to_be_said(model, photos, tmp_path, capsys):
    """Notes of the dreams, each once; errors in the words of flags."""
    command = ["batch", str(photos), *model, "--end", "a/output", "--iter-n", "1"]

    assert main([*command, "-o", str(tmp_path / "few"), "--octave-n", "30"]) == 0
    said = capsys.readouterr().err
    assert said.count("octaves are left out") >= 1
    assert "note: a.jpg" in said
    assert main([*command, "-o", str(tmp_path / "none"), "--max-memory", "1"]) == 1
    assert "larger --max-memory" in capsys.readouterr().err


def test_the_command_tells_some_notes_of_many(recwarn):
    tell({f"note {n}": ["a.jpg", "b.jpg"] for n in range(7)})

    told = [str(each.message) for each in recwarn]
    assert told[0] == "a.jpg and 1 more: note 0"
    assert told[5:] == ["2 more notes of this kind"]


def test_the_command_by_a_recipe(model, photos, tmp_path, capsys):
    """What a flag does not say is the recipe's, the network as well."""
    assert main(["batch", str(photos / "a.jpg"), "-o", str(tmp_path), *model, *FLAGS]) == 0
    best = tmp_path / "a_dream.png"
    again = ["batch", str(photos), "-o", str(tmp_path / "out"), "--recipe", str(best), *model]

    assert main(again) == 0
    assert main([*again, "--iter-n", "2"]) == 0

    assert "(3 new pictures" in capsys.readouterr().out
    assert read_recipe(tmp_path / "out" / "b_dream.png")["parameters"]["iter_n"] == 2
    assert main([*again[:6], "--out", str(tmp_path / "x")]) == 2
    assert "is not a registered one" in capsys.readouterr().err


def test_batch_is_public():
    """The package offers it."""
    assert deepdream.batch is batch


def test_unknown_layers_are_told_by_name(model, photos, tmp_path, capsys):
    """Two lines, no traceback, status 2."""
    command = ["batch", str(photos), "-o", str(tmp_path / "out"), *model, "--end", "a/outptu"]

    assert main(command) == 2
    assert "a/output" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert issubclass(UnknownLayerError, ValueError)
