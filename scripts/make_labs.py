#!/usr/bin/env python3
"""Make the labs' notebooks: for students without solutions, for instructors with them.

    scripts/make_labs.py                        into build/labs/student and build/labs/instructor
    scripts/make_labs.py -o FOLDER
    scripts/make_labs.py --room FOLDER          everything that a room without internet needs

Sources are docs/labs/lab*.py: cells in the percent format. What lies between `# BEGIN SOLUTION` and
`# END SOLUTION` becomes a line that says so.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "docs" / "labs").glob("lab*.py"))
SOLUTION = re.compile(
    r"^([ \t]*)# BEGIN SOLUTION\n.*?^[ \t]*# END SOLUTION\n", re.MULTILINE | re.DOTALL
)


def stripped(source: str) -> str:
    """Return a lab without its solutions.

    Raises
    ------
    ValueError
        A mark has no partner.
    """
    text = SOLUTION.sub(r'\1raise NotImplementedError("your turn: replace this line")\n', source)
    if "SOLUTION" in text:
        raise ValueError("BEGIN SOLUTION and END SOLUTION do not come in pairs")
    return text


def solved(source: str) -> str:
    """Return a lab with its solutions, without the marks."""
    return re.sub(r"^[ \t]*# (BEGIN|END) SOLUTION\n", "", source, flags=re.MULTILINE)


def write(folder: Path) -> list[Path]:
    """Write both versions of every lab, and what they need; return the notebooks."""
    import jupytext

    written = []
    for kind, make in (("student", stripped), ("instructor", solved)):
        place = folder / kind / "docs" / "labs"
        place.mkdir(parents=True, exist_ok=True)
        for source in SOURCES:
            path = place / f"{source.stem}.ipynb"
            notebook = jupytext.reads(make(source.read_text(encoding="utf-8")), fmt="py:percent")
            jupytext.write(notebook, path, fmt="ipynb")
            written.append(path)
        walkthrough = jupytext.read(ROOT / "docs" / "walkthrough.py")
        jupytext.write(walkthrough, folder / kind / "docs" / "walkthrough.ipynb", fmt="ipynb")
        shutil.copytree(ROOT / "docs" / "drawings", folder / kind / "docs" / "drawings",
                        dirs_exist_ok=True)  # fmt: skip
        shutil.copytree(ROOT / "examples", folder / kind / "examples", dirs_exist_ok=True)
    return written


def room(folder: Path) -> None:
    """Fill a folder that can be copied into a room without internet."""
    write(folder)
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)], check=True)
    built = next(wheels.glob("deepdream_caffe-*.whl"))
    subprocess.run(
        [*pip, "download", "-q", "-d", str(wheels), *constraints, str(built), "jupyterlab"],
        check=True,
    )
    (folder / "install.sh").write_text(
        "#!/bin/sh\n# Run this once on each machine, in this folder.\nset -e\n"
        "python3 -m venv environment\n"
        "environment/bin/pip install --no-index --find-links wheels deepdream-caffe jupyterlab\n"
        "environment/bin/deepdream dream student/examples/clouds.jpg -o first_dream.png\n"
        'echo "Begin with: environment/bin/jupyter lab student/docs"\n',
        encoding="utf-8",
    )
    (folder / "install.sh").chmod(0o755)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "build" / "labs", metavar="FOLDER")
    parser.add_argument("--room", type=Path, metavar="FOLDER", help="with wheels and install.sh")
    args = parser.parse_args()
    if args.room:
        room(args.room)
        print(f"wrote {args.room}: copy it, and run install.sh in it")
    else:
        print(f"wrote {len(write(args.out))} notebooks to {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
