"""Animated GIF, PNG and WebP: pictures that Pillow encodes one by one, put together here.

Pillow can write animations itself, but holds all frames in memory (GIF), merges frames that are
equal, and cuts the delays of a GIF to whole hundredths, so that ten seconds of 30 frames per second
last nine. Here a part is a file of encoded pictures, one after the other; joining them puts their
data behind the headers that the formats ask for, and times are rounded once, from the beginning.

Sources: CompuServe's GIF89a specification and Netscape's loop extension; the PNG specification,
third edition (acTL, fcTL, fdAT); Google's WebP container specification.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ..errors import FilmError
from ..recipe import recipe_text, save_options
from .making import Making, check_quality, durations

SUFFIXES = (".gif", ".png", ".apng", ".webp")

_LENGTH = struct.Struct("<I")
_WEBP_QUALITY = {"small": 70, "good": 85, "best": 95}
_SAMPLE = 160  # pixels of the longer side, for the choice of 256 colours
_GIF_FASTEST = Fraction(1, 50)  # seconds; what claims less is shown for a tenth


class Animation:
    """An animation that shows itself over and over; a `making.Kind`."""

    part_suffix = ".frames"
    playable = False
    shortest = 1

    def __init__(self, making: Making) -> None:
        suffix = making.path.suffix.lower()
        self._format = {".gif": "GIF", ".webp": "WEBP"}.get(suffix, "PNG")
        self._making = making
        self.notes: list[str] = []
        names: dict[str, tuple[str, ...]] = {
            "GIF": ("good",), "PNG": ("lossless",), "WEBP": (*_WEBP_QUALITY, "lossless"),
        }  # fmt: skip
        quality = making.quality
        if quality is None:
            quality = "lossless" if self._format == "PNG" else "good"
        check_quality(quality, names[self._format], suffix)
        self._quality = quality
        self.tick = {"GIF": Fraction(1, 100), "WEBP": Fraction(1, 1000)}.get(
            self._format, Fraction(1, 1000)
        )
        if self._format == "PNG" and not making.variable and making.rate.numerator < 1 << 16:
            self.tick = 1 / making.rate
        if self._format == "GIF":
            self.shortest = round(_GIF_FASTEST / self.tick)
        if self._format == "GIF" and 1 / making.rate < _GIF_FASTEST:
            self.notes.append(
                "programs show no GIF faster than 50 frames per second: take every second frame"
            )
        if max(making.size) > (16383 if self._format == "WEBP" else 65535):
            raise FilmError(
                f"{suffix} holds no frames of {making.size[1]}x{making.size[0]} pixels."
            )
        if making.sound is not None:
            self.notes.append(f"the sound is left out: {suffix} has none")
        self.settings = {"encoder": self._format, "quality": quality}

    def open_part(self, path: Path, first: int) -> _PictureFile:
        """Begin a part."""
        return _PictureFile(path, self._format, self._quality)

    def join(self, parts: Sequence[Path], ticks: Sequence[int], out: Path) -> None:
        """Write the animation."""
        shown = durations(ticks, round(1 / self._making.rate / self.tick))
        write = {"GIF": _write_gif, "PNG": _write_png, "WEBP": _write_webp}[self._format]
        with out.open("wb") as file:
            write(file, _pictures(parts), shown, self.tick, self._making)


def _pictures(parts: Sequence[Path]) -> Iterator[bytes]:
    for path in parts:
        with path.open("rb") as file:
            while head := file.read(_LENGTH.size):
                yield file.read(*_LENGTH.unpack(head))


class _PictureFile:
    """Encoded pictures, each behind its length in bytes."""

    def __init__(self, path: Path, format: str, quality: Any) -> None:
        self._file = path.open("wb")
        self._format, self._quality = format, quality

    def add(self, pixels: np.ndarray, tick: int) -> None:
        """Encode a frame."""
        data = io.BytesIO()
        image = Image.fromarray(pixels)
        if self._format == "GIF":
            image.quantize(palette=_palette(image), dither=Image.Dither.FLOYDSTEINBERG).save(
                data, "GIF", interlace=False
            )
        elif self._format == "PNG":
            image.save(data, "PNG")
        elif self._quality == "lossless":
            image.save(data, "WEBP", lossless=True, quality=50, exact=True)
        else:
            quality = _WEBP_QUALITY.get(self._quality, self._quality)
            image.save(data, "WEBP", quality=int(quality), method=4)
        self._file.write(_LENGTH.pack(data.getbuffer().nbytes))
        self._file.write(data.getbuffer())

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


def _palette(image: Image.Image) -> Image.Image:
    """Return the 256 colours of a frame, chosen from some of its pixels.

    Cut at medians alone they are off in hue; one pass of k-means mends that. Of all pixels it would
    take seconds.
    """
    w, h = image.size
    share = min(1, _SAMPLE / max(w, h))
    size = (max(1, round(w * share)), max(1, round(h * share)))
    few = image.resize(size, Image.Resampling.NEAREST)
    return few.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1)


# -- GIF


def _write_gif(
    file: BinaryIO, pictures: Iterator[bytes], shown: Sequence[int], tick: Fraction,
    making: Making,
) -> None:  # fmt: skip
    h, w = making.size
    file.write(b"GIF89a" + struct.pack("<HHBBB", w, h, 0x70, 0, 0))
    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # again and again
    if making.recipe is not None:
        file.write(b"\x21\xfe" + _sub_blocks(recipe_text(making.recipe).encode("ascii")))
    for picture, ticks in zip(pictures, shown):
        table, data = _gif_image(picture)
        # Nothing is thrown away between frames: each covers the whole picture.
        file.write(b"\x21\xf9\x04\x04" + struct.pack("<H", min(ticks, 65535)) + b"\x00\x00")
        depth = (len(table) // 3).bit_length() - 2
        file.write(b"\x2c" + struct.pack("<HHHHB", 0, 0, w, h, 0x80 | depth) + table + data)
    file.write(b"\x3b")


def _gif_image(picture: bytes) -> tuple[bytes, bytes]:
    """Return the table of colours and the coded pixels of a GIF of one frame."""
    flags = picture[10]
    place = 13
    table = b""
    if flags & 0x80:
        table = picture[place : place + 3 * (2 << (flags & 7))]
        place += len(table)
    while picture[place] == 0x21:  # extensions
        place += 2
        while picture[place]:
            place += picture[place] + 1
        place += 1
    flags = picture[place + 9]
    place += 10
    if flags & 0x80:
        table = picture[place : place + 3 * (2 << (flags & 7))]
        place += len(table)
    begin = place
    place += 1
    while picture[place]:
        place += picture[place] + 1
    return table, picture[begin : place + 1]


def _sub_blocks(data: bytes) -> bytes:
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


# -- PNG


def _write_png(
    file: BinaryIO, pictures: Iterator[bytes], shown: Sequence[int], tick: Fraction,
    making: Making,
) -> None:  # fmt: skip
    h, w = making.size
    sequence = 0
    for number, (picture, ticks) in enumerate(zip(pictures, shown)):
        chunks = [*_png_chunks(picture)]
        if number == 0:
            file.write(b"\x89PNG\r\n\x1a\n")
            file.write(_png_chunk(b"IHDR", chunks[0][1]))
            for name, data in _png_texts(making.recipe):
                file.write(_png_chunk(name, data))
            file.write(_png_chunk(b"acTL", struct.pack(">II", len(shown), 0)))
        delay = _delay(ticks * tick)
        control = struct.pack(">IIIIIHHBB", sequence, w, h, 0, 0, *delay, 0, 0)
        file.write(_png_chunk(b"fcTL", control))
        sequence += 1
        for name, data in chunks:
            if name == b"IDAT" and number == 0:
                file.write(_png_chunk(b"IDAT", data))
            elif name == b"IDAT":
                file.write(_png_chunk(b"fdAT", struct.pack(">I", sequence) + data))
                sequence += 1
    file.write(_png_chunk(b"IEND", b""))


def _delay(seconds: Fraction) -> tuple[int, int]:
    """Return numerator and denominator of a time, each in 16 bits."""
    if max(seconds.numerator, seconds.denominator) < 1 << 16:
        return seconds.numerator, seconds.denominator
    return min(round(seconds * 1000), 65535), 1000


def _png_texts(recipe: Mapping[str, Any] | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks that a PNG picture has its recipe in."""
    info = save_options(recipe, "PNG").get("pnginfo")
    for name, data, *_ in [] if info is None else info.chunks:
        yield name, data


def _png_chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(picture):
        (length,) = struct.unpack_from(">I", picture, place)
        yield picture[place + 4 : place + 8], picture[place + 8 : place + 8 + length]
        place += 12 + length


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# -- WebP


def _write_webp(
    file: BinaryIO, pictures: Iterator[bytes], shown: Sequence[int], tick: Fraction,
    making: Making,
) -> None:  # fmt: skip
    h, w = making.size
    exif = save_options(making.recipe, "WEBP").get("exif", b"")
    file.write(b"RIFF\0\0\0\0WEBP")
    flags = 0x02 | (0x08 if exif else 0)
    file.write(_riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _three(w - 1) + _three(h - 1)))
    file.write(_riff_chunk(b"ANIM", b"\xff\xff\xff\xff\0\0"))
    for picture, ticks in zip(pictures, shown):
        kept = b"".join(
            _riff_chunk(name, data)
            for name, data in _riff_chunks(picture)
            if name in (b"VP8 ", b"VP8L", b"ALPH")
        )
        place = _three(0) + _three(0) + _three(w - 1) + _three(h - 1)
        # Each frame covers the whole picture; nothing shows through it.
        file.write(_riff_chunk(b"ANMF", place + _three(min(ticks, (1 << 24) - 1)) + b"\x02" + kept))
    if exif:
        file.write(_riff_chunk(b"EXIF", exif))
    length = file.tell()
    if length > 0xFFFFFFFE:
        raise FilmError("an animated WebP holds 4 GiB at most: write a film, as .webm.")
    file.seek(4)
    file.write(_LENGTH.pack(length - 8))


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _riff_chunk(name: bytes, data: bytes) -> bytes:
    return name + _LENGTH.pack(len(data)) + data + b"\0" * (len(data) % 2)


def _riff_chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place < len(picture):
        name, (length,) = picture[place : place + 4], _LENGTH.unpack_from(picture, place + 4)
        yield name, picture[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
