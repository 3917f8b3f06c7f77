"""What the command line says to people who have not read its help."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny import write_tiny

from deepdream.cli import build_parser, main
from deepdream.commands.parser import Parser
from deepdream.commands.words import _OPTIONS, in_flags, meant_command, meant_option
from deepdream.images import save_image

ROOT = Path(__file__).resolve().parents[1]


def parsers(parser: Parser) -> Iterator[Parser]:
    """Yield a parser and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


ALL = {parser.prog: parser for parser in parsers(build_parser())}
COMMANDS = [name.split()[1:] for name in ALL if name != "deepdream"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what is said to arguments that are none; the exit status is 2."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


# -- commands ------------------------------------------------------------------------------------


def test_the_bare_command_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with a line, and with what to type first; that is no error."""
    assert main([]) == 0

    said = capsys.readouterr().out.splitlines()
    for name, parser in ALL.items():
        if len(name.split()) == 2:
            found = [line for line in said if line.split()[:1] == name.split()[1:]]
            assert len(found) == 1, name
            assert len(found[0].split()) > 2, parser.prog
    assert any("deepdream dream PHOTO" in line for line in said)


@pytest.mark.parametrize("name", ["sky.jpg", "IMG_0042.HEIC", "noise:64x48", "tests/conftest.py"])
def test_a_picture_instead_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What to type is said, with all that was typed."""
    said = refused(capsys, name, "--width", "300")
    assert f"deepdream dream {name} --width 300" in said


def test_a_film_is_dreamt_on_by_another_command(capsys: pytest.CaptureFixture[str]) -> None:
    """What to type is said."""
    assert "deepdream film 'my clip.MOV' --carry 1" in refused(
        capsys, "my clip.MOV", "--carry", "1"
    )


def test_a_picture_with_a_blank_in_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """What to type can be typed."""
    assert "deepdream dream 'my photo.jpg'" in refused(capsys, "my photo.jpg")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("dreem", "dream"), ("video", "film"), ("info", "show"), ("layer", "layers"),
     ("run", "dream"), ("galery", "gallery"), ("download", "models")],
)  # fmt: skip
def test_another_word_for_a_command(
    word: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The likeliest is offered, and all are listed."""
    said = refused(capsys, word, "x.jpg")
    assert f"Did you mean 'deepdream {meant}'?" in said
    assert all(f"  {name.split()[1]} " in said for name in ALL if len(name.split()) == 2)


def test_no_command_is_offered_for_a_word_like_none() -> None:
    """Nothing is better than a guess."""
    assert meant_command("xyzzy", ["dream", "zoom"]) == ""


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    """``deepdream help zoom`` is ``deepdream zoom --help``."""
    with pytest.raises(SystemExit) as left:
        main(["help", "zoom"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("usage: deepdream zoom IMAGE -o OUT")


# -- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "option", "meant"),
    [
        ("dream", "--octaves", "--octave-n N"),
        ("dream", "--octave", "--octave-n N"),
        ("dream", "--num-octaves", "--octave-n N"),
        ("dream", "--layer", "--end LAYER"),
        ("dream", "--layers", "--end LAYER"),
        ("dream", "--iterations", "--iter-n N"),
        ("dream", "--iter_n", "--iter-n N"),
        ("dream", "--steps", "--iter-n N"),
        ("dream", "--octave_scale", "--octave-scale R"),
        ("dream", "--output", "--out OUT"),
        ("dream", "-octaves", "--octave-n N"),
        ("dream", "--lr", "--step-size S"),
        ("dream", "--gpu", "--device cuda"),
        ("dream", "--preserve-colours", "--keep-colors SHARE"),
        ("dream", "--size", "--width PIXELS"),
        ("dream", "--seeed", "--seed N"),
        ("zoom", "--n-frames", "--frames N"),
        ("zoom", "--iterations", "--iter-n N"),
        ("gallery", "--octaves", "--octave-n N,N"),
        ("gallery", "--blocks", "--layers GLOB"),
        ("rerun", "--layer", "--end LAYER"),
        ("layers", "--layer", "--end LAYER"),
        ("layers", "--network", "--model NAME|PROTOTXT"),
    ],
)
def test_another_word_for_an_option(
    command: str, option: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command's usage is shown, and the option that is likeliest, with its help."""
    said = refused(capsys, command, "sky.jpg", option, "4")

    assert said.startswith(f"usage: deepdream {command} ")
    assert f"no option {option}. Did you mean '{meant}'? (" in said
    assert f"deepdream {command} --help" in said
    assert len(said.splitlines()) == 3


def test_an_unknown_option_is_told_before_its_value_is_taken_for_a_picture(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where it stands first."""
    assert "no option --octaves" in refused(capsys, "dream", "--octaves", "3", "sky.jpg")


@pytest.mark.parametrize("option", ["--image", "--input", "-i"])
def test_the_picture_needs_no_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """That is said, instead of an option that is spelt alike."""
    assert "deepdream dream IMAGE" in refused(capsys, "dream", option, "sky.jpg")


def test_an_option_of_another_command(capsys: pytest.CaptureFixture[str]) -> None:
    """It is told whose it is."""
    assert "'deepdream zoom'" in refused(capsys, "dream", "sky.jpg", "--frames", "3")
    assert "'deepdream gallery'" in refused(capsys, "dream", "sky.jpg", "--embed")


def test_nothing_is_offered_for_an_option_like_none(capsys: pytest.CaptureFixture[str]) -> None:
    """The help is named."""
    said = refused(capsys, "dream", "sky.jpg", "--xyzzy")
    assert "Did you mean" not in said
    assert "deepdream dream --help" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dream"], "IMAGE is missing: the picture"),
        (["zoom", "sky.jpg"], "-o OUT is missing: "),
        (["dream", "my", "photo.jpg"], "'photo.jpg' is one too many"),
        (["layers", "googlenet"], "A network is named so: deepdream layers --model googlenet"),
        (["dream", "sky.jpg", "--end"], "--end needs a value: --end LAYER"),
        (["dream", "sky.jpg", "--depth", "12"], "one of 8, 16 is expected"),
        (["dream", "sky.jpg", "--seed", "x"], "--seed is 'x': a whole number is expected"),
        (["dream", "sky.jpg", "--strength", "x"], "--strength is 'x': a number is expected"),
        (["dream", "sky.jpg", "--iter-n", "1.5"], "--iter-n is '1.5': a whole number, or two"),
        (["dream", "sky.jpg", "--octave-n", "few"], "--octave-n is 'few': a whole number, or all"),
        (["models", "list"], "'deepdream models' alone"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_missing_or_wrong(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Plain words, below the usage of the command."""
    said = refused(capsys, *arguments)
    assert said.startswith(f"usage: deepdream {arguments[0]} ")
    assert words in said


def test_abbreviations_and_values_beside_their_option_are_read() -> None:
    """What argparse reads stays as it is."""
    args = build_parser().parse_args(["dream", "sky.jpg", "--iter", "4", "-oout.png", "--step=2"])
    assert (args.iter_n, args.out, args.step_size) == (4, "out.png", 2.0)
    args = build_parser().parse_args(["dream", "--strength", "-1", "--", "--sky.jpg"])
    assert (args.strength, args.image) == (-1.0, "--sky.jpg")


def test_every_word_for_an_option_leads_to_one_that_there_is() -> None:
    """In some command, with a value that it takes."""
    known = {option for parser in ALL.values() for option in parser._option_string_actions}
    for word, meant in _OPTIONS.items():
        for each in meant:
            assert f"--{each.split()[0]}" in known, word
        assert meant_option(f"--{word}", known), word


def test_a_real_option_is_never_taken_for_another_one() -> None:
    """Each is what it says."""
    for parser in ALL.values():
        for option in parser._option_string_actions:
            assert parser._knows(option), option


# -- help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_examples_that_can_be_typed(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """They are of this command, and it takes them."""
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    said = capsys.readouterr().out
    examples = [line.strip() for line in said.partition("examples:\n")[2].splitlines()]

    assert examples
    for line in examples:
        words = shlex.split(line, comments=True)
        assert words[: len(command) + 1] == ["deepdream", *command]
        assert build_parser().parse_args(words[1:]).command


def test_every_option_says_what_it_is() -> None:
    """No argument without a help of some words."""
    for name, parser in ALL.items():
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                assert len((action.help or "").split()) > 1, (name, action.dest)


# -- the words of messages -----------------------------------------------------------------------

DREAM = ALL["deepdream dream"].flags()


@pytest.mark.parametrize(
    ("python", "shell"),
    [
        ("Use end='a/3x3' (the values)", "Use --end a/3x3 (the values)"),
        ("iter_n is -1: 0 or more", "--iter-n is -1: 0 or more"),
        ("a larger max_memory", "a larger --max-memory"),
        ("pass max_memory= (--max-memory) to dream", "pass --max-memory to dream"),
        ("a layer with end= (--end) to use", "a layer with --end to use"),
        ("or engine='caffe' (--engine caffe).", "or --engine caffe."),
        ("use device='cpu', or engine='deepdream'.", "use --device cpu, or --engine deepdream."),
        ("another one, pass mean=...", "another one, pass --mean"),
        ("with octave_n='all' 1.05 or more", "with --octave-n all 1.05 or more"),
        ("iter_n=(32, 8) or mean=(104, 117, 123)", "--iter-n 32:8 or --mean 104,117,123"),
        ("mean is [1.0, 2.0]; as (104, 117, 123)", "--mean is 1,2; as 104,117,123"),
        ("iter_n is (4, -1), with -1: more", "--iter-n is 4:-1, with -1: more"),
        ("shapes (1, 3, 4, 5) and (2, 3)", "shapes (1, 3, 4, 5) and (2, 3)"),
        ("clip=False and flip=True", "--no-clip and --flip"),
        ("end='a b'", "--end 'a b'"),
        ("seed is -1: a whole number", "--seed is -1: a whole number"),
        ("it is so; width is 0: more", "it is so; --width is 0: more"),
        ("as it is, not with another end", "as it is, not with another --end"),
        ("guide and mask both given", "--guide and --mask both given"),
        ("load_net('deploy.prototxt', 'x.caffemodel').",
         "--model deploy.prototxt --weights x.caffemodel."),
        ("deepdream layers, or list(net.blobs)", "deepdream layers"),
        # Words that are no keywords, and names in quotes.
        ("the mask is black everywhere", "the mask is black everywhere"),
        ("the style is known", "the style is known"),
        ("layer 'iter_n' of end_to_end.prototxt", "layer 'iter_n' of end_to_end.prototxt"),
        ("weights/octave_n.png", "weights/octave_n.png"),
        ("Width and height", "Width and height"),
    ],
)  # fmt: skip
def test_messages_speak_of_flags(python: str, shell: str) -> None:
    """Keywords that are named as such; nothing else."""
    assert in_flags(python, DREAM) == shell


def test_every_keyword_of_a_command_is_put_into_words() -> None:
    """By the same rules, whatever it is called."""
    for parser in ALL.values():
        for name, flag in parser.flags().items():
            assert in_flags(f"{name} is 'x': wrong", parser.flags()) == f"{flag} is 'x': wrong"
            assert in_flags(f"use {name}='x'", parser.flags()) == f"use {flag} x"


@pytest.fixture
def sky(tmp_path: Path) -> str:
    path = tmp_path / "sky.png"
    save_image(np.random.RandomState(1).uniform(0, 255, (53, 71, 3)), path)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "said", "unsaid"),
    [
        (["--end", "a/relu_3x3"], "--end a/3x3", "end="),
        (["--iter-n", "-1"], "--iter-n is -1", "iter_n"),
        (["--octave-n", "0"], "--octave-n is 0", "octave_n"),
        (["--octave-n", "all", "--octave-scale", "1"], "--octave-n all", "octave_n"),
        (["--keep-colors", "2"], "--keep-colors is 2.0: how", "True"),
        (["--seed", "-1"], "--seed is -1", " seed is"),
        (["--width", "0"], "--width is 0", " width is"),
        (["--border", "none"], "--border is 'none'", " border is"),
        (["--strength", "-1"], "--strength is -1", " strength is"),
        (["--style", "eyes", "--end", ""], "", "end="),
        (["--max-memory", "1K"], "larger --max-memory", "max_memory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_of_a_dream_speak_of_flags(
    arguments: list[str],
    said: str,
    unsaid: str,
    sky: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Through the whole command, with the small net."""
    prototxt, caffemodel = write_tiny(tmp_path)
    net = ["--model", str(prototxt), "--weights", str(caffemodel), "--mean", "104,117,123"]
    end = [] if "--end" in arguments else ["--end", "a/output"]

    assert main(["dream", sky, "-o", str(tmp_path / "o.png"), *net, *end, *arguments]) == 2

    printed = capsys.readouterr().err
    assert said in printed
    assert unsaid not in printed


def test_notes_speak_of_flags(sky: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings are put into words where errors are."""
    prototxt, caffemodel = write_tiny(tmp_path)
    net = ["--model", str(prototxt), "--weights", str(caffemodel), "--end", "a/output"]
    command = ["dream", sky, "-o", str(tmp_path / "o.png"), *net, "--iter-n", "1"]
    assert main(command) == 0
    assert "pass --mean" in capsys.readouterr().err


def test_a_closed_terminal_is_no_reason_to_fail() -> None:
    """The list can be piped into a program that reads one line."""
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m deepdream | head -1",
        shell=True, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.startswith("usage: deepdream")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "out", "words"),
    [
        ("zoom", "out.png", "as 'out'"),
        ("gallery", "page.html", "as 'page'"),
        ("gallery", "movie.mp4", "as 'movie'"),
        ("reproduce", "google.png", "as 'google'"),
    ],
)
def test_a_file_where_a_folder_is_written(
    command: str,
    out: str,
    words: str,
    sky: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is refused at once, with what to do instead, and no folder of that name is made."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())

    assert main([command, "google-4c" if command == "reproduce" else sky, "-o", out]) == 2

    assert words in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("option", [["--depth", "16"], ["--format", "jpg"]])
def test_what_is_for_folders_is_refused_for_films(
    option: list[str], sky: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A film has no frames of that kind."""
    assert main(["zoom", sky, "-o", str(tmp_path / "o.mp4"), *option]) == 2
    assert f"{option[0]} is for the frames in a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--frames", "0"], "--frames is 0: 1 or more is expected"),
        (["--first", "-1"], "--first is -1: a whole number from 0"),
        (["--scale", "1.5"], "--scale is 1.5: "),
        (["--depth", "16", "--format", "jpg"], "16 can be written as .png"),
        (["--end", "nope"], "deepdream layers --model "),
        (
            ["--mean", "1,2"],
            "--mean is '1,2'; give three numbers in B, G, R order such as 104,117,123",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_of_a_zoom_speak_of_flags(
    arguments: list[str],
    said: str,
    sky: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And nothing is made."""
    prototxt, caffemodel = write_tiny(tmp_path)
    net = ["--model", str(prototxt), "--weights", str(caffemodel)]
    mean = [] if "--mean" in arguments else ["--mean", "104,117,123"]
    end = [] if "--end" in arguments else ["--end", "a/output"]

    assert main(["zoom", sky, "-o", str(tmp_path / "f"), *net, *mean, *end, *arguments]) == 2

    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("f/*.png"))


def test_a_finished_zoom_says_how_it_goes_on(
    sky: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No frame is written, and no "0 frames" told."""
    prototxt, caffemodel = write_tiny(tmp_path)
    command = ["zoom", sky, "-o", str(tmp_path / "f"), "--model", str(prototxt), "--weights"]
    command += [str(caffemodel), "--mean", "104,117,123", "--end", "a/output", "--iter-n", "1"]
    assert main([*command, "--frames", "1"]) == 0
    capsys.readouterr()

    assert main([*command, "--frames", "1"]) == 0
    assert "has 1 frames already: more of them, as by --frames 101" in capsys.readouterr().out
