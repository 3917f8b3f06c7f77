"""The dream while it is dreamt, on a terminal that can draw.

The picture stands above the progress bar, and is drawn each time in the same place; at the end the
dream itself stays there.
"""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
import signal
import sys
import threading
from typing import Any, NamedTuple

import numpy as np

from . import inline_images
from .preview import fitted, sample, shown_size
from .progress import Pace
from .terminal import Screen, foreground, opened, set_flags, undisturbed, window, write

_SIDE = 1000  # longest side of what is drawn, in pixels
_COARSE_SIDE = 480  # the same on the way, where the terminal enlarges it: so it is drawn more often
_BELOW = 2  # rows of the terminal that are left: for the bar, and for what comes next
_CELL = 8, 16  # pixels, where a terminal does not tell


class Box(NamedTuple):
    """Where a picture goes: its width and height in pixels, and how many cells are kept for it."""

    width: int
    height: int
    columns: int
    rows: int


def fit(size: tuple[int, int], room: tuple[int, int], screen: Screen) -> Box:
    """Return how large a picture is drawn: shrunk to the terminal, and to `_SIDE` pixels.

    Parameters
    ----------
    size : (int, int)
        Its height and width.
    room : (int, int)
        Columns and rows of the terminal; all of them but `_BELOW` can be used.
    screen : Screen
        Its ``cell`` is known.
    """
    h, w = size
    cell_w, cell_h = screen.cell or _CELL
    most_w, most_h = room[0] * cell_w, max(1, room[1] - _BELOW) * cell_h
    if screen.way == "sixel":
        most_h = max(6, most_h // 6 * 6)  # sixels are six pixels high, the last ones as well
        if screen.largest:
            most_w, most_h = min(most_w, screen.largest[0]), min(most_h, screen.largest[1])
    scale = min(1, _SIDE / max(h, w), most_w / w, most_h / h)
    width, height = max(1, int(w * scale + 1e-6)), max(1, int(h * scale + 1e-6))
    high = -(-height // 6) * 6 if screen.way == "sixel" else height
    return Box(width, height, math.ceil(width / cell_w), math.ceil(high / cell_h))


class TerminalPicture:
    """Draws the picture so far above the bar, in one place; a context manager.

    Inside it, keys are not echoed, for they would move the picture; whoever reads next gets them.

    Parameters
    ----------
    screen : Screen
    size : (int, int)
        Height and width of the picture to come: it is not drawn larger, and smaller octaves are
        drawn as large.
    """

    def __init__(self, screen: Screen, size: tuple[int, int]) -> None:
        self._screen, self._size = screen, size
        self._pace = Pace()
        number = 1 + secrets.randbelow(2**31)
        self._numbers = [number, number + 1]  # taken in turn
        self._box: Box | None = None  # where the picture stands, above the line of the bar
        self._room: tuple[int, int] | None = None
        self._stack = contextlib.ExitStack()
        self._fd = -1

    def __enter__(self) -> TerminalPicture:
        import termios

        with contextlib.ExitStack() as stack:
            self._fd = stack.enter_context(opened())
            if termios.tcgetattr(self._fd)[3] & termios.ECHO:
                stack.callback(self._echo, True)
                self._echo(False)
            for handler in logging.getLogger(__package__).handlers:  # print lines above the bar
                handler.addFilter(self._make_way)
                stack.callback(handler.removeFilter, self._make_way)
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGTSTP, signal.SIGTERM):
                    if signal.getsignal(number) == signal.SIG_DFL:
                        signal.signal(number, self._leave)
                        stack.callback(signal.signal, number, signal.SIG_DFL)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def step(self, step: Any) -> None:
        """Draw, if it is time again; made to be a dream's `on_step`."""
        if self._pace.due() and foreground(self._fd):
            with self._pace.drawing():
                box = self._fit(step.size)
                self._draw(sample(step, (box.height, box.width)), box, coarse=True)

    def done(self, picture: np.ndarray) -> None:
        """Draw the picture that the dream has become, (h, w, 3) RGB; it stays."""
        if foreground(self._fd):
            self._draw(picture, self._fit((picture.shape[0], picture.shape[1])))

    def _fit(self, size: tuple[int, int]) -> Box:
        columns, rows, width, height = window(self._fd)
        room = columns, rows
        if self._room not in (None, room) or self._screen.cell is None:  # perhaps another font, too
            cell = (width // columns, height // rows) if width and height else self._screen.cell
            self._screen = self._screen._replace(cell=cell)
        self._room = room
        return fit(shown_size(self._size, size), room, self._screen)

    def _draw(self, pixels: np.ndarray, box: Box, coarse: bool = False) -> None:
        from tqdm import tqdm

        picture = self._encoded(pixels, box, coarse)
        with undisturbed(), tqdm.get_lock():
            sys.stderr.flush()
            if box != self._box:
                # The bar is taken away, and put back below.
                with tqdm.external_write_mode(sys.stderr, nolock=True):
                    sys.stderr.flush()
                    self._wipe()
                    write(self._fd, b"\r" + b"\n" * box.rows)
                self._box = box
            # Terminals differ in where a picture leaves the cursor: it is saved, and put back.
            write(self._fd, b"\x1b7\r\x1b[%dA" % box.rows + picture + b"\x1b8")

    def _encoded(self, pixels: np.ndarray, box: Box, coarse: bool) -> bytes:
        from PIL import Image

        screen = self._screen
        if screen.way == "sixel":
            return inline_images.sixel(fitted(pixels, (box.height, box.width)), screen.colors)
        scale = min(1, _COARSE_SIDE / max(box.height, box.width)) if coarse else 1
        size = max(1, round(box.height * scale)), max(1, round(box.width * scale))
        w, h = screen.cell or _CELL
        full = Image.new("RGBA", (round(box.columns * w * scale), round(box.rows * h * scale)))
        full.paste(fitted(pixels, size))
        if screen.way == "iterm2":
            return inline_images.iterm2(full, box.columns, box.rows)
        self._numbers.reverse()
        new, old = self._numbers
        drawn = inline_images.kitty(full, box.columns, box.rows, new)
        return drawn + inline_images.kitty_gone(old)

    def _wipe(self) -> None:
        """Take the picture away, and leave the cursor where it began."""
        if self._box is None:
            return
        write(self._fd, b"\r\x1b[%dA\x1b[J" % self._box.rows)
        if self._screen.way == "kitty":
            write(self._fd, b"".join(map(inline_images.kitty_gone, self._numbers)))
        self._box = None

    def _make_way(self, record: logging.LogRecord) -> bool:
        """Take the picture away for a line that is printed; the next step draws it below."""
        from tqdm import tqdm

        if self._box is not None and foreground(self._fd):
            with undisturbed(), tqdm.external_write_mode(sys.stderr):
                sys.stderr.flush()
                self._wipe()
            self._pace = Pace()
        return True

    def _echo(self, on: bool) -> None:
        import termios

        if foreground(self._fd):  # in the background it is another's
            set_flags(self._fd, termios.ECHO, on)

    def _leave(self, number: int, _: Any) -> None:
        """Leave the terminal in order while this process is stopped, or for good."""
        self._echo(True)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        signal.signal(number, self._leave)  # after Ctrl-Z it goes on, somewhere below
        self._echo(False)
        self._box = None
