"""The walkthrough runs from its first cell to its last, and its checks know right from wrong."""

from __future__ import annotations

import re
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
            assert part.count("Right.") >= cell.source.count("check("), cell.source
    assert "".join(text).count("Right.") >= 17
    shown = [part.partition("<pictures:")[2] for part in text if "<pictures:" in part]
    assert len(shown) == 7
    for sizes in shown:  # large enough to be seen
        assert all(int(w) >= 384 for w in re.findall(r"(\d+)x\d+", sizes)), sizes
    assert "of data, without it: 0.0000" in "".join(text)
    assert "of stem/conv, without it: 0.0000" in "".join(text)


@pytest.fixture
def quick(monkeypatch):
    """The walkthrough's folder, a small picture, and dreams that are over at once."""
    load = deepdream.load_image
    monkeypatch.chdir(DOCS)
    monkeypatch.setattr(deepdream, "load_image", lambda path: load(path)[::4, ::4])
    monkeypatch.setattr(deepdream, "show", lambda *imgs, titles=None: None)
    monkeypatch.setattr(deepdream, "dream", lambda net, img, **how: np.asarray(img))
    monkeypatch.setattr(deepdream, "zoom", lambda net, img, **how: [img] * how["frames"])


TASKS = [
    "to_net", "to_picture", "gradient", "step", "jittered_step", "octaves_of", "enlarged",
    "my_dream", "objective",
]  # fmt: skip
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
    ("octaves_of",): {
        "each from the full picture": ("octaves[-1], factors",
                                       "octaves[0], np.power(factors, _ + 1)"),
        "one octave less": ("octave_n - 1", "octave_n - 2"),
        "largest first": ("octaves[::-1]", "octaves"),
        "channels shrunk": ("(1, 1 / octave", "(1 / octave_scale, 1 / octave"),
        "nearest": ("order=1", "order=0"),
        "cubic": ("order=1", "order=3"),
        "always 1.4": ("1 / octave_scale", "1 / 1.4"),
    },
    ("enlarged",): {
        "nearest": ("order=1", "order=0"),
        "cubic": ("order=1", "order=3"),
        "the base": "return base",
        "one factor for both": ("w / w1", "h / h1"),
        "swapped": ("h / h1, w / w1", "w / w1, h / h1"),
        "as it is": "return detail",
        "shrunk": ("h / h1, w / w1", "h1 / h, w1 / w"),
    },
    ("my_dream",): {
        "no detail": ("base + enlarged(detail, base)", "base"),
        "the picture enlarged": ("base + enlarged", "enlarged", "detail = x - base", "detail = x"),
        "a little of the picture": ("detail = x - base", "detail = x - 0.99 * base"),
        "one step more": ("range(iter_n)", "range(iter_n + 1)"),
        "one octave only": ("range(iter_n)", "range(iter_n * (base is octaves[-1]))"),
        "steps without jitter": ("jittered_step(", "step("),
        "turned round": ("x - base", "base - x"),
    },
    ("objective",): {
        "cosine": ("x.T @ y", "x.T @ (y / np.linalg.norm(y, axis=0))"),
        "the least alike": ("argmax", "argmin"),
        "over the wrong axis": "x = dst.data[0].reshape(len(features), -1)\n"
        "y = features.reshape(len(features), -1)\nbest = (y.T @ x).argmax(0)\n"
        "dst.diff[0] = x[:, best % x.shape[1]].reshape(dst.data.shape[1:])",
        "that of 2015": "dst.diff[...] = dst.data",
        "added": ("dst.diff[0] = ", "dst.diff[0] += "),
        "not written": ("dst.diff[0] = y", "grown = y"),
        "the picture's own": "dst.diff[...] = dst.data[:, ::-1]",
    },
}  # fmt: skip
# What their checks say: the usual slips by their names.
SAID = {
    ("to_net", "RGB"): "turn the channels round",
    ("to_net", "mean before the flip"): "after turning the channels",
    ("to_net", "no mean"): "the mean is not taken away",
    ("to_net", "the bundled network's mean"): "the mean that is handed in",
    ("to_net", "columns first"): "rows and columns are swapped",
    ("to_picture", "mean after the flip"): "before turning",
    ("to_picture", "BGR"): "still BGR",
    ("to_picture", "channels first"): "the channels come last",
    ("to_picture", "no mean"): "the mean is not added",
    ("gradient", "ones"): "ones",
    ("gradient", "twice"): "twice",
    ("gradient", "nothing written"): "nothing was written into dst.diff",
    ("gradient", "a view"): "Copy it",
    ("gradient", "no backward"): "diff was not written",
    ("gradient", "the target's diff"): "the picture's diff",
    ("step", "not cut"): "not clipped",
    ("step", "cut at 0 and 255"): "clipped to 0..255",
    ("step", "not scaled"): "divide the gradient by its mean",
    ("step", "by the deviation"): "divided by the deviation",
    ("step", "by the largest"): "divided by the largest value",
    ("step", "downhill"): "downhill",
    ("step", "one size"): "use step_size",
    ("jittered_step", "axes swapped"): "the two are swapped",
    ("jittered_step", "drawn in the other order"): "the two are swapped",
    ("jittered_step", "not rolled back"): "roll it back",
    ("jittered_step", "not rolled"): "not been rolled",
    ("jittered_step", "one less"): "both included",
    ("octaves_of", "each from the full picture"): "the next larger one|a size is",
    ("octaves_of", "one octave less"): "2 pictures, where octave_n is 3",
    ("octaves_of", "largest first"): "the smallest comes first",
    ("octaves_of", "nearest"): "order=1, not 0",
    ("octaves_of", "cubic"): "order=1, not 3",
    ("enlarged", "nearest"): "stairs",
    ("enlarged", "cubic"): "order=1, not 3",
    ("enlarged", "the base"): "not the base",
    ("enlarged", "swapped"): "swapped",
    ("my_dream", "no detail"): "nothing is carried over",
    ("my_dream", "one step more"): "iter_n=2 steps at each",
    ("my_dream", "one octave only"): "iter_n=2 steps at each",
    ("my_dream", "steps without jitter"): "use jittered_step",
    ("objective", "that of 2015"): "the guide is not used",
    ("objective", "the least alike"): "the least alike",
    ("objective", "added"): "write with =",
    ("objective", "not written"): "nothing was written",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(("key", "answer"), other_answers(WRONG))
def test_wrong_answers_fail(key, answer, quick):
    """With one wrong answer, the check right after it is the first cell to fail."""
    number = TASKS.index(key[0])

    failure = first_failure(answered(SOURCE, number, answer))

    assert failure is not None, "the check passes"
    assert failure[0] == check_of(SOURCE, number), failure[1]
    name = next(name for name, other in WRONG[key].items() if other is answer)
    assert re.search(SAID.get((key[0], name), ""), str(failure[1])), failure[1]


# Right ones that round otherwise than the solution.
RIGHT = {
    ("step",): {
        "in float64": (SCALED, "np.abs(np.float64(g)).mean()"),
        "scaled first": (f"step_size / {SCALED} * g", f"step_size * (g / {SCALED})"),
    },
    ("octaves_of",): {
        "from the small end": "found = [x]\nwhile len(found) < octave_n:\n"
        "    found.insert(0, nd.zoom(found[0], (1, 1 / octave_scale, 1 / octave_scale), order=1))\n"
        "return found",
    },
    ("enlarged",): {
        "by shapes": "return nd.zoom(detail, np.divide(base.shape, detail.shape), order=1)"
    },
    ("my_dream",): {"in float64": ("x = base +", "x = np.float64(base) +")},
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
    assert SOURCE.count("**Your turn") == len(TASKS) == SOURCE.count("BEGIN SOLUTION")


def test_imports_come_first_and_are_public():
    """What a reader would copy: one cell of imports, nothing from inside the package."""
    first, *rest = code_cells(SOURCE)

    assert "import deepdream" in first.source
    for cell in rest:
        for line in cell.source.splitlines():
            assert not line.lstrip().startswith(("import ", "from ")), line
    assert "noqa" not in SOURCE
    assert "from deepdream." not in SOURCE
