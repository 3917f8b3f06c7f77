"""The picture so far in a file that an image viewer watches."""

from __future__ import annotations

import logging
import os
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FakeNet
from PIL import Image
from tiny import write_tiny

from deepdream import progress
from deepdream.cli import main
from deepdream.dreaming.dream import dream
from deepdream.errors import ParameterError, WriteError
from deepdream.images import load_image, save_image
from deepdream.preview_file import PreviewFile, check_preview


def noise(h, w, seed=1):
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


@pytest.fixture
def always(monkeypatch):
    """It is always time again."""
    monkeypatch.setattr(progress, "_INTERVAL", 0)
    monkeypatch.setattr(progress, "_SHARE", 1e9)


@pytest.mark.parametrize("name", ["now.png", "now.jpg", "now.JPEG"])
def test_the_file_grows_with_the_dream(tmp_path, always, name):
    """A whole picture at every step, always of the same size; at the end the dream itself."""
    path, seen = tmp_path / name, []
    watcher = PreviewFile(path, (60, 90))

    def step(step):
        watcher.step(step)
        with Image.open(path) as image:
            seen.append(image.format)
            assert image.size == (90, 60)
            shown = np.asarray(image).astype(float)
        if step.octave == 1 and name == "now.png":
            np.testing.assert_array_equal(shown, np.rint(np.clip(step.picture, 0, 255)))

    out = dream(FakeNet(), noise(60, 90), end="top", iter_n=2, octave_n=2, seed=1, on_step=step)
    assert seen == ["PNG" if name == "now.png" else "JPEG"] * 4
    watcher.done(out)

    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    last, due = (np.asarray(a, float) for a in (load_image(path), np.clip(out, 0, 255)))
    if name == "now.png":
        np.testing.assert_array_equal(last, np.rint(due))
    tiles = [a.reshape(4, 15, 6, 15, 3).mean((1, 3)) for a in (last, due)]
    assert np.abs(tiles[0] - tiles[1]).max() < 8  # JPEG keeps no noise, but its mean


def test_a_large_picture_is_shrunk(tmp_path):
    """To 1000 pixels; an octave that is smaller is enlarged to as many."""
    watcher = PreviewFile(tmp_path / "now.png", (1500, 3000))
    watcher.step(SimpleNamespace(size=(150, 300), sample=lambda every: noise(150, 300)))
    assert load_image(tmp_path / "now.png").shape == (500, 1000, 3)
    watcher.done(np.zeros((1500, 3000, 3)) + [200, 100, 50])
    assert load_image(tmp_path / "now.png").shape == (500, 1000, 3)
    assert (load_image(tmp_path / "now.png") == [200, 100, 50]).all()


def test_a_file_is_written_seldom(tmp_path, monkeypatch):
    """Twice a second at most, as other previews."""
    now, written = [100.0], []
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    watcher = PreviewFile(tmp_path / "now.jpg", (31, 43))
    monkeypatch.setattr(watcher, "_write", lambda *_: written.append(now[0]))
    for _ in range(1000):
        now[0] += 0.01
        watcher.step(SimpleNamespace(size=(31, 43), sample=lambda every: noise(31, 43)))
    assert 19 <= len(written) <= 20


def test_a_full_disk_does_not_end_the_dream(tmp_path, always, monkeypatch, caplog):
    """One line says that there is no preview any more; the last one stays."""
    watcher = PreviewFile(tmp_path / "now.png", (31, 43))
    step = SimpleNamespace(size=(31, 43), sample=lambda every: noise(31, 43))
    watcher.step(step)
    before = (tmp_path / "now.png").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with caplog.at_level(logging.WARNING, "deepdream"):
        for _ in range(3):
            watcher.step(step)
        watcher.done(noise(31, 43))
    assert len(caplog.records) == 1
    assert "Free some space" in caplog.text
    assert "goes on without a preview" in caplog.text
    assert (tmp_path / "now.png").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["now.png"]


def test_it_never_takes_the_place_of_another(tmp_path, monkeypatch):
    """Not of the picture to dream on, nor of the one to write, however they are spelled."""
    save_image(noise(5, 7), tmp_path / "sky.png")
    (tmp_path / "link.png").symlink_to("sky.png")
    os.link(tmp_path / "sky.png", tmp_path / "hard.png")
    monkeypatch.chdir(tmp_path)
    for name in ("sky.png", "link.png", "hard.png", "./sky.png", str(tmp_path / "sky.png")):
        with pytest.raises(ParameterError, match="would take the place of 'sky.png'"):
            check_preview(name, ["other.png", "sky.png"])
    with pytest.raises(ParameterError, match="out.png"):  # which is not there yet
        check_preview(tmp_path / "out.png", ["sky.png", "out.png"])
    check_preview("now.png", ["sky.png", "out.png"])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["hard.png", "link.png", "sky.png"]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("now.tif", ParameterError, "ends in .png or .jpg"),
        ("now", ParameterError, "ends in .png or .jpg"),
        ("no/folder/now.png", WriteError, "no folder"),
    ],
)
def test_a_preview_that_cannot_be_written_is_refused(tmp_path, monkeypatch, name, error, words):
    """Before any work."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        check_preview(name, [])


@pytest.fixture
def command(tmp_path):
    """Arguments of a dream with the small net."""
    prototxt, caffemodel = write_tiny(tmp_path)
    save_image(noise(53, 71), tmp_path / "sky.png")
    return ["dream", str(tmp_path / "sky.png"), "-o", str(tmp_path / "out.png"), "--model",
            str(prototxt), "--weights", str(caffemodel), "--mean", "1,2,3", "--end", "a/output",
            "--octave-n", "2", "--iter-n", "2", "--seed", "1"]  # fmt: skip


def test_the_command_leaves_the_dream_in_the_preview(tmp_path, command):
    """In a pipe, too; without a recipe, for the picture with the recipe is the other one."""
    now = tmp_path / "now.png"
    assert main([*command, "--preview", str(now)]) == 0
    np.testing.assert_array_equal(load_image(now), load_image(tmp_path / "out.png"))
    with Image.open(now) as image:
        assert "deepdream" not in image.info


def test_a_preview_has_the_size_that_was_asked_for(tmp_path, command, monkeypatch):
    """From the first octave on, also of another shape than the input's and with a border."""
    sizes, real = [], PreviewFile._write
    monkeypatch.setattr(
        PreviewFile, "_write", lambda *given: [sizes.append(given[-1]), real(*given)]
    )
    flags = ["--width", "97", "--height", "41", "--border", "reflect"]
    assert main([*command, *flags, "--preview", str(tmp_path / "now.png")]) == 0
    assert set(sizes) == {(41, 97)}
    shown, out = load_image(tmp_path / "now.png"), load_image(tmp_path / "out.png")
    np.testing.assert_array_equal(shown, out)


@pytest.mark.parametrize("name", ["sky.png", "out.png"])
def test_the_command_refuses_its_own_files(tmp_path, command, capsys, name):
    """The input stays as it is; nothing is loaded for that."""
    before = (tmp_path / "sky.png").read_bytes()
    arguments = [*command, "--preview", str(tmp_path / name), "--model", "none"]
    assert main(arguments) == 2
    assert "would take the place of" in capsys.readouterr().err
    assert (tmp_path / "sky.png").read_bytes() == before
    assert not (tmp_path / "out.png").exists()


def test_previews_change_no_picture(tmp_path, command):
    """The same bytes with and without."""
    assert main(command) == 0
    plain = (tmp_path / "out.png").read_bytes()
    assert main([*command, "--preview", str(tmp_path / "now.jpg")]) == 0
    assert (tmp_path / "out.png").read_bytes() == plain
