"""What a notebook shows of an error raised on purpose: the caller's lines, and the message.

IPython shows every frame with some lines of source. Of an error that tells what to do, the frames
inside this package are forty lines above it that nobody can act on.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType


def shortened(tb: TracebackType | None) -> TracebackType | None:
    """Return a traceback without what lies inside this package.

    Parameters
    ----------
    tb : traceback
        From the caller's outermost frame.

    Returns
    -------
    traceback or None
        Whole where the package has called back into a notebook's cell, as an objective: its author
        needs to see the line; and where nothing else is in it.
    """
    frames = list(_frames(tb))
    names = [str(frame.tb_frame.f_globals.get("__name__", "")) for frame in frames]
    package = __name__.partition(".")[0]
    first = next((i for i, name in enumerate(names) if name.partition(".")[0] == package), 0)
    if not first or "__main__" in names[first:]:
        return tb
    kept: TracebackType | None = None
    for frame in reversed(frames[:first]):
        kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return kept


def _frames(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def render(error: BaseException) -> list[str]:
    """Return the lines that IPython shows of an error; all of them in its mode ``Verbose``."""
    from IPython import get_ipython

    shown = get_ipython().InteractiveTB
    tb = error.__traceback__
    if shown.mode != "Verbose":
        tb = shortened(tb)
    # The outermost frame is IPython's own.
    lines: list[str] = shown.structured_traceback(type(error), error, tb, tb_offset=1)
    return lines
