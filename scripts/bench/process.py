"""Processes that are measured: contestants that wait on a pipe, and commands."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

WORKER = Path(__file__).resolve().parent / "worker.py"


class Failed(Exception):
    """A contestant cannot take part; the message is its reason."""


def say(text: str) -> None:
    """Tell what is going on, beside the tables."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def caffe_python() -> str | None:
    """Return the Python of `scripts/install_caffe.sh`, or None where it is not installed."""
    named = os.environ.get("DEEPDREAM_CAFFE_PYTHON")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(named) if named else cache / "deepdream" / "caffe-1.0" / "bin" / "python"
    return str(path) if path.exists() else None


def environment(threads: int, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a contestant: so many threads, whatever its library."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    kinds = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    counts = {f"{kind}_NUM_THREADS": str(threads) for kind in kinds}
    return {**kept, **counts, "GLOG_minloglevel": "2", **(more or {})}


def imported_from(folder: Path | None) -> dict[str, str | None]:
    """Return what a job says of the package: put first on the path, and looked for inside.

    Parameters
    ----------
    folder : Path or None
        The environment that it is installed in. None is the working tree as it stands.
    """
    if folder is None:
        return {"path": str(ROOT), "inside": str(ROOT / "deepdream")}
    return {"path": None, "inside": str(folder)}


class Process:
    """A contestant at the other end of two pipes, to be used with ``with``.

    Parameters
    ----------
    name : str
        See `CONTESTANTS` in scripts/bench/contestants.py, or ``prepare``.
    job : dict
        What it is given.
    python : str or Path
        What it runs in.
    variables : mapping, optional
        Environment variables of its own.
    """

    def __init__(
        self,
        name: str,
        job: dict[str, Any],
        python: str | Path = sys.executable,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [str(python), str(WORKER), name, json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(job["threads"], variables),
            start_new_session=True,  # Ctrl-C is for us, who then end it
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close(at_once=kind is not None)

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

    def close(self, at_once: bool = False) -> None:
        """End the process and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if at_once:
            self._process.kill()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def run_command(
    command: Sequence[str], threads: int, variables: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Run a command from its start to its end.

    Returns
    -------
    dict
        ``wall``, in seconds, and ``peak``, its largest resident size in MiB.

    Raises
    ------
    Failed
        It ended with an error; what it said last is in the message.
    """
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(threads, variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        wall = time.perf_counter() - start
        child.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        if child.returncode:
            errors.seek(0)
            last = [line for line in errors.read().splitlines() if line.strip()]
            words = f": {last[-1][:200]}" if last else ""
            raise Failed(f"'{Path(command[0]).name}' ended with {child.returncode}{words}")
    unit = 2**20 if sys.platform == "darwin" else 1024
    return {"wall": wall, "peak": used.ru_maxrss / unit}
