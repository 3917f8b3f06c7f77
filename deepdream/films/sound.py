"""The sound of a film: which packets of it go with the frames that are taken."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Optional

from .limits import Only


class Track(NamedTuple):
    """One stream of sound.

    Attributes
    ----------
    stream : int
        Its index in its file.
    codec : str
        FFmpeg's name: ``"aac"``, ``"opus"``.
    """

    stream: int
    codec: str


class Sound(NamedTuple):
    """The sound that belongs to frames.

    Attributes
    ----------
    path : Path
        The film's file.
    origin : Fraction
        The file's own time of the first frame that is taken, in seconds.
    tracks : tuple of Track
    end : Fraction or None
        How long it lasts, in seconds from `origin`; None to the end.
    frames : int or None
        How many frames it goes with; a film of fewer has less of it.
    cut : bool
        Whether what is before `origin` is left out. Where a film is taken from its first frame,
        sound that begins a little earlier is its own.
    only : Only or None
        See `libraries.open_film`.
    """

    path: Path
    origin: Fraction
    tracks: tuple[Track, ...]
    end: Fraction | None = None
    frames: int | None = None
    cut: bool = False
    only: Optional[Only] = None  # noqa: UP045 (evaluated by NamedTuple on Python 3.9)

    def between(self, start: Fraction, end: Fraction | None, frames: int | None) -> Sound:
        """Return the sound from a time to another, in seconds from the source's first frame."""
        return self._replace(
            origin=self.origin + start,
            end=None if end is None else end - start,
            frames=frames,
            cut=start > 0,
        )

    def for_film(self, frames: int, length: Fraction) -> Sound:
        """Return the sound of a film of so many frames and seconds."""
        if self.frames is None or frames >= self.frames:
            return self
        return self._replace(end=length if self.end is None else min(length, self.end))
