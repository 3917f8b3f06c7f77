"""Pictures of sixteen bits per channel as PNG and TIFF: the writers that Pillow does not have.

A level of 0..255 is multiplied by 257, so that the 256 levels of eight bits are levels of sixteen,
0 and 255 the darkest and the lightest of both; between two of them there are 256 more. Pictures are
written in bands of some rows, so that little memory is needed beside the picture itself.

Specifications: PNG, third edition (W3C); TIFF 6.0 (Adobe), with its Deflate compression.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from .errors import ImageError

_BAND = 1 << 20  # bytes of a band, about
_TIFF_END = 1 << 32  # places in a TIFF file are told in 32 bits

# What grey, RGB and RGBA are called, by the number of channels.
_COLOR_TYPE = {1: 0, 3: 2, 4: 6}  # PNG
_PHOTOMETRIC = {1: 1, 3: 2, 4: 2}  # TIFF
_AVERAGE = 3  # PNG's filter

Bands = Iterable[np.ndarray]


def write_deep(
    file: BinaryIO,
    format: str,
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Write a picture with sixteen bits per channel.

    Parameters
    ----------
    file : binary file
        Open for writing, at its beginning; TIFF needs one that can seek.
    format : {"PNG", "TIFF"}
    pixels : (h, w, 3), (h, w, 4), (h, w, 1) or (h, w) ndarray
        0..255; values beyond are clipped, what lies between two levels is rounded to the nearest.
    alpha : (h, w) uint8 ndarray, optional
        Put behind three channels, or one; the alpha of four channels goes before it. Grey with
        alpha is written as RGB with alpha, for Pillow knows no such TIFF.
    options : mapping, optional
        What `deepdream.recipe.save_options` returns: the texts that go into the file; and the
        ``icc_profile`` of its colours, bytes.

    Raises
    ------
    ImageError
        More pixels than a TIFF file has room for.
    """
    options = options or {}
    profile = options.get("icc_profile")
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    if pixels.shape[2] == 4:
        alpha = None
    if alpha is not None:
        pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    h, w, c = pixels.shape
    shape = h, w, c + (alpha is not None)
    rows = min(h, max(1, _BAND // (w * shape[2] * 2)))
    bands = (
        _levels(pixels[i : i + rows], None if alpha is None else alpha[i : i + rows])
        for i in range(0, h, rows)
    )
    if format == "PNG":
        texts = options["pnginfo"].chunks if "pnginfo" in options else ()
        chunks = [text[:2] for text in texts]
        if profile is not None:
            chunks.insert(0, (b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)))
        _write_png(file, shape, bands, chunks)
    else:
        _write_tiff(file, shape, bands, rows, options.get("tiffinfo", {}), profile)


def _levels(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Return (h, w, channels) uint16 levels."""
    if alpha is not None:
        pixels = np.dstack([pixels, alpha])
    # In float64: 65535 is too large for float16.
    return np.rint(np.multiply(np.clip(pixels, 0, 255), 257, dtype=np.float64)).astype(np.uint16)


def _write_png(
    file: BinaryIO, shape: tuple[int, int, int], bands: Bands, chunks: Iterable[tuple[bytes, bytes]]
) -> None:
    def chunk(kind: bytes, data: bytes) -> None:
        file.write(struct.pack(">I", len(data)) + kind)
        file.write(data)
        file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))

    h, w, channels = shape
    file.write(b"\x89PNG\r\n\x1a\n")
    chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, _COLOR_TYPE[channels], 0, 0, 0))
    for kind, data in chunks:
        chunk(kind, data)
    deflate = zlib.compressobj()
    for lines in _png_lines(bands, 2 * channels):
        packed = deflate.compress(lines.data)
        if packed:
            chunk(b"IDAT", packed)
    chunk(b"IDAT", deflate.flush())
    chunk(b"IEND", b"")


def _png_lines(bands: Bands, pixel: int) -> Iterator[np.ndarray]:
    """Yield the lines of a PNG: each is the number of its filter, then the filtered bytes.

    The filter Average takes from each byte the mean of the byte to the left, `pixel` bytes before,
    and of the one above. Half of a dream's bytes are noise whatever the filter. As the only filter,
    Average makes the smallest files of dreams: 64.9 MB of 12 megapixels, 65.3 to 70.3 by the
    others, 64.7 where the best is looked for in each line, which takes as long as to compress.
    """
    above: Any = 0
    for levels in bands:
        rows = len(levels)
        raw = levels.astype(">u2").reshape(rows, -1).view(np.uint8)
        up, left = np.zeros_like(raw), np.zeros_like(raw)
        up[0], up[1:] = above, raw[:-1]
        left[:, pixel:] = raw[:, :-pixel]
        lines = np.empty((rows, 1 + raw.shape[1]), np.uint8)
        lines[:, 0] = _AVERAGE
        # (left + up) // 2 without a ninth bit: what both have, and half of what one has.
        lines[:, 1:] = raw - ((left & up) + ((left ^ up) >> 1))
        above = raw[-1]
        yield lines


def _write_tiff(
    file: BinaryIO,
    shape: tuple[int, int, int],
    bands: Bands,
    rows: int,
    texts: Mapping[int, str],
    profile: bytes | None,
) -> None:
    h, w, channels = shape
    if h * w * channels * 2 >= _TIFF_END - _BAND:
        raise ImageError(
            f"{w}x{h} pixels of 16 bits are more than the 4 GiB of a TIFF file. PNG holds any size."
        )
    file.write(struct.pack("<2sHI", b"II", 42, 0))
    offsets, counts, end = [], [], 8
    for levels in bands:
        # Differences along the rows compress better (Predictor 2).
        levels[:, 1:] -= levels[:, :-1].copy()
        packed = zlib.compress(levels.astype("<u2", copy=False).data)
        offsets.append(end)
        counts.append(file.write(packed))
        end += counts[-1]
    end += file.write(b"\0" * (end % 2))  # directories begin at even places
    short, long = numbers("H"), numbers("I")
    tags = {
        256: long(w),  # ImageWidth
        257: long(h),  # ImageLength
        258: short(*[16] * channels),  # BitsPerSample
        259: short(8),  # Compression: Deflate
        262: short(_PHOTOMETRIC[channels]),  # PhotometricInterpretation
        273: long(*offsets),  # StripOffsets
        277: short(channels),  # SamplesPerPixel
        278: long(rows),  # RowsPerStrip
        279: long(*counts),  # StripByteCounts
        317: short(2),  # Predictor
        **({338: short(2)} if channels == 4 else {}),  # ExtraSamples: alpha, colours as they are
        **{tag: _text(text) for tag, text in texts.items()},
        **({} if profile is None else {34675: (7, len(profile), profile)}),  # ICC profile
    }
    file.write(directory(tags, end))
    file.seek(4)
    file.write(struct.pack("<I", end))


Field = tuple[int, int, bytes]  # TIFF's number of the type, how many values, the values


def numbers(code: str) -> Callable[..., Field]:
    """Return what makes a field of SHORTs ("H") or LONGs ("I")."""
    kind = {"H": 3, "I": 4}[code]
    return lambda *values: (kind, len(values), struct.pack(f"<{len(values)}{code}", *values))


def _text(text: str) -> Field:
    data = text.encode("ascii", "replace") + b"\0"
    return 2, len(data), data


def directory(tags: Mapping[int, Field], at: int) -> bytes:
    """Return a TIFF directory that lies `at` this place; values too long for it follow it."""
    head, behind = struct.pack("<H", len(tags)), b""
    free = at + 2 + 12 * len(tags) + 4
    for tag, (kind, count, data) in sorted(tags.items()):
        if len(data) > 4:
            place = struct.pack("<I", free + len(behind))
            behind += data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        head += struct.pack("<HHI", tag, kind, count) + place
    return head + b"\0\0\0\0" + behind
