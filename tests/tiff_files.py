"""TIFF files of any layout, built by hand from the specification, for the tests."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np

GREY, RGB, CMYK, LAB = 1, 2, 5, 8


def lzw(data):
    """Return TIFF's LZW of bytes: every byte by itself, in codes of nine bits."""
    codes = []
    for i in range(0, len(data), 200):
        codes += [256, *data[i : i + 200]]  # 256 clears the table before it needs ten bits
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def packbits(data):
    return b"".join(
        bytes([len(part) - 1]) + part
        for part in (data[i : i + 128] for i in range(0, len(data), 128))
    )


PACKERS = {1: bytes, 5: lzw, 8: zlib.compress, 32773: packbits}


def differences(values, predictor, order):
    """Return the bytes of a piece (rows, columns, channels), by a predictor."""
    if predictor == 2:
        values = values.copy()
        whole = values.view(f"u{values.itemsize}")
        whole[:, 1:] -= whole[:, :-1].copy()
    if predictor != 3:
        return values.astype(values.dtype.newbyteorder(order)).tobytes()
    rows, columns, channels = values.shape
    parts = values.astype(values.dtype.newbyteorder(">")).view(np.uint8)
    parts = parts.reshape(rows, columns * channels, -1).swapaxes(1, 2).reshape(rows, -1, channels)
    parts = parts.copy()
    parts[:, 1:] -= parts[:, :-1].copy()
    return parts.tobytes()


def tiff(pixels, photometric, *, planar=False, compression=1, predictor=1, tile=None, order="<",
         big=False, extra=(), rows=4, more=None):  # fmt: skip
    """Return a TIFF file.

    Parameters
    ----------
    pixels : (h, w, channels) ndarray
        Of whole or floating point numbers.
    planar, compression, predictor, tile, order, big, extra, rows
        The layout; `tile` is (width, height), `rows` those of a strip.
    more : dict, optional
        Other tags: their type, count and bytes.
    """
    h, w, channels = pixels.shape
    parts = [pixels[..., c : c + 1] for c in range(channels)] if planar else [pixels]
    pieces = []
    for part in parts:
        if tile is None:
            cut = [part[y : y + rows] for y in range(0, h, rows)]
        else:
            full = np.zeros(
                (math.ceil(h / tile[1]) * tile[1], math.ceil(w / tile[0]) * tile[0], part.shape[2]),
                part.dtype,
            )
            full[:h, :w] = part
            cut = [
                full[y : y + tile[1], x : x + tile[0]]
                for y in range(0, h, tile[1])
                for x in range(0, w, tile[0])
            ]
        pieces += [PACKERS[compression](differences(c, predictor, order)) for c in cut]
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]

    def short(*values):
        return 3, len(values), struct.pack(f"{order}{len(values)}H", *values)

    def place(*values):
        code = "Q" if big else "I"
        return 16 if big else 4, len(values), struct.pack(f"{order}{len(values)}{code}", *values)

    start = 16 if big else 8
    offsets = [start + sum(map(len, pieces[:i])) for i in range(len(pieces))]
    tags = {
        256: short(w), 257: short(h), 258: short(*[pixels.itemsize * 8] * channels),
        259: short(compression), 262: short(photometric), 277: short(channels),
        284: short(2 if planar else 1), 317: short(predictor), 339: short(*[kind] * channels),
        **({338: short(*extra)} if extra else {}), **(more or {}),
    }  # fmt: skip
    counts = [len(piece) for piece in pieces]
    if tile is None:
        tags.update({273: place(*offsets), 278: short(rows), 279: place(*counts)})
    else:
        tags.update({322: short(tile[0]), 323: short(tile[1]), 324: place(*offsets),
                     325: place(*counts)})  # fmt: skip
    body = b"".join(pieces)
    body += b"\0" * (len(body) % 2)
    at = start + len(body)
    count, number, inline = ("Q", "Q", 8) if big else ("H", "I", 4)
    listed, behind = struct.pack(order + count, len(tags)), b""
    entry = struct.calcsize("=HH" + number) + inline
    after = at + len(listed) + entry * len(tags) + inline
    for tag, (kind, n, data) in sorted(tags.items()):
        if len(data) > inline:
            field = struct.pack(order + number, after + len(behind))
            behind += data + b"\0" * (len(data) % 2)
        else:
            field = data.ljust(inline, b"\0")
        listed += struct.pack(f"{order}HH{number}", tag, kind, n) + field
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, at) if big else struct.pack(f"{order}HI", 42, at)
    return mark + head + body + listed + b"\0" * inline + behind
