"""A camera in front of a still picture: what it sees at each frame, and how that moves.

Per frame the camera comes nearer by a share of the picture (`zoom`), turns about the picture's
middle (`turn`) and goes aside (`shift`); `ease` lets it get going and come to rest. Beyond the
picture's edges it sees the picture mirrored. Because its moves are known, no flow is looked for.

Maps are (3, 3) float64 arrays; they take positions (x, y, 1) in pixels, whose origin is the middle
of the first pixel, from a later frame to an earlier one.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ParameterError
from .flow import Motion
from .libraries import import_cv2

_ZOOMED = 0.5  # most that the camera may come nearer, or go away, in one frame


class Move(NamedTuple):
    """How the camera moves from one frame to the next.

    Attributes
    ----------
    zoom : float
        Share of height and width that is cut off, as `scale` of `deepdream.zoom`; below 0 the
        camera goes away.
    turn : float
        Degrees, clockwise as the camera turns: the picture turns the other way.
    shift : (float, float)
        Pixels that the camera goes to the right, and down.
    """

    zoom: float = 0.0
    turn: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    def map(self, size: tuple[int, int], share: float = 1.0) -> np.ndarray:
        """Return the map from a frame after the move to the frame before.

        Parameters
        ----------
        size : (int, int)
            Height and width of a frame.
        share : float
            So much of the move.
        """
        h, w = size
        x, y = (w - 1) / 2, (h - 1) / 2
        scale = (1 - self.zoom) ** share
        angle = math.radians(self.turn * share)
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        dx, dy = (share * way for way in self.shift)
        about = np.array([[c, -s, x - c * x + s * y], [s, c, y - s * x - c * y], [0, 0, 1.0]])
        return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1.0]]) @ about


def check_move(zoom: Any, turn: Any, shift: Any) -> Move:
    """Return a move.

    Raises
    ------
    ParameterError
        Something is no finite number; the message names it.
    """
    for name, value in (("zoom", zoom), ("turn", turn)):
        if not _number(value):
            raise ParameterError(f"{name} is {value!r}: a finite number is expected")
    if not abs(float(zoom)) <= _ZOOMED:
        raise ParameterError(
            f"zoom is {zoom!r}: the share that is cut off from frame to frame, 0.02 for example; "
            f"-{_ZOOMED} to {_ZOOMED}"
        )
    if not isinstance(shift, (tuple, list)) or len(shift) != 2 or not all(map(_number, shift)):
        raise ParameterError(
            f"shift is {shift!r}: two numbers, pixels to the right and down per frame, as (2, 0)"
        )
    return Move(float(zoom), float(turn), (float(shift[0]), float(shift[1])))


def check_ease(ease: Any) -> float:
    """Return the share of a film in which the camera gets going, and comes to rest.

    Raises
    ------
    ParameterError
    """
    if not _number(ease) or not 0 <= float(ease) <= 0.5:
        raise ParameterError(
            f"ease is {ease!r}: the share of the film in which the camera gets going, and comes to "
            "rest at its end: from 0 to 0.5"
        )
    return float(ease)


def _number(value: Any) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)


def eased(number: int, count: int, ease: float) -> float:
    """Return how fast the camera moves before a frame, as a share of its full speed.

    Parameters
    ----------
    number : int
        Of the frame, from 1.
    count : int
        How many frames the film has.
    ease : float
        See `check_ease`.

    Returns
    -------
    float
        Half a wave of a cosine up from 0, then 1, then down again.
    """
    if not ease or count < 2:
        return 1.0
    at = (number - 0.5) / (count - 1)
    edge = min(at, 1 - at) / ease
    return 1.0 if edge >= 1 else 0.5 - 0.5 * math.cos(math.pi * max(edge, 0.0))


class View(NamedTuple):
    """What the camera sees.

    Attributes
    ----------
    pixels : (h, w, 3) float32 ndarray
    motion : Motion or None
        From the frame before; None at the first frame.
    """

    pixels: np.ndarray
    motion: Motion | None


class Camera:
    """A camera in front of a picture.

    Parameters
    ----------
    picture : (h, w, 3) float32 ndarray
        RGB, 0..255.
    size : (int, int)
        Height and width of the frames; they begin with the whole picture.
    count : int
        How many frames there are.
    move : callable
        ``move(number)``: the `Move` before a frame.
    ease : float
        See `check_ease`.
    """

    def __init__(
        self, picture: np.ndarray, size: tuple[int, int], count: int,
        move: Callable[[int], Move], ease: float = 0.0,
    ) -> None:  # fmt: skip
        self.size, self.count = size, count
        self._levels = [np.ascontiguousarray(picture, np.float32)]
        self._moves = [np.eye(3)]
        self._moves += [move(n).map(size, eased(n, count, ease)) for n in range(1, count)]
        if count > 1:  # what would follow the last frame, for a loop
            self._moves.append(move(count - 1).map(size, eased(count - 1, count, ease)))
        # To positions in the picture, whose pixels may be smaller or larger than the frames'.
        self._place = _scaling(size, picture.shape[:2])

    def views(self, first: int = 0) -> Iterator[View]:
        """Yield what is seen, from a frame on."""
        place = self._place
        for number in range(self.count):
            place = place @ self._moves[number]
            if number >= first:
                motion = None if number == 0 else motion_of(self._moves[number], self.size)
                yield View(self._seen(place), motion)

    def from_end(self, number: int) -> np.ndarray:
        """Return the map from a frame to where the film would go on after its last one."""
        whole = np.eye(3)
        for each in self._moves[number + 1 :]:
            whole = whole @ each
        inverse: np.ndarray = np.linalg.inv(whole)
        return inverse

    def _seen(self, place: np.ndarray) -> np.ndarray:
        """Return the picture through a map, sharp where it is enlarged and calm where shrunk."""
        scale = math.sqrt(abs(np.linalg.det(place[:2, :2])))
        level = max(0.0, math.log2(max(scale, 1e-9)))
        lower = int(level)
        seen = self._at_level(place, lower)
        if level > lower:
            seen += np.float32(level - lower) * (self._at_level(place, lower + 1) - seen)
        return np.clip(seen, 0, 255, out=seen)

    def _at_level(self, place: np.ndarray, level: int) -> np.ndarray:
        cv2 = import_cv2()
        while len(self._levels) <= level and min(self._levels[-1].shape[:2]) > 2:
            self._levels.append(_halved(self._levels[-1]))
        level = min(level, len(self._levels) - 1)
        pixels = self._levels[level]
        there = _scaling(self._levels[0].shape[:2], pixels.shape[:2]) @ place
        h, w = self.size
        out: np.ndarray = cv2.warpAffine(
            pixels, there[:2], (w, h), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        return out


def _scaling(size: Sequence[int], other: Sequence[int]) -> np.ndarray:
    """Return the map from a picture's positions to those at another size."""
    b, a = (there / here for here, there in zip(size, other))
    return np.array([[a, 0, (a - 1) / 2], [0, b, (b - 1) / 2], [0, 0, 1.0]])


def _halved(pixels: np.ndarray) -> np.ndarray:
    cv2 = import_cv2()
    h, w = (max(1, side // 2) for side in pixels.shape[:2])
    out: np.ndarray = cv2.resize(pixels, (w, h), interpolation=cv2.INTER_AREA)
    return out


def motion_of(move: np.ndarray, size: tuple[int, int]) -> Motion:
    """Return the motion that a map to the frame before is.

    Parameters
    ----------
    move : (3, 3) ndarray
    size : (int, int)
        Height and width.
    """
    h, w = size
    y, x = np.mgrid[:h, :w].astype(np.float64)
    px = move[0, 0] * x + move[0, 1] * y + move[0, 2]
    py = move[1, 0] * x + move[1, 1] * y + move[1, 2]
    # A pixel at the edge is as good as one inside; one beyond was not seen.
    inside = np.minimum(np.minimum(px, w - 1 - px), np.minimum(py, h - 1 - py))
    kept = np.clip(inside + 1, 0, 1).astype(np.float32)
    back = np.stack([px - x, py - y], -1).astype(np.float32)
    return Motion(back, kept, not kept.any())
