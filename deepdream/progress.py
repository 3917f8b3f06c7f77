"""Progress on a terminal, one bar for all dreams of a picture, a zoom, a gallery; and `Pace`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def on_terminal() -> bool:
    """Tell whether standard error is a terminal; it is not in pipes, tests and notebooks."""
    isatty = getattr(sys.stderr, "isatty", None)  # without a console there is no stderr at all
    return bool(isatty and isatty())


_HEAD = "{percentage:3.0f}% "
_BAR = "|{bar:12}| "
_TIME = "{elapsed}"
_LEFT = ", {remaining} left"
_TAIL = "  {desc}"

_ROOM_FOR_BAR = 60  # columns
_SURE = 1.0  # percent of the work, or seconds, before which the time left is a wild guess


_INTERVAL = 0.5  # least seconds between two pictures
_SHARE = 0.02  # most of the time that pictures may take


class Pace:
    """When to draw the picture so far: at most twice a second, for at most 2 % of the time."""

    def __init__(self) -> None:
        self._next = 0.0

    def due(self) -> bool:
        """Tell whether it is time again; the first time it is."""
        return time.monotonic() >= self._next

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Note how long the block takes: the longer, the later is the next one."""
        began = time.monotonic()
        yield
        after = time.monotonic()
        self._next = after + max(_INTERVAL, (after - began) / _SHARE)


class Bar:
    """How far dreams have come, and how much time is left; a context manager.

    What matters most stands first: on a narrow terminal the description is cut, not the time.

    Parameters
    ----------
    frames : int
        How many dreams it is for.
    shown : bool, optional
        Whether to draw. Default: where standard error is a terminal.
    done : int
        How many of them were done before; the time left is told by the others.
    """

    def __init__(self, frames: int = 1, *, shown: bool | None = None, done: int = 0) -> None:
        from tqdm import tqdm

        self._frames = frames
        self._frame = done
        self._bar = tqdm(
            total=100 * frames,
            initial=100 * done,
            disable=not (on_terminal() if shown is None else shown),
            bar_format=_HEAD + _TIME,
            dynamic_ncols=True,
            leave=False,
        )
        self._began = time.monotonic()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.close()

    def step(self, step: Any) -> None:
        """Show where a dream stands; made to be its `on_step`."""
        self._bar.set_description_str(describe(step, self._frame, self._frames), refresh=False)
        done = 100 * (self._frame + step.done)
        self._bar.bar_format = self._format(done / self._frames)
        self._bar.update(done - self._bar.n)

    def share(self, done: float, text: str) -> None:
        """Show how far all dreams are, as a share 0..1, where nobody sees their steps."""
        self._bar.set_description_str(text, refresh=False)
        self._bar.bar_format = self._format(100 * done)
        self._bar.update(100 * done * self._frames - self._bar.n)

    def _format(self, percent: float) -> str:
        columns = getattr(self._bar, "ncols", None)  # None: no terminal, or one that does not tell
        bar = _BAR if columns is None or columns >= _ROOM_FOR_BAR else ""
        sure = percent >= _SURE or time.monotonic() - self._began >= _SURE
        return f"{_HEAD}{bar}{_TIME}{_LEFT if sure else ''}{_TAIL}"

    def frame(self, done: int | Path) -> None:
        """Note how many dreams are done; of a frame's path, its name is its number from 0."""
        self._frame = int(done.stem) + 1 if isinstance(done, Path) else done


def in_time(seconds: float) -> str:
    """Return a time that is not known exactly: ``40 s``, ``3 minutes``, ``1.5 hours``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"


def describe(step: Any, frame: int = 0, frames: int = 1) -> str:
    """Return where a dream stands in words, ``octave 2/4 (229x171), step 3/10``.

    Parameters
    ----------
    step : Step
    frame, frames : int
        How many dreams were done before this one, and how many there will be.
    """
    h, w = step.size
    what = getattr(step, "what", "frame")  # a gallery's steps know their layer
    where = f"{what} {frame + 1}/{frames}, " if frames > 1 else ""
    return (
        f"{where}octave {step.octave + 1}/{step.octave_n} ({w}x{h}), "
        f"step {step.step + 1}/{step.iter_n}"
    )
