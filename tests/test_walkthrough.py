"""The walkthrough runs from its first cell to its last, and its checks know right from wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import deepdream

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")

from notebook_cells import (  # noqa: E402
    answered,
    check_of,
    code_cells,
    first_failure,
    is_check,
    make_labs,
    other_answers,
)

DOCS = Path(__file__).resolve().parents[1] / "docs"
SOURCE = (DOCS / "walkthrough.py").read_text(encoding="utf-8")


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
    notebook = make_labs.notebook(make_labs.solved(SOURCE))
    client = nbclient.NotebookClient(notebook, timeout=280, resources={"metadata": {"path": DOCS}})
    client.execute()

    text = [outputs(cell) for cell in notebook.cells]
    for cell, part in zip(notebook.cells, text):
        if cell.cell_type == "code" and is_check(cell) and "def check(" not in cell.source:
            assert part.count("right, ") >= cell.source.count("check("), cell.source
    assert "".join(text).count("right, ") >= 11
    assert sum("image/" in str(cell.get("outputs", "")) or "<img" in part
               for cell, part in zip(notebook.cells, text)) >= 5  # fmt: skip
    assert "of data, without it: 0.0000" in "".join(text)
    assert "of stem/conv, without it: 0.0000" in "".join(text)


@pytest.fixture
def quick(monkeypatch):
    """The walkthrough's folder, a small picture, and dreams that are over at once."""
    load = deepdream.load_image
    monkeypatch.chdir(DOCS)
    monkeypatch.setattr(deepdream, "load_image", lambda path: load(path)[::2, ::2])
    monkeypatch.setattr(deepdream, "show", lambda *imgs, titles=None: None)
    monkeypatch.setattr(deepdream, "dream", lambda net, img, **how: np.asarray(img))
    monkeypatch.setattr(deepdream, "zoom", lambda net, img, **how: [img] * how["frames"])


TASKS = ["to_net", "to_picture", "gradient", "step", "jittered_step", "my_dream", "objective"]
FLIP, DRAWN = "np.float32(np.moveaxis(img, 2, 0)[::-1]) - mean", "ox, oy = np.random.randint"
SCALED, COPIED = "np.abs(g).mean()", "dst.diff[...] = dst.data"
WRONG = {
    ("to_net",): {
        "RGB": ("[::-1]", ""),
        "mean before the flip": (FLIP, "(np.float32(np.moveaxis(img, 2, 0)) - mean)[::-1]"),
        "no mean": (" - mean", ""),
        "the bundled network's mean": ("- mean", "- 127"),
        "channels last": ("np.moveaxis(img, 2, 0)[::-1]", "img[..., ::-1]"),
        "columns first": ("np.moveaxis(img, 2, 0)", "img.T"),
    },
    ("to_picture",): {
        "mean after the flip": ("(x + mean)[::-1]", "x[::-1] + mean"),
        "BGR": ("[::-1]", ""),
        "channels first": "return (x + mean)[::-1]",
        "no mean": ("(x + mean)", "x"),
    },
    ("gradient",): {
        "ones": (COPIED, "dst.diff[...] = 1"),
        "twice": (COPIED, "dst.diff[...] = 2 * dst.data"),
        "nothing written": (COPIED, "pass"),
        "a view": (".copy()", ""),
        "no backward": ("net.backward(start=end)", "pass"),
        "the target's diff": ("src.diff[0]", "dst.diff[0]"),
    },
    ("step",): {
        "not cut": ("np.clip(x, -mean, 255 - mean)", "x"),
        "cut at 0 and 255": ("-mean, 255 - mean", "0, 255"),
        "not scaled": (f" / {SCALED}", ""),
        "by the deviation": (SCALED, "g.std()"),
        "by the length": (SCALED, "np.sqrt((g**2).mean())"),
        "by the largest": (SCALED, "np.abs(g).max()"),
        "downhill": ("x + step_size", "x - step_size"),
        "one size": ("step_size", "1.5"),
    },
    ("jittered_step",): {
        "axes swapped": ("ox, -1), oy, -2", "ox, -2), oy, -1", "-ox, -1), -oy, -2",
                         "-ox, -2), -oy, -1"),
        "drawn in the other order": (DRAWN, "oy, ox = np.random.randint"),
        "not rolled back": ("return np.roll(np.roll(x, -ox, -1), -oy, -2)", "return x"),
        "not rolled": "np.random.randint(-jitter, jitter + 1, 2)\n"
        "return step(net, x, end, step_size)",
        "one less": ("jitter + 1", "jitter"),
    },
    ("my_dream",): {
        "each from the full picture": ("octaves[-1], shrink",
                                       "octaves[0], np.power(shrink, _ + 1)"),
        "no detail": ("base + detail", "base"),
        "nearest": ("w / w1), order=1", "w / w1), order=0"),
        "the picture enlarged": ("x = base + detail", "x = detail", "detail = x - base",
                                 "detail = x", "np.zeros_like(octaves[-1])", "octaves[-1]"),
        "a little of the picture": ("detail = x - base", "detail = x - 0.99 * base"),
        "one step more": ("range(iter_n)", "range(iter_n + 1)"),
        "one octave less": ("octave_n - 1", "octave_n - 2"),
        "largest first": ("octaves[::-1]", "octaves"),
        "steps without jitter": ("jittered_step(", "step("),
    },
    ("objective",): {
        "cosine": ("x.T @ y", "x.T @ (y / np.linalg.norm(y, axis=0))"),
        "the least alike": ("argmax", "argmin"),
        "over the wrong axis": "x = dst.data[0].reshape(len(features), -1)\n"
        "y = features.reshape(len(features), -1)\nbest = (y.T @ x).argmax(0)\n"
        "dst.diff[0] = x[:, best % x.shape[1]].reshape(dst.data.shape[1:])",
        "that of 2015": "dst.diff[...] = dst.data",
        "added": ("dst.diff[0] = ", "dst.diff[0] += "),
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(("key", "answer"), other_answers(WRONG))
def test_wrong_answers_fail(key, answer, quick):
    """With one wrong answer, the check right after it is the first cell to fail."""
    number = TASKS.index(key[0])

    failure = first_failure(answered(SOURCE, number, answer))

    assert failure is not None, "the check passes"
    assert failure[0] == check_of(SOURCE, number), failure[1]


# Right ones that round otherwise than the solution.
RIGHT = {
    ("step",): {
        "in float64": (SCALED, "np.abs(np.float64(g)).mean()"),
        "scaled first": (f"step_size / {SCALED} * g", f"step_size * (g / {SCALED})"),
    },
    ("my_dream",): {"in float64": ("x = base + detail", "x = np.float64(base) + detail")},
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("key", "answer"), other_answers(RIGHT))
def test_right_answers_in_other_words_pass(key, answer, quick):
    """No check refuses a right answer for its last bits, nor one that builds on it."""
    assert first_failure(answered(SOURCE, TASKS.index(key[0]), answer)) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("task", TASKS)
def test_without_an_answer_its_check_fails(task, quick):
    """Who skips a task is told at its check, by the line that says whose turn it is."""
    number = TASKS.index(task)
    turn = make_labs.TURN.replace("\\1", "")

    failure = first_failure(answered(SOURCE, number, turn))

    assert failure is not None
    assert failure[0] == check_of(SOURCE, number)
    assert isinstance(failure[1], NotImplementedError)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_with_every_answer_no_check_fails(quick):
    """As the source stands, marks and all, and as instructors get it."""
    assert first_failure(SOURCE) is None
    assert first_failure(make_labs.solved(SOURCE)) is None


def test_tasks_are_known():
    """Each task begins with the function it asks for; each has a check, and wrong answers."""
    holders = [cell.source for cell in code_cells(SOURCE) if "BEGIN SOLUTION" in cell.source]

    assert [text.split("(")[0].removeprefix("def ") for text in holders] == TASKS
    assert {key[0] for key in WRONG} == set(TASKS)
    assert SOURCE.count("**Your turn.**") == len(TASKS) == SOURCE.count("BEGIN SOLUTION")


def test_imports_come_first_and_are_public():
    """What a reader would copy: one cell of imports, nothing from inside the package."""
    first, *rest = code_cells(SOURCE)

    assert "import deepdream" in first.source
    for cell in rest:
        for line in cell.source.splitlines():
            assert not line.lstrip().startswith(("import ", "from ")), line
    assert "noqa" not in SOURCE
    assert "from deepdream." not in SOURCE
