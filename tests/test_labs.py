"""The labs: their checks pass with the solutions, and fail without them and with wrong ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deepdream

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")

from notebook_cells import (  # noqa: E402
    answered,
    check_of,
    first_failure,
    is_check,
    make_labs,
    other_answers,
)

ROOT = Path(__file__).resolve().parents[1]
LABS = sorted((ROOT / "docs" / "labs").glob("lab*.py"))
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


def run(source: str):
    """Execute a lab to its end, whatever fails on the way; return its code cells."""
    notebook = jupytext.reads(source, fmt="py:percent")
    client = nbclient.NotebookClient(
        notebook, timeout=200, allow_errors=True, resources={"metadata": {"path": LABS[0].parent}}
    )
    client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def failed(cell) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_checks_pass_with_solutions_only(path):
    """Of the solved lab no cell fails; of the stripped one, the check of each task does."""
    source = path.read_text(encoding="utf-8")
    cells = run(make_labs.solved(source))
    assert [cell.source for cell in cells if failed(cell)] == []
    assert sum(is_check(cell) for cell in cells) == source.count("BEGIN SOLUTION") >= 4

    stripped = run(make_labs.stripped(source))
    for cell in stripped:
        # Nothing but checks fails, and what shows pictures made with the answers.
        assert failed(cell) == (is_check(cell) or "deepdream.show(" in cell.source), cell.source


# Answers that readers try, by lab and task: what is wrong with one, and either all of it, or what
# to replace in the solution, and by what.
BOX = "(w * scale / 2, h * scale / 2, w * (1 - scale / 2), h * (1 - scale / 2))"
ROLLED, BACK = "np.roll(x, (oy, ox), (-2, -1))", "np.roll(g, (-oy, -ox), (-2, -1))"
CARRIED, CUBED = "carry(bases[i - 1], now, bases[i])", "dst.data**3"
NORMED = "y = y / np.linalg.norm(y, axis=0)\n"
WRONG = {
    ("lab1", 1): {
        "blue instead of red": ("x[2]", "x[0]"),
        "not cut": ("np.clip(x, -mean, 255 - mean)", "x"),
        "cut at 0 and 255": ("-mean, 255 - mean", "0, 255"),
        "mean before the flip": ("-mean, 255 - mean", "-mean[::-1], 255 - mean[::-1]"),
        "the picture itself": ("x = x.copy()\n", ""),
        "channels last": ("x[2]", "x[..., 2]"),
        "transposed": ("255 - mean)", "255 - mean).transpose(0, 2, 1)"),
    },
    ("lab1", 2): {
        "picture never written": ("src.data[0] = x\n", ""),
        "size kept": ("src.reshape(1, *x.shape)\n", ""),
        "mean": ("np.sum", "np.mean"),
        "no quarter": ("0.25 * ", ""),
        "squares": ("0.25 * np.sum(np.float64(dst.data) ** 4)", "0.5 * np.sum(dst.data**2)"),
    },
    ("lab1", 3): {
        "ones": (CUBED, "1"),
        "that of 2015": (CUBED, "dst.data"),
        "times four": (CUBED, "4 * dst.data**3"),
        "a view": (".copy()", ""),
        "from the net's end": ("start=END", ""),
        "not backward": ("net.backward(start=END)\n", ""),
        "nothing written": (f"dst.diff[...] = {CUBED}\n", ""),
    },
    ("lab1", 4): {
        "one side": "return (f(x + h * d) - f(x)) / h",
        "not halved": ("(2 * h)", "h"),
        "turned round": "return (f(x - h * d) - f(x + h * d)) / (2 * h)",
    },
    ("lab2", 1): {
        "axes swapped": ("(oy, ox)", "(ox, oy)", "(-oy, -ox)", "(-ox, -oy)"),
        "drawn in the other order": ("ox, oy = ", "oy, ox = "),
        "not rolled": (ROLLED, "x", BACK, "g"),
        "not rolled back": (BACK, "g"),
        "the sum": ("total / n", "total"),
        "one look": ("range(n)", "range(1)"),
    },
    ("lab2", 2): {
        "largest first": ("found[::-1]", "found"),
        "each from the full picture": "return [(round(h / octave_scale**i), "
        "round(w / octave_scale**i)) for i in range(octave_n)][::-1]",
        "cut, not rounded": ("round(h / ", "int(h / ", "round(w / ", "int(w / "),
        "width first": ("[(h, w)]", "[(w, h)]", "append((h, w))", "append((w, h))"),
        "third wrong": "return [(round(h / 2), round(w / 2)), (h, w)][-octave_n:]",
    },
    ("lab2", 3): {
        "zeros": "return np.zeros_like(larger)",
        "nothing carried": "return larger",
        "nearest": ("order=1", "order=0"),
        "cubic": ("order=1", "order=3"),
        "the picture enlarged": ("larger + nd.zoom(detail", "nd.zoom(dreamt"),
        "the picture added": ("nd.zoom(detail", "nd.zoom(dreamt"),
    },
    ("lab2", 4): {
        "the picture enlarged": (CARRIED, "shrink(now, bases[i].shape[1:])"),
        "no detail": (CARRIED, "bases[i]"),
        "layers turned round": ("enumerate(ends)", "enumerate(ends[::-1])"),
        "one layer": ("step(now, end)", "step(now, END)"),
        "largest first": ("bases = bases[::-1]\n", ""),
        "one step more": ("range(iter_n)", "range(iter_n + 1)"),
        "each from the full picture": ("bases[-1], size", "x, size"),
    },
    ("lab3", 1): {
        "others not zero": ("dst.diff[...] = 0\n", ""),
        "ones": ("dst.data[:, 13]", "1"),
        "a row": "dst.diff[...] = 0\ndst.diff[0, :, 3] = dst.data[0, :, 3]",
    },
    ("lab3", 2): {
        "without a sign": ("dst.data.max(", "np.abs(dst.data).max(", "(dst.data ==",
                           "(np.abs(dst.data) =="),
        "of the whole blob": ("dst.data.max(1, keepdims=True)", "dst.data.max()"),
        "one channel for all": "c = dst.data.sum((0, 2, 3)).argmax()\n"
        "dst.diff[...] = 0\ndst.diff[:, c] = dst.data[:, c]",
        "ones": ("np.where(dst.data == top, dst.data, 0)", "dst.data == top"),
    },
    ("lab3", 3): {
        "the notebook's": (NORMED, "", "best * np.linalg.norm(x, axis=0)", "best"),
        "dot product, then scaled": (NORMED, "", "(best * ",
                                     "(best / np.linalg.norm(best, axis=0) * "),
        "of length one": ("best * np.linalg.norm(x, axis=0)", "best"),
        "the least alike": ("argmax", "argmin"),
        "the picture's own": "dst.diff[...] = dst.data",
    },
    ("lab3", 4): {
        "no parameters": ("**how", "end=END, progress=False"),
        "no objective": ("objective=objective, ", ""),
        "always the same": ("objective=objective", "objective=channel_13"),
    },
    ("lab4", 1): {
        "the size": ("side // ", ""),
        "not run": ("net.forward(end=end)\n", ""),
    },
    ("lab4", 2): {
        "channel 0 only": ("[0, :, h", "[0, 0, h"),
        "middle channel only": ("[0, :, h", "[0, len(dst.data[0]) // 2, h"),
        "not zeroed": ("dst.diff[...] = 0\n", ""),
        "all of the blob": ("dst.diff[0, :, h // 2, w // 2] = 1", "dst.diff[...] = 1"),
    },
    ("lab4", 3): {
        "only the width cut": (BOX, "(w * scale / 2, 0, w * (1 - scale / 2), h)"),
        "only the height cut": (BOX, "(0, h * scale / 2, w, h * (1 - scale / 2))"),
        "from the corner": (BOX, "(0, 0, w * (1 - scale), h * (1 - scale))"),
        "twice as much": (BOX, "(w * scale, h * scale, w * (1 - scale), h * (1 - scale))"),
        "not enlarged": ("resize((w, h), Image.Resampling.BILINEAR, box=box)", "crop(box)"),
    },
    ("lab4", 4): {
        "never closer": ("img = closer(np.asarray(img))\n", ""),
        "not of the last dream": ("img = deepdream", "dreamt = deepdream", "append(img)",
                                  "append(dreamt)"),
        "parameters left out": ("**how)", "end='block10/output', seed=0, progress=False)"),
        "one too few": ("range(frames)", "range(frames - 1)"),
    },
    ("lab5", 1): {
        "others not zero": ("dst.diff[...] = 0\n", ""),
        "the sum": ("1 / places", "1"),
        "squares": ("1 / places", "dst.data[0, c] / places"),
        "one shape only": ("dst.data[0, c].size", "dst.data.shape[2] * dst.data.shape[3]"),
    },
    ("lab5", 2): {
        "a view": (".copy()", ""),
        "from the net's end": ("start=end", ""),
        "nothing written": ("write(dst)\n", ""),
        "not backward": ("net.backward(start=end)\n", ""),
    },
    ("lab5", 3): {
        "as they are": ("weight / strength(g)", "weight"),
        "the sum of values": ("strength(g)", "np.abs(g.sum())"),
        "without weights": ("weight / strength(g)", "1 / strength(g)"),
        "the last one only": ("total = total + ", "total = "),
    },
    ("lab5", 4): {
        "not added": ("shallow.diff[...] += ", "shallow.diff[...] = "),
        "factors turned round": ("factors[1]", "factors[2]", "factors[0]", "factors[1]",
                                 "factors[2]", "factors[0]"),
        "too early": ("net.backward(start=DEEP, end=behind)\nshallow.diff[...] += "
                      "factors[0] * shallow.data\n", "shallow.diff[...] += factors[0] * "
                      "shallow.data\nnet.backward(start=DEEP, end=behind)\n"),
        "not weighted": ("deep.diff[...] *= factors[1]\n", ""),
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(("key", "answer"), other_answers(WRONG))
def test_wrong_answers_fail(key, answer, monkeypatch):
    """Of a lab with one wrong answer, the check of this task is the first cell to fail."""
    lab, task = key
    path = next(path for path in LABS if path.stem.startswith(lab))
    source = path.read_text(encoding="utf-8")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(deepdream, "show", lambda *imgs, titles=None: None)

    failure = first_failure(answered(source, task - 1, answer))

    assert failure is not None, "the check passes"
    assert failure[0] == check_of(source, task - 1), failure[1]


# Right ones that round otherwise than the solution.
RIGHT = {
    ("lab2", 1): {"in float64": ("np.zeros_like(x)", "np.zeros(x.shape)")},
    ("lab2", 3): {
        "in float64": ("dreamt - base", "np.float64(dreamt) - base"),
        "added in another order": "factors = np.divide(larger.shape, base.shape)\n"
        "return nd.zoom(dreamt, factors, order=1) + (larger - nd.zoom(base, factors, order=1))",
    },
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("key", "answer"), other_answers(RIGHT))
def test_right_answers_in_other_words_pass(key, answer, monkeypatch):
    """No check refuses a right answer for its last bits, nor one that builds on it."""
    lab, task = key
    path = next(path for path in LABS if path.stem.startswith(lab))
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(deepdream, "show", lambda *imgs, titles=None: None)

    assert first_failure(answered(path.read_text(encoding="utf-8"), task - 1, answer)) is None


def test_every_task_has_wrong_answers():
    """At least two, of those that readers are most likely to try."""
    for path in LABS:
        for number in range(path.read_text(encoding="utf-8").count("BEGIN SOLUTION")):
            assert len(WRONG[path.stem[:4], number + 1]) >= 2, path.stem


@pytest.mark.parametrize("path", [*LABS, make_labs.WALKTHROUGH], ids=lambda path: path.stem)
def test_nothing_of_a_solution_is_left(path):
    """Students get a line that says it is their turn, at the right depth, and no answers."""
    source = path.read_text(encoding="utf-8")
    stripped = make_labs.stripped(source)

    assert stripped.count("NotImplementedError") == source.count("BEGIN SOLUTION") >= 4
    for made in (stripped, make_labs.solved(source)):
        assert "BEGIN" not in made
        assert "END S" not in made
        assert "END A" not in made
    assert "*Answer.*" not in stripped
    compile(stripped, path.name, "exec")
    assert len(stripped) < len(make_labs.solved(source))


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_every_question_has_an_answer(path):
    """Instructors find one below each question at the end."""
    questions = path.read_text(encoding="utf-8").split("# ## 5. Questions")[1]
    asked = sum(line.startswith("# * ") for line in questions.splitlines())

    assert questions.count("*Answer.*") == asked >= 2


@pytest.mark.parametrize("path", [*LABS, make_labs.WALKTHROUGH], ids=lambda path: path.stem)
def test_code_fits_its_box_on_the_site(path):
    """Its boxes hold 84 characters; longer lines would be cut at the usual width of a window."""
    long = [line for line in path.read_text(encoding="utf-8").splitlines()
            if len(line) > 84 and not line.startswith("#")]  # fmt: skip
    assert long == []


@pytest.mark.parametrize(
    "source",
    ["# BEGIN SOLUTION\nx = 1\n", "# END SOLUTION\n", "# BEGIN ANSWER\n# *Answer.* 3\n"],
)
def test_a_mark_without_a_partner(source):
    """A solution would go to the students."""
    with pytest.raises(ValueError, match="pairs"):
        make_labs.stripped(source)


def texts(path: Path) -> str:
    return "\n".join(
        "".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    )


def test_notebooks_of_both_kinds(tmp_path):
    """The walkthrough and five labs for students and instructors, with the pictures they load."""
    written = make_labs.write(tmp_path)

    assert len(written) == 2 * (len(LABS) + 1) == 12
    for kind in ("student", "instructor"):
        for picture in ("clouds.jpg", "flowers.jpg"):
            assert (tmp_path / kind / "examples" / picture).is_file()
        for path in (tmp_path / kind / "docs").rglob("*.ipynb"):
            assert ("your turn: replace" in texts(path)) == (kind == "student")
            assert ".md)" not in texts(path)  # pages that are not there
        walkthrough = texts(tmp_path / kind / "docs" / "walkthrough.ipynb")
        for drawing in (ROOT / "docs" / "drawings").iterdir():
            assert f"(drawings/{drawing.name})" in walkthrough
            assert (tmp_path / kind / "docs" / "drawings" / drawing.name).is_file()


def test_the_last_line_opens_the_walkthrough(tmp_path, monkeypatch, capsys):
    """From the folder of the project, in which `make labs` runs, with what its `.venv` brings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setattr(sys, "argv", ["make_labs.py", "-o", str(tmp_path / "build" / "labs")])
    assert make_labs.main() == 0

    *_, last = capsys.readouterr().out.splitlines()
    notebook = Path("build/labs/student/docs/walkthrough.ipynb")
    jupyter = Path(".venv/bin/jupyter")
    assert last == f"Open them: {jupyter} lab {notebook}"
    assert notebook.is_file()
    assert "labs: $(LABS)" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A room as scripts/make_labs.py fills it, with pip's calls recorded instead of made."""
    calls = []

    def call(command, check=False):
        calls.append(command)
        wheels = Path(command[command.index("-w" if "wheel" in command else "-d") + 1])
        (wheels / "deepdream_caffe-0.0-py3-none-any.whl").write_bytes(b"")

    monkeypatch.setattr(make_labs.subprocess, "run", call)
    make_labs.room(tmp_path / "room")
    monkeypatch.undo()
    return tmp_path / "room", calls


def test_a_room_holds_nothing_for_instructors(room):
    """Every student has the folder: the student's notebooks, wheels, and the script."""
    folder, calls = room

    names = {path.name for path in folder.iterdir()}
    script = "install.bat" if sys.platform == "win32" else "install.sh"
    assert names == {"student", "wheels", script}
    for path in folder.rglob("*.ipynb"):
        assert "*Answer.*" not in texts(path)
        assert "your turn: replace" in texts(path)
    assert [command[3] for command in calls] == ["wheel", "download"]
    assert calls[1][-1] == "jupyterlab"
    assert calls[1][-2].endswith(".whl[cluster]")
    assert all(command[:3] == [sys.executable, "-m", "pip"] for command in calls)


def test_the_script_for_windows():
    """It asks for the same version, and ends its lines as Windows does."""
    name, text = make_labs.installer("win32")

    assert name == "install.bat"
    assert "py -{}.{} -m venv environment".format(*sys.version_info[:2]).encode() in text
    assert text.count(b"\r\n") == text.count(b"\n") > 8
    assert b"%bin%\\deepdream dream student\\examples\\clouds.jpg" in text


@pytest.mark.skipif(sys.platform == "win32", reason="install.bat there")
def test_install_asks_for_the_builder_s_python_first(room, tmp_path):
    """With another version it says so, and makes nothing; shellcheck has no objection."""
    script = room[0] / "install.sh"
    if SHELLCHECK.is_file():
        subprocess.run([str(SHELLCHECK), str(script)], check=True)
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\necho 3.4\n")
    other.chmod(0o755)
    run = {"cwd": tmp_path, "capture_output": True, "text": True}

    done = subprocess.run([script], env={**os.environ, "PYTHON": str(other)}, **run)
    assert done.returncode == 1
    assert "for Python {}.{}".format(*sys.version_info[:2]) in done.stderr
    assert "is 3.4" in done.stderr
    done = subprocess.run([script], env={**os.environ, "PYTHON": "/no/such/python"}, **run)
    assert done.returncode == 1
    assert "PYTHON=" in done.stderr
    assert not (room[0] / "environment").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="install.bat there")
def test_install_installs_from_the_folder_and_dreams(room, tmp_path):
    """Each step once, in the script's own folder, from wherever it is called."""
    folder = room[0]
    log = tmp_path / "log"
    python = tmp_path / "python3"
    version = "{}.{}".format(*sys.version_info[:2])
    python.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = -c ] && {{ echo {version}; exit; }}\n'
        "mkdir -p environment/bin\n"
        "for name in pip deepdream; do\n"
        f'  echo \'echo "$(basename "$0") $*" >> "{log}"\' > environment/bin/$name\n'
        "  chmod +x environment/bin/$name\ndone\n"
    )
    python.chmod(0o755)

    done = subprocess.run(
        [folder / "install.sh"], env={**os.environ, "PYTHON": str(python)}, cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert log.read_text().splitlines() == [
        "pip install --no-index --find-links wheels deepdream-caffe[cluster] jupyterlab",
        "deepdream dream student/examples/clouds.jpg -o first_dream.png",
    ]
    assert (folder / "student" / "examples" / "clouds.jpg").is_file()
    assert "jupyter lab student/docs" in done.stdout
    shutil.rmtree(folder / "environment")
