"""What a film is to become, and the two steps in which every kind of it is made.

Frames are encoded into parts, in order; each part stands for itself. At the end the parts are
joined, without encoding anything again, and sound and recipe are added. So a film that took days
can be made of parts that are safe on disk, and is the same file as one made in one go of the same
parts. `target_film`, `target_animation` and `target_folder` are the three kinds.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Optional, Protocol

import numpy as np

from ..errors import FilmError, ParameterError
from .sound import Sound


class Making(NamedTuple):
    """What is to be made.

    Attributes
    ----------
    path : Path
        The film's file, or the folder of its frames.
    size : (int, int)
        Height and width of the frames that come.
    rate : Fraction
        Frames per second; on average, where they come at uneven times.
    variable : bool
        Whether they do.
    quality : str or float or None
        A name of `QUALITIES`, or the encoder's own number, smaller for better; None for what is
        usual for the kind.
    sound : Sound or None
    recipe : mapping or None
        How the film is made, see `deepdream.recipe`; it goes into the file.
    """

    path: Path
    size: tuple[int, int]
    rate: Fraction
    variable: bool = False
    quality: Any = None
    sound: Optional[Sound] = None  # noqa: UP045 (evaluated by Sphinx)
    recipe: Optional[Mapping[str, Any]] = None  # noqa: UP045


QUALITIES = ("small", "good", "best", "lossless")


class Part(Protocol):
    """A piece of a film that is being encoded."""

    def add(self, pixels: np.ndarray, tick: int) -> None:
        """Encode (h, w, 3) uint8 RGB, shown from `tick` on."""

    def close(self) -> None:
        """Complete the file; without it the piece is worth nothing."""


class Kind(Protocol):
    """How one kind of film is made.

    Attributes
    ----------
    tick : Fraction
        Seconds; times of frames are whole numbers of it.
    shortest : int
        For how many ticks a frame is shown at least.
    part_suffix : str
        Of the files of parts.
    playable : bool
        Whether programs that play films play a part.
    notes : list of str
        What is to be said about the film that will be made, a line each.
    settings : dict
        What decides the encoded bytes; two films with the same settings have the same parts.
    """

    tick: Fraction
    shortest: int
    part_suffix: str
    playable: bool
    notes: list[str]
    settings: dict[str, Any]

    def open_part(self, path: Path, first: int) -> Part:
        """Begin a part in the new file `path`, whose first frame has the number `first`."""

    def join(self, parts: Sequence[Path], ticks: Sequence[int], out: Path) -> None:
        """Make the film of its parts, in the new file `out`.

        Parameters
        ----------
        parts : sequence of Path
        ticks : sequence of int
            Of all frames, ascending.
        out : Path
        """


def check_quality(quality: Any, names: Sequence[str], suffix: str) -> None:
    """Refuse a quality that a kind has not.

    Raises
    ------
    ParameterError
    """
    if quality is None or quality in names:
        return
    real = isinstance(quality, numbers.Real) and not isinstance(quality, bool)
    if real and 0 <= float(quality) <= 63:
        return
    if quality == "lossless":
        raise FilmError(
            f"{suffix} has no lossless kind that plays everywhere: write .mkv, .png, .webp, or a "
            "folder of pictures."
        )
    raise ParameterError(
        f"quality is {quality!r}: one of {', '.join(names)} is expected, or the encoder's own "
        "number, smaller for better"
    )


def tick_of(time: Fraction, kind: Kind, before: int | None) -> int:
    """Return the tick at which a frame is shown, after that of the frame before."""
    found = round(time / kind.tick)
    return found if before is None else max(found, before + kind.shortest)


def durations(ticks: Sequence[int], usual: int) -> list[int]:
    """Return how many ticks each frame is shown; the last one as long as the one before.

    Parameters
    ----------
    ticks : sequence of int
    usual : int
        For a film of one frame.
    """
    shown = [after - now for now, after in zip(ticks, ticks[1:])]
    return [*shown, shown[-1] if shown else max(1, usual)]
