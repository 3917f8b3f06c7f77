"""The command line, as its users meet it."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from as_typed import as_typed
from tiny import write_tiny

from deepdream.cli import build_parser, main
from deepdream.dreaming.dream import dream
from deepdream.images import Picture, load_image, save_image
from deepdream.recipe import read_recipe


@pytest.fixture
def model(tmp_path):
    """Arguments that name the small net's files."""
    prototxt, caffemodel = write_tiny(tmp_path)
    return ["--model", str(prototxt), "--weights", str(caffemodel), "--mean", "104,117,123"]


@pytest.fixture
def sky(tmp_path):
    path = tmp_path / "sky.png"
    save_image(np.random.RandomState(1).uniform(0, 255, (53, 71, 3)), path)
    return path


QUICK = ["--end", "a/output", "--iter-n", "2", "--octave-n", "2", "--seed", "3"]


def test_dream_writes_a_picture_with_its_recipe(tmp_path, model, sky, capsys):
    """The picture has the size of the input, its recipe every parameter, and one line says so."""
    out = tmp_path / "dream.png"

    assert main(["dream", str(sky), "-o", str(out), *model, *QUICK]) == 0

    printed = capsys.readouterr()
    assert printed.out.startswith(f"wrote {out} (71x53, ")
    # Of a machine that has never dreamt one line more.
    said = [line for line in printed.err.splitlines() if "compiling kernels" not in line]
    assert said == []
    assert np.abs(load_image(out) - load_image(sky)).mean() > 1
    recipe = read_recipe(out)
    assert recipe["seed"] == 3
    assert recipe["parameters"]["end"] == "a/output"
    assert recipe["parameters"]["octave_n"] == 2
    assert recipe["input"]["file"] == "sky.png"
    assert len(recipe["model"]["caffemodel_sha256"]) == 64


def test_dream_without_seed_keeps_the_one_it_drew(tmp_path, model, sky):
    """The seed in the recipe makes the same file again, byte for byte."""
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    quick = QUICK[:-2]
    main(["dream", str(sky), "-o", str(first), *model, *quick])
    seed = str(read_recipe(first)["seed"])

    main(["dream", str(sky), "-o", str(second), *model, *quick, "--seed", seed])

    assert second.read_bytes() == first.read_bytes()


def test_dream_names_its_output_after_the_picture(tmp_path, model, sky, monkeypatch, capsys):
    """Without -o the picture goes into this folder."""
    monkeypatch.chdir(tmp_path)

    main(["dream", str(sky), *model, *QUICK])

    first = (tmp_path / "sky_dream.png").read_bytes()
    assert "wrote sky_dream.png" in capsys.readouterr().out
    for number in (2, 3):
        main(["dream", str(sky), *model, *QUICK, "--iter-n", "1"])
        assert f"wrote sky_dream_{number}.png" in capsys.readouterr().out
        assert (tmp_path / f"sky_dream_{number}.png").is_file()
    assert (tmp_path / "sky_dream.png").read_bytes() == first


def test_a_class_in_a_layers_place_is_told(tmp_path, sky, capsys):
    """By any of its names; what is neither is told as a layer alone."""
    out = ["-o", str(tmp_path / "out.png")]
    for name, said in (
        ("hen", "--end class:hen\n"),
        ("great grey owl", "--end 'class:great grey owl'\n"),
    ):
        assert main(["dream", str(sky), *out, "--end", name]) == 2
        assert f"\nIt is the name of a class: {said}" in capsys.readouterr().err
    for name in ("hne", "13", "block7"):
        assert main(["dream", str(sky), *out, "--end", name]) == 2
        assert "class" not in capsys.readouterr().err


def test_pictures_larger_than_the_memory(tmp_path, sky, capsys):
    """They are refused in a line before they are begun, by any of the ways to ask for one."""
    out = ["-o", str(tmp_path / "out.png")]
    for words, size in (
        ([str(sky), "--width", "100000000"], "100000000x74647887"),
        ([str(sky), "--width", "10000000", "--height", "9000000"], "10000000x9000000"),
        (["noise:9000000x8000000"], "9000000x8000000"),
    ):
        assert main(["dream", *words, *out]) == 2
        said = capsys.readouterr().err
        assert f"a picture of {size} needs " in said
        assert said.endswith("free: use a smaller one\n")
        assert len(said.splitlines()) == 1


def test_a_folder_in_a_pictures_place(tmp_path, capsys):
    """The command for all pictures in it is named."""
    (tmp_path / "my photos").mkdir()
    for command, out in (("dream", "a.png"), ("zoom", "a.gif"), ("zoom", "a"), ("gallery", "b")):
        assert main([command, str(tmp_path / "my photos"), "-o", str(tmp_path / out)]) == 2
        said = capsys.readouterr().err
        assert f"deepdream batch '{tmp_path / 'my photos'}' -o FOLDER\n" in said
        assert not (tmp_path / out).exists()


def test_dream_takes_a_guide_and_keeps_alpha(tmp_path, model, capsys):
    """A guide is named in the recipe, and transparency comes out as it went in."""
    sky, guide, out = (tmp_path / name for name in ("a.png", "guide.jpg", "out.png"))
    rng = np.random.RandomState(2)
    alpha = rng.randint(0, 256, (53, 71)).astype(np.uint8)
    save_image(Picture(rng.uniform(0, 255, (53, 71, 3)), alpha), sky)
    save_image(rng.uniform(0, 255, (31, 43, 3)), guide)

    assert main(["dream", str(sky), "-o", str(out), "--guide", str(guide), *model, *QUICK]) == 0

    np.testing.assert_array_equal(load_image(out).alpha, alpha)
    assert read_recipe(out)["guide"]["file"] == "guide.jpg"


def test_every_keyword_of_dream_is_a_flag_with_its_default():
    """Flags are the keywords, and no default is typed twice."""
    args = vars(build_parser().parse_args(["dream", "x.jpg"]))
    for name, parameter in inspect.signature(dream).parameters.items():
        if name in ("net", "img", "compose", "objective", "on_step", "progress"):
            continue
        assert args[name] == parameter.default, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dream", "NO.jpg"], "NO.jpg"),
        (["dream", "SKY", "--end", "a/outputt"], "Did you mean 'a/output'"),
        (["dream", "SKY", "--end", "a/relu_3x3"], "--end a/3x3"),
        (["dream", "SKY", "--iter-n", "-1", "--end", "a/output"], "--iter-n is -1"),
        (["dream", "SKY", "-o", "dream.psd"], ".psd"),
        (["dream", "SKY", "-o", "no/folder/dream.png"], "no folder"),
        (["dream", "SKY", "--mean", "1,2,x"], "--mean is '1,2,x'"),
        (["dream", "SKY"], "which layer"),
        (["dream", "MODEL", "--end", "a/output"], "no picture"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_errors_are_short_and_leave_nothing_behind(
    tmp_path, model, sky, capsys, monkeypatch, arguments, message
):
    """One to three lines on stderr, status 2, no file."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    replaced = [{"SKY": str(sky), "MODEL": model[3]}.get(a, a) for a in arguments]
    extra = model if "--mean" not in arguments else model[:4]

    assert main([*replaced, *extra]) == 2

    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.startswith("deepdream: ")
    assert 1 <= len(printed.err.strip().splitlines()) <= 3
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_an_unknown_model_offers_names(sky, capsys):
    """A misspelt model is answered with near ones."""
    assert main(["dream", str(sky), "--model", "gogglenet"]) == 2
    assert "'googlenet'" in capsys.readouterr().err


def test_layers_lists_shapes_strides_and_fields(model, capsys):
    """A row for each layer with a blob of its own, for the size asked for."""
    assert main(["layers", *model[:2], "--size", "77x61"]) == 0

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["layer", "type", "blob", "shape", "stride", "field"]
    assert ["a/3x3", "Convolution", "7x15x19", "4", "17"] in rows
    assert not any(row[0] == "a/relu_3x3" for row in rows)

    assert main(["layers", *model[:2], "--all"]) == 0
    assert "a/relu_3x3" in capsys.readouterr().out
    assert main(["layers", *model[:2], "--size", "big"]) == 2


def test_layers_of_the_bundled_network_say_what_they_look_like(capsys):
    """The recommended layer is marked, and has a line of words."""
    assert main(["layers"]) == 0

    marked = [line for line in capsys.readouterr().out.splitlines() if "* " in line]
    assert len(marked) == 1
    assert len(marked[0].split("* ")[1]) > 10


def test_layers_draws_the_network(tmp_path, model, capsys):
    """--svg writes a drawing with the target marked; another suffix is refused."""
    out = tmp_path / "net.svg"
    assert main(["layers", *model[:2], "--svg", str(out), "--end", "a/3x3"]) == 0

    assert capsys.readouterr().out.startswith(f"wrote {out} (")
    assert "target: a/3x3" in out.read_text("utf-8")

    assert main(["layers", *model[:2], "--svg", str(tmp_path / "net.pdf")]) == 2
    assert "name the file .svg or .png" in capsys.readouterr().err
    assert main(["layers", *model[:2], "--end", "a/relu_3x3"]) == 2
    assert "--end a/3x3" in capsys.readouterr().err


def test_models_lists_the_registry(capsys):
    """Every model has a row; the bundled one needs no download."""
    assert main(["models"]) == 0

    out = capsys.readouterr().out
    assert "googlenet_places205" in out
    assert any("efficientnet_lite0" in line and "bundled" in line for line in out.splitlines())


def test_zoom_writes_frames_and_goes_on(tmp_path, model, sky, capsys):
    """Frames are numbered from 0000; asking for more goes on from there."""
    folder = tmp_path / "frames"
    command = ["zoom", str(sky), "-o", str(folder), *model, *QUICK[:-2], "--iter-n", "1"]
    assert main([*command, "--frames", "2"]) == 0
    assert main([*command, "--frames", "3"]) == 0

    assert "wrote 1 frames" in capsys.readouterr().out
    assert sorted(p.name for p in folder.glob("*.png")) == ["0000.png", "0001.png", "0002.png"]
    assert read_recipe(folder / "0002.png")["frame"] == 2


def test_help_of_every_command_exits_well(capsys):
    """--help works everywhere and names the flags."""
    for command in ([], ["dream"], ["zoom"], ["layers"], ["models"], ["models", "fetch"]):
        with pytest.raises(SystemExit) as left:
            main([*command, "--help"])
        assert left.value.code == 0
        assert "usage: deepdream" in capsys.readouterr().out


def test_verbose_tells_how_the_net_is_run(tmp_path, model, sky, capsys):
    """--verbose names plan and memory; without it nothing is said about a picture that fits."""
    command = ["dream", str(sky), "-o", str(tmp_path / "a.png"), *model, "--end", "a/output",
               "--iter-n", "1", "--octave-n", "1", "--seed", "1"]  # fmt: skip
    assert main(command) == 0
    assert capsys.readouterr().err == ""

    assert main([*command, "--verbose"]) == 0
    told = capsys.readouterr().err
    assert "deepdream: plan: " in told
    assert " at once, " in told


def test_max_memory_and_precision_are_passed_on(tmp_path, model, sky, capsys):
    """A dream that cannot fit ends with one message; the precision is in the recipe."""
    out = tmp_path / "a.png"
    command = ["dream", str(sky), "-o", str(out), *model, "--end", "a/output", "--iter-n", "1",
               "--octave-n", "1"]  # fmt: skip
    assert main([*command, "--max-memory", "1K"]) == 2
    assert "may be used" in capsys.readouterr().err
    assert main([*command, "--max-memory", "lots"]) == 2
    assert "'lots' is no size of memory" in capsys.readouterr().err

    assert main([*command, "--precision", "tf32"]) == 0
    assert read_recipe(out)["parameters"]["precision"] == "tf32"


@pytest.mark.slow
def test_ctrl_c_keeps_the_picture_so_far(tmp_path, model, sky):
    """SIGINT in the middle writes what there is, says so, and exits with 130."""
    out = tmp_path / "dream.png"
    process = subprocess.Popen(
        as_typed(
            sys.executable, "-u", "-m", "deepdream", "dream", str(sky), "-o", str(out), *model,
            "--end", "a/output", "--iter-n", "1000000", "--octave-n", "1", "--verbose",
        ),
        cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    assert "seed" in process.stderr.readline()  # the network is loaded
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130, stderr
    assert "stopped early: the picture so far" in stdout
    assert read_recipe(out)["stopped"] is True
    assert np.abs(load_image(out) - load_image(sky)).mean() > 1
