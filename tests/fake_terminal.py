"""A terminal for tests: the other side of a pty, with a screen of text and pictures.

It answers what it is asked as a real one did, and understands what is drawn: kitty's protocol,
iTerm2's, sixel. Its decoders are written from the specifications, pixel after pixel.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import os
import pty
import re
import select
import struct
import termios
import threading
import time

import numpy as np
from PIL import Image

KITTY_QUERY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"

# What terminals answered, on a Debian 12 but for iTerm2 (its documentation) and xterm.js 6.0.
KITTY = {
    KITTY_QUERY: b"\x1b_Gi=31;OK\x1b\\",
    b"\x1b[>q": b"\x1bP>|kitty(0.26.5)\x1b\\",
    b"\x1b[16t": b"\x1b[6;18;9t",
    b"\x1b[c": b"\x1b[?62;c",
}
KONSOLE = {
    **KITTY,
    b"\x1b[>q": b"\x1bP>|Konsole 22.12.3\x1b\\",
    b"\x1b[c": b"\x1b[?62;1;4c",
}
XTERM = {
    b"\x1b[>q": b"\x1bP>|XTerm(379)\x1b\\",
    b"\x1b[?1;1;0S": b"\x1b[?1;0;1024S",
    b"\x1b[?2;1;0S": b"\x1b[?2;0;480;312S",
    b"\x1b[c": b"\x1b[?63;1;2;4;6;9;15;16;22;28c",
}
XTERM_PLAIN = {  # without -ti vt340
    b"\x1b[>q": b"\x1bP>|XTerm(379)\x1b\\",
    b"\x1b[c": b"\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c",
}
MLTERM = {
    b"\x1b[16t": b"\x1b[6;19;10t",
    b"\x1b[?1;1;0S": b"\x1b[?1;0;1024S",
    b"\x1b[?2;1;0S": b"\x1b[?1;3;0S",
    b"\x1b[c": b"\x1b[?63;1;2;3;4;6;7;15;18;22;29c",
}
XTERM_JS = {b"\x1b[16t": b"\x1b[6;18;9t", b"\x1b[c": b"\x1b[?62;4;9;22c"}
ITERM2 = {
    b"\x1b[>q": b"\x1bP>|iTerm2 3.5.0\x1b\\",
    b"\x1b[16t": b"\x1b[6;18;9t",
    b"\x1b[c": b"\x1b[?64;1;2;4;6;17;18;21;22c",
}
TMUX = {b"\x1b[>q": b"\x1bP>|tmux 3.3a\x1b\\", b"\x1b[c": b"\x1b[?1;2c"}

_TOKEN = re.compile(
    rb"\x1b_(?P<apc>.*?)\x1b\\|\x1bP(?P<dcs>.*?)\x1b\\|\x1b\](?P<osc>.*?)\a"
    rb"|\x1b\[(?P<csi>[?>]?[\d;]*[A-Za-z])|\x1b(?P<esc>[78])|(?P<char>[^\x1b][\x80-\xbf]*)",
    re.DOTALL,
)


class Terminal:
    """A terminal of some rows and columns; a context manager.

    Attributes
    ----------
    name : str
        Of the device that a program opens.
    lines : list of str
        The text on the screen.
    row : int
        Where the cursor is.
    pictures : dict
        What was drawn: number or place -> (row, columns, rows, (h, w, 3) uint8 array or RGBA).
    drawn : list
        How often, and at which row each time.
    wire : bytes
        All that was written to it.
    """

    def __init__(self, rows=24, columns=80, answers=None, pixels=True, cell=(9, 18)):
        self.rows, self.columns, self.cell = rows, columns, cell
        self.answers = {} if answers is None else answers
        self.lines, self.row, self.column, self._saved = [""] * rows, 0, 0, (0, 0)
        self.pictures, self.drawn, self.wire = {}, [], b""
        self._left, self._kitty = b"", None
        self.ours, self.theirs = pty.openpty()
        self.name = os.ttyname(self.theirs)
        size = (columns * cell[0], rows * cell[1]) if pixels else (0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, *size))
        self._quiet, self._stopped, self._failed = 0, False, None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.settle()
        self._stopped = True
        self._thread.join(60)
        os.close(self.ours)
        os.close(self.theirs)
        if self._failed is not None:
            raise self._failed

    def resize(self, rows, columns):
        """Get another size, with cells as large as before; what is on the screen stays there."""
        size = struct.pack("HHHH", rows, columns, columns * self.cell[0], rows * self.cell[1])
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)
        self.lines += [""] * (rows - self.rows)
        self.rows, self.columns = rows, columns

    def type(self, keys):
        """Press keys."""
        os.write(self.ours, keys)

    def echoes(self):
        """Tell whether keys are echoed, and lines edited."""
        flags = termios.tcgetattr(self.theirs)[3]
        return bool(flags & termios.ECHO), bool(flags & termios.ICANON)

    def settle(self):
        """Wait until all that was written has been understood; not for ever."""
        self._quiet, end = 0, time.monotonic() + 60
        while self._quiet < 3 and self._failed is None and self._thread.is_alive():
            assert time.monotonic() < end, "it is written to without end"
            time.sleep(0.005)

    def text(self):
        """Return the rows that hold text, with their numbers."""
        return {row: line.rstrip() for row, line in enumerate(self.lines) if line.strip()}

    def _run(self):
        while not self._stopped:
            if not select.select([self.ours], [], [], 0.01)[0]:
                self._quiet += 1
                continue
            try:
                part = os.read(self.ours, 1 << 16)
            except OSError:  # nobody has it open
                return
            try:
                self._take(self._left + part)
            except Exception as error:
                self._failed = error
                return
            self.wire += part

    def _take(self, data):
        at = 0
        while at < len(data):
            token = _TOKEN.match(data, at)
            if token is None:  # the rest of a sequence is still to come
                break
            at = token.end()
            if token[0] in self.answers:
                with contextlib.suppress(OSError):
                    os.write(self.ours, self.answers[token[0]])
            else:
                getattr(self, f"_{token.lastgroup}")(token[token.lastgroup])
        self._left = data[at:]

    def _char(self, char):
        if char == b"\r":
            self.column = 0
        elif char == b"\n":
            self._down()
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + char.decode() + line[self.column + 1 :]
            self.column += 1

    def _down(self):
        if self.row < self.rows - 1:
            self.row += 1
            return
        self.lines = [*self.lines[1:], ""]
        self.pictures = {key: (p[0] - 1, *p[1:]) for key, p in self.pictures.items()}

    def _csi(self, command):
        number = int(re.sub(rb"\D", b"", command) or b"1")
        if command.endswith(b"A"):
            self.row = max(0, self.row - number)
        elif command.endswith(b"B"):
            self.row = min(self.rows - 1, self.row + number)
        elif command == b"K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif command == b"J":
            self.lines[self.row :] = [""] * (self.rows - self.row)
            gone = [key for key, p in self.pictures.items() if p[0] >= self.row and key[0] == "at"]
            for key in gone:  # kitty's pictures stay
                del self.pictures[key]

    def _esc(self, command):
        if command == b"7":
            self._saved = self.row, self.column
        else:
            self.row, self.column = self._saved

    def _put(self, key, columns, rows, pixels):
        assert self.row + rows < self.rows, "the picture leaves no row for the bar"
        self.drawn.append(self.row)
        self.pictures[key] = self.row, columns, rows, pixels

    def _apc(self, command):
        keys, _, payload = command.partition(b";")
        values = dict(item.split(b"=") for item in keys[1:].split(b","))
        if values.get(b"a") == b"q":  # this terminal does not know it
            return
        assert values[b"q"] == b"2", "answers would be typed"
        if values.get(b"a") == b"d":
            self.pictures.pop(("number", int(values[b"i"])), None)
            return
        if self._kitty is None:
            assert (values[b"a"], values[b"f"], values[b"C"]) == (b"T", b"100", b"1")
            self._kitty = values, b""
        else:
            assert set(values) == {b"m", b"q"}
        assert 0 < len(payload) <= 4096
        first, data = self._kitty[0], self._kitty[1] + payload
        self._kitty = first, data
        if values[b"m"] == b"1":
            assert len(payload) == 4096
            return
        self._kitty = None
        key = "number", int(first[b"i"])
        self._put(key, int(first[b"c"]), int(first[b"r"]), png(data))

    def _osc(self, command):
        keys, _, payload = command.partition(b":")
        kind, _, options = keys.partition(b"=")
        assert kind == b"1337;File"
        values = dict(item.split(b"=") for item in options.split(b";"))
        assert (values[b"inline"], values[b"preserveAspectRatio"]) == (b"1", b"0")
        assert int(values[b"size"]) == len(base64.b64decode(payload))
        rows = int(values[b"height"])
        self._put(("at", self.row), int(values[b"width"]), rows, png(payload))
        self.row, self.column = self.row + rows - 1, int(values[b"width"])

    def _dcs(self, command):
        pixels = decode_sixel(command)
        high = -(-pixels.shape[0] // 6) * 6
        rows = -(-high // self.cell[1])
        self._put(("at", self.row), -(-pixels.shape[1] // self.cell[0]), rows, pixels)
        for _ in range(rows):  # below the picture, as DEC's terminals
            self._down()


def png(data):
    """Return the pixels of a PNG in base64."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))


def decode_sixel(command):
    """Return what a sixel picture shows, (h, w, 3) uint8; every pixel must have a colour."""
    head = re.match(rb'0;1;0q"1;1;(\d+);(\d+)', command)
    w, h = int(head[1]), int(head[2])
    palette, pixels = {}, np.full((h + 5, w, 3), -1)
    color, x, y = None, 0, 0
    for part in re.finditer(
        rb"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)", command[head.end() :]
    ):
        number, r, g, b, chosen, count, repeated, single, back, down = part.groups()
        if number:
            palette[int(number)] = [round(int(level) * 2.55) for level in (r, g, b)]
        elif chosen:
            color = palette[int(chosen)]
        elif back:
            x = 0
        elif down:
            x, y = 0, y + 6
        else:
            bits = (repeated or single)[0] - 63
            for _ in range(int(count or 1)):
                for k in range(6):
                    if bits >> k & 1:
                        assert (pixels[y + k, x] == -1).all(), "a pixel has two colours"
                        pixels[y + k, x] = color
                x += 1
            assert x <= w
    assert (pixels[:h] >= 0).all()
    assert (pixels[h:] == -1).all()
    return pixels[:h].astype(np.uint8)
