"""Every block of code in the README and in docs/ runs; every command in them is understood."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from caffe_client import caffe_environment, caffe_python
from tiny import TINY

from deepdream.cli import build_parser
from deepdream.images import load_image, save_image
from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/labs/*.md")),
    ROOT / "scripts" / "bench" / "README.md",
]
BLOCK = re.compile(r"^([ \t]*)```(\S*)\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)

# What a page takes for granted, before its first block.
BEFORE = {
    "conventions.md": """
import deepdream
net = deepdream.load_net("deploy.prototxt", "my.caffemodel", mean=(104, 117, 123))
name, LAYER, shape = "data", "conv4", (1, 3, 29, 37)
""",
    "how-it-works.md": """
import numpy as np, deepdream
from deepdream import objective_L2 as objective
net = deepdream.load_net("deploy.prototxt", "my.caffemodel", mean=(104, 117, 123))
src, dst, end = net.blobs["data"], net.blobs["conv4"], "conv4"
jitter, step_size = 4, 1.5
src.data[...] = np.random.RandomState(0).uniform(-99, 99, src.data.shape)
g = src.diff[0]
def roll(x, ox, oy):
    return np.roll(np.roll(x, ox, -1), oy, -2)
""",
    # A studio in the same process instead of one at port 8000.
    "studio-api.md": """
import atexit, requests, warnings
from pathlib import Path
from deepdream.studio.app import Config, build
from deepdream.studio.security import kept_token, rules_for
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient
library = Path("LIBRARY")
library.mkdir()
rules = rules_for("127.0.0.1", (), kept_token(library / "token"), 8000)
studio = TestClient(build(Config(library, rules, {"model": None})), "http://127.0.0.1:8000",
                    client=("127.0.0.1", 1))
studio.__enter__()
atexit.register(studio.__exit__, None, None, None)
requests.get = studio.get
requests.post = lambda url, data=None, **how: studio.post(url, content=data, **how)
""",
    "add-a-layer.md": """
from deepdream.running.layers.base import Layer, register
""",
}


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return language and text of a page's fenced blocks, without common indentation."""
    found = []
    for indent, language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        found.append((language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)))
    return found


# Pages whose Python needs the real Caffe, with what they take for granted.
NEEDS_CAFFE = {"real-caffe.md": "import deepdream\n"}

HAS_CODE = [page for page in PAGES if any(language == "python" for language, _ in blocks(page))]
WITH_CODE = [page for page in HAS_CODE if page.name not in NEEDS_CAFFE]


def test_blocks_say_their_language():
    """A block is Python, which runs, or text; another kind needs a way to test it first."""
    for page in PAGES:
        for language, _ in blocks(page):
            assert language in ("python", "text", "bash"), (page.name, language)
    assert len(WITH_CODE) >= 4


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that pages name: a picture, and a network with its weights."""
    sky = load_image(ROOT / "examples" / "clouds.jpg")[100:228, 200:392]
    photos = tmp_path / "examples" / "photos"
    photos.mkdir(parents=True)
    for path in (tmp_path / "sky.jpg", photos.parent / "clouds.jpg", photos / "lake.jpg"):
        save_image(sky, path)
    text = TINY.replace('"a/1x1"', '"conv4"')
    (tmp_path / "deploy.prototxt").write_text(text)
    net = Net(parse_prototxt(text), 1)
    seed_weights(net, 0)
    net.save(tmp_path / "my.caffemodel")
    shutil.copy(tmp_path / "my.caffemodel", tmp_path / "x.caffemodel")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_python_runs(page, folder):
    """The blocks of a page, one after the other, as a reader would run them."""
    if "studio" in page.name:
        pytest.importorskip("starlette", reason="the extra studio is not installed")
    script = folder / "page.py"
    script.write_text(BEFORE.get(page.name, "") + python_of(page), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.pycaffe
@pytest.mark.parametrize("name", NEEDS_CAFFE)
def test_python_that_needs_caffe_runs(name, folder):
    """The same, in the environment of the real Caffe."""
    python = caffe_python()
    if python is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    page = next(page for page in HAS_CODE if page.name == name)
    done = subprocess.run(
        [str(python), "-c", NEEDS_CAFFE[name] + python_of(page)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**caffe_environment(), "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 0, done.stderr[-3000:]


def python_of(page: Path) -> str:
    return "\n".join(text for language, text in blocks(page) if language == "python")


# Lines in the place of a command that are none.
NO_COMMANDS = {
    "cli.md": ("examples:",),
    "how-it-works.md": (
        "prototxt + caffemodel --reading--> net --running--> blobs --dreaming--> picture",
    ),
}


def commands(page: Path) -> list[str]:
    """Return the command lines of a page: indented lines, and those of text and bash blocks.

    Lines that end in a backslash are joined with the next; what stands behind three blanks or a
    `#` says what a command is for.
    """
    text = page.read_text(encoding="utf-8")
    lines = [part for language, part in blocks(page) if language != "python"]
    lines += re.findall(r"^    (\S(?:.*\\\n)*.*)", BLOCK.sub("", text), re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [re.split(r"\s{2,}#|\s{3,}", line.strip())[0] for line in joined.splitlines()]
    return [line for line in found if line and line not in NO_COMMANDS.get(page.name, ())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood(page):
    """Every line is a command that is known here, and what it names is there."""
    for line in commands(page):
        understand(line)


def test_a_command_that_nobody_knows_is_noticed():
    """Nothing is passed over in silence: a new word needs a way to test it."""
    for line in ("git clone ...", "deepdraem dream sky.jpg", "scripts/nothing.py",
                 "make coffee", "pip install -r nothing.txt", "docker run deepdream draem x.jpg",
                 "docker build --target tpu .", "scripts/make_labs.py --rooom x",
                 ".venv/bin/python scripts/nothing.py"):  # fmt: skip
        with pytest.raises((AssertionError, SystemExit)):
            understand(line)


def understand_dask(command: str, arguments: list[str]) -> None:
    """Fail unless Dask's own parser takes the arguments of its scheduler or its worker."""
    pytest.importorskip("distributed")
    parser = importlib.import_module(f"distributed.cli.dask_{command}").main
    parser.make_context(command, arguments)


def understand(line: str) -> None:
    """Fail unless a command line parses, and its scripts, targets and files exist."""
    # As Windows spells it, and the environment that a command is in.
    words = [word.replace("\\", "/") for word in shlex.split(line, posix="\\" not in line)]
    first = re.sub(r"^(?:\.venv|environment)/(?:bin|Scripts)/", "", words[0])
    if first == "deepdream":
        build_parser().parse_args(words[1:])
    elif first == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets, line
    elif first == ".":  # after a first `make dream`
        assert words[1:] == [".venv/bin/activate"], line
    elif first.startswith("scripts/"):
        understand_script(first, words[1:], line)
    elif first == "docker":
        understand_docker(words[1:], line)
    elif first == "pip":
        understand_pip(words[1:], line)
    elif first == "dask":
        understand_dask(words[1], words[2:])
    else:
        assert first in ("python", "py"), f"no way to test this: {line}"
        words = [word for word in words[1:] if not re.fullmatch(r"-3\.\d+", word)]
        if words[:2] == ["-m", "pip"]:
            understand_pip(words[2:], line)
        elif words[:2] == ["-m", "deepdream.caffe"]:
            assert words[2].endswith(".py") or words[2] in ("-m", "-c"), line
        elif words[0] == "-m":
            assert words[1:] == ["venv", ".venv"], line
        else:
            understand_script(words[0], words[1:], line)


def understand_script(name: str, arguments: list[str], line: str) -> None:
    """A script of ours: its parser knows the flags and takes their values."""
    assert (ROOT / name).is_file(), line
    if name.endswith(".sh"):
        assert not any(word.startswith("-") for word in arguments), line
        return
    done = subprocess.run(
        [sys.executable, name, *arguments, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, (line, done.stderr)
    for word in arguments:
        assert not word.startswith("-") or re.search(rf"{word}\b", done.stdout), line


def understand_pip(words: list[str], line: str) -> None:
    assert words[0] == "install", line
    for flag, name in zip(words, words[1:]):
        assert flag not in ("-r", "-c") or (ROOT / name).is_file(), line


def understand_docker(words: list[str], line: str) -> None:
    """The target is one of the Dockerfile; what comes after an image of ours is our command."""
    if words[0] == "build":
        stages = re.findall(r"^FROM .* AS (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert words[words.index("--target") + 1] in stages, line
        return
    assert words[0] == "run", line
    image = next(i for i, word in enumerate(words) if word in ("deepdream", "deepdream:gpu"))
    if words[image + 1 :]:
        build_parser().parse_args(words[image + 1 :])
