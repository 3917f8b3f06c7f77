"""Kernels without Numba: how they are kept, loaded and called."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from deepdream.compiling import intermediate, machine_code
from deepdream.compiling.machine_code import Kernel, folder_of, make_ready
from deepdream.dreaming.pictures import kernels as pictures
from deepdream.errors import EngineError, WriteError
from deepdream.running.plan import kernels as K

ROOT = Path(__file__).resolve().parents[1]
ON_X86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="intermediate code is for x86-64"
)

# Doubles three numbers by a kernel that compiles in a moment.
CALL = """
import sys
from pathlib import Path
from deepdream.compiling import intermediate
if "numba" in sys.argv:
    intermediate.ARCHIVE = Path("nowhere.zip")
import numpy as np
from deepdream.running.plan import kernels as K
x, y, none = np.arange(3, dtype=np.float32), np.zeros(3, np.float32), np.empty(0, np.float32)
K.affine(x, (0, 0, 3), none, 2.0, none, 3, 0, 0.0, 0.0, K.NO_MASK, (0, 0, 0), y, (0, 0, 3), False,
         (1, 1))
assert y.tolist() == [0, 2, 4], y
print("numba" in sys.modules, "torch" in sys.modules)
"""


MAKERS = pytest.mark.parametrize("maker", ["llvm", pytest.param("numba", marks=pytest.mark.slow)])


def start(folder: object, maker: str) -> subprocess.Popen[str]:
    """Start a process that calls a kernel, with a folder of its own for machine code."""
    return subprocess.Popen(
        [sys.executable, "-c", CALL, maker], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "DEEPDREAM_KERNELS": str(folder)},
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> str:
    """Return what a process printed."""
    said, complaints = process.communicate(timeout=300)
    assert process.returncode == 0, complaints
    return said


@MAKERS
def test_numba_is_for_compiling_only(tmp_path: Path, maker: str) -> None:
    """Neither the process that waits for the compiler nor the next one imports it."""
    assert ended(start(tmp_path, maker)) == "False False\n"
    written = sorted(path.name.rpartition(".")[2] for path in tmp_path.glob("*/*"))
    assert written == ["json", "o"]
    before = [path.stat().st_mtime_ns for path in tmp_path.glob("*/*")]

    assert ended(start(tmp_path, maker)) == "False False\n"
    assert [path.stat().st_mtime_ns for path in tmp_path.glob("*/*")] == before


@MAKERS
def test_processes_that_compile_at_the_same_time(tmp_path: Path, maker: str) -> None:
    """Each ends well, and what is kept is whole."""
    for process in [start(tmp_path, maker) for _ in range(3)]:
        ended(process)
    kept = [path.suffix for path in tmp_path.glob("*/*")]
    assert sorted(kept) == [".json", ".o"]


@MAKERS
def test_a_folder_that_cannot_be_written(tmp_path: Path, maker: str) -> None:
    """The code lasts as long as the process."""
    file = tmp_path / "file"
    file.write_text("in the way")

    ended(start(file, maker))

    assert file.read_text() == "in the way"


@ON_X86
def test_a_folder_that_is_cleared_while_a_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A studio runs for days, and people clear their caches: it is made again."""
    folder = tmp_path / "kernels"
    monkeypatch.setenv("DEEPDREAM_KERNELS", str(folder))
    make_ready([Kernel(K.affine.module, K.affine.name)])
    shutil.rmtree(folder)

    other = Kernel(K.padded.module, K.padded.name)
    make_ready([other])

    assert other.is_ready
    assert [*folder.glob("*/*.padded.o")]


@ON_X86
def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no room in the cache dreams all the same: the code lasts as long as the process."""
    monkeypatch.setenv("DEEPDREAM_KERNELS", str(tmp_path))
    original = machine_code.replacing

    @contextmanager
    def full(path: Path) -> Iterator[Path]:
        if tmp_path in Path(path).parents:
            raise WriteError(f"The disk is full: '{path}'")
        with original(path) as part:
            yield part

    monkeypatch.setattr(machine_code, "replacing", full)
    kernel = Kernel(K.affine.module, K.affine.name)
    make_ready([kernel])

    assert kernel.is_ready
    assert not [*tmp_path.glob("*/*")]


@pytest.mark.parametrize("what", [".o", ".json"])
def test_damaged_code_is_compiled_again(tmp_path: Path, what: str) -> None:
    """A file that is not what was written is not run."""
    ended(start(tmp_path, "llvm"))
    (damaged,) = tmp_path.glob(f"*/*{what}")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])

    ended(start(tmp_path, "llvm"))

    if what == ".o":
        assert len(damaged.read_bytes()) > 0.9 * len(whole)


def test_another_source_or_processor_is_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key changes with what the code depends on."""
    found = {folder_of(K.affine)}
    for name, other in (("processor", ("other", "")), ("sources", "other")):
        machine_code._key.cache_clear()
        monkeypatch.setattr(machine_code, name, lambda *package, other=other: other)
        found.add(folder_of(K.affine))
    monkeypatch.undo()
    machine_code._key.cache_clear()

    assert len(found) == 3


# -- intermediate code ----------------------------------------------------------------------------


def test_the_archives_are_fresh() -> None:
    """They were made of the kernels as they are now (else: scripts/translate_kernels.py)."""
    script = ROOT / "scripts" / "translate_kernels.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_changed_source_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made of another kernel, by a later LLVM, or what is damaged is not used."""
    known = K.affine.module, K.affine.name
    with monkeypatch.context() as changed:
        changed.setattr(intermediate, "sources", lambda package: "other")
        assert intermediate.machine_code_of(*known) is None
    with monkeypatch.context() as changed:
        changed.setattr(llvm, "llvm_version_info", (14, 0, 6))
        assert intermediate.machine_code_of(*known) is None
    archive = tmp_path / "kernels.zip"
    archive.write_bytes(intermediate.ARCHIVE.read_bytes()[:-999])
    monkeypatch.setattr(intermediate, "ARCHIVE", archive)
    assert intermediate.machine_code_of(*known) is None


@ON_X86
def test_every_kernel_has_intermediate_code() -> None:
    """LLVM reads it all, for both shapes of products; nothing of Python's is left in it."""
    archives = sorted(intermediate.ARCHIVE.parent.glob("kernels-*.zip"))
    assert [path.stem for path in archives] == ["kernels-14x32", "kernels-6x16"]
    kernels = {
        f"{kernel.module}.{kernel.name}.ll"
        for module in (K, pictures)
        for kernel in vars(module).values()
        if isinstance(kernel, Kernel)
    }
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            texts = {n: archive.read(n).decode() for n in archive.namelist() if n.endswith(".ll")}
        assert set(texts) == kernels
        for text in texts.values():
            assert "numba.dynamic" not in text
            llvm.parse_assembly(text).verify()


@ON_X86
def test_an_llvm_that_does_not_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba takes its place."""
    monkeypatch.setattr(intermediate, "_read", lambda *kernel: ({}, "no such instruction"))
    assert intermediate.machine_code_of(K.affine.module, K.affine.name) is None


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
