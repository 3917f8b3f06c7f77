#!/usr/bin/env python3
"""Make the notebooks: for students without solutions, for instructors with them.

    scripts/make_labs.py                        into build/labs/student and build/labs/instructor
    scripts/make_labs.py -o FOLDER
    scripts/make_labs.py --room FOLDER          everything that a room without internet needs

Sources are docs/walkthrough.py and docs/labs/lab*.py: cells in the percent format. What lies
between `# BEGIN SOLUTION` and `# END SOLUTION` becomes a line that says so; what lies between
`# BEGIN ANSWER` and `# END ANSWER` is for instructors only.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
WALKTHROUGH = DOCS / "walkthrough.py"
SOURCES = sorted((DOCS / "labs").glob("lab*.py"))
SOLUTION = re.compile(
    r"^([ \t]*)# BEGIN SOLUTION\n.*?^[ \t]*# END SOLUTION\n", re.MULTILINE | re.DOTALL
)
ANSWER = re.compile(r"^# BEGIN ANSWER\n.*?^# END ANSWER\n?", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^[ \t]*# (BEGIN|END) (SOLUTION|ANSWER)(\n|\Z)", re.MULTILINE)
TURN = r'\1raise NotImplementedError("your turn: replace this line")' + "\n"


def stripped(source: str) -> str:
    """Return a walkthrough or a lab without its solutions and answers.

    Raises
    ------
    ValueError
        A mark has no partner.
    """
    text = ANSWER.sub("", SOLUTION.sub(TURN, source))
    left = re.search("(BEGIN|END) (SOLUTION|ANSWER)", text)
    if left:
        raise ValueError(f"BEGIN and END do not come in pairs: {left[0]}")
    return text


def solved(source: str) -> str:
    """Return a walkthrough or a lab with its solutions and answers, without the marks."""
    return MARK.sub("", source)


def notebook(source: str) -> Any:
    """Return the notebook of a source. Pages that do not lie beside it are named, not linked."""
    import jupytext

    made = jupytext.reads(source, fmt="py:percent")
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[([^\]]*)\]\([\w./-]+\.md\)", r"*\1*", cell.source)
    return made


def write(folder: Path, kinds: tuple[str, ...] = ("student", "instructor")) -> list[Path]:
    """Write the walkthrough and every lab, and the pictures they load; return the notebooks."""
    import jupytext

    written = []
    for kind in kinds:
        make = {"student": stripped, "instructor": solved}[kind]
        for source in (WALKTHROUGH, *SOURCES):
            path = folder / kind / source.relative_to(ROOT).with_suffix(".ipynb")
            path.parent.mkdir(parents=True, exist_ok=True)
            text = make(source.read_text(encoding="utf-8"))
            jupytext.write(notebook(text), path, fmt="ipynb")
            written.append(path)
        for needed in ("docs/drawings", "examples"):
            shutil.copytree(ROOT / needed, folder / kind / needed, dirs_exist_ok=True)
    return written


# Wheels are for one version of Python, so the machine is asked before anything is made.
INSTALL_SH = """\
#!/bin/sh
# Run this once on each machine.
set -e
cd "$(dirname "$0")"
python=${{PYTHON:-python3}}
found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || found=none
if [ "$found" != "{version}" ]; then
  echo "install.sh: the wheels in this folder are for Python {version}; $python is $found." >&2
  echo "Name another one: PYTHON=/path/to/python{version} ./install.sh" >&2
  exit 1
fi
"$python" -m venv environment
environment/bin/pip install --no-index --find-links wheels 'deepdream-caffe[cluster]' jupyterlab
environment/bin/deepdream dream student/examples/clouds.jpg -o first_dream.png
echo "Begin with: environment/bin/jupyter lab student/docs"
"""

INSTALL_BAT = """\
@echo off
rem Run this once on each machine.
cd /d "%~dp0"
set bin=environment\\Scripts
py -{version} -m venv environment || goto failed
%bin%\\pip install --no-index --find-links wheels deepdream-caffe[cluster] jupyterlab || goto failed
%bin%\\deepdream dream student\\examples\\clouds.jpg -o first_dream.png || goto failed
echo Begin with: %bin%\\jupyter lab student\\docs
exit /b 0
:failed
echo install.bat: this needs Python {version}, for which the wheels in this folder are.
exit /b 1
"""


def room(folder: Path) -> None:
    """Fill a folder that can be copied into a room without internet: nothing for instructors."""
    write(folder, ("student",))
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)], check=True)
    built = next(wheels.glob("deepdream_caffe-*.whl"))
    subprocess.run(
        [
            *pip,
            "download",
            "-q",
            "-d",
            str(wheels),
            *constraints,
            f"{built}[cluster]",
            "jupyterlab",
        ],
        check=True,
    )
    name, text = installer(sys.platform)
    (folder / name).write_bytes(text)
    (folder / name).chmod(0o755)


def installer(platform: str) -> tuple[str, bytes]:
    """Return the name and the content of the script that is run once on each machine."""
    version = "{}.{}".format(*sys.version_info[:2])
    if platform == "win32":
        return "install.bat", INSTALL_BAT.format(version=version).replace("\n", "\r\n").encode()
    return "install.sh", INSTALL_SH.format(version=version).encode()


def opener(notebook: Path) -> str:
    """Return the command that opens a notebook, as seen from the folder of the project."""
    jupyter = Path(sys.executable).with_name("jupyter")
    words = [shown(jupyter), "lab", shown(notebook)]
    return " ".join(f'"{word}"' if " " in word else word for word in words)


def shown(path: Path) -> str:
    """Return a path as one types it here: relative where it lies below this folder."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if Path.cwd() in path.parents else path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "build" / "labs", metavar="FOLDER")
    parser.add_argument("--room", type=Path, metavar="FOLDER", help="with wheels and a script")
    args = parser.parse_args()
    if args.room:
        room(args.room)
        print(f"wrote {args.room}: copy it, and run the script install in it")
    else:
        written = write(args.out)
        print(f"wrote {len(written)} notebooks to {args.out}")
        print(f"Open them: {opener(written[0])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
