"""The real Caffe, asked from our Python.

It lives in an environment of its own (`scripts/install_caffe.sh`) and in processes of its own,
because every error ends a Caffe process. `RealCaffe` sends it jobs (see `scripts/caffe_worker.py`)
and returns one `Outcome` each.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
WORKER = ROOT / "scripts" / "caffe_worker.py"


@dataclass
class Job:
    """What to do: steps of `scripts/caffe_worker.py`, and the arrays that they name."""

    steps: list[dict[str, Any]]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Outcome:
    """What came of a job. Exactly one of `facts`, `error` and `aborted` is not None.

    Attributes
    ----------
    results : dict of str to ndarray
        The arrays that the job read.
    facts : dict or None
        Names, shapes and other structure that the job noted.
    error : str or None
        A Python exception ended the job.
    aborted : str or None
        Caffe ended its process; its last words.
    """

    results: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Any] | None = None
    error: str | None = None
    aborted: str | None = None


def caffe_python() -> Path | None:
    """Return the Python that can import the real Caffe, or None where it is not installed.

    ``DEEPDREAM_CAFFE_PYTHON`` names it; else it is looked for where `scripts/install_caffe.sh`
    puts it.
    """
    named = os.environ.get("DEEPDREAM_CAFFE_PYTHON")
    if named:
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    python = cache / "deepdream" / "caffe-1.0" / "bin" / "python"
    return python if python.exists() else None


def caffe_environment(threads: int = 1) -> dict[str, str]:
    """Return environment variables for a process that imports the real Caffe.

    With one thread Caffe repeats itself to the bit; another number changes its rounding.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {
        **kept,
        "GLOG_minloglevel": "2",
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",  # pycaffe returns blobs in the order of a set
    }


class RealCaffe:
    """The real Caffe, waiting for jobs. Use it in a ``with`` statement.

    Parameters
    ----------
    threads : int
        For Caffe's matrix products.

    Raises
    ------
    RuntimeError
        It is not installed.
    """

    def __init__(self, threads: int = 1) -> None:
        python = caffe_python()
        if python is None:
            raise RuntimeError("the real Caffe is not installed; run scripts/install_caffe.sh")
        self._worker = subprocess.Popen(
            [str(python), str(WORKER)],
            env=caffe_environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> RealCaffe:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.close()
        try:
            self._worker.wait(60)
        finally:
            self._worker.kill()
        self._worker.stdout.close()

    def ask(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run jobs in order, each in a process of its own, and return an outcome for each.

        Raises
        ------
        RuntimeError
            The worker died for a reason that is not Caffe's.
        """
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number, job in enumerate(jobs):
                np.savez(folder / f"{number}.in.npz", **job.arrays)
            numbered = [{"id": number, "steps": job.steps} for number, job in enumerate(jobs)]
            (folder / "jobs.json").write_text(json.dumps(numbered))
            print(name, file=self._worker.stdin, flush=True)
            if self._worker.stdout.readline() != "done\n":
                raise RuntimeError("the Caffe worker died; its last words are above")
            return [_read(folder, number) for number in range(len(jobs))]


def _read(folder: Path, number: int) -> Outcome:
    answered = folder / f"{number}.json"
    if not answered.exists():
        return Outcome(aborted=_last_words((folder / f"{number}.err").read_text()))
    answer = json.loads(answered.read_text())
    if "error" in answer:
        return Outcome(error=answer["error"])
    with np.load(folder / f"{number}.out.npz", allow_pickle=False) as stored:
        return Outcome(results={key: stored[key] for key in stored.files}, facts=answer["facts"])


def _last_words(stderr: str) -> str:
    """Return the message of a failed check, without what differs from run to run."""
    for line in stderr.splitlines():
        if line.startswith("F") and "] " in line:
            words = line.split("] ", 1)[1].strip()
            words = re.sub(r"/\S*/(\d+\.\w+)", r"\1", words)  # temporary folders
            words = re.sub(r"0x[0-9a-f]{6,}", "0x...", words)  # addresses
            return words if len(words) < 240 else words[:240] + " ..."
    return stderr.strip()[-240:] or "died without a word"
