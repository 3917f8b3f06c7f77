#!/usr/bin/env python
"""Ask the real Caffe, and keep what it answers as golden data.

    scripts/make_golden.py --all              every case
    scripts/make_golden.py pooling lrn/strong whole areas, or single cases
    scripts/make_golden.py --list             what there is

Needs the real Caffe (`scripts/install_caffe.sh`) and numpy. Cases are written down in
``tests/golden_cases``; a case AREA/NAME becomes ``tests/golden/AREA/NAME.json`` with the job and
the facts, and ``NAME.npz`` with the arrays. With --all, files of cases that are gone are removed.

Our own engine is not even imported here: golden data must not depend on it.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from caffe_client import Job, Outcome, RealCaffe, caffe_python  # noqa: E402
from golden_cases import Case, all_cases  # noqa: E402
from helpers import GOLDEN, resolve  # noqa: E402

MADE_BY = "Caffe 1.0.0 (kendryte-caffe 1.0.0.20210829), CPU, OpenBLAS with one thread"
LARGEST = 50_000  # bytes per file


def as_json(record: dict) -> str:
    """Return a record as JSON, one line per step and per entry of a fact."""

    def entries(value: list | dict) -> str:
        if isinstance(value, dict):
            parts = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
            opened, closed = "{", "}"
        else:
            parts = [json.dumps(entry) for entry in value]
            opened, closed = "[", "]"
        if not parts:
            return opened + closed
        return opened + "\n  " + ",\n  ".join(parts) + "\n " + closed

    lines = [
        f" {json.dumps(key)}: {entries(value) if key in ('steps', 'facts') else json.dumps(value)}"
        for key, value in record.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there."""
    if len(content) > LARGEST:
        sys.exit(
            f"{path.name} would have {len(content)} bytes, golden files have {LARGEST} at most"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def same_arrays(path: Path, arrays: dict[str, np.ndarray]) -> bool:
    """Tell whether a file holds these arrays already; saved files are not looked into.

    HDF5 writes the time into its files, and golden data should not change with every run.
    """
    if not path.exists():
        return False
    with np.load(path, allow_pickle=False) as stored:
        return stored.files == list(arrays) and all(
            key.startswith("out/file/")
            or (stored[key].dtype == array.dtype and np.array_equal(stored[key], array, True))
            for key, array in arrays.items()
        )


def store(case: Case, outcome: Outcome) -> int:
    """Write one case and return its size in bytes; stop where Caffe gave no usable answer."""
    if outcome.error or (outcome.aborted is not None) != case.aborts:
        sys.exit(f"{case.name}: {outcome.error or outcome.aborted or 'Caffe should have aborted'}")
    arrays = {f"in/{key}": value for key, value in case.arrays.items()}
    arrays.update({f"out/{key}": value for key, value in outcome.results.items()})
    seeds = sorted({step["seed"] for step in case.steps if "seed" in step})
    record = {
        "what": case.what,
        "made_by": MADE_BY,
        "command": f"scripts/make_golden.py {case.name}",
        "seed": seeds,
        "rtol": case.rtol,
        "arrays": list(arrays),
        "steps": case.steps,
        "facts": outcome.facts or {},
    }
    if outcome.aborted is not None:
        record["aborts"] = outcome.aborted
    path = GOLDEN / f"{case.name}.json"
    text = as_json(record).encode()
    write(path, text)
    if not arrays:
        path.with_suffix(".npz").unlink(missing_ok=True)
        return len(text)
    if same_arrays(path.with_suffix(".npz"), arrays):
        return len(text) + path.with_suffix(".npz").stat().st_size
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    write(path.with_suffix(".npz"), packed.getvalue())
    return len(text) + len(packed.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", help="AREA or AREA/NAME")
    parser.add_argument("--all", action="store_true", help="every case")
    parser.add_argument("--list", action="store_true", help="say which cases there are")
    arguments = parser.parse_args()
    cases = all_cases()
    if arguments.list:
        for name, case in cases.items():
            print(f"{name:40} {case.what}")
        return
    if not arguments.all and not arguments.case:
        parser.error("name a case, or --all")
    wanted = set(arguments.case)
    chosen = [
        case
        for name, case in cases.items()
        if arguments.all or name in wanted or name.split("/")[0] in wanted
    ]
    unknown = wanted - {case.name for case in chosen} - {case.name.split("/")[0] for case in chosen}
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}; --list shows them")
    if caffe_python() is None:
        sys.exit("the real Caffe is not installed; run scripts/install_caffe.sh")
    with RealCaffe() as caffe:
        outcomes = caffe.ask([Job(resolve(case.steps), case.arrays) for case in chosen])
    total = sum(store(case, outcome) for case, outcome in zip(chosen, outcomes))
    if arguments.all:
        known = {GOLDEN / f"{name}{suffix}" for name in cases for suffix in (".json", ".npz")}
        for path in GOLDEN.glob("*/*.*"):
            if path not in known:
                path.unlink()
    print(f"{len(chosen)} cases, {total / 1000:.0f} kB in {GOLDEN.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
