"""Films of television and camcorders: every other row is a fiftieth of a second later.

FFmpeg's filter bwdif makes whole frames of them, from what is before and behind as well; as many as
there were.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from .libraries import import_av

# One frame of each; who is first, the frames say; those that are whole stay as they are.
_FILTER = "mode=send_frame:parity=auto:deint=interlaced"


def whole_frames(frames: Iterator[Any], time_base: Fraction) -> Iterator[Any]:
    """Yield frames without combs.

    Parameters
    ----------
    frames : iterator of av.VideoFrame
    time_base : Fraction
        Of their times, in seconds.

    Yields
    ------
    av.VideoFrame
        One for each, at the same time.
    """
    graph: Any = None
    kind: Any = None
    for frame in frames:
        now = (frame.width, frame.height, frame.format.name)
        if now != kind:
            yield from _rest(graph, time_base)
            graph, kind = _graph(frame, time_base), now
        graph.push(frame)
        yield from _ready(graph, time_base)
    yield from _rest(graph, time_base)


def _graph(frame: Any, time_base: Fraction) -> Any:
    graph = import_av().filter.Graph()
    begin = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=time_base
    )
    mend, end = graph.add("bwdif", _FILTER), graph.add("buffersink")
    begin.link_to(mend)
    mend.link_to(end)
    graph.configure()
    return graph


def _ready(graph: Any, time_base: Fraction) -> Iterator[Any]:
    with contextlib.suppress(BlockingIOError, EOFError):  # none yet; none any more
        while True:
            frame = graph.pull()
            if frame.pts is not None:
                frame.pts = round(frame.pts * frame.time_base / time_base)
                frame.time_base = time_base
            yield frame


def _rest(graph: Any, time_base: Fraction) -> Iterator[Any]:
    if graph is not None:
        graph.push(None)
        yield from _ready(graph, time_base)
