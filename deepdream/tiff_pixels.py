"""The pixels of TIFF files, however they are laid out.

Pillow knows the layouts of a list, and takes some for others: planes of sixteen bits come out as
noise, white as black. But its libtiff unpacks any file that is said to hold grey bytes, a row of
pixels as a row of bytes. So this module reads the directory, hands packed data on under such a
description, and puts the bytes together: any depth, signed or not, floating point, in planes or by
pixels, in strips or tiles, of either byte order and of BigTIFF.

What has less than eight bits, palettes, and what is packed as JPEG is left to Pillow.

Specifications: TIFF 6.0, Supplement 1 (tiles, CIELab), Technical Note 3 (floating point), Adobe.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin

from .errors import ImageError
from .quiet import quiet
from .sixteen_bits import directory, numbers
from .stored_colors import Stored, level_scale

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MANY = 1 << 24  # values of a tag; no picture has more strips

# Compressions that give back what was put in, and that libtiff has.
_NONE, _DEFLATE = 1, (8, 32946)
_LZW, _PACK_BITS, _LZMA, _ZSTANDARD = 5, 32773, 34925, 50000
_LOSSLESS = (_NONE, *_DEFLATE, _LZW, _PACK_BITS, _LZMA, _ZSTANDARD)
_WHITE_IS_ZERO, _GREY, _RGB, _CMYK, _LAB, _ICC_LAB = 0, 1, 2, 5, 8, 9
_SPACES = {_WHITE_IS_ZERO: ("L", 1), _GREY: ("L", 1), _RGB: ("RGB", 3), _CMYK: ("CMYK", 4),
           _LAB: ("LAB", 3), _ICC_LAB: ("LAB", 3)}  # fmt: skip
_RAW = (32803, 34892)  # photometric interpretations of a sensor
_DNG, _CHILDREN = 50706, 330  # tags: DNGVersion, SubIFDs
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3


class _Layout(NamedTuple):
    """What a directory says of the pixels."""

    w: int
    h: int
    bits: int
    kind: int  # SampleFormat
    channels: int
    photometric: int
    extra: tuple[int, ...]
    compression: int
    predictor: int
    planes: int
    tile: tuple[int, int] | None  # width and height
    rows: int  # of a strip
    order: str  # "<" or ">"

    @property
    def together(self) -> int:
        """Channels that lie side by side."""
        return self.channels // self.planes


def read_tiff(data: memoryview | bytes, what: str) -> Stored | None:
    """Return the colours of the first picture in a TIFF file.

    Parameters
    ----------
    data : memoryview or bytes
        The file.
    what : str
        Its name, for errors.

    Returns
    -------
    Stored or None
        None where it is no TIFF, or one whose pixels are Pillow's business.

    Raises
    ------
    ImageError
        A camera's raw file, or a layout that cannot be read.
    PIL.Image.DecompressionBombError
        More than twice ``PIL.Image.MAX_IMAGE_PIXELS``.
    Exception
        Whatever a damaged file leads to.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or struct.unpack(order + "H", data[2:4])[0] not in (42, 43):
        return None
    canon = bytes(data[8:10]) == b"CR"  # of Canon's raw files; their first picture is a preview
    tags = {} if canon else _read_directory(data, order)
    photometric = _one(tags, 262, _GREY)
    preview = _one(tags, 254, 0) & 1 and (_CHILDREN in tags or _DNG in tags)
    if canon or photometric in _RAW or preview:
        raise ImageError(
            f"{what} is no picture that can be read here but a camera's raw file. Develop it "
            "first, to a TIFF of 16 bits or a JPEG."
        )
    layout = _layout(tags, order)
    if not _ours(layout, tags, what):
        return None
    if layout.w * layout.h > 2 * (Image.MAX_IMAGE_PIXELS or math.inf):
        raise Image.DecompressionBombError(f"{layout.w * layout.h} pixels")
    samples = _samples(data, tags, layout)
    levels, alpha = _levels(samples, layout, what)
    profile = bytes(tags[34675]) if 34675 in tags else None
    space = _SPACES[photometric][0]
    return Stored(levels, space, alpha, profile, _one(tags, 274, 1))


def _ours(layout: _Layout, tags: dict[int, Any], what: str) -> bool:
    """Tell whether a layout is read here; raise where nobody can."""
    if layout.bits < 8 or layout.photometric not in _SPACES:
        return False
    problem = ""
    if layout.compression not in _LOSSLESS:
        if layout.bits == 8 and layout.planes == 1:  # JPEG, mostly
            return False
        problem = f"its compression ({layout.compression}) is not known for {layout.bits} bits"
    elif layout.channels < _SPACES[layout.photometric][1]:
        problem = f"it has only {layout.channels} channels"
    elif len(set(_many(tags, 258, (1,)))) > 1 or len(set(_many(tags, 339, (1,)))) > 1:
        problem = "its channels differ in depth"
    elif _one(tags, 266, 1) != 1:
        problem = "its bits are in reverse order (FillOrder 2)"
    elif layout.kind == _FLOAT and layout.bits not in (16, 32, 64):
        problem = f"it has floating point numbers of {layout.bits} bits"
    elif layout.kind not in (_UNSIGNED, _SIGNED, _FLOAT) or layout.bits > 64:
        problem = f"its numbers are of an unusual kind ({layout.kind}, {layout.bits} bits)"
    elif layout.bits not in (8, 16, 32, 64) and (layout.bits > 16 or layout.kind != _UNSIGNED):
        problem = f"it has whole numbers of {layout.bits} bits"
    elif layout.photometric in (_LAB, _ICC_LAB) and layout.bits not in (8, 16):
        problem = f"its L*a*b* has {layout.bits} bits"
    if problem:
        raise ImageError(
            f"{what} is a TIFF that cannot be read here: {problem}. Save it with 8 or 16 bits, "
            "uncompressed or with LZW."
        )
    return True


# -- the directory --------------------------------------------------------------------------------


def _read_directory(data: memoryview | bytes, order: str) -> dict[int, Any]:
    """Return the first directory: tuples of whole numbers, or bytes, by tag."""
    big = struct.unpack(order + "H", data[2:4])[0] == 43
    place, count, entry, inline = ("Q", "Q", "HHQ", 8) if big else ("I", "H", "HHI", 4)
    (at,) = struct.unpack_from(order + place, data, 8 if big else 4)
    (n,) = struct.unpack_from(order + count, data, at)
    at += struct.calcsize(count)
    tags: dict[int, Any] = {}
    for _ in range(min(n, 1 << 16)):
        tag, kind, length = struct.unpack_from(order + entry, data, at)
        size = _SIZES.get(kind, 1) * length
        start = at + struct.calcsize("=" + entry)
        at = start + inline
        if size > inline:
            (start,) = struct.unpack_from(order + place, data, start)
        if kind in _CODES and kind != 1:
            if length > _MANY:
                raise ValueError(f"tag {tag} has {length} values")
            tags[tag] = struct.unpack_from(f"{order}{length}{_CODES[kind]}", data, start)
        elif kind in (1, 2, 7):
            tags[tag] = bytes(data[start : start + size])
    return tags


def _many(tags: dict[int, Any], tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(tags.get(tag, default))


def _one(tags: dict[int, Any], tag: int, default: int) -> int:
    return int((_many(tags, tag, (default,)) or (default,))[0])


def _layout(tags: dict[int, Any], order: str) -> _Layout:
    channels, w, h = _one(tags, 277, 1), _one(tags, 256, 0), _one(tags, 257, 0)
    tile = (_one(tags, 322, 0), _one(tags, 323, 0)) if 322 in tags else None
    if w < 1 or h < 1 or not 1 <= channels <= 64 or (tile is not None and min(tile) < 1):
        raise ValueError(f"a size of {w}x{h} with {channels} channels")
    planes = channels if _one(tags, 284, 1) == 2 else 1
    return _Layout(
        w, h, _one(tags, 258, 1), _one(tags, 339, 1), channels, _one(tags, 262, _GREY),
        _many(tags, 338, ()), _one(tags, 259, 1), _one(tags, 317, 1), planes, tile,
        min(max(_one(tags, 278, h), 1), h), order,
    )  # fmt: skip


# -- from packed bytes to samples -----------------------------------------------------------------


def _samples(data: memoryview | bytes, tags: dict[int, Any], layout: _Layout) -> np.ndarray:
    """Return (h, w, channels) samples in this machine's byte order."""
    offsets = _many(tags, 273, ()) or _many(tags, 324, ())
    counts = _many(tags, 279, ()) or _many(tags, 325, ())
    if layout.tile is None:
        across, rows, width = 1, layout.rows, layout.w
    else:
        width, rows = layout.tile
        across = math.ceil(layout.w / width)
    pieces = across * math.ceil(layout.h / rows)
    line = math.ceil(width * layout.together * layout.bits / 8)  # bytes of a row of a piece
    if not counts and layout.compression == 1 and len(offsets) == 1:  # early writers
        counts = (line * layout.h,)
    if len(offsets) < pieces * layout.planes or len(counts) < pieces * layout.planes:
        raise ValueError(f"{len(offsets)} of {pieces * layout.planes} strips are there")
    planes = []
    for plane in range(layout.planes):
        part = slice(plane * pieces, (plane + 1) * pieces)
        packed = [data[at : at + n] for at, n in zip(offsets[part], counts[part])]
        height = layout.h if layout.tile is None else pieces * rows
        values = _values(_unpacked(packed, layout.compression, line, rows, height), width, layout)
        if layout.tile is not None:
            side_by_side = values.reshape(-1, across, rows, width, layout.together).swapaxes(1, 2)
            values = side_by_side.reshape(height // across, across * width, layout.together)
        planes.append(values[: layout.h, : layout.w])
    return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)


def _unpacked(packed: list[Any], compression: int, line: int, rows: int, height: int) -> np.ndarray:
    """Return the bytes of strips, or of tiles one below the other.

    Parameters
    ----------
    packed : list of bytes
    compression : int
        TIFF's number of it.
    line : int
        Bytes of a row.
    rows : int
        Rows of a piece; the last may have fewer.
    height : int
        Rows of all.

    Returns
    -------
    (height, line) uint8 ndarray
    """
    if compression in (_NONE, *_DEFLATE):
        out = bytearray()
        for piece in packed:
            size = min(rows * line, height * line - len(out))
            whole = piece if compression == _NONE else zlib.decompressobj().decompress(piece, size)
            if len(whole) < size:
                raise ValueError(f"{len(whole)} of {size} bytes of a strip are there")
            out += whole[:size]
        return np.frombuffer(out, np.uint8).reshape(height, line)
    # Pillow counts these bytes as pixels, and suspects an attack where they are many.
    at_once = max(1, int((Image.MAX_IMAGE_PIXELS or math.inf) // (rows * line)))
    groups = [packed[i : i + at_once] for i in range(0, len(packed), at_once)]
    heights = [
        min(len(group) * rows, height - i * at_once * rows) for i, group in enumerate(groups)
    ]
    return np.concatenate(
        [_by_libtiff(group, compression, line, rows, h) for group, h in zip(groups, heights)]
    )


def _by_libtiff(packed: list[Any], compression: int, line: int, rows: int, h: int) -> np.ndarray:
    """Do what `_unpacked` does by a TIFF of grey bytes that is made here, and read by Pillow."""
    counts = [len(piece) for piece in packed]
    short, long = numbers("H"), numbers("I")
    end = 8 + sum(counts) + sum(counts) % 2
    described = {
        256: long(line),
        257: long(h),
        258: short(8),
        259: short(compression),
        262: short(_GREY),
        273: long(*itertools.accumulate(counts[:-1], initial=8)),
        277: short(1),
        278: long(rows),
        279: long(*counts),
    }
    file = io.BytesIO()
    file.write(struct.pack("<2sHI", b"II", 42, end))
    for piece in packed:
        file.write(piece)
    file.seek(end)
    file.write(directory(described, end))
    file.seek(0)
    with quiet(Image.DecompressionBombWarning), TiffImagePlugin.TiffImageFile(file) as image:
        return np.asarray(image)


def _values(lines: np.ndarray, width: int, layout: _Layout) -> np.ndarray:
    """Return (lines, width, channels side by side) samples of (lines, bytes)."""
    n, c, bits = len(lines), layout.together, layout.bits
    if bits not in (8, 16, 32, 64):  # packed without gaps, the highest bit first
        each = np.unpackbits(lines, axis=1)[:, : width * c * bits].reshape(n, width, c, bits)
        packed = np.zeros((n, width, c), np.uint16)
        for i in range(bits):
            packed <<= 1
            packed |= each[..., i]
        return packed
    code = {_UNSIGNED: "u", _SIGNED: "i", _FLOAT: "f"}[layout.kind]
    if layout.predictor == 3:  # of floating point: the bytes of a row by their weight, differences
        parts = np.add.accumulate(lines.reshape(n, -1, c), axis=1, dtype=np.uint8)
        weights = parts.reshape(n, bits // 8, width * c).swapaxes(1, 2)
        values = np.ascontiguousarray(weights).view(f">{code}{bits // 8}")
        return values.reshape(n, width, c).astype(f"{code}{bits // 8}")
    values = lines.view(f"{layout.order}u{bits // 8}").astype(f"u{bits // 8}", copy=False)
    values = values.reshape(n, width, c)
    if layout.predictor == 2:  # differences along the rows
        values = np.add.accumulate(values, axis=1, dtype=values.dtype)
    return values.view(f"{code}{bits // 8}")


# -- from samples to levels -----------------------------------------------------------------------


def _levels(
    samples: np.ndarray, layout: _Layout, what: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the levels of the colours and the alpha, as `Stored` wants them."""
    _, count = _SPACES[layout.photometric]
    colours, extra = samples[..., :count], samples[..., count:]
    kinds = (*layout.extra, *(0,) * extra.shape[2])[: extra.shape[2]]
    if not layout.extra and layout.photometric == _RGB and layout.channels == 4:
        kinds = (2,)  # as Pillow has it: nobody writes a fourth channel for nothing
    place = next((i for i, kind in enumerate(kinds) if kind in (1, 2)), None)
    if layout.photometric in (_LAB, _ICC_LAB):
        return _lab(colours, layout), None
    if samples.dtype == np.uint8:
        levels = colours
        alpha = None if place is None else extra[..., place].astype(np.float32)
    else:
        depth = layout.bits if layout.kind == _UNSIGNED and layout.bits <= 16 else None
        scale = np.float32(level_scale(colours, depth, what))
        levels = colours.astype(np.float32) * scale
        alpha = None if place is None else extra[..., place].astype(np.float32) * scale
    if layout.photometric == _WHITE_IS_ZERO:
        levels = 255 - levels
    if alpha is None:
        return np.ascontiguousarray(levels), None
    if kinds[place or 0] == 1:  # colours were multiplied by it
        share = alpha[..., np.newaxis] / np.float32(255)
        levels = np.divide(levels, share, out=np.zeros(levels.shape, np.float32), where=share > 0)
        if layout.kind != _FLOAT:
            levels = np.minimum(levels, 255)
    return np.ascontiguousarray(levels), np.rint(np.clip(alpha, 0, 255)).astype(np.uint8)


def _lab(samples: np.ndarray, layout: _Layout) -> np.ndarray:
    """Return L*, a* and b* of 8 or 16 bits: a* and b* are signed, or begin at their middle."""
    signed = samples.view(f"i{layout.bits // 8}").astype(np.float32)
    light = samples[..., :1].astype(np.float32) * np.float32(100 / (2**layout.bits - 1))
    if layout.photometric == _ICC_LAB:
        signed = samples.astype(np.float32) - np.float32(2 ** (layout.bits - 1))
    return np.concatenate([light, signed[..., 1:] / np.float32(2 ** (layout.bits - 8))], axis=2)
