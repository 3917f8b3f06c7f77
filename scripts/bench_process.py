"""Processes that `scripts/bench.py` measures: one for each contestant, waiting on a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parent / "bench_worker.py"


def caffe_python() -> str | None:
    """Return the Python of `scripts/install_caffe.sh`, or None where it is not installed."""
    named = os.environ.get("DEEPDREAM_CAFFE_PYTHON")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(named) if named else cache / "deepdream" / "caffe-1.0" / "bin" / "python"
    return str(path) if path.exists() else None


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a contestant: so many threads, whatever its library."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    kinds = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    counts = {f"{kind}_NUM_THREADS": str(threads) for kind in kinds}
    return {**kept, **counts, "GLOG_minloglevel": "2", "PYTHONDONTWRITEBYTECODE": "1"}


class Failed(Exception):
    """A contestant cannot take part; the message is its reason."""


class Process:
    """A contestant at the other end of two pipes.

    Parameters
    ----------
    name : str
        See `CONTESTANTS` in scripts/bench_worker.py.
    job : dict
        What it is given.
    """

    def __init__(self, name: str, job: dict[str, Any]) -> None:
        python = caffe_python() if name == "caffe" else sys.executable
        if python is None:
            raise Failed("not installed (scripts/install_caffe.sh)")
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [python, str(WORKER), name, json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(job["threads"]),
        )

    def ask(self, request: str | None = None) -> dict[str, Any]:
        """Send a line, if any, and return the answer.

        Raises
        ------
        Failed
            The contestant says so, or has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if request is not None:
            with contextlib.suppress(BrokenPipeError):  # what it died of is read below
                self._process.stdin.write(request + "\n")
                self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            last = [text for text in self._errors.read().splitlines() if text.strip()]
            raise Failed(f"ended: {last[-1][:200] if last else 'without a word'}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"][:200])
        return answer

    def close(self) -> None:
        """End the process and wait for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
