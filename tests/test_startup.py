"""How long it takes until something is to be seen, and what must not be loaded or read for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny import write_tiny

import deepdream.files
from deepdream import cli, images
from deepdream.commands.arguments import signature_defaults
from deepdream.dreaming.dream import dream
from deepdream.dreaming.frames import zoom
from deepdream.models.bundled import bundled_caffemodel
from deepdream.progress import Bar
from deepdream.reading.proto import read_caffemodel

ROOT = Path(__file__).resolve().parents[1]

SLOW_TO_LOAD = {"torch", "numpy", "scipy", "PIL", "google", "tqdm", "numba", "requests"}

HELP = [["--help"], ["--version"], ["dream", "--help"], ["zoom", "--help"], ["models", "--help"]]


def fastest(action: Callable[[], object], times: int = 3) -> float:
    """Return the seconds that the fastest of some runs took."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_loads_nothing_that_is_slow(arguments: list[str]) -> None:
    """Neither what computes nor what reads pictures and nets."""
    code = (
        "import sys\nfrom deepdream.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "print('loaded:', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    shown, loaded = python("-c", code).stdout.split("loaded:")

    assert "deepdream" in shown
    assert "argparse" in loaded.split()
    assert not SLOW_TO_LOAD & set(loaded.split())


def test_help_is_there_at_once() -> None:
    """Within 0.3 s on a quiet machine; what Python itself takes is not ours, and CI is slower."""
    bare = fastest(lambda: python("-c", "pass"))
    full = fastest(lambda: python("-m", "deepdream", "--help"))

    assert full - bare < 0.6


@pytest.mark.parametrize(
    ("module", "function"), [("dream", dream), ("frames", zoom)], ids=["dream", "zoom"]
)
def test_the_defaults_of_flags_are_those_of_the_function(
    module: str, function: Callable[..., object]
) -> None:
    """Read from the source, they are what Python itself makes of it."""
    expected = dict(function.__kwdefaults__ or {})
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    values = function.__defaults__ or ()
    expected.update(zip(names[len(names) - len(values) :], values))

    assert signature_defaults(f"dreaming.{module}", function.__name__) == expected
    assert expected


def test_the_converted_weights_open_faster_than_they_are_made(tmp_path: Path) -> None:
    """The cached file is mapped: nothing is read until a layer needs it."""
    began = time.perf_counter()
    path = bundled_caffemodel(tmp_path)
    converting = time.perf_counter() - began

    opening = fastest(lambda: read_caffemodel(bundled_caffemodel(tmp_path), copy=False), 5)

    assert opening < converting / 5
    assert path.stat().st_size > 2**24


def test_nothing_is_hashed_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are hashed when the recipe is written."""
    order: list[str] = []
    real_digest = deepdream.files._digest

    def digest(name: str, algorithm: str) -> str:
        order.append(Path(name).suffix)
        return real_digest(name, algorithm)

    monkeypatch.setattr(deepdream.files, "_digest", digest)
    monkeypatch.setattr(Bar, "step", lambda bar, step: order.append("step"))
    prototxt, caffemodel = write_tiny(tmp_path)
    sky = tmp_path / "sky.png"
    images.save_image(np.random.RandomState(1).uniform(0, 255, (53, 71, 3)), sky)

    status = cli.main(
        ["dream", str(sky), "-o", str(tmp_path / "out.png"), "--model", str(prototxt),
         "--weights", str(caffemodel), "--mean", "104,117,123", "--end", "a/output",
         "--iter-n", "1", "--octave-n", "1"]
    )  # fmt: skip

    assert status == 0
    assert order == ["step", ".prototxt", ".caffemodel"]


@pytest.mark.slow
def test_the_first_step_of_a_dream_comes_soon(tmp_path: Path) -> None:
    """Within 3 s of the command on a quiet machine, torch's import included; here within 10."""
    code = (
        "import os, sys\nfrom deepdream import cli\nfrom deepdream.progress import Bar\n"
        "Bar.step = lambda self, step: os._exit(7)\n"
        f"cli.main(['dream', 'examples/clouds.jpg', '-o', {str(tmp_path / 'x.png')!r}])"
    )

    def first_step() -> None:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ))
        assert done.returncode == 7

    assert fastest(first_step, 2) < 10
