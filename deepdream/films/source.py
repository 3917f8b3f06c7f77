"""Where the frames of a film come from: a file, a folder, a list or an iterator.

`open_source` recognises what it is given by its first bytes, not by its name; `Source` gives the
frames that are wanted, at their times, in the size that is wanted.
"""

from __future__ import annotations

import itertools
import numbers
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FilmError, ImageError, ParameterError
from ..files import AVIF, HEIC, FileName, open_view, sniff
from ..picture import Picture, resized
from ..picture_files import open_picture
from .beside import ahead
from .clock import Pick, even_rate, parse_rate, parse_time, pick
from .frame import Frame
from .reader import LARGEST, Raw, Reader
from .source_animation import AnimationReader
from .source_film import FilmReader
from .source_pictures import ArraysReader, FolderReader

RATE = Fraction(25)  # of pictures that have no times of their own

_LEAST = 8  # pixels of a side

_ANIMATIONS = (b"GIF8", b"\x89PNG\r\n\x1a\n")
_STILLS = (b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM", b"8BPS", b"\0\0\0\x0cjP  ", b"\xff\x0a")


def open_source(
    source: Any,
    *,
    start: Any = None,
    end: Any = None,
    every: int = 1,
    fps: Any = None,
    size: Any = None,
) -> Source:
    """Open what a film's frames come from.

    Parameters
    ----------
    source : str, PathLike, or iterable of arrays
        A file that FFmpeg reads; an animated GIF, PNG, WebP or AVIF; a folder of pictures, in
        natural order of their names; a list or an iterator of arrays or PIL images. (n, h, w, 3)
        arrays are lists of frames. A `Reader`, where it is open already.
    start, end : float or str, optional
        Seconds from the source's first frame, or ``"1:02.5"``; frames before `start`, and from
        `end` on, are left out.
    every : int
        Each n-th frame, at its own time.
    fps : float or str, optional
        Frames per second: frames come twice or not at all, so that the film is as long as before.
        For pictures without times of their own, how many are shown in a second (25).
    size : (int, int), int or str, optional
        Width and height of the frames; one of them may be None, and follows. One number is the
        longer side. ``"640x360"``, ``"640x"``, ``"x360"`` and ``"640"`` mean the same.

    Returns
    -------
    Source

    Raises
    ------
    MissingFileError
        There is no such file.
    FilmError
        No film, a damaged one, a picture, no frames between `start` and `end`.
    ParameterError
        One of the keywords makes no sense.
    EngineError
        A film, and PyAV is not installed.
    """
    begin = None if start is None else parse_time(start, "start")
    until = None if end is None else parse_time(end, "end")
    if begin is not None and until is not None and until <= begin:
        raise ParameterError(f"end, {end!r}, is not after start, {start!r}")
    if not isinstance(every, numbers.Integral) or isinstance(every, bool) or every < 1:
        raise ParameterError(f"every is {every!r}: a whole number from 1 is expected")
    rate = None if fps is None else parse_rate(fps)
    return Source(_reader(source), begin, until, int(every), rate, parse_size(size))


def _reader(source: Any) -> Reader:
    if isinstance(source, Reader):
        return source
    if isinstance(source, (str, bytes, os.PathLike)):
        return _file_reader(source)
    if not isinstance(source, Iterable):
        raise FilmError(
            f"of the type {type(source).__name__} no film can be read: the name of a file or a "
            "folder is expected, or a list of arrays."
        )
    return ArraysReader(source)


def _file_reader(source: FileName) -> Reader:
    path = Path(os.fsdecode(source))
    if path.is_dir():
        return FolderReader(path)
    view = open_view(source, FilmError)
    head = bytes(view[:4096])
    if not head:
        raise FilmError(f"'{path}' is empty (0 bytes): get it again.")
    what = sniff(head)
    if what is not None:
        raise FilmError(f"'{path}' is no film but {what}: the download went wrong.")
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    heif = head[4:8] == b"ftyp" and head[8:12] in HEIC | AVIF
    if head.startswith(_ANIMATIONS) or webp or heif:
        try:
            with open_picture(view, f"'{path}'"):
                pass
        except ImageError as error:
            raise FilmError(str(error)) from error
        return AnimationReader(path)
    if head.startswith(_STILLS):
        raise FilmError(
            f"'{path}' is a picture, not a film: deepdream dream takes it, and deepdream zoom "
            "makes a film of it."
        )
    return FilmReader(path)


def parse_size(size: Any) -> tuple[int | None, int | None] | int | None:
    """Read a size: what `open_source` takes.

    Returns
    -------
    (w, h) of int or None, or the longer side, or None

    Raises
    ------
    ParameterError
        It is none.
    """
    if size is None:
        return None
    given = size
    if isinstance(size, str):
        parts = size.lower().replace("×", "x").split("x")
        words = [part.strip() for part in parts]
        if len(words) <= 2 and all(word.isdigit() or not word for word in words) and any(words):
            values = [int(word) if word else None for word in words]
            size = values[0] if len(values) == 1 else tuple(values)
    if isinstance(size, numbers.Integral) and not isinstance(size, bool):
        if _LEAST <= int(size) <= LARGEST:
            return int(size)
    elif isinstance(size, (tuple, list)) and len(size) == 2:
        sides = [side for side in size if side is not None]
        if sides and all(
            isinstance(side, numbers.Integral) and _LEAST <= int(side) <= LARGEST for side in sides
        ):
            w, h = (None if side is None else int(side) for side in size)
            return w, h
    raise ParameterError(
        f"size is {given!r}: width and height are expected, as 640x360, or one of them, from "
        f"{_LEAST} to {LARGEST}"
    )


class Source:
    """The frames that are wanted of a source; see `open_source`.

    Attributes
    ----------
    size : (int, int)
        Height and width of the frames.
    rate : Fraction
        Frames per second, on average.
    count : int or None
        How many frames there will be; None where only reading tells. Damage may leave fewer.
    variable : bool
        Whether they come at uneven times.
    sound : Sound or None
        What `target.open_target` needs to carry the sound over.
    warnings : list of str
        What is to be said about the source. It may grow while frames are read.
    """

    def __init__(
        self, reader: Reader, start: Fraction | None, end: Fraction | None, every: int,
        fps: Fraction | None, size: tuple[int | None, int | None] | int | None,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._start, self._end, self._every, self._fps = start, end, every, fps
        self.size = _wanted(reader.size, size)
        self._explicit = size is not None
        self._picks: list[Pick] | None = None
        self._even: Fraction | None = None
        self.warnings = reader.warnings
        self.count: int | None = None
        if reader.times is None:
            self._by_number(reader)
        else:
            self._by_times(reader)
        self.sound = None
        if reader.tracks is not None:
            origin = self._begins_at if reader.times else Fraction(0)
            self.sound = reader.tracks.between(origin, end, self.count)

    def _by_times(self, reader: Reader) -> None:
        assert reader.times is not None
        self._picks = [*pick(
            reader.times, start=self._start, end=self._end, every=self._every, fps=self._fps
        )]  # fmt: skip
        if not self._picks:
            length = float(reader.times[-1])
            raise FilmError(
                f"'{reader.name}' has no frames there: its last one is at {length:.2f} seconds."
            )
        self._begins_at = reader.times[self._picks[0].place]
        self.count = len(self._picks)
        times = [wanted.time for wanted in self._picks]
        hints = [] if self._every > 1 else reader.hints
        self._even = self._fps or even_rate(times, hints)
        self.variable = self._even is None
        self.rate = self._even or _mean_rate(times, reader.hints)

    def _by_number(self, reader: Reader) -> None:
        """Give frames the times of an even rate, where they have none of their own."""
        own = next((Fraction(hint) for hint in reader.hints if hint), None)
        base = own or (self._fps or RATE) * self._every
        self._base = base
        self._resample = self._fps if own else None
        self._even = self._resample or base / self._every
        self._begins_at = self._start or Fraction(0)
        self.variable, self.rate = False, self._even
        if reader.count is not None:
            times = (number / base for number in range(reader.count))
            self._picks = [*self._pick(times)]
            self.count = len(self._picks)
            if not self._picks:
                raise FilmError(
                    f"'{reader.name}' has no frames there: its last one is at "
                    f"{float((reader.count - 1) / base):.2f} seconds."
                )

    def _pick(self, times: Iterable[Fraction]) -> Iterator[Pick]:
        return pick(times, start=self._start, end=self._end, every=self._every, fps=self._resample)

    @property
    def digest(self) -> str:
        """A hash that tells whether it is the same source: of a file, its sha256."""
        return self._reader.digest

    def describe(self) -> str:
        """Return the source in one line: size, kind, rate, length, sound."""
        h, w = self._reader.size
        size = f"{w}x{h}"
        if (h, w) != self.size:
            size += f" to {self.size[1]}x{self.size[0]}"
        rate = f"{float(self.rate):.5g} frames/s{' (uneven)' if self.variable else ''}"
        frames = "an unknown number of frames" if self.count is None else f"{self.count} frames"
        return f"{self._reader.name}: {size}, {self._reader.describe()}, {rate}, {frames}"

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """Yield the frames, which are read and decoded in a thread, a little ahead.

        Parameters
        ----------
        first : int
            The number of the first one: all before it are passed over, where possible without
            decoding them. The frames behind are the same as without.

        Raises
        ------
        FilmError
            A frame has another size than the first one, and no size was asked for.
        """
        return ahead(self._frames(first))

    def _frames(self, first: int) -> Iterator[Frame]:
        if self._picks is not None:
            if first >= len(self._picks):
                return
            raws = self._reader.read(self._picks[first].place)
            picks: Iterator[Pick] = iter(self._picks[first:])
        else:
            ours, theirs = itertools.tee(self._reader.read(0))
            raws = ours
            picks = itertools.islice(
                self._pick(raw.place / self._base for raw in theirs), first, None
            )
        shown: Raw | None = None
        pixels: np.ndarray | None = None
        following = next(raws, None)
        number = first
        for number, wanted in enumerate(picks, first):
            while following is not None and following.place <= wanted.place:
                shown, pixels, following = following, None, next(raws, None)
            if shown is None:
                if following is None:
                    number -= 1
                    break
                shown = following  # the frame itself is damaged, and there is none before it
            if following is None and shown.place < wanted.place:
                number -= 1
                break
            if pixels is None:
                pixels = self._fitted(shown)
            time = number / self._even if self._even else wanted.time
            yield Frame(pixels, time, number)
        if self._picks is not None and number + 1 < len(self._picks):
            self._reader.cut_after(number, len(self._picks))

    def _fitted(self, raw: Raw) -> np.ndarray:
        pixels = raw.pixels
        if pixels.shape[:2] == self.size:
            return np.ascontiguousarray(pixels, np.float32)
        if pixels.shape[:2] != self._reader.size and not self._explicit:
            (h, w), (first_h, first_w) = pixels.shape[:2], self._reader.size
            if w * first_h != h * first_w and not isinstance(self._reader, FilmReader):
                raise FilmError(
                    f"frame {raw.place} of '{self._reader.name}' has {w}x{h} pixels, the first "
                    f"one {first_w}x{first_h}: give the size that all are to have."
                )
        return np.asarray(resized(Picture(np.ascontiguousarray(pixels, np.float32)), self.size))


def wanted_size(size: tuple[int, int], asked: Any) -> tuple[int, int]:
    """Return the height and width that frames are to have.

    Parameters
    ----------
    size : (int, int)
        Height and width that they have.
    asked
        As for `open_source`.

    Raises
    ------
    ParameterError
        It is no size.
    """
    return _wanted(size, parse_size(asked))


def _wanted(
    size: tuple[int, int], asked: tuple[int | None, int | None] | int | None
) -> tuple[int, int]:
    """Return height and width for a source's."""
    h, w = size
    if asked is None:
        return size
    if isinstance(asked, int):
        asked = (asked, None) if w >= h else (None, asked)
    width, height = asked
    if width is None:
        assert height is not None
        width = max(1, round(w * height / h))
    if height is None:
        height = max(1, round(h * width / w))
    return height, width


def _mean_rate(times: list[Fraction], hints: list[Any]) -> Fraction:
    if len(times) < 2 or times[-1] <= times[0]:
        return next((Fraction(hint) for hint in hints if hint), RATE)
    return ((len(times) - 1) / (times[-1] - times[0])).limit_denominator(1001)
