"""What a film is dreamt on: frames, each with what has moved since the one before.

Frames come from a film, a folder or an iterator, where the motion has to be found; or from a camera
in front of a still picture, whose motion is known. Both are read by the same names.
"""

from __future__ import annotations

import hashlib
import numbers
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
from .camera import Camera, Move, check_ease
from .clock import parse_rate
from .flow import Motion, check_flow, grey, motion_between
from .frame import Frame
from .given import Given
from .libraries import import_cv2
from .reader import Reader
from .sound import Sound
from .source import RATE, Source, open_source, wanted_size

STILL_FRAMES = 100  # of a still, where nothing is said


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


class Mark(NamedTuple):
    """What is known of a frame before anything is dreamt.

    Attributes
    ----------
    number : int
    begins : bool
        It is the first of a scene: its dream needs none of a frame before.
    alone : bool
        So it is because nothing is carried to it.
    """

    number: int
    begins: bool
    alone: bool


class FilmShots:
    """The shots of a film.

    Parameters
    ----------
    source : Source or Given
    flow : {"dis", "farneback", "none"}
    name : str, optional
        Of its file.

    Attributes
    ----------
    source : Source
        Its ``size``, ``rate``, ``count``, ``variable`` and ``sound`` are the film's.
    """

    def __init__(self, source: Source | Given, flow: str, name: str | None = None) -> None:
        check_flow(flow)
        self._name = name
        import_cv2()
        self.source, self._flow = source, flow
        self.size, self.rate, self.count = source.size, source.rate, source.count
        self.variable, self.sound = source.variable, source.sound

    @property
    def warnings(self) -> list[str]:
        """What is to be said about the source, by now."""
        return self.source.warnings

    @property
    def told(self) -> dict[str, Any] | None:
        """What a recipe tells of the source: its file, or nothing where it is none."""
        h, w = self.size
        if self._name is None:
            return None
        return {"file": self._name, "sha256": self.source.digest, "size": [w, h]}

    def describe(self) -> str:
        """Return it in a line."""
        return self.source.describe()

    @property
    def settings(self) -> dict[str, Any]:
        """What makes two films' frames and motion the same."""
        return {"source": self.source.digest[:16], "flow": self._flow}

    def shots(self, first: int = 0) -> Generator[Shot, None, None]:
        """Yield shots from a frame on; the motion is found in a thread, a little ahead."""
        yield from ahead(self._shots(first))

    def _shots(self, first: int) -> Iterator[Shot]:
        before: np.ndarray | None = None
        for frame in self.source.frames(max(0, first - 1)):
            now = grey(frame.pixels)
            if frame.number >= first:
                motion = None if before is None else motion_between(before, now, self._flow)
                yield Shot(frame, motion)
            before = now

    def marks(
        self, first: int, alone: Callable[[int, Fraction], bool]
    ) -> Generator[Mark, None, None]:
        """Yield where scenes begin, from a frame on; motion is looked for on all processors.

        Parameters
        ----------
        first : int
        alone : callable
            ``alone(number, time)``: nothing is carried to that frame.
        """
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4
        before: np.ndarray | None = None
        waiting: deque[tuple[int, bool, Future[bool] | None]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for frame in self.source.frames(max(0, first - 1)):
                now = grey(frame.pixels)
                if frame.number >= first:
                    by_itself = alone(frame.number, frame.time)
                    sought = None
                    if before is not None and not by_itself:
                        sought = pool.submit(_is_cut, before, now, self._flow)
                    waiting.append((frame.number, by_itself, sought))
                    while waiting and (len(waiting) > 2 * threads or _known(waiting[0])):
                        yield _mark(*waiting.popleft())
                before = now
            while waiting:
                yield _mark(*waiting.popleft())


def _is_cut(before: np.ndarray, now: np.ndarray, flow: str) -> bool:
    return motion_between(before, now, flow).cut


def _known(frame: tuple[int, bool, Future[bool] | None]) -> bool:
    return frame[2] is None or frame[2].done()


def _mark(number: int, alone: bool, cut: Future[bool] | None) -> Mark:
    return Mark(number, cut is None or cut.result(), alone)


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

    variable = False
    sound: Sound | None = None
    warnings: Sequence[str] = ()

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
    def told(self) -> dict[str, Any] | None:
        """What a recipe tells of the picture."""
        return self.picture.source

    def describe(self) -> str:
        """Return it in a line."""
        h, w = self.size
        return f"a still picture, {w}x{h}, {self.count} frames"

    @property
    def settings(self) -> dict[str, Any]:
        """What makes two films' frames the same, besides the camera's moves."""
        pixels = np.ascontiguousarray(self.picture, np.float32)
        return {"source": hashlib.sha256(pixels.tobytes()).hexdigest()[:16], "ease": self._ease}

    def shots(self, first: int = 0) -> Generator[Shot, None, None]:
        """Yield shots from a frame on."""
        yield from ahead(self._shots(first))

    def _shots(self, first: int) -> Iterator[Shot]:
        for number, view in enumerate(self.camera.views(first), first):
            yield Shot(Frame(view.pixels, number / self.rate, number), view.motion)

    def marks(
        self, first: int, alone: Callable[[int, Fraction], bool]
    ) -> Generator[Mark, None, None]:
        """Yield where scenes begin, see `FilmShots.marks`."""
        for number in range(first, self.count):
            by_itself = alone(number, number / self.rate)
            yield Mark(number, by_itself or number == 0, by_itself)


def open_shots(
    source: Any, *, flow: str, move: Callable[[int, Fraction], Move], moves: bool,
    start: Any = None, until: Any = None, every: int = 1, fps: Any = None, size: Any = None,
    frames: int | None = None, ease: float = 0.0, loop: bool = False,
) -> FilmShots | StillShots:  # fmt: skip
    """Open what a film is dreamt on.

    Parameters
    ----------
    source, flow, start, until, every, fps, size, frames, ease, loop
        See `film.film`.
    move : callable
        See `StillShots`.
    moves : bool
        The camera moves at all.

    Raises
    ------
    ParameterError
        A camera's option for a film, or a film's for a still; and as `source.open_source`.
    """
    if frames is not None and (
        isinstance(frames, bool) or not isinstance(frames, numbers.Integral) or frames < 1
    ):
        raise ParameterError(f"frames is {frames!r}: a whole number from 1 is expected")
    still = as_still(source)
    if still is None:
        camera = {"loop": loop, "ease": ease, "zoom, turn and shift": moves}
        wrong, what = (
            [name for name, said in camera.items() if said],
            "still pictures, and it is a film",
        )
    else:
        film = {"start": start, "until": until, "every": every != 1}
        wrong, what = [name for name, said in film.items() if said], "films, and it is a picture"
    if wrong:
        raise ParameterError(f"{wrong[0]}: for {what}")
    if isinstance(source, Given):
        return FilmShots(source, flow)
    if still is None:
        opened = open_source(source, start=start, end=until, every=every, fps=fps, size=size)
        name = None
        if isinstance(source, (str, bytes, os.PathLike)):
            name = Path(os.fsdecode(source)).name
        elif isinstance(source, Reader):
            name = source.name
        return FilmShots(opened, flow, name)
    return StillShots(
        still, wanted_size(still.shape[:2], size), int(frames or STILL_FRAMES),
        RATE if fps is None else parse_rate(fps), move, check_ease(ease),
    )  # fmt: skip


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
    if isinstance(source, np.ndarray) and (
        source.ndim == 2 or (source.ndim == 3 and source.shape[2] <= 4)
    ):
        return as_picture(source)
    return None


def _holds_one_picture(path: Path) -> bool:
    try:
        with open_picture(open_view(path, ImageError), f"'{path}'") as image:
            return getattr(image, "n_frames", 1) == 1
    except ImageError:
        return False
