"""The images: the Dockerfile, and the scripts that it runs.

No Docker engine is needed here. `scripts/build_image.sh` builds the whole image.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from caffe_client import caffe_environment, caffe_python
from PIL import Image
from tiny import SMOOTH, write_tiny

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted([*ROOT.glob("docker/*.sh"), *ROOT.glob("scripts/*.sh")])
ENTRYPOINT = ROOT / "docker" / "entrypoint.sh"


def linter(name: str) -> str:
    """Return the path of a linter that pip has installed beside Python."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; it comes with `pip install -e .[dev]` on Linux")
    return found


def dockerfile() -> list[list[str]]:
    """Return the instructions of the Dockerfile as words."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.split() for line in text.splitlines())
    return [words for words in lines if words and not words[0].startswith("#")]


def copied() -> list[tuple[str, str]]:
    """Return each COPY of the Dockerfile as source and destination."""
    pairs = []
    for keyword, *words in dockerfile():
        if keyword == "COPY":
            *sources, to = words
            for source in sources:
                name = Path(source).name if to.endswith("/") else ""
                pairs.append((source, str(Path(to) / name)))
    return pairs


# -- the files ---------------------------------------------------------------------------------


def test_dockerfile_has_no_lint() -> None:
    """Both targets, as hadolint sees them."""
    done = subprocess.run(
        [linter("hadolint"), "--config", str(ROOT / ".hadolint.yaml"), str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stdout


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts_have_no_lint(path: Path) -> None:
    """As shellcheck sees them; and they can be run."""
    done = subprocess.run([linter("shellcheck"), str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert os.access(path, os.X_OK)


def test_the_targets_differ_by_caffe_and_by_pytorch_only() -> None:
    """What one image can do, the other can, but for the real Caffe and for GPUs."""
    stages: dict[str, list[list[str]]] = {}
    for words in dockerfile():
        if words[0] == "FROM":
            stage = stages[words[3]] = []
        else:
            stage.append(words)

    assert list(stages) == ["base", "cpu", "gpu"]
    cpu, gpu = stages["cpu"], stages["gpu"]
    assert [words for words in cpu if words not in gpu] == [
        ["RUN", "/opt/build/docker/install_caffe.sh", "/opt/caffe", "/opt/deepdream"]
    ]
    more = [words for words in gpu if words not in cpu and words[0] != "ENV"]
    assert more == [
        ["ARG", "TORCH_INDEX="],
        ["RUN", "/opt/build/docker/install_gpu.sh", '"$TORCH_INDEX"'],
    ]
    for stage in (cpu, gpu):
        user = [words[1] for words in stage if words[0] == "USER"]
        assert user == ["1000"]


def test_what_the_image_runs_is_copied_into_it() -> None:
    """Every script that RUN or ENTRYPOINT names comes by a COPY from a file that is there."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    for source, _ in copied():
        assert (ROOT / source).exists(), source
        assert not {source, source.split("/")[0]} & set(ignored), source
    named = re.findall(r"/opt/build/\S+\.sh", text)
    steps = {path.name for path in SCRIPTS if path.parent.name == "docker"}
    assert {Path(path).name for path in named} == steps - {"smoke_test.sh"}  # run from outside
    for path in named:
        assert any(path.startswith(to) for _, to in copied()), path
        assert (ROOT / path.replace("/opt/build/", "")).exists(), path


# -- what a container does with its words ------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> dict[str, str]:
    """The environment of an image whose programs say who they are and what they were told."""

    def program(path: Path, status: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'#!/bin/sh\necho "{path.parent.parent.name}/{path.name} $*"\nexit {status}\n'
        )
        path.chmod(0o755)

    program(tmp_path / "ours" / "bin" / "deepdream", 3)
    program(tmp_path / "ours" / "bin" / "jupyter", 0)
    program(tmp_path / "caffes" / "bin" / "deepdream", 4)
    return {
        "PATH": f"{tmp_path}/ours/bin:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CAFFE_HOME": str(tmp_path / "caffes"),
    }


def said(image: dict[str, str], *words: str) -> tuple[str, int]:
    """Return what a container with these words prints, and its exit status."""
    done = subprocess.run([str(ENTRYPOINT), *words], env=image, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr, done.returncode


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dream a.jpg -o b.png", ("ours/deepdream dream a.jpg -o b.png", 3)),
        ("dream a.jpg --engine torch", ("ours/deepdream dream a.jpg --engine torch", 3)),
        ("dream a.jpg --engine caffe", ("caffes/deepdream dream a.jpg --engine caffe", 4)),
        ("gallery --engine=caffe a.jpg", ("caffes/deepdream gallery --engine=caffe a.jpg", 4)),
        ("dream caffe", ("ours/deepdream dream caffe", 3)),
        ("--version", ("ours/deepdream --version", 3)),
        ("sh -c exit\t7", ("", 7)),
    ],
)
def test_words_find_their_program(
    image: dict[str, str], words: str, expected: tuple[str, int]
) -> None:
    """Commands of deepdream by either engine, other programs; exit statuses are kept."""
    assert said(image, *(word.replace("\t", " ") for word in words.split(" "))) == expected


def test_without_caffe_our_command_says_so(image: dict[str, str]) -> None:
    """In the image `gpu` there is none; deepdream has the error for it."""
    image["CAFFE_HOME"] = "/nowhere"

    assert said(image, "dream", "--engine", "caffe") == ("ours/deepdream dream --engine caffe", 3)


def test_every_command_is_known_to_the_entrypoint() -> None:
    """A command that is added to deepdream is one of the image, too."""
    from deepdream.cli import build_parser

    commands = next(
        action.choices for action in build_parser()._actions if isinstance(action.choices, dict)
    )
    text = ENTRYPOINT.read_text().replace("\\\n", "")
    case = re.search(r"^  (\w+(?: +\| +[\w*-]+)+)\)$", text, re.MULTILINE)
    assert case
    assert {*commands, "-*"} == set(re.split(r" +\| +", case[1]))


def test_a_user_without_a_home_gets_one(image: dict[str, str]) -> None:
    """`docker run -u` names a number; programs that write to their home still work."""
    home, status = said({**image, "HOME": "/nowhere"}, "sh", "-c", "echo $HOME; test -w $HOME")

    assert (home, status) == ("/tmp/home", 0)


# -- Caffe's environment -----------------------------------------------------------------------


@pytest.mark.pycaffe
@pytest.mark.slow
def test_the_environment_of_caffe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docker/install_caffe.sh, on what the Dockerfile copies: a dream and a gallery, no PyTorch.

    The pictures are those of our engine, to rounding. Notebooks have Caffe's Python as a kernel.
    """
    known = caffe_python()
    if known is None:
        pytest.skip("the real Caffe is not installed: scripts/install_caffe.sh")
    for source, to in copied():
        here = tmp_path / to.lstrip("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, here, **({"dirs_exist_ok": True} if copy is shutil.copytree else {}))
    base = subprocess.run(
        [str(known), "-c", "import sys; print(sys.base_prefix)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()

    done = subprocess.run(
        [
            str(tmp_path / "opt/build/docker/install_caffe.sh"),
            str(tmp_path / "environment"),
            str(tmp_path / "jupyter"),
        ],
        env={**os.environ, "PYTHON39": f"{base}/bin/python3.9"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]

    python = tmp_path / "environment/bin/python"
    assert subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 1
    prototxt, weights = write_tiny(tmp_path, text=SMOOTH)
    pixels = np.random.RandomState(1).randint(0, 255, (53, 71, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    environment = {
        **caffe_environment(),
        "CAFFE_HOME": str(tmp_path / "environment"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    how = ["--model", str(prototxt), "--weights", str(weights), "--mean", "104,117,123"]
    how += ["--iter-n", "2", "--octave-n", "2", "--jitter", "3", "--seed", "1"]

    for engine in ("torch", "caffe"):
        for words in (
            ["dream", "in.png", "-o", f"{engine}.png", "--end", "a/output", *how],
            ["gallery", "in.png", "-o", engine, "--layers", "a/*", "--format", "png", *how],
        ):
            done = subprocess.run(
                [str(ENTRYPOINT), *words, "--engine", engine],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr[-3000:]

    pictures = sorted(
        path.relative_to(tmp_path / "torch") for path in (tmp_path / "torch").rglob("*.png")
    )
    assert len(pictures) > 5
    assert (tmp_path / "caffe" / "index.html").exists()
    for ours, theirs in [
        (tmp_path / "torch.png", tmp_path / "caffe.png"),
        *((tmp_path / "torch" / name, tmp_path / "caffe" / name) for name in pictures),
    ]:
        apart = np.abs(np.float32(Image.open(ours)) - np.float32(Image.open(theirs)))
        assert apart.max() <= 1, ours

    nbformat = pytest.importorskip("nbformat", reason="needs nbclient (Python 3.11 and later)")
    nbclient = pytest.importorskip("nbclient")
    for key, value in caffe_environment().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter" / "share" / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    cells = [
        "import caffe, deepdream\n"
        f"net = deepdream.load_net({str(prototxt)!r}, {str(weights)!r}, mean=(104, 117, 123),"
        " engine='caffe')\n"
        f"img = deepdream.load_image({str(tmp_path / 'in.png')!r})",
        "out = deepdream.dream(net, img, 'a/output', iter_n=1, octave_n=1)",
        "print(isinstance(net, caffe.Net), out.shape)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(notebook, kernel_name="caffe", timeout=120).execute()
    assert notebook.cells[2].outputs[0].text == "True (53, 71, 3)\n"
