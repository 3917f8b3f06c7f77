"""Pictures as terminals want them: kitty's graphics protocol, iTerm2's inline images, sixel.

Each function returns the bytes that draw a picture where the cursor is. Nothing here writes to a
terminal, or knows which one there is; that is the business of `terminal`.

Sources: "Terminal graphics protocol" in kitty's documentation, "Images" in iTerm2's; for sixel
chapter 14 of the VT330/VT340 Programmer Reference Manual.
"""

from __future__ import annotations

import base64
import functools
import io

import numpy as np
from PIL import Image

_CHUNK = 4096  # most bytes of base64 in one of kitty's commands
_ROWS = 6  # pixels above each other in a sixel


def kitty(image: Image.Image, columns: int, rows: int, number: int) -> bytes:
    """Return the commands that draw a picture by kitty's protocol, stretched over a box of cells.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB or RGBA. Where it is to keep its shape, give it a transparent margin: terminals differ
        in what they do with a box of another shape, or with one side of a box.
    columns, rows : int
        Of the box.
    number : int
        The picture's, from 1 to 2**32 - 1; see `kitty_gone`. What has the number already is taken
        away at once, before the new picture has come in, and would flicker.

    Returns
    -------
    bytes
        The cursor stays where it is (C=1); the terminal sends no answer (q=2).
    """
    data = base64.b64encode(_png(image))
    parts = [data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK)]
    commands = []
    for i, part in enumerate(parts):
        more = b"m=%d" % (i < len(parts) - 1)
        keys = b"a=T,f=100,i=%d,p=1,c=%d,r=%d,C=1," % (number, columns, rows) if i == 0 else b""
        commands.append(b"\x1b_G%s%s,q=2;%s\x1b\\" % (keys, more, part))
    return b"".join(commands)


def kitty_gone(number: int) -> bytes:
    """Return the command that takes a picture away, by kitty's protocol; there may be none."""
    return b"\x1b_Ga=d,d=I,i=%d,q=2\x1b\\" % number


def iterm2(image: Image.Image, columns: int, rows: int) -> bytes:
    """Return the command that draws a picture by iTerm2's protocol, stretched over a box of cells.

    Parameters
    ----------
    image, columns, rows
        As for `kitty`.
    """
    data = _png(image)
    keys = b"inline=1;size=%d;width=%d;height=%d;preserveAspectRatio=0" % (len(data), columns, rows)
    return b"\x1b]1337;File=%s:%s\a" % (keys, base64.b64encode(data))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def sixel(image: Image.Image, colors: int = 256) -> bytes:
    """Return an RGB picture as sixels: in the colours that suit it best, pixel by pixel.

    Parameters
    ----------
    image : PIL.Image.Image
    colors : int
        How many at most, 2..256. Those between are mixed by dithering.

    Notes
    -----
    Six rows at a time, each of their colours is a line of characters that tell which of the six
    pixels of a column have it; runs of a character are counted.
    """
    few = image.quantize(colors, Image.Quantize.FASTOCTREE)  # a 30th of the others' time
    few = image.quantize(palette=few, dither=Image.Dither.FLOYDSTEINBERG)
    levels = np.asarray(few)
    h, w = levels.shape
    palette = np.array(few.getpalette(), int).reshape(-1, 3)
    used = np.unique(levels)
    # Raster attributes: square pixels, width, height. Colours are told in percent.
    head = b'\x1bP0;1;0q"1;1;%d;%d' % (w, h)
    shades = (np.rint(palette[used] / 2.55).astype(int)).tolist()
    colours = b"".join(b"#%d;2;%d;%d;%d" % (n, *rgb) for n, rgb in zip(used.tolist(), shades))
    bands = (_band(levels[top : top + _ROWS]) for top in range(0, h, _ROWS))
    return head + colours + b"-".join(bands) + b"\x1b\\"


def _band(levels: np.ndarray) -> bytes:
    """Return up to six rows of colour numbers as sixels."""
    w = levels.shape[1]
    place = np.zeros(256, np.intp)
    place[levels] = 1
    here = np.flatnonzero(place)  # the colours of these rows
    place[here] = np.arange(len(here)) * w
    bits = np.zeros(len(here) * w, np.uint8)
    columns = np.arange(w)
    for k, row in enumerate(levels):
        bits[place[row] + columns] |= 1 << k
    # Where runs begin, and how long they are; those of nothing at the end of a line are left out.
    edges = np.ones(len(bits), bool)
    np.not_equal(bits[1:], bits[:-1], out=edges[1:])
    edges[::w] = True
    at = np.flatnonzero(edges)
    length = np.diff(np.append(at, len(bits)))
    kept = (bits[at] > 0) | ((at + length) % w > 0)
    at, length = at[kept], length[kept]
    line = at // w
    first = np.ones(len(line), bool)
    first[1:] = line[1:] != line[:-1]
    # Each run is a row of this table: "$#12" where its line begins, "!34" or nothing, "?".
    names, counts = _names(), _counts(w)
    table = np.zeros((len(at), names.shape[1] + counts.shape[1]), np.uint8)
    table[first, : names.shape[1]] = names[here]
    runs = table[:, names.shape[1] :]
    np.take(counts, length, 0, out=runs)
    np.copyto(runs, (bits[at] + np.uint8(63))[:, np.newaxis], where=runs == 1)
    return table[table > 0].tobytes()[1:]  # without the first "$": it goes back to the left


@functools.lru_cache(maxsize=1)
def _names() -> np.ndarray:
    """Return what begins a line of each colour, ``$#0`` to ``$#255``, filled up with zeros."""
    return np.array([list(b"$#%d" % n + b"\0" * (3 - len(str(n)))) for n in range(256)], np.uint8)


@functools.lru_cache(maxsize=4)
def _counts(w: int) -> np.ndarray:
    """Return how runs of 0 to `w` are written, ``x``, ``xx``, ``xxx``, ``!4x``, with x = 1."""
    texts = [b"\1" * n if n < 4 else b"!%d\1" % n for n in range(w + 1)]
    return np.array([list(text.ljust(len(str(w)) + 2, b"\0")) for text in texts], np.uint8)
