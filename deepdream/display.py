"""Where there is something to draw on, and pictures in a notebook.

Nothing here imports IPython before a notebook has: a script, a test or a pipe never loads it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

from .errors import EngineError, ParameterError
from .images import as_picture
from .preview import Preview, encode
from .progress import Bar, on_terminal

_LEAST = 384  # pixels of width below which pictures wrap to the next row
_GAP = 12  # pixels between pictures


def in_notebook() -> bool:
    """Tell whether a Jupyter kernel runs this, so that pictures can be drawn."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def show(*imgs: Any, titles: Sequence[str] | None = None) -> None:
    """Draw pictures in a notebook, side by side; where there is no room, in several rows.

    Parameters
    ----------
    *imgs : (h, w, 3) array or PIL.Image
        RGB, 0..255; values beyond are clipped. They are shrunk where they are too wide, never
        enlarged. What is drawn is a PNG, or a JPEG of quality 95 where that is smaller:
        `save_image` for the exact pixels.
    titles : sequence of str, optional
        A line for each picture.

    Raises
    ------
    EngineError
        This is no notebook: there is nothing to draw on.
    ImageError
        Something that is no picture.
    ParameterError
        Not as many titles as pictures.

    Examples
    --------
    >>> show(img, out, titles=["before", "after"])                   # doctest: +SKIP
    """
    if not in_notebook():
        raise EngineError(
            "show draws in a Jupyter notebook, and this is none: use "
            "deepdream.save_image(img, 'dream.png') and open the file"
        )
    if isinstance(titles, str):
        titles = [titles]
    if titles is not None and len(titles) != len(imgs):
        raise ParameterError(f"{len(imgs)} pictures and {len(titles)} titles: one for each")
    pictures = [as_picture(img) for img in imgs]
    if not pictures:
        return
    from IPython.display import display

    figures = [_figure(p, t) for p, t in zip(pictures, titles or [""] * len(pictures))]
    layout = f"gap:{_GAP}px;{_layout([p.shape[1] for p in pictures])}"
    html = f'<div style="{layout}">{"".join(figures)}</div>'
    sizes = ", ".join(f"{p.shape[1]}x{p.shape[0]}" for p in pictures)
    display({"text/html": html, "text/plain": f"<pictures: {sizes}>"}, raw=True)


def _layout(widths: Sequence[int]) -> str:
    """Return the style that lays pictures side by side.

    Pictures of one width have columns of one width, also in a last row that is not full; of others
    each takes its share of a row.
    """
    if len(set(widths)) > 1:
        return "display:flex;flex-wrap:wrap;align-items:flex-start"
    n, w = len(widths), widths[0]
    gaps = _GAP * (n - 1)
    column = f"max(min({min(w, _LEAST)}px,100%),calc((100% - {gaps}px)/{n}))"
    return (
        f"display:grid;align-items:start;max-width:{n * w + gaps}px;"
        f"grid-template-columns:repeat(auto-fill,minmax({column},1fr))"
    )


def _figure(picture: Any, title: str) -> str:
    h, w = picture.shape[:2]
    source = min(
        encode(picture, "PNG"), encode(picture, "JPEG", quality=95, subsampling=0), key=len
    )
    caption = ""
    if title:
        caption = (
            '<figcaption style="font-family:sans-serif;font-size:13px;margin:4px 0 0">'
            f"{escape(str(title))}</figcaption>"
        )
    return (
        f'<figure style="flex:1 1 {min(w, _LEAST)}px;max-width:{w}px;margin:0">'
        f'<img alt="{escape(str(title)) or f"a picture of {w}x{h}"}" width="{w}" height="{h}" '
        f'style="display:block;width:100%;height:auto;margin:0" src="{source}">{caption}</figure>'
    )


def display_for(
    progress: bool | None, on_step: Any, size: tuple[int, int], frames: int | None = None,
    done: int = 0,
) -> Preview | Bar | None:  # fmt: skip
    """Return what shows the progress of a dream here, or None where nothing is to be shown.

    Parameters
    ----------
    progress : bool or None
        None: where there is a notebook or a terminal, and no `on_step`.
    on_step : callable or None
        What the user gave.
    size : (int, int)
        Height and width of the picture.
    frames : int, optional
        How many dreams there are, of a zoom or a film.
    done : int
        How many of them were done before.
    """
    if progress is None:
        progress = on_step is None and (in_notebook() or on_terminal())
    if not progress:
        return None
    if not in_notebook():
        return Bar(frames or 1, shown=True, done=done)
    preview = Preview(size, frames)
    preview.frame(done)
    return preview


@contextlib.contextmanager
def watching(
    progress: bool | None, on_step: Callable[[Any], Any] | None, size: tuple[int, int]
) -> Iterator[Callable[[Any], Any] | None]:
    """Show the progress of one dream; yield what is to be called after each step, or None.

    Parameters
    ----------
    progress, on_step, size
        See `display_for`. What `on_step` returns is returned.
    """
    shown = display_for(progress, on_step, size)
    if shown is None:
        yield on_step
        return
    with shown:

        def both(step: Any) -> Any:
            shown.step(step)
            return None if on_step is None else on_step(step)

        yield both
