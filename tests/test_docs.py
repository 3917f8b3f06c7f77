"""The documentation says what the code does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import TEST, write_tiny

from deepdream.cli import build_parser
from deepdream.reading import caffe_pb2
from deepdream.reading.proto import parse_prototxt
from deepdream.running.fillers import seed_weights
from deepdream.running.layers import LAYERS
from deepdream.running.net import Net

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path for glob in ("*.md", "docs/**/*.md", "prototxt/*/README.md", "scripts/*/README.md")
    for path in ROOT.glob(glob)
)  # fmt: skip


def test_generated_pages_are_fresh():
    """layers.md, models.md and cli.md are what scripts/make_docs.py writes today."""
    result = subprocess.run(
        [sys.executable, "scripts/make_docs.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    """Every relative link of a page is a file of the project."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_in_pages_exist(path):
    """A file or folder that a page names from the root of the project is there."""
    text = path.read_text(encoding="utf-8")
    for named in re.findall(
        r"`((?:deepdream|docs|examples|prototxt|scripts|tests)/[\w./-]+)", text
    ):
        assert (ROOT / named).exists(), named


def test_every_layer_type_says_what_it_does():
    """No layer type without a sentence of its own, none without a row in the table."""
    table = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    for name, cls in LAYERS.items():
        assert cls.__doc__, name
        assert f"| `{name}` |" in table


def test_the_command_line_page_has_every_flag():
    """A flag that is not in docs/cli.md does not exist."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for action in build_parser()._actions:
        for option in action.option_strings:
            assert option in page


def test_commands_of_the_readme_are_understood():
    """Every command line in it parses."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = text.replace("\\\n", "").splitlines()
    commands = [
        line.split("#")[0].split()[1:] for line in lines if line.startswith("    deepdream ")
    ]

    assert len(commands) > 5
    for command in commands:
        assert build_parser().parse_args(command).command


@pytest.mark.slow
def test_python_of_the_readme_runs(tmp_path):
    """Its blocks, one after the other, in a folder with the files that they name."""
    (tmp_path / "examples").mkdir()
    for name in ("sky.jpg", "examples/clouds.jpg"):
        noise = np.random.RandomState(1).randint(0, 255, (60, 80, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / name)
    prototxt, caffemodel = write_tiny(tmp_path)
    prototxt.write_text(prototxt.read_text().replace("conv1", "conv4"))
    net = Net(parse_prototxt(prototxt.read_text()), TEST)
    seed_weights(net, 1)
    net.save(caffemodel.with_name("my.caffemodel"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    code = "import warnings; warnings.simplefilter('ignore')\n" + "\n".join(blocks)

    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert len(blocks) == 6
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "dream.png").exists()


def test_known_differences_name_tests_that_exist():
    """Each deliberate difference points at a test, and the test is there."""
    page = (ROOT / "docs" / "known-differences.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)

    assert named
    for file, function in named:
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8"), function


def test_the_layer_table_knows_where_parameters_live():
    """Types with a message of their own show its fields."""
    table = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")

    row = next(line for line in table.splitlines() if line.startswith("| `LRN`"))
    for field in caffe_pb2.LRNParameter.DESCRIPTOR.fields:
        assert field.name == "engine" or f"`{field.name}`" in row
