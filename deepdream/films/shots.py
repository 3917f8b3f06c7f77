"""What a film is dreamt on: frames, each with what has moved since the one before.

Frames come from a film, a folder or an iterator, where the motion has to be found; or from a camera
in front of a still picture, whose motion is known. Both are read by the same names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from ..errors import ImageError, ParameterError
from ..files import open_view
from ..images import as_picture, load_image
from ..picture import Picture
from ..picture_files import open_picture
from .beside import ahead
from .camera import Camera, Move
from .flow import Motion, check_flow, grey, motion_between
from .frame import Frame
from .libraries import import_cv2
from .source import Source


class Shot(NamedTuple):
    """A frame, and how it follows from the one before.

    Attributes
    ----------
    frame : Frame
    motion : Motion or None
        None at the film's first frame.
    """

    frame: Frame
    motion: Optional[Motion]  # noqa: UP045 (evaluated by NamedTuple on Python 3.9)


class FilmShots:
    """The shots of a film.

    Parameters
    ----------
    source : Source
    flow : {"dis", "farneback", "none"}

    Attributes
    ----------
    source : Source
        Its ``size``, ``rate``, ``count``, ``variable`` and ``sound`` are the film's.
    """

    def __init__(self, source: Source, flow: str) -> None:
        check_flow(flow)
        if flow != "none":
            import_cv2()
        self.source, self._flow = source, flow
        self.size, self.rate, self.count = source.size, source.rate, source.count
        self.variable, self.sound = source.variable, source.sound

    @property
    def warnings(self) -> list[str]:
        """What is to be said about the source, by now."""
        return self.source.warnings

    @property
    def settings(self) -> dict[str, Any]:
        """What makes two films' frames and motion the same."""
        return {"source": self.source.digest[:16], "flow": self._flow}

    def shots(self, first: int = 0) -> Iterator[Shot]:
        """Yield shots from a frame on; the motion is found in a thread of its own, a little ahead."""
        return ahead(self._shots(first))

    def _shots(self, first: int) -> Iterator[Shot]:
        before: np.ndarray | None = None
        for frame in self.source.frames(max(0, first - 1)):
            now = grey(frame.pixels)
            if frame.number >= first:
                motion = None if before is None else motion_between(before, now, self._flow)
                yield Shot(frame, motion)
            before = now


class StillShots:
    """The shots of a camera in front of a still picture.

    Parameters
    ----------
    picture : (h, w, 3) Picture
    size : (int, int)
        Height and width of the frames.
    count : int
        How many there are.
    rate : Fraction
        Frames per second.
    move : callable
        ``move(number, time)``: the camera's `Move` before a frame.
    ease : float
        See `camera.check_ease`.
    """

    variable, sound, warnings = False, None, ()

    def __init__(
        self, picture: Picture, size: tuple[int, int], count: int, rate: Fraction,
        move: Callable[[int, Fraction], Move], ease: float,
    ) -> None:  # fmt: skip
        import_cv2()
        self.picture, self.size, self.count, self.rate = picture, size, count, rate
        self.camera = Camera(
            np.asarray(picture), size, count, lambda number: move(number, number / rate), ease
        )
        self._ease = ease

    @property
    def settings(self) -> dict[str, Any]:
        """What makes two films' frames the same, besides the camera's moves."""
        pixels = np.ascontiguousarray(self.picture, np.float32)
        return {"source": hashlib.sha256(pixels.tobytes()).hexdigest()[:16], "ease": self._ease}

    def shots(self, first: int = 0) -> Iterator[Shot]:
        """Yield shots from a frame on."""
        return ahead(self._shots(first))

    def _shots(self, first: int) -> Iterator[Shot]:
        for number, view in enumerate(self.camera.views(first), first):
            yield Shot(Frame(view.pixels, number / self.rate, number), view.motion)


def as_still(source: Any) -> Picture | None:
    """Return a still picture that a film is to be made of, or None where it is something else.

    Parameters
    ----------
    source : str, PathLike, (h, w, 3) array, PIL.Image or other
        A file that holds one picture, or a picture in memory.

    Raises
    ------
    ImageError
        It is a picture, and damaged.
    """
    if isinstance(source, (str, bytes, os.PathLike)):
        path = Path(os.fsdecode(source))
        if path.is_file() and _holds_one_picture(path):
            return load_image(path)
        return None
    if hasattr(source, "getexif"):
        return as_picture(source)
    if isinstance(source, np.ndarray) and (source.ndim == 2 or (source.ndim == 3 and source.shape[2] <= 4)):
        return as_picture(source)
    return None


def _holds_one_picture(path: Path) -> bool:
    try:
        with open_picture(open_view(path, ImageError), f"'{path}'") as image:
            return getattr(image, "n_frames", 1) == 1
    except ImageError:
        return False


def check_count(frames: Any) -> int:
    """Return how many frames a still is to become.

    Raises
    ------
    ParameterError
    """
    if isinstance(frames, bool) or not isinstance(frames, int) or frames < 1:
        raise ParameterError(f"frames is {frames!r}: a whole number from 1 is expected")
    return frames
