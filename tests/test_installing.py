"""What pip and make install, and that it dreams; and that PyTorch is not asked for on a CPU.

The slow tests install into empty environments, from wherever pip gets its packages here; where that
is nowhere they are skipped.
"""

from __future__ import annotations

import importlib.metadata
import os
import pty
import re
import runpy
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_architecture import HEAVY, PACKAGE
from test_code_blocks import commands

from deepdream.errors import EXTRAS, how_to_install
from deepdream.images import load_image
from deepdream.recipe import read_recipe

ROOT = Path(__file__).resolve().parents[1]
MAKE_VENV = ROOT / "scripts" / "make_venv.sh"
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

# Some 500 MB here, where it was 1369 MB with PyTorch's build for CPUs.
LARGEST = 600  # MB

# What must not be there for a dream: what computes on GPUs, what tests, what documents.
NOT_FOR_A_DREAM = {
    "torch", "sympy", "h5py", "pytest", "hypothesis", "mypy", "ruff", "selenium", "grpcio-tools",
    "sphinx", "furo", "jupytext", "ipykernel", "nbclient",
}  # fmt: skip

UNTIL_THE_NET_IS_NUMPY = pytest.mark.xfail(
    "running.net" in HEAVY["torch"], strict=True, reason="nets still compute with PyTorch"
)


# -- what setup.py says -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def setup() -> dict[str, Any]:
    """The arguments of setup() in setup.py."""
    import setuptools

    found: dict[str, Any] = {}
    patch = pytest.MonkeyPatch()
    patch.setattr(setuptools, "setup", lambda **arguments: found.update(arguments))
    patch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    patch.undo()
    return found


def name_of(requirement: str) -> str:
    """Return the name in a requirement, as package indexes spell it."""
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_pytorch_is_an_extra(setup: dict[str, Any]) -> None:
    """And so is what else only some users need; [all] is all of it, and nothing of the tests'."""
    required = set(map(name_of, setup["install_requires"]))
    extras = {extra: set(map(name_of, names)) for extra, names in setup["extras_require"].items()}

    assert "numba" in required
    assert not required & NOT_FOR_A_DREAM
    assert extras["gpu"] == {"torch"}
    assert extras["hdf5"] == {"h5py"}
    assert extras["cluster"] == {"distributed"}
    assert extras["film"] == {"av", "opencv-python-headless"}
    assert extras["studio"] == {"starlette", "uvicorn"}
    assert extras["all"] == set().union(
        *(extras[extra] for extra in extras.keys() - {"all", "docs", "labs", "dev"})
    )
    assert extras["docs"] < extras["dev"]
    assert {"jupyterlab", "jupytext"} < extras["labs"]
    assert extras["all"] < extras["dev"]


def test_errors_name_what_an_extra_brings(setup: dict[str, Any]) -> None:
    """The names that pip knows, since it knows none of this package."""
    for extra, packages in EXTRAS.items():
        required = setup["extras_require"][extra]
        assert packages.split() == [*map(name_of, required)]
    assert how_to_install("gpu").startswith("pip install torch (in this package's folder: ")
    for path in PACKAGE.rglob("*.py"):
        assert "deepdream-caffe[" not in path.read_text("utf-8"), path


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_has_a_version_that_is_tested(setup: dict[str, Any], python: str) -> None:
    """constraints.txt pins it once for each Python, within the bounds of setup.py."""
    requirements = pytest.importorskip("packaging.requirements")
    environment = {"python_version": python, "sys_platform": "linux", "extra": ""}
    pins: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            pin = requirements.Requirement(text)
            if pin.marker is None or pin.marker.evaluate(environment):
                assert name_of(pin.name) not in pins, line
                pins[name_of(pin.name)] = str(pin.specifier).removeprefix("==")
    asked = [*setup["install_requires"], *sum(setup["extras_require"].values(), [])]
    for text in asked:
        requirement = requirements.Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.specifier.contains(pins[name_of(requirement.name)]), text


# -- scripts/make_venv.sh -----------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A folder like an environment, whose Python writes down what it is told and talks as pip."""
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >> "{tmp_path}/told"\n'
        'case "$*" in\n'
        "  *--version* | -c*) exit 0 ;;\n"
        "esac\n"
        "echo Collecting numpy\n"
        "echo '  Downloading numpy-2.0-a-name-that-is-longer-than-a-terminal-is-wide-"
        "and-longer-and-longer-still.whl (17 MB)'\n"
        "echo 'Installing collected packages: numpy'\n"
        f'if [ -e "{tmp_path}/broken" ]; then echo "ERROR: the disk is full" >&2; exit 1; fi\n'
    )
    python.chmod(0o755)
    return python.parent.parent


@pytest.mark.parametrize(
    ("words", "what"),
    [((), "."), (("docs",), ".[docs]"), (("labs",), ".[labs]"), (("dev",), ".[dev]")],
    ids=str,
)
def test_an_environment_gets_what_its_target_needs(
    environment: Path, words: tuple[str, ...], what: str
) -> None:
    """With pinned versions. Where nobody looks on, pip's words go into a file; a line says so."""
    done = subprocess.run(
        [MAKE_VENV, environment, *words], capture_output=True, text=True, check=True
    )

    told = (environment.parent / "told").read_text().splitlines()
    assert told[-1].endswith(f"--constraint constraints.txt --no-build-isolation --editable {what}")
    assert not done.stdout
    assert done.stderr.splitlines() == [
        "make_venv.sh: installing "
        + (f"the packages for {words[0]} and " if words else "")
        + "what a dream needs (once; some minutes)"
    ]
    assert "Downloading numpy" in (environment / "pip.log").read_text()


def test_on_a_terminal_one_line_tells_where_pip_is(environment: Path) -> None:
    """It is written over, is never wider than the terminal, and is gone at the end."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [MAKE_VENV, environment],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux says so at the end
            break
        if not part:
            break
        shown += part
    os.close(ours)
    try:
        assert child.wait(60) == 0, shown
    finally:
        child.kill()

    _, line = shown.decode().split("\n")
    assert line.count("\r\033[KCollecting numpy") == 2  # setuptools first, then the package
    assert max(len(part) for part in line.split("\r\033[K")) < 80
    assert line.endswith("\r\033[K")


def test_what_pip_said_is_shown_when_it_fails(environment: Path) -> None:
    """The last lines, and where all of them are; make stops."""
    (environment.parent / "broken").touch()

    done = subprocess.run([MAKE_VENV, environment], capture_output=True, text=True)

    assert done.returncode == 1
    assert "ERROR: the disk is full" in done.stderr
    assert "pip could not install this" in done.stderr.splitlines()[-1]
    assert "pip.log" in done.stderr


# -- an empty environment -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where pip reaches no packages."""
    folder = tmp_path_factory.mktemp("index")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "tqdm"]
    if subprocess.run(command, capture_output=True, cwd=folder).returncode:
        pytest.skip("pip reaches no index of packages here")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a shell that knows nothing of this checkout and of its caches."""
    left_out = ("PYTHON", "VIRTUAL_ENV", "DEEPDREAM", "NUMBA", "MAKE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    return {**kept, "DEEPDREAM_HOME": str(tmp_path_factory.mktemp("home"))}


def run(
    command: list[Any] | str, cwd: Path, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command, a line of a shell if it is text; fail with its last words."""
    shell = isinstance(command, str)
    done = subprocess.run(
        ["bash", "-c", command] if shell else command,  # type: ignore[list-item]
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    return done


@pytest.fixture(scope="module")
def clone(
    index: None, outside: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A fresh clone, with what `make dream` installs."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    folder = tmp_path_factory.mktemp("clone")
    listed = run(["git", "ls-files", "-co", "--exclude-standard"], ROOT, dict(os.environ)).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    run(["make", f"PYTHON={sys.executable}", ".venv/.installed-dream"], folder, outside)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed(
    index: None, outside: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """An empty environment after `pip install .`; versions are what pip finds newest."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    run([sys.executable, "-m", "venv", folder], ROOT, outside)
    source = folder.parent / "source"  # pip builds in the folder that it is given
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "dist", "tests", "*.egg-info", ".*")
    shutil.copytree(ROOT, source, ignore=ignored)
    run([folder / "bin" / "python", "-m", "pip", "install", "-q", source], ROOT, outside)
    shutil.rmtree(source)
    yield folder
    shutil.rmtree(folder)


def megabytes(folder: Path) -> float:
    return sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir()) / 2**20


def packages(environment: Path) -> set[str]:
    """Return the names of what is installed in an environment."""
    found = environment.glob("lib/python*/site-packages/*.dist-info")
    metadata = (importlib.metadata.PathDistribution(path).metadata for path in found)
    return {name_of(data["Name"]) for data in metadata}


@pytest.mark.slow
def test_make_dream_installs_what_a_dream_needs(clone: Path) -> None:
    """No tool that tests or documents, no PyTorch: a third of what it was."""
    found = packages(clone / ".venv")

    assert {"numpy", "numba", "deepdream-caffe"} <= found
    assert not found & NOT_FOR_A_DREAM
    assert megabytes(clone / ".venv") < LARGEST


@pytest.mark.slow
def test_pip_install_brings_what_a_dream_needs(installed: Path) -> None:
    """No PyTorch; the extras are known."""
    found = packages(installed)

    assert {"numpy", "numba", "deepdream-caffe"} <= found
    assert not found & NOT_FOR_A_DREAM
    assert megabytes(installed) < LARGEST
    own = next(installed.glob("lib/python*/site-packages/deepdream_caffe-*.dist-info"))
    extras = importlib.metadata.PathDistribution(own).metadata.get_all("Provides-Extra")
    assert {"gpu", "hdf5", "film", "cluster", "all"} <= set(extras)


@pytest.mark.slow
@UNTIL_THE_NET_IS_NUMPY
def test_an_empty_environment_dreams(
    installed: Path, outside: dict[str, str], tmp_path: Path
) -> None:
    """By the command and by Python, in a folder of somebody's."""
    sky = load_image(ROOT / "examples" / "clouds.jpg")[100:228, 200:392]
    Image.fromarray(sky.astype("uint8")).save(tmp_path / "sky.png")
    how = ["--iter-n", "2", "--octave-n", "2", "--seed", "1"]

    run([installed / "bin" / "deepdream", "dream", "sky.png", *how], tmp_path, outside)
    code = (
        "import deepdream\n"
        "net, sky = deepdream.load_net(), deepdream.load_image('sky.png')\n"
        "out = deepdream.dream(net, sky, iter_n=2, octave_n=2, seed=1)\n"
        "deepdream.save_image(out, 'by_python.png')\n"
    )
    run([installed / "bin" / "python", "-c", code], tmp_path, outside)

    dream = Image.open(tmp_path / "sky_dream.png")
    assert dream.size == (192, 128)
    assert abs(load_image(tmp_path / "sky_dream.png") - sky).mean() > 1
    assert dream.tobytes() == Image.open(tmp_path / "by_python.png").tobytes()
    assert read_recipe(tmp_path / "sky_dream.png")["device"] == "cpu"


@pytest.mark.slow
def test_a_gpu_without_pytorch(installed: Path, outside: dict[str, str], tmp_path: Path) -> None:
    """Two lines and exit status 2, before anything is computed."""
    sky = ROOT / "examples" / "clouds.jpg"
    done = subprocess.run(
        [installed / "bin" / "deepdream", "dream", sky, "--device", "cuda"],
        cwd=tmp_path,
        env=outside,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert "device is 'cuda', and PyTorch, which computes on a GPU, is not installed" in first
    assert "pip install torch" in second
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@UNTIL_THE_NET_IS_NUMPY
def test_every_module_can_be_imported_without_pytorch(
    installed: Path, outside: dict[str, str], tmp_path: Path
) -> None:
    """But for those that may import it, by tests/test_architecture.py: they compute on GPUs.

    Nor without Starlette, which only the studio needs.
    """
    code = (
        "import importlib, pkgutil, sys, deepdream\n"
        "left_out = tuple(f'{name}.' for name in sys.argv[1:])\n"
        "for found in pkgutil.walk_packages(deepdream.__path__, 'deepdream.'):\n"
        "    if not f'{found.name}.'.startswith(left_out) and 'main__' not in found.name:\n"
        "        importlib.import_module(found.name)\n"
        "print(sum(name.startswith('deepdream.') for name in sys.modules))\n"
    )
    on_gpus = sorted(f"deepdream.{name}" for name in HEAVY["torch"])
    extra = sorted(f"deepdream.{name}" for name in HEAVY["starlette"])
    done = run([installed / "bin" / "python", "-c", code, *on_gpus, *extra], tmp_path, outside)

    assert int(done.stdout) > 100
    assert not {"deepdream.running.net", "deepdream.models.load"} & set(on_gpus)


# -- PyTorch is there, as it is for tests, and not asked for ------------------------------------

BEFORE = """
import sys
from deepdream import gpu
gpu.has_driver = lambda: False
import numpy as np, deepdream
img = np.random.RandomState(0).uniform(0, 255, (53, 71, 3)).astype(np.float32)
how = {"iter_n": 1, "octave_n": 1, "seed": 0, "progress": False}
"""

ON_A_CPU = {
    "plan": "net = deepdream.load_net()\ndeepdream.dream(net, img, **how)",
    "styles": "net = deepdream.load_net()\nfor style in ('2015', 'bold', 'strokes'):\n"
    "    deepdream.dream(net, img, style=style, mask=img, keep_colors=1, blur=0.5, **how)",
    "own objective": "net = deepdream.load_net()\n"
    "def f(dst): dst.diff[:] = dst.data\n"
    "deepdream.dream(net, img, objective=f, guide=None, **how)",
    "guide": "net = deepdream.load_net()\ndeepdream.dream(net, img, guide=img[::-1], **how)",
    "tiles": "net = deepdream.load_net()\n"
    "big = np.tile(img, (9, 9, 1))\ndeepdream.dream(net, big, max_memory='60M', **how)",
    "layer by layer": "net = deepdream.load_net()\n"
    "deepdream.deepdream(net, img, iter_n=1, octave_n=1, end='block3/output')",
    "pycaffe": "import deepdream.caffe as caffe\n"
    "from deepdream.models.prototxts import prototxt_path\n"
    "from deepdream.models.registry import MODELS\n"
    "import warnings; warnings.simplefilter('ignore')\ncaffe.set_mode_gpu(); caffe.set_mode_cpu()\n"
    "net = caffe.Net(str(prototxt_path(MODELS['squeezenet_v1.1'])), caffe.TEST)\n"
    "net.forward(); net.backward()",
    "layers": "from deepdream.models.load import load_graph\n"
    "from deepdream.galleries.targets import find_targets\n"
    "assert len(find_targets(load_graph(), (180, 320))) > 50",
}


@pytest.mark.parametrize(
    "what",
    ["layers", *(pytest.param(w, marks=UNTIL_THE_NET_IS_NUMPY) for w in ON_A_CPU if w != "layers")],
)
def test_nothing_imports_pytorch_on_a_cpu(what: str) -> None:
    """Without a driver for GPUs nothing of a dream does, although PyTorch is installed."""
    code = f"{BEFORE}{ON_A_CPU[what]}\nassert 'torch' not in sys.modules, 'it was imported'"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-2000:]


def test_the_watch_on_pytorch_sees_it() -> None:
    """The same lines fail where something imports it."""
    pytest.importorskip("torch")
    code = "import sys, torch\nassert 'torch' not in sys.modules, 'it was imported'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert "it was imported" in done.stderr


# -- the README, as printed ---------------------------------------------------------------------

README = commands(ROOT / "README.md")

# Commands that are not run here, and why.
NOT_RUN = {
    "make dream": "run by a test of its own",
    "make test": "runs this",
    "make studio": "goes on until Ctrl-C; tests/test_studio_server.py runs what it runs",
    "deepdream dream examples/clouds.jpg -o dogs.png --model googlenet": "downloads",
    "deepdream models add bvlc_googlenet.caffemodel": "takes a file of the reader's",
    "deepdream layers --model deploy.prototxt": "takes a file of the reader's",
    "deepdream dream examples/clouds.jpg --model deploy.prototxt "
    "--weights my.caffemodel --mean 104,117,123 --end conv4": "takes files of the reader's",
    "deepdream reproduce google-4c": "downloads",
    "pip install '.[film]'": "downloads",
    "deepdream film clip.mp4": "needs the line before, and takes a file of the reader's",
    "deepdream zoom examples/clouds.jpg -o zoom.mp4 --size 640x": "needs that line, too",
}
RUN = [line for line in README if line not in NOT_RUN and not line.startswith("docker ")]


def test_what_is_not_run_is_in_the_readme() -> None:
    """The list above names commands as they are printed."""
    assert set(NOT_RUN) <= set(README)
    assert len(RUN) > 15


@pytest.mark.slow
@UNTIL_THE_NET_IS_NUMPY
def test_make_dream(clone: Path, outside: dict[str, str]) -> None:
    """It tells where the dream is, how long it took, and the command for a picture of one's own,
    which is there; and not much else.
    """
    done = run(["make", "dream"], clone, outside)

    said = done.stdout.splitlines()
    assert re.fullmatch(
        rf"The dream is {re.escape(str(clone))}/dream\.png; it took \d+ s.*", said[-2]
    )
    assert said[-1] == "Now yours: .venv/bin/deepdream dream PHOTO"
    assert len(said) + len(done.stderr.splitlines()) <= 6
    sky = load_image(clone / "examples" / "clouds.jpg")
    assert load_image(clone / "dream.png").shape == sky.shape
    Image.fromarray(sky[:97, :131].astype("uint8")).save(clone / "PHOTO.png")
    yours = said[-1].removeprefix("Now yours: ").replace("PHOTO", "PHOTO.png --iter-n 1")
    run(yours, clone, outside)
    assert (clone / "PHOTO_dream.png").is_file()


@pytest.mark.slow
@UNTIL_THE_NET_IS_NUMPY
def test_every_command_of_the_readme_runs(clone: Path, outside: dict[str, str]) -> None:
    """Word by word, after what `make dream` installs, on a smaller examples/clouds.jpg.

    The line that makes the command known comes first, for each is run in a shell of its own.
    """
    picture = clone / "examples" / "clouds.jpg"
    whole = picture.read_bytes()
    Image.open(picture).resize((256, 144)).save(picture)
    first = next(i for i, line in enumerate(RUN) if line.endswith("activate"))
    try:
        for line in RUN[first + 1 :] + RUN[:first]:
            run(f"{RUN[first]} && {line}", clone, outside)
    finally:
        picture.write_bytes(whole)

    for name in ("dream.png", "castles.png", "print.png", "fine.tif", "frames/0004.png"):
        assert (clone / name).is_file(), name
    assert (clone / "gallery" / "index.html").is_file()


def test_every_command_of_the_readme_is_on_the_picture_that_is_there() -> None:
    """Pictures are in the repository, or other commands of the README have written them."""
    for line in RUN:
        for name in re.findall(r"\S+\.(?:jpg|png|tif)\b", line):
            written = [re.findall(r"-o (\S+)", other) for other in README]
            assert (ROOT / name).is_file() or [name] in written, line
