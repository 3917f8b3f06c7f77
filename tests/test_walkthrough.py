"""The walkthrough runs from its first cell to its last, as readers run it."""

from __future__ import annotations

from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")

DOCS = Path(__file__).resolve().parents[1] / "docs"


def outputs(cell):
    """Everything that a cell printed or showed, as text."""
    found = []
    for output in cell.get("outputs", []):
        found.append(output.get("text", ""))
        found += [str(value) for value in output.get("data", {}).values()]
    return "".join(found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_walkthrough_runs():
    """Every check passes, pictures are shown, and nothing is left of the trap in the clean net."""
    notebook = jupytext.read(DOCS / "walkthrough.py")
    client = nbclient.NotebookClient(notebook, timeout=280, resources={"metadata": {"path": DOCS}})
    client.execute()

    text = [outputs(cell) for cell in notebook.cells]
    checks = sum(cell.source.count("\ncheck(") for cell in notebook.cells)
    assert checks >= 7
    assert sum(part.count("right, ") for part in text) == checks
    assert sum("image/" in str(cell.get("outputs", "")) or "<img" in part
               for cell, part in zip(notebook.cells, text)) >= 5  # fmt: skip
    assert "without it: 0.0" in "".join(text)
