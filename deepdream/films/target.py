"""Where the frames of a film go: a file or a folder, by the ending of its name.

`open_target` writes in one go. Work of hours belongs into a `reel.Reel`, which makes the same kinds
of film and loses nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import FilmError
from ..files import FileName, replacing
from ..images import to_uint8
from . import target_animation, target_film
from .beside import Follower
from .frame import Frame
from .making import Kind, Making, Part, tick_of
from .sound import Sound
from .target_animation import Animation
from .target_film import Film
from .target_folder import Folder
from .writing import check_place, naming

SUFFIXES = (*target_film.SUFFIXES, *target_animation.SUFFIXES)


def kind_of(making: Making) -> Kind:
    """Return how a film of this name is made.

    Raises
    ------
    FilmError
        The ending is none that can be written.
    ParameterError
        The quality is none that it has.
    EngineError
        PyAV is needed and not installed.
    """
    suffix = making.path.suffix.lower()
    if suffix in target_film.SUFFIXES:
        return Film(making)
    if suffix in target_animation.SUFFIXES:
        return Animation(making)
    if not suffix or making.path.is_dir():
        return Folder(making)
    raise FilmError(
        f"'{making.path}' ends in {suffix}: a film is written as {', '.join(SUFFIXES)}, or into a "
        "folder, whose name has no ending."
    )


def open_target(
    path: FileName,
    *,
    size: tuple[int, int],
    rate: Any,
    variable: bool = False,
    sound: Sound | None = None,
    recipe: Mapping[str, Any] | None = None,
    quality: Any = None,
) -> Target:
    """Begin to write a film.

    Parameters
    ----------
    path : str or PathLike
        ``.mp4``, ``.m4v`` and ``.mov`` are H.264, which plays everywhere; ``.webm`` is VP9;
        ``.mkv`` is lossless (FFV1), or H.264 where a quality is given; ``.gif``, ``.webp`` and
        ``.png`` (or ``.apng``) are animations that begin again; a name without an ending is a
        folder of pictures.
    size : (int, int)
        Height and width of the frames.
    rate : Fraction, int or float
        Frames per second, on average.
    variable : bool
        Whether their times are uneven.
    sound : Sound, optional
        Of the source: ``Source.sound``.
    recipe : mapping, optional
        See `deepdream.recipe`. It is kept in the file: as comment of a film and a GIF, as text of a
        PNG, in the EXIF data of a WebP.
    quality : {"small", "good", "best", "lossless"} or float, optional
        Or the encoder's own number (crf; of WebP, 0..63 is poor and large is good). Usual are
        ``"good"``, and ``"lossless"`` for ``.mkv``, ``.png`` and folders.

    Returns
    -------
    Target
        A context manager: where its block ends with an error, nothing is left behind.

    Raises
    ------
    FilmError, ParameterError, EngineError
        As of `kind_of`.
    WriteError
        There is no such folder, or it cannot be written.

    Notes
    -----
    H.264 has even sizes only: the last column or row of an odd one is there twice. ``Target.notes``
    says so, as it says what becomes of sound that the file cannot hold. Colours are BT.709 with the
    tags that say so; chroma has half the width and height, as players want it, but for ``.mkv``.
    """
    making = Making(
        Path(os.fsdecode(path)), size, Fraction(rate).limit_denominator(1 << 20), variable, quality,
        sound, recipe,
    )  # fmt: skip
    return Target(making, kind_of(making))


class Target:
    """A film that is being written in one go; see `open_target`.

    Attributes
    ----------
    notes : list of str
        What is to be said about the film, a line each.
    done : int
        How many frames were added.
    """

    def __init__(self, making: Making, kind: Kind) -> None:
        check_place(making.path)
        self._making, self._kind = making, kind
        self.notes = kind.notes
        self.done = 0
        self._ticks: list[int] = []
        with naming(making.path):
            folder = making.path.parent
            self._folder = Path(tempfile.mkdtemp(prefix=f".{making.path.name[:99]}.", dir=folder))
        self._part = self._folder / f"part{kind.part_suffix}"
        self._open: Part | None = None
        self._follower: Follower[tuple[Any, int]] = Follower(self._encode)

    def add(self, frame: Frame) -> None:
        """Take the next frame, which is encoded in a thread of its own.

        Raises
        ------
        FilmError
            It has another size than was said.
        WriteError
            What was written before could not be.
        """
        pixels = fitting(frame, self._making)
        tick = tick_of(frame.time, self._kind, self._ticks[-1] if self._ticks else None)
        self._ticks.append(tick)
        self._follower.give((pixels, tick))
        self.done += 1

    def _encode(self, item: tuple[Any, int]) -> None:
        with naming(self._making.path):
            if self._open is None:
                self._open = self._kind.open_part(self._part, 0)
            self._open.add(*item)

    def finish(self) -> None:
        """Complete the film; until then nothing of its name is there.

        Raises
        ------
        FilmError
            There are no frames.
        WriteError
            It could not be written.
        """
        try:
            self._follower.close()
            if self._open is None:
                raise FilmError(f"'{self._making.path}' would have no frames.")
            with naming(self._making.path):
                self._open.close()
                self._open = None
                make_film(self._kind, [self._part], self._ticks, self._making.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Give up: what was written is thrown away. After `finish` it does nothing."""
        try:
            self._follower.close()
        except Exception:
            pass  # the film is not wanted any more
        if self._open is not None:
            try:
                self._open.close()
            except Exception:
                pass  # the file goes all the same
            self._open = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()


def fitting(frame: Frame, making: Making) -> Any:
    """Return a frame's pixels as uint8.

    Raises
    ------
    FilmError
        They have another size than was said.
    """
    h, w = making.size
    if frame.pixels.shape != (h, w, 3):
        raise FilmError(
            f"frame {frame.number} has the shape {frame.pixels.shape}, and the film ({h}, {w}, 3)."
        )
    return to_uint8(frame.pixels)


def make_film(kind: Kind, parts: list[Path], ticks: list[int], path: Path) -> None:
    """Join parts to the film `path`, whole or not at all."""
    if isinstance(kind, Folder):
        return  # its pictures are in their place
    with naming(path), replacing(path) as out:
        kind.join(parts, ticks, out)
