"""Every block of code in the README and in docs/ runs; every command in them is understood."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
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


WITH_CODE = [page for page in PAGES if any(language == "python" for language, _ in blocks(page))]


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
    save_image(sky, tmp_path / "sky.jpg")
    text = TINY.replace('"a/1x1"', '"conv4"')
    (tmp_path / "deploy.prototxt").write_text(text)
    net = Net(parse_prototxt(text), 1)
    seed_weights(net, 0)
    net.save(tmp_path / "my.caffemodel")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_python_runs(page, folder):
    """The blocks of a page, one after the other, as a reader would run them."""
    code = "\n".join(text for language, text in blocks(page) if language == "python")
    script = folder / "page.py"
    script.write_text(BEFORE.get(page.name, "") + code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 0, done.stderr[-3000:]


def commands(page: Path) -> list[str]:
    """Return the command lines of a page: indented lines, and those of text and bash blocks."""
    text = page.read_text(encoding="utf-8")
    lines = [line for language, part in blocks(page) if language != "python"
             for line in part.splitlines()]  # fmt: skip
    lines += [line[4:] for line in BLOCK.sub("", text).splitlines() if re.match(r"    \S", line)]
    return [line.split("  #")[0].strip() for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood(page):
    """`deepdream` lines parse, `make` lines name targets, scripts exist."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in commands(page):
        words = line.split()
        if not words:
            continue
        if words[0] == "deepdream":
            build_parser().parse_args(words[1:])
        elif words[0] == "make":
            assert words[1] in targets, line
        elif words[0].startswith("scripts/"):
            assert (ROOT / words[0]).is_file(), line
