"""What a real Jupyter kernel does with previews, pictures, tables and drawings."""

from __future__ import annotations

import base64
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from tiny import write_tiny

from deepdream.images import save_image

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_a_notebook_runs_from_its_first_cell_to_its_last(tmp_path, monkeypatch):
    """A preview while it dreams, nothing of it afterwards; pictures side by side; a table, an SVG.

    The third cell is interrupted: it goes on with the picture so far.
    """
    pytest.importorskip("ipykernel", reason="needs ipykernel (Python 3.11 and later)")
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    prototxt, caffemodel = write_tiny(tmp_path)
    save_image(np.random.RandomState(1).uniform(0, 255, (53, 71, 3)), tmp_path / "sky.png")
    cells = [
        "import deepdream\n"
        f"net = deepdream.load_net({str(prototxt)!r}, {str(caffemodel)!r}, mean=(104, 117, 123))\n"
        "img = deepdream.load_image('sky.png')",
        "out = deepdream.dream(net, img, 'a/output', octave_n=2)",
        "long = deepdream.dream(net, img, 'a/output', iter_n=10**7)",
        "print(long.recipe['stopped'], long.shape, abs(long - img).mean() > 1)",
        "deepdream.show(img, out, titles=['before', 'after'])",
        "net",
        "deepdream.draw(net, 'a/output')",
        "for _ in range(3):\n"
        "    img = deepdream.dream(net, img, 'a/output', iter_n=1, octave_n=1)\nprint('done')",
        "deepdream.dream(net, img, 'a/outptu')",
        "def mine(dst):\n    dst.data[0, 99]\n"
        "deepdream.dream(net, img, 'a/output', objective=mine)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    updates: list[tuple[int, dict[str, str]]] = []

    class Client(nbclient.NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] in ("display_data", "update_display_data"):
                updates.append((cell_index, msg["content"]["data"]))
                if cell_index == 2 and sum(index == 2 for index, _ in updates) == 2:
                    os.kill(self.km.provisioner.pid, signal.SIGINT)
            return super().process_message(msg, cell, cell_index)

    where = {"metadata": {"path": str(tmp_path)}}
    Client(notebook, timeout=120, resources=where, allow_errors=True).execute()

    outputs = [cell.outputs for cell in notebook.cells]
    # On a new machine the first preview says that kernels are compiled.
    previews = [data["text/html"] for index, data in updates if index == 1]
    assert any("data:image/jpeg" in html for html in previews)
    assert [output.data["text/html"] for output in outputs[1]] == [""]
    assert "Stopped at octave" in outputs[2][0].data["text/html"]
    assert outputs[3][0].text == "True (53, 71, 3) True\n"
    assert outputs[4][0].data["text/html"].count("<figure") == 2
    assert "<table" in outputs[5][0].data["text/html"]
    drawn = outputs[6][0].data["text/html"]
    assert drawn.startswith("<img")
    assert base64.b64decode(drawn.partition("base64,")[2].partition('"')[0]).startswith(b"<svg")
    assert [output.output_type for cell in outputs[5:7] for output in cell] == [
        "execute_result"
    ] * 2
    # Dreams in a loop have one output together: JupyterLab hides those behind the 50th.
    assert [output.get("text") for output in outputs[7]] == [None, "done\n"]
    # Of an error with advice the caller's line and the advice; of the user's own all frames.
    (advice,), (own,) = outputs[8], outputs[9]
    assert advice.ename == "UnknownBlobError"
    told = "\n".join(advice.traceback)
    assert "a/outptu" in told
    assert "Did you mean 'a/output'" in told
    assert "dream.py" not in told
    assert len(told.splitlines()) < 12
    assert "dst.data[0, 99]" in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(own.traceback))
