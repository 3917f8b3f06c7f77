"""Kernels without Numba: how they are kept, loaded and called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepdream.compiling import machine_code
from deepdream.compiling.machine_code import Kernel, folder_of, make_ready
from deepdream.errors import EngineError
from deepdream.running.plan import kernels as K

ROOT = Path(__file__).resolve().parents[1]

# Doubles three numbers by a kernel that compiles in a moment.
CALL = """
import sys
import numpy as np
from deepdream.running.plan import kernels as K
x, y, none = np.arange(3, dtype=np.float32), np.zeros(3, np.float32), np.empty(0, np.float32)
K.affine(x, (0, 0, 3), none, 2.0, none, 3, 0, 0.0, 0.0, K.NO_MASK, (0, 0, 0), y, (0, 0, 3), False,
         (1, 1))
assert y.tolist() == [0, 2, 4], y
print("numba" in sys.modules, "torch" in sys.modules)
"""


def start(folder: object) -> subprocess.Popen[str]:
    """Start a process that calls a kernel, with a folder of its own for machine code."""
    return subprocess.Popen(
        [sys.executable, "-c", CALL], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "DEEPDREAM_KERNELS": str(folder)},
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> str:
    """Return what a process printed."""
    said, complaints = process.communicate(timeout=300)
    assert process.returncode == 0, complaints
    return said


def test_numba_is_for_compiling_only(tmp_path: Path) -> None:
    """Neither the process that waits for the compiler nor the next one imports it."""
    assert ended(start(tmp_path)) == "False False\n"
    written = sorted(path.name.rpartition(".")[2] for path in tmp_path.glob("*/*"))
    assert written == ["json", "o"]
    before = [path.stat().st_mtime_ns for path in tmp_path.glob("*/*")]

    assert ended(start(tmp_path)) == "False False\n"
    assert [path.stat().st_mtime_ns for path in tmp_path.glob("*/*")] == before


def test_processes_that_compile_at_the_same_time(tmp_path: Path) -> None:
    """Each ends well, and what is kept is whole."""
    for process in [start(tmp_path) for _ in range(3)]:
        ended(process)
    kept = [path.suffix for path in tmp_path.glob("*/*")]
    assert sorted(kept) == [".json", ".o"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The code lasts as long as the process."""
    file = tmp_path / "file"
    file.write_text("in the way")

    ended(start(file))

    assert file.read_text() == "in the way"


@pytest.mark.parametrize("what", [".o", ".json"])
def test_damaged_code_is_compiled_again(tmp_path: Path, what: str) -> None:
    """A file that is not what was written is not run."""
    ended(start(tmp_path))
    (damaged,) = tmp_path.glob(f"*/*{what}")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])

    ended(start(tmp_path))

    if what == ".o":
        assert len(damaged.read_bytes()) > 0.9 * len(whole)


def test_another_source_or_processor_is_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key changes with what the code depends on."""
    found = {folder_of(K.affine)}
    for change in (
        lambda: monkeypatch.setattr(machine_code, "processor", lambda: ("other", "")),
        lambda: monkeypatch.setattr(machine_code, "PACKAGE", machine_code.PACKAGE / "compiling"),
    ):
        machine_code._key.cache_clear()
        change()
        found.add(folder_of(K.affine))
    monkeypatch.undo()
    machine_code._key.cache_clear()

    assert len(found) == 3


def test_what_a_kernel_does_not_take() -> None:
    """Arrays of another type, and with gaps, are refused before anything runs."""
    x, none = np.zeros(64, np.float32), np.empty(0, np.float32)
    rest = (none, 1.0, none, 3, 0, 0.0, 0.0, K.NO_MASK, (0, 0, 0))
    with pytest.raises(TypeError, match="takes float32, 3, .*, not float64, tuple"):
        K.affine(x.astype(float), (0, 0, 3), *rest, x, (0, 0, 3), False, (1, 1))
    with pytest.raises(ValueError, match="C-contiguous"):
        K.affine(x[::2], (0, 0, 3), *rest, x, (0, 0, 3), False, (1, 1))
    x.setflags(write=False)  # may be read
    K.affine(x, (0, 0, 3), *rest, np.zeros(3, np.float32), (0, 0, 3), False, (1, 1))


def test_a_compiler_that_fails_is_told() -> None:
    """With its last lines."""
    with pytest.raises(EngineError, match="could not be compiled(.|\n)*nothing_of_that_name"):
        make_ready([Kernel("deepdream.running.plan.kernels.lrn", "nothing_of_that_name")])
