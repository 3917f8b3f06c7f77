"""Pictures on terminals: what a terminal is asked, what is drawn on it, and that it stays sane."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from as_typed import as_typed
from fake_terminal import (
    ITERM2,
    KITTY,
    KITTY_QUERY,
    KONSOLE,
    MLTERM,
    TMUX,
    XTERM,
    XTERM_JS,
    XTERM_PLAIN,
    Terminal,
    decode_sixel,
    png,
)
from fakes import FakeNet
from PIL import Image
from tiny import write_tiny

from deepdream import inline_images, progress, terminal, terminal_picture
from deepdream.cli import main
from deepdream.dreaming.dream import dream
from deepdream.errors import EngineError
from deepdream.images import load_image, save_image
from deepdream.preview import fitted, shown_size
from deepdream.progress import Bar, Pace
from deepdream.terminal import Screen, choose, find_screen, undisturbed
from deepdream.terminal_picture import TerminalPicture, fit

ROOT = Path(__file__).resolve().parents[1]
VARIABLES = ("TERM", "TERM_PROGRAM", "LC_TERMINAL", "TMUX", "STY")


def noise(h, w, seed=1):
    return np.random.RandomState(seed).uniform(0, 255, (h, w, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """An environment that tells nothing of the terminal that the tests run in."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@contextlib.contextmanager
def on(answers, **how):
    """Make a fake terminal this process's standard error."""
    before = sys.stderr
    with Terminal(answers=answers, **how) as screen, Path(screen.name).open("w") as sys.stderr:
        try:
            yield screen
        finally:
            sys.stderr.close()
            sys.stderr = before


def typed(screen):
    """Return what somebody who reads from the terminal gets."""
    keys = b""
    while select.select([screen.theirs], [], [], 0)[0]:
        keys += os.read(screen.theirs, 100)
    return keys


# -- asking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "environment", "expected"),
    [
        (KITTY, {}, Screen("kitty", (9, 18))),
        (KONSOLE, {}, Screen("kitty", (9, 18))),
        (XTERM, {}, Screen("sixel", None, 256, (480, 312))),
        (MLTERM, {}, Screen("sixel", (10, 19), 256, None)),
        (XTERM_JS, {}, Screen("sixel", (9, 18))),
        (XTERM_JS, {"TERM_PROGRAM": "vscode"}, Screen("iterm2", (9, 18))),
        (ITERM2, {}, Screen("iterm2", (9, 18))),
        ({**XTERM, b"\x1b[?1;1;0S": b"\x1b[?1;0;16S"}, {}, Screen("sixel", None, 16, (480, 312))),
    ],
    ids=["kitty", "konsole", "xterm", "mlterm", "xterm.js", "vscode", "iterm2", "16 colours"],
)
def test_a_terminal_tells_what_it_can(monkeypatch, answers, environment, expected):
    """Protocol, size of a cell, colours; afterwards it echoes as before, and shows nothing."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with on(answers) as screen:
        before = termios.tcgetattr(screen.theirs)
        found = find_screen()
        screen.settle()
        after = termios.tcgetattr(screen.theirs)

        assert found == expected
        assert after == before
        assert screen.text() == {}
        assert b"^[" not in screen.wire  # an answer that was echoed
        assert not select.select([screen.theirs], [], [], 0)[0]  # or left for the shell


@pytest.mark.parametrize(
    ("answers", "environment", "expected"),
    [
        (b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c", {}, "kitty"),
        (b"\x1b_Gi=31;ENOTSUP\x1b\\\x1b[?62;4c", {}, "sixel"),
        (b"\x1b[?62;14;24c", {}, None),  # 4 is a number of its own
        (b"\x1b[?4c", {}, None),  # and not the terminal's class
        (b"\x1bP>|XTerm(379)\x1b\\\x1b[?64;1c", {"TERM_PROGRAM": "iTerm.app"}, None),
        (b"\x1b[?64;1c", {"LC_TERMINAL": "iTerm2"}, "iterm2"),
        (b"\x1b[?1;2c", {"LC_TERMINAL": "iTerm2", "TMUX": "/tmp/tmux-0/default,1,0"}, None),
        (b"\x1b[?1;2;4c", {"TMUX": "/tmp/tmux-0/default,1,0"}, "sixel"),
        (b"\x1b[?62;22c", {"TERM_PROGRAM": "vscode"}, None),  # its pictures are switched off
        (b"", {"TERM": "xterm-kitty"}, "kitty"),
        (b"", {"TERM": "xterm-ghostty"}, "kitty"),
        (b"", {"TERM": "foot"}, "sixel"),
        (b"", {"TERM": "foot", "STY": "1.pts-0"}, None),
        (b"", {"TERM": "xterm-256color"}, None),
    ],
)
def test_what_outweighs_what(answers, environment, expected):
    """kitty's protocol before iTerm2's before sixel; answers before the environment."""
    assert choose(answers, environment) == expected


def test_a_terminal_that_cannot_draw_is_an_error_at_once(monkeypatch):
    """It says which can, and what to do; inside tmux it says so."""
    with on(XTERM_PLAIN), pytest.raises(EngineError, match=r"(?s)draws no .*kitty.*--preview FILE"):
        find_screen()
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    with on(TMUX), pytest.raises(EngineError, match="tmux unless it was built with sixel"):
        find_screen()


@pytest.mark.parametrize(
    ("name", "value"), [("TERM", "linux"), ("TERM", "dumb"), ("TERM_PROGRAM", "Apple_Terminal")]
)
def test_terminals_that_would_print_the_question_are_not_asked(monkeypatch, name, value):
    """They get the error alone."""
    monkeypatch.setenv(name, value)
    with on({}) as screen:
        with pytest.raises(EngineError, match="draws no pictures"):
            find_screen()
        screen.settle()
        assert screen.wire == b""


def test_a_terminal_that_does_not_answer(monkeypatch):
    """After the wait what the environment says counts, and the terminal is as it was."""
    monkeypatch.setattr(terminal, "_PATIENCE", 0.1)
    with on({}) as screen:
        began = time.monotonic()
        with pytest.raises(EngineError, match="draws no pictures"):
            find_screen()
        assert time.monotonic() - began < 20  # on a busy machine
        assert screen.echoes() == (True, True)

        monkeypatch.setenv("TERM", "xterm-kitty")
        assert find_screen() == Screen("kitty")


def test_keys_that_wait_are_not_taken(monkeypatch):
    """Half a line typed before is still there for the shell; then nothing is asked."""
    with on(KITTY) as screen:
        screen.type(b"ls -")
        screen.settle()
        with pytest.raises(EngineError, match="keys were waiting: start again"):
            find_screen()
        monkeypatch.setenv("TERM", "xterm-kitty")
        assert find_screen() == Screen("kitty")
        screen.settle()
        assert KITTY_QUERY not in screen.wire

        screen.type(b"l\n")
        screen.settle()
        assert typed(screen) == b"ls -l\n"


def test_keys_between_the_answers_are_put_back():
    """In their order, where the system lets a process do that."""
    with on({**KITTY, b"\x1b[16t": b"l\x1b[6;18;9ts"}) as screen:
        try:
            fcntl.ioctl(screen.theirs, termios.TIOCSTI, b"-")
        except OSError:
            pytest.skip("this system lets no process put keys back (dev.tty.legacy_tiocsti)")
        termios.tcflush(screen.theirs, termios.TCIFLUSH)

        assert find_screen().way == "kitty"
        screen.type(b"\n")
        screen.settle()
        assert typed(screen) == b"ls\n"


def test_ctrl_c_while_it_is_asked(monkeypatch):
    """Leaves the terminal as it was."""

    def press(*_):
        raise KeyboardInterrupt

    with on({}) as screen:
        real, here = select.select, threading.get_ident()  # the screen's own thread goes on
        monkeypatch.setattr(
            terminal.select,
            "select",
            lambda *a: press() if a[-1] and threading.get_ident() == here else real(*a),
        )
        with pytest.raises(KeyboardInterrupt):
            find_screen()
        monkeypatch.undo()
        assert screen.echoes() == (True, True)


def test_in_the_background_nothing_is_asked(monkeypatch):
    """A process in the background would be stopped for it."""
    monkeypatch.setattr(terminal, "foreground", lambda fd: False)
    with on(KITTY) as screen:
        with pytest.raises(EngineError, match="in the background"):
            find_screen()
        screen.settle()
        assert screen.wire == b""


def test_without_a_terminal_there_is_an_error_before_any_work(capsys, tmp_path):
    """In pipes and files; before the picture is read."""
    assert main(["dream", str(tmp_path / "NO.jpg"), "--show"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("deepdream: There is no terminal to show the picture on: kitty")
    assert "--preview FILE" in printed
    assert len(printed.splitlines()) <= 3


# -- protocols ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(3, 5), (300, 400)])
def test_kittys_commands(size):
    """4096 characters of base64 in each but the last, m=1 until then; a PNG of the pixels."""
    image = Image.fromarray(np.uint8(noise(*size)))
    sent = inline_images.kitty(image, 40, 12, 77)

    commands = [command + b"\x1b\\" for command in sent.split(b"\x1b\\")[:-1]]
    assert b"".join(commands) == sent
    payloads = []
    for i, command in enumerate(commands):
        keys, payload = command[:-2].removeprefix(b"\x1b_G").split(b";")
        last = i == len(commands) - 1
        first = b"a=T,f=100,i=77,p=1,c=40,r=12,C=1," if i == 0 else b""
        assert keys == first + (b"m=0,q=2" if last else b"m=1,q=2")
        assert len(payload) == 4096 or (last and 0 < len(payload) <= 4096)
        payloads.append(payload)
    assert len(commands) == (1 if size == (3, 5) else len(b"".join(payloads)) // 4096 + 1)
    np.testing.assert_array_equal(png(b"".join(payloads)), np.asarray(image))


def test_iterm2s_command():
    """One OSC 1337 with the size in bytes, and the box in cells."""
    image = Image.fromarray(np.uint8(noise(31, 43)))
    sent = inline_images.iterm2(image, 40, 12)

    assert sent.startswith(b"\x1b]1337;File=inline=1;size=")
    assert sent.endswith(b"\a")
    keys, payload = sent[:-1].split(b":")
    size = len(bytes(inline_images._png(image)))
    assert keys.endswith(b"size=%d;width=40;height=12;preserveAspectRatio=0" % size)
    np.testing.assert_array_equal(png(payload), np.asarray(image))


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (6, 1), (13, 29), (48, 31)])
@pytest.mark.parametrize("colors", [2, 16, 256])
def test_sixels_show_the_picture(shape, colors):
    """Each pixel has the colour that quantizing gave it, to a percent; not too many colours."""
    image = Image.fromarray(np.uint8(noise(*shape)))
    sent = inline_images.sixel(image, colors)
    few = image.quantize(colors, Image.Quantize.FASTOCTREE)
    few = image.quantize(palette=few).convert("RGB")

    assert sent.startswith(b"\x1bP0;1;0q")
    assert sent.endswith(b"\x1b\\")
    shown = decode_sixel(sent[2:-2]).astype(int)
    assert shown.shape == (*shape, 3)
    assert np.abs(shown - np.asarray(few)).max() <= 2
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) <= colors


def test_sixels_count_what_repeats():
    """A plain picture is a few bytes; what is nothing at the end of a line is left out."""
    plain = Image.new("RGB", (900, 12), (255, 0, 0))
    assert inline_images.sixel(plain).endswith(b"#0!900~-#0!900~\x1b\\")

    halves = Image.new("RGB", (10, 6), (255, 0, 0))
    halves.paste((0, 0, 255), (0, 0, 5, 6))
    sent = inline_images.sixel(halves)
    assert sent.endswith((b"#0!5~$#1!5?!5~\x1b\\", b"#0!5?!5~$#1!5~\x1b\\"))


# -- where it goes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "room", "screen", "expected"),
    [
        ((60, 90), (80, 24), Screen("kitty", (9, 18)), (90, 60, 10, 4)),  # never enlarged
        ((575, 1024), (80, 24), Screen("kitty", (9, 18)), (705, 396, 79, 22)),  # rows are few
        ((575, 1024), (60, 40), Screen("kitty", (9, 18)), (540, 303, 60, 17)),  # columns are few
        ((1024, 575), (80, 24), Screen("kitty", (9, 18)), (222, 396, 25, 22)),
        ((4000, 3000), (400, 200), Screen("kitty", (9, 18)), (750, 1000, 84, 56)),  # _SIDE
        ((575, 1024), (80, 24), Screen("iterm2", None), (626, 352, 79, 22)),  # 8x16, nobody knows
        # 22 rows of 13 pixels are 286, 47 sixels 282.
        ((575, 1024), (90, 24), Screen("sixel", (6, 13)), (502, 282, 84, 22)),
        ((575, 1024), (80, 24), Screen("sixel", (6, 13), 256, (200, 312)), (200, 112, 34, 9)),
        ((13, 90), (80, 24), Screen("sixel", (6, 13)), (90, 13, 15, 2)),  # of three sixels, 18
        ((100, 100), (80, 3), Screen("kitty", (9, 18)), (18, 18, 2, 1)),
        ((100, 9000), (20, 2), Screen("sixel", (9, 18)), (180, 2, 20, 1)),
        ((9000, 1), (20, 1), Screen("sixel", (9, 18)), (1, 18, 1, 1)),
    ],
)
def test_a_picture_is_shrunk_to_the_terminal(size, room, screen, expected):
    """To its columns, and its rows but two; of sixels with their last six rows."""
    box = fit(size, room, screen)
    assert box == expected
    cell = screen.cell or (8, 16)
    assert box.rows <= max(1, room[1] - 2)
    assert box.columns <= room[0]
    assert box.width <= box.columns * cell[0]
    high = -(-box.height // 6) * 6 if screen.way == "sixel" else box.height
    assert high <= box.rows * cell[1]


def test_octaves_are_shown_at_the_size_of_the_whole():
    """Where they are of its shape to rounding; another shape has its longest side."""
    for octave in ((210, 373), (294, 522), (411, 731), (575, 1024), (22, 39), (21, 38)):
        assert shown_size((575, 1024), octave) == (575, 1024)
    assert shown_size((575, 1024), (300, 300)) == (1024, 1024)
    assert shown_size((575, 1024), (40, 80)) == (512, 1024)


# -- drawing --------------------------------------------------------------------------------------

WAYS = {"kitty": KITTY, "iterm2": ITERM2, "sixel": MLTERM}


def watched(img, begin="", iter_n=6, octave_n=3, on_step=None, **more):
    """Dream before a fake terminal's eyes, with a picture and a bar at every step; return both."""
    found = find_screen()
    print(begin, end="", file=sys.stderr, flush=True)
    with Bar() as bar, TerminalPicture(found, img.shape[:2]) as picture:
        bar._bar.mininterval = 0

        def step(step):
            bar.step(step)
            picture.step(step)
            picture._pace = Pace()
            if on_step is not None:
                on_step(step, picture)

        out = dream(FakeNet(), img, end="top", iter_n=iter_n, octave_n=octave_n, seed=5,
                    on_step=step, **more)  # fmt: skip
        picture.done(out)
    print("wrote it", file=sys.stderr, flush=True)
    return out


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lines", [0, 40], ids=["at the top", "at the bottom"])
def test_a_picture_grows_in_its_place(way, lines):
    """Always in the same rows, the bar below, the dream itself at the end, no other trace."""
    rows_seen = []
    with on(WAYS[way], cell=(10, 19) if way == "sixel" else (9, 18)) as screen:

        def look(step, picture):
            screen.settle()
            rows_seen.append((screen.text(), dict(screen.pictures)))

        iter_n = 1 if way == "sixel" else 6  # decoding them takes its time
        out = watched(noise(120, 170), "line\n" * lines, iter_n=iter_n,
                      on_step=look if way == "kitty" else None)  # fmt: skip
        screen.settle()
        top, columns, rows, pixels = next(iter(screen.pictures.values()))
        cell = screen.cell
        text = screen.text()
        drawn, first = screen.drawn, lines if lines < 24 else 24 - rows - 1

    assert len(screen.pictures) == 1
    assert len(drawn) == 3 * iter_n + 1
    assert set(drawn) == {first}
    assert rows == -(-120 // cell[1])
    assert columns == 170 // cell[0] + 1 - (170 % cell[0] == 0)
    # The last line scrolls where the screen is full.
    assert top == first - (lines > 0)
    assert text.pop(top + rows) == "wrote it"
    assert set(text.values()) <= {"line"}
    assert all(row < top for row in text)
    shown = np.asarray(fitted(out, (120, 170))).astype(int)
    if way == "sixel":
        assert np.abs(pixels.astype(int) - shown).mean() < 40  # 256 colours for noise
        assert np.abs(pixels.mean((0, 1)) - shown.mean((0, 1))).max() < 3
    else:
        assert pixels.shape == (rows * cell[1], columns * cell[0], 4)
        np.testing.assert_array_equal(pixels[:120, :170, :3], shown)
        assert (pixels[:120, :170, 3] == 255).all()
        assert pixels[..., 3].sum() == 255 * 120 * 170  # the margin is transparent
    assert bool(rows_seen) == (way == "kitty")
    for seen, pictures in rows_seen:
        assert len(pictures) == 1
        below = [value for row, value in seen.items() if row >= first]
        assert len(below) == 1
        assert "octave" in below[0]


def test_on_the_way_a_terminal_enlarges():
    """A large picture is sent with a longest side of 480 pixels, and at the end with its own."""
    sizes = []
    with on(KITTY, rows=50, columns=120) as screen:

        def look(step, picture):
            screen.settle()
            sizes.append(next(iter(screen.pictures.values()))[3].shape)

        watched(noise(410, 730), iter_n=1, octave_n=2, on_step=look)
        screen.settle()
        last = next(iter(screen.pictures.values()))[3].shape
    assert {max(size) for size in sizes} == {485}  # 480 and the margin
    assert last == (23 * 18, 82 * 9, 4)


def test_without_the_size_of_a_cell_the_window_tells(monkeypatch):
    """As in xterm; where it does not either, cells count as 8 by 16 pixels."""
    answers = {b"\x1b[c": b"\x1b[?62;4c"}
    for pixels, expected in ((True, 4), (False, 5)):  # rows of 18 pixels, and of 16
        with on(answers, pixels=pixels) as screen:
            watched(noise(66, 90), iter_n=1, octave_n=1)
            screen.settle()
            assert screen.text() == {expected: "wrote it"}


def test_another_size_of_the_window(monkeypatch):
    """The picture is taken away and drawn anew, fitting, with nothing of the old one left."""
    with on(KITTY) as screen:

        def resize(step, picture):
            if step.octave == 1 and step.step == 2:
                screen.settle()
                screen.resize(14, 60)

        watched(noise(300, 400), on_step=resize)
        screen.settle()
        assert len(screen.pictures) == 1
        (picture,) = screen.pictures.values()
        assert picture[2] == 12


def test_a_line_that_is_logged_stands_above_the_picture(monkeypatch):
    """The picture makes way, and is drawn again below."""
    from deepdream.cli import _told

    log = logging.getLogger("deepdream.somewhere")
    for way, answers in WAYS.items():
        with on(answers, cell=(10, 19) if way == "sixel" else (9, 18)) as screen, _told(False, str):

            def tell(step, picture):
                if step.octave == 1 and step.step == 2:
                    picture._pace._next = float("inf")
                    log.warning("something takes long")
                    assert picture._pace.due()
                    screen.settle()
                    assert not screen.pictures

            watched(noise(60, 90), "before\n", on_step=tell)
            screen.settle()
            text = screen.text()
            ((top, _, rows, _),) = screen.pictures.values()

        assert text == {0: "before", 1: "deepdream: something takes long", 2 + rows: "wrote it"}
        assert top == 2
        assert not any(handler.filters for handler in logging.getLogger("deepdream").handlers)


def test_keys_are_not_echoed_meanwhile_and_not_lost():
    """They would move the picture; whoever reads next gets them, and afterwards keys are echoed."""
    with on(KITTY) as screen:
        seen = []

        def type(step, picture):
            if step.octave == 0 and step.step == 0:
                seen.append(screen.echoes())
                screen.type(b"ls\n")

        watched(noise(60, 90), on_step=type)
        screen.settle()
        assert seen == [(False, True)]
        assert screen.echoes() == (True, True)
        assert "ls" not in screen.text().values()
        assert typed(screen) == b"ls\n"


def test_an_error_leaves_the_terminal_sane():
    """It echoes again, the line is free, the picture so far is left."""

    def fail(step, picture):
        if step.octave == 1:
            raise ZeroDivisionError

    with on(KITTY) as screen:
        with pytest.raises(ZeroDivisionError):
            watched(noise(60, 90), on_step=fail)
        assert screen.echoes() == (True, True)
        screen.settle()
        assert len(screen.pictures) == 1
        assert screen.text() == {}
        assert (screen.row, screen.column) == (4, 0)
        assert signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL


def test_ctrl_c_waits_for_the_end_of_a_picture(monkeypatch):
    """What is pressed in the middle of one stops the dream right after it; the dream is drawn."""
    real, pressed = terminal_picture.write, []

    def write(fd, data):
        if b"\x1b_Ga=T" in data and len(pressed) < 3:
            half = len(data) // 2
            real(fd, data[:half])
            pressed.append(os.kill(os.getpid(), signal.SIGINT))
            data = data[half:]
        real(fd, data)

    with on(KITTY) as screen:
        monkeypatch.setattr(terminal_picture, "write", write)
        monkeypatch.setattr(terminal_picture.TerminalPicture, "done", lambda *_: None)
        out = watched(noise(60, 90))
        screen.settle()
        assert out.recipe["stopped"] is True
        assert len(pressed) == 1
        assert len(screen.drawn) == 1
        assert len(screen.pictures) == 1
        assert screen.text() == {4: "wrote it"}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signals_that_came_are_delivered_afterwards():
    """Whatever handles them; one that is ignored stays so."""
    got = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    try:
        with undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            assert got == []
        assert got == [signal.SIGTERM]
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
        assert got == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_pictures_are_few(monkeypatch):
    """At most two a second, and no more than 2 % of the time where drawing is slow."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    for drawing, most in ((0.001, 20), (0.05, 4)):
        pace, drawn = Pace(), 0
        for _ in range(1000):  # ten seconds of steps
            now[0] += 0.01
            if pace.due():
                drawn += 1
                with pace.drawing():
                    now[0] += drawing
        assert most - 1 <= drawn <= most


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path):
    """Arguments of a dream with the small net."""
    prototxt, caffemodel = write_tiny(tmp_path)
    save_image(noise(53, 71), tmp_path / "sky.png")
    return ["dream", str(tmp_path / "sky.png"), "-o", str(tmp_path / "out.png"), "--model",
            str(prototxt), "--weights", str(caffemodel), "--mean", "1,2,3", "--end", "a/output",
            "--device", "cpu", "--octave-n", "2", "--seed", "1"]  # fmt: skip


@contextlib.contextmanager
def started(screen, arguments, program=(sys.executable, "-m", "deepdream")):
    """Start the command as a shell does: the terminal is its own, and it is in the foreground."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    process = subprocess.Popen(
        as_typed(*program, *arguments), cwd=ROOT, stdin=screen.theirs, stdout=screen.theirs,
        stderr=screen.theirs, start_new_session=True,
        env={**environment, "OMP_NUM_THREADS": "1", "TERM": "xterm-256color"},
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait(60)


def wait_for(condition, seconds=60):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("way", WAYS)
def test_the_command_shows_the_picture(tmp_path, command, way):
    """From the first step to the picture that it writes, with its last line below."""
    with (
        Terminal(answers=WAYS[way], cell=(10, 19) if way == "sixel" else (9, 18)) as screen,
        started(screen, [*command, "--show", "--iter-n", "3"]) as process,
    ):
        assert process.wait(60) == 0
        screen.settle()
        ((top, _, rows, pixels),) = screen.pictures.values()
        assert top == 0
        assert screen.text()[rows].startswith("wrote ")
        assert screen.echoes() == (True, True)
    out = np.asarray(load_image(tmp_path / "out.png"))
    if way != "sixel":
        np.testing.assert_array_equal(pixels[:53, :71, :3], out)
    assert pixels[:53, :71].shape[:2] == (53, 71)


def test_ctrl_c_on_a_terminal(tmp_path, command):
    """The key keeps the picture so far, in the file and on the screen; keys are echoed again."""
    with (
        Terminal(answers=KITTY) as screen,
        started(screen, [*command, "--show", "--iter-n", "1000000"]) as process,
    ):
        wait_for(lambda: screen.pictures)
        assert screen.echoes() == (False, True)
        screen.type(b"\x03")
        assert process.wait(60) == 130
        screen.settle()
        ((_, _, rows, pixels),) = screen.pictures.values()
        assert "stopped early" in "".join(screen.text().values())
        assert screen.text()[rows].startswith("wrote ")
        assert screen.echoes() == (True, True)
    np.testing.assert_array_equal(pixels[:53, :71, :3], load_image(tmp_path / "out.png"))


def test_a_signal_that_ends_it_leaves_the_terminal_sane(command):
    """SIGTERM, as of 'kill': keys are echoed again."""
    with (
        Terminal(answers=KITTY) as screen,
        started(screen, [*command, "--show", "--iter-n", "1000000"]) as process,
    ):
        wait_for(lambda: screen.pictures)
        assert screen.echoes() == (False, True)
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM
        assert screen.echoes() == (True, True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_ctrl_z_in_a_shell(command):
    """It stops, a prompt is there; with fg it goes on below, and afterwards keys are echoed."""
    with (
        Terminal(answers=KITTY, rows=40, columns=200) as screen,
        started(screen, [], ["bash", "--norc", "--noprofile", "-i"]) as shell,
    ):

        def shown(words):
            return any(words in line for line in screen.text().values())

        words = [sys.executable, "-m", "deepdream", *command, "--show", "--iter-n", "1000000"]
        screen.type(f"PS1='> '; {shlex.join(words)}\n".encode())
        wait_for(lambda: screen.pictures)
        first = screen.drawn[-1]
        screen.type(b"\x1a")
        wait_for(lambda: shown("Stopped"))
        screen.type(b"echo here we are\n")
        wait_for(lambda: "here we are" in screen.text().values())
        count = len(screen.drawn)
        screen.type(b"fg\n")
        wait_for(lambda: len(screen.drawn) > count + 1)
        assert screen.drawn[-1] == screen.drawn[-2] > first + 3
        screen.type(b"\x03")
        wait_for(lambda: shown("stopped early"))
        screen.type(b"stty -a | grep -Eo '(^| )-?echo\\b'\n")
        lines = {" echo", " -echo", "echo", "-echo"}
        wait_for(lambda: lines & set(screen.text().values()))
        assert lines & set(screen.text().values()) <= {" echo", "echo"}
        screen.type(b"exit\n")
        assert shell.wait(60) == 0


def test_in_the_background_it_is_refused(command):
    """A command behind '&' says so instead of being stopped."""
    # A session whose foreground is another group.
    code = (
        "import os, sys, subprocess\n"
        "ours = 'import os, sys; os.setpgid(0, 0); os.execv(sys.argv[1], sys.argv[1:])'\n"
        "words = [sys.executable, '-m', 'deepdream', *sys.argv[1:]]\n"
        "child = subprocess.Popen([sys.executable, '-c', ours, *words])\n"
        "try:\n    sys.exit(child.wait(50))\nfinally:\n    child.kill()"
    )
    with (
        Terminal(answers=KITTY) as screen,
        started(screen, [*command, "--show"], (sys.executable, "-c", code)) as process,
    ):
        assert process.wait(60) == 2
        screen.settle()
        assert "in the background" in " ".join(screen.text().values())


def test_a_step_in_the_background_draws_nothing(monkeypatch):
    """After Ctrl-Z and 'bg' the terminal is the shell's."""
    with on(KITTY) as screen:
        found = find_screen()
        with TerminalPicture(found, (53, 71)) as picture:
            monkeypatch.setattr(terminal_picture, "foreground", lambda fd: False)
            step = SimpleNamespace(size=(53, 71), sample=lambda every: noise(53, 71))
            picture.step(step)
            picture.done(noise(53, 71))
            monkeypatch.undo()
        screen.settle()
        assert screen.drawn == []
