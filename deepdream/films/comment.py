"""The comment in a film's metadata, where its recipe is."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import FilmError
from ..files import AVIF, HEIC
from .libraries import import_av, open_film
from .limits import Only

# MP4 and QuickTime, but not the pictures in the same container; Matroska and WebM; AVI.
_FILM = re.compile(
    rb"....ftyp(?!%b|crx)|\x1aE\xdf\xa3|RIFF....AVI " % b"|".join(sorted(HEIC | AVIF)),
    re.DOTALL,
)


def is_film(head: bytes) -> bool:
    """Tell by its first bytes whether a file is a film that may have a comment."""
    return _FILM.match(head) is not None


def read_comment(path: Path, only: Only | None = None) -> str:
    """Return the comment of a film; empty where there is none.

    Parameters
    ----------
    path : Path
    only : Only, optional
        What it may be, where it comes from anybody.

    Raises
    ------
    FilmError
        FFmpeg cannot read it.
    EngineError
        PyAV is not installed.
    """
    av = import_av()
    try:
        with open_film(path, only) as film:
            tags = {name.lower(): value for name, value in film.metadata.items()}
    except (av.error.FFmpegError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FilmError(f"'{path}' is no film that can be read: {reason}.") from error
    return str(tags.get("comment", ""))
