"""Progress and pictures: where they are shown, where nothing is, and what a preview costs."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FakeNet
from PIL import Image
from tiny import write_tiny

import deepdream
from deepdream import display, preview
from deepdream.display import display_for, show
from deepdream.dreaming.dream import dream
from deepdream.dreaming.frames import zoom
from deepdream.errors import EngineError, ParameterError
from deepdream.images import save_image
from deepdream.preview import Preview, clock
from deepdream.progress import Bar, describe

ROOT = Path(__file__).resolve().parents[1]


def noise(h, w, seed=1):
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


class Screen:
    """Stands in for IPython.display.display: keeps what was shown, newest last."""

    def __init__(self):
        self.shown = []

    def __call__(self, bundle, *, raw, display_id=None):
        assert raw
        self.shown.append(bundle)
        return SimpleNamespace(update=lambda bundle, raw: self.shown.append(bundle))


@pytest.fixture
def notebook(monkeypatch):
    """A notebook: a shell with a kernel, and a screen."""
    screen = Screen()
    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=screen))
    return screen


def pictures_in(html):
    """Return the pictures that a page holds as data URLs."""
    found = re.findall(r'src="data:image/(?:png|jpeg);base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


QUICK = {"end": "top", "iter_n": 3, "octave_n": 2, "seed": 5}


# -- where ----------------------------------------------------------------------------------------


def test_nothing_is_shown_in_tests_and_pipes(capfd):
    """Neither a bar nor a preview, unless it is asked for."""
    dream(FakeNet(), noise(31, 43), **QUICK)
    assert capfd.readouterr() == ("", "")
    assert display_for(None, None, (31, 43)) is None

    slowly = {"on_step": lambda step: time.sleep(0.06)}  # a bar is drawn ten times a second
    dream(FakeNet(), noise(31, 43), progress=True, **slowly, **QUICK)
    assert "octave 1/2 (31x22)" in capfd.readouterr().err


def test_a_terminal_gets_a_bar_unless_somebody_watches(monkeypatch):
    """Standard error decides; on_step shows things itself; True and False are obeyed."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    shown = display_for(None, None, (31, 43))
    assert isinstance(shown, Bar)
    shown.close()
    assert display_for(None, print, (31, 43)) is None
    assert display_for(False, None, (31, 43)) is None

    monkeypatch.setattr(sys, "stderr", None)  # pythonw.exe
    assert display_for(None, None, (31, 43)) is None


def test_an_ipython_shell_without_a_kernel_is_no_notebook(notebook, monkeypatch):
    """IPython on a terminal cannot draw."""
    assert display.in_notebook()
    shell = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))

    assert not display.in_notebook()
    with pytest.raises(EngineError, match="save_image"):
        show(noise(31, 43))


def test_dreaming_does_not_load_ipython():
    """Only what a notebook has loaded is used."""
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "import numpy as np, deepdream; from fakes import FakeNet\n"
        "deepdream.dream(FakeNet(), np.zeros((31, 43, 3)) + 9, end='top', iter_n=1)\n"
        "assert not {'IPython', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_bar_runs_on_a_terminal(tmp_path):
    """Both the library and the command line draw it there, with the octave and the time left."""
    prototxt, caffemodel = write_tiny(tmp_path)
    sky = tmp_path / "sky.png"
    save_image(noise(53, 71), sky)
    keywords = {"end": "a/output", "iter_n": 900, "octave_n": 2}
    code = (
        "import deepdream\n"
        f"net = deepdream.load_net({str(prototxt)!r}, {str(caffemodel)!r}, mean=(1, 2, 3))\n"
        f"deepdream.dream(net, deepdream.load_image({str(sky)!r}), **{keywords!r})"
    )
    command = ["dream", str(sky), "-o", str(tmp_path / "out.png"), "--model", str(prototxt),
               "--weights", str(caffemodel), "--mean", "1,2,3", "--end", "a/output", "--iter-n",
               "900", "--octave-n", "2"]  # fmt: skip
    for arguments in (["-c", code], ["-m", "deepdream", *command]):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stderr=theirs, stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        os.close(theirs)
        told = read_all(ours)

        assert process.wait(60) == 0, told
        time_left = r"\d\d:\d\d(, \d\d:\d\d left)?"
        octave = r"octave [12]/2 \((51x38|71x53)\), step \d+/900"
        assert re.search(rf" \d+% \|.*\| {time_left}  {octave}", told)


@pytest.mark.parametrize("columns", [80, 40])
def test_a_narrow_terminal_cuts_the_words_not_the_time(columns):
    """Share and time stand first; the time left only once it is more than a guess."""
    code = (
        "import time\n"
        "from types import SimpleNamespace as Step\n"
        "from deepdream import progress\n"
        "progress.time = Step(monotonic=lambda: 0)\n"  # no time passes, however slow this is
        "with progress.Bar(82) as bar:\n"
        "    for at in range(2):\n"
        "        bar.frame(30 * at)\n"
        "        time.sleep(0.3)\n"
        "        bar.step(Step(octave=1, octave_n=4, step=2, iter_n=10, size=(1171, 1229),\n"
        "                      done=0.5, what='inception_4c/output'))\n"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=theirs)
    os.close(theirs)
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", read_all(ours)) if line.strip()]

    assert process.wait(60) == 0, lines
    assert all(len(line) <= columns for line in lines)
    assert not any("left" in line for line in lines[:-1])
    last = r" 37% (\|.*\| )?\d\d:\d\d, \d\d:\d\d left  inception_4"
    assert re.match(last, lines[-1])
    assert ("|" in lines[-1]) == (columns == 80)


def read_all(terminal):
    """Return what is written to a terminal until nobody has it open; then Linux raises."""
    told = b""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 1 << 12):
            told += part
    os.close(terminal)
    return told.decode()


# -- the preview ----------------------------------------------------------------------------------


def test_a_notebook_gets_a_preview_that_goes_away(notebook, capfd):
    """Picture, bar and words while it runs; at the end nothing, and nothing else was printed."""
    img = noise(310, 430)
    out = dream(FakeNet(), img, **QUICK)

    first, last = notebook.shown[0], notebook.shown[-1]
    (picture,) = pictures_in(first["text/html"])
    assert picture.format == "JPEG"
    assert picture.size == (307, 221)  # the first octave's
    assert 'width="430" height="310"' in first["text/html"]  # the shape of the whole
    assert "octave 1/2 (307x221), step 1/3" in first["text/html"]
    assert "Interrupt the kernel" in first["text/html"]
    assert "<script" not in first["text/html"]
    assert last == {"text/html": "", "text/plain": ""}
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(out, dream(FakeNet(), img, progress=False, **QUICK))


def test_a_preview_is_small_and_shows_the_picture(notebook):
    """A large picture is sampled; the preview has its colours, in the right order."""
    img = np.zeros((1100, 1900, 3), np.float32) + [200, 120, 30]
    img[:, :950] = [20, 60, 220]
    dream(FakeNet(), img, end="top", iter_n=1, octave_n=1, step_size=0.01)

    (picture,) = pictures_in(notebook.shown[0]["text/html"])
    assert picture.size == (480, 278)
    assert np.abs(np.asarray(picture)[:, 300:].mean((0, 1)) - [200, 120, 30]).max() < 3
    assert np.abs(np.asarray(picture)[:, :200].mean((0, 1)) - [20, 60, 220]).max() < 3
    assert len(notebook.shown[0]["text/html"]) < 60_000


def test_previews_are_few(notebook, monkeypatch):
    """At most two a second, and no more than 2 % of the time where drawing is slow."""
    now, drawing = [100.0], [0.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    real = Preview._page

    def slow(self, *arguments):
        now[0] += drawing[0]
        return real(self, *arguments)

    monkeypatch.setattr(Preview, "_page", slow)
    for drawing[0], most in ((0.001, 21), (0.05, 5)):
        notebook.shown.clear()
        with Preview((31, 43)) as shown:
            for i in range(1000):  # ten seconds of steps
                now[0] += 0.01
                shown.step(a_step(i, 1000))
        assert most - 2 <= len(notebook.shown) - 1 <= most


def a_step(i, iter_n):
    return SimpleNamespace(
        octave=0, octave_n=1, step=i, iter_n=iter_n, size=(31, 43), done=(i + 1) / iter_n,
        sample=lambda every: noise(31, 43)[::every, ::every],
    )  # fmt: skip


def test_the_time_left_follows_from_the_steps(notebook, monkeypatch):
    """Half of the work in ten seconds leaves ten; what came before the first step is not counted.

    The first preview cannot know.
    """
    now = [0.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    with Preview((31, 43)) as shown:
        for i in range(11):
            now[0] = 500 + i
            shown.step(a_step(i, 21))

    pages = [bundle["text/html"] for bundle in notebook.shown[:-1]]
    assert "left" not in pages[0]
    assert "step 11/21, 0:10 left" in pages[-1]
    assert [clock(7.4), clock(750), clock(3723)] == ["0:07", "12:30", "1:02:03"]


def test_an_interrupt_keeps_the_picture_and_says_so(notebook, monkeypatch):
    """The preview's place tells where the dream was stopped."""
    net = FakeNet()
    forward, calls = net.forward, []

    def interrupted(end=None):
        calls.append(end)
        if len(calls) == 5:
            raise KeyboardInterrupt
        forward(end)

    net.forward = interrupted
    out = dream(net, noise(31, 43), **QUICK)

    assert out.recipe is not None
    assert out.recipe["stopped"] is True
    assert "Stopped at octave" in notebook.shown[-1]["text/html"]
    assert "the picture so far is kept" in notebook.shown[-1]["text/html"]


def test_a_preview_goes_away_after_an_error(notebook):
    """What is to be seen then is the error."""

    def fail(step):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dream(FakeNet(), noise(31, 43), on_step=fail, progress=True, **QUICK)
    assert notebook.shown[-1] == {"text/html": "", "text/plain": ""}


def test_a_zoom_has_one_preview(notebook):
    """Frames are counted, the bar runs once; on_step goes on to be asked."""
    frames = list(zoom(FakeNet(), noise(31, 43), 3, **QUICK))
    pages = [bundle["text/plain"] for bundle in notebook.shown]
    assert len(frames) == 3
    assert pages[0].startswith("frame 1/3, octave 1/2 (31x22), step 1/3")
    assert pages[-1] == ""
    assert "keep the picture" not in notebook.shown[0]["text/html"]

    seen = []
    assert list(zoom(FakeNet(), noise(31, 43), 2, on_step=seen.append, progress=True, **QUICK))
    assert len(seen) == 12


def test_a_bar_counts_frames(tmp_path):
    """By number or by the name of the file that was written."""
    step = SimpleNamespace(octave=1, octave_n=4, step=2, iter_n=10, size=(171, 229), done=0.5)
    assert describe(step) == "octave 2/4 (229x171), step 3/10"
    with Bar(8, shown=False) as bar:
        bar.frame(tmp_path / "0003.png")
        assert bar._frame == 4
        bar.frame(5)
        assert bar._frame == 5


@pytest.mark.slow
def test_a_preview_costs_little(notebook, monkeypatch):
    """Of a dream on a picture of usual size, previews take less than 4 % of the time."""
    real, inside = Preview.step, []

    def timed(self, step):
        began = time.perf_counter()
        real(self, step)
        inside.append(time.perf_counter() - began)

    monkeypatch.setattr(Preview, "step", timed)
    began = time.perf_counter()
    dream(FakeNet(), noise(575, 1024), end="top", iter_n=60, octave_n=3, seed=1)
    whole = time.perf_counter() - began

    assert len(inside) == 180
    assert len(notebook.shown) >= 3  # the first, the last, and more on a slow machine
    assert sum(inside) < 0.04 * whole


# -- show -----------------------------------------------------------------------------------------


def test_show_lays_pictures_side_by_side(notebook):
    """One output with a figure each, as wide as the picture at most, with escaped titles."""
    first, second = noise(31, 43, 1), noise(29, 37, 2)
    show(first, second, titles=["before", "<after> & more"])

    (bundle,) = notebook.shown
    html = bundle["text/html"]
    assert [picture.size for picture in pictures_in(html)] == [(43, 31), (37, 29)]
    assert html.count("<figure") == 2
    assert "flex-wrap:wrap" in html
    assert "max-width:43px" in html
    assert "&lt;after&gt; &amp; more</figcaption>" in html
    assert bundle["text/plain"] == "<pictures: 43x31, 37x29>"


def test_pictures_of_one_width_are_in_columns(notebook):
    """A last row that is not full has pictures of the same size as the others."""
    show(*[noise(31, 43, seed) for seed in range(5)])

    html = notebook.shown[0]["text/html"]
    assert "display:grid" in html
    assert "max-width:263px" in html  # five pictures and four gaps
    assert "auto-fill,minmax(max(min(43px,100%),calc((100% - 48px)/5)),1fr)" in html


def test_what_takes_long_is_told_in_the_preview(notebook, monkeypatch):
    """Until there is a picture; a program that has set up logging gets it as ever."""
    log = logging.getLogger("deepdream")
    monkeypatch.setattr(log, "propagate", False)
    with Preview((31, 43)) as shown:
        log.warning("compiling <kernels>")
        assert notebook.shown == [
            {"text/html": "Compiling &lt;kernels&gt;.", "text/plain": "Compiling <kernels>."}
        ]
        log.info("a detail")
        shown.step(a_step(0, 10))
        log.warning("too late")
        assert len(notebook.shown) == 2
    assert not log.handlers

    mine = logging.NullHandler()
    monkeypatch.setattr(log, "handlers", [mine])
    with Preview((31, 43)):
        assert log.handlers == [mine]


def test_show_draws_the_pixels(notebook):
    """A picture of few colours comes out exactly; values beyond 0..255 are clipped."""
    img = np.zeros((5, 7, 3), np.float32) + [300, 12, -4]
    img[2, 3] = [1, 2, 3]
    show(img)

    (picture,) = pictures_in(notebook.shown[0]["text/html"])
    pixels = np.asarray(picture)
    assert picture.format == "PNG"
    assert pixels[2, 3].tolist() == [1, 2, 3]
    assert pixels[0, 0].tolist() == [255, 12, 0]


def test_show_wants_a_title_for_each_picture(notebook):
    """Two pictures and one title are refused, and nothing is drawn; one title may be a string."""
    with pytest.raises(ParameterError, match="2 pictures and 1 titles"):
        show(noise(5, 7), noise(5, 7), titles="one")
    with pytest.raises(deepdream.DeepDreamError):
        show(noise(5, 7), "no picture")
    assert notebook.shown == []
    show(noise(5, 7), titles="one")
    assert "one</figcaption>" in notebook.shown[0]["text/html"]
