"""Progress on a terminal: one bar for all dreams of a picture, a zoom, a gallery."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def on_terminal() -> bool:
    """Tell whether standard error is a terminal; it is not in pipes, tests and notebooks."""
    isatty = getattr(sys.stderr, "isatty", None)  # without a console there is no stderr at all
    return bool(isatty and isatty())


class Bar:
    """How far dreams have come, and how much time is left; a context manager.

    Parameters
    ----------
    frames : int
        How many dreams it is for.
    shown : bool, optional
        Whether to draw. Default: where standard error is a terminal.
    """

    def __init__(self, frames: int = 1, *, shown: bool | None = None) -> None:
        from tqdm import tqdm

        self._frames = frames
        self._frame = 0
        self._bar = tqdm(
            total=100 * frames,
            disable=not (on_terminal() if shown is None else shown),
            bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left",
            leave=False,
        )

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
        self._bar.update(100 * (self._frame + step.done) - self._bar.n)

    def frame(self, done: int | Path) -> None:
        """Note how many dreams are done; of a frame's path, its name is its number from 0."""
        self._frame = int(done.stem) + 1 if isinstance(done, Path) else done


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
