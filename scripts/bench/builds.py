"""Revisions of this project as their users have them: ``pip install`` in an environment of its own.

An environment is built once, in a folder of its own in `FOLDER`, with what that revision's
``constraints.txt`` pins. What is in it:

* ``source``: the revision's files, or those of the working tree that git does not ignore;
* ``venv``: ``pip install source``, nothing else;
* ``caches``: what a run keeps for the next one (kernels, converted weights), so that nothing of
  the user's is read or written;
* ``built.json``: written last. A folder without it, or with another one than is expected, is built
  anew.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import ROOT, Failed, say

FOLDER = ROOT / "build" / "bench"

# What an installation depends on beside the package's own files.
_REQUIREMENTS = ("setup.py", "pyproject.toml", "constraints.txt")
_INSTALLED = ("deepdream", "prototxt", "README.md", "LICENSE", *_REQUIREMENTS)


@dataclass(frozen=True)
class Build:
    """An environment that is there.

    Attributes
    ----------
    name : str
        The revision as it was asked for, or ``working tree``.
    folder : Path
    stamp : dict
        The commit and its subject, the bytes of the installation (``bytes``) and of its packages
        (``packages``), and their ``versions``.
    """

    name: str
    folder: Path
    stamp: Mapping[str, Any]

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def variables(self, caches: Path | None = None) -> dict[str, str]:
        """Return the environment variables that keep what is cached in a folder of ours."""
        return cache_variables(caches or self.folder / "caches")

    def tidy(self) -> None:
        """Take away what runs have left beside the installed modules: kernels may lie there."""
        for record in self.folder.glob("venv/lib/python*/site-packages/deepdream*/RECORD"):
            site = record.parents[1]
            with record.open(encoding="utf-8", newline="") as lines:
                installed = {str(site / row[0]) for row in csv.reader(lines) if row}
            for path in (site / "deepdream").rglob("*"):
                if path.is_file() and str(path) not in installed:
                    path.unlink()


def cache_variables(folder: Path) -> dict[str, str]:
    """Return the variables that make Numba, this package and others keep their caches there."""
    return {
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "DEEPDREAM_KERNELS": str(folder / "kernels"),
        "DEEPDREAM_HOME": str(folder / "deepdream"),
        "XDG_CACHE_HOME": str(folder),
    }


def build_revision(revision: str, folder: Path = FOLDER) -> Build:
    """Return the environment of a revision, built where it is not there yet.

    Raises
    ------
    Failed
        There is no such revision, or it cannot be installed; pip's last words are in the message.
    """
    commit = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    home = folder / commit[:12]
    wanted = {
        "commit": commit,
        "subject": git("show", "--no-patch", "--format=%s", commit).strip(),
        "python": sys.version,
    }
    with _alone(folder):
        stamp = _stamp(home, wanted)
        if stamp is None:
            say(f"building {revision} ({wanted['subject']}) in {home}")
            _clear(home)
            archive = home / "source.tar"
            git("archive", "--format=tar", f"--output={archive}", commit)
            _run(["tar", "-xf", str(archive), "-C", str(home / "source")], home)
            archive.unlink()
            stamp = _install(home, wanted)
    return Build(revision, home, stamp)


def build_tree(folder: Path = FOLDER) -> Build:
    """Return the environment of the working tree, brought up to date.

    As long as the requirements are the same, only the package itself is installed again.

    Raises
    ------
    Failed
        It cannot be installed.
    """
    home = folder / "working-tree"
    files = [
        Path(name)
        for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        if name and (ROOT / name).is_file() and Path(name).parts[0] in _INSTALLED
    ]
    changed = git("status", "--porcelain", "--", *_INSTALLED).strip()
    wanted = {
        "commit": git("rev-parse", "HEAD").strip(),
        "subject": git("show", "--no-patch", "--format=%s").strip(),
        "changed": bool(changed),
        "requirements": _hash([Path(name) for name in _REQUIREMENTS]),
        "files": _hash(files),
        "python": sys.version,
    }
    same = ("requirements", "python")
    with _alone(folder):
        stamp = _stamp(home, {key: wanted[key] for key in same})
        if stamp is None or stamp["files"] != wanted["files"]:
            say(f"building the working tree in {home}")
            again = stamp is not None
            if again:
                (home / "built.json").unlink()
                shutil.rmtree(home / "source", ignore_errors=True)
            else:
                _clear(home)
            for name in files:
                (home / "source" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, home / "source" / name)
            stamp = _install(home, wanted, before=stamp["before"] if stamp else None)
    return Build("working tree", home, {**stamp, **wanted})


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for others that build in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stamp(home: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what ``built.json`` says, or None where it is not what is wanted."""
    try:
        stamp = json.loads((home / "built.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if all(stamp.get(key) == value for key, value in wanted.items()) else None


def _clear(home: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        (home / "built.json").unlink()  # first: from now on it is half-built
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(home)
    (home / "source").mkdir(parents=True)


def _install(home: Path, wanted: Mapping[str, Any], before: int | None = None) -> dict[str, Any]:
    """Install ``source`` into ``venv`` and write ``built.json``; `before`: the package alone."""
    python, source = home / "venv" / "bin" / "python", home / "source"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install"]
    if before is None:
        _run([sys.executable, "-m", "venv", "--clear", str(home / "venv")], home)
        before = _bytes(home / "venv")
        constraints = source / "constraints.txt"
        pinned = ["--constraint", str(constraints)] if constraints.exists() else []
        say(f"pip installs what it needs; its words are in {home / 'build.log'}")
        _run([*pip, *pinned, str(source)], home)
    else:
        _run([*pip, "--no-deps", "--force-reinstall", str(source)], home)
    _run([str(home / "venv" / "bin" / "deepdream"), "--version"], home)
    stamp = {
        **wanted,
        "before": before,
        "bytes": _bytes(home / "venv") - before,
        "packages": _packages(home / "venv"),
        "versions": _versions(home / "venv"),
    }
    part = home / "built.json.part"
    part.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    part.replace(home / "built.json")
    return stamp


def _run(command: list[str], home: Path) -> None:
    """Run a command of the build.

    Raises
    ------
    Failed
        It could not be run, or ended with an error.
    """
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    with (home / "build.log").open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        done = subprocess.run(command, stdout=log, stderr=log, cwd=home, env=variables)
    if done.returncode:
        words = (home / "build.log").read_text(encoding="utf-8", errors="replace").splitlines()
        last = "\n  ".join(line for line in words[-6:] if line.strip())
        raise Failed(
            f"the environment in {home} could not be built; all is in build.log there, "
            f"and the end of it:\n  {last}"
        )


def git(*arguments: str) -> str:
    """Return what git prints.

    Raises
    ------
    Failed
        It is not installed, this is no checkout, or it says no.
    """
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise Failed("git is not installed; --baseline takes a revision from it") from None
    if done.returncode:
        said = done.stderr.strip() or "nothing is there"
        raise Failed(f"'git {' '.join(arguments)}' in {ROOT}: {said}")
    return done.stdout


def _hash(files: list[Path]) -> str:
    """Return one hash of the files' names and contents; files that are not there count as such."""
    total = hashlib.sha256()
    for name in sorted(files):
        path = ROOT / name
        content = path.read_bytes() if path.exists() else b"none"
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def _versions(venv: Path) -> dict[str, str]:
    """Return the versions of what is installed."""
    found = (path.stem.split("-") for path in venv.glob("lib/python*/site-packages/*.dist-info"))
    return {name: version for name, version in sorted(found)}


def _bytes(folder: Path) -> int:
    """Return the size of all files in a folder, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _packages(venv: Path) -> dict[str, int]:
    """Return the bytes in ``site-packages`` by the first part of the name, the largest first."""
    total: dict[str, int] = defaultdict(int)
    for site in venv.glob("lib/python*/site-packages"):
        for path in site.iterdir():
            # numpy, numpy.libs and numpy-2.4.dist-info are numpy's.
            name = path.name.split("-")[0].split(".")[0]
            if name not in ("pip", "_distutils_hack", "__pycache__"):
                total[name] += _bytes(path) if path.is_dir() else path.lstat().st_size
    return dict(sorted(total.items(), key=lambda item: -item[1]))
