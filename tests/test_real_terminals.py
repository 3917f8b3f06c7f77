"""What real terminals make of it: pictures on the screen of an X server without a screen.

Needs Xvfb, ImageMagick's `import`, and the terminal: Debian's packages xvfb, imagemagick, xterm,
mlterm, kitty. What is missing is skipped, with the reason.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]

TERMINALS = {
    "xterm": ["xterm", "-ti", "vt340", "-geometry", "80x24+0+0", "-e"],
    "mlterm": ["mlterm", "-g", "80x24", "-e"],
    "kitty": ["kitty", "-o", "confirm_os_window_close=0", "-o", "update_check_interval=0"],
}

# Twenty lines of text, so that the screen scrolls; then three pictures, the last one stays.
PROGRAM = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from deepdream.progress import Bar, Pace
from deepdream.terminal import find_screen
from deepdream.terminal_picture import TerminalPicture

try:
    screen = find_screen()
    print("text\\n" * 60, end="", flush=True)
    with Bar() as bar, TerminalPicture(screen, (120, 240)) as picture:
        for i in range(3):
            pixels = np.zeros((120 >> (2 - i), 240 >> (2 - i), 3))
            pixels[...] = [255, 0, 0] if i < 2 else [0, 204, 51]
            pixels[:, pixels.shape[1] // 2 :] = [255, 0, 255] if i < 2 else [51, 0, 204]
            step = SimpleNamespace(
                octave=i, octave_n=3, step=0, iter_n=1, size=pixels.shape[:2], done=(i + 1) / 3,
                sample=lambda every: pixels[::every, ::every],
            )
            bar.step(step)
            picture.step(step)
            picture._pace = Pace()
        picture.done(pixels)
    print("END", file=sys.stderr, flush=True)
    told = screen.way
except BaseException as error:
    told = f"{type(error).__name__}: {error}"
Path(sys.argv[1]).write_text(told)
time.sleep(60)
"""


@pytest.fixture
def display():
    """The name of an X server's display, without a screen."""
    for program, package in (("Xvfb", "xvfb"), ("import", "imagemagick")):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} (Debian's package {package})")
    ours, theirs = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "1000x700x24", "-nolisten", "tcp"],
        pass_fds=[theirs], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    late = threading.Timer(120, server.kill)  # ends what is read below
    late.start()
    with os.fdopen(ours) as told:
        number = told.readline().strip()
    late.cancel()
    assert number, "the X server has not started"
    try:
        yield f":{number}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(20)


@pytest.mark.slow
@pytest.mark.parametrize("name", TERMINALS)
def test_the_picture_is_on_the_screen(tmp_path, display, name):
    """In its size and colours, undisturbed by the bar, and nothing of the pictures before it."""
    if shutil.which(name) is None:
        pytest.skip(f"needs {name} (Debian's package {name})")
    told, shot = tmp_path / "told", tmp_path / "shot.png"
    environment = {**os.environ, "DISPLAY": display, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
                   "LIBGL_ALWAYS_SOFTWARE": "1"}  # fmt: skip
    process = subprocess.Popen(
        [*TERMINALS[name], sys.executable, "-c", PROGRAM, str(told)], cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while not (told.is_file() and told.read_text()):
            assert time.monotonic() < end, f"{name} has not come so far"
            assert process.poll() is None, f"{name} ended with {process.returncode}"
            time.sleep(0.1)
        assert told.read_text() == ("kitty" if name == "kitty" else "sixel")
        time.sleep(1)  # it draws when it has time
        subprocess.run(
            ["import", "-window", "root", str(shot)], env=environment, check=True, timeout=60
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait(60)

    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    left, right = (np.abs(pixels - colour).max(2) <= 3 for colour in ([0, 204, 51], [51, 0, 204]))
    old = [np.abs(pixels - colour).max(2) <= 3 for colour in ([255, 0, 0], [255, 0, 255])]
    assert left.sum() == right.sum() == 120 * 120
    where = np.argwhere(left | right)
    (top, begin), (bottom, last) = where.min(0), where.max(0)
    assert (bottom - top + 1, last - begin + 1) == (120, 240)
    assert not old[0].any()
    assert not old[1].any()
