"""Places where films are written, and what goes wrong there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import DeepDreamError, WriteError

_CALLS_FFMPEG = "av."


def check_place(path: Path) -> None:
    """Make sure, before any work is done, that a film can be written there.

    Raises
    ------
    WriteError
        There is no such folder, or it must not be written to.
    """
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise WriteError(
            f"'{path}' cannot be written: there is no folder '{folder}'. Make it first."
        )
    if not os.access(folder, os.W_OK):
        raise WriteError(f"'{path}' cannot be written: no permission to write in '{folder}'.")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn what the file system and FFmpeg say while a film is made into WriteError."""
    try:
        yield
    except DeepDreamError:
        raise
    except (OSError, ValueError) as error:  # PyAV's errors are one or the other
        if not isinstance(error, OSError) and not type(error).__module__.startswith(_CALLS_FFMPEG):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise WriteError(f"'{path}' cannot be written: {reason}.") from error
