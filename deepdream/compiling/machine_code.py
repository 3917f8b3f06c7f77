"""Kernels, called without Numba: machine code that is loaded in milliseconds.

It is made the first time that a machine needs a kernel, and kept as object code in the user's cache
folder. LLVM makes it of the `intermediate` code that this package brings along, in a moment; where
there is none, Numba compiles the kernel's Python (`translate`), in processes of their own, several
at once: importing it takes as long as everything else that a dream does before its first step.

The code belongs to a processor, to the versions of what compiles, and to the kernel's source: each
combination has a folder of its own. A file is there whole or not at all, so that processes may
compile at the same time. Where the folder cannot be written, the code lasts as long as the process.

Source: llvmlite's ``add_object_file`` (llvmlite.readthedocs.io, "Execution engine").
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from ..errors import EngineError, WriteError
from ..files import replacing
from .intermediate import machine_code_of, sources
from .processor import processor

_log = logging.getLogger(__name__)

PACKAGE = Path(__file__).resolve().parents[1]

# A compiled kernel: status from (result, exception, arguments as whole numbers, and as reals).
_Function = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p
)
# Kernels return nothing, but write that they do.
_RESULT = ctypes.create_string_buffer(64)

_LOCK = threading.RLock()


class Kernel:
    """A compiled loop; calling it releases the interpreter's lock.

    Parameters
    ----------
    module, name : str
        Where it is written: a function with a decorator of `decorators`, annotated with `kinds`.

    Notes
    -----
    Arrays have to be of the annotated type, C-contiguous, and alive and in place while the kernel
    runs. Nothing checks the bounds of what a kernel reads and writes.
    """

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name
        self._engine: Any = None  # owns the code
        self._call: Callable[..., None] | None = None

    def __repr__(self) -> str:
        return f"<kernel {self.module}.{self.name}>"

    def __call__(self, *arguments: Any) -> None:
        if self._call is None:
            make_ready([self])
        self._call(*arguments)  # type: ignore[misc]

    @property
    def is_ready(self) -> bool:
        """Whether its code is loaded."""
        return self._call is not None

    def file(self, suffix: str) -> str:
        """Return the name of one of its files."""
        return f"{self.module}.{self.name}{suffix}"

    def load(self, folder: Path) -> bool:
        """Load the code from a folder; tell whether it is there, and whole."""
        try:
            described = json.loads((folder / self.file(".json")).read_bytes())
            code = (folder / self.file(".o")).read_bytes()
        except (OSError, ValueError):
            return False
        if hashlib.sha256(code).hexdigest() != described.get("sha256"):
            return False
        self._engine = _engine()
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        address = self._engine.get_function_address(described["symbol"])
        self._call = caller(self, _Function(address), described["parameters"])
        return True


def caller(kernel: object, function: Any, parameters: Sequence[str]) -> Callable[..., None]:
    """Return a function that packs its arguments and calls a compiled one with them.

    Parameters
    ----------
    kernel : object
        Whose name errors give.
    function : callable
        Takes (address, address, bytes, bytes) and returns a status.
    parameters : sequence of str
        See `translate.parameters`.
    """
    names, formats, values, checks = [], "", [], []
    for i, kind in enumerate(parameters):
        name = f"a{i}"
        names.append(name)
        if kind.isdigit():
            formats += int(kind) * "q"
            values.append(f"*{name}")
        elif kind in ("int", "bool", "float"):
            formats += "d" if kind == "float" else "q"
            values.append(name)
        else:
            formats += "Qq"
            values.append(f"{name}.size and address({name})")
            values.append(f"{name}.size")
            checks.append(f"{name}.dtype is {kind}")
    source = f"""
def call({", ".join(names)}):
    if not ({" and ".join(checks) or "True"}):
        refuse({", ".join(names)})
    packed = pack({", ".join(values)})
    if function(result, result, packed, packed):
        raise EngineError(f"{{kernel}} failed")
"""

    def refuse(*arguments: Any) -> None:
        given = [a.dtype.name if isinstance(a, np.ndarray) else type(a).__name__ for a in arguments]
        wanted = [kind for kind in parameters if not kind.isdigit()]
        arrays = [a.dtype for a in arguments if isinstance(a, np.ndarray)]
        kinds = [kind for kind in wanted if kind not in ("int", "bool", "float")]
        if [a.name for a in arrays] != kinds:  # equal types may be different objects
            raise TypeError(f"{kernel} takes {', '.join(parameters)}, not {', '.join(given)}")

    space: dict[str, Any] = {
        "pack": struct.Struct(f"={formats}").pack,
        "address": _address,
        "function": function,
        "result": ctypes.addressof(_RESULT),
        "kernel": kernel,
        "EngineError": EngineError,
        "refuse": refuse,
        **{kind: np.dtype(kind) for kind in ("float32", "float64", "uint8", "int64")},
    }
    exec(source, space)
    made: Callable[..., None] = space["call"]
    return made


def _address(
    array: np.ndarray, view: Any = ctypes.c_char.from_buffer, where: Any = ctypes.addressof
) -> int:
    """Return where an array's numbers are."""
    try:
        found: int = where(view(array))
    except TypeError:  # it cannot be written
        found = array.ctypes.data
    except ValueError:
        raise ValueError(f"a kernel takes C-contiguous arrays, not {array.strides}") from None
    if not array.flags.c_contiguous:
        raise ValueError(f"a kernel takes C-contiguous arrays, not strides of {array.strides}")
    return found


@functools.cache
def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    if sys.platform.startswith("linux"):  # powers of LRN
        with contextlib.suppress(RuntimeError):
            llvm.load_library_permanently("libm.so.6")
    return llvm.Target.from_default_triple()


def _engine() -> Any:
    """Return what holds the code of one kernel."""
    machine = _machine().create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def make_ready(kernels: Iterable[Kernel]) -> None:
    """Load kernels, and compile first what this machine has not compiled yet.

    Raises
    ------
    EngineError
        The compiler failed; the message has its last lines.
    """
    wanted = [kernel for kernel in dict.fromkeys(kernels) if not kernel.is_ready]
    if not wanted:
        return
    with _LOCK:
        missing = [
            kernel for kernel in wanted
            if not kernel.is_ready and not kernel.load(folder_of(kernel))
        ]  # fmt: skip
        by_folder: dict[Path, list[Kernel]] = {}
        for kernel in missing:
            by_folder.setdefault(_writable(folder_of(kernel)), []).append(kernel)
        for folder, some in by_folder.items():
            try:
                _make(folder, some)
            except WriteError as error:  # a full disk, say
                _log.info("machine code cannot be kept: %s", error)
                folder = Path(_temporary().name)
                _make(folder, some)
            for kernel in some:
                if not kernel.load(folder):
                    raise EngineError(f"{kernel} was compiled, but is not in '{folder}'")


def _make(folder: Path, kernels: list[Kernel]) -> None:
    """Write the machine code of kernels into a folder.

    Raises
    ------
    WriteError, EngineError
        It cannot be written; the compiler failed.
    """
    untranslated = [kernel for kernel in kernels if not _from_intermediate(folder, kernel)]
    if untranslated:
        _tell()
        _compile(folder, untranslated)


def _from_intermediate(folder: Path, kernel: Kernel) -> bool:
    """Make machine code of what the package brings along; tell whether that was there."""
    made = machine_code_of(kernel.module, kernel.name)
    if made is not None:
        keep(folder, kernel.module, kernel.name, *made)
    return made is not None


def keep(folder: Path, module: str, name: str, described: Mapping[str, Any], code: bytes) -> None:
    """Write the files of a kernel's machine code, the description last.

    Parameters
    ----------
    folder : Path
    module, name : str
        The kernel's.
    described : mapping
        ``symbol``, ``parameters``, and the code's ``sha256``.
    code : bytes
        Object code.
    """
    for suffix, content in ((".o", code), (".json", json.dumps(described).encode())):
        with replacing(folder / f"{module}.{name}{suffix}") as path:
            path.write_bytes(content)


@functools.cache
def _tell() -> None:
    _log.warning("compiling kernels for this machine, once: some seconds")


def folder_of(kernel: Kernel) -> Path:
    """Return the folder for the code of a kernel on this machine."""
    return kernels_folder() / _key(kernel.module.rpartition(".")[0])


def kernels_folder() -> Path:
    """Return where machine code is kept: ``$DEEPDREAM_KERNELS``, or in the user's cache folder."""
    kept = os.environ.get("DEEPDREAM_KERNELS")
    if kept:
        return Path(kept).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("deepdream"), "kernels")


@functools.cache
def _key(package: str) -> str:
    """Return what names all that the code of a package's kernels depends on."""
    found = hashlib.sha256(sources(package).encode())
    for name in ("numba", "llvmlite", "numpy"):
        found.update(f"{name} {importlib.metadata.version(name)} ".encode())
    found.update(" ".join((*processor(), sys.platform)).encode())
    return found.hexdigest()[:24]


def _writable(folder: Path) -> Path:
    """Return the folder, or one that lasts as long as the process if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(_temporary().name)


@functools.cache
def _temporary() -> Any:
    return tempfile.TemporaryDirectory(prefix="deepdream-kernels-")


def _compile(folder: Path, kernels: list[Kernel]) -> None:
    """Compile kernels into a folder, in as many processes as there are processors.

    Numba's third level of optimisation takes a sixth longer than its second, for loops whose
    vectors are written out.
    """
    claims = tempfile.mkdtemp(prefix="deepdream-claims-")
    names = [f"{kernel.module}:{kernel.name}" for kernel in kernels]
    roots = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-m", f"{PACKAGE.name}.compiling.translate", str(folder), claims]
    processes = [
        subprocess.Popen(
            [*command, *names],
            env={"NUMBA_OPT": "2", **os.environ, "PYTHONPATH": os.pathsep.join(roots)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(max(1, min(os.cpu_count() or 1, len(kernels))))
    ]  # fmt: skip
    try:
        said = [process.communicate()[1] for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(claims, ignore_errors=True)
    for process, text in zip(processes, said):
        if process.returncode:
            end = "\n".join(text.strip().splitlines()[-3:])
            raise EngineError(f"kernels could not be compiled for this machine:\n{end}")
