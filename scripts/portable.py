#!/usr/bin/env python3
"""Run the tests as other processors would: with other instructions, and with other last bits.

    scripts/portable.py                         all that `make test` runs; half an hour
    scripts/portable.py --fast                  what `make check` runs; some minutes
    scripts/portable.py --only bits4 tests/test_labs.py -k lab2

Libraries choose their instructions by the processor. In other instructions sums are added in
another order, and the last bits of every step are others. Where that tips a ReLU, steps after it
make more of it: a bound on a whole dream that holds here is broken on the next machine. The
settings:

threads    two threads
avx2       no AVX-512, as on most AMD and older Intel processors
sse        neither AVX nor fused multiplications
bits4 ...  processors that do not exist: see tests/other_bits.py; any number will do. On 4 and 7 the
           check that lab 2 had before refuses one of the right answers in tests/test_labs.py.

Each has a line: what a step of the bundled network comes to, layer by layer and on its plan, and
how the tests went. Everything that they said is in build/portable.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "portable"
HERE = "not network and not gpu and not weights"
FAST = f"{HERE} and not slow and not pycaffe"
HASWELL = "sse2 sse3 ssse3 sse4.1 sse4.2 popcnt avx avx2 fma f16c bmi bmi2 lzcnt movbe"

# What a step comes to, in two words of eight digits.
STEP = """
import hashlib, os, sys, numpy as np, deepdream
if "DEEPDREAM_OTHER_BITS" in os.environ:
    sys.path.insert(0, "tests")
    import other_bits
    other_bits.install(int(os.environ["DEEPDREAM_OTHER_BITS"]))
net, img = deepdream.load_net(), deepdream.load_image("examples/clouds.jpg")[::4, ::4]
how = {"end": "block7/output", "iter_n": 1, "octave_n": 1, "jitter": 0}
plan = deepdream.dream(net, img, progress=False, **how)
for made in (deepdream.deepdream(net, img, **how), plan):
    print(hashlib.sha256(np.ascontiguousarray(made)).hexdigest()[:8])
"""


def settings() -> dict[str, dict[str, str]]:
    """Return the environment variables of each setting that this processor can take."""
    found = {"threads": {"OMP_NUM_THREADS": "2"}}
    if platform.machine() in ("x86_64", "AMD64"):
        found["avx2"] = {
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "NPY_DISABLE_CPU_FEATURES": " ".join(n for n in simd() if re.search("512|V4", n)),
            "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in HASWELL.split()),
            "NUMBA_CPU_NAME": "haswell",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "OPENBLAS_CORETYPE": "Haswell",
        }
        found["sse"] = {
            "ATEN_CPU_CAPABILITY": "default",
            "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
            "NPY_DISABLE_CPU_FEATURES": " ".join(simd()),
            "NUMBA_CPU_NAME": "generic",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "OPENBLAS_CORETYPE": "Nehalem",
        }
    return {**found, **{f"bits{i}": {"DEEPDREAM_OTHER_BITS": str(i)} for i in (4, 7)}}


def simd() -> Iterator[str]:
    """Yield the names of the instructions that NumPy found here and can do without."""
    try:
        from numpy._core import _multiarray_umath as numpys
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as numpys
    return (name for name in numpys.__cpu_dispatch__ if numpys.__cpu_features__.get(name))


def environment(name: str, variables: dict[str, str]) -> dict[str, str]:
    """Return all environment variables for a setting. Kernels are compiled for it alone."""
    kernels = str(FOLDER / f"kernels-{name}")
    return {**os.environ, "OMP_NUM_THREADS": "1", "DEEPDREAM_KERNELS": kernels, **variables}


def step(variables: dict[str, str]) -> str:
    """Return what a step comes to."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STEP],
        cwd=ROOT, env=variables, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"no step can be taken:\n{done.stderr}")
    return "net {} plan {}".format(*done.stdout.split())


def run(name: str, variables: dict[str, str], words: list[str]) -> bool:
    """Run the tests under a setting, print its line and what failed; return whether none did."""
    print(f"{name:8} {step(variables)}  ", end="", flush=True)
    if variables["OMP_NUM_THREADS"] == "1":
        words = ["-n", "2", "--dist", "worksteal", *words]
    log = FOLDER / f"{name}.txt"
    with log.open("w") as file:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words], cwd=ROOT, env=variables, stdout=file,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    lines = log.read_text(errors="replace").splitlines()
    print(lines[-1].strip("= ") if lines else "nothing was said")
    for line in lines:
        if line.startswith(("FAILED ", "ERROR ")):
            print(f"         {line}")
    return done.returncode == 0


def main(arguments: list[str] | None = None) -> int:
    """Run the tests under each setting; return the exit status."""
    parser = argparse.ArgumentParser(
        usage="%(prog)s [options] [words for pytest]", description=str(__doc__),
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    known = settings()
    parser.add_argument("--fast", action="store_true", help="neither slow tests nor the real Caffe")
    parser.add_argument("--only", default=",".join(known), metavar="A,B", help="these settings")
    options, words = parser.parse_known_args(arguments)
    for name in options.only.split(","):
        if re.fullmatch(r"bits\d+", name):
            known[name] = {"DEEPDREAM_OTHER_BITS": name[4:]}
        elif name not in known:
            parser.error(f"no setting {name!r} for this processor; there are: {', '.join(known)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(f"{'here':8} {step(environment('here', {}))}")
    words = ["-m", FAST if options.fast else HERE, *words]
    chosen = {name: environment(name, known[name]) for name in options.only.split(",")}
    passed = [run(name, variables, words) for name, variables in chosen.items()]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
