"""The labs: their checks pass with the solutions, and fail without them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).resolve().parents[1]
LABS = sorted((ROOT / "docs" / "labs").glob("lab*.py"))

spec = importlib.util.spec_from_file_location("make_labs", ROOT / "scripts" / "make_labs.py")
assert spec is not None
assert spec.loader is not None
make_labs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_labs)


def run(source: str):
    """Execute a lab to its end, whatever fails on the way; return its code cells."""
    notebook = jupytext.reads(source, fmt="py:percent")
    client = nbclient.NotebookClient(
        notebook, timeout=200, allow_errors=True, resources={"metadata": {"path": LABS[0].parent}}
    )
    client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_check(cell) -> bool:
    return "assert " in cell.source


def failed(cell) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_checks_pass_with_solutions_only(path):
    """Of the stripped lab exactly the check cells fail; of the solved one, none."""
    source = path.read_text(encoding="utf-8")
    cells = run(make_labs.solved(source))
    assert [cell.source for cell in cells if failed(cell)] == []
    assert sum(is_check(cell) for cell in cells) >= 4

    stripped = run(make_labs.stripped(source))
    assert [is_check(cell) for cell in stripped] == [failed(cell) for cell in stripped]


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_nothing_of_a_solution_is_left(path):
    """Students get a line that says it is their turn, at the right depth."""
    source = path.read_text(encoding="utf-8")
    stripped = make_labs.stripped(source)

    assert stripped.count("NotImplementedError") == source.count("BEGIN SOLUTION") >= 4
    assert "SOLUTION" not in stripped + make_labs.solved(source)
    compile(stripped, path.name, "exec")
    assert len(stripped) < len(make_labs.solved(source))


def test_a_mark_without_a_partner():
    """A solution would go to the students."""
    with pytest.raises(ValueError, match="pairs"):
        make_labs.stripped("# BEGIN SOLUTION\nx = 1\n")


def test_notebooks_of_both_kinds(tmp_path):
    """Four labs for students and instructors, with the walkthrough and the picture they load."""
    written = make_labs.write(tmp_path)

    assert len(written) == 2 * len(LABS) == 8
    for kind in ("student", "instructor"):
        assert (tmp_path / kind / "docs" / "walkthrough.ipynb").is_file()
        assert (tmp_path / kind / "examples" / "clouds.jpg").is_file()
    assert (
        "your turn" in (tmp_path / "student" / "docs" / "labs" / "lab1_gradients.ipynb").read_text()
    )
