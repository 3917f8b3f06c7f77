"""The dream while it is dreamt, in a notebook: a small picture, a bar, the time left.

The preview is one output that is replaced, at most twice a second and for at most 2 % of the
dream's time, and taken away at the end. It has no scripts and no buttons: while a cell runs, most
front ends deliver a button's events to the kernel only when the cell has ended. What stops a dream
is the kernel's own interrupt, which every front end has.
"""

from __future__ import annotations

import base64
import io
import logging
import time
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .picture import to_uint8
from .progress import Pace, describe

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 480  # longest side of the preview, in pixels

# The output of a preview that was taken away, and the cell that it is in. The cell's next dream
# takes it over: of a loop with more dreams JupyterLab would hide every output behind the 50th.
_free: list[tuple[Any, Any]] = []

_LOGGER = logging.getLogger(__package__)


class _Told(logging.Handler):
    """Hands on what takes long enough to be told."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._tell(f"{text[:1].upper()}{text[1:]}.")


class Preview:
    """A live output in a notebook; a context manager.

    Parameters
    ----------
    size : (int, int)
        Height and width of the picture when it is done: the preview keeps its shape from the first
        octave on.
    frames : int, optional
        How many dreams it is for, of a zoom. Without it, it is one dream, whose picture is kept
        when it is interrupted.
    """

    def __init__(self, size: tuple[int, int], frames: int | None = None) -> None:
        h, w = size
        shrunk = min(1.0, _SIDE / max(h, w))
        self._size = max(1, round(h * shrunk)), max(1, round(w * shrunk))
        self._frames, self._frame = frames or 1, 0
        self._keeps = frames is None
        self._handle: Any = None
        self._where = ""
        self._pace = Pace()
        self._began: tuple[float, float] | None = None
        self._told: _Told | None = None

    def __enter__(self) -> Preview:
        if not _LOGGER.hasHandlers():
            self._told = _Told(self._tell)
            _LOGGER.addHandler(self._told)
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self._told is not None:
            _LOGGER.removeHandler(self._told)
        if self._handle is None:
            return
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt)
        self._show(self._note() if stopped else {"text/html": "", "text/plain": ""})
        _free[:] = [] if stopped else [(_cell(), self._handle)]

    def step(self, step: Any) -> None:
        """Draw, if it is time again."""
        now = time.monotonic()
        done = (self._frame + step.done) / self._frames
        if self._began is None:
            self._began = now, done  # what came before was mostly preparation
        self._where = describe(step, self._frame, self._frames)
        if self._pace.due():
            with self._pace.drawing():
                self._show(self._page(step, done, now))

    def share(self, done: float, text: str) -> None:
        """Show how far all dreams are, as a share 0..1, where nobody sees their steps."""
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
        self._where = text
        if self._pace.due():
            with self._pace.drawing():
                text += self._left(done, now)
                html = f'<progress max="1" value="{done:.3f}"></progress><br>{escape(text)}'
                self._show({"text/html": html, "text/plain": f"{text} ({done:.0%})"})

    def frame(self, done: int) -> None:
        """Note how many dreams are done."""
        self._frame = done

    def _tell(self, text: str) -> None:
        """Show what is logged until there is a picture; on standard error it would be red."""
        if self._began is None:
            self._show({"text/html": escape(text), "text/plain": text})

    def _show(self, bundle: dict[str, str]) -> None:
        from IPython.display import display

        if self._handle is None and _free:
            cell, handle = _free.pop()
            self._handle = handle if cell is not None and cell == _cell() else None
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def _left(self, done: float, now: float) -> str:
        assert self._began is not None
        began, before = self._began
        if done <= before:
            return ""
        return f", {clock((now - began) * (1 - done) / (done - before))} left"

    def _page(self, step: Any, done: float, now: float) -> dict[str, str]:
        text = f"{self._where}{self._left(done, now)}"
        h, w = shown_size(self._size, step.size)  # pictures of a batch have shapes of their own
        jpeg = encode(sample(step, (h, w)), "JPEG", (w, h), quality=80)
        # Decoded before it is drawn, or the picture would flicker.
        html = (
            '<div style="font-family:sans-serif;font-size:13px;line-height:1.5">'
            f'<img alt="the dream so far" decoding="sync" width="{w}" height="{h}" style="display:'
            f'block;max-width:100%;height:auto;aspect-ratio:{w}/{h};margin:0" src="{jpeg}">'
            f'<progress max="1" value="{done:.3f}" style="width:{w}px;max-width:100%;display:block;'
            f'margin:6px 0 2px"></progress>{escape(text)}<br>'
            '<span style="opacity:.7">Interrupt the kernel (&#9632;) to stop'
            f"{' and keep the picture so far' if self._keeps else ''}.</span></div>"
        )
        return {"text/html": html, "text/plain": f"{text} ({done:.0%})"}

    def _note(self) -> dict[str, str]:
        """Return what is left of the preview where a dream was interrupted."""
        kept = "the picture so far is kept"
        if not self._keeps:
            kept = f"{self._frame} of {self._frames} were finished before"
        text = f"Stopped at {self._where or 'its beginning'}: {kept}."
        return {"text/html": escape(text), "text/plain": text}


def _cell() -> Any:
    """Return what tells the cell that runs from others, or None."""
    from IPython import get_ipython

    asked: Any = getattr(get_ipython(), "get_parent", dict)()  # the message that asked to run it
    return asked.get("header", {}).get("msg_id")


def shown_size(size: tuple[int, int], now: tuple[int, int]) -> tuple[int, int]:
    """Return at which height and width the picture so far is shown.

    Parameters
    ----------
    size : (int, int)
        Height and width of the picture that the dream began with.
    now : (int, int)
        Those of an octave.

    Returns
    -------
    (int, int)
        `size`, so that nothing moves while a dream grows; if the dream has another shape, that
        shape with the longest side of `size`.
    """
    h, w = size
    if abs(now[0] * w - now[1] * h) <= h + w:  # each side of an octave is rounded
        return size
    scale = max(size) / max(now)
    return max(1, round(now[0] * scale)), max(1, round(now[1] * scale))


def sample(step: Any, size: tuple[int, int]) -> np.ndarray:
    """Return the picture so far with rows and columns left out, but twice as many as `size` has.

    Parameters
    ----------
    step : Step
    size : (int, int)
        Height and width at which it will be shown.
    """
    every = max(1, min(side // (2 * shown) for side, shown in zip(step.size, size)))
    pixels: np.ndarray = step.sample(every)
    return pixels


def fitted(pixels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Return a picture of just this height and width, for the eye.

    Parameters
    ----------
    pixels : (h, w, 3) array
        RGB, 0..255; values beyond are clipped.
    size : (int, int)
    """
    from PIL import Image

    h, w = size
    image = Image.fromarray(to_uint8(pixels))
    if image.size == (w, h):
        return image
    smaller = image.width >= w and image.height >= h
    return image.resize((w, h), Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR)


def encode(pixels: np.ndarray, form: str, within: tuple[int, int] | None = None, **how: Any) -> str:
    """Return a picture as a data URL.

    Parameters
    ----------
    pixels : (h, w, 3) array
        RGB, 0..255; values beyond are clipped.
    form : {"JPEG", "PNG"}
    within : (int, int), optional
        Width and height to shrink it to, where it is larger.
    **how
        For Pillow's ``save``.
    """
    from PIL import Image

    image = Image.fromarray(to_uint8(pixels))
    if within is not None and image.width > within[0]:
        image = image.resize(within, Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, form, **how)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{form.lower()};base64,{text}"


def clock(seconds: float) -> str:
    """Return a time as ``0:07``, ``12:30`` or ``1:02:03``."""
    minutes, s = divmod(round(seconds), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}" if h else f"{m}:{s:02}"
