"""Comparing arrays, and the golden data: what the real Caffe answered, kept in files.

A golden case is a job (see `scripts/caffe_worker.py`) and Caffe's answers to it. It lives in
``tests/golden/AREA/NAME.json``, which holds the steps, the facts and how the case was made, and in
``NAME.npz`` beside it, which holds the arrays. A test replays the job on our own engine and calls
`Golden.check` on what comes out.
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
ACTUAL = ROOT / "tests" / "actual"  # what our engine gave where it disagreed; not committed

# One forward or backward pass of two float32 engines differs by 3e-7 to 7e-7 (relative L2) on a
# deep net, so this leaves an order of magnitude and still sees a single wrong pixel.
RTOL = 1e-5


def load_script(name: str) -> ModuleType:
    """Import ``scripts/NAME.py``, which is no part of a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


worker = load_script("caffe_worker")


def relative_error(actual: np.ndarray, desired: np.ndarray) -> float:
    """Return ``|actual - desired| / |desired|`` in the L2 norm, in float64.

    Values that are equal count as no difference, infinities and NaN included; any other difference
    that involves one counts as infinite, and so does a difference from an array of zeros.
    """
    a, d = np.asarray(actual, np.float64), np.asarray(desired, np.float64)
    same = (a == d) | (np.isnan(a) & np.isnan(d))
    if same.all():
        return 0.0
    if not np.isfinite(a[~same]).all() or not np.isfinite(d[~same]).all():
        return float("inf")
    norm = float(np.linalg.norm(d[np.isfinite(d)]))
    gap = float(np.linalg.norm(a[~same] - d[~same]))
    return gap / norm if norm else float("inf")


def assert_close(
    actual: np.ndarray, desired: np.ndarray, rtol: float = RTOL, name: str = "array"
) -> None:
    """Fail unless two arrays have one shape and a relative L2 error of at most `rtol`.

    Parameters
    ----------
    actual, desired : ndarray
        Ours, and the reference.
    rtol : float
        Largest `relative_error`; with 0 every value has to be equal (NaN equals NaN).
    name : str
        What is compared, for the message.
    """
    actual, desired = np.asarray(actual), np.asarray(desired)
    assert actual.shape == desired.shape, f"{name}: shape {actual.shape}, expected {desired.shape}"
    error = relative_error(actual, desired)
    if error <= rtol:
        return
    a, d = actual.astype(np.float64), desired.astype(np.float64)
    with np.errstate(invalid="ignore"):
        gap = np.abs(a - d)
    gap[(a == d) | (np.isnan(a) & np.isnan(d))] = 0
    gap[np.isnan(gap)] = np.inf
    index = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
    wrong = int((gap > rtol * np.abs(d[np.isfinite(d)]).max(initial=0)).sum())
    raise AssertionError(
        f"{name}: relative L2 error {error:.3g}, allowed {rtol:g}; {wrong} of {gap.size} values "
        f"are off; the largest difference is {gap[index]:.3g} at {index}: "
        f"{actual[index]!r}, expected {desired[index]!r}"
    )


def assert_same_facts(actual: Any, desired: Any, name: str) -> None:
    """Fail unless two pieces of structure agree.

    Numbers with a fraction may differ by rounding. An exception agrees if it is one that an
    ``except`` clause for Caffe's exception would catch.
    """
    if isinstance(desired, dict) and "raises" in desired:
        raised = actual["raises"]
        expected = desired["raises"][0] if desired["raises"] else None
        assert (expected in raised) if expected else not raised, (
            f"{name}: raised {raised or 'nothing'}, Caffe raises {expected or 'nothing'}"
        )
    elif isinstance(desired, dict):
        assert isinstance(actual, dict), f"{name}: {actual!r}, expected {desired!r}"
        assert sorted(actual) == sorted(desired), f"{name}: {sorted(actual)} != {sorted(desired)}"
        for key, value in desired.items():
            assert_same_facts(actual[key], value, f"{name}.{key}")
    elif isinstance(desired, float):
        assert abs(actual - desired) <= RTOL * abs(desired), (
            f"{name}: {actual!r}, expected {desired!r}"
        )
    else:
        assert actual == desired, f"{name}: {_first_difference(actual, desired)}"


def _first_difference(actual: Any, desired: Any) -> str:
    if isinstance(actual, list) and isinstance(desired, list):
        for index, (a, d) in enumerate(zip(actual, desired)):
            if a != d:
                return f"entry {index} is {a!r}, expected {d!r}"
        return f"{len(actual)} entries, expected {len(desired)}"
    return f"{actual!r}, expected {desired!r}"


@dataclass
class Golden:
    """A job and the answers of the real Caffe.

    Attributes
    ----------
    case : str
        ``AREA/NAME``.
    what : str
        One sentence: what the case is about.
    steps, arrays
        The job, see `scripts/caffe_worker.py`.
    results, facts
        Caffe's answers.
    aborts : str or None
        Caffe ended its process instead of answering; its last words.
    rtol : float
        Allowed relative L2 error of every result; 0 demands equality.
    record : dict
        The whole JSON file.
    """

    case: str
    what: str
    steps: list[dict[str, Any]]
    rtol: float = RTOL
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    results: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    aborts: str | None = None
    record: dict[str, Any] = field(default_factory=dict)

    def check(self, results: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        """Fail with the name of the first blob that is not what Caffe computed.

        What came out instead is left in ``tests/actual``.
        """
        try:
            assert_same_facts(facts, self.facts, self.case)
            assert sorted(results) == sorted(self.results), (
                f"{self.case}: results {sorted(results)}, expected {sorted(self.results)}"
            )
            for name, desired in self.results.items():
                if name.startswith("file/"):  # the same weights may be other bytes
                    continue
                rows = self.facts.get(name)
                if rows is None:
                    assert_close(results[name], desired, self.rtol, f"{self.case} '{name}'")
                    continue
                for row, (blob, _) in enumerate(rows):  # digests, one blob a row
                    label = f"{self.case} {name} of '{blob}'"
                    assert_close(results[name][row], desired[row], self.rtol, label)
        except AssertionError:
            path = ACTUAL / f"{self.case}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, **results)
            raise


def golden_names(*areas: str, folder: Path = GOLDEN) -> list[str]:
    """Return the names ``AREA/NAME`` of all golden cases, or of those in some areas."""
    found = (path.relative_to(folder).with_suffix("") for path in folder.glob("*/*.json"))
    return sorted(path.as_posix() for path in found if not areas or path.parts[0] in areas)


def load_golden(case: str, folder: Path = GOLDEN) -> Golden:
    """Read the golden case ``AREA/NAME``.

    Raises
    ------
    FileNotFoundError
        The case, or its arrays, are not there; the message says how to make them.
    """
    path = folder / f"{case}.json"
    if not path.exists():
        raise FileNotFoundError(f"no golden case {case!r}; make it: scripts/make_golden.py {case}")
    record = json.loads(path.read_text())
    golden = Golden(
        case=case,
        what=record["what"],
        steps=record["steps"],
        rtol=record["rtol"],
        facts=record["facts"],
        aborts=record.get("aborts"),
        record=record,
    )
    stored = path.with_suffix(".npz")
    if not stored.exists():
        if record["arrays"]:
            raise FileNotFoundError(f"{stored} is missing; make it: scripts/make_golden.py {case}")
        return golden
    with np.load(stored, allow_pickle=False) as arrays:
        for key in record["arrays"]:
            kind, name = key.split("/", 1)
            (golden.arrays if kind == "in" else golden.results)[name] = arrays[key]
    return golden


def our_caffe() -> ModuleType:
    """Return our own engine under Caffe's names."""
    import deepdream.caffe

    return deepdream.caffe


def run_ours(
    steps: list[dict[str, Any]], arrays: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Carry out a job on our own engine; like Caffe it may build nets without weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return worker.run_job(our_caffe(), resolve(steps), arrays)


def resolve(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace ``"prototxt_file": PATH`` (from the root of the project) by the file's text."""

    def one(step: dict[str, Any]) -> dict[str, Any]:
        step = dict(step)
        if "prototxt_file" in step:
            text = (ROOT / step.pop("prototxt_file")).read_text()
            step["prototxt"] = "force_backward: true\n" + text
        return step

    return [one(step) for step in steps]
