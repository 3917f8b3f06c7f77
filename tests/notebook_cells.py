"""Notebooks as cells of Python: what the tests of the walkthrough and of the labs share."""

from __future__ import annotations

import pytest
from helpers import load_script

jupytext = pytest.importorskip("jupytext", reason="needs jupytext (Python 3.11 and later)")

make_labs = load_script("make_labs")


def is_check(cell) -> bool:
    """Tell whether a cell checks what the reader wrote: by `assert`, or the walkthrough's way."""
    return any(line.lstrip().startswith(("assert ", "check(")) for line in cell.source.splitlines())


def code_cells(source: str):
    return [
        cell
        for cell in jupytext.reads(source, fmt="py:percent").cells
        if cell.cell_type == "code" and "def check(" not in cell.source
    ]


def answered(source: str, number: int, answer) -> str:
    """Return a source with another answer in place of one solution, counted from 0.

    `answer` is the text, or pairs of what to replace in the solution, and by what.
    """
    found = list(make_labs.SOLUTION.finditer(source))[number]
    if not isinstance(answer, str):
        lines = found[0].splitlines(keepends=True)[1:-1]
        text = "".join(line.removeprefix(found[1]) for line in lines)
        for old, new in zip(answer[::2], answer[1::2]):
            assert old in text, f"{old} is not in the solution"
            text = text.replace(old, new)
        answer = text
    lines = [f"{found[1]}{line}\n" for line in answer.strip("\n").splitlines()]
    return make_labs.solved(source[: found.start()] + "".join(lines) + source[found.end() :])


def check_of(source: str, number: int) -> str:
    """Return the check cell that belongs to one solution: the next one after it."""
    cells = code_cells(source)
    holders = [i for i, cell in enumerate(cells) if "BEGIN SOLUTION" in cell.source]
    return next(cell.source for cell in cells[holders[number] :] if is_check(cell))


def first_failure(source: str):
    """Run the cells one after the other; return the first that fails and its error, or None."""
    space = {"__name__": "__main__"}
    for cell in jupytext.reads(source, fmt="py:percent").cells:
        if cell.cell_type == "code":
            try:
                exec(compile(cell.source, "cell", "exec"), space)
            except Exception as error:
                return cell.source, error
    return None


def other_answers(tasks):
    """Return a parameter for each other answer: key, and the answer or replacements."""
    return [pytest.param(key, answer, id="-".join([*map(str, key), name]))
            for key, answers in tasks.items() for name, answer in answers.items()]  # fmt: skip
