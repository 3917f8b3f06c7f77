"""``python -m deepdream.caffe SCRIPT ...``: run a program that imports caffe, as it stands.

``-c CODE`` and ``-m MODULE`` are Python's own. Programs that this one starts with ``python`` find
``caffe`` as well.
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path

from . import install, install_for_children

USAGE = """\
usage: python -m deepdream.caffe SCRIPT [ARGUMENTS ...]
       python -m deepdream.caffe -m MODULE [ARGUMENTS ...]
       python -m deepdream.caffe -c CODE [ARGUMENTS ...]

Runs a program that imports caffe, as it stands, on deepdream's own engine."""


def main() -> None:
    """Run what the command line names, as Python would."""
    if len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help"):
        sys.stdout.write(f"{USAGE}\n")
        return
    if len(sys.argv) < 2:
        sys.exit(USAGE)
    how = sys.argv[1]
    if how.startswith("-") and how not in ("-c", "-m"):
        sys.exit(f"unknown option {how}\n{USAGE}")
    if how in ("-c", "-m") and len(sys.argv) < 3:
        sys.exit(f"{how} is followed by nothing\n{USAGE}")
    if how == "-c":
        _run_code(sys.argv[2])
    elif how == "-m":
        sys.argv[:2] = []
        sys.path[0] = str(Path.cwd())
        _install()
        if importlib.util.find_spec(sys.argv[0].partition(".")[0]) is None:
            sys.exit(f"cannot run module '{sys.argv[0]}': Python finds none of this name\n{USAGE}")
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        _run_script()


def _install() -> None:
    install()
    install_for_children()


def _run_code(code: str) -> None:
    """Run text in the module ``__main__``, which workers may then look into."""
    sys.argv[:3] = ["-c"]
    sys.path[0] = ""
    _install()
    module = type(sys)("__main__")
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    exec(compile(code, "<string>", "exec"), module.__dict__)


def _run_script() -> None:
    del sys.argv[0]
    path = Path(sys.argv[0])
    if not path.exists() or (path.is_dir() and not (path / "__main__.py").exists()):
        what = "is a folder without __main__.py" if path.is_dir() else "there is no such file"
        sys.exit(f"cannot run '{path}': {what}\n{USAGE}")
    sys.path[0] = str(path.resolve() if path.is_dir() else path.resolve().parent)  # as Python does
    _install()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
