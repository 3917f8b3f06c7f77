"""Kernels as LLVM's intermediate code, which the package brings along.

Numba takes some ten times longer to make intermediate code of a kernel's Python than LLVM takes to
make machine code of that. So the first half is done once, by ``scripts/translate_kernels.py``, and
lies beside this module: one archive for processors whose products have 14 rows (AVX-512) and one
for 6 (`processor`). A first run on a machine then waits a second instead of ten.

It is LLVM's text for x86-64, on any system. Where that does not fit, another processor or an older
LLVM, and where a kernel's source has been changed since, there is no intermediate code, and
Numba compiles the kernel.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import platform
import zipfile
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from .processor import PANEL, ROWS, processor

_log = logging.getLogger(__name__)

PACKAGE = Path(__file__).resolve().parents[1]
ARCHIVE = Path(__file__).with_name(f"kernels-{ROWS}x{PANEL}.zip")
# In the archive: what `sources` was for each package, and the version of LLVM, as "llvm".
SOURCES = "sources.json"

# What a kernel's intermediate code depends on besides the kernel's own package.
_SHAPING = ("decorators", "kinds", "lanes", "processor", "products", "translate")


@functools.cache
def sources(package: str) -> str:
    """Return a digest of the Python that a package's kernels are made of."""
    found = hashlib.sha256()
    compiling = PACKAGE / "compiling"
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    paths = [compiling / f"{name}.py" for name in _SHAPING] + sorted(folder.glob("*.py"))
    for path in paths:
        found.update(path.read_text(encoding="utf-8").encode())
    return found.hexdigest()


def machine_code_of(module: str, name: str) -> tuple[dict[str, Any], bytes] | None:
    """Return what describes a kernel, and its object code, if there is intermediate code for it.

    Parameters
    ----------
    module, name : str
        Of the kernel.

    Returns
    -------
    (dict, bytes) or None
        ``symbol``, ``parameters`` and ``sha256``; see `translate`.
    """
    found = _read(module, name)
    if found is None:
        return None
    described, text = found
    try:
        code = compiled(text)
    except (AttributeError, RuntimeError) as error:  # another llvmlite, an LLVM that cannot read it
        _log.info(f"{module}.{name}: no use of the intermediate code, {error}")
        return None
    return {**described, "sha256": hashlib.sha256(code).hexdigest()}, code


def _read(module: str, name: str) -> tuple[dict[str, Any], str] | None:
    package = module.rpartition(".")[0]
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    try:
        with zipfile.ZipFile(ARCHIVE) as archive:
            made_of = json.loads(archive.read(SOURCES))
            if made_of.get(package) != sources(package):
                return None
            if tuple(made_of["llvm"]) > llvm.llvm_version_info:  # it reads what is older
                return None
            described = json.loads(archive.read(f"{module}.{name}.json"))
            return described, archive.read(f"{module}.{name}.ll").decode()
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return None


def compiled(text: str) -> bytes:
    """Return the object code of intermediate code, for this machine's processor.

    Raises
    ------
    RuntimeError
        LLVM does not understand it.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = processor()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=2, jit=True
    )
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_default_triple()
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code
