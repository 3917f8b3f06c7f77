#!/usr/bin/env python3
"""Translate the kernels to LLVM's intermediate code, which the package brings along.

    python scripts/translate_kernels.py            write the archives in deepdream/compiling
    python scripts/translate_kernels.py --check    only say whether they are fresh (status 1 if not)

Run it after every change of a kernel or of deepdream/compiling, with the versions of numba and
llvmlite in constraints.txt, and commit what it writes. Until then Numba compiles what has changed.
A minute; any x86-64 processor will do.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("deepdream.running.plan.kernels", "deepdream.dreaming.pictures.kernels")
# A processor for each shape of products; see `deepdream.compiling.processor`.
PROCESSORS = ("skylake-avx512", "haswell")


def simplified(text: str) -> str:
    """Return a module without what only the process that made it could use.

    Numba stores addresses of its own Python objects in globals that no kernel reads.
    """
    import llvmlite.binding as llvm

    text = re.sub(r"inttoptr \(i64 \d+ to ptr\)", "null", text)
    machine = llvm.Target.from_default_triple().create_target_machine()
    module = llvm.parse_assembly(text)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0))
    passes = llvm.create_new_module_pass_manager()
    passes.add_sroa_pass()
    for _ in range(2):
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    passes.add_dead_code_elimination_pass()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, builder)
    text = str(module)
    found = re.findall(r".*numba\.dynamic.*", text)
    if found:
        raise SystemExit(f"a kernel reads an object of Python's: {found[0]}")
    return text


def translate(path: Path) -> None:
    """Write the archive for the processor that the environment names."""
    import llvmlite.binding as llvm

    from deepdream.compiling import intermediate, translate
    from deepdream.compiling.machine_code import Kernel

    made_of: dict[str, object] = {name: intermediate.sources(name) for name in PACKAGES}
    files = {intermediate.SOURCES: json.dumps({**made_of, "llvm": llvm.llvm_version_info})}
    for package in PACKAGES:
        for kernel in list(vars(importlib.import_module(package)).values()):
            if not isinstance(kernel, Kernel):
                continue
            function = getattr(importlib.import_module(kernel.module), kernel.name)
            kinds = translate.parameters(function.py_func)
            compiled = translate.entry(function, kinds)
            described = {"symbol": compiled.fndesc.llvm_func_name, "parameters": kinds}
            name = f"{kernel.module}.{kernel.name}"
            files[f"{name}.json"] = json.dumps(described)
            files[f"{name}.ll"] = simplified(compiled.library.get_llvm_str())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    print(f"{path.name}: {len(files) // 2} kernels, {path.stat().st_size >> 10} KiB")


def stale(path: Path) -> list[str]:
    """Return the packages of which an archive holds other kernels than there are."""
    from deepdream.compiling.intermediate import SOURCES, sources

    try:
        with zipfile.ZipFile(path) as archive:
            known = json.loads(archive.read(SOURCES))
    except OSError:
        known = {}
    return [name for name in PACKAGES if known.get(name) != sources(name)]


def main(arguments: list[str] | None = None) -> int:
    """Write the archives, or compare what they were made of with what is there."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description="Translate kernels to LLVM's intermediate code.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare only")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        from deepdream.compiling.intermediate import ARCHIVE

        translate(ARCHIVE)
        return 0
    if given.check:
        folder = ROOT / "deepdream" / "compiling"
        found = sorted(folder.glob("kernels-*.zip"))
        old = {path.name: stale(path) for path in found}
        for name, packages in old.items():
            if packages:
                print(f"{name}: {', '.join(packages)} changed; run scripts/translate_kernels.py")
        return int(len(found) != len(PROCESSORS) or any(old.values()))
    for processor in PROCESSORS:
        # Level 0: what a processor makes faster is left to the user's.
        environment = {**os.environ, "NUMBA_OPT": "0", "NUMBA_CPU_NAME": processor}
        environment.pop("NUMBA_CPU_FEATURES", None)
        subprocess.run([sys.executable, __file__, "--one"], check=True, env=environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
