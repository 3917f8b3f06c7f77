"""The terminal that standard error is: what it can draw, and how to write to it undisturbed.

`find_screen` asks the terminal itself, and looks at the environment. While it is asked, for some
milliseconds, it neither echoes nor edits lines; keys that were pressed before are left where they
are.

Who draws is `terminal_picture`; how pictures are written is the business of `inline_images`.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .errors import EngineError
from .progress import on_terminal

_PATIENCE = 2.0  # seconds to wait for an answer; most come in a millisecond
_KITTY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"  # may one pixel be drawn by your protocol?
_NAME, _CELL_SIZE = b"\x1b[>q", b"\x1b[16t"
_REGISTERS, _LARGEST = b"\x1b[?1;1;0S", b"\x1b[?2;1;0S"  # of sixel: colours, and pixels
# All terminals answer this one, with a number for each thing that they can; it is asked last.
_ATTRIBUTES = b"\x1b[c"
_LAST_ANSWER = re.compile(rb"\x1b\[\?([\d;]*)c")
_ANSWER = re.compile(rb"\x1b_G[^\x1b]*\x1b\\|\x1bP[^\x1b]*\x1b\\|\x1b\[[?\d;]*[ctS]")
_SIXEL = b"4"  # among the attributes

# Who says so in the environment, where the terminal has not answered.
_KNOWN = (
    ("TERM", "xterm-kitty", "kitty"),
    ("TERM", "xterm-ghostty", "kitty"),
    ("TERM_PROGRAM", "iTerm.app", "iterm2"),
    ("LC_TERMINAL", "iTerm2", "iterm2"),
    ("TERM_PROGRAM", "WezTerm", "iterm2"),
    ("TERM", "foot", "sixel"),
    ("TERM", "mlterm", "sixel"),
)
# These print such questions instead of passing over them, and cannot draw.
_MUTE = (("TERM", "dumb"), ("TERM", "linux"), ("TERM_PROGRAM", "Apple_Terminal"))

_WHO_CAN = (
    "kitty, Ghostty, WezTerm, Konsole, iTerm2, VS Code, foot, mlterm, Windows Terminal (in WSL) "
    "and 'xterm -ti vt340' can.\nElsewhere --preview FILE writes it to a file, for an image viewer."
)


class Screen(NamedTuple):
    """A terminal that can draw.

    Attributes
    ----------
    way : {"kitty", "iterm2", "sixel"}
        The protocol that it understands.
    cell : (int, int), optional
        Width and height of a character in pixels, as it told.
    colors : int
        How many a sixel picture may have, 2..256.
    largest : (int, int), optional
        Most pixels of a sixel picture, width and height.
    """

    way: str
    cell: tuple[int, int] | None = None
    colors: int = 256
    largest: tuple[int, int] | None = None


def find_screen() -> Screen:
    """Return what the terminal can draw.

    Raises
    ------
    EngineError
        Standard error is no terminal, the terminal draws nothing, or this process is in the
        background. The message names terminals that can, and what to do elsewhere.
    """
    if not on_terminal():
        raise EngineError(f"There is no terminal to show the picture on: {_WHO_CAN}")
    if sys.platform == "win32":
        raise EngineError(f"On Windows itself no picture is shown on a terminal: {_WHO_CAN}")
    with opened() as fd:
        if not foreground(fd):
            raise EngineError(
                "The picture is not shown, for this runs in the background: start it without '&', "
                "or use --preview FILE."
            )
        screen = None if _told(_MUTE, os.environ) else _asked(fd)
    if screen is None:
        what = "This terminal draws"
        if _multiplexed(os.environ):
            what = "Inside screen, and tmux unless it was built with sixel, the terminal draws"
        raise EngineError(f"{what} no pictures: {_WHO_CAN}")
    return screen


def _asked(fd: int) -> Screen | None:
    answers = _ask(fd, _KITTY + _NAME + _CELL_SIZE)
    way = choose(answers or b"", os.environ)
    if way is None and answers is None:
        raise EngineError(
            "The terminal could not be asked what it can draw, for keys were waiting: start again, "
            "and press none until the bar is there."
        )
    if way is None:
        return None
    answers = answers or b""
    sizes = re.search(rb"\x1b\[6;(\d+);(\d+)t", answers)
    cell = (int(sizes[2]), int(sizes[1])) if sizes and int(sizes[1]) and int(sizes[2]) else None
    if way != "sixel":
        return Screen(way, cell)
    answers = _ask(fd, _REGISTERS + _LARGEST) or b""
    registers = re.search(rb"\x1b\[\?1;0;(\d+)S", answers)
    colors = min(256, max(2, int(registers[1]))) if registers else 256
    most = re.search(rb"\x1b\[\?2;0;(\d+);(\d+)S", answers)
    largest = (int(most[1]), int(most[2])) if most and int(most[1]) and int(most[2]) else None
    return Screen(way, cell, colors, largest)


def choose(answers: bytes, environment: Mapping[str, str]) -> str | None:
    """Return the protocol to draw by, the best that a terminal understands, or None.

    Parameters
    ----------
    answers : bytes
        What it has answered; nothing where it could not be asked.
    environment : mapping
    """
    if b"\x1b_Gi=31;OK" in answers:
        return "kitty"
    told = re.search(rb"\x1bP>\|([^\x1b]*)", answers)
    name = told[1] if told else environment.get("TERM_PROGRAM", "").encode()
    attributes = _LAST_ANSWER.search(answers)
    sixel = attributes is not None and _SIXEL in attributes[1].split(b";")[1:]
    if name.startswith(b"iTerm2") or (sixel and name.startswith((b"xterm.js", b"vscode"))):
        return "iterm2"
    if sixel:
        return "sixel"
    # A name outweighs the environment, which a terminal started in another one inherits.
    return None if told or _multiplexed(environment) else _told(_KNOWN, environment)


def _told(table: Any, environment: Mapping[str, str]) -> Any:
    """Return the last entry of the first row whose variable has that value."""
    return next((row[-1] for row in table if environment.get(row[0], "") == row[1]), None)


def _multiplexed(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("TMUX") or environment.get("STY"))


@contextlib.contextmanager
def opened() -> Iterator[int]:
    """Open the terminal that standard error is, for reading as well."""
    error = sys.stderr.fileno()
    try:
        fd = os.open(os.ttyname(error), os.O_RDWR | os.O_NOCTTY)
    except OSError:  # without /dev/pts, as in some containers
        fd = os.dup(error)
    try:
        yield fd
    finally:
        os.close(fd)


def foreground(fd: int) -> bool:
    """Tell whether this process may change the terminal without being stopped for it."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # no terminal that controls processes
        return True


def _ask(fd: int, question: bytes) -> bytes | None:
    """Return what a terminal answers.

    Keys that were pressed before are left for whoever reads them next: where some are waiting,
    nothing is asked, and None returned. Those pressed in the milliseconds until the answer are put
    back, where the system allows it. Ctrl-C works as ever.
    """
    import termios

    before = termios.tcgetattr(fd)
    got = b""
    try:
        set_flags(fd, termios.ICANON | termios.ECHO, False)
        if select.select([fd], [], [], 0)[0]:
            return None
        write(fd, question + _ATTRIBUTES)
        end = time.monotonic() + _PATIENCE
        while not _LAST_ANSWER.search(got):
            if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
                break
            part = os.read(fd, 1 << 12)
            if not part:
                break
            got += part
        _put_back(fd, _ANSWER.sub(b"", got))
        write(fd, b"\r\x1b[K")  # should it have printed a question
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
    return got


def _put_back(fd: int, keys: bytes) -> None:
    import fcntl
    import termios

    with contextlib.suppress(OSError):  # Linux forbids it since 6.2, where nobody has allowed it
        for key in keys:
            fcntl.ioctl(fd, termios.TIOCSTI, bytes([key]))


def set_flags(fd: int, flags: int, on: bool) -> None:
    """Switch local modes of a terminal, as ``termios.ECHO``, on or off."""
    import termios

    mode = termios.tcgetattr(fd)
    mode[3] = mode[3] | flags if on else mode[3] & ~flags
    termios.tcsetattr(fd, termios.TCSADRAIN, mode)


def write(fd: int, data: bytes) -> None:
    """Write all of `data`."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def window(fd: int) -> tuple[int, int, int, int]:
    """Return a terminal's columns and rows, and its width and height in pixels (0: not told)."""
    import fcntl
    import termios

    told = fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8)
    rows, columns, width, height = struct.unpack("HHHH", told)
    return columns or 80, rows or 24, width, height


_WAITING = ("SIGINT", "SIGTSTP", "SIGTERM")


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let Ctrl-C, Ctrl-Z and the like wait until the block has ended; then they do what they do.

    A picture that is cut off in the middle would swallow whatever is printed next.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread
        return
    numbers = [getattr(signal, name) for name in _WAITING]
    came: list[int] = []
    before = [signal.signal(number, lambda which, _: came.append(which)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in came:
            signal.raise_signal(number)
